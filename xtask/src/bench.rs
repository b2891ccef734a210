//! `cargo xtask bench`: builds what the benches start, as it is released, and runs them.

use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::{cargo, root, succeed};

/// What benches are made of and start.
const PACKAGES: [&str; 3] = ["medmon-benches", "medmon-gatewayd", "medmon-cloudd"];

/// Runs the benches whose figures are named, all if none is; the figures are printed and in `target/bench.jsonl`.
pub fn run(names: &[String], quick: bool) -> anyhow::Result<ExitCode> {
    let mut build = cargo();
    build.args(["build", "--profile", "dist"]);
    for package in PACKAGES {
        build.args(["--package", package]);
    }
    succeed(&mut build)?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let mut benches = Command::new(target.join("dist/medmon-benches"));
    benches.current_dir(root()).args(names).arg("--out").arg(target.join("bench.jsonl"));
    if quick {
        benches.arg("--quick");
    }
    Ok(if benches.status()?.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
