//! Vitals: figures over a span, and the newest of each.

use jiff::Timestamp;
use medmon_core::noun::Vital;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// Points of one answer at most.
pub const MAX_POINTS: usize = 20_000;

/// Which span, and how fine.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct SeriesQuery {
    /// From; absent = 24 h before `until`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// To; absent = now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Seconds per point; absent = the windows as they were sealed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_s: Option<u32>,
}

/// What a vital did in one step. Figures in the vital's unit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Point {
    /// Start of the step.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Length; 0 = a single reading.
    pub span_s: u32,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// Mean of the readings.
    pub mean: f64,
    /// Readings.
    pub count: u64,
    /// The newest.
    pub last: f64,
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    pub last_at: Timestamp,
    /// Share of the expected readings that arrived, 0-1.
    pub coverage: f64,
    /// How many of `count` were not of good quality.
    pub suspect: u64,
}

/// A span without data: to be drawn as a hole, never bridged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Hole {
    /// From.
    #[schema(value_type = String, format = DateTime)]
    pub from_at: Timestamp,
    /// To.
    #[schema(value_type = String, format = DateTime)]
    pub to_at: Timestamp,
    /// Readings that the gateway knows to be lost; absent = it reported nothing, the data are just not there.
    #[serde(default)]
    pub lost: Option<u32>,
}

/// A vital over a span.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Series {
    /// Whose.
    pub patient: Uuid,
    /// Which vital.
    #[schema(value_type = String, example = "heart_rate")]
    pub vital: Vital,
    /// Its unit.
    pub unit: String,
    /// From.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// To.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Seconds per point; absent = as sealed.
    #[serde(default)]
    pub step_s: Option<u32>,
    /// Share of the span that is covered, 0-1.
    pub coverage: f64,
    /// Steps with data, oldest first.
    pub points: Vec<Point>,
    /// Holes longer than the vital may be silent, oldest first.
    pub gaps: Vec<Hole>,
}

/// Whose, and which span.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct TotalsQuery {
    /// Of this ward only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<Uuid>,
    /// From; absent = 24 h before `until`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// To; absent = now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

/// What a vital amounted to over a span, for one patient. Figures in the vital's unit; absent = no data, not zero.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TotalsRow {
    /// Whose.
    pub patient: Uuid,
    /// As shown.
    pub name: String,
    /// Smallest.
    pub min: Option<f64>,
    /// Largest.
    pub max: Option<f64>,
    /// Mean of the readings.
    pub mean: Option<f64>,
    /// Readings.
    pub count: u64,
    /// How many of them were not of good quality.
    pub suspect: u64,
    /// Share of the span that windows cover, 0-1; single readings cover nothing here.
    pub coverage: f64,
}

/// The same for each patient of a ward, by name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Totals {
    /// Which vital.
    #[schema(value_type = String, example = "heart_rate")]
    pub vital: Vital,
    /// Its unit.
    pub unit: String,
    /// From.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// To.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// A row a patient.
    pub rows: Vec<TotalsRow>,
}

/// Which way a vital goes, from its last windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trend {
    /// ↗
    Rising,
    /// →
    Steady,
    /// ↘
    Falling,
}

impl Trend {
    /// The arrow as shown.
    pub fn arrow(self) -> &'static str {
        match self {
            Self::Rising => "↗",
            Self::Steady => "→",
            Self::Falling => "↘",
        }
    }
}

/// The newest value of a vital.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Latest {
    /// Which vital.
    #[schema(value_type = String, example = "heart_rate")]
    pub vital: Vital,
    /// In `unit`.
    pub value: f64,
    /// Unit.
    pub unit: String,
    /// When it was read.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Age when the answer was made.
    pub age_s: u64,
    /// Older than the vital may be silent: UNKNOWN, not normal.
    pub stale: bool,
    /// Some of its window was not of good quality.
    pub suspect: bool,
    /// Which way it goes; absent = too little data.
    #[serde(default)]
    pub trend: Option<Trend>,
}
