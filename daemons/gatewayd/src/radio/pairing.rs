//! Letting sensors in: a join window is open only while somebody asks for it, here (`medmon local pair`) or from afar
//! (remote.rs).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;

use medmon_core::noun::{Ieee, MonoUs};

use super::air::{Air, AirError};
use super::link::LinkError;

const ZDO_PERMIT_JOIN: u16 = 0x2536;
/// `bdbAddInstallCode` and `bdbSetJoinUsesInstallCodeKey` of the APP_CNF subsystem: zigpy-znp, `commands/app_config.py`
/// (0x04 and 0x06 of subsystem 0x0F).
const ADD_INSTALL_CODE: u16 = 0x2F04;
const JOIN_USES_INSTALL_CODE: u16 = 0x2F06;
/// All routers and the coordinator.
const BROADCAST: [u8; 3] = [0x0F, 0xFC, 0xFF];
/// The longest window that the standard has; 255 means for ever and is never sent.
const LONGEST_S: i64 = 254;
/// A longer one is renewed this long before its end.
const RENEW_S: i64 = 54;
/// A renewal that failed is tried again after so long.
const RENEW_AGAIN_US: i64 = 5_000_000;
/// Between two attempts to close.
const CLOSE_AGAIN: Duration = Duration::from_secs(2);
/// So long after the dongle was asked to open, a device may have come in.
pub const GUARD_US: i64 = (LONGEST_S + 10) * 1_000_000;
/// Devices that were let in say so within this time.
pub const CLOSED_GUARD_US: i64 = 10_000_000;
/// The longest that may be asked for at once.
pub const MAX_S: u32 = 3600;

/// Whom a window admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermitJoin {
    /// Nobody: `medmon local pair` is refused.
    Closed,
    /// Devices on the allow-list; others are told to leave.
    #[default]
    Listed,
    /// Only devices whose install code is known; the dongle itself keeps others out.
    InstallCode,
}

impl PermitJoin {
    fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Listed => "listed",
            Self::InstallCode => "install_code",
        }
    }
}

/// A device's install code: 16 bytes and their CRC-16/X-25 (Zigbee base device behaviour 1.0, 10.1).
#[derive(Clone, PartialEq, Eq)]
pub struct InstallCode([u8; 18]);

impl fmt::Debug for InstallCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever has it can read the device's first key.
        f.write_str("InstallCode")
    }
}

impl FromStr for InstallCode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits: String = text.chars().filter(|letter| !matches!(letter, ' ' | '-' | ':')).collect();
        let bytes = hex(&digits).and_then(|bytes| <[u8; 18]>::try_from(bytes).ok());
        let bytes = bytes.ok_or("must be 36 hexadecimal digits: 16 bytes and their check, as printed on the device")?;
        let (code, check) = bytes.split_at(16);
        let right = crc_x25(code).to_le_bytes();
        if check == right {
            Ok(Self(bytes))
        } else {
            Err("the last four digits do not fit the others: a digit was misread".into())
        }
    }
}

impl<'de> Deserialize<'de> for InstallCode {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Bytes of hexadecimal digits.
pub fn hex(digits: &str) -> Option<Vec<u8>> {
    if !digits.is_ascii() || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

fn crc_x25(bytes: &[u8]) -> u16 {
    !bytes.iter().fold(0xFFFF, |sum: u16, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| if sum & 1 == 1 { sum >> 1 ^ 0x8408 } else { sum >> 1 })
    })
}

/// Who may come in, from the configuration.
#[derive(Clone, Debug, Default)]
pub struct Policy {
    /// Whom a window admits.
    pub permit_join: PermitJoin,
    /// Install codes by device.
    pub install_codes: BTreeMap<Ieee, InstallCode>,
}

/// An open window and whoever opened it.
#[derive(Debug)]
pub struct Window {
    /// Closed at this time.
    pub until_us: MonoUs,
    /// Renewed at this time.
    pub renew_us: MonoUs,
    say: mpsc::UnboundedSender<Json>,
}

impl Window {
    /// Open from `now` for `seconds`.
    pub fn new(now: MonoUs, seconds: u32, say: mpsc::UnboundedSender<Json>) -> Self {
        let until_us = now + i64::from(seconds) * 1_000_000;
        Self { until_us, renew_us: now + (LONGEST_S - RENEW_S) * 1_000_000, say }
    }

    /// Tells whoever opened it.
    pub fn say(&self, row: Json) {
        let _ = self.say.send(row);
    }

    /// Time is up, or nobody listens any more.
    pub fn is_over(&self, now: MonoUs) -> bool {
        now >= self.until_us || self.say.is_closed()
    }

    /// Is it time to renew, and for how many seconds?
    pub fn renewal(&mut self, now: MonoUs) -> Option<u8> {
        if now < self.renew_us || now >= self.until_us {
            return None;
        }
        self.renew_us = now + (LONGEST_S - RENEW_S) * 1_000_000;
        Some(seconds((self.until_us - now) / 1_000_000 + 1))
    }

