//! DRILL: a marked alarm from a virtual reading to the acknowledgement, through every part that a real one needs. Asked
//! for by `medmon local drill`, by the ward (Settings), or by the calendar, once a month.
//!
//! Not for: its one text (core, ladder), nor the modem's text to itself (selftest.rs).

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::ladder;
use medmon_core::noun::alert::Raised;
use medmon_core::noun::{
    Alert, Class, ClockQuality, Condition, Direction, Fact, FactKind, Ieee, Priority, Reading, Settings, UtcUs, Value,
    Vital,
};
use medmon_core::text;
use medmon_kit::Clock;

use crate::detect::fact;
use crate::facts::Facts;
use crate::radio::Report;

const LOOK: Duration = Duration::from_secs(5);
/// Nobody has answered after so long: the ward is told.
const OVER_US: i64 = 30 * 60_000_000;
/// By the calendar: not before, and not from, the patient's hour of the day.
const HOURS: std::ops::Range<i8> = 11..18;
/// In the virtual reading: for the first contact.
const FIRST: i32 = -1;
/// Where it is written down what was done.
const STATE: &str = "drills";
/// So many orders of the ward are remembered.
const DONE: usize = 64;

/// Somebody at the gateway asks for an exercise.
#[derive(Debug)]
pub struct Order {
    /// Whom: a name, or the beginning of an id; `None` = the first contact.
    pub contact: Option<String>,
    /// What comes of it, line by line, until its end or until nobody listens.
    pub say: mpsc::UnboundedSender<Json>,
}

/// What the stage needs.
pub struct Drills {
    /// To COLLECT, as from the radio.
    pub reports: mpsc::Sender<Report>,
    /// Where the alert comes to be.
    pub facts: Facts,
    /// Whose contacts.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// Time.
    pub clock: Clock,
    /// Whether anybody knows which day it is.
    pub trust: watch::Receiver<ClockQuality>,
    /// The day of the month, 1-28; 0 = none by the calendar.
    pub day: u8,
}

/// What was done, over a restart.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Done {
    /// The last month with an exercise by the calendar: year, month.
    month: Option<(i16, i8)>,
    /// Orders of the ward.
    orders: VecDeque<Uuid>,
}

/// The day of the month of a gateway that has none configured: not all on one day.
pub fn day_of(install: Uuid) -> u8 {
    1 + install.as_bytes()[0] % 28
}

