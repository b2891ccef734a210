//! Alerts as people see them: the fold of their facts, with names filled in.

use jiff::Timestamp;
use medmon_core::noun::{Class, Condition, Direction, Fact, Ieee, Priority, Vital};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Somebody takes care of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledgement {
    /// As shown: "Paul", "A. Martin".
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Texts to one contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Notice {
    /// The contact.
    pub contact: Uuid,
    /// As shown, removed contacts too; absent = one that the cloud never knew.
    #[serde(default)]
    pub name: Option<String>,
    /// "modem", "http"; of the newest text.
    pub channel: String,
    /// When the newest text was handed over; absent = only its delivery is known so far.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub notified_at: Option<Timestamp>,
    /// When the network reported a delivery.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered_at: Option<Timestamp>,
    /// Texts handed over.
    pub texts: u32,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Alert {
    /// Identity.
    pub id: Uuid,
    /// Whose; absent = the gateway belonged to nobody.
    #[serde(default)]
    pub patient: Option<Uuid>,
    /// The gateway that raised it.
    pub gateway: Uuid,
    /// Which vital.
    #[schema(value_type = String, example = "heart_rate")]
    pub vital: Vital,
    /// low, high, event, absent.
    #[schema(value_type = String)]
    pub direction: Direction,
    /// What was found last, such as "tachycardia".
    #[schema(value_type = String, example = "tachycardia")]
    pub condition: Condition,
    /// physiological, technical.
    #[schema(value_type = String)]
    pub class: Class,
    /// The highest it ever had.
    #[schema(value_type = String, example = "high")]
    pub priority: Priority,
    /// When the condition began.
    #[schema(value_type = String, format = DateTime)]
    pub onset_at: Timestamp,
    /// When it was raised.
    #[schema(value_type = String, format = DateTime)]
    pub raised_at: Timestamp,
    /// When the condition ended.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub cleared_at: Option<Timestamp>,
    /// What fired, for a clinician; absent for a relative (it has figures).
    #[serde(default)]
    pub explanation: Option<String>,
    /// The ward's answer, unless a worsening overtook it.
    #[serde(default)]
    pub acknowledged_ward: Option<Acknowledgement>,
    /// The family's, likewise.
    #[serde(default)]
    pub acknowledged_family: Option<Acknowledgement>,
    /// No paging until then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub silenced_until: Option<Timestamp>,
    /// Why it is silenced.
    #[serde(default)]
    pub silence_reason: Option<String>,
    /// Who was texted, in the order of the first text.
    pub notices: Vec<Notice>,
    /// Who was the last to take over the paging: "cloud", "gateway"; absent = nobody had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_over_by: Option<String>,
    /// On the board until cleared and acknowledged by the ward.
    pub open: bool,
}

/// An alert with all that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertDetail {
    /// Its state.
    #[serde(flatten)]
    pub alert: Alert,
    /// Its facts, oldest first, in the core's own form (`at_us`: µs UTC).
    #[schema(value_type = Vec<Object>)]
    pub facts: Vec<Fact>,
}

/// The raw readings around an alert, from 2 min before the onset to 5 min after the raising.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AlertSegment {
    /// From.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// Readings of that span are known to be missing.
    pub cut: bool,
    /// One for each vital of each device.
    pub series: Vec<RawSeries>,
}

/// What one device said of one vital.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RawSeries {
    /// Which vital.
    #[schema(value_type = String, example = "heart_rate")]
    pub vital: Vital,
    /// Which device.
    #[schema(value_type = String, example = "00124b002a5c0d01")]
    pub device: Ieee,
    /// Unit of the values.
    pub unit: String,
    /// Time and value, oldest first; of acceleration the norm.
    #[schema(value_type = Vec<(String, f64)>)]
    pub points: Vec<(Timestamp, f64)>,
    /// Of acceleration x, y, z of each point.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub axes: Vec<[f64; 3]>,
}

/// Which alerts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct AlertQuery {
    /// Only open (`true`) or only closed (`false`) ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open: Option<bool>,
    /// Of this ward's patients only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<Uuid>,
    /// This priority only: high, medium, low.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub priority: Option<Priority>,
}

/// The ward takes care of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Ack {
    /// Why or how, for the audit; up to 500 letters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// No paging for this alert for a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Silence {
    /// For how long, 60 s to 24 h.
    pub for_s: u32,
    /// Why; 1-500 letters.
    pub reason: String,
}
