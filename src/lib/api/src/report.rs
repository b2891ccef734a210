//! Reports of the care team: written once, never changed.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Bytes of a report's text at most.
pub const MAX_TEXT: usize = 64 << 10;

/// A report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Report {
    /// Identity.
    pub id: Uuid,
    /// About whom.
    pub patient: Uuid,
    /// "visit", "call", "note" or another word of the house.
    pub kind: String,
    /// What.
    pub text: String,
    /// Who wrote it, as shown.
    pub author: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A report to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewReport {
    /// "visit", "call", "note" or another word of the house, up to 32 letters.
    pub kind: String,
    /// What, up to 64 KiB.
    pub text: String,
}
