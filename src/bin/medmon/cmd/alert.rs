//! `medmon alert`: what was raised, who was told, who answers.

use std::collections::HashMap;
use std::time::Duration;

use clap::Subcommand;
use medmon_api::alert::{Ack, Alert, AlertDetail, AlertQuery, AlertSegment, RawSeries, Silence};
use medmon_api::patient::PatientQuery;
use medmon_api::{Client, ErrorKind, PageQuery};
use medmon_core::noun::Priority;
use serde::Serialize;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::{by_name, name};
use crate::args::{Output, Span};
use crate::fail::{Exit, fail};
use crate::find;
use crate::print::{self, Column, column, wide};
use crate::session::Session;
use crate::tui::draw::{facts, segment as raw};
use crate::tui::words::Words;
use crate::when;

/// How often a waiting command asks: somebody who answers is seen within a second.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Alerts, newest first
    List {
        /// Only those that are not both over and acknowledged
        #[arg(long)]
        open: bool,
        /// Of this ward only
        #[arg(long)]
        ward: Option<String>,
        /// Of this patient only
        #[arg(long)]
        patient: Option<String>,
        /// high, medium or low only
        #[arg(long, value_parser = by_name::<Priority>)]
        priority: Option<Priority>,
        #[command(flatten)]
        span: Span,
    },
    /// One alert with all that happened
    Show {
        /// Id or unique prefix
        alert: String,
        /// The raw readings around it instead: a line per sensor on a terminal, rows in a pipe, -o wide or csv
        #[arg(long)]
        segment: bool,
    },
    /// The ward takes care of it
    Ack {
        /// Id or unique prefix
        alert: String,
        /// Why or how
        #[arg(long)]
        reason: Option<String>,
    },
    /// Wait until it is over; exit 8 when that takes too long
    Wait {
        /// Id or unique prefix
        alert: String,
        /// Until the ward takes care of it, instead
        #[arg(long)]
        acked: bool,
        /// For how long at most
        #[arg(long = "for", value_parser = when::duration, default_value = "10m")]
        duration: Duration,
    },
    /// No paging for it for a time
    Silence {
        /// Id or unique prefix
        alert: String,
        /// For how long, 1 min to 24 h
        #[arg(long = "for", value_parser = when::duration)]
        duration: Duration,
        /// Why
        #[arg(long)]
        reason: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List { open, ward, patient, priority, span } => {
            let ward = find::ward_id(&client, ward.as_deref()).await?;
            let query = AlertQuery { open: open.then_some(true), ward, priority };
            let patient = match patient {
                Some(typed) => Some(find::patient(&client, &typed).await?.id),
                None => None,
            };
            let since = span.since.map(|when| when.at(session.now, session.zone()));
            let until = span.until.map(|when| when.at(session.now, session.zone()));
            let mut alerts = list(&client, &query, patient, since).await?;
            alerts.retain(|alert| until.is_none_or(|until| alert.raised_at < until));
            let names = names(session, &client).await?;
            session.out.list(&alerts, |alert| alert.id.to_string(), &columns(session, &names), "No alerts.")
        }
        Verb::Show { alert, segment: true } => {
            let id = find::alert(&client, &alert).await?;
            segment(session, &client.alert(id).await?.alert, &client.segment(id).await?)
        }
        Verb::Show { alert, segment: false } => {
            let alert = client.alert(find::alert(&client, &alert).await?).await?;
            let names = names(session, &client).await?;
            show(session, &alert, &names)
        }
        Verb::Ack { alert, reason } => {
            let id = find::alert(&client, &alert).await?;
            answered(session, &client, &client.acknowledge(id, &Ack { reason }).await?).await
        }
        Verb::Wait { alert, acked, duration } => {
            let id = find::alert(&client, &alert).await?;
            let done =
                |alert: &Alert| if acked { alert.acknowledged_ward.is_some() } else { alert.cleared_at.is_some() };
            let alert = timeout(duration, wait(&client, id, done)).await.map_err(|_| {
                let what = if acked { "acknowledged by the ward" } else { "over" };
                fail(Exit::Verdict, format!("alert {id} is not {what} after {} s", duration.as_secs()))
            })??;
            answered(session, &client, &alert).await
        }
        Verb::Silence { alert, duration, reason } => {
            let for_s = u32::try_from(duration.as_secs()).ok().filter(|for_s| (60..=86_400).contains(for_s));
            let for_s = for_s.ok_or_else(|| fail(Exit::Usage, "--for has to be between 1 min and 24 h"))?;
            let id = find::alert(&client, &alert).await?;
            answered(session, &client, &client.silence(id, &Silence { for_s, reason }).await?).await
        }
    }
}

/// Asks until `done`. A server that does not answer for a while ends no waiting.
async fn wait(client: &Client, id: Uuid, done: impl Fn(&Alert) -> bool) -> Result<Alert, medmon_api::Error> {
    loop {
        match client.alert(id).await {
            Ok(detail) if done(&detail.alert) => return Ok(detail.alert),
            Err(error) if !error.kind().is_transient() => return Err(error),
            Ok(_) | Err(_) => sleep(ASK_EVERY).await,
        }
    }
}

/// Alerts page by page, until they are older than `since`: they come newest first.
async fn list(
    client: &Client,
    query: &AlertQuery,
    patient: Option<Uuid>,
    since: Option<jiff::Timestamp>,
) -> Result<Vec<Alert>, medmon_api::Error> {
    let (mut alerts, mut cursor) = (Vec::new(), None);
    loop {
        let page = PageQuery { limit: Some(medmon_api::page::MAX_LIMIT), cursor };
        let page = match patient {
            Some(patient) => client.patient_alerts(patient, query, &page).await?,
            None => client.alerts(query, &page).await?,
        };
        alerts.extend(page.items);
        cursor = page.next;
        let old = since.is_some_and(|since| alerts.last().is_some_and(|alert| alert.raised_at < since));
        if cursor.is_none() || old {
            break;
        }
    }
    alerts.retain(|alert| since.is_none_or(|since| alert.raised_at >= since));
    Ok(alerts)
}

