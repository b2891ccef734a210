//! `medmon doctor`: what works here, with the evidence, and what to do about the rest.

use std::process::ExitCode;

use serde::Serialize;

use crate::fail::Exit;
use crate::print::column;
use crate::session::{Session, Theme};

/// One check.
#[derive(Serialize)]
struct Check {
    name: &'static str,
    state: State,
    evidence: String,
    remedy: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Warning,
    Failed,
}

impl State {
    fn mark(self) -> &'static str {
        match self {
            Self::Ok => "✓",
            Self::Warning => "!",
            Self::Failed => "✗",
        }
    }
}

/// Checks everything that can be checked from here. Exit 8 when something is wrong.
pub async fn run(session: &Session) -> anyhow::Result<ExitCode> {
    let mut checks = vec![configuration(session)];
    // A cause hides its consequences: without a server nothing is said about the token.
    match server(session).await {
        Ok(check) => checks.extend([check, token(session).await]),
        Err(check) => checks.push(check),
    }
    checks.push(terminal(session));
    let columns = [
        column("state", |check: &Check| check.state.mark().to_owned()),
        column("evidence", |check: &Check| check.evidence.clone()),
        column("remedy", |check: &Check| check.remedy.clone()),
    ];
    session.out.list_by("check", &checks, |check| check.name.to_owned(), &columns, "")?;
    let failed = checks.iter().any(|check| check.state == State::Failed);
    Ok(if failed { ExitCode::from(Exit::Verdict as u8) } else { ExitCode::SUCCESS })
}

fn check(name: &'static str, state: State, evidence: impl Into<String>, remedy: impl Into<String>) -> Check {
    Check { name, state, evidence: evidence.into(), remedy: remedy.into() }
}

fn configuration(session: &Session) -> Check {
    match &session.config_file {
        Some(path) => check("configuration", State::Ok, path.display().to_string(), ""),
        None => {
            check("configuration", State::Warning, "no file", "medmon config template > ~/.config/medmon/config.toml")
        }
    }
}

async fn server(session: &Session) -> Result<Check, Check> {
    let failed = |error: anyhow::Error| check("server", State::Failed, error.to_string(), "set --url or client.url");
    let client = session.client_with(None).map_err(failed)?;
    match client.ready().await {
        Ok(()) if client.url().starts_with("https:") => Ok(check("server", State::Ok, client.url(), "")),
        Ok(()) => Ok(check("server", State::Warning, format!("{} is not encrypted", client.url()), "use https")),
        Err(error) => Err(check("server", State::Failed, error.to_string(), "check the address and the network")),
    }
}

async fn token(session: &Session) -> Check {
    let who = match session.client() {
        Ok(client) => client.whoami().await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match who {
        Ok(who) => check("token", State::Ok, format!("{}, {} at {}", who.name, who.role, who.site_name), ""),
        Err(error) => check("token", State::Failed, error.to_string(), "medmon login --token-stdin"),
    }
}

fn terminal(session: &Session) -> Check {
    if !session.out.is_terminal() {
        return check("terminal", State::Ok, "stdout is no terminal", "");
    }
    match ratatui::crossterm::terminal::size() {
        Ok((width, height)) if width >= 80 && height >= 24 => {
            let colours = if session.config.theme == Theme::Mono { "no colours" } else { "colours" };
            check("terminal", State::Ok, format!("{width} x {height}, {colours}"), "")
        }
        Ok((width, height)) => {
            check("terminal", State::Warning, format!("{width} x {height}"), "the dashboard wants 80 x 24 or more")
        }
        Err(error) => check("terminal", State::Warning, error.to_string(), "set TERM"),
    }
}
