//! The cloud under load: the real `medmon-cloudd` on its own process, envelopes over kept HTTP connections, every answer
//! checked. Each reply stands for a synced commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use medmon_cloudd::vitals::VitalsStore as _;
use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_core::noun::Vital;
use medmon_kit::Clock;

use crate::cloudd::{Cloudd, WARD, patient, seal, ward_of_200};
use crate::figure::{Figure, Goal};
use crate::measure::{quantile_ms, runtime};

/// The benches of this area.
pub const BENCHES: &[super::Bench] = &[
    (
        &["cloud/samples_per_s", "cloud/cpu_s_per_million_samples", "cloud/ingest_peak_mib", "cloud/lost_on_kill"],
        ingest,
    ),
    (
        &[
            "cloud/envelopes_per_s",
            "cloud/sustained_cores",
            "cloud/sustained_p99_ms",
            "cloud/sustained_rss_mib",
            "cloud/disk_bytes_per_envelope",
        ],
        sustained,
    ),
    (
        &[
            "cloud/day_ms",
            "cloud/last_24_h_ms",
            "cloud/90_days_ms",
            "cloud/totals_200_ms",
            "cloud/board_10000_ms",
            "cloud/restart_s",
        ],
        reads,
    ),
];

/// How often each question is asked.
const ASKED: usize = 200;
const DAY_US: i64 = 1440 * MINUTE_US;

/// What people ask, over HTTP on a kept connection, the median: 24 h of one vital in steps of five minutes (yesterday,
/// and the last 24 h), 90 days in steps of an hour, yesterday's mean of 200 patients, the board of all 10,000; and how
/// long a start takes after `kill -9`. The night's compaction is done before.
fn reads(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (homes, days) = if quick { (300, 3) } else { (10_000, 90) };
    let mut cloud = Cloudd::start(homes, None)?;
    let clock = Clock::system();
    let now_us = clock.utc_us() / MINUTE_US * MINUTE_US;
    let midnight = now_us / DAY_US * DAY_US;
    let runtime = runtime()?;
    runtime.block_on(async {
        let mut line = cloud.connect().await?;
        for home in 0..WARD.min(homes) {
            let first = if home == 0 { days } else { 1 };
            let hours = (midnight - first * DAY_US..now_us - 60 * MINUTE_US).step_by(60 * MINUTE_US as usize);
            for (number, start_us) in hours.enumerate() {
                line.send(home, &seal(home, number as u64 + 1, start_us, 60, ONE)).await?;
            }
        }
        anyhow::Ok(())
    })?;
    cloud.stop_and_start(|vitals| {
        let options = Options { compact_after_us: -2 * DAY_US, ..Options::default() };
        let clock = clock.clone();
        runtime
            .block_on(async { Embedded::open(vitals, options, clock.clone()).await?.maintain(clock.utc_us()).await })?;
        Ok(())
    })?;
    let (mut day, mut today, mut long, mut totals, mut board) = Default::default();
    runtime.block_on(async {
        let mut line = cloud.connect().await?;
        for home in 0..homes {
            let first = 100_000 + u64::from(home);
            line.send(home, &seal(home, first, now_us - 10 * MINUTE_US, 5, FIVE)).await?;
        }
        let at = |us: i64| medmon_api::time(us).to_string();
        let (yesterday, today_from) = (at(midnight - DAY_US), at(midnight));
        let vital = format!("/v1/patients/{}/vitals/heart_rate", patient(0));
        day = ask(&mut line, &format!("{vital}?since={yesterday}&until={today_from}&step_s=300"), ASKED).await?;
        today = ask(&mut line, &format!("{vital}?step_s=300"), ASKED).await?;
        let since = at(midnight - days * DAY_US);
        long = ask(&mut line, &format!("{vital}?since={since}&until={today_from}&step_s=3600"), ASKED).await?;
        let ward = ward_of_200();
        let path = format!("/v1/vitals/heart_rate/totals?ward={ward}&since={yesterday}&until={today_from}");
        totals = ask(&mut line, &path, ASKED).await?;
        board = ask(&mut line, "/v1/board", if quick { 3 } else { 20 }).await?;
        anyhow::Ok(())
    })?;
    let restart = cloud.kill_and_start()?.as_secs_f64();
    Ok(vec![
        Figure::new("cloud/day_ms", day, "ms").goal(Goal::AtMost(0.7)).beside("Prometheus (PEERS.md)", 0.63),
        Figure::new("cloud/last_24_h_ms", today, "ms").goal(Goal::AtMost(0.7)),
        Figure::new("cloud/90_days_ms", long, "ms").goal(Goal::AtMost(10.0)),
        Figure::new("cloud/totals_200_ms", totals, "ms")
            .goal(Goal::AtMost(2.0))
            .beside("VictoriaMetrics (PEERS.md)", 5.1),
        Figure::new("cloud/board_10000_ms", board, "ms").goal(Goal::AtMost(20.0)),
        Figure::new("cloud/restart_s", restart, "s").goal(Goal::AtMost(2.0)),
    ])
}

