//! Envelopes in, a verdict each out. The vitals store first, then one commit of the records, then the answer: a crash
//! between the two loses nothing (the gateway sends again) and doubles nothing (the store knows each part's source).
//!
//! Nothing is guessed: what is not this gateway's, not this assignment's or not of this time is set aside whole.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use medmon_api::event::EventKind;
use medmon_core::noun::{Assignment, Envelope, UtcUs, Verdict};
use medmon_core::wire::envelope as wire;
use rusqlite::Connection;
use uuid::Uuid;

use crate::Cloud;
use crate::records::{Caller, assignment, envelope, gateway, ward};
use crate::refusal::Refusal;
use crate::vitals::{Batch, Source, VitalsError};

/// A window that starts later than this from now is not of this time (DESIGN.md, invariant 8).
const AHEAD_US: UtcUs = 120_000_000;
/// How far a home's clock may differ where an assignment begins and ends. The epoch already says whose a reading is;
/// this only keeps the first reading after a binding from being dated before it.
const SKEW_US: UtcUs = 10_000_000;
/// No window is longer.
const MAX_SPAN_S: u32 = 86_400;
/// Windows that are opened at once: packed envelopes can grow a hundredfold.
const MAX_OPEN: usize = 50_000;
/// When to come back while the disk is full or the stores are busy.
const LATER_S: u32 = 30;

/// One request of a gateway at a time: two that carry the same envelope would both find it unknown.
#[derive(Debug, Default)]
pub struct Turns(Mutex<HashMap<Uuid, Arc<tokio::sync::Mutex<()>>>>);

impl Turns {
    fn of(&self, gateway: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(gateway).or_default())
    }
}

/// What is to be done with one envelope.
#[derive(Clone, Debug, PartialEq)]
enum Judgement {
    Store { subject: Uuid, patient: Uuid },
    Held,
    Aside(String),
}

struct Opened {
    sealed: Vec<u8>,
    hash: [u8; 32],
    envelope: Result<Envelope, String>,
}

/// Takes the sealed envelopes of a gateway; a verdict for each, in order.
pub async fn take(
    cloud: &Cloud,
    caller: &Caller,
    gateway: Uuid,
    sealed: Vec<Vec<u8>>,
) -> Result<Vec<Verdict>, Refusal> {
    let turn = cloud.turns.of(gateway);
    let _mine = turn.lock().await;
    let mut verdicts = Vec::with_capacity(sealed.len());
    let mut batch = Vec::new();
    let mut open = 0;
    for sealed in sealed {
        let opened = self::open(sealed);
        open += opened.envelope.as_ref().map_or(0, |envelope| envelope.windows.len() + envelope.gaps.len());
        batch.push(opened);
        if open >= MAX_OPEN {
            verdicts.extend(settle(cloud, caller, gateway, std::mem::take(&mut batch)).await?);
            open = 0;
        }
    }
    verdicts.extend(settle(cloud, caller, gateway, batch).await?);
    Ok(verdicts)
}

fn open(sealed: Vec<u8>) -> Opened {
    let envelope = wire::decode(&sealed).map_err(|error| error.to_string());
    Opened { hash: wire::hash(&sealed), sealed, envelope }
}

/// Judges, stores and records one batch; one commit of each store for all of it.
async fn settle(cloud: &Cloud, caller: &Caller, gateway: Uuid, batch: Vec<Opened>) -> Result<Vec<Verdict>, Refusal> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let now_us = caller.now_us;
    let read = move |db: &Connection| {
        let judgements = judge_all(db, gateway, &batch, now_us)?;
        Ok((batch, judgements))
    };
    let (batch, judgements) = cloud.records.read(read).await?;
    let later = || vec![Verdict::Later { seconds: LATER_S }; judgements.len()];
    match cloud.vitals.take(1, batches(&batch, &judgements)).await {
        Ok(()) => {}
        Err(VitalsError::Busy) => return Ok(later()),
        Err(error) => return Err(Refusal::internal(error)),
    }
    let count = judgements.len();
    match record(cloud, caller.clone(), gateway, batch, judgements).await {
        Ok(verdicts) => Ok(verdicts),
        Err(Refusal::Busy(_)) => Ok(vec![Verdict::Later { seconds: LATER_S }; count]),
        Err(error) => Err(error),
    }
}

fn batches(batch: &[Opened], judgements: &[Judgement]) -> Vec<Batch> {
    let stored = batch.iter().zip(judgements).filter_map(|(opened, judgement)| match (&opened.envelope, judgement) {
        (Ok(envelope), Judgement::Store { subject, .. }) => Some((envelope, *subject)),
        _ => None,
    });
    stored
        .map(|(envelope, subject)| Batch {
            subject,
            source: Source { install: envelope.install, stream: envelope.stream, sequence: envelope.sequence },
            windows: envelope.windows.clone(),
            gaps: envelope.gaps.clone(),
        })
        .collect()
}

