//! The outbox's file: one table of texts, and the statements on it.

use medmon_kit::sqlite;
use rusqlite::{Connection, OptionalExtension, named_params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Row;

pub const MIGRATIONS: &[&str] = &["
    CREATE TABLE text (
        id INTEGER PRIMARY KEY,
        alert TEXT NOT NULL,
        contact TEXT NOT NULL,
        reason TEXT NOT NULL,
        step INTEGER NOT NULL,
        recipient TEXT NOT NULL,
        body TEXT NOT NULL,
        code TEXT NOT NULL,
        state TEXT NOT NULL,
        attempts INTEGER NOT NULL,
        doubts INTEGER NOT NULL,
        reference TEXT,
        note TEXT,
        created_us INTEGER NOT NULL,
        submitted_us INTEGER,
        delivered_us INTEGER,
        next_mono_us INTEGER NOT NULL,
        UNIQUE (alert, contact, reason, step)
    ) STRICT;
    CREATE INDEX text_state ON text (state, id);
    CREATE INDEX text_reference ON text (reference);
"];

/// One word for one state, as in JSON.
fn word<T: Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

fn from_word<T: for<'de> Deserialize<'de>>(column: usize, word: String) -> rusqlite::Result<T> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}

const COLUMNS: &str = "id, alert, contact, recipient, body, code, reason, step, state, attempts, note, created_us, \
    submitted_us, delivered_us, doubts, reference, next_mono_us";

fn read_row(row: &rusqlite::Row<'_>) -> rusqlite::Result<Row> {
    Ok(Row {
        id: row.get(0)?,
        alert: from_word(1, row.get(1)?)?,
        contact: from_word(2, row.get(2)?)?,
        to: row.get(3)?,
        text: row.get(4)?,
        code: row.get(5)?,
        reason: from_word(6, row.get(6)?)?,
        step: row.get(7)?,
        state: from_word(8, row.get(8)?)?,
        attempts: row.get(9)?,
        note: row.get(10)?,
        created_us: row.get(11)?,
        submitted_us: row.get(12)?,
        delivered_us: row.get(13)?,
        doubts: row.get(14)?,
        reference: row.get(15)?,
        next_mono_us: row.get(16)?,
    })
}

/// The id, or `None` if it was there. One that was taken back is as if it had never been.
pub fn insert(db: &Connection, row: &Row) -> Result<Option<i64>, sqlite::Error> {
    let added = db.query_row(
        "INSERT INTO text (alert, contact, reason, step, recipient, body, code, state, attempts, doubts, created_us,
             next_mono_us)
         VALUES (:alert, :contact, :reason, :step, :to, :text, :code, :state, 0, 0, :created_us, :next_mono_us)
         ON CONFLICT (alert, contact, reason, step) DO UPDATE
             SET recipient = excluded.recipient, body = excluded.body, state = excluded.state, note = NULL,
                 attempts = 0, created_us = excluded.created_us, next_mono_us = excluded.next_mono_us
             WHERE state = 'withdrawn'
         RETURNING id",
        named_params! {
            ":alert": word(row.alert), ":contact": word(row.contact), ":reason": word(row.reason), ":step": row.step,
            ":to": row.to, ":text": row.text, ":code": row.code, ":state": word(row.state),
            ":created_us": row.created_us, ":next_mono_us": row.next_mono_us,
        },
        |row| row.get(0),
    );
    Ok(added.optional()?)
}

fn update(db: &Connection, row: &Row) -> Result<(), sqlite::Error> {
    let changed = db.execute(
        "UPDATE text SET state = :state, attempts = :attempts, doubts = :doubts, reference = :reference, note = :note,
             submitted_us = :submitted_us, delivered_us = :delivered_us, next_mono_us = :next_mono_us,
             recipient = :to, body = :text, code = :code, created_us = :created_us
         WHERE id = :id",
        named_params! {
            ":to": row.to, ":text": row.text, ":code": row.code, ":created_us": row.created_us, ":id": row.id, ":state": word(row.state), ":attempts": row.attempts, ":doubts": row.doubts,
            ":reference": row.reference, ":note": row.note, ":submitted_us": row.submitted_us,
            ":delivered_us": row.delivered_us, ":next_mono_us": row.next_mono_us,
        },
    )?;
    sqlite::expect(1, changed)
}

/// The row as it now stands, whether the disk has it already, by whatever id, or not.
pub fn settle(db: &Connection, row: &Row) -> Result<(), sqlite::Error> {
    let known = db
        .query_row(
            "SELECT id FROM text WHERE alert = ?1 AND contact = ?2 AND reason = ?3 AND step = ?4",
            (word(row.alert), word(row.contact), word(row.reason), row.step),
            |row| row.get(0),
        )
        .optional()?;
    let id = match known {
        Some(id) => id,
        None => insert(db, row)?.unwrap_or_default(),
    };
    update(db, &Row { id, ..row.clone() })
}

pub fn waiting(db: &Connection) -> Result<Vec<Row>, sqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM text WHERE state IN ('queued', 'maybe_sent') ORDER BY id");
    let mut select = db.prepare_cached(&sql)?;
    Ok(select.query_map([], read_row)?.collect::<Result<_, _>>()?)
}

pub fn by_reference(db: &Connection, reference: &str) -> Result<Option<Row>, sqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM text WHERE reference = ?1 ORDER BY submitted_us DESC, id DESC LIMIT 1");
    Ok(db.query_row(&sql, [reference], read_row).optional()?)
}

pub fn newest(db: &Connection, most: u32) -> Result<Vec<Row>, sqlite::Error> {
    let sql = format!("SELECT {COLUMNS} FROM text ORDER BY id DESC LIMIT ?1");
    let mut select = db.prepare_cached(&sql)?;
    Ok(select.query_map([most], read_row)?.collect::<Result<_, _>>()?)
}

/// Deletes the texts of alerts that are over for long; `open` is a JSON array of alerts that are not. What is about no
/// alert (the nil one: self-tests, replies) goes by its own age. How many.
pub fn trim(db: &Connection, before_us: i64, open: &str) -> Result<usize, sqlite::Error> {
    Ok(db.execute(
        "DELETE FROM text WHERE alert IN (
             SELECT alert FROM text GROUP BY alert
             HAVING max(created_us) < ?1 AND sum(state IN ('queued', 'maybe_sent') AND doubts < ?3) = 0
         ) AND alert NOT IN (SELECT value FROM json_each(?2))
         OR alert = ?4 AND created_us < ?1 AND NOT (state IN ('queued', 'maybe_sent') AND doubts < ?3)",
        (before_us, open, super::DOUBTS_MAX, word(Uuid::nil())),
    )?)
}
