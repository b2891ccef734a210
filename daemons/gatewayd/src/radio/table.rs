//! The devices of this network as they were last known: `radio.json` in the data folder.
//!
//! Short addresses in it are hints for people; a message is attributed only by what this session confirmed
//! (addresses.rs). Not for: who is on the allow-list (Settings), what a device sent (COLLECT).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::Notify;

use medmon_core::noun::Ieee;
use medmon_kit::Clock;

use crate::install::write_atomically;

const FILE: &str = "radio.json";
/// Changes within this time are one write: SD cards wear.
const SETTLE: Duration = Duration::from_secs(2);
/// More devices than a coordinator can hold are a damaged file or an attack.
const MAX: usize = 500;

/// How far a device has been asked what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interview {
    /// Not yet, or not to the end: its reports are taken all the same.
    #[default]
    Pending,
    /// Everything it could be asked was asked; bound and configured.
    Done,
}

/// One endpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Profile.
    pub profile: u16,
    /// Device id.
    pub device: u16,
    /// Server clusters.
    pub clusters: Vec<u16>,
}

/// What is known of a device.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Last short address: a hint.
    pub network: u16,
    /// Of its node descriptor.
    pub mfr_code: Option<u16>,
    /// By number, as its simple descriptors say; `None` = not asked yet.
    pub endpoints: Option<BTreeMap<u8, Endpoint>>,
    /// Basic manufacturer; `None` = not asked yet.
    pub manufacturer: Option<String>,
    /// Basic model.
    pub model: Option<String>,
    /// How far it was asked.
    pub interview: Interview,
    /// By which mapping rows and cadences it was configured (`Map::setup`).
    pub setup: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    devices: BTreeMap<Ieee, Known>,
}

/// The table. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Table {
    path: PathBuf,
    devices: Arc<Mutex<BTreeMap<Ieee, Arc<Known>>>>,
    changed: Arc<Notify>,
}

impl Table {
    /// Reads what the last run kept. A damaged file costs new interviews, no reading.
    pub fn open(folder: &std::path::Path) -> Self {
        let path = folder.join(FILE);
        let devices = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice::<File>(&bytes).map_or_else(
                |error| {
                    tracing::error!(%error, "radio.json is damaged; every sensor is asked again what it is");
                    BTreeMap::new()
                },
                |file| file.devices.into_iter().map(|(device, known)| (device, Arc::new(known))).collect(),
            ),
            Err(_) => BTreeMap::new(),
        };
        Self { path, devices: Arc::new(Mutex::new(devices)), changed: Arc::default() }
    }

    /// All of them now.
    pub fn snapshot(&self) -> BTreeMap<Ieee, Arc<Known>> {
        self.lock().clone()
    }

    /// One of them. The message path asks for every message: no copy is made.
    pub fn get(&self, device: Ieee) -> Option<Arc<Known>> {
        self.lock().get(&device).cloned()
    }

    /// Changes what is known of `device`; a device that is new is put in.
    pub fn change(&self, device: Ieee, change: impl FnOnce(&mut Known)) {
        let mut devices = self.lock();
        if devices.len() >= MAX && !devices.contains_key(&device) {
            return;
        }
        let before = devices.get(&device).cloned();
        let known = devices.entry(device).or_default();
        change(Arc::make_mut(known));
        if before.as_ref() != Some(known) {
            self.changed.notify_one();
        }
    }

    /// Forgets every device: another network begins.
    pub fn clear(&self) {
        self.lock().clear();
        self.changed.notify_one();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Ieee, Arc<Known>>> {
        self.devices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes changes down, away from the message path. Runs until dropped.
    pub async fn keep(&self, clock: &Clock) {
        loop {
            self.changed.notified().await;
            clock.sleep(SETTLE).await;
            self.save().await;
        }
    }

    /// Writes it down now.
    pub async fn save(&self) {
        let devices = self.snapshot().into_iter().map(|(device, known)| (device, Known::clone(&known))).collect();
        let (path, file) = (self.path.clone(), File { devices });
        let write = move || {
            let bytes = serde_json::to_vec_pretty(&file).map_err(std::io::Error::other)?;
            if std::fs::read(&path).is_ok_and(|held| held == bytes) { Ok(()) } else { write_atomically(&path, &bytes) }
        };
        if let Err(error) = tokio::task::spawn_blocking(write).await.unwrap_or_else(|error| Err(error.into())) {
            tracing::warn!(%error, "radio.json could not be written; interviews may be repeated");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_device_is_survives_a_restart_and_a_damaged_file() {
        let folder = tempfile::tempdir().unwrap();
        let table = Table::open(folder.path());
        table.change(Ieee(1), |known| known.model = Some("BELT-1".into()));
        table.save().await;
        let again = Table::open(folder.path());
        assert_eq!(again.get(Ieee(1)).and_then(|known| known.model.clone()), Some("BELT-1".into()));
        std::fs::write(folder.path().join(FILE), "{").unwrap();
        assert!(Table::open(folder.path()).snapshot().is_empty());
    }
}
