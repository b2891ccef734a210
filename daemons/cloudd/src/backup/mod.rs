//! Backups: taken beside a running cloud, incremental by file, encrypted; restored into an empty folder; verified.
//!
//! While one is taken the store settles, compacts and erases nothing (`tending`): data only enters the journal. Files are
//! copied against the way of the data, journal, vitals, records: whatever the journal's copy holds, the records'
//! copy knows whose it is. After a restore each gateway hears another generation and how far the cloud holds its
//! streams, and sends what is missing again: it keeps what was acknowledged for a week.

pub mod vault;

use std::fs::File;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use vault::{Snapshot, Vault, VaultError, at};

const RECORDS: &str = "records.sqlite";
/// Held shared by whoever tends the stores, alone by a backup.
const TENDING: &str = "tending.lock";
/// Stands in a data folder while it is restored: half of a record is none.
const HALF: &str = "restore-not-finished";
/// How much further numbers go on after a restore than the backup says, where the clock does not give a larger one.
const LEAP: i64 = 1_000_000;

/// The lock of tending, if a backup does not hold it. `None`: later.
pub fn tending(data_dir: &Path) -> std::io::Result<Option<File>> {
    let file = lock_file(data_dir)?;
    Ok(file.try_lock_shared().is_ok().then_some(file))
}

fn lock_file(data_dir: &Path) -> std::io::Result<File> {
    let path = data_dir.join(TENDING);
    // To be read is enough: another user may have made it, who takes the backups.
    match File::open(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            File::options().create(true).truncate(false).write(true).open(path)
        }
        opened => opened,
    }
}

/// What a backup did.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its list.
    pub snapshot: Snapshot,
    /// Files that were written; the others were there from before.
    pub written: usize,
    /// A key was made.
    pub made_key: bool,
    /// Objects that were let go.
    pub pruned: usize,
}

/// Takes a backup of the cloud in `data_dir`, running or not, and lets all but the newest `keep` go.
pub fn take(
    data_dir: &Path,
    folder: &Path,
    key_file: &Path,
    keep: Option<usize>,
    now: jiff::Timestamp,
) -> Result<Taken, VaultError> {
    let (vault, made_key) = Vault::open(folder, key_file, true)?;
    let whole = |path: &Path| path.canonicalize().map_err(at(path));
    if whole(folder)?.starts_with(whole(data_dir)?) {
        let problem = "is inside cloud.data_dir: each backup would hold those before it; give a folder elsewhere";
        return Err(VaultError::Other(format!("{} {problem}", folder.display())));
    }
    let lock = lock_file(data_dir).map_err(at(data_dir))?;
    // What is under way ends first; nothing new begins.
    lock.lock().map_err(at(data_dir))?;
    let_go_of_killed(folder)?;
    let work = tempdir(folder, "work")?;
    let mut snapshot = Snapshot { taken_at: now, release: env!("CARGO_PKG_VERSION").into(), files: Vec::new() };
    let mut written = 0;
    for file in files(data_dir)? {
        let name = file.strip_prefix(data_dir).unwrap_or(&file).to_string_lossy().into_owned();
        let copy = if is_database(&file) { Some(copy_database(&file, &work)?) } else { None };
        let (entry, new) = vault.keep(copy.as_deref().unwrap_or(&file), &name)?;
        written += usize::from(new);
        snapshot.files.push(entry);
    }
    std::fs::remove_dir_all(&work).map_err(at(&work))?;
    vault.close(&snapshot)?;
    // Still alone: what another backup has kept and not named yet must not be let go.
    let pruned = keep.map(|keep| vault.prune(keep)).transpose()?.unwrap_or(0);
    drop(lock);
    Ok(Taken { snapshot, written, made_key, pruned })
}

/// The files of a cloud: the journal, then the vitals, then the rest, the records last.
fn files(data_dir: &Path) -> Result<Vec<PathBuf>, VaultError> {
    let mut files = Vec::new();
    walk(data_dir, &mut files)?;
    let rank = |path: &PathBuf| {
        let below = path.strip_prefix(data_dir).unwrap_or(path);
        let first = below.components().next().map(|part| part.as_os_str().to_string_lossy().into_owned());
        match first.as_deref() {
            Some("journal") => 0,
            Some("vitals") => 1,
            Some(RECORDS) => 3,
            _ => 2,
        }
    };
    files.sort_by_cached_key(|path| (rank(path), path.clone()));
    Ok(files)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), VaultError> {
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        let path = entry.path();
        if entry.file_type().map_err(at(&path))?.is_dir() {
            walk(&path, files)?;
        } else if !["-wal", "-shm", ".lock", "-journal"].iter().any(|end| path.to_string_lossy().ends_with(end)) {
            files.push(path);
        }
    }
    Ok(())
}

