//! What has been written that the board shows, and not been read since.
//!
//! Noted by triggers on the writer's connection, not by those who write: none can forget to. A note is let go only by a
//! reading that began after its write had ended, so that whoever follows the notes has what the records have. One process
//! writes what is watched here: another would have to hold `cloud.lock` (a token made on the command line is not shown).

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::Null;
use uuid::Uuid;

use crate::refusal::Refusal;

/// For each table whose rows the board is made of: what a row of it, old or new, changes.
const WATCHED: &[(&str, &str)] = &[
    ("patient", "patient_changed({row}.id)"),
    ("assignment", "patient_changed({row}.patient)"),
    ("device", "patient_changed({row}.patient)"),
    ("feeling", "patient_changed({row}.patient)"),
    ("alert", "patient_changed({row}.patient)"),
    ("fact", "patient_changed(patient) FROM alert WHERE id = {row}.alert"),
    // An alert names whom it texted: by a contact's id, or by the phone of whoever is on call.
    ("contact", "patient_changed(patient) FROM alert WHERE open = 1"),
    ("ward", "patient_changed(patient) FROM alert WHERE open = 1"),
    // Apart, as every heartbeat writes one.
    ("gateway", "gateway_changed({row}.id)"),
];

/// Which part of the board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Note {
    /// All of a patient.
    Patient(Uuid),
    /// What is shown of a gateway beside its patient.
    Gateway(Uuid),
}

/// The notes.
#[derive(Debug)]
pub struct Changes {
    ended: Arc<AtomicU64>,
    /// How many groups of writes had ended when the last one was made.
    noted: Mutex<HashMap<Note, u64>>,
}

impl Changes {
    /// No notes. `ended`: [`medmon_kit::sqlite::Database::ended`] of the records.
    pub fn new(ended: Arc<AtomicU64>) -> Self {
        Self { ended, noted: Mutex::default() }
    }

    /// Notes all that is written by this connection from now on.
    pub fn watch(self: &Arc<Self>, writer: &Connection) -> Result<(), Refusal> {
        for (name, note) in [("patient_changed", Note::Patient as fn(Uuid) -> Note), ("gateway_changed", Note::Gateway)]
        {
            let changes = Arc::clone(self);
            writer.create_scalar_function(name, 1, FunctionFlags::SQLITE_UTF8, move |row| {
                if let Some(id) = row.get::<Option<[u8; 16]>>(0)? {
                    changes.note(note(Uuid::from_bytes(id)));
                }
                Ok(Null)
            })?;
        }
        for (table, changed) in WATCHED {
            for (event, rows) in [("INSERT", &["NEW"][..]), ("UPDATE", &["OLD", "NEW"]), ("DELETE", &["OLD"])] {
                let says: Vec<String> = rows.iter().map(|row| changed.replace("{row}", row)).collect();
                writer.execute_batch(&format!(
                    "CREATE TEMP TRIGGER {table}_{event}_noted AFTER {event} ON main.{table}
                     BEGIN SELECT {}; END",
                    says.join("; SELECT ")
                ))?;
            }
        }
        Ok(())
    }

    fn notes(&self) -> MutexGuard<'_, HashMap<Note, u64>> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, note: Note) {
        self.notes().insert(note, self.ended());
    }

    /// How many groups of writes have ended. To be asked for before the reading that follows the notes.
    pub fn ended(&self) -> u64 {
        self.ended.load(Ordering::Acquire)
    }

    /// All notes; to be taken after the reading has begun. What is being written may be among them.
    pub fn noted(&self) -> Vec<Note> {
        self.notes().keys().copied().collect()
    }

    /// Lets go what was noted while fewer groups than `ended` had ended: it has been read.
    pub fn let_go(&self, ended: u64) {
        self.notes().retain(|_, at| *at >= ended);
    }
}
