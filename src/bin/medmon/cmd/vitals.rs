//! `medmon vitals`: figures of a patient, as rows or as a chart.

use std::time::Duration;

use clap::Subcommand;
use medmon_api::vitals::{Latest, Point, Series, SeriesQuery, Totals, TotalsQuery, TotalsRow};
use medmon_core::noun::Vital;

use super::by_name;
use crate::args::Span;
use crate::confirm::confirm;
use crate::find;
use crate::print::{self, column, wide};
use crate::session::Session;
use crate::tui::draw::chart;
use crate::when;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// One vital over a span; holes are never bridged
    Show {
        /// Id, unique prefix, or beginning of the name [else your own record]
        #[arg(long)]
        patient: Option<String>,
        /// heart_rate, temperature, glucose, activity …
        #[arg(long, value_parser = by_name::<Vital>)]
        vital: Vital,
        #[command(flatten)]
        span: Span,
        /// One point per so much time [else as the gateway sealed them]
        #[arg(long, value_parser = when::duration)]
        step: Option<Duration>,
        /// A chart instead of rows
        #[arg(long)]
        plot: bool,
    },
    /// The newest value of each vital
    Latest {
        /// Id, unique prefix, or beginning of the name [else your own record]
        #[arg(long)]
        patient: Option<String>,
    },
    /// What one vital amounted to over a span, for each patient of a ward
    Totals {
        /// heart_rate, temperature, glucose, activity …
        #[arg(long, value_parser = by_name::<Vital>)]
        vital: Vital,
        /// Id, unique prefix or name [else all that you may see]
        #[arg(long)]
        ward: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// Erase all vitals of a patient for good; they must not be bound to a gateway
    Erase {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::Show { patient, vital, span, step, plot } => {
            let who = find::patient_or_own(&client, patient.as_deref()).await?;
            let query = SeriesQuery {
                since: span.since.map(|when| when.at(session.now, session.zone())),
                until: span.until.map(|when| when.at(session.now, session.zone())),
                step_s: step.map(|step| u32::try_from(step.as_secs()).unwrap_or(u32::MAX)),
            };
            let series = client.vitals(who.id, vital, &query).await?;
            let drawn = plot && !session.out.is_json() && !series.points.is_empty();
            if drawn { draw(session, &series) } else { rows(session, &series) }
        }
        Verb::Totals { vital, ward, span } => {
            let ward = match ward {
                Some(ward) => Some(find::ward(&client, &ward).await?.id),
                None => None,
            };
            let since = span.since.map(|when| when.at(session.now, session.zone()));
            let until = span.until.map(|when| when.at(session.now, session.zone()));
            let totals = client.totals(vital, &TotalsQuery { ward, since, until }).await?;
            if session.out.is_json() { session.out.document(&totals) } else { totals_rows(session, &totals) }
        }
        Verb::Erase { patient } => {
            let who = find::patient(&client, &patient).await?;
            confirm(
                session,
                "All vitals are erased for good (backups keep what they hold until they are let go), of:",
                &who,
            )?;
            Ok(client.erase_vitals(who.id).await?)
        }
        Verb::Latest { patient } => {
            let who = find::patient_or_own(&client, patient.as_deref()).await?;
            let latest = client.latest(who.id).await?;
            let columns = [
                column("value", |latest: &Latest| latest.vital.show(latest.value)),
                column("unit", |latest: &Latest| latest.unit.clone()),
                column("trend", |latest: &Latest| {
                    latest.trend.map(|trend| trend.arrow().to_owned()).unwrap_or_default()
                }),
                column("age", |latest: &Latest| when::age(latest.age_s)),
                column("state", |latest: &Latest| match (latest.stale, latest.suspect) {
                    (true, _) => "unknown: too old".to_owned(),
                    (false, true) => "suspect".to_owned(),
                    (false, false) => "good".to_owned(),
                }),
                wide("at", |latest: &Latest| session.out.time(latest.at)),
            ];
            let empty = "Nothing is measured for this patient yet. `medmon patient bind` lets a gateway speak for them";
            session.out.list_by("vital", &latest, |latest| latest.vital.to_string(), &columns, empty)
        }
    }
}

fn totals_rows(session: &Session, totals: &Totals) -> anyhow::Result<()> {
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| totals.vital.show(value));
    let columns = [
        column("mean", move |row: &TotalsRow| show(row.mean)),
        column("min", move |row: &TotalsRow| show(row.min)),
        column("max", move |row: &TotalsRow| show(row.max)),
        column("unit", |_| totals.unit.clone()),
        column("coverage", |row: &TotalsRow| format!("{:.2}", row.coverage)),
        wide("count", |row: &TotalsRow| row.count.to_string()),
        wide("suspect", |row: &TotalsRow| row.suspect.to_string()),
    ];
    let empty = "No patients there. `medmon patient list`";
    session.out.list_by("patient", &totals.rows, |row| row.name.clone(), &columns, empty)
}

fn rows(session: &Session, series: &Series) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(series);
    }
    // Where there is nothing at all, one sentence says so.
    for gap in series.gaps.iter().filter(|_| !series.points.is_empty()) {
        let lost = gap.lost.map(|lost| format!(", {lost} readings lost")).unwrap_or_default();
        eprintln!("no data {} to {}{lost}", session.out.time(gap.from_at), session.out.time(gap.to_at));
    }
    let show = |value: f64| series.vital.show(value);
    let columns = [
        column("min", move |point: &Point| show(point.min)),
        column("mean", move |point: &Point| show(point.mean)),
        column("max", move |point: &Point| show(point.max)),
        column("last", move |point: &Point| show(point.last)),
        column("unit", |_| series.unit.clone()),
        wide("count", |point: &Point| point.count.to_string()),
        wide("span s", |point: &Point| point.span_s.to_string()),
        wide("coverage", |point: &Point| format!("{:.2}", point.coverage)),
        wide("suspect", |point: &Point| point.suspect.to_string()),
    ];
    let empty = format!(
        "No {} between {} and {}.",
        series.vital,
        session.out.time(series.since),
        session.out.time(series.until)
    );
    session.out.list_by("at", &series.points, |point| session.out.time(point.at), &columns, &empty)
}

fn draw(session: &Session, series: &Series) -> anyhow::Result<()> {
    let (width, height) = match ratatui::crossterm::terminal::size() {
        Ok((width, height)) if session.out.is_terminal() => (width.clamp(40, 200), (height / 2).clamp(10, 24)),
        _ => (100, 16),
    };
    print::write(&chart::to_text(series, session.zone(), width, height))
}
