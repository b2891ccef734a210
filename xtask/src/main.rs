//! medmon's development tasks: `cargo xtask test | bench | eval | fuzz | gen`.

mod bench;
mod eval;
mod fuzz;
mod generate;
mod suites;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::Context as _;
use clap::{Parser, Subcommand};

/// medmon's development tasks.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Builds everything, starts what tests need and runs the suites; prints a table.
    Test {
        /// Suites by name, such as `core`, `gatewayd` or `medmon/kill`; all if none is named.
        suites: Vec<String>,
    },
    /// Builds the release and measures it beside its peers; prints a table and writes target/bench.jsonl.
    Bench {
        /// Figures by name or area, such as `gateway` or `gateway/rss_mib`; all if none is named.
        names: Vec<String>,
        /// Only see that they run.
        #[arg(long)]
        quick: bool,
    },
    /// Runs the detectors over recordings: `falls`, `events`, `glucose`, `all` or `train`, with --data, --out, --streams.
    #[command(disable_help_flag = true)]
    Eval {
        /// As `medmon-eval` takes them; `--help` says which.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<OsString>,
    },
    /// Fuzzes what reads bytes from outside; needs a nightly compiler and cargo-fuzz.
    Fuzz {
        /// Targets by name, such as `unpi`; all if none is named.
        targets: Vec<String>,
        /// How long each.
        #[arg(long = "for", value_name = "TIME", default_value = "60s")]
        span: String,
    },
    /// Generates completions/ and man/ from the command-line definitions.
    Gen {
        /// Change nothing; fail if something is stale.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    match Args::parse().task {
        Task::Test { suites } => suites::run(&suites),
        Task::Bench { names, quick } => bench::run(&names, quick),
        Task::Eval { args } => eval::run(&args),
        Task::Fuzz { targets, span } => fuzz::run(&targets, &span),
        Task::Gen { check } => generate::run(check),
    }
}

/// The workspace's folder.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// Cargo, as it was called itself.
fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Runs `command` with its output shown; another exit than success is an error.
fn succeed(command: &mut Command) -> anyhow::Result<()> {
    let status = command.status().with_context(|| format!("{command:?} did not start"))?;
    anyhow::ensure!(status.success(), "{command:?} failed ({status})");
    Ok(())
}
