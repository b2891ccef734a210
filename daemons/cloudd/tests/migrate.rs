//! From the embedded store to a server: the real program, killed on the way and run again.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{MINUTE, World, gap};
use medmon_cloudd::config::{VitalsConfig, VitalsKind};
use medmon_cloudd::{Cloud, CloudConfig};
use medmon_core::noun::{Verdict, Vital, Window};
use medmon_testkit::{VictoriaMetrics, skip};
use rand::Rng as _;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn program(data: &Path, server: &VictoriaMetrics) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin!("medmon-cloudd"));
    let set = |name: &str| format!("MEDMON_CLOUD__{name}");
    command.env_clear().env("MEDMON_CONFIG", "/dev/null").env(set("DATA_DIR"), data).env(set("LISTEN"), "127.0.0.1:0");
    command.env(set("VITALS__KIND"), "prometheus").env(set("VITALS__WRITE_URL"), server.write_url());
    command.env(set("VITALS__QUERY_URL"), server.url()).stdin(Stdio::null());
    command
}

fn migrate(data: &Path, server: &VictoriaMetrics) -> Command {
    let mut command = program(data, server);
    command.args(["vitals", "migrate", "--from", "embedded", "--to", "prometheus"]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_taken_along_once_whenever_it_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let server = match VictoriaMetrics::start(folder.path()) {
        Ok(server) => server,
        Err(missing) => return skip("migrate: everything is taken along", &missing),
    };
    let world = World::new().await;
    let mut homes = Vec::new();
    for name in ["DOE Jeanne", "MOREL André", "PETIT Rose"] {
        homes.push(world.home(name).await);
    }
    world.clock.shift_utc(3000 * MINUTE);
    let mut subjects: Vec<Uuid> = Vec::new();
    for (patient, home) in &homes {
        for number in 1..=60 {
            let mut sealed = home.envelope(number, number as i64 * 40, &[70, 71, 72, 73, 74, 75]);
            let at = sealed.windows[0].start_us;
            sealed.windows.push(Window::of(Vital::GLUCOSE, at + 1, 1120, 0, true));
            sealed.windows.push(Window::of(Vital(77), at, 5, 1000, true));
            if number == 7 {
                sealed.gaps.push(gap(at, at + MINUTE));
            }
            assert_eq!(home.send(std::slice::from_ref(&sealed)).await, [Verdict::Stored]);
        }
        let patient = patient.id;
        let open = move |db: &rusqlite::Connection| medmon_cloudd::records::assignment::open_of_patient(db, patient);
        subjects.push(world.running.cloud.records.read(open).await.unwrap().unwrap().subject);
    }
    let vitals = [Vital::HEART_RATE, Vital::GLUCOSE, Vital(77)];
    let all = async |cloud: &Cloud| {
        let mut all = Vec::new();
        for subject in &subjects {
            for vital in vitals {
                all.extend(cloud.vitals.range(*subject, vital, 0, i64::MAX).await.unwrap());
                let gaps = cloud.vitals.gaps(*subject, vital, 0, i64::MAX).await.unwrap();
                all.extend(gaps.iter().map(|gap| Window::of(gap.vital, gap.from_us, gap.lost as i32, 0, true)));
            }
        }
        all
    };
    let before = all(&world.running.cloud).await;
    assert_eq!(before.len(), 3 * (360 + 60 + 60 + 1));
    world.shutdown.cancel();
    world.running.finished().await.unwrap();
    let data = world.folder.path();

    // Without it, nothing starts that would show charts without a past.
    let refused = program(data, &server).output().unwrap();
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && said.contains("vitals migrate --from embedded"), "{said}");
    for _ in 0..4 {
        let mut child = migrate(data, &server).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(rand::rng().random_range(20..250))).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    if medmon_cloudd::migrate::holds_embedded(&data.join("vitals")) {
        let done = migrate(data, &server).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        println!("{}", String::from_utf8_lossy(&done.stdout));
    }
    assert!(!data.join("vitals/catalogue.sqlite").exists());
    let vitals = VitalsConfig {
        kind: VitalsKind::Prometheus,
        write_url: Some(server.write_url()),
        query_url: Some(server.url()),
        ..VitalsConfig::default()
    };
    let config = CloudConfig { data_dir: data.into(), vitals, ..CloudConfig::default() };
    let cloud = Cloud::open(&config, world.clock.clone(), CancellationToken::new()).await.unwrap();
    assert_eq!(all(&cloud).await, before);
}
