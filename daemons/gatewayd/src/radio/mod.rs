//! The radio: a Zigbee coordinator on a serial port, and the reports of its devices.
//!
//! Needs no trait until a second kind of coordinator exists. Readings leave here without identity or quality;
//! those are COLLECT's. In the order of the data: unpi → link → session (addresses) → message → zcl → map; beside it
//! air → interview, pairing, remote; before it port, start, network, backup.

mod addresses;
mod air;
pub mod backup;
pub mod counters;
mod interview;
pub mod link;
pub mod map;
mod message;
pub mod network;
mod nv;
pub mod pairing;
mod port;
pub mod remote;
mod serial;
mod session;
mod start;
pub mod table;
pub mod unmatched;
pub mod unpi;
pub mod zcl;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{Ieee, MonoUs, Settings, UtcUs, Value, Vital};
use medmon_kit::Clock;

use self::air::Air;
use self::backup::Vault;
use self::counters::Counters;
use self::link::{Indication, Link};
use self::map::Map;
use self::network::Store;
use self::pairing::Policy;
use self::port::Opener;
use self::session::{Ended, Session};
use self::start::Plan;
pub use self::start::{Coordinator, StartError};
use self::table::Table;
use self::unmatched::Unmatched;

/// For an answer that the dongle still owes.
const CLOSING: Duration = Duration::from_secs(5);
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

impl RadioState {
    /// Why nothing can be heard.
    pub fn lost(&self) -> Option<&str> {
        match self {
            Self::Failed { reason } => Some(reason),
            Self::Starting | Self::Running { .. } => None,
        }
    }
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
    /// The data folder.
    pub folder: PathBuf,
}

/// What somebody at the gateway asks of the radio.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Let sensors join for so many seconds.
    Pair {
        /// How long.
        seconds: u32,
    },
    /// Wipe the dongle and form a new network.
    Form {
        /// Somebody said that every sensor must rejoin.
        confirmed: bool,
    },
    /// Take this dongle's network for this home's.
    Adopt,
    /// Put the backup onto this dongle.
    Restore {
        /// Even if it holds another network.
        overwrite: bool,
    },
    /// Take a backup now.
    Backup,
}

/// A question and where its answers go, a row each.
#[derive(Debug)]
pub struct Order {
    /// What.
    pub ask: Ask,
    /// Answers; dropped at their end.
    pub say: mpsc::UnboundedSender<Json>,
}

impl Ask {
    fn done(self) -> &'static str {
        match self {
            Self::Pair { .. } => "closed",
            Self::Form { .. } => "formed",
            Self::Adopt => "adopted",
            Self::Restore { .. } => "restored",
            Self::Backup => "backed_up",
        }
    }
}

impl Order {
    fn refuse(self, error: &str) {
        let _ = self.say.send(json!({ "error": error }));
    }

    /// `None`: what would be lost was said, and nobody agreed to it; or whoever asked has gone, and does not see it done.
    fn confirmed(self) -> Option<Self> {
        if self.say.is_closed() {
            tracing::info!(ask = ?self.ask, "whoever asked this of the radio has gone; it is not done");
            return None;
        }
        if self.ask == (Ask::Form { confirmed: false }) {
            self.refuse(
                "this would wipe the dongle and form a new network: every sensor of this home would be deaf until it is \
                 paired again by hand; to do it, add --yes-all-sensors-must-rejoin",
            );
            return None;
        }
        Some(self)
    }
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
    /// Messages a second that one device may send for long.
    pub flood_limit: u32,
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
    /// Backups of the network.
    pub vault: Vault,
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
    orders: mpsc::Receiver<Order>,
    state: watch::Sender<RadioState>,
    stop: CancellationToken,
) {
    tokio::select! {
        () = sessions(&options, &context, orders, &state, &stop) => {}
        () = context.table.keep(&context.clock) => {}
    }
    context.table.save().await;
}

