//! NOTIFY: what the ladder says is due is queued, handed to the modem, and what comes of it becomes facts.
//!
//! Not for: whom to text when, what a text and an answer say (core), how it goes out (medmon-sms).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::ladder::{self, Due, Sent};
use medmon_core::noun::{Fact, FactKind, Settings, TextReason};
use medmon_kit::{Clock, sqlite};
use medmon_sms::outbox::{RESERVE_BYTES, Row, State};
use medmon_sms::{Handed, Incoming, Modem, ModemOptions, ModemState, NewText, Outbox, Outcome, SmsChannel};

use crate::config::{Channel, SmsConfig};
use crate::facts::Facts;
use crate::lookup::{Found, Lookup};
use crate::selftest::{self, SelfTest};

/// The ladder is climbed by time too.
const TICK: Duration = Duration::from_secs(1);
/// The outbox's reserve in the gateway's folder; it stands beside the outbox's file.
pub const RESERVE: &str = "sms.reserve";
/// What was said is durable by then, or its disk hangs.
const SETTLED_US: i64 = 2_000_000;
/// The author of its facts.
const GATEWAY: &str = "gateway";
/// Texts of alerts that are long over are forgotten after 90 days, looked at once a day: they carry telephone numbers, µs.
const FORGOTTEN_US: (i64, i64) = (90 * 86_400_000_000, 86_400_000_000);
/// Texts looked at for the ladder: those of weeks.
const TEXTS: u32 = 1000;

/// What texts go through.
pub struct Sms {
    /// Texts on disk.
    pub outbox: Outbox,
    /// How the modem is, if there is one.
    pub state: Option<watch::Receiver<ModemState>>,
    /// The SIM's own number, if it is known.
    number: Option<String>,
    /// Tried in this order.
    channels: Vec<Arc<dyn SmsChannel>>,
}

/// Opens the outbox and what carries texts, if the gateway has anything that does.
pub fn open(folder: &Path, config: &SmsConfig, clock: &Clock) -> anyhow::Result<Option<Sms>> {
    let mut channels: Vec<Arc<dyn SmsChannel>> = Vec::new();
    let (mut state, mut number) = (None, None);
    for kind in config.channels() {
        match (kind, &config.modem, &config.http) {
            (Channel::Modem, Some(modem), _) => {
                let options = ModemOptions { pin: modem.pin(), pin_memory: Some(folder.join("sim.refused")) };
                let opened = Modem::serial(&modem.port, modem.baud, options, clock.clone());
                (state, number) = (Some(opened.state()), modem.number.clone());
                channels.push(Arc::new(opened));
            }
            (Channel::Http, _, Some(http)) => channels.push(Arc::new(http.open(clock.clone())?)),
            // Refused when the configuration was checked.
            _ => {}
        }
    }
    if channels.is_empty() {
        tracing::warn!("neither gateway.sms.modem nor gateway.sms.http: this gateway cannot text by itself");
        return Ok(None);
    }
    let outbox = Outbox::open(&folder.join("sms.sqlite"), RESERVE_BYTES, clock.clone())?;
    Ok(Some(Sms { outbox, state, number, channels }))
}

/// Who pages: the facts, whom they concern, and the texts.
struct Pager {
    outbox: Outbox,
    facts: Facts,
    clock: Clock,
    lookup: Lookup,
    /// Alerts of a patient who, as the cloud says, is here no more.
    nobodys: BTreeSet<Uuid>,
    self_test: Option<SelfTest>,
    /// When texts were last forgotten, UTC µs.
    forgot_us: i64,
    /// What is wrong with it, for HEALTH.
    failing: watch::Sender<Option<String>>,
}

