//! A GSM modem as a channel: a task that owns the port, opens it again when it is lost, and starts a modem again that
//! does not answer.
//!
//! Not for: trying a text again (the outbox). A long text that comes in is told by its first part: an answer is short.

use std::io;
use std::path::Path;
use std::time::Duration;

use async_trait::async_trait;
use medmon_kit::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Mutex, mpsc, oneshot, watch};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

use super::codec::{Failure, Unsolicited};
use super::pdu::{self, Fate, Received, Submit};
use super::session::{Network, Session, SessionError, Submitted};
use crate::channel::{Caps, Incoming, Outcome, Sms, SmsChannel};

/// How long to wait before the port is opened again: doubled each time from and up to here.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often an idle modem is asked for its network.
const LOOK: Duration = Duration::from_mins(1);
/// A text of eight parts in a network that is slow with each; one part in ten seconds is usual.
const LONGEST: Duration = Duration::from_mins(3);
/// What came in and nobody took yet.
const INCOMING_MAX: usize = 256;

/// How a modem is started.
#[derive(Clone, Default)]
pub struct ModemOptions {
    /// PIN of the SIM.
    pub pin: Option<String>,
}

impl std::fmt::Debug for ModemOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModemOptions").field("pin", &self.pin.as_ref().map(|_| "…")).finish()
    }
}

/// How a modem is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ModemState {
    /// It has not been heard yet.
    Starting,
    /// Messages can be handed over.
    Ready {
        /// Registered in a network.
        registered: bool,
        /// Signal quality, 0-31.
        signal: Option<u8>,
    },
    /// It is not there; it is tried again.
    Lost {
        /// Why.
        reason: String,
    },
}

struct Request {
    sms: Sms,
    reply: oneshot::Sender<Outcome>,
}

/// A GSM modem. Its task ends when this is dropped.
pub struct Modem {
    requests: mpsc::Sender<Request>,
    incoming: Mutex<mpsc::Receiver<Incoming>>,
    state: watch::Receiver<ModemState>,
}

impl std::fmt::Debug for Modem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modem").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

impl Modem {
    /// Takes the modem at a serial port (or a PTY) into service.
    pub fn serial(path: &Path, baud: u32, options: ModemOptions, clock: Clock) -> Self {
        let path = path.to_owned();
        Self::start(move || open_serial(&path, baud), options, clock)
    }

    /// Takes the modem behind whatever `open` opens into service. It is opened again each time it is lost.
    pub fn start<S, F>(open: F, options: ModemOptions, clock: Clock) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: FnMut() -> io::Result<S> + Send + 'static,
    {
        let (requests, waiting) = mpsc::channel(8);
        let (arrived, incoming) = mpsc::channel(INCOMING_MAX);
        let (told, state) = watch::channel(ModemState::Starting);
        let keeper = Keeper { options, clock, requests: waiting, incoming: arrived, state: told, reference: 0 };
        tokio::spawn(keeper.run(open));
        Self { requests, incoming: Mutex::new(incoming), state }
    }

    /// How it is, and a notice of every change.
    pub fn state(&self) -> watch::Receiver<ModemState> {
        self.state.clone()
    }
}

#[async_trait]
impl SmsChannel for Modem {
    fn caps(&self) -> Caps {
        Caps { name: "modem", reports_delivery: true, receives: true, longest: LONGEST }
    }

    async fn send(&self, sms: &Sms) -> Outcome {
        match &*self.state.borrow() {
            ModemState::Ready { .. } => {}
            ModemState::Starting => return Outcome::unavailable("the modem is starting"),
            ModemState::Lost { reason } => return Outcome::unavailable(reason.clone()),
        }
        let (reply, outcome) = oneshot::channel();
        if self.requests.send(Request { sms: sms.clone(), reply }).await.is_err() {
            return Outcome::unavailable("the modem's task has ended");
        }
        outcome.await.unwrap_or(Outcome::MaybeSent)
    }

    async fn receive(&self) -> Incoming {
        match self.incoming.lock().await.recv().await {
            Some(incoming) => incoming,
            None => std::future::pending().await,
        }
    }
}

fn open_serial(path: &Path, baud: u32) -> io::Result<SerialStream> {
    let mut port = tokio_serial::new(path.to_string_lossy(), baud).open_native_async()?;
    // A PTY has no modem lines; a modem without DTR may sleep.
    let lines = port.write_data_terminal_ready(true).and_then(|()| port.write_request_to_send(true));
    if let Err(error) = lines {
        tracing::debug!(%error, "modem: no modem lines here");
    }
    Ok(port)
}

/// The task that owns the port.
struct Keeper {
    options: ModemOptions,
    clock: Clock,
    requests: mpsc::Receiver<Request>,
    incoming: mpsc::Sender<Incoming>,
    state: watch::Sender<ModemState>,
    /// Joins the parts of long texts.
    reference: u8,
}

fn ready(Network { registered, signal }: Network) -> ModemState {
    ModemState::Ready { registered, signal }
}

/// Nobody wants the modem any more.
struct Dropped;

