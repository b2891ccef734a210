//! A patient's sensors, by IEEE address, and how often they speak.

use std::collections::BTreeMap;

use medmon_api::assignment::Devices;
use medmon_api::event::EventKind;
use medmon_core::noun::{Action, Device, Ieee, Vital};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, changed_one, gateway, json, key, one, text, unword, ward, word};
use crate::refusal::{Refusal, conflict};

/// Sensors of one patient at most.
const MAX: usize = 64;
/// Slowest cadence that can be meant, in s.
const MAX_CADENCE_S: u32 = 7 * 86_400;

/// The sensors and cadences of a patient.
pub fn get(db: &Connection, patient: Uuid) -> Result<Devices, Refusal> {
    let sql = "SELECT ieee, label, vitals, place FROM device WHERE patient = ?1 ORDER BY position, ieee";
    Ok(Devices { devices: all(db, sql, [key(patient)], device)?, cadences: cadences(db, patient)? })
}

/// Expected seconds between readings, where it differs from the vital table.
pub fn cadences(db: &Connection, patient: Uuid) -> Result<BTreeMap<Vital, u32>, Refusal> {
    let sql = "SELECT cadences FROM patient WHERE id = ?1";
    one(db, sql, [key(patient)], |row| json(&row.get::<_, String>(0)?), "patient", patient)
}

/// Replaces the sensors and cadences of a patient.
pub fn set(tx: &Tx<'_>, patient: Uuid, new: &Devices) -> Result<Devices, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::Bind, &resource)?;
    if new.devices.len() > MAX {
        return Err(Refusal::Invalid(format!("devices: {} of them; {MAX} at most", new.devices.len())));
    }
    if let Some((vital, cadence)) = new.cadences.iter().find(|(_, cadence)| !(1..=MAX_CADENCE_S).contains(*cadence)) {
        let problem = format!("cadences.{vital} = {cadence}: write 1 to {MAX_CADENCE_S} seconds");
        return Err(Refusal::Invalid(problem));
    }
    tx.db.execute("DELETE FROM device WHERE patient = ?1", [key(patient)])?;
    for (position, device) in new.devices.iter().enumerate() {
        if device.vitals.is_empty() {
            return Err(Refusal::Invalid(format!("devices[{position}].vitals: name what {} measures", device.ieee)));
        }
        tx.db
            .execute(
                "INSERT INTO device (ieee, patient, position, label, vitals, place) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![
                    device.ieee.to_string(),
                    key(patient),
                    position as i64,
                    text(&format!("devices[{position}].label"), &device.label, 0, 60)?,
                    serde_json::to_string(&device.vitals).map_err(Refusal::internal)?,
                    device.place.map(word)
                ],
            )
            .map_err(|error| {
                conflict(error, |_| {
                    let ieee = device.ieee;
                    format!("devices[{position}].ieee = {ieee}: is listed already, here or for another patient")
                })
            })?;
    }
    let cadences = serde_json::to_string(&new.cadences).map_err(Refusal::internal)?;
    let sql = "UPDATE patient SET cadences = ?2 WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(patient), cadences])?)?;
    tx.audit("device.set", patient, Some(patient))?;
    gateway::settings_changed(tx, patient)?;
    tx.hint(EventKind::Patient, resource, None);
    get(tx.db, patient)
}

fn device(row: &Row<'_>) -> rusqlite::Result<Device> {
    let ieee: String = row.get("ieee")?;
    Ok(Device {
        ieee: Ieee(u64::from_str_radix(&ieee, 16).unwrap_or_default()),
        label: row.get("label")?,
        vitals: json(&row.get::<_, String>("vitals")?)?,
        place: row.get::<_, Option<String>>("place")?.map(unword).transpose()?,
    })
}
