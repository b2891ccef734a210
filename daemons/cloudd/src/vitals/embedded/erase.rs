//! Erasing one subject: first said, then done in every file; a start ends what was begun.

use uuid::Uuid;

use super::key::Day;
use super::{Fault, Store, hot, month};

impl Store {
    /// Ends what was begun and did not get to its end.
    pub(super) fn end_erasing(&self) -> Result<(), Fault> {
        let mut done = Ok(());
        for subject in self.catalogue.erasing()? {
            done = done.and(self.erase(subject));
        }
        done
    }

    pub(super) fn erase(&self, subject: Uuid) -> Result<(), Fault> {
        let _lock = self.lock()?;
        self.catalogue.begin_erasing(subject)?;
        let layout = self.layout();
        layout.segments.values().for_each(|table| table.erase(subject));
        self.recent.erase(subject);
        // One file that cannot be changed does not keep the subject in the others.
        let mut done = Ok(());
        // Also those of a settling that failed half-way.
        for day in self.files("hot", Day::parse)? {
            done = done.and(self.when_free(|| hot::erase(&day.path(&self.folder), layout.settled, subject)));
        }
        for month in layout.months.keys() {
            done = done.and(self.when_free(|| month::erase(&month.path(&self.folder), subject)));
        }
        done?;
        // The last of all: until here a start would begin again.
        self.when_free(|| self.catalogue.end_erasing(subject))
    }
}
