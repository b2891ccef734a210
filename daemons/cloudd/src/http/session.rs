//! Who the caller is, and the tokens of a site.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use medmon_api::token::{CreatedToken, NewToken, Token, Whoami};
use medmon_api::{Page, PageQuery, paths, time};
use medmon_core::noun::{Action, Resource, Role};
use uuid::Uuid;

use super::extract::{Ask, At, Body, Key};
use super::{App, commit, commit_keeping};
use crate::records::once::Keep;
use crate::records::principal::{self, NewPrincipal};
use crate::records::{Caller, ward};
use crate::refusal::Refusal;

/// Who the caller is.
#[utoipa::path(get, path = paths::WHOAMI, tag = "session", operation_id = "whoami", responses((status = 200, description = "The caller", body = Whoami)))]
pub async fn whoami(State(app): State<App>, caller: Caller) -> Result<Json<Whoami>, Refusal> {
    let who = caller.principal;
    let read = move |db: &rusqlite::Connection| {
        let site_name = ward::get_site(db, who.site)?.name;
        let ward_name = who.ward.map(|id| ward::get(db, who.site, id)).transpose()?.map(|ward| ward.name);
        Ok(Whoami {
            id: who.id,
            name: who.name,
            role: who.role,
            site: who.site,
            site_name,
            ward: who.ward,
            ward_name,
            patient: who.patient,
            gateway: who.gateway,
            expires_at: who.expires_us.map(time),
        })
    };
    app.records.read(read).await.map(Json)
}

/// Tokens of the caller's site, newest first, without their secrets.
#[utoipa::path(get, path = paths::TOKENS, tag = "tokens", operation_id = "list_tokens", params(PageQuery), responses((status = 200, description = "Tokens", body = Page<Token>)))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Ask(page): Ask<PageQuery>,
) -> Result<Json<Page<Token>>, Refusal> {
    let site = caller.principal.site;
    caller.may(Action::ManageTokens, &Resource::of_site(site))?;
    app.records.read(move |db| principal::list(db, site, &page)).await.map(Json)
}

/// Makes a token. Its secret is in this answer and nowhere else.
#[utoipa::path(post, path = paths::TOKENS, tag = "tokens", operation_id = "create_token", request_body = NewToken, responses((status = 201, description = "The token, shown once", body = CreatedToken)))]
pub async fn create(State(app): State<App>, caller: Caller, body: Body<NewToken>) -> Result<Response, Refusal> {
    commit_keeping(&app, caller, body.once, StatusCode::CREATED, Keep::Secret, move |tx| {
        let site = tx.caller.principal.site;
        tx.caller.may(Action::ManageTokens, &Resource::of_site(site))?;
        if body.value.role == Role::Gateway {
            return Err(Refusal::Invalid("role = gateway: gateways enrol with a code; POST /v1/gateways".into()));
        }
        let (about, secret) = principal::create(tx, &NewPrincipal::of(&body.value, site))?;
        Ok(CreatedToken { about, token: secret.reveal() })
    })
    .await
}

/// Revokes a token.
#[utoipa::path(delete, path = paths::TOKEN, tag = "tokens", operation_id = "revoke_token", params(("id" = Uuid, Path)), responses((status = 204, description = "Revoked")))]
pub async fn revoke(
    State(app): State<App>,
    caller: Caller,
    At(id): At<Uuid>,
    Key(once): Key,
) -> Result<Response, Refusal> {
    commit(&app, caller, once, StatusCode::NO_CONTENT, move |tx| principal::revoke(tx, id)).await
}
