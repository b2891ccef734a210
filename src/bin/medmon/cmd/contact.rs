//! `medmon contact`: whom a patient's gateway texts, in order.

use clap::Subcommand;
use medmon_api::contact::{Contact, ContactPatch, NewContact};
use medmon_core::noun::Language;

use super::{by_name, name};
use crate::confirm::confirm;
use crate::find;
use crate::print::{self, Column, column, wide};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The ladder of a patient
    List {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
    /// Add somebody to text
    Add {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
        /// As texted: "Paul"
        #[arg(long)]
        name: String,
        /// With country code: +33612345678
        #[arg(long)]
        phone: String,
        /// Such as "son"
        #[arg(long, default_value = "")]
        relation: String,
        /// Language of texts: en, fr
        #[arg(long, default_value = "en", value_parser = by_name::<Language>)]
        language: Language,
        /// Place in the ladder, from 1 [else last]
        #[arg(long)]
        position: Option<u32>,
    },
    /// Change somebody, or their place
    Edit {
        /// Id, unique prefix, or beginning of the name
        contact: String,
        /// Id, unique prefix, or beginning of the patient's name
        #[arg(long)]
        patient: String,
        /// As texted
        #[arg(long)]
        name: Option<String>,
        /// With country code
        #[arg(long)]
        phone: Option<String>,
        /// Such as "son"
        #[arg(long)]
        relation: Option<String>,
        /// Language of texts: en, fr
        #[arg(long, value_parser = by_name::<Language>)]
        language: Option<Language>,
        /// Place in the ladder, from 1
        #[arg(long)]
        position: Option<u32>,
    },
    /// Try out whether somebody is reached: the gateway texts them an exercise, and each step is shown; exit 8 when
    /// they have not answered in time
    Test {
        /// Id, unique prefix, or beginning of the name
        contact: String,
        /// Id, unique prefix, or beginning of the patient's name
        #[arg(long)]
        patient: String,
        /// For how long at most
        #[arg(long = "for", value_parser = crate::when::duration, default_value = "10m")]
        duration: std::time::Duration,
    },
    /// Text somebody no more
    Remove {
        /// Id, unique prefix, or beginning of the name
        contact: String,
        /// Id, unique prefix, or beginning of the patient's name
        #[arg(long)]
        patient: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    let label = |contact: &Contact| (contact.id, contact.name.clone());
    match verb {
        Verb::List { patient } => {
            let who = find::patient(&client, &patient).await?;
            let contacts = client.contacts(who.id).await?;
            let empty = format!(
                "Nobody is texted for {} yet. `medmon contact add --patient {} --name Paul --phone +33612345678`",
                who.name, who.id
            );
            session.out.list(&contacts, |contact| contact.id.to_string(), &columns(), &empty)
        }
        Verb::Add { patient, name, phone, relation, language, position } => {
            let who = find::patient(&client, &patient).await?;
            confirm(session, &format!("Text {name} at {phone} for"), &who)?;
            let contact = client.add_contact(who.id, &NewContact { name, phone, relation, language, position }).await?;
            if session.out.is_json() {
                return session.out.document(&contact);
            }
            print::text(&contact.id.to_string())
        }
        Verb::Edit { contact, patient, name, phone, relation, language, position } => {
            let who = find::patient(&client, &patient).await?;
            let contacts = client.contacts(who.id).await?;
            let contact = find::pick("contact", &contact, &contacts, label)?;
            confirm(session, &format!("Change the contact {} of", contact.name), &who)?;
            let patch = ContactPatch { name, phone, relation, language, position };
            let contact = client.edit_contact(who.id, contact.id, &patch).await?;
            session.out.item(&contact, &contact.id.to_string(), &columns())
        }
        Verb::Test { contact, patient, duration } => {
            let who = find::patient(&client, &patient).await?;
            let contacts = client.contacts(who.id).await?;
            let contact = find::pick("contact", &contact, &contacts, label)?;
            confirm(session, &format!("Text an exercise to {} at {} for", contact.name, contact.phone), &who)?;
            super::drill::run(session, &client, contact, duration).await
        }
        Verb::Remove { contact, patient } => {
            let who = find::patient(&client, &patient).await?;
            let contacts = client.contacts(who.id).await?;
            let contact = find::pick("contact", &contact, &contacts, label)?;
            confirm(session, &format!("Text {} no more for", contact.name), &who)?;
            Ok(client.remove_contact(who.id, contact.id).await?)
        }
    }
}

fn columns() -> Vec<Column<'static, Contact>> {
    vec![
        column("place", |contact: &Contact| contact.position.to_string()),
        column("name", |contact: &Contact| contact.name.clone()),
        column("phone", |contact: &Contact| contact.phone.clone()),
        column("relation", |contact: &Contact| contact.relation.clone()),
        wide("language", |contact: &Contact| name(&contact.language)),
    ]
}
