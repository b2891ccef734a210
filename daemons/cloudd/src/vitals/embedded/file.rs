//! A SQLite file of the store: opened for one writer, or read by many; made and removed so that a crash leaves it whole
//! or not there.

use std::collections::HashMap;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use medmon_kit::sqlite::planned_once;
use rusqlite::{Connection, OpenFlags};

use super::Fault;

/// Readers that are kept open while nobody reads.
const IDLE: usize = 64;
/// Statements that a reader keeps prepared: those of a read are few, the same for every file of a kind.
const STATEMENTS: usize = 16;

/// What SQLite keeps beside a file, by the end of its name.
pub const BESIDE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// How a file is laid out.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    pub schema: &'static str,
    /// In bytes. Rows that fill half a page waste half of the disk.
    pub page: u32,
    /// Pages that a writer holds, in KiB. The allocator keeps as much again for every thread that ever wrote.
    pub cache_kib: u32,
    /// Whether a commit is on the disk when it returns; else a checkpoint has to see to it.
    pub synced: bool,
}

/// The layout of every file of this release.
const VERSION: i64 = 1;

/// Whether a file was made to its end. Opens it to write: a kill may have left something to roll back, which no reader
/// can.
pub fn is_made(path: &Path) -> Result<bool, Fault> {
    let look = || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        version(&Connection::open_with_flags(path, flags)?)
    };
    Ok(look().map_err(Fault::sqlite(path))? > 0)
}

/// The version of a file's layout; 0 = it was not made to the end.
fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Opens a file to write in it, making it if it is missing.
pub fn writer(path: &Path, kind: Kind, max_bytes: Option<u64>) -> Result<Connection, Fault> {
    let open = || {
        let connection = Connection::open(path)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        planned_once(&connection)?;
        connection.pragma_update(None, "page_size", kind.page)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", if kind.synced { "FULL" } else { "NORMAL" })?;
        // What is erased is gone from the disk, not only from the tree.
        connection.pragma_update(None, "secure_delete", "ON")?;
        connection.pragma_update(None, "cache_size", -i64::from(kind.cache_kib))?;
        if let Some(bytes) = max_bytes {
            let pages = bytes / u64::from(kind.page);
            connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
        }
        // All of it or nothing: a file without a version never held anything.
        if version(&connection)? == 0 {
            let schema = kind.schema;
            connection.execute_batch(&format!("BEGIN IMMEDIATE; {schema}; PRAGMA user_version = {VERSION}; COMMIT"))?;
        }
        Ok(connection)
    };
    let missing = !path.exists();
    let connection = open().map_err(Fault::sqlite(path))?;
    let found = version(&connection).map_err(Fault::sqlite(path))?;
    if found != VERSION {
        return Err(Fault::TooNew { path: path.to_owned(), found });
    }
    if missing {
        sync_folder(path)?;
    }
    Ok(connection)
}

/// Everything that is committed goes into the file itself, and onto the disk. Needs to wait for readers.
pub fn checkpoint(connection: &Connection, path: &Path) -> Result<(), Fault> {
    let run = || connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    if run().map_err(Fault::sqlite(path))? {
        let busy = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY);
        return Err(Fault::sqlite(path)(rusqlite::Error::SqliteFailure(busy, None)));
    }
    Ok(())
}

/// Brings what it can into the file without waiting for anybody: most of the work before a [`checkpoint`].
pub fn checkpoint_most(connection: &Connection, path: &Path) -> Result<(), Fault> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())).map_err(Fault::sqlite(path))
}

/// Removes a file with what SQLite keeps beside it. The log goes first: it must never meet another file of that name.
pub fn remove(path: &Path) -> Result<(), Fault> {
    remove_log(path)?;
    gone(path)?;
    sync_folder(path)
}

/// Removes what SQLite keeps beside a file, which must have been checkpointed.
pub fn remove_log(path: &Path) -> Result<(), Fault> {
    BESIDE.iter().try_for_each(|end| gone(&beside(path, end)))
}

fn gone(path: &Path) -> Result<(), Fault> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Fault::io(path)(error)),
        _ => Ok(()),
    }
}

/// `path` with `end` after its name.
pub fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

/// What happened to the names in the folder of `path` is on the disk.
pub fn sync_folder(path: &Path) -> Result<(), Fault> {
    let Some(folder) = path.parent() else { return Ok(()) };
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(Fault::io(folder))
}

/// Connections that only read, by file.
#[derive(Debug, Default)]
pub struct Readers(Mutex<HashMap<PathBuf, Vec<Connection>>>);

impl Readers {
    /// Runs `work` on a file.
    pub fn with<T>(&self, path: &Path, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).get_mut(path).and_then(Vec::pop);
        let connection = match idle {
            Some(connection) => connection,
            None => open(path).map_err(Fault::sqlite(path))?,
        };
        let result = work(&connection);
        let mut idle = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.values().map(Vec::len).sum::<usize>() >= IDLE {
            idle.clear();
        }
        idle.entry(path.to_owned()).or_default().push(connection);
        result
    }

    /// A file goes, or another takes its place; nobody reads at this moment.
    pub fn forget(&self, path: &Path) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
    }
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    planned_once(&connection)?;
    connection.pragma_update(None, "cache_size", -4096)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}
