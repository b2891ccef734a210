//! What the board shows of every patient, remembered: an asker reads only what was written since the one before.
//!
//! Of ten thousand patients a board is wanted every few seconds, and a heartbeat arrives every few milliseconds. What is
//! here is what the records have, no more: who may see it, and what age makes of it, is decided at every asking.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use uuid::Uuid;

use super::text::Text;
use crate::records::board::{self, BoardPatient};
use crate::records::changes::{Changes, Note};
use crate::refusal::Refusal;

/// A patient of the board.
#[derive(Debug)]
pub struct Row {
    /// As the records have it.
    pub patient: BoardPatient,
    /// As it was last written for somebody who may see all of it.
    pub text: Mutex<Option<Arc<Text>>>,
}

/// The memory.
#[derive(Debug, Default)]
pub struct Memory {
    /// Held by whoever is about to read: those who wait hold none of the records' few readers.
    pub turn: tokio::sync::Mutex<()>,
    rows: Mutex<Rows>,
}

#[derive(Debug, Default)]
struct Rows {
    /// Everybody was read once.
    filled: bool,
    by_name: BTreeMap<(String, Uuid), Arc<Row>>,
    /// Under which name.
    names: HashMap<Uuid, String>,
}

impl Memory {
    /// The rows of the patients that are `wanted`, by name, as `db` has them now.
    pub fn rows(
        &self,
        db: &Connection,
        changes: &Changes,
        wanted: impl Fn(&BoardPatient) -> bool,
    ) -> Result<Vec<Arc<Row>>, Refusal> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        // In this order: what had ended is in what is read, and what is in it has been noted.
        let ended = changes.ended();
        let reading = db.unchecked_transaction()?;
        if rows.filled {
            // The reading begins with its first statement.
            reading.query_row("SELECT 1 FROM cloud", [], |_| Ok(()))?;
        } else {
            board::ids(&reading)?.into_iter().try_for_each(|id| rows.read(&reading, id))?;
            rows.filled = true;
        }
        for note in changes.noted() {
            match note {
                Note::Patient(id) => rows.read(&reading, id)?,
                Note::Gateway(id) => rows.read_gateway(&reading, id)?,
            }
        }
        changes.let_go(ended);
        Ok(rows.by_name.values().filter(|row| wanted(&row.patient)).cloned().collect())
    }
}

impl Rows {
    fn read(&mut self, db: &Connection, id: Uuid) -> Result<(), Refusal> {
        let patient = board::patient(db, id)?;
        if let Some(name) = self.names.remove(&id) {
            self.by_name.remove(&(name, id));
        }
        if let Some(patient) = patient {
            self.names.insert(id, patient.name.clone());
            self.by_name.insert((patient.name.clone(), id), Arc::new(Row { patient, text: Mutex::default() }));
        }
        Ok(())
    }

    fn read_gateway(&mut self, db: &Connection, id: Uuid) -> Result<(), Refusal> {
        let Some((patient, gateway)) = board::gateway(db, id)? else { return Ok(()) };
        let Some(name) = self.names.get(&patient) else { return Ok(()) };
        if let Some(row) = self.by_name.get_mut(&(name.clone(), patient)) {
            // When it was heard is no part of a row's text.
            let mut before = row.patient.gateway.clone();
            before.iter_mut().for_each(|before| before.last_heard_at = gateway.last_heard_at);
            let patient = BoardPatient { gateway: Some(gateway), ..row.patient.clone() };
            let text = row.text.lock().unwrap_or_else(PoisonError::into_inner).clone();
            let text = text.filter(|_| before == patient.gateway);
            *row = Arc::new(Row { patient, text: Mutex::new(text) });
        }
        Ok(())
    }
}
