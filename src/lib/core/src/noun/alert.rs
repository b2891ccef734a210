//! An Alert is a set of append-only Facts; its state is a pure fold over them.
//!
//! Facts have ids, so merging two sets is a union: whatever the order and however often a fact arrives, home and
//! cloud come to the same state. The condition (active, cleared) and the response (who acknowledged) are separate,
//! as in IEC 60601-1-8.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Ieee, ReadingId, UtcUs, Vital};

/// How urgent. Ordered: `High` is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// For information: no text.
    Low,
    /// Care team.
    Medium,
    /// A relative is texted at once.
    High,
}

/// About the patient, or about the equipment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The patient's body.
    Physiological,
    /// Sensors, radio, gateway, cloud.
    Technical,
}

/// Which way a vital went; with the assignment and the vital it names an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Too low.
    Low,
    /// Too high.
    High,
    /// Something happened: a fall.
    Event,
    /// Nothing is heard, or what is heard cannot be the body.
    Absent,
}

/// What was found, in the field's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Heart rate low.
    Bradycardia,
    /// Heart rate high at rest.
    Tachycardia,
    /// Heart rate high, and nothing says whether the person moves.
    TachycardiaActivityUnknown,
    /// Temperature high.
    Fever,
    /// Temperature low.
    Hypothermia,
    /// Glucose low.
    Hypoglycaemia,
    /// Glucose about to be low.
    HypoglycaemiaPredicted,
    /// Glucose high.
    Hyperglycaemia,
    /// A fall: impact, and a posture that stays changed.
    Fall,
    /// Impact, and the posture came back.
    NearFall,
    /// Still on the floor 10 min after a fall.
    LongLie,
    /// The sensor is off the body, or the person cools quickly.
    SensorOff,
    /// An expected vital is not heard.
    Silence,
    /// Two sensors seem to speak under one identity.
    TwoSources,
    /// An accelerometer is too slow, or cut off, to tell most falls.
    FallLimited,
    /// No sensor is heard at all: the radio, not the sensors.
    GatewayDeaf,
    /// A sensor's battery is nearly empty.
    LowBattery,
    /// A sensor is at the edge of the radio's reach.
    WeakLink,
    /// The gateway cannot text.
    ModemDown,
    /// Nobody confirms the gateway's time.
    ClockUnsure,
    /// The gateway's disk is nearly full.
    DiskLow,
    /// Readings cannot be made durable where they should be.
    BrokerDown,
    /// Two boxes speak under one gateway's install id.
    Forked,
    /// A marked exercise.
    Drill,
    /// A condition that a newer release knows.
    #[serde(other)]
    Other,
}

impl Condition {
    /// The name as in files and API.
    pub fn name(self) -> String {
        serde_json::to_value(self).ok().and_then(|name| name.as_str().map(str::to_owned)).unwrap_or_default()
    }
}

/// Whom an acknowledgement speaks for. A relative's stops the texts, not the ward's board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Relatives and neighbours.
    Family,
    /// Nurses and doctors.
    Ward,
}

/// What the detector saw when it raised.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Raised {
    /// The assignment epoch in force; 0 = the gateway belongs to nobody.
    pub epoch: u64,
    /// Which vital.
    pub vital: Vital,
    /// Which way.
    pub direction: Direction,
    /// What.
    pub condition: Condition,
    /// Body or equipment.
    pub class: Class,
    /// How urgent.
    pub priority: Priority,
    /// When the condition began, UTC.
    pub onset_us: UtcUs,
    /// The device that showed it.
    pub device: Ieee,
    /// The reading that completed it.
    pub reading: ReadingId,
    /// When that reading arrived (or its timer ran out), UTC: what the reaction time counts from.
    #[serde(default)]
    pub completed_us: UtcUs,
    /// The Settings version whose limits were used.
    pub settings_version: u64,
    /// What fired, for a clinician: "posture turned 78° and stayed, step 1.9 g".
    pub explanation: String,
    /// A drill is for this contact only; `None` = for the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Uuid>,
}

/// Why somebody is texted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TextReason {
    /// The patient is asked whether they are all right, before anybody is alarmed.
    Ask,
    /// The alert was raised, or worsened.
    #[default]
    Raised,
    /// Nobody has answered.
    Again,
    /// In place of the texts beyond an hour's most, while somebody is still needed.
    Summary,
    /// In place of the texts beyond an hour's most, when nobody is.
    Quiet,
    /// Somebody else takes care of it.
    Answered,
    /// The condition ended.
    Over,
    /// A marked exercise.
    Drill,
    /// To somebody who wrote.
    Reply,
    /// The gateway's modem texts itself, to see that it can.
    SelfTest,
    /// A reason that a newer release knows.
    #[serde(other)]
    Other,
}

