//! One conversation with a modem, from its start-up until the port is lost or the modem freezes.
//!
//! Not for: opening the port again (modem.rs), nor octets of messages (pdu.rs).

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use medmon_kit::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::codec::{Decoder, Failure, Line, Unsolicited};
use super::pdu::Submit;
use super::pin::PinMemory;

/// A command that reaches no network is answered within this.
const COMMAND: Duration = Duration::from_secs(10);
/// AT+CMGS prompts within this; asked twice.
const PROMPT: Duration = Duration::from_secs(5);
/// OK follows +CMGS within this. The network has the message by then, whatever becomes of the OK.
const OK: Duration = Duration::from_secs(3);
/// The network takes or refuses a message within this.
const NETWORK: Duration = Duration::from_mins(1);
/// What a modem still had to say from before has been said after this.
const SETTLE: Duration = Duration::from_millis(300);
const CTRL_Z: u8 = 0x1A;
const ESC: u8 = 0x1B;

/// Why a conversation came to its end, or a command to nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum SessionError {
    /// The port.
    #[error("the port is lost")]
    Port(#[from] io::Error),
    /// No answer in time.
    #[error("the modem does not answer {0}")]
    Frozen(String),
    /// It said no.
    #[error("the modem refuses {command}: {failure}")]
    Refused {
        /// To what.
        command: String,
        /// Why.
        failure: Failure,
    },
    /// It has started anew.
    #[error("the modem has started anew")]
    Restarted,
    /// It wants a PIN that is not configured, or is not ready.
    #[error("the SIM is locked ({0}): write its PIN into a file and name that in pin_file")]
    Locked(String),
    /// Three wrong PINs.
    #[error(
        "the SIM is blocked (SIM PUK): no PIN opens it; put it into a telephone, unblock it with its PUK, and come back"
    )]
    Blocked,
    /// What is configured as the PIN is none.
    #[error("what pin_file holds is not a PIN: four to eight digits")]
    NotAPin,
    /// The configured PIN is wrong. It is not tried again: three times would lock the SIM.
    #[error("the SIM refuses its PIN: it is not tried again before pin_file holds another one")]
    WrongPin,
}

/// How far a message came.
#[derive(Debug)]
pub(super) enum Submitted {
    /// The network has it, under this reference if that could be read.
    Sent(Option<u8>),
    /// The modem or the network said no.
    Refused(Failure),
    /// It left, and no answer came; the conversation is over.
    Unknown(SessionError),
    /// It did not leave; the conversation is over.
    NotSent(SessionError),
}

/// How modem and network are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// Registered, at home or roaming.
    pub registered: bool,
    /// Signal quality of AT+CSQ, 0-31; `None` = unknown.
    pub signal: Option<u8>,
    /// Whose network it is, as the modem calls it.
    pub operator: Option<String>,
    /// Messages in its memory, and places for them.
    pub memory: Option<(u16, u16)>,
}

/// The conversation.
pub(super) struct Session<S> {
    io: S,
    clock: Clock,
    decoder: Decoder,
    lines: VecDeque<Line>,
    /// What the modem said by itself, until somebody looks.
    pub unsolicited: VecDeque<Unsolicited>,
    /// Echo is off as far as we know.
    quiet: bool,
    /// A message that is not stored wants to be acknowledged (3GPP TS 27.005, 3.4.4).
    acknowledges: bool,
    /// Where messages are read from.
    memory: String,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub fn new(io: S, clock: Clock) -> Self {
        let (decoder, lines, unsolicited) = (Decoder::default(), VecDeque::new(), VecDeque::new());
        let memory = "SM".to_owned();
        Self { io, clock, decoder, lines, unsolicited, quiet: false, acknowledges: false, memory }
    }

    /// Brings the modem to where messages go out and come in.
    pub async fn start(&mut self, pin: Option<&str>, tried: &mut PinMemory) -> Result<Network, SessionError> {
        self.wake().await?;
        self.command("ATE0").await?;
        self.quiet = true;
        // Numbers where it can, else words: both are understood.
        self.try_each(&["AT+CMEE=1", "AT+CMEE=2"]).await?;
        self.unlock(pin, tried).await?;
        self.command("AT+CMGF=0").await?;
        // Where messages are kept, and that they are told, differs between modems: what is refused is done without.
        let memories = ["AT+CPMS=\"SM\",\"SM\",\"SM\"", "AT+CPMS=\"ME\",\"ME\",\"ME\""];
        if self.try_each(&memories).await? == Some(1) {
            self.memory = "ME".into();
        }
        // Stored and told, with reports as they come; with reports stored; without reports; not stored at all.
        let ways = [
            "AT+CNMI=2,1,0,1,0",
            "AT+CNMI=1,1,0,1,0",
            "AT+CNMI=2,1,0,2,0",
            "AT+CNMI=2,1",
            "AT+CNMI=2,2,0,1,0",
            "AT+CNMI=2,2",
        ];
        if self.try_each(&ways).await?.is_some_and(|way| way >= 4) {
            // What is not stored is lost with a modem that nobody hears, unless it waits for our word that we have it.
            self.try_each(&["AT+CSMS=1"]).await?;
        }
        self.acknowledges = self.ask("AT+CSMS?", "+CSMS:").await?.starts_with('1');
        self.network().await
    }

