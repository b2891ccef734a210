//! Facts in, facts out: what gateways and the ward say about alerts, and what people are shown of it.
//!
//! Not for deciding whether something is an alert (the gateway's detectors), nor for who is paged (the ladder).

use std::collections::BTreeSet;

use medmon_api::alert::{Ack, Acknowledgement, Alert as Shown, AlertDetail, Notice, Silence};
use medmon_api::event::EventKind;
use medmon_api::gateway::{FactsDown, RefusedFact};
use medmon_api::time;
use medmon_core::ladder;
use medmon_core::noun::{Action, Alert, Audience, Fact, FactKind};
use rusqlite::Connection;
use serde_json::Value;
use uuid::Uuid;

use crate::records::alert::{self, AlertRow};
use crate::records::fact::{self, Origin, Taken};
use crate::records::{Caller, Tx, contact, patient, text};
use crate::refusal::Refusal;

/// Facts of one answer at most.
pub const PAGE: u32 = 500;
/// Bytes of one fact at most.
const MAX_FACT: usize = 16 << 10;
/// Shortest and longest silence, s.
const SILENCE_S: std::ops::RangeInclusive<u32> = 60..=86_400;

/// Takes a gateway's facts in. One that cannot be used is named in the answer and holds back none of the others.
pub fn take(tx: &Tx<'_>, gateway: Uuid, site: Uuid, bodies: &[Value]) -> Result<FactsDown, Refusal> {
    let mut touched = BTreeSet::new();
    let mut refused = Vec::new();
    for (index, body) in bodies.iter().enumerate() {
        match take_one(tx, gateway, site, body)? {
            Ok(alert) => touched.extend(alert),
            Err(reason) => {
                // The body is a home's own words and stays out of the log.
                tracing::warn!(%gateway, index, reason, "fact refused");
                let id = body.get("id").and_then(Value::as_str).and_then(|id| id.parse().ok());
                refused.push(RefusedFact { index: index as u32, id, reason });
            }
        }
    }
    for id in touched {
        let row = alert::refold(tx, id)?;
        tx.hint(EventKind::Alert, row.resource(), Some(id));
    }
    let facts = fact::down_open(tx.db, gateway)?;
    Ok(FactsDown { facts, cursor: fact::cursor(tx.db, gateway)?, refused })
}

fn take_one(tx: &Tx<'_>, gateway: Uuid, site: Uuid, body: &Value) -> Result<Result<Option<Uuid>, String>, Refusal> {
    if body.to_string().len() > MAX_FACT {
        return Ok(Err(format!("over {MAX_FACT} bytes")));
    }
    let fact: Fact = match serde_json::from_value(body.clone()) {
        Ok(fact) => fact,
        Err(error) => return Ok(Err(format!("not a fact: {error}"))),
    };
    if alert::owner(tx.db, fact.alert)?.is_some_and(|owner| owner != gateway) {
        tx.audit("fact.foreign", fact.id, None)?;
        return Ok(Err("its alert belongs to another gateway".into()));
    }
    alert::ensure(tx, fact.alert, gateway, site)?;
    match fact::take(tx, gateway, Origin::Gateway, &fact, body)? {
        Taken::New => Ok(Ok(Some(fact.alert))),
        // A ward fact that the gateway tells back is known too.
        Taken::Known => Ok(Ok(None)),
        Taken::Differs => {
            tx.audit("fact.differs", fact.id, None)?;
            Ok(Err("its id is known with another content; the first one stays".into()))
        }
    }
}

/// The ward takes care of an alert.
pub fn acknowledge(tx: &Tx<'_>, id: Uuid, ack: &Ack) -> Result<Shown, Refusal> {
    let row = alert::get(tx.db, id)?;
    tx.caller.may(Action::AnswerAlert, &row.resource())?;
    let who = &tx.caller.principal;
    let kind = FactKind::Acknowledged { by: who.id, name: who.name.clone(), audience: Audience::Ward };
    // The reason is a person's words about a patient: it belongs to the record, not to the audit or the gateway.
    let reason = ack.reason.as_deref().map(|reason| text("reason", reason, 0, 500)).transpose()?;
    tell(tx, &row, kind, reason.filter(|reason| !reason.is_empty()))?;
    tx.audit("alert.ack", id, row.patient)?;
    finish(tx, id)
}

