//! The coefficients of the fall detector, one table for each placement of the sensor.
//!
//! Made by `cargo xtask eval train` (eval/src/falls/train.rs, a logistic regression) on 2026-11-24 from UMAFall
//! (Casilari et al., Procedia Comput. Sci. 110 (2017) 32-39), subjects U01 U05 U07 U12 U14 U16 U18: 95 falls and 237 to
//! 271 recordings of daily life, the falls staged by volunteers of 21 to 28 years: real falls of old people are less
//! clean. With the person left out, sensitivity / specificity: waist 1.000 / .996, chest .979 / 1.000, pocket
//! .979 / .959, wrist .968 / .970; with the threshold chosen without them too: .989 / .992, .979 / 1.000, .989 / .959,
//! .968 / .978. Dozens of settings were compared on these seven people, so the figures are kind.

use crate::noun::Place;

/// What a placement weighs, and its threshold.
#[derive(Debug)]
pub struct Placement {
    /// Vectors longer than this are shortened to it, g. Above it height says only "this is a hop"; not at the wrist.
    pub cap_g: f64,
    /// Whether a sensor that is cut off at 2 g misses much.
    pub needs_height: bool,
    /// Per degree of posture that stays changed.
    pub angle: f64,
    /// Per degree of turn within the impact.
    pub turn: f64,
    /// Per doubling of the step.
    pub step: f64,
    /// Per doubling of the peak over what follows.
    pub relative: f64,
    /// Per g of the dip before the impact.
    pub dip: f64,
    /// Per doubling of the peak over what precedes.
    pub isolation: f64,
    /// Per doubling of the movement over what follows.
    pub surge: f64,
    /// Added to the sum.
    pub bias: f64,
    /// A fall from here on.
    pub threshold: f64,
}

const TRUNK: Placement = Placement {
    cap_g: 2.5,
    needs_height: false,
    angle: 0.0822,
    turn: 0.0603,
    step: 2.935,
    relative: 2.036,
    dip: 0.0,
    isolation: 0.0,
    surge: 0.0,
    bias: -9.108,
    threshold: 0.10,
};

const WRIST: Placement = Placement {
    cap_g: 16.0,
    needs_height: true,
    angle: 0.0088,
    turn: 0.0282,
    step: 1.167,
    relative: 0.0,
    dip: 0.0,
    isolation: 5.344,
    surge: 3.782,
    bias: -11.403,
    threshold: 0.27,
};

const POCKET: Placement = Placement {
    cap_g: 2.5,
    needs_height: false,
    angle: 0.0489,
    turn: 0.0856,
    step: 2.975,
    relative: 1.458,
    dip: -6.822,
    isolation: 0.0,
    surge: 0.0,
    bias: -6.483,
    threshold: 0.19,
};

impl Placement {
    /// The table for `place`. A sensor without one is taken to be on the trunk.
    pub fn of(place: Option<Place>) -> &'static Self {
        match place {
            None | Some(Place::Waist | Place::Chest) => &TRUNK,
            Some(Place::Wrist) => &WRIST,
            Some(Place::Pocket) => &POCKET,
        }
    }
}
