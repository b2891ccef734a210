//! Who may do what: one pure function, [`may`], called by every handler.
//!
//! Not for proving who somebody is (tokens, OIDC: cloudd's `auth`), nor for break-glass, which widens a Principal
//! before it is asked here.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::UtcUs;

/// What somebody is to the patients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Opens records, binds gateways, sets limits, reads all of a patient.
    Doctor,
    /// Watches a ward: reads, answers alerts, writes reports.
    Nurse,
    /// Reads one patient plainly: that there was an alarm and who took care, no figures.
    Relative,
    /// Reads the own record, adds feelings.
    Patient,
    /// Keeps gateways running. Sees no vitals.
    Maintainer,
    /// Tokens, gateways, wards. Sees no patients.
    Admin,
    /// A gateway: its own endpoints only.
    Gateway,
}

impl Role {
    /// All roles, in the order people list them.
    pub const ALL: [Self; 7] =
        [Self::Doctor, Self::Nurse, Self::Relative, Self::Patient, Self::Maintainer, Self::Admin, Self::Gateway];

    /// The name as in files, API and command lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Doctor => "doctor",
            Self::Nurse => "nurse",
            Self::Relative => "relative",
            Self::Patient => "patient",
            Self::Maintainer => "maintainer",
            Self::Admin => "admin",
            Self::Gateway => "gateway",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or_else(|| {
            let known: Vec<_> = Self::ALL.iter().map(|role| role.name()).collect();
            format!("`{text}` is not a role, expected one of {}", known.join(", "))
        })
    }
}

/// Somebody or something that has proved who it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    /// Identity, as it stands in the audit.
    pub id: Uuid,
    /// As shown: "A. Martin".
    pub name: String,
    /// What it is to the patients.
    pub role: Role,
    /// The site it belongs to; nothing of another site is ever shown.
    pub site: Uuid,
    /// The ward it is confined to; `None` = the whole site.
    pub ward: Option<Uuid>,
    /// The one patient of a relative or a patient.
    pub patient: Option<Uuid>,
    /// Which gateway it is.
    pub gateway: Option<Uuid>,
    /// When its proof ends, UTC; `None` = when revoked.
    pub expires_us: Option<UtcUs>,
}

/// What is to be done. Reading and writing are apart, and so is each kind of thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Name, birth year, ward, settings state of a patient.
    ReadPatient,
    /// Open, change, archive a record.
    WritePatient,
    /// Figures: windows, latest values, the board.
    ReadVitals,
    /// That there was an alert, what of, and who answered.
    ReadAlerts,
    /// Acknowledge or silence for the ward.
    AnswerAlert,
    /// A patient's limits.
    ReadLimits,
    /// Change them.
    WriteLimits,
    /// Whom the gateway texts: names and numbers.
    ReadContacts,
    /// Change them.
    WriteContacts,
    /// Which gateway and from when.
    ReadAssignments,
    /// Bind and unbind a gateway, change the device list.
    Bind,
    /// Reports of the care team.
    ReadReports,
    /// Write one.
    WriteReport,
    /// How the patient feels.
    ReadFeelings,
    /// Say how the patient feels.
    AddFeeling,
    /// Gateways: last heard, release, devices, depths.
    ReadFleet,
    /// Add and revoke gateways.
    WriteFleet,
    /// Sites and wards by name.
    ReadWards,
    /// Add and change them.
    WriteWards,
    /// List, create and revoke tokens.
    ManageTokens,
    /// Ingest, settings, facts and heartbeat of a gateway.
    ServeGateway,
}

impl Action {
    /// All actions, for table tests.
    pub const ALL: [Self; 21] = [
        Self::ReadPatient,
        Self::WritePatient,
        Self::ReadVitals,
        Self::ReadAlerts,
        Self::AnswerAlert,
        Self::ReadLimits,
        Self::WriteLimits,
        Self::ReadContacts,
        Self::WriteContacts,
        Self::ReadAssignments,
        Self::Bind,
        Self::ReadReports,
        Self::WriteReport,
        Self::ReadFeelings,
        Self::AddFeeling,
        Self::ReadFleet,
        Self::WriteFleet,
        Self::ReadWards,
        Self::WriteWards,
        Self::ManageTokens,
        Self::ServeGateway,
    ];

