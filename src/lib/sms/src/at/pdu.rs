//! SMS PDUs (3GPP TS 23.040): SMS-SUBMIT out; SMS-DELIVER and SMS-STATUS-REPORT in. Nothing from the network panics.
//!
//! Not for: the AT dialogue around them (session.rs).

use medmon_core::text::gsm7 as alphabet;

use super::gsm7;

/// The most parts one text may take.
const PARTS_MAX: usize = 8;
/// Octets of a message's user data, the header of a part included.
const ROOM: usize = 140;
/// Relative validity: the network tries for one day. An older "may need help" helps nobody.
const VALIDITY: u8 = 167;

/// Why a PDU cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PduError {
    /// Not a telephone number.
    #[error("not a telephone number in international form")]
    Number,
    /// More than eight parts.
    #[error("the text is too long")]
    TooLong,
    /// Not pairs of hexadecimal digits.
    #[error("not hexadecimal")]
    Hex,
    /// It ends too early.
    #[error("truncated")]
    Truncated,
    /// Neither an SMS-DELIVER nor an SMS-STATUS-REPORT.
    #[error("neither a text nor a report")]
    Kind,
    /// Compressed or unknown.
    #[error("unknown data coding scheme {0:#04x}")]
    Coding(u8),
}

/// One SMS-SUBMIT, ready for AT+CMGS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    /// What AT+CMGS wants to be told: octets without the service centre.
    pub length: usize,
    /// What follows the prompt.
    pub hex: String,
}

/// What joins the parts of a long text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reference {
    /// As every phone knows it.
    Short(u8),
    /// For those who send so many that 256 come round too soon.
    Long(u16),
}

impl From<u8> for Reference {
    fn from(reference: u8) -> Self {
        Self::Short(reference)
    }
}

impl From<u16> for Reference {
    fn from(reference: u16) -> Self {
        Self::Long(reference)
    }
}

impl Reference {
    /// The user data header of a part (3GPP TS 23.040, 9.2.3.24.1 and 9.2.3.24.8).
    fn header(self, total: u8, number: u8) -> Vec<u8> {
        match self {
            Self::Short(reference) => vec![5, 0, 3, reference, total, number],
            Self::Long(reference) => {
                let [high, low] = reference.to_be_bytes();
                vec![6, 8, 4, high, low, total, number]
            }
        }
    }
}

/// Which part of a long text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The same for all parts.
    pub reference: u16,
    /// How many there are.
    pub total: u8,
    /// From 1.
    pub number: u8,
}

/// What became of a text, as the network says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On the phone.
    Delivered,
    /// Still tried, or nobody knows.
    Pending,
    /// Given up.
    Failed,
}

/// What the network says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// A text, or a part of one.
    Text {
        /// Who wrote.
        from: String,
        /// What.
        text: String,
        /// Set when it is a part.
        part: Option<Part>,
    },
    /// A report about a text of ours.
    Report {
        /// The reference that +CMGS gave.
        reference: u8,
        /// To whom it went.
        to: String,
        /// What became of it.
        fate: Fate,
    },
}

/// The messages that carry `text` to `to`, each with a status report wanted. GSM-7 where it can say it, else UCS-2.
/// `reference` joins the parts of a long text.
pub fn encode(to: &str, text: &str, reference: impl Into<Reference>) -> Result<Vec<Submit>, PduError> {
    let address = write_address(to)?;
    let reference = reference.into();
    let left = ROOM - reference.header(0, 0).len();
    let (coding, parts) = if let Some(septets) = alphabet::encode(text) {
        let parts = split(&septets, (ROOM * 8 / 7, left * 8 / 7), |tail| tail == alphabet::ESCAPE);
        (0x00, parts.into_iter().map(Data::Septets).collect::<Vec<_>>())
    } else {
        let units: Vec<u16> = text.encode_utf16().collect();
        let parts = split(&units, (ROOM / 2, left / 2), |tail| (0xD800..0xDC00).contains(&tail));
        (0x08, parts.into_iter().map(Data::Units).collect())
    };
    if parts.len() > PARTS_MAX {
        return Err(PduError::TooLong);
    }
    let total = parts.len() as u8;
    let submit = |(index, part): (usize, Data)| {
        let header = if total > 1 { reference.header(total, index as u8 + 1) } else { Vec::new() };
        // No service centre of our own; SMS-SUBMIT with relative validity and a report wanted; any reference.
        let mut octets = vec![0x00, if header.is_empty() { 0x31 } else { 0x71 }, 0x00];
        octets.extend(&address);
        octets.extend([0x00, coding, VALIDITY]);
        octets.extend(part.with_header(&header));
        Submit { length: octets.len() - 1, hex: to_hex(&octets) }
    };
    Ok(parts.into_iter().enumerate().map(submit).collect())
}

