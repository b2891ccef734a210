//! The virtual coordinator: Z-Stack 3.x.0 on a CC2652 as a host sees it through the MT API (SWRA198), no I/O.
//!
//! A frame and the time in, frames out. Not for: ZDO requests about devices (zdo.rs), the line (faults.rs, mod.rs).

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::frame::{Fields, Frame};
use super::memory::{CHANNEL, COUNTER_STEP, factory, nv};
use super::zcl::{self, Attributes, DeviceSpec, Outcome};
use super::{Announced, DongleCounters, DongleOptions};
use crate::air::AttributeReport;

/// Status bytes.
pub const OK: u8 = 0;
const INVALID_PARAMETER: u8 = 0x02;
const ALREADY_REGISTERED: u8 = 0xB8;
const NO_ROUTE: u8 = 0xCD;
const EXPIRED: u8 = 0xF0;

/// The network state of a coordinator that runs.
const RUNNING: u8 = 9;
/// AF_INCOMING_MSG has 20 bytes around the ZCL data.
const MAX_ZCL: usize = super::frame::MAX_DATA - 20;

const VERSION: [u8; 5] = [2, 1, 2, 7, 1];
const CODE_REVISION: u32 = 20230507;
const CAPABILITIES: u16 = 0x0659;

/// What makes two radios members of one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    pub(super) pan: u16,
    pub(super) extended_pan: u64,
    pub(super) key: [u8; 16],
}

/// A sensor in reach.
#[derive(Clone, Debug)]
pub struct Sensor {
    pub spec: DeviceSpec,
    pub nwk: u16,
    /// Of which it is a member.
    network: Option<Network>,
    /// The newest frame counter it has heard of its coordinator: older ones are replays to it.
    heard: u32,
    sequence: u8,
    attributes: Attributes,
}

/// The coordinator with its memory and its network.
#[derive(Debug)]
pub struct Coordinator {
    pub ieee: u64,
    pub counters: DongleCounters,
    pub(super) sensors: Vec<Sensor>,
    pub(super) nv: BTreeMap<u16, Vec<u8>>,
    /// Rows of the extended memory, by item and number.
    pub(super) tables: BTreeMap<(u16, u16), Vec<u8>>,
    pub(super) hardware_ieee: u64,
    pub(super) network: Option<Network>,
    /// Of the next frame on the air.
    pub(super) counter: u32,
    endpoints: BTreeSet<u8>,
    callbacks: Vec<u16>,
    /// ZDO_DIRECT_CB as it was at the last boot: a write takes effect at the next one.
    direct_callbacks: bool,
    running: bool,
    booted_us: i64,
    pub(super) formed_us: Option<i64>,
    join_until_us: i64,
    next_nwk: u16,
    /// Statuses of the next confirms.
    pub(super) confirms: VecDeque<u8>,
    /// Devices whose install code is known, and whether others are kept out.
    install_codes: BTreeSet<u64>,
    install_codes_only: bool,
    extended: f64,
    asleep: f64,
    rng: ChaCha8Rng,
}

impl Coordinator {
    pub fn new(options: &DongleOptions, now_us: i64) -> Self {
        let mut coordinator = Self {
            ieee: options.ieee,
            counters: DongleCounters::default(),
            sensors: Vec::new(),
            nv: factory(),
            tables: BTreeMap::new(),
            hardware_ieee: options.ieee,
            network: None,
            counter: 0,
            endpoints: BTreeSet::new(),
            callbacks: Vec::new(),
            direct_callbacks: false,
            running: false,
            booted_us: now_us,
            formed_us: None,
            join_until_us: i64::MIN,
            next_nwk: (options.ieee as u16).wrapping_mul(0x9E37),
            confirms: VecDeque::new(),
            install_codes: BTreeSet::new(),
            install_codes_only: false,
            extended: options.extended,
            asleep: options.asleep,
            rng: ChaCha8Rng::seed_from_u64(options.faults.seed),
        };
        if options.formed {
            coordinator.store_network();
            coordinator.nv.insert(nv::ZDO_DIRECT_CB, vec![u8::from(options.direct_callbacks)]);
        }
        coordinator.boot(now_us);
        coordinator
    }

