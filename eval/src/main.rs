//! `cargo xtask eval falls|events|glucose|all`: the real detectors over a folder of recordings.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Parser, ValueEnum};
use medmon_eval::falls::{self, report, stream};
use medmon_eval::{glucose, heart_rate, temperature};

/// How well the detectors do on recordings.
#[derive(Parser)]
struct Args {
    /// What to look at.
    part: Part,
    /// Recordings: falls_umafall/, heart_rate/, temperature/, glucose/. [default: ../shared/data beside the workspace]
    #[arg(long, value_name = "DIR", env = "MEDMON_TEST_DATA")]
    data: Option<PathBuf>,
    /// Where what was found is written. [default: target/eval]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Continuous streams of acceleration: UXX_place.csv.gz.
    #[arg(long, value_name = "DIR")]
    streams: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Part {
    /// Falls: sensitivity, specificity, people left out, rates and losses, streams.
    Falls,
    /// Heart rate and temperature: events found, false alarms.
    Events,
    /// Glucose: figures of traces, predictions of hypoglycaemia.
    Glucose,
    /// All of them.
    All,
    /// Fits the fall detector's coefficients and compares predictions of low glucose; prints the tables to paste.
    Train,
}

fn main() -> anyhow::Result<()> {
    let Args { part, data, out, streams } = Args::parse();
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let data = data.unwrap_or_else(|| workspace.join("../shared/data"));
    let out = out.unwrap_or_else(|| workspace.join("target/eval"));
    anyhow::ensure!(data.is_dir(), "no recordings: {} is no folder", data.display());
    std::fs::create_dir_all(&out).with_context(|| out.display().to_string())?;
    let write = |name: &str, text: &str| std::fs::write(out.join(name), text).with_context(|| name.to_owned());
    if part == Part::Train {
        let all = falls::load_all(&data)?;
        print!("{}{}", report::coefficients(&all), report::left_out(&all));
        let folder = data.join(glucose::FOLDER);
        if folder.is_dir() {
            print!("{}", glucose::train::tables(&glucose::course::load(&folder)?)?);
        }
        return Ok(());
    }
    let any = std::cell::Cell::new(false);
    let wanted = |one: Part, folder: &str| {
        let (named, there) = (part == one, data.join(folder).is_dir());
        any.set(any.get() || there && (named || part == Part::All));
        if !there && (named || part == Part::All) {
            println!("{folder}: no recordings in {}\n", data.display());
        }
        there && (named || part == Part::All)
    };
    if wanted(Part::Falls, falls::FOLDER) {
        let all = falls::load_all(&data)?;
        write("falls.jsonl", &report::lines(&all))?;
        print!("{}{}", report::tables(&all), stream::daily_life(&all)?);
    }
    if let Some(folder) = streams.as_deref().filter(|_| matches!(part, Part::Falls | Part::All)) {
        let (lines, table) = stream::run(folder)?;
        any.set(true);
        write("streams.jsonl", &lines)?;
        print!("{table}");
    }
    if wanted(Part::Events, heart_rate::FOLDER) {
        let (lines, tables) = heart_rate::run(&data.join(heart_rate::FOLDER))?;
        write("heart_rate.jsonl", &lines)?;
        print!("{tables}");
    }
    if wanted(Part::Events, temperature::FOLDER) {
        let (lines, table) = temperature::run(&data.join(temperature::FOLDER))?;
        write("temperature.jsonl", &lines)?;
        print!("{table}");
    }
    if wanted(Part::Glucose, glucose::FOLDER) {
        let (figures, lines, table) = glucose::run(&data.join(glucose::FOLDER))?;
        write("glucose.json", &figures)?;
        write("hypo_prediction.jsonl", &lines)?;
        print!("{table}");
    }
    anyhow::ensure!(any.get(), "nothing to look at: {} has none of the recordings wanted", data.display());
    Ok(())
}
