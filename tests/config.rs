//! `config.example.toml` is what the programs really read: as it stands, and with every commented key switched on.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::ffi::OsString;

use medmon_cloudd::CloudConfig;
use medmon_gatewayd::config::GatewayConfig;
use medmon_kit::config::{Source, load};

const EXAMPLE: &str = include_str!("../config.example.toml");

fn check(text: &str) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, text).unwrap();
    let source = Source { file: Some(path), env: Vec::<(OsString, OsString)>::new() };
    let gateway: GatewayConfig = load("gateway", &source).unwrap_or_else(|error| panic!("{error}"));
    gateway.check("config.example.toml").unwrap_or_else(|error| panic!("{error}"));
    let cloud: CloudConfig = load("cloud", &source).unwrap_or_else(|error| panic!("{error}"));
    cloud.check("config.example.toml").unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn the_example_is_read_as_it_stands() {
    check(EXAMPLE);
}

#[test]
fn every_key_that_is_commented_out_is_one_that_exists() {
    let switched_on: String = EXAMPLE
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if rest.starts_with('[') || rest.starts_with('"') || rest.split(' ').nth(1) == Some("=") => rest,
            _ => line,
        })
        .flat_map(|line| [line, "\n"])
        .collect();
    assert!(switched_on.contains("\nmodel = ") && switched_on.contains("\n[gateway.sms.modem]"));
    check(&switched_on);
}

#[test]
fn the_defaults_in_the_example_are_the_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config.toml");
    std::fs::write(&path, EXAMPLE).unwrap();
    let said = Source { file: Some(path.clone()), env: Vec::new() };
    let (gateway, cloud) =
        (load::<GatewayConfig>("gateway", &said).unwrap(), load::<CloudConfig>("cloud", &said).unwrap());
    assert_eq!(format!("{gateway:?}"), format!("{:?}", GatewayConfig::default()));
    assert_eq!(format!("{cloud:?}"), format!("{:?}", CloudConfig::default()));
}
