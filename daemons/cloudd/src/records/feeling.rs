//! Feelings: how the patient says they are.

use medmon_api::event::EventKind;
use medmon_api::feeling::{Feeling, NewFeeling};
use medmon_api::{Page, PageQuery, time};
use medmon_core::noun::Action;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::principal::{cursor, paged};
use super::{Tx, all, key, maybe, one, text, uuid, ward};
use crate::refusal::Refusal;

const COLUMNS: &str = "id, patient, mood, pain, text, author, at_us";
/// Letters of a feeling's text at most.
const MAX_TEXT: usize = 4000;

/// A patient's feelings, newest first.
pub fn list(db: &Connection, patient: Uuid, page: &PageQuery) -> Result<Page<Feeling>, Refusal> {
    let before = cursor(page)?.unwrap_or(Uuid::max());
    let sql = format!("SELECT {COLUMNS} FROM feeling WHERE patient = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let items = all(db, &sql, params![key(patient), key(before), i64::from(page.limit()) + 1], feeling)?;
    Ok(paged(items, page, |feeling| feeling.id.to_string()))
}

/// The newest feeling of a patient.
pub fn newest(db: &Connection, patient: Uuid) -> Result<Option<Feeling>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM feeling WHERE patient = ?1 ORDER BY id DESC LIMIT 1");
    maybe(db, &sql, [key(patient)], feeling)
}

/// Adds a feeling.
pub fn add(tx: &Tx<'_>, patient: Uuid, new: &NewFeeling) -> Result<Feeling, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::AddFeeling, &resource)?;
    if !(1..=5).contains(&new.mood) {
        return Err(Refusal::Invalid(format!("mood = {}: write 1 (bad) to 5 (good)", new.mood)));
    }
    if let Some(pain) = new.pain.filter(|pain| *pain > 10) {
        return Err(Refusal::Invalid(format!("pain = {pain}: write 0 (none) to 10 (worst)")));
    }
    let id = tx.id();
    tx.db.execute(
        "INSERT INTO feeling (id, patient, mood, pain, text, author, principal, at_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key(id),
            key(patient),
            new.mood,
            new.pain,
            text("text", &new.text, 0, MAX_TEXT)?,
            tx.caller.principal.name,
            key(tx.caller.principal.id),
            tx.now_us()
        ],
    )?;
    tx.audit("feeling.add", id, Some(patient))?;
    tx.hint(EventKind::Patient, resource, None);
    one(tx.db, &format!("SELECT {COLUMNS} FROM feeling WHERE id = ?1"), [key(id)], feeling, "feeling", id)
}

fn feeling(row: &Row<'_>) -> rusqlite::Result<Feeling> {
    Ok(Feeling {
        id: uuid(row, "id")?,
        patient: uuid(row, "patient")?,
        mood: row.get("mood")?,
        pain: row.get("pain")?,
        text: row.get("text")?,
        author: row.get("author")?,
        at: time(row.get("at_us")?),
    })
}
