//! The real program, killed at random moments while it takes envelopes, settles, erases, and while it is backed up: what
//! it answered is there, once, and every backup is whole. Compaction, thinning and retention: `vitals`, by the clock.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use common::Home;
use medmon_api::gateway::Lane;
use medmon_api::vitals::SeriesQuery;
use medmon_api::{Client, PageQuery, patient::PatientQuery};
use medmon_cloudd::backup;
use medmon_core::noun::{Envelope, Verdict, Vital, Window};
use medmon_core::wire::envelope;
use rand::{Rng as _, SeedableRng as _};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1440 * MINUTE_US;
/// Envelopes of a home in a request at most.
const TOGETHER: usize = 5;

/// More by MEDMON_KILL_ROUNDS.
fn rounds() -> u32 {
    std::env::var("MEDMON_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30)
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("medmon-cloudd"));
    let set = |name: &str| format!("MEDMON_CLOUD__{name}");
    command.env_clear().env("MEDMON_CONFIG", "/dev/null").env(set("DATA_DIR"), data);
    command.env(set("LISTEN"), "127.0.0.1:0").env(set("VITALS__SEGMENT_S"), "0").stdin(Stdio::null());
    command.env(set("BACKUP__FOLDER"), data.with_file_name("backups"));
    command.env(set("BACKUP__KEY_FILE"), data.with_file_name("key")).env(set("BACKUP__KEEP"), "3");
    command
}

fn serve(data: &Path) -> (Child, String) {
    let mut child = program(data).args(["--log-format", "json"]).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut said = Vec::new();
    let line = loop {
        match lines.next() {
            Some(line) if line.contains("cloud listens") => break line,
            Some(line) => said.push(line),
            None => panic!("it does not start: {said:#?}"),
        }
    };
    // Whatever else it says must not fill the pipe.
    std::thread::spawn(move || lines.for_each(drop));
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    (child, format!("http://{}", line["fields"]["address"].as_str().unwrap()))
}

fn token(data: &Path, role: &str) -> String {
    let made = program(data).args(["token", "create", "--role", role, "--name", role]).output().unwrap();
    String::from_utf8(made.stdout).unwrap().trim().to_owned()
}

/// A home with what it has sealed; the answers it has had.
struct Sender {
    home: Home,
    sealed: Vec<Envelope>,
    freed: usize,
}

impl Sender {
    fn seal(&mut self, random: &mut rand_chacha::ChaCha8Rng, now_us: i64) {
        let number = self.sealed.len() as u64 + 1;
        // Of the last twenty days: blocks of many days, and what is late.
        let at = now_us - random.random_range(0..20) * DAY_US - (number as i64 % 1000) * MINUTE_US;
        let mut windows = vec![Window::of(Vital::GLUCOSE, at - number as i64, 1000 + (number % 500) as i32, 0, true)];
        windows.push(Window::of(Vital::HEART_RATE, at, 700, 1000, true));
        let (install, epoch) = (self.home.install, self.home.epoch);
        let gaps = Vec::new();
        self.sealed.push(Envelope { install, stream: 0, sequence: number, epoch, sealed_us: now_us, windows, gaps });
    }

    /// Sends what is not freed, and a little that is; `false`: the line broke.
    async fn send(&mut self, client: &Client) -> bool {
        let from = self.freed.saturating_sub(2);
        let batch: Vec<_> = self.sealed[from..].iter().take(TOGETHER).map(envelope::encode).collect();
        match client.ingest(Lane::Live, batch.iter().map(Vec::as_slice)).await {
            Ok(verdicts) => {
                let freed = verdicts.iter().take_while(|verdict| verdict.frees()).count();
                assert!(!verdicts.iter().any(|verdict| matches!(verdict, Verdict::Quarantined { .. })), "{verdicts:?}");
                self.freed = self.freed.max(from + freed);
                true
            }
            Err(_) => false,
        }
    }
}

async fn readings(doctor: &Client, patient: uuid::Uuid, vital: Vital, now_us: i64) -> u64 {
    let since = Some(medmon_api::time(now_us - 40 * DAY_US));
    let query = SeriesQuery { since, step_s: Some(86_400), ..SeriesQuery::default() };
    doctor.vitals(patient, vital, &query).await.unwrap().points.iter().map(|point| point.count).sum()
}

