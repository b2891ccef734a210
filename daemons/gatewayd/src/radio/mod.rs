//! The radio: a Zigbee coordinator on a serial port, and the reports of its devices.
//!
//! Needs no trait until a second kind of coordinator exists. Readings leave here without identity or quality;
//! those are COLLECT's.

pub mod counters;
mod devices;
pub mod link;
pub mod map;
mod port;
mod start;
pub mod unpi;
pub mod zcl;

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{Ieee, MonoUs, UtcUs, Value, Vital};
use medmon_kit::Clock;

use self::counters::Counters;
use self::devices::Devices;
use self::link::{Indication, Link, LinkError};
use self::map::{Map, Mapped, Origin, Rejected};
use self::port::Port;
pub use self::start::{Coordinator, StartError};
use self::zcl::Zcl;

const AF_INCOMING: u16 = 0x4481;
const AF_INCOMING_EXT: u16 = 0x4482;
const AF_DATA_REQUEST: u16 = 0x2401;
const ZDO_JOIN: u16 = 0x45CA;
const ZDO_ANNOUNCE: u16 = 0x45C1;
const ZDO_LEAVE: u16 = 0x45C9;
const ZDO_IEEE_REQUEST: u16 = 0x2501;
const ZDO_IEEE_ANSWER: u16 = 0x4581;
const UTIL_LOOKUP: u16 = 0x2741;

/// Messages of devices whose address is being asked for; more are dropped and counted.
const HELD_MAX: usize = 256;
/// For so long an answer is waited for; then the address is asked for again.
const HELD_US: i64 = 10_000_000;
/// A retried frame repeats its sequence within this time.
const DUPLICATE_US: i64 = 4_000_000;
/// Frames remembered for that.
const DUPLICATE_MAX: usize = 512;
const PING_INTERVAL: Duration = Duration::from_secs(20);

/// What a device reported.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// Who.
    pub device: Ieee,
    /// From which endpoint.
    pub endpoint: u8,
    /// What.
    pub vital: Vital,
    /// How much, as stored.
    pub value: Value,
    /// Counter of the first sample of a burst.
    pub counter: Option<u16>,
    /// Link quality 0-255.
    pub link_quality: u8,
    /// Arrival on the serial line, monotonic.
    pub mono_us: MonoUs,
    /// Arrival on the serial line, UTC.
    pub utc_us: UtcUs,
}

/// Whether the radio works, for `medmon local status`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum RadioState {
    /// Not yet.
    #[default]
    Starting,
    /// The network is up.
    Running {
        /// The dongle's address.
        coordinator: String,
        /// Its firmware.
        version: String,
    },
    /// Something is wrong; it is tried again.
    Failed {
        /// What.
        reason: String,
    },
}

/// How to reach the dongle.
#[derive(Clone, Debug)]
pub struct Options {
    /// Serial port.
    pub port: std::path::PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// May a blank dongle form a network?
    pub form_network: bool,
}

/// Runs the radio until `stop`: opens the port again and again, with back-off, and never gives up.
pub async fn run(
    options: Options,
    map: Map,
    clock: Clock,
    counters: Counters,
    reports: mpsc::Sender<Report>,
    state: tokio::sync::watch::Sender<RadioState>,
    stop: CancellationToken,
) {
    let mut pause = Duration::from_millis(250);
    while !stop.is_cancelled() {
        let began = clock.mono_us();
        let session = session(&options, &map, &clock, &counters, &reports, &state);
        let ended = tokio::select! {
            ended = session => ended,
            () = stop.cancelled() => return,
        };
        tracing::warn!(reason = %ended, port = %options.port.display(), "radio lost; trying again");
        counters.add("radio_restarts", 1);
        state.send_replace(RadioState::Failed { reason: ended });
        // A session that had worked for a while starts over with a short pause.
        if clock.mono_us() - began > 60_000_000 {
            pause = Duration::from_millis(250);
        }
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(Duration::from_secs(10));
    }
}

/// One opening of the port. Returns why it ended.
async fn session(
    options: &Options,
    map: &Map,
    clock: &Clock,
    counters: &Counters,
    reports: &mpsc::Sender<Report>,
    state: &tokio::sync::watch::Sender<RadioState>,
) -> String {
    let port = match Port::open(&options.port, options.baud) {
        Ok(port) => port,
        Err(error) => return format!("serial port {}: {error}", options.port.display()),
    };
    let (link, mut indications) = Link::open(port, clock.clone(), counters.clone());
    let key = *uuid::Uuid::new_v4().as_bytes();
    let coordinator = match start::start(&link, &mut indications, clock, options.form_network, key).await {
        Ok(coordinator) => coordinator,
        Err(error) => return error.to_string(),
    };
    let version = coordinator.version.map(|part| part.to_string()).join(".");
    tracing::info!(coordinator = %coordinator.ieee, version, "radio running");
    state.send_replace(RadioState::Running { coordinator: coordinator.ieee.to_string(), version });
    let mut radio = Radio {
        link,
        map,
        clock,
        counters,
        reports,
        devices: Devices::default(),
        held: VecDeque::new(),
        recent: VecDeque::new(),
        hasher: RandomState::new(),
        table_is_late: false,
        transaction: 0,
    };
    match radio.listen(&mut indications).await {
        Ok(()) => "the serial port closed".into(),
        Err(error) => error.to_string(),
    }
}

