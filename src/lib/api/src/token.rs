//! Tokens, and who the caller of one is.

use jiff::Timestamp;
use medmon_core::noun::Role;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A token without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Token {
    /// Identity of the principal behind it.
    pub id: Uuid,
    /// As shown: "A. Martin".
    pub name: String,
    /// Role.
    #[schema(value_type = String, example = "nurse")]
    pub role: Role,
    /// Site.
    pub site: Uuid,
    /// Confined to this ward.
    #[serde(default)]
    pub ward: Option<Uuid>,
    /// The patient of a relative or a patient.
    #[serde(default)]
    pub patient: Option<Uuid>,
    /// Which gateway it is.
    #[serde(default)]
    pub gateway: Option<Uuid>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// A token to make in the caller's site.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// As shown: "A. Martin".
    pub name: String,
    /// Role; gateways enrol instead.
    #[schema(value_type = String, example = "nurse")]
    pub role: Role,
    /// Confined to this ward.
    #[serde(default)]
    pub ward: Option<Uuid>,
    /// The patient of a relative or a patient.
    #[serde(default)]
    pub patient: Option<Uuid>,
    /// When it ends by itself.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A new token with its secret, shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CreatedToken {
    /// About it.
    pub about: Token,
    /// `mm_…`: send as `Authorization: Bearer`.
    pub token: String,
}

/// Who the caller is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// Identity.
    pub id: Uuid,
    /// As shown.
    pub name: String,
    /// Role.
    #[schema(value_type = String, example = "nurse")]
    pub role: Role,
    /// Site.
    pub site: Uuid,
    /// Its name.
    pub site_name: String,
    /// Confined to this ward.
    #[serde(default)]
    pub ward: Option<Uuid>,
    /// Its name.
    #[serde(default)]
    pub ward_name: Option<String>,
    /// The patient of a relative or a patient.
    #[serde(default)]
    pub patient: Option<Uuid>,
    /// Which gateway it is.
    #[serde(default)]
    pub gateway: Option<Uuid>,
    /// When the token ends by itself.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}
