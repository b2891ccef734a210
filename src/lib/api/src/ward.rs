//! Sites and their wards.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A house or an organisation: nothing is shown across sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Identity.
    pub id: Uuid,
    /// As shown.
    pub name: String,
}

/// A site to add.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewSite {
    /// As shown, unique.
    pub name: String,
}

/// A ward: the patients of one team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ward {
    /// Identity.
    pub id: Uuid,
    /// Its site.
    pub site: Uuid,
    /// As shown, unique in its site.
    pub name: String,
    /// The number texted after a patient's contacts, E.164.
    #[serde(default)]
    pub on_call_phone: Option<String>,
}

/// A ward to add to the caller's site.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewWard {
    /// As shown, unique in its site.
    pub name: String,
    /// The number texted after a patient's contacts, E.164.
    #[serde(default)]
    pub on_call_phone: Option<String>,
}
