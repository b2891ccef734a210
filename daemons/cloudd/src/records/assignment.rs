//! Assignments: which gateway speaks for which patient. One open per gateway and per patient, by unique indexes.
//!
//! Binding has two phases: `pending` until the gateway's heartbeat names the epoch.

use medmon_api::event::EventKind;
use medmon_api::{assignment as api, time};
use medmon_core::noun::{Action, Assignment, Binding};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, changed_one, gateway, key, maybe, patient, unword, uuid, ward, word};
use crate::refusal::{Refusal, conflict};

const COLUMNS: &str = "epoch, gateway, patient, subject, from_us, to_us, binding";

/// The open assignment of a patient.
pub fn open_of_patient(db: &Connection, patient: Uuid) -> Result<Option<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE patient = ?1 AND to_us IS NULL");
    maybe(db, &sql, [key(patient)], assignment)
}

/// The open assignment of a gateway.
pub fn open_of_gateway(db: &Connection, gateway: Uuid) -> Result<Option<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE gateway = ?1 AND to_us IS NULL");
    maybe(db, &sql, [key(gateway)], assignment)
}

/// The assignment of a gateway under an epoch; another gateway's epoch is nothing to it.
pub fn of_epoch(db: &Connection, gateway: Uuid, epoch: u64) -> Result<Option<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE epoch = ?1 AND gateway = ?2");
    maybe(db, &sql, params![i64::try_from(epoch).unwrap_or(-1), key(gateway)], assignment)
}

/// The assignment under an epoch, of whatever gateway.
pub fn by_epoch(db: &Connection, epoch: u64) -> Result<Option<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE epoch = ?1");
    maybe(db, &sql, [i64::try_from(epoch).unwrap_or(-1)], assignment)
}

/// All assignments of a gateway, newest first.
pub fn of_gateway(db: &Connection, gateway: Uuid) -> Result<Vec<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE gateway = ?1 ORDER BY epoch DESC");
    all(db, &sql, [key(gateway)], assignment)
}

/// All assignments of a patient, newest first.
pub fn list(db: &Connection, patient: Uuid) -> Result<Vec<Assignment>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM assignment WHERE patient = ?1 ORDER BY epoch DESC");
    all(db, &sql, [key(patient)], assignment)
}

/// As people see it: without the subject, which is a label of the vitals store only.
pub fn shown(row: &Assignment) -> api::Assignment {
    api::Assignment {
        epoch: row.epoch,
        gateway: row.gateway,
        patient: row.patient,
        binding: row.binding,
        from: time(row.from_us),
        to: row.to_us.map(time),
    }
}

/// Binds a gateway to a patient.
pub fn bind(tx: &Tx<'_>, patient_id: Uuid, gateway_id: Uuid) -> Result<Assignment, Refusal> {
    let record = patient::get(tx.db, patient_id)?;
    let resource = patient::resource(&record);
    tx.caller.may(Action::Bind, &resource)?;
    if record.archived_at.is_some() {
        return Err(Refusal::Conflict("the record is archived; take it back first: archived = false".into()));
    }
    let box_ = gateway::get(tx.db, gateway_id)?;
    if box_.site != record.site {
        return Err(Refusal::not_found("gateway", gateway_id));
    }
    if box_.revoked_at.is_some() {
        return Err(Refusal::Conflict("the gateway is revoked; add and enrol another".into()));
    }
    // Random, not v7: the label in the vitals store says nothing, not even when it was made.
    let subject = Uuid::new_v4();
    tx.db
        .execute(
            "INSERT INTO assignment (epoch, site, gateway, patient, subject, from_us, binding)
             SELECT MAX(COALESCE(MAX(epoch), 0), (SELECT epoch_floor FROM cloud)) + 1, ?1, ?2, ?3, ?4, ?5, 'pending' FROM assignment",
            params![key(record.site), key(gateway_id), key(patient_id), key(subject), tx.now_us()],
        )
        .map_err(|error| {
            conflict(error, |message| {
                let what = if message.contains("patient") { "patient has a gateway" } else { "gateway has a patient" };
                format!("this {what} already; end that assignment first: medmon patient unbind")
            })
        })?;
    let open = open_of_patient(tx.db, patient_id)?.ok_or_else(|| Refusal::not_found("assignment", patient_id))?;
    tx.audit("assignment.bind", open.epoch, Some(patient_id))?;
    gateway::settings_changed_of(tx, gateway_id)?;
    tx.hint(EventKind::Patient, resource, None);
    Ok(open)
}

/// Ends the open assignment of a patient, now.
pub fn unbind(tx: &Tx<'_>, patient: Uuid) -> Result<Assignment, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::Bind, &resource)?;
    let open = open_of_patient(tx.db, patient)?.ok_or_else(|| Refusal::not_found("open assignment of", patient))?;
    let to_us = tx.now_us().max(open.from_us);
    let sql = "UPDATE assignment SET to_us = ?2, binding = ?3 WHERE epoch = ?1 AND to_us IS NULL";
    changed_one(tx.db.execute(sql, params![open.epoch as i64, to_us, word(Binding::Ended)])?)?;
    tx.audit("assignment.unbind", open.epoch, Some(patient))?;
    gateway::settings_changed_of(tx, open.gateway)?;
    tx.hint(EventKind::Patient, resource, None);
    Ok(Assignment { to_us: Some(to_us), binding: Binding::Ended, ..open })
}

/// The gateway works under `epoch`: its pending assignment is confirmed. An older epoch confirms nothing.
pub fn confirm(tx: &Tx<'_>, gateway: Uuid, epoch: u64) -> Result<(), Refusal> {
    let pending = open_of_gateway(tx.db, gateway)?;
    if let Some(open) = pending.filter(|open| open.epoch == epoch && open.binding == Binding::Pending) {
        let sql = "UPDATE assignment SET binding = ?2 WHERE epoch = ?1 AND to_us IS NULL";
        changed_one(tx.db.execute(sql, params![epoch as i64, word(Binding::Confirmed)])?)?;
        tx.audit("assignment.confirm", epoch, Some(open.patient))?;
        tx.hint(EventKind::Patient, ward::resource_of(tx.db, open.patient)?, None);
    }
    Ok(())
}

fn assignment(row: &Row<'_>) -> rusqlite::Result<Assignment> {
    Ok(Assignment {
        epoch: row.get::<_, i64>("epoch")? as u64,
        gateway: uuid(row, "gateway")?,
        patient: uuid(row, "patient")?,
        subject: uuid(row, "subject")?,
        from_us: row.get("from_us")?,
        to_us: row.get("to_us")?,
        binding: unword(row.get("binding")?)?,
    })
}
