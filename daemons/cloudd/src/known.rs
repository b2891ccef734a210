//! What is remembered of callers and gateways, so that an envelope costs no look into the records.
//!
//! A write that changes it says so ([`Tx::forget`](crate::records::Tx::forget)), and it is read anew. One process writes
//! these records; what another adds (a token made on the command line) is unknown here, which is never remembered.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use medmon_core::noun::{Assignment, Principal, Resource};
use rusqlite::Connection;
use uuid::Uuid;

use crate::erase;
use crate::records::{Records, assignment, gateway, principal, ward};
use crate::refusal::Refusal;

/// A gateway, as ingest asks for it.
#[derive(Clone, Debug)]
pub struct Home {
    /// The install that it enrolled with.
    pub install: Option<Uuid>,
    /// Two boxes have that install: nothing of it is believed.
    pub frozen: bool,
    /// Its assignments, newest first, and whom each concerns.
    pub assignments: Vec<(Assignment, Resource)>,
    /// Subjects of those whose vitals were erased: nothing more is taken for them.
    pub erased: HashSet<Uuid>,
}

impl Home {
    /// As the records have it.
    pub fn read(db: &Connection, id: Uuid) -> Result<Self, Refusal> {
        let (install, frozen) = gateway::install(db, id)?;
        let rows = assignment::of_gateway(db, id)?;
        let mut erased = HashSet::new();
        for row in &rows {
            if erase::is_erased(db, row.subject)? {
                erased.insert(row.subject);
            }
        }
        let concerns = |row: Assignment| Ok((row.clone(), ward::resource_of(db, row.patient)?));
        let assignments = rows.into_iter().map(concerns).collect::<Result<_, Refusal>>()?;
        Ok(Self { install, frozen, assignments, erased })
    }

    /// The assignment under an epoch.
    pub fn of_epoch(&self, epoch: u64) -> Option<&(Assignment, Resource)> {
        self.assignments.iter().find(|(row, _)| row.epoch == epoch)
    }
}

/// The memory.
#[derive(Debug, Default)]
pub struct Known(Mutex<Memory>);

#[derive(Debug, Default)]
struct Memory {
    /// Grows with every change: what was read before it is not remembered after it.
    changes: u64,
    homes: HashMap<Uuid, Arc<Home>>,
    callers: HashMap<[u8; 32], Principal>,
}

impl Known {
    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A gateway.
    pub async fn home(&self, records: &Records, id: Uuid) -> Result<Arc<Home>, Refusal> {
        let changes = {
            let memory = self.memory();
            if let Some(home) = memory.homes.get(&id) {
                return Ok(Arc::clone(home));
            }
            memory.changes
        };
        let home = Arc::new(records.read(move |db| Home::read(db, id)).await?);
        let mut memory = self.memory();
        if memory.changes == changes {
            memory.homes.insert(id, Arc::clone(&home));
        }
        Ok(home)
    }

    /// The principal behind a token's hash, if it is not revoked. Its end is for the caller to look at.
    pub async fn principal(&self, records: &Records, hash: [u8; 32]) -> Result<Option<Principal>, Refusal> {
        let changes = {
            let memory = self.memory();
            if let Some(principal) = memory.callers.get(&hash) {
                return Ok(Some(principal.clone()));
            }
            memory.changes
        };
        let found = records.read(move |db| principal::by_hash(db, &hash)).await?;
        let mut memory = self.memory();
        if let Some(principal) = found.as_ref().filter(|_| memory.changes == changes) {
            memory.callers.insert(hash, principal.clone());
        }
        Ok(found)
    }

    /// Forgets a gateway with its token, or a principal.
    pub fn forget(&self, id: Uuid) {
        let mut memory = self.memory();
        memory.changes += 1;
        memory.homes.remove(&id);
        memory.callers.retain(|_, principal| principal.id != id && principal.gateway != Some(id));
    }
}
