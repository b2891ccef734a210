//! `medmon limits`: the thresholds of a patient's urgent detectors.

use clap::Subcommand;
use medmon_api::limits::{LimitValue, LimitsPatch, PatientLimits};

use super::patient::in_force;
use crate::confirm::confirm;
use crate::fail::{Exit, fail};
use crate::find;
use crate::print::{column, wide};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// All limits of a patient
    ///
    /// Defaults come from NEWS2 and ADA/ATTD and need a clinician's sign-off before real use.
    Show {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
    /// Change limits, all given or none
    ///
    /// Such as `heart_rate.high_urgent=140 glucose.low=default`. Limits need a clinician's sign-off before real use.
    Set {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
        /// `key=value`, or `key=default`
        #[arg(required = true, value_parser = change)]
        changes: Vec<(String, Option<f64>)>,
    },
}

fn change(text: &str) -> Result<(String, Option<f64>), String> {
    let (key, value) = text.split_once('=').ok_or("write key=value, such as heart_rate.high_urgent=140")?;
    let value = match value.trim() {
        "default" => None,
        value => Some(value.parse().map_err(|_| format!("`{value}` is neither a number nor `default`"))?),
    };
    Ok((key.trim().to_owned(), value))
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::Show { patient } => {
            let who = find::patient(&client, &patient).await?;
            show(session, &client.limits(who.id).await?)
        }
        Verb::Set { patient, changes } => {
            let who = find::patient(&client, &patient).await?;
            let before = client.limits(who.id).await?;
            let mut lines = Vec::new();
            for (key, value) in &changes {
                let row = before.limits.iter().find(|row| row.key == *key).ok_or_else(|| {
                    let known: Vec<_> = before.limits.iter().map(|row| row.key.as_str()).collect();
                    fail(Exit::Usage, format!("`{key}` is no limit; write one of {}", known.join(", ")))
                })?;
                lines.push(format!("{key} {} -> {} {}", row.value, value.unwrap_or(row.default), row.unit));
            }
            confirm(session, &format!("Change {} for", lines.join(", ")), &who)?;
            // Nobody else's change is overwritten unseen: what was confirmed is a change of this very version.
            let patch: LimitsPatch = changes.into_iter().collect();
            show(session, &client.set_limits(who.id, &patch, Some(before.version)).await?)
        }
    }
}

fn show(session: &Session, limits: &PatientLimits) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(limits);
    }
    let by = limits.changed_by.as_deref().map(|by| format!(" by {by}")).unwrap_or_default();
    let at = limits.changed_at.map(|at| format!(", changed {}{by}", session.out.time(at))).unwrap_or_default();
    eprintln!("version {}, {}{at}", limits.version, in_force(session, &limits.state));
    let columns = [
        column("value", |row: &LimitValue| row.value.to_string()),
        column("unit", |row: &LimitValue| row.unit.clone()),
        column("set", |row: &LimitValue| if row.set { "set" } else { "default" }.to_owned()),
        column("default", |row: &LimitValue| row.default.to_string()),
        wide("source", |row: &LimitValue| row.source.clone()),
    ];
    session.out.list_by("key", &limits.limits, |row| row.key.clone(), &columns, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_a_key_and_a_number_or_the_default() {
        assert_eq!(change("glucose.low=65.5"), Ok(("glucose.low".to_owned(), Some(65.5))));
        assert_eq!(change("glucose.low=default"), Ok(("glucose.low".to_owned(), None)));
        assert!(change("glucose.low").is_err() && change("glucose.low=high").is_err());
    }
}