/// The median time of an answer, ms.
async fn ask(line: &mut crate::cloudd::Line, path: &str, times: usize) -> anyhow::Result<f64> {
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let began = Instant::now();
        line.get(path).await?;
        took.push(began.elapsed());
    }
    Ok(quantile_ms(&mut took, 0.5))
}

/// A home's five minutes as the peers were measured: 21 windows of five statistics.
const FIVE: &[Vital] = &[Vital::HEART_RATE, Vital::ACTIVITY, Vital::POSTURE, Vital::TEMPERATURE, Vital::GLUCOSE];
const MINUTE_US: i64 = 60_000_000;
/// A home's minute.
const ONE: &[Vital] = &[Vital::HEART_RATE, Vital::ACTIVITY, Vital::POSTURE, Vital::BATTERY_VOLTAGE];

/// Sends of every home in turn from `lines` connections for `time`, at `rate` a second if one is given. Gives how many
/// were stored, and how long each took.
async fn load(
    cloud: &Arc<Cloudd>,
    next: &Arc<AtomicU64>,
    lines: usize,
    time: Duration,
    rate: Option<f64>,
    minutes: u32,
    vitals: &'static [Vital],
) -> anyhow::Result<(u64, Vec<Duration>)> {
    let began = Instant::now();
    let start_us = Clock::system().utc_us() / MINUTE_US * MINUTE_US - 2 * DAY_US;
    let due = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..lines {
        let (cloud, next, due) = (Arc::clone(cloud), Arc::clone(next), Arc::clone(&due));
        tasks.push(tokio::spawn(async move {
            let mut line = cloud.connect().await?;
            let mut took = Vec::new();
            while began.elapsed() < time {
                if let Some(rate) = rate {
                    // An open loop: what comes late waits, and its wait counts.
                    let at = Duration::from_secs_f64(due.fetch_add(1, Ordering::Relaxed) as f64 / rate);
                    if at >= time {
                        break;
                    }
                    tokio::time::sleep_until((began + at).into()).await;
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    send(&mut line, &cloud, number, start_us, minutes, vitals).await?;
                    took.push(began.elapsed().saturating_sub(at));
                } else {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let sent = Instant::now();
                    send(&mut line, &cloud, number, start_us, minutes, vitals).await?;
                    took.push(sent.elapsed());
                }
            }
            Ok::<_, anyhow::Error>(took)
        }));
    }
    let mut took = Vec::new();
    for task in tasks {
        took.extend(task.await??);
    }
    Ok((took.len() as u64, took))
}

async fn send(
    line: &mut crate::cloudd::Line,
    cloud: &Cloudd,
    number: u64,
    start_us: i64,
    minutes: u32,
    vitals: &[Vital],
) -> anyhow::Result<()> {
    let (home, turn) = ((number % u64::from(cloud.homes())) as u32, number / u64::from(cloud.homes()));
    let at_us = start_us + turn as i64 * i64::from(minutes) * MINUTE_US;
    line.send(home, &seal(home, turn + 1, at_us, minutes, vitals)).await
}

