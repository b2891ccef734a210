//! `cargo xtask eval`: runs the detectors over recordings, optimised: weeks of heart rate are many readings.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use crate::{cargo, root, succeed};

/// Passes everything on to `medmon-eval`; relative paths are the caller's.
pub fn run(args: &[OsString]) -> anyhow::Result<ExitCode> {
    succeed(cargo().args(["build", "--profile", "dist", "--package", "medmon-eval"]))?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let status = Command::new(target.join("dist/medmon-eval")).args(args).status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
