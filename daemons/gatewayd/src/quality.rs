//! How far a reading can be trusted, judged from what else is known at that moment. Kept and shown with the reading;
//! what it means is the detectors' to decide. Not for: values that no living person has, which are no readings.

use std::collections::HashMap;

use medmon_core::noun::{ClockQuality, Ieee, MonoUs, Quality, Reason, Value, Vital};

use crate::radio::Report;

/// Mean of |norm - 1 g| from which an optical or electrical pulse is disturbed (CLINICAL.md, tachycardia).
const MOTION_G: f64 = 0.1;
/// A burst says for so long that there is motion.
const MOTION_US: MonoUs = 5_000_000;
/// A thermometer below this is not on a body, nor is what else its device measures.
const ON_BODY_C: f64 = 30.0;
/// Its word holds for so long.
const DETACHED_US: MonoUs = 900_000_000;
/// A cell with less than this measures what it likes, %.
const LOW_BATTERY: f64 = 5.0;

/// What one device last said that bears on its other readings.
#[derive(Debug, Default)]
struct Known {
    /// Last value and its time, by vital.
    last: HashMap<Vital, (f64, MonoUs)>,
    skin: Option<(f64, MonoUs)>,
    battery_percent: Option<f64>,
}

/// Judges reports in the order in which they come.
#[derive(Debug, Default)]
pub struct Judge {
    devices: HashMap<Ieee, Known>,
    /// When any sensor of this home last felt motion.
    motion: Option<MonoUs>,
}

impl Judge {
    /// The quality of `report`; `None`: outside what a living person or a working sensor can have, no reading at all.
    pub fn quality(&mut self, report: &Report, clock: ClockQuality) -> Option<Quality> {
        let quality = match &report.value {
            Value::Samples { xyz, .. } => {
                if motion_g(xyz) > MOTION_G {
                    self.motion = Some(report.mono_us);
                }
                of(self.devices.entry(report.device).or_default().reason(report.mono_us))
            }
            Value::Scalar(stored) => {
                let value = report.vital.to_value(*stored);
                of(match report.vital.info() {
                    Some(info) if !(info.min..=info.max).contains(&value) => return None,
                    Some(info) => self.scalar(report, value, info.max_per_min),
                    None => None,
                })
            }
        };
        Some(match quality {
            Quality::Good if clock == ClockQuality::Unset => Quality::Suspect(Reason::Clock),
            other => other,
        })
    }

    fn scalar(&mut self, report: &Report, value: f64, max_per_min: f64) -> Option<Reason> {
        let at = report.mono_us;
        let known = self.devices.entry(report.device).or_default();
        match report.vital {
            Vital::TEMPERATURE => known.skin = Some((value, at)),
            Vital::BATTERY => known.battery_percent = Some(value),
            _ => {}
        }
        let before = known.last.insert(report.vital, (value, at));
        let jumped = before.is_some_and(|(last, last_us)| {
            // Over less than ten seconds noise alone would look like a jump.
            let minutes = ((at - last_us) as f64 / 60e6).max(1.0 / 6.0);
            (value - last).abs() / minutes > max_per_min
        });
        let moves = report.vital == Vital::HEART_RATE && self.motion.is_some_and(|felt| at - felt <= MOTION_US);
        let reasons = [jumped.then_some(Reason::Jump), known.reason(at), moves.then_some(Reason::Motion)];
        reasons.into_iter().flatten().next()
    }
}

fn of(reason: Option<Reason>) -> Quality {
    reason.map_or(Quality::Good, Quality::Suspect)
}

impl Known {
    fn reason(&self, at: MonoUs) -> Option<Reason> {
        let detached = self.skin.is_some_and(|(skin, since)| skin < ON_BODY_C && at - since <= DETACHED_US);
        let empty = self.battery_percent.is_some_and(|percent| percent <= LOW_BATTERY);
        detached.then_some(Reason::Detached).or(empty.then_some(Reason::LowBattery))
    }
}

/// Mean of |norm - 1 g| of samples in mg.
fn motion_g(xyz: &[[i16; 3]]) -> f64 {
    let off = |axes: &[i16; 3]| {
        let norm = axes.iter().map(|&mg| f64::from(mg).powi(2)).sum::<f64>().sqrt();
        (norm / 1000.0 - 1.0).abs()
    };
    xyz.iter().map(off).sum::<f64>() / xyz.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(vital: Vital, value: f64, at_s: i64) -> Report {
        Report {
            device: Ieee(7),
            endpoint: 1,
            vital,
            value: Value::Scalar(vital.to_stored(value)),
            counter: None,
            link_quality: 200,
            mono_us: at_s * 1_000_000,
            utc_us: 0,
        }
    }

    #[test]
    fn each_reason_is_said_while_it_holds() {
        let mut judge = Judge::default();
        let mut say = |report: Report| judge.quality(&report, ClockQuality::Synced);
        let (good, suspect) = (Some(Quality::Good), |reason| Some(Quality::Suspect(reason)));
        assert_eq!(say(report(Vital::HEART_RATE, 72.0, 0)), good);
        assert_eq!(say(report(Vital::TEMPERATURE, 3.0, 5)), None);
        assert_eq!(say(report(Vital::HEART_RATE, 190.0, 10)), suspect(Reason::Jump));
        let shaken = Value::Samples { rate_hz: 50, lost: 0, xyz: vec![[0, 0, 1500], [0, 0, 500]] };
        let belt = Report { device: Ieee(8), vital: Vital::ACCELERATION, value: shaken, ..report(Vital(0), 0.0, 60) };
        assert_eq!(say(belt), good);
        assert_eq!(say(report(Vital::HEART_RATE, 190.0, 64)), suspect(Reason::Motion));
        assert_eq!(say(report(Vital::HEART_RATE, 190.0, 70)), good);
        assert_eq!(say(report(Vital::TEMPERATURE, 24.0, 80)), suspect(Reason::Detached));
        assert_eq!(say(report(Vital::HEART_RATE, 180.0, 90)), suspect(Reason::Detached));
        assert_eq!(say(report(Vital::HEART_RATE, 180.0, 1000)), good);
        assert_eq!(say(report(Vital::BATTERY, 4.0, 1001)), suspect(Reason::LowBattery));
        let unset = judge.quality(&report(Vital(77), 1.0, 0), ClockQuality::Unset);
        assert_eq!(unset, suspect(Reason::Clock));
    }
}
