//! What came of a demo: everything sent against everything kept, everything expected against everything raised.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use medmon_api::Client;
use medmon_api::alert::{Alert, AlertQuery};
use medmon_api::page::PageQuery;
use medmon_api::vitals::SeriesQuery;
use medmon_core::noun::{Class, Condition, FactKind, Priority, Vital};
use medmon_gatewayd::local::Local;
use medmon_kit::Clock;
use medmon_sim::{Expected, Home};
use serde::Serialize;
use uuid::Uuid;

use super::world::Played;
use crate::args::DemoArgs;

/// A busy machine may be so much later than a scene allows, s of real time.
const LATE_S: f64 = 10.0;

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
    /// UTC µs after which it came too late.
    #[serde(skip)]
    deadline_us: i64,
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
        // What was played, not what the ending took: nothing is expected of a time in which no sensor spoke.
        let duration_s = (played.ended_us - played.began_us) as f64 / 1e6;
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
            // What the gateway did not listen to is as lost as what it dropped.
            summary.readings.sent += counts.unheard;
            summary.readings.lost += counts.unheard;
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
            summary.judge(doctor, home, *patient, local, played.began_us, args).await?;
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
        began_us: i64,
        args: &DemoArgs,
    ) -> anyhow::Result<()> {
        let texts = match &local.sms {
            Some(outbox) => outbox.rows(1000).await?,
            None => Vec::new(),
        };
        let completed: BTreeMap<Uuid, i64> =
            local.facts.alerts().iter().filter_map(|alert| Some((alert.id, urgent_us(alert)?))).collect();
        let mut raised = Vec::new();
        for alert in &alerts_of(doctor, patient).await? {
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
        let replay = args.replay.is_some();
        let wanted = |expected: &Expected| {
            let Expected { patient, condition, priority, by_s } = expected;
            let (patient, answered) = (patient.clone(), answers && *priority == "high" && !replay);
            let deadline_us = began_us + ((by_s + LATE_S * args.speed) * 1e6) as i64;
            Wanted { patient, condition, priority, by_s: *by_s, answered, deadline_us }
        };
        let judged = judge(home.expected.iter().map(wanted), &raised, self.duration_s);
        self.expected.extend(judged.expected);
        self.missed.extend(judged.missed);
        // In a replay the labels name only some of what a recording holds, and glucose is played too fast for slopes.
        if !replay {
            self.unexpected.extend(judged.unexpected);
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
        let mut reactions: Vec<_> = self.alerts.iter().filter_map(|alert| alert.reaction_ms).collect();
        reactions.sort_by(f64::total_cmp);
        if let (Some(middle), Some(slowest)) = (reactions.get(reactions.len() / 2), reactions.last()) {
            println!("reaction  {middle:.0} ms (median), {slowest:.0} ms at most, from the reading to the modem");
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

/// What came of one home's scenes.
#[derive(Debug, Default)]
struct Judged {
    expected: Vec<Wanted>,
    missed: Vec<Wanted>,
    unexpected: Vec<Shown>,
}

/// What a home ought to raise within `duration_s` against what it raised. What is due only later may come, and need not.
fn judge(scenes: impl Iterator<Item = Wanted>, raised: &[Shown], duration_s: f64) -> Judged {
    let mut judged = Judged { unexpected: raised.to_vec(), ..Judged::default() };
    for wanted in scenes {
        let due = wanted.by_s <= duration_s;
        let meets = |raised: &Shown| if due { wanted.met_by(raised) } else { wanted.is(raised) };
        match judged.unexpected.iter().position(meets) {
            Some(found) => drop(judged.unexpected.remove(found)),
            None if due => judged.missed.push(wanted.clone()),
            None => {}
        }
        if due {
            judged.expected.push(wanted);
        }
    }
    judged
}

impl Wanted {
    fn is(&self, raised: &Shown) -> bool {
        raised.condition.name() == self.condition && raised.priority == self.priority
    }

    fn met_by(&self, raised: &Shown) -> bool {
        self.is(raised)
            && raised.raised.as_microsecond() <= self.deadline_us
            && (self.priority != "high" || raised.sms_at.is_some())
            && (!self.answered || raised.acknowledged_by.is_some())
    }
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

/// When the reading arrived that made an alert urgent, UTC µs: one that began as less is not texted before.
fn urgent_us(alert: &medmon_core::noun::Alert) -> Option<i64> {
    alert.facts().find_map(|fact| match &fact.kind {
        FactKind::Raised(raised) if raised.priority == Priority::High => Some(raised.completed_us),
        FactKind::Worsened { priority: Priority::High, .. } => Some(fact.at_us),
        _ => None,
    })
}

/// All alerts of a patient.
async fn alerts_of(doctor: &Client, patient: Uuid) -> anyhow::Result<Vec<Alert>> {
    let (mut alerts, mut page) = (Vec::new(), PageQuery::default());
    loop {
        let found = doctor.patient_alerts(patient, &AlertQuery::default(), &page).await?;
        alerts.extend(found.items);
        match found.next {
            Some(next) => page.cursor = Some(next),
            None => return Ok(alerts),
        }
    }
}

/// Readings of a vital that the cloud's windows count, by the hour: a long demo has more windows than one answer holds.
async fn kept(doctor: &Client, patient: Uuid, vital: Vital, since_us: i64, until_us: i64) -> anyhow::Result<u64> {
    // A window begins up to an hour before the reading that is in it.
    let since = Some(medmon_api::time(since_us - 3_600_000_000));
    let query = SeriesQuery { since, until: Some(medmon_api::time(until_us + 60_000_000)), step_s: Some(3600) };
    Ok(doctor.vitals(patient, vital, &query).await?.points.iter().map(|point| point.count).sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fall() -> Wanted {
        let patient = "DOE Jeanne".to_owned();
        Wanted { patient, condition: "fall", priority: "high", by_s: 60.0, answered: true, deadline_us: 70_000_000 }
    }

    fn raised(condition: Condition, texted: bool, answered: bool) -> Shown {
        Shown {
            id: Uuid::nil(),
            patient: "DOE Jeanne".into(),
            condition,
            priority: "high".into(),
            onset: Timestamp::UNIX_EPOCH,
            raised: Timestamp::UNIX_EPOCH,
            sms_at: texted.then_some(Timestamp::UNIX_EPOCH),
            reaction_ms: None,
            acknowledged_by: answered.then(|| "Paul".into()),
        }
    }

    /// A bradycardia that began as a medium one counted 4 s until its text, though it was texted at once.
    #[test]
    fn a_reaction_begins_when_the_alert_becomes_urgent() {
        let worsened = |at_us, priority| medmon_core::noun::Fact {
            id: Uuid::from_u128(at_us as u128),
            alert: Uuid::nil(),
            at_us,
            author: "gateway".into(),
            kind: FactKind::Worsened { priority, condition: Condition::Bradycardia, explanation: String::new() },
        };
        let facts = [worsened(1, Priority::Medium), worsened(5, Priority::High), worsened(9, Priority::High)];
        assert_eq!(urgent_us(&medmon_core::noun::Alert::fold(Uuid::nil(), facts)), Some(5));
    }

    fn counts(raised: &[Shown], duration_s: f64) -> (usize, usize, usize) {
        let judged = judge([fall()].into_iter(), raised, duration_s);
        (judged.expected.len(), judged.missed.len(), judged.unexpected.len())
    }

    #[test]
    fn what_is_expected_is_due_only_when_its_time_is_over_and_never_unexpected() {
        let fell = |texted, answered| [raised(Condition::Fall, texted, answered)];
        assert_eq!(counts(&fell(true, true), 60.0), (1, 0, 0));
        // A demo of 55 s called the fall of its own scene unexpected: it comes at 50 s and is due at 60 s.
        assert_eq!(counts(&fell(false, false), 55.0), (0, 0, 0));
        assert_eq!(counts(&[], 55.0), (0, 0, 0));
        assert_eq!(counts(&[], 60.0), (1, 1, 0));
        assert_eq!(counts(&fell(false, true), 60.0), (1, 1, 1), "not texted");
        assert_eq!(counts(&fell(true, false), 60.0), (1, 1, 1), "not answered");
        let late = Shown { raised: medmon_api::time(71_000_000), ..raised(Condition::Fall, true, true) };
        assert_eq!(counts(&[late], 120.0), (1, 1, 1), "too late");
        assert_eq!(counts(&[raised(Condition::Fever, true, true)], 55.0), (0, 0, 1));
    }
}
