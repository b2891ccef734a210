//! Asks before a change to a patient, with two identifiers. Default No; without a terminal and `--yes` it refuses.

use std::io::{BufRead, IsTerminal, Write, stderr, stdin};

use medmon_api::patient::Patient;

use crate::fail::{Exit, fail};
use crate::session::Session;

/// Goes on only if somebody means it: `what` is done to `who`.
pub fn confirm(session: &Session, what: &str, who: &Patient) -> anyhow::Result<()> {
    let question = format!("{what}\n  {}, born {} ({})", who.name, who.birth_year, who.id);
    if session.yes {
        return Ok(());
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(fail(Exit::Usage, format!("{question}\nnobody is there to confirm it: pass --yes")));
    }
    eprint!("{question}\nGo on? [y/N] ");
    stderr().flush()?;
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer)?;
    match answer.trim().to_lowercase().as_str() {
        "y" | "yes" | "o" | "oui" => Ok(()),
        _ => Err(fail(Exit::Failed, "nothing was changed")),
    }
}
