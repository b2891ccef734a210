//! What becomes of old months: thinned to quarters of an hour, then removed.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use medmon_core::noun::{UtcUs, Window};

use super::key::{DAY_US, Day, Month, Series};
use super::month::MonthWriter;
use super::{Fault, Store, file, month};
use crate::vitals::Total;

/// Windows finer than this (s) are thinned to it. Single readings stay: an analysis asks for each.
const COARSE_S: u32 = 900;
/// A clock that is far ahead of the newest data is believed once nothing newer has come for so long (µs).
const BELIEVED_US: i64 = 7 * DAY_US;
/// At the end of the name of a file that is not whole yet.
pub const HALF_MADE: &str = ".new";

impl Store {
    /// Thins and removes the months that are due.
    pub(super) fn keep(&self, now_us: UtcUs) -> Result<(), Fault> {
        let mut first = Ok(());
        if self.is_ahead(now_us) {
            return first;
        }
        let past = |month: Month, after_us: Option<UtcUs>| {
            after_us.is_some_and(|after_us| month.end_us().saturating_add(after_us) <= now_us)
        };
        let layout = self.layout();
        for (month, thinned) in &layout.months {
            let gone = past(*month, self.options.retention_us);
            if !gone && (*thinned || layout.damaged.contains(month) || !past(*month, self.options.thin_after_us)) {
                continue;
            }
            // A hot file has yet to be compared with what it brought here.
            if layout.chunks.iter().any(|chunk| chunk.except.contains(month)) {
                continue;
            }
            let Some(_lock) = self.try_lock()? else { return first };
            first = first.and(if gone { self.remove_month(*month) } else { self.thin_or_leave(*month, now_us) });
        }
        let today = Day::of(now_us).0;
        match self.options.retention_us {
            Some(after_us) if self.gaps_kept.swap(today, Ordering::Relaxed) != today => {
                first.and(self.catalogue.forget_gaps(now_us.saturating_sub(after_us)))
            }
            _ => first,
        }
    }

    /// Whether the clock may have jumped ahead: then every month would seem old. A ward where nothing has come for long is
    /// believed after a week.
    fn is_ahead(&self, now_us: UtcUs) -> bool {
        let Some(ahead_us) = self.options.ahead_us else { return false };
        let layout = self.layout();
        let hot = layout.chunks.iter().map(|chunk| chunk.to_us).max();
        let Some(newest) = hot.max(layout.months.keys().last().map(|month| month.end_us())) else { return false };
        let mut seen = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        let mono_us = self.clock.mono_us();
        let first = seen.0 == UtcUs::MIN;
        if newest > seen.0 {
            *seen = (newest, mono_us);
        }
        let ahead = newest.saturating_add(ahead_us) < now_us && mono_us - seen.1 < BELIEVED_US;
        if ahead && first {
            tracing::error!(
                clock = %medmon_api::time(now_us),
                newest = %medmon_api::time(newest),
                "the clock is far ahead of the newest data; nothing is thinned or removed until it is set, or for a week in \
                 which nothing newer comes"
            );
        }
        ahead
    }

    fn remove_month(&self, month: Month) -> Result<(), Fault> {
        let path = month.path(&self.folder);
        let _closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.relay(|layout| {
            layout.months.remove(&month);
            layout.damaged.remove(&month);
        });
        self.readers.forget(&path);
        file::remove(&path)
    }

    /// Thins a month. What was written in vain gives its room back: a full disk has better use for it.
    fn thin_or_leave(&self, month: Month, now_us: UtcUs) -> Result<(), Fault> {
        self.thin(month, now_us).inspect_err(|_| {
            let new = file::beside(&month.path(&self.folder), HALF_MADE);
            self.readers.forget(&new);
            // If it cannot be, the next try does it.
            let _ = file::remove(&new);
        })
    }

