//! A closed segment becomes durable: from memory into hot files, then named by the catalogue.

use std::collections::BTreeMap;

use medmon_core::noun::UtcUs;

use super::hot::Share;
use super::key::Day;
use super::layout::Chunk;
use super::memory::Memtable;
use super::parts::Parts;
use super::{Fault, Store};

impl Store {
    /// `false`: somebody else has the files.
    pub(super) fn settle(&self, segment: u64) -> Result<bool, Fault> {
        let layout = self.layout();
        if segment <= layout.settled {
            return Ok(true);
        }
        let Some(_lock) = self.try_lock()? else { return Ok(false) };
        let table = layout.segments.get(&segment).cloned().unwrap_or_default();
        let chunks = self.write_hot(segment, &table)?;
        self.catalogue.settle(segment, &chunks, &table.read())?;
        // Whoever reads has the table or the rows, never both.
        self.relay(|layout| {
            layout.segments.remove(&segment);
            layout.chunks.extend(chunks);
            layout.settled = segment;
        });
        Ok(true)
    }

    /// Each window to the file of its day, so that a night's compaction finds whole days: today's and yesterday's. What
    /// is older, or of a time to come, is with today's.
    fn write_hot(&self, segment: u64, table: &Memtable) -> Result<Vec<Chunk>, Fault> {
        let today = Day::of(self.clock.utc_us());
        let day_of = |start_us: UtcUs| match Day::of(start_us) {
            day if day.0 == today.0 - 1 => day,
            _ => today,
        };
        let mut shares = BTreeMap::<Day, Share>::new();
        let taken = table.read();
        for (series, parts) in taken.sorted() {
            let mut by_day = BTreeMap::<Day, (Parts, UtcUs, UtcUs)>::new();
            let _ = parts.each(series.vital, series.span_s, |part| {
                let (parts, first_us, last_us) =
                    by_day.entry(day_of(part.start_us)).or_insert((Parts::default(), i64::MAX, i64::MIN));
                parts.push(&part);
                (*first_us, *last_us) = (part.start_us.min(*first_us), part.start_us.max(*last_us));
            });
            for (day, (parts, first_us, last_us)) in by_day {
                let share = match shares.entry(day) {
                    std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                    std::collections::btree_map::Entry::Vacant(entry) => {
                        let path = day.path(&self.folder);
                        entry.insert(Share::begin(&path, segment, self.options.max_bytes)?)
                    }
                };
                share.add(series, parts, (first_us, last_us))?;
            }
        }
        let mut chunks = Vec::new();
        for (day, share) in shares {
            chunks.push(Chunk { day, segment, from_us: share.from_us, to_us: share.to_us, except: Vec::new() });
            share.commit()?;
        }
        Ok(chunks)
    }
}
