//! `medmon-cloudd`: parse, check the configuration, run. Everything else is in the library.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use clap::{Parser, Subcommand};
use medmon_cloudd::{Cloud, CloudConfig, backup, create_token_in, migrate, run};
use medmon_core::noun::Role;
use medmon_kit::config::{self, ConfigError, EX_CONFIG, Source};
use medmon_kit::{Clock, logging, service};
use uuid::Uuid;

/// Well below the 60 s of the unit file.
const WATCHDOG: Duration = Duration::from_secs(15);

/// A negative verdict (`medmon help exit-codes`).
const NEGATIVE: u8 = 8;

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
    /// Take a backup of the cloud, running or not: encrypted, and only what changed is written.
    Backup(Place),
    /// The vitals store.
    Vitals {
        #[command(subcommand)]
        verb: VitalsVerb,
    },
    /// Put a backup into an empty cloud.data_dir. The cloud must not run.
    Restore {
        #[command(flatten)]
        place: Place,
        /// Which, by its time as `verify` lists it; default the newest.
        #[arg(long, value_name = "TIME")]
        backup: Option<String>,
    },
    /// Read backups back as a restore would: every check sum, every database. Exit 8 if one is damaged.
    Verify {
        #[command(flatten)]
        place: Place,
        /// Only this one, by its time.
        #[arg(long, value_name = "TIME")]
        backup: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
enum VitalsVerb {
    /// Take all vitals along to another store. The cloud must not run; a run that was interrupted goes on.
    Migrate {
        /// Where they are.
        #[arg(long)]
        from: From,
        /// Where they go: the store that is configured.
        #[arg(long)]
        to: To,
    },
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum From {
    /// Files under cloud.data_dir.
    Embedded,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum To {
    /// Prometheus, VictoriaMetrics, or what else is configured as such.
    Prometheus,
}

/// Where backups are; without them, `[cloud.backup]` says so.
#[derive(Debug, clap::Args)]
struct Place {
    /// Folder of the backups.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
    /// File of the key to them.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
}

impl Place {
    fn of(self, config: &CloudConfig) -> anyhow::Result<(PathBuf, PathBuf)> {
        let folder = self.folder.or_else(|| config.backup.folder.clone());
        let key_file = self.key_file.or_else(|| config.backup.key_file.clone());
        Ok((
            folder.context("where? give --folder, or cloud.backup.folder in the configuration")?,
            key_file.context("by which key? give --key-file, or cloud.backup.key_file in the configuration")?,
        ))
    }
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
    match work(args, config) {
        Ok(code) => code,
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

fn work(args: Args, config: CloudConfig) -> anyhow::Result<ExitCode> {
    match args.command {
        Some(Command::Backup(place)) => take_backup(place, &config)?,
        Some(Command::Restore { place, backup }) => restore(place, &config, backup.as_deref())?,
        Some(Command::Verify { place, backup }) => return verify(place, &config, backup.as_deref()),
        Some(Command::Vitals { verb: VitalsVerb::Migrate { from: From::Embedded, to: To::Prometheus } }) => {
            migrate(&config)?;
        }
        Some(Command::Token { verb }) => token(verb, &config)?,
        None => serve(config)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn take_backup(place: Place, config: &CloudConfig) -> anyhow::Result<()> {
    let (folder, key_file) = place.of(config)?;
    let keep = Some(config.backup.keep as usize);
    let taken = backup::take(&config.data_dir, &folder, &key_file, keep, jiff::Timestamp::now())?;
    if taken.made_key {
        eprintln!("{}: made; without a copy of it elsewhere no backup can ever be read", key_file.display());
    }
    let bytes: u64 = taken.snapshot.files.iter().map(|file| file.bytes).sum();
    println!(
        "{}: {} files, {} MiB; {} were new, {} old ones let go",
        taken.snapshot.taken_at,
        taken.snapshot.files.len(),
        bytes >> 20,
        taken.written,
        taken.pruned
    );
    Ok(())
}

fn restore(place: Place, config: &CloudConfig, name: Option<&str>) -> anyhow::Result<()> {
    let (folder, key_file) = place.of(config)?;
    let snapshot = backup::restore(&config.data_dir, &folder, &key_file, name)?;
    println!("{}: {} files are in {}", snapshot.taken_at, snapshot.files.len(), config.data_dir.display());
    eprintln!(
        "Start the cloud: each gateway then sends again what came after the backup. What people wrote since is lost, and tokens \
         that were revoked since are valid again: look at `medmon token list` and at the reports of that day."
    );
    Ok(())
}

fn verify(place: Place, config: &CloudConfig, name: Option<&str>) -> anyhow::Result<ExitCode> {
    let (folder, key_file) = place.of(config)?;
    let (read, wrong) = backup::verify(&folder, &key_file, name)?;
    wrong.iter().for_each(|line| println!("{line}"));
    println!("{read} files read, {} wrong", wrong.len());
    Ok(if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(NEGATIVE) })
}

#[tokio::main]
async fn migrate(config: &CloudConfig) -> anyhow::Result<()> {
    let bar = indicatif::ProgressBar::new(1);
    let seen = |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    };
    let done = migrate::to_server(config, Clock::system(), seen).await;
    bar.finish_and_clear();
    let done = done?;
    println!(
        "{} windows with {} readings are there; the embedded files are in {}",
        done.windows,
        done.readings,
        done.aside.display()
    );
    Ok(())
}

#[tokio::main]
async fn token(verb: TokenVerb, config: &CloudConfig) -> anyhow::Result<()> {
    let TokenVerb::Create { role, name, site, ward, patient } = verb;
    let (site, ward) = (site.as_deref(), ward.as_deref());
    let made = create_token_in(&config.data_dir, &Clock::system(), role, &name, site, ward, patient).await;
    println!("{}", made.map_err(explain)?.token);
    Ok(())
}

#[tokio::main]
async fn serve(config: CloudConfig) -> anyhow::Result<()> {
    let clock = Clock::system();
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
