//! What handlers take in: the caller behind a token, path and query, a capped body with its idempotency key.
//!
//! Each refuses as a problem that names the place, in place of axum's plain texts.

use std::time::Duration;

use axum::body::{Body as HttpBody, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH};
use axum::http::request::Parts;
use medmon_core::noun::{Action, Resource};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::App;
use crate::auth::token_hash;
use crate::records::Caller;
use crate::records::once::{MAX_KEY, Once};
use crate::refusal::Refusal;

/// Bytes of a JSON body at most; a report of 64 KiB in JSON's longest spelling fits, and some hundred facts.
const MAX_JSON: usize = 1 << 20;
/// A body that trickles in longer is given up.
const BODY_TIME: Duration = Duration::from_secs(30);

impl FromRequestParts<App> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let sent = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let missing = "send `Authorization: Bearer TOKEN`; medmon login, or medmon-cloudd token create";
        let token = sent.and_then(|value| value.strip_prefix("Bearer ")).ok_or(Refusal::Unauthenticated(missing))?;
        let unknown = Refusal::Unauthenticated("the token is unknown or revoked; log in again");
        let Some(hash) = token_hash(token.trim()) else { return Err(unknown) };
        let found = app.known.principal(&app.records, hash).await?;
        let principal = found.ok_or(unknown)?;
        let now_us = app.clock.utc_us();
        if principal.expires_us.is_some_and(|end| now_us >= end) {
            return Err(Refusal::Unauthenticated("the token has expired; log in again"));
        }
        Ok(Self { principal, now_us })
    }
}

/// A caller that is a gateway.
pub struct GatewayCaller {
    /// Who.
    pub caller: Caller,
    /// Which gateway.
    pub gateway: Uuid,
}

impl FromRequestParts<App> for GatewayCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let caller = Caller::from_request_parts(parts, app).await?;
        let gateway = caller.principal.gateway.unwrap_or(Uuid::nil());
        caller.may(Action::ServeGateway, &Resource::of_gateway(caller.principal.site, gateway))?;
        Ok(Self { caller, gateway })
    }
}

/// What stands in the path.
pub struct At<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for At<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let found = Path::<T>::from_request_parts(parts, app).await;
        let Path(value) =
            found.map_err(|error| Refusal::Invalid(format!("path {}: {}", parts.uri.path(), error.body_text())))?;
        Ok(Self(value))
    }
}

/// What stands in the query.
pub struct Ask<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<App> for Ask<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Refusal> {
        let found = Query::<T>::from_request_parts(parts, app).await;
        let Query(value) = found.map_err(|error| Refusal::Invalid(format!("query: {}", error.body_text())))?;
        Ok(Self(value))
    }
}

/// The idempotency key of a request without a body.
pub struct Key(pub Option<Once>);

impl FromRequestParts<App> for Key {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Refusal> {
        Ok(Self(once(&parts.headers, parts.method.as_str(), parts.uri.path(), &[])?))
    }
}

/// A JSON body and the idempotency key of its request.
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// The key, if there is one.
    pub once: Option<Once>,
}

impl<T: DeserializeOwned> FromRequest<App> for Body<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, app: &App) -> Result<Self, Refusal> {
        let (parts, body) = request.into_parts();
        let bytes = read(app, &parts.headers, body, MAX_JSON).await?;
        let mut json = serde_json::Deserializer::from_slice(&bytes);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = error.path().to_string();
            let place = if place == "." { String::new() } else { format!("{place}: ") };
            Refusal::Invalid(format!("body: {place}{}", error.inner()))
        })?;
        json.end().map_err(|error| Refusal::Invalid(format!("body: {error}")))?;
        let once = once(&parts.headers, parts.method.as_str(), parts.uri.path(), &bytes)?;
        Ok(Self { value, once })
    }
}

/// A body of `limit` bytes at most; one that says it is longer is not read at all.
pub async fn read(app: &App, headers: &HeaderMap, body: HttpBody, limit: usize) -> Result<Vec<u8>, Refusal> {
    let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::TooLarge(limit));
    }
    let Some(read) = app.clock.timeout(BODY_TIME, to_bytes(body, limit)).await else {
        return Err(Refusal::Busy("the body did not arrive within 30 s"));
    };
    read.map(|bytes| bytes.to_vec()).map_err(|error| {
        let over = std::error::Error::source(&error).is_some_and(|cause| cause.to_string().contains("length limit"));
        if over { Refusal::TooLarge(limit) } else { Refusal::Invalid("body: it broke off; send it again".into()) }
    })
}

fn once(headers: &HeaderMap, method: &str, path: &str, body: &[u8]) -> Result<Option<Once>, Refusal> {
    let Some(key) = headers.get("Idempotency-Key") else { return Ok(None) };
    match key.to_str() {
        Ok(key) if (1..=MAX_KEY).contains(&key.len()) => Ok(Some(Once::new(key.to_owned(), method, path, body))),
        _ => Err(Refusal::Invalid(format!("Idempotency-Key: write 1 to {MAX_KEY} ASCII letters, such as a UUID"))),
    }
}
