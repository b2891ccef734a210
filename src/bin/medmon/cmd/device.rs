//! `medmon device`: the sensors on a patient's allow-list.

use clap::Subcommand;
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
        /// waist, wrist, chest, pocket
        #[arg(long, value_parser = by_name::<Place>)]
        place: Option<Place>,
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
        Verb::Assign { device, patient, vitals, label, place } => {
            let who = find::patient(&client, &patient).await?;
            let mut devices = client.devices(who.id).await?;
            confirm(session, &format!("Listen to {device} for"), &who)?;
            devices.devices.retain(|other| other.ieee != device);
            devices.devices.push(Device { ieee: device, label, vitals, place });
            client.set_devices(who.id, &devices).await?;
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
