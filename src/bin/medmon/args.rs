//! The command line: the nouns and what is common to them. The verbs of a noun stand in its file under `cmd/`.

use std::path::PathBuf;

use clap::{ArgAction, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::cmd;

/// Medical monitoring at home: the ward's dashboard and every record behind it.
#[derive(Debug, Parser)]
#[command(name = "medmon", version, disable_help_subcommand = true, max_term_width = 110)]
#[command(after_help = "Exit codes: medmon help exit-codes. Not a certified medical device.")]
pub struct Args {
    /// What every noun takes.
    #[command(flatten)]
    pub global: Global,
    /// What it is about.
    #[command(subcommand)]
    pub noun: Noun,
}

/// What every noun takes.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub struct Global {
    /// How to print: table and wide are tab-separated on a pipe
    #[arg(short, long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Output,
    /// Ids only
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// The server [else MEDMON_CLIENT__URL, or client.url of the configuration]
    #[arg(long, global = true, value_name = "URL")]
    pub url: Option<String>,
    /// Configuration [else MEDMON_CONFIG, ~/.config/medmon/config.toml, /etc/medmon/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// No colours; the dashboard then says all by marks and words
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Language of the dashboard
    #[arg(long, global = true, value_enum, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// Say which server, and what lies behind an error
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Do not ask before a change to a patient
    #[arg(long, global = true)]
    pub yes: bool,
}

/// How to print.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Columns.
    #[default]
    Table,
    /// More columns, full ids.
    Wide,
    /// One document.
    Json,
    /// One document a line.
    Jsonl,
    /// All columns with a header.
    Csv,
}

/// Language of screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Lang {
    /// English.
    En,
    /// French.
    Fr,
}

/// The nouns.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// The whole system in one process: virtual patients, radio, modem, gateways, cloud
    #[cfg(feature = "demo")]
    Demo(DemoArgs),
    /// The ward on one screen
    Dashboard(cmd::dashboard::DashboardArgs),
    /// Keep a token for a server
    Login(cmd::login::LoginArgs),
    /// Forget the token for a server
    Logout,
    /// Who the server takes you for
    Whoami,
    /// Patients
    Patient {
        #[command(subcommand)]
        verb: cmd::patient::Verb,
    },
    /// Whom a patient's gateway texts, in order
    Contact {
        #[command(subcommand)]
        verb: cmd::contact::Verb,
    },
    /// A patient's limits. Defaults need a clinician's sign-off before real use
    Limits {
        #[command(subcommand)]
        verb: cmd::limits::Verb,
    },
    /// A patient's figures
    Vitals {
        #[command(subcommand)]
        verb: cmd::vitals::Verb,
    },
    /// Alerts
    Alert {
        #[command(subcommand)]
        verb: cmd::alert::Verb,
    },
    /// Reports of the care team
    Report {
        #[command(subcommand)]
        verb: cmd::report::Verb,
    },
    /// How a patient feels
    Feeling {
        #[command(subcommand)]
        verb: cmd::feeling::Verb,
    },
    /// Reports and feelings that wait for the server
    Outbox {
        #[command(subcommand)]
        verb: cmd::outbox::Verb,
    },
    /// Gateways
    Gateway {
        #[command(subcommand)]
        verb: cmd::gateway::Verb,
    },
    /// A patient's sensors
    Device {
        #[command(subcommand)]
        verb: cmd::device::Verb,
    },
    /// Wards
    Ward {
        #[command(subcommand)]
        verb: cmd::ward::Verb,
    },
    /// Tokens (admin)
    Token {
        #[command(subcommand)]
        verb: cmd::token::Verb,
    },
    /// On a gateway: ask it through its Unix socket
    Local(cmd::local::LocalArgs),
    /// Check configuration, server, token and terminal
    Doctor,
    /// The configuration
    Config {
        #[command(subcommand)]
        verb: cmd::config::Verb,
    },
    /// Completions for a shell, on stdout
    Completions {
        /// Which shell
        shell: Shell,
    },
    /// Help on a noun, a verb or `exit-codes`
    Help {
        /// Such as `patient add`
        topic: Vec<String>,
    },
    /// Write completions/ and man/ from these definitions
    #[command(hide = true)]
    Generate {
        /// Where
        dir: PathBuf,
    },
}

/// `medmon demo`.
#[cfg(feature = "demo")]
#[derive(Clone, Debug, clap::Args)]
pub struct DemoArgs {
    /// Virtual patients
    #[arg(long, default_value_t = 6, value_parser = clap::value_parser!(u16).range(1..=500))]
    pub patients: u16,
    /// The same seed, the same demo
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// How many times faster than real time
    #[arg(long, default_value_t = 1.0, value_parser = speed)]
    pub speed: f64,
    /// Recordings to play through the serial line instead of virtual patients
    #[arg(long, value_name = "DIR")]
    pub replay: Option<PathBuf>,
    /// Where to keep the data [else a temporary folder, removed at the end]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// No dashboard, even on a terminal
    #[arg(long)]
    pub headless: bool,
    /// End after this much of the demo's time [with a dashboard: when you quit]
    #[arg(long = "for", value_name = "DURATION", value_parser = crate::when::duration)]
    pub run_for: Option<std::time::Duration>,
    /// What carries readings inside a gateway
    #[arg(long, value_enum, default_value_t, value_name = "KIND")]
    pub broker: Broker,
    /// How to print the summary: the global `-o`.
    #[arg(skip)]
    pub output: Output,
}

/// What carries readings inside a gateway.
#[cfg(feature = "demo")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Broker {
    /// SQLite inside the gateway.
    #[default]
    Embedded,
    /// RabbitMQ.
    Rabbitmq,
}

#[cfg(feature = "demo")]
fn speed(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(speed) if speed.is_finite() && speed > 0.0 => Ok(speed),
        _ => Err("write how many times faster, such as 1 or 20".to_owned()),
    }
}

/// Which span of time.
#[derive(Clone, Debug, clap::Args)]
pub struct Span {
    /// From: "2h", "2h ago", "2026-03-01", "2026-03-01T08:00:00Z"
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true, action = ArgAction::Set)]
    pub since: Option<crate::when::When>,
    /// To, likewise; absent = now
    #[arg(long, value_name = "WHEN", allow_hyphen_values = true, action = ArgAction::Set)]
    pub until: Option<crate::when::When>,
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Args::command().debug_assert();
    }

    #[test]
    fn global_flags_stand_before_or_after_the_verb() {
        for line in ["medmon -o json patient list", "medmon patient list -o json"] {
            let args = Args::try_parse_from(line.split(' ')).unwrap();
            assert_eq!(args.global.output, Output::Json, "{line}");
        }
    }
}
