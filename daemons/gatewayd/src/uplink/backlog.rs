//! The backlog lane: envelopes that were sealed a while ago, newest first, then segments. It waits for facts, and for the cloud.

use medmon_api::gateway::Lane;

use super::pace::{self, Way};
use super::{Backoff, CHOKED, Error, LOOK, Uplink, is_about_content, is_refused};
use crate::settings::PAUSE;

impl Uplink {
    /// Sends what is past while the cloud answers. Never ends.
    pub(super) async fn carry_backlog(&self) {
        let (mut outbox, mut online) = (self.outbox.changed(), self.online.subscribe());
        let (mut backoff, mut way, mut parts) = (Backoff::default(), Way::default(), Way::default());
        loop {
            // Only the others ask whether a cloud that is away is back.
            if online.wait_for(|online| *online).await.is_err() {
                return;
            }
            outbox.mark_unchanged();
            if let Ok(false) = self.push(Lane::Backlog, &mut way, &mut backoff).await {
                self.push_segments(&mut parts).await;
            }
            let now = self.time.clock.mono_us();
            // What was live is past after a while, and a segment waits for its alert's facts.
            let look = now + LOOK.as_micros() as i64;
            let until = way.next(now).into_iter().chain(parts.next(now)).fold(look, i64::min);
            tokio::select! {
                () = self.time.clock.sleep_until(until) => {}
                Ok(()) = outbox.changed() => {}
            }
            self.time.clock.sleep(PAUSE).await;
        }
    }

    /// Sends segments until there is none, one fails, or something else has come to be sent.
    async fn push_segments(&self, parts: &mut Way) {
        let outbox = self.outbox.changed();
        while parts.held(self.time.clock.mono_us()).is_none() && !outbox.has_changed().unwrap_or(true) {
            match self.push_segment(parts).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    tracing::debug!(%error, "a segment is not taken; it is kept");
                    let wait = error.retry_after().map_or(CHOKED, pace::later);
                    parts.hold(self.time.clock.mono_us(), wait);
                }
            }
        }
    }

    /// Sends one. `true`: there may be more. One that the cloud refuses stays here and is not sent again.
    pub(super) async fn push_segment(&self, parts: &mut Way) -> Result<bool, Error> {
        // The cloud has to know the alert.
        if !self.facts.waiting(1).await?.is_empty() {
            return Ok(false);
        }
        let now = self.time.clock.mono_us();
        let deferred: Vec<i64> = parts.deferred(now).into_iter().map(|part| part as i64).collect();
        let Some((part, sealed)) = self.outbox.segment_waiting(&deferred).await? else { return Ok(false) };
        let taken = match self.bulk.push_segment(sealed).await {
            Ok(_) => true,
            Err(error) if error.problem().is_some() && is_refused(&error) => {
                tracing::warn!(part, %error, "the cloud does not take a segment; it stays here only");
                false
            }
            Err(error) if is_about_content(&error) => {
                tracing::warn!(part, %error, "the cloud cannot take a segment; tried again later");
                parts.defer(part as u64, now, CHOKED);
                return Ok(true);
            }
            Err(error) => return Err(error.into()),
        };
        self.outbox.settle_segment(part, taken, self.time.clock.utc_us()).await?;
        Ok(true)
    }
}