    /// Whether messages from sensors reach the host.
    pub fn registered(&self) -> bool {
        self.running && self.endpoints.contains(&1)
    }

    /// Restarts: registration is lost, memory stays unless the start-up option says otherwise.
    pub fn reset(&mut self, now_us: i64) -> Frame {
        let option = self.byte(nv::STARTUP_OPTION);
        if option & 0x02 != 0 {
            self.nv.remove(&nv::NIB);
            self.nv.remove(&nv::ACTIVE_KEY);
            self.nv.remove(&nv::ALTERNATE_KEY);
            self.tables.clear();
            self.nv.insert(nv::BDB_NODE_IS_ON_A_NETWORK, vec![0]);
        }
        if option & 0x01 != 0 {
            let kept = [nv::NIB, nv::BDB_NODE_IS_ON_A_NETWORK, nv::STARTUP_OPTION];
            self.nv.retain(|id, _| kept.contains(id));
            for (id, value) in factory() {
                self.nv.entry(id).or_insert(value);
            }
        }
        self.boot(now_us);
        Frame::new(0x4180, [&[0], VERSION.as_slice()].concat())
    }

    /// Restarts with its memory gone (a worn-out flash).
    pub fn wipe(&mut self, now_us: i64) -> Frame {
        self.nv.insert(nv::STARTUP_OPTION, vec![3]);
        let said = self.reset(now_us);
        self.nv.insert(nv::STARTUP_OPTION, vec![0]);
        said
    }

    fn boot(&mut self, now_us: i64) {
        self.endpoints.clear();
        self.callbacks.clear();
        self.running = false;
        self.booted_us = now_us;
        self.join_until_us = i64::MIN;
        self.install_codes_only = false;
        self.direct_callbacks = self.byte(nv::ZDO_DIRECT_CB) == 1;
        let own = self.nv.entry(nv::EXTADDR).or_insert_with(|| self.hardware_ieee.to_le_bytes().to_vec());
        self.ieee = Fields(own).u64().unwrap_or(self.hardware_ieee);
        self.load_network();
    }

    /// A frame goes out to the sensor at `index`, and is a new one to it.
    fn transmit(&mut self, index: usize) {
        self.counter = self.counter.saturating_add(1);
        self.sensors[index].heard = self.counter;
        if self.counter.is_multiple_of(COUNTER_STEP) {
            self.keep_counter();
        }
    }

    /// Member of the network that runs here, and not deaf because the coordinator's counter fell behind.
    fn is_ours(&self, sensor: &Sensor) -> bool {
        sensor.network.is_some() && sensor.network == self.network && self.counter >= sensor.heard
    }

    /// Sensors as they are, to be taken to another dongle.
    pub fn paired(&self) -> Vec<Sensor> {
        self.sensors.clone()
    }

    /// Time passes: so many frames go to each sensor.
    pub fn talk(&mut self, frames: u32) {
        for _ in 0..frames {
            for index in 0..self.sensors.len() {
                if self.is_ours(&self.sensors[index]) {
                    self.transmit(index);
                }
            }
        }
    }

    /// Sensors that were paired with another dongle come into reach.
    pub fn bring(&mut self, sensors: Vec<Sensor>) {
        self.sensors.extend(sensors);
    }

    /// What the dongle says to a frame from the host.
    pub fn handle(&mut self, frame: &Frame, now_us: i64) -> Vec<Frame> {
        let kind = frame.command >> 13;
        match (kind, frame.command) {
            (2, 0x4100) => vec![self.reset(now_us)],
            (1, _) => self.request(frame, now_us),
            // Other AREQs are not for the dongle to answer, and it never gets SRSPs.
            _ => Vec::new(),
        }
    }

