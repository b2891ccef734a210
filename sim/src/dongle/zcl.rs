//! The ZCL side of a virtual sensor: reports it sends, answers it gives.
//!
//! Not for: values (patient/, replay/) or the frame around it (coordinator.rs).

use std::collections::BTreeMap;

use super::frame::Fields;
use crate::air::{AttributeReport, CLUSTER_BASIC};

/// A sensor as it would be on a shop's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceSpec {
    /// IEEE address.
    pub ieee: u64,
    /// Basic manufacturer name.
    pub manufacturer: String,
    /// Basic model identifier.
    pub model: String,
    /// Application endpoints.
    pub endpoints: Vec<Endpoint>,
    /// Whether its reports ask for a Default Response.
    pub default_response: bool,
}

/// One application endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Number, 1-240.
    pub id: u8,
    /// Profile, 0x0104 for home automation.
    pub profile: u16,
    /// Device id.
    pub device: u16,
    /// Server clusters.
    pub clusters: Vec<u16>,
}

impl DeviceSpec {
    /// A sensor with one home automation endpoint 1: Basic, Power Configuration and `clusters`.
    pub fn sensor(ieee: u64, model: &str, clusters: &[u16]) -> Self {
        let clusters = [&[CLUSTER_BASIC, crate::air::CLUSTER_POWER], clusters].concat();
        Self {
            ieee,
            manufacturer: "medmon".into(),
            model: model.into(),
            endpoints: vec![Endpoint { id: 1, profile: 0x0104, device: 0x0302, clusters }],
            default_response: true,
        }
    }
}

const MANUFACTURER_SPECIFIC: u8 = 0x04;
const FROM_SERVER: u8 = 0x08;
const NO_DEFAULT_RESPONSE: u8 = 0x10;

const READ: u8 = 0x00;
const READ_RESPONSE: u8 = 0x01;
const CONFIGURE: u8 = 0x06;
const CONFIGURE_RESPONSE: u8 = 0x07;
const REPORT: u8 = 0x0A;
const DEFAULT_RESPONSE: u8 = 0x0B;

const MALFORMED: u8 = 0x80;
const UNSUPPORTED_COMMAND: u8 = 0x81;
const UNSUPPORTED_ATTRIBUTE: u8 = 0x86;

fn frame(control: u8, mfr_code: Option<u16>, sequence: u8, command: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![control | if mfr_code.is_some() { MANUFACTURER_SPECIFIC } else { 0 }];
    frame.extend(mfr_code.into_iter().flat_map(u16::to_le_bytes));
    frame.extend([sequence, command]);
    frame.extend(payload);
    frame
}

fn record(report: &AttributeReport) -> impl Iterator<Item = u8> {
    report.attribute.to_le_bytes().into_iter().chain([report.kind]).chain(report.raw.iter().copied())
}

/// A Report Attributes frame. All `reports` must share cluster and manufacturer code.
pub fn report(reports: &[AttributeReport], sequence: u8, default_response: bool) -> Vec<u8> {
    let control = FROM_SERVER | if default_response { 0 } else { NO_DEFAULT_RESPONSE };
    let payload: Vec<u8> = reports.iter().flat_map(record).collect();
    frame(control, reports.first().and_then(|report| report.mfr_code), sequence, REPORT, &payload)
}

/// What a sensor remembers of itself, by cluster and attribute.
pub type Attributes = BTreeMap<(u16, u16), AttributeReport>;

/// What a request from the host led to.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The sensor answers with this frame.
    Answer(Vec<u8>),
    /// The host set reporting; the sensor answers with this frame.
    Configured(Vec<u8>),
    /// The host acknowledged a report.
    DefaultResponse,
    /// Nothing to say.
    Silent,
}

/// What the sensor does with a ZCL frame from the host.
pub fn respond(request: &[u8], cluster: u16, attributes: &Attributes) -> Outcome {
    let Some(Header { control, mfr_code, sequence, command, payload }) = header(request) else {
        return Outcome::Silent;
    };
    let answer =
        |command, payload: &[u8]| frame(FROM_SERVER | NO_DEFAULT_RESPONSE, mfr_code, sequence, command, payload);
    match (control & 0x03, command) {
        (0, DEFAULT_RESPONSE) => Outcome::DefaultResponse,
        (0, READ) => {
            let mut records = Vec::new();
            for pair in payload.chunks_exact(2) {
                let id = u16::from_le_bytes([pair[0], pair[1]]);
                match attributes.get(&(cluster, id)).filter(|held| held.mfr_code == mfr_code) {
                    Some(held) => {
                        records.extend(id.to_le_bytes());
                        records.extend([0, held.kind]);
                        records.extend(&held.raw);
                    }
                    None => records.extend([pair[0], pair[1], UNSUPPORTED_ATTRIBUTE]),
                }
            }
            Outcome::Answer(answer(READ_RESPONSE, &records))
        }
        (0, CONFIGURE) if well_formed(payload) => Outcome::Configured(answer(CONFIGURE_RESPONSE, &[0])),
        (0, CONFIGURE) => Outcome::Answer(answer(DEFAULT_RESPONSE, &[CONFIGURE, MALFORMED])),
        _ => Outcome::Answer(answer(DEFAULT_RESPONSE, &[command, UNSUPPORTED_COMMAND])),
    }
}

