//! Envelopes in, a verdict each out. Judged against what is remembered (`known`, `ledger`), kept in the journal by one
//! synced commit, and only then answered: a crash loses nothing (the gateway sends again) and doubles nothing (the
//! journal holds the identity with the content). The records are written only for what is set aside.
//!
//! Nothing is guessed: what is not this gateway's, not this assignment's or not of this time is set aside whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use medmon_api::event::EventKind;
use medmon_core::noun::{Assignment, Envelope, Resource, UtcUs, Verdict, Window};
use medmon_core::wire::envelope as wire;
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

use crate::Cloud;
use crate::journal::{Accepted, short};
use crate::known::Home;
use crate::ledger::Held;
use crate::records::{Caller, forks, quarantine};
use crate::refusal::Refusal;

/// A window that starts later than this from now is not of this time (DESIGN.md, invariant 8).
pub const AHEAD_US: UtcUs = 120_000_000;
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
    /// That of a gateway.
    pub fn of(&self, gateway: Uuid) -> Arc<tokio::sync::Mutex<()>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(turns.entry(gateway).or_default())
    }
}

/// What is to be done with one envelope.
#[derive(Clone, Debug, PartialEq)]
enum Judgement {
    Store {
        subject: Uuid,
        resource: Resource,
    },
    Held,
    /// Two boxes have this install id: one number came with two contents.
    Forked(String),
    Aside(String),
    /// It is of a patient whose vitals were erased: it is not kept at all.
    Erased(String),
}

struct Opened {
    sealed: Vec<u8>,
    hash: [u8; 32],
    envelope: Result<Envelope, String>,
}

/// Takes the sealed envelopes of a gateway; a verdict for each, in order.
pub async fn take(
    cloud: &Arc<Cloud>,
    caller: &Caller,
    gateway: Uuid,
    sealed: Vec<Vec<u8>>,
    admitted: OwnedSemaphorePermit,
) -> Result<Vec<Verdict>, Refusal> {
    let (task, caller) = (Arc::clone(cloud), caller.clone());
    // A task of its own: what is durable and not yet known to store and ledger would be lost to a line that is cut.
    let taken = tokio::spawn(async move {
        // Until the memory is free again, whoever still waits for the answer.
        let _admitted = admitted;
        let turn = task.turns.of(gateway);
        let _mine = turn.lock().await;
        let mut verdicts = Vec::with_capacity(sealed.len());
        let mut batch = Vec::new();
        let mut open = 0;
        for sealed in sealed {
            let opened = self::open(sealed);
            open += opened.envelope.as_ref().map_or(0, |envelope| envelope.windows.len() + envelope.gaps.len());
            batch.push(opened);
            if open >= MAX_OPEN {
                verdicts.extend(settle(&task, &caller, gateway, std::mem::take(&mut batch)).await?);
                open = 0;
            }
        }
        verdicts.extend(settle(&task, &caller, gateway, batch).await?);
        Ok(verdicts)
    });
    taken.await.map_err(Refusal::internal)?
}

fn open(sealed: Vec<u8>) -> Opened {
    let envelope = wire::decode(&sealed).map_err(|error| error.to_string());
    Opened { hash: wire::hash(&sealed), sealed, envelope }
}

/// Judges and keeps one batch: one synced commit for all of it, shared with whoever else sends now.
async fn settle(cloud: &Cloud, caller: &Caller, gateway: Uuid, batch: Vec<Opened>) -> Result<Vec<Verdict>, Refusal> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let mut home = cloud.known.home(&cloud.records, gateway).await?;
    let strange = |opened: &Opened| {
        let of = opened.envelope.as_ref();
        of.is_ok_and(|sealed| home.install != Some(sealed.install) || home.of_epoch(sealed.epoch).is_none())
    };
    // Before anything is set aside for it, what is remembered is looked at anew: a binding may be a moment old.
    if batch.iter().any(strange) {
        cloud.known.forget(gateway);
        home = cloud.known.home(&cloud.records, gateway).await?;
    }
    // One that tells two boxes apart condemns its whole request: the others may be of the wrong one.
    let differs = |opened: &Opened| {
        let of = opened.envelope.as_ref().ok().filter(|sealed| home.install == Some(sealed.install));
        of.is_some_and(|sealed| held(cloud, sealed, &opened.hash) == Held::Differs)
    };
    let frozen = home.frozen || batch.iter().any(differs);
    // What this very request brings twice is held from its second time on.
    let mut here = HashMap::new();
    let (mut verdicts, mut accepted, mut aside) = (Vec::new(), Vec::new(), Vec::new());
    let mut concerned: Vec<Resource> = Vec::new();
    for opened in batch {
        let judgement = judge(cloud, (&home, frozen), &opened, &mut here, caller.now_us);
        verdicts.push(match &judgement {
            Judgement::Store { .. } => Verdict::Stored,
            Judgement::Held => Verdict::AlreadyHeld,
            Judgement::Forked(reason) | Judgement::Aside(reason) | Judgement::Erased(reason) => {
                Verdict::Quarantined { reason: reason.clone() }
            }
        });
        match (judgement, opened) {
            (Judgement::Store { subject, resource }, Opened { sealed, hash, envelope: Ok(envelope) }) => {
                if !concerned.contains(&resource) {
                    concerned.push(resource);
                }
                accepted.push(Accepted { subject, hash, sealed, envelope });
            }
            (Judgement::Forked(reason), opened) => aside.push((opened, reason, true)),
            (Judgement::Aside(reason), opened) => aside.push((opened, reason, false)),
            _ => {}
        }
    }
    if let Err(error) = cloud.journal.keep(cloud.vitals.as_ref(), accepted, caller.now_us).await {
        tracing::error!(%error, "envelopes cannot be made durable; the gateway keeps them");
        return Ok(vec![later(); verdicts.len()]);
    }
    for resource in concerned {
        cloud.events.push(EventKind::Vitals, resource, None);
    }
    if !aside.is_empty() && !set_aside(cloud, caller, gateway, aside).await? {
        for verdict in verdicts.iter_mut().filter(|verdict| matches!(verdict, Verdict::Quarantined { .. })) {
            *verdict = later();
        }
    }
    Ok(verdicts)
}