    fn request(&mut self, frame: &Frame, now_us: i64) -> Vec<Frame> {
        let fields = Fields(&frame.data);
        let handled = match frame.command {
            0x2101 => Some(vec![answer(frame, CAPABILITIES.to_le_bytes())]),
            0x2102 => {
                let version = [&VERSION, CODE_REVISION.to_le_bytes().as_slice(), &[1, 0, 0, 0, 0]].concat();
                Some(vec![answer(frame, version)])
            }
            0x2107..=0x2109 | 0x2112 | 0x2113 | 0x211C | 0x211D => {
                self.memory(frame.command, fields, now_us).map(|data| vec![answer(frame, data)])
            }
            0x2130..=0x2134 => self.table(frame.command, fields).map(|data| vec![answer(frame, data)]),
            0x2400 => self.register(fields).map(|status| vec![answer(frame, [status])]),
            0x2401 => self.send(frame, fields, now_us),
            0x2540 => fields.0.first().map(|_| {
                let status = if self.formed() { OK } else { 2 };
                [vec![answer(frame, [status])], if self.formed() { self.start() } else { Vec::new() }].concat()
            }),
            0x2550 => Some(vec![answer(frame, self.network_info())]),
            0x253E => { fields }.u16().map(|cluster| {
                self.callbacks.push(cluster);
                vec![answer(frame, [OK])]
            }),
            0x2500..=0x25FF => self.zdo(frame, fields, now_us),
            0x2F04 => self.add_install_code(fields).map(|status| vec![answer(frame, [status])]),
            0x2F06 => { fields }.u8().map(|only| {
                self.install_codes_only = only == 1;
                vec![answer(frame, [OK])]
            }),
            0x2700 => Some(vec![answer(frame, self.device_info())]),
            0x270A => Some(vec![answer(frame, [OK])]),
            0x2740 => { fields }.u64().map(|ieee| {
                let nwk = self.sensors.iter().find(|sensor| sensor.spec.ieee == ieee).map_or(0xFFFE, |held| held.nwk);
                vec![answer(frame, nwk.to_le_bytes())]
            }),
            0x2741 => {
                { fields }.u16().map(|nwk| vec![answer(frame, self.ieee_of(nwk).unwrap_or(u64::MAX).to_le_bytes())])
            }
            0x2F05 => { fields }.u8().map(|mode| [vec![answer(frame, [OK])], self.commission(mode, now_us)].concat()),
            0x2F08 => { fields }.take(5).map(|_| vec![answer(frame, [OK])]),
            unknown => return vec![self.refuse(frame, if subsystem_exists(unknown) { 2 } else { 1 })],
        };
        handled.unwrap_or_else(|| vec![self.refuse(frame, 4)])
    }

    /// RPC error: 1 subsystem, 2 command, 3 parameter, 4 length.
    pub(super) fn refuse(&mut self, frame: &Frame, error: u8) -> Frame {
        self.counters.refused_requests += 1;
        let [cmd0, cmd1] = frame.command.to_be_bytes();
        Frame::new(0x6000, [error, cmd0, cmd1])
    }

    fn commission(&mut self, mode: u8, now_us: i64) -> Vec<Frame> {
        const FORMATION: u8 = 0x04;
        if mode & FORMATION == 0 || self.byte(nv::LOGICAL_TYPE) != 0 {
            return Vec::new();
        }
        if self.formed() {
            let mut frames = self.start();
            frames.push(Frame::new(0x4F80, [0x0D, 0, FORMATION]));
            frames.push(Frame::new(0x4F80, [0x08, FORMATION, 0]));
            return frames;
        }
        self.store_network();
        self.load_network();
        self.formed_us = Some(now_us);
        let mut frames = vec![Frame::new(0x45C0, [8])];
        frames.extend(self.start());
        frames.push(Frame::new(0x4F80, [OK, FORMATION, 0]));
        frames
    }

    fn start(&mut self) -> Vec<Frame> {
        self.running = true;
        vec![Frame::new(0x45C0, [RUNNING])]
    }

    fn state(&self) -> u8 {
        if self.running { RUNNING } else { 0 }
    }

    fn device_info(&self) -> Vec<u8> {
        let mut data = vec![OK];
        data.extend(self.ieee.to_le_bytes());
        data.extend([0, 0, 7, self.state(), 0]);
        data
    }

    fn network_info(&self) -> Vec<u8> {
        let mut data = vec![0, 0, self.state()];
        data.extend(self.pan().to_le_bytes());
        data.extend([0, 0]);
        data.extend(self.ieee.to_le_bytes());
        data.extend([0; 8]);
        data.push(if self.running { CHANNEL } else { 0 });
        data
    }

