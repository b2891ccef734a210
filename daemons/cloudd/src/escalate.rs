//! ESCALATE: while a gateway is not heard, the cloud goes on with the ladder of its open emergencies, and takes answers.
//!
//! A function of records, outbox and clock: a restart decides the same, and texts nothing twice. Not for: whom to text
//! when, what a text and an answer say (core), who has the lease (`records::paging`), how it goes out (medmon-sms).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medmon_core::ladder::{self, Answer, Due, Sent};
use medmon_core::noun::{Fact, FactKind, Settings, TextReason, UtcUs};
use medmon_core::text::reply::{self, Reply};
use medmon_core::text::{self, Text};
use medmon_sms::outbox::{RESERVE_BYTES, Row, State};
use medmon_sms::{Handed, HttpChannel, Incoming, NewText, Outbox, Outcome, SmsChannel};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::config::SmsConfig;
use crate::records::fact::CLOUD;
use crate::records::paging::{self, Home, Watched};
use crate::records::{alert, fact};
use crate::refusal::Refusal;
use crate::{Cloud, StartError};

/// How often it is looked who is not heard, and who is to be texted, µs; and when something came to an alert.
const TICK_US: i64 = 5_000_000;
const SOON_US: i64 = 1_000_000;
/// Texts carry numbers: so long after an alert's last one they are forgotten, µs. Looked at once a day.
const KEEP_US: i64 = 90 * DAY_US;
const DAY_US: i64 = 86_400_000_000;
/// Texts looked at for the ladder: those of weeks.
const TEXTS: u32 = 10_000;
/// The end of a phone number that is looked for, digits: the same with and without its country code.
const PHONE_END: usize = 8;
/// Patients that one question is answered for.
const ANSWERS: usize = 3;
/// A stop waits so long for the text that is being handed over.
const LAST_TEXT: Duration = Duration::from_secs(5);

/// What texts go through.
struct Texts {
    outbox: Outbox,
    channel: Arc<dyn SmsChannel>,
}

/// Who pages in place of gateways.
pub struct Escalation {
    cloud: Arc<Cloud>,
    texts: Option<Texts>,
    /// A gateway has its lease's time to speak after this cloud's own start, UTC.
    started_us: UtcUs,
    /// Whether there was anything to do or to take back last time.
    busy: bool,
    /// What could not be made durable, tried again each time.
    unsaved: Vec<Fact>,
    /// What came in and could not be understood, likewise.
    unheard: Option<Incoming>,
}

impl Escalation {
    /// Opens the outbox and the channel, if the cloud has one.
    pub fn open(cloud: Arc<Cloud>, data_dir: &Path, config: &SmsConfig) -> Result<Self, StartError> {
        let texts = match &config.http {
            None => {
                tracing::warn!(
                    "no [cloud.sms.http]: this cloud cannot text; while a gateway is not heard nobody is texted for it"
                );
                None
            }
            Some(http) => {
                let outbox = Outbox::open(&data_dir.join("sms.sqlite"), RESERVE_BYTES, cloud.clock.clone())
                    .map_err(|error| StartError::Store(Box::new(error)))?;
                let channel: HttpChannel = http.open(cloud.clock.clone()).map_err(StartError::Sms)?;
                Some(Texts { outbox, channel: Arc::new(channel) })
            }
        };
        let started_us = cloud.clock.utc_us();
        Ok(Self { cloud, texts, started_us, busy: true, unsaved: Vec::new(), unheard: None })
    }