struct Radio<'a> {
    link: Link,
    map: &'a Map,
    clock: &'a Clock,
    counters: &'a Counters,
    reports: &'a mpsc::Sender<Report>,
    devices: Devices,
    /// Messages from addresses that are being asked for, with the address.
    held: VecDeque<(u16, Indication)>,
    /// Frames of the last seconds: when, and a hash of who and what. A new one has the hash of one of 512 by chance once in
    /// 10^16 times, and nobody can aim at it without the key.
    recent: VecDeque<(MonoUs, u64)>,
    hasher: RandomState,
    /// The dongle once did not answer who holds an address; then devices themselves are asked.
    table_is_late: bool,
    transaction: u8,
}

impl Radio<'_> {
    /// Follows the dongle until its port closes.
    async fn listen(&mut self, indications: &mut mpsc::UnboundedReceiver<Indication>) -> Result<(), StartError> {
        loop {
            let said = tokio::select! {
                said = indications.recv() => said,
                () = self.clock.sleep(PING_INTERVAL) => {
                    // The line may be silent for hours; the dongle must still be there.
                    self.link.request(0x2101, &[]).await?;
                    continue;
                }
            };
            let Some(said) = said else { return Ok(()) };
            match said.command {
                AF_INCOMING | AF_INCOMING_EXT => self.incoming(said).await?,
                ZDO_JOIN => self.met(&said.data, 2, 0),
                ZDO_ANNOUNCE => self.met(&said.data, 4, 2),
                ZDO_LEAVE => self.left(&said.data),
                ZDO_IEEE_ANSWER => self.looked_up(&said).await?,
                start::SYS_RESET_IND => {
                    tracing::warn!("the dongle has reset itself");
                    self.counters.add("dongle_resets", 1);
                    start::restart(&self.link, indications, self.clock).await?;
                }
                _ => self.counters.add("other_indications", 1),
            }
        }
    }

    fn met(&mut self, data: &[u8], ieee_at: usize, network_at: usize) {
        match (ieee(data, ieee_at), short(data, network_at)) {
            (Some(ieee), Some(network)) => self.devices.learn(ieee, network),
            _ => self.counters.add("malformed_indications", 1),
        }
    }

    fn left(&mut self, data: &[u8]) {
        match (ieee(data, 2), short(data, 0)) {
            (Some(ieee), Some(network)) => self.devices.forget(ieee, network),
            _ => self.counters.add("malformed_indications", 1),
        }
    }

    /// An answer to our question who holds an address: status, ieee, address.
    async fn looked_up(&mut self, said: &Indication) -> Result<(), StartError> {
        let (Some(0), Some(ieee), Some(network)) = (said.data.first(), ieee(&said.data, 1), short(&said.data, 9))
        else {
            return Ok(());
        };
        self.devices.learn(ieee, network);
        self.release(network).await
    }

    /// Gives the held messages of an address that has become known back to their way.
    async fn release(&mut self, network: u16) -> Result<(), StartError> {
        let held = std::mem::take(&mut self.held);
        let (mine, others) = held.into_iter().partition(|(from, _)| *from == network);
        self.held = others;
        let mine: VecDeque<(u16, Indication)> = mine;
        for (_, said) in mine {
            self.message(&said).await?;
        }
        Ok(())
    }

    async fn incoming(&mut self, said: Indication) -> Result<(), StartError> {
        let Some(message) = Message::parse(&said) else {
            self.counters.add("malformed_indications", 1);
            return Ok(());
        };
        let network = message.network;
        if self.devices.ieee(network).is_some() {
            return self.message(&said).await;
        }
        let (before, now) = (self.held.len(), said.mono_us);
        self.held.retain(|(_, held)| now - held.mono_us < HELD_US);
        self.counters.add("unknown_sender_dropped", (before - self.held.len()) as u64);
        let asked = self.held.iter().any(|(from, _)| *from == network);
        if self.held.len() >= HELD_MAX {
            self.counters.add("unknown_sender_dropped", 1);
            return Ok(());
        }
        self.held.push_back((network, said));
        if asked {
            return Ok(());
        }
        match self.table(network).await? {
            Some(ieee) => {
                self.devices.learn(ieee, network);
                self.release(network).await
            }
            None => {
                let [low, high] = network.to_le_bytes();
                self.link.request(ZDO_IEEE_REQUEST, &[low, high, 0, 0]).await?;
                Ok(())
            }
        }
    }

    /// Who holds `network` in the dongle's own table, which answers at once. All ones mean that it does not know.
    async fn table(&mut self, network: u16) -> Result<Option<Ieee>, LinkError> {
        if self.table_is_late {
            return Ok(None);
        }
        match self.link.request(UTIL_LOOKUP, &network.to_le_bytes()).await {
            Ok(answer) => Ok(ieee(&answer, 0).filter(|ieee| ieee.0 != u64::MAX && ieee.0 != 0)),
            Err(LinkError::Closed) => Err(LinkError::Closed),
            Err(error) => {
                // The answer does not say whom it is about: a late one would be taken for that to the next question.
                self.table_is_late = matches!(error, LinkError::Timeout(_));
                Ok(None)
            }
        }
    }

    /// A message from a device that is known.
    async fn message(&mut self, said: &Indication) -> Result<(), StartError> {
        let Some(message) = Message::parse(said) else { return Ok(()) };
        let Some(device) = self.devices.ieee(message.network) else { return Ok(()) };
        let Some(frame) = Zcl::parse(message.zcl) else {
            self.counters.add("malformed_zcl", 1);
            return Ok(());
        };
        if frame.cluster_specific || frame.command != zcl::REPORT {
            self.counters.add("other_commands", 1);
            return Ok(());
        }
        if self.is_duplicate(device, &message, said.mono_us) {
            self.counters.add("duplicates", 1);
        } else {
            for report in self.reports_of(device, &message, &frame, said) {
                // Waiting here slows the serial line down, it loses nothing.
                if self.reports.send(report).await.is_err() {
                    return Err(LinkError::Closed.into());
                }
            }
        }
        // After the readings: a dongle that does not answer must not hold an emergency back.
        if frame.wants_response && !message.broadcast {
            self.respond(&message, &frame).await?;
        }
        Ok(())
    }

    async fn respond(&mut self, message: &Message<'_>, frame: &Zcl<'_>) -> Result<(), LinkError> {
        let zcl = frame.default_response();
        self.transaction = self.transaction.wrapping_add(1);
        let ([n0, n1], [c0, c1]) = (message.network.to_le_bytes(), message.cluster.to_le_bytes());
        let head = [n0, n1, message.endpoint, start::ENDPOINT, c0, c1, self.transaction, 0, 30, zcl.len() as u8];
        match self.link.request(AF_DATA_REQUEST, &[&head[..], &zcl].concat()).await {
            // A device that has gone to sleep again is no reason to lose its report.
            Err(LinkError::Timeout(_) | LinkError::Refused(..)) => {
                self.counters.add("responses_failed", 1);
                Ok(())
            }
            Err(error) => Err(error),
            Ok(_) => Ok(()),
        }
    }

    /// Retried frames repeat the ZCL sequence; it wraps at 256, so only the last seconds and the payload count.
    fn is_duplicate(&mut self, device: Ieee, message: &Message<'_>, now: MonoUs) -> bool {
        while self.recent.front().is_some_and(|seen| now - seen.0 > DUPLICATE_US) || self.recent.len() > DUPLICATE_MAX {
            self.recent.pop_front();
        }
        let frame = self.hasher.hash_one((device, message.endpoint, message.cluster, message.zcl));
        let same = self.recent.iter().any(|(_, seen)| *seen == frame);
        if !same {
            self.recent.push_back((now, frame));
        }
        same
    }

    fn reports_of(&self, device: Ieee, message: &Message<'_>, frame: &Zcl<'_>, said: &Indication) -> Vec<Report> {
        let (records, lost) = zcl::report_records(frame.payload);
        self.counters.add("unreadable_records", lost as u64);
        let origin = Origin {
            ieee: device,
            endpoint: message.endpoint,
            model: "",
            manufacturer: "",
            cluster: message.cluster,
            mfr_code: frame.manufacturer,
        };
        let report = |vital, value, counter| Report {
            device,
            endpoint: message.endpoint,
            vital,
            value,
            counter,
            link_quality: message.link_quality,
            mono_us: said.mono_us,
            utc_us: said.utc_us,
        };
        let (mut reports, mut axes) = (Vec::new(), [None; 3]);
        for record in &records {
            match self.map.apply(origin, record) {
                Ok(Mapped::Scalar(vital, value)) => {
                    reports.push(report(vital, Value::Scalar(vital.to_stored(value)), None));
                }
                Ok(Mapped::Axis(axis, value)) => axes[axis] = Some((value * 1000.0).round() as i16),
                Ok(Mapped::Burst { counter, rate_hz, xyz }) => {
                    let value = Value::Samples { rate_hz, lost: 0, xyz };
                    reports.push(report(Vital::ACCELERATION, value, Some(counter)));
                }
                Err(rejected) => self.counters.add(
                    match rejected {
                        Rejected::Unmatched => "unmatched_attributes",
                        Rejected::Invalid => "invalid_values",
                        Rejected::WrongType => "wrong_types",
                        Rejected::Implausible => "implausible_values",
                        Rejected::Malformed => "malformed_bursts",
                    },
                    1,
                ),
            }
        }
        match axes {
            [Some(x), Some(y), Some(z)] => {
                let value = Value::Samples { rate_hz: 0, lost: 0, xyz: vec![[x, y, z]] };
                reports.push(report(Vital::ACCELERATION, value, None));
            }
            [None, None, None] => {}
            // An axis alone is no vector, and yesterday's other two would be a lie.
            _ => self.counters.add("incomplete_vectors", 1),
        }
        reports
    }
}