/// Runs until `stop`. `failing`: why the modem's text to itself has not come back.
#[expect(clippy::too_many_arguments, reason = "a stage's seams, each named once in lib.rs")]
pub async fn run(
    sms: Sms,
    install: Uuid,
    facts: Facts,
    mut settings: watch::Receiver<Arc<Settings>>,
    lookup: Lookup,
    failing: watch::Sender<Option<String>>,
    clock: Clock,
    stop: CancellationToken,
) {
    let (told, mut handed) = mpsc::channel(16);
    let (outbox, channels, pump_clock) = (sms.outbox.clone(), sms.channels.clone(), clock.clone());
    tokio::spawn(async move { medmon_sms::pump(&outbox, &channels, &pump_clock, told).await });
    let mut changed = facts.changed();
    let kept = facts.state(selftest::STATE).await.ok().flatten();
    let self_test = sms.number.map(|number| SelfTest::new(number, install, kept.as_deref()));
    let nobodys = BTreeSet::new();
    let mut pager = Pager { outbox: sms.outbox, facts, clock, lookup, nobodys, self_test, forgot_us: 0, failing };
    // What is not durable yet, and the commit of some of it: a text does not wait for a slow disk.
    let (mut unsaved, mut saving) = (Vec::new(), None::<(usize, JoinHandle<_>)>);
    let (mut said_us, mut again_us) = (0, i64::MIN);
    loop {
        let now = Arc::clone(&settings.borrow_and_update());
        pager.queue_due(&now).await;
        // A channel tells an answer again until it is asked for the next, so first what came of the last has to be durable;
        // a disk that hangs must not hold up the answer after it for ever.
        let settled = unsaved.is_empty() || pager.clock.mono_us() - said_us > SETTLED_US;
        let said = tokio::select! {
            Some(handed) = handed.recv() => pager.handed(&handed),
            incoming = receive(&sms.channels), if settled => pager.hear(incoming, &now).await,
            Ok(()) = changed.changed() => None,
            Ok(()) = settings.changed() => None,
            () = pager.clock.sleep(TICK) => None,
            saved = ended(&mut saving) => {
                match saved {
                    (count, Ok(())) => drop(unsaved.drain(..count)),
                    (_, Err(error)) => {
                        tracing::error!(%error, "what became of a text is not durable yet; tried again");
                        again_us = pager.clock.mono_us() + TICK.as_micros() as i64;
                    }
                }
                None
            }
            () = stop.cancelled() => break,
        };
        if let Some(mut said) = said {
            pager.facts.put_after(std::slice::from_mut(&mut said));
            pager.facts.show(std::slice::from_ref(&said));
            unsaved.push(said);
            said_us = pager.clock.mono_us();
        }
        if saving.is_none() && !unsaved.is_empty() && pager.clock.mono_us() >= again_us {
            let (facts, some) = (pager.facts.clone(), unsaved.clone());
            saving = Some((some.len(), tokio::spawn(async move { facts.commit(some, None, false).await })));
        }
    }
    // What was said last is written down before the program ends.
    if let Some((_, saving)) = saving {
        let _ = saving.await;
    }
}

/// The next that comes in by any of them.
async fn receive(channels: &[Arc<dyn SmsChannel>]) -> Incoming {
    let mut any: FuturesUnordered<_> = channels.iter().map(|channel| channel.receive()).collect();
    match any.next().await {
        Some(incoming) => incoming,
        None => std::future::pending().await,
    }
}

/// A commit that has ended, and of how many facts; for ever, if there is none. May be dropped and called anew.
async fn ended(
    saving: &mut Option<(usize, JoinHandle<Result<(), sqlite::Error>>)>,
) -> (usize, Result<(), sqlite::Error>) {
    let Some((count, commit)) = saving else { return std::future::pending().await };
    let saved = (*count, commit.await.unwrap_or(Err(sqlite::Error::Closed)));
    *saving = None;
    saved
}

impl Pager {
    /// The texts so far.
    async fn sent(&self) -> Vec<Sent> {
        let rows = self.outbox.rows(TEXTS).await.unwrap_or_else(|error| {
            // Rather a text twice than none.
            tracing::error!(%error, "the texts so far cannot be read: only those in memory count");
            self.outbox.kept()
        });
        rows.iter().filter(|row| row.state != State::Withdrawn).map(sent).collect()
    }