    /// Runs until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let (told, mut handed) = mpsc::channel(16);
        let pump = self.texts.as_ref().map(|texts| pump(texts, &self.cloud, told));
        self.remember().await;
        let channel = self.texts.as_ref().map(|texts| Arc::clone(&texts.channel));
        let receive = async || match &channel {
            Some(channel) => channel.receive().await,
            None => std::future::pending().await,
        };
        let clock = self.cloud.clock.clone();
        let mut changed = self.cloud.events.watch_alerts();
        let (mut last_us, mut due_us, mut trim_us) = (i64::MIN, i64::MIN, i64::MIN);
        loop {
            if clock.mono_us() >= trim_us {
                trim_us = clock.mono_us() + DAY_US;
                self.trim().await;
            }
            if clock.mono_us() >= due_us {
                if let Err(error) = self.tick().await {
                    tracing::error!(%error, "who is to be texted cannot be found out; tried again");
                }
                last_us = clock.mono_us();
                due_us = last_us + TICK_US;
            }
            let wait = Duration::from_micros((due_us - clock.mono_us()).max(0).unsigned_abs());
            let settled = self.unsaved.is_empty() && self.unheard.is_none();
            tokio::select! {
                Some(handed) = handed.recv() => self.unsaved.extend(self.handed(&handed)),
                // Whoever brought an answer brings it again unless it is durable.
                incoming = receive(), if settled => self.unheard = Some(incoming),
                Ok(()) = changed.changed() => due_us = due_us.min(last_us + SOON_US),
                () = clock.sleep(wait) => {}
                () = stop.cancelled() => break,
            }
            self.settle().await;
        }
        drop(handed);
        if let Some(mut pump) = pump {
            // What is under way is finished and written down, so that it is not texted again.
            if self.cloud.clock.timeout(LAST_TEXT, &mut pump).await.is_none() {
                pump.abort();
            }
        }
    }

    /// What was handed over before an end in the middle is told now.
    async fn remember(&mut self) {
        let rows = self.rows().await;
        let told: Vec<_> =
            rows.iter().rev().flat_map(|row| [self.notified(row, None), delivered(row)]).flatten().collect();
        match self.cloud.records.read(move |db| paging::unknown(db, told)).await {
            Ok(unknown) => self.unsaved.extend(unknown),
            Err(error) => tracing::error!(%error, "what became of earlier texts is not told"),
        }
        self.settle().await;
    }

    /// Takes over from who is not heard, gives back to who is, texts what is due and takes back what has become idle.
    async fn tick(&mut self) -> Result<(), Refusal> {
        let now_us = self.cloud.clock.utc_us();
        let watched = self.cloud.records.read(move |db| paging::watched(db, now_us)).await?;
        if watched.is_empty() && !self.busy {
            return Ok(());
        }
        let mut taken: BTreeMap<Uuid, BTreeSet<Uuid>> = BTreeMap::new();
        for one in &watched {
            let changes = if one.taken { one.leased } else { !one.leased && self.lasted(now_us) };
            let changed = changes && self.hand_over(one, now_us).await?;
            if one.taken != changed {
                taken.entry(one.gateway).or_default().insert(one.alert);
            }
        }
        self.cloud.metrics.taken_over.set(taken.values().map(BTreeSet::len).sum::<usize>() as i64);
        self.busy = self.page(&taken, now_us).await? || !taken.is_empty();
        Ok(())
    }

    /// Forgets old texts, but none of an alert that is still paged for.
    async fn trim(&self) {
        let Some(texts) = &self.texts else { return };
        let now_us = self.cloud.clock.utc_us();
        let watched = match self.cloud.records.read(move |db| paging::watched(db, now_us)).await {
            Ok(watched) => watched,
            Err(error) => return tracing::warn!(%error, "old texts are not forgotten yet"),
        };
        let open: Vec<_> = watched.iter().map(|one| one.alert).collect();
        match texts.outbox.trim(now_us - KEEP_US, &open).await {
            Ok(0) => {}
            Ok(texts) => tracing::info!(texts, "old texts are forgotten"),
            Err(error) => tracing::warn!(%error, "old texts are not forgotten yet"),
        }
    }

    /// Whether gateways have had the time of a lease to be heard by this cloud.
    fn lasted(&self, now_us: UtcUs) -> bool {
        !(0..ladder::LEASE_US).contains(&(now_us - self.started_us))
    }

    async fn hand_over(&self, one: &Watched, now_us: UtcUs) -> Result<bool, Refusal> {
        let id = one.alert;
        let changed = self.cloud.write(paging::cloud(one.site, now_us), move |tx| paging::hand_over(tx, id)).await?;
        if changed {
            tracing::warn!(alert = %id, gateway = %one.gateway, by = if one.taken { "gateway" } else { CLOUD }, "paging is taken over");
        }
        Ok(changed)
    }

    /// Texts for the alerts that the cloud has taken over, by gateway. Whether texts wait.
    async fn page(&self, taken: &BTreeMap<Uuid, BTreeSet<Uuid>>, now_us: UtcUs) -> Result<bool, Refusal> {
        let Some(texts) = &self.texts else { return Ok(false) };
        let rows = self.rows().await;
        let ours = |alert: &Uuid| taken.values().any(|alerts| alerts.contains(alert));
        // The gateway does it, and knows by the facts what it need not do.
        let idle = |row: &&Row| row.waits() && !row.alert.is_nil() && !ours(&row.alert);
        for row in rows.iter().filter(idle) {
            texts.withdraw(&sent(row)).await;
        }
        for (&gateway, ids) in taken {
            let home = self.cloud.records.read(move |db| paging::home(db, gateway, now_us)).await?;
            let Some(home) = home else { continue };
            texts.page(&home, ids, &rows, now_us).await;
        }
        Ok(rows.iter().any(Row::waits))
    }

    /// The texts so far, newest first.
    async fn rows(&self) -> Vec<Row> {
        let Some(texts) = &self.texts else { return Vec::new() };
        texts.outbox.rows(TEXTS).await.unwrap_or_else(|error| {
            // Rather a text twice than none.
            tracing::error!(%error, "the texts so far cannot be read: only those in memory count");
            texts.outbox.kept()
        })
    }

    /// A text that was handed over is a fact of its alert.
    fn handed(&self, handed: &Handed) -> Option<Fact> {
        let left = matches!(handed.outcome, Outcome::Sent { .. } | Outcome::MaybeSent);
        self.cloud.metrics.texts.inc_by(u64::from(left));
        self.notified(&handed.row, Some(handed.channel)).filter(|_| left)
    }

    fn notified(&self, row: &Row, channel: Option<&str>) -> Option<Fact> {
        let own = self.texts.as_ref().map(|texts| texts.channel.caps().name);
        let channel = channel.or(own).unwrap_or_default().to_owned();
        let (contact, reason, step) = (row.contact, row.reason, row.step);
        let kind = FactKind::Notified { contact, channel, reason, step };
        Some(of_text(row, "notified", row.submitted_us?, kind)).filter(|_| !row.alert.is_nil())
    }

    async fn hear(&self, incoming: &Incoming) -> Result<Option<Fact>, Refusal> {
        let Some(texts) = &self.texts else { return Ok(None) };
        match incoming {
            Incoming::Delivery { reference, delivered: on_phone } => {
                Ok(texts.outbox.delivery(reference, *on_phone).await.as_ref().and_then(delivered))
            }
            Incoming::Text { from, text } => {
                let (fact, replies) = self.answers(from, text).await?;
                if fact.is_none() {
                    // Neither number nor words: logs name nobody.
                    tracing::info!(answered = !replies.is_empty(), "a text came in that answers no alert");
                }
                for reply in replies {
                    texts.outbox.queue(new_text(reply)).await;
                }
                Ok(fact)
            }
        }
    }

    /// What a text comes to over all patients that its writer is known to.
    async fn answers(&self, from: &str, said: &str) -> Result<(Option<Fact>, Vec<Due>), Refusal> {
        let now_us = self.cloud.clock.utc_us();
        let digits: String = from.chars().filter(char::is_ascii_digit).collect();
        let last = digits[digits.len().saturating_sub(PHONE_END)..].to_owned();
        let mut homes = Vec::new();
        if last.len() == PHONE_END {
            homes = self.cloud.records.read(move |db| paging::homes_of_phone(db, &last, now_us)).await?;
            homes.retain(|home| knows(&home.settings, from));
        }
        let rows = self.rows().await;
        let texts = rows.iter().filter(|row| row.state != State::Withdrawn);
        let texts: Vec<_> = texts.map(sent).collect();
        if homes.is_empty() {
            let nobody = Settings::default();
            let answer = ladder::answer(from, said, &[], &nobody, &texts, CLOUD, now_us);
            return Ok((None, answer.reply.into_iter().collect()));
        }
        let answer = |home: &Home| {
            let everybody: BTreeSet<_> = people(&home.settings).map(|one| one.id).collect();
            // Each patient's people have an hour's most of their own.
            let own: Vec<_> = texts.iter().filter(|one| everybody.contains(&one.contact)).cloned().collect();
            ladder::answer(from, said, &home.alerts, &home.settings, &own, CLOUD, now_us)
        };
        let answers: Vec<_> = homes.iter().map(answer).collect();
        Ok(one_of(&homes, answers, from, said, now_us))
    }

    /// Understands what came in and makes durable what was said, as far as it goes.
    async fn settle(&mut self) {
        if let Some(incoming) = self.unheard.take() {
            match self.hear(&incoming).await {
                Ok(said) => self.unsaved.extend(said),
                Err(error) => {
                    tracing::error!(%error, "what came in cannot be understood now; tried again");
                    self.unheard = Some(incoming);
                }
            }
        }
        for fact in std::mem::take(&mut self.unsaved) {
            match self.say(fact.clone()).await {
                Ok(()) => {}
                Err(error @ Refusal::NotFound { .. }) => tracing::error!(%error, "a text was about no alert of here"),
                Err(error) => {
                    tracing::error!(%error, "what became of a text is not durable yet; tried again");
                    self.unsaved.push(fact);
                }
            }
        }
    }

    async fn say(&self, mut fact: Fact) -> Result<(), Refusal> {
        let id = fact.alert;
        let site = self.cloud.records.read(move |db| alert::get(db, id)).await?.site;
        let caller = paging::cloud(site, self.cloud.clock.utc_us());
        let work = move |tx: &crate::records::Tx<'_>| {
            if matches!(fact.kind, FactKind::Acknowledged { .. }) {
                fact.at_us = fact::after_newest(&fact::fold(tx.db, id)?, tx.now_us());
            }
            paging::say(tx, &alert::get(tx.db, id)?, &fact)
        };
        self.cloud.write(caller, work).await
    }
}

