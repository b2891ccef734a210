//! The radio: a Zigbee coordinator on a serial port, and the reports of its devices.
//!
//! Needs no trait until a second kind of coordinator exists. Readings leave here without identity or quality;
//! those are COLLECT's. In the order of the data: unpi → link → session (addresses) → message → zcl → map; beside it
//! air → interview, pairing; before it port, start, network, backup.

mod addresses;
mod air;
pub mod counters;
mod interview;
pub mod link;
pub mod map;
mod message;
pub mod pairing;
mod session;
mod start;
pub mod table;
pub mod unmatched;
pub mod unpi;
pub mod zcl;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value as Json;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{Ieee, MonoUs, Settings, UtcUs, Value, Vital};
use medmon_kit::Clock;

use self::air::Air;
use self::counters::Counters;
use self::link::Link;
use self::map::Map;
use self::pairing::Policy;
use self::session::{Ended, Session};
pub use self::start::{Coordinator, StartError};
use self::table::Table;
use self::unmatched::Unmatched;

const FIRST_PAUSE: Duration = Duration::from_millis(250);

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
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// May a blank dongle form a network?
    pub form_network: bool,
}

/// What somebody at the gateway asks of the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Let sensors join for so many seconds.
    Pair {
        /// How long.
        seconds: u32,
    },
}

/// A question and where its answers go, a row each.
#[derive(Debug)]
pub struct Order {
    /// What.
    pub ask: Ask,
    /// Answers; dropped at their end.
    pub say: mpsc::UnboundedSender<Json>,
}

/// The radio as `medmon local` sees it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Control {
    /// Takes orders.
    pub orders: mpsc::Sender<Order>,
    /// Devices as last known.
    pub table: Table,
    /// Attributes without a mapping row.
    pub unmatched: Unmatched,
}

/// Everything a session works with.
pub struct Context {
    /// Which attributes are vitals.
    pub map: Map,
    /// Who may come in.
    pub policy: Policy,
    /// Devices that are on no list are admitted.
    pub allow_unlisted: bool,
    /// The allow-list and the cadences.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Devices as last known.
    pub table: Table,
    /// Attributes without a mapping row.
    pub unmatched: Unmatched,
    /// Time.
    pub clock: Clock,
    /// What was refused or repaired.
    pub counters: Counters,
    /// Where reports go.
    pub reports: mpsc::Sender<Report>,
}

impl Context {
    /// On the allow-list?
    fn listed(&self, device: Ieee) -> bool {
        self.allow_unlisted || self.settings.borrow().devices.iter().any(|listed| listed.ieee == device)
    }
}

/// Runs the radio until `stop`: opens the port again and again, with back-off, and never gives up.
pub async fn run(
    options: Options,
    context: Context,
    mut orders: mpsc::Receiver<Order>,
    state: watch::Sender<RadioState>,
    stop: CancellationToken,
) {
    let clock = context.clock.clone();
    let work = async {
        let mut pause = FIRST_PAUSE;
        while !stop.is_cancelled() {
            let began = clock.mono_us();
            let reason = match session(&options, &context, &mut orders, &state, &stop).await {
                Ended::Stopped => return,
                Ended::Asked(order) => {
                    let _ = order.say.send(serde_json::json!({ "error": "not possible" }));
                    continue;
                }
                Ended::Lost(reason) => reason,
            };
            tracing::warn!(reason, port = %options.port.display(), "radio lost; trying again");
            context.counters.add("radio_restarts", 1);
            state.send_replace(RadioState::Failed { reason });
            // A session that had worked for a while starts over with a short pause.
            if clock.mono_us() - began > 60_000_000 {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = clock.sleep(pause) => {}
                () = stop.cancelled() => return,
            }
            pause = (pause * 2).min(Duration::from_secs(10));
        }
    };
    tokio::select! {
        () = work => {}
        () = context.table.keep(&clock) => {}
    }
    context.table.save().await;
}

/// One opening of the port.
async fn session(
    options: &Options,
    context: &Context,
    orders: &mut mpsc::Receiver<Order>,
    state: &watch::Sender<RadioState>,
    stop: &CancellationToken,
) -> Ended {
    let port = match open_port(options) {
        Ok(port) => port,
        Err(error) => return Ended::Lost(format!("serial port {}: {error}", options.port.display())),
    };
    let (link, mut indications) = Link::open(port, context.clock.clone(), context.counters.clone());
    let key = *uuid::Uuid::new_v4().as_bytes();
    let starting = start::start(&link, &mut indications, &context.clock, options.form_network, key);
    let started = tokio::select! {
        started = starting => started,
        () = stop.cancelled() => return Ended::Stopped,
    };
    let coordinator = match started {
        Ok(coordinator) => coordinator,
        Err(error) => return Ended::Lost(error.to_string()),
    };
    let version = coordinator.version.map(|part| part.to_string()).join(".");
    tracing::info!(coordinator = %coordinator.ieee, version, "radio running");
    state.send_replace(RadioState::Running { coordinator: coordinator.ieee.to_string(), version });
    let air = Air::new(link, context.clock.clone(), context.counters.clone());
    Session::new(context, air, coordinator).listen(&mut indications, orders, stop).await
}

fn open_port(options: &Options) -> std::io::Result<tokio_serial::SerialStream> {
    use tokio_serial::SerialPort as _;
    let path = options.port.to_string_lossy();
    let mut port = tokio_serial::SerialStream::open(&tokio_serial::new(path, options.baud))?;
    // Two programs on one dongle would each get half of the frames.
    port.set_exclusive(true)?;
    // What lies in the port's buffer is of another time; it would be dated now.
    port.clear(tokio_serial::ClearBuffer::Input)?;
    // Some sticks boot into a loader when these lines move; a PTY has no such lines.
    for set in [port.write_data_terminal_ready(false), port.write_request_to_send(false)] {
        if let Err(error) = set {
            tracing::debug!(%error, "no modem lines on this port");
        }
    }
    Ok(port)
}

fn short(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]))
}

fn ieee(data: &[u8], at: usize) -> Option<Ieee> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(data.get(at..at + 8)?);
    Some(Ieee(u64::from_le_bytes(bytes)))
}
