//! Completions and man pages, from the same definitions that parse the command line.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::args::Args;
use crate::print;

/// Prints completions for a shell.
pub fn completions(shell: Shell) -> anyhow::Result<ExitCode> {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "medmon", &mut text);
    print::write(&String::from_utf8(text)?)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes `completions/` and `man/` under `dir`.
pub fn run(dir: &Path) -> anyhow::Result<ExitCode> {
    let (completions, man) = (dir.join("completions"), dir.join("man"));
    fs::create_dir_all(&completions)?;
    fs::create_dir_all(&man)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Args::command(), "medmon", &completions)?;
    }
    clap_mangen::generate_to(Args::command(), &man)?;
    Ok(ExitCode::SUCCESS)
}
