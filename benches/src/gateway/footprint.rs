//! What the real program costs a small board: CPU, memory, syncs, and how soon it is there.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rustix::time::{ClockId, clock_gettime};
use tokio_util::sync::CancellationToken;

use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Home, Scenario, air, run_home};

use crate::figure::{Figure, Goal};
use crate::line;
use crate::measure;
use crate::program::Gatewayd;

/// Reports a second.
const RATE: u32 = 200;

/// A calm patient with four sensors: heart rate every 2 s, 50 Hz acceleration in bursts of 12, temperature every 5 s,
/// glucose every 20 s, batteries; five reports a second in all.
fn home() -> Home {
    Scenario::demo(7, 1).homes.remove(6)
}

fn start(home: &Home, wrapper: &[&str]) -> anyhow::Result<Gatewayd> {
    let sensors = home.devices.iter().map(|device| (device.ieee, device.vitals[0].0.name())).collect::<Vec<_>>();
    Gatewayd::start(&sensors, wrapper)
}

async fn live(home: &Home, gateway: &Gatewayd, span: Duration) {
    let stop = CancellationToken::new();
    let clock = Clock::system();
    tokio::join!(run_home(home, &gateway.dongle, &clock, stop.clone()), async {
        tokio::time::sleep(span).await;
        stop.cancel();
    });
}

/// Counted: user and system CPU time of the whole program over 10,000 heart rate reports of eight sensors that come at
/// 200 a second through a PTY, into the embedded broker and the detectors; they want no Default Response. The peer: a
/// thread that only counts those frames.
pub fn cpu(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let sensors = [1, 2, 3, 4, 5, 6, 7, 8].map(|n: u64| 0x0012_4b00_2a5c_0d00 + n);
    let count = if quick { 200 } else { 10_000_u64 };
    let per_10k = 10_000.0 / count as f64;
    measure::runtime()?.block_on(async {
        let gateway = Gatewayd::start(&sensors.map(|ieee| (ieee, "heart_rate")), &[])?;
        gateway.ready().await?;
        let networks = sensors.map(|ieee| gateway.dongle.know(DeviceSpec::sensor(ieee, "bench", &[])));
        let frame = |n: u64| {
            let (sensor, n) = (n as usize % sensors.len(), n / sensors.len() as u64);
            line::report(networks[sensor], n as u8, &air::heart_rate(70 + (n / 256 % 4) as u16))
        };
        let before = gateway.cpu_s()?;
        paced(count, async |n| gateway.dongle.raw(&frame(n)).await).await;
        let limit = Instant::now() + Duration::from_secs(10);
        while gateway.durable()? < count {
            anyhow::ensure!(Instant::now() < limit, "{} of {count} reports are durable", gateway.durable()?);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let ours = gateway.cpu_s()? - before;

        let pty = medmon_sim::Pty::open()?;
        let port = pty.path().to_owned();
        let reader = std::thread::spawn(move || {
            line::count_frames(&port, |seen| seen < count)?;
            Ok::<_, std::io::Error>(clock_gettime(ClockId::ThreadCPUTime))
        });
        paced(count, async |n| {
            pty.write(&frame(n)).await;
        })
        .await;
        let spent = tokio::task::spawn_blocking(move || reader.join()).await?;
        let spent = spent.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
        let bare = spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9;
        Ok(vec![
            Figure::new("gateway/cpu_s_per_10k_reports", ours * per_10k, "CPU-s")
                .goal(Goal::AtMost(0.5))
                .beside("bare frame counter", bare * per_10k),
        ])
    })
}

async fn paced(count: u64, mut send: impl AsyncFnMut(u64)) {
    let mut beat = tokio::time::interval(Duration::from_secs(1) / RATE);
    for n in 0..count {
        beat.tick().await;
        send(n).await;
    }
}

/// Timed: from starting the program in an empty folder until it told the service manager that it is ready and the
/// dongle, which has a network, has its endpoint registered. The median of some starts.
pub fn ready(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let mut runs = Vec::new();
    for _ in 0..if quick { 1 } else { 9 } {
        runs.push(measure::runtime()?.block_on(async {
            let began = Instant::now();
            let gateway = start(&home(), &[])?;
            gateway.ready().await?;
            Ok::<_, anyhow::Error>(began.elapsed())
        })?);
    }
    let median = measure::quantile_ms(&mut runs, 0.5) / 1e3;
    Ok(vec![Figure::new("gateway/ready_s", median, "s").goal(Goal::AtMost(0.1))])
}

/// Resident memory after a minute of normal load: four sensors, a modem, a cloud that does not answer.
pub fn memory(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let span = Duration::from_secs(if quick { 2 } else { 60 });
    let value = measure::runtime()?.block_on(async {
        let home = home();
        let gateway = start(&home, &[])?;
        live(&home, &gateway, span).await;
        gateway.rss_mib()
    })?;
    Ok(vec![Figure::new("gateway/rss_mib", value, "MiB").goal(Goal::AtMost(20.0))])
}

/// fsync and fdatasync of the whole program a second, counted by strace over a minute of normal load that begins ten
/// seconds after the start. With a cloud that answers, two a minute more.
pub fn syncs(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (settle, span) = if quick { (1, 2) } else { (10, 60) };
    let folder = measure::folder()?;
    let log = folder.path().join("syncs");
    let log_name = log.display().to_string();
    let strace = ["strace", "-f", "-qq", "-ttt", "--seccomp-bpf", "-e", "trace=fsync,fdatasync", "-o", &log_name];
    let found = measure::runtime()?.block_on(async {
        let home = home();
        let gateway = start(&home, &strace)?;
        gateway.ready().await?;
        live(&home, &gateway, Duration::from_secs(settle + span)).await;
        count(&log, settle as f64, span as f64)
    });
    Ok(vec![Figure::new("gateway/syncs_per_s", found? / span as f64, "syncs/s").goal(Goal::AtMost(4.0))])
}

/// Calls between `from` and `from + span` seconds after the first line of `strace -f -ttt`.
fn count(log: &Path, from: f64, span: f64) -> anyhow::Result<f64> {
    let text = std::fs::read_to_string(log)?;
    let times = text.lines().filter(|line| line.contains("sync(")).filter_map(|line| line.split_whitespace().nth(1));
    let times: Vec<f64> = times.filter_map(|time| time.parse().ok()).collect();
    let first = times.first().context("strace saw no sync")?;
    Ok(times.iter().filter(|time| (from..from + span).contains(&(*time - first))).count() as f64)
}
