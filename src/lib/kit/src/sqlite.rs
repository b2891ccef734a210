//! A SQLite file as medmon uses it: one writer that commits in groups, readers of their own, migrations.
//!
//! Work is done by `spawn_blocking`, not on a thread of our own: under tokio's paused clock a private thread lets
//! time-outs fire early. Not for: SQL of any program, which lives in its repositories.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// What can go wrong with a file.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// SQLite refused.
    #[error("database {path}: {source}")]
    Sqlite {
        /// Which file; empty inside a statement.
        path: String,
        /// What SQLite says.
        source: Arc<rusqlite::Error>,
    },
    /// The file is of a release newer than this one and its neighbour.
    #[error("database {path} has schema {found}, this program knows up to {known}; install the newer release again")]
    TooNew {
        /// Which file.
        path: String,
        /// Its schema version.
        found: usize,
        /// What this program knows.
        known: usize,
    },
    /// The database was closed while work was waiting.
    #[error("database is closed")]
    Closed,
    /// A statement changed another number of rows than its invariant says.
    #[error("expected {expected} rows to change, {changed} did")]
    Expectation {
        /// Promised.
        expected: usize,
        /// Seen.
        changed: usize,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Self {
        Self::Sqlite { path: String::new(), source: Arc::new(source) }
    }
}

impl Error {
    fn code(&self) -> Option<rusqlite::ErrorCode> {
        match self {
            Self::Sqlite { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }

    /// Whether a unique index or another constraint refused the row.
    pub fn is_constraint(&self) -> bool {
        self.code() == Some(rusqlite::ErrorCode::ConstraintViolation)
    }

    /// Whether the disk, or the file's quota, is full.
    pub fn is_full(&self) -> bool {
        matches!(self.code(), Some(rusqlite::ErrorCode::DiskFull | rusqlite::ErrorCode::SystemIoFailure))
    }
}

/// How a file is kept.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How long the writer gathers work before it commits; zero = at once with whatever waits by then.
    /// Longer means fewer syncs a second, and SD cards die of syncs.
    pub group: Duration,
    /// Largest size of the file in bytes; beyond, writes fail as on a full disk.
    pub max_bytes: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self { group: Duration::ZERO, max_bytes: None }
    }
}

/// The most jobs in one commit.
const GROUP_MAX: usize = 4096;
const READERS: usize = 4;

/// One SQLite file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Database {
    writer: mpsc::Sender<Job>,
    readers: Arc<Readers>,
    ended: Arc<AtomicU64>,
}

/// A job runs inside the group's transaction, if there is one, and learns afterwards whether that was committed.
type Job = Box<dyn FnOnce(Result<&Connection, Error>) -> Finish + Send>;
type Finish = Box<dyn FnOnce(Result<(), Error>) + Send>;

#[derive(Debug)]
struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Semaphore,
}

impl Database {
    /// Opens or creates `path`, brings it to the newest schema, and starts its writer.
    ///
    /// `migrations[n]` leads from schema n to n + 1; once released, an entry never changes.
    pub fn open(path: &Path, migrations: &[&str], options: Options) -> Result<Self, Error> {
        let named =
            |source: rusqlite::Error| Error::Sqlite { path: path.display().to_string(), source: Arc::new(source) };
        let mut connection = Connection::open(path).map_err(named)?;
        prepare(&connection, options).map_err(named)?;
        migrate(&mut connection, path, migrations)?;
        let (writer, jobs) = mpsc::channel(GROUP_MAX);
        let ended = Arc::<AtomicU64>::default();
        tokio::spawn(write_groups(connection, jobs, options.group, Arc::clone(&ended)));
        let readers = Readers { path: path.to_owned(), idle: Mutex::new(Vec::new()), permits: Semaphore::new(READERS) };
        Ok(Self { writer, readers: Arc::new(readers), ended })
    }

