//! The ward's board: what is known of every patient, worst and unacknowledged first.

use std::cmp::Reverse;
use std::collections::HashMap;

use medmon_api::alert::Alert;
use medmon_api::board::{Board, BoardRow, Counts, Section};
use medmon_api::feeling::Feeling;
use medmon_api::time;
use medmon_core::noun::{Action, Binding, Class, Condition, Priority, Settings, UtcUs};
use rusqlite::Connection;
use uuid::Uuid;

use crate::Cloud;
use crate::alerts;
use crate::records::board::{self, BoardPatient};
use crate::records::{Caller, alert, feeling, ward};
use crate::refusal::Refusal;
use crate::vitals::recent::latest;

/// A gateway sends a heartbeat every 30 s or so; after this it is not heard (DESIGN.md, invariant 7).
const UNHEARD_US: UtcUs = 180_000_000;
/// A feeling stays on the board for a day.
const FEELING_US: UtcUs = 86_400_000_000;

/// A row before its vitals are filled in.
struct Draft {
    row: BoardRow,
    subject: Option<Uuid>,
    settings: Settings,
}

/// The board as the caller may see it.
pub async fn build(cloud: &Cloud, caller: &Caller, ward: Option<Uuid>) -> Result<Board, Refusal> {
    // Before the reading: a change in between is on the board and comes as a hint again, never neither.
    let last_event_id = cloud.events.newest();
    let asked = caller.clone();
    let (site, ward_name, drafts) = cloud.records.read(move |db| drafts(db, &asked, ward)).await?;
    let mut rows = Vec::with_capacity(drafts.len());
    for mut draft in drafts {
        if let Some(subject) = draft.subject {
            let recent = cloud.vitals.recent(subject);
            let values =
                recent.iter().filter_map(|(vital, windows)| latest(*vital, windows, &draft.settings, caller.now_us));
            draft.row.vitals = values.collect();
        }
        draft.row.section = section(&draft.row, caller.now_us);
        rows.push(draft.row);
    }
    rows.sort_by_cached_key(order);
    Ok(Board { at: time(caller.now_us), site, ward: ward_name, last_event_id, counts: counts(&rows), rows })
}

fn drafts(
    db: &Connection,
    caller: &Caller,
    asked: Option<Uuid>,
) -> Result<(String, Option<String>, Vec<Draft>), Refusal> {
    let who = &caller.principal;
    let site = ward::get_site(db, who.site)?;
    let of = asked.or(who.ward);
    let ward_name = of.map(|id| ward::get(db, who.site, id)).transpose()?.map(|ward| ward.name);
    let mut open: HashMap<Uuid, Vec<Alert>> = HashMap::new();
    for row in alert::open(db, who.site)? {
        if let Some(patient) = row.patient.filter(|_| caller.can(Action::ReadAlerts, &row.resource())) {
            open.entry(patient).or_default().extend(alerts::show(db, caller, &row)?);
        }
    }
    let feelings = feeling::newest(db, caller.now_us - FEELING_US)?;
    let mut drafts = Vec::new();
    for patient in board::patients(db, caller, asked)? {
        // Whoever may read a name finds it in the list; the board shows figures.
        if caller.can(Action::ReadVitals, &patient.resource) {
            let alerts = open.remove(&patient.id).unwrap_or_default();
            let may_feel = caller.can(Action::ReadFeelings, &patient.resource);
            let feeling = feelings.get(&patient.id).filter(|_| may_feel).cloned();
            drafts.push(draft(patient, alerts, feeling));
        }
    }
    Ok((site.name, ward_name, drafts))
}

fn draft(patient: BoardPatient, mut alerts: Vec<Alert>, feeling: Option<Feeling>) -> Draft {
    // The patient before the equipment: a silent sensor must not lend its priority to a lesser alarm of the body.
    alerts.sort_by_key(|alert| {
        let answered = alert.acknowledged_ward.is_some();
        (exercise(alert), answered, alert.class, Reverse(alert.priority), alert.raised_at)
    });
    Draft {
        settings: Settings { cadences: patient.cadences, ..Settings::default() },
        subject: patient.subject,
        row: BoardRow {
            patient: patient.id,
            name: patient.name,
            birth_year: patient.birth_year,
            time_zone: patient.time_zone,
            ward: patient.resource.ward,
            section: Section::Calm,
            vitals: Vec::new(),
            alerts,
            gateway: patient.gateway,
            feeling,
        },
    }
}

/// An exercise is shown and moves nobody's row, unless nobody answered and it has become worse.
fn exercise(alert: &Alert) -> bool {
    alert.condition == Condition::Drill && alert.priority == Priority::Low
}

/// Which part of the board a row belongs to. Silence is a state of its own: it is never calm.
fn section(row: &BoardRow, now_us: UtcUs) -> Section {
    let alerts = || row.alerts.iter().filter(|alert| !exercise(alert));
    let unanswered = |class| alerts().any(|alert| alert.class == class && alert.acknowledged_ward.is_none());
    if unanswered(Class::Physiological) {
        Section::NeedsAnswer
    } else if unanswered(Class::Technical) || unheard(row, now_us) {
        Section::NotHeard
    } else if alerts().next().is_none() {
        Section::Calm
    } else {
        Section::Answered
    }
}

fn unheard(row: &BoardRow, now_us: UtcUs) -> bool {
    let Some(gateway) = &row.gateway else { return false };
    let since_us = gateway.last_heard_at.unwrap_or(gateway.since).as_microsecond();
    // While the binding is pending the home may still be on its way there.
    let gateway_silent = gateway.binding == Binding::Confirmed && now_us - since_us > UNHEARD_US;
    // Nothing at all from a home that has had its time to speak is silence, not health.
    let speechless = row.vitals.is_empty() && now_us - gateway.since.as_microsecond() > UNHEARD_US;
    gateway_silent || speechless || row.vitals.iter().any(|vital| vital.stale)
}

/// Worst and unacknowledged first; then who waits longest; then by name.
fn order(row: &BoardRow) -> (Section, Reverse<Option<Priority>>, i64, String) {
    let first = row.alerts.first().filter(|alert| !exercise(alert));
    let raised_us = first.map_or(i64::MAX, |alert| alert.raised_at.as_microsecond());
    (row.section, Reverse(first.map(|alert| alert.priority)), raised_us, row.name.clone())
}

fn counts(rows: &[BoardRow]) -> Counts {
    let mut counts = Counts { patients: rows.len() as u32, ..Counts::default() };
    for row in rows {
        counts.unknown += u32::from(row.section == Section::NotHeard);
        for alert in row.alerts.iter().filter(|alert| !exercise(alert)) {
            match (alert.acknowledged_ward.is_some(), alert.class, alert.priority) {
                (true, ..) => counts.acknowledged += 1,
                (false, Class::Technical, _) => {}
                (false, _, Priority::High) => counts.high += 1,
                (false, _, Priority::Medium) => counts.medium += 1,
                (false, _, Priority::Low) => counts.low += 1,
            }
        }
    }
    counts
}