/// `false`: there is no room for it now.
async fn set_aside(
    cloud: &Cloud,
    caller: &Caller,
    gateway: Uuid,
    aside: Vec<(Opened, String, bool)>,
) -> Result<bool, Refusal> {
    let forked = aside.iter().find(|(.., forked)| *forked).and_then(|(opened, ..)| opened.envelope.as_ref().ok());
    if let Some(number) = forked.map(|envelope| envelope.sequence) {
        // A commit of its own: the ward is told although nothing more can be set aside.
        cloud.write(caller.clone(), move |tx| forks::begin(tx, gateway, number)).await?;
    }
    let work = move |tx: &crate::records::Tx<'_>| {
        for (opened, reason, _) in &aside {
            quarantine::add(tx, gateway, &opened.sealed, opened.hash, reason)?;
        }
        Ok(())
    };
    match cloud.write(caller.clone(), work).await {
        Ok(()) => Ok(true),
        Err(Refusal::Busy(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Ten thousand gateways that hear `later` in the same second must not come back in the same second.
fn later() -> Verdict {
    let jitter = u32::from(Uuid::new_v4().as_bytes()[0]) * LATER_S / 255;
    Verdict::Later { seconds: LATER_S / 2 + jitter }
}

fn held(cloud: &Cloud, sealed: &Envelope, hash: &[u8; 32]) -> Held {
    cloud.journal.ledger.held((sealed.install, sealed.stream), sealed.sequence, short(hash), sealed.sealed_us)
}

fn judge(
    cloud: &Cloud,
    (home, frozen): (&Home, bool),
    opened: &Opened,
    here: &mut HashMap<(u8, u64), u64>,
    now_us: UtcUs,
) -> Judgement {
    let sealed = match &opened.envelope {
        Ok(sealed) => sealed,
        Err(reason) => return Judgement::Aside(reason.clone()),
    };
    if home.install != Some(sealed.install) {
        return Judgement::Aside("sealed by an install that is not the enrolled one of this gateway".into());
    }
    let hash = short(&opened.hash);
    let number = (sealed.stream, sealed.sequence);
    let known = match here.get(&number) {
        Some(before) if *before == hash => Held::Yes,
        Some(_) => Held::Differs,
        None => held(cloud, sealed, &opened.hash),
    };
    match known {
        Held::Yes => return Judgement::Held,
        Held::Differs => {
            let (stream, number) = number;
            return Judgement::Forked(format!(
                "{}: stream {stream} number {number} is held with another content",
                forks::REASON
            ));
        }
        Held::Scattered => return Judgement::Aside("its stream has more holes than a gateway can make".into()),
        Held::No => {}
    }
    if frozen {
        return Judgement::Aside(format!(
            "{}: two boxes send under this install; enrol the right one anew",
            forks::REASON
        ));
    }
    let judgement = attribute(home, sealed, now_us);
    if matches!(judgement, Judgement::Store { .. }) {
        here.insert(number, hash);
    }
    judgement
}

/// Whose it is, if all of it is of that assignment and of this time.
fn attribute(home: &Home, sealed: &Envelope, now_us: UtcUs) -> Judgement {
    let Some((assignment, resource)) = home.of_epoch(sealed.epoch) else {
        return Judgement::Aside(format!("unattributed: epoch {} is no assignment of this gateway", sealed.epoch));
    };
    if home.erased.contains(&assignment.subject) {
        return Judgement::Erased(format!("erased: the vitals of assignment {} are not kept any more", sealed.epoch));
    }
    match fits(sealed, assignment, now_us) {
        Ok(()) => Judgement::Store { subject: assignment.subject, resource: *resource },
        Err(reason) => Judgement::Aside(reason),
    }
}

/// Whether a window is no longer than one may be, and its last value within it.
pub fn is_sound(window: &Window) -> bool {
    window.span_s <= MAX_SPAN_S && u64::from(window.last_ms) <= u64::from(window.span_s) * 1000
}

/// Whether all that is sealed is of this time and of `assignment`; else why not.
pub fn fits(sealed: &Envelope, assignment: &Assignment, now_us: UtcUs) -> Result<(), String> {
    let reach = Assignment { to_us: assignment.to_us.map(|end| end.saturating_add(SKEW_US)), ..assignment.clone() };
    for window in &sealed.windows {
        let (vital, start) = (window.vital, medmon_api::time(window.start_us));
        if !is_sound(window) {
            return Err(format!("{vital} window at {start}: its last value is outside its span"));
        }
        if window.start_us > now_us.saturating_add(AHEAD_US) {
            return Err(format!("{vital} window at {start}: more than 2 min in the future"));
        }
        let end_us = window.start_us.saturating_add(i64::from(window.span_s) * 1_000_000);
        if !reach.overlaps(window.start_us, end_us.saturating_add(SKEW_US)) {
            return Err(format!("unattributed: {vital} window at {start} is outside assignment {}", sealed.epoch));
        }
    }
    for gap in &sealed.gaps {
        if gap.from_us > now_us.saturating_add(AHEAD_US) {
            let from = medmon_api::time(gap.from_us);
            return Err(format!("{} gap at {from}: more than 2 min in the future", gap.vital));
        }
    }
    Ok(())
}
