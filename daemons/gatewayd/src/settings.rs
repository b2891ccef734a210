//! Settings: the one document that comes down. Kept on disk, so that the gateway works alone for as long as it must.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_api::Client;
use medmon_core::noun::{Contact, Ladder, Settings};
use medmon_kit::Clock;

use crate::config::GatewayConfig;
use crate::install::write_atomically;
use crate::uplink::Backoff;

const FILE: &str = "settings.json";
/// The cloud holds a request for so long while nothing changes.
const WAIT_S: u32 = 50;

/// The newest Settings, what of the configuration is laid over them, and who wants to know.
pub struct SettingsStore {
    path: PathBuf,
    config: GatewayConfig,
    /// What the whole gateway works by.
    pub in_force: watch::Sender<Arc<Settings>>,
    /// Why newer ones are not in force.
    pub rejected: watch::Sender<Option<String>>,
}

impl SettingsStore {
    /// Reads what the last run kept. A damaged file is said and left aside: the configuration still holds.
    pub fn open(folder: &Path, config: &GatewayConfig) -> Self {
        let path = folder.join(FILE);
        let kept = match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).unwrap_or_else(|error| {
                tracing::error!(%error, "settings.json is damaged and left aside until the cloud sends it again");
                Settings::default()
            }),
            Err(_) => Settings::default(),
        };
        let in_force = watch::Sender::new(Arc::new(effective(config, kept)));
        Self { path, config: config.clone(), in_force, rejected: watch::Sender::new(None) }
    }

    /// Takes newer Settings: on disk first, then in force.
    fn take(&self, settings: Settings) -> std::io::Result<()> {
        let bytes = serde_json::to_vec_pretty(&settings).map_err(std::io::Error::other)?;
        write_atomically(&self.path, &bytes)?;
        tracing::info!(version = settings.version, epoch = settings.epoch, "settings in force");
        self.in_force.send_replace(Arc::new(effective(&self.config, settings)));
        Ok(())
    }
}

/// The cloud's Settings with the home's own devices and fallback number.
fn effective(config: &GatewayConfig, mut settings: Settings) -> Settings {
    for device in config.devices() {
        if !settings.devices.iter().any(|known| known.ieee == device.ieee) {
            settings.devices.push(device);
        }
    }
    for (ieee, device) in config.devices.iter().filter(|(_, device)| !device.cadences.is_empty()) {
        settings.cadences_of.entry(*ieee).or_insert_with(|| device.cadences.clone());
    }
    if let Some(phone) = config.sms.fallback_phone.clone().filter(|_| settings.contacts.is_empty()) {
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, phone.as_bytes());
        settings.contacts.push(Contact { id, name: "fallback".into(), phone, language: config.language });
    }
    if settings.ladder == Ladder::default() {
        settings.ladder = config.sms.ladder.into();
    }
    if settings.time_zone.is_empty() {
        settings.time_zone.clone_from(&config.time_zone);
    }
    settings
}

/// Elsewhere: the emergency does not wait for a disk.
async fn take(store: &Arc<SettingsStore>, settings: Settings) -> std::io::Result<()> {
    let store = Arc::clone(store);
    tokio::task::spawn_blocking(move || store.take(settings)).await?
}

/// Follows the cloud's Settings until `stop`.
pub async fn run(store: Arc<SettingsStore>, client: Client, clock: Clock, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let have = store.in_force.borrow().version;
        let answer = tokio::select! {
            answer = client.settings((have > 0).then_some(have), WAIT_S) => answer,
            () = stop.cancelled() => return,
        };
        let pause = match answer {
            Ok(Some(settings)) => match take(&store, settings).await {
                Ok(()) => {
                    store.rejected.send_replace(None);
                    backoff.reset()
                }
                Err(error) => {
                    store.rejected.send_replace(Some(format!("they cannot be kept: {error}")));
                    tracing::error!(%error, "newer settings cannot be kept and are not used");
                    backoff.wait()
                }
            },
            Ok(None) => backoff.reset(),
            Err(error) => {
                tracing::debug!(%error, "no settings from the cloud; the last ones hold");
                backoff.wait()
            }
        };
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// The least pause between two questions, so that a broken proxy that answers at once does not become a flood.
pub(crate) const PAUSE: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use medmon_core::noun::Ieee;

    use super::*;

    #[tokio::test]
    async fn settings_survive_a_restart_and_the_home_adds_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = GatewayConfig::default();
        config.sms.fallback_phone = Some("+33612345678".into());
        config.sms.ladder.next_after_s = 120;
        config.devices.insert(Ieee(7), crate::config::DeviceConfig::default());
        let store = SettingsStore::open(folder.path(), &config);
        assert_eq!(store.in_force.borrow().contacts.len(), 1);
        store.take(Settings { version: 5, epoch: 2, ..Settings::default() }).unwrap();
        let store = SettingsStore::open(folder.path(), &config);
        let settings = store.in_force.borrow().clone();
        assert_eq!((settings.version, settings.epoch, settings.devices.len()), (5, 2, 1));
        assert_eq!((settings.ladder.next_after_s, settings.ladder.hourly), (120, 6));
        std::fs::write(folder.path().join(FILE), "{ damaged").unwrap();
        assert_eq!(SettingsStore::open(folder.path(), &config).in_force.borrow().version, 0);
    }
}
