//! Which envelopes are held, by identity and hash, and those set aside for a person to judge.

use medmon_core::noun::Envelope;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{Tx, key, maybe};
use crate::refusal::Refusal;

/// The hash under which (install, stream, sequence) is held.
pub fn held(db: &Connection, envelope: &Envelope) -> Result<Option<[u8; 32]>, Refusal> {
    let sql = "SELECT hash FROM envelope WHERE install = ?1 AND stream = ?2 AND sequence = ?3";
    let id = params![key(envelope.install), i64::from(envelope.stream), sequence(envelope)];
    maybe(db, sql, id, |row| row.get(0))
}

/// Takes an envelope as held. Its windows are durable in the vitals store by now.
pub fn hold(tx: &Tx<'_>, gateway: Uuid, envelope: &Envelope, hash: [u8; 32]) -> Result<(), Refusal> {
    tx.db.execute(
        "INSERT INTO envelope (install, stream, sequence, hash, gateway, epoch, sealed_us, received_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            key(envelope.install),
            i64::from(envelope.stream),
            sequence(envelope),
            hash,
            key(gateway),
            envelope.epoch as i64,
            envelope.sealed_us,
            tx.now_us()
        ],
    )?;
    Ok(())
}

/// Sets an envelope aside with all its bytes. The same bytes again change nothing.
pub fn quarantine(tx: &Tx<'_>, gateway: Uuid, sealed: &[u8], hash: [u8; 32], reason: &str) -> Result<(), Refusal> {
    let id = tx.id();
    let added = tx.db.execute(
        "INSERT OR IGNORE INTO quarantine (id, gateway, hash, reason, received_us, envelope)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![key(id), key(gateway), hash, reason, tx.now_us(), sealed],
    )?;
    if added == 1 {
        tx.audit("envelope.quarantine", id, None)?;
        tracing::warn!(%gateway, quarantine = %id, reason, "envelope set aside");
    }
    Ok(())
}

/// SQLite has no unsigned integers. The bits are kept; only equality is asked of them.
fn sequence(envelope: &Envelope) -> i64 {
    envelope.sequence as i64
}
