//! COLLECT: reports of the radio become Readings with identity, time and quality, and go to the broker.
//!
//! Only devices on the allow-list become readings; what a stranger says is counted and shown, never attributed.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};

use medmon_core::noun::{Ieee, MonoUs, Reading, ReadingId, Settings, UtcUs, Value, Vital};
use medmon_kit::Clock;

use crate::publish::Publishing;
use crate::quality::Judge;
use crate::radio::Report;
use crate::radio::counters::Counters;
use crate::time::Time;

/// Reports taken together; the broker commits in groups anyway.
const BATCH_MAX: usize = 256;
/// Devices remembered, strangers included.
const HEARD_MAX: usize = 256;

/// What is known of one device, for `medmon local devices`.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Heard {
    /// On the allow-list?
    pub listed: bool,
    /// Reports by vital.
    pub reports: BTreeMap<Vital, u64>,
    /// Last report, UTC µs.
    #[serde(skip)]
    pub last_us: UtcUs,
    /// Link quality of the last report.
    pub link_quality: u8,
    /// Its mean over about the last twenty reports.
    #[serde(skip)]
    pub link_mean: f64,
    /// Battery charge as it last said, %, and voltage, V.
    pub battery_percent: Option<f64>,
    /// See `battery_percent`.
    pub battery_v: Option<f64>,
}

/// The devices heard since the start. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct DevicesHeard {
    devices: Arc<Mutex<BTreeMap<Ieee, Heard>>>,
}

impl DevicesHeard {
    /// All of them now.
    pub fn snapshot(&self) -> BTreeMap<Ieee, Heard> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, report: &Report, listed: bool) {
        let mut devices = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        // A neighbourhood of strangers is not remembered one by one.
        if !listed && devices.len() >= HEARD_MAX && !devices.contains_key(&report.device) {
            return;
        }
        let heard = devices.entry(report.device).or_insert_with(|| Heard {
            listed,
            reports: BTreeMap::new(),
            last_us: 0,
            link_quality: 0,
            link_mean: f64::from(report.link_quality),
            battery_percent: None,
            battery_v: None,
        });
        *heard.reports.entry(report.vital).or_default() += 1;
        (heard.listed, heard.last_us, heard.link_quality) = (listed, report.utc_us, report.link_quality);
        heard.link_mean += (f64::from(report.link_quality) - heard.link_mean) / 20.0;
        if let Value::Scalar(stored) = report.value {
            let value = Some(report.vital.to_value(stored));
            match report.vital {
                Vital::BATTERY => heard.battery_percent = value,
                Vital::BATTERY_VOLTAGE => heard.battery_v = value,
                _ => {}
            }
        }
    }
}

/// Turns reports into readings.
pub struct Collector {
    boot: u32,
    next: u64,
    allow_unlisted: bool,
    time: Time,
    judge: Judge,
    /// Counter expected next, per endpoint that sends bursts.
    counters: HashMap<(Ieee, u8), u16>,
    /// The assignment in force, since when, and the one before.
    epoch: u64,
    since_us: MonoUs,
    before: u64,
}

impl Collector {
    /// Starts numbering at 0 for this boot. `time`: the clock of the reports.
    pub fn new(boot: u32, time: Time, allow_unlisted: bool) -> Self {
        let (judge, counters, since_us) = (Judge::default(), HashMap::new(), MonoUs::MIN);
        Self { boot, next: 0, allow_unlisted, time, judge, counters, epoch: 0, since_us, before: 0 }
    }

    /// The assignment in force from `now` on.
    pub fn assigned(&mut self, epoch: u64, now: MonoUs) {
        if epoch != self.epoch {
            (self.before, self.epoch, self.since_us) = (self.epoch, epoch, now);
        }
    }

    /// The assignment in force when a report arrived: one that waited, for its sender's address or in a queue, is of the
    /// patient before.
    fn epoch(&self, mono_us: MonoUs) -> u64 {
        if mono_us < self.since_us { self.before } else { self.epoch }
    }

    /// Whether readings of `device` belong to anybody here.
    pub fn admits(&self, device: Ieee, settings: &Settings) -> bool {
        self.allow_unlisted || settings.devices.iter().any(|listed| listed.ieee == device)
    }

    /// The reading that `report` is. `None`: outside what a living person or
    /// a working sensor can have; it is no reading, and its vital goes on being unheard.
    pub fn reading(&mut self, report: Report) -> Option<Reading> {
        // Trust first, then the date: a report may have come before the clock was set, and is dated by the clock as it
        // is trusted now.
        let clock = *self.time.trust.borrow();
        let utc_us = self.time.clock.utc_at(report.mono_us);
        let quality = self.judge.quality(&report, clock)?;
        let id = ReadingId { boot: self.boot, sequence: self.next };
        self.next += 1;
        let value = match (report.value, report.counter) {
            (Value::Samples { rate_hz, xyz, .. }, Some(counter)) => {
                Value::Samples { rate_hz, lost: self.lost((report.device, report.endpoint), counter, xyz.len()), xyz }
            }
            (value, _) => value,
        };
        Some(Reading {
            id,
            epoch: self.epoch(report.mono_us),
            device: report.device,
            endpoint: report.endpoint,
            vital: report.vital,
            value,
            mono_us: report.mono_us,
            utc_us,
            clock,
            quality,
            link_quality: report.link_quality,
        })
    }

