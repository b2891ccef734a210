//! A fall from its judgement on: the 30 s in which it can still be taken back, the fall, and the long lie after it.
//!
//! Never taken back on movement alone: who struggles moves too. Missed by design: sliding off a chair has no impact.
//! Not for: asking the patient first (wrist, pocket), which is the gateway's conversation.

mod judge;
mod limited;
mod placement;

use serde::{Deserialize, Serialize};

pub use judge::{Axes, Features, Impact, Judge, Shares};
pub use placement::Placement;

use self::judge::{BIN_US, PER_SECOND, SAME_POSTURE, degrees};
use self::limited::Limited;
use super::episode::{MINUTE, Rule, SECOND, Step, Turn, body};
use crate::noun::{Condition, Direction, MonoUs, Priority, Reading};

/// From the impact to the end of the cancel window: judged after 6 s, then 30 s.
const CONFIRMED_US: MonoUs = 36 * SECOND;
/// When the stream has ended, so much later.
const ENDED_US: MonoUs = 2 * SECOND;
/// Still on the floor for so long after the impact.
const LONG_LIE_US: MonoUs = 10 * MINUTE;
/// No further event for so long.
const SAME_EVENT_US: MonoUs = 30 * SECOND;

const fn event(condition: Condition, priority: Priority, gravity: u8) -> Rule {
    body(Direction::Event, condition, priority, gravity, 0, 0)
}

const NEAR_FALL: Rule = event(Condition::NearFall, Priority::Low, 1);
/// Taking the sensor off or dropping it looks like a fall: it has to be on the body to be urgent.
const FALL_OFF_BODY: Rule = event(Condition::Fall, Priority::Medium, 2);
const FALL: Rule = event(Condition::Fall, Priority::High, 3);
const LONG_LIE: Rule = event(Condition::LongLie, Priority::High, 4);

/// Waits for the posture of before the impact: within 35 degrees for 3 s in a row, with movement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Watch {
    /// The posture before, µg.
    before: [i64; 3],
    /// The next bin that ends a 1 s mean; there is one every 0.5 s.
    next: i64,
    /// Means in a row within the angle.
    run: u32,
    /// A bit for each of the last six that moved.
    moves: u8,
}

impl Watch {
    /// Means in a row: 3 s.
    const RUN: u32 = 6;
    /// Of them with movement.
    const MOVING: u32 = 2;

    fn new(before: Axes, next: i64) -> Self {
        Self { before: before.map(|axis| (axis * 1e6).round() as i64), next, run: 0, moves: 0 }
    }

    /// Looks at the means that are complete; whether the posture is back.
    fn back(&mut self, judge: &Judge) -> bool {
        let Some(newest) = judge.newest() else { return false };
        if newest - self.next > 10 * PER_SECOND {
            // What lies further back than the ring is not known.
            (self.next, self.run) = (newest - PER_SECOND, 0);
        }
        while self.next < newest {
            let seen = judge.posture(self.next - PER_SECOND + 1, self.next);
            self.next += PER_SECOND / 2;
            let before = self.before.map(|axis| axis as f64);
            match seen {
                Some((posture, moves)) if degrees(before, posture) <= SAME_POSTURE => {
                    self.run += 1;
                    self.moves = (self.moves << 1 | u8::from(moves)) & 0x3f;
                }
                _ => (self.run, self.moves) = (0, 0),
            }
            if self.run >= Self::RUN && self.moves.count_ones() >= Self::MOVING {
                return true;
            }
        }
        false
    }
}

/// A fall within its cancel window.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Pending {
    impact_us: MonoUs,
    watch: Watch,
    explanation: String,
}

/// A fall that was not taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Lying {
    /// The first impact, and the posture before it: the person stood then.
    impact_us: MonoUs,
    watch: Watch,
    on_body: bool,
    long: bool,
}

/// The state of one accelerometer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Fall {
    judge: Judge,
    pending: Option<Pending>,
    lying: Option<Lying>,
    near_us: Option<MonoUs>,
    #[serde(default)]
    limited: Limited,
}

impl Fall {
    /// Takes a burst in. `on_body`: nothing says that this device is off the body.
    pub fn reading(&mut self, reading: &Reading, placement: &Placement, on_body: bool) -> Vec<Step> {
        let mut steps = Vec::from_iter(self.limited.reading(reading, placement));
        for (offset, axes) in reading.samples() {
            let at = reading.mono_us + offset;
            let impacts = self.judge.sample(at, axes, placement);
            self.go_on(at, at, impacts, placement, on_body, &mut steps);
        }
        steps
    }

    /// Time passes without a burst.
    pub fn tick(&mut self, now: MonoUs, placement: &Placement, on_body: bool) -> Vec<Step> {
        let mut steps = Vec::from_iter(self.limited.tick(now));
        let impacts = self.judge.ended(now, placement);
        self.go_on(now, now - ENDED_US, impacts, placement, on_body, &mut steps);
        steps
    }

