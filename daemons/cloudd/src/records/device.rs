//! A patient's sensors, by IEEE address, and how often they speak.

use std::collections::BTreeMap;

use medmon_api::assignment::{DeviceGiven, DeviceHeardBy, DeviceHistory, Devices};
use medmon_api::event::EventKind;
use medmon_api::gateway::DeviceHeard;
use medmon_api::time;
use medmon_core::noun::{Action, Device, Ieee, Resource, Settings, Vital};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Caller, Tx, all, changed_one, gateway, json, key, one, text, unword, uuid, ward, word};
use crate::refusal::{Refusal, conflict};

/// Sensors of one patient at most.
const MAX: usize = 64;
/// Sensors of one sign of life at most; a neighbourhood has more, and says nothing new by it.
const MAX_HEARD: usize = 256;
/// What was heard longer ago says nothing about now, s.
const HEARD_S: u64 = 3600;
/// A row is not written for less.
const HEARD_EVERY_US: i64 = 300_000_000;
/// Slowest cadence that can be meant, in s.
const MAX_CADENCE_S: u32 = 7 * 86_400;

/// The sensors and cadences of a patient.
pub fn get(db: &Connection, patient: Uuid) -> Result<Devices, Refusal> {
    let sql = "SELECT ieee, label, vitals, place FROM device WHERE patient = ?1 ORDER BY position, ieee";
    let devices = all(db, sql, [key(patient)], device)?;
    let sql = "SELECT cadences, cadences_of FROM patient WHERE id = ?1";
    let both = |row: &Row<'_>| Ok((json(&row.get::<_, String>(0)?)?, json(&row.get::<_, String>(1)?)?));
    let (cadences, cadences_of) = one(db, sql, [key(patient)], both, "patient", patient)?;
    Ok(Devices { devices, cadences, cadences_of })
}

/// Expected seconds between readings of a vital, where it differs from the vital table, by whichever sensor speaks most
/// often.
pub fn cadences(db: &Connection, patient: Uuid) -> Result<BTreeMap<Vital, u32>, Refusal> {
    let Devices { devices, cadences, cadences_of } = get(db, patient)?;
    let settings = Settings { cadences, cadences_of, ..Settings::default() };
    let mut effective = settings.cadences.clone();
    for &vital in settings.cadences_of.values().flat_map(BTreeMap::keys) {
        let measuring = devices.iter().filter(|device| device.vitals.contains(&vital));
        effective.extend(measuring.map(|device| settings.cadence_of(device.ieee, vital)).min().map(|own| (vital, own)));
    }
    Ok(effective)
}

/// Replaces the sensors and cadences of a patient.
pub fn set(tx: &Tx<'_>, patient: Uuid, new: &Devices) -> Result<Devices, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::Bind, &resource)?;
    if new.devices.len() > MAX {
        return Err(Refusal::Invalid(format!("devices: {} of them; {MAX} at most", new.devices.len())));
    }
    let of_sensors = new.cadences_of.values().flatten();
    if let Some((vital, cadence)) =
        new.cadences.iter().chain(of_sensors).find(|(_, cadence)| !(1..=MAX_CADENCE_S).contains(*cadence))
    {
        let problem = format!("cadences.{vital} = {cadence}: write 1 to {MAX_CADENCE_S} seconds");
        return Err(Refusal::Invalid(problem));
    }
    give(tx, patient, &new.devices)?;
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
    // Those of sensors that are no longer on the list go with them.
    let listed = |ieee: &Ieee| new.devices.iter().any(|device| device.ieee == *ieee);
    let cadences_of: BTreeMap<_, _> = new.cadences_of.iter().filter(|(ieee, _)| listed(ieee)).collect();
    let cadences_of = serde_json::to_string(&cadences_of).map_err(Refusal::internal)?;
    let sql = "UPDATE patient SET cadences = ?2, cadences_of = ?3 WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(patient), cadences, cadences_of])?)?;
    tx.audit("device.set", patient, Some(patient))?;
    gateway::settings_changed(tx, patient)?;
    tx.hint(EventKind::Patient, resource, None);
    get(tx.db, patient)
}

