//! The night's compaction: a hot file becomes blocks of a month, is read back, and goes.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::Ordering;

use medmon_core::noun::{UtcUs, Window};

use super::hot::Run;
use super::key::{DAY_US, Day, Month, Segment, Series};
use super::layout::Chunk;
use super::month::MonthWriter;
use super::{Fault, Store, file, hot, merge, month, parts};

/// How long maintenance rests after an error (µs).
const REST_US: UtcUs = 600_000_000;

impl Store {
    /// Does what is due. One file that cannot be changed does not stop the others; the first error is told, and then
    /// nothing is tried for a while: a night's work would be done in vain again and again.
    pub(super) fn maintain(&self, now_us: UtcUs) -> Result<(), Fault> {
        if (0..REST_US).contains(&self.resting_us.load(Ordering::Relaxed).saturating_sub(now_us)) {
            return Ok(());
        }
        let due = |day: &Day| {
            let ended = day.start_us().saturating_add(DAY_US + self.options.compact_after_us) <= now_us;
            // Of a clock that was ahead and has been set: its day may be years away.
            ended || day.0 > Day::of(now_us).0 + 1
        };
        let mut done = Ok(());
        for day in self.layout().days().into_iter().filter(due) {
            let Some(_lock) = self.try_lock()? else { return done };
            done = done.and(self.compact(day));
        }
        done = done.and(self.end_erasing());
        done = done.and(self.keep(now_us));
        if done.is_err() {
            self.resting_us.store(now_us.saturating_add(REST_US - 1), Ordering::Relaxed);
        }
        done
    }

    /// Takes a hot file into its months. Killed anywhere, it goes on where it was: a month says what it has.
    fn compact(&self, day: Day) -> Result<(), Fault> {
        let chunks = self.chunks_of(day);
        let segments: Vec<u64> = chunks.iter().map(|chunk| chunk.segment).collect();
        let mut months = BTreeMap::<Month, MonthWriter>::new();
        self.each_day(day, &chunks, |series, of, windows| {
            let month = of.month();
            let writer = match months.entry(month) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    entry.insert(MonthWriter::begin(self.month(&self.layout(), month)?, self.options.max_bytes)?)
                }
            };
            writer.add(series, of, windows)
        })?;
        let oldest_hot = self.layout().chunks.iter().map(|chunk| chunk.segment).min().unwrap_or(0);
        for (month, writer) in &months {
            writer.take(day, &segments, oldest_hot)?;
            // From here on these windows are read in the month and not in the hot file.
            let _closed = self.gate.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            writer.commit()?;
            self.relay(|layout| {
                layout.months.insert(*month, false);
                let mine = layout.chunks.iter_mut().filter(|chunk| chunk.day == day);
                mine.for_each(|chunk| chunk.except.push(*month));
            });
        }
        drop(months);
        // Also what a run before this one committed and did not live to bring to the disk.
        let months: BTreeSet<Month> = self.chunks_of(day).into_iter().flat_map(|chunk| chunk.except).collect();
        for month in months {
            self.sync(&month.path(&self.folder))?;
        }
        self.verify(day, &chunks)?;
        self.remove_hot(day)
    }

    /// What is committed in a month's file is on the disk, all in the one file.
    pub(super) fn sync(&self, path: &Path) -> Result<(), Fault> {
        let connection = file::writer(path, month::KIND, None)?;
        file::checkpoint_most(&connection, path)?;
        self.when_free(|| file::checkpoint(&connection, path))?;
        // What is compared afterwards is read from the file, not out of somebody's memory.
        self.readers.forget(path);
        Ok(())
    }

    /// Runs what needs that nobody reads, and is short.
    pub(super) fn when_free(&self, work: impl FnOnce() -> Result<(), Fault>) -> Result<(), Fault> {
        let _closed = self.gate.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        work()
    }

    fn remove_hot(&self, day: Day) -> Result<(), Fault> {
        let path = day.path(&self.folder);
        // First: a file that is named must be whole, and one that loses its log before itself is not. One that no
        // catalogue names is removed at the next start.
        self.catalogue.forget_day(day)?;
        self.when_free(|| {
            self.readers.forget(&path);
            file::remove(&path)?;
            self.relay(|layout| layout.chunks.retain(|chunk| chunk.day != day));
            Ok(())
        })
    }

    /// Shows every series' windows of every day in a hot file, merged, to `see`; without those that months have.
    fn each_day(
        &self,
        day: Day,
        chunks: &[Chunk],
        mut see: impl FnMut(Series, Day, Vec<Window>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        let path = day.path(&self.folder);
        let mut runs: Vec<Run> = chunks.iter().map(|chunk| Run::new(chunk.segment)).collect();
        while let Some((series, bodies)) = self.readers.with(&path, |db| hot::next(db, &path, &mut runs))? {
            let mut by_day = BTreeMap::<Day, Vec<Window>>::new();
            for (segment, body) in bodies {
                let chunk = chunks.iter().find(|chunk| chunk.segment == segment);
                let take = |part: Window| {
                    if chunk.is_none_or(|chunk| chunk.has(part.start_us)) {
                        by_day.entry(Day::of(part.start_us)).or_default().push(part);
                    }
                };
                let damaged = Fault::damaged(&path, series, Segment(segment));
                parts::open(&body, series.vital, series.span_s, take).map_err(damaged)?;
            }
            for (of, mut windows) in by_day {
                merge(&mut windows);
                see(series, of, windows)?;
            }
        }
        Ok(())
    }

    /// Every window of a hot file is in its month, read back from the file: as it was, or with later parts merged in.
    fn verify(&self, day: Day, chunks: &[Chunk]) -> Result<(), Fault> {
        // Also what months had before this run.
        let chunks: Vec<Chunk> = chunks.iter().map(|chunk| Chunk { except: Vec::new(), ..chunk.clone() }).collect();
        self.each_day(day, &chunks, |series, of, windows| {
            let path = of.month().path(&self.folder);
            let lost = || Fault::Verify { path: path.clone(), from: day.path(&self.folder), series };
            let packed = self.readers.with(&path, |db| {
                let spans = month::spans(db, &path, (series.subject, series.vital))?;
                let id = spans.iter().find(|(span_s, _)| *span_s == series.span_s).ok_or_else(lost)?.1;
                let (mut packed, ever) = (Vec::new(), (i64::MIN, i64::MAX));
                month::windows(db, &path, (series, id), of, ever, &mut packed)?;
                Ok(packed)
            })?;
            let holds = |window: &Window| {
                let at = packed.binary_search_by_key(&window.start_us, |packed| packed.start_us);
                at.is_ok_and(|at| {
                    let packed = &packed[at];
                    packed == window
                        || (packed.count >= window.count.saturating_add(1)
                            && packed.min <= window.min
                            && packed.max >= window.max)
                })
            };
            if windows.iter().all(holds) { Ok(()) } else { Err(lost()) }
        })
    }
}
