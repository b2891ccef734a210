//! HEALTH: what is wrong with the equipment becomes technical alerts, by the table in core (noun/technical.rs).
//!
//! A condition has to hold for its time, has an alert of its own for each device, and is silent while its cause is told.
//! Not for: silence and what else detectors see in readings (detect.rs).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::noun::alert::Raised;
use medmon_core::noun::{
    Alert, Class, ClockQuality, Condition, Direction, Fact, FactKind, Ieee, MonoUs, ReadingId, Settings, Technical,
};
use medmon_sms::ModemState;

use crate::battery::Batteries;
use crate::collect::DevicesHeard;
use crate::detect::{Moment, fact};
use crate::disk::DiskState;
use crate::facts::Facts;
use crate::time::Time;

const LOOK: Duration = Duration::from_secs(5);
/// Where the voltages of days are kept.
const BATTERIES: &str = "batteries";
/// Mean link quality (0-255) below which messages are lost: about -85 dBm on a CC2652.
const WEAK_LINK: f64 = 30.0;
/// A mean of fewer reports says nothing.
const REPORTS_LEAST: u64 = 20;
/// What this stage judges; other technical conditions have detectors.
const OURS: [Condition; 6] = [
    Condition::LowBattery,
    Condition::WeakLink,
    Condition::ModemDown,
    Condition::ClockUnsure,
    Condition::DiskLow,
    Condition::BrokerDown,
];

/// What is looked at.
pub struct Health {
    /// Who raises.
    pub install: Uuid,
    /// Sensors: battery, link.
    pub heard: DevicesHeard,
    /// The modem, if there is one.
    pub modem: Option<watch::Receiver<ModemState>>,
    /// Why the modem's text to itself has not come back.
    pub self_test: watch::Receiver<Option<String>>,
    /// The disk.
    pub disk: watch::Receiver<DiskState>,
    /// Readings that wait beside the broker.
    pub spilled: watch::Receiver<u64>,
    /// The clock.
    pub time: Time,
    /// Where alerts are kept.
    pub facts: Facts,
    /// Whose alerts they are.
    pub settings: watch::Receiver<Arc<Settings>>,
}

/// One condition of one device; the gateway's own have device 0.
type Key = (Condition, Ieee);

/// Since when a condition holds, or is over.
#[derive(Clone, Copy, Debug, Default)]
struct Course {
    since: Option<MonoUs>,
    over: Option<MonoUs>,
    alert: Option<Uuid>,
}

/// The conditions of one assignment. Pure.
#[derive(Debug, Default)]
struct Courses {
    epoch: u64,
    courses: BTreeMap<Key, Course>,
}

impl Courses {
    /// Goes on with what the alerts say is open.
    fn resume(&mut self, alerts: &[Alert], now: Moment) {
        for alert in alerts.iter().filter(|alert| alert.cleared_us().is_none()) {
            let Some((_, raised)) = alert.raised() else { continue };
            if raised.class == Class::Technical && OURS.contains(&raised.condition) {
                let course = Course { since: Some(now.mono_us), over: None, alert: Some(alert.id) };
                self.courses.insert((raised.condition, raised.device), course);
                self.epoch = raised.epoch;
            }
        }
    }

    /// Takes notice of what holds now, with its details; `None`: nobody can say, and what was goes on. `told`: conditions
    /// that have an open alert from elsewhere.
    fn look(
        &mut self,
        now: Moment,
        holds: &BTreeMap<Key, Option<String>>,
        told: &BTreeSet<Condition>,
        settings: &Settings,
        install: Uuid,
    ) -> Vec<Fact> {
        let mut facts = Vec::new();
        if settings.epoch != self.epoch {
            let ended = std::mem::take(&mut self.courses);
            facts.extend(ended.into_values().filter_map(|course| Some(cleared(course.alert?, now))));
            self.epoch = settings.epoch;
        }
        // A gateway that belongs to nobody shows its state in `medmon local status`; nobody's ward is told.
        if settings.epoch == 0 {
            return facts;
        }
        for (key, _) in holds.iter().filter(|(_, detail)| detail.is_some()) {
            self.courses.entry(*key).or_default();
        }
        for (key, course) in &mut self.courses {
            let Some(row) = Technical::of(key.0) else { continue };
            let (visible_us, clears_us) =
                (i64::from(row.visible_after_s) * 1_000_000, i64::from(row.clears_after_s) * 1_000_000);
            if let Some(detail) = holds.get(key) {
                let Some(detail) = detail else { continue };
                course.over = None;
                let since = *course.since.get_or_insert(now.mono_us);
                let behind = row.depends_on.iter().any(|cause| told.contains(cause));
                if course.alert.is_none() && !behind && now.mono_us - since >= visible_us {
                    let raised = raise(row, *key, detail, since, now, settings, install);
                    course.alert = Some(raised.alert);
                    facts.push(raised);
                }
                continue;
            }
            course.since = None;
            let over = *course.over.get_or_insert(now.mono_us);
            if now.mono_us - over >= clears_us
                && let Some(alert) = course.alert.take()
            {
                facts.push(cleared(alert, now));
            }
        }
        self.courses.retain(|_, course| course.since.is_some() || course.alert.is_some());
        facts
    }
}

