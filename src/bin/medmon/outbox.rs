//! Reports and feelings that wait for the server: a file each, with the idempotency key of its first try.
//!
//! Not the gateway's outbox. A patient is kept as typed, because only the server can say who that is.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use jiff::Timestamp;
use medmon_api::Client;
use medmon_api::feeling::NewFeeling;
use medmon_api::report::NewReport;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::find;
use crate::session::{Session, write_private};

/// What to add to a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Addition {
    /// A report.
    Report(NewReport),
    /// A feeling.
    Feeling(NewFeeling),
}

impl Addition {
    /// Its noun.
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Report(_) => "report",
            Self::Feeling(_) => "feeling",
        }
    }
}

/// A write that waits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// Sent with each try, so that it has one effect.
    pub key: Uuid,
    /// Where to.
    pub url: String,
    /// Since when.
    pub since: Timestamp,
    /// Whose, as typed; absent = the sender's own record.
    pub patient: Option<String>,
    /// What.
    pub add: Addition,
}

/// Sends a write. Gives the id of what was made.
pub async fn send(client: &Client, waiting: &Waiting) -> anyhow::Result<Uuid> {
    let patient = find::patient_or_own(client, waiting.patient.as_deref()).await?.id;
    let keyed = client.keyed(waiting.key);
    Ok(match &waiting.add {
        Addition::Report(report) => keyed.add_report(patient, report).await?.id,
        Addition::Feeling(feeling) => keyed.add_feeling(patient, feeling).await?.id,
    })
}

/// Sends a write, or keeps it while the server does not answer. Gives the id once it is sent.
pub async fn send_or_keep(session: &Session, patient: Option<String>, add: Addition) -> anyhow::Result<Option<Uuid>> {
    let client = session.client()?;
    let waiting = Waiting { key: Uuid::now_v7(), url: session.url()?.to_owned(), since: session.now, patient, add };
    match send(&client, &waiting).await {
        Ok(id) => Ok(Some(id)),
        Err(error) if is_transient(&error) => {
            keep(session, &waiting)?;
            let noun = waiting.add.noun();
            eprintln!("medmon: {error}\n  the {noun} is kept here and not sent yet: run `medmon outbox flush` later");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Whether the same write may succeed later by itself.
pub fn is_transient(error: &anyhow::Error) -> bool {
    error.downcast_ref::<medmon_api::Error>().is_some_and(|error| error.kind().is_transient())
}

fn folder(session: &Session) -> anyhow::Result<PathBuf> {
    Ok(session.state_dir()?.join("outbox"))
}

fn file(session: &Session, key: Uuid) -> anyhow::Result<PathBuf> {
    Ok(folder(session)?.join(format!("{key}.json")))
}

fn keep(session: &Session, waiting: &Waiting) -> anyhow::Result<()> {
    write_private(&file(session, waiting.key)?, &serde_json::to_vec(waiting)?)
}

/// What waits, oldest first.
pub fn waiting(session: &Session) -> anyhow::Result<Vec<Waiting>> {
    let Ok(entries) = fs::read_dir(folder(session)?) else { return Ok(Vec::new()) };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let damaged = || format!("{} is damaged; read it and move it away", path.display());
            let text = fs::read(&path).with_context(damaged)?;
            all.push(serde_json::from_slice::<Waiting>(&text).with_context(damaged)?);
        }
    }
    all.sort_by_key(|waiting| waiting.since);
    Ok(all)
}

/// Forgets a write.
pub fn forget(session: &Session, key: Uuid) -> anyhow::Result<()> {
    Ok(fs::remove_file(file(session, key)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::tests::session;

    #[tokio::test]
    async fn what_the_server_does_not_take_is_kept_with_its_key() {
        let home = tempfile::tempdir().unwrap();
        let line = "medmon whoami --url http://127.0.0.1:1";
        let session = session(home.path(), line, &[("MEDMON_TOKEN", "mm_x")]).unwrap();
        let report = Addition::Report(NewReport { kind: "note".into(), text: "dizzy".into() });
        let feeling = Addition::Feeling(NewFeeling { mood: 3, pain: None, text: String::new() });
        assert_eq!(send_or_keep(&session, Some("DOE".into()), report.clone()).await.unwrap(), None);
        assert_eq!(send_or_keep(&session, None, feeling).await.unwrap(), None);
        let kept = waiting(&session).unwrap();
        assert_eq!(kept.len(), 2);
        let kept = kept.iter().find(|waiting| waiting.add == report).unwrap();
        assert_eq!((kept.patient.as_deref(), kept.url.as_str()), (Some("DOE"), "http://127.0.0.1:1"));
        forget(&session, kept.key).unwrap();
        assert_eq!(waiting(&session).unwrap().len(), 1);
    }
}
