//! Whom the gateway texts, in order.

use jiff::Timestamp;
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

impl From<Contact> for medmon_core::noun::Contact {
    /// As Settings carry it.
    fn from(contact: Contact) -> Self {
        Self { id: contact.id, name: contact.name, phone: contact.phone, language: contact.language }
    }
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

/// Asks for an exercise: the gateway texts one contact and says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct ContactTest {
    /// Seconds within which the gateway has to hear of it, 60 to 3600; absent = 600.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub for_s: Option<u32>,
}

/// An exercise that was asked for. Its steps are the facts of the drill alert that the gateway raises for the contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Drill {
    /// Identity.
    pub id: Uuid,
    /// Whose contact.
    pub patient: Uuid,
    /// Who is texted; absent = the first contact.
    #[serde(default)]
    pub contact: Option<Uuid>,
    /// The gateway that is to text.
    pub gateway: Uuid,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// A gateway that hears of it later lets it be.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}
