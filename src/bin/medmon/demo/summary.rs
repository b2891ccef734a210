//! What came of a demo: everything sent against everything kept, everything expected against everything raised.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use medmon_api::Client;
use medmon_api::alert::{Alert, AlertQuery};
use medmon_api::page::PageQuery;
use medmon_api::vitals::SeriesQuery;
use medmon_core::noun::{Class, Condition, Priority, Vital};
use medmon_gatewayd::local::Local;
use medmon_kit::Clock;
use medmon_sim::{Expected, Home};
use serde::Serialize;
use uuid::Uuid;

use super::world::Played;
use crate::args::DemoArgs;

/// The summary, as INTERFACE has it.
#[derive(Debug, Serialize)]
pub struct Summary {
    seed: u64,
    duration_s: f64,
    patients: usize,
    readings: Readings,
    windows: Windows,
    alerts: Vec<Shown>,
    sms: Vec<Sms>,
    expected: Vec<Wanted>,
    missed: Vec<Wanted>,
    unexpected: Vec<Shown>,
}

#[derive(Debug, Default, Serialize)]
struct Readings {
    sent: u64,
    kept: u64,
    lost: u64,
    duplicated: u64,
}

#[derive(Debug, Default, Serialize)]
struct Windows {
    sealed: i64,
    stored: i64,
    lost: i64,
}

#[derive(Clone, Debug, Serialize)]
struct Shown {
    id: Uuid,
    patient: String,
    condition: Condition,
    priority: String,
    onset: Timestamp,
    raised: Timestamp,
    sms_at: Option<Timestamp>,
    reaction_ms: Option<f64>,
    acknowledged_by: Option<String>,
}

#[derive(Clone, Debug, Serialize)]
struct Sms {
    to: String,
    text: String,
    state: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Wanted {
    patient: String,
    condition: &'static str,
    priority: &'static str,
    by_s: f64,
    /// A relative's answer by SMS is part of the scene.
    answered: bool,
}

impl Summary {
    /// Asks the cloud what it holds and the gateways what they texted.
    pub async fn gather(
        doctor: &Client,
        homes: &[(Arc<Home>, Uuid)],
        locals: &[Local],
        played: &Played,
        args: &DemoArgs,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let ended_us = clock.utc_us();
        let duration_s = (ended_us - played.began_us) as f64 / 1e6;
        let mut summary = Self {
            seed: args.seed,
            duration_s,
            patients: homes.len(),
            readings: Readings::default(),
            windows: Windows::default(),
            alerts: Vec::new(),
            sms: Vec::new(),
            expected: Vec::new(),
            missed: Vec::new(),
            unexpected: Vec::new(),
        };
        for (((home, patient), local), counts) in homes.iter().zip(locals).zip(&played.counts) {
            let mut sent = BTreeMap::<Vital, u64>::new();
            for ((_, vital), count) in &counts.sent {
                *sent.entry(stored_as(vital.name())).or_default() += count;
            }
            for (vital, sent) in sent {
                let kept = kept(doctor, *patient, vital, played.began_us, ended_us).await?;
                summary.readings.sent += sent;
                summary.readings.kept += kept;
                summary.readings.lost += sent.saturating_sub(kept);
                summary.readings.duplicated += kept.saturating_sub(sent);
            }
            let depth = local.outbox.depth().await?;
            summary.windows.sealed += depth.windows;
            summary.windows.stored += depth.windows_stored;
            summary.judge(doctor, home, *patient, local, args.replay.is_some()).await?;
        }
        summary.windows.lost = summary.windows.sealed - summary.windows.stored;
        Ok(summary)
    }

    /// One home's alerts against what its scenes ought to raise.
    async fn judge(
        &mut self,
        doctor: &Client,
        home: &Home,
        patient: Uuid,
        local: &Local,
        replay: bool,
    ) -> anyhow::Result<()> {
        let texts = match &local.sms {
            Some(outbox) => outbox.rows(1000).await?,
            None => Vec::new(),
        };
        let completed: BTreeMap<Uuid, i64> =
            local.facts.alerts().iter().filter_map(|alert| Some((alert.id, alert.raised()?.1.completed_us))).collect();
        let alerts = doctor.patient_alerts(patient, &AlertQuery::default(), &PageQuery::default()).await?.items;
        let mut raised = Vec::new();
        for alert in &alerts {
            let first = texts.iter().filter(|text| text.alert == alert.id).filter_map(|text| text.submitted_us).min();
            let reaction = first.zip(completed.get(&alert.id));
            raised.push(Shown {
                id: alert.id,
                patient: home.patient.name(),
                condition: alert.condition,
                priority: priority(alert).to_owned(),
                onset: alert.onset_at,
                raised: alert.raised_at,
                sms_at: first.map(medmon_api::time),
                reaction_ms: reaction.map(|(texted, completed)| (texted - completed) as f64 / 1000.0),
                acknowledged_by: alert.acknowledged_family.as_ref().map(|ack| ack.by.clone()),
            });
        }
        self.sms.extend(texts.iter().map(|text| {
            Sms {
                to: text.to.clone(),
                text: text.text.clone(),
                state: serde_json::to_value(text.state)
                    .ok()
                    .and_then(|state| state.as_str().map(str::to_owned))
                    .unwrap_or_default(),
            }
        }));
        let answers = home.relatives.iter().any(|relative| relative.answers);
        let mut left = raised.clone();
        for expected in home.expected.iter().filter(|expected| expected.by_s <= self.duration_s) {
            let wanted = wanted(expected, answers && expected.priority == "high" && !replay);
            let found = left.iter().position(|raised| wanted.met_by(raised));
            match found {
                Some(found) => drop(left.remove(found)),
                None => self.missed.push(wanted.clone()),
            }
            self.expected.push(wanted);
        }
        // In a replay the labels name only some of what a recording holds, and glucose is played too fast for slopes.
        if !replay {
            self.unexpected.extend(left);
        }
        self.alerts.extend(raised);
        Ok(())
    }

