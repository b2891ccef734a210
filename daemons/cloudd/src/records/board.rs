//! What the board shows of a patient, as the records have it, for whoever may see all of it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use medmon_api::alert::Alert;
use medmon_api::board::BoardGateway;
use medmon_api::feeling::Feeling;
use medmon_api::limits::InForce;
use medmon_api::time;
use medmon_core::noun::{Binding, Condition, Priority, Resource, Vital};
use rusqlite::{Connection, Row};
use uuid::Uuid;

use super::{alert, all, device, feeling, key, maybe, maybe_uuid, unword, uuid};
use crate::alerts;
use crate::refusal::Refusal;

/// A patient, the gateway that speaks for them, and what is open.
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
    /// The gateway of the open assignment; no age is in it.
    pub gateway: Option<BoardGateway>,
    /// Cadences that differ from the vital table.
    pub cadences: BTreeMap<Vital, u32>,
    /// What is open, worst and unacknowledged first.
    pub alerts: Vec<Alert>,
    /// The newest, however old.
    pub feeling: Option<Feeling>,
}

/// What [`home`] is made of.
const HOME: &str = "a.patient, a.binding, a.from_us, g.id AS gateway, g.name AS gateway_name, g.heard_us, g.clock,
                    g.settings_version, g.settings_us, g.in_force_version";

/// All that are on some board.
pub fn ids(db: &Connection) -> Result<Vec<Uuid>, Refusal> {
    all(db, "SELECT id FROM patient WHERE archived_us IS NULL", [], |row| uuid(row, "id"))
}

/// A patient; `None` = on no board.
pub fn patient(db: &Connection, id: Uuid) -> Result<Option<BoardPatient>, Refusal> {
    let sql = format!(
        "SELECT p.id, p.site, p.ward, p.name, p.birth_year, p.time_zone,
                p.cadences <> '{{}}' OR p.cadences_of <> '{{}}' AS cadences, a.subject, {HOME}
         FROM patient p LEFT JOIN assignment a ON a.patient = p.id AND a.to_us IS NULL
              LEFT JOIN gateway g ON g.id = a.gateway
         WHERE p.id = ?1 AND p.archived_us IS NULL"
    );
    let columns = |row: &Row<'_>| Ok((columns(row)?, row.get::<_, bool>("cadences")?));
    let Some((mut patient, own_cadences)) = maybe(db, &sql, [key(id)], columns)? else { return Ok(None) };
    if own_cadences {
        patient.cadences = device::cadences(db, id)?;
    }
    for row in alert::open(db, patient.resource.site, id)? {
        patient.alerts.extend(alerts::shown(db, &row)?);
    }
    // The patient before the equipment: a silent sensor must not lend its priority to a lesser alarm of the body.
    patient.alerts.sort_by_key(|alert| {
        let answered = alert.acknowledged_ward.is_some();
        (exercise(alert), answered, alert.class, Reverse(alert.priority), alert.raised_at)
    });
    patient.feeling = feeling::newest(db, id)?;
    Ok(Some(patient))
}

/// An exercise is shown and moves nobody's row, unless nobody answered and it has become worse.
pub fn exercise(alert: &Alert) -> bool {
    alert.condition == Condition::Drill && alert.priority == Priority::Low
}

/// What is shown of a gateway, and beside whom; `None` = beside nobody.
pub fn gateway(db: &Connection, id: Uuid) -> Result<Option<(Uuid, BoardGateway)>, Refusal> {
    let sql = format!(
        "SELECT {HOME} FROM assignment a JOIN gateway g ON g.id = a.gateway WHERE a.gateway = ?1 AND a.to_us IS NULL"
    );
    maybe(db, &sql, [key(id)], |row| Ok((uuid(row, "patient")?, home(row, id)?)))
}

fn columns(row: &Row<'_>) -> rusqlite::Result<BoardPatient> {
    let id = uuid(row, "id")?;
    Ok(BoardPatient {
        id,
        name: row.get("name")?,
        birth_year: row.get("birth_year")?,
        time_zone: row.get("time_zone")?,
        resource: Resource::of_patient(uuid(row, "site")?, maybe_uuid(row, "ward")?, id),
        subject: maybe_uuid(row, "subject")?,
        gateway: maybe_uuid(row, "gateway")?.map(|gateway| home(row, gateway)).transpose()?,
        cadences: BTreeMap::new(),
        alerts: Vec::new(),
        feeling: None,
    })
}

fn home(row: &Row<'_>, id: Uuid) -> rusqlite::Result<BoardGateway> {
    let binding: Binding = unword(row.get("binding")?)?;
    let newest = row.get::<_, i64>("settings_version")? == row.get::<_, i64>("in_force_version")?;
    Ok(BoardGateway {
        id,
        name: row.get("gateway_name")?,
        binding,
        since: time(row.get("from_us")?),
        last_heard_at: row.get::<_, Option<i64>>("heard_us")?.map(time),
        heard_age_s: None,
        clock: row.get::<_, Option<String>>("clock")?.map(unword).transpose()?,
        settings: if newest && binding == Binding::Confirmed {
            InForce::InForce
        } else {
            InForce::Pending { since: time(row.get("settings_us")?) }
        },
    })
}
