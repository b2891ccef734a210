//! One contract for every broker, told to the embedded one and to a real RabbitMQ; then what only a server does: it is
//! killed, blocked, and its queues are deleted.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use medmon_core::noun::{ClockQuality, Ieee, Quality, Reading, ReadingId, Value, Vital};
use medmon_gatewayd::broker::{Broker, BrokerError, BrokerState, Delivery, Embedded, RabbitMq, RabbitUrl, Stage};
use medmon_testkit::skip;
use tokio::sync::mpsc;

use common::until;

const NOON_US: i64 = 1_795_521_600_000_000;

fn reading(vital: Vital, sequence: u64) -> Reading {
    Reading {
        id: ReadingId { boot: 1, sequence },
        epoch: 1,
        device: Ieee(7),
        endpoint: 1,
        vital,
        value: Value::Scalar(700),
        mono_us: sequence as i64,
        utc_us: NOON_US + sequence as i64,
        clock: ClockQuality::Synced,
        quality: Quality::Good,
        link_quality: 200,
    }
}

/// `sequences` of heart rates.
fn beats(sequences: std::ops::Range<u64>) -> Vec<Reading> {
    sequences.map(|sequence| reading(Vital::HEART_RATE, sequence)).collect()
}

async fn next(stage: &mut mpsc::Receiver<Delivery>) -> Delivery {
    tokio::time::timeout(Duration::from_secs(20), stage.recv()).await.expect("a delivery in time").unwrap()
}

async fn take(stage: &mut mpsc::Receiver<Delivery>, count: usize) -> Vec<Delivery> {
    let mut taken = Vec::new();
    while taken.len() < count {
        taken.push(next(stage).await);
    }
    taken
}

fn sequences(deliveries: &[Delivery]) -> Vec<u64> {
    deliveries.iter().map(|delivery| delivery.reading.id.sequence).collect()
}

async fn up(broker: &dyn Broker) {
    until("the broker is up", async || broker.depth().await.unwrap().state == BrokerState::Up).await;
}

/// A broker in a place of its own, opened again and again.
trait Place {
    async fn open(&self) -> Arc<dyn Broker>;
}

struct File(tempfile::TempDir);

impl Place for File {
    async fn open(&self) -> Arc<dyn Broker> {
        Arc::new(Embedded::open(self.0.path()).await.unwrap())
    }
}

struct Host(String);

impl Place for Host {
    async fn open(&self) -> Arc<dyn Broker> {
        let broker: Arc<dyn Broker> = Arc::new(RabbitMq::open(&RabbitUrl::new(&self.0), 24).unwrap());
        up(&*broker).await;
        broker
    }
}

/// Killed between store and acknowledge: what was not acknowledged comes again, in order, and what was does not.
async fn a_stage_goes_on_where_it_acknowledged(place: &impl Place) {
    let broker = place.open().await;
    broker.publish(beats(0..50)).await.unwrap();
    let mut stage = broker.consume(Stage::Downsample);
    let delivered = take(&mut stage, 50).await;
    assert_eq!(sequences(&delivered), (0..50).collect::<Vec<_>>());
    broker.acknowledge(Stage::Downsample, delivered[19].offset).await.unwrap();
    until("it is known", async || broker.depth().await.unwrap().downsample_behind == 30).await;
    drop((stage, broker));
    let broker = place.open().await;
    let mut stage = broker.consume(Stage::Downsample);
    assert_eq!(sequences(&take(&mut stage, 30).await), (20..50).collect::<Vec<_>>());
    broker.publish(beats(50..51)).await.unwrap();
    assert_eq!(sequences(&take(&mut stage, 1).await), [50]);
}

/// One acknowledgement settles what was delivered before it and nothing else, over all vitals.
async fn an_acknowledgement_settles_what_came_before(place: &impl Place) {
    let broker = place.open().await;
    let vitals = [Vital::HEART_RATE, Vital::TEMPERATURE, Vital::GLUCOSE, Vital(900)];
    let mixed: Vec<_> = (0..200).map(|sequence| reading(vitals[sequence as usize % 4], sequence)).collect();
    for batch in mixed.chunks(7) {
        broker.publish(batch.to_vec()).await.unwrap();
    }
    let mut stage = broker.consume(Stage::Downsample);
    let delivered = take(&mut stage, 200).await;
    assert_eq!(BTreeSet::from_iter(sequences(&delivered)).len(), 200);
    assert!(delivered.is_sorted_by_key(|delivery| delivery.offset));
    let settled = delivered[119].offset;
    broker.acknowledge(Stage::Downsample, settled).await.unwrap();
    let open = delivered.iter().filter(|delivery| delivery.offset > settled).count() as i64;
    until("it is known", async || broker.depth().await.unwrap().downsample_behind >= open).await;
    drop((stage, broker));
    let broker = place.open().await;
    let mut stage = broker.consume(Stage::Downsample);
    let mut left: BTreeSet<u64> = sequences(&delivered[120..]).into_iter().collect();
    let mut last = 0;
    while !left.is_empty() {
        let again = next(&mut stage).await;
        left.remove(&again.reading.id.sequence);
        last = again.offset;
    }
    while let Ok(Some(again)) = tokio::time::timeout(Duration::from_millis(100), stage.recv()).await {
        last = again.offset;
    }
    broker.acknowledge(Stage::Downsample, last).await.unwrap();
    until("all is settled", async || broker.depth().await.unwrap().downsample_behind == 0).await;
}

