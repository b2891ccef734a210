//! A fall while the cloud, the internet and RabbitMQ are gone: relatives and the ward's on-call number are texted in
//! order by the home alone, an answer stops it, and the ward still sees that nobody of the staff has answered.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::sync::Arc;

use medmon_api::assignment::Devices;
use medmon_api::contact::NewContact;
use medmon_api::patient::PatientPatch;
use medmon_api::ward::NewWard;
use medmon_core::noun::{Condition, Device, Ieee, Language, Place, Vital};
use medmon_gatewayd::broker::RabbitUrl;
use medmon_gatewayd::config::{BrokerKind, ModemConfig};
use medmon_kit::Clock;
use medmon_sim::patient::{Scene, Signals, Vital as Measured};
use medmon_sim::{Modem, ModemOptions, Scenario, scenario};
use medmon_testkit::{RabbitMq, skip};
use tokio_util::sync::CancellationToken;

use common::{Home, until};

const PAUL: &str = "+33639981001";
const ANNA: &str = "+33639981002";
const ON_CALL: &str = "+33639981009";
const BELT: u64 = 0x0012_4b00_2a5c_0d07;
/// Half an hour of the ladder passes in a minute.
const SPEED: f64 = 45.0;
/// The impact, s from the start of the home's signals.
const FALL_S: f64 = 20.0;

/// Jeanne with a belt, who falls and stays down.
fn jeanne() -> scenario::Home {
    let mut home = Scenario::demo(1, 1).homes.remove(0);
    let scenes = vec![Scene::Fall { at: FALL_S }];
    home.source = scenario::Source::Body(Box::new(Signals::new(1, &scenes)));
    let vitals = vec![(Measured::Acceleration, 0.48)];
    home.devices = vec![medmon_sim::Device { ieee: BELT, label: "belt".into(), place: Some("waist"), vitals }];
    home
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_home_alone_reaches_everybody_in_order_until_somebody_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut rabbit = match RabbitMq::start(folder.path(), 1) {
        Ok(rabbit) => rabbit,
        Err(missing) => return skip("a home alone reaches everybody in order", &missing),
    };
    let clock = Clock::scaled(SPEED, Clock::system().utc_us());
    let mut home = Home::by(folder.path(), clock.clone(), clock.clone()).await;
    let ward = NewWard { name: "Les Tilleuls".into(), on_call_phone: Some(ON_CALL.into()) };
    let ward = home.admin.add_ward(&ward).await.unwrap().id;
    let patch = PatientPatch { ward: Some(ward), ..PatientPatch::default() };
    home.doctor.edit_patient(home.patient, &patch).await.unwrap();
    for (name, phone) in [("Paul", PAUL), ("Anna", ANNA)] {
        let (name, phone, language) = (name.into(), phone.into(), Language::Fr);
        let contact = NewContact { name, phone, relation: String::new(), language, position: None };
        home.doctor.add_contact(home.patient, &contact).await.unwrap();
    }
    let (vitals, place) = (vec![Vital::ACCELERATION], Some(Place::Waist));
    let devices = vec![Device { ieee: Ieee(BELT), label: String::new(), vitals, place }];
    home.doctor.set_devices(home.patient, &Devices { devices, ..Devices::default() }).await.unwrap();
    let modem = Modem::open(ModemOptions::default(), clock.clone()).unwrap();
    let port = modem.port().to_owned();
    home.config.sms.modem = Some(ModemConfig { port, baud: 115_200, pin_file: None, number: None });
    (home.config.broker.kind, home.config.broker.url) = (BrokerKind::Rabbitmq, RabbitUrl::new(rabbit.url(0)));
    let gateway = home.start().await;
    home.bound().await;
    until("the contacts are here", async || gateway.local.settings.borrow().contacts.len() == 2).await;

    // All that is not in the home is gone, and the broker too.
    home.link.cut();
    rabbit.kill9();
    let stop = CancellationToken::new();
    let (body, beats) = (jeanne(), clock.clone());
    let dongle = Arc::clone(&home.dongle);
    let play = tokio::spawn({
        let stop = stop.clone();
        async move { medmon_sim::run_home(&body, &dongle, &beats, stop).await }
    });
    let first = |phone: &str| modem.history().into_iter().find(|text| text.to == phone);
    let minutes = |phone: &str| first(phone).map(|text| text.at_mono_us as f64 / 60e6);
    until("the on-call number is texted", async || first(ON_CALL).is_some()).await;
    let times = [PAUL, ANNA, ON_CALL].map(|phone| minutes(phone).unwrap());
    println!("minutes: {times:.1?}");
    for pair in times.windows(2) {
        assert!((4.9..7.0).contains(&(pair[1] - pair[0])), "{times:?}");
    }
    let texts = modem.history();
    assert!(texts[0].to == PAUL && texts[0].text.contains("Jeanne peut avoir besoin d'aide"), "{texts:?}");
    let code = texts[0].text.split([' ', ':']).nth(1).unwrap().to_owned();

    modem.receive(ANNA, &format!("ok {code}")).await;
    let told =
        |phone: &str| modem.history().iter().any(|text| text.to == phone && text.text.contains("Anna s'en occupe"));
    until("the others hear that Anna answered", async || told(PAUL) && told(ON_CALL)).await;
    let alarms = || modem.history().iter().filter(|text| text.text.contains("aide")).count();
    let (before, later) = (alarms(), clock.mono_us() + 20 * 60_000_000);
    until("twenty minutes go by", async || clock.mono_us() > later).await;
    assert_eq!(alarms(), before, "after the answer nobody is alarmed");

    home.link.heal();
    let answered = async || {
        let alerts = home.alerts().await;
        alerts.into_iter().find(|alert| matches!(alert.condition, Condition::Fall | Condition::LongLie))
    };
    until("the ward sees who answered", async || {
        answered().await.is_some_and(|alert| alert.acknowledged_family.is_some())
    })
    .await;
    let alert = answered().await.unwrap();
    assert!(alert.open && alert.acknowledged_ward.is_none(), "the staff has not answered: {alert:?}");
    stop.cancel();
    play.await.unwrap();
    gateway.stop().await;
    home.end().await;
}
