//! How the coefficients of core's `detect/fall/placement.rs` are made: a logistic regression on the features of the
//! impact that speaks most for a fall in each recording, refitted until those impacts stay the same.
//!
//! The features and their caps are core's own. Waist and chest share one table. `medmon-eval train` prints the tables to
//! paste, each with the figures it has when people are left out. Not for: judging (core does that).

use std::collections::BTreeSet;

use medmon_core::detect::fall::{Features, Placement};
use medmon_core::noun::Place;

use super::change::Change;
use super::{Recording, impacts};

/// How many columns a model has at most, without its bias.
const COLUMNS: usize = 7;
/// Pulls the coefficients of standardised features towards 0, for each example: seven subjects are few.
const RIDGE: f64 = 0.004;
/// Refits with the impacts that the last fit looks at.
const ROUNDS: usize = 12;
/// What is learnt from: volunteers lie still after a fall, people who fell do not; and no sensor samples like these.
const SEEN_AS: [Change; 3] = [Change::Native, Change::Struggling(0.2), Change::Rate(25.0)];

/// A recording as a model sees it.
#[derive(Clone, Debug)]
pub struct Example {
    /// Who.
    pub subject: String,
    /// Whether it is a fall.
    pub fall: bool,
    /// Of each impact in it.
    pub candidates: Vec<Features>,
}

/// The labelled recordings, as a model of `place` sees them.
pub fn examples(recordings: &[Recording], place: Place) -> Vec<Example> {
    let placement = Placement::of(Some(place));
    let labelled = recordings.iter().filter_map(|recording| recording.fall.map(|fall| (recording, fall)));
    let example = |(recording, fall): (&Recording, bool)| {
        let candidates = impacts(&recording.samples, placement).into_iter().map(|impact| impact.features);
        Example { subject: recording.subject.clone(), fall, candidates: candidates.collect() }
    };
    labelled.map(example).collect()
}

/// What a table is fitted to: the recordings of all placements that share it, in each of the ways they are seen.
pub fn material(recordings: &[&[Recording]], place: Place) -> Vec<Example> {
    let seen = |recordings: &&[Recording]| -> Vec<Example> {
        SEEN_AS.iter().flat_map(|change| examples(&change.of(recordings), place)).collect()
    };
    recordings.iter().flat_map(seen).collect()
}

/// Who is in it.
pub fn subjects(examples: &[Example]) -> BTreeSet<String> {
    examples.iter().map(|example| example.subject.clone()).collect()
}

/// The examples of everybody else.
pub fn without(examples: &[Example], subject: &str) -> Vec<Example> {
    examples.iter().filter(|example| example.subject != subject).cloned().collect()
}

/// Score and truth of each example, by a model fitted without its subject.
pub fn left_out(examples: &[Example], place: Place) -> Vec<(f64, bool)> {
    let mut scores = Vec::new();
    for subject in subjects(examples) {
        let model = fit(&without(examples, &subject), place);
        let own = examples.iter().filter(|example| example.subject == subject);
        scores.extend(own.map(|example| (score(example, &model), example.fall)));
    }
    scores
}

/// The middle of the thresholds that are, within half a point, best in sensitivity and specificity together. A point
/// of specificity counts thrice: a life holds far more impacts than falls.
pub fn threshold(scores: &[(f64, bool)]) -> f64 {
    const SLACK: f64 = 0.005;
    let (falls, others) = (scores.iter().filter(|row| row.1).count(), scores.iter().filter(|row| !row.1).count());
    let together = |at: f64| {
        let found = scores.iter().filter(|row| row.1 && row.0 >= at).count();
        let quiet = scores.iter().filter(|row| !row.1 && row.0 < at).count();
        found as f64 / falls.max(1) as f64 + 3.0 * quiet as f64 / others.max(1) as f64
    };
    let grid: Vec<_> = (-60..=60).map(|step| f64::from(step) / 20.0).map(|at| (at, together(at))).collect();
    let best = grid.iter().map(|row| row.1).fold(0.0, f64::max);
    let good: Vec<_> = grid.iter().filter(|row| row.1 >= best - SLACK).map(|row| row.0).collect();
    good.iter().sum::<f64>() / good.len() as f64
}

/// Which columns a placement uses.
fn used(place: Place) -> [bool; COLUMNS] {
    let wrist = place == Place::Wrist;
    [true, true, true, !wrist, place == Place::Pocket, wrist, wrist]
}

/// The capped features, as the score adds them up.
fn columns(features: &Features) -> [f64; COLUMNS] {
    let unit = Placement {
        angle: 1.0,
        turn: 1.0,
        step: 1.0,
        relative: 1.0,
        dip: 1.0,
        isolation: 1.0,
        surge: 1.0,
        bias: 0.0,
        ..*Placement::of(None)
    };
    let shares = features.shares(&unit);
    [shares.angle, shares.turn, shares.step, shares.relative, shares.dip, shares.isolation, shares.surge]
}