/// No paging for an alert for a time; it stays on the board.
pub fn silence(tx: &Tx<'_>, id: Uuid, silence: &Silence) -> Result<Shown, Refusal> {
    let row = alert::get(tx.db, id)?;
    tx.caller.may(Action::AnswerAlert, &row.resource())?;
    if !SILENCE_S.contains(&silence.for_s) {
        let (from, to) = SILENCE_S.into_inner();
        return Err(Refusal::Invalid(format!("for_s = {}: write {from} to {to} seconds", silence.for_s)));
    }
    let until_us = tx.now_us() + i64::from(silence.for_s) * 1_000_000;
    tell(tx, &row, FactKind::Silenced { until_us, reason: text("reason", &silence.reason, 1, 500)? }, None)?;
    tx.audit("alert.silence", id, row.patient)?;
    finish(tx, id)
}

fn tell(tx: &Tx<'_>, row: &AlertRow, kind: FactKind, reason: Option<String>) -> Result<(), Refusal> {
    let at_us = fact::after_newest(&fact::fold(tx.db, row.id)?, tx.now_us());
    let fact = Fact { id: tx.id(), alert: row.id, at_us, author: tx.caller.principal.name.clone(), kind };
    let mut body = serde_json::to_value(&fact).map_err(Refusal::internal)?;
    if let (Some(reason), Some(object)) = (reason, body.as_object_mut()) {
        object.insert("reason".into(), Value::String(reason));
    }
    fact::take(tx, row.gateway, Origin::Ward, &fact, &body)?;
    tx.wake(row.gateway);
    Ok(())
}

fn finish(tx: &Tx<'_>, id: Uuid) -> Result<Shown, Refusal> {
    let row = alert::refold(tx, id)?;
    tx.hint(EventKind::Alert, row.resource(), Some(id));
    show(tx.db, tx.caller, &row)?.ok_or_else(|| Refusal::not_found("alert", id))
}

/// An alert with its facts, if the caller may see it.
pub fn detail(db: &Connection, caller: &Caller, id: Uuid) -> Result<AlertDetail, Refusal> {
    let row = alert::get(db, id)?;
    caller.may(Action::ReadAlerts, &row.resource())?;
    let shown = show(db, caller, &row)?.ok_or_else(|| Refusal::not_found("alert", id))?;
    let mut facts: Vec<Fact> = fact::fold(db, id)?.facts().cloned().collect();
    let said = fact::said(db, id)?;
    facts.iter_mut().for_each(|fact| fact.at_us = *said.get(&fact.id).unwrap_or(&fact.at_us));
    facts.sort_by_key(|fact| fact.at_us);
    if shown.explanation.is_none() {
        facts.iter_mut().for_each(plain);
    }
    Ok(AlertDetail { alert: shown, facts })
}

/// An alert as the caller may see it; `None` while its raising has not arrived.
pub fn show(db: &Connection, caller: &Caller, row: &AlertRow) -> Result<Option<Shown>, Refusal> {
    let figures = caller.can(Action::ReadVitals, &row.resource());
    Ok(shown(db, row)?.map(|alert| if figures { alert } else { without_figures(alert) }))
}

/// An alert as it is shown to whoever may see no figures.
pub fn without_figures(alert: Shown) -> Shown {
    // A nurse's words about a patient may name figures.
    Shown { explanation: None, silence_reason: None, ..alert }
}

