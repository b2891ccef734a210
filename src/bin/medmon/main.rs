//! The medmon client: parse, one match, run. What each noun does is in `cmd/`, the dashboard in `tui/`.

mod args;
mod cmd;
mod confirm;
#[cfg(feature = "demo")]
mod demo;
mod fail;
mod find;
mod outbox;
mod print;
mod session;
mod tui;
mod when;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Noun};
use crate::session::Session;

fn main() -> ExitCode {
    let args = Args::parse();
    let verbose = args.global.verbose;
    run(args).unwrap_or_else(|error| fail::report(&error, verbose))
}

fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { global, noun } = args;
    // A demo makes its own runtime, and what needs no server is answered without one.
    match noun {
        #[cfg(feature = "demo")]
        Noun::Demo(mut demo) => {
            demo.output = global.output;
            return demo::run(demo);
        }
        Noun::Help { topic } => return cmd::help::run(&topic),
        Noun::Completions { shell } => return cmd::generate::completions(shell),
        Noun::Generate { dir } => return cmd::generate::run(&dir),
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(dispatch(global, noun))
}

async fn dispatch(global: args::Global, noun: Noun) -> anyhow::Result<ExitCode> {
    if let Noun::Config { verb: cmd::config::Verb::Template } = noun {
        return cmd::config::template();
    }
    let session = Session::open(global)?;
    match noun {
        Noun::Dashboard(args) => cmd::dashboard::run(&session, args).await?,
        Noun::Login(args) => cmd::login::login(&session, args).await?,
        Noun::Logout => cmd::login::logout(&session)?,
        Noun::Whoami => cmd::login::whoami(&session).await?,
        Noun::Patient { verb } => cmd::patient::run(&session, verb).await?,
        Noun::Contact { verb } => cmd::contact::run(&session, verb).await?,
        Noun::Limits { verb } => cmd::limits::run(&session, verb).await?,
        Noun::Vitals { verb } => cmd::vitals::run(&session, verb).await?,
        Noun::Alert { verb } => cmd::alert::run(&session, verb).await?,
        Noun::Report { verb } => cmd::report::run(&session, verb).await?,
        Noun::Feeling { verb } => cmd::feeling::run(&session, verb).await?,
        Noun::Outbox { verb } => cmd::outbox::run(&session, verb).await?,
        Noun::Gateway { verb } => cmd::gateway::run(&session, verb).await?,
        Noun::Device { verb } => cmd::device::run(&session, verb).await?,
        Noun::Ward { verb } => cmd::ward::run(&session, verb).await?,
        Noun::Token { verb } => cmd::token::run(&session, verb).await?,
        Noun::Local(args) => cmd::local::run(&session, args).await?,
        Noun::Config { verb } => cmd::config::run(&session, verb)?,
        Noun::Doctor => return cmd::doctor::run(&session).await,
        // Answered before there was a session.
        Noun::Help { .. } | Noun::Completions { .. } | Noun::Generate { .. } => {}
        #[cfg(feature = "demo")]
        Noun::Demo(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}