impl TextReason {
    /// Whether who has it was alarmed.
    pub fn alarms(self) -> bool {
        matches!(self, Self::Raised | Self::Again | Self::Summary)
    }
}

/// What a fact says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "fact")]
pub enum FactKind {
    /// The episode began.
    Raised(Raised),
    /// It became more urgent, or another condition of the same episode was completed.
    Worsened {
        /// Now.
        priority: Priority,
        /// What was completed.
        condition: Condition,
        /// What fired.
        explanation: String,
    },
    /// A text was handed over for a contact.
    Notified {
        /// The contact.
        contact: Uuid,
        /// "modem", "http".
        channel: String,
        /// Why they were texted.
        #[serde(default)]
        reason: TextReason,
        /// Which text of that reason.
        #[serde(default)]
        step: u32,
    },
    /// The network reported its delivery.
    Delivered {
        /// The contact.
        contact: Uuid,
        /// Why they were texted.
        #[serde(default)]
        reason: TextReason,
        /// Which text of that reason.
        #[serde(default)]
        step: u32,
    },
    /// Somebody takes care of it.
    Acknowledged {
        /// A contact or principal.
        by: Uuid,
        /// As shown: "Paul", "A. Martin".
        name: String,
        /// For whom.
        audience: Audience,
    },
    /// No paging for it until then.
    Silenced {
        /// Until, UTC.
        until_us: UtcUs,
        /// Why.
        reason: String,
    },
    /// The condition ended.
    Cleared,
    /// The ladder went on.
    Escalated {
        /// To this step, from 1.
        step: u32,
    },
    /// Somebody else pages now.
    TakenOver {
        /// "cloud", "gateway".
        by: String,
    },
    /// A fact that a newer release knows.
    #[serde(other)]
    Other,
}

/// One thing that happened to an alert. Never changed, never removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// Its identity: the same fact told twice is one fact.
    pub id: Uuid,
    /// The alert it belongs to.
    pub alert: Uuid,
    /// When, UTC.
    pub at_us: UtcUs,
    /// Who says so: "gateway", "cloud", a principal's name.
    pub author: String,
    /// What.
    #[serde(flatten)]
    pub kind: FactKind,
}

impl Fact {
    /// A fact that `author` ("gateway", "cloud") comes to by itself. Its id follows from author and `name`, so that saying
    /// it again is no second fact.
    pub fn of(author: &str, alert: Uuid, name: &str, at_us: UtcUs, kind: FactKind) -> Self {
        // The gateway's names are older than the cloud's.
        let id = match author {
            "gateway" => Uuid::new_v5(&alert, name.as_bytes()),
            _ => Uuid::new_v5(&alert, format!("{author}/{name}").as_bytes()),
        };
        Self { id, alert, at_us, author: author.to_owned(), kind }
    }
}

/// The state of an alert, as the fold of its facts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    /// Which alert.
    pub id: Uuid,
    facts: BTreeMap<(UtcUs, Uuid), Fact>,
}

impl Alert {
    /// The alert that `facts` make; facts of other alerts are left out.
    pub fn fold(id: Uuid, facts: impl IntoIterator<Item = Fact>) -> Self {
        let mut alert = Self { id, facts: BTreeMap::new() };
        facts.into_iter().for_each(|fact| alert.take(fact));
        alert
    }

    /// Takes one more fact in. One that is there already, or belongs elsewhere, changes nothing.
    pub fn take(&mut self, fact: Fact) {
        if fact.alert == self.id {
            self.facts.entry((fact.at_us, fact.id)).or_insert(fact);
        }
    }

    /// The facts, oldest first.
    pub fn facts(&self) -> impl DoubleEndedIterator<Item = &Fact> {
        self.facts.values()
    }

    /// What the detector saw; `None` while the raising fact has not arrived.
    pub fn raised(&self) -> Option<(&Fact, &Raised)> {
        self.facts().find_map(|fact| match &fact.kind {
            FactKind::Raised(raised) => Some((fact, raised)),
            _ => None,
        })
    }

    /// The highest priority it ever had.
    pub fn priority(&self) -> Option<Priority> {
        self.facts()
            .filter_map(|fact| match &fact.kind {
                FactKind::Raised(raised) => Some(raised.priority),
                FactKind::Worsened { priority, .. } => Some(*priority),
                _ => None,
            })
            .max()
    }

