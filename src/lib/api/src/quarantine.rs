//! Envelopes that were set aside: what is in them, and what a person decides.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An envelope that waits for a decision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quarantined {
    /// Identity.
    pub id: Uuid,
    /// Which gateway sent it.
    pub gateway: Uuid,
    /// Why it was set aside.
    pub reason: String,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub received_at: Timestamp,
    /// What is in it; absent = it cannot be opened, and cannot be released.
    #[serde(default)]
    pub content: Option<QuarantinedContent>,
}

/// What is in such an envelope.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct QuarantinedContent {
    /// The install that sealed it.
    pub install: Uuid,
    /// Its stream.
    pub stream: u8,
    /// Its number.
    pub sequence: u64,
    /// The assignment that the gateway knew; 0 = none.
    pub epoch: u64,
    /// When it was sealed, by the gateway's clock.
    #[schema(value_type = String, format = DateTime)]
    pub sealed_at: Timestamp,
    /// Its windows.
    pub windows: u64,
    /// Readings in them.
    pub readings: u64,
    /// The start of its first window.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub from_at: Option<Timestamp>,
    /// The start of its last window.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to_at: Option<Timestamp>,
}

/// Whose a quarantined envelope is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Release {
    /// The assignment it belongs to: any of a patient whom the caller may bind. Never guessed.
    pub epoch: u64,
}

/// What came of a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Its windows are in the patient's record.
    Released,
    /// The same content was in the record already.
    AlreadyHeld,
    /// It stays aside for good.
    Dismissed,
}
