//! `medmon gateway`: the fleet.

use clap::Subcommand;
use medmon_api::Client;
use medmon_api::gateway::{Gateway, GatewayCode, NewGateway};
use medmon_api::patient::Patient;
use medmon_api::quarantine::{Quarantined, QuarantinedContent, Release};
use uuid::Uuid;

use super::name;
use super::patient::in_force;
use crate::confirm::confirm;
use crate::fail::{Exit, fail};
use crate::find;
use crate::print::{self, Column, column, wide};
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Gateways by name
    List,
    /// One gateway and its last sign of life
    Show {
        /// Id, unique prefix or name
        gateway: String,
    },
    /// Add a gateway; prints its one-time code for `medmon-gatewayd enrol CODE`
    Add {
        /// Such as "gw-0007"
        #[arg(long)]
        name: String,
    },
    /// A new one-time code, for a box that is replaced
    Code {
        /// Id, unique prefix or name
        gateway: String,
    },
    /// End a gateway's token; it must not be bound
    Revoke {
        /// Id, unique prefix or name
        gateway: String,
    },
    /// What a gateway sent that was set aside, and why
    Quarantine {
        /// Id, unique prefix or name
        gateway: String,
    },
    /// Put what was set aside into a patient's record
    Release {
        /// Its id, from `gateway quarantine`
        id: Uuid,
        /// Id, unique prefix or name
        #[arg(long)]
        patient: String,
        /// Which assignment of the patient, by its epoch; default the newest
        #[arg(long)]
        epoch: Option<u64>,
    },
    /// Leave what was set aside out of every record
    Dismiss {
        /// Its id, from `gateway quarantine`
        id: Uuid,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List => {
            let gateways = client.gateways().await?;
            let empty = "No gateways yet. `medmon gateway add --name gw-0001`";
            session.out.list(&gateways, |gateway| gateway.id.to_string(), &columns(session), empty)
        }
        Verb::Show { gateway } => {
            let gateway = find::gateway(&client, &gateway).await?;
            session.out.item(&gateway, &gateway.id.to_string(), &columns(session))
        }
        Verb::Add { name } => code(session, &client.add_gateway(&NewGateway { name }).await?),
        Verb::Code { gateway } => {
            let gateway = find::gateway(&client, &gateway).await?;
            code(session, &client.gateway_code(gateway.id).await?)
        }
        Verb::Revoke { gateway } => {
            let gateway = find::gateway(&client, &gateway).await?;
            if !session.yes {
                let message = format!("the token of {} would end for good: pass --yes to mean it", gateway.name);
                return Err(fail(Exit::Usage, message));
            }
            Ok(client.revoke_gateway(gateway.id).await?)
        }
        Verb::Quarantine { gateway } => {
            let gateway = find::gateway(&client, &gateway).await?;
            let aside = client.quarantine(gateway.id).await?;
            let empty = "Nothing of this gateway waits for a decision.";
            session.out.list(&aside, |one| one.id.to_string(), &aside_columns(session), empty)
        }
        Verb::Release { id, patient, epoch } => {
            let patient = find::patient(&client, &patient).await?;
            let epoch = match epoch {
                Some(epoch) => epoch,
                None => newest_epoch(&client, &patient).await?,
            };
            confirm(session, &format!("{id} goes into the record of (assignment {epoch}):"), &patient)?;
            let decision = client.release_quarantine(id, &Release { epoch }).await?;
            session.out.document(&decision)
        }
        Verb::Dismiss { id } => {
            if !session.yes {
                let message = format!("{id} would stay out of every record for good: pass --yes to mean it");
                return Err(fail(Exit::Usage, message));
            }
            session.out.document(&client.dismiss_quarantine(id).await?)
        }
    }
}

fn code(session: &Session, made: &GatewayCode) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(made);
    }
    let until = session.out.time(made.expires_at);
    eprintln!(
        "{} ({}): good until {until}, shown once; on the box: medmon-gatewayd enrol CODE",
        made.gateway.name, made.gateway.id
    );
    print::text(&made.code)
}

