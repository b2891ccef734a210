//! Patients: who is watched.

use jiff::Timestamp;
use medmon_core::noun::Language;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::assignment::Assignment;

/// A patient's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Patient {
    /// Identity.
    pub id: Uuid,
    /// Site.
    pub site: Uuid,
    /// Ward.
    pub ward: Option<Uuid>,
    /// As on the board: "DOE Jeanne".
    pub name: String,
    /// What texts call the patient: "Jeanne".
    pub nickname: String,
    /// The second identifier beside the name; also bounds the believable rate in exercise.
    pub birth_year: i16,
    /// Language of the gateway's texts.
    #[schema(value_type = String, example = "fr")]
    pub language: Language,
    /// IANA zone of the home.
    pub time_zone: String,
    /// The patient's own phone, E.164: asked first after some falls. Absent for whoever may not see contacts, too.
    #[serde(default)]
    pub phone: Option<String>,
    /// When the record was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was archived.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub archived_at: Option<Timestamp>,
    /// Number of the newest Settings made of this record.
    pub settings_version: u64,
    /// The gateway that speaks for the patient now.
    #[serde(default)]
    pub assignment: Option<Assignment>,
}

/// A record to open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewPatient {
    /// As on the board: "DOE Jeanne".
    pub name: String,
    /// What texts call the patient: "Jeanne".
    pub nickname: String,
    /// Birth year.
    pub birth_year: i16,
    /// Ward; absent = the caller's, or the site's only one.
    #[serde(default)]
    pub ward: Option<Uuid>,
    /// Language of the gateway's texts.
    #[serde(default)]
    #[schema(value_type = String, example = "fr")]
    pub language: Language,
    /// IANA zone of the home; absent = "UTC".
    #[serde(default)]
    pub time_zone: Option<String>,
    /// The patient's own phone, E.164. Spaces are taken out.
    #[serde(default)]
    pub phone: Option<String>,
}

/// What to change; absent = as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct PatientPatch {
    /// As on the board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What texts call the patient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nickname: Option<String>,
    /// Birth year.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub birth_year: Option<i16>,
    /// Ward.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<Uuid>,
    /// Language of the gateway's texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// IANA zone of the home.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The patient's own phone; "" = none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// `true` archives the record, `false` takes it back. A bound patient cannot be archived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}

/// Which patients.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct PatientQuery {
    /// Of this ward only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<Uuid>,
    /// Archived ones too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub archived: Option<bool>,
}
