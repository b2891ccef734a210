//! Fever, hypothermia, and a thermometer that is no longer on the body.
//!
//! Limits: NEWS2 (Royal College of Physicians, 2017), per patient in Limits. They are limits of body temperature: a
//! skin sensor has no absolute limit and must not be listed as a thermometer. Slow cooling of a loose sensor cannot be
//! told from hypothermia: it is raised and the explanation says so.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::episode::{Criterion, MINUTE, Rule, SECOND, Sight, Step, Turn, body, equipment};
use super::median;
use crate::noun::{Condition, Direction, Limit, MonoUs, Priority, Reading, Settings, Vital};

/// Medians, and falls of a detached sensor, look back so long.
const SPAN_US: MonoUs = 5 * MINUTE;
/// Back means so far inside the limit, °C.
const HYSTERESIS: f64 = 0.3;
/// A bath or a drink changes the temperature more quickly than illness, °C a minute over 5 min ...
const QUICK_PER_MIN: f64 = 0.06;
/// ... and for so long afterwards every wait of fever ...
const QUICK_HOLD_US: MonoUs = 40 * MINUTE;
/// ... is this. A delay; nothing is discarded.
const QUICK_WAIT_US: MonoUs = 30 * MINUTE;
/// On the body at this and above, °C.
const ON_BODY: f64 = 35.0;
/// Off when the temperature is so far below the highest on-body value of the last 5 min, °C.
const OFF_DROP: f64 = 1.2;
/// On again after 10 min on the body, when the last readings ...
const ON_READINGS: usize = 5;
/// ... are no further apart than this, °C.
const ON_SPREAD: f64 = 0.5;
/// The most readings kept: 10 min of one a second.
const WINDOW_MAX: usize = 600;

const FEVER: Condition = Condition::Fever;
const HYPOTHERMIA: Condition = Condition::Hypothermia;
const RECOVERY: MonoUs = 10 * MINUTE;

const RULES: [Rule; 6] = [
    body(Direction::High, FEVER, Priority::Low, 1, 30 * MINUTE, RECOVERY),
    body(Direction::High, FEVER, Priority::Medium, 2, 5 * MINUTE, RECOVERY),
    body(Direction::High, FEVER, Priority::High, 3, 5 * MINUTE, RECOVERY),
    body(Direction::Low, HYPOTHERMIA, Priority::Medium, 1, 10 * MINUTE, RECOVERY),
    body(Direction::Low, HYPOTHERMIA, Priority::High, 2, 5 * MINUTE, RECOVERY),
    equipment(Condition::SensorOff, 2, RECOVERY),
];
const OFF: usize = 5;

/// The state of one thermometer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Temperature {
    /// When, and the temperature as stored; the last 10 min.
    window: VecDeque<(MonoUs, i32)>,
    newest: Option<MonoUs>,
    /// The last time it changed more quickly than illness does.
    quick: Option<MonoUs>,
    criteria: [Criterion; RULES.len()],
}

