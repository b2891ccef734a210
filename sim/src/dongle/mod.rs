//! A virtual Zigbee coordinator behind a PTY: what a host finds when it opens a CC2652 stick.
//!
//! Not for: the signals that sensors report (patient/), nor what the host should make of them.

mod coordinator;
mod faults;
pub mod frame;
mod memory;
mod zcl;
mod zdo;

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use medmon_kit::clock::Clock;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::air::AttributeReport;
use crate::lock;
use crate::pty::{Pty, PtyError};
use coordinator::Coordinator;
use faults::Line;
use frame::{Decoder, Frame};

pub use faults::LineFaults;
pub use zcl::{DeviceSpec, Endpoint};

/// How the dongle starts.
#[derive(Clone, Debug)]
pub struct DongleOptions {
    /// Its own IEEE address.
    pub ieee: u64,
    /// A network is stored; `false` = blank from the factory.
    pub formed: bool,
    /// ZDO_DIRECT_CB of a formed dongle. `false` = another host's set-up, whose ZDO answers stay inside.
    pub direct_callbacks: bool,
    /// What goes wrong on the line.
    pub faults: LineFaults,
    /// It waits in its serial loader until it gets the byte 0xEF.
    pub loader: bool,
    /// Probability that a message of a sensor comes in the long form, AF_INCOMING_MSG_EXT.
    pub extended: f64,
    /// Probability that a sensor sleeps through a request: confirmed as expired (0xF0), or no answer at all.
    pub asleep: f64,
}

impl Default for DongleOptions {
    fn default() -> Self {
        Self {
            ieee: 0x00124b0029000001,
            formed: true,
            direct_callbacks: true,
            faults: LineFaults::default(),
            loader: false,
            extended: 0.0,
            asleep: 0.0,
        }
    }
}

/// Sensors and what they remember of their network.
#[derive(Clone, Debug)]
pub struct Paired(Vec<coordinator::Sensor>);

/// What the host hears of a sensor that comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Announced {
    /// ZDO_TC_DEV_IND and ZDO_END_DEVICE_ANNCE_IND.
    Both,
    /// Only the first: the announcement is a broadcast, and gets lost.
    Joined,
    /// Nothing.
    Nothing,
}

/// What the dongle has seen and done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DongleCounters {
    /// Frames from the host whose check was right.
    pub received: u64,
    /// Frames from the host whose check was wrong.
    pub bad_checks: u64,
    /// Requests answered with an RPC error.
    pub refused_requests: u64,
    /// Reports written to the line.
    pub reports: u64,
    /// Reports that went nowhere: host not registered, sensor unknown, or the host did not read.
    pub lost_reports: u64,
    /// Extra copies written.
    pub duplicates: u64,
    /// Default Responses from the host.
    pub default_responses: u64,
    /// Bind requests carried out.
    pub bound: u64,
    /// Configure Reporting requests carried out.
    pub configured: u64,
    /// Install codes taken.
    pub install_codes: u64,
}

/// A running dongle; it stops when dropped.
#[derive(Debug)]
pub struct Dongle {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    pty: Pty,
    clock: Clock,
    coordinator: Mutex<Coordinator>,
    /// Held from the decision to send until the last byte is written, so that frames never mix.
    line: tokio::sync::Mutex<Line>,
    registered: watch::Sender<bool>,
    loader: bool,
}

impl Dongle {
    /// Plugs the dongle in.
    pub fn open(options: DongleOptions, clock: Clock) -> Result<Self, PtyError> {
        let shared = Arc::new(Shared {
            pty: Pty::open()?,
            coordinator: Mutex::new(Coordinator::new(&options, clock.mono_us())),
            clock,
            line: tokio::sync::Mutex::new(Line::new(options.faults)),
            registered: watch::Sender::new(false),
            loader: options.loader,
        });
        let task = tokio::spawn(serve(Arc::clone(&shared)));
        Ok(Self { shared, task })
    }

    /// The serial port the host opens.
    pub fn port(&self) -> &Path {
        self.shared.pty.path()
    }

    /// Waits until the host has started the network and registered endpoint 1.
    pub async fn ready(&self) {
        // The sender lives as long as `self`.
        let _ = self.shared.registered.subscribe().wait_for(|registered| *registered).await;
    }

    /// A sensor that was paired before: it reports without announcing itself. Returns its short address.
    pub fn know(&self, spec: DeviceSpec) -> u16 {
        lock(&self.shared.coordinator).know(spec)
    }

    /// The sensors with what they remember of their network, to be taken to another dongle.
    pub fn paired(&self) -> Paired {
        Paired(lock(&self.shared.coordinator).paired())
    }

    /// Sensors paired with another dongle come into reach: heard only if this one has their network, its key, and a
    /// frame counter ahead of the last they heard.
    pub fn bring(&self, sensors: Paired) {
        lock(&self.shared.coordinator).bring(sensors.0);
    }

    /// The coordinator sends so many frames to each of its sensors.
    pub fn talk(&self, frames: u32) {
        lock(&self.shared.coordinator).talk(frames);
    }

