//! What people write about a patient: reports and feelings.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::feeling::{Feeling, NewFeeling};
use medmon_api::report::{NewReport, Report};
use medmon_api::{Page, PageQuery, paths};
use medmon_core::noun::Action;
use uuid::Uuid;

use super::extract::{Ask, At, Body};
use super::patients::may;
use super::{App, commit};
use crate::records::{Caller, feeling, report};
use crate::refusal::Refusal;

/// A patient's reports, newest first.
#[utoipa::path(get, path = paths::REPORTS, tag = "reports", operation_id = "list_reports", params(("id" = Uuid, Path), PageQuery), responses((status = 200, description = "Reports", body = Page<Report>)))]
pub async fn reports(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Report>>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadReports, id)?;
        report::list(db, id, &page)
    };
    app.records.read(read).await.map(Json)
}

/// One report.
#[utoipa::path(get, path = paths::REPORT, tag = "reports", operation_id = "show_report", params(("id" = Uuid, Path), ("report" = Uuid, Path)), responses((status = 200, description = "The report", body = Report)))]
pub async fn report(
    State(app): State<App>,
    caller: Caller,
    At((id, report)): At<(Uuid, Uuid)>,
) -> Result<Json<Report>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadReports, id)?;
        report::get(db, id, report)
    };
    app.records.read(read).await.map(Json)
}

/// Adds a report.
#[utoipa::path(post, path = paths::REPORTS, tag = "reports", operation_id = "add_report", params(("id" = Uuid, Path)), request_body = NewReport, responses((status = 201, description = "The report", body = Report)))]
pub async fn add_report(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<NewReport>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| report::add(tx, id, &body.value)).await
}

/// A patient's feelings, newest first.
#[utoipa::path(get, path = paths::FEELINGS, tag = "feelings", operation_id = "list_feelings", params(("id" = Uuid, Path), PageQuery), responses((status = 200, description = "Feelings", body = Page<Feeling>)))]
pub async fn feelings(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Feeling>>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadFeelings, id)?;
        feeling::list(db, id, &page)
    };
    app.records.read(read).await.map(Json)
}

/// Adds a feeling.
#[utoipa::path(post, path = paths::FEELINGS, tag = "feelings", operation_id = "add_feeling", params(("id" = Uuid, Path)), request_body = NewFeeling, responses((status = 201, description = "The feeling", body = Feeling)))]
pub async fn add_feeling(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<NewFeeling>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| feeling::add(tx, id, &body.value)).await
}