/// The score of a recording: of the impact that speaks most for a fall; minus infinity without any.
pub fn score(example: &Example, model: &Placement) -> f64 {
    example.candidates.iter().map(|features| features.score(model)).fold(f64::NEG_INFINITY, f64::max)
}

/// Fits the coefficients of a placement. The threshold is 0.
pub fn fit(examples: &[Example], place: Place) -> Placement {
    let used = used(place);
    // At first the impact with the largest step speaks; the table in force must not, it knows everybody.
    let mut model = Placement {
        angle: 0.0,
        turn: 0.0,
        step: 1.0,
        relative: 0.0,
        dip: 0.0,
        isolation: 0.0,
        surge: 0.0,
        bias: 0.0,
        threshold: 0.0,
        ..*Placement::of(Some(place))
    };
    for _ in 0..ROUNDS {
        let mut rows = Vec::new();
        for example in examples {
            let most = example.candidates.iter().max_by(|one, two| one.score(&model).total_cmp(&two.score(&model)));
            rows.extend(most.map(|features| (columns(features), example.fall)));
        }
        let [angle, turn, step, relative, dip, isolation, surge, bias] = logistic(&rows, used);
        model = Placement { angle, turn, step, relative, dip, isolation, surge, bias, ..model };
    }
    model
}

/// Logistic regression by Newton's method, on standardised columns, both classes with the same weight in sum; the
/// bias comes last.
fn logistic(rows: &[([f64; COLUMNS], bool)], used: [bool; COLUMNS]) -> [f64; COLUMNS + 1] {
    const SIZE: usize = COLUMNS + 1;
    let count = rows.len().max(1) as f64;
    let falls = rows.iter().filter(|row| row.1).count() as f64;
    let mean: [f64; COLUMNS] = std::array::from_fn(|column| rows.iter().map(|row| row.0[column]).sum::<f64>() / count);
    let spread: [f64; COLUMNS] = std::array::from_fn(|column| {
        let square = rows.iter().map(|row| (row.0[column] - mean[column]).powi(2)).sum::<f64>() / count;
        square.sqrt().max(1e-9)
    });
    let standard = |row: &[f64; COLUMNS]| -> [f64; SIZE] {
        std::array::from_fn(|column| match column {
            COLUMNS => 1.0,
            _ if used[column] => (row[column] - mean[column]) / spread[column],
            _ => 0.0,
        })
    };
    let mut beta = [0.0; SIZE];
    for _ in 0..25 {
        let (mut gradient, mut hessian) = ([0.0; SIZE], [[0.0; SIZE]; SIZE]);
        for (row, fall) in rows {
            let x = standard(row);
            let weight = 0.5 * count / if *fall { falls } else { count - falls }.max(1.0);
            let z: f64 = x.iter().zip(&beta).map(|(x, beta)| x * beta).sum();
            let chance = 1.0 / (1.0 + (-z).exp());
            let slope = weight * (f64::from(u8::from(*fall)) - chance);
            let curve = weight * (chance * (1.0 - chance)).max(1e-6);
            for one in 0..SIZE {
                gradient[one] += slope * x[one];
                for two in 0..SIZE {
                    hessian[one][two] += curve * x[one] * x[two];
                }
            }
        }
        for column in 0..SIZE {
            let pull = if column == COLUMNS { 1e-6 } else { RIDGE * count };
            gradient[column] -= pull * beta[column];
            hessian[column][column] += pull;
        }
        let Some(change) = solve(hessian, gradient) else { break };
        beta.iter_mut().zip(change).for_each(|(beta, change)| *beta += change.clamp(-2.0, 2.0));
    }
    let mut plain: [f64; SIZE] =
        std::array::from_fn(|column| if column < COLUMNS { beta[column] / spread[column] } else { beta[column] });
    plain[COLUMNS] -= (0..COLUMNS).map(|column| plain[column] * mean[column]).sum::<f64>();
    plain
}

/// Gauss' elimination with pivots; `None` where there is no one solution.
fn solve<const N: usize>(mut matrix: [[f64; N]; N], mut right: [f64; N]) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot = (column..N).max_by(|one, two| matrix[*one][column].abs().total_cmp(&matrix[*two][column].abs()))?;
        if matrix[pivot][column].abs() < 1e-12 {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        for row in (0..N).filter(|row| *row != column) {
            let factor = matrix[row][column] / matrix[column][column];
            let (from, into) = (matrix[column], &mut matrix[row]);
            into.iter_mut().zip(from).for_each(|(into, from)| *into -= factor * from);
            right[row] -= factor * right[column];
        }
    }
    Some(std::array::from_fn(|row| right[row] / matrix[row][row]))
}
