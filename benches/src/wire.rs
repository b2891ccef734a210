//! What travels: envelopes of a day of windows, beside the same windows as Prometheus' remote write.

use std::collections::BTreeMap;

use medmon_core::noun::{Envelope, Vital, Window};
use medmon_core::wire::envelope;
use medmon_sim::patient::Signals;
use medmon_sim::patient::motion::RATE;
use uuid::Uuid;

use crate::Bench;
use crate::figure::{Figure, Goal};

/// The benches of this area.
pub const BENCHES: &[Bench] = &[(&["wire/bytes_per_sample_5min", "wire/bytes_per_sample_60min"], sizes)];

/// 2026-11-24 00:00 UTC.
pub const MIDNIGHT_US: i64 = 1_795_478_400_000_000;
/// Statistics of a window: min, max, sum, count, last. Each is a sample.
const SAMPLES: usize = 5;

/// Counted: bytes of sealed envelopes of 5 and of 60 min over a day of virtual patients (heart rate every 2 s, a belt at 50 Hz,
/// temperature every 5 s, glucose every 5 min, batteries and link quality every 30 min), each envelope with its frame in the
/// request, over the samples in them. Not counted on either side: HTTP and TLS. The peer is remote write 1.0, a series per
/// patient, vital and statistic, in snappy.
fn sizes(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let days: Vec<_> = (0..if quick { 1 } else { 4 }).map(day).collect();
    let mut figures = Vec::new();
    for (name, minutes, goal) in [("wire/bytes_per_sample_5min", 5, 1.7), ("wire/bytes_per_sample_60min", 60, 0.85)] {
        let (mut ours, mut theirs, mut samples) = (0, 0, 0);
        for (patient, windows) in days.iter().enumerate() {
            let subject = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + patient as u128);
            for (number, span) in spans(windows, minutes).into_iter().enumerate() {
                let sealed_us = MIDNIGHT_US + (number as i64 + 1) * minutes * 60_000_000 + 2_137_511;
                samples += span.len() * SAMPLES;
                theirs += remote_write(subject, &span)?.len();
                let sequence = 1 + number as u64;
                let (install, gaps) = (subject, Vec::new());
                let sealed = Envelope { install, stream: 0, sequence, epoch: 3, sealed_us, windows: span, gaps };
                ours += 4 + envelope::encode(&sealed).len();
            }
        }
        let figure = Figure::new(name, ours as f64 / samples as f64, "B/sample").goal(Goal::AtMost(goal));
        figures.push(figure.beside("remote write, snappy", theirs as f64 / samples as f64));
    }
    Ok(figures)
}

/// Windows by the envelope they travel in: that of the interval in which they end, by series.
pub fn spans(windows: &[Window], minutes: i64) -> Vec<Vec<Window>> {
    let mut spans: BTreeMap<i64, Vec<Window>> = BTreeMap::new();
    for window in windows {
        let end_us = window.end_us() - MIDNIGHT_US - 1;
        spans.entry(end_us.div_euclid(minutes * 60_000_000)).or_default().push(window.clone());
    }
    spans.into_values().collect()
}

/// A day of a virtual patient, by series.
pub fn day(seed: u64) -> Vec<Window> {
    let signals = Signals::new(seed, &[]);
    let mut windows: BTreeMap<(Vital, i64), Window> = BTreeMap::new();
    let mut add = |vital: Vital, t: f64, stored: i32| {
        let part = Window::of(vital, MIDNIGHT_US + (t * 1e6) as i64, stored, 1000, true);
        windows.entry((vital, part.start_us)).and_modify(|window| window.merge(&part)).or_insert(part);
    };
    for second in 0..86_400_u32 {
        let t = f64::from(second);
        if second % 2 == 0 {
            add(Vital::HEART_RATE, t + 0.5, Vital::HEART_RATE.to_stored(f64::from(signals.heart_rate.bpm(t))));
        }
        if second % 5 == 1 {
            add(Vital::TEMPERATURE, t, Vital::TEMPERATURE.to_stored(signals.temperature.celsius(t)));
        }
        if second % 300 == 5 {
            add(Vital::GLUCOSE, t + 0.123_456, Vital::GLUCOSE.to_stored(f64::from(signals.glucose.mg_dl(t))));
        }
        if second % 1800 == 2 {
            add(Vital::BATTERY, t, 930 - (second / 14_400) as i32 * 5);
            add(Vital::LINK_QUALITY, t, 180 + (second / 1800 * 7 % 23) as i32);
        }
        for sample in 0..u64::from(RATE) {
            let [x, y, z] = signals
                .motion
                .sample(u64::from(second) * u64::from(RATE) + sample)
                .map(|axis| f64::from(axis) / 1000.0);
            let at = t + sample as f64 / f64::from(RATE);
            let norm = (x * x + y * y + z * z).sqrt();
            add(Vital::ACTIVITY, at, ((norm - 1.0).max(0.0) * 1000.0).round() as i32);
            let axes = [x, -x, y, -y, z, -z];
            let dominant = (0..6).max_by(|a, b| axes[*a].total_cmp(&axes[*b])).unwrap_or(0);
            add(Vital::POSTURE, at, dominant as i32);
        }
    }
    windows.into_values().collect()
}

/// A `WriteRequest` of remote write 1.0 by hand: series of labels and of (value, ms) samples.
pub fn remote_write(subject: Uuid, windows: &[Window]) -> anyhow::Result<Vec<u8>> {
    let mut request = Vec::new();
    for series in windows.chunk_by(|a, b| a.vital == b.vital) {
        for (index, statistic) in ["min", "max", "sum", "count", "last"].into_iter().enumerate() {
            let mut one = Vec::new();
            let name = format!("medmon_{}_{statistic}", series[0].vital);
            for (key, value) in [("__name__", name), ("subject", subject.to_string())] {
                let label = [field(1, key.as_bytes()), field(2, value.as_bytes())].concat();
                one.extend(field(1, &label));
            }
            for window in series {
                let Window { min, max, sum, count, last, .. } = window;
                let values: [f64; SAMPLES] =
                    [f64::from(*min), f64::from(*max), *sum as f64, f64::from(*count), f64::from(*last)];
                let mut sample = vec![0x09];
                sample.extend_from_slice(&values[index].to_le_bytes());
                sample.push(0x10);
                varint(&mut sample, (window.end_us() / 1000) as u64);
                one.extend(field(2, &sample));
            }
            request.extend(field(1, &one));
        }
    }
    Ok(snap::raw::Encoder::new().compress_vec(&request)?)
}

/// A length-delimited field of a protobuf message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    varint(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
