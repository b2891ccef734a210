//! Silence: a vital that is expected of a device and not heard. Technical, and never an all-clear.
//!
//! Several sensors silent at once is one cause and one alert: the gateway hears nothing. Not for: devices nobody expects anything of (the allow-list in Settings says who they are).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::episode::{Origin, Rule, SECOND, Step, Turn, equipment};
use crate::noun::{Condition, Device, Ieee, MonoUs, Reading, ReadingId, Settings, Value, Vital};

/// Silence outweighs what was wrong with the vital's last readings.
const RULE: Rule = equipment(Condition::Silence, 3, 0);

/// The gateway hears nothing: the cause behind every silence, told instead of them.
const DEAF: Rule = equipment(Condition::GatewayDeaf, 0, 0);
/// A radio that is lost for so long is the cause; a shorter loss is a restart.
const LOST_US: MonoUs = 60 * SECOND;

/// When nobody listened for so long, nobody can say who was silent: silence counts from the return.
const DEAF_US: MonoUs = 120 * SECOND;

/// What is known about one vital of one device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Heard {
    /// Expected since then.
    expected: MonoUs,
    /// The last usable reading: when, which, and its figure as stored.
    last: Option<(MonoUs, ReadingId, Option<i32>)>,
    /// Usable readings come without silence since then.
    steady: MonoUs,
    /// When something unusable last came.
    unusable: Option<MonoUs>,
    silent: bool,
}

impl Heard {
    fn expected_from(at: MonoUs) -> Self {
        Self { expected: at, last: None, steady: at, unusable: None, silent: false }
    }

    fn origin(&self, vital: Vital, device: Ieee, at_us: MonoUs) -> Origin {
        let reading = self.last.map_or(ReadingId::default(), |(_, id, _)| id);
        Origin { vital, device, reading, at_us }
    }

    fn explain(&self, vital: Vital, device: &Device, now: MonoUs) -> String {
        let who = if device.label.is_empty() { device.ieee.to_string() } else { device.label.clone() };
        let what = vital.to_string().replace('_', " ");
        let since = match self.last {
            Some((at, _, stored)) => {
                format!("no {what} from {who} for {}{}", ago(now - at), figure(", the last was ", vital, stored))
            }
            None => format!("no {what} from {who} since it is expected, {}", ago(now - self.expected)),
        };
        match self.unusable {
            Some(at) if self.last.is_none_or(|(last, ..)| at > last) => {
                format!("{since}; what arrives cannot be used")
            }
            _ => since,
        }
    }
}

/// Who was heard last, when.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Silence {
    devices: BTreeMap<Ieee, BTreeMap<Vital, Heard>>,
    /// Somebody listens without a break since then.
    listening: MonoUs,
    newest: MonoUs,
    /// When anything last came from any device.
    #[serde(default)]
    heard: Option<MonoUs>,
    /// The radio does not work since then, and why.
    #[serde(default)]
    lost: Option<(MonoUs, String)>,
    /// Nothing is heard, and that was told.
    #[serde(default)]
    deaf: bool,
    /// Deafness last ended then: whoever was silent by it has its own time from there.
    #[serde(default)]
    heard_again: MonoUs,
}

impl Silence {
    /// Listening begins.
    pub fn new(now: MonoUs) -> Self {
        Self { listening: now, newest: now, ..Self::default() }
    }

    /// The radio works, or why it does not.
    pub fn radio(&mut self, now: MonoUs, lost: Option<&str>) {
        self.lost = lost.map(|why| (self.lost.as_ref().map_or(now, |(since, _)| *since), why.to_owned()));
    }

    /// Takes notice that somebody listens at `now`.
    fn listen(&mut self, now: MonoUs) {
        if now - self.newest > DEAF_US {
            self.listening = now;
        }
        self.newest = self.newest.max(now);
    }

    /// Takes a reading in. One that cannot be used ends no silence.
    pub fn reading(&mut self, reading: &Reading, usable: bool) -> Option<Step> {
        let at = reading.mono_us;
        self.listen(at);
        self.heard = self.heard.max(Some(at));
        let vitals = self.devices.entry(reading.device).or_default();
        let heard = vitals.entry(reading.vital).or_insert_with(|| Heard::expected_from(at));
        if !usable {
            heard.unusable = Some(at);
            return None;
        }
        if heard.last.is_none() || heard.silent {
            heard.steady = at;
        }
        if heard.last.is_some_and(|(last, ..)| at < last) {
            return None;
        }
        heard.last = Some((at, reading.id, stored(reading)));
        heard.silent.then(|| {
            heard.silent = false;
            let explanation = format!("heard again{}", figure(": ", reading.vital, stored(reading)));
            Step::new(&RULE, Turn::Recovered, explanation)
        })
    }

