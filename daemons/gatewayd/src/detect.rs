//! DETECT: readings through the detectors, findings to facts. The urgent path: a reading is judged the moment it comes.
//!
//! Facts and the detectors' state are one commit, so a crash neither forgets an alert nor raises it twice. Between
//! facts the state is committed now and then; what came since is delivered again and, by its id, judged once.
//! While the broker is down, readings come past it, in memory.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::detect::{Change, Detectors, EpisodeKey, Finding};
use medmon_core::noun::alert::Raised;
use medmon_core::noun::{Fact, FactKind, MonoUs, Reading, Settings, UtcUs, Vital};
use medmon_kit::{Clock, service, sqlite};

use crate::broker::{Broker, Delivery, Stage};
use crate::drill;
use crate::facts::Facts;
use crate::radio::RadioState;
use crate::seen::Seen;
use crate::segment::Tap;

const NAME: &str = "detect";
const TICK_US: i64 = 500_000;
/// What could not be committed is tried again.
const RETRY_US: i64 = 1_000_000;

/// What survives a restart.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    detectors: Detectors,
    seen: Seen,
    /// Episodes that are going on, and the alerts they are.
    episodes: Vec<(EpisodeKey, Uuid)>,
    epoch: u64,
    /// The newest broker offset in it; it means nothing to the next run.
    #[serde(skip_deserializing)]
    offset: i64,
}

/// When something happened, on both scales.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Monotonic µs.
    pub mono_us: MonoUs,
    /// UTC µs.
    pub utc_us: UtcUs,
}

impl Moment {
    /// This one.
    pub fn now(clock: &Clock) -> Self {
        Self { mono_us: clock.mono_us(), utc_us: clock.utc_us() }
    }
}

impl State {
    fn new(settings: &Settings, now: MonoUs) -> Self {
        let detectors = Detectors::new(settings, now);
        Self { detectors, seen: Seen::default(), episodes: Vec::new(), epoch: settings.epoch, offset: 0 }
    }

    /// Other Settings. Another assignment ends every episode: they were somebody else's.
    fn apply(&mut self, settings: &Settings, now: Moment) -> Vec<Fact> {
        // Within an assignment, changed limits act with the next reading.
        if settings.epoch == self.epoch {
            return Vec::new();
        }
        self.detectors = Detectors::new(settings, now.mono_us);
        self.epoch = settings.epoch;
        let ended = std::mem::take(&mut self.episodes);
        ended.into_iter().map(|(_, alert)| fact(alert, "cleared", now.utc_us, FactKind::Cleared)).collect()
    }

    /// Takes a reading in, unless it was there. Nobody's readings are nobody's alerts. Who keeps what fired gets it too.
    fn take(&mut self, delivery: &Delivery, settings: &Settings, install: Uuid, tap: &Tap) -> Vec<Fact> {
        // A session's offsets grow; those of the next have nothing to do with them.
        if delivery.offset > 0 {
            self.offset = delivery.offset;
        }
        let reading = &delivery.reading;
        if !self.seen.insert(reading.id) || reading.epoch != settings.epoch {
            return Vec::new();
        }
        if reading.vital == Vital::GATEWAY {
            return vec![drill::raised(reading, settings, install)];
        }
        tap.give(reading);
        let findings = self.detectors.reading(reading, settings);
        let at = Moment { mono_us: reading.mono_us, utc_us: reading.utc_us };
        findings.into_iter().filter_map(|finding| self.fact(finding, at, settings, install)).collect()
    }

    fn tick(&mut self, now: Moment, settings: &Settings, install: Uuid) -> Vec<Fact> {
        let findings = self.detectors.tick(now.mono_us, settings);
        findings.into_iter().filter_map(|finding| self.fact(finding, now, settings, install)).collect()
    }

