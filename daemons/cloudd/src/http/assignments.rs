//! Which gateway speaks for a patient, and the sensors on its allow-list.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::assignment::{Assignment, Bind, DeviceHistory, Devices};
use medmon_api::paths;
use medmon_core::noun::{Action, Ieee};
use uuid::Uuid;

use super::extract::{At, Body, Key};
use super::patients::may;
use super::{App, commit};
use crate::records::{Caller, assignment, device};
use crate::refusal::Refusal;

/// A patient's assignments, newest first.
#[utoipa::path(get, path = paths::ASSIGNMENTS, tag = "assignments", operation_id = "list_assignments", params(("id" = Uuid, Path)), responses((status = 200, description = "Assignments", body = Vec<Assignment>)))]
pub async fn list(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Vec<Assignment>>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadAssignments, id)?;
        Ok(assignment::list(db, id)?.iter().map(assignment::shown).collect::<Vec<_>>())
    };
    app.records.read(read).await.map(Json)
}

/// Binds a gateway; pending until the gateway's heartbeat confirms it.
#[utoipa::path(post, path = paths::ASSIGNMENTS, tag = "assignments", operation_id = "bind", params(("id" = Uuid, Path)), request_body = Bind, responses((status = 201, description = "The assignment", body = Assignment)))]
pub async fn bind(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Bind>,
) -> Result<Response, Refusal> {
    let gateway = body.value.gateway;
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| {
        assignment::bind(tx, id, gateway).map(|open| assignment::shown(&open))
    })
    .await
}

/// Ends the open assignment.
#[utoipa::path(delete, path = paths::ASSIGNMENT_OPEN, tag = "assignments", operation_id = "unbind", params(("id" = Uuid, Path)), responses((status = 204, description = "Ended")))]
pub async fn unbind(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Key(once): Key,
) -> Result<Response, Refusal> {
    commit(&app, caller, once, StatusCode::NO_CONTENT, move |tx| assignment::unbind(tx, id).map(drop)).await
}

/// A patient's sensors and cadences.
#[utoipa::path(get, path = paths::DEVICES, tag = "assignments", operation_id = "list_devices", params(("id" = Uuid, Path)), responses((status = 200, description = "Sensors", body = Devices)))]
pub async fn devices(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Devices>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadAssignments, id)?;
        device::get(db, id)
    };
    app.records.read(read).await.map(Json)
}

/// Replaces a patient's sensors and cadences.
#[utoipa::path(put, path = paths::DEVICES, tag = "assignments", operation_id = "set_devices", params(("id" = Uuid, Path)), request_body = Devices, responses((status = 200, description = "Sensors", body = Devices)))]
pub async fn set_devices(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Devices>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| device::set(tx, id, &body.value)).await
}

/// Everything that is known of a sensor: to whom it was given, and which gateways hear it.
#[utoipa::path(get, path = paths::DEVICE, tag = "assignments", operation_id = "device_history", params(("ieee" = String, Path)), responses((status = 200, description = "The sensor", body = DeviceHistory)))]
pub async fn history(
    State(app): State<App>,
    caller: Caller,
    At(ieee): At<Ieee>,
) -> Result<Json<DeviceHistory>, Refusal> {
    app.records.read(move |db| device::history(db, &caller, ieee)).await.map(Json)
}
