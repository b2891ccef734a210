//! A patient's limits as a versioned set of keys.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How far the newest Settings have come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum InForce {
    /// The gateway works by them.
    InForce,
    /// The gateway has not taken them yet.
    Pending {
        /// Since when.
        #[schema(value_type = String, format = DateTime)]
        since: Timestamp,
    },
    /// No gateway is bound, or it has not confirmed the binding.
    Unbound,
}

/// One row: the threshold in its vital's unit, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LimitValue {
    /// `vital.name`.
    pub key: String,
    /// In `unit`.
    pub value: f64,
    /// Unit.
    pub unit: String,
    /// What it would be without a change.
    pub default: f64,
    /// Where the default comes from.
    pub source: String,
    /// Whether it was set for this patient.
    pub set: bool,
}

/// All limits of a patient. The ETag of the answer is the version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PatientLimits {
    /// Whose.
    pub patient: Uuid,
    /// Grows with each change; 0 = defaults.
    pub version: u64,
    /// When they were last changed.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub changed_at: Option<Timestamp>,
    /// By whom.
    #[serde(default)]
    pub changed_by: Option<String>,
    /// Whether the home works by them.
    pub state: InForce,
    /// The rows, in the table's order.
    pub limits: Vec<LimitValue>,
}

/// Keys to change, all or none: `{"heart_rate.high_urgent": 140}`; null = back to the default.
pub type LimitsPatch = BTreeMap<String, Option<f64>>;