/// Writes down who is given which sensor from now on, and who no longer is.
fn give(tx: &Tx<'_>, patient: Uuid, devices: &[Device]) -> Result<(), Refusal> {
    let before = get(tx.db, patient)?.devices;
    let among = |list: &[Device], ieee| list.iter().any(|device| device.ieee == ieee);
    for gone in before.iter().filter(|device| !among(devices, device.ieee)) {
        let sql = "UPDATE device_given SET to_us = ?3 WHERE ieee = ?1 AND patient = ?2 AND to_us IS NULL";
        tx.db.execute(sql, params![gone.ieee.to_string(), key(patient), tx.now_us()])?;
    }
    for new in devices.iter().filter(|device| !among(&before, device.ieee)) {
        let sql =
            "INSERT INTO device_given (id, ieee, patient, label, author, from_us) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let (ieee, author) = (new.ieee.to_string(), &tx.caller.principal.name);
        tx.db.execute(sql, params![key(tx.id()), ieee, key(patient), new.label, author, tx.now_us()]).map_err(
            |error| conflict(error, |_| format!("devices: {ieee} is listed already, here or for another patient")),
        )?;
    }
    Ok(())
}

/// What a gateway's sign of life says of sensors. A row a sensor and gateway is written every few minutes at most.
pub fn heard(tx: &Tx<'_>, gateway: Uuid, devices: &[DeviceHeard]) -> Result<(), Refusal> {
    let sql = "INSERT INTO device_heard (ieee, gateway, at_us, listed) VALUES (?1, ?2, ?3, ?4)
               ON CONFLICT (ieee, gateway) DO UPDATE SET at_us = excluded.at_us, listed = excluded.listed
               WHERE excluded.at_us - device_heard.at_us > ?5 OR excluded.listed <> device_heard.listed";
    for device in devices.iter().take(MAX_HEARD) {
        if let Some(ago) = device.heard_s_ago.filter(|ago| *ago < HEARD_S) {
            let at_us = tx.now_us() - ago as i64 * 1_000_000;
            tx.db.execute(sql, params![device.ieee.to_string(), key(gateway), at_us, device.listed, HEARD_EVERY_US])?;
        }
    }
    Ok(())
}

/// To whom a sensor was given and who hears it, as far as the caller may know.
pub fn history(db: &Connection, caller: &Caller, ieee: Ieee) -> Result<DeviceHistory, Refusal> {
    let site = caller.principal.site;
    caller
        .may(Action::ReadAssignments, &Resource::of_site(site))
        .or_else(|_| caller.may(Action::ReadFleet, &Resource::of_site(site)))?;
    let sql = "SELECT patient, label, author, from_us, to_us FROM device_given WHERE ieee = ?1 ORDER BY from_us DESC";
    let given = |row: &Row<'_>| {
        Ok(DeviceGiven {
            patient: uuid(row, "patient")?,
            label: row.get("label")?,
            by: row.get("author")?,
            from: time(row.get("from_us")?),
            to: row.get::<_, Option<i64>>("to_us")?.map(time),
        })
    };
    let mut visible = Vec::new();
    for row in all(db, sql, [ieee.to_string()], given)? {
        if caller.can(Action::ReadAssignments, &ward::resource_of(db, row.patient)?) {
            visible.push(row);
        }
    }
    let sql = "SELECT gateway, gateway.name, at_us, listed FROM device_heard JOIN gateway ON gateway.id = gateway
               WHERE ieee = ?1 AND site = ?2 ORDER BY at_us DESC";
    let heard = |row: &Row<'_>| {
        let (gateway, at) = (uuid(row, "gateway")?, time(row.get("at_us")?));
        Ok(DeviceHeardBy { gateway, name: row.get("name")?, at, listed: row.get("listed")? })
    };
    let heard = all(db, sql, params![ieee.to_string(), key(site)], heard)?;
    Ok(DeviceHistory { ieee, given: visible, heard })
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