async fn record(
    cloud: &Cloud,
    caller: Caller,
    gateway: Uuid,
    batch: Vec<Opened>,
    judgements: Vec<Judgement>,
) -> Result<Vec<Verdict>, Refusal> {
    cloud
        .write(caller, move |tx| {
            gateway::heard(tx, gateway)?;
            let mut fresh = BTreeSet::new();
            let mut verdicts = Vec::with_capacity(batch.len());
            for (opened, judgement) in batch.iter().zip(judgements) {
                verdicts.push(match (judgement, &opened.envelope) {
                    (Judgement::Store { patient, .. }, Ok(sealed)) => {
                        envelope::hold(tx, gateway, sealed, opened.hash)?;
                        fresh.insert(patient);
                        Verdict::Stored
                    }
                    (Judgement::Held, _) => Verdict::AlreadyHeld,
                    (Judgement::Aside(reason), _) => {
                        envelope::quarantine(tx, gateway, &opened.sealed, opened.hash, &reason)?;
                        Verdict::Quarantined { reason }
                    }
                    // A judgement to store is only ever given to what was opened.
                    (Judgement::Store { .. }, Err(reason)) => Verdict::Quarantined { reason: reason.clone() },
                });
            }
            for patient in fresh {
                tx.hint(EventKind::Vitals, ward::resource_of(tx.db, patient)?, None);
            }
            Ok(verdicts)
        })
        .await
}

fn judge_all(db: &Connection, gateway: Uuid, batch: &[Opened], now_us: UtcUs) -> Result<Vec<Judgement>, Refusal> {
    let install = gateway::install(db, gateway)?;
    // What this very request brings twice is held from its second time on.
    let mut here = HashMap::new();
    let mut judgements = Vec::with_capacity(batch.len());
    for opened in batch {
        let judgement = match &opened.envelope {
            Err(reason) => Judgement::Aside(reason.clone()),
            Ok(sealed) => {
                let id = (sealed.stream, sealed.sequence);
                let held = match here.get(&id) {
                    Some(hash) => Some(*hash),
                    None => envelope::held(db, sealed)?,
                };
                let judgement = judge(db, gateway, install, sealed, opened.hash, held, now_us)?;
                if matches!(judgement, Judgement::Store { .. }) {
                    here.insert(id, opened.hash);
                }
                judgement
            }
        };
        judgements.push(judgement);
    }
    Ok(judgements)
}

fn judge(
    db: &Connection,
    gateway: Uuid,
    install: Option<Uuid>,
    sealed: &Envelope,
    hash: [u8; 32],
    held: Option<[u8; 32]>,
    now_us: UtcUs,
) -> Result<Judgement, Refusal> {
    let aside = |reason: String| Ok(Judgement::Aside(reason));
    if install != Some(sealed.install) {
        return aside("sealed by an install that is not the enrolled one of this gateway".into());
    }
    match held {
        Some(before) if before == hash => return Ok(Judgement::Held),
        Some(_) => {
            return aside(format!("stream {} number {}: held with another content", sealed.stream, sealed.sequence));
        }
        None => {}
    }
    let Some(assignment) = assignment::of_epoch(db, gateway, sealed.epoch)? else {
        return aside(format!("unattributed: epoch {} is no assignment of this gateway", sealed.epoch));
    };
    let reach = Assignment { to_us: assignment.to_us.map(|end| end.saturating_add(SKEW_US)), ..assignment };
    for window in &sealed.windows {
        let (vital, start) = (window.vital, medmon_api::time(window.start_us));
        if window.span_s > MAX_SPAN_S || u64::from(window.last_ms) > u64::from(window.span_s) * 1000 {
            return aside(format!("{vital} window at {start}: its last value is outside its span"));
        }
        if window.start_us > now_us.saturating_add(AHEAD_US) {
            return aside(format!("{vital} window at {start}: more than 2 min in the future"));
        }
        let end_us = window.start_us.saturating_add(i64::from(window.span_s) * 1_000_000);
        if !reach.overlaps(window.start_us, end_us.saturating_add(SKEW_US)) {
            return aside(format!("unattributed: {vital} window at {start} is outside assignment {}", sealed.epoch));
        }
    }
    for gap in &sealed.gaps {
        if gap.from_us > now_us.saturating_add(AHEAD_US) {
            return aside(format!(
                "{} gap at {}: more than 2 min in the future",
                gap.vital,
                medmon_api::time(gap.from_us)
            ));
        }
    }
    Ok(Judgement::Store { subject: reach.subject, patient: reach.patient })
}