    /// The newest condition found.
    pub fn condition(&self) -> Option<Condition> {
        self.facts().rev().find_map(|fact| match &fact.kind {
            FactKind::Raised(raised) => Some(raised.condition),
            FactKind::Worsened { condition, .. } => Some(*condition),
            _ => None,
        })
    }

    /// The newest explanation.
    pub fn explanation(&self) -> Option<&str> {
        self.facts().rev().find_map(|fact| match &fact.kind {
            FactKind::Raised(raised) => Some(raised.explanation.as_str()),
            FactKind::Worsened { explanation, .. } => Some(explanation.as_str()),
            _ => None,
        })
    }

    /// When the condition ended, UTC.
    pub fn cleared_us(&self) -> Option<UtcUs> {
        self.facts().find(|fact| matches!(fact.kind, FactKind::Cleared)).map(|fact| fact.at_us)
    }

    /// When a text was first handed over, UTC.
    pub fn notified_us(&self) -> Option<UtcUs> {
        self.facts().find(|fact| matches!(fact.kind, FactKind::Notified { .. })).map(|fact| fact.at_us)
    }

    /// The newest acknowledgement for `audience` that no worsening has overtaken: who, when.
    pub fn acknowledged(&self, audience: Audience) -> Option<(&str, UtcUs)> {
        let ack = self.facts().rev().find_map(|fact| match &fact.kind {
            FactKind::Acknowledged { name, audience: whose, .. } if *whose == audience => {
                Some((name.as_str(), fact.at_us))
            }
            _ => None,
        })?;
        (!self.worsened_since(ack.1)).then_some(ack)
    }

    /// Until when paging is silenced, UTC. Who silenced it did not know of a worsening that came after: that ends it.
    pub fn silenced_until_us(&self) -> Option<UtcUs> {
        self.facts()
            .filter_map(|fact| match fact.kind {
                FactKind::Silenced { until_us, .. } if !self.worsened_since(fact.at_us) => Some(until_us),
                _ => None,
            })
            .max()
    }

    /// Whether a worsening overtakes what was said at `at_us`. Who says something dates it after all that they know, so at
    /// one time with it is a worsening that they did not know.
    fn worsened_since(&self, at_us: UtcUs) -> bool {
        // Nobody answers what was not raised yet: if times say so, two clocks differ, and the raising overtakes nothing.
        let first = self.raised().map(|(fact, _)| fact.id);
        let worsens = |fact: &&Fact| matches!(fact.kind, FactKind::Worsened { .. } | FactKind::Raised(_));
        self.facts().filter(worsens).any(|fact| fact.at_us >= at_us && Some(fact.id) != first)
    }

    /// On the board until cleared and acknowledged by the ward. An exercise leaves it when somebody has answered or it
    /// is over, unless it has become worse: nobody answered.
    pub fn open(&self) -> bool {
        let Some((_, raised)) = self.raised() else { return false };
        let (cleared, ward) = (self.cleared_us().is_some(), self.acknowledged(Audience::Ward).is_some());
        if raised.condition == Condition::Drill && self.priority() == Some(Priority::Low) {
            return !cleared && !ward && self.acknowledged(Audience::Family).is_none();
        }
        !(cleared && ward)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALERT: Uuid = Uuid::from_u128(7);

    fn kind() -> impl Strategy<Value = FactKind> {
        let raised = Raised {
            epoch: 3,
            vital: Vital::HEART_RATE,
            direction: Direction::High,
            condition: Condition::Tachycardia,
            class: Class::Physiological,
            priority: Priority::Medium,
            onset_us: 5,
            device: Ieee(1),
            reading: ReadingId::default(),
            completed_us: 6,
            settings_version: 1,
            explanation: "142 bpm for 60 s at rest".into(),
            contact: None,
        };
        let ack = |audience| FactKind::Acknowledged { by: Uuid::nil(), name: "Paul".into(), audience };
        prop_oneof![
            Just(FactKind::Raised(raised)),
            Just(FactKind::Worsened {
                priority: Priority::High,
                condition: Condition::Tachycardia,
                explanation: "154 bpm".into()
            }),
            Just(FactKind::Notified {
                contact: Uuid::nil(),
                channel: "modem".into(),
                reason: TextReason::Raised,
                step: 0
            }),
            Just(ack(Audience::Family)),
            Just(ack(Audience::Ward)),
            (0i64..50).prop_map(|until_us| FactKind::Silenced { until_us, reason: "care".into() }),
            Just(FactKind::Cleared),
        ]
    }

    fn facts() -> impl Strategy<Value = Vec<Fact>> {
        prop::collection::vec((0i64..20, kind()), 1..12).prop_map(|rows| {
            let fact = |(index, (at_us, kind))| Fact {
                id: Uuid::from_u128(index as u128),
                alert: ALERT,
                at_us,
                author: "gateway".into(),
                kind,
            };
            rows.into_iter().enumerate().map(fact).collect()
        })
    }

    proptest! {
        #[test]
        fn any_order_and_any_repetition_give_one_state(
            facts in facts(),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 0..30),
        ) {
            let once = Alert::fold(ALERT, facts.clone());
            // Everything at least once, some several times, in another order.
            let mut told: Vec<_> = picks.iter().map(|pick| pick.get(&facts).clone()).collect();
            told.extend(facts.iter().rev().cloned());
            prop_assert_eq!(&once, &Alert::fold(ALERT, told.clone()));
            // Two sides that each know a part agree after exchanging what they have.
            let (left, right) = told.split_at(told.len() / 2);
            let mut merged = Alert::fold(ALERT, right.to_vec());
            left.iter().cloned().for_each(|fact| merged.take(fact));
            prop_assert_eq!(once.open(), merged.open());
            prop_assert_eq!(once, merged);
        }
    }

