//! Feelings: how the patient says they are.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A feeling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Feeling {
    /// Identity.
    pub id: Uuid,
    /// Whose.
    pub patient: Uuid,
    /// 1 (bad) to 5 (good).
    pub mood: u8,
    /// 0 (none) to 10 (worst).
    #[serde(default)]
    pub pain: Option<u8>,
    /// In their words.
    #[serde(default)]
    pub text: String,
    /// Who entered it, as shown.
    pub author: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// A feeling to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewFeeling {
    /// 1 (bad) to 5 (good).
    pub mood: u8,
    /// 0 (none) to 10 (worst); absent = not said.
    #[serde(default)]
    pub pain: Option<u8>,
    /// In their words, up to 4 KiB.
    #[serde(default)]
    pub text: String,
}