#[tokio::test]
async fn killed_at_any_moment_it_holds_what_it_answered_once() {
    let seed = std::env::var("MEDMON_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random);
    println!("MEDMON_SEED={seed}");
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
    let clock = medmon_kit::Clock::system();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let (admin, doctor) = (token(&data, "admin"), token(&data, "doctor"));
    let (mut child, url) = serve(&data);
    let (admin, doctor) =
        (Client::new(&url, Some(&admin)).unwrap(), (Client::new(&url, Some(&doctor)).unwrap(), doctor));
    let ward = admin.wards().await.unwrap()[0].id;
    let mut senders = Vec::new();
    for name in ["DOE Jeanne", "MOREL André", "PETIT Rose"] {
        let patient = doctor.0.add_patient(&common::new_patient(name, ward)).await.unwrap();
        let added = admin.add_gateway(&medmon_api::gateway::NewGateway { name: format!("gw {name}") }).await.unwrap();
        let install = uuid::Uuid::now_v7();
        let nobody = admin.with_token(None).unwrap();
        let enrolled = nobody.enrol(&medmon_api::gateway::Enrol { code: added.code, install }).await.unwrap();
        let epoch = doctor.0.bind(patient.id, enrolled.gateway).await.unwrap().epoch;
        let client = nobody.with_token(Some(&enrolled.token)).unwrap();
        let home = Home { client, token: enrolled.token, id: enrolled.gateway, install, epoch };
        senders.push(Sender { home, sealed: Vec::new(), freed: 0 });
    }
    child.kill().unwrap();
    child.wait().unwrap();
    // Bound long ago, so that windows of days past are theirs; and one more whose vitals are erased.
    let records = rusqlite::Connection::open(data.join("records.sqlite")).unwrap();
    records.execute("UPDATE assignment SET from_us = 0", []).unwrap();
    drop(records);
    let doctor_token = doctor.1;

    let mut erased = false;
    for round in 0..rounds() {
        let (mut child, url) = serve(&data);
        let doctor = Client::new(&url, Some(&doctor_token)).unwrap();
        let live = Duration::from_millis(random.random_range(5..600));
        let mut copying = (round % 3 == 1)
            .then(|| program(&data).arg("backup").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let kill_copying = random.random_bool(0.5);
        // Half-way, the third patient's vitals are erased, again and again until an answer comes.
        let erasing = round > rounds() / 2 && !erased;
        let until = tokio::time::Instant::now() + live;
        let list = doctor.patients(&PatientQuery::default(), &PageQuery::default()).await;
        let rose = list.ok().and_then(|page| page.items.into_iter().find(|row| row.name == "PETIT Rose"));
        if let Some(rose) = rose.as_ref().filter(|_| erasing) {
            let _ = doctor.unbind(rose.id).await;
        }
        let erase = async {
            match rose.filter(|_| erasing) {
                Some(rose) => doctor.erase_vitals(rose.id).await.is_ok(),
                None => std::future::pending().await,
            }
        };
        let work = async {
            let mut done = false;
            tokio::pin!(erase);
            while tokio::time::Instant::now() < until {
                for (index, sender) in senders.iter_mut().enumerate() {
                    if index == 2 && round > rounds() / 2 {
                        continue;
                    }
                    sender.seal(&mut random, clock.utc_us());
                    let client = Client::new(&url, Some(&sender.home.token)).unwrap();
                    tokio::select! {
                        _ = sender.send(&client) => {}
                        ok = &mut erase, if !done => { erased |= ok; done = true }
                        () = tokio::time::sleep_until(until) => {}
                    }
                }
            }
        };
        work.await;
        child.kill().unwrap();
        child.wait().unwrap();
        if let Some(copying) = copying.as_mut() {
            if kill_copying {
                copying.kill().unwrap();
            }
            copying.wait().unwrap();
        }
    }

    let (mut child, url) = serve(&data);
    let doctor = Client::new(&url, Some(&doctor_token)).unwrap();
    let patients = doctor.patients(&PatientQuery::default(), &PageQuery::default()).await.unwrap().items;
    for (index, sender) in senders.iter_mut().enumerate().take(2) {
        let client = Client::new(&url, Some(&sender.home.token)).unwrap();
        while sender.freed < sender.sealed.len() {
            assert!(sender.send(&client).await);
        }
        let all: Vec<_> = sender.sealed.iter().map(envelope::encode).collect();
        for some in all.chunks(100) {
            let verdicts = client.ingest(Lane::Backlog, some.iter().map(Vec::as_slice)).await.unwrap();
            assert!(verdicts.iter().all(|verdict| *verdict == Verdict::AlreadyHeld), "{verdicts:?}");
        }
        let patient = patients.iter().find(|row| row.name == ["DOE Jeanne", "MOREL André"][index]).unwrap().id;
        for vital in [Vital::GLUCOSE, Vital::HEART_RATE] {
            let held = readings(&doctor, patient, vital, clock.utc_us()).await;
            assert_eq!(held, sender.sealed.len() as u64, "{vital} of {index}");
        }
        println!("{} envelopes of home {index} are there once", sender.sealed.len());
    }
    let rose = patients.iter().find(|row| row.name == "PETIT Rose").unwrap().id;
    let _ = doctor.unbind(rose).await;
    if rounds() > 2 {
        doctor.erase_vitals(rose).await.unwrap();
        assert_eq!(readings(&doctor, rose, Vital::GLUCOSE, clock.utc_us()).await, 0, "she is erased");
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(program(&data).arg("backup").status().unwrap().success());
    let (folder, key) = (data.with_file_name("backups"), data.with_file_name("key"));
    assert_eq!(backup::verify(&folder, &key, None).unwrap().1, Vec::<String>::new());
}
