//! ZCL frames: header, attribute records and their types (Zigbee Cluster Library, revision 8, chapter 2).
//!
//! An invalid value is "no reading", not a number. A record of unknown type has no known length: what precedes it is
//! kept, the rest is dropped and counted.

/// General commands used here.
pub const READ: u8 = 0x00;
/// Answer to [`READ`].
pub const READ_RESPONSE: u8 = 0x01;
/// Asks a device to report by itself.
pub const CONFIGURE: u8 = 0x06;
/// Answer to [`CONFIGURE`].
pub const CONFIGURE_RESPONSE: u8 = 0x07;
/// Attributes a device reports by itself.
pub const REPORT: u8 = 0x0A;
/// Plain status of a command.
pub const DEFAULT_RESPONSE: u8 = 0x0B;

/// A decoded value; integers of up to 64 bits are widened.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// Boolean, bitmap, enumeration, unsigned, data.
    Unsigned(u64),
    /// Signed integer.
    Signed(i64),
    /// Any float.
    Float(f64),
    /// Octet or character string, key, structure: as its bytes.
    Bytes(Vec<u8>),
    /// Said to be invalid by the device.
    Invalid,
}

/// One attribute record.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Attribute id.
    pub attribute: u16,
    /// ZCL type id.
    pub kind: u8,
    /// Its value.
    pub value: Attribute,
}

/// A frame after its header.
#[derive(Clone, Debug, PartialEq)]
pub struct Zcl<'a> {
    /// Cluster-specific command rather than a general one.
    pub cluster_specific: bool,
    /// Manufacturer code, if manufacturer-specific.
    pub manufacturer: Option<u16>,
    /// The device wants a Default Response.
    pub wants_response: bool,
    /// Transaction sequence.
    pub sequence: u8,
    /// Command id.
    pub command: u8,
    /// The rest.
    pub payload: &'a [u8],
}

impl<'a> Zcl<'a> {
    /// Reads the header by its flag bits. `None`: too short.
    pub fn parse(data: &'a [u8]) -> Option<Self> {
        let (&control, rest) = data.split_first()?;
        let (manufacturer, rest) = match control & 0x04 {
            0 => (None, rest),
            _ => (Some(u16::from_le_bytes([*rest.first()?, *rest.get(1)?])), rest.get(2..)?),
        };
        Some(Self {
            cluster_specific: control & 0x03 == 1,
            manufacturer,
            wants_response: control & 0x10 == 0,
            sequence: *rest.first()?,
            command: *rest.get(1)?,
            payload: rest.get(2..)?,
        })
    }

    /// The Default Response to this frame, status success.
    pub fn default_response(&self) -> Vec<u8> {
        frame(self.manufacturer, self.sequence, DEFAULT_RESPONSE, &[self.command, 0])
    }
}

/// A general command from us (client to server, no response wanted beyond the command's own).
pub fn frame(manufacturer: Option<u16>, sequence: u8, command: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = match manufacturer {
        None => vec![0x10],
        Some(code) => vec![0x14, code as u8, (code >> 8) as u8],
    };
    out.extend_from_slice(&[sequence, command]);
    out.extend_from_slice(payload);
    out
}

/// The records of a report, and how many were lost behind an unknown type or a cut.
pub fn report_records(payload: &[u8]) -> (Vec<Record>, usize) {
    records(payload, false)
}

/// The records of a read response; refused attributes are left out.
pub fn read_records(payload: &[u8]) -> (Vec<Record>, usize) {
    records(payload, true)
}

fn records(mut rest: &[u8], with_status: bool) -> (Vec<Record>, usize) {
    let mut found = Vec::new();
    while !rest.is_empty() {
        match record(rest, with_status) {
            Some((record, tail)) => {
                found.extend(record);
                rest = tail;
            }
            None => return (found, 1),
        }
    }
    (found, 0)
}

fn record(bytes: &[u8], with_status: bool) -> Option<(Option<Record>, &[u8])> {
    let attribute = u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]);
    let mut rest = bytes.get(2..)?;
    if with_status {
        let (&status, tail) = rest.split_first()?;
        rest = tail;
        if status != 0 {
            return Some((None, rest));
        }
    }
    let (&kind, rest) = rest.split_first()?;
    let (value, rest) = value(kind, rest)?;
    Some((Some(Record { attribute, kind, value }), rest))
}

/// Size of a fixed-size type, in bytes.
fn fixed_size(kind: u8) -> Option<usize> {
    Some(match kind {
        0x00 => 0,
        0x08..=0x0F => usize::from(kind - 0x08) + 1,
        0x10 | 0x30 => 1,
        0x18..=0x1F => usize::from(kind - 0x18) + 1,
        0x20..=0x27 => usize::from(kind - 0x20) + 1,
        0x28..=0x2F => usize::from(kind - 0x28) + 1,
        0x31 | 0x38 | 0xE8 | 0xE9 => 2,
        0x39 | 0xE0 | 0xE1 | 0xE2 => 4,
        0x3A | 0xF0 => 8,
        0xF1 => 16,
        _ => return None,
    })
}

