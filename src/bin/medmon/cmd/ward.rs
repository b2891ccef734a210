//! `medmon ward`: the wards of a site.

use clap::Subcommand;
use medmon_api::ward::{NewWard, Ward};

use crate::print::{self, column};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Wards by name
    List,
    /// Add a ward; prints the id
    Add {
        /// Unique in its site
        #[arg(long)]
        name: String,
        /// Texted after a patient's contacts: +33612345678
        #[arg(long)]
        on_call_phone: Option<String>,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List => {
            let wards = client.wards().await?;
            let columns = [
                column("name", |ward: &Ward| ward.name.clone()),
                column("on call", |ward: &Ward| ward.on_call_phone.clone().unwrap_or_default()),
            ];
            session.out.list(
                &wards,
                |ward| ward.id.to_string(),
                &columns,
                "No wards yet. `medmon ward add --name NAME`",
            )
        }
        Verb::Add { name, on_call_phone } => {
            let ward = client.add_ward(&NewWard { name, on_call_phone }).await?;
            if session.out.is_json() { session.out.document(&ward) } else { print::text(&ward.id.to_string()) }
        }
    }
}
