//! The ward's board: what is known of every patient, worst and unacknowledged first.

mod memory;
mod text;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::sync::{Arc, PoisonError};

use medmon_api::alert::Alert;
use medmon_api::board::{Board, BoardGateway, BoardRow, Counts, Section};
use medmon_api::feeling::Feeling;
use medmon_api::time;
use medmon_core::noun::{Action, Binding, Class, Priority, Resource, Settings, UtcUs};
use rusqlite::Connection;
use uuid::Uuid;

pub use memory::Memory;

use crate::Cloud;
use crate::alerts;
use crate::records::board::{BoardPatient, exercise};
use crate::records::{Caller, ward};
use crate::refusal::Refusal;
use crate::vitals::VitalsStore;
use crate::vitals::recent::{latest, stale_after_s};
use memory::Row;
use text::Text;

/// A gateway sends a heartbeat every 30 s or so; after this it is not heard (DESIGN.md, invariant 7).
const UNHEARD_US: UtcUs = 180_000_000;
/// A feeling stays on the board for a day.
const FEELING_US: UtcUs = 86_400_000_000;

/// What a caller sees of a row.
struct Seen<'a> {
    alerts: Cow<'a, [Alert]>,
    feeling: Option<&'a Feeling>,
    /// Nothing that it has is kept from them.
    whole: bool,
}

impl<'a> Seen<'a> {
    fn of(row: &'a BoardPatient, caller: &Caller) -> Self {
        let all = |alert: &Alert| {
            let resource = Resource { gateway: Some(alert.gateway), ..row.resource };
            (caller.can(Action::ReadAlerts, &resource), caller.can(Action::ReadVitals, &resource))
        };
        let whole = row.alerts.iter().all(|alert| all(alert) == (true, true));
        let alerts = if whole {
            Cow::Borrowed(&row.alerts[..])
        } else {
            let seen = row.alerts.iter().filter(|alert| all(alert).0).cloned();
            seen.map(|alert| if all(&alert).1 { alert } else { alerts::without_figures(alert) }).collect()
        };
        let may_feel = caller.can(Action::ReadFeelings, &row.resource);
        let lately = |feeling: &&Feeling| feeling.at.as_microsecond() >= caller.now_us - FEELING_US;
        let feeling = row.feeling.as_ref().filter(lately);
        Self { alerts, feeling: feeling.filter(|_| may_feel), whole: whole && (may_feel || feeling.is_none()) }
    }
}

/// A row that is ready to be written.
struct Ready<'a> {
    section: Section,
    /// How urgent, and since when.
    waits: (Reverse<Option<Priority>>, i64),
    gateway: Option<&'a BoardGateway>,
    text: Arc<Text>,
}

/// The board as the caller may see it, a [`Board`] in JSON. `memory`: the one that follows the records' changes.
pub async fn build(
    cloud: &Cloud,
    memory: &Arc<Memory>,
    caller: &Caller,
    ward: Option<Uuid>,
) -> Result<Vec<u8>, Refusal> {
    // Before the reading: a change in between is on the board and comes as a hint again, never neither.
    let last_event_id = cloud.events.newest();
    let (remembered, changes, asked) = (Arc::clone(memory), Arc::clone(&cloud.records.changes), caller.clone());
    let read = move |db: &Connection| {
        let who = &asked.principal;
        let site = ward::get_site(db, who.site)?.name;
        let of = ward.or(who.ward);
        let ward_name = of.map(|id| ward::get(db, who.site, id)).transpose()?.map(|ward| ward.name);
        let wanted = |patient: &BoardPatient| {
            let narrow = ward.is_none_or(|ward| patient.resource.ward == Some(ward));
            // Whoever may read a name finds it in the list; the board shows figures.
            narrow && asked.can(Action::ReadVitals, &patient.resource)
        };
        let rows = remembered.rows(db, &changes, wanted)?;
        let (at, counts) = (time(asked.now_us), Counts::default());
        Ok((Board { at, site, ward: ward_name, last_event_id, counts, rows: Vec::new() }, rows))
    };
    let turn = memory.turn.lock().await;
    let (board, rows) = cloud.records.read(read).await?;
    drop(turn);
    let (vitals, caller) = (Arc::clone(&cloud.vitals), caller.clone());
    let write = move || write(board, &rows, vitals.as_ref(), &caller);
    tokio::task::spawn_blocking(write).await.map_err(Refusal::internal)?
}

