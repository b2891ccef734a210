//! `medmon gateway`: the fleet.

use clap::Subcommand;
use medmon_api::gateway::{Gateway, GatewayCode, NewGateway};

use super::name;
use super::patient::in_force;
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
