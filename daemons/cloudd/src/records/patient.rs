//! Patients.

use medmon_api::event::EventKind;
use medmon_api::patient::{NewPatient, Patient, PatientPatch, PatientQuery};
use medmon_api::{Page, PageQuery, time};
use medmon_core::noun::{Action, Resource, Settings};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::principal::paged;
use super::{Tx, all, assignment, changed_one, gateway, key, maybe_uuid, one, phone, text, unword, uuid, ward, word};
use crate::records::Caller;
use crate::refusal::{Refusal, conflict};

const COLUMNS: &str = "id, site, ward, name, nickname, birth_year, language, time_zone, phone, created_us, archived_us";

/// One patient, with the open assignment.
pub fn get(db: &Connection, id: Uuid) -> Result<Patient, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM patient WHERE id = ?1");
    let patient = one(db, &sql, [key(id)], patient, "patient", id)?;
    complete(db, patient)
}

/// What access to a patient is decided on.
pub fn resource(patient: &Patient) -> Resource {
    Resource::of_patient(patient.site, patient.ward, patient.id)
}

/// A record as the caller may see it: phone numbers are for whoever may see contacts.
pub fn shown(mut patient: Patient, caller: &Caller) -> Patient {
    if !caller.can(Action::ReadContacts, &resource(&patient)) {
        patient.phone = None;
    }
    patient
}

/// Who is texted for a patient beside the contacts, in the form of Settings: the patient, and whoever is on call.
pub fn phones(db: &Connection, id: Uuid) -> Result<Settings, Refusal> {
    let sql = "SELECT p.nickname, p.phone, p.language, w.on_call_phone FROM patient p LEFT JOIN ward w ON w.id = p.ward
               WHERE p.id = ?1";
    let settings = |row: &Row<'_>| {
        Ok(Settings {
            nickname: row.get(0)?,
            patient_phone: row.get(1)?,
            language: unword(row.get(2)?)?,
            on_call_phone: row.get(3)?,
            ..Settings::default()
        })
    };
    one(db, sql, [key(id)], settings, "patient", id)
}

/// Patients that the caller may see, by name.
pub fn list(
    db: &Connection,
    caller: &Caller,
    query: &PatientQuery,
    page: &PageQuery,
) -> Result<Page<Patient>, Refusal> {
    let who = &caller.principal;
    let (after_name, after_id) = match &page.cursor {
        None => (String::new(), Uuid::nil()),
        // The cursor is the last id; its name is looked up, so that no name travels in a URL.
        Some(cursor) => {
            let bad = || Refusal::Invalid(format!("cursor = \"{cursor}\": send `next` of the page before"));
            let id: Uuid = cursor.parse().map_err(|_| bad())?;
            let sql = "SELECT name FROM patient WHERE id = ?1 AND site = ?2";
            let name = db.query_row(sql, [key(id), key(who.site)], |row| row.get(0)).optional()?;
            (name.ok_or_else(bad)?, id)
        }
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM patient
         WHERE site = ?1 AND (name, id) > (?2, ?3) AND (?4 IS NULL OR ward = ?4) AND (?5 IS NULL OR ward = ?5)
           AND (?6 IS NULL OR id = ?6) AND (?7 OR archived_us IS NULL)
         ORDER BY name, id LIMIT ?8"
    );
    let items = all(
        db,
        &sql,
        params![
            key(who.site),
            after_name,
            key(after_id),
            who.ward.map(key),
            query.ward.map(key),
            who.patient.map(key),
            query.archived.unwrap_or(false),
            i64::from(page.limit()) + 1
        ],
        patient,
    )?;
    let mut page = paged(items, page, |patient| patient.id.to_string());
    // The statement narrows, `may` decides.
    page.items.retain(|patient| caller.can(Action::ReadPatient, &resource(patient)));
    page.items =
        page.items.into_iter().map(|patient| complete(db, shown(patient, caller))).collect::<Result<_, _>>()?;
    Ok(page)
}

/// Opens a record.
pub fn add(tx: &Tx<'_>, new: &NewPatient) -> Result<Patient, Refusal> {
    let who = &tx.caller.principal;
    let in_ward = match new.ward.or(who.ward) {
        Some(asked) => Some(ward::get(tx.db, who.site, asked)?.id),
        None => ward::only(tx.db, who.site)?,
    };
    let id = tx.id();
    let resource = Resource::of_patient(who.site, in_ward, id);
    tx.caller.may(Action::WritePatient, &resource)?;
    let zone = new.time_zone.as_deref().unwrap_or("UTC");
    tx.db.execute(
        "INSERT INTO patient (id, site, ward, name, nickname, birth_year, language, time_zone, phone, created_us)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            key(id),
            key(who.site),
            in_ward.map(key),
            text("name", &new.name, 1, 200)?,
            nickname(&new.nickname)?,
            birth_year(new.birth_year, tx.now_us())?,
            word(new.language),
            time_zone(zone)?,
            own_phone(new.phone.as_deref())?,
            tx.now_us()
        ],
    )?;
    tx.audit("patient.add", id, Some(id))?;
    tx.hint(EventKind::Patient, resource, None);
    get(tx.db, id)
}

