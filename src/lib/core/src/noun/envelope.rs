//! An Envelope: what a gateway seals for the cloud, all vitals of a span, and the cloud's verdict on it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ieee, UtcUs, Vital, Window};

/// A known hole in the record: said, carried and drawn, never papered over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// What is missing.
    pub vital: Vital,
    /// The device it is missing from; 0 = all.
    pub device: Ieee,
    /// From, UTC.
    pub from_us: UtcUs,
    /// To, UTC.
    pub to_us: UtcUs,
    /// Readings known to be lost; 0 = unknown.
    pub lost: u32,
}

/// A sealed batch. Its identity is (install, stream, sequence); its content never changes once sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The gateway install that sealed it.
    pub install: Uuid,
    /// Numbers of one stream are without holes.
    pub stream: u8,
    /// The number in its stream, from 1.
    pub sequence: u64,
    /// The assignment epoch the gateway knew; 0 = none: belongs to nobody.
    pub epoch: u64,
    /// When it was sealed, UTC.
    pub sealed_us: UtcUs,
    /// What the vitals did.
    pub windows: Vec<Window>,
    /// What is known to be missing.
    pub gaps: Vec<Gap>,
}

/// What the cloud says of one envelope. All but `Later` free it from the outbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Durable in the cloud.
    Stored,
    /// Was durable already: same id, same hash.
    AlreadyHeld,
    /// Durable aside, for a person to judge.
    Quarantined {
        /// Why, in words.
        reason: String,
    },
    /// Keep it and come back.
    Later {
        /// After how long.
        seconds: u32,
    },
}

impl Verdict {
    /// Whether the outbox may let the envelope go.
    pub fn frees(&self) -> bool {
        !matches!(self, Self::Later { .. })
    }
}
