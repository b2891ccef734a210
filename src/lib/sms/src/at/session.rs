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

/// A command that reaches no network is answered within this.
const COMMAND: Duration = Duration::from_secs(10);
/// AT+CMGS prompts within this.
const PROMPT: Duration = Duration::from_secs(10);
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
    /// It wants a PIN that is not configured, or a PUK.
    #[error("the SIM is locked: {0}")]
    Locked(String),
    /// The configured PIN is wrong. It is not tried again: three times would lock the SIM.
    #[error("the SIM refuses its PIN")]
    WrongPin,
}

/// How far a message came.
#[derive(Debug)]
pub(super) enum Submitted {
    /// The network has it, under this reference.
    Sent(u8),
    /// The modem or the network said no.
    Refused(Failure),
    /// It left, and no answer came; the conversation is over.
    Unknown(SessionError),
    /// It did not leave; the conversation is over.
    NotSent(SessionError),
}

/// What start-up found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Network {
    /// Registered, at home or roaming.
    pub registered: bool,
    /// Signal quality of AT+CSQ, 0-31; `None` = unknown.
    pub signal: Option<u8>,
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
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub fn new(io: S, clock: Clock) -> Self {
        let (decoder, lines, unsolicited) = (Decoder::default(), VecDeque::new(), VecDeque::new());
        Self { io, clock, decoder, lines, unsolicited, quiet: false }
    }

    /// Brings the modem to where messages go out and come in.
    pub async fn start(&mut self, pin: Option<&str>, pin_refused: &mut bool) -> Result<Network, SessionError> {
        self.wake().await?;
        self.command("ATE0").await?;
        self.quiet = true;
        self.command("AT+CMEE=1").await?;
        self.unlock(pin, pin_refused).await?;
        self.command("AT+CMGF=0").await?;
        // Where messages are kept, and that they are told, differs between modems: what is refused is done without.
        self.try_each(&["AT+CPMS=\"SM\",\"SM\",\"SM\"", "AT+CPMS=\"ME\",\"ME\",\"ME\""]).await?;
        self.try_each(&["AT+CNMI=2,1,0,1,0", "AT+CNMI=1,1,0,1,0", "AT+CNMI=2,1,0,2,0", "AT+CNMI=2,1"]).await?;
        self.network().await
    }

    /// Out of whatever it was in the middle of; what it still had to say is heard, answers of before are not.
    async fn wake(&mut self) -> Result<(), SessionError> {
        self.io.write_all(&[ESC]).await?;
        let settled = self.clock.clone();
        let quiet = settled.sleep(SETTLE);
        tokio::pin!(quiet);
        loop {
            tokio::select! {
                () = &mut quiet => break,
                line = self.line() => { line?; }
            }
        }
        for _ in 0..3 {
            match self.command_within("AT", COMMAND / 5).await {
                Err(SessionError::Frozen(_) | SessionError::Refused { .. }) => {}
                other => return other.map(|_| ()),
            }
        }
        Err(SessionError::Frozen("AT".into()))
    }

    async fn unlock(&mut self, pin: Option<&str>, pin_refused: &mut bool) -> Result<(), SessionError> {
        // A SIM that was just woken needs some seconds.
        for _ in 0..10 {
            let state = match self.ask("AT+CPIN?", "+CPIN:").await {
                Ok(state) => state,
                Err(SessionError::Refused { failure: Failure::Equipment(14), .. }) => "busy".into(),
                Err(error) => return Err(error),
            };
            match (state.as_str(), pin) {
                ("READY", _) => return Ok(()),
                ("SIM PIN", _) if *pin_refused => return Err(SessionError::WrongPin),
                ("SIM PIN", Some(pin)) => match self.command(&format!("AT+CPIN=\"{pin}\"")).await {
                    Err(SessionError::Refused { .. }) => {
                        *pin_refused = true;
                        return Err(SessionError::WrongPin);
                    }
                    other => {
                        other?;
                    }
                },
                ("busy", _) => {}
                _ => return Err(SessionError::Locked(state)),
            }
            self.clock.clone().sleep(Duration::from_secs(1)).await;
        }
        Err(SessionError::Locked("busy".into()))
    }

    async fn try_each(&mut self, commands: &[&str]) -> Result<(), SessionError> {
        for command in commands {
            match self.command(command).await {
                Err(SessionError::Refused { failure, .. }) => tracing::debug!(command, %failure, "modem: done without"),
                other => return other.map(|_| ()),
            }
        }
        Ok(())
    }

    /// Registration and signal; at the same time whether the modem is still there.
    pub async fn network(&mut self) -> Result<Network, SessionError> {
        let registration = self.ask("AT+CREG?", "+CREG:").await?;
        let quality = self.ask("AT+CSQ", "+CSQ:").await?;
        let field = |text: &str, place| text.split(',').nth(place).and_then(|field| field.trim().parse::<u8>().ok());
        let signal = field(&quality, 0).filter(|signal| *signal <= 31);
        Ok(Network { registered: matches!(field(&registration, 1), Some(1 | 5)), signal })
    }

    /// The message stored under `index`, if there is one.
    pub async fn read_stored(&mut self, index: u32) -> Result<Option<String>, SessionError> {
        match self.command(&format!("AT+CMGR={index}")).await {
            Ok(lines) => Ok(pdu_after(&lines, "+CMGR:").next().map(|(_, hex)| hex)),
            Err(SessionError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
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
        self.try_each(&[&format!("AT+CMGD={index}")]).await
    }

    /// Hands one message to the network.
    pub async fn submit(&mut self, submit: &Submit) -> Submitted {
        let clock = self.clock.clone();
        match clock.timeout(PROMPT, self.ask_for_prompt(submit.length)).await {
            None => return Submitted::NotSent(SessionError::Frozen("AT+CMGS".into())),
            Some(Err(SessionError::Refused { failure, .. })) => return Submitted::Refused(failure),
            Some(Err(error)) => return Submitted::NotSent(error),
            Some(Ok(())) => {}
        }
        match clock.timeout(NETWORK, self.hand_over(&submit.hex)).await {
            None => Submitted::Unknown(SessionError::Frozen("a message".into())),
            Some(Err(SessionError::Refused { failure, .. })) => Submitted::Refused(failure),
            Some(Err(error)) => Submitted::Unknown(error),
            Some(Ok(reference)) => Submitted::Sent(reference),
        }
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

    async fn hand_over(&mut self, hex: &str) -> Result<u8, SessionError> {
        self.io.write_all(hex.as_bytes()).await?;
        self.io.write_all(&[CTRL_Z]).await?;
        let mut reference = 0;
        loop {
            match self.line().await? {
                Line::Info(line) => {
                    if let Some(number) = line.strip_prefix("+CMGS:") {
                        reference = number.split(',').next().and_then(|number| number.trim().parse().ok()).unwrap_or(0);
                    }
                }
                Line::Ok => return Ok(reference),
                Line::Failed(failure) => return Err(SessionError::Refused { command: "a message".into(), failure }),
                _ => {}
            }
        }
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

    /// What follows `prefix` in the response to `command`.
    async fn ask(&mut self, command: &str, prefix: &str) -> Result<String, SessionError> {
        let lines = self.command(command).await?;
        Ok(lines.iter().find_map(|line| line.strip_prefix(prefix)).unwrap_or_default().trim().to_owned())
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

/// Each header that begins with `prefix` (without it), with the line after it.
fn pdu_after<'a>(lines: &'a [String], prefix: &'a str) -> impl Iterator<Item = (String, String)> + 'a {
    lines.windows(2).filter_map(move |pair| Some((pair[0].strip_prefix(prefix)?.trim().to_owned(), pair[1].clone())))
}
