//! Every fault of the virtual modem, one by one and in mixtures: each text is on the phone at least once, at most twice
//! and then the same; each answer comes in; once all is healed nothing waits.
//!
//! The budget: what swallows a message that has left, so that nobody can know, does so once to a text. Twice would lose
//! it, because nothing is sent three times; then the ladder goes on.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::join_all;
use medmon_kit::Clock;
use medmon_sim::{Modem as Virtual, ModemFaults, ModemOptions as VirtualOptions};
use medmon_sms::{Incoming, Modem, ModemOptions, ModemState, NewText, Outbox, Reason, SmsChannel, pump};
use rand::prelude::*;
use rand_chacha::ChaCha8Rng;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use uuid::Uuid;

const PAUL: &str = "+33639981001";
/// A minute passes in a second: the time-outs of a minute do, and none is so short that a busy machine misses it.
const SPEED: f64 = 60.0;

struct Bench {
    name: String,
    clock: Clock,
    modem: Virtual,
    host: Arc<Modem>,
    outbox: Outbox,
    heard: Arc<Mutex<Vec<String>>>,
    tasks: JoinSet<()>,
    folder: tempfile::TempDir,
    texts: u32,
    ports: u32,
    /// How often a text was handed over, and its fate written down.
    handed: Arc<AtomicI64>,
}

