//! The HTTP channel against a real Kannel: what is sent arrives as it was, what comes back is heard, and a Kannel that
//! was killed loses nothing.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use medmon_kit::Clock;
use medmon_sms::{
    HttpChannel, HttpKind, HttpOptions, Incoming, NewText, Outbox, Outcome, Reason, Sms, SmsChannel, State, pump_due,
};
use medmon_testkit::{Kannel, Missing, Phones, free_port, skip};
use uuid::Uuid;

const SECRET: &str = "6f1d3c0a94b14a5f8e2b7c9d0e1f2a3b";
const PAUL: &str = "+33639981001";

fn start(folder: &Path) -> Result<(Kannel, HttpChannel), Missing> {
    let listen = SocketAddr::from(([127, 0, 0, 1], free_port().unwrap()));
    let callback = format!("http://{listen}/sms/{SECRET}");
    let kannel = Kannel::start(folder, &format!("{callback}?from=%p&text=%a"))?;
    let options = HttpOptions {
        url: kannel.url(),
        kind: HttpKind::Kannel,
        token: Some(Kannel::TOKEN.into()),
        callback_url: Some(callback),
        callback_listen: Some(listen),
        from: Some("33639980000".into()),
        ..HttpOptions::default()
    };
    Ok((kannel, HttpChannel::start(options, Clock::system()).unwrap()))
}

fn sms(id: &str, text: &str) -> Sms {
    Sms { id: id.into(), to: PAUL.into(), text: text.into() }
}

async fn until(what: &str, wanted: impl Fn() -> bool) {
    let wait = async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

fn arrived(phones: &Phones, part: &str) -> usize {
    phones.arrived().iter().filter(|line| line.contains(part)).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn texts_arrive_as_they_were_and_what_comes_back_is_heard() {
    let folder = tempfile::tempdir().unwrap();
    let (kannel, channel) = match start(folder.path()) {
        Ok(both) => both,
        Err(missing) => return skip("texts_arrive_as_they_were", &missing),
    };
    let mut phones = kannel.phones().unwrap();
    let outcome = channel.send(&sms("text-1", "medmon 4821: l'été, 3 € & 1 + 1 = 2 {ok}")).await;
    assert_eq!(outcome, Outcome::Sent { reference: "text-1".into() });
    let delivered = Incoming::Delivery { reference: "text-1".into(), delivered: true };
    assert_eq!(channel.receive().await, delivered);
    assert_eq!(arrived(&phones, &format!(" {PAUL} text medmon 4821: l'été, 3 € & 1 + 1 = 2 {{ok}}")), 1);

    // ê is outside GSM-7: UCS-2, two octets a letter.
    assert!(matches!(channel.send(&sms("text-2", "fenêtre")).await, Outcome::Sent { .. }));
    until("the text in UCS-2 is on the phone", || arrived(&phones, "%00f%00e%00n%00%EA%00t%00r%00e") == 1).await;
    assert_eq!(channel.receive().await, Incoming::Delivery { reference: "text-2".into(), delivered: true });

    phones.write(PAUL, "33639980000", "OK 4821 & merci + bien").unwrap();
    let text = "OK 4821 & merci + bien".to_owned();
    assert_eq!(channel.receive().await, Incoming::Text { from: PAUL.into(), text });

    let refused = HttpOptions {
        url: kannel.url(),
        kind: HttpKind::Kannel,
        token: Some("medmon:wrong".into()),
        ..HttpOptions::default()
    };
    let refused = HttpChannel::start(refused, Clock::system()).unwrap();
    assert!(matches!(refused.send(&sms("3", "x")).await, Outcome::Unavailable { .. }), "a password can be put right");
    assert!(matches!(channel.send(&Sms { to: String::new(), ..sms("4", "x") }).await, Outcome::Rejected { .. }));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kannel_that_was_killed_loses_no_text() {
    let folder = tempfile::tempdir().unwrap();
    let (mut kannel, channel) = match start(folder.path()) {
        Ok(both) => both,
        Err(missing) => return skip("a_kannel_that_was_killed_loses_no_text", &missing),
    };
    let channels: [Arc<dyn SmsChannel>; 1] = [Arc::new(channel)];
    // A minute between two attempts passes in one second; Kannel takes its own time for an answer.
    let outbox = Outbox::open(&folder.path().join("sms.sqlite"), 0, Clock::scaled(60.0, 0)).unwrap();
    let clock = Clock::system();
    let queue = async |steps: std::ops::Range<u32>| {
        for step in steps {
            let text = NewText {
                alert: Uuid::from_u128(1),
                contact: Uuid::from_u128(2),
                to: PAUL.into(),
                text: format!("medmon 4821: text {step}."),
                code: "4821".into(),
                reason: Reason::Again,
                step,
            };
            outbox.queue(text).await;
        }
    };
    // No phone is in reach yet: Kannel keeps these.
    queue(0..5).await;
    for handed in pump_due(&outbox, &channels, &clock).await {
        assert_eq!(handed.row.state, State::Sent, "{:?}", handed.outcome);
    }
    kannel.kill9();
    queue(5..10).await;
    for handed in pump_due(&outbox, &channels, &clock).await {
        assert!(matches!(handed.outcome, Outcome::Unavailable { .. }), "nobody is there: {:?}", handed.outcome);
    }
    kannel.start_again().unwrap();
    let phones = kannel.phones().unwrap();
    let all = async {
        while (0..10).any(|step| arrived(&phones, &format!("text {step}.")) == 0) {
            pump_due(&outbox, &channels, &clock).await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.unwrap_or_else(|_| panic!("{:#?}", phones.arrived()));
    assert!(outbox.rows(99).await.unwrap().iter().all(|row| !row.waits()), "nothing waits");
}
