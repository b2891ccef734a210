//! Errors on the wire: RFC 9457 problem details with a `type` that never changes once released.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";
/// Every `type` starts with it.
pub const BASE: &str = "https://medmon.invalid/problems/";

/// What kind of problem; the last part of its `type`.
pub mod slug {
    /// A value in body, path or query cannot be used; the detail names it.
    pub const INVALID: &str = "invalid";
    /// No token, or one that is unknown, revoked or expired.
    pub const UNAUTHENTICATED: &str = "unauthenticated";
    /// The role or the scope of the token does not admit it.
    pub const FORBIDDEN: &str = "forbidden";
    /// No such thing.
    pub const NOT_FOUND: &str = "not-found";
    /// The path exists, with other methods.
    pub const METHOD: &str = "method-not-allowed";
    /// It would break an invariant, such as one open assignment per patient.
    pub const CONFLICT: &str = "conflict";
    /// The idempotency key was used for another request.
    pub const IDEMPOTENCY: &str = "idempotency-key-reused";
    /// Somebody else changed it first: `If-Match` names an old version.
    pub const STALE: &str = "stale-version";
    /// The body is larger than this path admits.
    pub const TOO_LARGE: &str = "too-large";
    /// The server is busy; come back.
    pub const BUSY: &str = "busy";
    /// A fault of the server; the log has more under the same time.
    pub const INTERNAL: &str = "internal";
}

/// A problem as it travels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A stable URI: [`BASE`] and a [`slug`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The same for every problem of this type.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// This one: the value, the place and the remedy.
    #[serde(default)]
    pub detail: String,
}

impl Problem {
    /// The last part of the type, one of [`slug`].
    pub fn slug(&self) -> &str {
        self.kind.strip_prefix(BASE).unwrap_or(&self.kind)
    }
}
