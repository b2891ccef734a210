//! The AT dialogue of a GSM modem in PDU mode (3GPP TS 27.007 and 27.005, manners of a SIM800), no I/O.
//!
//! Bytes in, effects out. Not for: PDUs (pdu.rs), delivery in time (mod.rs).

use std::collections::{BTreeMap, VecDeque};

use super::pdu::{self, Submit};
use super::{ModemFaults, ModemOptions};

const CTRL_Z: u8 = 0x1A;
const ESC: u8 = 0x1B;
/// Places for messages on the SIM.
const CAPACITY: usize = 20;
/// A line longer than this is not a command.
const LONGEST_LINE: usize = 600;

/// What the modem does, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Bytes to the host.
    Say(String),
    /// A message to the network, under this reference.
    Send(Submit, u8),
}

#[derive(Debug)]
struct Stored {
    pdu: Vec<u8>,
    read: bool,
}

/// How a command ends.
enum Final {
    Ok,
    Cme(u16),
    Cms(u16),
}

use Final::{Cme, Cms};

/// What a test command (`AT+NAME=?`) says of the values that a command takes.
fn range(name: &str) -> Option<&'static str> {
    Some(match name {
        "+CSCS" => "(\"GSM\")",
        "+CMGF" | "+CSMS" => "(0,1)",
        "+CMEE" => "(0-2)",
        "+CPMS" => "(\"SM\",\"SR\"),(\"SM\"),(\"SM\")",
        "+CNMI" => "(0-2),(0-3),(0),(0-2),(0,1)",
        "+CMGD" => "(1-20),(0-4)",
        "+CMGL" => "(0-4)",
        _ => return None,
    })
}

/// The modem's mind.
#[derive(Debug)]
pub struct Terminal {
    pub faults: ModemFaults,
    /// It is plugged in.
    pub powered: bool,
    pin: Option<String>,
    locked: bool,
    tries: u8,
    echo: bool,
    verbose_errors: bool,
    text_mode: bool,
    /// `<mt>` and `<ds>` of AT+CNMI.
    routes: (u8, u8),
    line: Vec<u8>,
    /// Between prompt and Ctrl-Z: the announced length.
    entry: Option<usize>,
    reference: u8,
    store: BTreeMap<usize, Stored>,
    /// Delivery reports that are kept in a memory of their own, "SR".
    reports: BTreeMap<usize, Stored>,
    /// AT+CPMS has chosen that memory to read from.
    reads_reports: bool,
    /// AT+CSMS=1: a message that is not stored waits for AT+CNMA, and is told again to whoever asks anew.
    acknowledged: bool,
    untaken: Option<Vec<u8>>,
    /// Inbound messages that wait for the network or for a place on the SIM.
    waiting: VecDeque<Vec<u8>>,
}

impl Terminal {
    pub fn new(options: &ModemOptions) -> Self {
        Self {
            faults: options.faults,
            powered: true,
            locked: options.pin.is_some(),
            pin: options.pin.clone(),
            tries: 3,
            echo: true,
            verbose_errors: false,
            text_mode: false,
            routes: (0, 0),
            line: Vec::new(),
            entry: None,
            reference: 0,
            store: BTreeMap::new(),
            reports: BTreeMap::new(),
            reads_reports: false,
            acknowledged: false,
            untaken: None,
            waiting: VecDeque::new(),
        }
    }

    /// Starts again; what is on the SIM stays.
    pub fn reboot(&mut self) -> Vec<Effect> {
        self.locked = self.pin.is_some();
        (self.echo, self.verbose_errors, self.text_mode, self.routes) = (true, false, false, (0, 0));
        self.line.clear();
        self.entry = None;
        self.reads_reports = false;
        self.acknowledged = false;
        self.waiting_again();
        if self.faults.freeze {
            return Vec::new();
        }
        let pin = if self.locked { "SIM PIN" } else { "READY" };
        vec![Effect::Say(format!("\r\nRDY\r\n\r\n+CFUN: 1\r\n\r\n+CPIN: {pin}\r\n\r\nSMS Ready\r\n"))]
    }