    /// Writes the month again beside itself with coarser windows, compares what both amount to, and takes its place.
    fn thin(&self, month: Month, now_us: UtcUs) -> Result<(), Fault> {
        let path = month.path(&self.folder);
        let new = file::beside(&path, HALF_MADE);
        self.sync(&path)?;
        file::remove(&new)?;
        let mut writer = MonthWriter::begin(new.clone(), self.options.max_bytes)?;
        let (mut before, mut after) = (Total::default(), Total::default());
        self.readers.with(&path, |db| {
            for (day, segment) in month::taken(db, &path)? {
                writer.take(day, &[segment], 0)?;
            }
            let mut all = month::all(db, &path)?;
            all.sort_unstable_by_key(|(_, id)| *id);
            let ever = (i64::MIN, i64::MAX);
            for day in month::days(month, ever) {
                for (series, id) in &all {
                    let mut windows = Vec::new();
                    month::windows(db, &path, (*series, *id), day, ever, &mut windows)?;
                    if !windows.is_empty() {
                        before.merge(&sum(&windows));
                        let (series, windows) = coarse(*series, windows);
                        writer.add(series, day, windows)?;
                    }
                }
            }
            Ok(())
        })?;
        writer.mark_thinned(now_us)?;
        writer.commit()?;
        drop(writer);
        self.sync(&new)?;
        self.readers.with(&new, |db| {
            for (series, id) in month::all(db, &new)? {
                for day in month::days(month, (i64::MIN, i64::MAX)) {
                    let mut windows = Vec::new();
                    month::windows(db, &new, (series, id), day, (i64::MIN, i64::MAX), &mut windows)?;
                    after.merge(&sum(&windows));
                }
            }
            Ok(())
        })?;
        self.readers.forget(&new);
        // All stays the same but the coverage, which is rounded.
        if before != (Total { covered_ms: before.covered_ms, ..after }) {
            let series = Series { subject: uuid::Uuid::nil(), vital: medmon_core::noun::Vital::GATEWAY, span_s: 0 };
            return Err(Fault::Verify { path: new, from: path, series });
        }
        let _closed = self.gate.write().unwrap_or_else(PoisonError::into_inner);
        self.readers.forget(&path);
        // Its log, empty since the beginning, must not meet the new file.
        file::remove_log(&path)?;
        std::fs::rename(&new, &path).map_err(Fault::io(&path))?;
        file::sync_folder(&path)?;
        self.relay(|layout| layout.months.extend([(month, true)]));
        Ok(())
    }
}

fn sum(windows: &[Window]) -> Total {
    let mut total = Total::default();
    windows.iter().for_each(|window| total.add(window));
    total
}

/// Windows of a day in quarters of an hour, if they are finer and fit in.
fn coarse(series: Series, windows: Vec<Window>) -> (Series, Vec<Window>) {
    if series.span_s == 0 || series.span_s >= COARSE_S || !COARSE_S.is_multiple_of(series.span_s) {
        return (series, windows);
    }
    let step_us = i64::from(COARSE_S) * 1_000_000;
    let mut coarse: Vec<(Window, u64)> = Vec::new();
    for window in windows {
        let start_us = Day::of(window.start_us).start_us();
        let start_us = start_us + (window.start_us - start_us) / step_us * step_us;
        let covered = u64::from(window.coverage.min(1000)) * u64::from(window.span_s);
        let last_ms = ((window.start_us - start_us) / 1000) as u32;
        let part = Window {
            start_us,
            span_s: COARSE_S,
            last_ms: last_ms.saturating_add(window.last_ms),
            coverage: 0,
            ..window
        };
        match coarse.last_mut() {
            Some((whole, sum)) if whole.start_us == start_us => {
                whole.merge(&part);
                *sum += covered;
            }
            _ => coarse.push((part, covered)),
        }
    }
    let round = |(window, covered): (Window, u64)| Window {
        coverage: (covered / u64::from(COARSE_S)).min(1000) as u16,
        ..window
    };
    (Series { span_s: COARSE_S, ..series }, coarse.into_iter().map(round).collect())
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Vital;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn minutes_become_quarters_of_an_hour_and_single_readings_stay() {
        let minute = |index: i64| Window {
            coverage: 1000,
            ..Window::of(Vital::HEART_RATE, index * 60_000_000 + 1_000_000, 600 + index as i32, 0, true)
        };
        let series = Series { subject: Uuid::nil(), vital: Vital::HEART_RATE, span_s: 60 };
        let (to, windows) = coarse(series, (0..20).map(minute).collect());
        assert_eq!(to.span_s, 900);
        let seen: Vec<_> = windows.iter().map(|w| (w.start_us, w.count, w.min, w.max, w.last_ms, w.coverage)).collect();
        assert_eq!(seen, [(0, 15, 600, 614, 841_000, 1000), (900_000_000, 5, 615, 619, 241_000, 333)]);
        let single = vec![Window::of(Vital::GLUCOSE, 7, 1000, 1000, true)];
        let of = Series { vital: Vital::GLUCOSE, span_s: 0, ..series };
        assert_eq!(coarse(of, single.clone()), (of, single));
    }
}
