//! A running dongle: follows what it says, gives each message to the device it is from, and never waits for an answer.
//!
//! Whatever takes an answer (look-ups, Default Responses, interviews, join windows) is an errand: a task that reports
//! back. A reading waits for none of them.

mod chores;
mod joins;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{Ieee, MonoUs};

use super::addresses::Addresses;
use super::air::{Air, Awaited, To};
use super::backup::BackupError;
use super::interview::{Interviewer, Stopped};
use super::link::{Indication, LinkError};
use super::message::{AF_INCOMING, AF_INCOMING_EXT, Bucket, Message, Reader, Recent};
use super::network::Network;
use super::pairing::{self, Door, Window, Wish};
use super::start::{self, Coordinator, StartError};
use super::zcl::{self, Zcl};
use super::{Ask, Context, Order, ieee, short};

const AF_DATA_CONFIRM: u16 = 0x4480;
const ZDO_JOIN: u16 = 0x45CA;
const ZDO_ANNOUNCE: u16 = 0x45C1;
const ZDO_LEAVE: u16 = 0x45C9;
const ZDO_IEEE_REQUEST: u16 = 0x2501;
const ZDO_IEEE_ANSWER: u16 = 0x4581;
const ZDO_LEAVE_REQUEST: (u16, u16) = (0x2534, 0x45B4);
const UTIL_LOOKUP: u16 = 0x2741;
const SYS_PING: u16 = 0x2101;

/// Messages of devices whose address is being asked for; more are dropped and counted.
const HELD_MAX: usize = 256;
/// As many of them may be of one address.
const HELD_OF_ONE: usize = 64;
/// For so long an answer is waited for; then the address is asked for again.
const HELD_US: i64 = 10_000_000;
/// Default Responses that wait for the dongle; more are dropped and counted.
const RESPONSES: usize = 64;
/// The stack has room for some 16 messages on their way.
const INTERVIEWS: usize = 8;
const TICK_US: i64 = 1_000_000;
/// A backup a day, and one after sensors joined, not oftener than this.
const BACKUP_AGAIN_US: i64 = 60_000_000;
/// One that failed is tried again after so long: it reads the whole memory over the line that readings come by.
const BACKUP_FAILED_US: i64 = 3_600_000_000;
/// A dongle that has reset itself is back by then, or is started anew from its port on.
const RESTART_LIMIT: Duration = Duration::from_mins(2);
const PING_US: i64 = 20_000_000;
/// After an interview that did not get to its end, the next one waits: 10 s, 20 s, … up to an hour.
const AGAIN_US: i64 = 10_000_000;
const AGAIN_MAX_US: i64 = 3_600_000_000;
/// The dongle answers from its own table at once; an answer that was damaged on the line must not cost what is held.
const LOOK_UP: Duration = Duration::from_secs(1);
/// Devices asked again at a time who they are.
const ASK_AGAIN: usize = 8;
/// Devices with a place in memory; a network has some hundred at most.
const PEERS_MAX: usize = 2000;

/// How a session ended.
pub enum Ended {
    /// The dongle is lost.
    Lost(String),
    /// Somebody wants the network itself changed: start over with that.
    Asked(Order),
    /// Told to.
    Stopped,
}

/// What errands report back.
enum Event {
    /// Who holds a short address in the dongle's table; `None`: it does not know.
    LookedUp { network: u16, generation: u64, ieee: Option<Ieee> },
    /// The dongle's table did not answer; the devices themselves are asked from now on.
    TableIsLate { network: u16 },
    /// An interview ended.
    Interviewed(Ieee, Result<(), Stopped>),
    /// The door was opened, or not, or closed.
    Door(Door),
    /// A backup was taken, or not.
    BackedUp(Option<Order>, Result<(), BackupError>),
    /// The dongle is there no more.
    Lost(LinkError),
}

