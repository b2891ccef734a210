//! `medmon outbox`: reports and feelings that wait for the server.

use clap::Subcommand;
use uuid::Uuid;

use crate::fail::{Exit, fail};
use crate::find;
use crate::outbox::{self, Waiting};
use crate::print::{self, column};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// What waits
    List,
    /// Send what waits
    Flush,
    /// Forget something that waits, such as what the server will never take
    Remove {
        /// Id or unique prefix
        id: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let all = outbox::waiting(session)?;
    match verb {
        Verb::List => {
            let columns = [
                column("since", |waiting: &Waiting| session.out.time(waiting.since)),
                column("what", |waiting: &Waiting| waiting.add.noun().to_owned()),
                column("patient", |waiting: &Waiting| {
                    waiting.patient.clone().unwrap_or_else(|| "own record".to_owned())
                }),
                column("server", |waiting: &Waiting| waiting.url.clone()),
            ];
            session.out.list(&all, |waiting| waiting.key.to_string(), &columns, "Nothing waits.")
        }
        Verb::Flush => flush(session, &all).await,
        Verb::Remove { id } => {
            let key = find::pick("outbox", &id, &all, |waiting| (waiting.key, String::new()))?.key;
            outbox::forget(session, key)
        }
    }
}

async fn flush(session: &Session, all: &[Waiting]) -> anyhow::Result<()> {
    let (client, url) = (session.client()?, session.url()?);
    let (here, elsewhere): (Vec<_>, Vec<_>) = all.iter().partition(|waiting| waiting.url == url);
    if !elsewhere.is_empty() {
        eprintln!("{} wait for another server than {url}: pass its --url", elsewhere.len());
    }
    let mut refused: Vec<(Uuid, anyhow::Error)> = Vec::new();
    for waiting in here {
        match outbox::send(&client, waiting).await {
            Ok(id) => {
                outbox::forget(session, waiting.key)?;
                print::text(&id.to_string())?;
            }
            // The server does not answer: the rest would fail alike, and is kept.
            Err(error) if outbox::is_transient(&error) => return Err(error),
            Err(error) => refused.push((waiting.key, error)),
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    let lines: Vec<_> = refused.iter().map(|(key, error)| format!("  {key}: {error}")).collect();
    let message = format!("not taken, and kept; `medmon outbox remove ID` forgets one:\n{}", lines.join("\n"));
    Err(fail(Exit::Failed, message))
}
