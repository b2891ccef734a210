//! What the broker could not take: a file of its own that survives a power cut, and a bounded memory for what the file
//! could not take either. Oldest first by id. Not for deciding when the broker is tried again: that is `publish.rs`.

use std::collections::VecDeque;
use std::path::Path;

use medmon_core::noun::Reading;
use medmon_core::wire;
use medmon_kit::sqlite::{self, Database};

/// About a week of a belt that sends bursts, and of everything else.
const FILE_MAX: u64 = 512 << 20;
/// About three hours of four sensors at 50 Hz in bursts.
const MEMORY_MAX: usize = 50_000;

const MIGRATIONS: &[&str] = &["
    CREATE TABLE spilled (boot INTEGER NOT NULL, sequence INTEGER NOT NULL, body BLOB NOT NULL,
                          PRIMARY KEY (boot, sequence)) STRICT, WITHOUT ROWID;
"];

/// Readings to publish again.
pub struct Batch {
    /// They.
    pub readings: Vec<Reading>,
    /// Their rows, and those of damaged ones; none: they were in memory only.
    rows: Vec<(i64, i64)>,
}

/// Where they wait. Everything that touches the disk is a future of its own: nobody who collects waits for it.
pub struct Spill {
    file: Database,
    in_file: u64,
    memory: VecDeque<Reading>,
    memory_max: usize,
}

impl Spill {
    /// Opens or creates `spill.sqlite` in `folder`.
    pub async fn open(folder: &Path) -> Result<Self, sqlite::Error> {
        Self::open_with(folder, FILE_MAX, MEMORY_MAX).await
    }

    async fn open_with(folder: &Path, file_max: u64, memory_max: usize) -> Result<Self, sqlite::Error> {
        let options = sqlite::Options { max_bytes: Some(file_max), ..sqlite::Options::default() };
        let file = Database::open(&folder.join("spill.sqlite"), MIGRATIONS, options)?;
        let count = |db: &rusqlite::Connection| db.query_row("SELECT count(*) FROM spilled", [], |row| row.get(0));
        let in_file: i64 = file.read(move |db| count(db).map_err(sqlite::Error::from)).await?;
        Ok(Self { file, in_file: in_file.unsigned_abs(), memory: VecDeque::new(), memory_max })
    }

    /// How many wait.
    pub fn len(&self) -> u64 {
        self.in_file + self.memory.len() as u64
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether some are not in the file yet.
    pub fn has_unwritten(&self) -> bool {
        !self.memory.is_empty()
    }

    /// Takes readings in. The answer is what had to be given up for them: the oldest in memory.
    pub fn add(&mut self, readings: impl IntoIterator<Item = Reading>) -> Vec<Reading> {
        self.memory.extend(readings);
        let over = self.memory.len().saturating_sub(self.memory_max);
        self.memory.drain(..over).collect()
    }

    /// Gives up what is in memory.
    pub fn give_up(&mut self) -> Vec<Reading> {
        self.memory.drain(..).collect()
    }

    /// Writes what is in memory. Then tell [`Self::written`].
    pub fn write(&mut self) -> impl Future<Output = (Vec<Reading>, Result<(), sqlite::Error>)> + Send + 'static {
        let readings: Vec<_> = self.memory.drain(..).collect();
        let file = self.file.clone();
        async move {
            let rows: Vec<_> = readings.iter().map(|reading| (row(reading), wire::reading::encode(reading))).collect();
            let written = file.write(move |db| {
                let sql = "INSERT OR IGNORE INTO spilled (boot, sequence, body) VALUES (?1, ?2, ?3)";
                let mut insert = db.prepare_cached(sql)?;
                for ((boot, sequence), body) in &rows {
                    insert.execute((boot, sequence, body))?;
                }
                Ok(())
            });
            let result = written.await;
            (readings, result)
        }
    }

    /// What became of [`Self::write`]; the answer as for [`Self::add`].
    pub fn written(&mut self, readings: Vec<Reading>, result: &Result<(), sqlite::Error>) -> Vec<Reading> {
        if result.is_ok() {
            self.in_file += readings.len() as u64;
            return Vec::new();
        }
        self.put_back(readings)
    }

    fn put_back(&mut self, readings: Vec<Reading>) -> Vec<Reading> {
        let newer = std::mem::replace(&mut self.memory, readings.into());
        self.add(newer)
    }

    /// The oldest, at most `limit`. They stay in the file until [`Self::remove`].
    pub fn oldest(&mut self, limit: usize) -> impl Future<Output = Result<Batch, sqlite::Error>> + Send + 'static {
        let from_memory: Option<Vec<_>> =
            (self.in_file == 0).then(|| self.memory.drain(..limit.min(self.memory.len())).collect());
        let file = self.file.clone();
        async move {
            if let Some(readings) = from_memory {
                return Ok(Batch { readings, rows: Vec::new() });
            }
            file.read(move |db| {
                let sql = "SELECT boot, sequence, body FROM spilled ORDER BY boot, sequence LIMIT ?1";
                let mut batch = Batch { readings: Vec::new(), rows: Vec::new() };
                let mut select = db.prepare_cached(sql)?;
                let mut rows = select.query([limit as i64])?;
                while let Some(row) = rows.next()? {
                    let (id, body) = ((row.get(0)?, row.get(1)?), row.get::<_, Vec<u8>>(2)?);
                    match wire::reading::decode(&body) {
                        Ok(reading) => batch.readings.push(reading),
                        // It must not block the rest; its sequence number shows the hole.
                        Err(error) => tracing::error!(?id, %error, "a spilled reading is damaged and left out"),
                    }
                    batch.rows.push(id);
                }
                Ok(batch)
            })
            .await
        }
    }

    /// `batch` was not published: what was in memory only goes back there. The answer as for [`Self::add`].
    pub fn keep(&mut self, batch: Batch) -> Vec<Reading> {
        if batch.rows.is_empty() { self.put_back(batch.readings) } else { Vec::new() }
    }

    /// `batch` is durable at the broker. Then tell [`Self::removed`].
    pub fn remove(&self, batch: Batch) -> impl Future<Output = (u64, Result<(), sqlite::Error>)> + Send + 'static {
        let (file, count) = (self.file.clone(), batch.rows.len() as u64);
        async move {
            if count == 0 {
                return (0, Ok(()));
            }
            let removed = file.write(move |db| {
                let mut delete = db.prepare_cached("DELETE FROM spilled WHERE boot = ?1 AND sequence = ?2")?;
                for row in &batch.rows {
                    delete.execute(*row)?;
                }
                Ok(())
            });
            (count, removed.await)
        }
    }

    /// What became of [`Self::remove`]. What could not be removed is published once more.
    pub fn removed(&mut self, count: u64, result: &Result<(), sqlite::Error>) {
        if result.is_ok() {
            self.in_file = self.in_file.saturating_sub(count);
        }
    }
}