fn is_database(file: &Path) -> bool {
    file.extension().is_some_and(|end| end == "sqlite")
}

/// A consistent copy of a database that others may write, its log taken in.
fn copy_database(file: &Path, work: &Path) -> Result<PathBuf, VaultError> {
    let copy = work.join("database");
    let _ = std::fs::remove_file(&copy);
    let copied = || {
        let from = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        from.busy_timeout(Duration::from_secs(10))?;
        let mut to = Connection::open(&copy)?;
        // In one step: after each write of the cloud the next step would begin at the first page again.
        rusqlite::backup::Backup::new(&from, &mut to)?.run_to_completion(i32::MAX, Duration::from_millis(1), None)
    };
    copied().map_err(|error: rusqlite::Error| VaultError::Other(format!("{}: {error}", file.display())))?;
    Ok(copy)
}

/// What a backup that was killed left unencrypted.
fn let_go_of_killed(folder: &Path) -> Result<(), VaultError> {
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let entry = entry.map_err(at(folder))?;
        if entry.file_name().to_string_lossy().starts_with("work-") {
            std::fs::remove_dir_all(entry.path()).map_err(at(&entry.path()))?;
        }
    }
    Ok(())
}

/// A folder for what is not encrypted, for nobody else to read.
fn tempdir(folder: &Path, name: &str) -> Result<PathBuf, VaultError> {
    let work = folder.join(format!("{name}-{}", std::process::id()));
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&work).map_err(at(&work))?;
    Ok(work)
}

/// Restores the backup `name` (the newest, if none) into `data_dir`, which has to be empty or not there.
pub fn restore(data_dir: &Path, folder: &Path, key_file: &Path, name: Option<&str>) -> Result<Snapshot, VaultError> {
    let (vault, _) = Vault::open(folder, key_file, false)?;
    let snapshot = newest(&vault, name)?;
    crate::make_folder(data_dir).map_err(at(data_dir))?;
    let sign = data_dir.join(HALF);
    if sign.exists() {
        clear(data_dir).map_err(at(data_dir))?;
    } else if std::fs::read_dir(data_dir).map_err(at(data_dir))?.next().is_some() {
        let problem = "is not empty; move what is there away, or name another folder in cloud.data_dir";
        return Err(VaultError::Other(format!("{} {problem}", data_dir.display())));
    }
    std::fs::write(&sign, b"").map_err(at(&sign))?;
    // Under its name only once it says that it is restored: whatever a kill leaves cannot pass for the cloud of before.
    let half = data_dir.join("records.restoring");
    for entry in &snapshot.files {
        let path = below(data_dir, &entry.path)?;
        let parent = path.parent().unwrap_or(data_dir);
        std::fs::create_dir_all(parent).map_err(at(parent))?;
        let path = if entry.path == RECORDS { half.clone() } else { path };
        let made = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = made.map_err(at(&path))?;
        vault.fetch(entry, &mut file)?;
        file.flush().and_then(|()| file.sync_all()).map_err(at(&path))?;
    }
    let now_s = jiff::Timestamp::now().as_second();
    another_history(&half, now_s).map_err(|error| VaultError::Other(format!("{}: {error}", half.display())))?;
    let records = data_dir.join(RECORDS);
    std::fs::rename(&half, &records).map_err(at(&records))?;
    File::open(data_dir).and_then(|folder| folder.sync_all()).map_err(at(data_dir))?;
    std::fs::remove_file(&sign).map_err(at(&sign))?;
    Ok(snapshot)
}

/// Whether a restore into `data_dir` was begun and not ended.
pub fn is_half(data_dir: &Path) -> bool {
    data_dir.join(HALF).exists()
}

/// Takes out what a restore that did not end left, the sign of it last.
fn clear(data_dir: &Path) -> std::io::Result<()> {
    for entry in std::fs::read_dir(data_dir)? {
        let entry = entry?;
        match entry.file_type()?.is_dir() {
            true => std::fs::remove_dir_all(entry.path())?,
            false if entry.file_name() != HALF => std::fs::remove_file(entry.path())?,
            false => {}
        }
    }
    Ok(())
}

/// A list of files is data from outside: none may lead out of the folder.
fn below(data_dir: &Path, name: &str) -> Result<PathBuf, VaultError> {
    let path = Path::new(name);
    let plain = path.components().all(|part| matches!(part, std::path::Component::Normal(_)));
    if plain { Ok(data_dir.join(path)) } else { Err(VaultError::Other(format!("the backup names a file {name}"))) }
}

