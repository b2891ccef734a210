//! Start-up of a Z-Stack 3.x coordinator: check whose network it holds, form or restore only when told to, start,
//! register our endpoint.
//!
//! A formed dongle is never wiped without a word from somebody: every sensor would have to be paired again.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use medmon_core::noun::Ieee;
use medmon_kit::Clock;

use super::backup::{Backup, Vault};
use super::link::{Indication, Link, LinkError};
use super::network::{Network, Store};
use super::{Ask, nv};

const SYS_PING: u16 = 0x2101;
const SYS_VERSION: u16 = 0x2102;
const SYS_RESET: u16 = 0x4100;
pub(super) const SYS_RESET_IND: u16 = 0x4180;
const UTIL_DEVICE_INFO: u16 = 0x2700;
const BDB_SET_CHANNEL: u16 = 0x2F08;
const BDB_START: u16 = 0x2F05;
pub(super) const ZDO_STATE_CHANGE: u16 = 0x45C0;
const AF_REGISTER: u16 = 0x2400;

const LOADER_RUN: u8 = 0xEF;
const COORDINATOR_STARTED: u8 = 9;
const RESET_LIMIT: Duration = Duration::from_secs(30);
const START_LIMIT: Duration = Duration::from_mins(1);
const COMMISSIONING_LIMIT: Duration = Duration::from_secs(40);
/// A dongle that resets itself oftener while it starts is broken, or its power is.
const RESTARTS: usize = 10;
/// A new network settles within some ten seconds.
const SETTLE: Duration = Duration::from_secs(1);
const SETTLE_TRIES: u64 = 30;
/// Channel 11, 15, 20, 25: between the common Wi-Fi channels.
const CHANNEL_MASK: u32 = 1 << 11 | 1 << 15 | 1 << 20 | 1 << 25;

/// Our endpoint: Home Automation, and its number.
pub const ENDPOINT: u8 = 1;

/// Why a dongle cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It does not speak as it should.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Not even after it was told to leave its loader.
    #[error("nothing on this port answers as a Zigbee dongle: is gateway.radio.port the right one?")]
    Silent,
    /// An old stack with other rules.
    #[error("this dongle runs Z-Stack Home 1.2 (or no Z-Stack 3): flash Z-Stack 3.x.0 for CC2652/CC1352 onto it")]
    OldStack,
    /// Blank, and nobody said that a network may be formed.
    #[error("this dongle has no network; set gateway.radio.form_network = true once, then pair the sensors")]
    NotFormed,
    /// Blank, and this home has a network.
    #[error(
        "this dongle is blank, but the sensors of this home belong to a network ({stored}) and would not be heard: put \
         the right dongle back; or {restore}; or `medmon local radio form --yes-all-sensors-must-rejoin` begins anew"
    )]
    Blank {
        /// The network of this home.
        stored: String,
        /// What can be said of a backup.
        restore: &'static str,
    },
    /// Another network than this home's.
    #[error(
        "this dongle's network ({found}) is not the one that this home's sensors belong to ({stored}); none would be \
         heard: put the right dongle back; or `medmon local radio restore --yes-overwrite` puts this home's network \
         onto this one; or, if this dongle's is the right one, `medmon local radio adopt`; or \
         `medmon local radio form --yes-all-sensors-must-rejoin` begins anew"
    )]
    OtherNetwork {
        /// The network of this home.
        stored: String,
        /// The dongle's.
        found: String,
    },
    /// A restore would destroy a network.
    #[error("this dongle holds a network ({0}); `medmon local radio restore --yes-overwrite` replaces it")]
    NotBlank(String),
    /// Blank, and there is nothing to take over.
    #[error("this dongle is blank: there is no network to adopt; put the right dongle back, or restore, or form")]
    NothingToAdopt,
    /// The backup would make this home's sensors deaf.
    #[error(
        "the backup ({backup}) is not of the network that this home's sensors belong to ({stored}); none would be heard; \
         if it is wanted all the same, move network.json out of the data folder first"
    )]
    OtherBackup {
        /// The network of this home.
        stored: String,
        /// The backup's.
        backup: String,
    },
    /// It took the backup and shows another network.
    #[error("the dongle does not show the restored network: try once more, or another dongle")]
    NotRestored,
    /// A backup or a file.
    #[error("{0}")]
    File(String),
    /// It did not come up.
    #[error("the Zigbee network did not start within {0} s")]
    NotStarted(u64),
    /// It lost its memory.
    #[error("the dongle has reset itself and holds this home's network no more")]
    Forgotten,
    /// It reset itself while it started.
    #[error("the dongle resets itself again and again while it starts: try another USB port or cable")]
    Reset,
}