    /// In words, for a refusal: "... may not `change limits`".
    pub fn words(self) -> &'static str {
        match self {
            Self::ReadPatient => "read a patient's record",
            Self::WritePatient => "open or change a record",
            Self::ReadVitals => "read vitals",
            Self::ReadAlerts => "read alerts",
            Self::AnswerAlert => "answer an alert",
            Self::ReadLimits => "read limits",
            Self::WriteLimits => "change limits",
            Self::ReadContacts => "read contacts",
            Self::WriteContacts => "change contacts",
            Self::ReadAssignments => "read assignments",
            Self::Bind => "bind or unbind a gateway",
            Self::ReadReports => "read reports",
            Self::WriteReport => "write a report",
            Self::ReadFeelings => "read feelings",
            Self::AddFeeling => "add a feeling",
            Self::ReadFleet => "read gateways",
            Self::WriteFleet => "add or revoke a gateway",
            Self::ReadWards => "read wards",
            Self::WriteWards => "add or change a ward",
            Self::ManageTokens => "manage tokens",
            Self::ServeGateway => "act as a gateway",
        }
    }
}

/// What it is to be done to. What a thing does not have (a gateway has no ward) is `None` and asks nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resource {
    /// Its site; always known.
    pub site: Uuid,
    /// Its ward.
    pub ward: Option<Uuid>,
    /// Whose it is.
    pub patient: Option<Uuid>,
    /// Which gateway it is, or belongs to.
    pub gateway: Option<Uuid>,
}

impl Resource {
    /// Something of a whole site: its wards, its list of patients, its tokens.
    pub fn of_site(site: Uuid) -> Self {
        Self { site, ward: None, patient: None, gateway: None }
    }

    /// Something of one patient.
    pub fn of_patient(site: Uuid, ward: Option<Uuid>, patient: Uuid) -> Self {
        Self { site, ward, patient: Some(patient), gateway: None }
    }

    /// Something of one gateway.
    pub fn of_gateway(site: Uuid, gateway: Uuid) -> Self {
        Self { site, ward: None, patient: None, gateway: Some(gateway) }
    }
}

/// Why not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// The proof has ended.
    #[error("this token has expired")]
    Expired,
    /// Nobody of this role may.
    #[error("a {role} may not {}", action.words())]
    Role {
        /// Who asked.
        role: Role,
        /// For what.
        action: Action,
    },
    /// Another site's.
    #[error("it belongs to another site")]
    Site,
    /// Another ward's.
    #[error("it belongs to another ward")]
    Ward,
    /// Another patient's.
    #[error("it belongs to another patient")]
    Patient,
    /// Another gateway's.
    #[error("it belongs to another gateway")]
    Gateway,
}

/// Whether `principal` may do `action` to `resource` at `now_us` (UTC).
pub fn may(principal: &Principal, action: Action, resource: &Resource, now_us: UtcUs) -> Result<(), Denied> {
    if principal.expires_us.is_some_and(|end| now_us >= end) {
        return Err(Denied::Expired);
    }
    if !role_may(principal.role, action) {
        return Err(Denied::Role { role: principal.role, action });
    }
    if principal.site != resource.site {
        return Err(Denied::Site);
    }
    match principal.role {
        // One patient only: what names no patient, or a principal without one, is refused too.
        Role::Relative | Role::Patient => match (principal.patient, resource.patient) {
            (Some(own), Some(asked)) if own == asked => Ok(()),
            _ => Err(Denied::Patient),
        },
        Role::Gateway => match (principal.gateway, resource.gateway) {
            (Some(own), Some(asked)) if own == asked => Ok(()),
            _ => Err(Denied::Gateway),
        },
        Role::Doctor | Role::Nurse | Role::Maintainer | Role::Admin => match (principal.ward, resource.ward) {
            (Some(own), Some(asked)) if own != asked => Err(Denied::Ward),
            // A patient in no ward is the whole site's, not every ward's.
            (Some(_), None) if resource.patient.is_some() => Err(Denied::Ward),
            // Tokens and wards are the site's: one ward's people cannot make themselves another's.
            (Some(_), None) if matches!(action, Action::ManageTokens | Action::WriteWards) => Err(Denied::Ward),
            _ => Ok(()),
        },
    }
}

