//! UPLINK: facts first, then envelopes, then segments, newest first, until the cloud has given its verdict on each.
//!
//! Everything waits on disk; a cloud that is away costs nothing but time.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use medmon_api::gateway::{DeviceHeard, Heartbeat, Lane};
use medmon_api::{Client, ErrorKind};
use medmon_core::noun::{Settings, Verdict};
use medmon_kit::{Clock, sqlite};
use medmon_sms::ModemState;

use crate::broker::Broker;
use crate::collect::DevicesHeard;
use crate::facts::Facts;
use crate::health::modem_down;
use crate::outbox::{Outbox, Sealed};
use crate::settings::PAUSE;
use crate::time::{Reference, Time};

/// A heartbeat is the lease of the pager: three minutes of silence and the cloud takes over.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// How often the outbox is looked at while nothing else happens.
const LOOK: Duration = Duration::from_millis(500);
const FACTS_MAX: u32 = 100;
/// Texts looked at for those that wait.
const TEXTS: u32 = 1000;
/// The longest wait while an alert's facts have not arrived.
const FACTS_RETRY: Duration = Duration::from_secs(3);
const ENVELOPES_MAX: u32 = 32;
/// A stop waits so long for the last envelopes.
const LAST_WORDS: Duration = Duration::from_secs(6);
/// The cloud holds a request for facts so long.
const FACTS_WAIT_S: u32 = 25;

/// Waits that double, with jitter: ten thousand gateways must not come back in the same second.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Self::FIRST }
    }
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// The wait after a failure.
    pub fn wait(&mut self) -> Duration {
        let jitter = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        let wait = self.next.mul_f64(0.5 + jitter / 2.0);
        self.next = (self.next * 2).min(Self::LONGEST);
        wait
    }

    /// After a success.
    pub fn reset(&mut self) -> Duration {
        self.next = Self::FIRST;
        PAUSE
    }
}

/// What UPLINK carries and what it says of itself.
pub struct Uplink {
    /// The cloud.
    pub client: Client,
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
}

impl Uplink {
    /// Runs until `stop`. `drained` says that everything has been sealed: then one last attempt is made.
    pub async fn run(self, stop: CancellationToken, drained: CancellationToken) {
        let started = self.time.clock.mono_us();
        let mut changed = self.facts.changed();
        let mut settings = self.settings.clone();
        let (mut backoff, mut beat_us) = (Backoff::default(), None::<i64>);
        loop {
            let now = self.time.clock.mono_us();
            let due = beat_us.is_none_or(|at| now - at >= HEARTBEAT.as_micros() as i64);
            let result = tokio::select! {
                result = self.exchange(due, (now - started) / 1_000_000) => result,
                () = stop.cancelled() => break,
            };
            self.online.send_replace(result.is_ok());
            let pause = match result {
                Ok(more) => {
                    if due {
                        beat_us = Some(now);
                    }
                    backoff.reset();
                    if more { PAUSE } else { LOOK }
                }
                Err(error) => {
                    tracing::debug!(%error, "the cloud is not reached; everything is kept");
                    let pause = backoff.wait();
                    // Few homes have an alert at a time: those may knock more often.
                    let alert = self.facts.waiting(1).await.is_ok_and(|facts| !facts.is_empty());
                    if alert { pause.min(FACTS_RETRY) } else { pause }
                }
            };
            tokio::select! {
                () = self.time.clock.sleep(pause) => {}
                // An alert does not wait for the back-off of a backlog.
                Ok(()) = changed.changed() => {}
                // A new assignment is confirmed by the next heartbeat.
                Ok(()) = settings.changed() => beat_us = None,
                () = stop.cancelled() => break,
            }
        }
        drained.cancelled().await;
        let last = async {
            while self.exchange(true, (self.time.clock.mono_us() - started) / 1_000_000).await? {}
            Ok::<_, Error>(())
        };
        match self.time.clock.timeout(LAST_WORDS, last).await {
            Some(Ok(())) => tracing::info!("everything sealed is in the cloud"),
            Some(Err(error)) => tracing::warn!(%error, "what is sealed waits on disk for the next start"),
            None => tracing::warn!("what is sealed waits on disk for the next start"),
        }
    }

