//! Sites and wards.

use medmon_api::ward::{NewSite, NewWard, Site, Ward};
use medmon_core::noun::{Action, Resource, UtcUs};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, key, maybe, maybe_uuid, one, phone, text, uuid};
use crate::refusal::{Refusal, conflict};

/// The names of what a fresh install has.
const DEFAULT: &str = "default";

/// A site and a ward, where there is none: so that a fresh install works.
pub fn ensure_defaults(db: &Connection, now_us: UtcUs) -> Result<(), Refusal> {
    let site = key(Uuid::now_v7());
    let added = db.execute(
        "INSERT INTO site (id, name, created_us) SELECT ?1, ?2, ?3 WHERE NOT EXISTS (SELECT 1 FROM site)",
        params![site, DEFAULT, now_us],
    )?;
    if added == 1 {
        db.execute(
            "INSERT INTO ward (id, site, name, created_us) VALUES (?1, ?2, ?3, ?4)",
            params![key(Uuid::now_v7()), site, DEFAULT, now_us],
        )?;
    }
    Ok(())
}

/// The site called so, or with that id; the oldest one where nothing is said.
pub fn find_site(db: &Connection, asked: Option<&str>) -> Result<Site, Refusal> {
    let oldest = "SELECT id, name FROM site ORDER BY created_us, id LIMIT 1";
    let Some(asked) = asked else { return one(db, oldest, [], site, "site", "") };
    let id = asked.parse().unwrap_or(Uuid::nil());
    one(db, "SELECT id, name FROM site WHERE name = ?1 OR id = ?2", params![asked, key(id)], site, "site", asked)
}

/// The ward of a site called so, or with that id.
pub fn find_ward(db: &Connection, of: Uuid, asked: &str) -> Result<Ward, Refusal> {
    let id = asked.parse().unwrap_or(Uuid::nil());
    let sql = "SELECT id, site, name, on_call_phone FROM ward WHERE site = ?1 AND (name = ?2 OR id = ?3)";
    one(db, sql, params![key(of), asked, key(id)], ward, "ward", asked)
}

/// A site.
pub fn get_site(db: &Connection, id: Uuid) -> Result<Site, Refusal> {
    one(db, "SELECT id, name FROM site WHERE id = ?1", [key(id)], site, "site", id)
}

/// A ward of a site.
pub fn get(db: &Connection, of: Uuid, id: Uuid) -> Result<Ward, Refusal> {
    let sql = "SELECT id, site, name, on_call_phone FROM ward WHERE site = ?1 AND id = ?2";
    one(db, sql, [key(of), key(id)], ward, "ward", id)
}

/// The ward a new patient goes to where none is said: the site's only one.
pub fn only(db: &Connection, of: Uuid) -> Result<Option<Uuid>, Refusal> {
    let wards = list(db, of)?;
    Ok(if let [ward] = &wards[..] { Some(ward.id) } else { None })
}

/// Wards of a site, by name.
pub fn list(db: &Connection, of: Uuid) -> Result<Vec<Ward>, Refusal> {
    let sql = "SELECT id, site, name, on_call_phone FROM ward WHERE site = ?1 ORDER BY name";
    all(db, sql, [key(of)], ward)
}

/// Adds a ward to the caller's site.
pub fn add(tx: &Tx<'_>, new: &NewWard) -> Result<Ward, Refusal> {
    let of = tx.caller.principal.site;
    tx.caller.may(Action::WriteWards, &Resource::of_site(of))?;
    let ward = Ward {
        id: tx.id(),
        site: of,
        name: text("name", &new.name, 1, 100)?,
        on_call_phone: new.on_call_phone.as_deref().map(|number| phone("on_call_phone", number)).transpose()?,
    };
    tx.db
        .execute(
            "INSERT INTO ward (id, site, name, on_call_phone, created_us) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![key(ward.id), key(of), ward.name, ward.on_call_phone, tx.now_us()],
        )
        .map_err(|error| conflict(error, |_| "name: there is a ward of this name; choose another".into()))?;
    tx.audit("ward.add", ward.id, None)?;
    Ok(ward)
}

/// Adds a site. Its first admin token is made on the server: `medmon-cloudd token create --site`.
pub fn add_site(tx: &Tx<'_>, new: &NewSite) -> Result<Site, Refusal> {
    tx.caller.may(Action::WriteWards, &Resource::of_site(tx.caller.principal.site))?;
    let site = Site { id: tx.id(), name: text("name", &new.name, 1, 100)? };
    tx.db
        .execute(
            "INSERT INTO site (id, name, created_us) VALUES (?1, ?2, ?3)",
            params![key(site.id), site.name, tx.now_us()],
        )
        .map_err(|error| conflict(error, |_| "name: there is a site of this name; choose another".into()))?;
    tx.audit("site.add", site.id, None)?;
    Ok(site)
}

/// Site and ward of a patient: what access is decided on.
pub fn resource_of(db: &Connection, patient: Uuid) -> Result<Resource, Refusal> {
    maybe(db, "SELECT site, ward FROM patient WHERE id = ?1", [key(patient)], |row| {
        Ok(Resource::of_patient(uuid(row, "site")?, maybe_uuid(row, "ward")?, patient))
    })?
    .ok_or_else(|| Refusal::not_found("patient", patient))
}

fn site(row: &Row<'_>) -> rusqlite::Result<Site> {
    Ok(Site { id: uuid(row, "id")?, name: row.get("name")? })
}

fn ward(row: &Row<'_>) -> rusqlite::Result<Ward> {
    Ok(Ward {
        id: uuid(row, "id")?,
        site: uuid(row, "site")?,
        name: row.get("name")?,
        on_call_phone: row.get("on_call_phone")?,
    })
}
