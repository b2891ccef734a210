//! The coefficients of the fall detector, one table for each placement of the sensor.
//!
//! Source: logistic regression on UMAFall (Casilari et al., Procedia Comput. Sci. 110 (2017) 32-39), development
//! subjects U01 U05 U07 U12 U14 U16 U18 (95 falls, 237-271 activities of daily living), staged by volunteers of 21 to
//! 28 years: real falls of old people are less clean. Leave one subject out, sensitivity / specificity: waist
//! .989 / .996, chest .979 / 1.000, pocket .989 / .959, wrist .958 / .963. About 100 settings were compared on seven
//! subjects, so these figures are kind.

use crate::noun::Place;

/// What a placement weighs, and its threshold.
#[derive(Debug)]
pub struct Placement {
    /// Vectors longer than this are shortened to it, g. Above it height says only "this is a hop"; not at the wrist.
    pub cap_g: f64,
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
    /// Added to the sum.
    pub bias: f64,
    /// A fall from here on.
    pub threshold: f64,
}

const TRUNK: Placement = Placement {
    cap_g: 2.5,
    angle: 0.0963,
    turn: 0.0641,
    step: 3.497,
    relative: 2.262,
    dip: 0.0,
    isolation: 0.0,
    bias: -10.329,
    threshold: 0.234, // sensitivity .98 in training
};

const WRIST: Placement = Placement {
    cap_g: 16.0,
    angle: 0.0545,
    turn: 0.0143,
    step: 1.338,
    relative: 2.283,
    dip: 0.0,
    isolation: 4.185,
    bias: -8.633,
    threshold: 2.226, // sensitivity .95; at .98 the specificity is .73, useless
};

const POCKET: Placement = Placement {
    cap_g: 2.5,
    angle: 0.0635,
    turn: 0.1058,
    step: 3.661,
    relative: 2.312,
    dip: -6.648,
    isolation: 0.0,
    bias: -9.064,
    threshold: 0.591, // sensitivity .98
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
