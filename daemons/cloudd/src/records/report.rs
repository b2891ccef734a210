//! Reports of the care team: written once, never changed.

use medmon_api::event::EventKind;
use medmon_api::report::{MAX_TEXT, NewReport, Report};
use medmon_api::{Page, PageQuery, time};
use medmon_core::noun::Action;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::principal::{cursor, paged};
use super::{Tx, all, key, one, text, uuid, ward};
use crate::refusal::Refusal;

const COLUMNS: &str = "id, patient, kind, text, author, at_us";

/// A patient's reports, newest first.
pub fn list(db: &Connection, patient: Uuid, page: &PageQuery) -> Result<Page<Report>, Refusal> {
    let before = cursor(page)?.unwrap_or(Uuid::max());
    let sql = format!("SELECT {COLUMNS} FROM report WHERE patient = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let items = all(db, &sql, params![key(patient), key(before), i64::from(page.limit()) + 1], report)?;
    Ok(paged(items, page, |report| report.id.to_string()))
}

/// One report of a patient.
pub fn get(db: &Connection, patient: Uuid, id: Uuid) -> Result<Report, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM report WHERE patient = ?1 AND id = ?2");
    one(db, &sql, [key(patient), key(id)], report, "report", id)
}

/// Adds a report.
pub fn add(tx: &Tx<'_>, patient: Uuid, new: &NewReport) -> Result<Report, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteReport, &resource)?;
    if new.text.len() > MAX_TEXT {
        return Err(Refusal::Invalid(format!("text: {} bytes; {MAX_TEXT} at most", new.text.len())));
    }
    let id = tx.id();
    tx.db.execute(
        "INSERT INTO report (id, patient, kind, text, author, principal, at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            key(id),
            key(patient),
            text("kind", &new.kind, 1, 32)?,
            text("text", &new.text, 1, MAX_TEXT)?,
            tx.caller.principal.name,
            key(tx.caller.principal.id),
            tx.now_us()
        ],
    )?;
    tx.audit("report.add", id, Some(patient))?;
    tx.hint(EventKind::Patient, resource, None);
    get(tx.db, patient, id)
}

fn report(row: &Row<'_>) -> rusqlite::Result<Report> {
    Ok(Report {
        id: uuid(row, "id")?,
        patient: uuid(row, "patient")?,
        kind: row.get("kind")?,
        text: row.get("text")?,
        author: row.get("author")?,
        at: time(row.get("at_us")?),
    })
}
