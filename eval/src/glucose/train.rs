//! How the figures of core's `detect::glucose::Ahead` are chosen: the real detectors over all courses under each of a
//! few settings; and how people do under what was chosen without them.
//!
//! Not for: what a setting means (core says that).

use std::fmt::Write as _;

use medmon_core::detect::glucose::Ahead;

use super::course::{Course, Told};
use crate::figures::table;
use crate::row;

const MINUTE: i64 = 60_000_000;
/// No more false alarms a day than so many are taken into account, of level 1 and level 2: a little below the goals
/// (1.0, 0.45), for other people have others.
const FALSE_A_DAY: [f64; 2] = [0.93, 0.43];
/// More of the events of level 1 than this are not looked for: earlier counts more.
const ENOUGH: f64 = 0.94;

/// The settings compared for level 1.
fn long_lines() -> Vec<Ahead> {
    let mut all = Vec::new();
    for (margin, long_back_us) in [(1.0, 19), (1.0, 24), (1.0, 29), (2.0, 29)] {
        for long_ahead_us in [12, 13, 15, 17] {
            for long_fall in [0.4, 0.5, 0.6, 0.8] {
                for long_pace in [0.6, 0.7, 0.8, 0.9] {
                    let (long_back_us, long_ahead_us) = (long_back_us * MINUTE, long_ahead_us * MINUTE);
                    let ahead = Ahead { margin, long_back_us, long_ahead_us, long_fall, long_pace, ..Ahead::default() };
                    all.push(ahead);
                }
            }
        }
    }
    all
}

/// The settings compared for level 2.
fn steady_lines() -> Vec<Ahead> {
    let mut all = Vec::new();
    for steepest in [3.0, 4.0, 5.0, 99.0] {
        for (steady_ahead_us, steady_margin) in [(8, 2.0), (10, 0.0), (10, 2.0), (12, 0.0), (12, 2.0)] {
            // The last: none.
            for steady_fall in [1.0, 1.2, 1.4, 1.6, 1.8, 99.0] {
                let steady_ahead_us = steady_ahead_us * MINUTE;
                all.push(Ahead { steepest, steady_fall, steady_ahead_us, steady_margin, ..Ahead::default() });
            }
        }
    }
    all
}

/// What is told under a setting of a level: by person.
struct Tried {
    ahead: Ahead,
    people: Vec<Told>,
}

impl Tried {
    /// Of all but one.
    fn without(&self, left_out: Option<usize>, days: &[f64]) -> (Told, f64) {
        let (mut told, mut all_days) = (Told::default(), 0.0);
        for (person, days) in days.iter().enumerate().filter(|(person, _)| Some(*person) != left_out) {
            told.add(&self.people[person]);
            all_days += days;
        }
        (told, all_days)
    }

    /// What is better is larger. Level 1: enough events, then many of them early; level 2: all events, then few false.
    fn worth(&self, level: usize, left_out: Option<usize>, days: &[f64]) -> (f64, f64) {
        let (told, days) = self.without(left_out, days);
        let wrong = told.wrong as f64 / days;
        if wrong > FALSE_A_DAY[level] {
            return (-wrong, 0.0);
        }
        match level {
            0 => (told.events.value().min(ENOUGH), told.early().value()),
            _ => (told.events.value(), -wrong),
        }
    }
}

/// The best of all people's, and what each is told under the best of everybody else's.
pub fn tables(courses: &[Course]) -> anyhow::Result<String> {
    let pooled: Vec<_> = courses.iter().filter(|course| course.pooled).collect();
    let days: Vec<_> = pooled.iter().map(|course| course.days()).collect();
    let mut text = String::new();
    if pooled.len() < 3 {
        return Ok("Low glucose ahead: too few people\n".into());
    }
    for (level, settings) in [long_lines(), steady_lines()].into_iter().enumerate() {
        let mut tried = Vec::new();
        for ahead in settings {
            let of = |course: &&Course| Ok(course.told(&course.alarms(ahead)?)[level].clone());
            let people = pooled.iter().map(of).collect::<anyhow::Result<Vec<_>>>()?;
            tried.push(Tried { ahead, people });
        }
        let best = |left_out| {
            let worth = |tried: &&Tried| tried.worth(level, left_out, &days);
            tried.iter().max_by(|one, two| {
                let (one, two) = (worth(one), worth(two));
                one.0.total_cmp(&two.0).then(one.1.total_cmp(&two.1))
            })
        };
        let head = [row!["left out", "days"], row!["sensitivity", "false a day", "lead min", ">= 15 min"]].concat();
        let (mut rows, mut together) = (vec![head], Told::default());
        for (person, course) in pooled.iter().enumerate() {
            let Some(best) = best(Some(person)) else { continue };
            let told = &best.people[person];
            together.add(told);
            rows.push([row![course.name, format!("{:.1}", days[person])], told.cells(days[person])].concat());
        }
        let all: f64 = days.iter().sum();
        rows.push([row!["together", format!("{all:.1}")], together.cells(all)].concat());
        let _ = writeln!(
            text,
            "Low glucose ahead, level {}: {} settings; of everybody the best is\n{:?}\nand of everybody but the person \
             who is judged\n{}",
            level + 1,
            tried.len(),
            best(None).map(|best| best.ahead),
            table(&rows)
        );
    }
    Ok(text)
}