/// DETECT does not wait for what is durable, and gets it from the log after a restart.
async fn detect_sees_at_once(place: &impl Place) {
    let broker = place.open().await;
    let mut detect = broker.consume(Stage::Detect);
    let publish = broker.publish(beats(0..3));
    let (published, shown) = tokio::join!(publish, take(&mut detect, 3));
    published.unwrap();
    assert_eq!(sequences(&shown), [0, 1, 2]);
    drop((detect, broker));
    let broker = place.open().await;
    let mut detect = broker.consume(Stage::Detect);
    assert_eq!(sequences(&take(&mut detect, 3).await), [0, 1, 2]);
}

/// `medmon local tap`: all of it, by pages, whatever the stages have had.
async fn the_log_is_read_by_pages(place: &impl Place) {
    let broker = place.open().await;
    assert_eq!(broker.newest().await.unwrap(), 0);
    assert!(broker.read(0, 10).await.unwrap().is_empty());
    let mut durable = broker.durable();
    durable.mark_unchanged();
    broker.publish(beats(0..10)).await.unwrap();
    assert!(durable.has_changed().unwrap());
    let mut stage = broker.consume(Stage::Downsample);
    let last = take(&mut stage, 10).await.pop().unwrap();
    broker.acknowledge(Stage::Downsample, last.offset).await.unwrap();
    let page = broker.read(0, 4).await.unwrap();
    assert_eq!(sequences(&page), [0, 1, 2, 3]);
    let rest = broker.read(page[3].offset, 100).await.unwrap();
    assert_eq!(sequences(&rest), (4..10).collect::<Vec<_>>());
    assert_eq!(broker.newest().await.unwrap(), rest[5].offset);
    assert!(broker.read(rest[5].offset, 10).await.unwrap().is_empty());
}

/// A stage that has not had it keeps a reading in, however old.
async fn nothing_is_given_up_that_a_stage_has_not_had(place: &impl Place) {
    let broker = place.open().await;
    broker.publish(beats(0..4)).await.unwrap();
    let mut detect = broker.consume(Stage::Detect);
    let had = take(&mut detect, 4).await;
    broker.acknowledge(Stage::Detect, had[3].offset).await.unwrap();
    broker.trim(i64::MAX).await.unwrap();
    let depth = async || broker.depth().await.unwrap();
    // RabbitMQ counts its raw log every five seconds.
    until("all are kept", async || depth().await.kept == 4).await;
    assert_eq!(depth().await.downsample_behind, 4);
    let mut stage = broker.consume(Stage::Downsample);
    let last = take(&mut stage, 4).await.pop().unwrap();
    assert!(!broker.drained(Stage::Downsample, 0).await);
    assert!(broker.drained(Stage::Downsample, last.offset).await);
}

