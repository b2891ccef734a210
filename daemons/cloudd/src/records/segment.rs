//! Segments as they came: sealed bytes by alert and part. What is in them: `crate::segments`.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{Tx, all, key, maybe, one};
use crate::refusal::Refusal;

/// The bytes of a part that is held.
pub fn held(db: &Connection, alert: Uuid, part: u64) -> Result<Option<Vec<u8>>, Refusal> {
    let sql = "SELECT body FROM segment WHERE alert = ?1 AND part = ?2";
    maybe(db, sql, params![key(alert), part as i64], |row| row.get(0))
}

/// How many parts of an alert there are.
pub fn count(db: &Connection, alert: Uuid) -> Result<i64, Refusal> {
    one(db, "SELECT count(*) FROM segment WHERE alert = ?1", [key(alert)], |row| row.get(0), "alert", alert)
}

/// Keeps a part.
pub fn hold(tx: &Tx<'_>, gateway: Uuid, alert: Uuid, part: u64, sealed: &[u8]) -> Result<(), Refusal> {
    tx.db.execute(
        "INSERT INTO segment (alert, part, gateway, body, received_us) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![key(alert), part as i64, key(gateway), sealed, tx.now_us()],
    )?;
    Ok(())
}

/// All parts of an alert.
pub fn parts(db: &Connection, alert: Uuid) -> Result<Vec<Vec<u8>>, Refusal> {
    all(db, "SELECT body FROM segment WHERE alert = ?1 ORDER BY part", [key(alert)], |row| row.get(0))
}