    /// Forgets texts, once a day; never one of an alert that is open, or that the ladder asks about.
    async fn forget(&mut self, settings: &Settings, now_us: i64) {
        if (now_us - self.forgot_us).abs() < FORGOTTEN_US.1 {
            return;
        }
        self.forgot_us = now_us;
        let mut alerts = self.facts.alerts();
        alerts.retain(|alert| alert.open() || ladder::concerns(alert, settings, now_us));
        let kept: Vec<_> = alerts.iter().map(|alert| alert.id).collect();
        if let Err(error) = self.outbox.trim(now_us - FORGOTTEN_US.0, &kept).await {
            tracing::warn!(%error, "old texts are not forgotten yet");
        }
    }

    /// Queues what the ladder says is due, and takes back what has become idle.
    async fn queue_due(&mut self, settings: &Settings) {
        let now_us = self.clock.utc_us();
        self.forget(settings, now_us).await;
        let mut alerts = self.facts.alerts();
        alerts.retain(|alert| ladder::concerns(alert, settings, now_us) && !self.nobodys.contains(&alert.id));
        if alerts.is_empty() && self.self_test.is_none() {
            return;
        }
        let mut sent = self.sent().await;
        if let Some(test) = &self.self_test {
            if let Some(text) = test.due(&sent, now_us) {
                self.outbox.queue(text).await;
            }
            let failing = test.failing(&sent, now_us);
            self.failing.send_if_modified(|told| std::mem::replace(told, failing.clone()) != failing);
        }
        for idle in ladder::withdrawn(&alerts, &sent) {
            tracing::info!(alert = %idle.alert, reason = ?idle.reason, "a text that waited is taken back");
            self.outbox.withdraw(idle.key()).await;
            sent.retain(|one| one.key() != idle.key());
        }
        let due = ladder::texts(&alerts, settings, &sent, now_us);
        let asked = due.into_iter().map(|due| {
            let first = due.reason == TextReason::Raised && !sent.iter().any(|one| one.alert == due.alert);
            let lookup = &self.lookup;
            async move {
                let found = if first { lookup.ask(&due.contact, settings).await } else { Found::Local };
                (due, found)
            }
        });
        for (mut due, found) in join_all(asked).await {
            match found {
                Found::Newer => {
                    tracing::warn!(alert = %due.alert, "not texted: this gateway has another patient since");
                    self.nobodys.insert(due.alert);
                }
                Found::Contact(contact) => due.contact = contact,
                Found::Local => {}
            }
            if !self.nobodys.contains(&due.alert) {
                tracing::info!(alert = %due.alert, contact = %due.contact.id, reason = ?due.reason, "text queued");
                self.outbox.queue(new_text(due)).await;
            }
        }
    }

    /// A text that was handed over is a fact of its alert.
    fn handed(&self, handed: &Handed) -> Option<Fact> {
        let row = &handed.row;
        let left = matches!(handed.outcome, Outcome::Sent { .. } | Outcome::MaybeSent);
        let (contact, reason, step) = (row.contact, row.reason, row.step);
        let kind = FactKind::Notified { contact, channel: handed.channel.to_owned(), reason, step };
        let at_us = row.submitted_us.unwrap_or_else(|| self.clock.utc_us());
        (left && !row.alert.is_nil()).then(|| of_text(row, "notified", at_us, kind))
    }