    /// Out of whatever it was in the middle of; what it still had to say is heard, answers of before are not.
    async fn wake(&mut self) -> Result<(), SessionError> {
        self.io.write_all(&[ESC]).await?;
        self.settle().await?;
        for _ in 0..3 {
            match self.command_within("AT", COMMAND / 5).await {
                Err(SessionError::Frozen(_) | SessionError::Refused { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        Err(SessionError::Frozen("AT".into()))
    }

    async fn settle(&mut self) -> Result<(), SessionError> {
        let clock = self.clock.clone();
        let quiet = clock.sleep(SETTLE);
        tokio::pin!(quiet);
        loop {
            tokio::select! {
                () = &mut quiet => return Ok(()),
                line = self.line() => { line?; }
            }
        }
    }

    async fn unlock(&mut self, pin: Option<&str>, tried: &mut PinMemory) -> Result<(), SessionError> {
        // A SIM that was just woken, or opened, needs some seconds.
        for _ in 0..15 {
            let state = match self.command("AT+CPIN?").await {
                Ok(lines) => after(&lines, "+CPIN:"),
                Err(SessionError::Refused {
                    failure: Failure::Equipment(14) | Failure::Service(314 | 515), ..
                }) => "busy".into(),
                Err(error) => return Err(error),
            };
            match (state.as_str(), pin) {
                ("READY", _) => {
                    tried.accepted();
                    return Ok(());
                }
                ("SIM PIN", Some(pin)) if !tried.allows(pin) => return Err(SessionError::WrongPin),
                ("SIM PIN", Some(pin)) if !is_pin(pin) => return Err(SessionError::NotAPin),
                ("SIM PIN", Some(pin)) => {
                    tried.try_now(pin);
                    match self.command(&format!("AT+CPIN=\"{pin}\"")).await {
                        Err(SessionError::Refused { .. }) => {
                            tried.refused(pin);
                            return Err(SessionError::WrongPin);
                        }
                        // Whether it was right is what the SIM says next: an OK that opens nothing counts as a try.
                        other => drop(other?),
                    }
                }
                ("SIM PUK", _) => return Err(SessionError::Blocked),
                // A line that was lost.
                ("busy" | "", _) => {}
                _ => return Err(SessionError::Locked(state)),
            }
            self.clock.clone().sleep(Duration::from_secs(1)).await;
        }
        Err(SessionError::Locked("busy".into()))
    }

    /// Which of the commands was the first that it did not refuse.
    async fn try_each(&mut self, commands: &[&str]) -> Result<Option<usize>, SessionError> {
        for (place, command) in commands.iter().enumerate() {
            match self.command(command).await {
                Err(SessionError::Refused { failure, .. }) => tracing::debug!(command, %failure, "modem: done without"),
                other => return other.map(|_| Some(place)),
            }
        }
        Ok(None)
    }

    /// Registration, signal and memory; at the same time whether the modem is still there.
    pub async fn network(&mut self) -> Result<Network, SessionError> {
        let field =
            |text: &str, place| text.split(',').nth(place).map(|field| field.trim().trim_matches('"').to_owned());
        let number = |text: &str, place| field(text, place)?.parse::<u16>().ok();
        let mut registered = false;
        // Of voice, of packets, of LTE: a text needs one of them (3GPP TS 27.007, 7.2, 10.1.20, 10.1.22).
        for (command, prefix) in [("AT+CREG?", "+CREG:"), ("AT+CEREG?", "+CEREG:"), ("AT+CGREG?", "+CGREG:")] {
            let said = self.ask(command, prefix).await?;
            registered = registered || matches!(number(&said, 1), Some(1 | 5 | 6 | 7));
        }
        let quality = self.ask("AT+CSQ", "+CSQ:").await?;
        let signal = number(&quality, 0).filter(|signal| *signal <= 31).map(|signal| signal as u8);
        // Without a network some modems take half a minute for it.
        let operator = if registered { field(&self.ask("AT+COPS?", "+COPS:").await?, 2) } else { None };
        let memory = self.ask("AT+CPMS?", "+CPMS:").await?;
        let memory = number(&memory, 1).zip(number(&memory, 2));
        Ok(Network { registered, signal, operator: operator.filter(|name| !name.is_empty()), memory })
    }

    /// The message stored under `index`, if there is one.
    pub async fn read_stored(&mut self, index: u32) -> Result<Option<String>, SessionError> {
        match self.command(&format!("AT+CMGR={index}")).await {
            Ok(lines) => Ok(pdu_after(&lines, "+CMGR:").next().map(|(_, hex)| hex)),
            Err(SessionError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether what is stored in `memory` is read from there anyway.
    pub fn reads(&self, memory: &str) -> bool {
        // "MT" is a modem's name for all it has.
        memory == self.memory || memory == "MT"
    }

    /// Takes a message out of another memory: where reports are kept ("SR"), or where a modem puts what it likes.
    pub async fn take_elsewhere(&mut self, memory: &str, index: u32) -> Result<Option<String>, SessionError> {
        if self.try_each(&[&format!("AT+CPMS=\"{memory}\"")]).await?.is_none() {
            return Ok(None);
        }
        let hex = self.read_stored(index).await?;
        self.delete_stored(index).await?;
        self.command(&format!("AT+CPMS=\"{}\"", self.memory)).await?;
        Ok(hex)
    }

    /// A message that is not stored has been taken.
    pub async fn acknowledge(&mut self) -> Result<(), SessionError> {
        if self.acknowledges { self.try_each(&["AT+CNMA"]).await.map(|_| ()) } else { Ok(()) }
    }

    /// All that is stored: index and PDU.
    pub async fn read_all(&mut self) -> Result<Vec<(u32, String)>, SessionError> {
        for _ in 0..5 {
            match self.command("AT+CMGL=4").await {
                Ok(lines) => {
                    let index = |header: String| header.split(',').next().and_then(|index| index.trim().parse().ok());
                    return Ok(pdu_after(&lines, "+CMGL:")
                        .filter_map(|(header, hex)| Some((index(header)?, hex)))
                        .collect());
                }
                // The SIM is still busy after start-up.
                Err(SessionError::Refused { .. }) => self.clock.clone().sleep(Duration::from_secs(1)).await,
                Err(error) => return Err(error),
            }
        }
        Ok(Vec::new())
    }

    /// Frees the place of a stored message.
    pub async fn delete_stored(&mut self, index: u32) -> Result<(), SessionError> {
        self.try_each(&[&format!("AT+CMGD={index}")]).await.map(|_| ())
    }

    /// Hands one message to the network.
    pub async fn submit(&mut self, submit: &Submit) -> Submitted {
        match self.prompt(submit.length).await {
            Ok(()) => {}
            Err(SessionError::Refused { failure, .. }) => return Submitted::Refused(failure),
            Err(error) => return Submitted::NotSent(error),
        }
        let clock = self.clock.clone();
        let mut reference = None;
        match clock.timeout(NETWORK, self.hand_over(&submit.hex, &mut reference)).await {
            // +CMGS came: the network has it.
            _ if reference.is_some() => {
                let said = reference.unwrap_or_default();
                Submitted::Sent(said.split(',').next().and_then(|number| number.trim().parse().ok()))
            }
            Some(Err(SessionError::Refused { failure, .. })) => Submitted::Refused(failure),
            Some(Err(error)) => Submitted::Unknown(error),
            None | Some(Ok(())) => Submitted::Unknown(SessionError::Frozen("a message".into())),
        }
    }

    /// Asks for the prompt; a second time when it does not come, as after a command of which it missed a letter.
    async fn prompt(&mut self, length: usize) -> Result<(), SessionError> {
        let clock = self.clock.clone();
        for _ in 0..2 {
            if let Some(prompted) = clock.timeout(PROMPT, self.ask_for_prompt(length)).await {
                return prompted;
            }
            // If it waits for a message after all, it gets none.
            self.io.write_all(&[ESC]).await?;
            self.settle().await?;
        }
        Err(SessionError::Frozen("AT+CMGS".into()))
    }

    async fn ask_for_prompt(&mut self, length: usize) -> Result<(), SessionError> {
        let command = format!("AT+CMGS={length}");
        self.io.write_all(format!("{command}\r").as_bytes()).await?;
        loop {
            match self.line().await? {
                Line::Prompt => return Ok(()),
                Line::Failed(failure) => return Err(SessionError::Refused { command, failure }),
                _ => {}
            }
        }
    }

    /// `sent` is set once the network has it, to what the modem says of its reference.
    async fn hand_over(&mut self, hex: &str, sent: &mut Option<String>) -> Result<(), SessionError> {
        self.io.write_all(hex.as_bytes()).await?;
        self.io.write_all(&[CTRL_Z]).await?;
        let clock = self.clock.clone();
        let mut ended = false;
        loop {
            // After one of the two, the other follows at once or never.
            let line = if ended || sent.is_some() {
                clock.timeout(OK, self.line()).await.ok_or_else(|| SessionError::Frozen("a message".into()))??
            } else {
                self.line().await?
            };
            match line {
                Line::Info(line) => {
                    if let Some((_, number)) = line.split_once("+CMGS:") {
                        *sent = Some(number.to_owned());
                    }
                }
                // Without +CMGS it may belong to what went before.
                Line::Ok => ended = true,
                Line::Failed(failure) => return Err(SessionError::Refused { command: "a message".into(), failure }),
                _ => {}
            }
            if ended && sent.is_some() {
                return Ok(());
            }
        }
    }

    /// Starts a modem again that does not answer, if it listens at all.
    pub async fn restart(&mut self) {
        self.quiet = false;
        // It may be waiting for the rest of a message. What becomes of this is seen at the next start.
        let _ = self.io.write_all(&[ESC]).await;
        let _ = self.command("AT+CFUN=1,1").await;
    }

    async fn command(&mut self, command: &str) -> Result<Vec<String>, SessionError> {
        self.command_within(command, COMMAND).await
    }

    async fn command_within(&mut self, command: &str, limit: Duration) -> Result<Vec<String>, SessionError> {
        // A PIN belongs into no log and no message.
        let name = command.split('=').next().unwrap_or(command).to_owned();
        let clock = self.clock.clone();
        let dialogue = async {
            self.io.write_all(format!("{command}\r").as_bytes()).await?;
            let mut lines = Vec::new();
            loop {
                match self.line().await? {
                    Line::Ok => return Ok(lines),
                    Line::Failed(failure) => return Err(SessionError::Refused { command: name.clone(), failure }),
                    Line::Info(line) => lines.push(line),
                    Line::Prompt | Line::Unsolicited(_) => {}
                }
            }
        };
        match clock.timeout(limit, dialogue).await {
            Some(result) => result,
            None => Err(SessionError::Frozen(name)),
        }
    }

    /// What follows `prefix` in the response to `command`; nothing where it is refused.
    async fn ask(&mut self, command: &str, prefix: &str) -> Result<String, SessionError> {
        match self.command(command).await {
            Ok(lines) => Ok(after(&lines, prefix)),
            Err(SessionError::Refused { .. }) => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// The next line. What is unsolicited is also kept. Nothing is lost when the wait is given up.
    pub async fn line(&mut self) -> Result<Line, SessionError> {
        let mut bytes = [0; 256];
        loop {
            match self.lines.pop_front() {
                Some(Line::Unsolicited(Unsolicited::Started)) if self.quiet => return Err(SessionError::Restarted),
                // Echo is on again: it has started anew without saying so.
                Some(Line::Info(line)) if self.quiet && line.starts_with("AT") => return Err(SessionError::Restarted),
                Some(Line::Unsolicited(what)) => {
                    self.unsolicited.push_back(what.clone());
                    return Ok(Line::Unsolicited(what));
                }
                Some(line) => return Ok(line),
                None => {}
            }
            let count = self.io.read(&mut bytes).await?;
            if count == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.lines.extend(self.decoder.feed(&bytes[..count]));
        }
    }
}

fn is_pin(pin: &str) -> bool {
    (4..=8).contains(&pin.len()) && pin.bytes().all(|byte| byte.is_ascii_digit())
}

fn after(lines: &[String], prefix: &str) -> String {
    // Noise may stand before it.
    lines.iter().find_map(|line| line.split_once(prefix)).unwrap_or_default().1.trim().to_owned()
}

/// Each header that begins with `prefix` (without it), with the PDU after it, whatever stands between them.
fn pdu_after<'a>(lines: &'a [String], prefix: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    let is_hex = |line: &&String| line.bytes().all(|byte| byte.is_ascii_hexdigit());
    lines.iter().enumerate().filter_map(move |(place, line)| {
        let header = line.split_once(prefix)?.1.trim().to_owned();
        let rest = lines[place + 1..].iter().take_while(|line| !line.contains(prefix));
        // Without a PDU that can be read it is an unreadable message, and its place is freed.
        Some((header, rest.filter(is_hex).max_by_key(|line| line.len()).cloned().unwrap_or_default()))
    })
}