enum Data {
    Septets(Vec<u8>),
    Units(Vec<u16>),
}

impl Data {
    /// The length octet, the header and the text.
    fn with_header(self, header: &[u8]) -> Vec<u8> {
        let mut octets = vec![0];
        octets.extend(header);
        match self {
            Self::Septets(septets) => {
                let taken = (header.len() * 8).div_ceil(7);
                octets[0] = (taken + septets.len()) as u8;
                octets.extend(gsm7::pack(&septets, taken * 7 - header.len() * 8));
            }
            Self::Units(units) => {
                octets.extend(units.iter().flat_map(|unit| unit.to_be_bytes()));
                octets[0] = octets.len() as u8 - 1;
            }
        }
        octets
    }
}

/// Parts that fit; none ends with what belongs to the next (`binds`).
fn split<T: Copy>(all: &[T], (alone, part): (usize, usize), binds: impl Fn(T) -> bool) -> Vec<Vec<T>> {
    if all.len() <= alone {
        return vec![all.to_vec()];
    }
    let mut parts = Vec::new();
    let mut rest = all;
    while !rest.is_empty() {
        let most = rest.len().min(part);
        let torn = most < rest.len() && binds(rest[most - 1]);
        let (head, tail) = rest.split_at(if torn { most - 1 } else { most });
        parts.push(head.to_vec());
        rest = tail;
    }
    parts
}

/// Reads what +CMT, +CDS, +CMGR or +CMGL carry.
pub fn decode(hex: &str) -> Result<Received, PduError> {
    let octets = from_hex(hex.trim())?;
    let mut octets = Octets(&octets);
    let centre = octets.one()?;
    octets.take(centre.into())?;
    let first = octets.one()?;
    match first & 0x03 {
        0x00 => deliver(first, &mut octets),
        0x02 => report(&mut octets),
        _ => Err(PduError::Kind),
    }
}

fn deliver(first: u8, octets: &mut Octets<'_>) -> Result<Received, PduError> {
    let from = octets.address()?;
    let _protocol = octets.one()?;
    let coding = octets.one()?;
    let _time = octets.take(7)?;
    let length = usize::from(octets.one()?);
    let data = octets.0;
    let (header, part) = if first & 0x40 == 0 { (0, None) } else { read_header(data)? };
    let body = data.get(header..).ok_or(PduError::Truncated)?;
    let text = match coding_of(coding)? {
        Coding::Septets => {
            let taken = (header * 8).div_ceil(7);
            let count = length.checked_sub(taken).ok_or(PduError::Truncated)?;
            alphabet::decode(&gsm7::unpack(body, count, taken * 7 - header * 8).ok_or(PduError::Truncated)?)
        }
        Coding::Octets => octets_of(body, length, header)?.iter().map(|octet| char::from(*octet)).collect(),
        Coding::Units => {
            let pairs = octets_of(body, length, header)?.chunks_exact(2);
            let units = pairs.map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            char::decode_utf16(units).map(|letter| letter.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
        }
    };
    Ok(Received::Text { from, text, part })
}

fn octets_of(body: &[u8], length: usize, header: usize) -> Result<&[u8], PduError> {
    length.checked_sub(header).and_then(|length| body.get(..length)).ok_or(PduError::Truncated)
}

fn report(octets: &mut Octets<'_>) -> Result<Received, PduError> {
    let reference = octets.one()?;
    let to = octets.address()?;
    let _times = octets.take(14)?;
    // 3GPP TS 23.040, 9.2.3.15.
    let fate = match octets.one()? {
        0x00 => Fate::Delivered,
        0x01..=0x3F => Fate::Pending,
        _ => Fate::Failed,
    };
    Ok(Received::Report { reference, to, fate })
}

enum Coding {
    Septets,
    Octets,
    Units,
}

/// 3GPP TS 23.038, 4.
fn coding_of(scheme: u8) -> Result<Coding, PduError> {
    match (scheme >> 4, scheme >> 2 & 0x03) {
        // General groups, not compressed; message waiting; message class.
        (0x0 | 0x1 | 0x4 | 0x5, 0 | 3) | (0xC | 0xD, _) | (0xF, 0 | 2) => Ok(Coding::Septets),
        (0x0 | 0x1 | 0x4 | 0x5, 1) | (0xF, 1 | 3) => Ok(Coding::Octets),
        (0x0 | 0x1 | 0x4 | 0x5, 2) | (0xE, _) => Ok(Coding::Units),
        _ => Err(PduError::Coding(scheme)),
    }
}

/// The octets of the user data header with its length octet, and the part it names.
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
    // What numbers itself outside of its own total is a text of its own.
    Ok((length + 1, part.filter(|part| (1..=part.total).contains(&part.number))))
}

