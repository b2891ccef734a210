//! SMS PDUs as the network side sees them (3GPP TS 23.040): SMS-SUBMIT in; SMS-DELIVER and SMS-STATUS-REPORT out.
//!
//! Not for: the AT dialogue around them (terminal.rs).

use thiserror::Error;

use super::gsm7;

/// Why a PDU from the host is refused.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum PduError {
    /// Not pairs of hexadecimal digits.
    #[error("not hexadecimal")]
    Hex,
    /// The length given with the command is not that of the TPDU.
    #[error("the length is not that of the PDU")]
    Length,
    /// It ends too early.
    #[error("truncated")]
    Truncated,
    /// Not an SMS-SUBMIT.
    #[error("not an SMS-SUBMIT")]
    Kind,
    /// A data coding scheme other than GSM-7 and UCS-2.
    #[error("unknown data coding scheme {0:#04x}")]
    Coding(u8),
}

/// Which part of a concatenated text this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// Common to all parts.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// From 1.
    pub number: u8,
}

/// What the host asks the network to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// Destination, with `+` when international.
    pub to: String,
    /// Text of this part.
    pub text: String,
    /// Whether a status report is wanted.
    pub report: bool,
    /// How long the network may try, minutes, where a relative validity is given.
    pub validity_min: Option<u32>,
    /// Set when the text is longer than one message.
    pub part: Option<Part>,
}

struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PduError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(PduError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn one(&mut self) -> Result<u8, PduError> {
        self.take(1).map(|octet| octet[0])
    }
}

/// Octets of a hexadecimal string.
pub fn from_hex(hex: &str) -> Result<Vec<u8>, PduError> {
    if !hex.len().is_multiple_of(2) {
        return Err(PduError::Hex);
    }
    let digit = |byte: u8| (byte as char).to_digit(16).ok_or(PduError::Hex);
    hex.as_bytes().chunks_exact(2).map(|pair| Ok((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}

/// Upper-case hexadecimal.
pub fn to_hex(octets: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble & 0x0F)]);
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(*octet)]).collect()
}

/// Reads what stands between the prompt and Ctrl-Z. `length` is that of AT+CMGS: the octets behind the service centre.
pub fn decode_submit(hex: &str, length: usize) -> Result<Submit, PduError> {
    let octets = from_hex(hex)?;
    let mut octets = Octets(&octets);
    let centre = octets.one()?;
    octets.take(centre.into())?;
    if octets.0.len() != length {
        return Err(PduError::Length);
    }
    let first = octets.one()?;
    if first & 0x03 != 0x01 {
        return Err(PduError::Kind);
    }
    let _reference = octets.one()?;
    let digits = octets.one()?;
    let kind = octets.one()?;
    let address = octets.take(usize::from(digits).div_ceil(2))?;
    let to = read_address(address, digits.into(), kind);
    let _protocol = octets.one()?;
    let coding = octets.one()?;
    let validity_min = match first >> 3 & 0x03 {
        0 => None,
        2 => Some(relative_validity(octets.one()?)),
        _ => octets.take(7).map(|_| None)?,
    };
    let length = usize::from(octets.one()?);
    let wide = match alphabet(coding)? {
        Alphabet::Gsm7 => false,
        Alphabet::Ucs2 => true,
    };
    let size = if wide { length } else { (length * 7).div_ceil(8) };
    let data = octets.take(size)?;
    let (header, part) = if first & 0x40 != 0 { read_header(data)? } else { (0, None) };
    let text = if wide {
        let units = data[header..].chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    } else {
        let taken = (header * 8).div_ceil(7);
        let count = length.checked_sub(taken).ok_or(PduError::Truncated)?;
        let septets = gsm7::unpack(&data[header..], count, taken * 7 - header * 8).ok_or(PduError::Truncated)?;
        gsm7::decode(&septets)
    };
    Ok(Submit { to, text, report: first & 0x20 != 0, validity_min, part })
}

enum Alphabet {
    Gsm7,
    Ucs2,
}

fn alphabet(coding: u8) -> Result<Alphabet, PduError> {
    match (coding >> 4, coding >> 2 & 0x03) {
        // General group and message class group.
        (0x0..=0x3, 0) => Ok(Alphabet::Gsm7),
        (0x0..=0x3, 2) => Ok(Alphabet::Ucs2),
        (0xF, part) if part & 1 == 0 => Ok(Alphabet::Gsm7),
        _ => Err(PduError::Coding(coding)),
    }
}

