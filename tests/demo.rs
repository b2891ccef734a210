//! The demo as its users run it: its own verdict has to be good, and the summary has to say what the contract promises.

#![cfg(feature = "demo")]
#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The demo's two minutes in forty seconds.
const SPEED: &str = "3";

fn demo(arguments: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_medmon"))
        .args(["demo", "--headless", "--for", "120s", "--speed", SPEED, "-o", "json"])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// The exit code and the summary.
fn ended(child: Child) -> (Option<i32>, Value) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[test]
fn nothing_is_lost_missed_or_made_up_whatever_the_seed() {
    let runs: Vec<_> = (1..=5).map(|seed: u8| (seed, demo(&["--seed", &seed.to_string()]))).collect();
    for (seed, run) in runs {
        let (code, summary) = ended(run);
        assert_eq!(code, Some(0), "seed {seed}: {summary:#}");
        let readings = &summary["readings"];
        assert!(readings["sent"].as_u64() > Some(20_000), "seed {seed}: {readings}");
        assert_eq!((&readings["kept"], &readings["lost"]), (&readings["sent"], &Value::from(0)), "seed {seed}");
        let alerts = summary["alerts"].as_array().unwrap();
        let mut conditions: Vec<_> = alerts.iter().filter_map(|alert| alert["condition"].as_str()).collect();
        conditions.sort_unstable();
        assert_eq!(conditions, ["fall", "hypoglycaemia", "sensor_off", "silence", "tachycardia"], "seed {seed}");
        let fall = alerts.iter().find(|alert| alert["condition"] == "fall").unwrap();
        assert_eq!(fall["acknowledged_by"], "Paul", "seed {seed}: {fall}");
        assert!(fall["reaction_ms"].is_number() && fall["sms_at"].is_string(), "seed {seed}: {fall}");
        assert_eq!(summary["sms"].as_array().map(Vec::len), Some(3), "seed {seed}: {}", summary["sms"]);
    }
}

#[test]
fn recordings_are_played_through_the_serial_line_and_judged() {
    let data = std::env::var_os("MEDMON_TEST_DATA")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data"), PathBuf::from);
    if !data.exists() {
        println!(
            "SKIPPED: recordings_are_played_through_the_serial_line_and_judged (no recordings at {})",
            data.display()
        );
        return;
    }
    let (code, summary) = ended(demo(&["--replay", &data.display().to_string()]));
    assert_eq!(code, Some(0), "{summary:#}");
    assert_eq!(summary["readings"]["kept"], summary["readings"]["sent"]);
    let found =
        |condition: &str| summary["alerts"].as_array().unwrap().iter().any(|alert| alert["condition"] == condition);
    assert!(found("fall") && found("hypoglycaemia"), "{:#}", summary["alerts"]);
}
