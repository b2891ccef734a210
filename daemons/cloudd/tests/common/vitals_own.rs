//! What the embedded store has of its own: files that are full, damaged, locked, thinned and removed, and readers that
//! notice nothing of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_cloudd::vitals::{Batch, VitalsError, VitalsStore};
use medmon_core::noun::{UtcUs, Vital, Window};
use medmon_kit::Clock;
use uuid::Uuid;

use super::vitals::{DAY, HOUR, fold, hole, minutes};

/// A midnight in the middle of a month.
const T0: UtcUs = 1_794_960_000_000_000;
const HEART: Vital = Vital::HEART_RATE;

pub struct Own {
    folder: tempfile::TempDir,
    clock: Clock,
    pub store: Arc<Embedded>,
}

impl Own {
    pub async fn open(options: Options) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Clock::scaled(0.0, T0));
        let store = Arc::new(Embedded::open(folder.path(), options, clock.clone()).await.unwrap());
        Self { folder, clock, store }
    }

    async fn again(&mut self, options: Options) {
        self.store = Arc::new(Embedded::open(self.folder.path(), options, self.clock.clone()).await.unwrap());
    }

    async fn tell(&self, segment: u64, subject: Uuid, windows: Vec<Window>) {
        self.store.take(segment, vec![Batch { subject, windows, gaps: Vec::new() }]).await.unwrap();
    }

    async fn range(&self, subject: Uuid, from_us: UtcUs, to_us: UtcUs) -> Result<Vec<Window>, VitalsError> {
        self.store.range(subject, HEART, from_us, to_us).await
    }

    /// The names of the files in a part of the store.
    fn files(&self, part: &str) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path().join(part)).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.retain(|name| name.ends_with(".sqlite"));
        names.sort();
        names
    }
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(everything(&path)) } else { files.push(path) }
    }
    files
}

/// Different for every minute, so that blocks have a size.
fn day(start_us: UtcUs) -> Vec<Window> {
    minutes(start_us, (0..1440).map(|index| 60 + index * 7919 % 41))
}

pub async fn a_full_disk_is_busy_and_loses_nothing() {
    let mut own = Own::open(Options { max_bytes: Some(256 << 10), ..Options::default() }).await;
    let subjects: Vec<Uuid> = (0..40).map(|_| Uuid::now_v7()).collect();
    for subject in &subjects {
        own.tell(1, *subject, day(T0 - DAY)).await;
    }
    assert!(matches!(own.store.settle(1).await, Err(VitalsError::Busy)), "the hot file has no room");
    assert_eq!(own.store.settled_through(), 0);
    // What could not be settled is read from memory, and given again by the journal after a start.
    assert_eq!(own.range(subjects[7], 0, i64::MAX).await.unwrap(), day(T0 - DAY));
    own.again(Options { max_bytes: Some(4 << 20), ..Options::default() }).await;
    for subject in &subjects {
        own.tell(1, *subject, day(T0 - DAY)).await;
    }
    assert!(own.store.settle(1).await.unwrap());
    own.again(Options { max_bytes: Some(192 << 10), ..Options::default() }).await;
    assert!(matches!(own.store.maintain(T0 + DAY).await, Err(VitalsError::Busy)), "the month has no room");
    for subject in &subjects {
        assert_eq!(own.range(*subject, 0, i64::MAX).await.unwrap(), day(T0 - DAY), "hot as before");
    }
    own.again(Options::default()).await;
    own.store.maintain(T0 + DAY).await.unwrap();
    assert_eq!(own.files("hot"), Vec::<String>::new());
    for subject in &subjects {
        assert_eq!(own.range(*subject, 0, i64::MAX).await.unwrap(), day(T0 - DAY));
    }
    let thin = Options { thin_after_us: Some(0), ..Options::default() };
    own.again(Options { max_bytes: Some(192 << 10), ..thin }).await;
    assert!(matches!(own.store.maintain(T0 + 40 * DAY).await, Err(VitalsError::Busy)), "no room for a thin one");
    let left = everything(&own.folder.path().join("months"));
    assert!(!left.iter().any(|path| path.to_string_lossy().contains(".new")), "{left:?}");
    own.again(thin).await;
    own.store.maintain(T0 + 40 * DAY).await.unwrap();
    let want = fold(&day(T0 - DAY));
    assert_eq!(own.store.totals(&subjects, HEART, 0, i64::MAX).await.unwrap(), vec![want; subjects.len()]);
}