    /// The fact that a finding is. `at`: the reading that completed it, or the timer.
    fn fact(&mut self, finding: Finding, at: Moment, settings: &Settings, install: Uuid) -> Option<Fact> {
        let open = self.episodes.iter().position(|(key, _)| *key == finding.key);
        let (change, open) = match (finding.change, open) {
            // An episode whose alert is known already goes on; one that is not known begins.
            (Change::Onset, Some(open)) => (Change::Worsened, Some(open)),
            (Change::Worsened, None) => (Change::Onset, None),
            (change, open) => (change, open),
        };
        match change {
            Change::Onset => {
                let onset_us = at.utc_us - (at.mono_us - finding.onset_mono_us);
                let name = format!(
                    "{}/{}/{:?}/{}",
                    self.epoch, finding.key.vital, finding.key.direction, finding.onset_mono_us
                );
                let alert = Uuid::new_v5(&install, name.as_bytes());
                self.episodes.push((finding.key, alert));
                let raised = Raised {
                    epoch: self.epoch,
                    vital: finding.key.vital,
                    direction: finding.key.direction,
                    condition: finding.condition,
                    class: finding.class,
                    priority: finding.priority,
                    onset_us,
                    device: finding.device,
                    reading: finding.reading,
                    completed_us: at.utc_us,
                    settings_version: settings.version,
                    explanation: finding.explanation,
                    contact: None,
                };
                Some(fact(alert, "raised", at.utc_us, FactKind::Raised(raised)))
            }
            Change::Worsened => {
                let (_, alert) = self.episodes[open?];
                let name = format!("worsened/{:?}/{:?}/{}", finding.condition, finding.priority, finding.at_mono_us);
                let (priority, condition, explanation) = (finding.priority, finding.condition, finding.explanation);
                Some(fact(alert, &name, at.utc_us, FactKind::Worsened { priority, condition, explanation }))
            }
            Change::Cleared => {
                let (_, alert) = self.episodes.remove(open?);
                Some(fact(alert, "cleared", at.utc_us, FactKind::Cleared))
            }
        }
    }
}

/// A fact of this gateway.
pub fn fact(alert: Uuid, name: &str, at_us: UtcUs, kind: FactKind) -> Fact {
    Fact::of("gateway", alert, name, at_us, kind)
}

/// Runs until `stop`.
#[expect(clippy::too_many_arguments, reason = "a stage's seams, each named once in lib.rs")]
pub async fn run(
    install: Uuid,
    mut state: State,
    mut deliveries: mpsc::Receiver<Delivery>,
    mut bypass: mpsc::Receiver<Reading>,
    broker: Arc<dyn Broker>,
    facts: Facts,
    mut settings: watch::Receiver<Arc<Settings>>,
    radio: watch::Receiver<RadioState>,
    tap: Tap,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut now = Arc::clone(&settings.borrow_and_update());
    let commit_us = broker.commit_every().as_micros() as i64;
    let (mut committed_us, mut saving) = (clock.mono_us() - commit_us, None);
    // `urgent`: facts that no commit has tried yet.
    let (mut unsaved, mut urgent) = (true, false);
    let mut tick_at = clock.mono_us() + TICK_US;
    // Kept from reading to reading: a timer set anew with each would wake another thread each time.
    let mut tick = Box::pin(clock.sleep_until(tick_at));
    // What could not be committed is tried again with the next: an alert is not forgotten because a disk is full.
    let (mut found, mut new) = (Vec::new(), state.apply(&now, Moment::now(&clock)));
    let mut arrived = Vec::new();
    let mut stopped = std::pin::pin!(stop.cancelled());
    loop {
        tokio::select! {
            delivery = deliveries.recv() => {
                let Some(delivery) = delivery else { break };
                arrived.push(delivery);
            }
            Some(reading) = bypass.recv() => {
                // What the broker has shown is older, and detectors pass over what is older than the last.
                for _ in 0..deliveries.len() {
                    arrived.extend(deliveries.try_recv());
                }
                arrived.push(Delivery { offset: 0, reading });
            }
            () = &mut tick => tick_at = tick_at.min(clock.mono_us()),
            Ok(()) = settings.changed() => settings.mark_changed(),
            saved = Saving::end(&mut saving) => unsaved |= !saved.settle(&mut found, &broker),
            () = &mut stopped => break,
        }
        // Before the reading: one that came under a new assignment would be nobody's under the old one.
        if settings.has_changed().unwrap_or(false) {
            now = Arc::clone(&settings.borrow_and_update());
            new.extend(state.apply(&now, Moment::now(&clock)));
            unsaved = true;
        }
        for delivery in arrived.drain(..) {
            new.extend(state.take(&delivery, &now, install, &tap));
            unsaved = true;
        }
        // Also in a flood of readings: who is silent is found by time alone.
        if clock.mono_us() >= tick_at {
            tick_at = clock.mono_us() + TICK_US;
            tick.set(clock.sleep_until(tick_at));
            state.detectors.radio(clock.mono_us(), radio.borrow().lost());
            new.extend(state.tick(Moment::now(&clock), &now, install));
            service::progress();
        }
        let since_us = clock.mono_us() - committed_us;
        let due = (unsaved && since_us >= commit_us) || (!found.is_empty() && since_us >= RETRY_US);
        if !new.is_empty() {
            facts.put_after(&mut new);
            for fact in &new {
                tracing::info!(alert = %fact.alert, fact = name(&fact.kind), "fact");
            }
            // Who texts does not wait for a disk that is slow.
            facts.show(&new);
            found.append(&mut new);
            urgent = true;
        }
        if (due || urgent) && saving.is_none() {
            saving = Some(Saving::begin(&facts, &state, &found));
            (committed_us, unsaved, urgent) = (clock.mono_us(), false, false);
        }
    }
    if saving.is_some() {
        Saving::end(&mut saving).await.settle(&mut found, &broker);
    }
    Saving::end(&mut Some(Saving::begin(&facts, &state, &found))).await.settle(&mut found, &broker);
}

