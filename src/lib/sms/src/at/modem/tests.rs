//! Scripted dialogues with a modem that is not there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::*;

/// How the network takes a message.
#[derive(Clone, Copy, Debug)]
enum Answer {
    Sent(u8),
    /// Sent, with unsolicited codes in every gap.
    Chatter(u8),
    /// +CMS ERROR.
    Refused(u16),
    NoPrompt,
    Silence,
    PortLost,
    /// The network has it, and the OK is lost.
    NoOk(u8),
    /// OK, and the line before it was lost.
    NoReference,
}

#[derive(Debug, Default)]
struct Script {
    answers: VecDeque<Answer>,
    stored: BTreeMap<u32, String>,
    pin: Option<String>,
    /// Three wrong ones: only the PUK helps.
    blocked: bool,
    unlocked: bool,
    pins_tried: u32,
    frozen: bool,
    no_port: bool,
    commands: Vec<String>,
    sent: Vec<String>,
    opened: u32,
}

#[derive(Clone, Debug)]
struct Fake {
    script: Arc<Mutex<Script>>,
    say: tokio::sync::broadcast::Sender<String>,
}

impl Fake {
    fn new(script: Script) -> Self {
        Self { script: Arc::new(Mutex::new(script)), say: tokio::sync::broadcast::Sender::new(64) }
    }

    fn edit<T>(&self, edit: impl FnOnce(&mut Script) -> T) -> T {
        edit(&mut self.script.lock().unwrap())
    }

    fn open(&self) -> io::Result<DuplexStream> {
        self.edit(|script| {
            script.opened += 1;
            if script.no_port { Err(io::Error::from(io::ErrorKind::NotFound)) } else { Ok(()) }
        })?;
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(self.clone().serve(far));
        Ok(near)
    }

    async fn serve<S: AsyncRead + AsyncWrite + Unpin>(self, mut io: S) {
        let mut said = self.say.subscribe();
        let (mut line, mut entry) = (Vec::new(), false);
        loop {
            tokio::select! {
                text = said.recv() => {
                    let Ok(text) = text else { return };
                    if io.write_all(text.as_bytes()).await.is_err() { return }
                }
                byte = io.read_u8() => {
                    let Ok(byte) = byte else { return };
                    match byte {
                        _ if self.edit(|script| script.frozen) => {}
                        0x1B => (line, entry) = (Vec::new(), false),
                        b'\r' | 0x1A => {
                            let whole = String::from_utf8(std::mem::take(&mut line)).unwrap();
                            let Some(answer) = self.answer(&whole, &mut entry) else { return };
                            if io.write_all(answer.as_bytes()).await.is_err() { return }
                        }
                        _ => line.push(byte),
                    }
                }
            }
        }
    }

