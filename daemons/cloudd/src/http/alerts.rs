//! Alerts: lists, one with its facts, its segment, and the ward's answers.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::alert::{Ack, Alert, AlertDetail, AlertQuery, AlertSegment, Silence};
use medmon_api::{Page, PageQuery, paths};
use medmon_core::noun::{Action, Resource};
use rusqlite::Connection;
use uuid::Uuid;

use super::extract::{Ask, At, Body};
use super::patients::may;
use super::{App, commit};
use crate::alerts as rules;
use crate::records::{Caller, alert};
use crate::refusal::Refusal;
use crate::segments;

/// Alerts that the caller may see, newest first.
#[utoipa::path(get, path = paths::ALERTS, tag = "alerts", operation_id = "list_alerts", params(AlertQuery, PageQuery), responses((status = 200, description = "Alerts", body = Page<Alert>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Ask(query): Ask<AlertQuery>,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Alert>>, Refusal> {
    let who = &caller.principal;
    caller
        .may(Action::ReadAlerts, &Resource { ward: who.ward, patient: who.patient, ..Resource::of_site(who.site) })?;
    app.records.read(move |db| pages(db, &caller, None, &query, &page)).await.map(Json)
}

/// A patient's alerts, newest first.
#[utoipa::path(get, path = paths::PATIENT_ALERTS, tag = "alerts", operation_id = "list_patient_alerts", params(("id" = Uuid, Path), AlertQuery, PageQuery), responses((status = 200, description = "Alerts", body = Page<Alert>)))]
pub async fn of_patient(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Ask(query): Ask<AlertQuery>,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Alert>>, Refusal> {
    let read = move |db: &Connection| {
        may(db, &caller, Action::ReadAlerts, id)?;
        pages(db, &caller, Some(id), &query, &page)
    };
    app.records.read(read).await.map(Json)
}

fn pages(
    db: &Connection,
    caller: &Caller,
    patient: Option<Uuid>,
    query: &AlertQuery,
    page: &PageQuery,
) -> Result<Page<Alert>, Refusal> {
    let (rows, next) = alert::list(db, caller, patient, query, page)?;
    let shown = rows.iter().map(|row| rules::show(db, caller, row)).collect::<Result<Vec<_>, _>>()?;
    Ok(Page { items: shown.into_iter().flatten().collect(), next })
}

/// One alert with its facts.
#[utoipa::path(get, path = paths::ALERT, tag = "alerts", operation_id = "show_alert", params(("id" = Uuid, Path)), responses((status = 200, description = "The alert", body = AlertDetail)))]
pub async fn show(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<AlertDetail>, Refusal> {
    app.records.read(move |db| rules::detail(db, &caller, id)).await.map(Json)
}

/// The raw readings around it at full rate. Not found while the gateway has not sent them: some minutes after the raising.
#[utoipa::path(get, path = paths::ALERT_SEGMENT, tag = "alerts", operation_id = "alert_segment", params(("id" = Uuid, Path)), responses((status = 200, description = "A series for each vital of each device", body = AlertSegment)))]
pub async fn segment(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<AlertSegment>, Refusal> {
    let parts = app.records.read(move |db| segments::parts(db, &caller, id)).await?;
    segments::show(&parts)?.map(Json).ok_or_else(|| Refusal::not_found("segment yet of alert", id))
}

/// The ward takes care of it: paging stops for this episode until it worsens.
#[utoipa::path(post, path = paths::ALERT_ACK, tag = "alerts", operation_id = "acknowledge_alert", params(("id" = Uuid, Path)), request_body = Ack, responses((status = 200, description = "The alert", body = Alert)))]
pub async fn ack(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Ack>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| rules::acknowledge(tx, id, &body.value)).await
}

/// No paging for it for a time; it stays on the board.
#[utoipa::path(post, path = paths::ALERT_SILENCE, tag = "alerts", operation_id = "silence_alert", params(("id" = Uuid, Path)), request_body = Silence, responses((status = 200, description = "The alert", body = Alert)))]
pub async fn silence(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Silence>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| rules::silence(tx, id, &body.value)).await
}