pub async fn a_damaged_block_is_named_and_everything_else_is_read() {
    let mut own = Own::open(Options::default()).await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    for subject in [one, other] {
        own.tell(1, subject, day(T0 - DAY)).await;
        own.tell(1, subject, day(T0)).await;
    }
    own.store.settle(1).await.unwrap();
    own.store.maintain(T0 + 3 * DAY).await.unwrap();
    let name = own.files("months").remove(0);
    let file = own.folder.path().join("months").join(&name);
    let db = rusqlite::Connection::open(&file).unwrap();
    let id: i64 = db.query_row("SELECT id FROM series WHERE subject = ?1", [one.as_bytes()], |row| row.get(0)).unwrap();
    let sql = "UPDATE body SET body = CAST(substr(body, 1, 40) || x'00' || substr(body, 42) AS BLOB)
               WHERE key = (SELECT min(key) FROM body WHERE key & 4294967295 = ?1)";
    assert_eq!(db.execute(sql, [id]).unwrap(), 1);
    drop(db);
    own.again(Options::default()).await;
    let error = own.range(one, T0 - DAY, T0).await.unwrap_err();
    let line = std::error::Error::source(&error).unwrap().to_string();
    for word in [&name, "heart_rate", &one.to_string(), "2026-11-17"] {
        assert!(line.contains(word), "{line} should say {word}");
    }
    assert_eq!(own.range(one, T0, T0 + DAY).await.unwrap(), day(T0), "its other day");
    assert_eq!(own.range(other, T0 - DAY, T0).await.unwrap(), day(T0 - DAY), "the other one");
    // Heads are whole: a sum needs no block.
    assert_eq!(own.store.totals(&[one], HEART, T0 - DAY, T0).await.unwrap(), [fold(&day(T0 - DAY))]);
    // Nor does it trust a damaged head: the block has all of it.
    let db = rusqlite::Connection::open(&file).unwrap();
    db.execute("UPDATE head SET head = CAST(x'00' || substr(head, 2) AS BLOB)", []).unwrap();
    drop(db);
    assert_eq!(own.store.totals(&[other], HEART, T0 - DAY, T0).await.unwrap(), [fold(&day(T0 - DAY))]);
}

pub async fn a_month_that_is_no_file_any_more_is_named_and_everything_else_goes_on() {
    let mut own = Own::open(Options::default()).await;
    let (subject, erased) = (Uuid::now_v7(), Uuid::now_v7());
    for (segment, start_us) in [(1, T0 - 40 * DAY), (2, T0 - DAY)] {
        own.tell(segment, subject, day(start_us)).await;
        own.tell(segment, erased, day(start_us)).await;
        own.store.settle(segment).await.unwrap();
        own.store.maintain(T0 + 2 * DAY).await.unwrap();
    }
    let db = rusqlite::Connection::open(own.folder.path().join("catalogue.sqlite")).unwrap();
    db.execute("INSERT INTO erasing (subject) VALUES (?1)", [erased.as_bytes()]).unwrap();
    drop(db);
    let names = own.files("months");
    let file = own.folder.path().join("months").join(&names[0]);
    std::fs::write(&file, vec![0x5a; 400_000]).unwrap();
    own.again(Options::default()).await;
    let error = own.range(subject, T0 - 40 * DAY, T0 - 39 * DAY).await.unwrap_err();
    let line = std::error::Error::source(&error).unwrap().to_string();
    assert!(line.contains(&names[0]) && line.contains("backup"), "{line}");
    assert!(own.store.totals(&[subject], HEART, 0, T0).await.is_err(), "never a sum that leaves it out");
    assert_eq!(own.range(subject, T0 - DAY, T0).await.unwrap(), day(T0 - DAY));
    assert_eq!(own.range(erased, T0 - DAY, T0).await.unwrap(), [], "erased where that can be");
    own.tell(3, subject, day(T0)).await;
    own.tell(3, subject, day(T0 - 40 * DAY)).await;
    assert!(own.store.settle(3).await.unwrap());
    assert!(own.store.maintain(T0 + 2 * DAY).await.is_err(), "what belongs in it waits in the hot file");
    assert_eq!(own.files("hot").len(), 1);
    own.again(Options::default()).await;
    assert_eq!(own.range(subject, T0 - DAY, T0 + DAY).await.unwrap().len(), 2 * 1440);
}