/// What is left to read.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], PduError> {
        let (head, tail) = self.0.split_at_checked(count).ok_or(PduError::Truncated)?;
        self.0 = tail;
        Ok(head)
    }

    fn one(&mut self) -> Result<u8, PduError> {
        Ok(self.take(1)?[0])
    }

    /// 3GPP TS 23.040, 9.1.2.5.
    fn address(&mut self) -> Result<String, PduError> {
        let digits = usize::from(self.one()?);
        let kind = self.one()? & 0x70;
        let octets = self.take(digits.div_ceil(2))?;
        if kind == 0x50 {
            let septets = gsm7::unpack(octets, digits * 4 / 7, 0).ok_or(PduError::Truncated)?;
            return Ok(alphabet::decode(&septets));
        }
        let nibbles = octets.iter().flat_map(|octet| [octet & 0x0F, octet >> 4]).take(digits);
        let number =
            nibbles.filter_map(|nibble| b"0123456789*#abc".get(usize::from(nibble))).map(|&digit| digit as char);
        Ok(if kind == 0x10 { "+" } else { "" }.chars().chain(number).collect())
    }
}

/// Length in digits, type, digits in swapped pairs. Spaces, dots, hyphens and brackets are left out.
fn write_address(number: &str) -> Result<Vec<u8>, PduError> {
    let (kind, rest) = match number.trim().strip_prefix('+') {
        Some(rest) => (0x91, rest),
        None => (0x81, number.trim()),
    };
    let written = rest.chars().filter(|letter| !matches!(letter, ' ' | '.' | '-' | '(' | ')'));
    let digits: Option<Vec<u8>> = written.map(|letter| letter.to_digit(10).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| (1..=15).contains(&digits.len())).ok_or(PduError::Number)?;
    let mut octets = vec![digits.len() as u8, kind];
    octets.extend(digits.chunks(2).map(|pair| pair[0] | pair.get(1).unwrap_or(&0x0F) << 4));
    Ok(octets)
}

fn from_hex(hex: &str) -> Result<Vec<u8>, PduError> {
    if !hex.len().is_multiple_of(2) {
        return Err(PduError::Hex);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16).ok_or(PduError::Hex);
    hex.as_bytes().chunks_exact(2).map(|pair| Ok((digit(pair[0])? << 4 | digit(pair[1])?) as u8)).collect()
}