/// A running coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coordinator {
    /// Its own address.
    pub ieee: Ieee,
    /// Z-Stack version: major, minor, maintenance.
    pub version: [u8; 3],
}

/// What to start by.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// May a blank dongle form a network?
    pub form: bool,
    /// What somebody asked for, once.
    pub wish: Option<Ask>,
    /// The network of this home.
    pub store: &'a Store,
    /// Its backup.
    pub vault: &'a Vault,
}

/// Brings the dongle up with this home's network, or says why not.
pub async fn start(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    plan: Plan<'_>,
) -> Result<(Coordinator, Option<Network>), StartError> {
    let capabilities = ping(link, clock).await?;
    let version = link.request(SYS_VERSION, &[]).await?;
    let product = *version.get(1).ok_or(LinkError::Short(SYS_VERSION))?;
    // Bit 10 of the capabilities is APP_CNF, which Z-Stack Home 1.2 lacks; its product number is 0.
    if capabilities & 1 << 10 == 0 || product == 0 {
        return Err(StartError::OldStack);
    }
    let formed = nv::read(link, nv::FORMED).await? == Some(vec![1]) && nv::read(link, nv::NIB).await?.is_some();
    let found = if formed { Network::of(link, device_info(link).await?.0).await? } else { None };
    // Whoever replaces the stored network need not be able to read it.
    let stored = match plan.wish {
        Some(Ask::Adopt | Ask::Form { .. }) => Ok(None),
        // What it was is known from the backup too: any dongle would do for a home that knows nothing.
        _ => match plan.store.read() {
            Ok(Some(stored)) => Ok(Some(stored)),
            unknown => plan.vault.open().map_or(unknown, |backup| Ok(Some(backup.network))),
        },
    };
    match plan.wish {
        Some(Ask::Form { .. }) => form(link, indications, clock).await?,
        Some(Ask::Restore { overwrite }) => {
            if let Some(found) = found.filter(|_| !overwrite) {
                return Err(StartError::NotBlank(found.to_string()));
            }
            let backup = plan.vault.open().map_err(|error| StartError::File(error.to_string()))?;
            if let Ok(Some(stored)) = stored
                && !stored.is(&backup.network)
            {
                return Err(StartError::OtherBackup { stored: stored.to_string(), backup: backup.network.to_string() });
            }
            restore(link, indications, clock, &backup).await?;
        }
        Some(Ask::Adopt) if !formed => return Err(StartError::NothingToAdopt),
        _ if formed => {
            // Unreadable: a dongle that has a network is more likely the right one than none is.
            let stored = stored.unwrap_or_else(|error| {
                tracing::error!(error, "the network of this home is not known; this dongle's is taken");
                None
            });
            let ieee = device_info(link).await?.0;
            let found_name = found.as_ref().map_or_else(|| format!("coordinator {ieee}"), ToString::to_string);
            // A network that it does not show is told by the dongle itself.
            let same = |stored: &Network| found.as_ref().map_or(stored.coordinator == ieee, |found| stored.is(found));
            if let Some(stored) = stored.filter(|stored| !same(stored)) {
                return Err(StartError::OtherNetwork { stored: stored.to_string(), found: found_name });
            }
            if nv::read(link, nv::DIRECT_CB).await? != Some(vec![1]) {
                nv::write(link, nv::DIRECT_CB, &[1]).await?;
                reset(link, indications, clock).await?;
            }
            if device_info(link).await?.1 != COORDINATOR_STARTED {
                bring_up(link, indications, clock, false).await?;
            }
        }
        _ => match stored.map_err(StartError::File)? {
            Some(stored) => {
                let restore = if plan.vault.exists() {
                    "`medmon local radio restore` puts the network onto this one, and no sensor need be paired again"
                } else {
                    "restore a backup (radio.backup and backup.key), of which there is none here"
                };
                return Err(StartError::Blank { stored: stored.to_string(), restore });
            }
            None if plan.form => form(link, indications, clock).await?,
            None => return Err(StartError::NotFormed),
        },
    }
    let version = [2, 3, 4].map(|at| version.get(at).copied().unwrap_or(0));
    let coordinator = Coordinator { ieee: device_info(link).await?.0, version };
    let network = Network::of(link, coordinator.ieee).await?;
    if let Some(network) = &network {
        // A full disk is no reason to be deaf.
        if let Err(error) = plan.store.keep(network) {
            tracing::error!(error, "the network of this home could not be written down");
        }
    }
    // Only now is anything heard: whose network this is, is written down.
    register(link).await?;
    Ok((coordinator, network))
}

