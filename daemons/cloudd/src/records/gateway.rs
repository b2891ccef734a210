//! Gateways: adding, enrolling, their signs of life, and the number of their newest Settings.

use medmon_api::gateway::{Enrol, Gateway, GatewayCode, Heartbeat, NewGateway, Pair};
use medmon_api::limits::InForce;
use medmon_api::time;
use medmon_core::noun::{Action, Binding, Resource, Role, UtcUs};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::principal::{self, NewPrincipal};
use super::{Tx, all, assignment, changed_one, device, forks, key, maybe, maybe_uuid, one, quarantine, text, uuid};
use crate::auth::{Code, Secret};
use crate::refusal::{Refusal, conflict};

const COLUMNS: &str = "id, site, name, install, created_us, revoked_us, heard_us, heartbeat, pair_until_us, frozen_us";
/// How long a one-time code is good.
const CODE_US: UtcUs = 24 * 3600 * 1_000_000;
/// How long sensors may join at most, s: an open window on a medical gateway lets strangers in.
const PAIR_S: std::ops::RangeInclusive<u32> = 1..=900;

/// One gateway.
pub fn get(db: &Connection, id: Uuid) -> Result<Gateway, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM gateway WHERE id = ?1");
    complete(db, one(db, &sql, [key(id)], gateway, "gateway", id)?)
}

/// Gateways of a site, by name.
pub fn list(db: &Connection, site: Uuid) -> Result<Vec<Gateway>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM gateway WHERE site = ?1 ORDER BY name");
    all(db, &sql, [key(site)], gateway)?.into_iter().map(|row| complete(db, row)).collect()
}

/// The install that a gateway enrolled with, and whether that is frozen.
pub fn install(db: &Connection, id: Uuid) -> Result<(Option<Uuid>, bool), Refusal> {
    let sql = "SELECT install, frozen_us IS NOT NULL AS frozen FROM gateway WHERE id = ?1";
    one(db, sql, [key(id)], |row| Ok((maybe_uuid(row, "install")?, row.get("frozen")?)), "gateway", id)
}

/// Two boxes have a gateway's install id: nothing of it is believed until it enrols anew. `false`: it was frozen before.
pub fn freeze(tx: &Tx<'_>, id: Uuid) -> Result<bool, Refusal> {
    let sql = "UPDATE gateway SET frozen_us = ?2 WHERE id = ?1 AND frozen_us IS NULL";
    let now_frozen = tx.db.execute(sql, params![key(id), tx.now_us()])? == 1;
    if now_frozen {
        tx.audit("gateway.freeze", id, None)?;
        tx.forget(id);
    }
    Ok(now_frozen)
}

/// Adds a gateway with a one-time code.
pub fn add(tx: &Tx<'_>, new: &NewGateway) -> Result<GatewayCode, Refusal> {
    let site = tx.caller.principal.site;
    let id = tx.id();
    tx.caller.may(Action::WriteFleet, &Resource::of_gateway(site, id))?;
    tx.db
        .execute(
            "INSERT INTO gateway (id, site, name, created_us, settings_version, settings_us)
             VALUES (?1, ?2, ?3, ?4, 1, ?4)",
            params![key(id), key(site), text("name", &new.name, 1, 60)?, tx.now_us()],
        )
        .map_err(|error| conflict(error, |_| "name: there is a gateway of this name; choose another".into()))?;
    tx.audit("gateway.add", id, None)?;
    code(tx, id)
}

/// Gives a gateway a new one-time code; an unused one before it ends.
pub fn code(tx: &Tx<'_>, id: Uuid) -> Result<GatewayCode, Refusal> {
    let row = get(tx.db, id)?;
    tx.caller.may(Action::WriteFleet, &Resource::of_gateway(row.site, id))?;
    if row.revoked_at.is_some() {
        return Err(Refusal::Conflict("the gateway is revoked; add another".into()));
    }
    let code = Code::generate()?;
    let expires_us = tx.now_us() + CODE_US;
    let sql = "UPDATE gateway SET code_hash = ?2, code_expires_us = ?3, code_install = NULL WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(id), code.hash(), expires_us])?)?;
    tx.audit("gateway.code", id, None)?;
    Ok(GatewayCode { gateway: row, code: code.to_string(), expires_at: time(expires_us) })
}

/// The gateway behind a code, if the code is still good for this install.
pub fn by_code(db: &Connection, enrol: &Enrol, now_us: UtcUs) -> Result<Gateway, Refusal> {
    let bad = "the code is unknown, used or over 24 h old; ask for a new one: medmon gateway add";
    // A second try of the same install after a lost answer is admitted.
    let sql = format!(
        "SELECT {COLUMNS} FROM gateway WHERE code_hash = ?1 AND code_expires_us > ?2 AND revoked_us IS NULL
           AND (code_install IS NULL OR code_install = ?3)"
    );
    let hash = Code::hash_of(&enrol.code);
    let row = maybe(db, &sql, params![hash, now_us, key(enrol.install)], gateway)?;
    row.ok_or(Refusal::Unauthenticated(bad))
}

