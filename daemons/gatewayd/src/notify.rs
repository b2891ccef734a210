//! NOTIFY: what the ladder says is due is queued, handed to the modem, and what comes of it becomes facts.
//!
//! Not for: whom to text when (ladder.rs), what a text says (core), how it goes out (medmon-sms).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::noun::{Alert, Audience, Contact, Fact, FactKind, Settings};
use medmon_core::text::{self, Text};
use medmon_kit::Clock;
use medmon_sms::outbox::RESERVE_BYTES;
use medmon_sms::{
    Handed, Incoming, Modem, ModemOptions, ModemState, NewText, Outbox, Outcome, Reason, Reply, SmsChannel,
};

use crate::config::GatewayConfig;
use crate::detect::fact;
use crate::facts::Facts;
use crate::ladder::{self, Sent};

/// The ladder is climbed by time too.
const TICK: Duration = Duration::from_secs(1);
/// The outbox's reserve in the gateway's folder; it stands beside the outbox's file.
pub const RESERVE: &str = "sms.reserve";
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
    // What could not be made durable, tried again each time.
    let mut unsaved = Vec::new();
    loop {
        let now = Arc::clone(&settings.borrow_and_update());
        queue_due(&sms.outbox, &facts, &now, &clock).await;
        let said = tokio::select! {
            Some(handed) = handed.recv() => handed_fact(&handed, &clock),
            incoming = sms.modem.receive() => incoming_fact(incoming, &sms.outbox, &facts, &now, &clock).await,
            Ok(()) = changed.changed() => None,
            Ok(()) = settings.changed() => None,
            () = clock.sleep(TICK) => None,
            () = stop.cancelled() => return,
        };
        unsaved.extend(said.map(|mut said| {
            facts.put_after(std::slice::from_mut(&mut said));
            said
        }));
        if !unsaved.is_empty() {
            match facts.commit(unsaved.clone(), None, false).await {
                Ok(()) => unsaved.clear(),
                Err(error) => tracing::error!(%error, "what became of a text is not durable yet; tried again"),
            }
        }
    }
}

/// Queues what the ladder says is due.
async fn queue_due(outbox: &Outbox, facts: &Facts, settings: &Settings, clock: &Clock) {
    let now_us = clock.utc_us();
    let alerts: Vec<_> = facts.alerts().into_iter().filter(|alert| ladder::concerns(alert, settings, now_us)).collect();
    if alerts.is_empty() {
        return;
    }
    let rows = outbox.rows(TEXTS).await.unwrap_or_else(|error| {
        // Rather a text twice than none.
        tracing::error!(%error, "the texts so far cannot be read: only those in memory count");
        outbox.kept()
    });
    for alert in alerts {
        let sent: Vec<_> = rows
            .iter()
            .filter(|row| row.alert == alert.id)
            .map(|row| Sent {
                contact: row.contact,
                reason: row.reason,
                step: row.step,
                waits: row.waits(),
                submitted_us: row.submitted_us,
                delivered_us: row.delivered_us,
            })
            .collect();
        for due in ladder::due(&alert, settings, &sent, now_us) {
            let code = text::code(alert.id);
            let text = wording(&alert, &due.contact, due.reason, &code, settings, now_us);
            tracing::info!(alert = %alert.id, contact = %due.contact.id, reason = ?due.reason, "text queued");
            let (contact, to, reason, step) = (due.contact.id, due.contact.phone, due.reason, due.step);
            outbox.queue(NewText { alert: alert.id, contact, to, text, code, reason, step }).await;
        }
    }
}

fn wording(alert: &Alert, contact: &Contact, reason: Reason, code: &str, settings: &Settings, now_us: i64) -> String {
    let nickname = settings.nickname.as_str();
    let time = |utc_us| text::local_time(contact.language, utc_us, &settings.time_zone);
    let raised = time(alert.raised().map_or(now_us, |(fact, _)| fact.at_us));
    let over = time(alert.cleared_us().unwrap_or(now_us));
    let now = time(now_us);
    let by = [Audience::Family, Audience::Ward].into_iter().find_map(|audience| alert.acknowledged(audience));
    let text = match reason {
        Reason::Raised => Text::Raised { nickname, code, at: &raised },
        Reason::Again => Text::Again { nickname, code, at: &now },
        Reason::Answered => Text::Answered { by: by.map_or("", |(name, _)| name), code },
        Reason::Over => Text::Over { nickname, code, at: &over },
        Reason::Drill => Text::Drill { code },
        Reason::Ask | Reason::Summary | Reason::Reply | Reason::SelfTest | Reason::Other => return String::new(),
    };
    text::sms(contact.language, text)
}

/// A text that calls for help and was handed over is a fact.
fn handed_fact(handed: &Handed, clock: &Clock) -> Option<Fact> {
    let row = &handed.row;
    let calls = matches!(row.reason, Reason::Raised | Reason::Again);
    let left = matches!(handed.outcome, Outcome::Sent { .. } | Outcome::MaybeSent);
    let name = format!("notified/{}/{:?}/{}", row.contact, row.reason, row.step);
    let kind = FactKind::Notified {
        contact: row.contact,
        channel: handed.channel.to_owned(),
        reason: row.reason,
        step: row.step,
    };
    (calls && left).then(|| fact(row.alert, &name, row.submitted_us.unwrap_or_else(|| clock.utc_us()), kind))
}

