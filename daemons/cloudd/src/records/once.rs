//! Idempotency keys: the same key and request get the same answer and have one effect.

use medmon_core::noun::UtcUs;
use rusqlite::params;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Tx, key, maybe};
use crate::refusal::Refusal;

/// How long an answer is kept: longer than a laptop stays offline with a report in its outbox.
const KEEP_US: UtcUs = 14 * 86_400 * 1_000_000;
/// Letters of a key at most.
pub const MAX_KEY: usize = 128;

/// A key and the hash of the request it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Once {
    /// As the caller made it.
    pub key: String,
    /// Of method, path and body.
    pub request_hash: [u8; 32],
}

impl Once {
    /// The key for a request.
    pub fn new(key: String, method: &str, path: &str, body: &[u8]) -> Self {
        let mut hash = Sha256::new();
        for part in [method.as_bytes(), path.as_bytes(), body] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self { key, request_hash: hash.finalize().into() }
    }
}

/// What goes back to the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// JSON; empty for 204.
    pub body: String,
}

/// Whether an answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Yes.
    Body,
    /// It has a secret in it, which is shown once.
    Secret,
}

/// Runs `work` unless `once` was answered already, and keeps its answer in the same commit.
pub fn run<T: Serialize>(
    tx: &Tx<'_>,
    once: Option<&Once>,
    status: u16,
    keep: Keep,
    work: impl FnOnce(&Tx<'_>) -> Result<T, Refusal>,
) -> Result<Answer, Refusal> {
    let principal = key(tx.caller.principal.id);
    if let Some(once) = once {
        let before = maybe(
            tx.db,
            "SELECT request_hash, status, body FROM answered WHERE principal = ?1 AND key = ?2",
            params![principal, once.key],
            |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<String>>(2)?)),
        )?;
        match before {
            Some((hash, ..)) if hash != once.request_hash => return Err(Refusal::KeyReused),
            Some((_, _, None)) => {
                let remedy = "done already, and its secret is shown only once; revoke what was made and make another";
                return Err(Refusal::Conflict(remedy.into()));
            }
            Some((_, status, Some(body))) => return Ok(Answer { status: status as u16, body }),
            None => {}
        }
    }
    let result = work(tx)?;
    let body = if status == 204 { String::new() } else { serde_json::to_string(&result).map_err(Refusal::internal)? };
    if let Some(once) = once {
        tx.db.execute("DELETE FROM answered WHERE at_us < ?1", [tx.now_us() - KEEP_US])?;
        tx.db.execute(
            "INSERT INTO answered (principal, key, request_hash, status, body, at_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                principal,
                once.key,
                once.request_hash,
                i64::from(status),
                (keep == Keep::Body).then_some(&body),
                tx.now_us()
            ],
        )?;
    }
    Ok(Answer { status, body })
}