/// What this session knows of a device.
struct Peer {
    bucket: Bucket,
    recent: Recent,
    interview: Option<AbortHandle>,
    again_us: MonoUs,
    misses: u32,
}

/// The running dongle.
pub struct Session<'a> {
    context: &'a Context,
    air: Air,
    interviewer: Interviewer,
    reader: Reader<'a>,
    addresses: Addresses,
    /// Messages from addresses that are being asked for, with the address.
    held: VecDeque<(u16, Indication)>,
    peers: HashMap<Ieee, Peer>,
    /// The dongle once did not answer who holds an address; then devices themselves are asked.
    table_is_late: bool,
    responses: mpsc::Sender<(To, Vec<u8>)>,
    door: mpsc::UnboundedSender<Wish>,
    /// Being opened, for whom and for how many seconds.
    opening: Option<(Order, u32)>,
    window: Option<Window>,
    /// Until then a device may come in that the dongle was asked to admit: longer than `window`, which begins when the
    /// dongle has answered and ends before it has closed.
    guard_until_us: MonoUs,
    /// Where the audit of addresses goes on.
    audit: usize,
    next_ping_us: MonoUs,
    /// Of this dongle, for its backup.
    network: Option<Network>,
    backing_up: bool,
    /// A sensor joined since the last backup.
    changed: bool,
    next_backup_us: MonoUs,
    /// Interviews at a time.
    turns: Arc<Semaphore>,
    events: mpsc::UnboundedSender<Event>,
    inbox: mpsc::UnboundedReceiver<Event>,
    errands: JoinSet<()>,
}

impl<'a> Session<'a> {
    /// After start-up.
    pub fn new(context: &'a Context, air: Air, coordinator: Coordinator, network: Option<Network>) -> Self {
        let (events, inbox) = mpsc::unbounded_channel();
        let (responses, answers) = mpsc::channel(RESPONSES);
        let mut errands = JoinSet::new();
        errands.spawn(respond(air.clone(), context.counters.clone(), answers));
        let (door, wishes) = mpsc::unbounded_channel();
        let opened = events.clone();
        errands.spawn(pairing::keep_door(air.clone(), context.policy.clone(), wishes, move |door| {
            let _ = opened.send(Event::Door(door));
        }));
        let interviewer = Interviewer {
            air: air.clone(),
            map: context.map.clone(),
            table: context.table.clone(),
            coordinator: coordinator.ieee,
        };
        let reader = Reader { map: &context.map, counters: &context.counters, unmatched: &context.unmatched };
        Self {
            context,
            air,
            interviewer,
            reader,
            addresses: Addresses::default(),
            held: VecDeque::new(),
            peers: HashMap::new(),
            table_is_late: false,
            responses,
            door,
            opening: None,
            window: None,
            guard_until_us: MonoUs::MIN,
            audit: 0,
            next_ping_us: context.clock.mono_us() + PING_US,
            network,
            backing_up: false,
            changed: false,
            next_backup_us: 0,
            turns: Arc::new(Semaphore::new(INTERVIEWS)),
            events,
            inbox,
            errands,
        }
    }

    /// The network is another one than before: a backup is due.
    pub fn changed(&mut self) {
        self.changed = true;
    }

