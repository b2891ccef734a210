//! How long a sensor's cell will last, by the trend of its voltage: devices report 100 % until they die.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use medmon_core::noun::{Ieee, UtcUs};

const DAY_US: i64 = 86_400_000_000;
/// Days looked back on.
const DAYS: usize = 30;
/// A line through fewer days says nothing.
const DAYS_LEAST: usize = 5;
/// Told so long before the cell is expected to be empty.
const AHEAD_DAYS: f64 = 7.0;
/// A charge below this is low whatever the voltage says, %.
const LOW_PERCENT: f64 = 15.0;

/// The lowest voltage of each day, V.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Batteries {
    devices: BTreeMap<Ieee, BTreeMap<i64, f64>>,
}

impl Batteries {
    /// Takes a voltage in. `true`: a day that had none yet, worth being written down.
    pub fn take(&mut self, device: Ieee, volts: f64, utc_us: UtcUs) -> bool {
        let days = self.devices.entry(device).or_default();
        let new = !days.contains_key(&(utc_us / DAY_US));
        let lowest = days.entry(utc_us / DAY_US).or_insert(volts);
        // A fresh cell begins a new line: what the old one did says nothing about it.
        if volts > *lowest + 0.3 {
            *days = BTreeMap::from([(utc_us / DAY_US, volts)]);
            return true;
        }
        *lowest = lowest.min(volts);
        while days.len() > DAYS {
            days.pop_first();
        }
        new
    }

    /// Why the cell of `device` counts as low; `None` while it does not.
    pub fn low(&self, device: Ieee, percent: Option<f64>, volts: Option<f64>) -> Option<String> {
        if let Some(percent) = percent.filter(|percent| *percent <= LOW_PERCENT) {
            return Some(format!("{percent:.0} % left"));
        }
        let (volts, empty) = (volts?, empty(volts?)?);
        if volts <= empty {
            return Some(format!("{volts:.2} V, empty at {empty:.1} V"));
        }
        let slope = slope(self.devices.get(&device)?)?;
        let days = (empty - volts) / slope;
        (slope < 0.0 && days <= AHEAD_DAYS)
            .then(|| format!("{volts:.2} V and falling by {:.0} mV a day: empty in {days:.0} days", -slope * 1000.0))
    }
}

/// Where a cell of this voltage is empty, V: two alkaline or one lithium cell of 3 V nominal, or a lithium-ion cell of
/// 3.7 V, by their makers' discharge curves. Anything else: nobody knows.
fn empty(volts: f64) -> Option<f64> {
    match volts {
        1.5..3.4 => Some(2.3),
        3.4..4.4 => Some(3.45),
        _ => None,
    }
}

/// Least squares through the days, V a day.
fn slope(days: &BTreeMap<i64, f64>) -> Option<f64> {
    if days.len() < DAYS_LEAST {
        return None;
    }
    let count = days.len() as f64;
    let (x, y) = (days.keys().map(|&day| day as f64).sum::<f64>() / count, days.values().sum::<f64>() / count);
    let xy: f64 = days.iter().map(|(&day, volts)| (day as f64 - x) * (volts - y)).sum();
    let xx: f64 = days.keys().map(|&day| (day as f64 - x).powi(2)).sum();
    (xx > 0.0).then(|| xy / xx)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENSOR: Ieee = Ieee(7);

    #[test]
    fn a_cell_that_says_100_percent_and_sinks_is_seen_a_week_ahead() {
        let mut batteries = Batteries::default();
        let mut first = None;
        for day in 0..40 {
            let volts = 3.0 - 0.02 * day as f64;
            assert!(batteries.take(SENSOR, volts, day * DAY_US));
            assert!(!batteries.take(SENSOR, volts + 0.01, day * DAY_US + 1));
            if first.is_none() && batteries.low(SENSOR, Some(100.0), Some(volts)).is_some() {
                first = Some(day);
            }
        }
        // 2.3 V is reached on day 35.
        assert!(matches!(first, Some(28 | 29)), "{first:?}");
        let copy: Batteries = serde_json::from_str(&serde_json::to_string(&batteries).unwrap()).unwrap();
        assert_eq!(copy.low(SENSOR, None, Some(2.4)), batteries.low(SENSOR, None, Some(2.4)));
    }

    #[test]
    fn a_steady_cell_and_an_unknown_one_are_not_low_and_a_low_charge_is() {
        let mut batteries = Batteries::default();
        for day in 0..30 {
            batteries.take(SENSOR, 2.9, day * DAY_US);
        }
        assert_eq!(batteries.low(SENSOR, Some(80.0), Some(2.9)), None);
        assert_eq!(batteries.low(SENSOR, None, Some(9.0)), None);
        assert_eq!(batteries.low(SENSOR, Some(12.0), None).as_deref(), Some("12 % left"));
        assert!(batteries.low(SENSOR, None, Some(3.41)).is_some());
    }
}
