//! UPLINK: what the home has to say, until the cloud has given its verdict on each. Alert facts wait for nothing. Beside them
//! go two lanes: the sign of life with the newest windows, and the backlog, newest first, then segments.
//!
//! Everything waits on disk; a cloud that is away costs nothing but time.

mod backlog;
mod facts;
mod live;
mod pace;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use medmon_api::gateway::Lane;
use medmon_api::{Client, ErrorKind};
use medmon_core::noun::{MonoUs, Settings, Verdict};
use medmon_kit::sqlite;
use medmon_sms::ModemState;

use crate::broker::Broker;
use crate::collect::DevicesHeard;
use crate::facts::Facts;
use crate::outbox::{Outbox, Pick, Sealed};
use crate::time::{Reference, Time};

pub use facts::follow_facts;
pub use pace::Backoff;
use pace::Way;

/// How often a lane looks for something to send while nothing says that there is.
const LOOK: Duration = Duration::from_secs(30);
/// A stop waits so long for the last envelopes.
const LAST_WORDS: Duration = Duration::from_secs(6);
/// What the cloud cannot digest is tried again after so long.
const CHOKED: Duration = Duration::from_mins(1);
/// So many that it cannot, and none that it can: it is the cloud that is broken.
const CHOKED_MAX: u32 = 3;

/// What UPLINK carries and what it says of itself.
pub struct Uplink {
    /// The cloud.
    pub client: Client,
    /// The cloud by connections of their own: what is past keeps nothing waiting.
    pub bulk: Client,
    /// Alert facts.
    pub facts: Facts,
    /// Envelopes.
    pub outbox: Outbox,
    /// For the heartbeat.
    pub broker: Arc<dyn Broker>,
    /// Readings that wait beside the broker.
    pub spilled: watch::Receiver<u64>,
    /// For the heartbeat.
    pub heard: DevicesHeard,
    /// For the heartbeat.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Time.
    pub time: Time,
    /// When this program started.
    pub started_us: MonoUs,
    /// What the cloud's clock says.
    pub reference: watch::Sender<Option<Reference>>,
    /// Texts and the modem's state, if there is one.
    pub texts: Option<(medmon_sms::Outbox, Option<watch::Receiver<ModemState>>)>,
    /// Nothing but the modem carries texts.
    pub modem_only: bool,
    /// Why newer Settings are not in force.
    pub rejected: watch::Receiver<Option<String>>,
    /// Whether the cloud answered last time.
    pub online: watch::Sender<bool>,
    /// Facts are on their way: no request of the backlog begins.
    pub urgent: watch::Sender<bool>,
}

impl Uplink {
    /// Runs until `stop`. `drained` says that everything has been sealed: then one last attempt is made.
    pub async fn run(self, stop: CancellationToken, drained: CancellationToken) {
        tokio::select! {
            _ = async { tokio::join!(self.carry_facts(), self.carry_live(), self.carry_backlog()) } => {}
            () = stop.cancelled() => {}
        }
        // What was on its way is not any more.
        self.urgent.send_replace(false);
        drained.cancelled().await;
        match self.time.clock.timeout(LAST_WORDS, self.last_words()).await {
            Some(Ok(())) => tracing::info!("everything sealed is in the cloud"),
            Some(Err(error)) => tracing::warn!(%error, "what is sealed waits on disk for the next start"),
            None => tracing::warn!("what is sealed waits on disk for the next start"),
        }
    }

    async fn last_words(&self) -> Result<(), Error> {
        let (mut way, mut parts) = (Way::default(), Way::default());
        while self.push_facts(&mut way).await? {}
        self.beat().await?;
        while self.push_envelopes(None, &mut way).await? {}
        while self.push_segment(&mut parts).await? {}
        if way.is_free(self.time.clock.mono_us()) { Ok(()) } else { Err(Error::Later) }
    }

    /// Sends what is in a lane until it is empty or has to wait. `true`: it has to.
    async fn push(&self, lane: Lane, way: &mut Way, backoff: &mut Backoff) -> Result<bool, Error> {
        while way.held(self.time.clock.mono_us()).is_none() {
            match self.push_envelopes(Some(lane), way).await {
                Ok(true) => {
                    backoff.reset();
                }
                Ok(false) => return Ok(false),
                Err(error) => {
                    tracing::debug!(%error, ?lane, "envelopes are not taken; they are kept");
                    let wait = error.retry_after().map_or_else(|| backoff.wait(), pace::later);
                    way.hold(self.time.clock.mono_us(), wait);
                    return Err(error);
                }
            }
        }
        Ok(true)
    }

