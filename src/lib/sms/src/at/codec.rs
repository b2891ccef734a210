//! Bytes from a modem into lines with a meaning. No I/O, no time; any splitting of the bytes gives the same lines.
//!
//! Unsolicited codes come anywhere: before a response, within one, after a prompt. Not for: what to say to a modem.

/// The longest line kept: a PDU of 176 octets and room to spare. What is longer is noise.
const LONGEST: usize = 1024;

/// What a modem said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// A command was carried out.
    Ok,
    /// A command was not.
    Failed(Failure),
    /// It waits for a PDU.
    Prompt,
    /// A line of a response, or an echo.
    Info(String),
    /// Something it was not asked for.
    Unsolicited(Unsolicited),
}

/// Why a command was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// ERROR, without a reason.
    #[error("ERROR")]
    Plain,
    /// +CME ERROR: of the equipment (3GPP TS 27.007, 9.2).
    #[error("+CME ERROR: {0}")]
    Equipment(u16),
    /// +CMS ERROR: of the message service (3GPP TS 27.005, 3.2.5).
    #[error("+CMS ERROR: {0}")]
    Service(u16),
}

/// What a modem says by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsolicited {
    /// +CMTI, +CDSI: a message was stored.
    Stored {
        /// In which memory: "SM", "ME", "SR".
        memory: String,
        /// Under which index.
        index: u32,
    },
    /// +CMT, +CDS: a message itself.
    Message {
        /// The PDU, in hexadecimal digits.
        hex: String,
    },
    /// It has started anew: its settings are gone.
    Started,
    /// RING and the like.
    Other(String),
}

/// Gathers bytes until they are lines.
#[derive(Clone, Debug, Default)]
pub struct Decoder {
    line: Vec<u8>,
    /// The next line is the PDU of a +CMT or +CDS.
    pdu_follows: bool,
    /// The line is too long: nothing of it counts.
    noise: bool,
}

impl Decoder {
    /// Takes bytes in; the lines that are complete by now.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Line> {
        let mut lines = Vec::new();
        for &byte in bytes {
            match byte {
                b'\r' | b'\n' => lines.extend(self.end()),
                0 => {}
                _ if self.line.len() >= LONGEST => self.noise = true,
                _ => self.line.push(byte),
            }
            // The one thing without an end of line.
            if self.line == b"> " {
                self.line.clear();
                lines.push(Line::Prompt);
            }
        }
        lines
    }

    fn end(&mut self) -> Option<Line> {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.noise) {
            return None;
        }
        let line = String::from_utf8_lossy(&line);
        let line = line.trim();
        if line.is_empty() {
            return None;
        }
        if std::mem::take(&mut self.pdu_follows) && line.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(Line::Unsolicited(Unsolicited::Message { hex: line.to_owned() }));
        }
        if line.starts_with("+CMT:") || line.starts_with("+CDS:") {
            self.pdu_follows = true;
            return None;
        }
        Some(classify(line))
    }
}

/// What modems say in words where AT+CMEE=2 is in force, whoever set it.
const SERVICE_WORDS: &[(&str, u16)] = &[
    ("ME failure", 300),
    ("SMS service of ME reserved", 301),
    ("operation not allowed", 302),
    ("operation not supported", 303),
    ("invalid PDU mode parameter", 304),
    ("invalid text mode parameter", 305),
    ("SIM not inserted", 310),
    ("SIM PIN required", 311),
    ("SIM failure", 313),
    ("SIM busy", 314),
    ("SIM wrong", 315),
    ("SIM PUK required", 316),
    ("memory failure", 320),
    ("invalid memory index", 321),
    ("memory full", 322),
    ("SMSC address unknown", 330),
    ("no network service", 331),
    ("network timeout", 332),
    ("unknown error", 500),
];
const EQUIPMENT_WORDS: &[(&str, u16)] = &[
    ("SIM not inserted", 10),
    ("SIM PIN required", 11),
    ("SIM PUK required", 12),
    ("SIM failure", 13),
    ("SIM busy", 14),
    ("SIM wrong", 15),
    ("incorrect password", 16),
    ("no network service", 30),
    ("network timeout", 31),
];