    fn register(&mut self, mut fields: Fields<'_>) -> Option<u8> {
        let endpoint = fields.u8()?;
        fields.take(6)?;
        for _ in 0..2 {
            let count = fields.u8()?;
            fields.take(2 * usize::from(count))?;
        }
        Some(match endpoint {
            1..=240 if self.endpoints.insert(endpoint) => OK,
            1..=240 => ALREADY_REGISTERED,
            _ => INVALID_PARAMETER,
        })
    }

    /// AF_DATA_REQUEST: the confirm, and what the sensor answers.
    fn send(&mut self, request: &Frame, mut fields: Fields<'_>, now_us: i64) -> Option<Vec<Frame>> {
        let (nwk, to_endpoint, endpoint, cluster) = (fields.u16()?, fields.u8()?, fields.u8()?, fields.u16()?);
        let transaction = fields.u8()?;
        let (_options, _radius, length) = (fields.u8()?, fields.u8()?, fields.u8()?);
        let data = fields.take(length.into())?;
        if !self.running || !self.endpoints.contains(&endpoint) {
            return Some(vec![answer(request, [INVALID_PARAMETER])]);
        }
        let confirm = |status| Frame::new(0x4480, [status, endpoint, transaction]);
        let mut frames = vec![answer(request, [OK])];
        let Some(index) = self.sensors.iter().position(|sensor| sensor.nwk == nwk && self.is_ours(sensor)) else {
            frames.push(confirm(NO_ROUTE));
            return Some(frames);
        };
        self.transmit(index);
        let status = self.confirms.pop_front().unwrap_or(if self.sleeps() { EXPIRED } else { OK });
        frames.push(confirm(status));
        if status != OK {
            return Some(frames);
        }
        match zcl::respond(data, cluster, &self.sensors[index].attributes) {
            Outcome::DefaultResponse => self.counters.default_responses += 1,
            Outcome::Configured(bytes) => {
                self.counters.configured += 1;
                frames.push(self.incoming(nwk, to_endpoint, endpoint, cluster, &bytes, now_us));
            }
            Outcome::Answer(bytes) => {
                frames.push(self.incoming(nwk, to_endpoint, endpoint, cluster, &bytes, now_us));
            }
            Outcome::Silent => {}
        }
        Some(frames)
    }

    /// The frames of one report, a frame per cluster and manufacturer code. `None`: the radio message goes nowhere,
    /// because the sensor is unknown here, too much was put in one frame, or the host has not registered.
    pub fn report(&mut self, ieee: u64, endpoint: u8, reports: &[AttributeReport], now_us: i64) -> Option<Vec<Frame>> {
        let at = self.sensors.iter().position(|sensor| sensor.spec.ieee == ieee)?;
        let registered = self.registered() && self.is_ours(&self.sensors[at]);
        let sensor = &mut self.sensors[at];
        let nwk = sensor.nwk;
        let mut messages = Vec::new();
        for group in reports.chunk_by(|a, b| (a.cluster, a.mfr_code) == (b.cluster, b.mfr_code)) {
            // The sensor counts on whether it is heard or not.
            sensor.sequence = sensor.sequence.wrapping_add(1);
            let zcl = zcl::report(group, sensor.sequence, sensor.spec.default_response);
            messages.push((group[0].cluster, zcl));
            sensor.attributes.extend(group.iter().map(|held| ((held.cluster, held.attribute), held.clone())));
        }
        if !registered || messages.iter().any(|(_, zcl)| zcl.len() > MAX_ZCL) {
            return None;
        }
        let mut frames = Vec::new();
        for (cluster, zcl) in messages {
            let long =
                self.extended > 0.0 && self.rng.random_bool(self.extended) && zcl.len() + 30 <= super::frame::MAX_DATA;
            frames.push(if long {
                self.incoming_long(nwk, endpoint, cluster, &zcl, now_us)
            } else {
                self.incoming(nwk, endpoint, 1, cluster, &zcl, now_us)
            });
        }
        Some(frames)
    }