async fn newest_epoch(client: &Client, patient: &Patient) -> anyhow::Result<u64> {
    let newest = client.assignments(patient.id).await?.first().map(|row| row.epoch);
    newest.ok_or_else(|| fail(Exit::NotFound, "the patient never had a gateway; bind one first: medmon patient bind"))
}

fn aside_columns(session: &Session) -> Vec<Column<'_, Quarantined>> {
    let of = |one: &Quarantined, show: &dyn Fn(&QuarantinedContent) -> String| {
        one.content.as_ref().map_or_else(|| "-".to_owned(), show)
    };
    vec![
        column("id", |one: &Quarantined| one.id.to_string()),
        column("received", |one: &Quarantined| session.out.time(one.received_at)),
        column("from", move |one: &Quarantined| of(one, &|content| session.out.time_or_none(content.from_at))),
        column("to", move |one: &Quarantined| of(one, &|content| session.out.time_or_none(content.to_at))),
        column("readings", move |one: &Quarantined| of(one, &|content| content.readings.to_string())),
        column("epoch", move |one: &Quarantined| of(one, &|content| content.epoch.to_string())),
        column("reason", |one: &Quarantined| one.reason.clone()),
        wide("number", move |one: &Quarantined| of(one, &|content| format!("{}/{}", content.stream, content.sequence))),
        wide("install", move |one: &Quarantined| of(one, &|content| content.install.to_string())),
    ]
}

fn columns(session: &Session) -> Vec<Column<'_, Gateway>> {
    vec![
        column("name", |gateway: &Gateway| gateway.name.clone()),
        column("heard", |gateway: &Gateway| session.out.time_or_none(gateway.last_heard_at)),
        column("patient", |gateway: &Gateway| {
            gateway.patient.map_or_else(|| "-".to_owned(), |patient| session.out.id(patient))
        }),
        column("settings", |gateway: &Gateway| in_force(session, &gateway.settings)),
        wide("clock", |gateway: &Gateway| gateway.heartbeat.as_ref().map(|beat| name(&beat.clock)).unwrap_or_default()),
        wide("release", |gateway: &Gateway| {
            gateway.heartbeat.as_ref().map(|beat| beat.release.clone()).unwrap_or_default()
        }),
        wide("readings waiting", |gateway: &Gateway| beat(gateway, |beat| beat.readings_waiting)),
        wide("outbox waiting", |gateway: &Gateway| beat(gateway, |beat| beat.outbox_waiting)),
        wide("sms waiting", |gateway: &Gateway| beat(gateway, |beat| beat.sms_waiting)),
        wide("devices", |gateway: &Gateway| beat(gateway, |beat| count(beat, true))),
        wide("strangers", |gateway: &Gateway| beat(gateway, |beat| count(beat, false))),
        wide("modem", |gateway: &Gateway| {
            let modem = gateway.heartbeat.as_ref().and_then(|beat| beat.modem_ok);
            modem.map_or("-", |ok| if ok { "ok" } else { "down" }).to_owned()
        }),
        wide("set aside", |gateway: &Gateway| gateway.quarantined.to_string()),
        wide("frozen", |gateway: &Gateway| session.out.time_or_none(gateway.frozen_at)),
        wide("added", |gateway: &Gateway| session.out.time(gateway.created_at)),
        wide("revoked", |gateway: &Gateway| session.out.time_or_none(gateway.revoked_at)),
    ]
}

fn beat(gateway: &Gateway, of: impl Fn(&medmon_api::gateway::Heartbeat) -> u64) -> String {
    gateway.heartbeat.as_ref().map(|beat| of(beat).to_string()).unwrap_or_default()
}

/// Sensors that it hears: those on its list, or the others.
fn count(beat: &medmon_api::gateway::Heartbeat, listed: bool) -> u64 {
    beat.devices.iter().filter(|device| device.listed == listed).count() as u64
}
