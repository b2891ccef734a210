//! Hints that something changed, in a bounded ring: whoever was away for too long is told to ask for everything anew.
//!
//! They carry ids only, and each listener gets only those it may know of. Also here: waking a gateway's long polls.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use medmon_api::event::{Event, EventKind};
use medmon_core::noun::{Action, Resource, UtcUs};
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::known::Known;
use crate::records::{Caller, Effect};

/// Hints that are kept for whoever comes back.
const KEPT: usize = 1024;

/// The ring of hints.
#[derive(Debug)]
pub struct Events {
    ring: Mutex<Ring>,
    newest: watch::Sender<u64>,
    /// The newest that is about an alert.
    alerts: watch::Sender<u64>,
}

#[derive(Debug)]
struct Ring {
    /// The id before the oldest kept one.
    before: u64,
    kept: VecDeque<(Event, Resource)>,
}

impl Events {
    /// An empty ring. Ids go on from the time of the start, so that they grow across restarts, too.
    pub fn new(now_us: UtcUs) -> Self {
        let before = now_us.max(1) as u64;
        Self {
            ring: Mutex::new(Ring { before, kept: VecDeque::new() }),
            newest: watch::channel(before).0,
            alerts: watch::channel(before).0,
        }
    }

    /// Adds a hint.
    pub fn push(&self, kind: EventKind, resource: Resource, alert: Option<Uuid>) {
        let mut ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let id = ring.newest() + 1;
        ring.kept.push_back((Event { id, kind, patient: resource.patient, alert }, resource));
        if ring.kept.len() > KEPT
            && let Some((oldest, _)) = ring.kept.pop_front()
        {
            ring.before = oldest.id;
        }
        self.newest.send_replace(id);
        if kind == EventKind::Alert {
            self.alerts.send_replace(id);
        }
    }

    /// The id of the newest hint.
    pub fn newest(&self) -> u64 {
        *self.newest.borrow()
    }

    /// Tells when there are newer hints.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.newest.subscribe()
    }

    /// Tells when there are newer hints of alerts.
    pub fn watch_alerts(&self) -> watch::Receiver<u64> {
        self.alerts.subscribe()
    }

    /// Hints after `last` that `caller` may know of, and where to go on. An id that is not of this ring any more gives
    /// one `resync`.
    pub fn after(&self, last: u64, caller: &Caller) -> (Vec<Event>, u64) {
        let ring = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let newest = ring.newest();
        if last < ring.before || last > newest {
            let resync = Event { id: newest, kind: EventKind::Resync, patient: None, alert: None };
            return (vec![resync], newest);
        }
        let missed = ring.kept.iter().filter(|(event, _)| event.id > last);
        let seen = missed.filter(|(event, resource)| caller.can(needed(event.kind), resource));
        (seen.map(|(event, _)| *event).collect(), newest)
    }
}

impl Ring {
    fn newest(&self) -> u64 {
        self.kept.back().map_or(self.before, |(event, _)| event.id)
    }
}

fn needed(kind: EventKind) -> Action {
    match kind {
        EventKind::Alert => Action::ReadAlerts,
        EventKind::Vitals => Action::ReadVitals,
        EventKind::Patient | EventKind::Resync | EventKind::Other => Action::ReadPatient,
    }
}

/// One bell per gateway for its long polls.
#[derive(Debug, Default)]
pub struct Bells(Mutex<HashMap<Uuid, Arc<Notify>>>);

impl Bells {
    /// The bell of a gateway. Take `notified()` of it before looking whether there is something.
    pub fn of(&self, gateway: Uuid) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(gateway).or_default())
    }

    /// Wakes whoever waits.
    pub fn ring(&self, gateway: Uuid) {
        self.of(gateway).notify_waiters();
    }
}

/// Causes what a durable write asked for.
pub fn publish(events: &Events, bells: &Bells, known: &Known, effects: Vec<Effect>) {
    for effect in effects {
        match effect {
            Effect::Hint { kind, resource, alert } => events.push(kind, resource, alert),
            Effect::Wake(gateway) => bells.ring(gateway),
            Effect::Forget(id) => known.forget(id),
        }
    }
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::{Principal, Role};

    use super::*;

    fn nurse(ward: u128) -> Caller {
        let site = Uuid::from_u128(1);
        let ward = Some(Uuid::from_u128(ward));
        let id = Uuid::from_u128(9);
        let name = "A. Martin".into();
        let principal =
            Principal { id, name, role: Role::Nurse, site, ward, patient: None, gateway: None, expires_us: None };
        Caller { principal, now_us: 0 }
    }

    fn patient(ward: u128) -> Resource {
        Resource::of_patient(Uuid::from_u128(1), Some(Uuid::from_u128(ward)), Uuid::from_u128(100 + ward))
    }

    #[test]
    fn a_listener_goes_on_where_it_was_and_sees_its_ward_only() {
        let events = Events::new(1000);
        let start = events.newest();
        events.push(EventKind::Vitals, patient(1), None);
        events.push(EventKind::Vitals, patient(2), None);
        events.push(EventKind::Alert, patient(1), Some(Uuid::from_u128(7)));
        let (seen, next) = events.after(start, &nurse(1));
        assert_eq!(seen.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Vitals, EventKind::Alert]);
        assert_eq!(events.after(seen[0].id, &nurse(1)).0, seen[1..]);
        assert_eq!(events.after(next, &nurse(1)), (Vec::new(), next));
    }

    #[test]
    fn whoever_was_away_too_long_or_across_a_restart_starts_anew() {
        let events = Events::new(1000);
        for _ in 0..=KEPT {
            events.push(EventKind::Vitals, patient(1), None);
        }
        for last in [0, 1000, u64::MAX] {
            let (seen, next) = events.after(last, &nurse(1));
            assert_eq!(seen.iter().map(|event| event.kind).collect::<Vec<_>>(), [EventKind::Resync], "{last}");
            assert_eq!(next, events.newest());
        }
        assert_eq!(events.after(1001, &nurse(1)).0.len(), KEPT);
    }
}