    /// Follows the dongle until its port closes, somebody asks for another network, or `stop`.
    pub async fn listen(
        &mut self,
        indications: &mut mpsc::UnboundedReceiver<Indication>,
        orders: &mut mpsc::Receiver<Order>,
        stop: &CancellationToken,
    ) -> Ended {
        // A window of the run before, or of another host, must not stay open.
        self.close_everywhere();
        let clock = &self.context.clock;
        // Kept from message to message: to set them anew with each costs as much as to read it.
        let mut tick = Box::pin(clock.sleep_until(clock.mono_us() + TICK_US));
        let mut stopped = std::pin::pin!(stop.cancelled());
        loop {
            let result = tokio::select! {
                // In this order: what the dongle said before it answered a look-up is in the channel by then, and must
                // count first, or a message could go to whoever has its sender's address now.
                biased;
                () = &mut stopped => {
                    self.shut().await;
                    // What was heard until then is kept.
                    while let Ok(said) = indications.try_recv() {
                        if matches!(said.command, AF_INCOMING | AF_INCOMING_EXT) && self.incoming(said).await.is_err() {
                            break;
                        }
                    }
                    return Ended::Stopped;
                }
                () = &mut tick => {
                    tick.set(clock.sleep_until(clock.mono_us() + TICK_US));
                    self.tick();
                    Ok(())
                }
                said = indications.recv() => match said {
                    Some(said) if said.command == start::SYS_RESET_IND => tokio::select! {
                        restarted = self.restarted(indications) => restarted,
                        // It can take minutes.
                        () = stop.cancelled() => return Ended::Stopped,
                    },
                    Some(said) => self.follow(said).await,
                    None => return Ended::Lost("the serial port closed".into()),
                },
                Some(event) = self.inbox.recv() => self.happened(event).await,
                Some(order) = orders.recv() => match order.ask {
                    Ask::Pair { seconds } => {
                        self.pair(order, seconds);
                        Ok(())
                    }
                    Ask::Backup => {
                        self.back_up(Some(order));
                        Ok(())
                    }
                    Ask::Form { .. } | Ask::Adopt | Ask::Restore { .. } => match order.confirmed() {
                        Some(order) => {
                            self.shut().await;
                            return Ended::Asked(order);
                        }
                        None => Ok(()),
                    },
                },
            };
            if let Err(error) = result {
                return Ended::Lost(error.to_string());
            }
            // Their results come as events.
            while self.errands.try_join_next().is_some() {}
        }
    }

    async fn follow(&mut self, said: Indication) -> Result<(), StartError> {
        let counters = &self.context.counters;
        match said.command {
            AF_INCOMING | AF_INCOMING_EXT => self.incoming(said).await?,
            AF_DATA_CONFIRM => match said.data[..] {
                [_, _, transaction, ..] => drop(self.air.answer(Awaited::Confirm(transaction), &said.data)),
                _ => counters.add("malformed_confirms", 1),
            },
            ZDO_JOIN => self.met(&said, 2, 0),
            ZDO_ANNOUNCE => self.met(&said, 4, 2),
            ZDO_LEAVE => self.left(&said.data),
            ZDO_IEEE_ANSWER => self.answered(&said.data).await?,
            0x4582..=0x45B6 => match short(&said.data, 0) {
                Some(from) => drop(self.air.answer(Awaited::Zdo(said.command, from), &said.data)),
                None => counters.add("malformed_answers", 1),
            },
            start::ZDO_STATE_CHANGE | 0x45CB | 0x4F80 => {}
            _ => counters.add("other_indications", 1),
        }
        Ok(())
    }

    /// The dongle restarted by itself: our endpoint and the join window are gone, and whatever was announced meanwhile
    /// was not heard, so no address counts until it is confirmed again.
    async fn restarted(&mut self, indications: &mut mpsc::UnboundedReceiver<Indication>) -> Result<(), StartError> {
        tracing::warn!("the dongle has reset itself");
        let counters = &self.context.counters;
        counters.add("dongle_resets", 1);
        counters.add("unknown_sender_dropped", self.held.len() as u64);
        self.held.clear();
        self.addresses.forget_all();
        self.air.forget();
        self.table_is_late = false;
        let clock = &self.context.clock;
        let restart = start::restart(&self.air.link, indications, clock, self.network.as_ref());
        let late = || Err(StartError::NotStarted(RESTART_LIMIT.as_secs()));
        clock.timeout(RESTART_LIMIT, restart).await.unwrap_or_else(late)?;
        if let Some(window) = &mut self.window {
            window.renew_us = 0;
        }
        Ok(())
    }

