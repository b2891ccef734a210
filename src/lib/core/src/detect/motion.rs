//! How much a person moves, from one accelerometer: the mean of |norm - 1 g| over 30 s, and the activity gate that
//! tachycardia at rest looks at.
//!
//! Not for: activity as stored for analyses (ENMO, in the windows), nor falls.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::episode::{MINUTE, SECOND};
use crate::noun::{MonoUs, Reading};

/// Movement is averaged over so long.
const SPAN_US: MonoUs = 30 * SECOND;
/// Above it a person is active, g (CLINICAL.md; worn sensors at rest show 0.01 to 0.05 g).
const ACTIVE_G: f64 = 0.1;
/// Activity counts for so long after its end: the heart takes minutes to come down.
const HOLD_US: MonoUs = 5 * MINUTE;
/// And never longer than this at a stretch: a tremor or a rattling sensor must not hide a tachycardia for ever.
const MOST_US: MonoUs = 30 * MINUTE;

/// What is known about a person's movement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Activity {
    /// No accelerometer is heard.
    Unknown,
    /// At rest; mean movement in g.
    Rest(f64),
    /// Active now or until a moment ago; mean movement in g.
    Active(f64),
}

impl Activity {
    /// Two accelerometers on one body: whichever moves, the person moves.
    pub fn or(self, other: Self) -> Self {
        let grade = |activity| match activity {
            Self::Unknown => (0, 0.0),
            Self::Rest(g) => (1, g),
            Self::Active(g) => (2, g),
        };
        if grade(other) > grade(self) { other } else { self }
    }
}

/// The movement of one accelerometer over the last 30 s, and since when it is active.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Motion {
    /// Second on the monotonic scale, samples, sum of |norm - 1 g| in µg.
    seconds: VecDeque<(i64, i64, i64)>,
    newest: MonoUs,
    active_since: Option<MonoUs>,
    active_last: MonoUs,
}

impl Motion {
    /// Takes a burst in.
    pub fn reading(&mut self, reading: &Reading) {
        for (offset, [x, y, z]) in reading.samples() {
            let at = reading.mono_us + offset;
            let moved = (((x * x + y * y + z * z).sqrt() - 1.0).abs() * 1e6) as i64;
            let second = at.div_euclid(SECOND);
            match self.seconds.back_mut() {
                Some((last, count, sum)) if *last >= second => (*count, *sum) = (*count + 1, *sum + moved),
                _ => self.seconds.push_back((second, 1, moved)),
            }
            self.newest = self.newest.max(at);
        }
        let oldest = (self.newest - SPAN_US).div_euclid(SECOND);
        while self.seconds.front().is_some_and(|(second, ..)| *second <= oldest) {
            self.seconds.pop_front();
        }
        if self.active_since.is_some() && self.newest - self.active_last > HOLD_US {
            self.active_since = None;
        }
        if self.mean_g() > ACTIVE_G {
            self.active_since.get_or_insert(self.newest);
            self.active_last = self.newest;
        }
    }

    /// What this accelerometer says about the moment `at`; it counts as heard for `silence_us` after its last burst.
    pub fn activity(&self, at: MonoUs, silence_us: MonoUs) -> Activity {
        if self.seconds.is_empty() || at - self.newest > silence_us.max(SPAN_US) {
            return Activity::Unknown;
        }
        match self.active_since {
            Some(since) if at - self.active_last <= HOLD_US && at - since <= MOST_US => Activity::Active(self.mean_g()),
            _ => Activity::Rest(self.mean_g()),
        }
    }

    fn mean_g(&self) -> f64 {
        let (count, sum) = self.seconds.iter().fold((0, 0), |(count, sum), row| (count + row.1, sum + row.2));
        if count == 0 { 0.0 } else { sum as f64 / count as f64 / 1e6 }
    }
}
