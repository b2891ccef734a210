//! What a home really has: a disk that is full, a cloud that is not there. The gateway says so, keeps trying, and
//! keeps what it has.

#![allow(clippy::unwrap_used, reason = "a test's helpers fail by panicking")]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use medmon_api::gateway::NewGateway;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Modem, ModemOptions, air};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use common::{Cloud, Process, output, until};

const STRAP: u64 = 0x0012_4b00_2a5c_0d01;

fn dongle() -> Dongle {
    let dongle = Dongle::open(DongleOptions::default(), Clock::system()).unwrap();
    dongle.know(DeviceSpec::sensor(STRAP, "medmon-sensor", &[air::CLUSTER_HEART_RATE]));
    dongle
}

fn environment(folder: &Path, data: &Path, dongle: &Dongle) -> Vec<(&'static str, String)> {
    vec![
        ("MEDMON_CONFIG", common::empty_config(folder)),
        ("MEDMON_GATEWAY__DATA_DIR", data.display().to_string()),
        ("MEDMON_GATEWAY__RADIO__PORT", dongle.port().display().to_string()),
        ("MEDMON_GATEWAY__DEVICES", format!("{{ \"{STRAP:016x}\" = {{ vitals = [\"heart_rate\"] }} }}")),
        ("MEDMON_GATEWAY__UPLINK__LIVE_INTERVAL_S", "1".into()),
    ]
}

/// `medmon local status`, as its socket gives it.
async fn status(data: &Path) -> Option<Value> {
    let mut stream = UnixStream::connect(data.join("gatewayd.sock")).await.ok()?;
    stream.write_all(b"{\"command\":\"status\"}\n").await.ok()?;
    let line = BufReader::new(stream).lines().next_line().await.ok()??;
    serde_json::from_str(&line).ok()
}

async fn kept(data: &Path) -> i64 {
    status(data).await.map_or(0, |status| status["broker"]["kept"].as_i64().unwrap_or(0))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cloud_that_is_absent_at_the_start_gets_everything_later() {
    let folder = tempfile::tempdir().unwrap();
    let (data, dongle) = (folder.path().join("gateway"), dongle());
    let mut env = environment(folder.path(), &data, &dongle);
    let mut cloud = Cloud::start(folder.path()).await;
    env.push(("MEDMON_GATEWAY__UPLINK__URL", cloud.url.clone()));
    let gateway = cloud.client("admin").add_gateway(&NewGateway { name: "gw-0001".into() }).await.unwrap();
    assert!(output("medmon-gatewayd", &["enrol", &gateway.code], &env).status.success());
    cloud.kill();

    let process = Process::start("medmon-gatewayd", &env, &folder.path().join("gatewayd.log"));
    dongle.ready().await;
    for bpm in 60..80 {
        assert!(dongle.report(STRAP, 1, &[air::heart_rate(bpm)]).await);
    }
    until("the readings are kept", async || kept(&data).await == 20).await;
    assert_eq!(status(&data).await.unwrap()["cloud"], "not_reached");
    cloud.restart().await;
    let reached = async || status(&data).await.is_some_and(|status| status["cloud"] == "reached");
    until("the cloud is reached", reached).await;
    process.terminate().await;
    // What is sealed at the stop has been sent at the stop: nobody's, so set aside by name, never guessed.
    let process = Process::start("medmon-gatewayd", &env, &folder.path().join("gatewayd.log"));
    let settled = async || {
        status(&data).await.is_some_and(|status| {
            let outbox = &status["outbox"];
            outbox["sealed"].as_i64() > Some(0) && outbox["waiting"] == 0 && outbox["quarantined"] == outbox["sealed"]
        })
    };
    until("every envelope has a verdict", settled).await;
    process.terminate().await;
}

/// A disk of its own that can be filled.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    /// Loudly `None` where none can be mounted.
    fn mount(folder: &Path, test: &str) -> Option<Self> {
        let folder = folder.join("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(&folder).status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { folder });
        }
        println!("SKIPPED: {test} (a small tmpfs cannot be mounted: needs root)");
        None
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.filler()).unwrap();
        while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    }

    fn filler(&self) -> PathBuf {
        self.folder.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.folder).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_at_the_start_is_said_and_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "a_full_disk_at_the_start_is_said_and_waited_for") else { return };
    disk.fill();
    let (data, dongle) = (disk.folder.join("gateway"), dongle());
    let (env, log) = (environment(folder.path(), &data, &dongle), folder.path().join("gatewayd.log"));
    let process = Process::start("medmon-gatewayd", &env, &log);
    let said = async || std::fs::read_to_string(&log).is_ok_and(|log| log.contains("cannot start"));
    until("the full disk is said", said).await;
    std::fs::remove_file(disk.filler()).unwrap();
    dongle.ready().await;
    assert!(dongle.report(STRAP, 1, &[air::heart_rate(72)]).await);
    until("the reading is kept", async || kept(&data).await == 1).await;
    process.terminate().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_with_a_reserve_starts_on_a_full_disk() {
    let folder = tempfile::tempdir().unwrap();
    let Some(disk) = Disk::mount(folder.path(), "a_gateway_with_a_reserve_starts_on_a_full_disk") else { return };
    let (data, dongle) = (disk.folder.join("gateway"), dongle());
    let modem = Modem::open(ModemOptions::default(), Clock::system()).unwrap();
    let mut env = environment(folder.path(), &data, &dongle);
    env.push(("MEDMON_GATEWAY__SMS__MODEM__PORT", modem.port().display().to_string()));
    let log = folder.path().join("gatewayd.log");
    let process = Process::start("medmon-gatewayd", &env, &log);
    until("the gateway runs", async || status(&data).await.is_some()).await;
    process.terminate().await;
    assert_eq!(std::fs::metadata(data.join("sms.reserve")).unwrap().len(), 16 << 20);

    disk.fill();
    let process = Process::start("medmon-gatewayd", &env, &log);
    until("the gateway runs", async || status(&data).await.is_some()).await;
    assert!(std::fs::read_to_string(&log).unwrap().contains("reserve is given up"));
    dongle.ready().await;
    assert!(dongle.report(STRAP, 1, &[air::heart_rate(72)]).await);
    // It may have no room to be kept: the reserve is for texts first. But it is heard, and so judged.
    let heard = async || status(&data).await.is_some_and(|status| status["counters"]["readings_accepted"] == 1);
    until("the reading is heard", heard).await;
    process.terminate().await;
}
