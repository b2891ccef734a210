//! The API: who may reach what is asked in every handler (or the repository it calls), one file per resource.

mod admission;
mod alerts;
mod assignments;
mod board;
mod contacts;
mod events;
mod extract;
mod fleet;
mod gateway;
mod limits;
mod notes;
mod openapi;
mod patients;
mod problem;
mod quarantine;
mod session;
mod totals;
mod vitals;
mod wards;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medmon_api::paths;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;

pub use admission::Admission;
pub use openapi::document;

use crate::Cloud;
use crate::records::once::{self, Keep, Once};
use crate::records::{Caller, Tx};
use crate::refusal::Refusal;

/// What handlers share.
pub type App = Arc<Cloud>;

/// All routes.
pub fn router(cloud: App) -> Router {
    let (router, document) = openapi::routes().split_for_parts();
    let document = Bytes::from(openapi::finish(document).to_json().unwrap_or_default());
    let openapi = get(move || async move { ([(CONTENT_TYPE, "application/json")], document) });
    router
        .route(paths::OPENAPI, openapi)
        .route(paths::LIVEZ, get(|| async { "ok\n" }))
        .route(paths::READYZ, get(ready))
        .route(paths::METRICS, get(metrics))
        .fallback(|| async { Refusal::NoPath })
        .method_not_allowed_fallback(|| async { Refusal::Method })
        .layer(CatchPanicLayer::custom(|_| Refusal::internal("a handler panicked").into_response()))
        .with_state(cloud)
}

async fn ready(axum::extract::State(app): axum::extract::State<App>) -> Result<&'static str, Refusal> {
    app.probe().await.map(|()| "ready\n")
}

async fn metrics(axum::extract::State(app): axum::extract::State<App>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], app.metrics.text())
}

/// Writes once per idempotency key and answers with what the write gave.
async fn commit<T, F>(
    app: &App,
    caller: Caller,
    once: Option<Once>,
    status: StatusCode,
    work: F,
) -> Result<Response, Refusal>
where
    T: Serialize,
    F: FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
{
    commit_keeping(app, caller, once, status, Keep::Body, work).await
}

async fn commit_keeping<T, F>(
    app: &App,
    caller: Caller,
    once: Option<Once>,
    status: StatusCode,
    keep: Keep,
    work: F,
) -> Result<Response, Refusal>
where
    T: Serialize,
    F: FnOnce(&Tx<'_>) -> Result<T, Refusal> + Send + 'static,
{
    let answer = app.write(caller, move |tx| once::run(tx, once.as_ref(), status.as_u16(), keep, work)).await?;
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    Ok(if status == StatusCode::NO_CONTENT {
        status.into_response()
    } else {
        (status, [(CONTENT_TYPE, "application/json")], answer.body).into_response()
    })
}

/// The version that `If-Match` names; absent or `*` = any.
fn if_match(headers: &axum::http::HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(axum::http::header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default();
    if text == "*" {
        return Ok(None);
    }
    let version = text.trim_start_matches("W/").trim_matches('"').parse();
    version.map(Some).map_err(|_| Refusal::Invalid(format!("If-Match = {text}: send the ETag of an earlier answer")))
}
