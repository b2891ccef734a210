//! Bradycardia, and tachycardia at rest, from a rate.
//!
//! Limits: NEWS2 (Royal College of Physicians, 2017), per patient in Limits. Not for: pauses, which a rate averages
//! away (they need beat-to-beat intervals, a vital no sensor here sends yet).

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::episode::{Criterion, MINUTE, Rule, SECOND, Sight, Step, Turn, body};
use super::motion::Activity;
use super::{age, median};
use crate::noun::{Condition, Direction, Limit, MonoUs, Priority, Reading, Settings, Vital};

/// A median over so long: one beat or artefact cannot fire it.
const MEDIAN_US: MonoUs = 15 * SECOND;
/// And over so long where nothing is known about movement.
const MEDIAN_UNKNOWN_US: MonoUs = 30 * SECOND;
/// Back means so far inside the limit, bpm.
const HYSTERESIS: f64 = 5.0;
/// A dip reaches less far below the limit than this, bpm.
const DIP: f64 = 10.0;
/// No limit is below this share of the largest rate to be expected in exercise, 220 - age (Fox 1971).
const EXERCISE_SHARE: f64 = 0.9;
/// The most readings kept for the medians.
const WINDOW_MAX: usize = 256;

const LOW: Direction = Direction::Low;
const HIGH: Direction = Direction::High;
const BRADYCARDIA: Condition = Condition::Bradycardia;
const TACHYCARDIA: Condition = Condition::Tachycardia;
const UNKNOWN: Condition = Condition::TachycardiaActivityUnknown;

/// Wrist sensors lock on the cadence of steps for up to 56 s, hence 60 s.
const RULES: [Rule; 9] = [
    body(LOW, BRADYCARDIA, Priority::Medium, 1, MINUTE, MINUTE),
    body(LOW, BRADYCARDIA, Priority::High, 2, MINUTE, MINUTE),
    body(LOW, BRADYCARDIA, Priority::High, 2, 10 * SECOND, MINUTE),
    body(HIGH, UNKNOWN, Priority::Medium, 1, MINUTE, MINUTE),
    body(HIGH, TACHYCARDIA, Priority::Medium, 2, 10 * MINUTE, MINUTE),
    // On real wrist data of healthy people 131 for 60 s would text one to two relatives a day.
    body(HIGH, UNKNOWN, Priority::High, 3, 30 * MINUTE, MINUTE),
    body(HIGH, UNKNOWN, Priority::High, 3, 15 * MINUTE, MINUTE),
    body(HIGH, TACHYCARDIA, Priority::High, 4, MINUTE, MINUTE),
    body(HIGH, TACHYCARDIA, Priority::High, 4, 10 * SECOND, MINUTE),
];

/// Those of them that do not know about movement.
const UNKNOWN_RULES: [usize; 3] = [3, 5, 6];

/// The state of one heart rate sensor.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct HeartRate {
    /// When, and the rate as stored; the last 30 s.
    window: VecDeque<(MonoUs, i32)>,
    newest: Option<MonoUs>,
    criteria: [Criterion; RULES.len()],
}