    /// `None`: the port is lost.
    fn answer(&self, line: &str, entry: &mut bool) -> Option<String> {
        let mut script = self.script.lock().unwrap();
        let ok = |info: &str| Some(format!("\r\n{info}\r\n\r\nOK\r\n"));
        if std::mem::take(entry) {
            script.sent.push(line.to_owned());
            return match script.answers.pop_front().unwrap_or(Answer::Sent(1)) {
                Answer::Sent(reference) => ok(&format!("+CMGS: {reference}")),
                Answer::Chatter(reference) => {
                    Some(format!("\r\nRING\r\n\r\n+CMGS: {reference}\r\n+CMTI: \"SM\",9\r\n\r\nOK\r\nRING\r\n"))
                }
                Answer::Refused(code) => Some(format!("\r\n+CMS ERROR: {code}\r\n")),
                Answer::Silence | Answer::NoPrompt => Some(String::new()),
                Answer::PortLost => None,
                Answer::NoOk(reference) => Some(format!("\r\n\u{fffd}+CMGS: {reference}\r\n")),
                Answer::NoReference => ok("\u{fffd}\u{fffd}"),
            };
        }
        script.commands.push(line.to_owned());
        match line.split_once('=').unwrap_or((line, "")) {
            ("AT+CPIN?", _) if script.blocked => ok("+CPIN: SIM PUK"),
            ("AT+CPIN?", _) if script.pin.is_some() && !script.unlocked => ok("+CPIN: SIM PIN"),
            ("AT+CPIN?", _) => ok("+CPIN: READY"),
            ("AT+CPIN", pin) => {
                script.pins_tried += 1;
                script.unlocked = script.pin.as_deref() == Some(pin.trim_matches('"'));
                Some(if script.unlocked { "\r\nOK\r\n" } else { "\r\n+CME ERROR: 16\r\n" }.into())
            }
            ("AT+CREG?", _) => ok("+CREG: 0,1"),
            ("AT+CSQ", _) => ok("+CSQ: 20,0"),
            ("AT+CEREG?" | "AT+CGREG?", _) => Some("\r\n+CME ERROR: 4\r\n".into()),
            ("AT+COPS?", _) => ok("+COPS: 0,0,\"Orange F\",7"),
            ("AT+CPMS?", _) => {
                let used = script.stored.len();
                ok(&format!("+CPMS: \"SM\",{used},20,\"SM\",{used},20,\"SM\",{used},20"))
            }
            // The first way of being told is refused, as many modems do.
            ("AT+CNMI", "2,1,0,1,0") => Some("\r\nERROR\r\n".into()),
            ("AT+CMGL", _) => {
                let rows = script.stored.iter().map(|(index, hex)| format!("+CMGL: {index},1,,24\r\n{hex}"));
                let rows: Vec<_> = rows.collect();
                ok(&rows.join("\r\n"))
            }
            ("AT+CMGR", index) => match script.stored.get(&index.parse().unwrap()) {
                Some(hex) => ok(&format!("+CMGR: 0,,24\r\n{hex}")),
                None => Some("\r\n+CMS ERROR: 321\r\n".into()),
            },
            ("AT+CMGD", index) => {
                script.stored.remove(&index.parse().unwrap());
                ok("")
            }
            ("AT+CMGS", _) => {
                if let Some(Answer::NoPrompt) = script.answers.front() {
                    script.answers.pop_front();
                    return Some(String::new());
                }
                *entry = true;
                let chatter = matches!(script.answers.front(), Some(Answer::Chatter(_)));
                Some(if chatter { "\r\nRING\r\n\r\n> \r\nRING\r\n" } else { "\r\n> " }.into())
            }
            _ => ok(""),
        }
    }
}

/// "OK 4821" from +33639981001.
const DELIVER: &str = "00040B913336991800F100006211424113400007CF25888693C500";
/// What the network says about message 7 to +33639981001: delivered.
const REPORT: &str = "0006070B913336991800F1621142411340006211424113400000";

struct Bench {
    fake: Fake,
    modem: Modem,
}

impl Bench {
    fn new(script: Script) -> Self {
        Self::with_pin(script, None)
    }

    fn with_pin(script: Script, pin: Option<&str>) -> Self {
        let fake = Fake::new(script);
        let port = fake.clone();
        let options = ModemOptions { pin: pin.map(str::to_owned), pin_memory: None };
        Self::with_options(fake, port, options)
    }

    fn with_options(fake: Fake, port: Fake, options: ModemOptions) -> Self {
        let modem = Modem::start(move || port.open(), options, Clock::scaled(1.0, 0));
        Self { fake, modem }
    }

    /// Asks for what comes in, in vain: all that came before is taken care of by then.
    async fn nobody_writes(&self) {
        let clock = Clock::scaled(1.0, 0);
        let nothing = clock.timeout(Duration::from_secs(30), self.modem.receive()).await;
        assert_eq!(nothing, None);
    }

    async fn until(&self, wanted: impl Fn(&ModemState) -> bool) {
        self.modem.state().wait_for(wanted).await.unwrap();
    }

    async fn ready(&self) {
        self.until(|state| matches!(state, ModemState::Ready { .. })).await;
    }

    async fn send(&self) -> Outcome {
        self.modem.send(&Sms { id: "1".into(), to: "+33639981001".into(), text: "medmon 4821: é".into() }).await
    }
}

