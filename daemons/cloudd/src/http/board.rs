//! The ward's board.

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse as _, Response};
use medmon_api::board::{Board, BoardQuery};
use medmon_api::paths;
use medmon_core::noun::{Action, Resource};

use super::App;
use super::extract::Ask;
use crate::board;
use crate::records::Caller;
use crate::refusal::Refusal;

/// Everything a screen of the ward shows, worst and unacknowledged first. Follow `/v1/events` from its last_event_id.
#[utoipa::path(get, path = paths::BOARD, tag = "board", operation_id = "board", params(BoardQuery), responses((status = 200, description = "The board", body = Board)))]
pub async fn show(State(app): State<App>, caller: Caller, Ask(query): Ask<BoardQuery>) -> Result<Response, Refusal> {
    let who = &caller.principal;
    let ward = query.ward.or(who.ward);
    caller.may(Action::ReadVitals, &Resource { ward, patient: who.patient, ..Resource::of_site(who.site) })?;
    let board = board::build(&app, &app.board, &caller, query.ward).await?;
    Ok(([(CONTENT_TYPE, "application/json")], board).into_response())
}