impl Texts {
    /// Queues what is due for `ids`, and takes back what has become idle.
    async fn page(&self, home: &Home, ids: &BTreeSet<Uuid>, rows: &[Row], now_us: UtcUs) {
        // Of these alerts only: the on-call number has an hour's most for each patient.
        let of_home =
            |row: &&Row| row.state != State::Withdrawn && home.alerts.iter().any(|alert| alert.id == row.alert);
        let mut sent: Vec<_> = rows.iter().filter(of_home).map(self::sent).collect();
        for idle in ladder::withdrawn(&home.alerts, &sent) {
            self.withdraw(&idle).await;
            sent.retain(|one| one.key() != idle.key());
        }
        let due = ladder::texts(&home.alerts, &home.settings, &sent, now_us);
        // Not an exercise, which is to show that the gateway can.
        for due in due.into_iter().filter(|due| ids.contains(&due.alert)) {
            tracing::info!(alert = %due.alert, contact = %due.contact.id, reason = ?due.reason, "text queued");
            self.outbox.queue(new_text(due)).await;
        }
    }

    async fn withdraw(&self, idle: &Sent) {
        tracing::info!(alert = %idle.alert, reason = ?idle.reason, "a text that waited is taken back");
        self.outbox.withdraw(idle.key()).await;
    }
}

