//! Exercises that were asked for: the gateway hears of them with its Settings and texts one contact.
//!
//! What comes of one is no row here but the drill alert that the gateway raises.

use medmon_api::contact::{ContactTest, Drill};
use medmon_api::time;
use medmon_core::noun::{self, Action, UtcUs};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{Tx, all, assignment, contact, gateway, key, maybe, maybe_uuid, uuid, ward};
use crate::refusal::Refusal;

/// How long a gateway may take to hear of it, s, and when nobody says.
const FOR_S: std::ops::RangeInclusive<u32> = 60..=3600;
const DEFAULT_S: u32 = 600;

/// The exercises of a patient that a gateway may still begin.
pub fn open(db: &Connection, patient: Uuid, now_us: UtcUs) -> Result<Vec<noun::Drill>, Refusal> {
    let sql = "SELECT id, contact, until_us FROM drill WHERE patient = ?1 AND until_us > ?2 ORDER BY id";
    all(db, sql, params![key(patient), now_us], |row| {
        let (id, contact) = (uuid(row, "id")?, maybe_uuid(row, "contact")?);
        Ok(noun::Drill { id, contact, until_us: row.get("until_us")? })
    })
}

/// Asks for an exercise with a contact, one at a time.
pub fn ask(tx: &Tx<'_>, patient: Uuid, of: Uuid, test: ContactTest) -> Result<Drill, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteContacts, &resource)?;
    contact::get(tx.db, patient, of)?;
    let for_s = test.for_s.unwrap_or(DEFAULT_S);
    if !FOR_S.contains(&for_s) {
        let (from, to) = FOR_S.into_inner();
        return Err(Refusal::Invalid(format!("for_s = {for_s}: write {from} to {to} seconds")));
    }
    let Some(bound) = assignment::open_of_patient(tx.db, patient)? else {
        let remedy = "no gateway is bound to this patient, so nobody can text; bind one first: medmon patient bind";
        return Err(Refusal::Conflict(remedy.into()));
    };
    let sql = "SELECT until_us FROM drill WHERE patient = ?1 AND contact = ?2 AND until_us > ?3";
    let under_way = maybe(tx.db, sql, params![key(patient), key(of), tx.now_us()], |row| row.get::<_, UtcUs>(0))?;
    if let Some(until_us) = under_way {
        let until = time(until_us);
        return Err(Refusal::Conflict(format!("an exercise with this contact is under way until {until}")));
    }
    let (id, asked_us) = (tx.id(), tx.now_us());
    let until_us = asked_us + i64::from(for_s) * 1_000_000;
    tx.db.execute(
        "INSERT INTO drill (id, patient, contact, asked_us, until_us, principal) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![key(id), key(patient), key(of), asked_us, until_us, key(tx.caller.principal.id)],
    )?;
    tx.audit("contact.test", id, Some(patient))?;
    gateway::settings_changed_of(tx, bound.gateway)?;
    let (asked_at, until) = (time(asked_us), time(until_us));
    Ok(Drill { id, patient, contact: Some(of), gateway: bound.gateway, asked_at, until })
}
