//! How soon an emergency is a text: from before the write of the report that completes it to the serial line until the modem
//! has the text, through every part that a home has.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::any;
use medmon_core::noun::{Ieee, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::broker::RabbitUrl;
use medmon_gatewayd::config::{BrokerKind, DeviceConfig, GatewayConfig, ModemConfig};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Modem, ModemOptions, air};
use medmon_sms::ModemState;
use medmon_testkit::RabbitMq;
use tokio_util::sync::CancellationToken;

use crate::Bench;
use crate::figure::{Figure, Goal};
use crate::measure;

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (&["reaction/embedded_p50_ms", "reaction/embedded_p99_ms"], embedded),
    (&["reaction/rabbitmq_p99_ms"], rabbitmq),
    (&["reaction/backlog_p99_ms"], backlog),
    (&["reaction/all_gone_p99_ms"], all_gone),
];

const PATCH: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;
const PAUL: &str = "+33639981001";
/// Two such readings are a severe hypoglycaemia.
const LOW: u16 = 45;
/// Bursts of an accelerometer at 25 Hz, as in a home.
const BURST: Duration = Duration::from_millis(480);
/// A text that is not there by then is not coming.
const LIMIT: Duration = Duration::from_secs(30);
/// Envelopes of a week, one a minute.
const WEEK: u32 = 7 * 24 * 60;

/// What is done to a home before the emergency.
#[derive(Default)]
struct Setting {
    /// The broker; `None`: the embedded one.
    rabbitmq: Option<String>,
    /// The cloud.
    cloud: Option<String>,
    /// A week of envelopes waits.
    backlog: bool,
    /// Every file is locked by somebody who does not let go: the disk hangs.
    disk_hangs: bool,
}

/// A fresh home each time, since an emergency that goes on is no new one.
fn reactions(count: usize, setting: &Setting) -> anyhow::Result<Vec<Duration>> {
    (0..count).map(|_| reaction(setting)).collect()
}

fn figure(name: &'static str, most_ms: f64, took: &mut [Duration], share: f64) -> Figure {
    Figure::new(name, measure::quantile_ms(took, share), "ms").goal(Goal::AtMost(most_ms))
}

/// Timed: as the module says, with the embedded broker and no cloud, an accelerometer reporting beside it; a home's
/// program on one thread, dongle and modem on another. Of 20 homes (their slowest is the p99).
fn embedded(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let mut took = reactions(if quick { 2 } else { 20 }, &Setting::default())?;
    Ok(vec![
        Figure::new("reaction/embedded_p50_ms", measure::quantile_ms(&mut took, 0.5), "ms"),
        figure("reaction/embedded_p99_ms", 50.0, &mut took, 0.99),
    ])
}

/// Timed: the same with a RabbitMQ of this run's own; of 10 homes.
fn rabbitmq(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let folder = measure::folder()?;
    let server = RabbitMq::start(folder.path(), 1)?;
    let setting = Setting { rabbitmq: Some(server.url(0)), ..Setting::default() };
    let mut took = reactions(if quick { 2 } else { 10 }, &setting)?;
    Ok(vec![figure("reaction/rabbitmq_p99_ms", 100.0, &mut took, 0.99)])
}

/// Timed: the same with the embedded broker while a week of envelopes (10,080 of 1 kB) is uploaded to a cloud that takes
/// them as fast as it can, and is asked for the number; of 5 homes.
fn backlog(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let cloud = Cloud::start()?;
    let setting = Setting { cloud: Some(cloud.url.clone()), backlog: true, ..Setting::default() };
    let mut took = reactions(if quick { 1 } else { 5 }, &setting)?;
    Ok(vec![figure("reaction/backlog_p99_ms", 1500.0, &mut took, 0.99)])
}

/// Timed: the same with nobody at RabbitMQ's address, a cloud that takes connections and says nothing, a week of backlog,
/// and a disk that hangs in every write; of 5 homes.
fn all_gone(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let nobody = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let setting = Setting {
        rabbitmq: Some(format!("amqp://guest:guest@{nobody}/%2f")),
        cloud: Some(format!("http://{}", silent.local_addr()?)),
        backlog: true,
        disk_hangs: true,
    };
    let mut took = reactions(if quick { 1 } else { 5 }, &setting)?;
    Ok(vec![figure("reaction/all_gone_p99_ms", 1500.0, &mut took, 0.99)])
}