fn write(mut board: Board, rows: &[Arc<Row>], vitals: &dyn VitalsStore, caller: &Caller) -> Result<Vec<u8>, Refusal> {
    let now_us = caller.now_us;
    let mut ready = Vec::with_capacity(rows.len());
    for row in rows {
        let seen = Seen::of(&row.patient, caller);
        let text = text(row, &seen, vitals, now_us)?;
        let gateway = row.patient.gateway.as_ref();
        let section = section(&seen.alerts, gateway, &text, now_us);
        count(&mut board.counts, section, &seen.alerts);
        ready.push(Ready { section, waits: waits(&seen.alerts), gateway, text });
    }
    // Worst and unacknowledged first; then who waits longest; then by name, as they came.
    ready.sort_by_key(|row| (row.section, row.waits));
    let mut json = serde_json::to_vec(&board).map_err(Refusal::internal)?;
    // Its rows are its last field, and empty.
    let end = json.split_off(json.len().saturating_sub(2));
    json.reserve_exact(ready.iter().map(|row| row.text.room()).sum());
    for (at, row) in ready.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        row.text.write(row.section, row.gateway, now_us, &mut json)?;
    }
    json.extend_from_slice(&end);
    Ok(json)
}

/// A row's text: the remembered one while it is good.
fn text(row: &Row, seen: &Seen<'_>, vitals: &dyn VitalsStore, now_us: UtcUs) -> Result<Arc<Text>, Refusal> {
    let subject = row.patient.subject;
    // Before the windows: whatever comes in between, the next one asks for them again.
    let version = subject.map_or(0, |subject| vitals.recent_version(subject));
    let mut remembered = row.text.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(text) = remembered.as_ref()
        && seen.whole
        && (text.version, text.feeling) == (version, seen.feeling.is_some())
    {
        return Ok(Arc::clone(text));
    }
    let recent = subject.map(|subject| vitals.recent(subject)).unwrap_or_default();
    let settings = Settings { cadences: row.patient.cadences.clone(), ..Settings::default() };
    let (mut values, mut times) = (Vec::with_capacity(recent.len()), Vec::with_capacity(recent.len()));
    for (vital, windows) in &recent {
        if let Some(value) = latest(*vital, windows, &settings, now_us) {
            times.push((value.at.as_microsecond(), stale_after_s(*vital, &settings)));
            values.push(value);
        }
    }
    let patient = row.patient.clone();
    let shown = BoardRow {
        patient: patient.id,
        name: patient.name,
        birth_year: patient.birth_year,
        time_zone: patient.time_zone,
        ward: patient.resource.ward,
        section: Section::Calm,
        vitals: values,
        alerts: seen.alerts.to_vec(),
        gateway: patient.gateway,
        feeling: seen.feeling.cloned(),
    };
    let text = Arc::new(Text::of(&shown, version, times)?);
    if seen.whole {
        *remembered = Some(Arc::clone(&text));
    }
    Ok(text)
}

/// Which part of the board a row belongs to. Silence is a state of its own: it is never calm.
fn section(alerts: &[Alert], gateway: Option<&BoardGateway>, text: &Text, now_us: UtcUs) -> Section {
    let alerts = || alerts.iter().filter(|alert| !exercise(alert));
    let unanswered = |class| alerts().any(|alert| alert.class == class && alert.acknowledged_ward.is_none());
    if unanswered(Class::Physiological) {
        Section::NeedsAnswer
    } else if unanswered(Class::Technical) || gateway.is_some_and(|gateway| unheard(gateway, text, now_us)) {
        Section::NotHeard
    } else if alerts().next().is_none() {
        Section::Calm
    } else {
        Section::Answered
    }
}

fn unheard(gateway: &BoardGateway, text: &Text, now_us: UtcUs) -> bool {
    let since_us = gateway.last_heard_at.unwrap_or(gateway.since).as_microsecond();
    // While the binding is pending the home may still be on its way there.
    let gateway_silent = gateway.binding == Binding::Confirmed && now_us - since_us > UNHEARD_US;
    // Nothing at all from a home that has had its time to speak is silence, not health.
    let speechless = !text.has_vitals() && now_us - gateway.since.as_microsecond() > UNHEARD_US;
    gateway_silent || speechless || text.is_stale(now_us)
}

fn waits(alerts: &[Alert]) -> (Reverse<Option<Priority>>, i64) {
    let first = alerts.first().filter(|alert| !exercise(alert));
    let raised_us = first.map_or(i64::MAX, |alert| alert.raised_at.as_microsecond());
    (Reverse(first.map(|alert| alert.priority)), raised_us)
}

fn count(counts: &mut Counts, section: Section, alerts: &[Alert]) {
    counts.patients += 1;
    counts.unknown += u32::from(section == Section::NotHeard);
    for alert in alerts.iter().filter(|alert| !exercise(alert)) {
        match (alert.acknowledged_ward.is_some(), alert.class, alert.priority) {
            (true, ..) => counts.acknowledged += 1,
            (false, Class::Technical, _) => {}
            (false, _, Priority::High) => counts.high += 1,
            (false, _, Priority::Medium) => counts.medium += 1,
            (false, _, Priority::Low) => counts.low += 1,
        }
    }
}
