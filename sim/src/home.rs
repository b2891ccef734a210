//! Plays a home's readings through its dongle in (scaled) real time and counts what was really sent.
//!
//! Not for: what the readings are (patient/, replay/).

use std::collections::BTreeMap;
use std::time::Duration;

use medmon_kit::clock::Clock;
use tokio_util::sync::CancellationToken;

use crate::air::{self, AttributeReport};
use crate::dongle::Dongle;
use crate::patient::{Signals, Vital, motion};
use crate::scenario::{Home, Source};

/// Acceleration samples in a burst.
pub const BURST: u64 = 12;

/// One report of one sensor, due at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Emission {
    /// Seconds from the start.
    pub at_s: f64,
    /// The sensor.
    pub ieee: u64,
    /// What it reports.
    pub vital: Vital,
    /// How many readings are in it.
    pub readings: u64,
    /// The attribute.
    pub report: AttributeReport,
}

/// What was sent from a home.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HomeCounts {
    /// Readings written to the line while the host listened, by sensor and vital. An acceleration sample is a reading.
    pub sent: BTreeMap<(u64, Vital), u64>,
    /// Readings that were due while the host did not listen.
    pub unheard: u64,
}

impl HomeCounts {
    /// All readings sent.
    pub fn total(&self) -> u64 {
        self.sent.values().sum()
    }
}

/// Waits until the host listens, then plays the home until `stop`, or until a recording ends.
///
/// Time 0 of the home is when the host listens. What is late is sent at once and in order.
pub async fn run_home(home: &Home, dongle: &Dongle, clock: &Clock, stop: CancellationToken) -> HomeCounts {
    let mut counts = HomeCounts::default();
    for device in &home.devices {
        dongle.know(device.spec());
    }
    tokio::select! {
        () = stop.cancelled() => return counts,
        () = dongle.ready() => {}
    }
    let start_us = clock.mono_us();
    for emission in home.emissions() {
        let due_us = start_us + (emission.at_s * 1e6) as i64;
        let wait = Duration::from_micros((due_us - clock.mono_us()).max(0) as u64);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = clock.sleep(wait) => {}
        }
        if dongle.report(emission.ieee, 1, std::slice::from_ref(&emission.report)).await {
            *counts.sent.entry((emission.ieee, emission.vital)).or_default() += emission.readings;
        } else {
            counts.unheard += emission.readings;
        }
    }
    counts
}

impl Home {
    /// Every report of the home in order of time; without end for a virtual body.
    pub fn emissions(&self) -> Box<dyn Iterator<Item = Emission> + Send + '_> {
        match &self.source {
            Source::Body(signals) => Box::new(Body::new(self, signals)),
            Source::Recording(recorded) => Box::new(recorded.emissions.iter().cloned()),
        }
    }
}

/// The sensors on a virtual body, each on its own beat.
struct Body<'a> {
    home: &'a Home,
    signals: &'a Signals,
    beats: Vec<Beat>,
}

struct Beat {
    device: usize,
    vital: Vital,
    interval: f64,
    phase: f64,
    next: u64,
}

impl Beat {
    fn due(&self) -> f64 {
        self.phase + self.next as f64 * self.interval
    }
}

impl<'a> Body<'a> {
    fn new(home: &'a Home, signals: &'a Signals) -> Self {
        let mut beats = Vec::new();
        for (device, spec) in home.devices.iter().enumerate() {
            for &(vital, interval) in &spec.vitals {
                let phase = match vital {
                    Vital::HeartRate => 0.5,
                    // A burst is sent when its last sample was taken.
                    Vital::Acceleration => interval,
                    Vital::Temperature => 1.0,
                    Vital::Glucose => 5.0,
                    Vital::Battery => 2.0 + device as f64,
                };
                beats.push(Beat { device, vital, interval, phase, next: 0 });
            }
        }
        Self { home, signals, beats }
    }

    fn report(&self, vital: Vital, number: u64, t: f64) -> (AttributeReport, u64) {
        match vital {
            Vital::HeartRate => (air::heart_rate(self.signals.heart_rate.bpm(t)), 1),
            Vital::Temperature => (air::temperature((self.signals.temperature.celsius(t) * 100.0).round() as i16), 1),
            Vital::Glucose => (air::glucose(self.signals.glucose.mg_dl(t)), 1),
            Vital::Battery => (air::battery_percent(186 - (t / 3600.0).min(100.0) as u8), 1),
            Vital::Acceleration => {
                let first = number * BURST;
                let samples: Vec<[i16; 3]> = (first..first + BURST).map(|n| self.signals.motion.sample(n)).collect();
                (air::acceleration_burst(first as u16, motion::RATE, &samples), BURST)
            }
        }
    }
}