fn value(kind: u8, bytes: &[u8]) -> Option<(Attribute, &[u8])> {
    let split = |count: usize| (bytes.len() >= count).then(|| bytes.split_at(count));
    if let Some(size) = fixed_size(kind) {
        let (taken, rest) = split(size)?;
        return Some((fixed(kind, taken), rest));
    }
    let string = |prefix: usize, invalid: usize| {
        let (length, _) = split(prefix)?;
        let length = length.iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
        if length == invalid {
            return Some((Attribute::Invalid, &bytes[prefix..]));
        }
        let (whole, rest) = split(prefix + length)?;
        Some((Attribute::Bytes(whole[prefix..].to_vec()), rest))
    };
    match kind {
        0x41 | 0x42 => string(1, 0xFF),
        0x43 | 0x44 => string(2, 0xFFFF),
        0x48 | 0x50 | 0x51 | 0x4C => {
            let size = collection_size(kind, bytes, 0)?;
            let (taken, rest) = split(size)?;
            Some((Attribute::Bytes(taken.to_vec()), rest))
        }
        _ => None,
    }
}

/// Bytes that an array, set, bag or structure takes. `depth` bounds what a hostile frame can nest.
fn collection_size(kind: u8, bytes: &[u8], depth: u8) -> Option<usize> {
    if depth > 4 {
        return None;
    }
    let element_size = |kind: u8, bytes: &[u8]| match kind {
        0x48 | 0x4C | 0x50 | 0x51 => collection_size(kind, bytes, depth + 1),
        _ => value(kind, bytes).map(|(_, rest)| bytes.len() - rest.len()),
    };
    let count_at = usize::from(kind != 0x4C);
    let count = u16::from_le_bytes([*bytes.get(count_at)?, *bytes.get(count_at + 1)?]);
    let mut at = count_at + 2;
    for _ in 0..count {
        let element = if kind == 0x4C {
            at += 1;
            *bytes.get(at - 1)?
        } else {
            bytes[0]
        };
        at += element_size(element, bytes.get(at..)?)?;
    }
    (at <= bytes.len()).then_some(at)
}

fn fixed(kind: u8, bytes: &[u8]) -> Attribute {
    let mut wide = [0_u8; 8];
    if bytes.len() > 8 {
        return Attribute::Bytes(bytes.to_vec());
    }
    wide[..bytes.len()].copy_from_slice(bytes);
    let unsigned = u64::from_le_bytes(wide);
    let bits = bytes.len() as u32 * 8;
    let all_ones = bits > 0 && unsigned == u64::MAX >> (64 - bits);
    match kind {
        0x00 => Attribute::Invalid,
        0x28..=0x2F => {
            let signed = (unsigned << (64 - bits)) as i64 >> (64 - bits);
            if signed == i64::MIN >> (64 - bits) { Attribute::Invalid } else { Attribute::Signed(signed) }
        }
        0x38..=0x3A => {
            let float = match kind {
                0x38 => half(unsigned as u16),
                0x39 => f64::from(f32::from_bits(unsigned as u32)),
                _ => f64::from_bits(unsigned),
            };
            if float.is_finite() { Attribute::Float(float) } else { Attribute::Invalid }
        }
        // Bitmaps and plain data have no invalid value; everything else says it with all ones.
        0x08..=0x0F | 0x18..=0x1F => Attribute::Unsigned(unsigned),
        _ if all_ones => Attribute::Invalid,
        _ => Attribute::Unsigned(unsigned),
    }
}

/// `change` as the reportable change of Configure Reporting: a value of the type, and only of an analogue one (ZCL 2.5.7).
pub fn change(kind: u8, change: f64) -> Vec<u8> {
    match kind {
        0x20..=0x2F | 0xE0..=0xE2 => {
            let size = fixed_size(kind).unwrap_or(0);
            // A change beyond a small type would wrap to nonsense.
            let largest = u64::MAX >> (64 - 8 * size as u32) >> 1;
            (change.round().clamp(1.0, largest as f64) as u64).to_le_bytes()[..size].to_vec()
        }
        // 1.0 as binary16; finer is not worth a conversion that nothing else needs.
        0x38 => vec![0x00, 0x3C],
        0x39 => (change as f32).to_le_bytes().to_vec(),
        0x3A => change.to_le_bytes().to_vec(),
        _ => Vec::new(),
    }
}

/// IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1F), f64::from(bits & 0x3FF));
    let size = match exponent {
        0 => fraction * 2_f64.powi(-24),
        31 => f64::NAN,
        _ => (1.0 + fraction / 1024.0) * 2_f64.powi(exponent - 15),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

/// The type id that a name in a mapping row means.
pub fn type_by_name(name: &str) -> Option<u8> {
    let sized = |prefix: &str, base: u8| {
        let bits: u8 = name.strip_prefix(prefix)?.parse().ok()?;
        (bits.is_multiple_of(8) && (8..=64).contains(&bits)).then(|| base + bits / 8 - 1)
    };
    match name {
        "bool" => Some(0x10),
        "enum8" => Some(0x30),
        "enum16" => Some(0x31),
        "half" => Some(0x38),
        "single" => Some(0x39),
        "double" => Some(0x3A),
        "time_of_day" => Some(0xE0),
        "date" => Some(0xE1),
        "utc" => Some(0xE2),
        "octstr" => Some(0x41),
        "string" => Some(0x42),
        _ => sized("uint", 0x20).or_else(|| sized("int", 0x28)).or_else(|| sized("bitmap", 0x18)),
    }
}

/// The name of a type id, for a ready-made mapping row.
pub fn type_name(kind: u8) -> String {
    match kind {
        0x10 => "bool".into(),
        0x18..=0x1F => format!("bitmap{}", (kind - 0x17) * 8),
        0x20..=0x27 => format!("uint{}", (kind - 0x1F) * 8),
        0x28..=0x2F => format!("int{}", (kind - 0x27) * 8),
        0x30 => "enum8".into(),
        0x31 => "enum16".into(),
        0x38 => "half".into(),
        0x39 => "single".into(),
        0x3A => "double".into(),
        0xE0 => "time_of_day".into(),
        0xE1 => "date".into(),
        0xE2 => "utc".into(),
        0x41 => "octstr".into(),
        0x42 => "string".into(),
        _ => format!("0x{kind:02x}"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_temperature_report_is_read_and_an_invalid_one_is_not_a_number() {
        let zcl = Zcl::parse(&[0x18, 7, REPORT, 0, 0, 0x29, 0x5A, 0x0E]).unwrap();
        assert_eq!((zcl.sequence, zcl.wants_response), (7, false));
        let (records, lost) = report_records(zcl.payload);
        assert_eq!(records, [Record { attribute: 0, kind: 0x29, value: Attribute::Signed(3674) }]);
        assert_eq!(lost, 0);
        for (kind, bytes) in [
            (0x29, &[0x00, 0x80][..]),
            (0x21, &[0xFF, 0xFF]),
            (0x39, &[0, 0, 0xC0, 0x7F]),
            (0x41, &[0xFF]),
            (0x10, &[0xFF]),
        ] {
            let payload: Vec<u8> = [0, 0, kind].iter().chain(bytes).copied().collect();
            assert_eq!(report_records(&payload).0[0].value, Attribute::Invalid, "type {kind:#x}");
        }
    }

    #[test]
    fn a_manufacturer_frame_has_a_longer_header() {
        let zcl = Zcl::parse(&[0x0C, 0xF1, 0xFF, 9, REPORT, 0, 0, 0x21, 72, 0]).unwrap();
        assert_eq!((zcl.manufacturer, zcl.sequence, zcl.wants_response), (Some(0xFFF1), 9, true));
        assert_eq!(report_records(zcl.payload).0[0].value, Attribute::Unsigned(72));
        assert_eq!(zcl.default_response(), [0x14, 0xF1, 0xFF, 9, 0x0B, 0x0A, 0]);
    }

    #[test]
    fn what_precedes_an_unknown_type_is_kept() {
        let (records, lost) = report_records(&[0, 0, 0x20, 5, 1, 0, 0x77, 1, 2, 3]);
        assert_eq!((records.len(), lost), (1, 1));
        let (records, lost) = report_records(&[0, 0, 0x21, 5]);
        assert_eq!((records.len(), lost), (0, 1), "a truncated record yields nothing");
    }

    #[test]
    fn collections_are_passed_over_by_their_true_length() {
        // structure of (uint8 1, string "ab"), then a uint8 record.
        let payload = [0, 0, 0x4C, 2, 0, 0x20, 1, 0x42, 2, b'a', b'b', 1, 0, 0x20, 9];
        let (records, lost) = report_records(&payload);
        assert_eq!((records.len(), lost), (2, 0));
        assert_eq!(records[1].value, Attribute::Unsigned(9));
    }

    #[test]
    fn half_floats() {
        assert_eq!((half(0x3C00), half(0xC000), half(0x0001)), (1.0, -2.0, 2_f64.powi(-24)));
    }

    #[test]
    fn type_names_go_both_ways() {
        for kind in (0x18..=0x31).chain([0x10, 0x38, 0x39, 0x3A, 0x41, 0x42, 0xE0, 0xE1, 0xE2]) {
            assert_eq!(type_by_name(&type_name(kind)), Some(kind));
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
            if let Some(zcl) = Zcl::parse(&bytes) {
                report_records(zcl.payload);
                read_records(zcl.payload);
            }
        }
    }
}
