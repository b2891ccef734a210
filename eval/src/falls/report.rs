//! What the fall detector does with the recordings: `falls.jsonl`, tables, and the tables of coefficients to paste.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use medmon_core::detect::fall::Placement;
use medmon_core::noun::Place;
use serde_json::json;

use super::change::Change;
use super::train::{self, Example};
use super::{Recording, fall_at, impacts};
use crate::figures::{Share, table};
use crate::row;

/// The recordings of one placement.
pub type Placed = (&'static str, Place, Vec<Recording>);

/// Placements that share a table.
const TABLES: [(&str, &[&str]); 3] = [("TRUNK", &["waist", "chest"]), ("WRIST", &["wrist"]), ("POCKET", &["pocket"])];

/// What happens to sensors and people.
const CHANGES: [Change; 10] = [
    Change::Native,
    Change::Rate(25.0),
    Change::Rate(12.5),
    Change::Rate(10.0),
    Change::Rate(5.0),
    Change::Lost(0.1),
    Change::Lost(0.2),
    Change::Clipped(2.0),
    Change::Struggling(0.2),
    Change::Walking,
];

/// Sensitivity and specificity.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Falls found.
    pub sensitivity: Share,
    /// Recordings of daily life without an alarm.
    pub specificity: Share,
}

impl Rates {
    fn count(&mut self, fall: bool, found: bool) {
        if fall { self.sensitivity.count(found) } else { self.specificity.count(!found) }
    }

    /// Of labelled recordings, by the detector as it is.
    pub fn of(recordings: &[Recording], placement: &Placement) -> Self {
        let mut rates = Self::default();
        for recording in recordings {
            if let Some(fall) = recording.fall {
                rates.count(fall, fall_at(&recording.samples, placement).is_some());
            }
        }
        rates
    }

    fn short(self) -> String {
        format!("{} / {}", self.sensitivity.short(), self.specificity.short())
    }
}

/// A line of `falls.jsonl` for each recording and placement: when the detector says somebody fell.
pub fn lines(all: &[Placed]) -> String {
    let mut text = String::new();
    for (name, place, recordings) in all {
        for recording in recordings {
            let t = fall_at(&recording.samples, Placement::of(Some(*place)));
            let line = json!({"recording": recording.name, "place": name, "t": t});
            let _ = writeln!(text, "{line}");
        }
    }
    text
}

/// The tables of `eval falls`.
pub fn tables(all: &[Placed]) -> String {
    let mut rows =
        vec![row!["place", "recordings", "people", "sensitivity (95 %)", "specificity (95 %)", "near-falls"]];
    let mut errors = String::new();
    for (name, place, recordings) in all {
        let placement = Placement::of(Some(*place));
        let rates = Rates::of(recordings, placement);
        let people: BTreeSet<_> = recordings.iter().map(|recording| &recording.subject).collect();
        let nearly = |recording: &&Recording| {
            let impacts = impacts(&recording.samples, placement);
            recording.fall == Some(false) && impacts.iter().any(|impact| impact.near_fall)
        };
        let near = recordings.iter().filter(nearly).count();
        let (sensitivity, specificity) = (rates.sensitivity.long(), rates.specificity.long());
        rows.push(row![name, recordings.len(), people.len(), sensitivity, specificity, near]);
        for (what, label) in [("missed", true), ("false", false)] {
            let wrong = |recording: &&Recording| {
                recording.fall == Some(label) && fall_at(&recording.samples, placement).is_some() != label
            };
            let names: Vec<_> = recordings.iter().filter(wrong).map(|recording| recording.name.as_str()).collect();
            if !names.is_empty() {
                let _ = writeln!(errors, "{name}, {what}: {}", names.join(" "));
            }
        }
    }
    let mut text = format!("Falls: staged ones against daily life, the detector as it is\n{}{errors}\n", table(&rows));

    let mut rows = vec![[row!["sensitivity / specificity"], CHANGES.map(Change::name).to_vec()].concat()];
    for (name, place, recordings) in all {
        let of = |change: &Change| Rates::of(&change.of(recordings), Placement::of(Some(*place))).short();
        rows.push([row![name], CHANGES.iter().map(of).collect()].concat());
    }
    let _ = writeln!(text, "What happens to sensors and people\n{}", table(&rows));
    text + &left_out(all)
}