impl Bench {
    fn new(name: &str, pin: Option<&str>, faults: ModemFaults) -> Self {
        let clock = Clock::scaled(SPEED, 1_764_000_000_000_000);
        let folder = tempfile::tempdir().unwrap();
        let pin = pin.map(str::to_owned);
        let options = VirtualOptions { pin: pin.clone(), faults, ..VirtualOptions::default() };
        let modem = Virtual::open(options, clock.clone()).unwrap();
        symlink(modem.port(), folder.path().join("tty0")).unwrap();
        let options = ModemOptions { pin, pin_memory: Some(folder.path().join("sms.pin")) };
        let host = Arc::new(Modem::serial(&folder.path().join("tty*"), 115_200, options, clock.clone()));
        let outbox = Outbox::open(&folder.path().join("sms.sqlite"), 0, clock.clone()).unwrap();
        let heard = Arc::<Mutex<Vec<String>>>::default();
        let mut tasks = JoinSet::new();
        let (told, mut handed) = mpsc::channel(16);
        let (pumped, channels, pump_clock) =
            (outbox.clone(), [Arc::clone(&host) as Arc<dyn SmsChannel>], clock.clone());
        tasks.spawn(async move { pump(&pumped, &channels, &pump_clock, told).await });
        let count = Arc::<AtomicI64>::default();
        let counted = Arc::clone(&count);
        tasks.spawn(async move {
            while handed.recv().await.is_some() {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        });
        let (reported, words, channel) = (outbox.clone(), Arc::clone(&heard), Arc::clone(&host));
        tasks.spawn(async move {
            loop {
                match channel.receive().await {
                    Incoming::Text { text, .. } => words.lock().unwrap().push(text),
                    Incoming::Delivery { reference, delivered } => drop(reported.delivery(&reference, delivered).await),
                }
            }
        });
        Self {
            name: name.to_owned(),
            clock,
            modem,
            host,
            outbox,
            heard,
            tasks,
            folder,
            texts: 0,
            ports: 0,
            handed: count,
        }
    }

    async fn seconds(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    /// An alert's text, which nobody else sends.
    async fn text(&mut self) {
        self.texts += 1;
        let number = self.texts;
        let text = NewText {
            alert: Uuid::from_u128(number.into()),
            contact: Uuid::from_u128(9),
            to: PAUL.into(),
            text: format!("medmon {}: Jeanne may need help.", 4000 + number),
            code: (4000 + number).to_string(),
            reason: Reason::Raised,
            step: 0,
        };
        self.outbox.queue(text).await;
    }

    fn unplug(&self) {
        self.modem.unplug();
        let _ = std::fs::remove_file(self.folder.path().join(format!("tty{}", self.ports)));
    }

    fn plug(&mut self) {
        self.unplug();
        self.ports += 1;
        symlink(self.modem.plug().unwrap(), self.folder.path().join(format!("tty{}", self.ports))).unwrap();
    }

    async fn until(&self, what: &str, wanted: impl AsyncFn() -> bool) {
        let wait = async {
            while !wanted().await {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(Duration::from_mins(1), wait).await.is_err() {
            let rows = self.outbox.rows(99).await.unwrap();
            panic!("{}: never {what}: {:?}\n{:#?}\n{rows:#?}", self.name, self.host, self.modem.history());
        }
    }

    /// All is healed: what must hold.
    async fn check(mut self, answers: usize) {
        self.text().await;
        let settled = async || {
            let rows = self.outbox.rows(999).await.unwrap();
            // A second attempt that nobody has answered yet does not wait, and is not over.
            let attempts: i64 = rows.iter().map(|row| row.attempts).sum();
            rows.iter().all(|row| !row.waits()) && attempts == self.handed.load(Ordering::Relaxed)
        };
        self.until("nothing waits", settled).await;
        let arrived = |number: u32| {
            let text = format!("medmon {}: Jeanne may need help.", 4000 + number);
            self.modem.history().iter().filter(|sms| sms.to == PAUL && sms.text == text).count()
        };
        for number in 1..=self.texts {
            let times = arrived(number);
            let rows = self.outbox.rows(999).await.unwrap();
            assert!((1..=2).contains(&times), "{}: text {number} arrived {times} times\n{rows:#?}", self.name);
        }
        let all: usize = (1..=self.texts).map(arrived).sum();
        assert_eq!(all, self.modem.history().len(), "{}: nothing else was sent", self.name);
        let heard = |number: usize| self.heard.lock().unwrap().contains(&format!("OK {number}"));
        self.until("each answer came in", async || (0..answers).all(heard)).await;
        self.tasks.shutdown().await;
    }
}

/// Three texts and an answer while a fault lasts; then it heals.
async fn one_by_one(name: &str, faults: ModemFaults, seconds: u64) {
    let mut bench = Bench::new(name, None, ModemFaults::default());
    bench.until("ready", async || matches!(*bench.host.state().borrow(), ModemState::Ready { .. })).await;
    bench.modem.set_faults(faults).await;
    for number in 0..3 {
        bench.text().await;
        bench.modem.receive(PAUL, &format!("OK {number}")).await;
    }
    bench.seconds(seconds).await;
    bench.modem.set_faults(ModemFaults::default()).await;
    bench.check(3).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_by_itself() {
    let none = ModemFaults::default();
    let faults = [
        ("none", none),
        ("no network", ModemFaults { no_network: true, ..none }),
        ("freeze", ModemFaults { freeze: true, ..none }),
        ("chatter", ModemFaults { chatter: true, ..none }),
        ("noise", ModemFaults { noise: true, ..none }),
        ("no prompt", ModemFaults { no_prompt: true, ..none }),
        ("OK lost", ModemFaults { lose_ok: true, ..none }),
        ("reboots before", ModemFaults { reboots_before: true, ..none }),
        ("reboots after", ModemFaults { reboots_after: true, ..none }),
        ("network times out", ModemFaults { network_timeout: true, ..none }),
        ("SIM busy", ModemFaults { sim_busy: true, ..none }),
        ("SIM busy, in words", ModemFaults { sim_busy: true, words: true, ..none }),
        ("reports twice", ModemFaults { duplicate_reports: true, ..none }),
        ("reports stored", ModemFaults { stored_reports: true, ..none }),
        ("texts not stored", ModemFaults { unstored: true, ..none }),
    ];
    // A text that was swallowed is sent again after a minute and a quarter: by then it is healed.
    let swallowed = one_by_one("swallowed", ModemFaults { eats: true, ..none }, 50);
    tokio::join!(join_all(faults.map(|(name, faults)| one_by_one(name, faults, 120))), swallowed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_modem_of_other_manners_does_it_all() {
    for faults in [
        ModemFaults { stored_reports: true, words: true, chatter: true, ..ModemFaults::default() },
        ModemFaults { unstored: true, duplicate_reports: true, noise: true, ..ModemFaults::default() },
    ] {
        let mut bench = Bench::new(&format!("{faults:?}"), None, faults);
        bench.until("ready", async || matches!(*bench.host.state().borrow(), ModemState::Ready { .. })).await;
        bench.text().await;
        bench.modem.receive(PAUL, "OK 0").await;
        let delivered = async || bench.outbox.rows(9).await.unwrap().iter().any(|row| row.delivered_us.is_some());
        bench.until("delivered", delivered).await;
        let long = "OK 1".to_owned() + &" and so on".repeat(40);
        bench.modem.receive(PAUL, &long).await;
        bench.until("the long text came in", async || bench.heard.lock().unwrap().contains(&long)).await;
        bench.check(1).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn unplugged_restarted_and_locked() {
    let mut bench = Bench::new("unplugged", Some("1234"), ModemFaults::default());
    bench.text().await;
    bench.until("the text is there", async || bench.modem.history().len() == 1).await;
    bench.unplug();
    bench.text().await;
    bench.seconds(30).await;
    bench.plug();
    bench.until("the text is there", async || bench.modem.history().len() == 2).await;
    bench.modem.reboot().await;
    bench.text().await;
    bench.until("the text is there", async || bench.modem.history().len() == 3).await;
    assert!(!bench.folder.path().join("sms.pin").exists(), "a right PIN is no secret to be kept");
    // More answers than the SIM has places, while nobody takes any.
    bench.unplug();
    for number in 0..25 {
        bench.modem.receive(PAUL, &format!("OK {number}")).await;
    }
    bench.plug();
    bench.check(25).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mixtures_of_faults() {
    let seeds = match std::env::var("MEDMON_SMS_SEED") {
        Ok(seed) => vec![seed.parse().unwrap()],
        Err(_) => (0..6).map(|_| rand::random_range(0..1_000_000_u64)).collect(),
    };
    println!("MEDMON_SMS_SEED of the mixtures: {seeds:?}");
    join_all(seeds.into_iter().map(mixture)).await;
}

async fn mixture(seed: u64) {
    let mut dice = ChaCha8Rng::seed_from_u64(seed);
    let pin = dice.random_bool(0.5).then_some("1234");
    let mut bench = Bench::new(&format!("MEDMON_SMS_SEED={seed}"), pin, ModemFaults::default());
    let mut answers = 0;
    let mut swallowed = false;
    for _ in 0..16 {
        let mut coin = |share| dice.random_bool(share);
        let eats = !swallowed && coin(0.1);
        let faults = ModemFaults {
            no_network: coin(0.1),
            freeze: coin(0.1),
            chatter: coin(0.2),
            noise: coin(0.1),
            no_prompt: coin(0.1),
            lose_ok: coin(0.1),
            eats,
            reboots_before: coin(0.05),
            reboots_after: coin(0.1),
            network_timeout: coin(0.1),
            sim_busy: coin(0.1),
            words: coin(0.2),
            duplicate_reports: coin(0.2),
            stored_reports: coin(0.2),
            unstored: coin(0.2),
        };
        bench.modem.set_faults(faults).await;
        match dice.random_range(0..8) {
            0 => bench.unplug(),
            1 => bench.plug(),
            2 => bench.modem.reboot().await,
            _ => {}
        }
        for _ in 0..dice.random_range(0..3) {
            bench.text().await;
        }
        if dice.random_bool(0.3) {
            bench.modem.receive(PAUL, &format!("OK {answers}")).await;
            answers += 1;
        }
        bench.seconds(if eats { 50 } else { dice.random_range(2..90) }).await;
        swallowed |= eats;
    }
    bench.modem.set_faults(ModemFaults::default()).await;
    bench.plug();
    bench.check(answers).await;
}
