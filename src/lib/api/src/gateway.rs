//! Gateways: the fleet as people see it, and what a gateway itself says and is told.

use jiff::Timestamp;
use medmon_core::noun::{ClockQuality, Contact, Fact, Ieee};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::limits::InForce;

/// A sensor as the gateway hears it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeviceHeard {
    /// Its address.
    #[schema(value_type = String, example = "00124b002a5c0d01")]
    pub ieee: Ieee,
    /// Seconds since its last reading; absent = not yet.
    #[serde(default)]
    pub heard_s_ago: Option<u64>,
    /// Link quality of the last hop, 0-255.
    #[serde(default)]
    pub link_quality: Option<u8>,
    /// Battery charge, %.
    #[serde(default)]
    pub battery_percent: Option<f64>,
    /// On the allow-list. What another says is counted and belongs to nobody.
    #[serde(default = "yes")]
    pub listed: bool,
}

/// Gateways of an earlier release name only what is on their list.
fn yes() -> bool {
    true
}

/// Lets sensors join a gateway for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Pair {
    /// Seconds, 1 to 900.
    pub for_s: u32,
}

/// A gateway's sign of life. Sent every 30 s or so; also confirms a binding and the Settings in force.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Heartbeat {
    /// The Settings it works by; 0 = none.
    pub settings_version: u64,
    /// The assignment it works under; 0 = none.
    pub epoch: u64,
    /// Why it refuses newer Settings, if it does.
    pub settings_rejected: Option<String>,
    /// How far its clock can be trusted.
    #[schema(value_type = String, example = "synced")]
    pub clock: ClockQuality,
    /// Its UTC in µs, to see its clock by.
    pub utc_us: i64,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Its release.
    pub release: String,
    /// Readings that wait for DETECT or DOWNSAMPLE.
    pub readings_waiting: u64,
    /// Envelopes that wait for the cloud.
    pub outbox_waiting: u64,
    /// Texts that wait for the modem.
    pub sms_waiting: u64,
    /// It has nothing that carries texts: somebody else has to.
    pub cannot_text: bool,
    /// Whether the modem answers; absent = none is fitted.
    pub modem_ok: Option<bool>,
    /// Sensors.
    pub devices: Vec<DeviceHeard>,
}

/// The answer to a heartbeat.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct HeartbeatAnswer {
    /// The newest Settings; fetch them if they are not in force.
    pub settings_version: u64,
    /// The cloud's UTC in µs.
    pub utc_us: i64,
    /// Higher than the last seen: ask for facts.
    pub facts_cursor: u64,
    /// Another than the last seen: the cloud was restored from a backup and may lack what it had said to hold. 0 = not known.
    #[serde(default)]
    pub generation: u64,
    /// What the cloud holds of this install's streams; empty = not said.
    #[serde(default)]
    pub held: Vec<StreamHeld>,
}

/// How far the cloud holds a stream of envelopes. What was set aside is a hole: its gateway was told, and sends it no more.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StreamHeld {
    /// The stream.
    pub stream: u8,
    /// The highest number that it holds; 0 = none.
    pub high: u64,
    /// Ranges of numbers up to `high`, from and to inclusive, that it does not hold.
    #[serde(default)]
    pub holes: Vec<(u64, u64)>,
}

impl StreamHeld {
    /// Whether it holds `sequence`.
    pub fn holds(&self, sequence: u64) -> bool {
        sequence <= self.high && !self.holes.iter().any(|(from, to)| (*from..=*to).contains(&sequence))
    }
}

/// Which lane envelopes travel in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// The newest window: the board waits for it.
    #[default]
    Live,
    /// What is past; it waits first when many send at once.
    Backlog,
}

/// How envelopes come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct IngestQuery {
    /// `live` (also if absent) or `backlog`.
    #[param(inline)]
    pub lane: Lane,
}

/// A gateway.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Gateway {
    /// Identity.
    pub id: Uuid,
    /// Site.
    pub site: Uuid,
    /// As shown: "gw-0007".
    pub name: String,
    /// The install that enrolled; absent = none yet.
    #[serde(default)]
    pub install: Option<Uuid>,
    /// When it was added.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
    /// When anything of it last arrived.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_heard_at: Option<Timestamp>,
    /// Assigned to this patient.
    #[serde(default)]
    pub patient: Option<Uuid>,
    /// The assignment; 0 = none.
    pub epoch: u64,
    /// Whether the newest Settings are in force.
    pub settings: InForce,
    /// Two boxes have its install: what it sends is set aside since then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub frozen_at: Option<Timestamp>,
    /// Envelopes of it that were set aside and wait for a decision.
    #[serde(default)]
    pub quarantined: u64,
    /// Sensors may join until then.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub pair_until: Option<Timestamp>,
    /// Its last heartbeat.
    #[serde(default)]
    pub heartbeat: Option<Heartbeat>,
}

/// A gateway to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewGateway {
    /// As shown, unique in its site: "gw-0007".
    pub name: String,
}

/// A gateway and the code it enrols with, shown once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GatewayCode {
    /// The gateway.
    pub gateway: Gateway,
    /// For `medmon-gatewayd enrol CODE`.
    pub code: String,
    /// Good until then.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
}

/// What a gateway sends with its one-time code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrol {
    /// The code.
    pub code: String,
    /// The install id that it made for itself and seals its envelopes with.
    pub install: Uuid,
}

/// What a gateway gets for its code. Repeated with the same install it gives a fresh token and ends the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Enrolled {
    /// Which gateway it is.
    pub gateway: Uuid,
    /// Its token, shown once.
    pub token: String,
}

/// How long to wait for a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct WaitQuery {
    /// Seconds, up to 60; 0 = answer at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u32>,
}

/// Whom a gateway is about to text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct ContactQuery {
    /// The assignment it works under.
    pub epoch: u64,
    /// The contact; absent = the first one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<Uuid>,
}

/// That contact as it is now. Only a newer epoch forbids the text: the gateway has another patient since.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ContactNow {
    /// The assignment in force; 0 = none.
    pub epoch: u64,
    /// The contact, or the first one where it is gone: id, name, phone, language. Absent = there is nobody to text.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub contact: Option<Contact>,
}

/// Facts from the ward for this gateway, newer than a cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(default)]
pub struct FactsQuery {
    /// `cursor` of the answer before; 0 = from the start.
    pub after: u64,
    /// Seconds to wait while there is none, up to 30.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_s: Option<u32>,
}

/// Facts that came from elsewhere than the asking gateway, such as a nurse's acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FactsDown {
    /// Facts, in the order they arrived; a union by id brings them in.
    #[schema(value_type = Vec<Object>)]
    pub facts: Vec<Fact>,
    /// Ask with this next time.
    pub cursor: u64,
    /// Pushed facts that were not taken. They will not be taken later either; all others were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<RefusedFact>,
}

/// A fact that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedFact {
    /// Its place in the request, from 0.
    pub index: u32,
    /// Its id, if it had one.
    #[serde(default)]
    pub id: Option<Uuid>,
    /// Why.
    pub reason: String,
}

/// What became of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SegmentTaken {
    /// It was durable here already: same alert, same part, same content.
    pub already_held: bool,
}