    /// `seen`: whatever happened before has been seen.
    fn go_on(
        &mut self,
        now: MonoUs,
        seen: MonoUs,
        impacts: Vec<Impact>,
        placement: &Placement,
        on_body: bool,
        steps: &mut Vec<Step>,
    ) {
        for impact in impacts {
            if impact.fall && self.pending.is_none() {
                // The first mean lies wholly behind the judgement: what decided for a fall cannot take it back.
                let watch = Watch::new(impact.before, impact.at_us / BIN_US + 7 * PER_SECOND);
                let explanation = explain(&impact, placement);
                self.pending = Some(Pending { impact_us: impact.at_us, watch, explanation });
            } else if impact.near_fall {
                self.near_fall(impact.at_us, explain(&impact, placement), steps);
            }
        }
        if let Some(mut pending) = self.pending.take() {
            if pending.watch.back(&self.judge) {
                let explanation = format!("{}; upright again within 30 s", pending.explanation);
                self.near_fall(pending.impact_us, explanation, steps);
            } else if seen - pending.impact_us >= CONFIRMED_US {
                self.confirm(pending, on_body, steps);
            } else {
                self.pending = Some(pending);
            }
        }
        let Some(lying) = &mut self.lying else { return };
        if lying.watch.back(&self.judge) {
            let rule = lying.rule();
            self.lying = None;
            steps.push(Step::new(rule, Turn::Recovered, "upright as before the fall, and moving".into()));
        } else if !lying.long && now - lying.impact_us >= LONG_LIE_US {
            lying.long = true;
            // A sensor that was lost in the fall itself and is heard again is on somebody who lies there.
            lying.on_body |= on_body;
            let explanation = "still on the floor 10 min after the fall".to_owned();
            steps.push(Step::new(lying.rule(), Turn::Completed { onset: lying.impact_us }, explanation));
        }
    }

    fn near_fall(&mut self, at_us: MonoUs, explanation: String, steps: &mut Vec<Step>) {
        let same = self.near_us.is_some_and(|then| at_us - then < SAME_EVENT_US);
        if self.pending.is_none() && self.lying.is_none() && !same {
            self.near_us = Some(at_us);
            steps.push(Step::new(&NEAR_FALL, Turn::Completed { onset: at_us }, explanation));
            steps.push(Step::new(&NEAR_FALL, Turn::Recovered, "the posture came back".into()));
        }
    }

    fn confirm(&mut self, pending: Pending, on_body: bool, steps: &mut Vec<Step>) {
        let Pending { impact_us, watch, explanation } = pending;
        let again = self.lying.is_some();
        // The first fall of an episode knows how the person stood.
        let lying = self.lying.get_or_insert(Lying { impact_us, watch, on_body, long: false });
        lying.on_body |= on_body;
        let rule = if on_body { &FALL } else { &FALL_OFF_BODY };
        let doubt = if on_body { "" } else { "; the sensor may be off the body" };
        let explanation = format!("{explanation}; not upright within 30 s{doubt}");
        let turn = Turn::Completed { onset: impact_us };
        steps.push(Step { again, ..Step::new(rule, turn, explanation) });
    }

    /// The sensor sits elsewhere now: what it saw there means nothing here. A fall is still a fall.
    pub fn moved(&mut self) {
        self.judge = Judge::default();
        self.limited.moved();
    }

    /// The rules that are active.
    pub fn active(&self) -> impl Iterator<Item = &'static Rule> {
        self.lying.iter().map(Lying::rule).chain(self.limited.active())
    }
}

impl Lying {
    fn rule(&self) -> &'static Rule {
        match (self.long, self.on_body) {
            (true, true) => &LONG_LIE,
            (_, false) => &FALL_OFF_BODY,
            (false, true) => &FALL,
        }
    }
}

fn explain(impact: &Impact, placement: &Placement) -> String {
    let Features { angle, turn, step, relative, .. } = impact.features;
    let shares = impact.features.shares(placement);
    let stayed = if impact.fall { "stayed" } else { "came back" };
    let parts = [
        (format!("posture {angle:.0}°"), shares.angle),
        ("turn".into(), shares.turn),
        ("step".into(), shares.step),
        ("nothing as strong after".into(), shares.relative),
        ("no movement as strong after".into(), shares.surge),
        ("dip".into(), shares.dip),
        ("quiet before".into(), shares.isolation),
    ];
    let parts: Vec<_> =
        parts.iter().filter(|(_, share)| *share != 0.0).map(|(name, share)| format!("{name} {share:+.1}")).collect();
    format!(
        "impact {:.1} g with a step of {step:.1} g, turned {turn:.0}°, posture {angle:.0}° and {stayed}, \
         {:.1} times as strong as what followed; score {:.1}, fall from {:.1} ({})",
        impact.peak_g,
        relative.exp2(),
        impact.score,
        placement.threshold,
        parts.join(", ")
    )
}