impl Drills {
    /// Runs until `stop`.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>, stop: CancellationToken) {
        let kept = self.facts.state(STATE).await.ok().flatten();
        let mut done: Done = kept.and_then(|kept| serde_json::from_str(&kept).ok()).unwrap_or_default();
        loop {
            let settings = Arc::clone(&self.settings.borrow_and_update());
            let now_us = self.clock.utc_us();
            // A board without a battery wakes up in 1970, at night as well.
            let dated = *self.trust.borrow() != ClockQuality::Unset;
            let mut next = done.clone();
            let wanted = next.wanted(&settings, now_us, if dated { self.day } else { 0 });
            let mut ended = ends(&self.facts.alerts(), now_us);
            self.facts.put_after(&mut ended);
            let kept = (wanted.is_some()).then(|| serde_json::to_string(&next).unwrap_or_default());
            // First written down, then done: rather none than one at each start.
            if kept.is_some() || !ended.is_empty() {
                match self.facts.commit(ended, kept.map(|kept| (STATE, kept)), false).await {
                    Ok(()) => {
                        done = next;
                        for contact in wanted.into_iter().flatten() {
                            self.read(contact, &settings).await;
                        }
                    }
                    Err(error) => tracing::warn!(%error, "an exercise waits for the disk"),
                }
            }
            tokio::select! {
                Some(order) = orders.recv() => self.order(order, &settings).await,
                Ok(()) = self.settings.changed() => {}
                () = self.clock.sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
    }

    /// The virtual reading, on the way of every other.
    async fn read(&self, contact: Option<Uuid>, settings: &Settings) {
        let place = contact.map(|id| ladder::everybody(settings).iter().position(|one| one.id == id));
        // Nobody else is texted in their place.
        if place == Some(None) {
            return tracing::warn!("an exercise is for somebody who is no contact any more: none is held");
        }
        let place = place.flatten();
        let report = Report {
            device: Ieee(0),
            endpoint: 0,
            vital: Vital::GATEWAY,
            value: Value::Scalar(place.map_or(FIRST, |place| place as i32)),
            counter: None,
            link_quality: 0,
            mono_us: self.clock.mono_us(),
            utc_us: self.clock.utc_us(),
        };
        tracing::info!("an exercise begins");
        // The gateway is stopping.
        let _ = self.reports.send(report).await;
    }

    async fn order(&self, Order { contact, say }: Order, settings: &Settings) {
        let everybody = ladder::everybody(settings);
        let refuse = |why: String| {
            let _ = say.send(json!({ "error": why }));
        };
        if everybody.is_empty() {
            return refuse(
                "nobody is there to be texted: this gateway has no patient, or the patient no contact".into(),
            );
        }
        let found: Vec<_> = match &contact {
            None => vec![],
            Some(name) => everybody
                .iter()
                .filter(|one| one.name.eq_ignore_ascii_case(name) || one.id.to_string().starts_with(name.as_str()))
                .collect(),
        };
        let wanted = match (&contact, found.as_slice()) {
            (None, _) => None,
            (Some(_), [one]) => Some(one.id),
            (Some(name), _) => {
                let names: Vec<_> = everybody.iter().map(|one| one.name.as_str()).collect();
                return refuse(format!("no contact is {name:?}, or several are; there are {}", names.join(", ")));
            }
        };
        let asked_us = self.clock.utc_us();
        self.read(wanted, settings).await;
        tokio::spawn(follow(self.facts.clone(), self.clock.clone(), wanted, asked_us, say));
    }
}

/// Tells what comes of the exercise that was asked for at `asked_us`.
async fn follow(facts: Facts, clock: Clock, contact: Option<Uuid>, asked_us: UtcUs, say: mpsc::UnboundedSender<Json>) {
    let mut changed = facts.changed();
    let mut told = 0;
    loop {
        changed.mark_unchanged();
        let mine = |alert: &&Alert| {
            alert.raised().is_some_and(|(fact, raised)| {
                raised.condition == Condition::Drill && raised.contact == contact && fact.at_us >= asked_us
            })
        };
        let alert =
            facts.alerts().iter().filter(mine).min_by_key(|alert| alert.facts().next().map(|fact| fact.at_us)).cloned();
        for fact in alert.iter().flat_map(Alert::facts).skip(told) {
            told += 1;
            let event = match &fact.kind {
                FactKind::Raised(_) => json!({ "event": "raised", "code": text::code(fact.alert) }),
                FactKind::Notified { channel, .. } => json!({ "event": "handed_over", "channel": channel }),
                FactKind::Delivered { .. } => json!({ "event": "delivered" }),
                FactKind::Acknowledged { name, .. } => json!({ "event": "acknowledged", "by": name }),
                FactKind::Cleared => json!({ "event": "over" }),
                _ => continue,
            };
            let mut row = json!({ "alert": fact.alert, "after_ms": (fact.at_us - asked_us) / 1000 });
            if let (Some(row), Json::Object(event)) = (row.as_object_mut(), event) {
                row.extend(event);
            }
            if say.send(row).is_err() {
                return;
            }
            if matches!(fact.kind, FactKind::Acknowledged { .. } | FactKind::Cleared) {
                return;
            }
        }
        tokio::select! {
            changed = changed.changed() => if changed.is_err() { return },
            () = say.closed() => return,
            () = clock.sleep(LOOK) => {}
        }
    }
}

impl Done {
    /// The exercises that are due, with whom they are for. `None`: nothing to write down.
    fn wanted(&mut self, settings: &Settings, now_us: UtcUs, day: u8) -> Option<Vec<Option<Uuid>>> {
        let mut wanted = Vec::new();
        let zone = TimeZone::get(&settings.time_zone).unwrap_or(TimeZone::UTC);
        let now = Timestamp::from_microsecond(now_us).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(zone);
        let month = (now.year(), now.month());
        let mut news = false;
        if day > 0 && self.month.is_none() {
            // Who was just installed has tried it by hand.
            (self.month, news) = (Some(month), true);
        }
        let due = self.month != Some(month) && now.day() >= day as i8 && HOURS.contains(&now.hour());
        if day > 0 && !settings.contacts.is_empty() && due {
            (self.month, news) = (Some(month), true);
            wanted.push(None);
        }
        for order in settings.drills.iter().filter(|order| order.until_us > now_us) {
            if !self.orders.contains(&order.id) {
                self.orders.push_back(order.id);
                news = true;
                wanted.push(order.contact);
            }
        }
        while self.orders.len() > DONE.max(settings.drills.len()) {
            self.orders.pop_front();
        }
        news.then_some(wanted)
    }
}

/// The alert that a virtual reading is.
pub fn raised(reading: &Reading, settings: &Settings, install: Uuid) -> Fact {
    let place = match reading.value {
        Value::Scalar(place) => usize::try_from(place).ok(),
        Value::Samples { .. } => None,
    };
    let contact = place.and_then(|place| ladder::everybody(settings).into_iter().nth(place));
    let alert = Uuid::new_v5(&install, format!("drill/{}", reading.id).as_bytes());
    let whom = contact.as_ref().map_or_else(|| "the first contact".into(), |contact| contact.name.clone());
    let raised = Raised {
        epoch: reading.epoch,
        vital: Vital::GATEWAY,
        direction: Direction::Event,
        condition: Condition::Drill,
        class: Class::Technical,
        priority: Priority::Low,
        onset_us: reading.utc_us,
        device: reading.device,
        reading: reading.id,
        completed_us: reading.utc_us,
        settings_version: settings.version,
        explanation: format!("an exercise for {whom}: nothing has happened"),
        contact: contact.map(|contact| contact.id),
    };
    fact(alert, "raised", reading.utc_us, FactKind::Raised(raised))
}

/// Exercises that are over: answered, or not in time.
fn ends(alerts: &[Alert], now_us: UtcUs) -> Vec<Fact> {
    let mut facts = Vec::new();
    for alert in alerts.iter().filter(|alert| alert.condition() == Some(Condition::Drill)) {
        let Some((first, _)) = alert.raised().filter(|_| alert.cleared_us().is_none()) else { continue };
        let answered = alert.facts().any(|fact| matches!(fact.kind, FactKind::Acknowledged { .. }));
        if !answered && now_us - first.at_us >= OVER_US {
            let explanation = "nobody answered the exercise within 30 min: look at the contact's phone and number, \
                               then at the modem (`medmon local sms`)";
            let (priority, condition, explanation) = (Priority::Medium, Condition::Drill, explanation.to_owned());
            facts.push(fact(alert.id, "unanswered", now_us, FactKind::Worsened { priority, condition, explanation }));
        }
        if answered || now_us - first.at_us >= OVER_US {
            facts.push(fact(alert.id, "cleared", now_us, FactKind::Cleared));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::{Audience, Contact, Drill, Language};

    use super::*;

    /// 2026-11-24 12:00 UTC.
    const NOON_US: i64 = 1_795_521_600_000_000;
    const DAY_US: i64 = 86_400_000_000;

    fn settings() -> Settings {
        let contact = Contact {
            id: Uuid::from_u128(9),
            name: "Paul".into(),
            phone: "+33639981001".into(),
            language: Language::En,
        };
        Settings { epoch: 1, contacts: vec![contact], time_zone: "Europe/Paris".into(), ..Settings::default() }
    }

    #[test]
    fn once_a_month_by_day_and_never_at_night() {
        let (mut done, settings) = (Done::default(), settings());
        assert_eq!(done.wanted(&settings, NOON_US, 5), Some(vec![]), "the month of the installation has none");
        let mut drills = Vec::new();
        // A quarter of a year, each hour.
        for hour in 0..24 * 90 {
            let now_us = NOON_US + hour * 3_600_000_000;
            drills.extend(done.wanted(&settings, now_us, 5).into_iter().flatten().map(|contact| (now_us, contact)));
        }
        let times: Vec<_> =
            drills.iter().map(|(at, _)| Timestamp::from_microsecond(*at).unwrap().to_string()).collect();
        assert_eq!(times, ["2026-12-05T10:00:00Z", "2027-01-05T10:00:00Z", "2027-02-05T10:00:00Z"]);
        assert!(drills.iter().all(|(_, contact)| contact.is_none()));
        let nobody = Settings { contacts: vec![], ..settings.clone() };
        assert_eq!(done.wanted(&nobody, NOON_US + 200 * DAY_US, 5), None);
        assert_eq!(done.wanted(&settings, NOON_US + 200 * DAY_US, 0), None);
        // Off on its day: on the next that it is on.
        assert_eq!(done.wanted(&settings, NOON_US + 200 * DAY_US, 5), Some(vec![None]));
    }

    #[test]
    fn an_order_of_the_ward_is_carried_out_once_and_not_when_it_is_old() {
        let order = |id, until_us| Drill { id: Uuid::from_u128(id), contact: Some(Uuid::from_u128(9)), until_us };
        let settings = Settings { drills: vec![order(1, NOON_US + 1), order(2, NOON_US)], ..settings() };
        let mut done = Done::default();
        assert_eq!(done.wanted(&settings, NOON_US, 0), Some(vec![Some(Uuid::from_u128(9))]));
        assert_eq!(done.wanted(&settings, NOON_US, 0), None);
        let mut again: Done = serde_json::from_str(&serde_json::to_string(&done).unwrap()).unwrap();
        assert_eq!(again.wanted(&settings, NOON_US, 0), None, "nor after a restart");
    }

    #[test]
    fn an_exercise_ends_with_its_answer_and_without_one_the_ward_is_told() {
        let reading = Reading { vital: Vital::GATEWAY, value: Value::Scalar(0), ..crate::tests::reading(1) };
        let first = raised(&reading, &settings(), Uuid::nil());
        let alert = Alert::fold(first.alert, [first.clone()]);
        let after = |us| first.at_us + us;
        assert_eq!(ends(std::slice::from_ref(&alert), after(OVER_US - 1)), []);
        let kind = FactKind::Acknowledged { by: Uuid::nil(), name: "Paul".into(), audience: Audience::Family };
        let answered = Alert::fold(first.alert, [first.clone(), fact(first.alert, "ack", after(1), kind)]);
        assert_eq!(ends(std::slice::from_ref(&answered), after(2)).len(), 1);
        assert!(!answered.open());
        let mut late = alert.clone();
        ends(&[alert], after(OVER_US)).into_iter().for_each(|fact| late.take(fact));
        assert_eq!((late.priority(), late.open()), (Some(Priority::Medium), true));
        assert_eq!(ends(&[late], after(OVER_US + 1)), []);
    }
}
