//! How a condition becomes an episode: it has to hold for its persistence time, and to be back beyond its hysteresis
//! for its recovery time. One machine for every line of CLINICAL.md's table.
//!
//! Not for: what a value means (the detectors' own files), nor acknowledging and latching (the alert's fold).

use serde::{Deserialize, Serialize};

use super::{Change, EpisodeKey, Finding};
use crate::noun::{Class, Condition, Direction, Ieee, MonoUs, Priority, ReadingId, Vital};

/// Microseconds in a second.
pub(super) const SECOND: MonoUs = 1_000_000;
/// Microseconds in a minute.
pub(super) const MINUTE: MonoUs = 60 * SECOND;
/// Rounding of decimal limits in binary: 37.8 - 0.3 must meet a reading of 37.5.
const ROUNDING: f64 = 1e-9;

/// One line of the table: what it means when its criterion completes.
#[derive(Debug, PartialEq)]
pub(super) struct Rule {
    pub direction: Direction,
    pub condition: Condition,
    pub class: Class,
    pub priority: Priority,
    /// Orders the rules of one episode key. Never against the priority.
    pub gravity: u8,
    /// Has to hold so long.
    pub persistence_us: MonoUs,
    /// Has to be back so long.
    pub recovery_us: MonoUs,
}

/// A rule about the patient's body.
pub(super) const fn body(
    direction: Direction,
    condition: Condition,
    priority: Priority,
    gravity: u8,
    persistence_us: MonoUs,
    recovery_us: MonoUs,
) -> Rule {
    Rule { direction, condition, class: Class::Physiological, priority, gravity, persistence_us, recovery_us }
}

/// A rule about the equipment: technical, medium, and the vital is not heard or not believed.
pub(super) const fn equipment(condition: Condition, gravity: u8, recovery_us: MonoUs) -> Rule {
    let (direction, class, priority) = (Direction::Absent, Class::Technical, Priority::Medium);
    Rule { direction, condition, class, priority, gravity, persistence_us: 0, recovery_us }
}

/// What one reading says about one criterion. Neither beyond nor back = between, within the hysteresis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sight {
    pub beyond: bool,
    pub back: bool,
    /// Not beyond, but so near that a short dip does not restart the persistence time.
    pub dip: bool,
}

impl Sight {
    /// Beyond at `limit` and above.
    pub fn above(value: f64, limit: f64, hysteresis: f64) -> Self {
        Self { beyond: value >= limit, back: value <= limit - hysteresis + ROUNDING, dip: false }
    }

    /// Beyond at `limit` and below.
    pub fn below(value: f64, limit: f64, hysteresis: f64) -> Self {
        Self { beyond: value <= limit, back: value >= limit + hysteresis - ROUNDING, dip: false }
    }

    /// The same, while the rule does not apply: nothing new begins, what is active can still recover.
    pub fn only_back(self) -> Self {
        Self { beyond: false, dip: false, ..self }
    }
}

/// A dip has to be shorter than this.
const DIP_US: MonoUs = MINUTE;

/// How a criterion changed with a reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Turn {
    /// It held for its persistence time, beginning at `onset`.
    Completed { onset: MonoUs },
    /// It was back for its recovery time.
    Recovered,
}

/// The state of one rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Criterion {
    /// Beyond since then.
    since: Option<MonoUs>,
    /// In a tolerated dip since then.
    dip: Option<MonoUs>,
    /// Back since then.
    back: Option<MonoUs>,
    /// Completed and not recovered.
    pub active: bool,
}

impl Criterion {
    /// Takes one reading at `at` in, with the rule's own waits.
    pub fn see(&mut self, at: MonoUs, sight: Sight, rule: &Rule) -> Option<Turn> {
        self.see_after(at, sight, rule.persistence_us, rule.recovery_us)
    }

    /// Takes one reading at `at` in, with these waits.
    pub fn see_after(&mut self, at: MonoUs, sight: Sight, persistence_us: MonoUs, recovery_us: MonoUs) -> Option<Turn> {
        if sight.beyond {
            (self.dip, self.back) = (None, None);
            let onset = *self.since.get_or_insert(at);
            if !self.active && at - onset >= persistence_us {
                self.active = true;
                return Some(Turn::Completed { onset });
            }
            return None;
        }
        let bridged = sight.dip && at - *self.dip.get_or_insert(at) < DIP_US;
        if !bridged {
            (self.since, self.dip) = (None, None);
        }
        if !(self.active && sight.back) {
            self.back = None;
        } else if at - *self.back.get_or_insert(at) >= recovery_us {
            *self = Self::default();
            return Some(Turn::Recovered);
        }
        None
    }

