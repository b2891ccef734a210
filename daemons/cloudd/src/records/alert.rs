//! Alerts as rows: the fold of their facts, for lists and pages, brought up to date with each fact.

use medmon_api::PageQuery;
use medmon_api::alert::AlertQuery;
use medmon_core::noun::{Action, Alert, Audience, Class, FactKind, Priority, Resource};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Caller, Tx, all, assignment, fact, key, maybe, maybe_uuid, one, uuid};
use crate::refusal::Refusal;

/// What is known of an alert beside its facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertRow {
    /// Identity.
    pub id: Uuid,
    /// The gateway that raised it.
    pub gateway: Uuid,
    /// Site of that gateway.
    pub site: Uuid,
    /// Whose; `None` = the gateway belonged to nobody, or the raising has not arrived.
    pub patient: Option<Uuid>,
    /// Ward of the patient, as it is now.
    pub ward: Option<Uuid>,
    /// When it was raised, UTC; `None` = the raising has not arrived.
    pub raised_us: Option<i64>,
}

impl AlertRow {
    /// What access to it is decided on.
    pub fn resource(&self) -> Resource {
        Resource { site: self.site, ward: self.ward, patient: self.patient, gateway: Some(self.gateway) }
    }
}

const SELECT: &str = "SELECT a.id, a.gateway, a.site, a.patient, p.ward, a.raised_us FROM alert a LEFT JOIN patient p ON p.id = a.patient";

/// One alert.
pub fn get(db: &Connection, id: Uuid) -> Result<AlertRow, Refusal> {
    one(db, &format!("{SELECT} WHERE a.id = ?1"), [key(id)], row, "alert", id)
}

/// The gateway that an alert belongs to, if it is known at all.
pub fn owner(db: &Connection, id: Uuid) -> Result<Option<Uuid>, Refusal> {
    maybe(db, "SELECT gateway FROM alert WHERE id = ?1", [key(id)], |row| uuid(row, "gateway"))
}

/// Makes room for an alert of a gateway; its facts follow.
pub fn ensure(tx: &Tx<'_>, id: Uuid, gateway: Uuid, site: Uuid) -> Result<(), Refusal> {
    tx.db.execute(
        "INSERT OR IGNORE INTO alert (id, gateway, site, open) VALUES (?1, ?2, ?3, 0)",
        [key(id), key(gateway), key(site)],
    )?;
    Ok(())
}

/// Folds an alert's facts anew into its row; whose it is stands in the epoch that its raising names.
pub fn refold(tx: &Tx<'_>, id: Uuid) -> Result<AlertRow, Refusal> {
    let before = get(tx.db, id)?;
    let alert = fact::fold(tx.db, id)?;
    let raised = alert.raised();
    let patient = match raised {
        Some((_, raised)) => assignment::of_epoch(tx.db, before.gateway, raised.epoch)?.map(|row| row.patient),
        None => None,
    };
    tx.db.execute(
        "UPDATE alert SET patient = ?2, raised_us = ?3, priority = ?4, open = ?5, pages = ?6 WHERE id = ?1",
        params![
            key(id),
            patient.map(key),
            raised.map(|(fact, _)| fact.at_us),
            alert.priority().map(rank),
            alert.open(),
            pages(&alert)
        ],
    )?;
    get(tx.db, id)
}

/// Whether somebody has to page for an alert (1), and whether that is the cloud (2): `records::paging` looks for it.
fn pages(alert: &Alert) -> i64 {
    let body = alert.raised().is_some_and(|(_, raised)| raised.class == Class::Physiological);
    let urgent = body && alert.priority() == Some(Priority::High) && alert.cleared_us().is_none();
    let answered = [Audience::Family, Audience::Ward].into_iter().any(|whose| alert.acknowledged(whose).is_some());
    match taken_over_by(alert) {
        Some(fact::CLOUD) => 2,
        _ => i64::from(urgent && !answered),
    }
}

/// Who was the last to take over the paging, if anybody did: "cloud", "gateway".
pub fn taken_over_by(alert: &Alert) -> Option<&str> {
    alert.facts().rev().find_map(|fact| match &fact.kind {
        FactKind::TakenOver { by } => Some(by.as_str()),
        _ => None,
    })
}

/// Alerts that the caller may see, newest first. A `patient` narrows to one.
pub fn list(
    db: &Connection,
    caller: &Caller,
    patient: Option<Uuid>,
    query: &AlertQuery,
    page: &PageQuery,
) -> Result<(Vec<AlertRow>, Option<String>), Refusal> {
    let who = &caller.principal;
    let (before_us, before_id) = page.cursor.as_deref().map_or(Ok((i64::MAX, Uuid::max())), cursor)?;
    let sql = format!(
        "{SELECT} WHERE a.site = ?1 AND a.raised_us IS NOT NULL AND (a.raised_us, a.id) < (?2, ?3)
           AND (?4 IS NULL OR a.patient = ?4) AND (?5 IS NULL OR p.ward = ?5) AND (?6 IS NULL OR p.ward = ?6)
           AND (?7 IS NULL OR a.open = ?7) AND (?8 IS NULL OR a.priority = ?8) AND (?9 IS NULL OR a.patient = ?9)
         ORDER BY a.raised_us DESC, a.id DESC LIMIT ?10"
    );
    let mut rows = all(
        db,
        &sql,
        params![
            key(who.site),
            before_us,
            key(before_id),
            patient.map(key),
            query.ward.map(key),
            who.ward.map(key),
            query.open,
            query.priority.map(rank),
            who.patient.map(key),
            i64::from(page.limit()) + 1
        ],
        row,
    )?;
    let more = rows.len() > page.limit() as usize;
    rows.truncate(page.limit() as usize);
    let next = rows.last().filter(|_| more).map(|last| format!("{}_{}", last.raised_us.unwrap_or(0), last.id));
    // The statement narrows, `may` decides.
    rows.retain(|row| caller.can(Action::ReadAlerts, &row.resource()));
    Ok((rows, next))
}

/// The open alerts of a patient of a site, for the board.
pub fn open(db: &Connection, site: Uuid, patient: Uuid) -> Result<Vec<AlertRow>, Refusal> {
    all(db, &format!("{SELECT} WHERE a.site = ?1 AND a.patient = ?2 AND a.open = 1"), [key(site), key(patient)], row)
}

fn cursor(text: &str) -> Result<(i64, Uuid), Refusal> {
    let parts = text.split_once('_').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    parts.ok_or_else(|| Refusal::Invalid(format!("cursor = \"{text}\": send `next` of the page before")))
}

fn rank(priority: Priority) -> i64 {
    match priority {
        Priority::Low => 1,
        Priority::Medium => 2,
        Priority::High => 3,
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<AlertRow> {
    Ok(AlertRow {
        id: uuid(row, "id")?,
        gateway: uuid(row, "gateway")?,
        site: uuid(row, "site")?,
        patient: maybe_uuid(row, "patient")?,
        ward: maybe_uuid(row, "ward")?,
        raised_us: row.get("raised_us")?,
    })
}