/// Figures of models that were fitted without the person they judge.
pub fn left_out(all: &[Placed]) -> String {
    let mut rows = vec![row!["place", "left out: sensitivity", "specificity", "nested: sensitivity", "specificity"]];
    for (_, places) in TABLES {
        let mine: Vec<_> = all.iter().filter(|placed| places.contains(&placed.0)).collect();
        let Some(&&(_, place, _)) = mine.first() else { continue };
        let recordings: Vec<_> = mine.iter().map(|placed| &placed.2[..]).collect();
        let material = train::material(&recordings, place);
        if subjects_with_falls(&material) < 3 {
            continue;
        }
        let pooled = train::threshold(&train::left_out(&material, place));
        let folds: Vec<_> = train::subjects(&material)
            .into_iter()
            .map(|subject| {
                let rest = train::without(&material, &subject);
                let nested = train::threshold(&train::left_out(&rest, place));
                (train::fit(&rest, place), nested, subject)
            })
            .collect();
        for (name, _, recordings) in mine {
            let examples = train::examples(recordings, place);
            let (mut loso, mut nested) = (Rates::default(), Rates::default());
            for (model, threshold, subject) in &folds {
                for example in examples.iter().filter(|example| example.subject == *subject) {
                    let score = train::score(example, model);
                    loso.count(example.fall, score >= pooled);
                    nested.count(example.fall, score >= *threshold);
                }
            }
            let Rates { sensitivity, specificity } = loso;
            rows.push(row![
                name,
                sensitivity.long(),
                specificity.long(),
                nested.sensitivity.short(),
                nested.specificity.short()
            ]);
        }
    }
    let head =
        "Refitted without the person who is judged: at the threshold of all, and (nested) one chosen without them too";
    if rows.len() > 1 {
        format!("{head}\n{}\n", table(&rows))
    } else {
        format!("{head}: too few people with falls\n\n")
    }
}

fn subjects_with_falls(examples: &[Example]) -> usize {
    let falls = examples.iter().filter(|example| example.fall);
    falls.map(|example| &example.subject).collect::<BTreeSet<_>>().len()
}

/// The tables of coefficients for core's `placement.rs`, fitted to all recordings.
pub fn coefficients(all: &[Placed]) -> String {
    let mut text = String::new();
    for (table, places) in TABLES {
        let mine: Vec<_> = all.iter().filter(|placed| places.contains(&placed.0)).collect();
        let Some(&&(_, place, _)) = mine.first() else { continue };
        let recordings: Vec<_> = mine.iter().map(|placed| &placed.2[..]).collect();
        let material = train::material(&recordings, place);
        let model = train::fit(&material, place);
        let threshold = train::threshold(&train::left_out(&material, place));
        let Placement { cap_g, needs_height, angle, turn, step, relative, dip, isolation, surge, bias, .. } = model;
        let people: Vec<_> = train::subjects(&material).into_iter().collect();
        let _ = writeln!(
            text,
            "// {} of {}\nconst {table}: Placement = Placement {{\n    cap_g: {cap_g:?},\n    needs_height: {needs_height},\n    angle: {angle:.4},\n    \
             turn: {turn:.4},\n    step: {step:.3},\n    relative: {relative:.3},\n    dip: {dip:.3},\n    \
             isolation: {isolation:.3},\n    surge: {surge:.3},\n    bias: {bias:.3},\n    \
             threshold: {threshold:.2},\n}};\n",
            places.join(" and "),
            people.join(" ")
        );
    }
    text
}
