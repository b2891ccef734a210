//! Contacts: whom the gateway texts, in order. A removed one keeps its name for the alerts that texted it.

use medmon_api::contact::{Contact, ContactPatch, NewContact};
use medmon_api::event::EventKind;
use medmon_api::gateway::ContactNow;
use medmon_core::noun::{self, Action};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, assignment, changed_one, gateway, key, maybe, one, phone, text, unword, uuid, ward, word};
use crate::refusal::{Refusal, conflict};

const COLUMNS: &str = "id, patient, position, name, phone, relation, language";
/// Contacts of one patient at most; texting more at once helps nobody.
const MAX: usize = 20;

/// The contacts of a patient, in order.
pub fn list(db: &Connection, patient: Uuid) -> Result<Vec<Contact>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE patient = ?1 AND removed_us IS NULL ORDER BY position");
    all(db, &sql, [key(patient)], contact)
}

/// One contact of a patient.
pub fn get(db: &Connection, patient: Uuid, id: Uuid) -> Result<Contact, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM contact WHERE patient = ?1 AND id = ?2 AND removed_us IS NULL");
    one(db, &sql, [key(patient), key(id)], contact, "contact", id)
}

/// Whom a gateway is about to text: the contact that it names, or the first one where that one is gone.
pub fn now(db: &Connection, gateway: Uuid, named: Option<Uuid>) -> Result<ContactNow, Refusal> {
    let Some(open) = assignment::open_of_gateway(db, gateway)? else { return Ok(ContactNow::default()) };
    let mut contacts = list(db, open.patient)?;
    let place = contacts.iter().position(|contact| Some(contact.id) == named).unwrap_or(0);
    let contact = (place < contacts.len()).then(|| noun::Contact::from(contacts.swap_remove(place)));
    Ok(ContactNow { epoch: open.epoch, contact })
}

/// The name of a contact, removed ones too.
pub fn name(db: &Connection, id: Uuid) -> Result<Option<String>, Refusal> {
    maybe(db, "SELECT name FROM contact WHERE id = ?1", [key(id)], |row| row.get(0))
}

/// Adds a contact.
pub fn add(tx: &Tx<'_>, patient: Uuid, new: &NewContact) -> Result<Contact, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteContacts, &resource)?;
    let mut order: Vec<_> = list(tx.db, patient)?.iter().map(|contact| contact.id).collect();
    if order.len() >= MAX {
        return Err(Refusal::Conflict(format!("there are {MAX} contacts, the most there can be; remove one first")));
    }
    let id = tx.id();
    tx.db
        .execute(
            "INSERT INTO contact (id, patient, position, name, phone, relation, language, created_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            params![
                key(id),
                key(patient),
                order.len() as i64 + 1,
                contact_name(&new.name)?,
                phone("phone", &new.phone)?,
                text("relation", &new.relation, 0, 50)?,
                word(new.language),
                tx.now_us()
            ],
        )
        .map_err(taken)?;
    order.push(id);
    if let Some(position) = new.position {
        place(tx, &mut order, id, position)?;
    }
    finish(tx, "contact.add", patient, id, resource)?;
    get(tx.db, patient, id)
}

/// Changes a contact or its place.
pub fn edit(tx: &Tx<'_>, patient: Uuid, id: Uuid, patch: &ContactPatch) -> Result<Contact, Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteContacts, &resource)?;
    let before = get(tx.db, patient, id)?;
    let changed = tx
        .db
        .execute(
            "UPDATE contact SET name = ?2, phone = ?3, relation = ?4, language = ?5 WHERE id = ?1",
            params![
                key(id),
                contact_name(patch.name.as_ref().unwrap_or(&before.name))?,
                phone("phone", patch.phone.as_ref().unwrap_or(&before.phone))?,
                text("relation", patch.relation.as_ref().unwrap_or(&before.relation), 0, 50)?,
                word(patch.language.unwrap_or(before.language)),
            ],
        )
        .map_err(taken)?;
    changed_one(changed)?;
    if let Some(position) = patch.position {
        let mut order: Vec<_> = list(tx.db, patient)?.iter().map(|contact| contact.id).collect();
        place(tx, &mut order, id, position)?;
    }
    finish(tx, "contact.edit", patient, id, resource)?;
    get(tx.db, patient, id)
}

/// Removes a contact.
pub fn remove(tx: &Tx<'_>, patient: Uuid, id: Uuid) -> Result<(), Refusal> {
    let resource = ward::resource_of(tx.db, patient)?;
    tx.caller.may(Action::WriteContacts, &resource)?;
    get(tx.db, patient, id)?;
    let sql = "UPDATE contact SET removed_us = ?2 WHERE id = ?1";
    changed_one(tx.db.execute(sql, params![key(id), tx.now_us()])?)?;
    let order: Vec<_> = list(tx.db, patient)?.iter().map(|contact| contact.id).collect();
    number(tx, &order)?;
    finish(tx, "contact.remove", patient, id, resource)
}

fn finish(
    tx: &Tx<'_>,
    action: &str,
    patient: Uuid,
    id: Uuid,
    resource: medmon_core::noun::Resource,
) -> Result<(), Refusal> {
    tx.audit(action, id, Some(patient))?;
    gateway::settings_changed(tx, patient)?;
    tx.hint(EventKind::Patient, resource, None);
    Ok(())
}

fn place(tx: &Tx<'_>, order: &mut Vec<Uuid>, id: Uuid, position: u32) -> Result<(), Refusal> {
    if !(1..=order.len()).contains(&(position as usize)) {
        return Err(Refusal::Invalid(format!("position = {position}: write 1 to {}", order.len())));
    }
    order.retain(|other| *other != id);
    order.insert(position as usize - 1, id);
    number(tx, order)
}

/// Numbers contacts 1, 2, 3 …; by way of negative numbers, because the unique index watches every row.
fn number(tx: &Tx<'_>, order: &[Uuid]) -> Result<(), Refusal> {
    for sign in [-1, 1] {
        for (index, id) in order.iter().enumerate() {
            let sql = "UPDATE contact SET position = ?2 WHERE id = ?1";
            changed_one(tx.db.execute(sql, params![key(*id), sign * (index as i64 + 1)])?)?;
        }
    }
    Ok(())
}

fn contact_name(value: &str) -> Result<String, Refusal> {
    let name = text("name", value, 1, 30)?;
    if name.contains(['\n', '\r', '\t']) {
        return Err(Refusal::Invalid("name: is texted, so it is one line".into()));
    }
    Ok(name)
}

fn taken(error: rusqlite::Error) -> Refusal {
    conflict(error, |_| "phone: another contact of this patient has this number; change that one".into())
}

fn contact(row: &Row<'_>) -> rusqlite::Result<Contact> {
    Ok(Contact {
        id: uuid(row, "id")?,
        patient: uuid(row, "patient")?,
        position: row.get("position")?,
        name: row.get("name")?,
        phone: row.get("phone")?,
        relation: row.get("relation")?,
        language: unword(row.get("language")?)?,
    })
}