    /// How many groups of writes have ended. A write that ran while this was n is durable, and seen by every reading that
    /// begins from then on, or undone, once this is more than n.
    pub fn ended(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.ended)
    }

    /// Runs `work` in a transaction and returns once that is durable. If `work` fails, nothing of it stays;
    /// its neighbours in the group are not touched.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = connection.map_err(E::from).and_then(|connection| in_savepoint(connection, work));
            Box::new(move |committed| {
                let _ = reply.send(match committed {
                    Ok(()) => result,
                    Err(error) => Err(error.into()),
                });
            })
        });
        self.writer.send(job).await.map_err(|_| Error::Closed)?;
        answer.await.map_err(|_| Error::Closed)?
    }

    /// Gives pages that were freed back to the disk. Not for every trim: what is free is used again anyway. An error:
    /// somebody was in the way, and the disk may have nothing back.
    pub async fn give_back(&self) -> Result<(), Error> {
        let readers = Arc::clone(&self.readers);
        let work = move || {
            // Outside the writer's transactions, in which no checkpoint can be made. While this waits for a reader the
            // writer waits for it, so not for long.
            let connection = Connection::open(&readers.path)?;
            connection.busy_timeout(Duration::from_millis(500))?;
            let mut vacuum = connection.prepare("PRAGMA incremental_vacuum")?;
            let mut pages = vacuum.query([])?;
            while pages.next()?.is_some() {}
            let busy: bool = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
            if busy {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_BUSY),
                    None,
                )
                .into());
            }
            Ok(())
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Error::Closed)?
    }

    /// Runs `work` on a connection that only reads.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    {
        let _permit = self.readers.permits.acquire().await.map_err(|_| Error::Closed)?;
        let readers = Arc::clone(&self.readers);
        let run = move || {
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => reader(&readers.path)?,
            };
            let result = work(&connection);
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
            result
        };
        tokio::task::spawn_blocking(run).await.map_err(|_| Error::Closed)?
    }
}

/// `Err` unless a statement changed exactly `expected` rows: how invariants speak up inside a transaction.
pub fn expect(expected: usize, changed: usize) -> Result<(), Error> {
    if expected == changed { Ok(()) } else { Err(Error::Expectation { expected, changed }) }
}

fn prepare(connection: &Connection, options: Options) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(10))?;
    planned_once(connection)?;
    // Before the first table: pages that a trim frees can be given back to the disk.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", "ON")?;
    if let Some(bytes) = options.max_bytes {
        let page: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
        // The pragma answers with a row, which `pragma_update` does not admit.
        connection.query_row(&format!("PRAGMA max_page_count = {}", bytes as i64 / page), [], |_| Ok(()))?;
    }
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path, migrations: &[&str]) -> Result<(), Error> {
    let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let found = found as usize;
    if found > migrations.len() {
        return Err(Error::TooNew { path: path.display().to_string(), found, known: migrations.len() });
    }
    for (index, sql) in migrations.iter().enumerate().skip(found) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(sql)?;
        transaction.pragma_update(None, "user_version", index as i64 + 1)?;
        transaction.commit()?;
    }
    Ok(())
}

fn reader(path: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    planned_once(&connection)?;
    Ok(connection)
}

/// A kept statement is planned once: else SQLite plans some of them anew for whatever is bound to them, which takes ten
/// times as long as to find a row.
pub fn planned_once(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

fn in_savepoint<T, E: From<Error>>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    // A full disk may roll the whole group back; then there is no savepoint left to end, nor a group to join.
    if connection.is_autocommit() {
        return Err(rolled_back().into());
    }
    say(connection, "SAVEPOINT job")?;
    let result = work(connection);
    let end = match &result {
        Ok(_) => say(connection, "RELEASE job"),
        Err(_) if connection.is_autocommit() => Ok(()),
        Err(_) => connection.execute_batch("ROLLBACK TO job; RELEASE job").map_err(Error::from),
    };
    end?;
    result
}

/// A statement of every group, which is not read anew each time.
fn say(connection: &Connection, sql: &str) -> Result<(), Error> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// What the rest of a group learns when SQLite gave the transaction up.
fn rolled_back() -> Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None).into()
}

async fn write_groups(connection: Connection, mut jobs: mpsc::Receiver<Job>, group: Duration, ended: Arc<AtomicU64>) {
    let mut connection = Some(connection);
    while let Some(first) = jobs.recv().await {
        let mut batch = vec![first];
        if !group.is_zero() {
            tokio::time::sleep(group).await;
        }
        while batch.len() < GROUP_MAX
            && let Ok(job) = jobs.try_recv()
        {
            batch.push(job);
        }
        let Some(mine) = connection.take() else { return };
        let commit = move || {
            let (finishes, committed) = write_group(&mine, batch);
            (mine, finishes, committed)
        };
        let Ok((mine, finishes, committed)) = tokio::task::spawn_blocking(commit).await else { return };
        connection = Some(mine);
        ended.fetch_add(1, Ordering::AcqRel);
        // Here, not on the other thread: one thread wakes another once a group, not once a job.
        for finish in finishes {
            finish(committed.clone());
        }
    }
}

/// `None`: the job panicked. That is a bug, but its neighbours and all that come later must not pay for it; whoever
/// waits for it is told `Closed`.
fn run(connection: &Connection, job: Job) -> Option<Finish> {
    let finish = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(Ok(connection)))).ok();
    if finish.is_none() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK TO job; RELEASE job");
    }
    finish
}

