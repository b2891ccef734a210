//! Where backups lie: encrypted objects by content, and snapshots that name them. What did not change is not written
//! again.
//!
//! ```text
//! objects/ab/cdef…   one file of a cloud      snapshots/2026-11-24T02:00:00Z   the list of a backup's files
//! both: magic "MMVAULT1" | nonce 19 bytes | pieces of 1 MiB, each XChaCha20-Poly1305 as of STREAM (Hoang et al. 2015)
//! ```
//! The name of an object is a hash of key and content: it tells nobody what is in it.

use std::fs::File;
use std::io::{self, Read, Seek as _, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use chacha20poly1305::aead::{Aead as _, KeyInit as _};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

const MAGIC: &[u8; 8] = b"MMVAULT1";
const PREFIX: usize = 19;
const PIECE: usize = 1 << 20;
const TAG: usize = 16;
/// A list of files is never longer.
const MAX_SNAPSHOT: usize = 64 << 20;

/// Why a backup cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// A file.
    #[error("{path}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// Not what was written: damage, or another key.
    #[error("{0}: damaged, or written with another key")]
    Damaged(PathBuf),
    /// The key file is none.
    #[error("{0}: not a key; write 64 hexadecimal digits, or name a file that does not exist to have one made")]
    Key(PathBuf),
    /// Anything else, with its remedy.
    #[error("{0}")]
    Other(String),
}

/// Names the file that an error is about.
pub fn at(path: &Path) -> impl FnOnce(io::Error) -> VaultError {
    let path = path.to_owned();
    move |source| VaultError::File { path, source }
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the data folder.
    pub path: String,
    /// The object that holds it.
    pub object: String,
    /// Its length.
    pub bytes: u64,
}

/// What one backup holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// When it was begun, UTC.
    pub taken_at: jiff::Timestamp,
    /// The release that wrote it.
    pub release: String,
    /// Its files.
    pub files: Vec<Entry>,
}

/// A folder of backups and the key to it.
pub struct Vault {
    folder: PathBuf,
    cipher: XChaCha20Poly1305,
    key: [u8; 32],
}

impl Vault {
    /// Opens `folder` with the key in `key_file`. With `create`, makes what is missing; gives whether a key was made.
    pub fn open(folder: &Path, key_file: &Path, create: bool) -> Result<(Self, bool), VaultError> {
        let (key, made) = read_key(key_file, create)?;
        if create {
            for name in ["objects", "snapshots"] {
                let path = folder.join(name);
                std::fs::create_dir_all(&path).map_err(at(&path))?;
            }
        }
        let cipher = XChaCha20Poly1305::new(&Key::from(key));
        Ok((Self { folder: folder.to_owned(), cipher, key }, made))
    }

    /// Keeps a file. `true`: it was not there yet.
    pub fn keep(&self, file: &Path, name: &str) -> Result<(Entry, bool), VaultError> {
        let mut hash = Sha256::new_with_prefix(self.key);
        let mut source = File::open(file).map_err(at(file))?;
        let bytes = io::copy(&mut source, &mut hash).map_err(at(file))?;
        let object = hex(&hash.finalize());
        let place = self.object(&object);
        let entry = Entry { path: name.to_owned(), object, bytes };
        if place.exists() {
            return Ok((entry, false));
        }
        // What the journal gained since belongs to the next backup: it is not in the name.
        source.rewind().map_err(at(file))?;
        self.seal(&mut source.take(bytes), bytes, &place)?;
        Ok((entry, true))
    }

    /// Writes a file of a backup to `to`, checked against its name.
    pub fn fetch(&self, entry: &Entry, to: &mut impl Write) -> Result<(), VaultError> {
        let place = self.object(&entry.object);
        let mut hash = Sha256::new_with_prefix(self.key);
        let mut bytes = 0;
        self.open_pieces(&place, |piece| {
            hash.update(piece);
            bytes += piece.len() as u64;
            to.write_all(piece)
        })?;
        if hex(&hash.finalize()) != entry.object || bytes != entry.bytes {
            return Err(VaultError::Damaged(place));
        }
        Ok(())
    }

    /// Keeps the list of a backup: from here on it exists.
    pub fn close(&self, snapshot: &Snapshot) -> Result<(), VaultError> {
        let place = self.folder.join("snapshots").join(snapshot.taken_at.to_string());
        let json = serde_json::to_vec(snapshot).map_err(|error| VaultError::Other(error.to_string()))?;
        self.seal(&mut json.as_slice(), json.len() as u64, &place)
    }

    /// The names of all backups, oldest first.
    pub fn snapshots(&self) -> Result<Vec<String>, VaultError> {
        let folder = self.folder.join("snapshots");
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(at(&folder))? {
            let name = entry.map_err(at(&folder))?.file_name();
            names.extend(name.into_string().ok().filter(|name| name.parse::<jiff::Timestamp>().is_ok()));
        }
        names.sort();
        Ok(names)
    }