    /// Samples missing since the burst before; a restart of the sensor's counter is not a loss of thousands.
    fn lost(&mut self, from: (Ieee, u8), counter: u16, count: usize) -> u16 {
        let expected = self.counters.insert(from, counter.wrapping_add(count as u16));
        let missing = expected.map_or(0, |expected| counter.wrapping_sub(expected));
        if missing < 10_000 { missing } else { 0 }
    }
}

/// Runs until the radio ends; then what is in hand is still published.
pub async fn run(
    mut collector: Collector,
    mut reports: mpsc::Receiver<Report>,
    mut settings: watch::Receiver<Arc<Settings>>,
    clock: Clock,
    mut publishing: Publishing,
    counters: Counters,
    heard: DevicesHeard,
) {
    let mut batch = Vec::new();
    // From the start on: whatever is heard was heard under what is in force.
    collector.assigned(settings.borrow_and_update().epoch, MonoUs::MIN);
    loop {
        let count = tokio::select! {
            biased;
            Ok(()) = settings.changed() => {
                collector.assigned(settings.borrow_and_update().epoch, clock.mono_us());
                continue;
            }
            count = reports.recv_many(&mut batch, BATCH_MAX) => count,
            () = publishing.step() => continue,
        };
        if count == 0 {
            break;
        }
        let now = Arc::clone(&settings.borrow());
        collector.assigned(now.epoch, clock.mono_us());
        let mut readings = Vec::with_capacity(count);
        for report in batch.drain(..) {
            if report.vital == Vital::GATEWAY {
                // An exercise: nobody's vital, on everybody's way.
                readings.extend(collector.reading(report));
                continue;
            }
            let listed = collector.admits(report.device, &now);
            heard.note(&report, listed);
            if !listed {
                counters.add("unlisted_reports", 1);
            } else if let Some(reading) = collector.reading(report) {
                readings.push(reading);
            } else {
                counters.add("implausible_values", 1);
            }
        }
        counters
            .add("readings_accepted", readings.iter().filter(|reading| reading.vital != Vital::GATEWAY).count() as u64);
        if !readings.is_empty() {
            publishing.take(readings);
        }
    }
    publishing.finish().await;
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::ClockQuality;

    use super::*;

    fn collector() -> Collector {
        let clock = Clock::system().held_at(0);
        let trust = watch::channel(ClockQuality::Holdover).1;
        Collector::new(3, Time { clock, trust, machine_since: 1 }, false)
    }

    #[test]
    fn a_report_from_before_the_clock_was_set_is_dated_by_the_clock_that_vouches_for_it() {
        let mut collector = collector();
        let clock = collector.time.clock.clone();
        let (device, endpoint, counter, link_quality) = (Ieee(7), 1, None, 200);
        let (vital, value) = (Vital::HEART_RATE, Value::Scalar(720));
        let (mono_us, utc_us) = (clock.mono_us(), clock.utc_us());
        let report = Report { device, endpoint, vital, value, counter, link_quality, mono_us, utc_us };
        clock.set_utc(1_795_521_600_000_000);
        let reading = collector.reading(report).unwrap();
        assert!((1_795_521_540_000_000..1_795_521_601_000_000).contains(&reading.utc_us), "{}", reading.utc_us);
    }

    #[test]
    fn readings_are_numbered_without_holes() {
        let mut collector = collector();
        let mut read = |vital: Vital, value| {
            let value = Value::Scalar(vital.to_stored(value));
            let (device, endpoint, counter, link_quality) = (Ieee(7), 1, None, 200);
            let report = Report { device, endpoint, vital, value, counter, link_quality, mono_us: 0, utc_us: 0 };
            collector.reading(report).map(|reading| (reading.id.sequence, reading.clock))
        };
        assert_eq!(read(Vital::HEART_RATE, 72.0), Some((0, ClockQuality::Holdover)));
        assert_eq!(read(Vital::TEMPERATURE, 3.0), None, "no reading, and no hole in the numbers");
        assert_eq!(read(Vital::HEART_RATE, 73.0), Some((1, ClockQuality::Holdover)));
    }

    #[test]
    fn a_hole_in_a_burst_counter_is_lost_samples_and_a_restart_is_not() {
        let mut collector = collector();
        let (one, other) = ((Ieee(1), 1), (Ieee(1), 2));
        assert_eq!(collector.lost(one, 65530, 12), 0);
        assert_eq!(collector.lost(one, 6, 12), 0, "the counter wraps");
        assert_eq!(collector.lost(other, 500, 12), 0, "another sensor of the same device");
        assert_eq!(collector.lost(one, 30, 12), 12);
        assert_eq!(collector.lost(one, 0, 12), 0, "the sensor restarted");
    }

    /// A patient mix-up: heard before the gateway was given to another patient, looked up after.
    #[test]
    fn a_report_that_waited_is_of_the_assignment_in_force_when_it_came() {
        let mut collector = collector();
        collector.assigned(4, MonoUs::MIN);
        collector.assigned(5, 1_000);
        collector.assigned(5, 2_000);
        let mut epoch = |mono_us| {
            let (device, endpoint, counter, link_quality) = (Ieee(7), 1, None, 200);
            let (vital, value) = (Vital::HEART_RATE, Value::Scalar(720));
            let report = Report { device, endpoint, vital, value, counter, link_quality, mono_us, utc_us: 0 };
            collector.reading(report).map(|reading| reading.epoch)
        };
        assert_eq!((epoch(999), epoch(1_000)), (Some(4), Some(5)));
    }

    #[test]
    fn a_stranger_is_nobodys() {
        let collector = collector();
        assert!(!collector.admits(Ieee(7), &Settings::default()));
    }
}