fn relative_validity(value: u8) -> u32 {
    let value = u32::from(value);
    match value {
        0..=143 => (value + 1) * 5,
        144..=167 => 12 * 60 + (value - 143) * 30,
        168..=196 => (value - 166) * 24 * 60,
        _ => (value - 192) * 7 * 24 * 60,
    }
}

/// Length of the user data header with its length octet, and the concatenation it names.
fn read_header(data: &[u8]) -> Result<(usize, Option<Part>), PduError> {
    let mut octets = Octets(data);
    let length = usize::from(octets.one()?);
    let mut elements = Octets(octets.take(length)?);
    let mut part = None;
    while !elements.0.is_empty() {
        let (id, size) = (elements.one()?, elements.one()?);
        match (id, elements.take(size.into())?) {
            (0x00, &[reference, total, number]) => part = Some(Part { reference: reference.into(), total, number }),
            (0x08, &[high, low, total, number]) => {
                part = Some(Part { reference: u16::from_be_bytes([high, low]), total, number });
            }
            _ => {}
        }
    }
    Ok((length + 1, part.filter(|part| (1..=part.total).contains(&part.number))))
}

fn read_address(octets: &[u8], digits: usize, kind: u8) -> String {
    let plus = if kind & 0x70 == 0x10 { "+" } else { "" };
    let nibbles = octets.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]).take(digits);
    let number: String =
        nibbles.filter_map(|nibble| b"0123456789*#abc".get(usize::from(nibble))).map(|&b| b as char).collect();
    format!("{plus}{number}")
}

/// Length in digits, type, and swapped digits. Anything but digits and a leading `+` is left out.
fn address(number: &str) -> Vec<u8> {
    let digits: Vec<u8> = number.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    let mut octets = vec![digits.len() as u8, if number.starts_with('+') { 0x91 } else { 0x81 }];
    octets.extend(digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0x0F) << 4));
    octets
}