/// The table of roles and actions.
fn role_may(role: Role, action: Action) -> bool {
    use Action as A;
    match role {
        Role::Doctor => !matches!(action, A::WriteFleet | A::WriteWards | A::ManageTokens | A::ServeGateway),
        Role::Nurse => matches!(
            action,
            A::ReadPatient
                | A::ReadVitals
                | A::ReadAlerts
                | A::AnswerAlert
                | A::ReadLimits
                | A::ReadContacts
                | A::WriteContacts
                | A::ReadAssignments
                | A::ReadReports
                | A::WriteReport
                | A::ReadFeelings
                | A::AddFeeling
                | A::ReadFleet
                | A::ReadWards
        ),
        Role::Relative => matches!(action, A::ReadPatient | A::ReadAlerts),
        Role::Patient => matches!(
            action,
            A::ReadPatient
                | A::ReadVitals
                | A::ReadAlerts
                | A::ReadLimits
                | A::ReadContacts
                | A::ReadFeelings
                | A::AddFeeling
        ),
        Role::Maintainer => matches!(action, A::ReadFleet | A::WriteFleet | A::ReadWards),
        Role::Admin => {
            matches!(action, A::ReadFleet | A::WriteFleet | A::ReadWards | A::WriteWards | A::ManageTokens)
        }
        Role::Gateway => matches!(action, A::ServeGateway),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: Uuid = Uuid::from_u128(1);
    const OTHER_SITE: Uuid = Uuid::from_u128(2);
    const WARD: Uuid = Uuid::from_u128(3);
    const OTHER_WARD: Uuid = Uuid::from_u128(4);
    const PATIENT: Uuid = Uuid::from_u128(5);
    const OTHER_PATIENT: Uuid = Uuid::from_u128(6);
    const GATEWAY: Uuid = Uuid::from_u128(7);

    fn principal(role: Role) -> Principal {
        Principal {
            id: Uuid::from_u128(9),
            name: "A. Martin".into(),
            role,
            site: SITE,
            ward: matches!(role, Role::Nurse).then_some(WARD),
            patient: matches!(role, Role::Relative | Role::Patient).then_some(PATIENT),
            gateway: matches!(role, Role::Gateway).then_some(GATEWAY),
            expires_us: None,
        }
    }

    /// One line per action: the roles that may do it to their own patient (or gateway), first letters of
    /// doctor, nurse, relative, patient, maintainer, admin, gateway.
    const TABLE: [(Action, &str); 21] = [
        (Action::ReadPatient, "dnrp---"),
        (Action::WritePatient, "d------"),
        (Action::ReadVitals, "dn-p---"),
        (Action::ReadAlerts, "dnrp---"),
        (Action::AnswerAlert, "dn-----"),
        (Action::ReadLimits, "dn-p---"),
        (Action::WriteLimits, "d------"),
        (Action::ReadContacts, "dn-p---"),
        (Action::WriteContacts, "dn-----"),
        (Action::ReadAssignments, "dn-----"),
        (Action::Bind, "d------"),
        (Action::ReadReports, "dn-----"),
        (Action::WriteReport, "dn-----"),
        (Action::ReadFeelings, "dn-p---"),
        (Action::AddFeeling, "dn-p---"),
        (Action::ReadFleet, "dn--ma-"),
        (Action::WriteFleet, "----ma-"),
        (Action::ReadWards, "dn--ma-"),
        (Action::WriteWards, "-----a-"),
        (Action::ManageTokens, "-----a-"),
        (Action::ServeGateway, "------g"),
    ];

    #[test]
    fn the_table_of_roles_actions_patients_and_sites_holds() {
        assert_eq!(TABLE.map(|row| row.0), Action::ALL);
        for (action, letters) in TABLE {
            for (role, letter) in Role::ALL.into_iter().zip(letters.chars()) {
                let who = principal(role);
                let ask = |resource: Resource| may(&who, action, &resource, 0).is_ok();
                let own = Resource { gateway: Some(GATEWAY), ..Resource::of_patient(SITE, Some(WARD), PATIENT) };
                let allowed = letter != '-';
                assert_eq!(ask(own), allowed, "{role} {action:?} own");
                assert!(!ask(Resource { site: OTHER_SITE, ..own }), "{role} {action:?} other site");

                let single = matches!(role, Role::Relative | Role::Patient);
                let other = Resource { patient: Some(OTHER_PATIENT), ..own };
                assert_eq!(ask(other), allowed && !single, "{role} {action:?} other patient");
                assert_eq!(ask(Resource { patient: None, ..own }), allowed && !single, "{role} {action:?} no patient");

                let away = Resource { ward: Some(OTHER_WARD), ..other };
                let confined = role == Role::Nurse;
                assert_eq!(ask(away), allowed && !single && !confined, "{role} {action:?} other ward");

                let elsewhere = Resource { gateway: Some(Uuid::from_u128(8)), ..own };
                assert_eq!(ask(elsewhere), allowed && role != Role::Gateway, "{role} {action:?} other gateway");
            }
        }
    }

    #[test]
    fn a_nurse_without_a_ward_sees_the_site_and_one_with_a_ward_no_wardless_patient() {
        let site_wide = Principal { ward: None, ..principal(Role::Nurse) };
        let away = Resource::of_patient(SITE, Some(OTHER_WARD), PATIENT);
        assert_eq!(may(&site_wide, Action::ReadVitals, &away, 0), Ok(()));
        let wardless = Resource::of_patient(SITE, None, PATIENT);
        assert_eq!(may(&site_wide, Action::ReadVitals, &wardless, 0), Ok(()));
        assert_eq!(may(&principal(Role::Nurse), Action::ReadVitals, &wardless, 0), Err(Denied::Ward));
    }

    #[test]
    fn what_lacks_its_patient_or_gateway_is_refused_not_widened() {
        let own = Resource::of_patient(SITE, Some(WARD), PATIENT);
        let lost = Principal { patient: None, ..principal(Role::Relative) };
        assert_eq!(may(&lost, Action::ReadPatient, &own, 0), Err(Denied::Patient));
        let lost = Principal { gateway: None, ..principal(Role::Gateway) };
        assert_eq!(may(&lost, Action::ServeGateway, &Resource::of_gateway(SITE, GATEWAY), 0), Err(Denied::Gateway));
        let ward_admin = Principal { ward: Some(WARD), ..principal(Role::Admin) };
        assert_eq!(may(&ward_admin, Action::ManageTokens, &Resource::of_site(SITE), 0), Err(Denied::Ward));
    }

    #[test]
    fn an_expired_token_may_nothing() {
        let who = Principal { expires_us: Some(100), ..principal(Role::Doctor) };
        let own = Resource::of_patient(SITE, Some(WARD), PATIENT);
        assert_eq!(may(&who, Action::ReadVitals, &own, 99), Ok(()));
        assert_eq!(may(&who, Action::ReadVitals, &own, 100), Err(Denied::Expired));
    }

    #[test]
    fn role_names_are_read_back() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert!("matron".parse::<Role>().is_err());
    }
}
