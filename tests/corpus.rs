//! What the fuzzers were given and have found, replayed: everything that reads bytes from outside holds what it promises.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

#[path = "../fuzz/src/lib.rs"]
mod targets;

use std::path::Path;

fn replay(name: &str, target: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(name);
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "no corpus in {}", folder.display());
    for file in files {
        println!("{}", file.display());
        target(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn unpi() {
    replay("unpi", targets::unpi);
}

#[test]
fn zcl() {
    replay("zcl", targets::zcl);
}

#[test]
fn at() {
    replay("at", targets::at);
}

#[test]
fn pdu() {
    replay("pdu", targets::pdu);
}

#[test]
fn envelope() {
    replay("envelope", targets::envelope);
}

#[test]
fn reading() {
    replay("reading", targets::reading);
}
