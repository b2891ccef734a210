//! RabbitMQ as the gateway's broker beside a bare publisher that does nothing but wait for confirms.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Confirmation, Connection, ConnectionProperties};
use medmon_core::wire;
use medmon_gatewayd::broker::{Broker as _, BrokerState, RabbitMq, RabbitUrl};

use super::broker::reading;
use crate::figure::{Figure, Goal};
use crate::measure::{self, Stopwatch};

const GROUP: u64 = 100;
/// Readings on their way at a time, on both sides.
const WINDOW: u64 = 1000;

/// Timed: readings published in groups of 100 with ten groups on their way, until the last is confirmed by every queue
/// (a quorum queue a stage, and the raw stream), against a RabbitMQ of this run's own. Nobody consumes. The peer sends the
/// same encoded readings to the same exchange by lapin alone, mandatory and persistent, 1000 on their way.
pub fn publish(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 2000 } else { 60_000 };
    let folder = measure::folder()?;
    let server = medmon_testkit::RabbitMq::start(folder.path(), 1)?;
    let url = server.url(0);
    let runtime = measure::runtime()?;
    let broker = runtime.block_on(async {
        let broker = Arc::new(RabbitMq::open(&RabbitUrl::new(url.clone()), 1).map_err(anyhow::Error::msg)?);
        let up = async {
            while broker.depth().await.is_ok_and(|depth| depth.state != BrokerState::Up)
                || broker.publish(vec![reading(0)]).await.is_err()
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), up).await.context("RabbitMQ does not take readings")?;
        Ok::<_, anyhow::Error>(broker)
    })?;
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..measure::runs(quick) {
        ours.push(runtime.block_on(by_the_gateway(&broker, count))?);
        bare.push(runtime.block_on(by_lapin(&url, count))?);
    }
    let per_s = |runs: Vec<f64>| Ok::<_, anyhow::Error>(count as f64 / measure::best(runs, |wall_s| *wall_s)?);
    let (ours, bare) = (per_s(ours)?, per_s(bare)?);
    Ok(vec![
        Figure::new("gateway/rabbitmq_readings_per_s", ours, "readings/s").beside("bare lapin", bare),
        Figure::new("gateway/rabbitmq_share_of_bare", ours / bare, "").goal(Goal::AtLeast(0.8)),
    ])
}

async fn by_the_gateway(broker: &Arc<RabbitMq>, count: u64) -> anyhow::Result<f64> {
    let clock = Stopwatch::start();
    let mut way = FuturesUnordered::new();
    for first in (0..count).step_by(GROUP as usize) {
        if way.len() as u64 * GROUP >= WINDOW {
            let published: Option<Result<_, _>> = way.next().await;
            published.transpose()?;
        }
        let broker = Arc::clone(broker);
        way.push(async move { broker.publish((first..first + GROUP).map(reading).collect()).await });
    }
    while let Some(published) = way.next().await {
        published?;
    }
    Ok(clock.spent().wall_s)
}

async fn by_lapin(url: &str, count: u64) -> anyhow::Result<f64> {
    let connection = Connection::connect(url, ConnectionProperties::default()).await?;
    let channel = connection.create_channel().await?;
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let clock = Stopwatch::start();
    let mut way = FuturesUnordered::new();
    for sequence in 0..count {
        if way.len() as u64 >= WINDOW {
            confirmed(way.next().await)?;
        }
        let body = wire::reading::encode(&reading(sequence));
        let persistent = BasicProperties::default().with_delivery_mode(2);
        way.push(channel.basic_publish("readings".into(), "heart_rate".into(), options, &body, persistent).await?);
    }
    while let Some(next) = way.next().await {
        confirmed(Some(next))?;
    }
    Ok(clock.spent().wall_s)
}

fn confirmed(one: Option<lapin::Result<Confirmation>>) -> anyhow::Result<()> {
    let confirmation = one.transpose()?;
    anyhow::ensure!(matches!(confirmation, Some(Confirmation::Ack(None))), "not confirmed: {confirmation:?}");
    Ok(())
}
