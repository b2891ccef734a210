//! The cloud under load: the real `medmon-cloudd` on its own process, envelopes over kept HTTP connections, every answer
//! checked. Each reply stands for a synced commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use medmon_cloudd::vitals::VitalsStore as _;
use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_core::noun::Vital;
use medmon_kit::Clock;

use crate::cloudd::{Cloudd, Line, WARD, patient, seal, ward_of_200, windows};
use crate::figure::{Figure, Goal};
use crate::measure::{quantile_ms, runtime};
use crate::peer::{self, Peer};

/// The benches of this area.
pub const BENCHES: &[super::Bench] = &[
    (
        &[
            "cloud/samples_per_s",
            "cloud/cpu_s_per_million_samples",
            "cloud/ingest_peak_mib",
            "cloud/lost_on_kill",
            "cloud/cpu_s_per_million_after_history",
            "prometheus/samples_per_s",
            "prometheus/cpu_s_per_million_samples",
            "prometheus/ingest_peak_mib",
            "prometheus/lost_on_kill",
        ],
        ingest,
    ),
    (
        &[
            "cloud/envelopes_per_s",
            "cloud/cores_1k",
            "cloud/cores_10k",
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
            "prometheus/day_ms",
            "prometheus/90_days_ms",
            "prometheus/totals_200_ms",
        ],
        reads,
    ),
];

/// How often each question is asked.
const ASKED: usize = 200;
const DAY_US: i64 = 1440 * MINUTE_US;

/// What people ask, over HTTP on a kept connection, the median: 24 h of one vital in steps of five minutes (yesterday,
/// and the last 24 h), 90 days in steps of an hour, yesterday's mean of 200 patients, the board of all 10,000; and how
/// long a start takes after `kill -9`. The night's compaction is done before. Each peer has the same 200 patients and is
/// asked for all that yesterday's minutes have, the 90 days' means by the hour, and the 200 means.
fn reads(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (homes, days) = if quick { (300, 3) } else { (10_000, 90) };
    let mut cloud = Cloudd::start(homes, None)?;
    let now_us = Clock::system().utc_us() / MINUTE_US * MINUTE_US;
    let midnight = now_us / DAY_US * DAY_US;
    let runtime = runtime()?;
    // One home has been there for long, the others since yesterday.
    let hours = |home: u32| {
        let first = if home == 0 { days } else { 1 };
        (midnight - first * DAY_US..now_us - 60 * MINUTE_US).step_by(60 * MINUTE_US as usize).enumerate()
    };
    runtime.block_on(async {
        let mut line = cloud.connect().await?;
        for home in 0..WARD.min(homes) {
            for (number, start_us) in hours(home) {
                line.send(home, &seal(home, number as u64 + 1, start_us, 60, ONE)).await?;
            }
        }
        anyhow::Ok(())
    })?;
    pack(&mut cloud, &runtime)?;
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
    drop(cloud);
    let peer = |peer: anyhow::Result<Peer>, name| {
        let asked = peer.and_then(|peer| {
            runtime.block_on(async {
                let mut line = peer.connect().await?;
                for home in 0..WARD.min(homes) {
                    for (number, start_us) in hours(home) {
                        let windows = windows(home, number as u64 + 1, start_us, 60, ONE);
                        line.peer_post(peer::WRITE, &peer::request(home, &windows)?).await?;
                    }
                }
                peer.flush().await?;
                let (until_s, one) = (midnight / 1_000_000, peer::subject(0));
                let mut asked = Vec::new();
                for path in [peer::day(one, until_s), peer::hours(one, until_s, days), peer::means(until_s)] {
                    let mut took = Vec::new();
                    for _ in 0..ASKED / 4 {
                        let began = Instant::now();
                        let answer = line.peer_get(&path).await?;
                        took.push(began.elapsed());
                        anyhow::ensure!(answer.len() > 1000, "{path}: {}", String::from_utf8_lossy(&answer));
                    }
                    asked.push(quantile_ms(&mut took, 0.5));
                }
                Ok(asked)
            })
        });
        asked.inspect_err(|error: &anyhow::Error| eprintln!("{name}: {error:#}")).ok()
    };
    let victoria = peer(Peer::victoria(None), "VictoriaMetrics");
    let prometheus = peer(Peer::prometheus(None), "Prometheus");
    let beside = |figure: Figure, at: usize| match &victoria {
        Some(asked) => figure.beside("VictoriaMetrics", asked[at]),
        None => figure,
    };
    let mut figures = vec![
        beside(Figure::new("cloud/day_ms", day, "ms").goal(Goal::AtMost(0.7)), 0),
        Figure::new("cloud/last_24_h_ms", today, "ms").goal(Goal::AtMost(0.7)),
        beside(Figure::new("cloud/90_days_ms", long, "ms").goal(Goal::AtMost(10.0)), 1),
        beside(Figure::new("cloud/totals_200_ms", totals, "ms").goal(Goal::AtMost(2.0)), 2),
        Figure::new("cloud/board_10000_ms", board, "ms").goal(Goal::AtMost(20.0)),
        Figure::new("cloud/restart_s", restart, "s").goal(Goal::AtMost(2.0)),
    ];
    if let Some(asked) = prometheus {
        let names = ["prometheus/day_ms", "prometheus/90_days_ms", "prometheus/totals_200_ms"];
        figures.extend(names.into_iter().zip(asked).map(|(name, ms)| Figure::new(name, ms, "ms")));
    }
    Ok(figures)
}