/// Wipes the dongle and forms a new network with a new key.
async fn form(link: &Link, indications: &mut UnboundedReceiver<Indication>, clock: &Clock) -> Result<(), StartError> {
    tracing::warn!("forming a new Zigbee network");
    prepare_network(link, indications, clock).await?;
    bring_up(link, indications, clock, true).await?;
    // A new network's channel shows in the dongle's memory only after a while, and a reset before loses it.
    for _ in 0..SETTLE_TRIES {
        if Network::of(link, device_info(link).await?.0).await?.is_some() {
            return Ok(());
        }
        clock.sleep(SETTLE).await;
    }
    Err(StartError::NotStarted(SETTLE_TRIES * SETTLE.as_secs()))
}

/// Puts the backup onto the dongle. A passing network is formed first, so that its memory is in order.
async fn restore(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    backup: &Backup,
) -> Result<(), StartError> {
    form(link, indications, clock).await?;
    reset(link, indications, clock).await?;
    backup.put(link, clock.utc_us()).await.map_err(|error| StartError::File(format!("restore: {error}")))?;
    reset(link, indications, clock).await?;
    bring_up(link, indications, clock, false).await?;
    match Network::of(link, device_info(link).await?.0).await? {
        Some(now) if now.is(&backup.network) => Ok(()),
        _ => Err(StartError::NotRestored),
    }
}

/// After a spontaneous reset: start and register again, without another reset. Only on `network`: one that lost its
/// memory would begin a new network here, without a word and deaf to every sensor.
pub async fn restart(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    network: Option<&Network>,
) -> Result<(), StartError> {
    for _ in 0..RESTARTS {
        let up = async {
            let (ieee, state) = device_info(link).await?;
            if let Some(network) = network
                && !Network::of(link, ieee).await?.is_some_and(|now| now.is(network))
            {
                return Err(StartError::Forgotten);
            }
            if state != COORDINATOR_STARTED {
                bring_up(link, indications, clock, false).await?;
            }
            register(link).await
        };
        match up.await {
            // Again, while it was asked.
            Err(StartError::Link(LinkError::Restarted(_))) => {}
            ended => return ended,
        }
    }
    Err(StartError::Reset)
}

/// Is anybody there? A stick that waits in its loader is told to run: TI's serial loader takes `0xEF` for that.
async fn ping(link: &Link, clock: &Clock) -> Result<u16, StartError> {
    let short = Duration::from_secs(2);
    let answer = match link.request_within(SYS_PING, &[], short).await {
        Err(LinkError::Timeout(_)) => {
            link.raw(&[LOADER_RUN]).await?;
            clock.sleep(Duration::from_secs(1)).await;
            match link.request_within(SYS_PING, &[], short).await {
                Err(LinkError::Timeout(_)) => return Err(StartError::Silent),
                answer => answer?,
            }
        }
        answer => answer?,
    };
    match answer[..] {
        [low, high, ..] => Ok(u16::from_le_bytes([low, high])),
        _ => Err(LinkError::Short(SYS_PING).into()),
    }
}

