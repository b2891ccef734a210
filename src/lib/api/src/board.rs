//! The ward's board: one snapshot with all that a screen of the ward has to show.

use jiff::Timestamp;
use medmon_core::noun::{Binding, ClockQuality};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::alert::Alert;
use crate::feeling::Feeling;
use crate::limits::InForce;
use crate::vitals::Latest;

/// Which ward.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct BoardQuery {
    /// This ward only; absent = all that the caller may see.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ward: Option<Uuid>,
}

/// Which part of the board a patient is in. Ordered as shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Section {
    /// An open physiological alert that the ward has not acknowledged.
    NeedsAnswer,
    /// Something expected is not heard: an open technical alert, or values older than they may be.
    NotHeard,
    /// All open alerts are acknowledged.
    Answered,
    /// Nothing is open.
    Calm,
}

/// The gateway that speaks for a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BoardGateway {
    /// Identity.
    pub id: Uuid,
    /// As shown.
    pub name: String,
    /// pending, confirmed.
    #[schema(value_type = String)]
    pub binding: Binding,
    /// Since when it is bound.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// When anything of it last arrived.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_heard_at: Option<Timestamp>,
    /// How long ago that was.
    #[serde(default)]
    pub heard_age_s: Option<u64>,
    /// How far its clock can be trusted; absent = no heartbeat yet.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub clock: Option<ClockQuality>,
    /// Whether the newest Settings are in force there.
    pub settings: InForce,
}

/// One patient of the board.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BoardRow {
    /// Identity.
    pub patient: Uuid,
    /// As shown: "DOE Jeanne".
    pub name: String,
    /// Second identifier.
    pub birth_year: i16,
    /// IANA zone of the home.
    pub time_zone: String,
    /// Ward.
    pub ward: Option<Uuid>,
    /// Which part of the board.
    pub section: Section,
    /// Newest value of each vital, in the order of the vital table.
    pub vitals: Vec<Latest>,
    /// Open alerts, worst and unacknowledged first.
    pub alerts: Vec<Alert>,
    /// The gateway; absent = none is bound.
    #[serde(default)]
    pub gateway: Option<BoardGateway>,
    /// The newest feeling of the last 24 h.
    #[serde(default)]
    pub feeling: Option<Feeling>,
}

/// How many of what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// Patients on the board.
    pub patients: u32,
    /// Open, unacknowledged, physiological, high.
    pub high: u32,
    /// Likewise, medium.
    pub medium: u32,
    /// Likewise, low.
    pub low: u32,
    /// Patients not heard.
    pub unknown: u32,
    /// Open alerts that the ward has acknowledged.
    pub acknowledged: u32,
}

/// The board, worst and unacknowledged first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Name of the site.
    pub site: String,
    /// Name of the ward; absent = several.
    #[serde(default)]
    pub ward: Option<String>,
    /// Follow `/v1/events` from here.
    pub last_event_id: u64,
    /// Totals.
    pub counts: Counts,
    /// Patients.
    pub rows: Vec<BoardRow>,
}
