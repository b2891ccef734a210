//! A home with two sensors on its list and a stranger, for the tests of the radio.

use std::collections::BTreeMap;

use medmon_core::noun::{Ieee, Value, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::{DeviceConfig, GatewayConfig};
use medmon_gatewayd::radio::{Ask, Order};
use medmon_sim::{DeviceSpec, Dongle, air};
use tokio::sync::mpsc;

pub const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
pub const BELT: u64 = 0x0012_4b00_2a5c_0d02;
pub const STRANGER: u64 = 0x0012_4b00_dead_beef;

pub fn config(folder: &std::path::Path, dongle: &Dongle) -> GatewayConfig {
    let mut config = GatewayConfig { data_dir: folder.to_owned(), ..GatewayConfig::default() };
    dongle.port().clone_into(&mut config.radio.port);
    for ieee in [STRAP, BELT] {
        let device = DeviceConfig::default();
        config.devices.insert(Ieee(ieee), device);
    }
    config
}

pub fn sensors() -> [DeviceSpec; 3] {
    let clusters = [air::CLUSTER_HEART_RATE, air::CLUSTER_ACCELERATION];
    [STRAP, BELT, STRANGER].map(|ieee| DeviceSpec::sensor(ieee, "medmon-sensor", &clusters))
}

/// Heart rates (as sent, in order) and acceleration samples by device.
pub async fn logged(gateway: &Gateway) -> (BTreeMap<Ieee, Vec<i32>>, BTreeMap<Ieee, usize>) {
    let (mut rates, mut samples) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
    for delivery in gateway.local.broker.read(0, 100_000).await.unwrap() {
        let reading = delivery.reading;
        match reading.value {
            Value::Scalar(stored) if reading.vital == Vital::HEART_RATE => {
                rates.entry(reading.device).or_default().push(stored / 10);
            }
            Value::Samples { xyz, .. } => *samples.entry(reading.device).or_default() += xyz.len(),
            Value::Scalar(_) => {}
        }
    }
    (rates, samples)
}

/// The rows that an order answers, to their end.
pub async fn order(gateway: &Gateway, ask: Ask) -> Vec<serde_json::Value> {
    let (say, mut said) = mpsc::unbounded_channel();
    gateway.local.control.orders.send(Order { ask, say }).await.unwrap();
    let mut rows = Vec::new();
    while let Some(row) = said.recv().await {
        rows.push(row);
    }
    rows
}