/// AF_INCOMING_MSG and its long form, as far as we need them.
struct Message<'a> {
    network: u16,
    cluster: u16,
    endpoint: u8,
    broadcast: bool,
    link_quality: u8,
    zcl: &'a [u8],
}

impl<'a> Message<'a> {
    fn parse(said: &'a Indication) -> Option<Self> {
        let data = said.data.as_slice();
        let cluster = short(data, 2)?;
        if said.command == AF_INCOMING {
            let length = usize::from(*data.get(16)?);
            return Some(Self {
                network: short(data, 4)?,
                cluster,
                endpoint: *data.get(6)?,
                broadcast: *data.get(8)? != 0,
                link_quality: *data.get(9)?,
                // Exactly `length` bytes: what follows is undocumented and varies by build.
                zcl: data.get(17..17 + length)?,
            });
        }
        // group, cluster, address mode (2 = 16 bits), address 8, endpoint, PAN, our endpoint, broadcast, lqi, security,
        // timestamp u32, sequence, length u16.
        let length = usize::from(short(data, 25)?);
        (*data.get(4)? == 2).then_some(())?;
        Some(Self {
            network: short(data, 5)?,
            cluster,
            endpoint: *data.get(13)?,
            broadcast: *data.get(17)? != 0,
            link_quality: *data.get(18)?,
            zcl: data.get(27..27 + length)?,
        })
    }
}