async fn reset(link: &Link, indications: &mut UnboundedReceiver<Indication>, clock: &Clock) -> Result<(), StartError> {
    link.tell(SYS_RESET, &[1]).await?;
    wait(indications, clock, RESET_LIMIT, |said| said.command == SYS_RESET_IND).await
}

async fn prepare_network(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
) -> Result<(), StartError> {
    let mut secret = [0; 24];
    getrandom::fill(&mut secret).map_err(|error| StartError::File(format!("no random numbers for a key: {error}")))?;
    let (key, extended_pan) = secret.split_at(16);
    nv::write(link, nv::STARTUP_OPTION, &[3]).await?;
    reset(link, indications, clock).await?;
    for (item, value) in [
        (nv::STARTUP_OPTION, &[0][..]),
        (nv::LOGICAL_TYPE, &[0]),
        (nv::DIRECT_CB, &[1]),
        (nv::PAN_ID, &[0xFF, 0xFF]),
        (nv::EXTENDED_PAN_ID, extended_pan),
        (nv::USE_EXTENDED_PAN_ID, extended_pan),
        (nv::NETWORK_KEY, key),
        (nv::KEYS_ENABLE, &[0]),
        (nv::CHANNELS, &CHANNEL_MASK.to_le_bytes()),
    ] {
        nv::write(link, item, value).await?;
    }
    Ok(())
}

async fn bring_up(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    new: bool,
) -> Result<(), StartError> {
    for _ in 0..RESTARTS {
        // What was said before, such as that it has just been plugged in, says nothing of what comes now.
        while indications.try_recv().is_ok() {}
        if new {
            let mask = CHANNEL_MASK.to_le_bytes();
            link.request(BDB_SET_CHANNEL, &[&[1][..], &mask].concat()).await?;
            link.request(BDB_SET_CHANNEL, &[0; 5]).await?;
        }
        link.request_within(BDB_START, &[0x04], COMMISSIONING_LIMIT).await?;
        // A restored network ends with "formation failure" in 0x4F80, which is normal: only the state says success.
        let started =
            |said: &Indication| said.command == ZDO_STATE_CHANGE && said.data.first() == Some(&COORDINATOR_STARTED);
        match wait(indications, clock, START_LIMIT, started).await {
            // Again, before it was up.
            Err(StartError::Reset) => {}
            ended => return ended,
        }
    }
    Err(StartError::Reset)
}

async fn register(link: &Link) -> Result<(), StartError> {
    let (profile, device) = (0x0104_u16.to_le_bytes(), 0x0005_u16.to_le_bytes());
    let request = [ENDPOINT, profile[0], profile[1], device[0], device[1], 0, 0, 0, 0];
    match link.request(AF_REGISTER, &request).await?[..] {
        [0 | 0xB8, ..] => Ok(()),
        [status, ..] => Err(LinkError::Refused(AF_REGISTER, status).into()),
        [] => Err(LinkError::Short(AF_REGISTER).into()),
    }
}

/// The dongle's address and state.
async fn device_info(link: &Link) -> Result<(Ieee, u8), StartError> {
    let info = link.request(UTIL_DEVICE_INFO, &[]).await?;
    let (Some(address), Some(&state)) = (info.get(1..9), info.get(12)) else {
        return Err(LinkError::Short(UTIL_DEVICE_INFO).into());
    };
    let mut bytes = [0; 8];
    bytes.copy_from_slice(address);
    Ok((Ieee(u64::from_le_bytes(bytes)), state))
}

/// Waits for an indication. What else comes before our endpoint is registered carries no readings.
async fn wait(
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    limit: Duration,
    wanted: impl Fn(&Indication) -> bool,
) -> Result<(), StartError> {
    let search = async {
        while let Some(said) = indications.recv().await {
            if wanted(&said) {
                return Ok(());
            }
            if said.command == SYS_RESET_IND {
                return Err(StartError::Reset);
            }
        }
        Err(LinkError::Closed.into())
    };
    clock.timeout(limit, search).await.unwrap_or(Err(StartError::NotStarted(limit.as_secs())))
}
