//! Erasing a patient's vitals for good: said in the records first, then done in the journal and the store; what a kill
//! leaves half done is done at the next start.

use medmon_core::noun::Action;
use rusqlite::{Connection, params};
use std::collections::HashSet;
use std::time::Duration;
use uuid::Uuid;

use crate::records::{Caller, Tx, all, assignment, key, ward};
use crate::refusal::Refusal;
use crate::vitals::VitalsError;
use crate::{Cloud, backup};

/// Erases what is kept of a patient's vitals. The patient must not be bound: more would come.
pub async fn vitals(cloud: &Cloud, caller: Caller, patient: Uuid) -> Result<(), Refusal> {
    let gateways = cloud.write(caller, move |tx| say(tx, patient)).await?;
    // What was judged before it was said is kept by now; what comes after is not taken any more.
    for gateway in gateways {
        drop(cloud.turns.of(gateway).lock().await);
    }
    finish(cloud).await
}

/// Whether the vitals of an assignment were erased, or are about to be.
pub fn is_erased(db: &Connection, subject: Uuid) -> Result<bool, Refusal> {
    let sql = "SELECT EXISTS (SELECT 1 FROM erasing WHERE subject = ?1)";
    Ok(db.prepare_cached(sql)?.query_row([key(subject)], |row| row.get(0))?)
}

/// All whose vitals were erased, or are about to be.
pub fn erased(db: &Connection) -> Result<HashSet<Uuid>, Refusal> {
    Ok(all(db, "SELECT subject FROM erasing", [], |row| row.get(0).map(Uuid::from_bytes))?.into_iter().collect())
}

/// Gives the gateways that may bring more.
fn say(tx: &Tx<'_>, patient: Uuid) -> Result<Vec<Uuid>, Refusal> {
    tx.caller.may(Action::WritePatient, &ward::resource_of(tx.db, patient)?)?;
    let rows = assignment::list(tx.db, patient)?;
    if rows.iter().any(|row| row.to_us.is_none()) {
        let remedy = "the patient is bound to a gateway, more would come; unbind first: medmon patient unbind";
        return Err(Refusal::Conflict(remedy.into()));
    }
    for row in &rows {
        let sql = "INSERT INTO erasing (subject, asked_us) VALUES (?1, ?2) ON CONFLICT (subject) DO UPDATE SET done_us = NULL";
        tx.db.execute(sql, params![key(row.subject), tx.now_us()])?;
        tx.forget(row.gateway);
    }
    tx.audit("vitals.erase", patient, Some(patient))?;
    Ok(rows.into_iter().map(|row| row.gateway).collect())
}

/// Does what was said and is not done: at a start, after each saying, and now and then.
pub async fn finish(cloud: &Cloud) -> Result<(), Refusal> {
    let subjects = |db: &Connection| {
        let sql = "SELECT subject FROM erasing WHERE done_us IS NULL";
        all(db, sql, [], |row| row.get(0).map(Uuid::from_bytes))
    };
    let subjects = cloud.records.read(subjects).await?;
    if subjects.is_empty() {
        return Ok(());
    }
    let busy = || Refusal::Busy("a backup is being taken; the vitals are erased after it");
    let _tending = backup::tending(&cloud.data_dir).map_err(Refusal::internal)?.ok_or_else(busy)?;
    let refuse = |error: VitalsError| match error {
        VitalsError::Busy => Refusal::Busy("the vitals store is busy"),
        error @ VitalsError::Store(_) => Refusal::internal(error),
    };
    // What the journal holds of them goes through the store, and with that away.
    let (store, now) = (cloud.vitals.as_ref(), cloud.clock.mono_us());
    cloud.journal.tend(&cloud.records, store, Duration::ZERO, now).await.map_err(refuse)?;
    // One that cannot be erased everywhere yet does not keep the others.
    let mut first = Ok(());
    for subject in subjects {
        if let Err(error) = cloud.vitals.erase(subject).await {
            first = first.and(Err(refuse(error)));
            continue;
        }
        let now_us = cloud.clock.utc_us();
        let done = move |db: &Connection| {
            db.execute("UPDATE erasing SET done_us = ?2 WHERE subject = ?1", params![key(subject), now_us])?;
            Ok(())
        };
        cloud.records.tend(done).await?;
    }
    first
}
