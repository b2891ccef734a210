//! Refusals on the wire: RFC 9457 problem+json. The cause of a fault goes to the log, never to the caller.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use medmon_api::Problem;
use medmon_api::problem::{BASE, MEDIA_TYPE};

use crate::refusal::Refusal;

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (slug, title, status) = self.class();
        if let Self::Internal(cause) = &self {
            tracing::error!(error = %cause, cause = ?cause.source(), "request failed");
        }
        let problem = Problem { kind: format!("{BASE}{slug}"), title: title.into(), status, detail: self.to_string() };
        let body = serde_json::to_string(&problem).unwrap_or_default();
        let again_s = if let Self::Later(seconds) = &self { *seconds } else { 5 };
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, [(CONTENT_TYPE, MEDIA_TYPE)], body).into_response();
        let headers = response.headers_mut();
        match status {
            StatusCode::UNAUTHORIZED => headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
            StatusCode::SERVICE_UNAVAILABLE => headers.insert(RETRY_AFTER, again_s.into()),
            _ => None,
        };
        response
    }
}
