//! A gateway's Settings, made of the records. Its number grows with every change of what it is made of.

use medmon_core::noun::{Contact, Settings, UtcUs};
use rusqlite::Connection;
use uuid::Uuid;

use crate::records::{assignment, contact, device, drill, gateway, limits, patient, ward};
use crate::refusal::Refusal;

/// The Settings of a gateway as they are now. Without an assignment they say so: epoch 0, nobody to text.
pub fn build(db: &Connection, gateway: Uuid, now_us: UtcUs) -> Result<Settings, Refusal> {
    let version = gateway::settings_version(db, gateway)?;
    let pair_until_us = gateway::pair_until(db, gateway)?;
    let Some(open) = assignment::open_of_gateway(db, gateway)? else {
        return Ok(Settings { version, pair_until_us, ..Settings::default() });
    };
    let record = patient::get(db, open.patient)?;
    let devices = device::get(db, open.patient)?;
    let contacts = contact::list(db, open.patient)?.into_iter().map(Contact::from);
    let on_call_phone = match record.ward {
        Some(id) => ward::get(db, record.site, id)?.on_call_phone,
        None => None,
    };
    Ok(Settings {
        version,
        epoch: open.epoch,
        subject: Some(open.subject),
        nickname: record.nickname,
        birth_year: Some(record.birth_year),
        limits: limits::of(db, open.patient)?,
        contacts: contacts.collect(),
        patient_phone: record.phone,
        on_call_phone,
        cadences: devices.cadences,
        cadences_of: devices.cadences_of,
        devices: devices.devices,
        pair_until_us,
        drills: drill::open(db, open.patient, now_us)?,
        language: record.language,
        time_zone: record.time_zone,
        ..Settings::default()
    })
}