fn cleared(alert: Uuid, now: Moment) -> Fact {
    fact(alert, "cleared", now.utc_us, FactKind::Cleared)
}

fn raise(
    row: &Technical,
    (condition, device): Key,
    detail: &str,
    since: MonoUs,
    now: Moment,
    settings: &Settings,
    install: Uuid,
) -> Fact {
    let name = format!("{}/{condition:?}/{device}/{since}", settings.epoch);
    let alert = Uuid::new_v5(&install, name.as_bytes());
    let who = settings.devices.iter().find(|row| row.ieee == device);
    let who = who.map_or_else(String::new, |row| match row.label.as_str() {
        "" => format!(" ({device})"),
        label => format!(" ({label})"),
    });
    let raised = Raised {
        epoch: settings.epoch,
        vital: row.vital,
        direction: Direction::Absent,
        condition,
        class: Class::Technical,
        priority: row.priority,
        onset_us: now.utc_us - (now.mono_us - since),
        device,
        reading: ReadingId::default(),
        completed_us: now.utc_us,
        settings_version: settings.version,
        explanation: format!("{}{who}: {detail}; {}", row.text, row.remedy),
        contact: None,
    };
    fact(alert, "raised", now.utc_us, FactKind::Raised(raised))
}

impl Health {
    /// What holds now, with its details; as for [`Courses::look`].
    fn holds(&self, batteries: &Batteries, settings: &Settings) -> BTreeMap<Key, Option<String>> {
        let mut holds = BTreeMap::new();
        let mut gateway = |condition, detail: Option<String>| {
            holds.extend(detail.map(|detail| ((condition, Ieee(0)), Some(detail))));
        };
        gateway(
            Condition::ModemDown,
            self.modem
                .as_ref()
                .and_then(|modem| modem_down(&modem.borrow()))
                .or_else(|| self.self_test.borrow().clone()),
        );
        gateway(Condition::DiskLow, self.disk.borrow().low.clone());
        let spilled = *self.spilled.borrow();
        gateway(Condition::BrokerDown, (spilled > 0).then(|| format!("{spilled} readings")));
        gateway(
            Condition::ClockUnsure,
            match *self.time.trust.borrow() {
                ClockQuality::Synced => None,
                ClockQuality::Holdover => Some("it runs by itself".into()),
                ClockQuality::Unset => Some("it was never set since this start".into()),
            },
        );
        let heard = self.heard.snapshot();
        for ieee in settings.devices.iter().map(|row| row.ieee) {
            let heard = heard.get(&ieee);
            // After a restart a sensor has said nothing yet: that is no new cell, nor a better place.
            match heard.filter(|heard| heard.battery_percent.is_some() || heard.battery_v.is_some()) {
                None => {
                    holds.insert((Condition::LowBattery, ieee), None);
                }
                Some(heard) => {
                    let low = batteries.low(ieee, heard.battery_percent, heard.battery_v);
                    holds.extend(low.map(|detail| ((Condition::LowBattery, ieee), Some(detail))));
                }
            }
            match heard.filter(|heard| heard.reports.values().sum::<u64>() >= REPORTS_LEAST) {
                None => {
                    holds.insert((Condition::WeakLink, ieee), None);
                }
                Some(heard) if heard.link_mean < WEAK_LINK => {
                    let detail = format!("link quality {:.0} of 255", heard.link_mean);
                    holds.insert((Condition::WeakLink, ieee), Some(detail));
                }
                Some(_) => {}
            }
        }
        holds
    }

