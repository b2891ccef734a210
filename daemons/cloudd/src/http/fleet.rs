//! Gateways as people see them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::gateway::{Gateway, GatewayCode, NewGateway, Pair};
use medmon_api::paths;
use medmon_core::noun::{Action, Resource};
use uuid::Uuid;

use super::extract::{At, Body, Key};
use super::{App, commit, commit_keeping};
use crate::records::once::Keep;
use crate::records::{Caller, gateway};
use crate::refusal::Refusal;

/// Gateways of the caller's site, by name.
#[utoipa::path(get, path = paths::GATEWAYS, tag = "gateways", operation_id = "list_gateways", responses((status = 200, description = "Gateways", body = Vec<Gateway>)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Gateway>>, Refusal> {
    let site = caller.principal.site;
    caller.may(Action::ReadFleet, &Resource::of_site(site))?;
    app.records.read(move |db| gateway::list(db, site)).await.map(Json)
}

/// One gateway.
#[utoipa::path(get, path = paths::GATEWAY, tag = "gateways", operation_id = "show_gateway", params(("id" = Uuid, Path)), responses((status = 200, description = "The gateway", body = Gateway)))]
pub async fn show(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Gateway>, Refusal> {
    let read = move |db: &rusqlite::Connection| {
        let row = gateway::get(db, id)?;
        caller.may(Action::ReadFleet, &Resource::of_gateway(row.site, id))?;
        Ok(row)
    };
    app.records.read(read).await.map(Json)
}

/// Adds a gateway. Its one-time code is in this answer and nowhere else.
#[utoipa::path(post, path = paths::GATEWAYS, tag = "gateways", operation_id = "add_gateway", request_body = NewGateway, responses((status = 201, description = "The gateway and its code", body = GatewayCode)))]
pub async fn add(State(app): State<App>, caller: Caller, body: Body<NewGateway>) -> Result<Response, Refusal> {
    commit_keeping(&app, caller, body.once, StatusCode::CREATED, Keep::Secret, move |tx| gateway::add(tx, &body.value))
        .await
}

/// A new one-time code, for a box that is replaced.
#[utoipa::path(post, path = paths::GATEWAY_CODE, tag = "gateways", operation_id = "gateway_code", params(("id" = Uuid, Path)), responses((status = 201, description = "The gateway and its code", body = GatewayCode)))]
pub async fn code(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Key(once): Key,
) -> Result<Response, Refusal> {
    commit_keeping(&app, caller, once, StatusCode::CREATED, Keep::Secret, move |tx| gateway::code(tx, id)).await
}

/// Lets sensors join a gateway for a while; it opens its window when the Settings reach it.
#[utoipa::path(post, path = paths::GATEWAY_PAIR, tag = "gateways", operation_id = "pair", params(("id" = Uuid, Path)), request_body = Pair, responses((status = 200, description = "The gateway", body = Gateway)))]
pub async fn pair(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    body: Body<Pair>,
) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::OK, move |tx| gateway::pair(tx, id, body.value)).await
}

/// Revokes a gateway: its token ends. One that is bound has to be unbound first.
#[utoipa::path(delete, path = paths::GATEWAY, tag = "gateways", operation_id = "revoke_gateway", params(("id" = Uuid, Path)), responses((status = 204, description = "Revoked")))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Key(once): Key,
) -> Result<Response, Refusal> {
    commit(&app, caller, once, StatusCode::NO_CONTENT, move |tx| gateway::revoke(tx, id)).await
}