    /// The list of one backup.
    pub fn snapshot(&self, name: &str) -> Result<Snapshot, VaultError> {
        let place = self.folder.join("snapshots").join(name);
        let mut json = Vec::new();
        self.open_pieces(&place, |piece| {
            if json.len() + piece.len() > MAX_SNAPSHOT {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "too long"));
            }
            json.extend_from_slice(piece);
            Ok(())
        })?;
        serde_json::from_slice(&json).map_err(|_| VaultError::Damaged(place))
    }

    /// Lets all but the newest `keep` backups go, and objects that none of the rest names.
    pub fn prune(&self, keep: usize) -> Result<usize, VaultError> {
        let names = self.snapshots()?;
        let (old, rest) = names.split_at(names.len().saturating_sub(keep.max(1)));
        let mut used = std::collections::HashSet::new();
        for name in rest {
            used.extend(self.snapshot(name)?.files.into_iter().map(|entry| entry.object));
        }
        for name in old {
            let path = self.folder.join("snapshots").join(name);
            std::fs::remove_file(&path).map_err(at(&path))?;
        }
        let objects = self.folder.join("objects");
        let mut gone = 0;
        for shelf in std::fs::read_dir(&objects).map_err(at(&objects))? {
            let shelf = shelf.map_err(at(&objects))?.path();
            let start = shelf.file_name().unwrap_or_default().to_string_lossy().into_owned();
            for object in std::fs::read_dir(&shelf).map_err(at(&shelf))? {
                let object = object.map_err(at(&shelf))?.path();
                let name = format!("{start}{}", object.file_name().unwrap_or_default().to_string_lossy());
                if !used.contains(&name) {
                    std::fs::remove_file(&object).map_err(at(&object))?;
                    gone += 1;
                }
            }
        }
        Ok(gone)
    }

    fn object(&self, name: &str) -> PathBuf {
        let (start, rest) = name.split_at_checked(2).unwrap_or(("", name));
        self.folder.join("objects").join(start).join(rest)
    }

    /// Encrypts the `length` bytes of `from` to a file that is whole and on disk once it has its name.
    fn seal(&self, from: &mut impl Read, length: u64, place: &Path) -> Result<(), VaultError> {
        let folder = place.parent().unwrap_or(&self.folder);
        std::fs::create_dir_all(folder).map_err(at(folder))?;
        let half = place.with_extension("half");
        let mut prefix = [0; PREFIX];
        getrandom::fill(&mut prefix).map_err(|error| VaultError::Other(error.to_string()))?;
        let mut file =
            File::options().write(true).create(true).truncate(true).mode(0o600).open(&half).map_err(at(&half))?;
        let written = |file: &mut File, bytes: &[u8]| file.write_all(bytes).map_err(at(&half));
        written(&mut file, MAGIC)?;
        written(&mut file, &prefix)?;
        let mut ahead = piece(from).map_err(at(place))?;
        let mut read = 0;
        for index in 0.. {
            let next = piece(from).map_err(at(place))?;
            let last = next.is_empty();
            read += ahead.len() as u64;
            let sealed = self.cipher.encrypt(&nonce(prefix, index, last), ahead.as_slice());
            written(&mut file, &sealed.map_err(|_| VaultError::Damaged(place.to_owned()))?)?;
            if last {
                break;
            }
            ahead = next;
        }
        if read != length {
            let problem =
                format!("{}: {read} bytes of {length}: the file was cut meanwhile; try again", place.display());
            return Err(VaultError::Other(problem));
        }
        file.sync_all().map_err(at(&half))?;
        std::fs::rename(&half, place).map_err(at(place))?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
    }

    fn open_pieces(&self, place: &Path, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), VaultError> {
        let damaged = || VaultError::Damaged(place.to_owned());
        let mut file = File::open(place).map_err(at(place))?;
        let mut head = [0; MAGIC.len() + PREFIX];
        file.read_exact(&mut head).map_err(|_| damaged())?;
        if &head[..MAGIC.len()] != MAGIC {
            return Err(damaged());
        }
        let mut prefix = [0; PREFIX];
        prefix.copy_from_slice(&head[MAGIC.len()..]);
        let mut ahead = sized(&mut file, PIECE + TAG).map_err(at(place))?;
        for index in 0.. {
            let next = sized(&mut file, PIECE + TAG).map_err(at(place))?;
            let last = next.is_empty();
            let opened = self.cipher.decrypt(&nonce(prefix, index, last), ahead.as_slice());
            take(&opened.map_err(|_| damaged())?).map_err(at(place))?;
            if last {
                break;
            }
            ahead = next;
        }
        Ok(())
    }
}

