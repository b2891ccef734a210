//! What can go wrong on the way, in kinds that the command line turns into exit codes.

use std::time::Duration;

use crate::Problem;
use crate::problem::slug;

/// The kind of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The request was wrong: a value, the server's address.
    Invalid,
    /// No such thing.
    NotFound,
    /// No token, or one that is unknown, revoked or expired.
    NotLoggedIn,
    /// The role or the scope of the token does not admit it.
    Forbidden,
    /// Nobody answers at the address, or too late.
    Unreachable,
    /// An invariant, an old version or a reused idempotency key stands against it.
    Conflict,
    /// The server is busy; the same request later.
    Busy,
    /// Anything else, such as an answer that is not understood.
    Failed,
}

impl ErrorKind {
    /// The exit code of INTERFACE.md.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Busy => 1,
            Self::Invalid => 2,
            Self::NotFound => 3,
            Self::NotLoggedIn => 4,
            Self::Forbidden => 5,
            Self::Unreachable => 6,
            Self::Conflict => 7,
        }
    }

    /// Whether the same request may succeed later without anybody doing anything.
    pub fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Busy)
    }
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the server, or a token, cannot be used.
    #[error("{0}")]
    Address(String),
    /// Nobody answered.
    #[error("{url} does not answer; check the address, the network and that medmon-cloudd runs")]
    Unreachable {
        /// The server.
        url: String,
        /// What the transport says.
        #[source]
        source: reqwest::Error,
    },
    /// The server refused, and said why.
    #[error("{}{}", .0.title, if .0.detail.is_empty() { String::new() } else { format!(": {}", .0.detail) })]
    Problem(Problem),
    /// The server refused without a problem document: a proxy, or something that is not medmon.
    #[error("{url} answered HTTP {status} without saying why; is this a medmon server?")]
    Status {
        /// The server.
        url: String,
        /// HTTP status.
        status: u16,
    },
    /// The answer is not what this release understands.
    #[error("the answer of {path} is not understood: {message}; the server may be of another release")]
    Answer {
        /// Where it came from.
        path: String,
        /// What is wrong with it.
        message: String,
    },
    /// The server refused for now, and said how long (`Retry-After`).
    #[error("{refusal}; it asks to come back in {} s", after.as_secs())]
    Later {
        /// How long.
        after: Duration,
        /// The refusal.
        refusal: Box<Self>,
    },
}

impl Error {
    /// What kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Later { refusal, .. } => refusal.kind(),
            Self::Address(_) => ErrorKind::Invalid,
            Self::Unreachable { .. } => ErrorKind::Unreachable,
            Self::Status { status, .. } => of_status(*status),
            Self::Answer { .. } => ErrorKind::Failed,
            Self::Problem(problem) => match problem.slug() {
                slug::INVALID | slug::TOO_LARGE => ErrorKind::Invalid,
                slug::UNAUTHENTICATED => ErrorKind::NotLoggedIn,
                slug::FORBIDDEN => ErrorKind::Forbidden,
                slug::NOT_FOUND => ErrorKind::NotFound,
                slug::CONFLICT | slug::IDEMPOTENCY | slug::STALE => ErrorKind::Conflict,
                slug::BUSY => ErrorKind::Busy,
                slug::INTERNAL => ErrorKind::Failed,
                _ => of_status(problem.status),
            },
        }
    }

    /// The exit code of INTERFACE.md.
    pub fn exit_code(&self) -> u8 {
        self.kind().exit_code()
    }

    /// What the server said, if it was the server.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            Self::Later { refusal, .. } => refusal.problem(),
            _ => None,
        }
    }

    /// How long the server, busy or flooded (503, 429), asks to wait before the next request.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Later { after, .. } => Some(*after),
            _ => None,
        }
    }
}

fn of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::NotLoggedIn,
        403 => ErrorKind::Forbidden,
        404 | 410 => ErrorKind::NotFound,
        409 | 412 => ErrorKind::Conflict,
        429 | 503 => ErrorKind::Busy,
        // A proxy in front answers for a server that does not.
        502 | 504 => ErrorKind::Unreachable,
        400..=499 => ErrorKind::Invalid,
        _ => ErrorKind::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::BASE;

    #[test]
    fn kinds_have_the_exit_codes_of_the_contract() {
        for (slug, status, code) in [
            (slug::NOT_FOUND, 404, 3),
            (slug::UNAUTHENTICATED, 401, 4),
            (slug::FORBIDDEN, 403, 5),
            (slug::CONFLICT, 409, 7),
            (slug::STALE, 412, 7),
            (slug::INVALID, 400, 2),
            ("of-a-newer-release", 409, 7),
        ] {
            let problem = Problem { kind: format!("{BASE}{slug}"), title: "t".into(), status, detail: "d".into() };
            let error = Error::Problem(problem);
            assert_eq!(error.exit_code(), code, "{slug}");
            assert_eq!(error.to_string(), "t: d");
        }
        let refusal = Box::new(Error::Status { url: String::new(), status: 503 });
        let later = Error::Later { after: Duration::from_secs(9), refusal };
        assert_eq!((later.kind(), later.retry_after()), (ErrorKind::Busy, Some(Duration::from_secs(9))));
        assert_eq!(Error::Status { url: String::new(), status: 502 }.exit_code(), 6);
    }
}
