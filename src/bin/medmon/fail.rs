//! How a command fails: one message (what happened, what it means, what to do) and the exit code of the contract.

use std::io;
use std::process::ExitCode;

use medmon_api::ErrorKind;
use medmon_kit::config::ConfigError;

/// An exit code, as scripts see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It failed.
    Failed = 1,
    /// It was asked for in a way that cannot be meant.
    Usage = 2,
    /// No such thing.
    NotFound = 3,
    /// No token, or one that is not valid.
    NotLoggedIn = 4,
    /// Nobody answers.
    Unreachable = 6,
    /// A negative verdict.
    Verdict = 8,
}

/// The contract, as `medmon help exit-codes` prints it.
pub const EXIT_CODES: [(u8, &str); 10] = [
    (0, "done"),
    (1, "failed"),
    (2, "usage: the command line, a value or the configuration cannot be used"),
    (3, "not found"),
    (4, "not logged in"),
    (5, "forbidden: the role or the scope of the token does not admit it"),
    (6, "server unreachable"),
    (7, "conflict: an invariant or a newer change stands against it"),
    (8, "negative verdict of doctor, demo, alert wait or contact test"),
    (130, "interrupted"),
];

/// A failure of this program's own.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Fail {
    exit: Exit,
    message: String,
}

/// A failure with its exit code and message.
pub fn fail(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    Fail { exit, message: message.into() }.into()
}

/// The exit code of an error.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    if let Some(fail) = error.downcast_ref::<Fail>() {
        return fail.exit as u8;
    }
    if let Some(api) = error.downcast_ref::<medmon_api::Error>() {
        return api.exit_code();
    }
    if error.downcast_ref::<ConfigError>().is_some() { Exit::Usage as u8 } else { Exit::Failed as u8 }
}

/// What somebody can do about an error that the server or the way to it made.
fn remedy(error: &anyhow::Error) -> Option<&'static str> {
    match error.downcast_ref::<medmon_api::Error>()?.kind() {
        ErrorKind::NotLoggedIn => Some("ask for a token and keep it with `medmon login --token-stdin`"),
        ErrorKind::Forbidden => Some("`medmon whoami` says who you are here"),
        ErrorKind::Busy => Some("nothing is lost, run the same command again in a moment"),
        ErrorKind::Conflict => Some("look at how it is now, then decide again"),
        _ => None,
    }
}

/// Prints an error on stderr and gives the code to end with. Whoever closed our stdout has read enough: that is quiet.
pub fn report(error: &anyhow::Error, verbose: bool) -> ExitCode {
    let closed = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if closed {
        return ExitCode::SUCCESS;
    }
    eprintln!("medmon: {error}");
    if let Some(remedy) = remedy(error) {
        eprintln!("  {remedy}");
    }
    if verbose {
        error.chain().skip(1).for_each(|cause| eprintln!("  because: {cause}"));
    }
    ExitCode::from(exit_code(error))
}

#[cfg(test)]
mod tests {
    use medmon_api::Problem;
    use medmon_api::problem::{BASE, slug};

    use super::*;

    #[test]
    fn each_kind_of_error_has_the_exit_code_of_the_contract() {
        let problem = |slug: &str| -> anyhow::Error {
            let problem = Problem { kind: format!("{BASE}{slug}"), title: "t".into(), status: 400, detail: "d".into() };
            medmon_api::Error::Problem(problem).into()
        };
        let config = ConfigError { file: "f".into(), key: "k".into(), value: None, problem: "p".into() };
        let table: [(anyhow::Error, u8); 10] = [
            (anyhow::anyhow!("anything"), 1),
            (problem(slug::INTERNAL), 1),
            (fail(Exit::Usage, "u"), 2),
            (config.into(), 2),
            (problem(slug::NOT_FOUND), 3),
            (fail(Exit::NotLoggedIn, "n"), 4),
            (problem(slug::FORBIDDEN), 5),
            (fail(Exit::Unreachable, "x"), 6),
            (problem(slug::STALE), 7),
            (fail(Exit::Verdict, "v"), 8),
        ];
        for (error, code) in table {
            assert_eq!(exit_code(&error), code, "{error:?}");
            assert!(EXIT_CODES.iter().any(|(known, _)| *known == code));
        }
    }
}
