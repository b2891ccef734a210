//! `medmon dashboard`: the ward on one screen. What it shows is in `tui/`.

use std::io::{IsTerminal, stdin, stdout};

use tokio_util::sync::CancellationToken;

use crate::fail::{Exit, fail};
use crate::find;
use crate::session::{Session, Theme};
use crate::tui::{self, DashboardOptions};

/// How to watch.
#[derive(Debug, clap::Args)]
pub struct DashboardArgs {
    /// This ward only
    #[arg(long)]
    ward: Option<String>,
    /// Nothing can be acknowledged, silenced or written from here
    #[arg(long)]
    read_only: bool,
    /// No family names on the screen
    #[arg(long)]
    privacy: bool,
}

/// Runs the dashboard until somebody quits.
pub async fn run(session: &Session, args: DashboardArgs) -> anyhow::Result<()> {
    if !stdin().is_terminal() || !stdout().is_terminal() {
        return Err(fail(Exit::Usage, "the dashboard needs a terminal; `medmon alert list --open` serves scripts"));
    }
    let client = session.client()?;
    // Asked before the screen is taken, so that a wrong address or token is a plain error.
    let who = client.whoami().await?;
    let ward = find::ward_id(&client, args.ward.as_deref()).await?;
    let options = DashboardOptions {
        client,
        user: format!("{}, {}", who.name, who.role),
        phone: None,
        ward,
        read_only: args.read_only,
        privacy: args.privacy,
        zone: session.zone().clone(),
        language: session.config.language,
        colour: session.config.theme == Theme::Colour,
    };
    tui::run(options, CancellationToken::new()).await
}
