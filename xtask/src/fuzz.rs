//! `cargo xtask fuzz`: each target for a while, from its committed corpus on.

use std::process::{Command, ExitCode, Stdio};

use anyhow::Context as _;

use crate::root;

/// Runs the named targets, all if none is, each for `span`. What they find new stays out of the committed corpus.
pub fn run(targets: &[String], span: &str) -> anyhow::Result<ExitCode> {
    let seconds = seconds(span).with_context(|| format!("`{span}` is not a time; write 60s or 10m"))?;
    // `cargo`, as rustup gives it: the one that called us is of a stable toolchain.
    let ready = Command::new("cargo").args(["+nightly", "fuzz", "--version"]).stdout(Stdio::null()).status();
    anyhow::ensure!(
        ready.is_ok_and(|status| status.success()),
        "fuzzing needs a nightly compiler and cargo-fuzz: `rustup toolchain install nightly && cargo install cargo-fuzz`"
    );
    let known = known()?;
    if let Some(unknown) = targets.iter().find(|target| !known.contains(target)) {
        anyhow::bail!("no target is named {unknown}; there are {}", known.join(", "));
    }
    let wanted: Vec<_> = known.iter().filter(|target| targets.is_empty() || targets.contains(target)).collect();
    let mut broken = Vec::new();
    for target in &wanted {
        println!("\n── {target} ──");
        let found = root().join("target/fuzz").join(target);
        std::fs::create_dir_all(&found)?;
        let mut fuzz = Command::new("cargo");
        fuzz.current_dir(root()).args(["+nightly", "fuzz", "run", target]);
        fuzz.arg(&found).arg(root().join("fuzz/corpus").join(target));
        fuzz.arg("--").arg(format!("-max_total_time={seconds}")).args(["-max_len=4096", "-timeout=10"]);
        // Toolchain of the caller; `+nightly` must win.
        fuzz.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
        if !fuzz.status().context("cargo fuzz")?.success() {
            broken.push(target.as_str());
        }
    }
    if broken.is_empty() {
        println!("\n{} targets, {seconds} s each: nothing found", wanted.len());
        return Ok(ExitCode::SUCCESS);
    }
    println!("\nfound by {}: the input is in fuzz/artifacts; fix it and put it in fuzz/corpus", broken.join(", "));
    Ok(ExitCode::FAILURE)
}

/// `60s`, `10m`, `1h`; a bare number is seconds.
fn seconds(span: &str) -> Option<u64> {
    let unit = span.trim_start_matches(|letter: char| letter.is_ascii_digit());
    let count: u64 = span.strip_suffix(unit)?.parse().ok()?;
    match unit {
        "" | "s" => Some(count),
        "m" => count.checked_mul(60),
        "h" => count.checked_mul(3600),
        _ => None,
    }
}

/// The targets there are.
fn known() -> anyhow::Result<Vec<String>> {
    let mut known = Vec::new();
    for entry in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = entry?.path();
        known.extend(path.file_stem().and_then(|stem| Some(stem.to_str()?.to_owned())));
    }
    known.sort();
    Ok(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_written_with_its_unit() {
        assert_eq!(["60s", "2m", "1h", "5"].map(seconds), [60, 120, 3600, 5].map(Some));
        assert_eq!(["", "s", "1d", "-1s"].map(seconds), [None; 4]);
    }

    #[test]
    fn every_target_has_a_corpus() {
        for target in known().unwrap() {
            assert!(root().join("fuzz/corpus").join(&target).is_dir(), "{target}");
        }
    }
}
