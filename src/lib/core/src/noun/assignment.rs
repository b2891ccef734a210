//! An Assignment: which patient a gateway's readings belong to, from when to when.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::UtcUs;

/// How far a binding has come. It is open only once the gateway itself has confirmed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// Staff asked for it; the gateway has not answered.
    Pending,
    /// The gateway works under it.
    Confirmed,
    /// Over.
    Ended,
}

/// Gateway and patient, for a time. The epoch grows with each assignment of a gateway and travels in envelopes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// Number of the assignment, unique in the cloud, growing.
    pub epoch: u64,
    /// The gateway.
    pub gateway: Uuid,
    /// The patient.
    pub patient: Uuid,
    /// The only label of this patient in the vitals store, random.
    pub subject: Uuid,
    /// From, UTC.
    pub from_us: UtcUs,
    /// To, UTC; `None` = open.
    pub to_us: Option<UtcUs>,
    /// Pending, confirmed or ended.
    pub binding: Binding,
}

impl Assignment {
    /// Whether a span lies within it.
    pub fn covers(&self, from_us: UtcUs, to_us: UtcUs) -> bool {
        from_us >= self.from_us && self.to_us.is_none_or(|end| to_us <= end)
    }

    /// Whether a span shares any time with it. A window is aligned to UTC, so the first and the last of an
    /// assignment reach over its ends.
    pub fn overlaps(&self, from_us: UtcUs, to_us: UtcUs) -> bool {
        let touches_start = to_us > self.from_us || from_us >= self.from_us;
        touches_start && self.to_us.is_none_or(|end| from_us < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_outside_is_nobodys() {
        let assignment = Assignment {
            epoch: 1,
            gateway: Uuid::nil(),
            patient: Uuid::nil(),
            subject: Uuid::nil(),
            from_us: 100,
            to_us: Some(200),
            binding: Binding::Ended,
        };
        assert!(assignment.covers(100, 200));
        assert!(!assignment.covers(99, 150) && !assignment.covers(150, 201));
        assert!(assignment.overlaps(50, 101) && assignment.overlaps(100, 100) && assignment.overlaps(199, 300));
        assert!(!assignment.overlaps(50, 100) && !assignment.overlaps(200, 200) && !assignment.overlaps(99, 99));
        assert!(Assignment { to_us: None, ..assignment }.covers(150, i64::MAX));
    }
}
