//! The lease of the pager: which alerts somebody has to page for, and whether that is the gateway or the cloud.
//!
//! Not for: whom to text (core's ladder), nor texting (escalate).

use medmon_api::event::EventKind;
use medmon_core::ladder::{self, LEASE_US};
use medmon_core::noun::{Alert, Fact, FactKind, Principal, Role, Settings, UtcUs};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::alert::{self, AlertRow};
use super::fact::{self, CLOUD, Origin, Taken};
use super::{Caller, Tx, all, assignment, key, one, uuid};
use crate::refusal::Refusal;
use crate::settings;

/// What is dated later than this from now is from before the clock was set back.
const AHEAD_US: UtcUs = 2_000_000;
/// Closed alerts whose texts still count for an hour's most.
const LATELY_US: UtcUs = 2 * 3_600_000_000;

/// An alert that somebody has to page for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// Which.
    pub alert: Uuid,
    /// Of which gateway.
    pub gateway: Uuid,
    /// Of which site.
    pub site: Uuid,
    /// Whether the cloud pages.
    pub taken: bool,
    /// Whether the gateway has its lease.
    pub leased: bool,
}

/// What the ladder of one home needs.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// As the gateway has them.
    pub settings: Settings,
    /// Its patient's alerts: open ones, and those of the last hours.
    pub alerts: Vec<Alert>,
}

/// The cloud as the one who writes.
pub fn cloud(site: Uuid, now_us: UtcUs) -> Caller {
    let (id, name, role) = (Uuid::nil(), CLOUD.to_owned(), Role::Admin);
    let principal = Principal { id, name, role, site, ward: None, patient: None, gateway: None, expires_us: None };
    Caller { principal, now_us }
}

/// Whether a gateway that last proved at `pages_us` that it can page has its lease.
fn leased(pages_us: Option<UtcUs>, now_us: UtcUs) -> bool {
    pages_us.is_some_and(|at| now_us - LEASE_US < at && at <= now_us + AHEAD_US)
}

/// Alerts that the cloud pages for, and those of gateways without a lease.
pub fn watched(db: &Connection, now_us: UtcUs) -> Result<Vec<Watched>, Refusal> {
    let sql = "SELECT a.id, a.gateway, a.site, a.pages, g.pages_us FROM alert a JOIN gateway g ON g.id = a.gateway
               WHERE a.pages > 0 AND a.patient IS NOT NULL AND (a.pages = 2 OR g.pages_us IS NULL OR g.pages_us NOT BETWEEN ?1 AND ?2)
               ORDER BY a.gateway, a.id";
    all(db, sql, [now_us - LEASE_US + 1, now_us + AHEAD_US], |row| watched_row(row, now_us))
}

fn watched_row(row: &Row<'_>, now_us: UtcUs) -> rusqlite::Result<Watched> {
    Ok(Watched {
        alert: uuid(row, "id")?,
        gateway: uuid(row, "gateway")?,
        site: uuid(row, "site")?,
        taken: row.get::<_, i64>("pages")? == 2,
        leased: leased(row.get("pages_us")?, now_us),
    })
}

/// The paging for an alert goes to the cloud, or back to the gateway, if that is still right; whether it did.
pub fn hand_over(tx: &Tx<'_>, id: Uuid) -> Result<bool, Refusal> {
    let now_us = tx.now_us();
    let sql = "SELECT a.id, a.gateway, a.site, a.pages, g.pages_us FROM alert a JOIN gateway g ON g.id = a.gateway
               WHERE a.id = ?1";
    let now = one(tx.db, sql, [key(id)], |row| watched_row(row, now_us), "alert", id)?;
    let row = alert::refold(tx, id)?;
    let alert = fact::fold(tx.db, id)?;
    let silenced = ladder::silenced(&alert, now_us);
    let by = match (now.taken, now.leased) {
        (true, true) => "gateway",
        // Folded anew: an older release may have counted otherwise.
        (false, false) if pages(tx.db, id)? && !silenced => CLOUD,
        _ => return Ok(false),
    };
    let before = alert.facts().filter(|fact| matches!(fact.kind, FactKind::TakenOver { .. })).count();
    let at_us = fact::after_newest(&alert, now_us);
    let fact = Fact::of(CLOUD, id, &format!("taken over/{before}"), at_us, FactKind::TakenOver { by: by.to_owned() });
    say(tx, &row, &fact)?;
    tx.audit(&format!("alert.taken_over.{by}"), id, row.patient)?;
    Ok(true)
}