    /// Who has become silent by `now`, and who is no longer expected to be heard.
    pub fn tick(&mut self, now: MonoUs, settings: &Settings) -> Vec<(Origin, Step)> {
        self.listen(now);
        let mut steps = Vec::from_iter(self.tick_deaf(now, settings));
        // Sensors that stop together were not last heard at the same moment: the first of them waits for the others.
        let hold = self.deaf || self.nobody(2 * (now - self.last_sound()), settings);
        for device in &settings.devices {
            let vitals = self.devices.entry(device.ieee).or_default();
            for &vital in &device.vitals {
                let heard = vitals.entry(vital).or_insert_with(|| Heard::expected_from(now));
                let onset = heard.last.map_or(heard.expected, |(at, ..)| at);
                let silence_us = i64::from(settings.silence_of(device.ieee, vital)) * SECOND;
                let since = onset.max(self.listening).max(self.heard_again);
                if !heard.silent && !hold && now - since >= silence_us {
                    heard.silent = true;
                    let step = Step::new(&RULE, Turn::Completed { onset }, heard.explain(vital, device, now));
                    steps.push((heard.origin(vital, device.ieee, now), step));
                }
            }
        }
        self.devices.retain(|&ieee, vitals| {
            vitals.retain(|&vital, heard| {
                let expected = settings.devices.iter().any(|row| row.ieee == ieee && row.vitals.contains(&vital));
                if heard.silent && !expected {
                    let step = Step::new(&RULE, Turn::Recovered, "no longer expected of this device".into());
                    steps.push((heard.origin(vital, ieee, now), step));
                }
                expected
            });
            !vitals.is_empty()
        });
        steps
    }

    /// When anything was last heard, or else listening began.
    fn last_sound(&self) -> MonoUs {
        self.heard.map_or(self.listening, |at| at.max(self.listening))
    }

    /// Whether the gateway has become deaf, or hears again.
    fn tick_deaf(&mut self, now: MonoUs, settings: &Settings) -> Option<(Origin, Step)> {
        let origin = Origin { vital: Vital::GATEWAY, device: Ieee(0), reading: ReadingId::default(), at_us: now };
        let since = self.last_sound();
        let lost = self.lost.as_ref().filter(|(since, _)| now - since >= LOST_US).map(|(_, why)| why);
        let deaf = !settings.devices.is_empty() && (lost.is_some() || self.nobody(now - since, settings));
        match (self.deaf, deaf) {
            (false, true) => {
                let why = lost.map_or_else(String::new, |why| format!(": {why}"));
                self.deaf = true;
                let explanation = format!("no sensor heard for {}{why}", ago(now - since));
                Some((origin, Step::new(&DEAF, Turn::Completed { onset: since }, explanation)))
            }
            (true, false) => {
                self.deaf = false;
                self.heard_again = now;
                Some((origin, Step::new(&DEAF, Turn::Recovered, "sensors are heard again".into())))
            }
            _ => None,
        }
    }

    /// Whether nothing at all for `quiet_us` means that at least two devices should have been heard by now: two that
    /// stop together have not both run out of battery. One that was overdue when another was last heard did not stop
    /// with it: else a slow sensor that goes on would hide for ever that two quick ones do not.
    fn nobody(&self, quiet_us: MonoUs, settings: &Settings) -> bool {
        let last_sound = self.last_sound();
        let due = |device: &&Device| {
            let times = device.vitals.iter().map(|&vital| i64::from(settings.silence_of(device.ieee, vital)) * SECOND);
            // Asked twice a second, and mostly at once answered by no.
            let Some(silence_us) = times.min().filter(|silence_us| quiet_us >= *silence_us) else { return false };
            let heard = self.devices.get(&device.ieee).into_iter().flat_map(BTreeMap::values);
            let last =
                heard.map(|heard| heard.last.map_or(heard.expected, |(at, ..)| at).max(heard.unusable.unwrap_or(0)));
            let quiet_before = last_sound - last.max().map_or(last_sound, |at| at.max(self.listening));
            quiet_before < silence_us
        };
        settings.devices.iter().filter(due).nth(1).is_some()
    }

    /// Since when `vital` of `device` is heard without silence; `None` when it is not heard.
    pub fn heard_since(&self, device: Ieee, vital: Vital, now: MonoUs, settings: &Settings) -> Option<MonoUs> {
        let heard = self.devices.get(&device)?.get(&vital)?;
        let silence_us = i64::from(settings.silence_of(device, vital)) * SECOND;
        heard.last.filter(|(at, ..)| now - at < silence_us).map(|_| heard.steady)
    }

    /// Whether `vital` of `device` was heard within `within_us` before `at`.
    pub fn heard_within(&self, device: Ieee, vital: Vital, at: MonoUs, within_us: MonoUs) -> bool {
        let heard = self.devices.get(&device).and_then(|vitals| vitals.get(&vital));
        heard.and_then(|heard| heard.last).is_some_and(|(last, ..)| at - last <= within_us)
    }

    /// The last usable reading of `vital` from `device`.
    pub fn last_reading(&self, device: Ieee, vital: Vital) -> ReadingId {
        let heard = self.devices.get(&device).and_then(|vitals| vitals.get(&vital));
        heard.and_then(|heard| heard.last).map_or(ReadingId::default(), |(_, id, _)| id)
    }

    /// The rule, if any device's `vital` is silent.
    pub fn active(&self, vital: Vital) -> Option<&'static Rule> {
        if vital == Vital::GATEWAY {
            return self.deaf.then_some(&DEAF);
        }
        let silent = |vitals: &BTreeMap<Vital, Heard>| vitals.get(&vital).is_some_and(|heard| heard.silent);
        self.devices.values().any(silent).then_some(&RULE)
    }
}

fn stored(reading: &Reading) -> Option<i32> {
    match reading.value {
        Value::Scalar(stored) => Some(stored),
        Value::Samples { .. } => None,
    }
}

fn figure(before: &str, vital: Vital, stored: Option<i32>) -> String {
    let Some(stored) = stored else { return String::new() };
    format!("{before}{} {}", vital.show(vital.to_value(stored)), vital.unit()).trim_end().to_owned()
}

fn ago(us: MonoUs) -> String {
    match us / SECOND {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..7200 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}