    /// Sends a request of a lane, newest first. `true`: there may be more. What the cloud cannot digest is looked for, and
    /// alone it holds back only itself.
    async fn push_envelopes(&self, lane: Option<Lane>, way: &mut Way) -> Result<bool, Error> {
        let (bytes, count) = way.size();
        let deferred = way.deferred(self.time.clock.mono_us());
        let pick = Pick { lane, now_us: self.time.clock.utc_us(), bytes, count, deferred };
        let sealed = self.outbox.waiting(pick).await?;
        if sealed.is_empty() {
            return Ok(false);
        }
        let (mut taken, mut choked, mut piles) = (false, 0, vec![sealed]);
        while let Some(mut pile) = piles.pop() {
            if lane == Some(Lane::Backlog) {
                let _ = self.urgent.subscribe().wait_for(|urgent| !urgent).await;
            }
            match self.ingest(lane.unwrap_or_default(), way, &pile).await {
                Ok(()) => taken = true,
                Err(Error::Api(error)) if is_about_content(&error) && pile.len() > 1 => {
                    tracing::warn!(%error, envelopes = pile.len(), "the cloud cannot take these together; sent apart");
                    let older = pile.split_off(pile.len() / 2);
                    piles.extend([older, pile]);
                }
                Err(Error::Api(error)) if is_about_content(&error) => {
                    tracing::warn!(row = pile[0].row, %error, "the cloud cannot take an envelope; kept");
                    way.defer(pile[0].row, self.time.clock.mono_us(), CHOKED);
                    choked += 1;
                    if choked == CHOKED_MAX && !taken {
                        return Err(error.into());
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Sends envelopes and notes the verdict on each.
    async fn ingest(&self, lane: Lane, way: &mut Way, sealed: &[Sealed]) -> Result<(), Error> {
        let client = if lane == Lane::Backlog { &self.bulk } else { &self.client };
        let began_us = self.time.clock.mono_us();
        let answer = client.ingest(lane, sealed.iter().map(|one| one.body.as_slice())).await;
        let now = self.time.clock.mono_us();
        let verdicts = match answer {
            Ok(verdicts) => verdicts,
            Err(error) => {
                if error.kind() == ErrorKind::Unreachable {
                    way.failed();
                }
                return Err(error.into());
            }
        };
        let bytes = sealed.iter().map(|one| one.body.len()).sum();
        way.answered(bytes, Duration::from_micros((now - began_us).unsigned_abs()));
        if verdicts.len() != sealed.len() {
            return Err(Error::Verdicts { sent: sealed.len(), given: verdicts.len() });
        }
        let mut waits = Vec::new();
        for (one, verdict) in sealed.iter().zip(&verdicts) {
            match verdict {
                Verdict::Quarantined { reason } => {
                    tracing::warn!(row = one.row, reason, "the cloud set an envelope aside");
                }
                Verdict::Later { seconds } => {
                    let wait = pace::later(Duration::from_secs((*seconds).into()));
                    way.defer(one.row, now, wait);
                    waits.push(wait);
                }
                Verdict::Stored | Verdict::AlreadyHeld => {}
            }
        }
        if let Some(wait) = waits.iter().min().filter(|_| waits.len() == sealed.len()) {
            // It takes none at present: the others would hear the same.
            way.hold(now, *wait);
        }
        let verdicts = sealed.iter().map(|one| one.row).zip(verdicts).collect();
        Ok(self.outbox.settle(verdicts, self.time.clock.utc_us()).await?)
    }

    /// Whether the cloud is there, by what became of a request.
    fn note(&self, error: Option<&medmon_api::Error>) {
        let is_there = error.is_none_or(|error| error.kind() == ErrorKind::Busy || is_about_content(error));
        self.online.send_if_modified(|online| std::mem::replace(online, is_there) != is_there);
    }
}

/// Whether the cloud is there and refuses what was sent, rather than who sends it.
fn is_about_content(error: &medmon_api::Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Failed)
}

/// Whether the cloud has frozen this install, by its words: two boxes have it.
pub fn is_forked(reason: &str) -> bool {
    reason.starts_with("forked")
}

/// Whether the same would be refused again.
fn is_refused(error: &medmon_api::Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::NotFound)
}

/// Why an exchange with the cloud ended early.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Api(#[from] medmon_api::Error),
    #[error(transparent)]
    Disk(#[from] sqlite::Error),
    #[error("the cloud gave {given} verdicts on {sent} envelopes")]
    Verdicts { sent: usize, given: usize },
    #[error("the cloud asked to come back later")]
    Later,
}

impl Error {
    /// How long the cloud asks to wait.
    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Api(error) => error.retry_after(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