/// A commit under way. Readings are judged meanwhile: a card may take seconds for it.
struct Saving {
    /// The first of those found, in it.
    facts: usize,
    offset: i64,
    commit: JoinHandle<Result<(), sqlite::Error>>,
}

/// A commit that has ended.
struct Saved {
    facts: usize,
    offset: i64,
    result: Result<(), sqlite::Error>,
}

impl Saving {
    fn begin(facts: &Facts, state: &State, found: &[Fact]) -> Self {
        let saved = serde_json::to_string(state).unwrap_or_default();
        let (facts, new, count) = (facts.clone(), found.to_vec(), found.len());
        let commit = tokio::spawn(async move { facts.commit(new, Some((NAME, saved)), false).await });
        Self { facts: count, offset: state.offset, commit }
    }

    /// For ever, if there is none. May be dropped and called anew.
    async fn end(saving: &mut Option<Self>) -> Saved {
        let Some(Self { facts, offset, commit }) = saving else { return std::future::pending().await };
        let result = commit.await.unwrap_or(Err(sqlite::Error::Closed));
        let saved = Saved { facts: *facts, offset: *offset, result };
        *saving = None;
        saved
    }
}

impl Saved {
    /// Whether it is durable.
    fn settle(self, found: &mut Vec<Fact>, broker: &Arc<dyn Broker>) -> bool {
        match self.result {
            Ok(()) => {
                found.drain(..self.facts);
                // Not waited for: the broker's commit comes with its next group, and a lost one is only a redelivery.
                let (broker, offset) = (Arc::clone(broker), self.offset);
                tokio::spawn(async move { broker.acknowledge(Stage::Detect, offset).await });
                true
            }
            Err(error) => {
                tracing::error!(%error, facts = found.len(), "facts are not durable yet; tried again");
                false
            }
        }
    }
}

/// The state as last committed.
pub async fn restore(facts: &Facts, settings: &Settings, clock: &Clock) -> Result<State, sqlite::Error> {
    let kept = facts.state(NAME).await?;
    Ok(match kept.map(|text| serde_json::from_str(&text)) {
        Some(Ok(state)) => state,
        Some(Err(error)) => {
            tracing::error!(%error, "the detectors' state is of another release; they start anew");
            State::new(settings, clock.mono_us())
        }
        None => State::new(settings, clock.mono_us()),
    })
}

