//! Patients.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::patient::{NewPatient, Patient, PatientPatch, PatientQuery};
use medmon_api::{Page, PageQuery, paths};
use medmon_core::noun::{Action, Resource};
use rusqlite::Connection;
use uuid::Uuid;

use super::extract::{Ask, At, Body};
use super::{App, commit};
use crate::records::{Caller, patient, ward};
use crate::refusal::Refusal;

/// Patients that the caller may see, by name.
#[utoipa::path(get, path = paths::PATIENTS, tag = "patients", operation_id = "list_patients", params(PatientQuery, PageQuery), responses((status = 200, description = "Patients", body = Page<Patient>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Ask(query): Ask<PatientQuery>,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Patient>>, Refusal> {
    // Of the caller's own patient for those who have one: a maintainer is told so, not shown an empty list.
    let who = &caller.principal;
    caller
        .may(Action::ReadPatient, &Resource { ward: who.ward, patient: who.patient, ..Resource::of_site(who.site) })?;
    app.records.read(move |db| patient::list(db, &caller, &query, &page)).await.map(Json)
}

/// One patient.
#[utoipa::path(get, path = paths::PATIENT, tag = "patients", operation_id = "show_patient", params(("id" = Uuid, Path)), responses((status = 200, description = "The patient", body = Patient)))]
pub async fn show(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Patient>, Refusal> {
    let read = move |db: &Connection| {
        may(db, &caller, Action::ReadPatient, id)?;
        Ok(patient::shown(patient::get(db, id)?, &caller))
    };
    app.records.read(read).await.map(Json)
}

/// Opens a record.
#[utoipa::path(post, path = paths::PATIENTS, tag = "patients", operation_id = "add_patient", request_body = NewPatient, responses((status = 201, description = "The patient", body = Patient)))]
pub async fn add(State(app): State<App>, caller: Caller, body: Body<NewPatient>) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| patient::add(tx, &body.value)).await
}

/// Changes a record.
#[utoipa::path(patch, path = paths::PATIENT, tag = "patients", operation_id = "edit_patient", params(("id" = Uuid, Path)), request_body = PatientPatch, responses((status = 200, description = "The patient", body = Patient)))]
pub async fn edit(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<PatientPatch>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| patient::edit(tx, id, &body.value)).await
}

/// Refuses unless the caller may do `action` to a patient; gives what that was decided on.
pub fn may(db: &Connection, caller: &Caller, action: Action, patient: Uuid) -> Result<Resource, Refusal> {
    let resource = ward::resource_of(db, patient)?;
    caller.may(action, &resource)?;
    Ok(resource)
}
