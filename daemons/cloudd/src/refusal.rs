//! Why a request is refused, in the terms of the API's problems. How it looks on the wire: `http::problem`.

use medmon_api::problem::slug;
use medmon_core::noun::Denied;
use medmon_kit::sqlite;

/// A refusal; its text goes to the caller, so it names the value, the place and the remedy, and nobody's secrets.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A value cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// Nobody known asks.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// Somebody known asks who may not.
    #[error("{0}")]
    Forbidden(Denied),
    /// No such thing.
    #[error("no {what} {id}")]
    NotFound {
        /// "patient", "alert".
        what: &'static str,
        /// As asked.
        id: String,
    },
    /// No such path.
    #[error("nothing is at this path; /v1/openapi.json lists what there is")]
    NoPath,
    /// The path has other methods.
    #[error("this path has other methods; /v1/openapi.json lists them")]
    Method,
    /// An invariant stands against it.
    #[error("{0}")]
    Conflict(String),
    /// The key was used for something else.
    #[error("this Idempotency-Key was used for another request; send a new key")]
    KeyReused,
    /// `If-Match` names an old version.
    #[error("version {asked} is not the newest, {newest} is; read it again and repeat the change")]
    Stale {
        /// What the caller had.
        asked: u64,
        /// What there is.
        newest: u64,
    },
    /// The body is too large.
    #[error("the body is over {0} bytes; send less at once")]
    TooLarge(usize),
    /// Not now.
    #[error("{0}; repeat the request in some seconds")]
    Busy(&'static str),
    /// Not now: many gateways send at once.
    #[error("many gateways send at once; come back in {0} s")]
    Later(u32),
    /// A fault of this program or its disk. The cause is for the log only.
    #[error("the server could not do it; its log says why")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Refusal {
    /// "no patient 0199…".
    pub fn not_found(what: &'static str, id: impl ToString) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    /// A fault that is nobody's request's.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }

    /// The type, the title and the HTTP status that go with it.
    pub fn class(&self) -> (&'static str, &'static str, u16) {
        match self {
            Self::Invalid(_) => (slug::INVALID, "A value cannot be used", 400),
            Self::Unauthenticated(_) | Self::Forbidden(Denied::Expired) => {
                (slug::UNAUTHENTICATED, "Not logged in", 401)
            }
            Self::Forbidden(_) => (slug::FORBIDDEN, "Not allowed", 403),
            Self::NotFound { .. } | Self::NoPath => (slug::NOT_FOUND, "Not found", 404),
            Self::Method => (slug::METHOD, "Method not allowed", 405),
            Self::Conflict(_) => (slug::CONFLICT, "Conflict", 409),
            Self::KeyReused => (slug::IDEMPOTENCY, "Idempotency key reused", 409),
            Self::Stale { .. } => (slug::STALE, "Changed meanwhile", 412),
            Self::TooLarge(_) => (slug::TOO_LARGE, "Too large", 413),
            Self::Busy(_) | Self::Later(_) => (slug::BUSY, "Busy", 503),
            Self::Internal(_) => (slug::INTERNAL, "Internal error", 500),
        }
    }
}

impl From<Denied> for Refusal {
    fn from(denied: Denied) -> Self {
        Self::Forbidden(denied)
    }
}

impl From<sqlite::Error> for Refusal {
    fn from(error: sqlite::Error) -> Self {
        if error.is_full() { Self::Busy("the server's disk is full") } else { Self::internal(error) }
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        sqlite::Error::from(error).into()
    }
}

/// What a unique index refused becomes a conflict that says what to do.
pub fn conflict(error: rusqlite::Error, remedy: impl FnOnce(&str) -> String) -> Refusal {
    match &error {
        rusqlite::Error::SqliteFailure(code, message) if code.code == rusqlite::ErrorCode::ConstraintViolation => {
            Refusal::Conflict(remedy(message.as_deref().unwrap_or_default()))
        }
        _ => error.into(),
    }
}
