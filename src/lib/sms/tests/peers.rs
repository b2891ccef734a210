//! What others wrote sends and receives through the virtual modem: it is one that they take for real.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::time::Duration;

use medmon_kit::Clock;
use medmon_sim::{Modem, ModemOptions};
use medmon_testkit::{Smsd, SmsdKind, skip};

async fn until(what: &str, smsd: &Smsd, wanted: impl Fn() -> bool) {
    let wait = async {
        while !wanted() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let came = tokio::time::timeout(Duration::from_mins(1), wait).await;
    assert!(came.is_ok(), "never: {what}\n{}", smsd.last_words());
}

async fn sends_and_receives(kind: SmsdKind) {
    let folder = tempfile::tempdir().unwrap();
    let modem = Modem::open(ModemOptions::default(), Clock::system()).unwrap();
    let smsd = match Smsd::start(kind, folder.path(), modem.port()) {
        Ok(smsd) => smsd,
        Err(missing) => return skip(&format!("{kind:?} sends and receives"), &missing),
    };
    smsd.send("+33639981001", "medmon 4821: Jeanne may need help.").unwrap();
    until("the text is on the phone", &smsd, || !modem.history().is_empty()).await;
    let sent = modem.history().remove(0);
    assert_eq!((sent.to.as_str(), sent.text.as_str()), ("+33639981001", "medmon 4821: Jeanne may need help."));
    until("it knows that it has sent it", &smsd, || smsd.has_sent()).await;
    modem.receive("+33639981001", "OK 4821").await;
    until("the answer came in", &smsd, || smsd.inbox().iter().any(|text| text.contains("OK 4821"))).await;
    assert_eq!(modem.history().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gammu_sends_and_receives() {
    sends_and_receives(SmsdKind::Gammu).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn smstools_sends_and_receives() {
    sends_and_receives(SmsdKind::Smstools).await;
}
