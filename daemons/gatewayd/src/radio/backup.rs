//! A copy of the dongle's network, encrypted in the data folder, and putting it onto a blank dongle: the sensors go on
//! as if nothing had happened.
//!
//! What is copied and how counters are advanced follows zigbee-herdsman (`adapter-backup.ts`) and zigpy-znp
//! (`znp/security.py`, `api.py`), whose tables for Z-Stack 3.x.0 are the extended memory's. Not for: other stacks' formats.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};

use medmon_core::noun::UtcUs;

use super::link::{Link, LinkError};
use super::network::{Network, hex};
use super::{nv, pairing};
use crate::install::write_atomically;

const FILE: &str = "radio.backup";
const KEY_FILE: &str = "backup.key";
/// Magic and version; what follows is nonce and ciphertext.
const MAGIC: &[u8; 8] = b"MMRADIO1";
const NONCE: usize = 24;

/// Everything that makes the network what it is.
const ITEMS: [u16; 17] = [
    nv::EXTADDR,
    nv::NIB,
    nv::EXTENDED_PAN_ID,
    nv::ACTIVE_KEY,
    nv::ALTERNATE_KEY,
    nv::USE_EXTENDED_PAN_ID,
    nv::LINK_KEYS,
    nv::FORMED,
    nv::CONFIGURED_BY_HOST,
    nv::NETWORK_KEY,
    nv::KEYS_ENABLE,
    nv::LEGACY_KEY,
    nv::PAN_ID,
    nv::CHANNELS,
    nv::LOGICAL_TYPE,
    nv::DIRECT_CB,
    nv::LINK_KEY_SEED,
];
const TABLES: [u16; 5] = [nv::ADDRESSES, nv::SEEDED_KEYS, nv::INSTALL_CODE_KEYS, nv::KEY_DATA, nv::SECURITY_MATERIAL];

/// How far the frame counters go beyond the copy's: the stack writes them down every 1250 frames, twice that is what
/// both other implementations add …
const ADVANCE: u64 = 2500;
/// … and as many a second may have been sent since. A replayed counter makes every sensor deaf, a high one nothing.
const FRAMES_PER_S: u64 = 20;
/// Assumed to have passed where the clock cannot tell.
const UNKNOWN_S: u64 = 30 * 86_400;
/// Between two backups of a network that does not change.
const DAY: std::time::Duration = std::time::Duration::from_hours(24);
const YEAR_S: u64 = 366 * 86_400;

/// A copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// When, UTC µs.
    pub taken_us: UtcUs,
    /// Of which network.
    pub network: Network,
    items: BTreeMap<u16, String>,
    tables: BTreeMap<u16, Vec<String>>,
}

/// Why there is no copy, or none can be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The dongle.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// A file, with its remedy.
    #[error("{0}")]
    File(String),
    /// The dongle does not show what a copy needs.
    #[error("the dongle does not show its {0}: this firmware cannot be backed up")]
    Hidden(&'static str),
}

impl Backup {
    /// Reads the dongle's network out.
    pub async fn take(link: &Link, network: Network, taken_us: UtcUs) -> Result<Self, BackupError> {
        let mut items = BTreeMap::new();
        for item in ITEMS {
            items.extend(nv::read(link, item).await?.map(|value| (item, hex(&value))));
        }
        let mut tables = BTreeMap::new();
        for table in TABLES {
            let rows = nv::table(link, table).await?;
            tables.insert(table, rows.iter().map(|row| hex(row)).collect::<Vec<_>>());
        }
        for (item, name) in [(nv::NIB, "network"), (nv::ACTIVE_KEY, "network key")] {
            if !items.contains_key(&item) {
                return Err(BackupError::Hidden(name));
            }
        }
        if tables[&nv::SECURITY_MATERIAL].is_empty() {
            return Err(BackupError::Hidden("frame counter"));
        }
        // A dongle that lost its memory meanwhile must not replace the copy of what it was.
        match Network::of(link, network.coordinator).await? {
            Some(now) if now.is(&network) => Ok(Self { taken_us, network, items, tables }),
            _ => Err(BackupError::Hidden("network as it was")),
        }
    }