fn pump(texts: &Texts, cloud: &Arc<Cloud>, told: mpsc::Sender<Handed>) -> JoinHandle<()> {
    let (outbox, channels, clock) = (texts.outbox.clone(), [Arc::clone(&texts.channel)], cloud.clock.clone());
    tokio::spawn(async move { medmon_sms::pump(&outbox, &channels, &clock, told).await })
}

/// The one answer that a text is: the acknowledgement if it can mean one alert only, else what its writer is told.
fn one_of(homes: &[Home], answers: Vec<Answer>, from: &str, said: &str, now_us: UtcUs) -> (Option<Fact>, Vec<Due>) {
    let mut facts: Vec<_> = answers.iter().filter_map(|answer| answer.fact.clone()).collect();
    match facts.len() {
        1 => return (facts.pop(), Vec::new()),
        0 => {}
        // Of several patients: the ladders go on until the writer says which.
        _ => return (None, which(homes, &facts, from, now_us).into_iter().collect()),
    }
    let most = if reply::parse(said) == Reply::Status { ANSWERS } else { 1 };
    (None, answers.into_iter().filter_map(|answer| answer.reply).take(most).collect())
}

fn which(homes: &[Home], meant: &[Fact], from: &str, now_us: UtcUs) -> Option<Due> {
    let mine = |home: &&Home| home.alerts.iter().any(|alert| meant.iter().any(|fact| fact.alert == alert.id));
    let nicknames: Vec<_> = homes.iter().filter(mine).map(|home| home.settings.nickname.as_str()).collect();
    let codes: Vec<_> = meant.iter().map(|fact| text::code(fact.alert)).collect();
    let contact = people(&homes.first()?.settings).find(|one| ladder::same_phone(&one.phone, from))?;
    let words = Text::Which { nickname: &nicknames.join(", "), codes: &codes };
    let (reason, code, text) = (TextReason::Reply, String::new(), text::sms(contact.language, words));
    let step = (now_us / 1_000_000).rem_euclid(i64::from(u32::MAX)) as u32;
    Some(Due { alert: Uuid::nil(), contact, reason, step, code, text })
}

/// All whom a home texts.
fn people(settings: &Settings) -> impl Iterator<Item = medmon_core::noun::Contact> {
    ladder::everybody(settings).into_iter().chain(ladder::patient(settings))
}

fn knows(settings: &Settings, from: &str) -> bool {
    people(settings).any(|one| ladder::same_phone(&one.phone, from))
}

fn delivered(row: &Row) -> Option<Fact> {
    let kind = FactKind::Delivered { contact: row.contact, reason: row.reason, step: row.step };
    Some(of_text(row, "delivered", row.delivered_us?, kind)).filter(|_| !row.alert.is_nil())
}

fn of_text(row: &Row, what: &str, at_us: UtcUs, kind: FactKind) -> Fact {
    Fact::of(CLOUD, row.alert, &format!("{what}/{}/{:?}/{}", row.contact, row.reason, row.step), at_us, kind)
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