    /// Heartbeat if due, facts, envelopes, a segment. `true`: there is more.
    async fn exchange(&self, heartbeat: bool, uptime_s: i64) -> Result<bool, Error> {
        // What the cloud cannot digest of one kind holds back neither the sign of life nor the other kind.
        let facts = self.push_facts().await;
        if let Err(Error::Api(error)) = &facts
            && !is_about_content(error)
        {
            return facts.map(|()| false);
        }
        if heartbeat {
            let (beat, asked_us) = (self.heartbeat(uptime_s).await?, self.time.clock.mono_us());
            let answer = self.client.heartbeat(&beat).await?;
            let answered_us = self.time.clock.mono_us();
            // Half-way between question and answer.
            let (mono_us, within_us) = (asked_us.midpoint(answered_us), (answered_us - asked_us) / 2);
            self.reference.send_replace(Some(Reference { mono_us, utc_us: answer.utc_us, within_us }));
        }
        let more = self.push_envelopes().await?;
        facts?;
        Ok(self.push_segment().await? || more)
    }

    async fn push_facts(&self) -> Result<(), Error> {
        let facts = self.facts.waiting(FACTS_MAX).await?;
        if facts.is_empty() {
            return Ok(());
        }
        let answer = self.client.push_facts(&facts).await?;
        if !answer.refused.is_empty() {
            tracing::warn!(facts = answer.refused.len(), "the cloud does not take some facts; they stay here only");
        }
        self.facts.commit(answer.facts, None, true).await?;
        Ok(self.facts.uploaded(facts).await?)
    }

    /// `true`: there are more.
    async fn push_envelopes(&self) -> Result<bool, Error> {
        let sealed = self.outbox.waiting(ENVELOPES_MAX).await?;
        if sealed.is_empty() {
            return Ok(false);
        }
        let full = sealed.len() == ENVELOPES_MAX as usize;
        match self.ingest(&sealed).await {
            // One among them may be what the cloud chokes on: alone it blocks only itself.
            Err(Error::Api(error)) if sealed.len() > 1 && is_about_content(&error) => {
                tracing::warn!(%error, "the cloud cannot take these envelopes together; each is sent alone");
                for one in &sealed {
                    match self.ingest(std::slice::from_ref(one)).await {
                        Err(Error::Api(error)) if is_about_content(&error) => {
                            tracing::warn!(sequence = one.sequence, %error, "the cloud cannot take an envelope; kept");
                        }
                        other => other?,
                    }
                }
                Err(error.into())
            }
            other => other.map(|()| full),
        }
    }

    /// Sends envelopes and notes the verdict on each.
    async fn ingest(&self, sealed: &[Sealed]) -> Result<(), Error> {
        let verdicts = self.client.ingest(Lane::Live, sealed.iter().map(|one| one.body.as_slice())).await?;
        if verdicts.len() != sealed.len() {
            return Err(Error::Verdicts { sent: sealed.len(), given: verdicts.len() });
        }
        let later = verdicts.iter().any(|verdict| matches!(verdict, Verdict::Later { .. }));
        for (one, verdict) in sealed.iter().zip(&verdicts) {
            if let Verdict::Quarantined { reason } = verdict {
                tracing::warn!(sequence = one.sequence, reason, "the cloud set an envelope aside");
            }
        }
        let verdicts = sealed.iter().map(|one| one.sequence).zip(verdicts).collect();
        self.outbox.settle(verdicts, self.time.clock.utc_us()).await?;
        if later { Err(Error::Later) } else { Ok(()) }
    }

    /// Sends one. `true`: there may be more. One that the cloud refuses stays here and is not sent again.
    async fn push_segment(&self) -> Result<bool, Error> {
        // The cloud has to know the alert.
        if !self.facts.waiting(1).await?.is_empty() {
            return Ok(true);
        }
        let Some((part, sealed)) = self.outbox.segment_waiting().await? else { return Ok(false) };
        let taken = match self.client.push_segment(sealed).await {
            Ok(_) => true,
            Err(error) if error.problem().is_some() && is_refused(&error) => {
                tracing::warn!(part, %error, "the cloud does not take a segment; it stays here only");
                false
            }
            Err(error) => return Err(error.into()),
        };
        self.outbox.settle_segment(part, taken, self.time.clock.utc_us()).await?;
        Ok(true)
    }

