//! Events: hints that something changed. They carry ids only; who is interested asks for the thing itself.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// An alert.
    Alert,
    /// New windows of a patient.
    Vitals,
    /// A patient's record, contacts, limits, reports, feelings or assignment.
    Patient,
    /// Events were missed: ask for everything anew.
    Resync,
    /// A kind that a newer release knows.
    #[serde(other)]
    Other,
}

impl EventKind {
    /// The name as in the stream's `event:` field.
    pub fn name(self) -> &'static str {
        match self {
            Self::Alert => "alert",
            Self::Vitals => "vitals",
            Self::Patient => "patient",
            Self::Resync => "resync",
            Self::Other => "other",
        }
    }
}

/// One hint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Grows; send the last one as `Last-Event-ID` to go on from there.
    pub id: u64,
    /// What changed.
    pub kind: EventKind,
    /// Whose.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub patient: Option<Uuid>,
    /// Which alert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<Uuid>,
}
