//! What a person decides about an envelope that was set aside: whose it is, or that it stays aside.

use medmon_api::quarantine::{Decision, Quarantined, QuarantinedContent};
use medmon_api::time;
use medmon_core::noun::{Action, Assignment, Envelope, UtcUs};
use medmon_core::wire::envelope as wire;
use rusqlite::Connection;
use uuid::Uuid;

use crate::ingest::{AHEAD_US, is_sound};
use crate::journal::{Accepted, short};
use crate::ledger::Held;
use crate::records::quarantine::{self, Aside};
use crate::records::{Caller, assignment, forks, gateway, ward};
use crate::refusal::Refusal;
use crate::{Cloud, backup, erase};

/// The stream of what is sealed anew: its install is the id of the quarantined envelope.
const STREAM: u8 = u8::MAX;

/// What waits for a decision at a gateway, oldest first.
pub fn list(db: &Connection, caller: &Caller, id: Uuid) -> Result<Vec<Quarantined>, Refusal> {
    let row = gateway::get(db, id)?;
    caller.may(Action::ReadFleet, &medmon_core::noun::Resource::of_gateway(row.site, id))?;
    Ok(quarantine::list(db, id)?.into_iter().map(shown).collect())
}

fn shown(aside: Aside) -> Quarantined {
    let content = wire::decode(&aside.sealed).ok().map(|sealed| {
        let starts = || sealed.windows.iter().map(|window| window.start_us);
        QuarantinedContent {
            install: sealed.install,
            stream: sealed.stream,
            sequence: sealed.sequence,
            epoch: sealed.epoch,
            sealed_at: time(sealed.sealed_us),
            windows: sealed.windows.len() as u64,
            readings: sealed.windows.iter().map(|window| u64::from(window.count)).sum(),
            from_at: starts().min().map(time),
            to_at: starts().max().map(time),
        }
    });
    let Aside { id, gateway, reason, received_us, .. } = aside;
    Quarantined { id, gateway, reason, received_at: time(received_us), content }
}

/// Puts it into the record of the patient of assignment `epoch`, once however often it is asked.
pub async fn release(cloud: &Cloud, caller: Caller, id: Uuid, epoch: u64) -> Result<Decision, Refusal> {
    let (asked, now_us) = (caller.clone(), caller.now_us);
    // Not beside an ingest of the same gateway, which might bring the same, nor beside another decision.
    let turn = turn(cloud, id).await?;
    let _mine = turn.lock().await;
    // A backup copies the journal first and the records last: it would know the decision and not the readings.
    let busy = || Refusal::Busy("a backup is being taken; readings are released after it");
    let _tending = backup::tending(&cloud.data_dir).map_err(Refusal::internal)?.ok_or_else(busy)?;
    let (aside, row) = cloud.records.read(move |db| admitted(db, &asked, id, epoch)).await?;
    let patient = row.patient;
    let sealed = wire::decode(&aside.sealed)
        .map_err(|error| Refusal::Conflict(format!("it cannot be opened ({error}); dismiss it")))?;
    if !sealed.windows.iter().all(is_sound) {
        // Its value would be shown as of a time that is still to come.
        return Err(Refusal::Conflict("the last value of a window is outside its span; dismiss it".into()));
    }
    if let Some(ahead) = future(&sealed, now_us) {
        return Err(Refusal::Conflict(format!("it holds a window of {ahead}, which is still to come; dismiss it")));
    }
    let held = |sealed: &Envelope, hash: &[u8; 32]| {
        cloud.journal.ledger.held((sealed.install, sealed.stream), sealed.sequence, short(hash), sealed.sealed_us)
    };
    let accepted =
        Accepted { subject: row.subject, hash: wire::hash(&aside.sealed), sealed: aside.sealed, envelope: sealed };
    // The number of a forked one belongs to the other box: it gets one of its own.
    let accepted = match held(&accepted.envelope, &accepted.hash) {
        Held::No if !aside.reason.starts_with(forks::REASON) => accepted,
        Held::Yes if !aside.reason.starts_with(forks::REASON) => {
            return decide(cloud, caller, id, Decision::AlreadyHeld, Some(patient)).await;
        }
        _ => anew(accepted, id, epoch),
    };
    match held(&accepted.envelope, &accepted.hash) {
        // Kept by a release that was not heard the end of.
        Held::Yes => {}
        Held::No => {
            let kept = cloud.journal.keep(cloud.vitals.as_ref(), vec![accepted], now_us).await;
            kept.map_err(|_| Refusal::Busy("the journal cannot be written"))?;
        }
        // The same, for another assignment: it must not be in two patients' records.
        Held::Differs | Held::Scattered => return decide(cloud, caller, id, Decision::AlreadyHeld, None).await,
    }
    decide(cloud, caller, id, Decision::Released, Some(patient)).await
}