    #[test]
    fn a_relative_stops_the_texts_but_not_the_board() {
        let fact = |number: u128, at_us, kind| Fact {
            id: Uuid::from_u128(number),
            alert: ALERT,
            at_us,
            author: "gateway".into(),
            kind,
        };
        let ack = |audience| FactKind::Acknowledged { by: Uuid::nil(), name: "Paul".into(), audience };
        let worse =
            FactKind::Worsened { priority: Priority::High, condition: Condition::LongLie, explanation: String::new() };
        let mut alert = Alert::fold(ALERT, [fact(1, 1, FactKind::Cleared), fact(2, 2, ack(Audience::Family))]);
        assert!(!alert.open(), "nothing was raised yet");
        alert.take(fact(3, 0, worse));
        assert!(alert.acknowledged(Audience::Family).is_some() && alert.acknowledged(Audience::Ward).is_none());
        alert.take(fact(
            4,
            9,
            FactKind::Worsened { priority: Priority::High, condition: Condition::Fall, explanation: String::new() },
        ));
        assert!(alert.acknowledged(Audience::Family).is_none(), "worsening pages again");
    }

    #[test]
    fn a_ward_whose_clock_is_behind_the_gateways_is_still_heard() {
        let raised = r#"{"fact":"raised","epoch":1,"vital":"heart_rate","direction":"high","condition":"tachycardia",
            "class":"physiological","priority":"high","onset_us":0,"device":"0000000000000001",
            "reading":{"boot":1,"sequence":1},"settings_version":1,"explanation":""}"#;
        let raised: FactKind = serde_json::from_str(raised).unwrap();
        let ack = FactKind::Acknowledged { by: Uuid::nil(), name: "A. Martin".into(), audience: Audience::Ward };
        let worse =
            FactKind::Worsened { priority: Priority::High, condition: Condition::Other, explanation: String::new() };
        let fact = |number: u128, at_us, kind| Fact {
            id: Uuid::from_u128(number),
            alert: ALERT,
            at_us,
            author: "gateway".into(),
            kind,
        };
        let mut alert = Alert::fold(ALERT, [fact(1, 180, raised), fact(2, 100, ack)]);
        assert_eq!(alert.acknowledged(Audience::Ward), Some(("A. Martin", 100)));
        alert.take(fact(3, 300, worse));
        assert_eq!(alert.acknowledged(Audience::Ward), None);
    }

    #[test]
    fn facts_and_conditions_of_a_newer_release_are_kept_apart_not_refused() {
        let json = r#"{"id":"00000000-0000-0000-0000-000000000001","alert":"00000000-0000-0000-0000-000000000007",
            "at_us":1,"author":"cloud","fact":"levitated","height_m":3}"#;
        let fact: Fact = serde_json::from_str(json).unwrap();
        assert_eq!(fact.kind, FactKind::Other);
        assert_eq!(serde_json::from_str::<Condition>("\"hiccups\"").unwrap(), Condition::Other);
        assert_eq!(Condition::NearFall.name(), "near_fall");
    }
}