/// 5,000 series (1,000 homes and a little) send five minutes at a time, one envelope a request, as fast as one core takes
/// them; the load runs on the other. Then `kill -9`, and every home is asked to send its last one again: what is not
/// `already_held` was lost.
fn ingest(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let homes = if quick { 100 } else { 1000 };
    let time = Duration::from_secs(if quick { 2 } else { 20 });
    let mut cloud = Arc::new(Cloudd::start(homes, Some("0"))?);
    runtime()?.block_on(async {
        let next = Arc::new(AtomicU64::new(0));
        let (before, began) = (cloud.cpu_s()?, Instant::now());
        let (stored, _) = load(&cloud, &next, 48, time, None, 5, FIVE).await?;
        let (wall_s, cpu_s) = (began.elapsed().as_secs_f64(), cloud.cpu_s()? - before);
        let samples = stored as f64 * samples(FIVE) as f64;
        let peak = cloud.peak_mib()?;
        Arc::get_mut(&mut cloud).ok_or_else(|| anyhow::anyhow!("still in use"))?.kill_and_start()?;
        let lost = lost(&cloud, stored).await?;
        Ok(vec![
            Figure::new("cloud/samples_per_s", samples / wall_s, "samples/s")
                .goal(Goal::AtLeast(500_000.0))
                .beside("VictoriaMetrics, unsynced (PEERS.md)", 880_000.0),
            Figure::new("cloud/cpu_s_per_million_samples", cpu_s / samples * 1e6, "CPU-s")
                .goal(Goal::AtMost(1.0))
                .beside("VictoriaMetrics (PEERS.md)", 1.17),
            Figure::new("cloud/ingest_peak_mib", peak, "MiB")
                .goal(Goal::AtMost(64.0))
                .beside("Prometheus (PEERS.md)", 166.0),
            Figure::new("cloud/lost_on_kill", lost as f64, "envelopes").goal(Goal::AtMost(0.0)),
        ])
    })
}

fn samples(vitals: &[Vital]) -> usize {
    let windows = vitals.iter().map(|vital| match vital.info().map_or(60, |row| row.window_s) {
        0 => 5,
        span_s => 300 / span_s.max(60) as usize,
    });
    windows.sum::<usize>() * 5
}

/// How much of what was answered `stored` the cloud does not hold, by what it says of each home's stream.
async fn lost(cloud: &Cloudd, stored: u64) -> anyhow::Result<u64> {
    let mut line = cloud.connect().await?;
    let mut held = 0;
    for home in 0..cloud.homes() {
        held += line.held(home).await?;
    }
    Ok(stored.saturating_sub(held))
}

/// 100,000 homes of four vitals send an envelope a minute, evenly: 1,667 a second. Then as fast as it goes.
fn sustained(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (homes, rate) = if quick { (1000, 200.0) } else { (100_000, 1667.0) };
    let time = Duration::from_secs(if quick { 3 } else { 75 });
    let cloud = Arc::new(Cloudd::start(homes, None)?);
    runtime()?.block_on(async {
        let next = Arc::new(AtomicU64::new(0));
        // Every home once: what is remembered of it is read.
        let (before, written, began) = (cloud.cpu_s()?, cloud.written()?, Instant::now());
        let (stored, mut took) = load(&cloud, &next, 200, time, Some(rate), 1, ONE).await?;
        let cores = (cloud.cpu_s()? - before) / began.elapsed().as_secs_f64();
        let bytes = (cloud.written()? - written) / stored as f64;
        let p99 = quantile_ms(&mut took, 0.99);
        let burst = Duration::from_secs(if quick { 1 } else { 10 });
        let began = Instant::now();
        let (stored, _) = load(&cloud, &next, 64, burst, None, 1, ONE).await?;
        let burst = stored as f64 / began.elapsed().as_secs_f64();
        Ok(vec![
            Figure::new("cloud/envelopes_per_s", burst, "envelopes/s").goal(Goal::AtLeast(8000.0)),
            Figure::new("cloud/sustained_cores", cores, "cores").goal(Goal::AtMost(1.0)),
            Figure::new("cloud/sustained_p99_ms", p99, "ms").goal(Goal::AtMost(50.0)),
            Figure::new("cloud/sustained_rss_mib", cloud.peak_mib()?, "MiB").goal(Goal::AtMost(1024.0)),
            Figure::new("cloud/disk_bytes_per_envelope", bytes, "B").goal(Goal::AtMost(1024.0)),
        ])
    })
}
