//! What the board shows of every patient, in one statement: a question a patient would be ten thousand.

use std::collections::BTreeMap;

use medmon_api::board::BoardGateway;
use medmon_api::limits::InForce;
use medmon_api::time;
use medmon_core::noun::{Binding, Resource, UtcUs, Vital};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Caller, all, device, key, maybe_uuid, unword, uuid};
use crate::refusal::Refusal;

/// A patient, and the gateway that speaks for them.
#[derive(Clone, Debug)]
pub struct BoardPatient {
    /// Identity.
    pub id: Uuid,
    /// As shown.
    pub name: String,
    /// With the name: who it is.
    pub birth_year: i16,
    /// Their zone.
    pub time_zone: String,
    /// Where they are.
    pub resource: Resource,
    /// The label of the open assignment.
    pub subject: Option<Uuid>,
    /// The gateway of the open assignment.
    pub gateway: Option<BoardGateway>,
    /// Cadences that differ from the vital table.
    pub cadences: BTreeMap<Vital, u32>,
}

/// The patients of the caller's site, and of a ward if one is asked for, by name. `may` decides on each afterwards.
pub fn patients(db: &Connection, caller: &Caller, ward: Option<Uuid>) -> Result<Vec<BoardPatient>, Refusal> {
    let sql = "SELECT p.id, p.site, p.ward, p.name, p.birth_year, p.time_zone,
                      p.cadences <> '{}' OR p.cadences_of <> '{}' AS cadences,
                      a.subject, a.binding, a.from_us, g.id AS gateway, g.name AS gateway_name, g.heard_us, g.clock,
                      g.settings_version, g.settings_us, g.in_force_version
               FROM patient p LEFT JOIN assignment a ON a.patient = p.id AND a.to_us IS NULL
                    LEFT JOIN gateway g ON g.id = a.gateway
               WHERE p.site = ?1 AND p.archived_us IS NULL AND (?2 IS NULL OR p.ward = ?2)
                 AND (?3 IS NULL OR p.ward = ?3) AND (?4 IS NULL OR p.id = ?4)
               ORDER BY p.name, p.id";
    let who = &caller.principal;
    let narrow = params![key(who.site), who.ward.map(key), ward.map(key), who.patient.map(key)];
    let now_us = caller.now_us;
    let mut rows = all(db, sql, narrow, |row| Ok((patient(row, now_us)?, row.get::<_, bool>("cadences")?)))?;
    for (row, _) in rows.iter_mut().filter(|(_, own)| *own) {
        row.cadences = device::cadences(db, row.id)?;
    }
    Ok(rows.into_iter().map(|(row, _)| row).collect())
}

fn patient(row: &Row<'_>, now_us: UtcUs) -> rusqlite::Result<BoardPatient> {
    let id = uuid(row, "id")?;
    Ok(BoardPatient {
        id,
        name: row.get("name")?,
        birth_year: row.get("birth_year")?,
        time_zone: row.get("time_zone")?,
        resource: Resource::of_patient(uuid(row, "site")?, maybe_uuid(row, "ward")?, id),
        subject: maybe_uuid(row, "subject")?,
        gateway: maybe_uuid(row, "gateway")?.map(|gateway| home(row, gateway, now_us)).transpose()?,
        cadences: BTreeMap::new(),
    })
}

fn home(row: &Row<'_>, id: Uuid, now_us: UtcUs) -> rusqlite::Result<BoardGateway> {
    let heard_us: Option<i64> = row.get("heard_us")?;
    let binding: Binding = unword(row.get("binding")?)?;
    let newest = row.get::<_, i64>("settings_version")? == row.get::<_, i64>("in_force_version")?;
    Ok(BoardGateway {
        id,
        name: row.get("gateway_name")?,
        binding,
        since: time(row.get("from_us")?),
        last_heard_at: heard_us.map(time),
        heard_age_s: heard_us.map(|at_us| (now_us - at_us).max(0) as u64 / 1_000_000),
        clock: row.get::<_, Option<String>>("clock")?.map(unword).transpose()?,
        settings: if newest && binding == Binding::Confirmed {
            InForce::InForce
        } else {
            InForce::Pending { since: time(row.get("settings_us")?) }
        },
    })
}
