//! An append-only log in numbered files, the segments: what [`Log::append`] returned for is durable.
//!
//! ```text
//! segment: magic "MEDLOG1\n", then records: length u32 LE | CRC-32 (IEEE) u32 LE of the bytes | bytes
//! ```
//! Appends of many callers share one sync. Each start begins a segment of its own, so a torn end stays behind and is
//! never written over; a number is never given twice. Not for: what is looked up or changed, which is `sqlite`'s.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

const MAGIC: &[u8; 8] = b"MEDLOG1\n";
const HEAD: usize = 8;
/// No record is larger.
pub const MAX_RECORD: usize = 8 << 20;
/// Appends that share a sync at most, and their bytes.
const GROUP_MAX: usize = 4096;
const GROUP_BYTES: usize = 8 << 20;
/// A sync writes whole pages, so a group waits a little until it fills one.
const PAGE: usize = 4096;
const GATHER: Duration = Duration::from_millis(8);

/// A log. Cheap to clone; the last clone that goes closes it.
#[derive(Clone, Debug)]
pub struct Log {
    folder: Arc<Path>,
    jobs: mpsc::Sender<Job>,
    active: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Job {
    Append(Vec<Vec<u8>>, oneshot::Sender<io::Result<u64>>),
    Rotate(oneshot::Sender<io::Result<u64>>),
}

impl Log {
    /// Opens or creates the log in `folder` and begins a segment, numbered above all that are there and above `floor`.
    pub fn open(folder: &Path, floor: u64) -> io::Result<Self> {
        std::fs::create_dir_all(folder)?;
        if let Some(beside) = folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(beside)?.sync_all()?;
        }
        let newest = numbers(folder)?.last().copied().unwrap_or(0).max(floor);
        let mut writer = Writer { folder: folder.to_owned(), number: newest, file: None, length: 0 };
        writer.begin()?;
        let active = Arc::new(AtomicU64::new(writer.number));
        let (jobs, waiting) = mpsc::channel(GROUP_MAX);
        tokio::spawn(write_groups(writer, waiting, Arc::clone(&active)));
        Ok(Self { folder: folder.into(), jobs, active })
    }