    /// The renewal failed.
    pub fn renew_again(&mut self, now: MonoUs) {
        self.renew_us = now + RENEW_AGAIN_US;
    }
}

fn seconds(wanted: i64) -> u8 {
    wanted.clamp(0, LONGEST_S) as u8
}

/// What a window's opening says.
pub fn opened(policy: &Policy, seconds: u32) -> Json {
    json!({ "event": "open", "seconds": seconds, "admits": policy.permit_join.name() })
}

/// Opens the window: codes and policy first, so that nobody slips in before them.
async fn open(air: &Air, policy: &Policy, wanted: u32) -> Result<(), String> {
    if policy.permit_join == PermitJoin::Closed {
        return Err("gateway.radio.permit_join = \"closed\": no sensor may join here; set it to \"listed\" or \
                    \"install_code\" and start the gateway again"
            .into());
    }
    for (device, code) in &policy.install_codes {
        let mut data = vec![1];
        data.extend(device.0.to_le_bytes());
        data.extend(code.0);
        command(air, ADD_INSTALL_CODE, &data)
            .await
            .map_err(|error| format!("the dongle did not take the install code of {device}: {error}"))?;
    }
    let only = policy.permit_join == PermitJoin::InstallCode;
    match command(air, JOIN_USES_INSTALL_CODE, &[u8::from(only)]).await {
        Err(error) if only => {
            return Err(format!("the dongle cannot demand install codes: {error}; nothing was opened"));
        }
        _ => {}
    }
    permit(air, seconds(wanted.into())).await.map_err(|error| format!("the dongle opened no join window: {error}"))
}

/// What the door of the network is to do.
#[derive(Clone, Copy, Debug)]
pub enum Wish {
    /// Let devices in for so many seconds.
    Open(u32),
    /// Let nobody in.
    Close,
}

/// What became of a wish.
#[derive(Debug)]
pub enum Door {
    /// Open, or not.
    Opened(Result<(), String>),
    /// Shut.
    Closed,
}

/// Opens and closes the network. A newer wish ends what is still under way, and its commands come after: a slow renewal
/// must not open again what was closed meanwhile. Closing is tried until the dongle does it.
pub async fn keep_door(air: Air, policy: Policy, mut wishes: mpsc::UnboundedReceiver<Wish>, said: impl Fn(Door)) {
    let mut wish = wishes.recv().await;
    while let Some(now) = wish {
        let act = async {
            match now {
                Wish::Open(seconds) => said(Door::Opened(open(&air, &policy, seconds).await)),
                Wish::Close => {
                    while let Err(error) = permit(&air, 0).await {
                        tracing::warn!(%error, "the join window could not be closed; trying again");
                        air.clock.sleep(CLOSE_AGAIN).await;
                    }
                    said(Door::Closed);
                }
            }
        };
        wish = tokio::select! {
            newer = wishes.recv() => newer,
            () = act => wishes.recv().await,
        };
    }
}

/// Opens for so many seconds, or closes (0), everywhere in the network.
pub async fn permit(air: &Air, seconds: u8) -> Result<(), AirError> {
    command(air, ZDO_PERMIT_JOIN, &[&BROADCAST[..], &[seconds, 0]].concat()).await
}

async fn command(air: &Air, command: u16, data: &[u8]) -> Result<(), AirError> {
    match air.link.request(command, data).await?[..] {
        [0, ..] => Ok(()),
        [status, ..] => Err(AirError::Undelivered(status)),
        [] => Err(LinkError::Short(command).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_install_code_is_checked_by_its_crc() {
        // The example of the Zigbee base device behaviour specification.
        let code = "83FED3407A939723A5C639B26916D505C3B5";
        assert!(code.parse::<InstallCode>().is_ok());
        assert!(code.to_lowercase().parse::<InstallCode>().is_ok());
        let misread = code.replace("83FE", "83FF").parse::<InstallCode>().unwrap_err();
        assert!(misread.contains("misread"), "{misread}");
        for text in ["83FE", "", "zz", "é3FED3407A939723A5C639B26916D505C3B5"] {
            assert!(text.parse::<InstallCode>().unwrap_err().contains("36 hexadecimal"), "{text}");
        }
    }

    #[test]
    fn a_long_window_is_renewed_and_never_for_ever() {
        let (say, listener) = mpsc::unbounded_channel();
        let mut window = Window::new(0, 600, say);
        assert_eq!(window.renewal(199_000_000), None);
        assert_eq!(window.renewal(200_000_000), Some(254));
        assert_eq!(window.renewal(400_000_000), Some(201));
        assert_eq!(window.renewal(600_000_000), None);
        assert!(!window.is_over(599_000_000) && window.is_over(600_000_000));
        drop(listener);
        assert!(window.is_over(0), "nobody runs `pair` any more");
        assert_eq!(seconds(255), 254);
    }
}
