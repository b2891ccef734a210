//! Envelopes that were set aside whole, for a person to judge.

use medmon_core::noun::UtcUs;
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, changed_one, key, one, uuid};
use crate::refusal::Refusal;

/// Envelopes of a gateway that wait for a decision at most; more stay at the gateway.
const WAITING: i64 = 2000;

/// An envelope that was set aside.
#[derive(Clone, Debug)]
pub struct Aside {
    /// Identity.
    pub id: Uuid,
    /// Which gateway sent it.
    pub gateway: Uuid,
    /// Why, in words.
    pub reason: String,
    /// When it came.
    pub received_us: UtcUs,
    /// Its bytes.
    pub sealed: Vec<u8>,
    /// What was decided: "released", "dismissed".
    pub decision: Option<String>,
}

/// Sets an envelope aside with all its bytes. The same bytes again change nothing.
pub fn add(tx: &Tx<'_>, gateway: Uuid, sealed: &[u8], hash: [u8; 32], reason: &str) -> Result<(), Refusal> {
    let known = "SELECT EXISTS (SELECT 1 FROM quarantine WHERE gateway = ?1 AND hash = ?2)";
    if tx.db.prepare_cached(known)?.query_row(params![key(gateway), hash], |row| row.get(0))? {
        return Ok(());
    }
    if waiting(tx.db, gateway)? >= WAITING as u64 {
        return Err(Refusal::Busy("as many envelopes of this gateway as may be wait for a decision"));
    }
    let id = tx.id();
    tx.db.execute(
        "INSERT INTO quarantine (id, gateway, hash, reason, received_us, envelope) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![key(id), key(gateway), hash, reason, tx.now_us(), sealed],
    )?;
    tx.audit("envelope.quarantine", id, None)?;
    tracing::warn!(%gateway, quarantine = %id, reason, "envelope set aside");
    Ok(())
}

/// How many wait for a decision.
pub fn waiting(db: &Connection, gateway: Uuid) -> Result<u64, Refusal> {
    let sql = "SELECT COUNT(*) FROM quarantine WHERE gateway = ?1 AND decided_us IS NULL";
    Ok(db.prepare_cached(sql)?.query_row([key(gateway)], |row| row.get::<_, i64>(0))? as u64)
}

/// One of them.
pub fn get(db: &Connection, id: Uuid) -> Result<Aside, Refusal> {
    let sql = "SELECT id, gateway, reason, received_us, envelope, decision FROM quarantine WHERE id = ?1";
    one(db, sql, [key(id)], aside, "quarantined envelope", id)
}

/// Those of a gateway that wait for a decision, oldest first.
pub fn list(db: &Connection, gateway: Uuid) -> Result<Vec<Aside>, Refusal> {
    let sql = "SELECT id, gateway, reason, received_us, envelope, decision FROM quarantine
               WHERE gateway = ?1 AND decided_us IS NULL ORDER BY received_us, id LIMIT 500";
    all(db, sql, [key(gateway)], aside)
}

/// Notes what a person decided. The bytes of what is in a record now go: whoever's vitals are erased later must not live on
/// here. Those of what was dismissed stay.
pub fn decide(tx: &Tx<'_>, id: Uuid, decision: &str, patient: Option<Uuid>) -> Result<(), Refusal> {
    let sql = "UPDATE quarantine SET decided_us = ?2, decision = ?3, principal = ?4,
                                     envelope = CASE WHEN ?5 THEN x'' ELSE envelope END
               WHERE id = ?1 AND decided_us IS NULL";
    let who = key(tx.caller.principal.id);
    let params = params![key(id), tx.now_us(), decision, who, patient.is_some()];
    changed_one(tx.db.execute(sql, params)?)?;
    tx.audit(&format!("envelope.{decision}"), id, patient)
}

fn aside(row: &Row<'_>) -> rusqlite::Result<Aside> {
    Ok(Aside {
        id: uuid(row, "id")?,
        gateway: uuid(row, "gateway")?,
        reason: row.get("reason")?,
        received_us: row.get("received_us")?,
        sealed: row.get("envelope")?,
        decision: row.get("decision")?,
    })
}
