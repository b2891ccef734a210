//! A Segment: the raw readings around an alert's onset at full rate, so that a clinician sees what fired it
//! (CLINICAL.md, downsampling). Not a record of the vital: that is the windows.

use uuid::Uuid;

use super::{MonoUs, Reading, UtcUs, Vital};

/// Before the onset, µs.
pub const BEFORE_US: MonoUs = 120_000_000;
/// After the raising, µs.
pub const AFTER_US: MonoUs = 300_000_000;

/// Raw readings of one alert. An alert that worsens later has several; together they are its segment.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// The alert.
    pub alert: Uuid,
    /// Grows with every segment of an install; (alert, part) is its identity and its content never changes.
    pub part: u64,
    /// The assignment, that of every reading in it.
    pub epoch: u64,
    /// What it should reach from, UTC: 2 min before the onset.
    pub from_us: UtcUs,
    /// What it should reach to, UTC: 5 min after the raising.
    pub to_us: UtcUs,
    /// Readings of that span are known to be missing: too many for a segment, or before a start or after a stop of the
    /// gateway.
    pub cut: bool,
    /// Of the alert's own vital and heart rate, in the order they were judged.
    pub readings: Vec<Reading>,
}

impl Segment {
    /// Whether readings of `vital` belong into the segment of an alert about `of`.
    pub fn shows(of: Vital, vital: Vital) -> bool {
        vital == of || vital == Vital::HEART_RATE
    }
}
