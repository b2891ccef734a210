//! `medmon help`: a noun, a verb, or a topic.

use std::fmt::Write as _;
use std::process::ExitCode;

use clap::CommandFactory;

use crate::args::Args;
use crate::fail::{EXIT_CODES, Exit, fail};
use crate::print;

/// Prints help on `topic`.
pub fn run(topic: &[String]) -> anyhow::Result<ExitCode> {
    let text = match topic {
        [one] if one == "exit-codes" => EXIT_CODES.iter().fold(String::new(), |mut text, (code, meaning)| {
            let _ = writeln!(text, "{code:>3}  {meaning}");
            text
        }),
        words => {
            // Built first, so that each verb shows the global flags and its full name.
            let mut command = Args::command();
            command.build();
            let mut at = &mut command;
            for word in words {
                let unknown =
                    || fail(Exit::Usage, format!("no help on `{}`; `medmon help` lists the nouns", words.join(" ")));
                at = at.find_subcommand_mut(word).ok_or_else(unknown)?;
            }
            at.render_long_help().to_string()
        }
    };
    print::write(&text)?;
    Ok(ExitCode::SUCCESS)
}
