//! A GSM modem as a channel: a task that owns the port, opens it again when it is lost, and starts a modem again that
//! does not answer.
//!
//! Not for: trying a text again (the outbox).

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use medmon_kit::Clock;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

use super::codec::{Failure, Unsolicited};
use super::parts::{Parts, Whole};
use super::pdu::{self, Fate, Received, Submit};
use super::pin::PinMemory;
use super::session::{Network, Session, SessionError, Submitted};
use crate::channel::{Caps, Incoming, Outcome, Sms, SmsChannel};
use crate::inbox::{Inbox, Inlet, inbox};

/// How long to wait before the port is opened again: doubled each time from and up to here.
const BACK_OFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often a modem is asked for its network and its memory.
const LOOK: Duration = Duration::from_mins(1);
/// A text of eight parts in a network that is slow with each; one part in ten seconds is usual.
const LONGEST: Duration = Duration::from_mins(3);

/// How a modem is started.
#[derive(Clone, Default)]
pub struct ModemOptions {
    /// PIN of the SIM.
    pub pin: Option<String>,
    /// A file that remembers a PIN that was refused over a restart of the program: three wrong ones block a SIM.
    pub pin_memory: Option<PathBuf>,
}

impl std::fmt::Debug for ModemOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ModemOptions")
            .field("pin", &self.pin.as_ref().map(|_| "…"))
            .field("pin_memory", &self.pin_memory)
            .finish()
    }
}

/// How a modem is.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum ModemState {
    /// It has not been heard yet.
    Starting,
    /// Messages can be handed over.
    Ready {
        /// Registered in a network.
        registered: bool,
        /// Signal quality, 0-31.
        signal: Option<u8>,
        /// Whose network it is, as the modem calls it.
        operator: Option<String>,
        /// Messages in its memory, and places for them: a full one takes no answer any more.
        memory: Option<(u16, u16)>,
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
    inbox: Inbox,
    state: watch::Receiver<ModemState>,
}

impl std::fmt::Debug for Modem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Modem").field("state", &*self.state.borrow()).finish_non_exhaustive()
    }
}

impl Modem {
    /// Takes the modem at a serial port (or a PTY) into service. `*` in the last part of the path fits any name: those
    /// that it fits are tried one after the other.
    pub fn serial(path: &Path, baud: u32, options: ModemOptions, clock: Clock) -> Self {
        let path = path.to_owned();
        let mut attempt = 0;
        let open = move || {
            let port = next_port(&path, attempt)?;
            attempt += 1;
            open_serial(&port, baud)
        };
        Self::start(open, options, clock)
    }

    /// Takes the modem behind whatever `open` opens into service. It is opened again each time it is lost.
    pub fn start<S, F>(open: F, options: ModemOptions, clock: Clock) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: FnMut() -> io::Result<S> + Send + 'static,
    {
        let (requests, waiting) = mpsc::channel(8);
        let (inlet, inbox) = inbox();
        let (told, state) = watch::channel(ModemState::Starting);
        let (free, freed) = mpsc::unbounded_channel();
        let keeper = Keeper {
            tried: PinMemory::open(options.pin_memory.clone()),
            // Where the last run ended nobody knows: parts of two texts must not become one.
            reference: (clock.utc_us() / 1_000_000) as u8,
            options,
            clock,
            requests: waiting,
            inlet,
            state: told,
            parts: Parts::default(),
            held: BTreeSet::new(),
            free,
            freed,
            round: 0,
        };
        tokio::spawn(keeper.run(open));
        Self { requests, inbox, state }
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
        self.inbox.receive().await
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

/// The port to open at this attempt: the path itself, or one of those that it fits, in turn.
fn next_port(path: &Path, attempt: usize) -> io::Result<PathBuf> {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let Some((head, tail)) = name.split_once('*') else { return Ok(path.to_owned()) };
    let folder = path.parent().unwrap_or(Path::new("/"));
    let fits = |name: &str| name.len() >= head.len() + tail.len() && name.starts_with(head) && name.ends_with(tail);
    let names = std::fs::read_dir(folder)?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let mut ports: Vec<_> = names.filter(|name| fits(name)).collect();
    ports.sort();
    let port = ports.get(attempt % ports.len().max(1));
    port.map(|port| folder.join(port)).ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "no port of that name"))
}

/// The task that owns the port.
struct Keeper {
    options: ModemOptions,
    clock: Clock,
    requests: mpsc::Receiver<Request>,
    inlet: Inlet,
    state: watch::Sender<ModemState>,
    tried: PinMemory,
    /// Joins the parts of long texts.
    reference: u8,
    parts: Parts,
    /// Places of the modem's memory that were read, and wait for somebody to take care of what they hold.
    held: BTreeSet<u32>,
    /// Places whose content was taken care of, with the round that they belong to.
    free: mpsc::UnboundedSender<(u64, Vec<u32>)>,
    freed: mpsc::UnboundedReceiver<(u64, Vec<u32>)>,
    /// Counts conversations: a place of an earlier one may hold something else by now.
    round: u64,
}

