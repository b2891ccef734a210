//! Envelopes that were set aside.

use axum::Json;
use axum::extract::State;
use medmon_api::paths;
use medmon_api::quarantine::{Decision, Quarantined, Release};
use uuid::Uuid;

use super::App;
use super::extract::{At, Body};
use crate::records::Caller;
use crate::refusal::Refusal;
use crate::release;

/// What waits for a decision at a gateway, oldest first, 500 at most.
#[utoipa::path(get, path = paths::GATEWAY_QUARANTINE, tag = "gateways", operation_id = "list_quarantine", params(("id" = Uuid, Path)), responses((status = 200, description = "Envelopes", body = Vec<Quarantined>)))]
pub async fn list(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Vec<Quarantined>>, Refusal> {
    app.records.read(move |db| release::list(db, &caller, id)).await.map(Json)
}

/// Puts it into the record of the patient of an assignment; safe to repeat.
#[utoipa::path(post, path = paths::QUARANTINE_RELEASE, tag = "gateways", operation_id = "release_quarantine", params(("id" = Uuid, Path)), request_body = Release, responses((status = 200, description = "What came of it", body = Decision)))]
pub async fn release(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Release>,
) -> Result<Json<Decision>, Refusal> {
    release::release(&app, caller, id, body.value.epoch).await.map(Json)
}

/// It stays aside for good; its bytes are kept.
#[utoipa::path(post, path = paths::QUARANTINE_DISMISS, tag = "gateways", operation_id = "dismiss_quarantine", params(("id" = Uuid, Path)), responses((status = 200, description = "What came of it", body = Decision)))]
pub async fn dismiss(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Decision>, Refusal> {
    release::dismiss(&app, caller, id).await.map(Json)
}
