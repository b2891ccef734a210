//! A patient's contacts.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::contact::{Contact, ContactPatch, ContactTest, Drill, NewContact};
use medmon_api::paths;
use medmon_core::noun::Action;
use uuid::Uuid;

use super::extract::{At, Body, Key};
use super::patients::may;
use super::{App, commit};
use crate::records::{Caller, contact, drill};
use crate::refusal::Refusal;

/// A patient's contacts, in the order of the ladder.
#[utoipa::path(get, path = paths::CONTACTS, tag = "contacts", operation_id = "list_contacts", params(("id" = Uuid, Path)), responses((status = 200, description = "Contacts", body = Vec<Contact>)))]
pub async fn list(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Vec<Contact>>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadContacts, id)?;
        contact::list(db, id)
    };
    app.records.read(read).await.map(Json)
}

/// Adds a contact.
#[utoipa::path(post, path = paths::CONTACTS, tag = "contacts", operation_id = "add_contact", params(("id" = Uuid, Path)), request_body = NewContact, responses((status = 201, description = "The contact", body = Contact)))]
pub async fn add(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<NewContact>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| contact::add(tx, id, &body.value)).await
}

/// Changes a contact or its place.
#[utoipa::path(patch, path = paths::CONTACT, tag = "contacts", operation_id = "edit_contact", params(("id" = Uuid, Path), ("contact" = Uuid, Path)), request_body = ContactPatch, responses((status = 200, description = "The contact", body = Contact)))]
pub async fn edit(
    State(app): State<App>,
    caller: Caller,
    At((id, contact)): At<(Uuid, Uuid)>,
    body: Body<ContactPatch>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| contact::edit(tx, id, contact, &body.value)).await
}

/// Asks for an exercise: the gateway raises a drill alert for this contact and texts them. One at a time.
#[utoipa::path(post, path = paths::CONTACT_TEST, tag = "contacts", operation_id = "test_contact", params(("id" = Uuid, Path), ("contact" = Uuid, Path)), request_body = ContactTest, responses((status = 201, description = "The exercise", body = Drill)))]
pub async fn test(
    State(app): State<App>,
    caller: Caller,
    At((id, contact)): At<(Uuid, Uuid)>,
    body: Body<ContactTest>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| drill::ask(tx, id, contact, body.value)).await
}

/// Removes a contact.
#[utoipa::path(delete, path = paths::CONTACT, tag = "contacts", operation_id = "remove_contact", params(("id" = Uuid, Path), ("contact" = Uuid, Path)), responses((status = 204, description = "Removed")))]
pub async fn remove(
    State(app): State<App>,
    caller: Caller,
    At((id, contact)): At<(Uuid, Uuid)>,
    Key(once): Key,
) -> Result<Response, Refusal> {
    commit(&app, caller, once, StatusCode::NO_CONTENT, move |tx| contact::remove(tx, id, contact)).await
}
