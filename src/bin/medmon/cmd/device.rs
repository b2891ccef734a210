//! `medmon device`: the sensors on a patient's allow-list.

use clap::Subcommand;
use medmon_api::assignment::DeviceHistory;
use medmon_api::gateway::Pair;
use medmon_core::noun::{Device, Ieee, Place, Vital};

use super::{by_name, name};
use crate::confirm::confirm;
use crate::fail::{Exit, fail};
use crate::find;
use crate::print::column;
use crate::session::Session;

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Sensors of a patient
    List {
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
    /// Listen to a sensor for a patient
    Assign {
        /// Its address: 00124b002a5c0d01
        device: Ieee,
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
        /// What it measures: heart_rate,temperature …
        #[arg(long, alias = "vital", required = true, value_delimiter = ',', value_parser = by_name::<Vital>)]
        vitals: Vec<Vital>,
        /// As people call it: "wrist band"
        #[arg(long, default_value = "")]
        label: String,
        /// Seconds between its readings, where they are not as usual; silence is two and a half times as long
        #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
        every: Option<u32>,
        /// waist, wrist, chest, pocket
        #[arg(long, value_parser = by_name::<Place>)]
        place: Option<Place>,
    },
    /// Every patient a sensor was given to, and the gateways that hear it
    History {
        /// Its address
        device: Ieee,
    },
    /// Let sensors on the list join a gateway for a while
    Pair {
        /// Id, unique prefix or name
        #[arg(long)]
        gateway: String,
        /// How long: 60s, 5m; 15 min at most
        #[arg(long = "for", value_name = "DURATION", default_value = "60s", value_parser = crate::when::duration)]
        open_for: std::time::Duration,
    },
    /// Listen to it no more
    Unassign {
        /// Its address
        device: Ieee,
        /// Id, unique prefix, or beginning of the name
        #[arg(long)]
        patient: String,
    },
}

/// Runs a verb.
pub async fn run(session: &Session, verb: Verb) -> anyhow::Result<()> {
    let client = session.client()?;
    match verb {
        Verb::List { patient } => {
            let who = find::patient(&client, &patient).await?;
            let devices = client.devices(who.id).await?.devices;
            let columns = [
                column("label", |device: &Device| device.label.clone()),
                column("vitals", |device: &Device| {
                    device.vitals.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
                }),
                column("place", |device: &Device| device.place.map(|place| name(&place)).unwrap_or_default()),
            ];
            let empty = format!("No sensors for {} yet. `medmon device assign ADDRESS --patient {}`", who.name, who.id);
            session.out.list_by("device", &devices, |device| device.ieee.to_string(), &columns, &empty)
        }
        Verb::Assign { device, patient, vitals, label, every, place } => {
            let who = find::patient(&client, &patient).await?;
            let mut devices = client.devices(who.id).await?;
            confirm(session, &format!("Listen to {device} for"), &who)?;
            devices.devices.retain(|other| other.ieee != device);
            devices.cadences_of.remove(&device);
            if let Some(every) = every {
                devices.cadences_of.insert(device, vitals.iter().map(|&vital| (vital, every)).collect());
            }
            devices.devices.push(Device { ieee: device, label, vitals, place });
            client.set_devices(who.id, &devices).await?;
            Ok(())
        }
        Verb::History { device } => history(session, &client.device_history(device).await?),
        Verb::Pair { gateway, open_for } => {
            let gateway = find::gateway(&client, &gateway).await?;
            let for_s = u32::try_from(open_for.as_secs()).unwrap_or(u32::MAX);
            let gateway = client.pair(gateway.id, &Pair { for_s }).await?;
            if session.out.is_json() {
                return session.out.document(&gateway);
            }
            let until = session.out.time_or_none(gateway.pair_until);
            eprintln!("{} lets sensors on its list join until {until}; press the sensor's button now", gateway.name);
            eprintln!("`medmon gateway show {}` says whom it hears", gateway.name);
            Ok(())
        }
        Verb::Unassign { device, patient } => {
            let who = find::patient(&client, &patient).await?;
            let mut devices = client.devices(who.id).await?;
            let before = devices.devices.len();
            devices.devices.retain(|other| other.ieee != device);
            if devices.devices.len() == before {
                let message = format!("{device} is no sensor of {}; `medmon device list`", who.name);
                return Err(fail(Exit::NotFound, message));
            }
            confirm(session, &format!("Listen to {device} no more for"), &who)?;
            client.set_devices(who.id, &devices).await?;
            Ok(())
        }
    }
}

/// One list of what was and what is: a row a patient, a row a gateway.
fn history(session: &Session, device: &DeviceHistory) -> anyhow::Result<()> {
    if session.out.is_json() {
        return session.out.document(device);
    }
    let given = device.given.iter().map(|row| Event {
        what: "given to",
        id: row.patient,
        name: row.label.clone(),
        from: session.out.time(row.from),
        to: session.out.time_or_none(row.to),
        by: row.by.clone(),
    });
    let heard = device.heard.iter().map(|row| Event {
        what: if row.listed { "heard by" } else { "heard by (not on its list)" },
        id: row.gateway,
        name: row.name.clone(),
        from: String::new(),
        to: session.out.time(row.at),
        by: String::new(),
    });
    let rows: Vec<_> = given.chain(heard).collect();
    let columns = [
        column("name", |row: &Event| row.name.clone()),
        column("what", |row: &Event| row.what.to_owned()),
        column("from", |row: &Event| row.from.clone()),
        column("to", |row: &Event| row.to.clone()),
        column("by", |row: &Event| row.by.clone()),
    ];
    let empty = format!("{} was given to nobody you may see, and no gateway hears it.", device.ieee);
    session.out.list(&rows, |row| row.id.to_string(), &columns, &empty)
}

/// A line of a sensor's history.
#[derive(serde::Serialize)]
struct Event {
    what: &'static str,
    id: uuid::Uuid,
    name: String,
    from: String,
    to: String,
    by: String,
}