fn ready_state() -> ModemState {
    let operator = Some("Orange F".into());
    ModemState::Ready { registered: true, signal: Some(20), operator, memory: Some((0, 20)) }
}

#[tokio::test(start_paused = true)]
async fn a_modem_is_started_and_sends() {
    let bench = Bench::new(Script { answers: [Answer::Sent(7)].into(), ..Script::default() });
    assert!(matches!(bench.send().await, Outcome::Unavailable { .. }), "it is starting");
    bench.ready().await;
    assert_eq!(*bench.modem.state().borrow(), ready_state());
    assert_eq!(bench.send().await, Outcome::Sent { reference: "7-39981001".into() });
    bench.fake.say.send(format!("\r\n+CDS: 25\r\n{REPORT}\r\n")).unwrap();
    let delivery = Incoming::Delivery { reference: "7-39981001".into(), delivered: true };
    assert_eq!(bench.modem.receive().await, delivery);
    let commands = bench.fake.edit(|script| script.commands.clone());
    assert!(commands.ends_with(&["AT+CMGL=4".into(), "AT+CMGS=27".into()]), "{commands:?}");
    assert!(commands.contains(&"AT+CNMI=1,1,0,1,0".into()), "the next way was tried");
}

#[tokio::test(start_paused = true)]
async fn unsolicited_codes_in_every_gap_change_nothing() {
    let bench = Bench::new(Script { answers: [Answer::Chatter(42)].into(), ..Script::default() });
    bench.ready().await;
    bench.fake.edit(|script| script.stored.insert(9, DELIVER.into()));
    assert_eq!(bench.send().await, Outcome::Sent { reference: "42-39981001".into() });
    assert_eq!(bench.modem.receive().await, Incoming::Text { from: "+33639981001".into(), text: "OK 4821".into() });
}

