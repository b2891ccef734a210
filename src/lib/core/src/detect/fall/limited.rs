//! "Fall detection limited": an accelerometer that is too slow, or at the wrist one that is cut off at 2 g, misses one
//! fall in five and more (FALLS.md, rates and losses). Technical; it goes by itself.
//!
//! The rate is what arrives in a minute, whatever a burst says of itself: lost samples are no samples.

use serde::{Deserialize, Serialize};

use super::Placement;
use crate::detect::episode::{Criterion, MINUTE, Rule, SECOND, Sight, Step, Turn, equipment};
use crate::noun::{Condition, MonoUs, Reading, Value};

/// Below this it is too slow, samples a second: 12.5 less a sample lost now and then ...
const SLOW_HZ: f64 = 12.0;
/// ... and from here on it is not.
const ENOUGH_HZ: f64 = 12.25;
/// Samples are counted for so long.
const SPAN_US: MonoUs = MINUTE;
/// Unheard for so long, it is silence's business, a moment before that tells it (2 min).
const UNHEARD_US: MonoUs = 110 * SECOND;
/// A range of 2 g ends within this, mg ...
const STOP_MG: std::ops::RangeInclusive<u16> = 1900..=2100;
/// ... so many samples are at the end ...
const STOPPED: u32 = 20;
/// ... within so much, mg.
const STOP_WIDTH_MG: u16 = 16;

/// Two minutes in a row; the gravity is below that of silence.
const RULE: Rule = Rule { persistence_us: SPAN_US, ..equipment(Condition::FallLimited, 1, SPAN_US) };

/// How good the samples of one accelerometer are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Limited {
    /// Counted since then, and how many.
    since: Option<MonoUs>,
    count: i64,
    newest: MonoUs,
    /// The largest value of an axis so far, mg, and how many samples were there.
    largest: u16,
    at_largest: u32,
    criterion: Criterion,
}

impl Limited {
    /// Takes a burst in.
    pub fn reading(&mut self, reading: &Reading, placement: &Placement) -> Option<Step> {
        let Value::Samples { xyz, .. } = &reading.value else { return None };
        let at = reading.mono_us;
        let axes = xyz.iter().flatten().map(|mg| mg.unsigned_abs());
        let largest = axes.clone().max().unwrap_or(0);
        if largest > self.largest.saturating_add(STOP_WIDTH_MG) {
            self.at_largest = 0;
        }
        self.largest = self.largest.max(largest);
        let at_stop = self.largest.saturating_sub(STOP_WIDTH_MG);
        if largest >= at_stop {
            self.at_largest = self.at_largest.saturating_add(axes.filter(|mg| *mg >= at_stop).count() as u32);
        }
        let heard = self.since.is_some() && at - self.newest < UNHEARD_US;
        self.newest = self.newest.max(at);
        let Some(since) = self.since.filter(|_| heard) else {
            // What came with the first burst was sampled before it.
            (self.since, self.count) = (Some(at), 0);
            self.criterion.gap();
            return None;
        };
        self.count += xyz.len() as i64;
        if at - since < SPAN_US {
            return None;
        }
        let rate = self.count as f64 / ((at - since) as f64 / SECOND as f64);
        (self.since, self.count) = (Some(at), 0);
        let clipped = placement.needs_height && STOP_MG.contains(&self.largest) && self.at_largest >= STOPPED;
        let sight = Sight { beyond: rate < SLOW_HZ || clipped, back: rate >= ENOUGH_HZ && !clipped, dip: false };
        let turn = self.criterion.see(at, sight, &RULE)?;
        let explanation = match turn {
            Turn::Recovered => format!("{rate:.1} samples a second again"),
            Turn::Completed { .. } if rate < SLOW_HZ => {
                format!(
                    "{rate:.1} samples a second arrive, falls need 12.5; at 10 one in ten is missed, at 5 one in four"
                )
            }
            Turn::Completed { .. } => {
                let g = f64::from(self.largest) / 1000.0;
                format!("cut off at {g:.1} g at the wrist, where falls are told by their height; one in six is missed")
            }
        };
        Some(Step::new(&RULE, turn, explanation))
    }

    /// Time passes without a burst.
    pub fn tick(&mut self, now: MonoUs) -> Option<Step> {
        let over = self.criterion.active && now - self.newest >= UNHEARD_US;
        over.then(|| {
            (self.since, self.criterion) = (None, Criterion::default());
            Step::new(&RULE, Turn::Recovered, "not heard, which is for silence to tell".into())
        })
    }

    /// The sensor sits elsewhere now. What was told is still told until the next minutes are better.
    pub fn moved(&mut self) {
        *self = Self { criterion: self.criterion, newest: self.newest, ..Self::default() };
    }

    /// The rule, if it is active.
    pub fn active(&self) -> Option<&'static Rule> {
        self.criterion.active.then_some(&RULE)
    }
}
