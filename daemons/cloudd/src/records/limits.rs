//! A patient's limits: every version is kept, the newest counts. What the keys mean: core's table of limits.

use std::collections::BTreeMap;

use medmon_api::event::EventKind;
use medmon_api::limits::{LimitValue, LimitsPatch, PatientLimits};
use medmon_api::time;
use medmon_core::noun::{Action, Limits};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{Tx, all, assignment, gateway, json, key, maybe, ward};
use crate::refusal::{Refusal, conflict};

/// The keys that were set, by name.
type Set = BTreeMap<String, f64>;

struct Newest {
    version: u64,
    at_us: Option<i64>,
    author: Option<String>,
    set: Set,
}

fn newest(db: &Connection, patient: Uuid) -> Result<Newest, Refusal> {
    let sql = "SELECT version, at_us, author, values_set FROM limits WHERE patient = ?1 ORDER BY version DESC LIMIT 1";
    let row = maybe(db, sql, [key(patient)], |row| {
        Ok(Newest {
            version: row.get::<_, i64>(0)? as u64,
            at_us: row.get(1)?,
            author: row.get(2)?,
            set: json(&row.get::<_, String>(3)?)?,
        })
    })?;
    Ok(row.unwrap_or(Newest { version: 0, at_us: None, author: None, set: Set::new() }))
}

/// The limits in the core's form. Keys that this release does not know are left out.
pub fn of(db: &Connection, patient: Uuid) -> Result<Limits, Refusal> {
    thresholds(&newest(db, patient)?.set)
}

/// The limits of everybody who is monitored, by the subject of the open assignment.
pub fn of_all(db: &Connection) -> Result<Vec<(Uuid, Limits)>, Refusal> {
    let sql = "SELECT subject, patient FROM assignment WHERE to_us IS NULL ORDER BY subject";
    let open = all(db, sql, [], |row| Ok((Uuid::from_bytes(row.get(0)?), Uuid::from_bytes(row.get(1)?))))?;
    open.into_iter().map(|(subject, patient)| Ok((subject, of(db, patient)?))).collect()
}

/// The limits as people see them.
pub fn get(db: &Connection, patient: Uuid) -> Result<PatientLimits, Refusal> {
    let newest = newest(db, patient)?;
    let limits = thresholds(&newest.set)?;
    let rows = limits.iter().map(|(row, value)| LimitValue {
        key: row.key.into(),
        value,
        unit: row.unit.into(),
        default: row.default,
        source: row.source.into(),
        set: newest.set.contains_key(row.key),
    });
    Ok(PatientLimits {
        patient,
        version: newest.version,
        changed_at: newest.at_us.map(time),
        changed_by: newest.author,
        state: match assignment::open_of_patient(db, patient)? {
            Some(open) => gateway::in_force(db, open.gateway)?,
            None => medmon_api::limits::InForce::Unbound,
        },
        limits: rows.collect(),
    })
}

/// Changes some limits, all or none.
pub fn set(tx: &Tx<'_>, patient: Uuid, patch: &LimitsPatch, if_version: Option<u64>) -> Result<PatientLimits, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteLimits, &resource)?;
    let mut newest = newest(tx.db, patient)?;
    if let Some(asked) = if_version.filter(|asked| *asked != newest.version) {
        return Err(Refusal::Stale { asked, newest: newest.version });
    }
    for (name, value) in patch {
        if Limits::default().by_key(name).is_none() {
            return Err(Refusal::Invalid(medmon_core::noun::limits::LimitError::Unknown(name.clone()).to_string()));
        }
        match value {
            Some(value) => newest.set.insert(name.clone(), *value),
            None => newest.set.remove(name),
        };
    }
    thresholds(&newest.set)?;
    tx.db
        .execute(
            "INSERT INTO limits (patient, version, at_us, principal, author, values_set)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                key(patient),
                newest.version as i64 + 1,
                tx.now_us(),
                key(tx.caller.principal.id),
                tx.caller.principal.name,
                serde_json::to_string(&newest.set).map_err(Refusal::internal)?
            ],
        )
        .map_err(|error| conflict(error, |_| "somebody else changed the limits just now; read them again".into()))?;
    tx.audit("limits.set", format!("{patient} v{}", newest.version + 1), Some(patient))?;
    gateway::settings_changed(tx, patient)?;
    tx.hint(EventKind::Patient, resource, None);
    get(tx.db, patient)
}

fn thresholds(set: &Set) -> Result<Limits, Refusal> {
    let mut limits = Limits::default();
    let known = set.iter().filter(|(name, _)| Limits::default().by_key(name).is_some());
    limits
        .set(known.map(|(name, value)| (name.as_str(), *value)))
        .map_err(|error| Refusal::Invalid(error.to_string()))?;
    Ok(limits)
}