    /// A device's own answer who holds an address: status, ieee, address. It is as good as an announcement.
    async fn answered(&mut self, data: &[u8]) -> Result<(), StartError> {
        match (data.first(), ieee(data, 1), short(data, 9)) {
            (Some(0), Some(device), Some(network)) => {
                if self.addresses.ieee(network).is_none() {
                    self.addresses.learn(device, network);
                }
                self.release(network).await
            }
            (Some(1..), ..) => Ok(()),
            _ => {
                self.context.counters.add("malformed_answers", 1);
                Ok(())
            }
        }
    }

    async fn happened(&mut self, event: Event) -> Result<(), StartError> {
        match event {
            Event::LookedUp { network, generation, ieee: Some(device) } => match self.addresses.ieee(network) {
                // Announced meanwhile, or an audit.
                Some(before) if generation == self.addresses.generation() && before != device => {
                    tracing::warn!(%before, %device, network, "an address changed hands without a word");
                    self.context.counters.add("addresses_corrected", 1);
                    self.interrupt(before);
                    self.interrupt(device);
                    self.addresses.learn(device, network);
                }
                Some(_) => {}
                None if self.addresses.looked_up(device, network, generation) => self.release(network).await?,
                None => self.look_up(network),
            },
            Event::LookedUp { network, ieee: None, .. } => self.ask_device(network),
            Event::TableIsLate { network } => {
                self.table_is_late = true;
                self.ask_device(network);
            }
            Event::Interviewed(device, result) => self.interviewed(device, &result),
            Event::Door(door) => self.door_said(door),
            Event::BackedUp(order, result) => self.backed_up(order, result),
            Event::Lost(error) => return Err(error.into()),
        }
        Ok(())
    }

    /// Gives the held messages of an address that has become known back to their way.
    async fn release(&mut self, network: u16) -> Result<(), StartError> {
        let held = std::mem::take(&mut self.held);
        let (mine, others): (VecDeque<_>, _) = held.into_iter().partition(|(from, _)| *from == network);
        self.held = others;
        for (_, said) in mine {
            self.incoming(said).await?;
        }
        Ok(())
    }

    async fn incoming(&mut self, said: Indication) -> Result<(), StartError> {
        let Some(message) = Message::parse(&said) else {
            self.context.counters.add("malformed_messages", 1);
            return Ok(());
        };
        match message.ieee.or_else(|| self.addresses.ieee(message.network)) {
            Some(device) => self.message(device, &message, &said).await,
            None => {
                let network = message.network;
                self.hold(network, said);
                Ok(())
            }
        }
    }

    fn hold(&mut self, network: u16, said: Indication) {
        let mine = self.held.iter().filter(|(from, _)| *from == network).count();
        if self.held.len() >= HELD_MAX || mine >= HELD_OF_ONE {
            self.context.counters.add("unknown_sender_dropped", 1);
            return;
        }
        self.held.push_back((network, said));
        if mine == 0 {
            self.look_up(network);
        }
    }

    /// What nobody answered for in time belongs to nobody.
    fn drop_held(&mut self, now: MonoUs) {
        let before = self.held.len();
        self.held.retain(|(_, held)| now - held.mono_us < HELD_US);
        self.context.counters.add("unknown_sender_dropped", (before - self.held.len()) as u64);
    }

    /// Asks the dongle's own table, which answers at once, and the device where that is of no use.
    fn look_up(&mut self, network: u16) {
        if self.table_is_late {
            return self.ask_device(network);
        }
        let (air, events, generation) = (self.air.clone(), self.events.clone(), self.addresses.generation());
        self.errands.spawn(async move {
            let event = match air.link.request_within(UTIL_LOOKUP, &network.to_le_bytes(), LOOK_UP).await {
                // All ones mean that it does not know.
                Ok(answer) => {
                    let ieee = ieee(&answer, 0).filter(|ieee| ieee.0 != u64::MAX && ieee.0 != 0);
                    Event::LookedUp { network, generation, ieee }
                }
                Err(LinkError::Closed) => Event::Lost(LinkError::Closed),
                // The answer does not say whom it is about: a late one would be taken for that to the next question.
                Err(LinkError::Timeout(_)) => Event::TableIsLate { network },
                Err(_) => Event::LookedUp { network, generation, ieee: None },
            };
            let _ = events.send(event);
        });
    }

