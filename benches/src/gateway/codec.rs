//! UNPI and ZCL, as fast as bytes can be fed.

use std::hint::black_box;

use medmon_gatewayd::radio::unpi::Decoder;
use medmon_gatewayd::radio::zcl::{self, Zcl};
use medmon_sim::air;

use crate::figure::{Figure, Goal};
use crate::line;
use crate::measure::{self, Stopwatch};

/// Where the ZCL frame begins in an AF_INCOMING_MSG; its length is the byte before.
const ZCL_AT: usize = 17;

/// Timed: heart rate reports (one attribute each, 35 bytes on the line) in reads of 4 KiB, framed, checked, the ZCL
/// header parsed and the attribute decoded. In memory: no port, no mapping to vitals.
pub fn frames(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 20_000 } else { 2_000_000_u64 };
    let bytes: Vec<u8> =
        (0..4096_u16).flat_map(|n| line::report(n % 8, n as u8, &air::heart_rate(60 + n % 40))).collect();
    let mut runs = Vec::new();
    for _ in 0..measure::runs(quick) {
        let (mut decoder, mut decoded) = (Decoder::default(), 0_u64);
        let clock = Stopwatch::start();
        while decoded < count {
            for read in bytes.chunks(4096) {
                decoder.feed(read, |frame| {
                    let zcl = frame.data.get(ZCL_AT..ZCL_AT + usize::from(frame.data[ZCL_AT - 1]));
                    if let Some(zcl) = zcl.and_then(Zcl::parse) {
                        decoded += black_box(zcl::report_records(zcl.payload)).0.len() as u64;
                    }
                });
            }
        }
        runs.push(decoded as f64 / clock.spent().cpu_s);
    }
    let value = measure::best(runs, |per_s| -per_s)?;
    Ok(vec![Figure::new("gateway/codec_frames_per_s", value, "frames/s").goal(Goal::AtLeast(1e6))])
}