    /// AF_INCOMING_MSG_EXT.
    fn incoming_long(&self, nwk: u16, from: u8, cluster: u16, zcl: &[u8], now_us: i64) -> Frame {
        let mut data = vec![0, 0];
        data.extend(cluster.to_le_bytes());
        data.push(2);
        data.extend(u64::from(nwk).to_le_bytes());
        data.push(from);
        data.extend(self.pan().to_le_bytes());
        data.extend([1, 0, 180, 0]);
        data.extend((((now_us - self.booted_us) / 320) as u32).to_le_bytes());
        data.push(0);
        data.extend((zcl.len() as u16).to_le_bytes());
        data.extend(zcl);
        data.extend(nwk.to_le_bytes());
        data.push(29);
        Frame::new(0x4482, data)
    }

    /// APP_CNF_BDB_ADD_INSTALLCODE: format 1 is 16 bytes and their CRC.
    fn add_install_code(&mut self, mut fields: Fields<'_>) -> Option<u8> {
        let (format, ieee) = (fields.u8()?, fields.u64()?);
        if format != 1 || fields.0.len() != 18 {
            return Some(INVALID_PARAMETER);
        }
        self.counters.install_codes += u64::from(self.install_codes.insert(ieee));
        Some(OK)
    }

    /// Where a sensor is.
    pub(super) fn nwk(&self, ieee: u64) -> Option<u16> {
        self.sensors.iter().find(|sensor| sensor.spec.ieee == ieee).map(|sensor| sensor.nwk)
    }

    /// Whether a sensor sleeps through what is asked of it now.
    pub(super) fn sleeps(&mut self) -> bool {
        self.asleep > 0.0 && self.rng.random_bool(self.asleep)
    }

    pub(super) fn join_window_s(&self, now_us: i64) -> i64 {
        (self.join_until_us.saturating_sub(now_us)).max(0) / 1_000_000
    }

    /// AF_INCOMING_MSG, with the tail that TI leaves out of its table.
    fn incoming(&self, nwk: u16, from: u8, to: u8, cluster: u16, zcl: &[u8], now_us: i64) -> Frame {
        let mut data = vec![0, 0];
        data.extend(cluster.to_le_bytes());
        data.extend(nwk.to_le_bytes());
        data.extend([from, to, 0, 180, 0]);
        data.extend((((now_us - self.booted_us) / 320) as u32).to_le_bytes());
        data.extend([0, zcl.len() as u8]);
        data.extend(zcl);
        data.extend(nwk.to_le_bytes());
        data.push(29);
        Frame::new(0x4481, data)
    }

    /// Puts a sensor on the network without a word to the host, as if paired before. One that is there stays as it is.
    pub fn know(&mut self, spec: DeviceSpec) -> u16 {
        if let Some(held) = self.sensors.iter().find(|sensor| sensor.spec.ieee == spec.ieee) {
            return held.nwk;
        }
        let nwk = self.free_nwk();
        let (network, heard) = (self.network, 0);
        self.sensors.push(Sensor { attributes: zcl::basic(&spec), spec, nwk, network, heard, sequence: 0 });
        nwk
    }

    /// A new sensor joins. Refused (`None`) unless the network runs and the join window is open.
    pub fn join(&mut self, spec: DeviceSpec, now_us: i64) -> Option<Vec<Frame>> {
        let ieee = spec.ieee;
        let barred = self.install_codes_only && !self.install_codes.contains(&ieee);
        if !self.running || now_us >= self.join_until_us || barred {
            return None;
        }
        self.sensors.retain(|sensor| sensor.spec.ieee != ieee);
        self.know(spec);
        self.announce(ieee)
    }

    /// A sensor comes back under a new short address.
    pub fn rejoin(&mut self, ieee: u64) -> Option<Vec<Frame>> {
        let nwk = self.free_nwk();
        self.sensors.iter_mut().find(|sensor| sensor.spec.ieee == ieee)?.nwk = nwk;
        if self.running { self.announce(ieee) } else { None }
    }