async fn sessions(
    options: &Options,
    context: &Context,
    mut orders: mpsc::Receiver<Order>,
    state: &watch::Sender<RadioState>,
    stop: &CancellationToken,
) {
    let clock = &context.clock;
    let (mut pause, mut wish) = (FIRST_PAUSE, None);
    let mut opener = Opener::new(options.port.clone(), options.baud, &options.folder);
    loop {
        let began = clock.mono_us();
        let ended = session(options, context, &mut opener, wish.take(), &mut orders, state, stop).await;
        let reason = match ended {
            Ended::Stopped => return,
            Ended::Asked(order) => {
                wish = Some(order);
                continue;
            }
            Ended::Lost(reason) => reason,
        };
        tracing::warn!(reason, port = %options.port.display(), "radio lost; trying again");
        context.counters.add("radio_restarts", 1);
        // A session that had worked for a while starts over with a short pause.
        if clock.mono_us() - began > 60_000_000 {
            pause = FIRST_PAUSE;
        }
        let again_us = clock.mono_us() + pause.as_micros() as i64;
        pause = (pause * 2).min(Duration::from_secs(10));
        state.send_replace(RadioState::Failed { reason: reason.clone() });
        loop {
            tokio::select! {
                () = clock.sleep_until(again_us) => break,
                () = stop.cancelled() => return,
                Some(order) = orders.recv() => match order.ask {
                    Ask::Pair { .. } | Ask::Backup => order.refuse(&format!("the radio does not run: {reason}")),
                    _ => wish = order.confirmed(),
                }
            }
            if wish.is_some() {
                break;
            }
        }
    }
}

/// One opening of the port.
async fn session(
    options: &Options,
    context: &Context,
    opener: &mut Opener,
    wish: Option<Order>,
    orders: &mut mpsc::Receiver<Order>,
    state: &watch::Sender<RadioState>,
    stop: &CancellationToken,
) -> Ended {
    let lost = |wish: Option<Order>, reason: String| {
        if let Some(order) = wish {
            order.refuse(&reason);
        }
        Ended::Lost(reason)
    };
    let port = match opener.open(&context.clock).await {
        Ok(port) => port,
        Err(reason) => return lost(wish, reason),
    };
    let (link, mut indications) = Link::open(port, context.clock.clone(), context.counters.clone());
    let (store, vault) = (Store::new(&options.folder), &context.vault);
    let ask = wish.as_ref().map(|order| order.ask);
    let plan = Plan { form: options.form_network, wish: ask, store: &store, vault };
    let started = tokio::select! {
        started = start::start(&link, &mut indications, &context.clock, plan) => started,
        () = stop.cancelled() => return Ended::Stopped,
    };
    let (coordinator, network) = match started {
        Ok(started) => started,
        Err(error) => {
            opener.silent = error == StartError::Silent;
            drop(link);
            closed(&mut indications).await;
            return lost(wish, error.to_string());
        }
    };
    opener.worked();
    let version = coordinator.version.map(|part| part.to_string()).join(".");
    tracing::info!(coordinator = %coordinator.ieee, version, "radio running");
    let wished = wish.is_some();
    if let Some(order) = wish {
        if matches!(order.ask, Ask::Form { .. }) {
            context.table.clear();
        }
        let _ =
            order.say.send(json!({ "event": order.ask.done(), "network": network.as_ref().map(ToString::to_string) }));
    }
    state.send_replace(RadioState::Running { coordinator: coordinator.ieee.to_string(), version });
    let air = Air::new(link, context.clock.clone(), context.counters.clone());
    let mut running = Session::new(context, air, coordinator, network);
    if wished {
        running.changed();
    }
    let ended = running.listen(&mut indications, orders, stop).await;
    if let Ended::Lost(reason) = &ended {
        running.lost(reason);
    }
    drop(running);
    closed(&mut indications).await;
    ended
}

/// The port is free only once its task has ended; opened before, it would be refused.
async fn closed(indications: &mut mpsc::UnboundedReceiver<Indication>) {
    let _ = tokio::time::timeout(CLOSING, async { while indications.recv().await.is_some() {} }).await;
}

fn short(data: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes([*data.get(at)?, *data.get(at + 1)?]))
}

fn ieee(data: &[u8], at: usize) -> Option<Ieee> {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(data.get(at..at + 8)?);
    Some(Ieee(u64::from_le_bytes(bytes)))
}
