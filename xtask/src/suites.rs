//! `cargo xtask test`: every test executable is a suite; what was left out is said loudly, and fails in CI.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::Context as _;
use serde_json::Value;

use crate::{cargo, succeed};

/// One test executable.
struct Suite {
    name: String,
    executable: PathBuf,
    folder: PathBuf,
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    passed: u64,
    failed: u64,
    skipped: Vec<String>,
    seconds: f64,
    crashed: bool,
}

/// Services that tests start for themselves: what has to be there, and the package that brings it.
const SERVICES: &[(&str, &str)] = &[
    ("/usr/lib/rabbitmq/bin/rabbitmq-server", "rabbitmq-server"),
    ("/usr/sbin/bearerbox", "kannel"),
    ("/usr/bin/gammu-smsd", "gammu-smsd"),
    ("/usr/sbin/smsd", "smstools"),
    ("/usr/bin/prometheus", "prometheus"),
    ("/usr/bin/victoria-metrics", "victoria-metrics"),
];

/// Builds once, runs the wanted suites one after the other, prints a table.
pub fn run(wanted: &[String]) -> anyhow::Result<ExitCode> {
    install_services();
    // End-to-end tests start the real binaries.
    succeed(cargo().args(["build", "--workspace", "--bins"]))?;
    let suites: Vec<_> = suites()?.into_iter().filter(|suite| is_wanted(&suite.name, wanted)).collect();
    anyhow::ensure!(!suites.is_empty(), "no suite is named {}", wanted.join(", "));
    let mut rows = Vec::new();
    for suite in &suites {
        println!("\n── {} ──", suite.name);
        rows.push((suite, execute(suite)?));
    }
    Ok(report(&rows))
}

/// Brings the services that are missing where that is one command; elsewhere their tests say that they are skipped.
fn install_services() {
    let missing: Vec<_> =
        SERVICES.iter().filter(|(file, _)| !Path::new(file).exists()).map(|(_, package)| *package).collect();
    let root = Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0");
    if missing.is_empty() || !root || !Path::new("/usr/bin/apt-get").exists() {
        return;
    }
    println!("installing {}", missing.join(" "));
    let apt = |args: &[&str]| {
        let mut apt = Command::new("apt-get");
        // Run level 1: whatever the packages bring is not started; tests start their own.
        apt.args(args).envs([("DEBIAN_FRONTEND", "noninteractive"), ("RUNLEVEL", "1")]).stdin(Stdio::null());
        apt.stdout(Stdio::null()).status().is_ok_and(|status| status.success())
    };
    let install = [&["install", "--yes", "--no-install-recommends"], &missing[..]].concat();
    let installed = apt(&install) || (apt(&["update"]) && apt(&install));
    if !installed {
        println!("{} cannot be installed; what needs it is skipped", missing.join(" "));
    }
}

/// `core` means `core` and everything below it.
fn is_wanted(name: &str, wanted: &[String]) -> bool {
    wanted.is_empty() || wanted.iter().any(|one| name == one || name.starts_with(&format!("{one}/")))
}

fn suites() -> anyhow::Result<Vec<Suite>> {
    let mut build = cargo();
    build.args(["test", "--workspace", "--no-run", "--message-format", "json-render-diagnostics"]);
    let mut child = build.stdout(Stdio::piped()).spawn().context("cargo test --no-run")?;
    let lines = BufReader::new(child.stdout.take().context("no output of cargo")?).lines();
    let mut suites = Vec::new();
    for line in lines {
        let message: Value = serde_json::from_str(&line?).unwrap_or_default();
        suites.extend(suite(&message));
    }
    anyhow::ensure!(child.wait()?.success(), "the tests do not build");
    suites.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(suites)
}

fn suite(message: &Value) -> Option<Suite> {
    let executable = message["executable"].as_str()?;
    message["profile"]["test"].as_bool()?.then_some(())?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let folder = manifest.parent()?.to_owned();
    let package = folder.file_name()?.to_str()?;
    let package = if folder == crate::root() { "medmon" } else { package };
    let target = &message["target"];
    let name = match target["kind"][0].as_str()? {
        "lib" => package.to_owned(),
        "test" => format!("{package}/{}", target["name"].as_str()?),
        _ => format!("{package}/bin"),
    };
    Some(Suite { name, executable: executable.into(), folder })
}

fn execute(suite: &Suite) -> anyhow::Result<Outcome> {
    let began = Instant::now();
    let mut child = Command::new(&suite.executable)
        .current_dir(&suite.folder)
        .arg("--show-output")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("{} did not start", suite.executable.display()))?;
    let mut outcome = Outcome::default();
    for line in BufReader::new(child.stdout.take().context("no output")?).lines() {
        let line = line?;
        if let Some(skipped) = line.strip_prefix("SKIPPED") {
            outcome.skipped.push(skipped.trim_start_matches([':', ' ']).to_owned());
        }
        if let Some(counts) = line.strip_prefix("test result: ") {
            let count = |word: &str| {
                let before = counts.split(&format!(" {word}")).next()?;
                before.rsplit(' ').next()?.parse::<u64>().ok()
            };
            outcome.passed += count("passed").unwrap_or(0);
            outcome.failed += count("failed").unwrap_or(0);
        } else {
            println!("{line}");
        }
        std::io::stdout().flush()?;
    }
    outcome.crashed = !child.wait()?.success() && outcome.failed == 0;
    outcome.seconds = began.elapsed().as_secs_f64();
    Ok(outcome)
}

fn report(rows: &[(&Suite, Outcome)]) -> ExitCode {
    println!("\n{:<28} {:>7} {:>7} {:>8} {:>8}", "suite", "passed", "failed", "skipped", "seconds");
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    for (suite, outcome) in rows {
        let crashed = if outcome.crashed { "  CRASHED" } else { "" };
        println!(
            "{:<28} {:>7} {:>7} {:>8} {:>8.1}{crashed}",
            suite.name,
            outcome.passed,
            outcome.failed,
            outcome.skipped.len(),
            outcome.seconds
        );
        passed += outcome.passed;
        failed += outcome.failed + u64::from(outcome.crashed);
        skipped += outcome.skipped.len();
    }
    for (suite, outcome) in rows {
        for reason in &outcome.skipped {
            println!("SKIPPED in {}: {reason}", suite.name);
        }
    }
    // On a laptop a missing service is said; where everything has to be there, it fails.
    let ci = std::env::var("CI").is_ok_and(|ci| ci == "true");
    if ci && skipped > 0 {
        println!("CI=true: what is skipped has failed");
        failed += skipped as u64;
    }
    println!("\n{passed} passed, {failed} failed, {skipped} skipped");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suite_is_wanted_by_its_name_or_its_package() {
        let wanted = ["core".to_owned(), "medmon/kill".to_owned()];
        assert!(is_wanted("core", &wanted) && is_wanted("core/recordings", &wanted));
        assert!(is_wanted("medmon/kill", &wanted) && !is_wanted("medmon/demo", &wanted));
        assert!(!is_wanted("corelib", &wanted) && is_wanted("anything", &[]));
    }
}