/// The median time of an answer, ms.
async fn ask(line: &mut Line, path: &str, times: usize) -> anyhow::Result<f64> {
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

/// Who is loaded.
enum Target {
    Cloud(Cloudd),
    Peer(Peer),
}

impl Target {
    async fn connect(&self) -> anyhow::Result<Line> {
        match self {
            Self::Cloud(cloud) => cloud.connect().await,
            Self::Peer(peer) => peer.connect().await,
        }
    }

    fn cpu_s(&self) -> anyhow::Result<f64> {
        match self {
            Self::Cloud(cloud) => cloud.cpu_s(),
            Self::Peer(peer) => peer.cpu_s(),
        }
    }

    fn peak_mib(&self) -> anyhow::Result<f64> {
        match self {
            Self::Cloud(cloud) => cloud.peak_mib(),
            Self::Peer(peer) => peer.peak_mib(),
        }
    }

    fn written(&self) -> anyhow::Result<f64> {
        match self {
            Self::Cloud(cloud) => cloud.written(),
            Self::Peer(_) => anyhow::bail!("what a peer writes is not asked for"),
        }
    }

    /// Pulls the plug; gives how many envelopes of `stored`, all answered, it does not have afterwards.
    async fn lost(&mut self, stored: u64) -> anyhow::Result<f64> {
        match self {
            Self::Cloud(cloud) => {
                cloud.kill_and_start()?;
                let (mut line, mut held) = (cloud.connect().await?, 0);
                for home in 0..cloud.homes() {
                    // As it says of each home's stream.
                    held += line.held(home).await?;
                }
                Ok(stored.saturating_sub(held) as f64)
            }
            Self::Peer(peer) => {
                peer.kill_and_start()?;
                peer.flush().await?;
                let now_s = Clock::system().utc_us() / 1_000_000;
                // An envelope has five of them.
                let held = peer::minutes(&mut peer.connect().await?, now_s, 4).await? / 5.0;
                Ok((stored as f64 - held).max(0.0))
            }
        }
    }
}

/// What is sent: envelopes of so many minutes of these vitals, of `homes` in turn, until all have had their turns.
#[derive(Clone, Copy)]
struct Shape {
    homes: u32,
    turns: u64,
    start_us: i64,
    minutes: u32,
    vitals: &'static [Vital],
}

impl Shape {
    fn new(homes: u32, minutes: u32, vitals: &'static [Vital]) -> Self {
        Self {
            homes,
            turns: u64::MAX,
            start_us: Clock::system().utc_us() / MINUTE_US * MINUTE_US - 2 * DAY_US,
            minutes,
            vitals,
        }
    }

    /// Sends envelope `number` of all; an error unless it is taken.
    async fn send(self, target: &Target, line: &mut Line, number: u64) -> anyhow::Result<()> {
        let (home, turn) = ((number % u64::from(self.homes)) as u32, number / u64::from(self.homes));
        let at_us = self.start_us + turn as i64 * i64::from(self.minutes) * MINUTE_US;
        match target {
            Target::Cloud(_) => line.send(home, &seal(home, turn + 1, at_us, self.minutes, self.vitals)).await,
            Target::Peer(_) => {
                let windows = windows(home, turn + 1, at_us, self.minutes, self.vitals);
                line.peer_post(peer::WRITE, &peer::request(home, &windows)?).await
            }
        }
    }
}

/// Sends of every home in turn from `lines` connections for `time`, at `rate` a second if one is given. Gives how many
/// were stored, and how long each took.
async fn load(
    target: &Arc<Target>,
    next: &Arc<AtomicU64>,
    lines: usize,
    time: Duration,
    rate: Option<f64>,
    shape: Shape,
) -> anyhow::Result<(u64, Vec<Duration>)> {
    let began = Instant::now();
    let due = Arc::new(AtomicU64::new(0));
    let mut tasks = Vec::new();
    for _ in 0..lines {
        let (target, next, due) = (Arc::clone(target), Arc::clone(next), Arc::clone(&due));
        tasks.push(tokio::spawn(async move {
            let mut line = target.connect().await?;
            let mut took = Vec::new();
            while began.elapsed() < time {
                let mut sent = Instant::now();
                if let Some(rate) = rate {
                    // An open loop: what comes late waits, and its wait counts.
                    let at = Duration::from_secs_f64(due.fetch_add(1, Ordering::Relaxed) as f64 / rate);
                    if at >= time {
                        break;
                    }
                    sent = began + at;
                    tokio::time::sleep_until(sent.into()).await;
                }
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number / u64::from(shape.homes) >= shape.turns {
                    break;
                }
                shape.send(&target, &mut line, number).await?;
                took.push(sent.elapsed());
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

/// What one server reached.
struct Ingested {
    per_s: f64,
    cpu_s_per_m: f64,
    peak_mib: f64,
    lost: f64,
}

async fn ingested(target: Target, time: Duration, shape: Shape) -> anyhow::Result<(Ingested, Target)> {
    let (target, next) = (Arc::new(target), Arc::new(AtomicU64::new(0)));
    let (before, began) = (target.cpu_s()?, Instant::now());
    let (stored, _) = load(&target, &next, 48, time, None, shape).await?;
    let (wall_s, cpu_s, peak_mib) = (began.elapsed().as_secs_f64(), target.cpu_s()? - before, target.peak_mib()?);
    let samples = stored as f64 * samples(shape.vitals) as f64;
    let mut target = Arc::into_inner(target).ok_or_else(|| anyhow::anyhow!("still in use"))?;
    let lost = target.lost(stored).await?;
    Ok((Ingested { per_s: samples / wall_s, cpu_s_per_m: cpu_s / samples * 1e6, peak_mib, lost }, target))
}

/// 5,000 series (1,000 homes) send five minutes at a time, one envelope a request, as fast as one core takes them; the load
/// runs on the other. Then `kill -9`: what was answered and is not there afterwards was lost. The same to each peer. At last
/// the cloud's days are packed, and it is loaded again: history must not cost.
fn ingest(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let homes = if quick { 100 } else { 1000 };
    let time = Duration::from_secs(if quick { 2 } else { 20 });
    let shape = Shape::new(homes, 5, FIVE);
    let runtime = runtime()?;
    let cloud = Target::Cloud(Cloudd::start(homes, Some("0"))?);
    let (ours, cloud) = runtime.block_on(ingested(cloud, time, shape))?;
    let peer = |peer: anyhow::Result<Peer>, name| {
        let reached = peer.and_then(|peer| runtime.block_on(ingested(Target::Peer(peer), time, shape)));
        reached.inspect_err(|error| eprintln!("{name}: {error:#}")).ok().map(|(reached, _)| reached)
    };
    let victoria = peer(Peer::victoria(Some("0")), "VictoriaMetrics");
    let prometheus = peer(Peer::prometheus(Some("0")), "Prometheus");

    let Target::Cloud(mut cloud) = cloud else { anyhow::bail!("the cloud is no peer") };
    pack(&mut cloud, &runtime)?;
    // Numbers and hours that come after all that was sent: the last three hours, which no night has packed.
    let (first, turns) = (100_000, 36);
    let from_us = shape.start_us + 2 * DAY_US - (turns + 1) * 5 * MINUTE_US;
    let later = Shape { start_us: from_us - first * 5 * MINUTE_US, turns: (first + turns) as u64, ..shape };
    let next = Arc::new(AtomicU64::new(u64::from(homes) * first as u64));
    let cloud = Arc::new(Target::Cloud(cloud));
    let before = cloud.cpu_s()?;
    let (stored, _) = runtime.block_on(load(&cloud, &next, 48, time, None, later))?;
    let with_history = (cloud.cpu_s()? - before) / (stored as f64 * samples(FIVE) as f64) * 1e6;

    let beside = |figure: Figure, of: fn(&Ingested) -> f64| match &victoria {
        Some(reached) => figure.beside("VictoriaMetrics, unsynced", of(reached)),
        None => figure,
    };
    let mut figures = vec![
        beside(Figure::new("cloud/samples_per_s", ours.per_s, "samples/s").goal(Goal::AtLeast(500_000.0)), |r| r.per_s),
        beside(
            Figure::new("cloud/cpu_s_per_million_samples", ours.cpu_s_per_m, "CPU-s").goal(Goal::AtMost(1.0)),
            |r| r.cpu_s_per_m,
        ),
        beside(Figure::new("cloud/ingest_peak_mib", ours.peak_mib, "MiB").goal(Goal::AtMost(64.0)), |r| r.peak_mib),
        beside(Figure::new("cloud/lost_on_kill", ours.lost, "envelopes").goal(Goal::AtMost(0.0)), |r| r.lost),
        Figure::new("cloud/cpu_s_per_million_after_history", with_history, "CPU-s")
            .beside("the same cloud when it was empty", ours.cpu_s_per_m),
    ];
    if let Some(reached) = prometheus {
        figures.extend([
            Figure::new("prometheus/samples_per_s", reached.per_s, "samples/s"),
            Figure::new("prometheus/cpu_s_per_million_samples", reached.cpu_s_per_m, "CPU-s"),
            Figure::new("prometheus/ingest_peak_mib", reached.peak_mib, "MiB"),
            Figure::new("prometheus/lost_on_kill", reached.lost, "envelopes"),
        ]);
    }
    Ok(figures)
}

/// What a night does, at once.
fn pack(cloud: &mut Cloudd, runtime: &tokio::runtime::Runtime) -> anyhow::Result<()> {
    cloud.stop_and_start(|vitals| {
        let clock = Clock::system();
        let options = Options { compact_after_us: -2 * DAY_US, ..Options::default() };
        runtime
            .block_on(async { Embedded::open(vitals, options, clock.clone()).await?.maintain(clock.utc_us()).await })?;
        Ok(())
    })
}

fn samples(vitals: &[Vital]) -> usize {
    let windows = vitals.iter().map(|vital| match vital.info().map_or(60, |row| row.window_s) {
        0 => 5,
        span_s => 300 / span_s.max(60) as usize,
    });
    windows.sum::<usize>() * 5
}

/// Homes of four vitals send an envelope a minute, evenly: 1,000, 10,000 and 100,000 of them (1,667 a second). Then as fast
/// as it goes.
fn sustained(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let runtime = runtime()?;
    let mut figures = Vec::new();
    let steps = if quick {
        [("cloud/cores_1k", 10, 2), ("cloud/cores_10k", 100, 2), ("cloud/sustained_cores", 1000, 3)]
    } else {
        [("cloud/cores_1k", 1000, 60), ("cloud/cores_10k", 10_000, 60), ("cloud/sustained_cores", 100_000, 75)]
    };
    for (name, homes, seconds) in steps {
        let (time, rate) = (Duration::from_secs(seconds), f64::from(homes) / 60.0);
        let cloud = Cloudd::start(homes, None)?;
        let shape = Shape::new(homes, 1, ONE);
        let (target, next) = (Arc::new(Target::Cloud(cloud)), Arc::new(AtomicU64::new(0)));
        let (before, written, began) = (target.cpu_s()?, target.written()?, Instant::now());
        // Every home once: what is remembered of it is read.
        let (stored, mut took) = runtime.block_on(load(&target, &next, 200, time, Some(rate), shape))?;
        let cores = (target.cpu_s()? - before) / began.elapsed().as_secs_f64();
        if name != "cloud/sustained_cores" {
            figures.push(Figure::new(name, cores, "cores"));
            continue;
        }
        let bytes = (target.written()? - written) / stored as f64;
        let p99 = quantile_ms(&mut took, 0.99);
        let burst = Duration::from_secs(if quick { 1 } else { 10 });
        let began = Instant::now();
        let (stored, _) = runtime.block_on(load(&target, &next, 64, burst, None, shape))?;
        let burst = stored as f64 / began.elapsed().as_secs_f64();
        figures.extend([
            Figure::new("cloud/envelopes_per_s", burst, "envelopes/s").goal(Goal::AtLeast(8000.0)),
            Figure::new(name, cores, "cores").goal(Goal::AtMost(1.0)),
            Figure::new("cloud/sustained_p99_ms", p99, "ms").goal(Goal::AtMost(50.0)),
            Figure::new("cloud/sustained_rss_mib", target.peak_mib()?, "MiB").goal(Goal::AtMost(1024.0)),
            Figure::new("cloud/disk_bytes_per_envelope", bytes, "B").goal(Goal::AtMost(1024.0)),
        ]);
    }
    Ok(figures)
}