fn pages(db: &Connection, id: Uuid) -> Result<bool, Refusal> {
    one(db, "SELECT pages FROM alert WHERE id = ?1", [key(id)], |row| row.get::<_, i64>(0), "alert", id)
        .map(|pages| pages > 0)
}

/// The cloud says something of an alert: once, however often.
pub fn say(tx: &Tx<'_>, row: &AlertRow, fact: &Fact) -> Result<(), Refusal> {
    let body = serde_json::to_value(fact).map_err(Refusal::internal)?;
    if fact::take(tx, row.gateway, Origin::Ward, fact, &body)? == Taken::New {
        tx.wake(row.gateway);
        let row = alert::refold(tx, row.id)?;
        tx.hint(EventKind::Alert, row.resource(), Some(row.id));
    }
    Ok(())
}

/// What the ladder of a gateway's home needs; `None` = it is nobody's.
pub fn home(db: &Connection, gateway: Uuid, now_us: UtcUs) -> Result<Option<Home>, Refusal> {
    let Some(open) = assignment::open_of_gateway(db, gateway)? else { return Ok(None) };
    let sql = "SELECT id FROM alert WHERE patient = ?1 AND (open = 1 OR pages > 0 OR raised_us > ?2)";
    let ids = all(db, sql, params![key(open.patient), now_us - LATELY_US], |row| uuid(row, "id"))?;
    let alerts = ids.into_iter().map(|id| fact::fold(db, id)).collect::<Result<Vec<_>, _>>()?;
    Ok(Some(Home { settings: settings::build(db, gateway, now_us)?, alerts }))
}

/// The homes whose contacts, patient or on-call number a phone may be; those with an open emergency, or only the first
/// one where there is none. `last` is how the number ends: networks show it in several forms.
pub fn homes_of_phone(db: &Connection, last: &str, now_us: UtcUs) -> Result<Vec<Home>, Refusal> {
    let sql = "SELECT s.gateway, EXISTS (SELECT 1 FROM alert a WHERE a.site = s.site AND a.patient = s.patient
                   AND a.open = 1 AND a.priority = 3) AS urgent
               FROM assignment s JOIN patient p ON p.id = s.patient LEFT JOIN ward w ON w.id = p.ward
               WHERE s.to_us IS NULL AND (p.phone LIKE ?1 OR w.on_call_phone LIKE ?1 OR EXISTS (
                   SELECT 1 FROM contact c WHERE c.patient = p.id AND c.removed_us IS NULL AND c.phone LIKE ?1))
               ORDER BY urgent DESC, s.epoch";
    let rows = all(db, sql, [format!("%{last}")], |row| Ok((uuid(row, "gateway")?, row.get::<_, bool>("urgent")?)))?;
    let urgent = rows.iter().filter(|(_, urgent)| *urgent).count().max(1);
    let gateways = rows.into_iter().take(urgent).map(|(gateway, _)| gateway);
    let homes = gateways.map(|gateway| home(db, gateway, now_us)).collect::<Result<Vec<_>, _>>()?;
    Ok(homes.into_iter().flatten().collect())
}

/// The facts among `told` that are not known yet, of alerts that are.
pub fn unknown(db: &Connection, mut told: Vec<Fact>) -> Result<Vec<Fact>, Refusal> {
    let sql = "SELECT EXISTS (SELECT 1 FROM fact WHERE id = ?1) OR NOT EXISTS (SELECT 1 FROM alert WHERE id = ?2)";
    let mut known = Vec::with_capacity(told.len());
    for fact in &told {
        known.push(one(db, sql, [key(fact.id), key(fact.alert)], |row| row.get::<_, bool>(0), "fact", fact.id)?);
    }
    let mut known = known.into_iter();
    told.retain(|_| known.next() == Some(false));
    Ok(told)
}
