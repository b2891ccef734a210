//! `medmon-gatewayd`: the gateway in the home.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use medmon_gatewayd::config::GatewayConfig;
use medmon_kit::config::{EX_CONFIG, Source};
use medmon_kit::logging::{self, Format};
use medmon_kit::{Clock, config, service};

/// Keeps every reading of a home, sees an emergency by itself, texts, and sends the record to the cloud.
#[derive(Parser)]
#[command(name = "medmon-gatewayd", version)]
struct Args {
    /// Configuration file.
    #[arg(long, value_name = "FILE", env = "MEDMON_CONFIG")]
    config: Option<PathBuf>,
    /// Only check the configuration: exit 0, or 78 with one line that names file, key, value and remedy.
    #[arg(long)]
    check_config: bool,
    /// How log lines are written on stderr: text or json. Their level comes from RUST_LOG.
    #[arg(long, default_value = "text")]
    log_format: Format,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Trades the one-time code of `medmon gateway add` for this gateway's token.
    Enrol {
        /// The code.
        code: String,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let source = Source::from_env(args.config.clone());
    let file = source.path().map_or_else(|| "environment".to_owned(), |path| path.display().to_string());
    let loaded =
        config::load::<GatewayConfig>("gateway", &source).and_then(|config| config.check(&file).map(|()| config));
    let config = match loaded {
        Ok(config) => config,
        Err(line) => {
            eprintln!("{line}");
            return ExitCode::from(EX_CONFIG);
        }
    };
    if args.check_config {
        return ExitCode::SUCCESS;
    }
    logging::init(args.log_format, std::io::stderr);
    // One thread: what a report wakes runs one after the other where it is, for half the CPU that waking other cores
    // costs. What may block, SQLite and files, has threads of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(args, config))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("medmon-gatewayd: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args, config: GatewayConfig) -> anyhow::Result<()> {
    let clock = Clock::system();
    if let Some(Command::Enrol { code }) = args.command {
        let gateway = medmon_gatewayd::enrol(&config, &code, &clock).await?;
        println!("{gateway}");
        return Ok(());
    }
    medmon_gatewayd::run(config, clock, service::shutdown_on_signals()?).await
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Args::command().debug_assert();
    }
}
