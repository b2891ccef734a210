//! `medmon config`: an example of every key, and what is in force here.

use std::process::ExitCode;

use clap::Subcommand;

use crate::print::{self, plain};
use crate::session::Session;

/// Every key of every program with its default.
const TEMPLATE: &str = include_str!("../../../../config.example.toml");

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Every key of every program, to start a configuration from
    Template,
    /// The `client` section in force here
    Show,
}

/// Prints the template. Needs no configuration that can be read.
pub fn template() -> anyhow::Result<ExitCode> {
    print::write(TEMPLATE)?;
    Ok(ExitCode::SUCCESS)
}

/// Runs a verb.
pub fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    if let Verb::Template = verb {
        return template().map(drop);
    }
    match &session.config_file {
        Some(path) => eprintln!("from {}, the environment and the command line", path.display()),
        None => eprintln!("from the environment and the command line; there is no configuration file"),
    }
    if session.out.is_json() {
        return session.out.document(&session.config);
    }
    let config = serde_json::to_value(&session.config)?;
    for (key, value) in config.as_object().into_iter().flatten() {
        let shown = if value.is_null() { "-".to_owned() } else { plain(value) };
        print::text(&format!("client.{key}\t{shown}"))?;
    }
    Ok(())
}
