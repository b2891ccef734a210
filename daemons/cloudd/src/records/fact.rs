//! Facts: a union by id that never forgets. What they amount to: `alert` and core's fold.

use std::collections::HashMap;

use medmon_core::noun::{Alert, Fact, FactKind, UtcUs};
use rusqlite::{Connection, params};
use serde_json::Value;
use uuid::Uuid;

use super::{Tx, all, json, key, maybe, one, uuid};
use crate::refusal::Refusal;

/// The author of what the cloud itself says.
pub const CLOUD: &str = "cloud";

/// Who told a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The gateway the alert belongs to.
    Gateway,
    /// Somebody of the ward by the API, or the cloud itself: goes down to the gateway.
    Ward,
}

impl Origin {
    fn word(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Ward => "ward",
        }
    }
}

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It is new.
    New,
    /// It was there.
    Known,
    /// Its id was there with another content; the first one stays.
    Differs,
}

/// Takes a fact in. `body` is the fact as it came, so that what a newer release says is kept whole.
pub fn take(tx: &Tx<'_>, gateway: Uuid, origin: Origin, fact: &Fact, body: &Value) -> Result<Taken, Refusal> {
    let before = maybe(tx.db, "SELECT body FROM fact WHERE id = ?1", [key(fact.id)], |row| row.get::<_, String>(0))?;
    if let Some(before) = before {
        // As facts, not as texts: a gateway tells a ward's fact back without the fields it does not know.
        let same = json::<Fact>(&before)? == *fact;
        return Ok(if same { Taken::Known } else { Taken::Differs });
    }
    tx.db.execute(
        "INSERT INTO fact (id, seq, alert, gateway, origin, at_us, received_us, body)
         SELECT ?1, MAX(COALESCE(MAX(seq), 0), (SELECT fact_floor FROM cloud)) + 1, ?2, ?3, ?4, ?5, ?6, ?7 FROM fact",
        params![key(fact.id), key(fact.alert), key(gateway), origin.word(), fact.at_us, tx.now_us(), body.to_string()],
    )?;
    Ok(Taken::New)
}

/// The alert that its facts make.
pub fn fold(db: &Connection, alert: Uuid) -> Result<Alert, Refusal> {
    let facts =
        all(db, "SELECT body FROM fact WHERE alert = ?1", [key(alert)], |row| json::<Fact>(&row.get::<_, String>(0)?))?;
    Ok(Alert::fold(alert, facts))
}

/// Facts for a gateway from elsewhere, after a cursor, and the cursor behind them.
pub fn down(db: &Connection, gateway: Uuid, after: u64, limit: u32) -> Result<(Vec<Fact>, u64), Refusal> {
    // One that this cloud never gave is of before it was restored from a backup: it would hide what is said now.
    let after = if after > cursor(db, gateway)? { 0 } else { i64::try_from(after).unwrap_or(i64::MAX) };
    let sql = "SELECT seq, body FROM fact WHERE gateway = ?1 AND origin = 'ward' AND seq > ?2 ORDER BY seq LIMIT ?3";
    let rows = all(db, sql, params![key(gateway), after, limit], |row| {
        Ok((row.get::<_, i64>(0)?, json::<Fact>(&row.get::<_, String>(1)?)?))
    })?;
    let cursor = rows.last().map_or(after, |(seq, _)| *seq);
    Ok((rows.into_iter().map(|(_, fact)| fact).collect(), cursor as u64))
}

/// Facts from elsewhere about a gateway's open alerts, whatever their cursor.
pub fn down_open(db: &Connection, gateway: Uuid) -> Result<Vec<Fact>, Refusal> {
    let sql = "SELECT f.body FROM fact f JOIN alert a ON a.id = f.alert
               WHERE a.gateway = ?1 AND a.open = 1 AND f.origin = 'ward' ORDER BY f.seq";
    all(db, sql, [key(gateway)], |row| json(&row.get::<_, String>(0)?))
}

/// The newest cursor of a gateway.
pub fn cursor(db: &Connection, gateway: Uuid) -> Result<u64, Refusal> {
    let sql = "SELECT COALESCE(MAX(seq), 0) FROM fact WHERE gateway = ?1 AND origin = 'ward'";
    one(db, sql, [key(gateway)], |row| row.get::<_, i64>(0).map(|seq| seq as u64), "gateway", gateway)
}

/// What became of the cloud's own texts is dated by its own clock: the ladder counts from it, and nothing is asked again
/// because of it.
fn by_our_clock(fact: &Fact) -> bool {
    fact.author == CLOUD && matches!(fact.kind, FactKind::Notified { .. } | FactKind::Delivered { .. })
}

/// How a fact of the ward is dated among those of the home: right after what the ward knew.
///
/// Not by this clock: a home that was cut off may have worsened before the ward acknowledged, and tells it only after;
/// that must ask again. Homes' clocks differ, too. When it was really said: [`said`].
pub fn after_newest(alert: &Alert, now_us: UtcUs) -> UtcUs {
    let newest = alert.facts().rev().find(|fact| !by_our_clock(fact));
    newest.map_or(now_us, |newest| newest.at_us.saturating_add(1))
}

/// When the ward said its facts about an alert, by this clock.
pub fn said(db: &Connection, alert: Uuid) -> Result<HashMap<Uuid, UtcUs>, Refusal> {
    let sql = "SELECT id, received_us FROM fact WHERE alert = ?1 AND origin = 'ward'";
    let rows = all(db, sql, [key(alert)], |row| Ok((uuid(row, "id")?, row.get("received_us")?)))?;
    Ok(rows.into_iter().collect())
}
