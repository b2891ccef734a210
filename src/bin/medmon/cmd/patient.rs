//! `medmon patient`: records, and which gateway speaks for them.

use clap::Subcommand;
use medmon_api::assignment::Assignment;
use medmon_api::limits::InForce;
use medmon_api::patient::{NewPatient, Patient, PatientPatch, PatientQuery};
use medmon_core::noun::Language;

use super::{by_name, name};
use crate::confirm::confirm;
use crate::find;
use crate::print::{self, Column, column, wide};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Patients you may see, by name
    List {
        /// Of this ward only
        #[arg(long)]
        ward: Option<String>,
        /// Archived ones too
        #[arg(long)]
        archived: bool,
    },
    /// One record
    Show {
        /// Id, unique prefix, or beginning of the name
        patient: String,
    },
    /// Open a record; prints the id
    Add {
        /// As on the board: "DOE Jeanne"
        #[arg(long)]
        name: String,
        /// The second identifier
        #[arg(long)]
        birth_year: i16,
        /// What texts call the patient: "Jeanne"
        #[arg(long)]
        nickname: String,
        /// Ward [else yours, or the site's only one]
        #[arg(long)]
        ward: Option<String>,
        /// Language of texts: en, fr
        #[arg(long, default_value = "en", value_parser = by_name::<Language>)]
        language: Language,
        /// IANA zone of the home [else yours]
        #[arg(long)]
        time_zone: Option<String>,
        /// The patient's own phone, with country code: asked first after some falls
        #[arg(long)]
        phone: Option<String>,
    },
    /// Change a record
    Edit {
        /// Id, unique prefix, or beginning of the name
        patient: String,
        /// As on the board
        #[arg(long)]
        name: Option<String>,
        /// The second identifier
        #[arg(long)]
        birth_year: Option<i16>,
        /// What texts call the patient
        #[arg(long)]
        nickname: Option<String>,
        /// Ward
        #[arg(long)]
        ward: Option<String>,
        /// Language of texts: en, fr
        #[arg(long, value_parser = by_name::<Language>)]
        language: Option<Language>,
        /// IANA zone of the home
        #[arg(long)]
        time_zone: Option<String>,
        /// The patient's own phone, with country code; "" = none
        #[arg(long)]
        phone: Option<String>,
    },
    /// Put a record away; the patient must not be bound
    Archive {
        /// Id, unique prefix, or beginning of the name
        patient: String,
    },
    /// Let a gateway speak for a patient
    Bind {
        /// Id, unique prefix, or beginning of the name
        patient: String,
        /// Id, unique prefix or name of the gateway
        #[arg(long)]
        gateway: String,
    },
    /// End it
    Unbind {
        /// Id, unique prefix, or beginning of the name
        patient: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List { ward, archived } => {
            let ward = find::ward_id(&client, ward.as_deref()).await?;
            let query = PatientQuery { ward, archived: archived.then_some(true) };
            let patients = find::patients(&client, &query).await?;
            let empty =
                "No patients yet. `medmon patient add --name \"DOE Jeanne\" --birth-year 1941 --nickname Jeanne`";
            session.out.list(&patients, |patient| patient.id.to_string(), &columns(session), empty)
        }
        Verb::Show { patient } => show(session, &find::patient(&client, &patient).await?),
        Verb::Add { name, birth_year, nickname, ward, language, time_zone, phone } => {
            let ward = find::ward_id(&client, ward.as_deref()).await?;
            let time_zone = time_zone.or_else(|| session.zone().iana_name().map(str::to_owned));
            let new = NewPatient { name, nickname, birth_year, ward, language, time_zone, phone };
            let patient = client.add_patient(&new).await?;
            made(session, &patient)
        }
        Verb::Edit { patient, name, birth_year, nickname, ward, language, time_zone, phone } => {
            let who = find::patient(&client, &patient).await?;
            let ward = find::ward_id(&client, ward.as_deref()).await?;
            let patch = PatientPatch { name, nickname, birth_year, ward, language, time_zone, phone, archived: None };
            confirm(session, "Change the record of", &who)?;
            show(session, &client.edit_patient(who.id, &patch).await?)
        }
        Verb::Archive { patient } => {
            let who = find::patient(&client, &patient).await?;
            confirm(session, "Archive the record of", &who)?;
            let patch = PatientPatch { archived: Some(true), ..PatientPatch::default() };
            show(session, &client.edit_patient(who.id, &patch).await?)
        }
        Verb::Bind { patient, gateway } => {
            let who = find::patient(&client, &patient).await?;
            let gateway = find::gateway(&client, &gateway).await?;
            confirm(session, &format!("Let gateway {} speak for", gateway.name), &who)?;
            let assignment = client.bind(who.id, gateway.id).await?;
            let columns = [
                column("patient", |_: &Assignment| who.name.clone()),
                column("gateway", |_| gateway.name.clone()),
                column("binding", |assignment: &Assignment| name(&assignment.binding)),
                column("from", |assignment: &Assignment| session.out.time(assignment.from)),
            ];
            session.out.item(&assignment, &assignment.epoch.to_string(), &columns)
        }
        Verb::Unbind { patient } => {
            let who = find::patient(&client, &patient).await?;
            confirm(session, "No gateway shall speak any more for", &who)?;
            client.unbind(who.id).await?;
            eprintln!("No gateway speaks for {} any more.", who.name);
            Ok(())
        }
    }
}

/// Prints what was made: its id, or the document.
fn made(session: &Session, patient: &Patient) -> anyhow::Result<()> {
    if session.out.is_json() { show(session, patient) } else { print::text(&patient.id.to_string()) }
}

fn show(session: &Session, patient: &Patient) -> anyhow::Result<()> {
    session.out.item(patient, &patient.id.to_string(), &columns(session))
}

fn columns(session: &Session) -> Vec<Column<'_, Patient>> {
    vec![
        column("name", |patient: &Patient| patient.name.clone()),
        column("born", |patient: &Patient| patient.birth_year.to_string()),
        column("gateway", |patient: &Patient| {
            patient.assignment.as_ref().map_or_else(|| "-".to_owned(), |bound| session.out.id(bound.gateway))
        }),
        column("binding", |patient: &Patient| {
            patient.assignment.as_ref().map(|bound| name(&bound.binding)).unwrap_or_default()
        }),
        wide("nickname", |patient: &Patient| patient.nickname.clone()),
        wide("ward", |patient: &Patient| patient.ward.map(|ward| ward.to_string()).unwrap_or_default()),
        wide("language", |patient: &Patient| name(&patient.language)),
        wide("time zone", |patient: &Patient| patient.time_zone.clone()),
        wide("phone", |patient: &Patient| patient.phone.clone().unwrap_or_default()),
        wide("settings", |patient: &Patient| format!("v{}", patient.settings_version)),
        wide("opened", |patient: &Patient| session.out.time(patient.created_at)),
        wide("archived", |patient: &Patient| session.out.time_or_none(patient.archived_at)),
    ]
}

/// How far Settings have come, in words.
pub fn in_force(session: &Session, state: &InForce) -> String {
    match state {
        InForce::InForce => "in force".to_owned(),
        InForce::Pending { since } => format!("pending since {}", session.out.time(*since)),
        InForce::Unbound => "unbound".to_owned(),
    }
}
