//! The program as the service manager sees it: a bad configuration is one line and exit 78, before a port is opened.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::process::{Command, Output};

fn gatewayd(config: &str, args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gateway.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_medmon-gatewayd"));
    command.env_clear().current_dir(folder.path()).args(["--config", "gateway.toml"]).args(args).output().unwrap()
}

#[test]
fn a_bad_configuration_is_one_line_and_exit_78() {
    for (config, line) in [
        (
            "[gateway.radio]\nprot = '/dev/ttyUSB0'",
            "gateway.toml: gateway.radio.prot = \"/dev/ttyUSB0\": unknown key, did you mean `port`?",
        ),
        (
            "[gateway]\ntime_zone = 'Mars'",
            "gateway.toml: gateway.time_zone = \"Mars\": not an IANA zone, such as Europe/Paris",
        ),
        (
            "[gateway.uplink]\nurl = 'cloud.example'",
            "gateway.toml: gateway.uplink.url = \"cloud.example\": url = \"cloud.example\": relative URL without a base; write scheme and host, such as https://cloud.example",
        ),
        (
            "[gateway.uplink]\nlive_interval_s = 0",
            "gateway.toml: gateway.uplink.live_interval_s = 0: must be at least 1",
        ),
        ("[gateway.disk]\nquota_mib = 0", "gateway.toml: gateway.disk.quota_mib = 0: must be at least 64"),
        (
            "[gateway.broker]\nkind = 'rabbitmq'\nurl = 'http://user:secret@localhost'",
            "gateway.toml: gateway.broker.url: not the URL of a RabbitMQ; write it as amqp://user:password@host:5672/vhost, amqps for TLS, %2f for the vhost /",
        ),
        (
            "[gateway.broker]\npublish_timeout_ms = 0",
            "gateway.toml: gateway.broker.publish_timeout_ms = 0: must be at least 1",
        ),
        (
            "[gateway.sms]\nfallback_phone = '0612345678'",
            "gateway.toml: gateway.sms.fallback_phone = \"0612345678\": write it as +33612345678 (E.164)",
        ),
        (
            "[gateway.sms.http]\nurl = 'https://sms.example'\ntimeout_s = 0",
            "gateway.toml: gateway.sms.http.timeout_s = \"0\": write 1 to 60 seconds: an emergency waits for it",
        ),
    ] {
        for args in [&["--check-config"][..], &[]] {
            let output = gatewayd(config, args);
            assert_eq!(output.status.code(), Some(78), "{config}");
            assert_eq!(String::from_utf8_lossy(&output.stderr).trim_end(), line);
        }
    }
}

#[test]
fn a_good_configuration_and_a_version_are_exit_0() {
    assert_eq!(gatewayd("[gateway]\nname = 'gw-1'\n[cloud]\n", &["--check-config"]).status.code(), Some(0));
    let version = gatewayd("", &["--version"]);
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("medmon-gatewayd {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn enrolling_without_a_cloud_says_what_to_set() {
    let output = gatewayd("", &["enrol", "ABCD"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("gateway.uplink.url is not set"), "{output:?}");
}