fn reaction(setting: &Setting) -> anyhow::Result<Duration> {
    let folder = measure::folder()?;
    let clock = Clock::system();
    // The sensors, the dongle and the modem have a thread of their own, as another machine would.
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (dongle, modem) = other.block_on(async {
        let dongle = Dongle::open(DongleOptions::default(), clock.clone())?;
        Ok::<_, anyhow::Error>((dongle, Modem::open(ModemOptions::default(), clock.clone())?))
    })?;
    let mut config = GatewayConfig { data_dir: folder.path().to_owned(), ..GatewayConfig::default() };
    dongle.port().clone_into(&mut config.radio.port);
    config.sms.fallback_phone = Some(PAUL.into());
    config.sms.modem = Some(ModemConfig { port: modem.port().into(), baud: 115_200, pin_file: None, number: None });
    for (ieee, vital, cluster) in
        [(PATCH, Vital::GLUCOSE, air::CLUSTER_GLUCOSE), (BELT, Vital::ACCELERATION, air::CLUSTER_ACCELERATION)]
    {
        dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &[cluster]));
        config.devices.insert(Ieee(ieee), DeviceConfig { vitals: vec![vital], ..DeviceConfig::default() });
    }
    if let Some(url) = &setting.rabbitmq {
        (config.broker.kind, config.broker.url) = (BrokerKind::Rabbitmq, RabbitUrl::new(url));
    }
    if let Some(url) = &setting.cloud {
        config.uplink.url = Some(url.clone());
        std::fs::write(folder.path().join("token"), "bench")?;
    }
    if setting.backlog {
        fill(folder.path())?;
    }
    let stop = CancellationToken::new();
    let (ready, started) = tokio::sync::oneshot::channel();
    let home = std::thread::spawn({
        let stop = stop.clone();
        move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let gateway = Gateway::start(config, clock).await?;
                let mut modem = gateway.local.modem.clone().ok_or_else(|| anyhow::anyhow!("no modem"))?;
                modem.wait_for(|state| matches!(state, ModemState::Ready { .. })).await?;
                let _ = ready.send(());
                stop.cancelled().await;
                gateway.stop().await;
                Ok::<_, anyhow::Error>(())
            })
        }
    });
    let took = other.block_on(async {
        started.await?;
        emergency(&dongle, &modem, folder.path(), setting.disk_hangs).await
    });
    stop.cancel();
    home.join().map_err(|_| anyhow::anyhow!("the home panicked"))??;
    took
}

async fn emergency(dongle: &Dongle, modem: &Modem, folder: &Path, disk_hangs: bool) -> anyhow::Result<Duration> {
    dongle.ready().await;
    let mut texts = modem.sent();
    let mut counter = 0_u16;
    let mut moves = async || {
        for _ in 0..2 {
            dongle.report(BELT, 1, &[air::acceleration_burst(counter, 12, &[[0, 0, 1000]; 12])]).await;
            counter = counter.wrapping_add(12);
            tokio::time::sleep(BURST).await;
        }
    };
    dongle.report(PATCH, 1, &[air::glucose(LOW)]).await;
    moves().await;
    let files = ["facts.sqlite", "sms.sqlite", "outbox.sqlite", "spill.sqlite"];
    let held = files.iter().filter(|_| disk_hangs).map(|file| hold(&folder.join(file)));
    let held = held.collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    dongle.report(PATCH, 1, &[air::glucose(LOW)]).await;
    let text = tokio::time::timeout(LIMIT, texts.recv()).await;
    let took = began.elapsed();
    drop(held);
    anyhow::ensure!(matches!(&text, Ok(Ok(text)) if text.to == PAUL), "no text: {text:?}");
    Ok(took)
}

/// Whoever has this can write; nobody else can.
fn hold(file: &Path) -> anyhow::Result<rusqlite::Connection> {
    let connection = rusqlite::Connection::open(file)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch("BEGIN IMMEDIATE")?;
    Ok(connection)
}

/// Envelopes of a week, which a cloud will not understand and has to read all the same.
fn fill(folder: &Path) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async { medmon_gatewayd::outbox::Outbox::open(folder).map(drop) })?;
    let mut connection = rusqlite::Connection::open(folder.join("outbox.sqlite"))?;
    let transaction = connection.transaction()?;
    for sequence in 1..=WEEK {
        let insert = "INSERT INTO envelope (sequence, sealed_us, windows, body) VALUES (?1, 0, 4, randomblob(1000))";
        transaction.execute(insert, [sequence])?;
    }
    Ok(transaction.commit()?)
}

/// A cloud that takes everything and has nothing to say.
struct Cloud {
    url: String,
    _runtime: tokio::runtime::Runtime,
}

impl Cloud {
    fn start() -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))?;
        let url = format!("http://{}", listener.local_addr()?);
        let stored = |body: Bytes| async move {
            let (mut rest, mut count) = (&body[..], 0);
            while let Some((length, after)) = rest.split_first_chunk::<4>() {
                rest = after.get(u32::from_le_bytes(*length) as usize..).unwrap_or_default();
                count += 1;
            }
            format!("[{}]", vec!["{\"verdict\":\"stored\"}"; count].join(","))
        };
        let app = Router::new()
            .route("/v1/ingest", any(stored))
            .route("/v1/gateways/self/facts", any(|| async { "{\"facts\":[],\"cursor\":0}" }))
            .route("/v1/gateways/self/contact", any(|| async { "{\"epoch\":0}" }))
            .route("/v1/gateways/self/settings", any(|| async { StatusCode::NOT_MODIFIED }))
            .route(
                "/v1/gateways/self/heartbeat",
                any(|| async { "{\"settings_version\":0,\"utc_us\":1795521600000000,\"facts_cursor\":0}" }),
            );
        runtime.spawn(async move { axum::serve(listener, app).await });
        Ok(Self { url, _runtime: runtime })
    }
}
