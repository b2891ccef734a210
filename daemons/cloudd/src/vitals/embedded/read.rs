//! What readers ask: ranges, totals, holes; from months, hot files and memory, each window once.

use std::path::Path;

use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use rusqlite::Connection;
use uuid::Uuid;

use super::key::Series;
use super::layout::Layout;
use super::{Fault, Store, catalogue, hot, merge, month};
use crate::vitals::Total;

type Span = (UtcUs, UtcUs);

impl Store {
    /// Runs `work` on what there is now; nothing goes from one file to another meanwhile.
    fn reading<T>(&self, work: impl FnOnce(&Layout) -> Result<T, Fault>) -> Result<T, Fault> {
        let _gate = self.gate.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        work(&self.layout())
    }

    /// Runs `work` on one file in one transaction: its lock is taken once, not for every statement.
    fn with<T>(&self, path: &Path, work: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
        self.readers.with(path, |db| {
            let _reading = db.unchecked_transaction().map_err(Fault::sqlite(path))?;
            work(db)
        })
    }

    /// Windows that start in a span, their parts merged.
    pub(super) fn range(&self, (subject, vital): (Uuid, Vital), span: Span) -> Result<Vec<Window>, Fault> {
        self.reading(|layout| {
            let mut windows = Vec::new();
            if span.0 >= span.1 {
                return Ok(windows);
            }
            for month in layout.months_of(span) {
                let path = self.month(layout, month)?;
                self.with(&path, |db| {
                    for (span_s, id) in month::spans(db, &path, (subject, vital))? {
                        let series = (Series { subject, vital, span_s }, id);
                        for day in month::days(month, span) {
                            month::windows(db, &path, series, day, span, &mut windows)?;
                        }
                    }
                    Ok(())
                })?;
            }
            self.unpacked(layout, &[subject], vital, span, std::slice::from_mut(&mut windows))?;
            merge(&mut windows);
            Ok(windows)
        })
    }

    /// Appends what hot files and memory have, for each subject to its windows.
    fn unpacked(
        &self,
        layout: &Layout,
        subjects: &[Uuid],
        vital: Vital,
        span: Span,
        windows: &mut [Vec<Window>],
    ) -> Result<(), Fault> {
        for chunk in layout.chunks.iter().filter(|chunk| chunk.overlaps(span)) {
            let path = chunk.day.path(&self.folder);
            self.with(&path, |db| {
                for (subject, windows) in subjects.iter().zip(windows.iter_mut()) {
                    hot::windows(db, &path, chunk.segment, (*subject, vital), |part| {
                        if part.start_us >= span.0 && part.start_us < span.1 && chunk.has(part.start_us) {
                            windows.push(part);
                        }
                    })?;
                }
                Ok(())
            })?;
        }
        for table in layout.segments.values() {
            for (subject, windows) in subjects.iter().zip(windows.iter_mut()) {
                table.windows(*subject, vital, span, windows);
            }
        }
        Ok(())
    }

    /// What a span amounts to for each subject. A block that is wholly in the span, and that nothing newer touches, is
    /// not opened.
    pub(super) fn totals(&self, subjects: &[Uuid], vital: Vital, span: Span) -> Result<Vec<Total>, Fault> {
        self.reading(|layout| {
            let mut totals = vec![Total::default(); subjects.len()];
            if span.0 >= span.1 {
                return Ok(totals);
            }
            let mut windows = vec![Vec::new(); subjects.len()];
            self.unpacked(layout, subjects, vital, span, &mut windows)?;
            let mut alone = Vec::new();
            for month in layout.months_of(span) {
                let path = self.month(layout, month)?;
                self.with(&path, |db| {
                    for ((subject, windows), total) in subjects.iter().zip(&mut windows).zip(&mut totals) {
                        let newer = windows.len();
                        for (span_s, id) in month::spans(db, &path, (*subject, vital))? {
                            let series = (Series { subject: *subject, vital, span_s }, id);
                            for day in month::days(month, span) {
                                let head = match month::head(db, &path, series, day) {
                                    Ok(Some(head)) => head,
                                    Ok(None) => continue,
                                    // The block has all of it.
                                    Err(fault @ Fault::Damaged { .. }) => {
                                        tracing::warn!(error = %fault, "a head is damaged; its block is read instead");
                                        month::windows(db, &path, series, day, span, windows)?;
                                        continue;
                                    }
                                    Err(fault) => return Err(fault),
                                };
                                let within = |start_us| (head.first_us..=head.last_us).contains(&start_us);
                                if head.last_us < span.0 || head.first_us >= span.1 {
                                    continue;
                                }
                                let whole = head.first_us >= span.0 && head.last_us < span.1;
                                let touched = windows[..newer].iter().any(|w| w.span_s == span_s && within(w.start_us));
                                if touched {
                                    month::windows(db, &path, series, day, span, windows)?;
                                } else if whole {
                                    total.merge(&head.total);
                                } else {
                                    alone.clear();
                                    month::windows(db, &path, series, day, span, &mut alone)?;
                                    alone.iter().for_each(|window| total.add(window));
                                }
                            }
                        }
                    }
                    Ok(())
                })?;
            }
            for (windows, total) in windows.iter_mut().zip(&mut totals) {
                merge(windows);
                windows.iter().for_each(|window| total.add(window));
            }
            Ok(totals)
        })
    }

    /// Holes that overlap a span, by start.
    pub(super) fn gaps(&self, (subject, vital): (Uuid, Vital), span: Span) -> Result<Vec<Gap>, Fault> {
        self.reading(|layout| {
            let path = &self.catalogue.path;
            let mut gaps =
                self.readers.with(path, |db| catalogue::gaps(db, path, (subject, vital), span, layout.settled))?;
            for table in layout.segments.values() {
                let taken = table.read();
                let mine = taken.gaps.iter().filter(|(whose, gap)| (*whose, gap.vital) == (subject, vital));
                let overlap = |gap: &&Gap| gap.from_us < span.1 && gap.to_us > span.0 && gap.from_us < gap.to_us;
                gaps.extend(mine.map(|(_, gap)| gap).filter(overlap).cloned());
            }
            gaps.sort_by_key(|gap| (gap.from_us, gap.to_us));
            Ok(gaps)
        })
    }
}