impl Keeper {
    async fn run<S, F>(mut self, mut open: F)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: FnMut() -> io::Result<S> + Send + 'static,
    {
        let mut pause = BACK_OFF.0;
        let mut pin_refused = false;
        loop {
            let error = match open() {
                Ok(io) => {
                    let mut session = Session::new(io, self.clock.clone());
                    match self.converse(&mut session, &mut pin_refused, &mut pause).await {
                        Ok(Dropped) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error.into(),
            };
            let reason = match std::error::Error::source(&error) {
                Some(source) => format!("{error}: {source}"),
                None => error.to_string(),
            };
            tracing::warn!(%reason, pause_s = pause.as_secs(), "modem lost");
            self.state.send_replace(ModemState::Lost { reason: reason.clone() });
            if self.rest(pause, &reason).await.is_none() {
                return;
            }
            pause = (pause * 2).min(BACK_OFF.1);
        }
    }

    /// Waits, and refuses what is asked meanwhile; `None` when nobody will ask again.
    async fn rest(&mut self, pause: Duration, reason: &str) -> Option<()> {
        let clock = self.clock.clone();
        let over = clock.sleep(pause);
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => return Some(()),
                request = self.requests.recv() => {
                    // The asker may have gone.
                    let _ = request?.reply.send(Outcome::unavailable(reason));
                }
            }
        }
    }

    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
        pin_refused: &mut bool,
        pause: &mut Duration,
    ) -> Result<Dropped, SessionError> {
        let pin = self.options.pin.clone();
        let network = session.start(pin.as_deref(), pin_refused).await?;
        for (index, hex) in session.read_all().await? {
            self.take_stored(session, index, &hex).await?;
        }
        self.state.send_replace(ready(network));
        *pause = BACK_OFF.0;
        tracing::info!(registered = network.registered, signal = network.signal, "modem ready");
        loop {
            while let Some(what) = session.unsolicited.pop_front() {
                self.hear(session, what).await?;
            }
            let clock = self.clock.clone();
            tokio::select! {
                request = self.requests.recv() => {
                    let Some(Request { sms, reply }) = request else { return Ok(Dropped) };
                    let (outcome, end) = self.send(session, &sms).await;
                    // The asker may have gone.
                    let _ = reply.send(outcome);
                    end?;
                }
                line = session.line() => { line?; }
                () = clock.sleep(LOOK) => {
                    let network = session.network().await?;
                    self.state.send_replace(ready(network));
                }
            }
        }
    }

    async fn hear<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
        what: Unsolicited,
    ) -> Result<(), SessionError> {
        match what {
            Unsolicited::Stored(index) => match session.read_stored(index).await? {
                Some(hex) => self.take_stored(session, index, &hex).await,
                None => Ok(()),
            },
            Unsolicited::Message { hex } => {
                self.take(&hex);
                Ok(())
            }
            Unsolicited::Started | Unsolicited::Other(_) => Ok(()),
        }
    }

    /// Takes a stored message in and frees its place: a full memory takes no more.
    async fn take_stored<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
        index: u32,
        hex: &str,
    ) -> Result<(), SessionError> {
        if self.take(hex) { session.delete_stored(index).await } else { Ok(()) }
    }

    /// Whether the message is taken care of.
    fn take(&self, hex: &str) -> bool {
        let incoming = match pdu::decode(hex) {
            Ok(Received::Text { part: Some(part), .. }) if part.number != 1 => return true,
            Ok(Received::Text { from, text, .. }) => Incoming::Text { from, text },
            Ok(Received::Report { fate: Fate::Pending, .. }) => return true,
            Ok(Received::Report { reference, to, fate }) => {
                Incoming::Delivery { reference: name(reference, &to), delivered: fate == Fate::Delivered }
            }
            Err(error) => {
                tracing::warn!(%error, "modem: an unreadable message is dropped");
                return true;
            }
        };
        let taken = self.incoming.try_send(incoming).is_ok();
        if !taken {
            tracing::warn!("modem: nobody takes what comes in");
        }
        taken
    }

    /// Sends all parts of a text; the second is the end of the conversation, if it came to one.
    async fn send<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
        sms: &Sms,
    ) -> (Outcome, Result<(), SessionError>) {
        self.reference = self.reference.wrapping_add(1);
        let parts: Vec<Submit> = match pdu::encode(&sms.to, &sms.text, self.reference) {
            Ok(parts) => parts,
            Err(error) => return (Outcome::Rejected { reason: error.to_string() }, Ok(())),
        };
        let mut reference = 0;
        for part in parts {
            match session.submit(&part).await {
                Submitted::Sent(number) => reference = number,
                Submitted::Refused(failure) => return (refusal(failure), Ok(())),
                Submitted::Unknown(error) => return (Outcome::MaybeSent, Err(error)),
                Submitted::NotSent(error) => {
                    return (Outcome::unavailable(error.to_string()), Err(error));
                }
            }
        }
        (Outcome::Sent { reference: name(reference, &sms.to) }, Ok(()))
    }
}

/// A delivery is known by the modem's number, which comes round after 256, and by the end of the phone's, which the
/// network may write in another form.
fn name(reference: u8, to: &str) -> String {
    let digits: Vec<_> = to.chars().filter(char::is_ascii_digit).collect();
    let end: String = digits[digits.len().saturating_sub(8)..].iter().collect();
    format!("{reference}-{end}")
}

/// What a refusal means (3GPP TS 27.005, 3.2.5; 24.011, E.2; 23.040, 9.2.3.22).
fn refusal(failure: Failure) -> Outcome {
    let reason = failure.to_string();
    match failure {
        // Unassigned, barred, rejected, unknown subscriber, not subscribed; invalid address; invalid PDU.
        Failure::Service(1 | 8 | 10 | 11 | 21 | 28 | 29 | 30 | 50 | 69 | 193 | 195 | 196 | 304) => {
            Outcome::Rejected { reason }
        }
        // Network time-out: the message was on its way. Duplicate: the network has it already.
        Failure::Service(197 | 332) => Outcome::MaybeSent,
        _ => Outcome::unavailable(reason),
    }
}

#[cfg(test)]
mod tests;
