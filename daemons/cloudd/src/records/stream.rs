//! The ledger as it is kept: a row a stream, written now and then. What came since is in the journal.

use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{all, key, one};
use crate::ledger::{Stream, StreamId};
use crate::refusal::Refusal;

/// All streams.
pub fn load(db: &Connection) -> Result<Vec<(StreamId, Stream)>, Refusal> {
    all(db, "SELECT install, stream, state FROM stream", [], |row| {
        let state = Stream::decode(row.get_ref(2)?.as_blob()?);
        let state = state.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Blob, Box::new(error))
        })?;
        Ok(((Uuid::from_bytes(row.get(0)?), row.get(1)?), state))
    })
}

/// Keeps streams as they are now.
pub fn keep(db: &Connection, streams: &[(StreamId, Vec<u8>)]) -> Result<(), Refusal> {
    let sql = "INSERT INTO stream (install, stream, state) VALUES (?1, ?2, ?3)
               ON CONFLICT (install, stream) DO UPDATE SET state = excluded.state";
    let mut statement = db.prepare_cached(sql)?;
    for ((install, stream), state) in streams {
        statement.execute(params![key(*install), stream, state])?;
    }
    Ok(())
}

/// The largest number that a segment of the journal ever had, as far as was noted: numbers go on above it.
pub fn journal_floor(db: &Connection) -> Result<u64, Refusal> {
    one(db, "SELECT segment FROM cloud", [], |row| row.get::<_, i64>(0).map(|number| number as u64), "cloud", "row")
}

/// Notes a segment's number.
pub fn note_segment(db: &Connection, number: u64) -> Result<(), Refusal> {
    db.execute("UPDATE cloud SET segment = MAX(segment, ?1)", [number as i64])?;
    Ok(())
}

/// Which history this cloud has: another number after it was restored from a backup.
pub fn generation(db: &Connection) -> Result<u64, Refusal> {
    one(db, "SELECT generation FROM cloud", [], |row| row.get::<_, i64>(0).map(|number| number as u64), "cloud", "row")
}
