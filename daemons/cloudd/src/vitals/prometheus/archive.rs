//! Days that the server will soon let go of, copied into the archive while it still has them: once, compared, marked.

use std::collections::BTreeSet;

use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use uuid::Uuid;

use super::{DAY_US, Inner, margin_ms, merged};
use crate::vitals::{Batch, VitalsError};

/// A day that does not read back as it was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{vital} of subject {subject} from {from_us} µs on does not read back from the archive as it was; not marked as copied"
)]
struct Differs {
    subject: Uuid,
    vital: String,
    from_us: UtcUs,
}

impl Inner {
    /// Copies the days that are due at `now_us`, oldest first. Without the server nothing is due: its days stay with it.
    pub(super) async fn copy_days(&self, now_us: UtcUs) -> Result<(), VitalsError> {
        let Some(server) = self.state().server.clone() else { return Ok(()) };
        let due_us = now_us - (server.retention_ms - margin_ms(server.retention_ms, 2)) * 1000;
        let oldest = (now_us - server.retention_ms * 1000).div_euclid(DAY_US).max(1) as u64;
        let mut day = (self.old.settled_through() + 1).max(oldest);
        while (day as i64 + 1) * DAY_US <= due_us {
            self.copy_day(day).await?;
            if !self.old.settle(day).await? {
                return Ok(());
            }
            tracing::info!(day, "a day of vitals is in the archive");
            day += 1;
        }
        Ok(())
    }

    async fn copy_day(&self, day: u64) -> Result<(), VitalsError> {
        let (from_us, to_us) = (day as i64 * DAY_US, (day as i64 + 1) * DAY_US);
        for name in self.client.vitals().await.map_err(super::read::store)? {
            let Some(vital) = Vital::by_name(&name) else { continue };
            for subject in self.subjects_of(&name, from_us / 1000).await? {
                let parts = self.windows(subject, vital, from_us, to_us).await?;
                let windows = merged(parts.into_iter().map(|(part, _)| part));
                let holes = self.holes(subject, vital, from_us, to_us).await?;
                let gaps: Vec<_> = holes.into_iter().filter(|gap| gap.from_us >= from_us).collect();
                if windows.is_empty() && gaps.is_empty() {
                    continue;
                }
                // An attempt that was cut left this in memory.
                if !self.reads_back(subject, vital, (from_us, to_us), &windows, &gaps).await? {
                    let batch = Batch { subject, windows: windows.clone(), gaps: gaps.clone() };
                    self.old.take(day, vec![batch]).await?;
                    if !self.reads_back(subject, vital, (from_us, to_us), &windows, &gaps).await? {
                        let differs = Differs { subject, vital: name, from_us };
                        return Err(VitalsError::Store(Box::new(differs)));
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the archive has this of a span.
    async fn reads_back(
        &self,
        subject: Uuid,
        vital: Vital,
        (from_us, to_us): (UtcUs, UtcUs),
        windows: &[Window],
        gaps: &[Gap],
    ) -> Result<bool, VitalsError> {
        if self.old.range(subject, vital, from_us, to_us).await? != windows {
            return Ok(false);
        }
        let there = self.old.gaps(subject, vital, from_us, to_us).await?;
        Ok(gaps.iter().all(|gap| there.contains(gap)))
    }

    /// Who has windows or gaps of a vital since `from_ms`, without the erased.
    async fn subjects_of(&self, vital: &str, from_ms: i64) -> Result<BTreeSet<Uuid>, VitalsError> {
        let mut subjects = BTreeSet::new();
        for metric in ["medmon_window_count", "medmon_gap_lost"] {
            subjects.extend(self.client.subjects(metric, vital, from_ms).await.map_err(super::read::store)?);
        }
        subjects.retain(|subject| !self.is_erased(*subject));
        Ok(subjects)
    }
}