    async fn heartbeat(&self, uptime_s: i64) -> Result<Heartbeat, sqlite::Error> {
        let settings = Arc::clone(&self.settings.borrow());
        let (depth, outbox, now) = (self.broker.depth().await, self.outbox.depth().await?, self.time.clock.utc_us());
        // Whoever pages must not be taken for dead because a broker does not answer.
        let depth = depth.unwrap_or_default();
        let sms_waiting = self.sms_waiting().await;
        let clock = *self.time.trust.borrow();
        let modem = self.texts.as_ref().and_then(|(_, modem)| modem.as_ref());
        let modem_ok = modem.map(|modem| modem_down(&modem.borrow()).is_none());
        let settings_rejected = self.rejected.borrow().clone();
        let devices = self.heard.snapshot().into_iter();
        Ok(Heartbeat {
            settings_version: settings.version,
            epoch: settings.epoch,
            clock,
            utc_us: now,
            uptime_s: uptime_s.max(0) as u64,
            release: env!("CARGO_PKG_VERSION").into(),
            sms_waiting,
            // Not only while texts wait: those that the cloud has sent meanwhile wait no more, the next will.
            cannot_text: self.texts.is_none() || (self.modem_only && modem_ok == Some(false)),
            modem_ok,
            settings_rejected,
            readings_waiting: depth.detect_behind.max(depth.downsample_behind).max(0) as u64 + *self.spilled.borrow(),
            outbox_waiting: outbox.waiting.max(0) as u64,
            devices: devices
                .map(|(ieee, heard)| DeviceHeard {
                    ieee,
                    heard_s_ago: Some(((now - heard.last_us) / 1_000_000).max(0) as u64),
                    link_quality: Some(heard.link_quality),
                    battery_percent: heard.battery_percent,
                    listed: heard.listed,
                })
                .collect(),
        })
    }

    /// Texts that wait for the modem.
    async fn sms_waiting(&self) -> u64 {
        let Some((outbox, _)) = &self.texts else { return 0 };
        let rows = outbox.rows(TEXTS).await.unwrap_or_else(|_| outbox.kept());
        rows.iter().filter(|row| row.waits()).count() as u64
    }
}

/// Whether the cloud is there and refuses what was sent, rather than who sends it.
fn is_about_content(error: &medmon_api::Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::Failed)
}