fn classify(line: &str) -> Line {
    let failure = |rest: &str, words: &[(&str, u16)], of: fn(u16) -> Failure| {
        let known = |(word, _): &&(&str, u16)| word.eq_ignore_ascii_case(rest.trim());
        let code = rest.trim().parse().ok().or_else(|| words.iter().find(known).map(|(_, code)| *code));
        Line::Failed(code.map_or(Failure::Plain, of))
    };
    let stored = |rest: &str| {
        let (memory, index) = rest.split_once(',')?;
        let memory = memory.trim().trim_matches('"');
        let is_name = memory.len() == 2 && memory.bytes().all(|byte| byte.is_ascii_uppercase());
        let index = index.split(',').next()?.trim().parse().ok()?;
        is_name.then(|| Unsolicited::Stored { memory: memory.to_owned(), index })
    };
    let unsolicited = |what| Line::Unsolicited(what);
    match line.split_once(':').map_or((line, ""), |(name, rest)| (name, rest)) {
        ("OK", "") => Line::Ok,
        ("ERROR", "") => Line::Failed(Failure::Plain),
        ("+CMS ERROR", rest) => failure(rest, SERVICE_WORDS, Failure::Service),
        ("+CME ERROR", rest) => failure(rest, EQUIPMENT_WORDS, Failure::Equipment),
        ("+CMTI" | "+CDSI", rest) => unsolicited(stored(rest).unwrap_or_else(|| Unsolicited::Other(line.to_owned()))),
        ("RDY" | "SMS Ready" | "SMS READY" | "START" | "PB DONE", "") | ("^SYSSTART", _) => {
            unsolicited(Unsolicited::Started)
        }
        ("RING" | "NO CARRIER" | "Call Ready" | "+CRING" | "+CLIP" | "+CFUN" | "+CUSD" | "*PSUTTZ" | "+CTZV", _) => {
            unsolicited(Unsolicited::Other(line.to_owned()))
        }
        (name, _) if name.starts_with('^') => unsolicited(Unsolicited::Other(line.to_owned())),
        _ => Line::Info(line.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(pieces: &[&[u8]]) -> Vec<Line> {
        let mut decoder = Decoder::default();
        pieces.iter().flat_map(|piece| decoder.feed(piece)).collect()
    }

    const DIALOGUE: &[u8] = b"AT+CMGS=23\r\r\n> \r\n+CMTI: \"SM\",3\r\n\r\nRING\r\n\r\n+CMGS: 42\r\n+CDS: 25\r\n\
        0006210B913336991800F1\r\n\r\nOK\r\n\r\n+CMS ERROR: 500\r\n+CME ERROR: SIM busy\r\n\xff\xfe\0RDY\r\n";

    fn dialogue() -> Vec<Line> {
        vec![
            Line::Info("AT+CMGS=23".into()),
            Line::Prompt,
            Line::Unsolicited(Unsolicited::Stored { memory: "SM".into(), index: 3 }),
            Line::Unsolicited(Unsolicited::Other("RING".into())),
            Line::Info("+CMGS: 42".into()),
            Line::Unsolicited(Unsolicited::Message { hex: "0006210B913336991800F1".into() }),
            Line::Ok,
            Line::Failed(Failure::Service(500)),
            Line::Failed(Failure::Equipment(14)),
            Line::Info("\u{fffd}\u{fffd}RDY".into()),
        ]
    }

    #[test]
    fn a_whole_dialogue_is_understood() {
        assert_eq!(lines(&[DIALOGUE]), dialogue());
        assert_eq!(lines(&[&[b'x'; 5000], b"\r\nOK\r\n"]), [Line::Ok]);
        assert_eq!(
            lines(&[b"+CMT: ,24\r\nRING\r\nOK\r\n"]).len(),
            2,
            "what should be a PDU is not: nothing is swallowed"
        );
    }

    proptest! {
        #[test]
        fn any_splitting_gives_the_same_lines(mut cuts in prop::collection::vec(0..DIALOGUE.len(), 0..40)) {
            cuts.sort_unstable();
            let mut pieces = Vec::new();
            let mut from = 0;
            for cut in cuts {
                pieces.push(&DIALOGUE[from..cut]);
                from = cut;
            }
            pieces.push(&DIALOGUE[from..]);
            prop_assert_eq!(lines(&pieces), dialogue());
        }

        #[test]
        fn any_bytes_are_survived_and_bounded(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            prop_assert!(decoder.line.len() <= LONGEST);
        }
    }
}
