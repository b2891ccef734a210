//! Assignments: which gateway speaks for which patient, from when to when; and the sensors on its allow-list.

use std::collections::BTreeMap;

use jiff::Timestamp;
use medmon_core::noun::{Binding, Device, Ieee, Vital};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// An assignment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Assignment {
    /// Its number, growing; travels in envelopes and facts.
    pub epoch: u64,
    /// The gateway.
    pub gateway: Uuid,
    /// The patient.
    pub patient: Uuid,
    /// pending, confirmed, ended.
    #[schema(value_type = String, example = "confirmed")]
    pub binding: Binding,
    /// From.
    #[serde(rename = "from_at")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// To; absent = open.
    #[serde(rename = "to_at", default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
}

/// Binds a gateway to the patient of the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Bind {
    /// The gateway.
    pub gateway: Uuid,
}

/// The sensors of a patient and how often they speak. Replaces what was there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Devices {
    /// The allow-list.
    #[schema(value_type = Vec<Object>, example = json!([
        {"ieee": "00124b002a5c0d01", "label": "wrist band", "vitals": ["heart_rate"], "place": "wrist"}
    ]))]
    pub devices: Vec<Device>,
    /// Expected seconds between readings by vital, where it differs from the vital table.
    #[schema(value_type = BTreeMap<String, u32>)]
    pub cadences: BTreeMap<Vital, u32>,
    /// The same of one sensor, where it differs from the others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(value_type = BTreeMap<String, BTreeMap<String, u32>>)]
    pub cadences_of: BTreeMap<Ieee, BTreeMap<Vital, u32>>,
}

/// Everything that is known of a sensor: to whom it was given, and who hears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceHistory {
    /// Its address.
    #[schema(value_type = String, example = "00124b002a5c0d01")]
    pub ieee: Ieee,
    /// Patients it was given to, newest first; only those that the caller may see.
    pub given: Vec<DeviceGiven>,
    /// Gateways of the site that hear it, newest first. More than one at a time: a neighbour's home, or two sensors
    /// under one address.
    pub heard: Vec<DeviceHeardBy>,
}

/// A sensor on a patient's list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceGiven {
    /// Whose.
    pub patient: Uuid,
    /// As people call it.
    pub label: String,
    /// Since.
    #[serde(rename = "from_at")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Until; absent = still.
    #[serde(rename = "to_at", default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Who put it there.
    pub by: String,
}

/// A gateway that hears a sensor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceHeardBy {
    /// Which.
    pub gateway: Uuid,
    /// Its name.
    pub name: String,
    /// When it last said so.
    #[serde(rename = "at")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whether it is on that gateway's allow-list.
    pub listed: bool,
}