    fn ask_device(&mut self, network: u16) {
        let (link, [low, high]) = (self.air.link.clone(), network.to_le_bytes());
        self.errands.spawn(async move {
            if let Err(error) = link.request(ZDO_IEEE_REQUEST, &[low, high, 0, 0]).await {
                tracing::debug!(%error, network, "nobody can be asked who holds this address");
            }
        });
    }

    /// A message from a device that is known.
    async fn message(&mut self, device: Ieee, message: &Message<'_>, said: &Indication) -> Result<(), StartError> {
        let counters = &self.context.counters;
        let Some(peer) = self.peer(device, said.mono_us) else {
            counters.add("unknown_sender_dropped", 1);
            return Ok(());
        };
        if !peer.bucket.take(said.mono_us) {
            counters.add("floods_dropped", 1);
            return Ok(());
        }
        let Some(frame) = Zcl::parse(message.zcl) else {
            counters.add("malformed_zcl", 1);
            return Ok(());
        };
        let to = To { network: message.network, endpoint: message.endpoint, cluster: message.cluster };
        match (frame.cluster_specific, frame.command) {
            (false, zcl::REPORT) if peer.recent.is_duplicate(message, said.mono_us) => {
                counters.add("duplicates", 1);
            }
            (false, zcl::REPORT) => {
                if let Some(oddity) = peer.recent.sequence(message.endpoint, frame.sequence) {
                    counters.add(oddity, 1);
                }
                let facts = self.context.table.get(device).unwrap_or_default();
                for report in self.reader.reports(device, &facts, message, &frame, said) {
                    // Waiting here slows the serial line down, it loses nothing.
                    if self.context.reports.send(report).await.is_err() {
                        return Err(LinkError::Closed.into());
                    }
                }
            }
            (false, zcl::READ_RESPONSE | zcl::CONFIGURE_RESPONSE | zcl::DEFAULT_RESPONSE) => {
                let answer = [&[frame.command], frame.payload].concat();
                self.air.answer(Awaited::Zcl(device, message.cluster, frame.sequence), &answer);
                return Ok(());
            }
            _ => {
                counters.add("other_commands", 1);
                return Ok(());
            }
        }
        // After the readings, and by somebody else: a dongle that does not answer must not hold an emergency back.
        if frame.wants_response && !message.broadcast && message.ieee.is_none() {
            let queued = self.responses.try_send((to, frame.default_response()));
            counters.add("responses_dropped", u64::from(queued.is_err()));
        }
        if message.ieee.is_none() {
            self.interview(device, message.network, said.mono_us);
        }
        Ok(())
    }

    fn peer(&mut self, device: Ieee, now: MonoUs) -> Option<&mut Peer> {
        // Strangers may take no place from those who belong here.
        if self.peers.len() >= PEERS_MAX && !self.peers.contains_key(&device) && !self.context.listed(device) {
            return None;
        }
        let bucket = Bucket::new(now, self.context.flood_limit);
        let new = || Peer { bucket, recent: Recent::default(), interview: None, again_us: 0, misses: 0 };
        Some(self.peers.entry(device).or_insert_with(new))
    }
}

async fn respond(air: Air, counters: super::Counters, mut answers: mpsc::Receiver<(To, Vec<u8>)>) {
    while let Some((to, zcl)) = answers.recv().await {
        // A device that has gone to sleep again is no reason to lose its report.
        if air.tell(to, &zcl).await.is_err() {
            counters.add("responses_failed", 1);
        }
    }
}

#[cfg(test)]
mod tests;