/// Whether the same would be refused again.
fn is_refused(error: &medmon_api::Error) -> bool {
    matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Conflict | ErrorKind::NotFound)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_never_agree() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= Duration::from_millis(500) && waits[19] >= Duration::from_secs(15));
        assert!(waits.iter().all(|wait| *wait <= Backoff::LONGEST));
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(500));
    }

    /// Towards a cloud of a test's own.
    async fn uplink(folder: &std::path::Path, cloud: axum::Router, facts: &Facts, outbox: &Outbox) -> Uplink {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, cloud).await });
        Uplink {
            client: Client::new(&url, None).unwrap(),
            facts: facts.clone(),
            outbox: outbox.clone(),
            broker: Arc::new(crate::broker::Embedded::open(folder).await.unwrap()),
            spilled: watch::channel(7).1,
            heard: DevicesHeard::default(),
            settings: watch::channel(Arc::new(Settings::default())).1,
            time: Time {
                clock: Clock::system(),
                trust: watch::channel(medmon_core::noun::ClockQuality::Holdover).1,
                machine_since: 1,
            },
            reference: watch::Sender::new(None),
            texts: None,
            modem_only: false,
            rejected: watch::channel(None).1,
            online: watch::Sender::new(false),
        }
    }

    /// A page of a hotel's network is no verdict; a refusal of the cloud is one.
    #[tokio::test]
    async fn a_segment_goes_once_the_facts_have_and_a_refused_one_not_again() {
        use axum::http::{StatusCode, header::CONTENT_TYPE};
        use axum::routing::post;
        use medmon_core::noun::{Fact, FactKind, Segment};

        let folder = tempfile::tempdir().unwrap();
        let (facts, outbox) = (Facts::open(folder.path(), 0).await.unwrap(), Outbox::open(folder.path()).unwrap());
        let alert = uuid::Uuid::from_u128(1);
        let segment = |epoch| Segment { alert, part: 0, epoch, from_us: 0, to_us: 0, cut: false, readings: Vec::new() };
        for epoch in 1..=3 {
            outbox.keep_segment(segment(epoch), 0, 0).await.unwrap();
        }
        let sent = Arc::new(std::sync::Mutex::new(Vec::new()));
        let log = Arc::clone(&sent);
        let take = async move |body: axum::body::Bytes| {
            let epoch = medmon_core::wire::segment::open(&body).unwrap().epoch;
            log.lock().unwrap().push(epoch);
            let refusal = format!(r#"{{"type":"{}conflict","title":"","status":409}}"#, medmon_api::problem::BASE);
            match epoch {
                3 => (StatusCode::CONFLICT, [(CONTENT_TYPE, medmon_api::problem::MEDIA_TYPE)], refusal),
                2 => (StatusCode::OK, [(CONTENT_TYPE, "application/json")], r#"{"already_held":true}"#.into()),
                _ => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html")], "Log in to our network".into()),
            }
        };
        let cloud = axum::Router::new()
            .route(medmon_api::paths::SEGMENTS, post(take))
            .route(medmon_api::paths::FACTS, post(async || StatusCode::UNPROCESSABLE_ENTITY));
        let uplink = uplink(folder.path(), cloud, &facts, &outbox).await;
        let fact = Fact::of("gateway", alert, "cleared", 0, FactKind::Cleared);
        facts.commit(vec![fact.clone()], None, false).await.unwrap();
        assert!(uplink.exchange(false, 0).await.is_err());
        assert!(sent.lock().unwrap().is_empty(), "the cloud does not know the alert");
        facts.uploaded(vec![fact]).await.unwrap();
        assert!(uplink.exchange(false, 0).await.unwrap() && uplink.exchange(false, 0).await.unwrap());
        assert!(uplink.exchange(false, 0).await.is_err() && uplink.exchange(false, 0).await.is_err());
        assert_eq!(*sent.lock().unwrap(), [3, 2, 1, 1], "the newest first");
    }

    /// A cloud that chokes on one envelope and understands no facts still hears the rest.
    #[tokio::test]
    async fn what_the_cloud_cannot_digest_blocks_nothing_else() {
        use axum::Json;
        use axum::http::StatusCode;
        use axum::routing::post;
        use medmon_core::noun::{Fact, FactKind};

        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        let fact = |id| Fact { id, alert: id, at_us: 0, author: "gateway".into(), kind: FactKind::Cleared };
        facts.commit(vec![fact(uuid::Uuid::from_u128(1))], None, false).await.unwrap();
        let envelope = |sequence| medmon_core::noun::Envelope {
            install: uuid::Uuid::nil(),
            stream: 0,
            sequence,
            epoch: 1,
            sealed_us: 0,
            windows: Vec::new(),
            gaps: Vec::new(),
        };
        let batch = crate::outbox::Batch { sealed: (1..=5).map(envelope).collect(), ..Default::default() };
        outbox.commit(&crate::downsample::State::default(), batch).await.unwrap();

        let beats = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let beat = Arc::clone(&beats);
        let ingest = async |body: axum::body::Bytes| {
            let sealed = medmon_api::frames::decode(&body).unwrap();
            let chokes = |one: &&[u8]| medmon_core::wire::envelope::decode(one).unwrap().sequence == 3;
            if sealed.iter().any(chokes) {
                return Err(StatusCode::INTERNAL_SERVER_ERROR);
            }
            Ok(Json(vec![Verdict::Stored; sealed.len()]))
        };
        let heartbeat = async move || {
            beat.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            let answer = r#"{"settings_version":0,"utc_us":0,"facts_cursor":0}"#;
            Json(serde_json::from_str::<serde_json::Value>(answer).unwrap())
        };
        let cloud = axum::Router::new()
            .route(medmon_api::paths::INGEST, post(ingest))
            .route(medmon_api::paths::FACTS, post(async || StatusCode::UNPROCESSABLE_ENTITY))
            .route(medmon_api::paths::HEARTBEAT, post(heartbeat));
        let mut uplink = uplink(folder.path(), cloud, &facts, &outbox).await;
        assert!(uplink.exchange(true, 0).await.is_err(), "it is tried again");
        assert_eq!(beats.load(std::sync::atomic::Ordering::Relaxed), 1);
        let waiting: Vec<_> = outbox.waiting(10).await.unwrap().iter().map(|sealed| sealed.sequence).collect();
        assert_eq!(waiting, [3]);
        assert_eq!(facts.waiting(10).await.unwrap().len(), 1);
        assert_eq!(uplink.heartbeat(0).await.unwrap().readings_waiting, 7, "what is spilled waits too");

        // Who has nothing but a modem cannot text while that is lost, whether or not a text waits for it.
        let texts = medmon_sms::Outbox::open(&folder.path().join("sms.sqlite"), 0, Clock::system()).unwrap();
        let modem =
            watch::Sender::new(ModemState::Ready { registered: true, signal: None, operator: None, memory: None });
        uplink.texts = Some((texts, Some(modem.subscribe())));
        for (modem_only, reason, cannot) in
            [(true, None, false), (true, Some("gone"), true), (false, Some("gone"), false)]
        {
            if let Some(reason) = reason {
                modem.send_replace(ModemState::Lost { reason: reason.into() });
            }
            uplink.modem_only = modem_only;
            assert_eq!(uplink.heartbeat(0).await.unwrap().cannot_text, cannot);
        }
    }
}