    /// Writes it onto a dongle whose memory is in order (a network was formed on it), counters advanced.
    pub async fn put(&self, link: &Link, now_us: UtcUs) -> Result<(), BackupError> {
        let damaged = || BackupError::File("the backup is damaged inside".into());
        let advance = advance(self.taken_us, now_us);
        for (&table, rows) in &self.tables {
            let mut rows: Vec<Vec<u8>> =
                rows.iter().map(|row| pairing::hex(row)).collect::<Option<_>>().ok_or_else(damaged)?;
            for row in &mut rows {
                advance_row(table, row, advance);
            }
            nv::write_table(link, table, &rows).await?;
        }
        // The NIB last: cut off before it, the dongle shows a network that is not this home's, and is not taken for restored.
        let (last, items): (Vec<_>, Vec<_>) = self.items.iter().partition(|(item, _)| **item == nv::NIB);
        for (&item, value) in items.into_iter().chain(last) {
            nv::write(link, item, &pairing::hex(value).ok_or_else(damaged)?).await?;
        }
        Ok(())
    }
}

/// By how much frame counters go on.
fn advance(taken_us: UtcUs, now_us: UtcUs) -> u32 {
    let passed_s = u64::try_from((now_us - taken_us) / 1_000_000).unwrap_or(UNKNOWN_S).min(YEAR_S);
    u32::try_from(ADVANCE + FRAMES_PER_S * passed_s).unwrap_or(u32::MAX / 2)
}

/// Where a table's outgoing counter is, and which bytes say that the row is in use.
fn advance_row(table: u16, row: &mut [u8], by: u32) {
    let (counter, used) = match table {
        // Counter, extended PAN id.
        nv::SECURITY_MATERIAL => (0, 4..12),
        // Counter out, counter in, device.
        nv::SEEDED_KEYS => (0, 8..16),
        // Key, counter out, counter in.
        nv::KEY_DATA => (16, 0..16),
        _ => return,
    };
    if row.get(used).is_none_or(|bytes| bytes.iter().all(|byte| *byte == 0)) {
        return;
    }
    if let Some(place) = row.get_mut(counter..counter + 4) {
        let held = u32::from_le_bytes([place[0], place[1], place[2], place[3]]);
        // At its very end a counter stops for ever.
        place.copy_from_slice(&held.saturating_add(by).min(u32::MAX - 0x0001_0000).to_le_bytes());
    }
}

/// The encrypted file and its key.
#[derive(Clone, Debug)]
pub struct Vault {
    path: PathBuf,
    key_path: PathBuf,
}

impl Vault {
    /// In the data folder; the key beside it unless the configuration says where.
    pub fn new(folder: &Path, key_file: Option<&Path>) -> Self {
        Self { path: folder.join(FILE), key_path: key_file.map_or_else(|| folder.join(KEY_FILE), Path::to_owned) }
    }

    /// Is there one?
    pub fn exists(&self) -> bool {
        self.path.exists()
    }

    /// Is it a day old, or is there none? By the machine's own clock, as the file's date is.
    pub fn is_due(&self) -> bool {
        let age = fs::metadata(&self.path).and_then(|file| file.modified()).map(|written| written.elapsed());
        !matches!(age, Ok(Ok(age)) if age < DAY)
    }

