//! The records: patients, assignments, contacts, limits, reports, feelings, alert facts, fleet, audit. One file a noun.
//!
//! A write is a closure on a [`Tx`]: checks, rows, audit and the answer kept for its idempotency key are one commit.
//! What it should cause elsewhere (hints, woken long polls) is collected as [`Effect`]s and given back only once that
//! commit is durable. Not for vitals, which have a store of their own.

pub mod alert;
pub mod assignment;
pub mod board;
pub mod changes;
pub mod contact;
pub mod device;
pub mod drill;
pub mod fact;
pub mod feeling;
pub mod forks;
pub mod gateway;
pub mod limits;
pub mod once;
pub mod paging;
pub mod patient;
pub mod principal;
pub mod quarantine;
pub mod report;
pub mod schema;
pub mod segment;
pub mod stream;
pub mod ward;

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use medmon_api::event::EventKind;
use medmon_core::noun::{Action, Principal, Resource, UtcUs, may};
use medmon_kit::sqlite::{self, Database, Options};
use rusqlite::{Connection, OptionalExtension, Params, Row, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::{ContextV7, Timestamp, Uuid};

use self::changes::Changes;
use crate::refusal::Refusal;

/// Who asks, and when: all that a decision needs beside the thing itself.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// When, UTC.
    pub now_us: UtcUs,
}

impl Caller {
    /// Refuses unless the caller may.
    pub fn may(&self, action: Action, resource: &Resource) -> Result<(), Refusal> {
        Ok(may(&self.principal, action, resource, self.now_us)?)
    }

    /// Whether the caller may, where that only chooses what to show.
    pub fn can(&self, action: Action, resource: &Resource) -> bool {
        may(&self.principal, action, resource, self.now_us).is_ok()
    }
}

/// What a committed write causes elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A hint for whoever may see it.
    Hint {
        /// What changed.
        kind: EventKind,
        /// Whose.
        resource: Resource,
        /// Which alert.
        alert: Option<Uuid>,
    },
    /// A gateway has newer Settings or facts to fetch.
    Wake(Uuid),
    /// What is remembered of a gateway or a principal has changed.
    Forget(Uuid),
}

/// A write under way.
pub struct Tx<'c> {
    /// The transaction's connection.
    pub db: &'c Connection,
    /// Who writes.
    pub caller: &'c Caller,
    effects: RefCell<Vec<Effect>>,
    ids: ContextV7,
}

impl<'c> Tx<'c> {
    /// A write of `caller` inside the transaction of `db`.
    pub fn new(db: &'c Connection, caller: &'c Caller) -> Self {
        Self { db, caller, effects: RefCell::default(), ids: ContextV7::new() }
    }

    /// When, UTC.
    pub fn now_us(&self) -> UtcUs {
        self.caller.now_us
    }

    /// A new id; ids of one write sort in the order they were made.
    pub fn id(&self) -> Uuid {
        let now_us = self.now_us().max(0) as u64;
        Uuid::new_v7(Timestamp::from_unix(&self.ids, now_us / 1_000_000, (now_us % 1_000_000 * 1000) as u32))
    }

    /// Says what is done, in the same commit as the doing. `resource` is an opaque id, never a name.
    pub fn audit(&self, action: &str, resource: impl ToString, patient: Option<Uuid>) -> Result<(), Refusal> {
        let who = &self.caller.principal;
        self.db.execute(
            "INSERT INTO audit (id, at_us, site, principal, action, resource, patient)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                key(self.id()),
                self.now_us(),
                key(who.site),
                key(who.id),
                action,
                resource.to_string(),
                patient.map(key)
            ],
        )?;
        Ok(())
    }

    /// Tells screens, once this is durable.
    pub fn hint(&self, kind: EventKind, resource: Resource, alert: Option<Uuid>) {
        self.effects.borrow_mut().push(Effect::Hint { kind, resource, alert });
    }

    /// Wakes a gateway's long polls, once this is durable.
    pub fn wake(&self, gateway: Uuid) {
        self.effects.borrow_mut().push(Effect::Wake(gateway));
    }

    /// Says that what is remembered of a gateway (its install, its assignments, whom they concern) or of a principal
    /// has changed, once this is durable.
    pub fn forget(&self, id: Uuid) {
        self.effects.borrow_mut().push(Effect::Forget(id));
    }

    /// What to cause after the commit.
    pub fn into_effects(self) -> Vec<Effect> {
        self.effects.into_inner()
    }
}

/// The records of this cloud. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Records {
    db: Database,
    /// What the board has to read anew.
    pub changes: Arc<Changes>,
}

