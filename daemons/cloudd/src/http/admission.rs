//! How much of envelopes may be in memory at once. What does not fit is told to come back, before a byte of it is read.

use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use medmon_api::frames::MAX_BODY;
use medmon_api::gateway::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use crate::refusal::Refusal;

/// All of it, in KiB.
const KIB: usize = 64 << 10;
/// A backlog leaves this much to those who send what is happening now.
const KIB_FOR_LIVE: usize = KIB / 2;
/// A request costs something, however small it is.
const KIB_LEAST: usize = 4;
/// Come back after so long at least, and at most twice that: a thousand homes must not come back at once.
const AGAIN: Duration = Duration::from_secs(10);

/// The limit.
#[derive(Debug)]
pub struct Admission(Arc<Semaphore>);

impl Default for Admission {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(KIB)))
    }
}

impl Admission {
    /// Admits a request by the length it claims; without one, by the longest it may have. Facts are never asked.
    pub fn admit(&self, headers: &HeaderMap, lane: Lane) -> Result<OwnedSemaphorePermit, Refusal> {
        let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let kib = (length.unwrap_or(MAX_BODY).min(MAX_BODY) >> 10).max(KIB_LEAST);
        let room = self.0.available_permits();
        let enough = match lane {
            Lane::Live => room >= kib,
            Lane::Backlog => room >= kib + KIB_FOR_LIVE,
        };
        let permit = enough.then(|| Arc::clone(&self.0).try_acquire_many_owned(kib as u32).ok()).flatten();
        permit.ok_or_else(|| {
            let jitter = f64::from(Uuid::new_v4().as_bytes()[0]) / 255.0;
            Refusal::Later(AGAIN.mul_f64(1.0 + jitter).as_secs() as u32)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(bytes: usize) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_LENGTH, bytes.into())])
    }

    #[test]
    fn a_backlog_leaves_room_for_what_is_happening_now() {
        let admission = Admission::default();
        let mut held = Vec::new();
        while let Ok(permit) = admission.admit(&HeaderMap::new(), Lane::Backlog) {
            held.push(permit);
        }
        assert_eq!(held.len(), (KIB - KIB_FOR_LIVE) * 1024 / MAX_BODY);
        held.push(admission.admit(&of(200), Lane::Live).unwrap());
        let again = admission.admit(&of(200), Lane::Backlog).unwrap_err();
        assert!(matches!(again, Refusal::Later(10..=20)), "{again:?}");
        while let Ok(permit) = admission.admit(&HeaderMap::new(), Lane::Live) {
            held.push(permit);
        }
        held.clear();
        assert!(admission.admit(&of(200), Lane::Backlog).is_ok());
    }
}
