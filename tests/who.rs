//! Whose reading it is: an assignment that ends takes its episodes, contacts and limits with it at once, and what comes
//! afterwards is nobody's.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use medmon_api::contact::NewContact;
use medmon_core::noun::{Condition, Language};
use medmon_sim::{DeviceSpec, air};

use common::{Home, STRAP, counted, until};

const STRANGER: u64 = 0x0012_4b00_dead_beef;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assignment_that_ends_takes_everything_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::new(folder.path()).await;
    let paul = NewContact {
        name: "Paul".into(),
        phone: "+33639981001".into(),
        relation: "son".into(),
        language: Language::Fr,
        position: None,
    };
    home.doctor.add_contact(home.patient, &paul).await.unwrap();
    home.dongle.know(DeviceSpec::sensor(STRANGER, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
    let gateway = home.start().await;
    home.bound().await;
    let settings = || std::sync::Arc::clone(&gateway.local.settings.borrow());
    until("the contact is known", async || settings().contacts.len() == 1).await;

    // A heart that is far too slow, until somebody is told.
    let told = async || {
        home.speak(&gateway, [28, 29, 30]).await;
        home.alerts().await.iter().any(|alert| alert.condition == Condition::Bradycardia)
    };
    until("the alert is at the cloud", told).await;
    assert!(home.dongle.report(STRANGER, 1, &[air::heart_rate(99)]).await);
    home.doctor.unbind(home.patient).await.unwrap();
    until("nobody is to be texted any more", async || settings().epoch == 0 && settings().contacts.is_empty()).await;
    let cleared = async || home.alerts().await.iter().all(|alert| alert.cleared_at.is_some());
    until("the episode is over", cleared).await;
    let before = gateway.local.counters.snapshot()["readings_accepted"];

    // The strap is no longer on anybody's list.
    for bpm in 60..80 {
        assert!(home.dongle.report(STRAP, 1, &[air::heart_rate(bpm)]).await);
    }
    let strangers = async || gateway.local.counters.snapshot()["unlisted_reports"] == 21;
    until("what it says is counted and nobody's", strangers).await;
    let alerts = gateway.local.facts.alerts().len();
    gateway.stop().await;
    assert_eq!(counted(&home.series().await), before, "all of the patient's, and nothing else");
    assert_eq!((alerts, home.alerts().await.len()), (1, 1));
    let gateways = home.doctor.device_history(medmon_core::noun::Ieee(STRAP)).await.unwrap();
    assert!(gateways.heard.iter().any(|row| row.gateway == home.gateway), "{gateways:?}");
    home.end().await;
}