impl Records {
    /// Opens or creates the file; a fresh one gets its default site and ward.
    pub async fn open(path: &Path, now_us: UtcUs) -> Result<Self, Refusal> {
        let db = Database::open(path, schema::MIGRATIONS, Options::default())?;
        let changes = Arc::new(Changes::new(db.ended()));
        let noting = Arc::clone(&changes);
        db.write(move |db| noting.watch(db).and_then(|()| ward::ensure_defaults(db, now_us))).await?;
        Ok(Self { db, changes })
    }

    /// Reads.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, Refusal> + Send + 'static,
    {
        self.db.read(work).await
    }

    /// Writes as `caller`, all or nothing; gives the result and what to cause, once durable.
    pub async fn write<T, F>(&self, caller: Caller, work: F) -> Result<(T, Vec<Effect>), Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
    {
        self.db
            .write(move |db| {
                let tx = Tx::new(db, &caller);
                let result = work(&tx)?;
                Ok((result, tx.into_effects()))
            })
            .await
    }
}

impl Records {
    /// Writes what concerns nobody: the cloud's own bookkeeping.
    pub async fn tend<F>(&self, work: F) -> Result<(), Refusal>
    where
        F: FnOnce(&Connection) -> Result<(), Refusal> + Send + 'static,
    {
        self.db.write(work).await
    }
}

/// An id as a column.
pub fn key(id: Uuid) -> [u8; 16] {
    id.into_bytes()
}

/// A column as an id.
pub fn uuid(row: &Row<'_>, column: &str) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A column as an id that may be absent.
pub fn maybe_uuid(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Uuid>> {
    Ok(row.get::<_, Option<[u8; 16]>>(column)?.map(Uuid::from_bytes))
}

/// A unit variant as its word.
pub fn word<T: Serialize>(value: T) -> String {
    serde_json::to_value(value).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A word as its unit variant; one of a newer release is a fault of the file, not a default.
pub fn unword<T: DeserializeOwned>(word: String) -> rusqlite::Result<T> {
    serde_json::from_value(serde_json::Value::String(word)).map_err(foreign)
}

/// JSON in a column.
pub fn json<T: DeserializeOwned>(text: &str) -> rusqlite::Result<T> {
    serde_json::from_str(text).map_err(foreign)
}

fn foreign(error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, Box::new(error))
}

/// The row that `sql` finds, or "no `what` `id`".
pub fn one<T, P: Params>(
    db: &Connection,
    sql: &str,
    params: P,
    map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
    what: &'static str,
    id: impl ToString,
) -> Result<T, Refusal> {
    let found = db.prepare_cached(sql)?.query_row(params, map).optional()?;
    found.ok_or_else(|| Refusal::not_found(what, id))
}

/// The row that `sql` finds, if there is one.
pub fn maybe<T, P: Params>(
    db: &Connection,
    sql: &str,
    params: P,
    map: impl FnOnce(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Option<T>, Refusal> {
    Ok(db.prepare_cached(sql)?.query_row(params, map).optional()?)
}

/// All rows that `sql` finds.
pub fn all<T, P: Params>(
    db: &Connection,
    sql: &str,
    params: P,
    map: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Refusal> {
    let mut statement = db.prepare_cached(sql)?;
    let rows = statement.query_map(params, map)?.collect::<rusqlite::Result<Vec<_>>>()?;
    Ok(rows)
}

/// Refuses unless exactly one row changed: how an expectation speaks up inside a transaction.
pub fn changed_one(changed: usize) -> Result<(), Refusal> {
    Ok(sqlite::expect(1, changed)?)
}

/// The text between two bounds, without surrounding blanks and control characters.
pub fn text(field: &str, value: &str, min: usize, max: usize) -> Result<String, Refusal> {
    let value = value.trim();
    let length = value.chars().count();
    if !(min..=max).contains(&length) {
        return Err(Refusal::Invalid(format!("{field}: {length} letters; write {min} to {max}")));
    }
    if value.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t' | '\r')) {
        return Err(Refusal::Invalid(format!("{field}: has control characters; take them out")));
    }
    Ok(value.to_owned())
}

/// A phone number as E.164 (ITU-T, 2010), with blanks, dots, hyphens and brackets taken out.
pub fn phone(field: &str, value: &str) -> Result<String, Refusal> {
    let number: String = value.chars().filter(|letter| !matches!(letter, ' ' | '.' | '-' | '(' | ')')).collect();
    let digits = number.strip_prefix('+').unwrap_or_default();
    if (7..=15).contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit())
        && !digits.starts_with('0')
    {
        Ok(number)
    } else {
        // The number itself stays out of the answer, which may be logged on the way.
        Err(Refusal::Invalid(format!("{field}: not an international number; write + and 7 to 15 digits")))
    }
}