fn name(kind: &FactKind) -> &'static str {
    match kind {
        FactKind::Raised(_) => "raised",
        FactKind::Worsened { .. } => "worsened",
        FactKind::Cleared => "cleared",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Value;

    use super::*;
    use crate::broker::Embedded;
    use crate::tests::reading;

    /// The stage, fed by hand.
    struct Bench {
        facts: Facts,
        settings: watch::Sender<Arc<Settings>>,
        deliver: mpsc::Sender<Delivery>,
        stop: CancellationToken,
        stage: JoinHandle<()>,
    }

    impl Bench {
        async fn new(folder: &std::path::Path) -> Self {
            let broker: Arc<dyn Broker> = Arc::new(Embedded::open(folder).await.unwrap());
            let facts = Facts::open(folder, 0).await.unwrap();
            let (settings, in_force) = watch::channel(Self::of(0));
            let (deliver, deliveries) = mpsc::channel(64);
            let (stop, state) = (CancellationToken::new(), State::new(&Self::of(0), 0));
            let radio = watch::channel(RadioState::Starting).1;
            let (bypass, past) = mpsc::channel(1);
            let (own, clock, token) = (facts.clone(), Clock::system(), stop.clone());
            let tap = crate::segment::tap().0;
            let stage = run(Uuid::nil(), state, deliveries, past, broker, own, in_force, radio, tap, clock, token);
            let stage = tokio::spawn(async move {
                stage.await;
                drop(bypass);
            });
            Self { facts, settings, deliver, stop, stage }
        }

        fn of(epoch: u64) -> Arc<Settings> {
            Arc::new(Settings { epoch, ..Settings::default() })
        }

        /// A new assignment, and two readings below 54 mg/dL: a severe hypoglycaemia, the `epoch`-th in all.
        async fn hypoglycaemia(&self, epoch: u64) {
            self.settings.send_replace(Self::of(epoch));
            for sequence in [2 * epoch, 2 * epoch + 1] {
                let value = Value::Scalar(Vital::GLUCOSE.to_stored(45.0));
                let reading = Reading { epoch, vital: Vital::GLUCOSE, value, ..reading(sequence) };
                self.deliver.try_send(Delivery { offset: sequence as i64, reading }).unwrap();
            }
            let raised = || self.facts.alerts().iter().filter(|alert| alert.raised().is_some()).count() as u64;
            let found = async {
                while raised() < epoch {
                    tokio::time::sleep(std::time::Duration::from_millis(1)).await;
                }
            };
            tokio::time::timeout(std::time::Duration::from_secs(5), found).await.unwrap();
        }
    }

    /// The first readings of a new assignment are judged, though Settings and they come at one moment.
    #[tokio::test]
    async fn a_reading_of_the_new_assignment_is_not_measured_by_the_old_one() {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::new(folder.path()).await;
        for epoch in 1..=16 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            bench.hypoglycaemia(epoch).await;
        }
        bench.stop.cancel();
        bench.stage.await.unwrap();
    }

    #[tokio::test]
    async fn a_disk_that_hangs_holds_no_alarm_up_and_gets_it_all_afterwards() {
        let folder = tempfile::tempdir().unwrap();
        let bench = Bench::new(folder.path()).await;
        bench.hypoglycaemia(1).await;
        // A commit waits for it up to ten seconds.
        let hang = rusqlite::Connection::open(folder.path().join("facts.sqlite")).unwrap();
        hang.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        hang.execute_batch("BEGIN IMMEDIATE").unwrap();
        for epoch in 2..5 {
            bench.hypoglycaemia(epoch).await;
        }
        hang.execute_batch("COMMIT").unwrap();
        bench.stop.cancel();
        bench.stage.await.unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        assert_eq!(facts.alerts(), bench.facts.alerts());
    }
}