    /// Encrypts and keeps a copy. That of another network is set aside, not overwritten: it may be wanted back.
    pub fn keep(&self, backup: &Backup) -> Result<(), BackupError> {
        let failed = |error: &dyn std::fmt::Display| BackupError::File(format!("{}: {error}", self.path.display()));
        if self.open().is_ok_and(|held| !held.network.is(&backup.network)) {
            fs::rename(&self.path, self.path.with_extension("backup.old")).map_err(|error| failed(&error))?;
        }
        let plain = serde_json::to_vec(backup).map_err(|error| failed(&error))?;
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| failed(&error))?;
        let sealed = self.cipher(true)?.encrypt(&XNonce::from(nonce), &plain[..]).map_err(|error| failed(&error))?;
        write_atomically(&self.path, &[&MAGIC[..], &nonce, &sealed].concat()).map_err(|error| failed(&error))
    }

    /// The kept copy.
    pub fn open(&self) -> Result<Backup, BackupError> {
        let path = self.path.display();
        let bytes = fs::read(&self.path).map_err(|error| {
            BackupError::File(format!("there is no backup to restore: {path}: {error}; put a copy of it there"))
        })?;
        let rest = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(NONCE));
        let (nonce, sealed) = rest.ok_or_else(|| BackupError::File(format!("{path} is not a radio backup")))?;
        let mut fixed = [0; NONCE];
        fixed.copy_from_slice(nonce);
        let plain = self.cipher(false)?.decrypt(&XNonce::from(fixed), sealed).map_err(|_| {
            let key = self.key_path.display();
            BackupError::File(format!("{path} does not open with {key}: it is damaged or of another key"))
        })?;
        serde_json::from_slice(&plain).map_err(|error| BackupError::File(format!("{path}: {error}")))
    }

    fn cipher(&self, make: bool) -> Result<XChaCha20Poly1305, BackupError> {
        let path = self.key_path.display();
        let failed = |error: &dyn std::fmt::Display| BackupError::File(format!("backup key {path}: {error}"));
        if make && !self.key_path.exists() {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| failed(&error))?;
            let mut options = fs::OpenOptions::new();
            let mut file = options.write(true).create_new(true).mode(0o600).open(&self.key_path);
            let file = file.as_mut().map_err(|error| failed(error))?;
            file.write_all(hex(&key).as_bytes()).and_then(|()| file.sync_all()).map_err(|error| failed(&error))?;
        }
        let mut file = fs::File::open(&self.key_path).map_err(|error| failed(&error))?;
        let mode = file.metadata().map_err(|error| failed(&error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(failed(&format!("others may read it (mode {:03o}); run `chmod 600 {path}`", mode & 0o777)));
        }
        let mut text = String::new();
        file.read_to_string(&mut text).map_err(|error| failed(&error))?;
        let key = pairing::hex(text.trim()).and_then(|key| <[u8; 32]>::try_from(key).ok());
        let key = key.ok_or_else(|| failed(&"must be 64 hexadecimal digits"))?;
        Ok(XChaCha20Poly1305::new(&Key::from(key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use medmon_core::noun::Ieee;

    fn backup() -> Backup {
        let network = Network { coordinator: Ieee(1), extended_pan: Ieee(2), pan: 3, channel: 15, key: None };
        let items = BTreeMap::from([(nv::ACTIVE_KEY, "00c0ffee".into())]);
        Backup { taken_us: 5, network, items, tables: BTreeMap::new() }
    }

    #[test]
    fn a_backup_opens_with_its_key_only_and_says_nothing_without() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::new(folder.path(), None);
        assert!(vault.open().unwrap_err().to_string().contains("no backup"));
        vault.keep(&backup()).unwrap();
        assert_eq!(vault.open().unwrap(), backup());
        let sealed = fs::read(folder.path().join(FILE)).unwrap();
        let mut other = backup();
        other.network.extended_pan = Ieee(9);
        vault.keep(&other).unwrap();
        assert_eq!(fs::read(folder.path().join("radio.backup.old")).unwrap(), sealed);
        assert!(!sealed.windows(8).any(|part| part == b"00c0ffee"));
        let key = folder.path().join(KEY_FILE);
        assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(vault.open().unwrap_err().to_string().contains("chmod 600"));
        fs::remove_file(&key).unwrap();
        vault.cipher(true).unwrap();
        assert!(vault.open().unwrap_err().to_string().contains("another key"));
    }

    #[test]
    fn counters_of_used_rows_go_on_and_never_to_the_end() {
        assert_eq!(advance(0, 100_000_000), 2500 + 2000);
        assert_eq!(advance(1_000_000, 0), advance(0, UNKNOWN_S as i64 * 1_000_000), "a clock that was set back");
        let mut row = [&7_u32.to_le_bytes()[..], &[9; 8]].concat();
        advance_row(nv::SECURITY_MATERIAL, &mut row, 100);
        assert_eq!(row[..4], 107_u32.to_le_bytes());
        let mut unused = [0; 12];
        advance_row(nv::SECURITY_MATERIAL, &mut unused, 100);
        assert_eq!(unused, [0; 12]);
        let mut last = [&u32::MAX.to_le_bytes()[..], &[9; 8]].concat();
        advance_row(nv::SECURITY_MATERIAL, &mut last, 100);
        assert_eq!(last[..4], (u32::MAX - 0x0001_0000).to_le_bytes());
    }
}