/// Takes an install in. The token of whatever was this gateway before ends.
pub fn enrol(tx: &Tx<'_>, enrol: &Enrol) -> Result<(Uuid, Secret), Refusal> {
    let row = by_code(tx.db, enrol, tx.now_us())?;
    if row.frozen_at.is_some() && row.install == Some(enrol.install) {
        let remedy = "two boxes have this install; this box takes a new one and enrols again";
        return Err(Refusal::Conflict(format!("{}: {remedy}", forks::REASON)));
    }
    if row.install.is_some_and(|before| before != enrol.install) {
        forks::end(tx, row.id)?;
    }
    tx.db
        .execute(
            "UPDATE gateway SET install = ?2, code_install = ?2, in_force_version = 0,
             frozen_us = CASE WHEN install = ?2 THEN frozen_us END WHERE id = ?1",
            params![key(row.id), key(enrol.install)],
        )
        .map_err(|error| {
            conflict(error, |_| "install: another gateway enrolled with it; give this box an install of its own".into())
        })?;
    principal::revoke_of_gateway(tx, row.id)?;
    let new = NewPrincipal {
        name: row.name.clone(),
        role: Role::Gateway,
        site: row.site,
        ward: None,
        patient: None,
        gateway: Some(row.id),
        expires_us: None,
    };
    let (_, secret) = principal::create(tx, &new)?;
    tx.audit("gateway.enrol", row.id, None)?;
    Ok((row.id, secret))
}

/// Revokes a gateway; a bound one has to be unbound first, so that somebody sees it.
pub fn revoke(tx: &Tx<'_>, id: Uuid) -> Result<(), Refusal> {
    let row = get(tx.db, id)?;
    tx.caller.may(Action::WriteFleet, &Resource::of_gateway(row.site, id))?;
    if row.patient.is_some() {
        return Err(Refusal::Conflict("a patient is bound to it; unbind first: medmon patient unbind".into()));
    }
    principal::revoke_of_gateway(tx, id)?;
    let sql = "UPDATE gateway SET revoked_us = COALESCE(revoked_us, ?2), code_hash = NULL WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(id), tx.now_us()])?)?;
    tx.audit("gateway.revoke", id, None)
}

/// Lets sensors join a gateway for a while: whoever may bind its patient, or keeps the fleet.
pub fn pair(tx: &Tx<'_>, id: Uuid, pair: Pair) -> Result<Gateway, Refusal> {
    let row = get(tx.db, id)?;
    match row.patient {
        Some(patient) if tx.caller.can(Action::Bind, &super::ward::resource_of(tx.db, patient)?) => {}
        _ => tx.caller.may(Action::WriteFleet, &Resource::of_gateway(row.site, id))?,
    }
    if !PAIR_S.contains(&pair.for_s) {
        let (from, to) = PAIR_S.into_inner();
        return Err(Refusal::Invalid(format!("for_s = {}: write {from} to {to} seconds", pair.for_s)));
    }
    let until_us = tx.now_us() + i64::from(pair.for_s) * 1_000_000;
    changed_one(tx.db.execute("UPDATE gateway SET pair_until_us = ?2 WHERE id = ?1", params![key(id), until_us])?)?;
    tx.audit("gateway.pair", id, row.patient)?;
    settings_changed_of(tx, id)?;
    get(tx.db, id)
}

/// Until when sensors may join a gateway, if that is still to come.
pub fn pair_until(db: &Connection, id: Uuid) -> Result<Option<UtcUs>, Refusal> {
    one(db, "SELECT pair_until_us FROM gateway WHERE id = ?1", [key(id)], |row| row.get(0), "gateway", id)
}

/// Something of a gateway arrived.
pub fn heard(tx: &Tx<'_>, id: Uuid) -> Result<(), Refusal> {
    let sql = "UPDATE gateway SET heard_us = MAX(COALESCE(heard_us, 0), ?2) WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(id), tx.now_us()])?)
}

/// Facts of a gateway arrived: it pages, unless it last said that it cannot.
pub fn heard_of_alerts(tx: &Tx<'_>, id: Uuid) -> Result<(), Refusal> {
    heard(tx, id)?;
    let sql = "SELECT heartbeat FROM gateway WHERE id = ?1";
    let beat = one(tx.db, sql, [key(id)], |row| row.get::<_, Option<String>>(0), "gateway", id)?;
    let beat = beat.map(|text| super::json::<Heartbeat>(&text)).transpose()?;
    pages(tx, id, &beat.unwrap_or_default())
}

