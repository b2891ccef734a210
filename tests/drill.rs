//! `medmon contact test`: a nurse asks, the gateway texts an exercise, and each step is seen up to the answer; or what is
//! missing.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::process::Output;

use medmon_api::contact::NewContact;
use medmon_core::noun::{Language, Role};
use medmon_gatewayd::config::ModemConfig;
use medmon_sim::{Modem, ModemOptions};
use serde_json::Value;

use common::{Home, output, until};

const PAUL: &str = "+33639981001";
const ANNA: &str = "+33639981002";

/// The command, running beside the test.
fn test(env: &[(&'static str, String)], args: &[&str]) -> tokio::task::JoinHandle<Output> {
    let (env, args) = (env.to_vec(), args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>());
    tokio::task::spawn_blocking(move || {
        let base = ["contact", "test", "--patient", "DOE", "--yes"].into_iter();
        let args: Vec<_> = base.chain(args.iter().map(String::as_str)).collect();
        output("medmon", &args, &env)
    })
}

fn said(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exercise_is_followed_to_its_answer_or_says_what_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let mut home = Home::new(folder.path()).await;
    for (name, phone) in [("Paul", PAUL), ("Anna", ANNA)] {
        let (name, phone, language) = (name.into(), phone.into(), Language::En);
        let contact = NewContact { name, phone, relation: String::new(), language, position: None };
        home.doctor.add_contact(home.patient, &contact).await.unwrap();
    }
    let env = home.env(Role::Nurse, folder.path()).await;
    // The gateway is not there yet.
    let early = test(&env, &["Anna", "--for", "2s"]).await.unwrap();
    assert_eq!(early.status.code(), Some(8), "{}", said(&early.stderr));
    assert!(said(&early.stderr).contains("gw-0001 has not taken it up"), "{}", said(&early.stderr));
    assert!(said(&early.stdout).contains("asked for"), "{}", said(&early.stdout));
    let twice = test(&env, &["Anna", "--for", "2s"]).await.unwrap();
    assert_eq!(twice.status.code(), Some(7), "{}", said(&twice.stderr));

    let modem = Modem::open(ModemOptions::default(), home.real.clone()).unwrap();
    let port = modem.port().to_owned();
    home.config.sms.modem = Some(ModemConfig { port, baud: 115_200, pin_file: None, number: None });
    let gateway = home.start().await;
    home.bound().await;
    let command = test(&env, &["Paul", "--for", "60s", "-o", "json"]);
    let first = || modem.history().into_iter().find(|text| text.to == PAUL);
    until("Paul is texted", async || first().is_some()).await;
    let text = first().unwrap().text;
    assert!(text.starts_with("medmon TEST"), "{text}");
    let code: String = text.chars().filter(char::is_ascii_digit).collect();
    let delivered = async || {
        let alerts = home.alerts().await;
        let mut notices = alerts.iter().flat_map(|alert| &alert.notices);
        notices.any(|notice| notice.name.as_deref() == Some("Paul") && notice.delivered_at.is_some())
    };
    until("the cloud knows of the delivery", delivered).await;
    modem.receive(PAUL, &format!("OK {code}")).await;
    let done = command.await.unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", said(&done.stderr));
    let document: Value = serde_json::from_slice(&done.stdout).unwrap();
    for step in ["asked_at", "heard_at", "handed_over_at", "delivered_at", "acknowledged_at"] {
        assert!(document[step].is_string(), "{step}: {document}");
    }
    assert!(document["missing"].is_null(), "{document}");
    let board = home.doctor.board(None).await.unwrap();
    assert_eq!((board.counts.high, board.counts.medium, board.counts.low), (0, 0, 0));
    gateway.stop().await;
    home.end().await;
}
