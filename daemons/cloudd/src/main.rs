//! `medmon-cloudd`: parse, check the configuration, run. Everything else is in the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Parser, Subcommand};
use medmon_cloudd::{Cloud, CloudConfig, create_token_in, run};
use medmon_core::noun::Role;
use medmon_kit::config::{self, ConfigError, EX_CONFIG, Source};
use medmon_kit::{Clock, logging, service};
use uuid::Uuid;

/// Well below the 60 s of the unit file.
const WATCHDOG: Duration = Duration::from_secs(15);

/// The cloud of medmon: ingest, records, vitals, alerts and the API.
#[derive(Debug, Parser)]
#[command(name = "medmon-cloudd", version)]
struct Args {
    /// Configuration file; else MEDMON_CONFIG, the user's, /etc/medmon/config.toml.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and exit: 0, or 78 with one line that says what to change.
    #[arg(long)]
    check_config: bool,
    /// How log lines on stderr are written: text or json. Their level is RUST_LOG.
    #[arg(long, global = true, default_value = "text", value_name = "FORMAT")]
    log_format: logging::Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Tokens, made by whoever runs the server.
    Token {
        #[command(subcommand)]
        verb: TokenVerb,
    },
}

#[derive(Debug, Subcommand)]
enum TokenVerb {
    /// Make a token and print it; it is shown only once. Works beside a running cloud.
    Create {
        /// doctor, nurse, relative, patient, maintainer, admin.
        #[arg(long)]
        role: Role,
        /// As shown on screens: "A. Martin".
        #[arg(long)]
        name: String,
        /// Name or id of the site; default: the first one.
        #[arg(long)]
        site: Option<String>,
        /// Confine it to this ward, by name or id.
        #[arg(long)]
        ward: Option<String>,
        /// The patient of a relative or a patient, by id.
        #[arg(long)]
        patient: Option<Uuid>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let config = match configuration(&args) {
        Ok(config) => config,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    if args.check_config {
        return ExitCode::SUCCESS;
    }
    logging::init(args.log_format, std::io::stderr);
    match serve(args, config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("medmon-cloudd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn configuration(args: &Args) -> Result<CloudConfig, ConfigError> {
    let source = Source::from_env(args.config.clone());
    let config: CloudConfig = config::load("cloud", &source)?;
    let file = source.path().map_or_else(|| "environment".to_owned(), |path| path.display().to_string());
    config.check(&file)?;
    Ok(config)
}

#[tokio::main]
async fn serve(args: Args, config: CloudConfig) -> anyhow::Result<()> {
    let clock = Clock::system();
    if let Some(Command::Token { verb: TokenVerb::Create { role, name, site, ward, patient } }) = args.command {
        let (site, ward) = (site.as_deref(), ward.as_deref());
        let made = create_token_in(&config.data_dir, &clock, role, &name, site, ward, patient).await;
        println!("{}", made.map_err(explain)?.token);
        return Ok(());
    }
    let shutdown = service::shutdown_on_signals().context("signals cannot be caught")?;
    let running = run(config, clock, shutdown).await?;
    service::ready();
    tokio::spawn(feed_watchdog(Arc::clone(&running.cloud)));
    running.finished().await.context("the server ended")
}

/// Tells systemd that the stores still answer, not only that the process is there.
async fn feed_watchdog(cloud: Arc<Cloud>) {
    loop {
        if cloud.probe().await.is_ok() {
            service::progress();
        }
        tokio::time::sleep(WATCHDOG).await;
    }
}

/// A refusal is for callers of the API; here its cause may be shown.
fn explain(refusal: medmon_cloudd::refusal::Refusal) -> anyhow::Error {
    match refusal {
        medmon_cloudd::refusal::Refusal::Internal(cause) => anyhow!(cause),
        other => anyhow!(other),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Args::command().debug_assert();
    }
}