async fn incoming_fact(
    incoming: Incoming,
    outbox: &Outbox,
    facts: &Facts,
    settings: &Settings,
    clock: &Clock,
) -> Option<Fact> {
    match incoming {
        Incoming::Delivery { reference, delivered } => {
            let row = outbox.delivery(&reference, delivered).await.filter(|_| delivered)?;
            let name = format!("delivered/{}/{:?}/{}", row.contact, row.reason, row.step);
            let at_us = row.delivered_us.unwrap_or_else(|| clock.utc_us());
            Some(fact(
                row.alert,
                &name,
                at_us,
                FactKind::Delivered { contact: row.contact, reason: row.reason, step: row.step },
            ))
        }
        Incoming::Text { from, text } => {
            let answer = answer(&from, &text, &facts.alerts(), settings, clock);
            if answer.is_none() {
                // Neither number nor words: logs name nobody.
                tracing::info!("a text came in that answers no alert");
            }
            answer
        }
    }
}

/// The acknowledgement that a text is, if its sender is a contact and it names an alert (or only one is open).
fn answer(from: &str, text: &str, alerts: &[Alert], settings: &Settings, clock: &Clock) -> Option<Fact> {
    let contact = ladder::everybody(settings).into_iter().find(|contact| same_phone(&contact.phone, from))?;
    let Reply::Acknowledge { code } = medmon_sms::parse(text) else { return None };
    let now_us = clock.utc_us();
    let mut meant = alerts.iter().filter(|alert| {
        ladder::concerns(alert, settings, now_us)
            && match &code {
                Some(code) => *code == text::code(alert.id),
                None => alert.cleared_us().is_none() && alert.acknowledged(Audience::Family).is_none(),
            }
    });
    let alert = meant.next()?;
    if meant.next().is_some() {
        // A bare OK with two alerts open may mean either: the ladder goes on for both.
        return None;
    }
    let is_relative = settings.contacts.iter().any(|own| own.id == contact.id);
    let audience = if is_relative { Audience::Family } else { Audience::Ward };
    let worsened = alert.facts().filter(|fact| matches!(fact.kind, FactKind::Worsened { .. })).count();
    let kind = FactKind::Acknowledged { by: contact.id, name: contact.name.clone(), audience };
    Some(fact(alert.id, &acknowledged(contact.id, worsened), now_us, kind))
}

/// One acknowledgement a contact and round: a text that is read twice is one answer.
fn acknowledged(contact: Uuid, worsened: usize) -> String {
    format!("acknowledged/{contact}/{worsened}")
}

/// Networks show a number with or without its country code.
fn same_phone(known: &str, from: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (known, from) = (digits(known), digits(from));
    known == from || (from.len() >= 9 && from.strip_prefix('0').is_some_and(|national| known.ends_with(national)))
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::alert::Raised;
    use medmon_core::noun::{Class, Condition, Direction, Ieee, Language, Priority, ReadingId, Vital};

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
        Alert::fold(id, [fact(id, "raised", 0, FactKind::Raised(raised))])
    }

    fn settings() -> Settings {
        let contact =
            Contact { id: Uuid::from_u128(9), name: "Paul".into(), phone: PAUL.into(), language: Language::Fr };
        Settings { epoch: 1, contacts: vec![contact], ..Settings::default() }
    }

    #[tokio::test]
    async fn an_answer_needs_a_known_phone_and_one_alert_that_it_can_mean() {
        let (clock, settings) = (Clock::scaled(1.0, 1_000_000), settings());
        let said = |from: &str, text: &str, alerts: &[Alert]| {
            answer(from, text, alerts, &settings, &clock).map(|fact| fact.alert.as_u128())
        };
        let code = text::code(Uuid::from_u128(2));
        let both = [fall(1), fall(2)];
        assert_eq!(said(PAUL, &format!("ok {code}"), &both), Some(2));
        assert_eq!(said("0639981001", &format!("OUI {code}"), &both), Some(2));
        assert_eq!(said(PAUL, "OK", &both), None, "which of the two?");
        assert_eq!(said(PAUL, "OK", &both[..1]), Some(1));
        assert_eq!(said("+33700000000", &format!("OK {code}"), &both), None, "a stranger");
        assert_eq!(said(PAUL, "OK 0000", &both), None);
        assert_eq!(said(PAUL, "who is this?", &both[..1]), None);
        let another = Settings { epoch: 2, ..settings.clone() };
        assert_eq!(answer(PAUL, "OK", &both[..1], &another, &clock), None, "of a patient who was here before");
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
        for _ in 0..3 {
            queue_due(&outbox, &facts, &settings(), &clock).await;
        }
        let kept = outbox.kept();
        assert_eq!(kept.iter().map(|row| row.to.as_str()).collect::<Vec<_>>(), [PAUL]);
    }

    #[test]
    fn a_text_is_in_the_contacts_language_and_the_homes_time() {
        let settings = Settings { nickname: "Jeanne".into(), time_zone: "Europe/Paris".into(), ..settings() };
        let alert = fall(1);
        let code = text::code(alert.id);
        let text = wording(&alert, &settings.contacts[0], Reason::Raised, &code, &settings, 0);
        assert_eq!(
            text,
            format!(
                "medmon {code}: Jeanne peut avoir besoin d'aide (01h00). Répondez OK {code} si vous vous en occupez."
            )
        );
    }
}