fn row(reading: &Reading) -> (i64, i64) {
    (reading.id.boot.into(), reading.id.sequence as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::reading;

    #[tokio::test]
    async fn what_is_spilled_survives_in_order_and_goes_once_it_is_published() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path()).await.unwrap();
        for sequence in [3, 1, 2, 0] {
            assert!(spill.add([reading(sequence)]).is_empty());
            let (readings, result) = spill.write().await;
            result.as_ref().unwrap();
            spill.written(readings, &result);
        }
        drop(spill);
        let mut spill = Spill::open(folder.path()).await.unwrap();
        assert_eq!(spill.len(), 4);
        let batch = spill.oldest(3).await.unwrap();
        assert_eq!(batch.readings, [reading(0), reading(1), reading(2)]);
        let (count, result) = spill.remove(batch).await;
        spill.removed(count, &result);
        let batch = spill.oldest(3).await.unwrap();
        assert_eq!((batch.readings, spill.len()), (vec![reading(3)], 1));
    }

    #[tokio::test]
    async fn what_neither_file_nor_memory_can_take_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open_with(folder.path(), 32 << 10, 1000).await.unwrap();
        let mut lost = Vec::new();
        let mut next = 0;
        while lost.is_empty() {
            lost = spill.add((next..next + 300).map(reading));
            next += 300;
            let (readings, result) = spill.write().await;
            lost.extend(spill.written(readings, &result));
        }
        assert!(spill.in_file > 0 && spill.memory.len() == 1000, "{} in the file", spill.in_file);
        assert_eq!(lost[0], reading(spill.in_file));
        assert_eq!(lost.len() as u64 + spill.len(), next);
    }

    #[tokio::test]
    async fn a_damaged_row_does_not_block_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::open(folder.path()).await.unwrap();
        spill.add([reading(0), reading(1)]);
        let (readings, result) = spill.write().await;
        spill.written(readings, &result);
        let damage = rusqlite::Connection::open(folder.path().join("spill.sqlite")).unwrap();
        damage.execute("UPDATE spilled SET body = x'07' WHERE sequence = 0", []).unwrap();
        let batch = spill.oldest(10).await.unwrap();
        assert_eq!(batch.readings, [reading(1)]);
        let (count, result) = spill.remove(batch).await;
        spill.removed(count, &result);
        assert!(spill.is_empty());
    }
}