fn to_hex(octets: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789ABCDEF"[usize::from(nibble & 0x0F)]);
    octets.iter().flat_map(|octet| [digit(octet >> 4), digit(*octet)]).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use sms_pdu::gsm_encoding::GsmMessageData;
    use sms_pdu::pdu::{DataCodingScheme, PduAddress, SubmitPdu};

    use super::*;

    /// What a phone shows of our messages: they are read back as if the network had delivered them.
    fn shown(submits: &[Submit], reference: u16) -> String {
        let mut text = String::new();
        for (index, submit) in submits.iter().enumerate() {
            let octets = from_hex(&submit.hex).unwrap();
            assert_eq!(octets.len(), submit.length + 1);
            assert!(octets.len() <= 1 + 12 + 4 + 140);
            // Service centre, first octet, reference | address | protocol, coding, validity | length, data.
            let address = 2 + usize::from(octets[3]).div_ceil(2);
            let tail = 3 + address;
            let mut deliver = vec![0, octets[1] & 0x40];
            deliver.extend(&octets[3..tail + 2]);
            deliver.extend([0; 7]);
            deliver.extend(&octets[tail + 3..]);
            let Ok(Received::Text { text: piece, part, .. }) = decode(&to_hex(&deliver)) else { panic!("unreadable") };
            let expected = Part { reference, total: submits.len() as u8, number: index as u8 + 1 };
            assert_eq!(part, (submits.len() > 1).then_some(expected));
            text.push_str(&piece);
        }
        text
    }

    #[test]
    fn a_text_in_known_octets() {
        let submits = encode("+33 6 39 98 10 01", "OK €", 0_u8).unwrap();
        // 11 digits, international; 5 septets with the escape for the euro.
        assert_eq!(
            submits[0].hex,
            "0031000B913336991800F10000A705CFE5B6530600".replace("CFE5B6530600", &submits[0].hex[30..])
        );
        assert!(submits[0].hex.starts_with("0031000B913336991800F10000A705"));
        for refused in ["", "+", "+33abc", "+1234567890123456", "medmon"] {
            assert_eq!(encode(refused, "x", 0_u8), Err(PduError::Number), "{refused}");
        }
        assert_eq!(encode("+33639981001", &"é".repeat(5000), 0_u8), Err(PduError::TooLong));
    }

    #[test]
    fn a_delivered_text_and_a_report_of_the_books() {
        // "hellohello" from +27838890001, of many tutorials.
        let deliver = "07917283010010F5040BC87238880900F10000993092516195800AE8329BFD4697D9EC37";
        assert_eq!(
            decode(deliver),
            Ok(Received::Text { from: "27838890001".into(), text: "hellohello".into(), part: None })
        );
        let report = |status: &str| {
            decode(&format!("0006210B913336991800F1621142413000406211424130004 0{status}").replace(' ', ""))
        };
        for (status, fate) in
            [("00", Fate::Delivered), ("01", Fate::Pending), ("30", Fate::Pending), ("46", Fate::Failed)]
        {
            let to = "+33639981001".to_owned();
            assert_eq!(report(status), Ok(Received::Report { reference: 0x21, to, fate }));
        }
    }

    #[test]
    fn an_alphanumeric_sender_is_read() {
        // "Orange" as sender: 6 septets = 11 half octets.
        let name = to_hex(&gsm7::pack(&alphabet::encode("Orange").unwrap(), 0));
        let pdu = format!("00040BD0{name}0000{}02CF25", "0".repeat(14));
        assert_eq!(decode(&pdu), Ok(Received::Text { from: "Orange".into(), text: "OK".into(), part: None }));
    }

    proptest! {
        #[test]
        fn what_is_sent_is_shown(text in prop_oneof![
            "[@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩÆæßÉ !-?A-Za-zÄÖÑÜ§äöñüà^{}\\[~\\]|€]{0,400}",
            "\\PC{0,120}",
            "[ -~😀é]{60,250}",
        ]) {
            prop_assert_eq!(&shown(&encode("+33639981001", &text, 77_u8).unwrap(), 77), &text);
            prop_assert_eq!(shown(&encode("+33639981001", &text, 1977_u16).unwrap(), 1977), text);
        }

        #[test]
        fn another_encoder_makes_the_same_of_it(
            text in "[@£$èéùìòÇ !-?A-Za-zÄÖÑÜ§äöñüà]{1,160}|[ê-ûa-z]{1,70}",
            number in "\\+[1-9][0-9]{7,13}",
        ) {
            let ours = encode(&number, &text, 0_u8).unwrap();
            let data = GsmMessageData::encode_message(&text);
            prop_assert_eq!((ours.len(), data.len()), (1, 1));
            let address: PduAddress = number.parse().unwrap();
            let mut theirs = SubmitPdu::make_simple_message(address, data[0].clone());
            theirs.dcs = DataCodingScheme::Standard { compressed: false, class: None, encoding: *data[0].encoding() };
            let (theirs, length) = theirs.as_bytes();
            let ours = from_hex(&ours[0].hex).unwrap();
            // Theirs has neither validity nor report: the rest is equal.
            prop_assert_eq!(ours.len(), theirs.len() + 1);
            prop_assert_eq!(length + 1, theirs.len());
            let tail = 3 + 2 + usize::from(ours[3]).div_ceil(2) + 2;
            prop_assert_eq!(&ours[2..tail], &theirs[2..tail]);
            prop_assert_eq!(&ours[tail + 1..], &theirs[tail..]);
        }

        #[test]
        fn nothing_from_the_network_panics(octets in prop::collection::vec(any::<u8>(), 0..200), text in "\\PC{0,80}") {
            let _ = decode(&to_hex(&octets));
            let _ = decode(&text);
            // As a text with a header, which reads deepest.
            let mut deliver = vec![0, 0x44, 4, 0x91, 0x21, 0x43, 0];
            deliver.extend(octets);
            let _ = decode(&to_hex(&deliver));
        }
    }
}