impl Iterator for Body<'_> {
    type Item = Emission;

    fn next(&mut self) -> Option<Emission> {
        loop {
            let beat = self.beats.iter_mut().min_by(|a, b| a.due().total_cmp(&b.due()))?;
            let (at_s, vital, number) = (beat.due(), beat.vital, beat.next);
            beat.next += 1;
            let device = &self.home.devices[beat.device];
            if self.home.silent(device, at_s) {
                let gone = beat.device;
                self.beats.retain(|beat| beat.device != gone);
                continue;
            }
            let (report, readings) = self.report(vital, number, at_s);
            return Some(Emission { at_s, ieee: device.ieee, vital, readings, report });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dongle::DongleOptions;
    use crate::dongle::frame::{Decoder, Frame};
    use crate::patient::waist;
    use crate::pty::host::Host;
    use crate::scenario::Scenario;

    fn run(index: usize, seed: u64, until: f64) -> Vec<Emission> {
        let scenario = Scenario::demo(6, seed);
        scenario.homes[index].emissions().take_while(|emission| emission.at_s < until).collect()
    }

    fn values(emissions: &[Emission], vital: Vital) -> Vec<(f64, u16)> {
        let of_vital = emissions.iter().filter(|emission| emission.vital == vital);
        of_vital.map(|e| (e.at_s, u16::from_le_bytes([e.report.raw[0], e.report.raw[1]]))).collect()
    }

    #[test]
    fn the_same_seed_sends_the_same_bytes_in_order_of_time() {
        let (one, again, other) = (run(0, 1, 60.0), run(0, 1, 60.0), run(0, 2, 60.0));
        assert_eq!(one, again);
        assert_ne!(one, other);
        assert!(one.is_sorted_by(|a, b| a.at_s <= b.at_s));
        let samples: u64 = one.iter().filter(|e| e.vital == Vital::Acceleration).map(|e| e.readings).sum();
        assert_eq!(samples, 249 * 12);
    }

    #[test]
    fn the_scenes_of_the_first_two_minutes_are_on_the_air() {
        for seed in 0..20 {
            let glucose = values(&run(1, seed, 50.0), Vital::Glucose);
            assert_eq!(glucose.iter().filter(|(_, value)| *value < 54).count(), 2, "seed {seed}: {glucose:?}");
            let racing = values(&run(2, seed, 120.0), Vital::HeartRate);
            assert!(racing.iter().filter(|(t, bpm)| *t > 35.0 && (131..150).contains(bpm)).count() >= 40);
            let silent = values(&run(5, seed, 120.0), Vital::HeartRate);
            assert!(silent.last().is_some_and(|(t, _)| *t < 33.0));
            for index in 0..6 {
                let samples: Vec<(f64, [f64; 3])> = run(index, seed, 120.0)
                    .iter()
                    .filter(|emission| emission.vital == Vital::Acceleration)
                    .flat_map(|emission| emission.report.raw[4..].chunks_exact(6))
                    .enumerate()
                    .map(|(n, bytes)| {
                        let axis = |k| f64::from(i16::from_le_bytes([bytes[k], bytes[k + 1]])) / 1000.0;
                        (n as f64 / 50.0, [axis(0), axis(2), axis(4)])
                    })
                    .collect();
                assert_eq!(waist::falls(&samples).len(), usize::from(index == 0), "home {index}, seed {seed}");
            }
        }
    }

    #[tokio::test]
    async fn only_what_a_listening_host_could_read_is_counted() {
        let clock = Clock::scaled(50.0, 0);
        let dongle = Dongle::open(DongleOptions::default(), clock.clone()).unwrap();
        let host = Host::open(dongle.port());
        let home = Scenario::demo(1, 1).homes.remove(0);
        let stop = CancellationToken::new();
        let reading = async {
            host.write(&Frame::new(0x2F05, [4]).encode());
            host.write(&Frame::new(0x2400, [1, 4, 1, 5, 0, 0, 0, 0, 0]).encode());
            let messages = |all: &[u8]| {
                let frames = Decoder::default().push(all);
                frames.iter().filter(|frame| frame.command == 0x4481).count()
            };
            let all = host.read_until(|all| messages(all) >= 40).await;
            stop.cancel();
            messages(&all)
        };
        let (counts, read) = tokio::join!(run_home(&home, &dongle, &clock, stop.clone()), reading);
        assert_eq!(dongle.counters().lost_reports, 0);
        assert!(read as u64 <= dongle.counters().reports);
        let bursts = counts.sent[&(0x00124b002a5c0d02, Vital::Acceleration)] / BURST;
        let others: u64 =
            counts.sent.iter().filter(|((_, vital), _)| *vital != Vital::Acceleration).map(|(_, n)| n).sum();
        assert_eq!(bursts + others, dongle.counters().reports);
    }
}