async fn contract<P: Place>(mut place: impl FnMut() -> P) {
    a_stage_goes_on_where_it_acknowledged(&place()).await;
    an_acknowledgement_settles_what_came_before(&place()).await;
    detect_sees_at_once(&place()).await;
    the_log_is_read_by_pages(&place()).await;
    nothing_is_given_up_that_a_stage_has_not_had(&place()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_broker_keeps_the_contract() {
    contract(|| File(tempfile::tempdir().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let server = match medmon_testkit::RabbitMq::start(folder.path(), 5) {
        Ok(server) => server,
        Err(missing) => return skip("rabbitmq_keeps_the_contract", &missing),
    };
    let mut home = 0;
    contract(|| {
        home += 1;
        Host(server.url(home - 1))
    })
    .await;
}

/// An acknowledgement that comes after its session is gone settles nothing of the next.
async fn a_late_acknowledgement_is_void(place: &Host) {
    let broker = place.open().await;
    broker.publish(beats(0..3)).await.unwrap();
    let mut stage = broker.consume(Stage::Downsample);
    let before = take(&mut stage, 3).await;
    drop(stage);
    let mut stage = broker.consume(Stage::Downsample);
    let again = take(&mut stage, 3).await;
    broker.acknowledge(Stage::Downsample, before[2].offset).await.unwrap();
    assert_eq!(broker.depth().await.unwrap().downsample_behind, 3);
    broker.acknowledge(Stage::Downsample, again[2].offset).await.unwrap();
    until("it is settled", async || broker.depth().await.unwrap().downsample_behind == 0).await;
}

async fn a_blocked_server_is_said_and_detect_sees(server: &medmon_testkit::RabbitMq, place: &Host) {
    let broker = place.open().await;
    let mut detect = broker.consume(Stage::Detect);
    server.set_disk_alarm(true).unwrap();
    // It says so to whoever publishes next.
    let stuck = tokio::spawn({
        let broker = Arc::clone(&broker);
        async move { broker.publish(beats(0..1)).await }
    });
    assert_eq!(next(&mut detect).await.reading.id.sequence, 0);
    until("it is noticed", async || broker.depth().await.unwrap().state == BrokerState::Blocked).await;
    assert!(matches!(broker.publish(beats(1..2)).await, Err(BrokerError::Blocked(_))));
    assert_eq!(next(&mut detect).await.reading.id.sequence, 1);
    server.set_disk_alarm(false).unwrap();
    stuck.await.unwrap().unwrap();
    up(&*broker).await;
    broker.publish(beats(2..3)).await.unwrap();
}

async fn a_killed_server_gives_everything_again(server: &mut medmon_testkit::RabbitMq, place: &Host) {
    let broker = place.open().await;
    broker.publish(beats(0..20)).await.unwrap();
    let mut stage = broker.consume(Stage::Downsample);
    let before = take(&mut stage, 20).await;
    broker.acknowledge(Stage::Downsample, before[4].offset).await.unwrap();
    until("it is known", async || broker.depth().await.unwrap().downsample_behind == 15).await;
    server.kill9();
    until("it is noticed", async || broker.depth().await.unwrap().state == BrokerState::Unreached).await;
    assert!(matches!(broker.publish(beats(20..21)).await, Err(BrokerError::Unreached(_))));
    broker.acknowledge(Stage::Downsample, before[19].offset).await.unwrap();
    server.start_again().unwrap();
    up(&*broker).await;
    let again = sequences(&take(&mut stage, 15).await);
    assert_eq!(again, (5..20).collect::<Vec<_>>());
    broker.publish(beats(20..21)).await.unwrap();
    assert_eq!(next(&mut stage).await.reading.id.sequence, 20);
}

/// What was confirmed to a queue that is deleted in the same moment comes to the stage all the same.
async fn deleted_queues_come_back_with_what_they_took_along(place: &Host) {
    let broker = place.open().await;
    let mut stage = broker.consume(Stage::Downsample);
    let admin = lapin::Connection::connect(&place.0, lapin::ConnectionProperties::default()).await.unwrap();
    let channel = admin.create_channel().await.unwrap();
    let mut missing: BTreeSet<u64> = (0..200).collect();
    for sequence in 0..200 {
        if sequence == 50 {
            for queue in ["detect.heart_rate", "downsample.heart_rate", "raw"] {
                channel.queue_delete(queue.into(), lapin::options::QueueDeleteOptions::default()).await.unwrap();
            }
        }
        let published = async || broker.publish(beats(sequence..sequence + 1)).await.is_ok();
        until("it is published", published).await;
    }
    while !missing.is_empty() {
        missing.remove(&next(&mut stage).await.reading.id.sequence);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_is_killed_blocked_and_loses_its_queues() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = match medmon_testkit::RabbitMq::start(folder.path(), 4) {
        Ok(server) => server,
        Err(missing) => return skip("rabbitmq_is_killed_blocked_and_loses_its_queues", &missing),
    };
    let places = [0, 1, 2, 3].map(|home| Host(server.url(home)));
    // RabbitMQ 3.10 may forget the leader of a quorum queue that is killed within moments of its creation.
    for place in &places {
        place.open().await;
    }
    a_late_acknowledgement_is_void(&places[0]).await;
    a_blocked_server_is_said_and_detect_sees(&server, &places[1]).await;
    a_killed_server_gives_everything_again(&mut server, &places[2]).await;
    deleted_queues_come_back_with_what_they_took_along(&places[3]).await;
}

/// The gateway starts without its broker.
#[tokio::test]
async fn an_absent_server_refuses_at_once() {
    let broker = RabbitMq::open(&RabbitUrl::new("amqp://guest:secret@127.0.0.1:1/%2f"), 24).unwrap();
    let error = broker.publish(beats(0..1)).await.unwrap_err();
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(broker.depth().await.unwrap().state, BrokerState::Unreached);
    assert!(broker.drained(Stage::Downsample, 0).await, "nothing comes");
}