/// A gateway proves that it can page, and keeps its lease. One whose texts wait, or that has nothing to text by, proves
/// nothing: three minutes of it, and somebody else has to. Not the largest time so far: after the clock was set back, nobody could lose the lease.
fn pages(tx: &Tx<'_>, id: Uuid, beat: &Heartbeat) -> Result<(), Refusal> {
    if beat.sms_waiting > 0 || beat.cannot_text {
        return Ok(());
    }
    let sql = "UPDATE gateway SET pages_us = ?2 WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(id), tx.now_us()])?)
}

/// Takes a heartbeat: the Settings in force, and whether the binding is confirmed.
pub fn heartbeat(tx: &Tx<'_>, id: Uuid, beat: &Heartbeat) -> Result<(), Refusal> {
    heard(tx, id)?;
    pages(tx, id, beat)?;
    let before = in_force(tx.db, id)?;
    let text = serde_json::to_string(beat).map_err(Refusal::internal)?;
    let sql = "UPDATE gateway SET heartbeat = ?2, in_force_version = ?3, clock = ?4 WHERE id = ?1";
    let version = i64::try_from(beat.settings_version).unwrap_or(0);
    changed_one(tx.db.execute(sql, params![key(id), text, version, super::word(beat.clock)])?)?;
    assignment::confirm(tx, id, beat.epoch)?;
    device::heard(tx, id, &beat.devices)?;
    // Not at every heartbeat: only when a screen would look different.
    if let Some(open) = assignment::open_of_gateway(tx.db, id)?
        && before != in_force(tx.db, id)?
    {
        let resource = super::ward::resource_of(tx.db, open.patient)?;
        tx.hint(medmon_api::event::EventKind::Patient, resource, None);
    }
    Ok(())
}

/// The number of a gateway's newest Settings.
pub fn settings_version(db: &Connection, id: Uuid) -> Result<u64, Refusal> {
    let sql = "SELECT settings_version FROM gateway WHERE id = ?1";
    one(db, sql, [key(id)], |row| row.get::<_, i64>(0).map(|version| version as u64), "gateway", id)
}

/// Whether the newest Settings are in force at a gateway.
pub fn in_force(db: &Connection, id: Uuid) -> Result<InForce, Refusal> {
    let sql = "SELECT settings_version, settings_us, in_force_version FROM gateway WHERE id = ?1";
    let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?));
    let (newest, since_us, in_force) = one(db, sql, [key(id)], columns, "gateway", id)?;
    Ok(match assignment::open_of_gateway(db, id)? {
        None => InForce::Unbound,
        Some(open) if newest == in_force && open.binding == Binding::Confirmed => InForce::InForce,
        Some(_) => InForce::Pending { since: time(since_us) },
    })
}

/// Something that the Settings of a patient's gateway are made of has changed.
pub fn settings_changed(tx: &Tx<'_>, patient: Uuid) -> Result<(), Refusal> {
    match assignment::open_of_patient(tx.db, patient)? {
        Some(open) => settings_changed_of(tx, open.gateway),
        None => Ok(()),
    }
}

/// Something that a gateway's Settings are made of has changed.
pub fn settings_changed_of(tx: &Tx<'_>, gateway: Uuid) -> Result<(), Refusal> {
    let sql = "UPDATE gateway SET settings_version = settings_version + 1, settings_us = ?2 WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(gateway), tx.now_us()])?)?;
    tx.forget(gateway);
    tx.wake(gateway);
    Ok(())
}

fn complete(db: &Connection, mut row: Gateway) -> Result<Gateway, Refusal> {
    if let Some(open) = assignment::open_of_gateway(db, row.id)? {
        (row.patient, row.epoch) = (Some(open.patient), open.epoch);
    }
    row.settings = in_force(db, row.id)?;
    row.quarantined = quarantine::waiting(db, row.id)?;
    Ok(row)
}

fn gateway(row: &Row<'_>) -> rusqlite::Result<Gateway> {
    let heartbeat: Option<String> = row.get("heartbeat")?;
    Ok(Gateway {
        id: uuid(row, "id")?,
        site: uuid(row, "site")?,
        name: row.get("name")?,
        install: maybe_uuid(row, "install")?,
        created_at: time(row.get("created_us")?),
        revoked_at: row.get::<_, Option<i64>>("revoked_us")?.map(time),
        last_heard_at: row.get::<_, Option<i64>>("heard_us")?.map(time),
        patient: None,
        epoch: 0,
        settings: InForce::Unbound,
        frozen_at: row.get::<_, Option<i64>>("frozen_us")?.map(time),
        quarantined: 0,
        pair_until: row.get::<_, Option<i64>>("pair_until_us")?.map(time),
        heartbeat: heartbeat.map(|text| super::json(&text)).transpose()?,
    })
}