#[tokio::test(start_paused = true)]
async fn texts_come_in_and_their_places_are_freed() {
    let stored = [(1, DELIVER.into()), (5, "00FF".into())].into();
    let bench = Bench::new(Script { stored, ..Script::default() });
    let text = Incoming::Text { from: "+33639981001".into(), text: "OK 4821".into() };
    assert_eq!(bench.modem.receive().await, text);
    bench.nobody_writes().await;
    bench.fake.edit(|script| {
        assert!(script.stored.is_empty(), "an unreadable one as well");
        script.stored.insert(3, DELIVER.into());
    });
    bench.fake.say.send("\r\n+CMTI: \"SM\",3\r\n".into()).unwrap();
    assert_eq!(bench.modem.receive().await, text);
    bench.fake.say.send(format!("\r\n+CMT: ,24\r\n{DELIVER}\r\n")).unwrap();
    assert_eq!(bench.modem.receive().await, text);
    bench.nobody_writes().await;
    bench.send().await;
    assert!(bench.fake.edit(|script| script.stored.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn a_text_stays_on_the_sim_until_somebody_has_taken_care_of_it() {
    let bench = Bench::new(Script { stored: [(1, DELIVER.into())].into(), ..Script::default() });
    let text = Incoming::Text { from: "+33639981001".into(), text: "OK 4821".into() };
    assert_eq!(bench.modem.receive().await, text);
    bench.ready().await;
    bench.send().await;
    assert_eq!(bench.fake.edit(|script| script.stored.len()), 1, "whoever has it may still lose it");
    // It starts anew: what is on the SIM is told again.
    bench.fake.say.send("\r\nRDY\r\n".into()).unwrap();
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    assert_eq!(bench.modem.receive().await, text);
    bench.nobody_writes().await;
    assert!(bench.fake.edit(|script| script.stored.is_empty()));
    // One that nobody told of is found by the look of each minute.
    bench.fake.edit(|script| script.stored.insert(2, DELIVER.into()));
    assert_eq!(bench.modem.receive().await, text);
}

#[tokio::test(start_paused = true)]
async fn a_long_text_is_put_together_and_an_incomplete_one_given_out() {
    let part = |number: u8, text: &str| {
        let septets = medmon_core::text::gsm7::encode(text).unwrap();
        let hex = |octets: &[u8]| octets.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02X}"));
        let length = hex(&[7 + septets.len() as u8]);
        let data = hex(&super::super::gsm7::pack(&septets, 1));
        format!("00440B913336991800F1000062114241134000{length}0500037702{number:02X}{data}")
    };
    let bench = Bench::new(Script { stored: [(4, part(2, " j'arrive"))].into(), ..Script::default() });
    bench.ready().await;
    bench.nobody_writes().await;
    bench.fake.edit(|script| script.stored.insert(7, part(1, "OK 4821")));
    bench.fake.say.send("\r\n+CMTI: \"SM\",7\r\n".into()).unwrap();
    let text = |text: &str| Incoming::Text { from: "+33639981001".into(), text: text.into() };
    assert_eq!(bench.modem.receive().await, text("OK 4821 j'arrive"));
    bench.nobody_writes().await;
    assert!(bench.fake.edit(|script| script.stored.is_empty()));
    bench.fake.edit(|script| script.stored.insert(3, part(1, "OK")));
    assert_eq!(bench.modem.receive().await, text("OK…"), "after ten minutes");
}

#[tokio::test(start_paused = true)]
async fn refusals_are_told_apart() {
    let answers = [500, 331, 1, 304, 332].map(Answer::Refused);
    let bench = Bench::new(Script { answers: answers.into(), ..Script::default() });
    bench.ready().await;
    assert!(matches!(bench.send().await, Outcome::Unavailable { .. }));
    assert!(matches!(bench.send().await, Outcome::Unavailable { .. }));
    assert!(matches!(bench.send().await, Outcome::Rejected { .. }));
    assert!(matches!(bench.send().await, Outcome::Rejected { .. }));
    assert_eq!(bench.send().await, Outcome::MaybeSent);
    assert!(matches!(bench.send().await, Outcome::Sent { .. }));
    let wrong = Sms { id: "1".into(), to: "Paul".into(), text: "x".into() };
    assert!(matches!(bench.modem.send(&wrong).await, Outcome::Rejected { .. }));
    assert_eq!(bench.fake.edit(|script| script.opened), 1);
}

#[tokio::test(start_paused = true)]
async fn a_modem_that_does_not_answer_is_started_again() {
    let bench = Bench::new(Script {
        answers: [Answer::NoPrompt, Answer::NoPrompt, Answer::Silence, Answer::PortLost].into(),
        ..Script::default()
    });
    bench.ready().await;
    let clock = tokio::time::Instant::now();
    assert!(matches!(bench.send().await, Outcome::Unavailable { .. }), "without a prompt nothing has left");
    assert_eq!(clock.elapsed().as_secs(), 10);
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    assert!(matches!(bench.send().await, Outcome::Unavailable { .. }), "at once");
    bench.ready().await;
    let clock = tokio::time::Instant::now();
    assert_eq!(bench.send().await, Outcome::MaybeSent);
    assert_eq!(clock.elapsed().as_secs(), 60);
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    bench.ready().await;
    assert_eq!(bench.send().await, Outcome::MaybeSent, "the port was lost after the text had left");
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    bench.ready().await;
    assert!(matches!(bench.send().await, Outcome::Sent { .. }));
    // It freezes while nobody sends: the look of each minute finds out.
    bench.fake.edit(|script| script.frozen = true);
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    bench.fake.edit(|script| script.frozen = false);
    bench.ready().await;
    // It starts anew by itself: its settings are gone.
    let before = bench.fake.edit(|script| script.opened);
    bench.fake.say.send("\r\nRDY\r\n".into()).unwrap();
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    bench.ready().await;
    assert_eq!(bench.fake.edit(|script| script.opened), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_port_that_is_not_there_is_waited_for() {
    let bench = Bench::new(Script { no_port: true, ..Script::default() });
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    Clock::scaled(1.0, 0).sleep(Duration::from_mins(10)).await;
    let opened = bench.fake.edit(|script| {
        script.no_port = false;
        script.opened
    });
    assert!((10..20).contains(&opened), "{opened}");
    bench.ready().await;
}

#[tokio::test(start_paused = true)]
async fn a_wrong_pin_is_tried_once_and_never_again() {
    let locked = || Script { pin: Some("1234".into()), ..Script::default() };
    let bench = Bench::with_pin(locked(), Some("1234"));
    bench.ready().await;
    for pin in [Some("0000"), None] {
        let bench = Bench::with_pin(locked(), pin);
        bench.until(|state| matches!(state, ModemState::Lost { reason } if reason.contains("SIM"))).await;
        Clock::scaled(1.0, 0).sleep(Duration::from_hours(1)).await;
        assert_eq!(bench.fake.edit(|script| script.pins_tried), u32::from(pin.is_some()));
    }
    let bench = Bench::with_pin(Script { blocked: true, ..locked() }, Some("1234"));
    bench
        .until(|state| matches!(state, ModemState::Lost { reason } if reason.contains("unblock it with its PUK")))
        .await;
    assert_eq!(bench.fake.edit(|script| script.pins_tried), 0);
}

#[tokio::test(start_paused = true)]
async fn a_pin_is_tried_no_more_often_over_a_restart_of_the_program() {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::new(Script { pin: Some("1234".into()), ..Script::default() });
    let file = folder.path().join("sms.pin");
    for (pin, tries) in [("0000", 1), ("0000", 1), ("12\"34", 1), ("1234", 2), ("1234", 2)] {
        let options = ModemOptions { pin: Some(pin.into()), pin_memory: Some(file.clone()) };
        let bench = Bench::with_options(fake.clone(), fake.clone(), options);
        bench.until(|state| *state != ModemState::Starting).await;
        let opened = pin == "1234";
        assert_eq!(matches!(*bench.modem.state().borrow(), ModemState::Ready { .. }), opened, "{pin}");
        assert_eq!(fake.edit(|script| script.pins_tried), tries, "{pin}");
        assert_eq!(file.exists(), !opened);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_network_has_is_sent_though_a_line_is_lost() {
    let answers = [Answer::NoOk(9), Answer::NoReference, Answer::Sent(10)];
    let bench = Bench::new(Script { answers: answers.into(), ..Script::default() });
    bench.ready().await;
    assert_eq!(bench.send().await, Outcome::Sent { reference: "9-39981001".into() });
    // An OK alone may be of what went before.
    assert_eq!(bench.send().await, Outcome::MaybeSent);
    bench.until(|state| matches!(state, ModemState::Lost { .. })).await;
    bench.ready().await;
    assert_eq!(bench.send().await, Outcome::Sent { reference: "10-39981001".into() });
    assert!(bench.fake.edit(|script| script.commands.contains(&"AT+CFUN=1,1".to_owned())), "it was started again");
}

#[test]
fn a_port_whose_name_changes_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    assert_eq!(next_port(&path("ttyUSB1"), 7).unwrap(), path("ttyUSB1"));
    assert!(next_port(&path("ttyUSB*"), 0).is_err());
    for name in ["ttyUSB3", "ttyUSB2", "ttyS0"] {
        std::fs::write(path(name), "").unwrap();
    }
    let found: Vec<_> = (0..3).map(|attempt| next_port(&path("ttyUSB*"), attempt).unwrap()).collect();
    assert_eq!(found, [path("ttyUSB2"), path("ttyUSB3"), path("ttyUSB2")]);
}

#[tokio::test]
async fn a_modem_behind_a_pty_is_one_like_any_other() {
    let (near, port) = SerialStream::pair().unwrap();
    let path = port.name().unwrap();
    // The modem locks the port for itself.
    drop(port);
    let fake = Fake::new(Script { answers: [Answer::Sent(7)].into(), ..Script::default() });
    let modem = Modem::serial(Path::new(&path), 115_200, ModemOptions::default(), Clock::system());
    // After the modem: a line that nobody has open at the other end is an error.
    tokio::spawn(fake.clone().serve(near));
    let bench = Bench { fake, modem };
    bench.until(|state| *state != ModemState::Starting).await;
    assert!(matches!(*bench.modem.state().borrow(), ModemState::Ready { .. }), "{:?}", bench.modem);
    assert_eq!(bench.send().await, Outcome::Sent { reference: "7-39981001".into() });
}
