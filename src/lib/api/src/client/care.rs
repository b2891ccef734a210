//! Calls of care: board, vitals, alerts, reports, feelings.

use medmon_core::noun::Vital;
use reqwest::Method;
use uuid::Uuid;

use super::people::{one, two};
use super::{Client, Error};
use crate::alert::{Ack, Alert, AlertDetail, AlertQuery, AlertSegment, Silence};
use crate::board::{Board, BoardQuery};
use crate::feeling::{Feeling, NewFeeling};
use crate::paths::{self, fill};
use crate::report::{NewReport, Report};
use crate::vitals::{Latest, Series, SeriesQuery, Totals, TotalsQuery};
use crate::{Page, PageQuery};

impl Client {
    /// The board of a ward, or of all that the caller may see.
    pub async fn board(&self, ward: Option<Uuid>) -> Result<Board, Error> {
        self.get(paths::BOARD, &[&BoardQuery { ward }]).await
    }

    /// What one vital amounted to over a span, for each patient of a ward.
    pub async fn totals(&self, vital: Vital, query: &TotalsQuery) -> Result<Totals, Error> {
        self.get(&fill(paths::VITAL_TOTALS, &[&vital.to_string()]), &[query]).await
    }

    /// Erases all vitals of a patient for good.
    pub async fn erase_vitals(&self, patient: Uuid) -> Result<(), Error> {
        self.delete(&fill(paths::PATIENT_VITALS, &[&patient.to_string()])).await
    }

    /// One vital over a span.
    pub async fn vitals(&self, patient: Uuid, vital: Vital, query: &SeriesQuery) -> Result<Series, Error> {
        self.get(&fill(paths::VITALS, &[&patient.to_string(), &vital.to_string()]), &[query]).await
    }

    /// The newest value of each vital.
    pub async fn latest(&self, patient: Uuid) -> Result<Vec<Latest>, Error> {
        self.get(&one(paths::VITALS_LATEST, patient), &[]).await
    }

    /// Alerts that the caller may see, newest first.
    pub async fn alerts(&self, query: &AlertQuery, page: &PageQuery) -> Result<Page<Alert>, Error> {
        self.get(paths::ALERTS, &[query, page]).await
    }

    /// A patient's alerts, newest first.
    pub async fn patient_alerts(
        &self,
        patient: Uuid,
        query: &AlertQuery,
        page: &PageQuery,
    ) -> Result<Page<Alert>, Error> {
        self.get(&one(paths::PATIENT_ALERTS, patient), &[query, page]).await
    }

    /// One alert with its facts.
    pub async fn alert(&self, id: Uuid) -> Result<AlertDetail, Error> {
        self.get(&one(paths::ALERT, id), &[]).await
    }

    /// The raw readings around an alert; not found while the gateway has not sent them.
    pub async fn segment(&self, id: Uuid) -> Result<AlertSegment, Error> {
        self.get(&one(paths::ALERT_SEGMENT, id), &[]).await
    }

    /// The ward takes care of an alert.
    pub async fn acknowledge(&self, id: Uuid, ack: &Ack) -> Result<Alert, Error> {
        self.write(Method::POST, &one(paths::ALERT_ACK, id), ack).await
    }

    /// No paging for an alert for a time.
    pub async fn silence(&self, id: Uuid, silence: &Silence) -> Result<Alert, Error> {
        self.write(Method::POST, &one(paths::ALERT_SILENCE, id), silence).await
    }

    /// A patient's reports, newest first.
    pub async fn reports(&self, patient: Uuid, page: &PageQuery) -> Result<Page<Report>, Error> {
        self.get(&one(paths::REPORTS, patient), &[page]).await
    }

    /// One report.
    pub async fn report(&self, patient: Uuid, report: Uuid) -> Result<Report, Error> {
        self.get(&two(paths::REPORT, patient, report), &[]).await
    }

    /// Adds a report.
    pub async fn add_report(&self, patient: Uuid, new: &NewReport) -> Result<Report, Error> {
        self.write(Method::POST, &one(paths::REPORTS, patient), new).await
    }

    /// A patient's feelings, newest first.
    pub async fn feelings(&self, patient: Uuid, page: &PageQuery) -> Result<Page<Feeling>, Error> {
        self.get(&one(paths::FEELINGS, patient), &[page]).await
    }

    /// Adds a feeling.
    pub async fn add_feeling(&self, patient: Uuid, new: &NewFeeling) -> Result<Feeling, Error> {
        self.write(Method::POST, &one(paths::FEELINGS, patient), new).await
    }
}