    /// A new sensor joins; `false` when the join window is closed or the network does not run.
    pub async fn join(&self, spec: DeviceSpec) -> bool {
        self.shared.say(|coordinator, now_us| coordinator.join(spec, now_us)).await
    }

    /// A sensor comes back under a new short address; `false` when it is unknown or the network does not run.
    pub async fn rejoin(&self, ieee: u64) -> bool {
        self.shared.say(|coordinator, _| coordinator.rejoin(ieee)).await
    }

    /// Two sensors come back with each other's short address; `false` when one is unknown or the network does not run.
    pub async fn swap(&self, one: u64, other: u64, how: Announced) -> bool {
        self.shared.say(|coordinator, _| coordinator.swap(one, other, how)).await
    }

    /// The statuses of the next AF_DATA_CONFIRMs; a message that is not confirmed as sent does not reach its sensor.
    pub fn confirm_next(&self, statuses: &[u8]) {
        lock(&self.shared.coordinator).confirms.extend(statuses);
    }

    /// Seconds that the join window stays open.
    pub fn join_window_s(&self) -> i64 {
        lock(&self.shared.coordinator).join_window_s(self.shared.clock.mono_us())
    }

    /// A sensor leaves the network; `false` when it is unknown or the network does not run.
    pub async fn leave(&self, ieee: u64) -> bool {
        self.shared.say(|coordinator, _| coordinator.leave(ieee).map(|frame| vec![frame])).await
    }

    /// A sensor reports. `true` when all of it was written to the line while the host had endpoint 1 registered.
    ///
    /// Await it to its end: giving up half way leaves half a frame on the line.
    pub async fn report(&self, ieee: u64, endpoint: u8, reports: &[AttributeReport]) -> bool {
        let sent = self.shared.say(|coordinator, now_us| coordinator.report(ieee, endpoint, reports, now_us)).await;
        let mut coordinator = lock(&self.shared.coordinator);
        *(if sent { &mut coordinator.counters.reports } else { &mut coordinator.counters.lost_reports }) += 1;
        sent
    }

    /// The dongle restarts by itself (watchdog, brown-out): the registration is gone.
    pub async fn reset(&self) {
        self.shared.say(|coordinator, now_us| Some(vec![coordinator.reset(now_us)])).await;
    }

    /// As [`Self::reset`], and its network is gone.
    pub async fn wipe(&self) {
        self.shared.say(|coordinator, now_us| Some(vec![coordinator.wipe(now_us)])).await;
    }

    /// Any bytes, as they are.
    pub async fn raw(&self, bytes: &[u8]) {
        let _line = self.shared.line.lock().await;
        self.shared.pty.write(bytes).await;
    }

    /// Where a sensor is in the network; `None`: it is in none.
    pub fn nwk(&self, ieee: u64) -> Option<u16> {
        lock(&self.shared.coordinator).nwk(ieee)
    }

    /// Counters so far.
    pub fn counters(&self) -> DongleCounters {
        lock(&self.shared.coordinator).counters
    }
}

impl Drop for Dongle {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Lets the coordinator decide and writes what it says, as one step on the line.
    async fn say(&self, decide: impl FnOnce(&mut Coordinator, i64) -> Option<Vec<Frame>>) -> bool {
        let mut line = self.line.lock().await;
        let (frames, registered) = {
            let mut coordinator = lock(&self.coordinator);
            let frames = decide(&mut coordinator, self.clock.mono_us());
            (frames, coordinator.registered())
        };
        let Some(frames) = frames else { return false };
        let mut written = true;
        for frame in &frames {
            written &= self.write(&mut line, frame).await;
        }
        self.registered.send_if_modified(|held| std::mem::replace(held, registered) != registered);
        written
    }

    async fn write(&self, line: &mut Line, frame: &Frame) -> bool {
        const PAUSE: Duration = Duration::from_millis(20);
        let written = line.write(frame);
        lock(&self.coordinator).counters.duplicates += written.duplicates;
        for (index, piece) in written.pieces.iter().enumerate() {
            if index > 0 {
                self.clock.sleep(PAUSE).await;
            }
            if !self.pty.write(piece).await {
                return false;
            }
        }
        !written.lost
    }
}

async fn serve(shared: Arc<Shared>) {
    let mut decoder = Decoder::default();
    let mut loader = shared.loader;
    loop {
        let bytes = match shared.pty.read().await {
            Ok(bytes) => bytes,
            Err(error) => {
                tracing::warn!(%error, "virtual dongle: the line is gone");
                return;
            }
        };
        if loader {
            loader = !bytes.contains(&0xEF);
            continue;
        }
        for frame in decoder.push(&bytes) {
            shared
                .say(|coordinator, now_us| {
                    coordinator.counters.received += 1;
                    Some(coordinator.handle(&frame, now_us))
                })
                .await;
        }
        lock(&shared.coordinator).counters.bad_checks = decoder.bad_checks;
    }
}

#[cfg(test)]
mod tests;