    /// Takes bytes from the host.
    pub fn feed(&mut self, bytes: &[u8]) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.faults.freeze {
            return effects;
        }
        for &byte in bytes {
            if self.echo && byte != CTRL_Z && byte != ESC {
                effects.push(Effect::Say(char::from(byte).to_string()));
            }
            match (byte, self.entry) {
                (ESC, entry) => {
                    self.line.clear();
                    self.entry = None;
                    if entry.is_some() {
                        effects.extend(self.finish(&[], Final::Ok));
                    }
                }
                (CTRL_Z, Some(length)) => {
                    self.entry = None;
                    let hex = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
                    effects.extend(self.submit(&hex, length));
                }
                (b'\r' | b'\n', Some(_)) | (b'\n', None) => {}
                (b'\r', None) => {
                    let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).trim().to_owned();
                    if !line.is_empty() {
                        effects.extend(self.command(&line));
                    }
                }
                _ => self.line.push(byte),
            }
            if self.line.len() > LONGEST_LINE {
                self.line.clear();
            }
        }
        effects
    }

    fn submit(&mut self, hex: &str, length: usize) -> Vec<Effect> {
        if self.faults.no_network {
            return self.finish(&[], Cms(331));
        }
        let submit = match pdu::decode_submit(hex.trim(), length) {
            Ok(submit) => submit,
            Err(error) => {
                tracing::debug!(%error, "virtual modem: refused a PDU");
                return self.finish(&[], Cms(304));
            }
        };
        if self.faults.sim_busy {
            return self.finish(&[], Cms(314));
        }
        if self.faults.eats {
            return Vec::new();
        }
        self.reference = self.reference.wrapping_add(1);
        let mut effects = vec![Effect::Send(submit, self.reference)];
        if self.faults.reboots_after {
            effects.extend(self.reboot());
        } else if self.faults.network_timeout {
            effects.extend(self.finish(&[], Cms(332)));
        } else if !self.faults.lose_ok {
            effects.extend(self.finish(&[format!("+CMGS: {}", self.reference)], Final::Ok));
        }
        effects
    }

    fn command(&mut self, line: &str) -> Vec<Effect> {
        let Some(command) = line.get(..2).filter(|at| at.eq_ignore_ascii_case("AT")).map(|_| line[2..].to_uppercase())
        else {
            return self.finish(&[], Cme(100));
        };
        let (name, argument) = match command.split_once('=') {
            Some((name, argument)) => (name, Some(argument)),
            None => (command.as_str(), None),
        };
        if name == "+CMGS" && argument.is_some() {
            return self.begin_entry(argument.and_then(|length| length.trim().parse().ok()));
        }
        if name == "+CFUN" && argument.is_some_and(|argument| argument.ends_with(",1")) {
            return [self.finish(&[], Final::Ok), self.reboot()].concat();
        }
        let mut lines = Vec::new();
        let end = self.answer(name, argument, &mut lines);
        // Echo may just have been switched; what follows is the same either way.
        let mut effects = self.finish(&lines, end);
        if name == "+CNMI" && argument != Some("?") {
            // Whoever was told before may have gone.
            self.waiting_again();
        }
        if matches!(name, "+CMGD" | "+CPIN" | "+CNMI" | "+CNMA") {
            // There is room again, a network, somebody who wants to be told.
            effects.extend(self.settle());
        }
        effects
    }

    fn begin_entry(&mut self, length: Option<usize>) -> Vec<Effect> {
        match length {
            _ if self.locked => self.finish(&[], Cms(311)),
            Some(_) if self.faults.reboots_before => self.reboot(),
            Some(length @ 8..=176) if !self.text_mode => {
                if self.faults.no_prompt {
                    return Vec::new();
                }
                self.entry = Some(length);
                let prompt = if self.faults.chatter { "\r\nRING\r\n\r\n> \r\nRING\r\n" } else { "\r\n> " };
                vec![Effect::Say(prompt.into())]
            }
            _ => self.finish(&[], Cms(304)),
        }
    }

    fn answer(&mut self, name: &str, argument: Option<&str>, lines: &mut Vec<String>) -> Final {
        let number = |place: usize| argument.and_then(|all| all.split(',').nth(place)?.trim().parse::<usize>().ok());
        if let (Some("?"), Some(values)) = (argument, range(name)) {
            lines.push(format!("{name}: {values}"));
            return Final::Ok;
        }
        match (name, argument) {
            (_, Some("?")) => return Cme(100),
            ("+CNMA", None) if self.acknowledged => self.untaken = None,
            ("" | "+CNMA" | "+CSCA", _) | ("+CSCS" | "+CREG" | "+CSMP" | "+COPS" | "+CFUN" | "+CLIP", Some(_)) => {}
            ("E0" | "E1", None) => self.echo = name == "E1",
            ("Z" | "&F" | "&W", None) => {
                if name != "&W" {
                    (self.echo, self.verbose_errors, self.routes) = (true, false, (0, 0));
                }
            }
            ("I" | "+CGMM", None) => lines.push("SIM800 R14.18".into()),
            ("+CGMI", None) => lines.push("SIMCOM_Ltd".into()),
            ("+GSN" | "+CGSN", None) => lines.push("860000000000000".into()),
            ("+CMEE", Some("1")) if self.faults.words => return Cme(3),
            ("+CMEE", Some(level)) => self.verbose_errors = level != "0",
            ("+CPIN?", None) => {
                let state = match (self.locked, self.tries) {
                    (true, 0) => "SIM PUK",
                    (true, _) => "SIM PIN",
                    _ => "READY",
                };
                lines.push(format!("+CPIN: {state}"));
            }
            ("+CPIN", Some(pin)) => return self.unlock(pin.trim_matches('"')),
            ("+CREG?", None) => lines.push(format!("+CREG: 0,{}", if self.faults.no_network { 2 } else { 1 })),
            ("+CSQ", None) => lines.push(if self.faults.no_network { "+CSQ: 99,99" } else { "+CSQ: 20,0" }.into()),
            ("+COPS?", None) => lines.push("+COPS: 0,0,\"MEDMON\"".into()),
            ("+CSCS?", None) => lines.push("+CSCS: \"GSM\"".into()),
            ("+CSMS", Some(service @ ("0" | "1"))) => {
                self.acknowledged = service == "1";
                lines.push("+CSMS: 1,1,1".into());
            }
            ("+CSMS?", None) => lines.push(format!("+CSMS: {},1,1,1", u8::from(self.acknowledged))),
            ("+CSCA?", None) => lines.push("+CSCA: \"+33639980000\",145".into()),
            ("+CGMR", None) => lines.push("Revision:1418B05SIM800L24".into()),
            ("+CIMI", None) => lines.push("208150000000001".into()),
            ("+CMGF?", None) => lines.push(format!("+CMGF: {}", u8::from(self.text_mode))),
            ("+CMGF", Some(mode @ ("0" | "1"))) => self.text_mode = mode == "1",
            ("+CNMI", Some(_)) if self.faults.unstored && number(1) == Some(1) => return Cms(303),
            ("+CNMI", Some(_)) if self.faults.stored_reports && number(3) == Some(1) => return Cms(303),
            ("+CNMI", Some(_)) => match (number(1), number(3)) {
                (Some(mt @ 0..=3), Some(ds @ 0..=2)) => self.routes = (mt as u8, ds as u8),
                (Some(mt @ 0..=3), None) => self.routes.0 = mt as u8,
                _ => return Cms(303),
            },
            _ if self.locked => return Cms(311),
            ("+CPMS" | "+CPMS?", _) => {
                if let Some(wanted) = argument {
                    self.reads_reports = wanted.trim_start_matches('"').starts_with("SR");
                }
                let place = format!("{},{CAPACITY}", self.store.len());
                let (name, first) = if self.reads_reports {
                    ("SR", format!("{},{CAPACITY}", self.reports.len()))
                } else {
                    ("SM", place.clone())
                };
                lines.push(if argument.is_some() {
                    format!("+CPMS: {first},{place},{place}")
                } else {
                    format!("+CPMS: \"{name}\",{first},\"SM\",{place},\"SM\",{place}")
                });
            }
            ("+CMGR", Some(_)) => {
                let Some(stored) = number(0).and_then(|index| self.memory().get_mut(&index)) else { return Cms(321) };
                lines.push(format!(
                    "+CMGR: {},,{}\r\n{}",
                    u8::from(stored.read),
                    pdu::tpdu_length(&stored.pdu),
                    pdu::to_hex(&stored.pdu)
                ));
                stored.read = true;
            }
            ("+CMGL", _) => {
                let wanted = number(0).unwrap_or(0);
                for (index, stored) in self.memory() {
                    let state = usize::from(stored.read);
                    if wanted == 4 || wanted == state {
                        let length = pdu::tpdu_length(&stored.pdu);
                        lines.push(format!("+CMGL: {index},{state},,{length}\r\n{}", pdu::to_hex(&stored.pdu)));
                        stored.read = true;
                    }
                }
            }
            ("+CMGD", Some(_)) => match (number(0), number(1).unwrap_or(0)) {
                (_, 4) => self.memory().clear(),
                (_, 1..=3) => self.memory().retain(|_, stored| !stored.read),
                (Some(index), 0) => {
                    self.memory().remove(&index);
                }
                _ => return Cms(321),
            },
            _ => return Cme(100),
        }
        Final::Ok
    }

    fn unlock(&mut self, pin: &str) -> Final {
        if !self.locked {
            return Cme(3);
        }
        if self.tries == 0 {
            return Cme(12);
        }
        if self.pin.as_deref() == Some(pin) {
            (self.locked, self.tries) = (false, 3);
            return Final::Ok;
        }
        self.tries -= 1;
        Cme(16)
    }

    /// The memory that AT+CPMS has chosen to read from.
    fn memory(&mut self) -> &mut BTreeMap<usize, Stored> {
        if self.reads_reports { &mut self.reports } else { &mut self.store }
    }

    /// Information lines and the final result; with chatter, something unasked before each.
    fn finish(&self, lines: &[String], end: Final) -> Vec<Effect> {
        let end = match end {
            Final::Ok => "OK".into(),
            Cms(314) if self.faults.words => "+CMS ERROR: SIM busy".into(),
            Cms(331) if self.faults.words => "+CMS ERROR: no network service".into(),
            Cms(332) if self.faults.words => "+CMS ERROR: network timeout".into(),
            Cms(code) => format!("+CMS ERROR: {code}"),
            Cme(code) if self.verbose_errors => format!("+CME ERROR: {code}"),
            Cme(_) => "ERROR".into(),
        };
        let chatter = if self.faults.chatter { "\r\nRING\r\n" } else { "" };
        // Lines of noise, and noise where the line that answers should begin.
        let noise = if self.faults.noise { "\r\n\u{fffd}~\u{1}x\r\n" } else { "" };
        let spoil = |line: &String| if self.faults.noise { format!("\u{fffd}{line}") } else { line.clone() };
        let lines = lines.iter().map(spoil).chain([end]);
        lines.map(|line| Effect::Say(format!("{chatter}{noise}\r\n{line}\r\n"))).collect()
    }

    /// The network has a message for this SIM.
    pub fn deliver(&mut self, pdu: Vec<u8>) -> Vec<Effect> {
        self.waiting.push_back(pdu);
        self.settle()
    }

    /// What was told and not taken waits again.
    fn waiting_again(&mut self) {
        if let Some(pdu) = self.untaken.take() {
            self.waiting.push_front(pdu);
        }
    }

    /// Takes in what waits, as far as network and SIM allow.
    pub fn settle(&mut self) -> Vec<Effect> {
        let mut effects = Vec::new();
        while self.powered && !self.faults.no_network && !self.locked {
            let Some(free) = (1..=CAPACITY).find(|index| !self.store.contains_key(index)) else { break };
            let told = self.routes.0 == 2 && !self.faults.freeze;
            if told && self.untaken.is_some() {
                break;
            }
            let Some(pdu) = self.waiting.pop_front() else { break };
            if told {
                self.untaken = self.acknowledged.then(|| pdu.clone());
                let length = pdu::tpdu_length(&pdu);
                effects.push(Effect::Say(format!("\r\n+CMT: ,{length}\r\n{}\r\n", pdu::to_hex(&pdu))));
                continue;
            }
            self.store.insert(free, Stored { pdu, read: false });
            if self.routes.0 == 1 && !self.faults.freeze {
                effects.push(Effect::Say(format!("\r\n+CMTI: \"SM\",{free}\r\n")));
            }
        }
        effects
    }

    /// A delivery report comes from the network; lost unless the host asked to be told.
    pub fn report(&mut self, pdu: &[u8]) -> Vec<Effect> {
        if self.faults.freeze || !self.powered {
            return Vec::new();
        }
        let times = if self.faults.duplicate_reports { 2 } else { 1 };
        match self.routes.1 {
            1 => {
                let line = format!("\r\n+CDS: {}\r\n{}\r\n", pdu::tpdu_length(pdu), pdu::to_hex(pdu));
                vec![Effect::Say(line); times]
            }
            2 => {
                let store = |_| {
                    let free = (1..=CAPACITY).find(|index| !self.reports.contains_key(index))?;
                    self.reports.insert(free, Stored { pdu: pdu.to_vec(), read: false });
                    Some(Effect::Say(format!("\r\n+CDSI: \"SR\",{free}\r\n")))
                };
                (0..times).filter_map(store).collect()
            }
            _ => Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn said(effects: &[Effect]) -> String {
        let say = |effect: &Effect| match effect {
            Effect::Say(text) => text.clone(),
            Effect::Send(submit, reference) => format!("<{reference} {} {}>", submit.to, submit.text),
        };
        effects.iter().map(say).collect()
    }

    fn ask(terminal: &mut Terminal, bytes: &str) -> String {
        said(&terminal.feed(bytes.as_bytes()))
    }

    const HELLO: &str = "0001000B916407281553F800000AE8329BFD4697D9EC37\x1A";

    fn quiet() -> Terminal {
        let mut terminal = Terminal::new(&ModemOptions::default());
        assert_eq!(ask(&mut terminal, "ATE0\r"), "ATE0\r\r\nOK\r\n");
        terminal
    }

    #[test]
    fn errors_follow_cmee() {
        let mut terminal = quiet();
        assert_eq!(ask(&mut terminal, "AT+NOPE\r"), "\r\nERROR\r\n");
        assert_eq!(ask(&mut terminal, "at+cmee=1\r"), "\r\nOK\r\n");
        assert_eq!(ask(&mut terminal, "AT+NOPE\r"), "\r\n+CME ERROR: 100\r\n");
    }

    #[test]
    fn a_locked_sim_wants_its_pin() {
        let mut terminal = Terminal::new(&ModemOptions { pin: Some("1234".into()), ..ModemOptions::default() });
        assert!(ask(&mut terminal, "ATE0\rAT+CPIN?\r").contains("+CPIN: SIM PIN"));
        assert!(ask(&mut terminal, "AT+CMGS=22\r").contains("+CMS ERROR: 311"));
        assert!(ask(&mut terminal, "AT+CPIN=\"0000\"\r").contains("ERROR"));
        assert_eq!(ask(&mut terminal, "AT+CPIN=\"1234\"\r"), "\r\nOK\r\n");
        assert!(ask(&mut terminal, "AT+CPIN?\r").contains("READY"));
    }

    #[test]
    fn a_message_is_sent_cancelled_or_refused() {
        let mut terminal = quiet();
        assert_eq!(ask(&mut terminal, "AT+CMGS=22\r"), "\r\n> ");
        assert_eq!(ask(&mut terminal, HELLO), "<1 +46708251358 hellohello>\r\n+CMGS: 1\r\n\r\nOK\r\n");
        assert_eq!(ask(&mut terminal, "AT+CMGS=22\r0001\x1B"), "\r\n> \r\nOK\r\n");
        assert_eq!(ask(&mut terminal, &format!("AT+CMGS=21\r{HELLO}")), "\r\n> \r\n+CMS ERROR: 304\r\n");
        terminal.faults.no_network = true;
        assert_eq!(ask(&mut terminal, "AT+CREG?\r"), "\r\n+CREG: 0,2\r\n\r\nOK\r\n");
        assert_eq!(ask(&mut terminal, &format!("AT+CMGS=22\r{HELLO}")), "\r\n> \r\n+CMS ERROR: 331\r\n");
    }

    #[test]
    fn faults_show_as_named() {
        let mut terminal = quiet();
        terminal.faults = ModemFaults { lose_ok: true, ..ModemFaults::default() };
        assert_eq!(ask(&mut terminal, &format!("AT+CMGS=22\r{HELLO}")), "\r\n> <1 +46708251358 hellohello>");
        terminal.faults = ModemFaults { no_prompt: true, ..ModemFaults::default() };
        assert_eq!(ask(&mut terminal, "AT+CMGS=22\r"), "");
        assert_eq!(ask(&mut terminal, "\x1BAT\r"), "\r\nOK\r\n");
        terminal.faults = ModemFaults { freeze: true, ..ModemFaults::default() };
        assert_eq!(ask(&mut terminal, "AT\r"), "");
        terminal.faults = ModemFaults { chatter: true, ..ModemFaults::default() };
        assert_eq!(ask(&mut terminal, "AT+CSQ\r"), "\r\nRING\r\n\r\n+CSQ: 20,0\r\n\r\nRING\r\n\r\nOK\r\n");
    }

    #[test]
    fn inbound_messages_are_stored_listed_read_and_deleted() {
        let mut terminal = quiet();
        let pdu = || pdu::encode_deliver("+33639981001", "OK 4821", 0, 0).remove(0);
        assert_eq!(said(&terminal.deliver(pdu())), "", "nobody asked to be told");
        ask(&mut terminal, "AT+CNMI=2,1,0,1,0\r");
        assert_eq!(said(&terminal.deliver(pdu())), "\r\n+CMTI: \"SM\",2\r\n");
        assert!(ask(&mut terminal, "AT+CMGR=2\r").starts_with("\r\n+CMGR: 0,,26\r\n0791"));
        let list = ask(&mut terminal, "AT+CMGL=4\r");
        assert!(list.contains("+CMGL: 1,0,,26") && list.contains("+CMGL: 2,1,,26"));
        ask(&mut terminal, "AT+CMGD=2\r");
        assert!(ask(&mut terminal, "AT+CPMS?\r").contains("\"SM\",1,20"));
        assert!(ask(&mut terminal, "AT+CMGR=2\r").contains("+CMS ERROR: 321"));
        terminal.reboot();
        assert!(ask(&mut terminal, "ATE0\rAT+CMGL=4\r").contains("+CMGL: 1,1"));
        ask(&mut terminal, "AT+CNMI=2,2,0,1,0\r");
        assert!(said(&terminal.deliver(pdu())).starts_with("\r\n+CMT: ,26\r\n"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let mut terminal = Terminal::new(&ModemOptions::default());
            terminal.feed(b"ATE0\rAT+CMGS=22\r");
            terminal.feed(&bytes);
        }
    }
}
