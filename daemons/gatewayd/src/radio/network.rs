//! Which Zigbee network this home's sensors belong to: `network.json` in the data folder.
//!
//! Another dongle, or this one with another network, would be deaf to every sensor without a sound; so it is refused
//! until somebody says what to do.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use medmon_core::noun::Ieee;

use super::link::{Link, LinkError};
use super::nv;
use super::{ieee, short};
use crate::install::write_atomically;

const FILE: &str = "network.json";

/// A network as it is told from others. The key is in it only as a fingerprint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    /// The coordinator's address; a restored dongle has the old one's.
    pub coordinator: Ieee,
    /// Extended PAN id.
    pub extended_pan: Ieee,
    /// PAN id: changes by itself where two networks collide.
    pub pan: u16,
    /// Channel, 11 to 26.
    pub channel: u8,
    /// Of the network key; `None`: the dongle does not show it.
    pub key: Option<String>,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { coordinator, extended_pan, pan, channel, .. } = self;
        write!(f, "coordinator {coordinator}, extended PAN {extended_pan}, PAN {pan:#06x}, channel {channel}")
    }
}

impl Network {
    /// The network in the dongle's memory. `None`: there is none yet (a new one's channel shows after a while).
    pub async fn of(link: &Link, coordinator: Ieee) -> Result<Option<Self>, LinkError> {
        let Some(nib) = nv::read(link, nv::NIB).await? else { return Ok(None) };
        let key = key(link).await?.map(|key| {
            let digest = Sha256::new().chain_update(b"medmon zigbee network key").chain_update(key).finalize();
            hex(&digest[..8])
        });
        Ok(Self::from_nib(&nib, coordinator, key))
    }

    /// The NIB of a CC26xx is aligned (116 bytes), of older chips packed (110): zigpy-znp, `znp/nib.py`.
    fn from_nib(nib: &[u8], coordinator: Ieee, key: Option<String>) -> Option<Self> {
        let (channel, pan, extended_pan) = match nib.len() {
            116 => (24, 36, 57),
            110 => (22, 33, 53),
            _ => return None,
        };
        let channel = nib[channel];
        let (pan, extended_pan) = (short(nib, pan)?, ieee(nib, extended_pan)?);
        (channel != 0 && pan < 0xFFFE).then_some(Self { coordinator, extended_pan, pan, channel, key })
    }

    /// Do the sensors of the one hear the other? PAN id and channel may have been changed by the stack itself.
    pub fn is(&self, other: &Self) -> bool {
        let keys = self.key.as_ref().zip(other.key.as_ref());
        self.coordinator == other.coordinator
            && self.extended_pan == other.extended_pan
            && keys.is_none_or(|(one, other)| one == other)
    }
}

/// The network key in the dongle's memory, if it shows it.
async fn key(link: &Link) -> Result<Option<[u8; 16]>, LinkError> {
    // One byte of key sequence, then the key.
    let active = nv::read(link, nv::ACTIVE_KEY).await?;
    Ok(active.and_then(|value| value.get(1..17).and_then(|key| key.try_into().ok())))
}

/// Hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

/// What the last run knew.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

impl Store {
    /// In the data folder.
    pub fn new(folder: &Path) -> Self {
        Self { path: folder.join(FILE) }
    }

    /// The network of this home's sensors. A damaged file is an error: without it any dongle would do.
    pub fn read(&self) -> Result<Option<Network>, String> {
        match std::fs::read(&self.path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
                let path = self.path.display();
                format!("{path} is damaged ({error}): `medmon local radio adopt` takes the network of this dongle")
            }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(format!("{}: {error}", self.path.display())),
        }
    }

    /// Keeps it, if it changed.
    pub fn keep(&self, network: &Network) -> Result<(), String> {
        if self.read().is_ok_and(|held| held.as_ref() == Some(network)) {
            return Ok(());
        }
        tracing::info!(%network, "the network of this home");
        let bytes = serde_json::to_vec_pretty(network).map_err(|error| error.to_string())?;
        write_atomically(&self.path, &bytes).map_err(|error| format!("{}: {error}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_told_by_what_its_sensors_mind() {
        let mut nib = vec![0; 116];
        (nib[24], nib[36], nib[57]) = (15, 0x62, 7);
        let network = Network::from_nib(&nib, Ieee(1), Some("aa".into())).unwrap();
        assert_eq!((network.channel, network.pan, network.extended_pan), (15, 0x62, Ieee(7)));
        assert!(network.is(&Network { pan: 0x63, channel: 20, ..network.clone() }));
        assert!(network.is(&Network { key: None, ..network.clone() }));
        for other in [
            Network { coordinator: Ieee(2), ..network.clone() },
            Network { extended_pan: Ieee(8), ..network.clone() },
            Network { key: Some("bb".into()), ..network.clone() },
        ] {
            assert!(!network.is(&other), "{other:?}");
        }
        nib[24] = 0;
        assert_eq!(Network::from_nib(&nib, Ieee(1), None), None, "not settled yet");
        assert_eq!(Network::from_nib(&nib[1..], Ieee(1), None), None);
    }
}
