//! The real program, killed at random moments while it takes envelopes, settles, packs days, thins and removes months,
//! erases, and while it is backed up: what it answered is there, once, and every backup is whole.

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
use medmon_cloudd::vitals::VitalsStore as _;
use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_core::noun::{Envelope, Verdict, Vital, Window};
use medmon_core::wire::envelope;
use rand::{Rng as _, SeedableRng as _};

const MINUTE_US: i64 = 60_000_000;
const DAY_US: i64 = 1440 * MINUTE_US;
/// Envelopes of a home in a request at most.
const TOGETHER: usize = 5;
/// Windows of these days are asked for at the end.
const KEPT_DAYS: i64 = 40;
/// When it first looks whether there is something to do, ms after it began to listen.
const TENDS_MS: u64 = 1000;

/// More by MEDMON_KILL_ROUNDS.
fn rounds() -> u32 {
    std::env::var("MEDMON_KILL_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(30)
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("medmon-cloudd"));
    let set = |name: &str| format!("MEDMON_CLOUD__{name}");
    command.env_clear().env("MEDMON_CONFIG", "/dev/null").env(set("DATA_DIR"), data);
    command.env(set("LISTEN"), "127.0.0.1:0").stdin(Stdio::null());
    // Everything that is done in a night, at every look.
    command.env(set("VITALS__SEGMENT_S"), "0").env(set("VITALS__COMPACT_AFTER_S"), "0");
    command.env(set("VITALS__THIN_AFTER"), "1d").env(set("VITALS__RETENTION"), "100d");
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
        // Half of yesterday, which is packed at once; else of the last forty days: blocks of many days in two months, one
        // of them to be thinned.
        let day = if random.random_bool(0.5) { 1 } else { random.random_range(0..KEPT_DAYS) };
        let at = now_us - day * DAY_US - (number as i64 % 1000) * MINUTE_US;
        let mut windows = vec![Window::of(Vital::GLUCOSE, at - number as i64, 1000 + (number % 500) as i32, 0, true)];
        windows.push(Window::of(Vital::HEART_RATE, at, 700, 1000, true));
        // And what is too old to be kept.
        windows.push(Window::of(Vital::TEMPERATURE, at - 150 * DAY_US, 3700, 1000, true));
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
    let since = Some(medmon_api::time(now_us - (KEPT_DAYS + 2) * DAY_US));
    let query = SeriesQuery { since, step_s: Some(86_400), ..SeriesQuery::default() };
    doctor.vitals(patient, vital, &query).await.unwrap().points.iter().map(|point| point.count).sum()
}

/// A day later: what is hot is packed, but nothing is thinned or removed, that is the program's.
async fn night(data: &Path) {
    let options = Options { compact_after_us: -2 * DAY_US, thin_after_us: None, ..Options::default() };
    let clock = medmon_kit::Clock::system();
    let store = Embedded::open(&data.join("vitals"), options, clock.clone()).await.unwrap();
    store.maintain(clock.utc_us()).await.unwrap();
}

/// The files of months, by name.
fn months(data: &Path) -> Vec<String> {
    let files = std::fs::read_dir(data.join("vitals/months")).unwrap();
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name.ends_with(".sqlite")).collect();
    names.sort();
    names
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
        // Half of them die in the midst of the night's work.
        let late = if random.random_bool(0.5) { TENDS_MS } else { 0 };
        let live = Duration::from_millis(late + random.random_range(5..if late > 0 { 150 } else { 600 }));
        let mut copying = (round % 3 == 1)
            .then(|| program(&data).arg("backup").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
        let kill_copying = random.random_bool(0.5);
        // Half-way, the third patient's vitals are erased, again and again until an answer comes.
        let erasing = round > rounds() / 2 && !erased;
        let end = tokio::time::Instant::now() + live;
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
            while tokio::time::Instant::now() < end {
                for (index, sender) in senders.iter_mut().enumerate() {
                    if index == 2 && round > rounds() / 2 {
                        continue;
                    }
                    sender.seal(&mut random, clock.utc_us());
                    let client = Client::new(&url, Some(&sender.home.token)).unwrap();
                    tokio::select! {
                        _ = sender.send(&client) => {}
                        ok = &mut erase, if !done => { erased |= ok; done = true }
                        () = tokio::time::sleep_until(end) => {}
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
        // The last one, too: what is too old is in a month then.
        if (rounds() - round) % 3 == 1 {
            night(&data).await;
        }
    }

    let packed = months(&data);
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
    let oldest = medmon_api::time(clock.utc_us() - 135 * DAY_US).to_string()[..7].to_owned();
    assert!(packed[0] <= oldest, "something was too old: {packed:?}");
    let limit = tokio::time::Instant::now() + Duration::from_mins(1);
    while months(&data)[0] <= oldest {
        assert!(tokio::time::Instant::now() < limit, "what is too old is still there: {:?}", months(&data));
        tokio::time::sleep(Duration::from_millis(50)).await;
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
