//! A patient's limits.

use axum::Json;
use axum::extract::State;
use axum::http::header::ETAG;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use medmon_api::limits::{LimitsPatch, PatientLimits};
use medmon_api::paths;
use medmon_core::noun::Action;
use uuid::Uuid;

use super::extract::{At, Body};
use super::patients::may;
use super::{App, commit, if_match};
use crate::records::{Caller, limits};
use crate::refusal::Refusal;

/// A patient's limits; the ETag is their version.
#[utoipa::path(get, path = paths::LIMITS, tag = "limits", operation_id = "show_limits", params(("id" = Uuid, Path)), responses((status = 200, description = "The limits", body = PatientLimits, headers(("ETag" = String)))))]
pub async fn show(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Response, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadLimits, id)?;
        limits::get(db, id)
    };
    let limits = app.records.read(read).await?;
    Ok(([(ETAG, format!("\"{}\"", limits.version))], Json(limits)).into_response())
}

/// Changes limits, all given or none: `{"heart_rate.high_urgent": 140}`; null = back to the default.
#[utoipa::path(put, path = paths::LIMITS, tag = "limits", operation_id = "set_limits", params(("id" = Uuid, Path), ("If-Match" = Option<String>, Header)), request_body = Object, responses((status = 200, description = "The limits", body = PatientLimits)))]
pub async fn set(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    headers: HeaderMap,
    body: Body<LimitsPatch>,
) -> Result<Response, Refusal> {
    let version = if_match(&headers)?;
    commit(&app, caller, body.once, StatusCode::OK, move |tx| limits::set(tx, id, &body.value, version)).await
}
