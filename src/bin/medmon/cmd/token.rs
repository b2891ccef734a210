//! `medmon token`: who may come in (admin).

use std::time::Duration;

use clap::Subcommand;
use medmon_api::token::{NewToken, Token};
use medmon_core::noun::Role;

use crate::fail::{Exit, fail};
use crate::find;
use crate::print::{self, column, wide};
use crate::session::Session;
use crate::when;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a token; prints it once
    Create {
        /// As shown: "A. Martin"
        #[arg(long)]
        name: String,
        /// doctor, nurse, relative, patient, maintainer, admin
        #[arg(long)]
        role: Role,
        /// Confined to this ward
        #[arg(long)]
        ward: Option<String>,
        /// The id of a relative's or patient's record
        #[arg(long)]
        patient: Option<uuid::Uuid>,
        /// It ends by itself after so long: 30d
        #[arg(long, value_parser = when::duration)]
        expires_in: Option<Duration>,
    },
    /// Tokens without their secrets, newest first
    List,
    /// End a token
    Revoke {
        /// Id, unique prefix, or beginning of the name
        token: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::Create { name, role, ward, patient, expires_in } => {
            let ward = find::ward_id(&client, ward.as_deref()).await?;
            let expires_at = match expires_in {
                Some(length) => Some(session.now.checked_add(length)?),
                None => None,
            };
            let made = client.create_token(&NewToken { name, role, ward, patient, expires_at }).await?;
            if session.out.is_json() {
                return session.out.document(&made);
            }
            eprintln!("{} ({}), {}: shown once", made.about.name, made.about.role, made.about.id);
            print::text(&made.token)
        }
        Verb::List => {
            let client = &client;
            let tokens = find::all(|page| async move { client.tokens(&page).await }).await?;
            let columns = [
                column("name", |token: &Token| token.name.clone()),
                column("role", |token: &Token| token.role.to_string()),
                column("state", |token: &Token| {
                    let over = token.expires_at.is_some_and(|end| end <= session.now);
                    if token.revoked_at.is_some() {
                        "revoked"
                    } else if over {
                        "expired"
                    } else {
                        "valid"
                    }
                    .to_owned()
                }),
                column("expires", |token: &Token| session.out.time_or_none(token.expires_at)),
                wide("created", |token: &Token| session.out.time(token.created_at)),
                wide("ward", |token: &Token| token.ward.map(|id| id.to_string()).unwrap_or_default()),
                wide("patient", |token: &Token| token.patient.map(|id| id.to_string()).unwrap_or_default()),
                wide("gateway", |token: &Token| token.gateway.map(|id| id.to_string()).unwrap_or_default()),
            ];
            session.out.list(&tokens, |token| token.id.to_string(), &columns, "No tokens.")
        }
        Verb::Revoke { token } => {
            let id = match token.parse() {
                Ok(id) => id,
                Err(_) => {
                    let client = &client;
                    let tokens = find::all(|page| async move { client.tokens(&page).await }).await?;
                    find::pick("token", &token, &tokens, |token| (token.id, token.name.clone()))?.id
                }
            };
            if !session.yes {
                return Err(fail(Exit::Usage, format!("token {id} would end for good: pass --yes to mean it")));
            }
            Ok(client.revoke_token(id).await?)
        }
    }
}