/// Names for the columns; documents carry ids only, and who may not see names sees ids.
async fn names(session: &Session, client: &Client) -> anyhow::Result<HashMap<Uuid, String>> {
    if session.out.is_json() {
        return Ok(HashMap::new());
    }
    match find::patients(client, &PatientQuery { ward: None, archived: Some(true) }).await {
        Ok(patients) => Ok(patients.into_iter().map(|patient| (patient.id, patient.name)).collect()),
        Err(error) if error.kind() == ErrorKind::Forbidden => Ok(HashMap::new()),
        Err(error) => Err(error.into()),
    }
}

async fn answered(session: &Session, client: &Client, alert: &Alert) -> anyhow::Result<()> {
    let names = names(session, client).await?;
    session.out.item(alert, &alert.id.to_string(), &columns(session, &names))
}

fn show(session: &Session, alert: &AlertDetail, names: &HashMap<Uuid, String>) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(alert);
    }
    let columns = columns(session, names);
    let state: Vec<_> = columns.into_iter().map(|column| column.of(|detail: &AlertDetail| &detail.alert)).collect();
    session.out.item(alert, &alert.alert.id.to_string(), &state)?;
    let words = Words::of(session.config.language);
    let lines = alert.facts.iter().map(|fact| {
        let at = session.out.time(medmon_api::time(fact.at_us));
        format!("{at}  {}  ({})", facts::words(fact, &alert.alert, words, session.zone()), fact.author)
    });
    print::text(&format!("\n{}", lines.collect::<Vec<_>>().join("\n")))
}

/// One raw value as a row.
#[derive(Serialize)]
struct Raw<'a> {
    at: jiff::Timestamp,
    value: f64,
    axes: Option<[f64; 3]>,
    series: &'a RawSeries,
}

fn rows(series: &RawSeries) -> impl Iterator<Item = Raw<'_>> {
    let row = |(index, (at, value)): (usize, &(jiff::Timestamp, f64))| Raw {
        at: *at,
        value: *value,
        axes: series.axes.get(index).copied(),
        series,
    };
    series.points.iter().enumerate().map(row)
}

fn segment(session: &Session, alert: &Alert, segment: &AlertSegment) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(segment);
    }
    if segment.cut {
        eprintln!("Readings of this span are missing: too many, or the gateway was stopped.");
    }
    if session.out.is_terminal() && session.out.format() == Output::Table {
        let (from, to) = (session.out.time(segment.from), session.out.time(segment.to));
        let width = ratatui::crossterm::terminal::size().map_or(100, |(width, _)| width.clamp(40, 200));
        return print::text(&format!("{from} to {to}\n{}", raw::to_text(segment, alert, width.into())));
    }
    let rows: Vec<_> = segment.series.iter().flat_map(rows).collect();
    let axis = |index: usize| move |raw: &Raw<'_>| raw.axes.map(|axes| axes[index].to_string()).unwrap_or_default();
    let columns = [
        column("vital", |raw: &Raw<'_>| raw.series.vital.to_string()),
        column("value", |raw: &Raw<'_>| raw.value.to_string()),
        column("unit", |raw: &Raw<'_>| raw.series.unit.clone()),
        wide("device", |raw: &Raw<'_>| raw.series.device.to_string()),
        wide("x", axis(0)),
        wide("y", axis(1)),
        wide("z", axis(2)),
    ];
    session.out.list_by("at", &rows, |raw| raw.at.to_string(), &columns, "Nothing was read around it.")
}

fn columns<'a>(session: &'a Session, names: &'a HashMap<Uuid, String>) -> Vec<Column<'a, Alert>> {
    vec![
        column("raised", |alert: &Alert| session.out.time(alert.raised_at)),
        column("priority", |alert: &Alert| name(&alert.priority)),
        column("patient", |alert: &Alert| match alert.patient {
            Some(patient) => names.get(&patient).cloned().unwrap_or_else(|| patient.to_string()),
            None => "nobody's".to_owned(),
        }),
        column("condition", |alert: &Alert| alert.condition.name()),
        column("state", |alert: &Alert| if alert.cleared_at.is_some() { "cleared" } else { "active" }.to_owned()),
        column("acknowledged", |alert: &Alert| {
            let ward = alert.acknowledged_ward.as_ref().map(|ack| ack.by.clone());
            let family = alert.acknowledged_family.as_ref().map(|ack| format!("{} (family)", ack.by));
            ward.or(family).unwrap_or_else(|| "nobody".to_owned())
        }),
        wide("pager", |alert: &Alert| alert.taken_over_by.clone().unwrap_or_else(|| "gateway".to_owned())),
        wide("vital", |alert: &Alert| alert.vital.to_string()),
        wide("class", |alert: &Alert| name(&alert.class)),
        wide("explanation", |alert: &Alert| alert.explanation.clone().unwrap_or_default()),
        wide("onset", |alert: &Alert| session.out.time(alert.onset_at)),
        wide("cleared", |alert: &Alert| session.out.time_or_none(alert.cleared_at)),
        wide("silenced until", |alert: &Alert| session.out.time_or_none(alert.silenced_until)),
        wide("gateway", |alert: &Alert| alert.gateway.to_string()),
    ]
}
