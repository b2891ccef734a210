//! The benches: what medmon reaches, each figure beside a peer's of the same run where a peer can be had.
//!
//! Run them by `cargo xtask bench [NAME…] [--quick]`, which builds what they start. An area is a module, a bench a
//! function that gives its figures; its doc comment says what exactly is timed. `--quick` only shows that they run.

mod cloud;
mod cloudd;
mod detect;
mod figure;
mod gateway;
mod line;
mod measure;
mod peer;
mod program;
mod reaction;
mod recorded;
mod vitals;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use crate::figure::Figure;

/// medmon's benches.
#[derive(Parser)]
struct Args {
    /// Figures by name or area, such as `gateway` or `gateway/rss_mib`; all if none is named.
    names: Vec<String>,
    /// Only see that they run.
    #[arg(long)]
    quick: bool,
    /// Where a line of JSON per figure goes.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// The figures a bench gives, and the bench; `true` = quick.
type Bench = (&'static [&'static str], fn(bool) -> anyhow::Result<Vec<Figure>>);

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|one| figure::is_wanted(name, one));
    let benches: Vec<Bench> =
        [gateway::BENCHES, wire::BENCHES, reaction::BENCHES, detect::BENCHES, cloud::BENCHES, vitals::BENCHES].concat();
    let mut figures = Vec::new();
    let mut broken = 0;
    for (names, bench) in benches {
        if names.iter().any(|name| wanted(name)) {
            eprintln!("{} …", names.join(", "));
            match bench(args.quick) {
                Ok(found) => figures.extend(found),
                Err(error) => {
                    eprintln!("{} does not run: {error:#}", names.join(", "));
                    broken += 1;
                }
            }
        }
    }
    anyhow::ensure!(broken > 0 || !figures.is_empty(), "no figure is named {}", args.names.join(", "));
    figure::write(&args.out, &figures)?;
    print!("{}", figure::table(&figures));
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
