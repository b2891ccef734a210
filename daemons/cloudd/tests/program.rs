//! The program from outside: configuration, tokens, and being killed.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use assert_cmd::Command;
use medmon_api::Client;
use medmon_api::patient::PatientQuery;
use medmon_api::{PageQuery, report::NewReport};

fn program(folder: &tempfile::TempDir, config: &str) -> Command {
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("medmon-cloudd"));
    command.env_clear().arg("--config").arg(path);
    command
}

#[test]
fn a_bad_configuration_is_one_line_and_78() {
    let folder = tempfile::tempdir().unwrap();
    for (config, words) in [
        ("[cloud]\nlisten = 'nowhere'", ["cloud.listen", "127.0.0.1:8080"]),
        ("[cloud]\nlitsen = '127.0.0.1:1'", ["cloud.litsen", "did you mean `listen`"]),
        ("[cloud.records]\nkind = 'postgres'", ["cloud.records.kind", "sqlite"]),
        ("[cloud.sms.http]\nurl = 'sms.example'", ["cloud.sms.http.url", "http or https"]),
        ("[cloud.sms.http]\nurl = 'http://sms.example'\ntimeout_s = 0", ["cloud.sms.http.timeout_s", "1 to 60"]),
    ] {
        let output = program(&folder, config).arg("--check-config").output().unwrap();
        let line = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(78), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
        assert!(words.iter().all(|word| line.contains(word)), "{line}");
    }
    program(&folder, "[cloud]\nlisten = '127.0.0.1:0'").arg("--check-config").assert().success();
}

#[test]
fn a_token_is_printed_once_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[cloud]\ndata_dir = '{}'", folder.path().join("data").display());
    let create =
        |arguments: &[&str]| program(&folder, &config).args(["token", "create"]).args(arguments).output().unwrap();
    let made = create(&["--role", "nurse", "--name", "A. Martin", "--ward", "default"]);
    let token = String::from_utf8(made.stdout).unwrap();
    assert!(token.starts_with("mm_") && token.trim().len() == 67, "{:?}", String::from_utf8(made.stderr));
    for (arguments, word) in [
        (&["--role", "nurse", "--name", "A", "--ward", "west"][..], "no ward west"),
        (&["--role", "relative", "--name", "A"][..], "name it"),
        (&["--role", "matron", "--name", "A"][..], "expected one of"),
    ] {
        let refused = create(arguments);
        let line = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && line.contains(word), "{line}");
    }
}

/// The program on a free port, and the address it says it has.
fn serve(folder: &tempfile::TempDir, config: &str) -> (Child, String) {
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin!("medmon-cloudd"))
        .env_clear()
        .args(["--log-format", "json", "--config"])
        .arg(path)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let line = lines.find(|line| line.contains("cloud listens")).expect("it says where it listens");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}", line["fields"]["address"].as_str().unwrap());
    (child, url)
}

#[tokio::test]
async fn what_was_answered_survives_a_kill_and_a_second_program_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let config = format!("[cloud]\nlisten = '127.0.0.1:0'\ndata_dir = '{}'", folder.path().join("data").display());
    let (mut child, url) = serve(&folder, &config);
    let made = program(&folder, &config).args(["token", "create", "--role", "doctor", "--name", "B"]).output().unwrap();
    let token = String::from_utf8(made.stdout).unwrap();
    let doctor = Client::new(&url, Some(&token)).unwrap();
    let ward = doctor.wards().await.unwrap()[0].id;
    let patient = doctor.add_patient(&common::new_patient("DOE Jeanne", ward)).await.unwrap();
    let report = NewReport { kind: "note".into(), text: "dizzy".into() };
    let report = doctor.add_report(patient.id, &report).await.unwrap();

    let second = program(&folder, &config).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8(second.stderr).unwrap().contains("in use by another"));

    child.kill().unwrap();
    child.wait().unwrap();
    let (mut child, url) = serve(&folder, &config);
    let doctor = Client::new(&url, Some(&token)).unwrap();
    let patients = doctor.patients(&PatientQuery::default(), &PageQuery::default()).await.unwrap();
    assert_eq!(patients.items, std::slice::from_ref(&patient));
    assert_eq!(doctor.report(patient.id, report.id).await.unwrap(), report);
    child.kill().unwrap();
    child.wait().unwrap();
}
