//! The whole chain, in the real program on one core.

use std::time::{Duration, Instant};

use serde_json::Value as Json;

use medmon_sim::air;

use crate::figure::{Figure, Goal};
use crate::line;
use crate::measure;
use crate::program::Gatewayd;

const SENSORS: u16 = 8;
const IEEE: u64 = 0x0012_4b00_2a5c_0d00;
/// The one that says at the end that all was seen.
const GLUCOSE: u64 = IEEE + 0xFF;
const LIMIT: Duration = Duration::from_mins(2);
const BARE: &str = "bare frame counter";

/// Timed: heart rate reports written to the PTY that `medmon-gatewayd`, pinned to one core by `taskset`, reads, as fast as
/// it takes them, until every reading is durable in its broker and the alert of the last two frames (a severe
/// hypoglycaemia) shows that DETECT has judged all before them. A reading is one report of one heart rate. A reading
/// lost, doubled or taken for a duplicate fails the bench. By wall time, and by CPU time of the process, which others on
/// the machine move less. The peer counts the same frames on a PTY by their length byte and does nothing with them.
pub fn heart_rates(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let frame = |networks: &[u16], n: u64| {
        let sensor = networks[(n % u64::from(SENSORS)) as usize];
        let n = n / u64::from(SENSORS);
        line::report(sensor, n as u8, &air::heart_rate(68 + (n / 256 % 4) as u16))
    };
    let count = if quick { 20_000 } else { 800_000 };
    let [wall, cpu, bare] = blast(quick, count, "heart_rate", &frame)?;
    Ok(vec![
        Figure::new("gateway/readings_per_s", wall, "readings/s").goal(Goal::AtLeast(50_000.0)).beside(BARE, bare),
        Figure::new("gateway/readings_per_cpu_s", cpu, "readings/CPU-s").goal(Goal::AtLeast(50_000.0)),
    ])
}

/// As [`heart_rates`], with bursts of 12 acceleration samples; figures are bursts. They come faster than their samples
/// could have been taken, so the fall detector sees many in one bin of its time: its share is smaller than in a home.
pub fn bursts(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let frame = |networks: &[u16], n: u64| {
        let sensor = networks[(n % u64::from(SENSORS)) as usize];
        let n = n / u64::from(SENSORS);
        let samples: [[i16; 3]; 12] =
            std::array::from_fn(|k| [(n as usize + k) % 7, k % 5, 1000 - k % 3].map(|axis| axis as i16));
        line::report(sensor, n as u8, &air::acceleration_burst((n * 12) as u16, 50, &samples))
    };
    let count = if quick { 5_000 } else { 200_000 };
    let [wall, cpu, bare] = blast(quick, count, "acceleration", &frame)?;
    Ok(vec![
        Figure::new("gateway/bursts_per_s", wall, "bursts/s").beside(BARE, bare),
        Figure::new("gateway/bursts_per_cpu_s", cpu, "bursts/CPU-s"),
    ])
}

/// The best of some runs: a second of wall time, a second of CPU time, a second of the peer.
fn blast(quick: bool, count: u64, vital: &str, frame: &dyn Fn(&[u16], u64) -> Vec<u8>) -> anyhow::Result<[f64; 3]> {
    let runtime = measure::runtime()?;
    let mut seconds = [f64::INFINITY; 3];
    for _ in 0..measure::runs(quick) {
        let (wall_s, cpu_s) = runtime.block_on(run(count, vital, frame))?;
        let bare_s = runtime.block_on(bare(count, frame))?;
        for (best, spent) in seconds.iter_mut().zip([wall_s, cpu_s, bare_s]) {
            *best = best.min(spent);
        }
    }
    Ok(seconds.map(|spent| count as f64 / spent))
}

/// Wall and CPU seconds.
async fn run(count: u64, vital: &str, frame: &dyn Fn(&[u16], u64) -> Vec<u8>) -> anyhow::Result<(f64, f64)> {
    let sensors: Vec<_> = (0..u64::from(SENSORS)).map(|n| (IEEE + n, vital)).chain([(GLUCOSE, "glucose")]).collect();
    let gateway = Gatewayd::start(&sensors, &["taskset", "-c", "0"])?;
    gateway.ready().await?;
    let mut networks: Vec<_> = sensors
        .iter()
        .map(|(ieee, _)| gateway.dongle.know(medmon_sim::DeviceSpec::sensor(*ieee, "bench", &[])))
        .collect();
    // Addresses are asked for at the first word of a device; that is not what is timed.
    for (ieee, _) in &sensors {
        gateway.dongle.report(*ieee, 1, &[air::battery_percent(200)]).await;
    }
    let before = sensors.len() as u64;
    let deadline = Instant::now() + LIMIT;
    while gateway.durable()? < before {
        anyhow::ensure!(Instant::now() < deadline, "the sensors are never known");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let glucose = networks.pop().unwrap_or_default();
    // Whole frames a write: between two the dongle also answers what it is asked.
    let last = (0..2).map(|n| line::report(glucose, n, &air::glucose(45)));
    let mut pieces = vec![Vec::new()];
    for frame in (0..count).map(|n| frame(&networks, n)).chain(last) {
        match pieces.last_mut() {
            Some(piece) if piece.len() + frame.len() <= 4096 => piece.extend(frame),
            _ => pieces.push(frame),
        }
    }
    let (cpu_s, began) = (gateway.cpu_s()?, Instant::now());
    for piece in &pieces {
        gateway.dongle.raw(piece).await;
    }
    let judged = || Ok::<_, anyhow::Error>(gateway.ask("alerts")?.iter().any(|alert| alert["vital"] == "glucose"));
    while gateway.durable()? < before + count + 2 || !judged()? {
        let status = gateway.ask("status")?;
        anyhow::ensure!(Instant::now() < deadline, "readings are missing or not judged: {status:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), gateway.cpu_s()? - cpu_s);
    let counters = gateway.ask("status")?.pop().unwrap_or_default()["counters"].take();
    let lost = ["duplicates", "publishes_failed", "readings_lost"].iter().any(|name| counters[name] != Json::Null);
    let exact = gateway.durable()? == before + count + 2 && counters["readings_accepted"] == before + count + 2;
    anyhow::ensure!(exact && !lost, "readings were lost or doubled: {counters}");
    Ok((wall_s, cpu_s))
}

async fn bare(count: u64, frame: &dyn Fn(&[u16], u64) -> Vec<u8>) -> anyhow::Result<f64> {
    let pty = medmon_sim::Pty::open()?;
    let port = pty.path().to_owned();
    let networks: Vec<u16> = (1..=SENSORS).collect();
    let bytes: Vec<u8> = (0..count).flat_map(|n| frame(&networks, n)).collect();
    let reader = std::thread::spawn(move || line::count_frames(&port, |seen| seen < count));
    let began = Instant::now();
    for piece in bytes.chunks(4096) {
        pty.write(piece).await;
    }
    tokio::task::spawn_blocking(move || reader.join()).await?.map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    Ok(began.elapsed().as_secs_f64())
}