impl HeartRate {
    /// Takes a usable reading in.
    pub fn reading(&mut self, reading: &Reading, stored: i32, activity: Activity, settings: &Settings) -> Vec<Step> {
        let at = reading.mono_us;
        if self.newest.is_some_and(|newest| at < newest) {
            return Vec::new();
        }
        // Never so short that a few lost readings restart the clock of a quick sensor.
        let gap_us = (i64::from(settings.silence_of(reading.device, Vital::HEART_RATE)) * SECOND).max(30 * SECOND);
        if self.newest.is_some_and(|newest| at - newest > gap_us) {
            self.criteria.iter_mut().for_each(Criterion::gap);
        }
        self.newest = Some(at);
        self.window.push_back((at, stored));
        while self.window.len() > WINDOW_MAX
            || self.window.front().is_some_and(|(then, _)| at - then >= MEDIAN_UNKNOWN_US)
        {
            self.window.pop_front();
        }
        let rate_over = |count| {
            let recent = self.window.iter().rev().take(count);
            median(recent.map(|(_, stored)| *stored), Vital::HEART_RATE)
        };
        let recent = self.window.len() - self.window.partition_point(|(then, _)| at - then >= MEDIAN_US);
        let rate = rate_over(recent);
        // Where movement is known, the rules of the longer median can only recover.
        let unknown_matters =
            activity == Activity::Unknown || UNKNOWN_RULES.iter().any(|rule| self.criteria[*rule].active);
        // A quick sensor's window is full before it is that long: then both are the same.
        let slow_rate = if unknown_matters && recent < self.window.len() { rate_over(self.window.len()) } else { rate };

        let limit = |limit| settings.limits.get(limit);
        let exercise = match activity {
            Activity::Active(_) => age(settings, reading).map_or(0.0, |age| EXERCISE_SHARE * (220.0 - age)),
            _ => 0.0,
        };
        let low = |which| (rate, limit(which), Sight::below(rate, limit(which), HYSTERESIS));
        // Whatever movement raises the limit to: recovered is only who is back below the limit at rest.
        let high = |which, applies: bool| {
            let raised = limit(which).max(exercise);
            let at_rest = Sight::above(rate, limit(which), HYSTERESIS);
            let sight = Sight { beyond: rate >= raised, ..at_rest };
            (rate, raised, if applies { sight } else { sight.only_back() })
        };
        let unknown = |which, bridges: bool| {
            let sight = Sight::above(slow_rate, limit(which), HYSTERESIS);
            let sight = Sight { dip: bridges && slow_rate > limit(which) - DIP, ..sight };
            let applies = activity == Activity::Unknown;
            (slow_rate, limit(which), if applies { sight } else { sight.only_back() })
        };
        let (known, resting) = (activity != Activity::Unknown, matches!(activity, Activity::Rest(_)));
        let sights = [
            low(Limit::HeartRateLow),
            low(Limit::HeartRateLowUrgent),
            low(Limit::HeartRateLowExtreme),
            unknown(Limit::HeartRateHighUrgent, false),
            high(Limit::HeartRateHigh, known),
            unknown(Limit::HeartRateHighUrgent, true),
            unknown(Limit::HeartRateHighExtreme, true),
            high(Limit::HeartRateHighUrgent, known),
            high(Limit::HeartRateHighExtreme, resting),
        ];
        let mut steps = Vec::new();
        for ((criterion, rule), (rate, limit, sight)) in self.criteria.iter_mut().zip(&RULES).zip(sights) {
            if let Some(turn) = criterion.see(at, sight, rule) {
                steps.push(Step::new(rule, turn, explain(turn, rule, at, rate, limit, activity)));
            }
        }
        steps
    }

    /// The rules that are active.
    pub fn active(&self) -> impl Iterator<Item = &'static Rule> {
        self.criteria.iter().zip(&RULES).filter(|(criterion, _)| criterion.active).map(|(_, rule)| rule)
    }
}

fn explain(turn: Turn, rule: &Rule, at: MonoUs, rate: f64, limit: f64, activity: Activity) -> String {
    let Turn::Completed { onset } = turn else {
        return format!("{rate:.0} bpm, back within the limit for {} s", rule.recovery_us / SECOND);
    };
    let held = (at - onset) / SECOND;
    let activity = match (rule.direction, activity) {
        (Direction::Low, _) => String::new(),
        (_, Activity::Unknown) => ", activity unknown".into(),
        (_, Activity::Rest(g)) => format!(" at rest, motion {g:.2} g"),
        (_, Activity::Active(g)) => format!(" beyond exercise, motion {g:.2} g"),
    };
    format!("{rate:.0} bpm for {held} s{activity} (limit {limit:.0})")
}