pub async fn damaged_newest_windows_stop_no_settling() {
    let mut own = Own::open(Options::default()).await;
    let subject = Uuid::now_v7();
    own.tell(1, subject, day(T0 - DAY)).await;
    own.store.settle(1).await.unwrap();
    let db = rusqlite::Connection::open(own.folder.path().join("catalogue.sqlite")).unwrap();
    assert_eq!(db.execute("UPDATE newest SET body = x'3c0500'", []).unwrap(), 1);
    drop(db);
    own.again(Options::default()).await;
    own.tell(2, subject, day(T0)).await;
    assert!(own.store.settle(2).await.unwrap());
    own.again(Options::default()).await;
    assert_eq!(own.store.recent(subject)[0].1.last(), day(T0).last());
}

pub async fn a_clock_that_jumps_ahead_removes_nothing() {
    let options = Options { retention_us: Some(600 * DAY), thin_after_us: Some(100 * DAY), ..Options::default() };
    let own = Own::open(options).await;
    let subject = Uuid::now_v7();
    own.tell(1, subject, day(T0 - DAY)).await;
    own.store.settle(1).await.unwrap();
    let ten_years = 3650 * DAY;
    for segment in 2..5 {
        own.store.maintain(T0 + ten_years).await.unwrap();
        assert_eq!(own.range(subject, T0 - DAY, T0).await.unwrap(), day(T0 - DAY));
        own.tell(segment, subject, day(T0 + segment as i64 * DAY)).await;
        own.store.settle(segment).await.unwrap();
    }
    // What was settled by such a clock is not hot until that day comes.
    drop(own.store);
    let wrong = Embedded::open(own.folder.path(), options, Clock::scaled(0.0, T0 + ten_years)).await.unwrap();
    wrong.take(5, vec![Batch { subject, windows: day(T0 + 5 * DAY), gaps: Vec::new() }]).await.unwrap();
    wrong.settle(5).await.unwrap();
    wrong.maintain(T0 + 7 * DAY).await.unwrap();
    let hot = std::fs::read_dir(own.folder.path().join("hot")).unwrap().count();
    assert_eq!((hot, wrong.range(subject, HEART, T0 + 5 * DAY, i64::MAX).await.unwrap()), (0, day(T0 + 5 * DAY)));
    drop(wrong);
    // A ward that is long closed: the clock is believed after a week, of which 100 make a minute here.
    let clock = Clock::scaled(1e6, T0);
    let closed = Embedded::open(own.folder.path(), options, clock).await.unwrap();
    let removed = async {
        while !closed.range(subject, HEART, 0, i64::MAX).await.unwrap().is_empty() {
            closed.maintain(T0 + ten_years).await.unwrap();
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), removed).await.unwrap();
}

pub async fn while_somebody_else_has_the_files_nothing_is_changed() {
    let own = Own::open(Options::default()).await;
    let subject = Uuid::now_v7();
    own.tell(1, subject, day(T0 - DAY)).await;
    let lock = std::fs::File::open(own.folder.path().join("maintenance.lock")).unwrap();
    lock.lock().unwrap();
    assert!(!own.store.settle(1).await.unwrap());
    lock.unlock().unwrap();
    assert!(own.store.settle(1).await.unwrap());
    lock.lock().unwrap();
    own.store.maintain(T0 + 2 * DAY).await.unwrap();
    assert_eq!((own.files("hot").len(), own.files("months").len()), (1, 0));
    assert_eq!(own.range(subject, 0, i64::MAX).await.unwrap(), day(T0 - DAY));
    lock.unlock().unwrap();
    own.store.maintain(T0 + 2 * DAY).await.unwrap();
    assert_eq!((own.files("hot").len(), own.files("months").len()), (0, 1));
    let late = Batch { subject, windows: day(T0), gaps: Vec::new() };
    assert!(own.store.take(1, vec![late]).await.is_err(), "what is settled takes nothing more");
}

