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

/// What `medmon local` prints, as the gateway's socket gives it.
async fn ask(data: &Path, command: &str) -> Option<Vec<Value>> {
    let mut stream = UnixStream::connect(data.join("gatewayd.sock")).await.ok()?;
    stream.write_all(format!("{{\"command\":\"{command}\"}}\n").as_bytes()).await.ok()?;
    let (mut lines, mut rows) = (BufReader::new(stream).lines(), Vec::new());
    while let Some(line) = lines.next_line().await.ok()? {
        rows.push(serde_json::from_str(&line).ok()?);
    }
    Some(rows)
}

async fn status(data: &Path) -> Option<Value> {
    ask(data, "status").await?.pop()
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
    fn mount(folder: &Path, mib: u32, test: &str) -> Option<Self> {
        let folder = folder.join("disk");
        std::fs::create_dir(&folder).unwrap();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "tmpfs"]).arg(&folder).status();
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
    let Some(disk) = Disk::mount(folder.path(), 48, "a_full_disk_at_the_start_is_said_and_waited_for") else { return };
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
    let Some(disk) = Disk::mount(folder.path(), 48, "a_gateway_with_a_reserve_starts_on_a_full_disk") else { return };
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

const BELT: u64 = 0x0012_4b00_2a5c_0d02;
const PAUL: &str = "+33639981001";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emergency_on_a_full_disk_still_texts_and_what_is_dropped_is_listed() {
    let folder = tempfile::tempdir().unwrap();
    let name = "an_emergency_on_a_full_disk_still_texts_and_what_is_dropped_is_listed";
    let Some(disk) = Disk::mount(folder.path(), 64, name) else { return };
    let (data, dongle) = (disk.folder.join("gateway"), dongle());
    dongle.know(DeviceSpec::sensor(BELT, "medmon-sensor", &[air::CLUSTER_ACCELERATION]));
    let modem = Modem::open(ModemOptions::default(), Clock::system()).unwrap();
    let mut env = environment(folder.path(), &data, &dongle);
    env.retain(|(key, _)| *key != "MEDMON_GATEWAY__DEVICES");
    env.extend([
        ("MEDMON_GATEWAY__SMS__MODEM__PORT", modem.port().display().to_string()),
        ("MEDMON_GATEWAY__SMS__FALLBACK_PHONE", PAUL.to_owned()),
        (
            "MEDMON_GATEWAY__DEVICES",
            format!(
                "{{ \"{STRAP:016x}\" = {{ vitals = [\"heart_rate\"] }}, \"{BELT:016x}\" = {{ vitals = [\"acceleration\"], place = \"waist\" }} }}"
            ),
        ),
    ]);
    let log = folder.path().join("gatewayd.log");
    let start = async || {
        let process = Process::start("medmon-gatewayd", &env, &log);
        until("the gateway runs", async || status(&data).await.is_some()).await;
        dongle.ready().await;
        process
    };
    let mut counter = 0_u16;
    let mut second = async |bpm| {
        dongle.report(STRAP, 1, &[air::heart_rate(bpm)]).await;
        dongle.report(BELT, 1, &[air::acceleration_burst(counter, 50, &[[0, 0, 1000]; 12])]).await;
        counter = counter.wrapping_add(12);
    };
    // Without a cloud whole hours are sealed, and what there is at each stop.
    let mut process = start().await;
    for sealed in 1..=3 {
        let kept = status(&data).await.unwrap()["broker"]["kept"].as_i64().unwrap();
        second(70).await;
        until("they are kept", async || self::kept(&data).await >= kept + 2).await;
        process.terminate().await;
        process = start().await;
        assert_eq!(status(&data).await.unwrap()["outbox"]["sealed"], sealed, "an envelope that no cloud takes");
    }

    disk.fill();
    // A fast heart at rest for more than ten seconds.
    let texted = async || {
        second(160).await;
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        modem.history().iter().any(|text| text.to == PAUL)
    };
    until("the text is on the phone", texted).await;
    let full = status(&data).await.unwrap();
    assert!(full["disk"]["low"].is_string() || full["disk"]["free_bytes"].as_u64() < Some(1 << 20), "{full}");
    std::fs::remove_file(disk.filler()).unwrap();
    let all = async || {
        let status = status(&data).await.unwrap();
        status["spilled"] == 0 && status["broker"]["downsample_behind"] == 0
    };
    until("what waited is kept, and in its windows", all).await;
    assert_eq!(status(&data).await.unwrap()["counters"]["readings_lost"], Value::Null);
    process.terminate().await;

    // The same gateway with more in its folder than its share of the volume, nineteen twentieths.
    let used: u64 = std::fs::read_dir(&data).unwrap().map(|file| file.unwrap().metadata().unwrap().len()).sum();
    let ballast = std::fs::File::create(data.join("ballast")).unwrap();
    rustix::fs::fallocate(&ballast, rustix::fs::FallocateFlags::empty(), 0, (62 << 20) - used).unwrap();
    let process = Process::start("medmon-gatewayd", &env, &log);
    let listed = async || ask(&data, "gaps").await.is_some_and(|gaps| !gaps.is_empty());
    until("what was dropped is listed", listed).await;
    let gaps = ask(&data, "gaps").await.unwrap();
    let lost = |vital: &str| -> u64 {
        let rows = gaps.iter().filter(|gap| gap["vital"] == vital && gap["why"] == "disk quota");
        rows.filter_map(|gap| gap["lost"].as_u64()).sum()
    };
    assert!(lost("heart_rate") > 0 && lost("activity") > 0, "{gaps:?}");
    process.terminate().await;
}