    /// Nothing usable was read for too long: what had begun to hold, or to be back, begins anew.
    pub fn gap(&mut self) {
        *self = Self { active: self.active, ..Self::default() };
    }
}

/// What a detector reports of one rule.
#[derive(Debug)]
pub(super) struct Step {
    pub rule: &'static Rule,
    pub turn: Turn,
    /// The rule was active already and speaks up again (a re-armed prediction, a second fall).
    pub again: bool,
    /// Of a prediction: when what is predicted is expected.
    pub expected: Option<MonoUs>,
    pub explanation: String,
}

impl Step {
    pub fn new(rule: &'static Rule, turn: Turn, explanation: String) -> Self {
        Self { rule, turn, again: false, expected: None, explanation }
    }
}

/// Where findings come from: the device, and the reading that completed them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin {
    pub vital: Vital,
    pub device: Ieee,
    pub reading: ReadingId,
    pub at_us: MonoUs,
}

/// An episode that is going on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Episode {
    key: EpisodeKey,
    condition: Condition,
    class: Class,
    priority: Priority,
    /// Of the gravest rule still active, as the three above. Falls silently as rules recover, so that a relapse is
    /// a worsening.
    gravity: u8,
    onset_us: MonoUs,
}

/// The episodes of one patient that are going on, one for each key at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Episodes(Vec<Episode>);

impl Episodes {
    /// Turns a detector's steps into findings. `gravest` is the gravest rule still active for a key, over all
    /// devices, after these steps.
    pub fn settle(
        &mut self,
        origin: Origin,
        mut steps: Vec<Step>,
        gravest: impl Fn(EpisodeKey) -> Option<&'static Rule>,
    ) -> Vec<Finding> {
        // The gravest first: what completes beside it with the same reading says nothing new.
        steps.sort_by_key(|step| std::cmp::Reverse(step.rule.gravity));
        let mut findings = Vec::new();
        for step in steps {
            let key = EpisodeKey { vital: origin.vital, direction: step.rule.direction };
            findings.extend(match step.turn {
                Turn::Completed { onset } => self.completed(origin, key, onset, step),
                Turn::Recovered => self.recovered(origin, key, step, gravest(key)),
            });
        }
        findings
    }

    fn completed(&mut self, origin: Origin, key: EpisodeKey, onset: MonoUs, step: Step) -> Option<Finding> {
        let Rule { condition, class, priority, gravity, .. } = *step.rule;
        let change = match self.0.iter_mut().find(|episode| episode.key == key) {
            None => {
                self.0.push(Episode { key, condition, class, priority, gravity, onset_us: onset });
                Change::Onset
            }
            Some(episode) => {
                let graver = gravity > episode.gravity;
                let news = graver && (priority > episode.priority || condition != episode.condition);
                if graver {
                    *episode = Episode { condition, class, priority, gravity, ..*episode };
                }
                if !(news || step.again && priority >= episode.priority) {
                    return None;
                }
                Change::Worsened
            }
        };
        let Origin { device, reading, at_us: at_mono_us, .. } = origin;
        let (expected_mono_us, explanation) = (step.expected, step.explanation);
        Some(Finding {
            key,
            change,
            condition,
            class,
            priority,
            onset_mono_us: onset,
            at_mono_us,
            device,
            reading,
            expected_mono_us,
            explanation,
        })
    }

    fn recovered(
        &mut self,
        origin: Origin,
        key: EpisodeKey,
        step: Step,
        gravest: Option<&'static Rule>,
    ) -> Option<Finding> {
        let place = self.0.iter().position(|episode| episode.key == key)?;
        if let Some(&Rule { condition, class, priority, gravity, .. }) = gravest {
            let episode = &mut self.0[place];
            if gravity < episode.gravity {
                *episode = Episode { condition, class, priority, gravity, ..*episode };
            }
            return None;
        }
        let Episode { condition, class, priority, onset_us, .. } = self.0.swap_remove(place);
        Some(Finding {
            key,
            change: Change::Cleared,
            condition,
            class,
            priority,
            onset_mono_us: onset_us,
            at_mono_us: origin.at_us,
            device: origin.device,
            reading: origin.reading,
            expected_mono_us: None,
            explanation: step.explanation,
        })
    }
}
