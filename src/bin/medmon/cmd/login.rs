//! `medmon login`, `logout`, `whoami`.

use std::io::{Read, stdin};

use medmon_api::token::Whoami;

use crate::fail::{Exit, fail};
use crate::print::{column, wide};
use crate::session::Session;

/// A token is longer than no other line of text.
const MAX_TOKEN: u64 = 4096;

/// How to log in.
#[derive(Debug, clap::Args)]
pub struct LoginArgs {
    /// Read the token from stdin
    #[arg(long, required = true)]
    token_stdin: bool,
    /// Keep it in a file that only you can read
    #[arg(long, required = true)]
    insecure_storage: bool,
}

/// Tries a token and keeps it.
pub async fn login(session: &Session, _args: LoginArgs) -> anyhow::Result<()> {
    let mut token = String::new();
    stdin().lock().take(MAX_TOKEN).read_to_string(&mut token)?;
    let token = token.trim().to_owned();
    if token.is_empty() {
        return Err(fail(Exit::Usage, "no token came in: `medmon login --token-stdin --insecure-storage < FILE`"));
    }
    // What the server does not take is not worth keeping.
    let who = session.client_with(Some(token.clone()))?.whoami().await?;
    let path = session.keep_token(Some(token))?;
    eprintln!("{}, {} at {}; the token is in {}", who.name, who.role, who.site_name, path.display());
    Ok(())
}

/// Forgets the token for the server.
pub fn logout(session: &Session) -> anyhow::Result<()> {
    session.keep_token(None)?;
    eprintln!("The token for {} is forgotten here; `medmon token revoke` ends it.", session.url()?);
    Ok(())
}

/// Who the server takes the caller for.
pub async fn whoami(session: &Session) -> anyhow::Result<()> {
    let who = session.client()?.whoami().await?;
    let columns = [
        column("name", |who: &Whoami| who.name.clone()),
        column("role", |who: &Whoami| who.role.to_string()),
        column("site", |who: &Whoami| who.site_name.clone()),
        column("ward", |who: &Whoami| who.ward_name.clone().unwrap_or_else(|| "all".to_owned())),
        wide("patient", |who: &Whoami| who.patient.map(|id| id.to_string()).unwrap_or_default()),
        wide("expires", |who: &Whoami| session.out.time_or_none(who.expires_at)),
    ];
    session.out.item(&who, &who.id.to_string(), &columns)
}