impl Temperature {
    /// Takes a usable reading in.
    pub fn reading(&mut self, reading: &Reading, stored: i32, settings: &Settings) -> Vec<Step> {
        let at = reading.mono_us;
        if self.newest.is_some_and(|newest| at < newest) {
            return Vec::new();
        }
        let gap_us = (i64::from(settings.silence_of(reading.device, Vital::TEMPERATURE)) * SECOND).max(10 * MINUTE);
        if self.newest.is_some_and(|newest| at - newest > gap_us) {
            self.criteria.iter_mut().for_each(Criterion::gap);
        }
        self.newest = Some(at);
        self.window.push_back((at, stored));
        // A slow thermometer still needs the reading before.
        let cadence_us = i64::from(settings.cadence_of(reading.device, Vital::TEMPERATURE)) * SECOND;
        let span = SPAN_US.max(cadence_us + cadence_us / 2);
        while self.window.len() > WINDOW_MAX
            || self.window.len() > ON_READINGS && self.window.front().is_some_and(|(then, _)| at - then > 2 * span)
        {
            self.window.pop_front();
        }
        let value = Vital::TEMPERATURE.to_value(stored);
        let within = |span| self.window.iter().rev().take_while(move |(then, _)| at - then < span);
        let typical = median(within(SPAN_US).map(|(_, stored)| *stored), Vital::TEMPERATURE);
        let highest = within(span).map(|(_, stored)| Vital::TEMPERATURE.to_value(*stored)).fold(0.0, f64::max);
        if self.changed_quickly(at, value) {
            self.quick = Some(at);
        }

        let steady = {
            let last = || self.window.iter().rev().take(ON_READINGS).map(|(_, stored)| *stored);
            let spread = last().max().unwrap_or(stored) - last().min().unwrap_or(stored);
            self.window.len() >= ON_READINGS && Vital::TEMPERATURE.to_value(spread) <= ON_SPREAD
        };
        let off =
            Sight { beyond: highest >= ON_BODY && highest - value >= OFF_DROP, back: value >= ON_BODY, dip: false };
        let on_again = if steady { RULES[OFF].recovery_us } else { MonoUs::MAX };
        let mut steps = Vec::new();
        if let Some(turn) = self.criteria[OFF].see_after(at, off, 0, on_again) {
            let explanation = match turn {
                Turn::Completed { .. } => format!(
                    "{value:.1} °C, {:.1} °C within 5 min: sensor off or fast cooling, look at the patient",
                    value - highest
                ),
                Turn::Recovered => format!("on the body again: {value:.1} °C and steady"),
            };
            steps.push(Step::new(&RULES[OFF], turn, explanation));
        }
        let is_off = self.criteria[OFF].active;

        let limit = |which| settings.limits.get(which);
        // What an unworn sensor says ends no fever and begins no hypothermia; heat is believed all the same.
        let high = |value, which| {
            let sight = Sight::above(value, limit(which), HYSTERESIS);
            (value, limit(which), Sight { back: sight.back && !is_off, ..sight })
        };
        let low = |value, which| {
            let sight = Sight::below(value, limit(which), HYSTERESIS);
            let unworn = Sight { beyond: false, back: false, dip: false };
            (value, limit(which), if is_off { unworn } else { sight })
        };
        let sights = [
            high(typical, Limit::TemperatureRaised),
            high(value, Limit::TemperatureHigh),
            high(value, Limit::TemperatureHighUrgent),
            low(typical, Limit::TemperatureLow),
            low(value, Limit::TemperatureLowUrgent),
        ];
        let quick = self.quick.is_some_and(|then| at - then <= QUICK_HOLD_US);
        for ((criterion, rule), (value, limit, sight)) in self.criteria.iter_mut().zip(&RULES).zip(sights) {
            let persistence = if quick && rule.direction == Direction::High {
                QUICK_WAIT_US.max(rule.persistence_us)
            } else {
                rule.persistence_us
            };
            if let Some(turn) = criterion.see_after(at, sight, persistence, rule.recovery_us) {
                steps.push(Step::new(rule, turn, explain(turn, rule, at, value, limit)));
            }
        }
        steps
    }

    /// Whether the newest reading is far from the one 5 min before it.
    fn changed_quickly(&self, at: MonoUs, value: f64) -> bool {
        let before = self.window.iter().rev().find(|(then, _)| at - then >= SPAN_US);
        before.is_some_and(|(then, stored)| {
            let minutes = (at - then) as f64 / MINUTE as f64;
            minutes <= 10.0 && (value - Vital::TEMPERATURE.to_value(*stored)).abs() / minutes > QUICK_PER_MIN
        })
    }

    /// The rules that are active.
    pub fn active(&self) -> impl Iterator<Item = &'static Rule> {
        self.criteria.iter().zip(&RULES).filter(|(criterion, _)| criterion.active).map(|(_, rule)| rule)
    }

    /// Whether the sensor is on the body, as far as it can tell.
    pub fn on_body(&self) -> bool {
        !self.criteria[OFF].active
    }
}

fn explain(turn: Turn, rule: &Rule, at: MonoUs, value: f64, limit: f64) -> String {
    let Turn::Completed { onset } = turn else {
        return format!("{value:.1} °C, back within the limit for {} min", rule.recovery_us / MINUTE);
    };
    let held = (at - onset) / MINUTE;
    let loose = if rule.direction == Direction::Low { "; or sensor loose" } else { "" };
    format!("{value:.1} °C for {held} min (limit {limit:.1}){loose}")
}
