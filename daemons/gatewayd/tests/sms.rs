//! From a racing heart to a relative's answer: through the virtual dongle, the detectors, the ladder and a virtual modem.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use medmon_core::noun::{Audience, Condition, Ieee, Place, Vital};
use medmon_gatewayd::Gateway;
use medmon_gatewayd::config::{DeviceConfig, GatewayConfig, ModemConfig};
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Modem, ModemFaults, ModemOptions, air};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio_util::sync::CancellationToken;

use common::until;

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;
const BELT: u64 = 0x0012_4b00_2a5c_0d02;
const PAUL: &str = "+33639981001";

struct Home {
    dongle: std::sync::Arc<Dongle>,
    modem: Modem,
    config: GatewayConfig,
    clock: Clock,
    _folder: tempfile::TempDir,
}

impl Home {
    /// A still person whose heart races from the start, in a home without a cloud.
    fn new(stop: &CancellationToken) -> Self {
        // Ten seconds of a racing heart pass in one.
        let clock = Clock::scaled(10.0, Clock::system().utc_us());
        let folder = tempfile::tempdir().unwrap();
        let dongle = std::sync::Arc::new(Dongle::open(DongleOptions::default(), clock.clone()).unwrap());
        let modem = Modem::open(ModemOptions::default(), clock.clone()).unwrap();
        let mut config = GatewayConfig { data_dir: folder.path().to_owned(), ..GatewayConfig::default() };
        dongle.port().clone_into(&mut config.radio.port);
        config.sms.fallback_phone = Some(PAUL.into());
        config.sms.modem =
            Some(ModemConfig { port: modem.port().to_owned(), baud: 115_200, pin_file: None, number: None });
        for (ieee, vital, cluster, place) in [
            (STRAP, Vital::HEART_RATE, air::CLUSTER_HEART_RATE, None),
            (BELT, Vital::ACCELERATION, air::CLUSTER_ACCELERATION, Some(Place::Waist)),
        ] {
            dongle.know(DeviceSpec::sensor(ieee, "medmon-sensor", &[cluster]));
            config.devices.insert(Ieee(ieee), DeviceConfig { vitals: vec![vital], place, ..DeviceConfig::default() });
        }
        let (heart, ticks, stop) = (std::sync::Arc::clone(&dongle), clock.clone(), stop.clone());
        tokio::spawn(async move {
            heart.ready().await;
            let mut counter = 0_u16;
            while !stop.is_cancelled() {
                heart.report(STRAP, 1, &[air::heart_rate(160)]).await;
                heart.report(BELT, 1, &[air::acceleration_burst(counter, 12, &[[0, 0, 1000]; 12])]).await;
                counter = counter.wrapping_add(12);
                ticks.sleep(std::time::Duration::from_secs(1)).await;
            }
        });
        Self { dongle, modem, config, clock, _folder: folder }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_racing_heart_is_texted_once_and_the_answer_stops_the_ladder() {
    let stop = CancellationToken::new();
    let home = Home::new(&stop);
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    until("the text is on the phone", async || !home.modem.history().is_empty()).await;
    let text = home.modem.history().remove(0);
    assert_eq!(text.to, PAUL);
    let code = text.text.split(' ').nth(1).unwrap().trim_end_matches(':').to_owned();
    assert!(text.text.contains(&format!("OK {code}")), "{}", text.text);
    let alert =
        || gateway.local.facts.alerts().into_iter().find(|alert| alert.condition() == Some(Condition::Tachycardia));
    until("its delivery is reported", async || {
        alert().is_some_and(|alert| {
            alert.facts().any(|fact| matches!(fact.kind, medmon_core::noun::FactKind::Delivered { .. }))
        })
    })
    .await;
    home.modem.receive(PAUL, &format!("ok {code}")).await;
    until("the answer is a fact", async || alert().is_some_and(|alert| alert.acknowledged(Audience::Family).is_some()))
        .await;
    let alert = alert().unwrap();
    assert_eq!(alert.acknowledged(Audience::Family).map(|(by, _)| by), Some("fallback"));
    assert!(alert.open(), "the ward has not answered");
    gateway.stop().await;

    // A restart in the middle of the episode neither raises nor texts again.
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    home.dongle.ready().await;
    let again = home.clock.mono_us() + 30_000_000;
    until("thirty seconds of the racing heart go by", async || home.clock.mono_us() > again).await;
    assert_eq!(gateway.local.facts.alerts().len(), 1);
    assert_eq!(home.modem.history().len(), 1);
    stop.cancel();
    gateway.stop().await;
}

/// Asks as `medmon local` does; the lines of the answer.
async fn ask(home: &Home, question: &str) -> Lines<BufReader<UnixStream>> {
    let mut stream = UnixStream::connect(home.config.socket()).await.unwrap();
    stream.write_all(format!("{question}\n").as_bytes()).await.unwrap();
    BufReader::new(stream).lines()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drill_goes_from_a_virtual_reading_to_an_answer_and_leaves_no_trace_in_the_record() {
    let stop = CancellationToken::new();
    let mut home = Home::new(&stop);
    // Nobody's heart races here.
    home.config.devices.clear();
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    until("the gateway listens", async || home.config.socket().exists()).await;
    let mut rows = ask(&home, r#"{"command":"drill","contact":"Nobody"}"#).await;
    assert!(rows.next_line().await.unwrap().unwrap().contains("no contact is"));
    let mut rows = ask(&home, r#"{"command":"drill"}"#).await;
    let mut events = Vec::new();
    while let Some(row) = rows.next_line().await.unwrap() {
        let row: serde_json::Value = serde_json::from_str(&row).unwrap();
        let event = row["event"].as_str().unwrap_or_else(|| panic!("{row}")).to_owned();
        if event == "delivered" {
            let text = home.modem.history().remove(0);
            assert!(text.text.contains("TEST") && text.text.contains("exerci"), "{}", text.text);
            home.modem.receive(PAUL, "ok").await;
        }
        events.push(event);
    }
    assert_eq!(events, ["raised", "handed_over", "delivered", "acknowledged"]);
    until("it is over", async || gateway.local.facts.alerts().iter().all(|alert| alert.cleared_us().is_some())).await;
    let alert = gateway.local.facts.alerts().remove(0);
    assert!(!alert.open() && alert.condition() == Some(Condition::Drill));
    let mut tap = ask(&home, r#"{"command":"tap","from_start":true}"#).await;
    assert_eq!(tap.next_line().await.unwrap(), None, "an exercise is no reading of anybody");
    assert_eq!(home.modem.history().len(), 1, "one text, no repetition, no end");
    stop.cancel();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_modem_texts_its_own_number_and_hears_itself() {
    const OWN: &str = "+33600000042";
    let stop = CancellationToken::new();
    let mut home = Home::new(&stop);
    home.config.devices.clear();
    home.config.sms.modem.as_mut().unwrap().number = Some(OWN.into());
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    until("the text to itself goes out", async || !home.modem.history().is_empty()).await;
    let text = home.modem.history().remove(0);
    assert_eq!(text.to, OWN);
    home.modem.receive(OWN, &text.text).await;
    let kept = async || gateway.local.facts.state(medmon_gatewayd::selftest::STATE).await.unwrap();
    until("it is heard", async || kept().await.is_some()).await;
    gateway.stop().await;
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    let later = home.clock.mono_us() + 10_000_000;
    until("ten seconds go by", async || home.clock.mono_us() > later).await;
    assert_eq!(home.modem.history().len(), 1, "one a week");
    stop.cancel();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_without_being_asked_is_answered_and_changes_nothing() {
    let stop = CancellationToken::new();
    let home = Home::new(&stop);
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    until("the text is on the phone", async || !home.modem.history().is_empty()).await;
    home.modem.receive("+33744444444", "OK").await;
    home.modem.receive(PAUL, "STATUS").await;
    let to = |phone: &str| home.modem.history().iter().filter(|text| text.to == phone).cloned().collect::<Vec<_>>();
    until("the stranger is answered", async || to("+33744444444").len() == 1).await;
    until("the relative is answered", async || to(PAUL).len() == 2).await;
    assert!(to("+33744444444")[0].text.contains("112"));
    assert!(to(PAUL)[1].text.contains("Nobody has answered"), "{}", to(PAUL)[1].text);
    assert!(gateway.local.facts.alerts().iter().all(|alert| alert.acknowledged(Audience::Family).is_none()));
    stop.cancel();
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_text_that_no_network_takes_goes_out_when_there_is_one() {
    let stop = CancellationToken::new();
    let home = Home::new(&stop);
    home.modem.set_faults(ModemFaults { no_network: true, ..ModemFaults::default() }).await;
    let gateway = Gateway::start(home.config.clone(), home.clock.clone()).await.unwrap();
    until("the text waits", async || {
        gateway.local.sms.as_ref().unwrap().rows(10).await.unwrap().iter().any(|row| row.attempts > 0)
    })
    .await;
    assert!(home.modem.history().is_empty());
    home.modem.set_faults(ModemFaults::default()).await;
    until("the text is on the phone", async || home.modem.history().len() == 1).await;
    stop.cancel();
    gateway.stop().await;
}