/// Changes a record.
pub fn edit(tx: &Tx<'_>, id: Uuid, patch: &PatientPatch) -> Result<Patient, Refusal> {
    let before = get(tx.db, id)?;
    tx.caller.may(Action::WritePatient, &resource(&before))?;
    let in_ward = match patch.ward {
        Some(asked) => Some(ward::get(tx.db, before.site, asked)?.id),
        None => before.ward,
    };
    let after = Resource::of_patient(before.site, in_ward, id);
    tx.caller.may(Action::WritePatient, &after)?;
    let archived_us = match patch.archived {
        Some(true) if before.assignment.is_some() => {
            let remedy = "archived: the patient is bound to a gateway; unbind it first: medmon patient unbind";
            return Err(Refusal::Conflict(remedy.into()));
        }
        Some(true) => Some(before.archived_at.map_or(tx.now_us(), |at| at.as_microsecond())),
        Some(false) => None,
        None => before.archived_at.map(|at| at.as_microsecond()),
    };
    let changed = tx
        .db
        .execute(
            "UPDATE patient SET ward = ?2, name = ?3, nickname = ?4, birth_year = ?5, language = ?6, time_zone = ?7,
                phone = ?8, archived_us = ?9 WHERE id = ?1",
            params![
                key(id),
                in_ward.map(key),
                text("name", patch.name.as_ref().unwrap_or(&before.name), 1, 200)?,
                nickname(patch.nickname.as_ref().unwrap_or(&before.nickname))?,
                birth_year(patch.birth_year.unwrap_or(before.birth_year), tx.now_us())?,
                word(patch.language.unwrap_or(before.language)),
                time_zone(patch.time_zone.as_ref().unwrap_or(&before.time_zone))?,
                own_phone(patch.phone.as_ref().or(before.phone.as_ref()).map(String::as_str))?,
                archived_us
            ],
        )
        .map_err(|error| conflict(error, |message| message.to_owned()))?;
    changed_one(changed)?;
    tx.audit("patient.edit", id, Some(id))?;
    gateway::settings_changed(tx, id)?;
    // Also of homes that the patient has left: what they still bring concerns the new ward.
    assignment::list(tx.db, id)?.iter().for_each(|row| tx.forget(row.gateway));
    tx.hint(EventKind::Patient, resource(&before), None);
    if after != resource(&before) {
        tx.hint(EventKind::Patient, after, None);
    }
    get(tx.db, id)
}

fn complete(db: &Connection, mut patient: Patient) -> Result<Patient, Refusal> {
    patient.assignment = assignment::open_of_patient(db, patient.id)?.map(|row| assignment::shown(&row));
    if let Some(open) = &patient.assignment {
        patient.settings_version = gateway::settings_version(db, open.gateway)?;
    }
    Ok(patient)
}

/// No number is none.
fn own_phone(value: Option<&str>) -> Result<Option<String>, Refusal> {
    value.filter(|value| !value.trim().is_empty()).map(|value| phone("phone", value)).transpose()
}

fn nickname(value: &str) -> Result<String, Refusal> {
    // Short enough for one GSM-7 segment with the longest of our texts around it.
    let name = text("nickname", value, 1, 20)?;
    if name.contains(['\n', '\r', '\t']) {
        return Err(Refusal::Invalid("nickname: is texted, so it is one line".into()));
    }
    Ok(name)
}

fn birth_year(year: i16, now_us: i64) -> Result<i16, Refusal> {
    let now = time(now_us).to_zoned_datetime(jiff::tz::TimeZone::UTC).year();
    if (1890..=now).contains(&year) {
        Ok(year)
    } else {
        Err(Refusal::Invalid(format!("birth_year = {year}: write a year from 1890 to {now}")))
    }
}

fn time_zone(name: &str) -> Result<String, Refusal> {
    match jiff::tz::TimeZone::get(name) {
        Ok(_) => Ok(name.to_owned()),
        Err(_) => Err(Refusal::Invalid(format!("time_zone = \"{name}\": write an IANA zone, such as Europe/Paris"))),
    }
}

fn patient(row: &Row<'_>) -> rusqlite::Result<Patient> {
    Ok(Patient {
        id: uuid(row, "id")?,
        site: uuid(row, "site")?,
        ward: maybe_uuid(row, "ward")?,
        name: row.get("name")?,
        nickname: row.get("nickname")?,
        birth_year: row.get("birth_year")?,
        language: unword(row.get("language")?)?,
        time_zone: row.get("time_zone")?,
        phone: row.get("phone")?,
        created_at: time(row.get("created_us")?),
        archived_at: row.get::<_, Option<i64>>("archived_us")?.map(time),
        settings_version: 0,
        assignment: None,
    })
}