/// Of STREAM: the piece's number and whether it is the last, so that none can be left out, turned or cut off.
fn nonce(prefix: [u8; PREFIX], index: u32, last: bool) -> XNonce {
    let mut nonce = [0; PREFIX + 5];
    nonce[..PREFIX].copy_from_slice(&prefix);
    nonce[PREFIX..PREFIX + 4].copy_from_slice(&index.to_be_bytes());
    nonce[PREFIX + 4] = u8::from(last);
    XNonce::from(nonce)
}

fn piece(from: &mut impl Read) -> io::Result<Vec<u8>> {
    sized(from, PIECE)
}

fn sized(from: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(length);
    from.take(length as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_key(path: &Path, create: bool) -> Result<([u8; 32], bool), VaultError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && create => {
            let mut key = [0; 32];
            getrandom::fill(&mut key).map_err(|error| VaultError::Other(error.to_string()))?;
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(path).map_err(at(path))?;
            file.write_all(hex(&key).as_bytes()).and_then(|()| file.sync_all()).map_err(at(path))?;
            return Ok((key, true));
        }
        Err(error) => return Err(at(path)(error)),
    };
    let digits = text.trim();
    let byte = |index: usize| u8::from_str_radix(digits.get(index * 2..index * 2 + 2)?, 16).ok();
    let key: Option<Vec<u8>> = (0..32).map(byte).collect();
    match key.and_then(|key| key.try_into().ok()).filter(|_| digits.len() == 64) {
        Some(key) => Ok((key, false)),
        None => Err(VaultError::Key(path.to_owned())),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from(b"0123456789abcdef"[usize::from(value & 15)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(*byte)]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(vault: &Vault, entry: &Entry) -> Result<Vec<u8>, VaultError> {
        let mut bytes = Vec::new();
        vault.fetch(entry, &mut bytes).map(|()| bytes)
    }

    #[test]
    fn what_is_kept_comes_back_and_is_kept_once() {
        let folder = tempfile::tempdir().unwrap();
        let (vault, made) = Vault::open(folder.path(), &folder.path().join("key"), true).unwrap();
        assert!(made);
        for length in [0, 1, PIECE - 1, PIECE, PIECE + 1, 2 * PIECE] {
            let file = folder.path().join("file");
            let content: Vec<u8> = (0..length).map(|index| (index / 7) as u8).collect();
            std::fs::write(&file, &content).unwrap();
            let (entry, new) = vault.keep(&file, "a/b").unwrap();
            assert!(new && !vault.keep(&file, "a/b").unwrap().1, "{length}");
            assert_eq!(fetch(&vault, &entry).unwrap(), content, "{length}");
        }
    }

    /// The journal goes on while it is copied.
    #[test]
    fn a_file_that_grows_is_kept_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (vault, _) = Vault::open(folder.path(), &folder.path().join("key"), true).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![7; PIECE / 4]).unwrap();
        let (path, ended) = (file.clone(), std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false)));
        let stop = std::sync::Arc::clone(&ended);
        let writer = std::thread::spawn(move || {
            let mut file = File::options().append(true).open(path).unwrap();
            while !stop.load(std::sync::atomic::Ordering::Relaxed) && file.metadata().unwrap().len() < 1 << 20 {
                file.write_all(&[8; 100]).unwrap();
            }
        });
        for _ in 0..6 {
            let (entry, _) = vault.keep(&file, "f").unwrap();
            assert_eq!(fetch(&vault, &entry).unwrap().len() as u64, entry.bytes);
        }
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        writer.join().unwrap();
    }

    #[test]
    fn damage_a_cut_and_another_key_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("key");
        let (vault, _) = Vault::open(folder.path(), &key, true).unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, vec![7; 2 * PIECE + 5]).unwrap();
        let (entry, _) = vault.keep(&file, "f").unwrap();
        let place = vault.object(&entry.object);
        let whole = std::fs::read(&place).unwrap();
        let second = MAGIC.len() + PREFIX + PIECE + TAG;
        let mut flipped = whole.clone();
        flipped[second + 9] ^= 1;
        for bad in [&flipped[..], &whole[..second], &whole[..whole.len() - 1], b""] {
            std::fs::write(&place, bad).unwrap();
            assert!(matches!(fetch(&vault, &entry), Err(VaultError::Damaged(_))));
        }
        std::fs::write(&place, whole).unwrap();
        std::fs::write(&key, "0".repeat(64)).unwrap();
        let (other, made) = Vault::open(folder.path(), &key, true).unwrap();
        assert!(!made && fetch(&other, &entry).is_err());
        std::fs::write(&key, "short").unwrap();
        assert!(matches!(Vault::open(folder.path(), &key, true), Err(VaultError::Key(_))));
    }
}
