//! Whom the gateway texts, in order.

use medmon_core::noun::Language;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A contact of a patient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Contact {
    /// Identity.
    pub id: Uuid,
    /// Whose.
    pub patient: Uuid,
    /// Place in the ladder, from 1.
    pub position: u32,
    /// As shown and as texted: "Paul".
    pub name: String,
    /// E.164: "+33612345678".
    pub phone: String,
    /// "son", "neighbour".
    #[serde(default)]
    pub relation: String,
    /// Language of the texts.
    #[schema(value_type = String, example = "fr")]
    pub language: Language,
}

/// A contact to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewContact {
    /// As shown and as texted: "Paul".
    pub name: String,
    /// E.164: "+33612345678". Spaces are taken out.
    pub phone: String,
    /// "son", "neighbour".
    #[serde(default)]
    pub relation: String,
    /// Language of the texts.
    #[serde(default)]
    #[schema(value_type = String, example = "fr")]
    pub language: Language,
    /// Place in the ladder, from 1; absent = last.
    #[serde(default)]
    pub position: Option<u32>,
}

/// What to change; absent = as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactPatch {
    /// As shown and as texted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// E.164.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// "son", "neighbour".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relation: Option<String>,
    /// Language of the texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub language: Option<Language>,
    /// New place in the ladder, from 1; the others move.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
}
