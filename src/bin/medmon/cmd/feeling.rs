//! `medmon feeling`: how a patient says they are.

use clap::Subcommand;
use medmon_api::feeling::{Feeling, NewFeeling};

use crate::find;
use crate::outbox::{self, Addition};
use crate::print::{self, column};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Say how you feel, or a patient does; prints the id. Kept here while the server does not answer
    Add {
        /// Id, unique prefix, or beginning of the name [else your own record]
        #[arg(long)]
        patient: Option<String>,
        /// 1 (bad) to 5 (good)
        #[arg(long, value_parser = clap::value_parser!(u8).range(1..=5))]
        mood: u8,
        /// 0 (none) to 10 (worst)
        #[arg(long, value_parser = clap::value_parser!(u8).range(0..=10))]
        pain: Option<u8>,
        /// In your words
        #[arg(long, default_value = "")]
        text: String,
    },
    /// Feelings, newest first
    List {
        /// Id, unique prefix, or beginning of the name [else your own record]
        #[arg(long)]
        patient: Option<String>,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Add { patient, mood, pain, text } => {
            let add = Addition::Feeling(NewFeeling { mood, pain, text });
            match outbox::send_or_keep(session, patient, add).await? {
                Some(id) if session.out.is_json() => session.out.document(&serde_json::json!({ "id": id })),
                Some(id) => print::text(&id.to_string()),
                None => Ok(()),
            }
        }
        Verb::List { patient } => {
            let client = session.client()?;
            let who = find::patient_or_own(&client, patient.as_deref()).await?;
            let client = &client;
            let feelings = find::all(|page| async move { client.feelings(who.id, &page).await }).await?;
            let columns = [
                column("at", |feeling: &Feeling| session.out.time(feeling.at)),
                column("mood", |feeling: &Feeling| format!("{}/5", feeling.mood)),
                column("pain", |feeling: &Feeling| feeling.pain.map(|pain| format!("{pain}/10")).unwrap_or_default()),
                column("text", |feeling: &Feeling| feeling.text.clone()),
                column("author", |feeling: &Feeling| feeling.author.clone()),
            ];
            session.out.list(
                &feelings,
                |feeling| feeling.id.to_string(),
                &columns,
                "No feelings yet. `medmon feeling add`",
            )
        }
    }
}