/// It stays aside for good.
pub async fn dismiss(cloud: &Cloud, caller: Caller, id: Uuid) -> Result<Decision, Refusal> {
    let asked = caller.clone();
    let turn = turn(cloud, id).await?;
    let _mine = turn.lock().await;
    let read = move |db: &Connection| {
        let aside = waiting(db, id)?;
        let row = gateway::get(db, aside.gateway)?;
        asked.may(Action::WriteFleet, &medmon_core::noun::Resource::of_gateway(row.site, row.id))
    };
    cloud.records.read(read).await?;
    decide(cloud, caller, id, Decision::Dismissed, None).await
}

/// That of the gateway that sent it.
async fn turn(cloud: &Cloud, id: Uuid) -> Result<std::sync::Arc<tokio::sync::Mutex<()>>, Refusal> {
    let aside = cloud.records.read(move |db| quarantine::get(db, id)).await?;
    Ok(cloud.turns.of(aside.gateway))
}

fn waiting(db: &Connection, id: Uuid) -> Result<Aside, Refusal> {
    let aside = quarantine::get(db, id)?;
    match &aside.decision {
        Some(decision) => Err(Refusal::Conflict(format!("it was decided already: {decision}"))),
        None => Ok(aside),
    }
}

/// Whoever may bind a patient may say what is theirs.
fn admitted(db: &Connection, caller: &Caller, id: Uuid, epoch: u64) -> Result<(Aside, Assignment), Refusal> {
    let aside = waiting(db, id)?;
    let row = assignment::by_epoch(db, epoch)?.ok_or_else(|| Refusal::not_found("assignment", epoch))?;
    caller.may(Action::Bind, &ward::resource_of(db, row.patient)?)?;
    if erase::is_erased(db, row.subject)? {
        let problem = format!("the vitals of assignment {epoch} were erased, and more is not taken; dismiss it");
        return Err(Refusal::Conflict(problem));
    }
    Ok((aside, row))
}

fn future(sealed: &Envelope, now_us: UtcUs) -> Option<jiff::Timestamp> {
    let starts = sealed.windows.iter().map(|window| window.start_us);
    starts.max().filter(|start| *start > now_us.saturating_add(AHEAD_US)).map(time)
}

fn anew(accepted: Accepted, id: Uuid, epoch: u64) -> Accepted {
    let envelope = Envelope { install: id, stream: STREAM, sequence: 1, epoch, ..accepted.envelope };
    let sealed = wire::encode(&envelope);
    Accepted { subject: accepted.subject, hash: wire::hash(&sealed), sealed, envelope }
}

async fn decide(
    cloud: &Cloud,
    caller: Caller,
    id: Uuid,
    decision: Decision,
    patient: Option<Uuid>,
) -> Result<Decision, Refusal> {
    let word = crate::records::word(decision);
    cloud.write(caller, move |tx| quarantine::decide(tx, id, &word, patient)).await?;
    Ok(decision)
}
