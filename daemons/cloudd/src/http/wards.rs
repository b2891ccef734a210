//! Sites and wards.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::paths;
use medmon_api::ward::{NewSite, NewWard, Site, Ward};
use medmon_core::noun::{Action, Resource};

use super::extract::Body;
use super::{App, commit};
use crate::records::{Caller, ward};
use crate::refusal::Refusal;

/// Wards of the caller's site, by name; one confined to a ward sees that one.
#[utoipa::path(get, path = paths::WARDS, tag = "wards", operation_id = "list_wards", responses((status = 200, description = "Wards", body = Vec<Ward>)))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Ward>>, Refusal> {
    let site = caller.principal.site;
    caller.may(Action::ReadWards, &Resource::of_site(site))?;
    let mut wards = app.records.read(move |db| ward::list(db, site)).await?;
    wards.retain(|ward| caller.can(Action::ReadWards, &Resource { ward: Some(ward.id), ..Resource::of_site(site) }));
    Ok(Json(wards))
}

/// Adds a ward to the caller's site.
#[utoipa::path(post, path = paths::WARDS, tag = "wards", operation_id = "add_ward", request_body = NewWard, responses((status = 201, description = "The ward", body = Ward)))]
pub async fn add(State(app): State<App>, caller: Caller, body: Body<NewWard>) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| ward::add(tx, &body.value)).await
}

/// Sites that the caller may see: its own.
#[utoipa::path(get, path = paths::SITES, tag = "wards", operation_id = "list_sites", responses((status = 200, description = "Sites", body = Vec<Site>)))]
pub async fn sites(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Site>>, Refusal> {
    let site = caller.principal.site;
    caller.may(Action::ReadWards, &Resource::of_site(site))?;
    app.records.read(move |db| ward::get_site(db, site)).await.map(|site| Json(vec![site]))
}

/// Adds a site. Its first admin token is made on the server.
#[utoipa::path(post, path = paths::SITES, tag = "wards", operation_id = "add_site", request_body = NewSite, responses((status = 201, description = "The site", body = Site)))]
pub async fn add_site(State(app): State<App>, caller: Caller, body: Body<NewSite>) -> Result<Response, Refusal> {
    commit(&app, caller, body.once, StatusCode::CREATED, move |tx| ward::add_site(tx, &body.value)).await
}
