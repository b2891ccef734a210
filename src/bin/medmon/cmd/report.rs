//! `medmon report`: what the care team writes down. A report is never changed.

use std::fs;
use std::io::{IsTerminal, Read, stdin};
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use clap::Subcommand;
use medmon_api::report::{MAX_TEXT, NewReport, Report};
use uuid::Uuid;

use crate::confirm::confirm;
use crate::fail::{Exit, fail};
use crate::find;
use crate::outbox::{self, Addition};
use crate::print::{self, column, wide};
use crate::session::{Session, write_private};

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Add a report; prints the id. Kept here while the server does not answer
    Add {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
        /// "visit", "call", "note" or another word of the house
        #[arg(long, default_value = "note")]
        kind: String,
        /// The text [else --file, what is piped in, or $EDITOR]
        #[arg(long, conflicts_with = "file")]
        text: Option<String>,
        /// A file with the text
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Reports, newest first
    List {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
    /// One report
    Show {
        /// Id or unique prefix
        report: String,
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Add { patient, kind, text, file } => add(session, patient, kind, text, file).await,
        Verb::List { patient } => {
            let client = session.client()?;
            let who = find::patient(&client, &patient).await?;
            let client = &client;
            let reports = find::all(|page| async move { client.reports(who.id, &page).await }).await?;
            let columns = [
                column("at", |report: &Report| session.out.time(report.at)),
                column("kind", |report: &Report| report.kind.clone()),
                column("author", |report: &Report| report.author.clone()),
                column("text", |report: &Report| first_line(&report.text)),
            ];
            let empty = format!("No reports about {} yet. `medmon report add --patient {}`", who.name, who.id);
            session.out.list(&reports, |report| report.id.to_string(), &columns, &empty)
        }
        Verb::Show { report, patient } => {
            let client = session.client()?;
            let who = find::patient(&client, &patient).await?;
            let id = match report.parse() {
                Ok(id) => id,
                Err(_) => {
                    let client = &client;
                    let reports = find::all(|page| async move { client.reports(who.id, &page).await }).await?;
                    find::pick("report", &report, &reports, |report| (report.id, String::new()))?.id
                }
            };
            show(session, &client.report(who.id, id).await?)
        }
    }
}

fn show(session: &Session, report: &Report) -> anyhow::Result<()> {
    let columns = [
        column("at", |report: &Report| session.out.time(report.at)),
        column("kind", |report: &Report| report.kind.clone()),
        column("author", |report: &Report| report.author.clone()),
        wide("patient", |report: &Report| report.patient.to_string()),
    ];
    session.out.item(report, &report.id.to_string(), &columns)?;
    if session.out.is_json() { Ok(()) } else { print::text(&format!("\n{}", report.text.trim_end())) }
}

fn first_line(text: &str) -> String {
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    if line.chars().count() > 60 { line.chars().take(59).chain(['…']).collect() } else { line.to_owned() }
}

async fn add(
    session: &Session,
    patient: String,
    kind: String,
    text: Option<String>,
    file: Option<PathBuf>,
) -> anyhow::Result<()> {
    let mut draft = None;
    let mut typed = patient;
    let text = match (text, file) {
        (Some(text), _) => text,
        (None, Some(path)) => {
            let cannot = |error| fail(Exit::Usage, format!("{} cannot be read: {error}", path.display()));
            fs::read_to_string(&path).map_err(cannot)?
        }
        (None, None) if !stdin().is_terminal() => {
            let mut text = String::new();
            stdin().lock().take(MAX_TEXT as u64 + 1).read_to_string(&mut text).context("the text is not UTF-8")?;
            text
        }
        // Somebody sits there: show whom it is about before the first word is written.
        (None, None) => {
            let who = find::patient(&session.client()?, &typed).await?;
            confirm(session, "Write a report about", &who)?;
            typed = who.id.to_string();
            let path = session.state_dir()?.join(format!("report-{}.txt", Uuid::now_v7()));
            let text = edit(session, &path)?;
            draft = Some(path);
            text
        }
    };
    if text.trim().is_empty() || text.len() > MAX_TEXT {
        let length = if text.len() > MAX_TEXT { "longer than 64 KiB" } else { "empty" };
        return Err(fail(Exit::Usage, format!("the report is {length}; nothing was added")));
    }
    let sent = outbox::send_or_keep(session, Some(typed), Addition::Report(NewReport { kind, text })).await;
    if let Some(path) = draft {
        match &sent {
            Ok(_) => fs::remove_file(path)?,
            Err(_) => eprintln!("medmon: the text is in {}", path.display()),
        }
    }
    match sent? {
        Some(id) if session.out.is_json() => session.out.document(&serde_json::json!({ "id": id })),
        Some(id) => print::text(&id.to_string()),
        None => Ok(()),
    }
}

/// Has a text written in the user's editor, in a file that only they can read.
fn edit(session: &Session, path: &std::path::Path) -> anyhow::Result<String> {
    let none = "no text: pass --text or --file, pipe it in, or set EDITOR";
    let editor = session.editor().ok_or_else(|| fail(Exit::Usage, none))?;
    write_private(path, b"")?;
    // By the shell, as git does: EDITOR may have arguments.
    let status = Command::new("sh").arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(path).status()?;
    if !status.success() {
        return Err(fail(Exit::Failed, format!("{editor} failed; the text is in {}", path.display())));
    }
    Ok(fs::read_to_string(path)?)
}
