//! NOTIFY: what the ladder says is due is queued, handed to the modem, and what comes of it becomes facts.
//!
//! Not for: whom to text when, what a text and an answer say (core), how it goes out (medmon-sms).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use medmon_core::ladder::{self, Due, Sent};
use medmon_core::noun::{Fact, FactKind, Settings};
use medmon_kit::Clock;
use medmon_sms::outbox::{RESERVE_BYTES, Row};
use medmon_sms::{Handed, Incoming, Modem, ModemOptions, ModemState, NewText, Outbox, Outcome, SmsChannel};

use crate::config::GatewayConfig;
use crate::facts::Facts;

/// The ladder is climbed by time too.
const TICK: Duration = Duration::from_secs(1);
/// The outbox's reserve in the gateway's folder; it stands beside the outbox's file.
pub const RESERVE: &str = "sms.reserve";
/// The author of its facts.
const GATEWAY: &str = "gateway";
/// Texts looked at for the ladder: those of weeks.
const TEXTS: u32 = 1000;

/// What texts go through.
pub struct Sms {
    /// Texts on disk.
    pub outbox: Outbox,
    /// How the modem is.
    pub state: watch::Receiver<ModemState>,
    modem: Arc<dyn SmsChannel>,
}

/// Opens the outbox and the modem, if the gateway has one.
pub fn open(folder: &Path, config: &GatewayConfig, clock: &Clock) -> anyhow::Result<Option<Sms>> {
    let Some(modem) = &config.sms.modem else {
        tracing::warn!("no gateway.sms.modem: this gateway cannot text by itself");
        return Ok(None);
    };
    let pin = modem.pin_file.as_deref().and_then(|file| match std::fs::read_to_string(file) {
        Ok(pin) => Some(pin.trim().to_owned()),
        // A home that detects and keeps is worth more than none; a SIM without a PIN works all the same.
        Err(error) => {
            tracing::error!(%error, file = %file.display(), "gateway.sms.modem.pin_file cannot be read; tried without a PIN");
            None
        }
    });
    let options = ModemOptions { pin };
    let outbox = Outbox::open(&folder.join("sms.sqlite"), RESERVE_BYTES, clock.clone())?;
    let modem = Arc::new(Modem::serial(&modem.port, modem.baud, options, clock.clone()));
    Ok(Some(Sms { outbox, state: modem.state(), modem }))
}

/// Who pages: the facts, whom they concern, and the texts.
struct Pager {
    outbox: Outbox,
    facts: Facts,
    clock: Clock,
}

/// Runs until `stop`.
pub async fn run(
    sms: Sms,
    facts: Facts,
    mut settings: watch::Receiver<Arc<Settings>>,
    clock: Clock,
    stop: CancellationToken,
) {
    let (told, mut handed) = mpsc::channel(16);
    let (outbox, channels, pump_clock) = (sms.outbox.clone(), [Arc::clone(&sms.modem)], clock.clone());
    tokio::spawn(async move { medmon_sms::pump(&outbox, &channels, &pump_clock, told).await });
    let mut changed = facts.changed();
    let pager = Pager { outbox: sms.outbox, facts, clock };
    // What could not be made durable, tried again each time.
    let mut unsaved = Vec::new();
    loop {
        let now = Arc::clone(&settings.borrow_and_update());
        pager.queue_due(&now).await;
        let said = tokio::select! {
            Some(handed) = handed.recv() => pager.handed(&handed),
            incoming = sms.modem.receive() => pager.hear(incoming, &now).await,
            Ok(()) = changed.changed() => None,
            Ok(()) = settings.changed() => None,
            () = pager.clock.sleep(TICK) => None,
            () = stop.cancelled() => return,
        };
        unsaved.extend(said.map(|mut said| {
            pager.facts.put_after(std::slice::from_mut(&mut said));
            said
        }));
        if !unsaved.is_empty() {
            match pager.facts.commit(unsaved.clone(), None, false).await {
                Ok(()) => unsaved.clear(),
                Err(error) => tracing::error!(%error, "what became of a text is not durable yet; tried again"),
            }
        }
    }
}

impl Pager {
    /// The texts so far.
    async fn sent(&self) -> Vec<Sent> {
        let rows = self.outbox.rows(TEXTS).await.unwrap_or_else(|error| {
            // Rather a text twice than none.
            tracing::error!(%error, "the texts so far cannot be read: only those in memory count");
            self.outbox.kept()
        });
        rows.iter().map(sent).collect()
    }

    /// Queues what the ladder says is due, and takes back what has become idle.
    async fn queue_due(&self, settings: &Settings) {
        let now_us = self.clock.utc_us();
        let mut alerts = self.facts.alerts();
        alerts.retain(|alert| ladder::concerns(alert, settings, now_us));
        if alerts.is_empty() {
            return;
        }
        let mut sent = self.sent().await;
        for idle in ladder::withdrawn(&alerts, &sent) {
            tracing::info!(alert = %idle.alert, reason = ?idle.reason, "a text that waited is taken back");
            self.outbox.withdraw(idle.key()).await;
            sent.iter_mut().filter(|one| one.key() == idle.key()).for_each(|one| one.waits = false);
        }
        for due in ladder::texts(&alerts, settings, &sent, now_us) {
            tracing::info!(alert = %due.alert, contact = %due.contact.id, reason = ?due.reason, "text queued");
            self.outbox.queue(new_text(due)).await;
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

    async fn hear(&self, incoming: Incoming, settings: &Settings) -> Option<Fact> {
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
    use uuid::Uuid;

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
        let pager = Pager { outbox, facts, clock };
        for _ in 0..3 {
            pager.queue_due(&settings()).await;
        }
        let kept = pager.outbox.kept();
        assert_eq!(kept.iter().map(|row| row.to.as_str()).collect::<Vec<_>>(), [PAUL]);
    }
}