    /// Nothing lost, nothing twice, nothing missed, nothing made up.
    pub fn good(&self) -> bool {
        self.readings.lost == 0
            && self.readings.duplicated == 0
            && self.windows.lost == 0
            && self.missed.is_empty()
            && self.unexpected.is_empty()
    }

    /// Prints it on stdout.
    pub fn print(&self, json: bool) -> anyhow::Result<()> {
        if json {
            println!("{}", serde_json::to_string(self)?);
            return Ok(());
        }
        let Readings { sent, kept, lost, duplicated } = &self.readings;
        println!("{} patients, {:.0} s, seed {}", self.patients, self.duration_s, self.seed);
        println!("readings  {sent} sent, {kept} kept in the cloud, {lost} lost, {duplicated} duplicated");
        let Windows { sealed, stored, lost } = &self.windows;
        println!("windows   {sealed} sealed, {stored} stored, {lost} lost");
        for alert in &self.alerts {
            let text = match (alert.reaction_ms, &alert.acknowledged_by) {
                (None, _) => "no text".to_owned(),
                (Some(ms), None) => format!("texted after {ms:.0} ms"),
                (Some(ms), Some(by)) => format!("texted after {ms:.0} ms, {by} takes care of it"),
            };
            println!("alert     {:<16} {:<24} {:<9} {text}", alert.patient, alert.condition.name(), alert.priority);
        }
        for text in &self.sms {
            println!("sms       {} {:<9} {}", text.to, text.state, text.text);
        }
        for wanted in &self.missed {
            println!("MISSED    {} {} {}", wanted.patient, wanted.condition, wanted.priority);
        }
        for raised in &self.unexpected {
            println!("UNEXPECTED {} {} {}", raised.patient, raised.condition.name(), raised.priority);
        }
        println!(
            "{}",
            if self.good() { "nothing lost, nothing missed, nothing unexpected" } else { "NOT as it should be" }
        );
        Ok(())
    }
}

impl Wanted {
    fn met_by(&self, raised: &Shown) -> bool {
        raised.condition.name() == self.condition
            && raised.priority == self.priority
            && (self.priority != "high" || raised.sms_at.is_some())
            && (!self.answered || raised.acknowledged_by.is_some())
    }
}

fn wanted(expected: &Expected, answered: bool) -> Wanted {
    let Expected { patient, condition, priority, by_s } = expected;
    Wanted { patient: patient.clone(), condition, priority, by_s: *by_s, answered }
}

/// In a scenario's words: equipment is `technical`, whatever its priority.
fn priority(alert: &Alert) -> &'static str {
    match (alert.class, alert.priority) {
        (Class::Technical, _) => "technical",
        (_, Priority::High) => "high",
        (_, Priority::Medium) => "medium",
        (_, Priority::Low) => "low",
    }
}

/// The vital under which the cloud keeps what a sensor sends: acceleration as activity.
fn stored_as(name: &str) -> Vital {
    match Vital::by_name(name) {
        Some(Vital::ACCELERATION) | None => Vital::ACTIVITY,
        Some(vital) => vital,
    }
}

/// Readings of a vital that the cloud's windows count.
async fn kept(doctor: &Client, patient: Uuid, vital: Vital, since_us: i64, until_us: i64) -> anyhow::Result<u64> {
    // A window begins up to an hour before the reading that is in it.
    let since = Some(medmon_api::time(since_us - 3_600_000_000));
    let query = SeriesQuery { since, until: Some(medmon_api::time(until_us + 60_000_000)), step_s: None };
    Ok(doctor.vitals(patient, vital, &query).await?.points.iter().map(|point| point.count).sum())
}