fn short(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]))
}

fn ieee(data: &[u8], at: usize) -> Option<Ieee> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(data.get(at..at + 8)?);
    Some(Ieee(u64::from_le_bytes(bytes)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::unpi::Frame;
    use super::*;

    /// The answer of the dongle's table does not say whom it is about: a late one is never taken for another's.
    #[tokio::test(start_paused = true)]
    async fn a_table_that_was_late_once_is_not_asked_again() {
        let (ours, mut theirs) = tokio::io::duplex(4096);
        let (clock, counters) = (Clock::scaled(1.0, 0), Counters::default());
        let (link, _indications) = Link::open(ours, clock.clone(), counters.clone());
        let (reports, _inbox) = mpsc::channel(8);
        let map = Map::new(&[]).unwrap();
        let mut radio = Radio {
            link,
            map: &map,
            clock: &clock,
            counters: &counters,
            reports: &reports,
            devices: Devices::default(),
            held: VecDeque::new(),
            recent: VecDeque::new(),
            hasher: RandomState::new(),
            table_is_late: false,
            transaction: 0,
        };
        let from = |network: u16| {
            let mut data = vec![0; 17];
            data[4..6].copy_from_slice(&network.to_le_bytes());
            Indication { command: AF_INCOMING, data, mono_us: 0, utc_us: 0 }
        };
        let asked = async {
            let mut asked = Vec::new();
            while asked.len() < 3 {
                let mut head = [0; 4];
                theirs.read_exact(&mut head).await.unwrap();
                let mut rest = vec![0; usize::from(head[1]) + 1];
                theirs.read_exact(&mut rest).await.unwrap();
                let command = u16::from_be_bytes([head[2], head[3]]);
                asked.push(command);
                if command == ZDO_IEEE_REQUEST {
                    let answer = Frame { command: 0x6501, data: vec![0] };
                    theirs.write_all(&answer.encode().unwrap()).await.unwrap();
                }
            }
            asked
        };
        let messages = async {
            radio.incoming(from(0x1000)).await.unwrap();
            radio.incoming(from(0x2000)).await.unwrap();
        };
        let ((), asked) = tokio::join!(messages, asked);
        assert_eq!(asked, [UTIL_LOOKUP, ZDO_IEEE_REQUEST, ZDO_IEEE_REQUEST]);
    }
}