    async fn hear(&mut self, incoming: Incoming, settings: &Settings) -> Option<Fact> {
        match incoming {
            Incoming::Delivery { reference, delivered } => {
                let row = self.outbox.delivery(&reference, delivered).await;
                let row = row.filter(|row| delivered && !row.alert.is_nil())?;
                let kind = FactKind::Delivered { contact: row.contact, reason: row.reason, step: row.step };
                let at_us = row.delivered_us.unwrap_or_else(|| self.clock.utc_us());
                Some(of_text(&row, "delivered", at_us, kind))
            }
            Incoming::Text { from, text } => {
                let (alerts, sent, now_us) = (self.facts.alerts(), self.sent().await, self.clock.utc_us());
                if let Some(back) = self.self_test.as_mut().and_then(|test| test.heard(&from, &text, now_us)) {
                    tracing::info!("the modem's text to itself has come back");
                    // Elsewhere: a disk that hangs must not hold up an emergency's text.
                    let facts = self.facts.clone();
                    tokio::spawn(async move {
                        if let Err(error) = facts.commit(Vec::new(), Some((selftest::STATE, back)), false).await {
                            tracing::warn!(%error, "that it came back is not durable");
                        }
                    });
                    return None;
                }
                let answer = ladder::answer(&from, &text, &alerts, settings, &sent, GATEWAY, now_us);
                if answer.fact.is_none() {
                    // Neither number nor words: logs name nobody.
                    tracing::info!(answered = answer.reply.is_some(), "a text came in that answers no alert");
                }
                if let Some(reply) = answer.reply {
                    self.outbox.queue(new_text(reply)).await;
                }
                answer.fact
            }
        }
    }
}

fn sent(row: &Row) -> Sent {
    Sent {
        alert: row.alert,
        contact: row.contact,
        reason: row.reason,
        step: row.step,
        waits: row.waits(),
        submitted_us: row.submitted_us,
        delivered_us: row.delivered_us,
    }
}

fn new_text(Due { alert, contact, reason, step, code, text }: Due) -> NewText {
    NewText { alert, contact: contact.id, to: contact.phone, text, code, reason, step }
}

fn of_text(row: &Row, what: &str, at_us: i64, kind: FactKind) -> Fact {
    Fact::of(GATEWAY, row.alert, &format!("{what}/{}/{:?}/{}", row.contact, row.reason, row.step), at_us, kind)
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::alert::Raised;
    use medmon_core::noun::{Alert, Class, Condition, Contact, Direction, Ieee, Language, Priority, ReadingId, Vital};

    use super::*;

    const PAUL: &str = "+33639981001";

    fn fall(id: u128) -> Alert {
        let raised = Raised {
            epoch: 1,
            vital: Vital::ACCELERATION,
            direction: Direction::Event,
            condition: Condition::Fall,
            class: Class::Physiological,
            priority: Priority::High,
            onset_us: 0,
            device: Ieee(1),
            reading: ReadingId::default(),
            completed_us: 0,
            settings_version: 1,
            explanation: String::new(),
            contact: None,
        };
        let id = Uuid::from_u128(id);
        Alert::fold(id, [Fact::of(GATEWAY, id, "raised", 0, FactKind::Raised(raised))])
    }

    fn settings() -> Settings {
        let contact =
            Contact { id: Uuid::from_u128(9), name: "Paul".into(), phone: PAUL.into(), language: Language::Fr };
        Settings { epoch: 1, contacts: vec![contact], ..Settings::default() }
    }

    /// A gateway without a disk still texts, and each text once.
    #[tokio::test]
    async fn texts_that_cannot_be_read_are_no_reason_to_stay_silent() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(1.0, 0);
        let outbox = Outbox::open(&folder.path().join("sms.sqlite"), 0, clock.clone()).unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        facts.commit(fall(1).facts().cloned().collect(), None, false).await.unwrap();
        let broken = rusqlite::Connection::open(folder.path().join("sms.sqlite")).unwrap();
        broken.execute_batch("DROP TABLE text").unwrap();
        let failing = watch::Sender::default();
        let lookup = Lookup::new(None, watch::channel(false).1);
        let nobodys = BTreeSet::new();
        let mut pager = Pager { outbox, facts, clock, lookup, nobodys, self_test: None, forgot_us: 0, failing };
        for _ in 0..3 {
            pager.queue_due(&settings()).await;
        }
        let kept = pager.outbox.kept();
        assert_eq!(kept.iter().map(|row| row.to.as_str()).collect::<Vec<_>>(), [PAUL]);
    }
}