fn newest(vault: &Vault, name: Option<&str>) -> Result<Snapshot, VaultError> {
    let names = vault.snapshots()?;
    let wanted = match name {
        Some(name) => names.iter().find(|one| *one == name),
        None => names.last(),
    };
    match wanted {
        Some(name) => vault.snapshot(name),
        None => Err(VaultError::Other(format!("no such backup; there are: {}", names.join(", ")))),
    }
}

/// Gateways have heard of what came after the backup: no number that was given out since may be given out again, with
/// another patient or other settings behind it; and they must hear that this cloud is not the one they knew.
///
/// Numbers go on at the time: a backup that is restored twice must not give the same ones out twice. None is given out
/// faster than one a second, facts than a thousand.
fn another_history(records: &Path, now_s: i64) -> rusqlite::Result<()> {
    let on = |number: &str, now: i64| format!("CASE WHEN {number} < {now} THEN {now} ELSE {number} + {LEAP} END");
    let epoch = on("MAX(epoch_floor, (SELECT COALESCE(MAX(epoch), 0) FROM assignment))", now_s);
    let fact = on("MAX(fact_floor, (SELECT COALESCE(MAX(seq), 0) FROM fact))", now_s * 1000);
    let (generation, settings) = (on("generation", now_s), on("settings_version", now_s));
    let db = Connection::open(records)?;
    db.execute_batch(&format!(
        "BEGIN;
         UPDATE cloud SET generation = {generation}, epoch_floor = {epoch}, fact_floor = {fact};
         UPDATE gateway SET settings_version = {settings};
         COMMIT;"
    ))
}

/// Reads a backup (all of them, if none is named) back as a restore would: every piece, every check sum, every database.
/// Gives how many files were read, and what is wrong.
pub fn verify(folder: &Path, key_file: &Path, name: Option<&str>) -> Result<(usize, Vec<String>), VaultError> {
    let (vault, _) = Vault::open(folder, key_file, false)?;
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None => vault.snapshots()?,
    };
    if names.is_empty() {
        return Err(VaultError::Other(format!("{}: no backup is here", folder.display())));
    }
    let work = tempdir(folder, "read")?;
    let (mut read, mut wrong, mut seen) = (0, Vec::new(), std::collections::HashSet::new());
    for name in names {
        let snapshot = match vault.snapshot(&name) {
            Ok(snapshot) => snapshot,
            Err(error) => {
                wrong.push(format!("{name}: {error}"));
                continue;
            }
        };
        for entry in snapshot.files.iter().filter(|entry| seen.insert(entry.object.clone())) {
            read += 1;
            if let Err(problem) = check(&vault, entry, &work.join("file")) {
                wrong.push(format!("{name}: {}: {problem}", entry.path));
            }
        }
    }
    std::fs::remove_dir_all(&work).map_err(at(&work))?;
    Ok((read, wrong))
}

fn check(vault: &Vault, entry: &vault::Entry, place: &Path) -> Result<(), String> {
    let mut file = File::create(place).map_err(|error| error.to_string())?;
    vault.fetch(entry, &mut file).map_err(|error| error.to_string())?;
    if !is_database(Path::new(&entry.path)) {
        return Ok(());
    }
    let whole = Connection::open(place)
        .and_then(|db| db.query_row("PRAGMA integrity_check", [], |row| row.get::<_, String>(0)));
    match whole {
        Ok(answer) if answer == "ok" => Ok(()),
        Ok(answer) => Err(answer),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::Records;

    /// Numbers of the first life after a restore are not given out in the second one.
    #[tokio::test]
    async fn a_backup_that_is_restored_twice_gives_no_number_twice() {
        let folder = tempfile::tempdir().unwrap();
        let numbers = async |name: &str, now_s: &[i64]| {
            let path = folder.path().join(name);
            drop(Records::open(&path, 0).await.unwrap());
            for now_s in now_s {
                another_history(&path, *now_s).unwrap();
            }
            let columns = "SELECT generation, epoch_floor, fact_floor FROM cloud";
            let row = |row: &rusqlite::Row<'_>| Ok([row.get(0)?, row.get(1)?, row.get(2)?]);
            Connection::open(&path).unwrap().query_row::<[i64; 3], _, _>(columns, (), row).unwrap()
        };
        let (first, second) = (numbers("a", &[5_000]).await, numbers("b", &[9_000]).await);
        assert!(first.iter().zip(second).all(|(first, second)| second - first >= 4000), "{first:?} {second:?}");
        let again = numbers("c", &[5_000, 9_000, 70]).await;
        assert!(again.iter().zip(second).all(|(again, second)| *again > second), "also where the clock is wrong");
    }
}
