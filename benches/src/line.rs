//! Frames as a coordinator sends them, and a reader that only counts them: the peer of everything that reads a line.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use medmon_sim::air::AttributeReport;
use medmon_sim::dongle::frame::Frame;

/// AF_INCOMING_MSG with a report of the sensor at `network` that wants no Default Response.
pub fn report(network: u16, sequence: u8, report: &AttributeReport) -> Vec<u8> {
    // Manufacturer-specific where there is a code, from the server, no Default Response.
    let mut zcl = vec![if report.mfr_code.is_some() { 0x1C } else { 0x18 }];
    zcl.extend(report.mfr_code.into_iter().flat_map(u16::to_le_bytes));
    zcl.extend([sequence, 0x0A]);
    zcl.extend(report.attribute.to_le_bytes());
    zcl.push(report.kind);
    zcl.extend(&report.raw);
    let mut data = vec![0, 0];
    data.extend(report.cluster.to_le_bytes());
    data.extend(network.to_le_bytes());
    data.extend([1, 1, 0, 180, 0, 0, 0, 0, 0, 0, zcl.len() as u8]);
    data.extend(zcl);
    data.extend(network.to_le_bytes());
    data.push(29);
    Frame::new(0x4481, data).encode()
}

/// Reads frames off `port` without looking into them, and calls `seen` with the count so far, until it says `false`.
pub fn count_frames(port: &Path, mut seen: impl FnMut(u64) -> bool) -> std::io::Result<()> {
    let mut port = File::open(port)?;
    let (mut buffer, mut held, mut count) = (vec![0; 8192], 0, 0);
    loop {
        held += port.read(&mut buffer[held..])?;
        let mut at = 0;
        while held - at >= 2 && held - at >= usize::from(buffer[at + 1]) + 5 {
            at += usize::from(buffer[at + 1]) + 5;
            count += 1;
        }
        buffer.copy_within(at..held, 0);
        held -= at;
        if !seen(count) {
            return Ok(());
        }
    }
}
