//! Start-up of a Z-Stack 3.x coordinator: check, form only when told to, start, register our endpoint.
//!
//! A formed dongle is never wiped here: every sensor would have to be paired again.

use std::time::Duration;

use tokio::sync::mpsc::UnboundedReceiver;

use medmon_core::noun::Ieee;
use medmon_kit::Clock;

use super::counters::Counters;
use super::link::{Indication, Link, LinkError};

const SYS_PING: u16 = 0x2101;
const SYS_VERSION: u16 = 0x2102;
const SYS_NV_INIT: u16 = 0x2107;
const SYS_NV_READ: u16 = 0x2108;
const SYS_NV_WRITE: u16 = 0x2109;
const SYS_NV_LENGTH: u16 = 0x2113;
const SYS_RESET: u16 = 0x4100;
pub(super) const SYS_RESET_IND: u16 = 0x4180;
const UTIL_DEVICE_INFO: u16 = 0x2700;
const BDB_SET_CHANNEL: u16 = 0x2F08;
const BDB_START: u16 = 0x2F05;
pub(super) const ZDO_STATE_CHANGE: u16 = 0x45C0;
const AF_REGISTER: u16 = 0x2400;

const NV_STARTUP_OPTION: u16 = 0x0003;
const NV_NIB: u16 = 0x0021;
const NV_BDB_FORMED: u16 = 0x0055;
const NV_PAN_ID: u16 = 0x0083;
const NV_CHANNELS: u16 = 0x0084;
const NV_LOGICAL_TYPE: u16 = 0x0087;
const NV_DIRECT_CB: u16 = 0x008F;
const NV_NETWORK_KEY: u16 = 0x0062;
const NV_KEYS_ENABLE: u16 = 0x0063;

const COORDINATOR_STARTED: u8 = 9;
const RESET_LIMIT: Duration = Duration::from_secs(30);
const START_LIMIT: Duration = Duration::from_mins(1);
const COMMISSIONING_LIMIT: Duration = Duration::from_secs(40);
/// A dongle that resets itself oftener while it starts is broken, or its power is.
const RESTARTS: usize = 10;
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
    /// An old stack with other rules.
    #[error("this dongle runs Z-Stack Home 1.2 (or no Z-Stack 3): flash Z-Stack 3.x.0 for CC2652/CC1352 onto it")]
    OldStack,
    /// Blank, and nobody said that a network may be formed.
    #[error("this dongle has no network; set gateway.radio.form_network = true once, then pair the sensors")]
    NotFormed,
    /// It did not come up.
    #[error("the Zigbee network did not start within {0} s")]
    NotStarted(u64),
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

/// Brings the dongle up. `seed` makes a new network's key; it is used only where `form` is set and the dongle blank.
pub async fn start(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    form: bool,
    seed: [u8; 16],
) -> Result<Coordinator, StartError> {
    let capabilities = ping(link, clock).await?;
    let version = link.request(SYS_VERSION, &[]).await?;
    let product = *version.get(1).ok_or(LinkError::Short(SYS_VERSION))?;
    // Bit 10 of the capabilities is APP_CNF, which Z-Stack Home 1.2 lacks; its product number is 0.
    if capabilities & 1 << 10 == 0 || product == 0 {
        return Err(StartError::OldStack);
    }
    if nv_read(link, NV_BDB_FORMED).await? != Some(vec![1]) || nv_read(link, NV_NIB).await?.is_none() {
        if !form {
            return Err(StartError::NotFormed);
        }
        prepare_network(link, indications, clock, seed).await?;
        bring_up(link, indications, clock, true).await?;
    } else {
        if nv_read(link, NV_DIRECT_CB).await? != Some(vec![1]) {
            nv_write(link, NV_DIRECT_CB, &[1]).await?;
            reset(link, indications, clock).await?;
        }
        if device_info(link).await?.1 != COORDINATOR_STARTED {
            bring_up(link, indications, clock, false).await?;
        }
    }
    register(link).await?;
    let version = [2, 3, 4].map(|at| version.get(at).copied().unwrap_or(0));
    Ok(Coordinator { ieee: device_info(link).await?.0, version })
}

