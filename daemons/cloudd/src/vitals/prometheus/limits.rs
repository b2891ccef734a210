//! Limits as series beside the vitals, for rules and charts on the server: `medmon_limit{subject, vital, limit}` in the
//! vital's unit, written when one changes and repeated every hour.

use std::sync::Arc;
use std::time::Duration;

use medmon_core::noun::{Limits, UtcUs};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Inner, wire};
use crate::records::{Records, limits};

/// How often it is looked whether one changed.
const LOOK: Duration = Duration::from_mins(1);
const REPEAT_US: UtcUs = 3_600_000_000;
/// Subjects of one request: a few thousand samples.
const SUBJECTS: usize = 200;

/// Runs until `ended`. What cannot be written is written at the next look.
pub(super) async fn run(inner: Arc<Inner>, records: Records, ended: CancellationToken) {
    let (mut written, mut at_us) = (Vec::new(), i64::MIN);
    loop {
        match records.read(limits::of_all).await {
            Ok(all) => {
                let repeat = inner.clock.mono_us().saturating_sub(at_us) >= REPEAT_US;
                let due: Vec<_> = all.iter().filter(|row| repeat || !written.contains(*row)).cloned().collect();
                match write(&inner, &due).await {
                    Ok(()) => {
                        at_us = if repeat { inner.clock.mono_us() } else { at_us };
                        written = all;
                    }
                    Err(error) => tracing::debug!(%error, "limits are not written to the vitals server"),
                }
            }
            Err(error) => tracing::error!(%error, "limits cannot be read for the vitals server"),
        }
        tokio::select! {
            () = inner.clock.sleep(LOOK) => {}
            () = ended.cancelled() => return,
        }
    }
}

async fn write(inner: &Inner, due: &[(Uuid, Limits)]) -> Result<(), super::client::ClientError> {
    for some in due.chunks(SUBJECTS) {
        let rows: Vec<_> = some
            .iter()
            .flat_map(|(subject, limits)| limits.iter().map(move |(row, value)| (subject, row.key, value)))
            .filter_map(|(subject, key, value)| {
                let (vital, limit) = key.split_once('.')?;
                let labels = [
                    ("__name__", "medmon_limit".to_owned()),
                    ("limit", limit.to_owned()),
                    ("subject", subject.to_string()),
                    ("vital", vital.to_owned()),
                ];
                Some((labels, value))
            })
            .collect();
        inner.client.write(wire::gauges(&rows, inner.clock.utc_us() / 1000)).await?;
    }
    Ok(())
}