    /// Makes records durable, in order and in one segment, whose number it gives. On an error none of them is there.
    pub async fn append(&self, records: Vec<Vec<u8>>) -> io::Result<u64> {
        // Reading ends before such a one, and would never come to those behind it.
        if let Some(bad) = records.iter().find(|record| !(1..=MAX_RECORD).contains(&record.len())) {
            let problem = format!("a record of {} bytes; 1 to {MAX_RECORD} can be kept", bad.len());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Append(records, reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Begins a new segment, unless the newest is empty; gives the newest's number. Those below it are closed.
    pub async fn rotate(&self) -> io::Result<u64> {
        let (reply, answer) = oneshot::channel();
        self.jobs.send(Job::Rotate(reply)).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// The segment that is written now.
    pub fn active(&self) -> u64 {
        self.active.load(Ordering::Acquire)
    }

    /// All segments, oldest first.
    pub fn segments(&self) -> io::Result<Vec<u64>> {
        numbers(&self.folder)
    }

    /// Bytes of a segment so far.
    pub fn bytes(&self, segment: u64) -> io::Result<u64> {
        Ok(std::fs::metadata(path(&self.folder, segment))?.len())
    }

    /// Records of a segment from `offset` (0 = its start), `limit` bytes or a little more, and the offset after them.
    /// It ends before the first record that is not whole: nothing behind that was ever acknowledged.
    pub fn read(&self, segment: u64, offset: u64, limit: usize) -> io::Result<(Vec<Vec<u8>>, u64)> {
        let mut file = io::BufReader::with_capacity(1 << 16, File::open(path(&self.folder, segment))?);
        let mut at = offset;
        if at == 0 {
            let mut magic = [0; MAGIC.len()];
            match file.read_exact(&mut magic) {
                Ok(()) if &magic == MAGIC => at = MAGIC.len() as u64,
                Ok(()) => return Err(io::Error::new(io::ErrorKind::InvalidData, format!("segment {segment}: no log"))),
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok((Vec::new(), 0)),
                Err(error) => return Err(error),
            }
        } else {
            file.seek(SeekFrom::Start(at))?;
        }
        let (mut records, mut taken) = (Vec::new(), 0);
        while taken < limit {
            let Some(record) = next(&mut file)? else { break };
            taken += HEAD + record.len();
            at += (HEAD + record.len()) as u64;
            records.push(record);
        }
        Ok((records, at))
    }

    /// Lets a closed segment go.
    pub fn remove(&self, segment: u64) -> io::Result<()> {
        match std::fs::remove_file(path(&self.folder, segment)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => File::open(&self.folder)?.sync_all(),
        }
    }
}

fn closed() -> io::Error {
    io::Error::other("the log is closed")
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:012}.log"))
}

fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let mut numbers = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        numbers.extend(name.to_str().and_then(|name| name.strip_suffix(".log")?.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers)
}

/// The next whole record.
fn next(file: &mut impl io::Read) -> io::Result<Option<Vec<u8>>> {
    let mut head = [0; HEAD];
    if !fill(file, &mut head)? {
        return Ok(None);
    }
    let word = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let length = word(0) as usize;
    if length == 0 || length > MAX_RECORD {
        return Ok(None);
    }
    let mut record = vec![0; length];
    Ok((fill(file, &mut record)? && crc32fast::hash(&record) == word(4)).then_some(record))
}

fn fill(file: &mut impl io::Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

struct Writer {
    folder: PathBuf,
    number: u64,
    /// None after a failure, until a new segment could be begun.
    file: Option<File>,
    length: u64,
}

impl Writer {
    fn begin(&mut self) -> io::Result<()> {
        let number = self.number + 1;
        let mut file = File::options().write(true).create_new(true).open(path(&self.folder, number))?;
        let made = file.write_all(MAGIC).and_then(|()| file.sync_all());
        if let Err(error) = made.and_then(|()| File::open(&self.folder)?.sync_all()) {
            // Each try on a full disk would leave one behind. One that stays has spent its number.
            if std::fs::remove_file(path(&self.folder, number)).is_err() {
                self.number = number;
            }
            return Err(error);
        }
        self.number = number;
        (self.file, self.length) = (Some(file), MAGIC.len() as u64);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<u64> {
        if self.file.is_none() || self.length > MAGIC.len() as u64 {
            self.file = None;
            self.begin()?;
        }
        Ok(self.number)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<u64> {
        if self.file.is_none() {
            self.begin()?;
        }
        let Some(file) = &mut self.file else { return Err(closed()) };
        let written = file.write_all(bytes).and_then(|()| file.sync_data());
        if let Err(error) = written {
            // What a failed sync left on disk is unknown: it is cut off, and this file is not written any more.
            let _ = file.set_len(self.length).and_then(|()| file.sync_all());
            self.file = None;
            return Err(error);
        }
        self.length += bytes.len() as u64;
        Ok(self.number)
    }
}

async fn write_groups(mut writer: Writer, mut jobs: mpsc::Receiver<Job>, active: Arc<AtomicU64>) {
    while let Some(first) = jobs.recv().await {
        let (mut bytes, mut waiting, mut rotation) = (Vec::new(), Vec::new(), None);
        let mut next = Some(first);
        let gathered = Instant::now() + GATHER;
        while let Some(job) = next {
            match job {
                Job::Append(records, reply) => {
                    frame(&records, &mut bytes);
                    waiting.push(reply);
                }
                Job::Rotate(reply) => {
                    rotation = Some(reply);
                    break;
                }
            }
            let room = waiting.len() < GROUP_MAX && bytes.len() < GROUP_BYTES;
            next = if room { jobs.try_recv().ok() } else { None };
            if next.is_none() && bytes.len() < PAGE {
                next = timeout_at(gathered, jobs.recv()).await.ok().flatten();
            }
        }
        let work = move || {
            let written = if waiting.is_empty() { Ok(writer.number) } else { writer.append(&bytes) };
            let rotated = rotation.map(|reply| (reply, writer.rotate()));
            (writer, waiting, written, rotated)
        };
        let Ok((back, waiting, written, rotated)) = tokio::task::spawn_blocking(work).await else { return };
        writer = back;
        active.store(writer.number, Ordering::Release);
        for reply in waiting {
            let _ = reply.send(again(&written));
        }
        if let Some((reply, result)) = rotated {
            let _ = reply.send(result);
        }
    }
}

fn frame(records: &[Vec<u8>], bytes: &mut Vec<u8>) {
    for record in records {
        bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&crc32fast::hash(record).to_le_bytes());
        bytes.extend_from_slice(record);
    }
}

/// The same result for each of a group.
fn again(result: &io::Result<u64>) -> io::Result<u64> {
    match result {
        Ok(number) => Ok(*number),
        Err(error) => Err(match error.raw_os_error() {
            Some(code) => io::Error::from_raw_os_error(code),
            None => io::Error::new(error.kind(), error.to_string()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(log: &Log) -> Vec<Vec<u8>> {
        let segments = log.segments().unwrap();
        segments.into_iter().flat_map(|segment| log.read(segment, 0, usize::MAX).unwrap().0).collect()
    }

    #[tokio::test]
    async fn what_was_appended_is_there_after_a_start_and_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), 0).unwrap();
        assert_eq!(log.append(vec![b"one".to_vec(), b"two".to_vec()]).await.unwrap(), 1);
        assert_eq!(log.rotate().await.unwrap(), 2);
        assert_eq!(log.rotate().await.unwrap(), 2, "an empty one is not left behind");
        let (three, four) = tokio::join!(log.append(vec![b"three".to_vec()]), log.append(vec![b"four".to_vec()]));
        assert_eq!((three.unwrap(), four.unwrap()), (2, 2));
        assert_eq!(all(&log), [&b"one"[..], b"two", b"three", b"four"]);
        for bad in [Vec::new(), vec![0; MAX_RECORD + 1]] {
            assert!(log.append(vec![b"five".to_vec(), bad]).await.is_err());
        }
        let (first, next) = log.read(1, 0, 1).unwrap();
        assert_eq!((first, log.read(1, next, 1).unwrap().0), (vec![b"one".to_vec()], vec![b"two".to_vec()]));
        drop(log);
        let log = Log::open(folder.path(), 0).unwrap();
        assert_eq!((log.active(), all(&log).len()), (3, 4));
        log.remove(1).unwrap();
        log.remove(1).unwrap();
        assert_eq!(log.segments().unwrap(), [2, 3]);
        drop(log);
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(Log::open(folder.path(), 3).unwrap().active(), 4, "a number is never given twice");
    }

    #[tokio::test]
    async fn after_a_failed_write_a_new_segment_takes_over() {
        let folder = tempfile::tempdir().unwrap();
        let log = Log::open(folder.path(), 0).unwrap();
        log.append(vec![b"one".to_vec()]).await.unwrap();
        // Segment 2 cannot be made: a folder is in its place.
        std::fs::create_dir(folder.path().join("000000000002.log")).unwrap();
        assert!(log.rotate().await.is_err());
        assert!(log.append(vec![b"lost".to_vec()]).await.is_err());
        std::fs::remove_dir(folder.path().join("000000000002.log")).unwrap();
        assert_eq!(log.append(vec![b"two".to_vec()]).await.unwrap(), 2);
        assert_eq!(all(&log), [&b"one"[..], b"two"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Wherever the end is torn or damaged, the whole records before it are read and nothing else is.
        #[test]
        fn a_torn_end_costs_only_what_is_torn(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..12),
            cut in any::<prop::sample::Index>(), flip in any::<bool>(),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut bytes = MAGIC.to_vec();
            frame(&records, &mut bytes);
            let at = MAGIC.len() + cut.index(bytes.len() - MAGIC.len());
            if flip { bytes[at] ^= 0x10 } else { bytes.truncate(at) }
            std::fs::write(path(folder.path(), 1), &bytes).unwrap();
            let mut whole = 0;
            let mut end = MAGIC.len();
            for record in &records {
                end += HEAD + record.len();
                if end > at { break }
                whole += 1;
            }
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let read = runtime.block_on(async { Log::open(folder.path(), 0).unwrap().read(1, 0, usize::MAX).unwrap().0 });
            prop_assert_eq!(read, &records[..whole]);
        }
    }
}
