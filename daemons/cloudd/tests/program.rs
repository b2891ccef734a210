//! The program from outside: configuration, tokens.

use assert_cmd::Command;

fn program(folder: &tempfile::TempDir, config: &str) -> Command {
    let path = folder.path().join("config.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::cargo_bin("medmon-cloudd").unwrap();
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
    let create = |arguments: &[&str]| program(&folder, &config).args(["token", "create"]).args(arguments).output().unwrap();
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