fn write_group(connection: &Connection, batch: Vec<Job>) -> (Vec<Finish>, Result<(), Error>) {
    // Without a transaction nothing may run, and everybody learns why: a full disk has its remedies.
    if let Err(error) = say(connection, "BEGIN IMMEDIATE") {
        return (batch.into_iter().map(|job| job(Err(error.clone()))).collect(), Err(error));
    }
    let finishes: Vec<Finish> = batch.into_iter().filter_map(|job| run(connection, job)).collect();
    let committed = if connection.is_autocommit() { Err(rolled_back()) } else { say(connection, "COMMIT") };
    if committed.is_err() && !connection.is_autocommit() {
        let _ = connection.execute_batch("ROLLBACK");
    }
    (finishes, committed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &[&str] = &["CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT UNIQUE) STRICT"];

    async fn count(database: &Database) -> i64 {
        database
            .read(|db| Ok::<_, Error>(db.query_row("SELECT count(*) FROM note", [], |row| row.get(0))?))
            .await
            .unwrap()
    }

    async fn add(database: &Database, text: &'static str) -> Result<(), Error> {
        database
            .write(move |db| {
                db.execute("INSERT INTO note (text) VALUES (?1)", [text])?;
                Ok(())
            })
            .await
    }

    #[tokio::test]
    async fn a_failing_job_leaves_its_neighbours_alone() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { group: Duration::from_millis(20), ..Options::default() };
        let database = Database::open(&folder.path().join("n.sqlite"), SCHEMA, options).unwrap();
        let (one, again, two) = tokio::join!(add(&database, "one"), add(&database, "one"), add(&database, "two"));
        assert!(one.is_ok() && two.is_ok());
        assert!(again.unwrap_err().is_constraint());
        assert_eq!(count(&database).await, 2);
    }

    #[tokio::test]
    async fn a_job_that_panics_takes_nothing_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::open(&folder.path().join("n.sqlite"), SCHEMA, Options::default()).unwrap();
        let bug = database.write(|db| {
            db.execute("INSERT INTO note (text) VALUES ('half')", [])?;
            let nothing: [i64; 0] = [];
            Ok::<_, Error>(nothing[db.changes() as usize])
        });
        assert!(matches!(bug.await, Err(Error::Closed)));
        add(&database, "one").await.unwrap();
        assert_eq!(count(&database).await, 1);
    }

    #[tokio::test]
    async fn a_full_file_is_an_error_and_loses_nothing_that_was_acknowledged() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { max_bytes: Some(64 * 1024), ..Options::default() };
        let database = Database::open(&folder.path().join("n.sqlite"), SCHEMA, options).unwrap();
        let mut kept = 0;
        let full = loop {
            let text = format!("{kept} {}", "x".repeat(4000));
            let row = database.write(move |db| {
                db.execute("INSERT INTO note (text) VALUES (?1)", [text])?;
                Ok::<_, Error>(())
            });
            match row.await {
                Ok(()) => kept += 1,
                Err(error) => break error,
            }
        };
        assert!(full.is_full(), "{full}");
        assert_eq!(count(&database).await, kept);
    }

    #[tokio::test]
    async fn what_was_freed_is_given_back_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.sqlite");
        let database = Database::open(&path, SCHEMA, Options::default()).unwrap();
        let fill = database.write(|db| {
            for id in 0..500 {
                db.execute("INSERT INTO note (text) VALUES (?1)", [format!("{id} {}", "x".repeat(4000))])?;
            }
            Ok::<_, Error>(())
        });
        fill.await.unwrap();
        database.write(|db| Ok::<_, Error>(db.execute("DELETE FROM note", [])?)).await.unwrap();
        database.give_back().await.unwrap();
        let size = std::fs::metadata(&path).unwrap().len();
        assert!(size < 100 << 10, "{size}");
        add(&database, "one").await.unwrap();
    }

    #[tokio::test]
    async fn a_file_of_a_newer_release_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("n.sqlite");
        drop(Database::open(&path, &[SCHEMA[0], "CREATE TABLE later (id INTEGER)"], Options::default()).unwrap());
        let refused = Database::open(&path, SCHEMA, Options::default()).unwrap_err();
        assert!(refused.to_string().contains("schema 2"), "{refused}");
        assert!(Database::open(&path, &[SCHEMA[0], "", "CREATE TABLE more (id INTEGER)"], Options::default()).is_ok());
    }
}
