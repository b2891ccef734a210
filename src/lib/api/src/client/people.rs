//! Calls about people: patients, wards, contacts, assignments, limits, tokens.

use medmon_core::noun::Ieee;
use reqwest::{Method, StatusCode};
use uuid::Uuid;

use super::{Client, Error, answer};
use crate::assignment::{Assignment, Bind, DeviceHistory, Devices};
use crate::contact::{Contact, ContactPatch, ContactTest, Drill, NewContact};
use crate::limits::{LimitsPatch, PatientLimits};
use crate::paths::{self, fill};
use crate::patient::{NewPatient, Patient, PatientPatch, PatientQuery};
use crate::token::{CreatedToken, NewToken, Token, Whoami};
use crate::ward::{NewSite, NewWard, Site, Ward};
use crate::{Page, PageQuery};

impl Client {
    /// Who the caller is.
    pub async fn whoami(&self) -> Result<Whoami, Error> {
        self.get(paths::WHOAMI, &[]).await
    }

    /// Patients that the caller may see, by name.
    pub async fn patients(&self, query: &PatientQuery, page: &PageQuery) -> Result<Page<Patient>, Error> {
        self.get(paths::PATIENTS, &[query, page]).await
    }

    /// One patient.
    pub async fn patient(&self, id: Uuid) -> Result<Patient, Error> {
        self.get(&one(paths::PATIENT, id), &[]).await
    }

    /// Opens a record.
    pub async fn add_patient(&self, new: &NewPatient) -> Result<Patient, Error> {
        self.write(Method::POST, paths::PATIENTS, new).await
    }

    /// Changes a record.
    pub async fn edit_patient(&self, id: Uuid, patch: &PatientPatch) -> Result<Patient, Error> {
        self.write(Method::PATCH, &one(paths::PATIENT, id), patch).await
    }

    /// A patient's limits.
    pub async fn limits(&self, patient: Uuid) -> Result<PatientLimits, Error> {
        self.get(&one(paths::LIMITS, patient), &[]).await
    }

    /// Changes limits, all given or none. With `if_version`, only if nobody else changed them since that version.
    pub async fn set_limits(
        &self,
        patient: Uuid,
        patch: &LimitsPatch,
        if_version: Option<u64>,
    ) -> Result<PatientLimits, Error> {
        let path = one(paths::LIMITS, patient);
        let mut request = self.request(Method::PUT, &path).json(patch).timeout(super::TIMEOUT);
        if let Some(version) = if_version {
            request = request.header("If-Match", format!("\"{version}\""));
        }
        answer(&path, self.send(request).await?).await
    }

    /// A patient's contacts, in the order of the ladder.
    pub async fn contacts(&self, patient: Uuid) -> Result<Vec<Contact>, Error> {
        self.get(&one(paths::CONTACTS, patient), &[]).await
    }

    /// Adds a contact.
    pub async fn add_contact(&self, patient: Uuid, new: &NewContact) -> Result<Contact, Error> {
        self.write(Method::POST, &one(paths::CONTACTS, patient), new).await
    }

    /// Changes a contact or its place.
    pub async fn edit_contact(&self, patient: Uuid, contact: Uuid, patch: &ContactPatch) -> Result<Contact, Error> {
        self.write(Method::PATCH, &two(paths::CONTACT, patient, contact), patch).await
    }

    /// Removes a contact.
    pub async fn remove_contact(&self, patient: Uuid, contact: Uuid) -> Result<(), Error> {
        self.delete(&two(paths::CONTACT, patient, contact)).await
    }

    /// Asks for an exercise with one contact. What comes of it: the drill alert that the gateway raises for them.
    pub async fn test_contact(&self, patient: Uuid, contact: Uuid, test: &ContactTest) -> Result<Drill, Error> {
        self.write(Method::POST, &two(paths::CONTACT_TEST, patient, contact), test).await
    }

    /// A patient's assignments, newest first.
    pub async fn assignments(&self, patient: Uuid) -> Result<Vec<Assignment>, Error> {
        self.get(&one(paths::ASSIGNMENTS, patient), &[]).await
    }

    /// Binds a gateway to a patient; it is pending until the gateway's heartbeat confirms it.
    pub async fn bind(&self, patient: Uuid, gateway: Uuid) -> Result<Assignment, Error> {
        self.write(Method::POST, &one(paths::ASSIGNMENTS, patient), &Bind { gateway }).await
    }

    /// Ends the open assignment of a patient.
    pub async fn unbind(&self, patient: Uuid) -> Result<(), Error> {
        self.delete(&one(paths::ASSIGNMENT_OPEN, patient)).await
    }

    /// A patient's sensors and cadences.
    pub async fn devices(&self, patient: Uuid) -> Result<Devices, Error> {
        self.get(&one(paths::DEVICES, patient), &[]).await
    }

    /// Replaces a patient's sensors and cadences.
    pub async fn set_devices(&self, patient: Uuid, devices: &Devices) -> Result<Devices, Error> {
        self.write(Method::PUT, &one(paths::DEVICES, patient), devices).await
    }

    /// Everything that is known of a sensor: to whom it was given, and who hears it.
    pub async fn device_history(&self, ieee: Ieee) -> Result<DeviceHistory, Error> {
        self.get(&fill(paths::DEVICE, &[&ieee.to_string()]), &[]).await
    }

    /// Wards of the caller's site, by name.
    pub async fn wards(&self) -> Result<Vec<Ward>, Error> {
        self.get(paths::WARDS, &[]).await
    }

    /// Adds a ward to the caller's site.
    pub async fn add_ward(&self, new: &NewWard) -> Result<Ward, Error> {
        self.write(Method::POST, paths::WARDS, new).await
    }

    /// Sites that the caller may see: its own.
    pub async fn sites(&self) -> Result<Vec<Site>, Error> {
        self.get(paths::SITES, &[]).await
    }

    /// Adds a site.
    pub async fn add_site(&self, new: &NewSite) -> Result<Site, Error> {
        self.write(Method::POST, paths::SITES, new).await
    }

    /// Tokens of the caller's site, without their secrets, newest first.
    pub async fn tokens(&self, page: &PageQuery) -> Result<Page<Token>, Error> {
        self.get(paths::TOKENS, &[page]).await
    }

    /// Makes a token; its secret is in this answer and nowhere else.
    pub async fn create_token(&self, new: &NewToken) -> Result<CreatedToken, Error> {
        self.write(Method::POST, paths::TOKENS, new).await
    }

    /// Revokes a token.
    pub async fn revoke_token(&self, id: Uuid) -> Result<(), Error> {
        self.delete(&one(paths::TOKEN, id)).await
    }
}

pub(super) fn one(path: &str, id: Uuid) -> String {
    fill(path, &[&id.to_string()])
}

pub(super) fn two(path: &str, id: Uuid, second: Uuid) -> String {
    fill(path, &[&id.to_string(), &second.to_string()])
}

/// Whether an answer says that nothing changed.
pub(super) fn unchanged(status: StatusCode) -> bool {
    status == StatusCode::NOT_MODIFIED
}