    /// Runs until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let clock = &self.time.clock;
        let kept = self.facts.state(BATTERIES).await.ok().flatten();
        let mut batteries: Batteries = kept.and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default();
        let mut courses = Courses::default();
        courses.resume(&self.facts.alerts(), Moment::now(clock));
        let mut unsaved = Vec::new();
        loop {
            let now = Moment::now(clock);
            let settings = Arc::clone(&self.settings.borrow());
            let mut new_day = false;
            // A day nobody knows the date of would bend the line through the others.
            let dated = *self.time.trust.borrow() != ClockQuality::Unset;
            for (ieee, heard) in self.heard.snapshot().into_iter().filter(|_| dated) {
                new_day |= heard.battery_v.is_some_and(|volts| batteries.take(ieee, volts, heard.last_us));
            }
            let open = self.facts.alerts().into_iter().filter(|alert| alert.cleared_us().is_none());
            let told = open.filter_map(|alert| alert.condition()).collect();
            unsaved.extend(courses.look(now, &self.holds(&batteries, &settings), &told, &settings, self.install));
            if new_day || !unsaved.is_empty() {
                let state = new_day.then(|| (BATTERIES, serde_json::to_string(&batteries).unwrap_or_default()));
                match self.facts.commit(unsaved.clone(), state, false).await {
                    Ok(()) => unsaved.clear(),
                    Err(error) => tracing::error!(%error, "technical alerts are not durable yet; tried again"),
                }
            }
            tokio::select! {
                () = clock.sleep(LOOK) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}

/// Why a modem cannot text.
pub fn modem_down(state: &ModemState) -> Option<String> {
    match state {
        ModemState::Starting => Some("the modem is starting".into()),
        ModemState::Ready { registered: false, .. } => Some("no network".into()),
        ModemState::Ready { .. } => None,
        ModemState::Lost { reason } => Some(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::Device;

    use super::*;

    const SENSOR: Ieee = Ieee(7);

    fn settings(epoch: u64) -> Settings {
        let sensor = Device { ieee: SENSOR, label: "strap".into(), vitals: Vec::new(), place: None };
        Settings { epoch, devices: vec![sensor], ..Settings::default() }
    }

    fn at(second: i64) -> Moment {
        Moment { mono_us: second * 1_000_000, utc_us: 1_795_521_600_000_000 + second * 1_000_000 }
    }

    fn names(facts: &[Fact]) -> Vec<&'static str> {
        let name = |fact: &Fact| match fact.kind {
            FactKind::Raised(_) => "raised",
            FactKind::Cleared => "cleared",
            _ => "other",
        };
        facts.iter().map(name).collect()
    }

    #[test]
    fn a_condition_is_told_after_its_time_once_and_ends_after_its_time() {
        let mut courses = Courses::default();
        let down = BTreeMap::from([((Condition::ModemDown, Ieee(0)), Some("no network".to_owned()))]);
        let (settings, none) = (settings(1), BTreeMap::new());
        let mut look = |second, holds: &BTreeMap<Key, Option<String>>| {
            courses.look(at(second), holds, &BTreeSet::new(), &settings, Uuid::nil())
        };
        assert!(look(0, &down).is_empty() && look(299, &down).is_empty());
        let raised = look(300, &down);
        assert_eq!(names(&raised), ["raised"]);
        let FactKind::Raised(what) = &raised[0].kind else { panic!() };
        assert_eq!((what.condition, what.onset_us), (Condition::ModemDown, at(0).utc_us));
        assert!(what.explanation.contains("cannot text: no network; look at"), "{}", what.explanation);
        assert!(look(301, &down).is_empty() && look(310, &none).is_empty() && look(320, &down).is_empty());
        assert!(look(330, &none).is_empty());
        assert_eq!(names(&look(390, &none)), ["cleared"]);
        assert!(look(400, &none).is_empty());
    }

    #[test]
    fn a_consequence_is_not_told_and_an_ended_assignment_clears() {
        let mut courses = Courses::default();
        let weak = BTreeMap::from([((Condition::WeakLink, SENSOR), Some("link quality 9 of 255".to_owned()))]);
        let unheard = BTreeMap::from([((Condition::WeakLink, SENSOR), None)]);
        let deaf = BTreeSet::from([Condition::GatewayDeaf]);
        assert!(courses.look(at(0), &weak, &deaf, &settings(1), Uuid::nil()).is_empty());
        assert!(courses.look(at(9000), &weak, &deaf, &settings(1), Uuid::nil()).is_empty());
        let raised = courses.look(at(9001), &weak, &BTreeSet::new(), &settings(1), Uuid::nil());
        assert_eq!(names(&raised), ["raised"]);
        // After a restart the alert goes on, and it ends with the assignment.
        let alert = Alert::fold(raised[0].alert, raised);
        let mut courses = Courses::default();
        courses.resume(&[alert], at(9010));
        assert!(courses.look(at(9010), &weak, &BTreeSet::new(), &settings(1), Uuid::nil()).is_empty());
        // A sensor that has not said anything since is not well again.
        assert!(courses.look(at(19_000), &unheard, &BTreeSet::new(), &settings(1), Uuid::nil()).is_empty());
        assert!(courses.look(at(29_000), &unheard, &BTreeSet::new(), &settings(1), Uuid::nil()).is_empty());
        assert_eq!(names(&courses.look(at(29_011), &weak, &BTreeSet::new(), &settings(0), Uuid::nil())), ["cleared"]);
        assert!(courses.look(at(90_000), &weak, &BTreeSet::new(), &settings(0), Uuid::nil()).is_empty());
    }
}
