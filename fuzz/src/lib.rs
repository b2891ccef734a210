//! What is fuzzed: everything that reads bytes from outside, with what must hold of any bytes. No panic is the least.
//!
//! The same functions replay the committed corpus as an ordinary test (`tests/corpus.rs`).

use std::sync::LazyLock;

use medmon_core::noun::Ieee;
use medmon_core::wire;
use medmon_gatewayd::radio::map::{Map, Origin};
use medmon_gatewayd::radio::unpi::{Decoder, Frame};
use medmon_gatewayd::radio::zcl::{self, Zcl};
use medmon_sms::at::codec::{self, Line, Unsolicited};
use medmon_sms::at::pdu;

/// The serial line: whatever the reads, the same frames; a frame that was found says the same when said again. The first
/// byte is how long a read is.
pub fn unpi(bytes: &[u8]) {
    let Some((&length, line)) = bytes.split_first() else { return };
    let frames = |read: usize| {
        let (mut decoder, mut found) = (Decoder::default(), Vec::new());
        for read in line.chunks(read) {
            decoder.feed(read, |frame| found.push(frame));
        }
        while decoder.is_waiting() {
            decoder.expire(|frame| found.push(frame));
        }
        found
    };
    let found = frames(line.len().max(1));
    assert_eq!(found, frames(usize::from(length).max(1)));
    let again: Vec<u8> = found.iter().filter_map(Frame::encode).flatten().collect();
    let mut heard = Vec::new();
    Decoder::default().feed(&again, |frame| heard.push(frame));
    assert_eq!(found, heard);
}

/// A ZCL frame: header, records, and what they mean. The first two bytes are the cluster.
pub fn zcl(bytes: &[u8]) {
    let Some((cluster, frame)) = bytes.split_first_chunk() else { return };
    let Some(frame) = Zcl::parse(frame) else { return };
    let _ = frame.default_response();
    let _ = zcl::read_records(frame.payload);
    let (records, lost) = zcl::report_records(frame.payload);
    assert!(lost <= 1 && records.len() <= frame.payload.len());
    let (cluster, mfr_code) = (u16::from_le_bytes(*cluster), frame.manufacturer);
    let origin = Origin { ieee: Ieee(1), endpoint: 1, model: Some(""), manufacturer: None, cluster, mfr_code };
    static MAP: LazyLock<Option<Map>> = LazyLock::new(|| Map::new(&[]).ok());
    for (map, record) in MAP.iter().flat_map(|map| records.iter().map(move |record| (map, record))) {
        let _ = map.apply(origin, record);
    }
}

/// A modem's line: whatever the reads, the same lines. A message it brings is decoded.
pub fn at(bytes: &[u8]) {
    let lines = |read: usize| {
        let mut decoder = codec::Decoder::default();
        bytes.chunks(read).flat_map(|read| decoder.feed(read)).collect::<Vec<_>>()
    };
    let found = lines(bytes.len().max(1));
    assert_eq!(found, lines(1));
    for line in found {
        match line {
            Line::Unsolicited(Unsolicited::Message { hex }) | Line::Info(hex) => {
                let _ = pdu::decode(&hex);
            }
            _ => {}
        }
    }
}

/// A PDU, given as its octets and, where they are text, as that.
pub fn pdu(bytes: &[u8]) {
    let hex = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let hex: String = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
    let _ = pdu::decode(&hex);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = pdu::decode(text);
        let _ = pdu::encode("+33612345678", text, bytes.len() as u8);
    }
}

/// A sealed envelope: what can be read is read again as the same. The bytes are also taken as the body of one, because
/// no luck finds a check sum.
pub fn envelope(bytes: &[u8]) {
    let length = (bytes.len() as u32).to_le_bytes();
    let first = [b"MEDM", &[1, 0][..], &length, &length, bytes].concat();
    let second = [b"MEDM", &[2, 0][..], bytes].concat();
    let whole = |start: &[u8]| [start, &crc32(start).to_le_bytes()].concat();
    for sealed in [bytes, &whole(&first), &whole(&second)] {
        if let Ok(envelope) = wire::envelope::decode(sealed) {
            assert_eq!(wire::envelope::decode(&wire::envelope::encode(&envelope)), Ok(envelope));
        }
    }
}

/// CRC-32 (IEEE), a bit at a time: no second library for one line.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0xEDB8_8320 } else { sum >> 1 })
    })
}

/// A reading in the broker: what can be read is read again as the same.
pub fn reading(bytes: &[u8]) {
    if let Ok(reading) = wire::reading::decode(bytes) {
        assert_eq!(wire::reading::decode(&wire::reading::encode(&reading)), Ok(reading));
    }
}