/// An alert with everything that is shown of it; `None` while its raising has not arrived.
pub fn shown(db: &Connection, row: &AlertRow) -> Result<Option<Shown>, Refusal> {
    let alert = fact::fold(db, row.id)?;
    let Some((first, raised)) = alert.raised() else { return Ok(None) };
    let said = fact::said(db, row.id)?;
    let answer = |audience| {
        let (by, at_us) = alert.acknowledged(audience)?;
        let same = |fact: &&Fact| {
            fact.at_us == at_us && matches!(fact.kind, FactKind::Acknowledged { audience: of, .. } if of == audience)
        };
        let said_us = alert.facts().filter(same).find_map(|fact| said.get(&fact.id));
        Some(Acknowledgement { by: by.to_owned(), at: time(*said_us.unwrap_or(&at_us)) })
    };
    Ok(Some(Shown {
        id: row.id,
        patient: row.patient,
        gateway: row.gateway,
        vital: raised.vital,
        direction: raised.direction,
        condition: alert.condition().unwrap_or(raised.condition),
        class: raised.class,
        priority: alert.priority().unwrap_or(raised.priority),
        onset_at: time(raised.onset_us),
        raised_at: time(first.at_us),
        cleared_at: alert.cleared_us().map(time),
        explanation: alert.explanation().map(str::to_owned),
        acknowledged_ward: answer(Audience::Ward),
        acknowledged_family: answer(Audience::Family),
        silenced_until: alert.silenced_until_us().map(time),
        silence_reason: silence_reason(&alert),
        notices: notices(db, row.patient, &alert)?,
        taken_over_by: alert::taken_over_by(&alert).map(str::to_owned),
        open: alert.open(),
    }))
}

/// Who was texted, in the order of the first text.
fn notices(db: &Connection, patient: Option<Uuid>, alert: &Alert) -> Result<Vec<Notice>, Refusal> {
    let mut notices: Vec<Notice> = Vec::new();
    for fact in alert.facts() {
        let (contact, channel) = match &fact.kind {
            FactKind::Notified { contact, channel, .. } => (*contact, Some(channel.clone())),
            FactKind::Delivered { contact, .. } => (*contact, None),
            _ => continue,
        };
        let at = match notices.iter().position(|notice| notice.contact == contact) {
            Some(at) => at,
            None => {
                let name = name(db, patient, contact)?;
                let (channel, texts) = (String::new(), 0);
                notices.push(Notice { contact, name, channel, notified_at: None, delivered_at: None, texts });
                notices.len() - 1
            }
        };
        let notice = &mut notices[at];
        match channel {
            Some(channel) => {
                // A newer text is not delivered yet, whatever became of the one before.
                (notice.channel, notice.notified_at, notice.delivered_at) = (channel, Some(time(fact.at_us)), None);
                notice.texts += 1;
            }
            None => notice.delivered_at = Some(time(fact.at_us)),
        }
    }
    Ok(notices)
}

/// As shown: a contact, removed ones too; or one that is known by their phone, the patient or whoever is on call.
fn name(db: &Connection, patient: Option<Uuid>, id: Uuid) -> Result<Option<String>, Refusal> {
    let known = contact::name(db, id)?;
    let (None, Some(patient)) = (&known, patient) else { return Ok(known) };
    let by_phone = patient::phones(db, patient)?;
    let mut people = ladder::everybody(&by_phone).into_iter().chain(ladder::patient(&by_phone));
    Ok(people.find(|one| one.id == id).map(|one| one.name))
}

fn silence_reason(alert: &Alert) -> Option<String> {
    let silences = alert.facts().filter_map(|fact| match &fact.kind {
        FactKind::Silenced { until_us, reason } => Some((*until_us, reason)),
        _ => None,
    });
    silences.max_by_key(|(until_us, _)| *until_us).map(|(_, reason)| reason.clone())
}

/// Takes the figures out of a fact, and words that may name some.
fn plain(fact: &mut Fact) {
    match &mut fact.kind {
        FactKind::Raised(raised) => raised.explanation.clear(),
        FactKind::Worsened { explanation, .. } => explanation.clear(),
        FactKind::Silenced { reason, .. } => reason.clear(),
        _ => {}
    }
}