/// After a spontaneous reset: start and register again, without another reset.
pub async fn restart(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    counters: &Counters,
) -> Result<(), StartError> {
    for _ in 0..RESTARTS {
        let up = async {
            if device_info(link).await?.1 != COORDINATOR_STARTED {
                bring_up(link, indications, clock, false).await?;
            }
            register(link).await
        };
        match up.await {
            // Again, before it was up.
            Err(StartError::Reset) => counters.add("dongle_resets", 1),
            ended => return ended,
        }
    }
    Err(StartError::Reset)
}

/// Is anybody there? A stick that has just been plugged in may need a second call.
async fn ping(link: &Link, clock: &Clock) -> Result<u16, StartError> {
    let short = Duration::from_secs(2);
    let answer = match link.request_within(SYS_PING, &[], short).await {
        Err(LinkError::Timeout(_)) => {
            clock.sleep(Duration::from_millis(500)).await;
            link.request(SYS_PING, &[]).await?
        }
        answer => answer?,
    };
    match answer[..] {
        [low, high, ..] => Ok(u16::from_le_bytes([low, high])),
        _ => Err(LinkError::Short(SYS_PING).into()),
    }
}

async fn nv_read(link: &Link, item: u16) -> Result<Option<Vec<u8>>, LinkError> {
    let id = item.to_le_bytes();
    let length = link.request(SYS_NV_LENGTH, &id).await?;
    if length.get(..2).is_none_or(|length| length == [0, 0]) {
        return Ok(None);
    }
    let answer = link.request(SYS_NV_READ, &[id[0], id[1], 0]).await?;
    match answer[..] {
        [0, _, ref value @ ..] => Ok(Some(value.to_vec())),
        _ => Ok(None),
    }
}

async fn nv_write(link: &Link, item: u16, value: &[u8]) -> Result<(), LinkError> {
    let (id, length) = (item.to_le_bytes(), value.len() as u8);
    let init = [&[id[0], id[1], length, 0, length][..], value].concat();
    link.request(SYS_NV_INIT, &init).await?;
    let answer = link.request(SYS_NV_WRITE, &[&[id[0], id[1], 0, length][..], value].concat()).await?;
    match answer[..] {
        [0, ..] => Ok(()),
        [status, ..] => Err(LinkError::Refused(SYS_NV_WRITE, status)),
        [] => Err(LinkError::Short(SYS_NV_WRITE)),
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
    key: [u8; 16],
) -> Result<(), StartError> {
    nv_write(link, NV_STARTUP_OPTION, &[3]).await?;
    reset(link, indications, clock).await?;
    for (item, value) in [
        (NV_STARTUP_OPTION, &[0][..]),
        (NV_LOGICAL_TYPE, &[0]),
        (NV_DIRECT_CB, &[1]),
        (NV_PAN_ID, &[0xFF, 0xFF]),
        (NV_NETWORK_KEY, &key),
        (NV_KEYS_ENABLE, &[0]),
        (NV_CHANNELS, &CHANNEL_MASK.to_le_bytes()),
    ] {
        nv_write(link, item, value).await?;
    }
    Ok(())
}

async fn bring_up(
    link: &Link,
    indications: &mut UnboundedReceiver<Indication>,
    clock: &Clock,
    new: bool,
) -> Result<(), StartError> {
    if new {
        let mask = CHANNEL_MASK.to_le_bytes();
        link.request(BDB_SET_CHANNEL, &[&[1][..], &mask].concat()).await?;
        link.request(BDB_SET_CHANNEL, &[0; 5]).await?;
    }
    link.request_within(BDB_START, &[0x04], COMMISSIONING_LIMIT).await?;
    // A restored network ends with "formation failure" in 0x4F80, which is normal: only the state says success.
    wait(indications, clock, START_LIMIT, |said| {
        said.command == ZDO_STATE_CHANGE && said.data.first() == Some(&COORDINATOR_STARTED)
    })
    .await
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
