//! `medmon contact test`: asks for an exercise with one contact and follows it to their answer.
//!
//! What is followed is the drill alert that the gateway raises; stopping this command stops nothing else.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::Timestamp;
use medmon_api::alert::{AlertDetail, AlertQuery};
use medmon_api::contact::{Contact, ContactTest};
use medmon_api::gateway::Gateway;
use medmon_api::{Client, PageQuery, contact, time};
use medmon_core::noun::alert::Raised;
use medmon_core::noun::{Condition, FactKind};
use medmon_core::text;
use serde::Serialize;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::fail::{Exit, fail};
use crate::print;
use crate::session::Session;
use crate::when::age;

/// How often it is asked what has happened.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// How far an exercise has come. Times after the asking are the gateway's.
#[derive(Clone, Debug, Serialize)]
struct Progress {
    #[serde(flatten)]
    drill: contact::Drill,
    /// The alert that the gateway raised.
    alert: Option<Uuid>,
    heard_at: Option<Timestamp>,
    handed_over_at: Option<Timestamp>,
    delivered_at: Option<Timestamp>,
    acknowledged_at: Option<Timestamp>,
    /// What is missing, and what to look at.
    missing: Option<String>,
}

/// Asks for the exercise and prints each step as it happens.
pub async fn run(session: &Session, client: &Client, who: &Contact, most: Duration) -> anyhow::Result<()> {
    let seen: BTreeSet<_> = drills(client, who.patient).await?.into_iter().collect();
    let for_s = u32::try_from(most.as_secs()).unwrap_or(u32::MAX).clamp(60, 3600);
    let drill = client.test_contact(who.patient, who.id, &ContactTest { for_s: Some(for_s) }).await?;
    let (mut progress, mut told) = (Progress::of(drill), 0);
    tell(session, &progress, who, &mut told)?;
    let follow = async {
        loop {
            match look(client, &seen, &mut progress).await {
                Err(error) if !error.kind().is_transient() => return Err(anyhow::Error::from(error)),
                _ => tell(session, &progress, who, &mut told)?,
            }
            if progress.acknowledged_at.is_some() {
                return Ok(());
            }
            sleep(ASK_EVERY).await;
        }
    };
    let answered = match timeout(most, follow).await {
        Ok(followed) => followed.map(|()| true)?,
        Err(_) => false,
    };
    if !answered {
        let gateway = client.gateway(progress.drill.gateway).await?;
        progress.missing = Some(missing(&progress, who, &gateway));
    }
    if session.out.is_json() {
        session.out.document(&progress)?;
    } else if session.out.is_quiet() {
        print::text(&progress.drill.id.to_string())?;
    }
    progress.missing.map_or(Ok(()), |missing| Err(fail(Exit::Verdict, missing)))
}

impl Progress {
    fn of(drill: contact::Drill) -> Self {
        let (alert, missing) = (None, None);
        let (heard_at, handed_over_at, delivered_at, acknowledged_at) = (None, None, None, None);
        Self { drill, alert, heard_at, handed_over_at, delivered_at, acknowledged_at, missing }
    }

    /// Takes in what is known of the alert.
    fn learn(&mut self, detail: &AlertDetail) {
        self.alert = Some(detail.alert.id);
        for fact in &detail.facts {
            let whose = |contact: &Uuid| Some(*contact) == self.drill.contact;
            let step = match &fact.kind {
                FactKind::Raised(_) => &mut self.heard_at,
                FactKind::Notified { contact, .. } if whose(contact) => &mut self.handed_over_at,
                FactKind::Delivered { contact, .. } if whose(contact) => &mut self.delivered_at,
                FactKind::Acknowledged { by, .. } if whose(by) => &mut self.acknowledged_at,
                _ => continue,
            };
            step.get_or_insert(time(fact.at_us));
        }
    }

    fn steps(&self, who: &Contact) -> [(Option<Timestamp>, String); 5] {
        let name = &who.name;
        let code = self.alert.map(text::code).unwrap_or_default();
        [
            (
                Some(self.drill.asked_at),
                format!("asked for; Ctrl-C stops watching only, {name} is texted all the same"),
            ),
            (self.heard_at, "the gateway has heard of it".to_owned()),
            (self.handed_over_at, format!("a text for {name} is handed over; it asks for OK {code}")),
            (self.delivered_at, format!("it is on {name}'s phone")),
            (self.acknowledged_at, format!("{name} has answered")),
        ]
    }
}

/// Prints the steps that were not yet told, in their order.
fn tell(session: &Session, progress: &Progress, who: &Contact, told: &mut usize) -> anyhow::Result<()> {
    let steps = progress.steps(who);
    let reached = steps.iter().rposition(|(at, _)| at.is_some()).map_or(0, |last| last + 1);
    if !session.out.is_json() && !session.out.is_quiet() {
        for (at, words) in steps.iter().take(reached).skip(*told) {
            // A network that reports no delivery, and an answer all the same.
            let at = at.map_or_else(|| "-".to_owned(), |at| session.out.time(at));
            print::text(&format!("{at}  {words}"))?;
        }
    }
    *told = reached.max(*told);
    Ok(())
}

/// The newest drill alerts of a patient.
async fn drills(client: &Client, patient: Uuid) -> Result<Vec<Uuid>, medmon_api::Error> {
    let page = client.patient_alerts(patient, &AlertQuery::default(), &PageQuery::default()).await?;
    let drills = page.items.into_iter().filter(|alert| alert.condition == Condition::Drill);
    Ok(drills.map(|alert| alert.id).collect())
}

/// Finds the alert of the exercise, known by its contact and by not having been there before: clocks differ.
async fn look(client: &Client, seen: &BTreeSet<Uuid>, progress: &mut Progress) -> Result<(), medmon_api::Error> {
    if let Some(alert) = progress.alert {
        progress.learn(&client.alert(alert).await?);
        return Ok(());
    }
    for id in drills(client, progress.drill.patient).await?.into_iter().filter(|id| !seen.contains(id)) {
        let detail = client.alert(id).await?;
        let whose = |raised: &Raised| raised.contact == progress.drill.contact;
        if detail.facts.iter().any(|fact| matches!(&fact.kind, FactKind::Raised(raised) if whose(raised))) {
            progress.learn(&detail);
        }
    }
    Ok(())
}

/// The first step that did not come, and what to look at.
fn missing(progress: &Progress, who: &Contact, gateway: &Gateway) -> String {
    let name = &who.name;
    let beat = gateway.heartbeat.as_ref();
    if progress.heard_at.is_none() {
        let heard = gateway.last_heard_at.map_or_else(
            || "it was never heard".to_owned(),
            |at| {
                format!(
                    "it was last heard {} ago",
                    age(Timestamp::now().duration_since(at).as_secs().max(0).unsigned_abs())
                )
            },
        );
        let id = &gateway.name;
        return format!("gateway {id} has not taken it up: {heard}; `medmon gateway show {id}`");
    }
    if progress.handed_over_at.is_none() {
        let modem = match beat.and_then(|beat| beat.modem_ok) {
            Some(true) => "its modem answers, but takes no text: look at the SIM's credit and at the network",
            Some(false) => "its modem does not answer",
            None => "no modem is known of",
        };
        return format!("gateway {} has texted nobody: {modem}; there, `medmon local status`", gateway.name);
    }
    if progress.delivered_at.is_none() {
        return format!("no delivery was reported: is {} right, and {name}'s phone on and in reach?", who.phone);
    }
    format!("the text is on {name}'s phone and nobody has answered it: call {name}")
}