pub async fn nothing_of_an_erased_subject_is_in_any_file() {
    let own = Own::open(Options::default()).await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    for (segment, start_us) in [(1, T0 - 40 * DAY), (2, T0 - DAY), (3, T0)] {
        for subject in [one, other] {
            let gaps = vec![hole(HEART, start_us, start_us + HOUR, 1)];
            let windows = day(start_us);
            own.store.take(segment, vec![Batch { subject, windows, gaps }]).await.unwrap();
        }
        if segment < 3 {
            own.store.settle(segment).await.unwrap();
        }
        if segment == 1 {
            own.store.maintain(T0 + 2 * DAY).await.unwrap();
        }
    }
    let holding = |subject: Uuid| {
        let has = |file: &PathBuf| std::fs::read(file).unwrap().windows(16).any(|bytes| bytes == subject.as_bytes());
        everything(own.folder.path()).into_iter().filter(has).count()
    };
    assert!(holding(one) >= 3, "month, hot file, catalogue");
    own.store.erase(one).await.unwrap();
    assert_eq!(holding(one), 0);
    assert!(holding(other) >= 3);
    assert_eq!(own.range(other, 0, i64::MAX).await.unwrap().len(), 3 * 1440);
}

pub async fn old_months_become_coarse_and_then_go() {
    // Nothing newer comes here for months.
    let options =
        Options { retention_us: Some(600 * DAY), thin_after_us: Some(100 * DAY), ahead_us: None, ..Options::default() };
    let mut own = Own::open(options).await;
    let subject = Uuid::now_v7();
    let gaps = vec![hole(HEART, T0 - DAY, T0 - DAY + HOUR, 1)];
    own.store.take(1, vec![Batch { subject, windows: day(T0 - DAY), gaps }]).await.unwrap();
    own.store.settle(1).await.unwrap();
    own.store.maintain(T0 + 99 * DAY).await.unwrap();
    assert_eq!(own.range(subject, 0, i64::MAX).await.unwrap(), day(T0 - DAY));
    let before = own.store.totals(&[subject], HEART, 0, i64::MAX).await.unwrap();
    for _ in 0..2 {
        own.store.maintain(T0 + 140 * DAY).await.unwrap();
        let windows = own.range(subject, 0, i64::MAX).await.unwrap();
        assert!(windows.len() == 96 && windows.iter().all(|window| window.span_s == 900));
        assert_eq!(own.store.totals(&[subject], HEART, 0, i64::MAX).await.unwrap(), before);
        own.again(options).await;
    }
    // What comes later than that is thinned in its turn.
    own.tell(2, subject, day(T0 - 2 * DAY)).await;
    own.store.settle(2).await.unwrap();
    own.store.maintain(T0 + 141 * DAY).await.unwrap();
    assert_eq!(own.range(subject, 0, i64::MAX).await.unwrap().len(), 2 * 96);
    own.store.maintain(T0 + 700 * DAY).await.unwrap();
    assert_eq!(own.files("months"), Vec::<String>::new());
    assert_eq!(own.range(subject, 0, i64::MAX).await.unwrap(), []);
    assert_eq!(own.store.gaps(subject, HEART, 0, i64::MAX).await.unwrap(), []);
}

/// While windows go from memory to a hot file, to a month, and the month is written again, every reading is whole.
pub async fn readers_notice_nothing_of_it() {
    let options = Options { thin_after_us: None, ..Options::default() };
    let own = Own::open(options).await;
    let subject = Uuid::now_v7();
    // A part of every window in each of twenty segments: all are there all the time, ever more of them in the month.
    let mut want = day(T0 - DAY);
    own.tell(1, subject, want.clone()).await;
    for segment in 2..=20 {
        let parts: Vec<_> = day(T0 - DAY).into_iter().map(|part| Window { last_ms: segment, ..part }).collect();
        want.iter_mut().zip(&parts).for_each(|(whole, part)| whole.merge(part));
        own.tell(segment.into(), subject, parts).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..4)
        .map(|index| {
            let (store, done, want) = (Arc::clone(&own.store), Arc::clone(&done), want.clone());
            tokio::spawn(async move {
                let mut times = 0;
                while !done.load(Ordering::Relaxed) {
                    if index % 2 == 0 {
                        assert!(store.range(subject, HEART, T0 - DAY, T0).await.unwrap() == want);
                    } else {
                        let totals = store.totals(&[subject], HEART, T0 - DAY, T0).await.unwrap();
                        assert_eq!(totals, [fold(&want)]);
                    }
                    times += 1;
                }
                times
            })
        })
        .collect();
    for segment in 1..=20 {
        own.store.settle(segment).await.unwrap();
        own.store.maintain(T0 + 2 * DAY).await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        assert!(reader.await.unwrap() > 0);
    }
}