/// A time stamp in UTC: year, month, day, hour, minute, second, zone, as swapped digits.
fn time_stamp(utc_us: i64) -> [u8; 7] {
    let seconds = utc_us.div_euclid(1_000_000);
    let (days, of_day) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    // Civil date from days since 1970, after Howard Hinnant's `civil_from_days`.
    let z = days + 719_468;
    let (era, of_era) = (z.div_euclid(146_097), z.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    [year % 100, month, day, of_day / 3600, of_day / 60 % 60, of_day % 60, 0]
        .map(|value| (value % 10) as u8 * 16 + (value / 10) as u8)
}

/// A service centre of the range kept for fiction, as it stands before each PDU.
fn service_centre() -> Vec<u8> {
    let mut octets = address("+33639980000");
    // Here the length counts octets, not digits.
    octets[0] = octets.len() as u8 - 1;
    octets
}

/// SMS-DELIVERs of an inbound text, one per part, with the service centre in front.
pub fn encode_deliver(from: &str, text: &str, utc_us: i64, reference: u8) -> Vec<Vec<u8>> {
    let septets = gsm7::encode(text);
    // The user data of each part: length field and octets without header.
    let parts: Vec<Vec<u8>> = if let Some(septets) = &septets {
        split(septets, 160, 153, |tail| tail == 0x1B)
    } else {
        let units: Vec<u16> = text.encode_utf16().collect();
        let high = |unit: u16| (0xD800..0xDC00).contains(&unit);
        split(&units, 70, 67, high)
            .iter()
            .map(|part| part.iter().flat_map(|unit| unit.to_be_bytes()).collect())
            .collect()
    };
    let total = parts.len() as u8;
    let deliver = |(index, part): (usize, &Vec<u8>)| {
        let header: &[u8] = if total > 1 { &[5, 0, 3, reference, total, index as u8 + 1] } else { &[] };
        let mut pdu = service_centre();
        pdu.push(0x04 | if total > 1 { 0x40 } else { 0 });
        pdu.extend(address(from));
        pdu.push(0);
        pdu.push(if septets.is_some() { 0 } else { 8 });
        pdu.extend(time_stamp(utc_us));
        if septets.is_some() {
            let taken = (header.len() * 8).div_ceil(7);
            pdu.push((taken + part.len()) as u8);
            pdu.extend(header);
            pdu.extend(gsm7::pack(part, taken * 7 - header.len() * 8));
        } else {
            pdu.push((header.len() + part.len()) as u8);
            pdu.extend(header);
            pdu.extend(part);
        }
        pdu
    };
    parts.iter().enumerate().map(deliver).collect()
}

/// Cuts into parts of `most`, never between a pair whose first half `opens` knows.
fn split<T: Copy>(units: &[T], alone: usize, most: usize, opens: impl Fn(T) -> bool) -> Vec<Vec<T>> {
    if units.len() <= alone {
        return vec![units.to_vec()];
    }
    let mut parts = Vec::new();
    let mut rest = units;
    while !rest.is_empty() {
        let mut cut = rest.len().min(most);
        if cut < rest.len() && opens(rest[cut - 1]) {
            cut -= 1;
        }
        parts.push(rest[..cut].to_vec());
        rest = &rest[cut..];
    }
    parts
}

/// The SMS-STATUS-REPORT "received by the phone" of a sent message, with the service centre in front.
pub fn encode_status_report(reference: u8, to: &str, sent_utc_us: i64, delivered_utc_us: i64) -> Vec<u8> {
    let mut pdu = service_centre();
    pdu.extend([0x06, reference]);
    pdu.extend(address(to));
    pdu.extend(time_stamp(sent_utc_us));
    pdu.extend(time_stamp(delivered_utc_us));
    pdu.push(0);
    pdu
}

/// Octets of a PDU behind its service centre: the length that AT commands show.
pub fn tpdu_length(pdu: &[u8]) -> usize {
    pdu.len().saturating_sub(1 + pdu.first().copied().map_or(0, usize::from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_published_submit_is_read() {
        // The classic example of the literature: "hellohello" to +46708251358, no service centre, no validity.
        let submit = decode_submit("0001000B916407281553F800000AE8329BFD4697D9EC37", 22).unwrap();
        assert_eq!((submit.to.as_str(), submit.text.as_str()), ("+46708251358", "hellohello"));
        assert!(!submit.report && submit.part.is_none());
        assert_eq!(decode_submit("0001000B916407281553F800000AE8329BFD4697D9EC37", 23), Err(PduError::Length));
    }

    #[test]
    fn a_concatenated_ucs2_submit_with_validity_and_report_is_read() {
        let hex = "0071000B913336991800F10008AA08050003C7020100EA";
        let submit = decode_submit(hex, hex.len() / 2 - 1).unwrap();
        assert_eq!((submit.to.as_str(), submit.text.as_str()), ("+33639981001", "ê"));
        assert_eq!(submit.part, Some(Part { reference: 0xC7, total: 2, number: 1 }));
        assert!(submit.report);
        assert_eq!(submit.validity_min, Some(4 * 24 * 60));
    }

    #[test]
    fn a_gsm7_part_starts_behind_the_fill_bit() {
        let septets = gsm7::encode("abc").unwrap();
        let mut pdu = vec![0, 0x41, 0, 4, 0x81, 0x21, 0x43, 0, 0, 7 + 3, 5, 0, 3, 9, 2, 2];
        pdu.extend(gsm7::pack(&septets, 1));
        let submit = decode_submit(&to_hex(&pdu), pdu.len() - 1).unwrap();
        assert_eq!((submit.to.as_str(), submit.text.as_str()), ("1234", "abc"));
    }

    #[test]
    fn time_stamps_are_civil() {
        assert_eq!(time_stamp(1_764_000_000_000_000), [0x52, 0x11, 0x42, 0x61, 0x00, 0x00, 0x00]);
        assert_eq!(time_stamp(1_709_208_000_000_000), [0x42, 0x20, 0x92, 0x21, 0x00, 0x00, 0x00]);
    }

    #[test]
    fn an_inbound_text_is_laid_out_as_documented() {
        let pdu = encode_deliver("+33639981001", "OK 4821", 1_764_000_000_000_000, 0).remove(0);
        assert_eq!(to_hex(&pdu), "07913336990800F0040B913336991800F100005211426100000007CF25888693C500");
        assert_eq!(tpdu_length(&pdu), pdu.len() - 8);
        assert_eq!(encode_deliver("+336", &"é".repeat(161), 0, 1).len(), 2);
        assert_eq!(encode_deliver("+336", &"ê".repeat(71), 0, 1).len(), 2);
    }

    proptest! {
        #[test]
        fn any_line_is_survived(hex in "[0-9A-F]{0,80}", octets in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = decode_submit(&hex, hex.len() / 2);
            let mut pdu = vec![0, 0x51];
            pdu.extend(octets);
            let _ = decode_submit(&to_hex(&pdu), pdu.len() - 1);
        }
    }
}
