//! `cargo xtask gen`: completions and man pages from the same definitions that parse the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::{cargo, root, succeed};

/// What is generated, below the workspace and below the folder that `medmon generate` fills.
const FOLDERS: [&str; 2] = ["completions", "man"];

/// Generates, or with `check` compares and changes nothing.
pub fn run(check: bool) -> anyhow::Result<ExitCode> {
    let fresh = root().join("target/generated");
    if fresh.exists() {
        std::fs::remove_dir_all(&fresh)?;
    }
    let generate = ["run", "--quiet", "--package", "medmon", "--bin", "medmon", "--", "generate"];
    succeed(cargo().args(generate).arg(&fresh))?;
    let mut stale = Vec::new();
    for folder in FOLDERS {
        let (now, then) = (files(&fresh.join(folder))?, files(&root().join(folder))?);
        for name in now.keys().chain(then.keys()).filter(|name| now.get(*name) != then.get(*name)) {
            stale.push(PathBuf::from(folder).join(name));
        }
        if !check {
            let target = root().join(folder);
            std::fs::create_dir_all(&target)?;
            for name in then.keys().filter(|name| !now.contains_key(*name)) {
                std::fs::remove_file(target.join(name))?;
            }
            for (name, content) in &now {
                std::fs::write(target.join(name), content)?;
            }
        }
    }
    stale.sort();
    stale.dedup();
    for path in &stale {
        println!("{} {}", if check { "stale:" } else { "wrote" }, path.display());
    }
    if check && !stale.is_empty() {
        println!("run `cargo xtask gen` and commit what it writes");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// File names with their contents; an absent folder has none.
fn files(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    let mut found = BTreeMap::new();
    if folder.exists() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            found.insert(name, std::fs::read(&path)?);
        }
    }
    Ok(found)
}
