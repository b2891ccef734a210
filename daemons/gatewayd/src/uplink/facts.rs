//! Facts: up as soon as there are any, waiting for nothing; down as soon as the ward says something.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use medmon_api::{Client, ErrorKind};
use medmon_kit::Clock;

use super::pace::Way;
use super::{Backoff, Error, LOOK, Uplink};
use crate::facts::Facts;

/// Sent at once.
const FACTS_MAX: u32 = 100;
/// The longest wait while an alert's facts have not arrived: few homes have one at a time, so those may knock more often.
const FACTS_RETRY: Duration = Duration::from_secs(3);
/// The cloud holds a request for facts so long.
const FACTS_WAIT_S: u32 = 25;

impl Uplink {
    /// Facts go up, whatever else is on its way. Never ends.
    pub(super) async fn carry_facts(&self) {
        let mut kept = self.facts.kept();
        let (mut backoff, mut way) = (Backoff::default(), Way::default());
        loop {
            kept.mark_unchanged();
            let pause = match self.push_facts(&mut way).await {
                Ok(true) => backoff.reset(),
                Ok(false) => LOOK,
                Err(error) => {
                    tracing::debug!(%error, "facts are not taken; they are kept");
                    backoff.wait().min(FACTS_RETRY)
                }
            };
            tokio::select! {
                () = self.time.clock.sleep(pause) => {}
                Ok(()) = kept.changed() => {}
            }
        }
    }

    /// Sends some, the newest first: what is happening now does not wait for what was. `true`: there may be more.
    pub(super) async fn push_facts(&self, way: &mut Way) -> Result<bool, Error> {
        let mut facts = self.facts.waiting(FACTS_MAX).await?;
        let mut bytes = 0;
        let sizes = facts.iter().rev().map(|fact| serde_json::to_vec(fact).map_or(0, |body| body.len() + 1));
        let fit = sizes.take_while(|size| {
            bytes += size;
            bytes <= way.size().0
        });
        let fit = fit.count().max(1);
        facts.drain(..facts.len().saturating_sub(fit));
        if facts.is_empty() {
            return Ok(false);
        }
        self.urgent.send_replace(true);
        let began_us = self.time.clock.mono_us();
        let answer = self.client.push_facts(&facts).await;
        let took = Duration::from_micros((self.time.clock.mono_us() - began_us).unsigned_abs());
        self.urgent.send_replace(false);
        self.note(answer.as_ref().err());
        match &answer {
            Ok(_) => way.answered(bytes, took),
            Err(error) if error.kind() == ErrorKind::Unreachable => way.failed(),
            Err(_) => {}
        }
        let answer = answer?;
        if !answer.refused.is_empty() {
            tracing::warn!(facts = answer.refused.len(), "the cloud does not take some facts; they stay here only");
        }
        self.facts.commit(answer.facts, None, true).await?;
        self.facts.uploaded(facts).await?;
        Ok(true)
    }
}

/// Follows what the ward says of this gateway's alerts, until `stop`.
pub async fn follow_facts(client: Client, facts: Facts, clock: Clock, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    let mut after = match facts.state("facts_cursor").await {
        Ok(cursor) => cursor.and_then(|cursor| cursor.parse().ok()).unwrap_or(0),
        Err(_) => 0,
    };
    loop {
        let answer = tokio::select! {
            answer = client.pull_facts(after, FACTS_WAIT_S) => answer,
            () = stop.cancelled() => return,
        };
        let pause = match answer {
            Ok(down) => {
                let moved = (down.cursor != after).then(|| ("facts_cursor", down.cursor.to_string()));
                let kept = match (moved.is_some(), down.facts.is_empty()) {
                    (false, true) => Ok(()),
                    _ => facts.commit(down.facts, moved, true).await,
                };
                match kept {
                    Ok(()) => {
                        after = down.cursor;
                        backoff.reset()
                    }
                    Err(error) => {
                        tracing::warn!(%error, "the ward's facts cannot be kept; asked for again");
                        backoff.wait()
                    }
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no facts from the cloud");
                backoff.wait()
            }
        };
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
    }
}
