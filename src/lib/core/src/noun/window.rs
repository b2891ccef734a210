//! A Window: what a vital did over a span, in integers, so that nothing is lost in rounding.
//!
//! Windows of one vital and start merge: a late reading travels as another part, and the parts make
//! the window in any order. The mean is derived: `sum / count`.

use serde::{Deserialize, Serialize};

use super::{UtcUs, Vital};

/// One vital over one span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// What was measured.
    pub vital: Vital,
    /// Start in UTC, a whole multiple of the span (or the time of the reading where the span is 0).
    pub start_us: UtcUs,
    /// Length in seconds; 0 = a single reading.
    pub span_s: u32,
    /// Smallest stored value.
    pub min: i32,
    /// Largest stored value.
    pub max: i32,
    /// Sum of stored values.
    pub sum: i64,
    /// How many values.
    pub count: u32,
    /// The newest stored value.
    pub last: i32,
    /// When the newest value was, in ms after the start.
    pub last_ms: u32,
    /// Share of the expected readings that arrived, in thousandths.
    pub coverage: u16,
    /// How many of `count` were not of good quality.
    pub suspect: u32,
}

impl Window {
    /// A window of a single value at `utc_us`.
    pub fn of(vital: Vital, utc_us: UtcUs, stored: i32, coverage: u16, good: bool) -> Self {
        let span_s = vital.info().map_or(60, |row| row.window_s);
        let start_us = if span_s == 0 { utc_us } else { utc_us - utc_us.rem_euclid(i64::from(span_s) * 1_000_000) };
        Self {
            vital,
            start_us,
            span_s,
            min: stored,
            max: stored,
            sum: i64::from(stored),
            count: 1,
            last: stored,
            last_ms: ((utc_us - start_us) / 1000) as u32,
            coverage,
            suspect: u32::from(!good),
        }
    }

    /// Takes another part of the same window in.
    pub fn merge(&mut self, other: &Self) {
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum = self.sum.saturating_add(other.sum);
        self.count = self.count.saturating_add(other.count);
        // The larger value decides between two at one instant, so that the order of parts does not.
        (self.last_ms, self.last) = (self.last_ms, self.last).max((other.last_ms, other.last));
        self.coverage = self.coverage.saturating_add(other.coverage).min(1000);
        self.suspect = self.suspect.saturating_add(other.suspect);
    }

    /// Mean in the vital's unit.
    pub fn mean(&self) -> f64 {
        self.sum as f64 / f64::from(self.count.max(1)) / self.vital.scale()
    }

    /// End of the span in UTC.
    pub fn end_us(&self) -> UtcUs {
        self.start_us + i64::from(self.span_s) * 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn part() -> impl Strategy<Value = Window> {
        (0i64..60_000_000, 200i32..2500, 0u16..400, any::<bool>())
            .prop_map(|(at, stored, coverage, good)| Window::of(Vital::HEART_RATE, at, stored, coverage, good))
    }

    proptest! {
        #[test]
        fn parts_make_the_same_window_in_any_order(parts in prop::collection::vec(part(), 1..20), turn in 0usize..20) {
            let fold = |parts: &[Window]| {
                let mut whole = parts[0].clone();
                parts[1..].iter().for_each(|part| whole.merge(part));
                whole
            };
            let mut turned = parts.clone();
            turned.rotate_left(turn % parts.len());
            turned.reverse();
            let whole = fold(&parts);
            prop_assert_eq!(&whole, &fold(&turned));
            prop_assert_eq!(whole.count as usize, parts.len());
            prop_assert!(whole.min <= whole.last && whole.last <= whole.max);
        }
    }
}