fn ready(network: Network) -> ModemState {
    let Network { registered, signal, operator, memory } = network;
    ModemState::Ready { registered, signal, operator, memory }
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
        loop {
            let error = match open() {
                Ok(io) => {
                    let mut session = Session::new(io, self.clock.clone());
                    match self.converse(&mut session, &mut pause).await {
                        Ok(Dropped) => return,
                        Err(error) => {
                            // What is stored is read again; this is nowhere else.
                            for what in session.unsolicited.drain(..) {
                                if let Unsolicited::Message { hex } = what {
                                    self.understand(&hex, None);
                                }
                            }
                            if matches!(error, SessionError::Frozen(_)) {
                                self.state.send_replace(ModemState::Lost { reason: error.to_string() });
                                session.restart().await;
                            }
                            error
                        }
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
        pause: &mut Duration,
    ) -> Result<Dropped, SessionError> {
        self.round += 1;
        self.held.clear();
        self.parts.forget_stored();
        let network = session.start(self.options.pin.as_deref(), &mut self.tried).await?;
        tracing::info!(registered = network.registered, signal = network.signal, "modem ready");
        self.state.send_replace(ready(network));
        *pause = BACK_OFF.0;
        self.take_all(session).await?;
        let clock = self.clock.clone();
        let mut look_us = clock.mono_us() + LOOK.as_micros() as i64;
        loop {
            while let Some(what) = session.unsolicited.pop_front() {
                self.hear(session, what).await?;
            }
            tokio::select! {
                request = self.requests.recv() => {
                    let Some(Request { sms, reply }) = request else { return Ok(Dropped) };
                    let (outcome, end) = self.send(session, &sms).await;
                    // The asker may have gone.
                    let _ = reply.send(outcome);
                    end?;
                }
                Some((round, places)) = self.freed.recv() => {
                    if round == self.round {
                        for place in places {
                            session.delete_stored(place).await?;
                            self.held.remove(&place);
                        }
                    }
                }
                line = session.line() => { line?; }
                () = clock.sleep_until(look_us) => {
                    look_us = clock.mono_us() + LOOK.as_micros() as i64;
                    let network = session.network().await?;
                    let holds = network.memory.is_none_or(|(used, _)| usize::from(used) > self.held.len());
                    self.state.send_replace(ready(network));
                    for whole in self.parts.overdue(clock.mono_us()) {
                        tracing::warn!("modem: a long text stayed incomplete");
                        self.text(whole);
                    }
                    // Not everything that is stored is told: a full memory takes no more.
                    if holds {
                        self.take_all(session).await?;
                    }
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
            Unsolicited::Stored { memory, index } if session.reads(&memory) => {
                match session.read_stored(index).await? {
                    Some(hex) => self.take(session, &hex, Some(index)).await,
                    None => Ok(()),
                }
            }
            Unsolicited::Stored { memory, index } => match session.take_elsewhere(&memory, index).await? {
                Some(hex) => self.take(session, &hex, None).await,
                None => Ok(()),
            },
            Unsolicited::Message { hex } => {
                self.take(session, &hex, None).await?;
                session.acknowledge().await
            }
            Unsolicited::Started | Unsolicited::Other(_) => Ok(()),
        }
    }

    async fn take_all<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
    ) -> Result<(), SessionError> {
        for (index, hex) in session.read_all().await? {
            self.take(session, &hex, Some(index)).await?;
        }
        Ok(())
    }

    /// Takes a message in. Its place is freed once somebody has taken care of it; at once if nobody can.
    async fn take<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        session: &mut Session<S>,
        hex: &str,
        place: Option<u32>,
    ) -> Result<(), SessionError> {
        if place.is_some_and(|place| !self.held.insert(place)) {
            return Ok(());
        }
        let Some(place) = self.understand(hex, place) else { return Ok(()) };
        session.delete_stored(place).await?;
        self.held.remove(&place);
        Ok(())
    }

    /// Offers what a message says. The place, if it says nothing that anybody could take care of.
    fn understand(&mut self, hex: &str, place: Option<u32>) -> Option<u32> {
        let places = place.into_iter().collect();
        match pdu::decode(hex) {
            Ok(Received::Text { from, text, part: Some(part) }) if part.total > 1 => {
                if let Some(whole) = self.parts.add(&from, text, part, place, self.clock.mono_us()) {
                    self.text(whole);
                }
            }
            Ok(Received::Text { from, text, .. }) => self.text(Whole { from, text, places }),
            Ok(Received::Report { fate: Fate::Pending, .. }) => return place,
            Ok(Received::Report { reference, to, fate }) => {
                let reference = name(Some(reference), &to);
                self.offer(Incoming::Delivery { reference, delivered: fate == Fate::Delivered }, places);
            }
            Err(error) => {
                tracing::warn!(%error, "modem: an unreadable message is dropped");
                return place;
            }
        }
        None
    }

    fn text(&mut self, Whole { from, text, places }: Whole) {
        self.offer(Incoming::Text { from, text }, places);
    }

    fn offer(&mut self, incoming: Incoming, places: Vec<u32>) {
        let Some(taken) = self.inlet.offer(incoming) else {
            tracing::error!("modem: nobody takes what comes in; what is stored is tried again");
            places.iter().for_each(|place| {
                self.held.remove(place);
            });
            return;
        };
        let (free, round) = (self.free.clone(), self.round);
        tokio::spawn(async move {
            if taken.await.is_ok() {
                // The modem may have gone.
                let _ = free.send((round, places));
            }
        });
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
        let mut reference = None;
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
fn name(reference: Option<u8>, to: &str) -> String {
    let digits: Vec<_> = to.chars().filter(char::is_ascii_digit).collect();
    let end: String = digits[digits.len().saturating_sub(8)..].iter().collect();
    // Without a number no report will be understood; the text is sent all the same.
    format!("{}-{end}", reference.map_or("?".into(), |reference| reference.to_string()))
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