struct Header<'a> {
    control: u8,
    mfr_code: Option<u16>,
    sequence: u8,
    command: u8,
    payload: &'a [u8],
}

fn header(frame: &[u8]) -> Option<Header<'_>> {
    let mut fields = Fields(frame);
    let control = fields.u8()?;
    let mfr_code = if control & MANUFACTURER_SPECIFIC != 0 { Some(fields.u16()?) } else { None };
    Some(Header { control, mfr_code, sequence: fields.u8()?, command: fields.u8()?, payload: fields.0 })
}

/// Whether every Configure Reporting record is whole: a reportable change stands only behind analogue types.
fn well_formed(payload: &[u8]) -> bool {
    let mut fields = Fields(payload);
    let mut record = || {
        let direction = fields.u8()?;
        fields.u16()?;
        if direction != 0 {
            fields.u16()?;
            return Some(fields.0.is_empty());
        }
        let kind = fields.u8()?;
        let (shortest, longest) = (fields.u16()?, fields.u16()?);
        fields.take(analogue_size(kind))?;
        (longest == 0 || shortest <= longest).then_some(fields.0.is_empty())
    };
    loop {
        match record() {
            Some(true) => return true,
            Some(false) => {}
            None => return false,
        }
    }
}

fn analogue_size(kind: u8) -> usize {
    match kind {
        0x20..=0x27 => usize::from(kind - 0x1F),
        0x28..=0x2F => usize::from(kind - 0x27),
        0x38 => 2,
        0x39 | 0xE0..=0xE2 => 4,
        0x3A => 8,
        _ => 0,
    }
}

/// The Basic cluster of a sensor.
pub fn basic(spec: &DeviceSpec) -> Attributes {
    let string = |attribute, text: &str| {
        let text = &text.as_bytes()[..text.len().min(32)];
        let raw = [&[text.len() as u8], text].concat();
        AttributeReport { cluster: CLUSTER_BASIC, mfr_code: None, attribute, kind: 0x42, raw }
    };
    let byte = |attribute, kind, raw| AttributeReport {
        cluster: CLUSTER_BASIC,
        mfr_code: None,
        attribute,
        kind,
        raw: vec![raw],
    };
    [string(4, &spec.manufacturer), string(5, &spec.model), byte(0, 0x20, 3), byte(7, 0x30, 3)]
        .map(|held| ((CLUSTER_BASIC, held.attribute), held))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::air;

    #[test]
    fn a_manufacturer_specific_report_carries_the_code() {
        let bytes = report(&[air::heart_rate(72)], 5, true);
        assert_eq!(bytes, [0x0C, 0xF1, 0xFF, 5, 0x0A, 0, 0, 0x21, 72, 0]);
    }

    #[test]
    fn basic_is_read_and_the_unknown_refused() {
        let spec = DeviceSpec::sensor(1, "BELT-1", &[]);
        let Outcome::Answer(bytes) = respond(&[0x00, 9, READ, 5, 0, 0x99, 0], CLUSTER_BASIC, &basic(&spec)) else {
            panic!("no answer")
        };
        assert_eq!(&bytes[..8], &[0x18, 9, READ_RESPONSE, 5, 0, 0, 0x42, 6]);
        assert!(bytes.ends_with(&[0x99, 0, UNSUPPORTED_ATTRIBUTE]));
    }

    #[test]
    fn reporting_is_configured_with_a_change_only_for_analogue_types() {
        let with_change = [0x10, 1, CONFIGURE, 0, 0, 0, 0x29, 5, 0, 60, 0, 10, 0];
        assert!(matches!(respond(&with_change, 0x0402, &Attributes::new()), Outcome::Configured(_)));
        let without = &with_change[..11];
        assert!(matches!(respond(without, 0x0402, &Attributes::new()), Outcome::Answer(_)));
        let octets = [0x14, 0xF1, 0xFF, 1, CONFIGURE, 0, 0, 0, 0x41, 0, 0, 60, 0];
        assert!(matches!(respond(&octets, 0xFC82, &Attributes::new()), Outcome::Configured(_)));
    }
}
