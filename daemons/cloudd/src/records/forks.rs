//! A gateway whose install id two boxes have: an SD card was copied or restored. The technical alert of it, from here,
//! for neither box can know.

use medmon_core::noun::alert::Raised;
use medmon_core::noun::{Class, Condition, Direction, Fact, FactKind, Ieee, ReadingId, Technical};
use rusqlite::Connection;
use uuid::Uuid;

use super::fact::{self, CLOUD};
use super::{Tx, alert, gateway, paging};
use crate::refusal::Refusal;

/// What every reason begins with for which an envelope of such a gateway is set aside.
pub const REASON: &str = "forked";

/// Freezes a gateway and tells the ward; what is frozen already changes nothing.
pub fn begin(tx: &Tx<'_>, id: Uuid, number: u64) -> Result<(), Refusal> {
    if !gateway::freeze(tx, id)? {
        return Ok(());
    }
    let row = gateway::get(tx.db, id)?;
    let about = alert_of(id, row.install);
    let priority = Technical::of(Condition::Forked).map_or(medmon_core::noun::Priority::Medium, |row| row.priority);
    let raised = Raised {
        epoch: row.epoch,
        vital: medmon_core::noun::Vital::GATEWAY,
        direction: Direction::Absent,
        condition: Condition::Forked,
        class: Class::Technical,
        priority,
        onset_us: tx.now_us(),
        device: Ieee(0),
        reading: ReadingId { boot: 0, sequence: 0 },
        completed_us: tx.now_us(),
        settings_version: gateway::settings_version(tx.db, id)?,
        explanation: format!("envelope {number} came with two contents"),
        contact: None,
    };
    alert::ensure(tx, about, id, row.site)?;
    let alert_row = alert::get(tx.db, about)?;
    tracing::warn!(gateway = %id, number, "two boxes send under one install id; frozen");
    paging::say(tx, &alert_row, &Fact::of(CLOUD, about, "raised", tx.now_us(), FactKind::Raised(raised)))
}

/// The gateway enrolled with an install of its own.
pub fn end(tx: &Tx<'_>, id: Uuid) -> Result<(), Refusal> {
    let about = alert_of(id, gateway::get(tx.db, id)?.install);
    if !known(tx.db, about)? {
        return Ok(());
    }
    let row = alert::get(tx.db, about)?;
    let at_us = fact::after_newest(&fact::fold(tx.db, about)?, tx.now_us());
    paging::say(tx, &row, &Fact::of(CLOUD, about, "cleared", at_us, FactKind::Cleared))
}

fn known(db: &Connection, alert: Uuid) -> Result<bool, Refusal> {
    Ok(alert::owner(db, alert)?.is_some())
}

fn alert_of(gateway: Uuid, install: Option<Uuid>) -> Uuid {
    Uuid::new_v5(&gateway, install.unwrap_or_default().as_bytes())
}