    /// Two sensors get each other's short address.
    pub fn swap(&mut self, one: u64, other: u64, how: Announced) -> Option<Vec<Frame>> {
        let at = |ieee| self.sensors.iter().position(|sensor| sensor.spec.ieee == ieee);
        let (first, second) = (at(one)?, at(other)?);
        let nwk = self.sensors[first].nwk;
        self.sensors[first].nwk = std::mem::replace(&mut self.sensors[second].nwk, nwk);
        if !self.running {
            return None;
        }
        let said = match how {
            Announced::Both => 2,
            Announced::Joined => 1,
            Announced::Nothing => 0,
        };
        let frames = [one, other].map(|ieee| self.announce(ieee).unwrap_or_default());
        Some(frames.into_iter().flat_map(|frames| frames.into_iter().take(said)).collect())
    }

    fn announce(&self, ieee: u64) -> Option<Vec<Frame>> {
        let nwk = self.sensors.iter().find(|sensor| sensor.spec.ieee == ieee)?.nwk.to_le_bytes();
        let address = ieee.to_le_bytes();
        let mut frames = vec![Frame::new(0x45CA, [&nwk, address.as_slice(), &[0, 0]].concat())];
        if self.direct_callbacks {
            frames.push(Frame::new(0x45C1, [&nwk, &nwk, address.as_slice(), &[0x80]].concat()));
        }
        Some(frames)
    }

    /// A sensor leaves for good.
    pub fn leave(&mut self, ieee: u64) -> Option<Frame> {
        let index = self.sensors.iter().position(|sensor| sensor.spec.ieee == ieee)?;
        let sensor = self.sensors.remove(index);
        let (nwk, address) = (sensor.nwk.to_le_bytes(), ieee.to_le_bytes());
        self.running.then(|| Frame::new(0x45C9, [&nwk, address.as_slice(), &[0, 0, 0]].concat()))
    }

    fn free_nwk(&mut self) -> u16 {
        loop {
            self.next_nwk = self.next_nwk.wrapping_mul(25173).wrapping_add(13849);
            let nwk = self.next_nwk;
            if (1..0xFFF8).contains(&nwk) && self.ieee_of(nwk).is_none() {
                return nwk;
            }
        }
    }

    /// The device behind a short address, the coordinator included.
    pub(super) fn ieee_of(&self, nwk: u16) -> Option<u64> {
        match nwk {
            0 => Some(self.ieee),
            _ => {
                let mut ours = self.sensors.iter().filter(|sensor| self.is_ours(sensor));
                ours.find(|sensor| sensor.nwk == nwk).map(|sensor| sensor.spec.ieee)
            }
        }
    }

    pub(super) fn endpoints(&self) -> impl Iterator<Item = u8> {
        self.endpoints.iter().copied()
    }

    pub(super) fn open_join_window(&mut self, seconds: u8, now_us: i64) {
        self.join_until_us = now_us + i64::from(seconds) * 1_000_000;
    }

    /// A ZDO answer as the host gets it: its own command where direct callbacks are on, raw where it asked for those.
    pub(super) fn zdo_answer(&self, command: u16, source: u16, data: Vec<u8>) -> Vec<Frame> {
        let cluster = 0x8000 | (command & 0x7F);
        let mut frames = Vec::new();
        if self.callbacks.iter().any(|&wanted| wanted == cluster || wanted == 0xFFFF) {
            // Address answers start with a status, the others with the source address.
            let bare = if matches!(command, 0x4580 | 0x4581) { &data[..] } else { &data[2..] };
            let mut raw = source.to_le_bytes().to_vec();
            raw.push(0);
            raw.extend(cluster.to_le_bytes());
            raw.extend([0, 0, 0, 0]);
            raw.extend(bare);
            frames.push(Frame::new(0x45FF, raw));
        }
        if self.direct_callbacks {
            frames.push(Frame::new(command, data));
        }
        frames
    }
}

fn subsystem_exists(command: u16) -> bool {
    matches!((command >> 8) & 0x1F, 1 | 4 | 5 | 6 | 7 | 0x0F | 0x15)
}

/// The synchronous answer to a request: the same command with type 3.
pub(super) fn answer(request: &Frame, data: impl Into<Vec<u8>>) -> Frame {
    Frame::new(request.command | 0x4000, data)
}
