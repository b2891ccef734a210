//! The embedded vitals store: bytes at rest, what taking and settling costs, and how long readers wait.
//!
//! A sample is one of the five statistics of a window: min, max, sum, count, last. The windows are those of virtual bodies
//! (`wire::day`), and of recordings for what real ones take.

use std::path::Path;
use std::time::{Duration, Instant};

use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_cloudd::vitals::{Batch, VitalsStore};
use medmon_core::noun::{Vital, Window};
use medmon_kit::Clock;
use uuid::Uuid;

use crate::Bench;
use crate::figure::{Figure, Goal};
use crate::measure::{self, Stopwatch};
use crate::peer::{self, Peer};
use crate::recorded;
use crate::wire;

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (
        &[
            "vitals/hot_bytes_per_sample",
            "vitals/take_cpu_s_per_m",
            "vitals/settle_cpu_s_per_m",
            "vitals/compact_cpu_s_per_m",
            "vitals/day_ms",
            "vitals/today_ms",
            "vitals/90_days_ms",
            "vitals/totals_200_ms",
            "vitals/totals_200_rolling_ms",
        ],
        ward,
    ),
    (
        &[
            "vitals/bytes_per_sample",
            "vitals/recorded_bytes_per_sample",
            "prometheus/bytes_per_sample",
            "prometheus/recorded_bytes_per_sample",
        ],
        rest,
    ),
    (&["vitals/start_s", "vitals/newest_mib"], start),
    (&["vitals/hour_of_100k_mib", "vitals/hour_of_100k_settled_s"], hour_of_100k),
];

const MINUTE: i64 = 60_000_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The first day, a midnight.
const T0: i64 = wire::MIDNIGHT_US - 5 * DAY;
/// Statistics of a window.
const STATISTICS: usize = 5;

/// What one body shows in a day, each vital by start; starts count from the day's.
fn body(seed: u64) -> Vec<Vec<Window>> {
    by_vital(wire::day(seed))
}

/// Windows of one day, sorted by vital.
fn by_vital(windows: Vec<Window>) -> Vec<Vec<Window>> {
    let relative = |window: &Window| Window { start_us: window.start_us.rem_euclid(DAY), ..window.clone() };
    windows.chunk_by(|a, b| a.vital == b.vital).map(|series| series.iter().map(relative).collect()).collect()
}

/// A store, its clock, and what was told to it.
struct Ward {
    store: Embedded,
    clock: Clock,
    bodies: Vec<Vec<Vec<Window>>>,
    segment: u64,
    samples: usize,
    take: f64,
    settle: f64,
}

impl Ward {
    async fn open(folder: &Path, bodies: Vec<Vec<Vec<Window>>>, now_us: i64) -> anyhow::Result<Self> {
        let clock = Clock::scaled(0.0, now_us);
        let store = Embedded::open(folder, Options::default(), clock.clone()).await?;
        Ok(Self { store, clock, bodies, segment: 1, samples: 0, take: 0.0, settle: 0.0 })
    }

    /// An hour of some patients, in envelopes of five minutes; then the hour is settled.
    async fn hour(&mut self, patients: std::ops::Range<u128>, start_us: i64) -> anyhow::Result<()> {
        let (day_us, mut batches) = (start_us - start_us.rem_euclid(DAY), Vec::new());
        for from_us in (start_us..start_us + HOUR).step_by(5 * MINUTE as usize) {
            for patient in patients.clone() {
                let body = &self.bodies[patient as usize % self.bodies.len()];
                let within = |window: &&Window| (from_us..from_us + 5 * MINUTE).contains(&(day_us + window.start_us));
                let dated = |window: &Window| Window { start_us: day_us + window.start_us, ..window.clone() };
                let windows: Vec<Window> = body.iter().flatten().filter(within).map(dated).collect();
                self.samples += windows.len() * STATISTICS;
                batches.push(Batch { subject: subject(patient), windows, gaps: Vec::new() });
            }
        }
        let watch = Stopwatch::start();
        for batch in batches {
            self.store.take(self.segment, vec![batch]).await?;
        }
        self.take += watch.spent().cpu_s;
        self.clock.shift_utc(start_us + HOUR - self.clock.utc_us());
        let watch = Stopwatch::start();
        anyhow::ensure!(self.store.settle(self.segment).await?, "somebody else has the files");
        self.settle += watch.spent().cpu_s;
        self.segment += 1;
        Ok(())
    }
}

fn subject(patient: u128) -> Uuid {
    // Spread as random labels are.
    Uuid::from_u128(patient.wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

fn bytes_in(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

/// The median time of `ask`.
async fn median<F: Future<Output = anyhow::Result<()>>>(runs: usize, ask: impl Fn() -> F) -> anyhow::Result<f64> {
    let mut times: Vec<Duration> = Vec::with_capacity(runs);
    for _ in 0..runs {
        let begun = Instant::now();
        ask().await?;
        times.push(begun.elapsed());
    }
    Ok(measure::quantile_ms(&mut times, 0.5))
}

/// A ward of 200 for a day, one of whom has been there for 90; the day is compacted, and part of the next is hot.
fn ward(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (patients, days, bodies, runs) = if quick { (20, 3, 1, 5) } else { (200, 90, 4, 101) };
    let folder = measure::folder()?;
    let bodies = (0..bodies).map(body).collect();
    measure::runtime()?.block_on(async {
        let today = T0 + days * DAY;
        let mut ward = Ward::open(folder.path(), bodies, T0).await?;
        for day in 0..days - 1 {
            for hour in 0..24 {
                ward.hour(0..1, T0 + day * DAY + hour * HOUR).await?;
            }
            ward.store.maintain(T0 + (day + 1) * DAY + 4 * HOUR).await?;
        }
        (ward.samples, ward.take, ward.settle) = (0, 0.0, 0.0);
        for hour in 0..24 {
            ward.hour(0..patients, today - DAY + hour * HOUR).await?;
        }
        let hot = bytes_in(&folder.path().join("hot"))?;
        let (samples, take, settle) = (ward.samples as f64, ward.take, ward.settle);
        let watch = Stopwatch::start();
        ward.store.maintain(today + 4 * HOUR).await?;
        let compact = watch.spent().cpu_s;
        for hour in 0..8 {
            ward.hour(0..patients, today + hour * HOUR).await?;
        }
        let (store, who) = (&ward.store, subject(0));
        let subjects: Vec<Uuid> = (0..patients).map(subject).collect();
        let range = async |from_us, to_us, least: usize| {
            let windows = store.range(who, Vital::HEART_RATE, from_us, to_us).await?;
            anyhow::ensure!(windows.len() >= least, "{} windows", windows.len());
            Ok(())
        };
        let totals = async |from_us, to_us| {
            let totals = store.totals(&subjects, Vital::HEART_RATE, from_us, to_us).await?;
            anyhow::ensure!(totals.iter().all(|total| total.count > 10_000), "{totals:?}");
            Ok(())
        };
        let per_m = |cpu_s: f64| cpu_s / samples * 1e6;
        Ok(vec![
            Figure::new("vitals/hot_bytes_per_sample", hot as f64 / samples, "B"),
            Figure::new("vitals/take_cpu_s_per_m", per_m(take), "CPU-s"),
            Figure::new("vitals/settle_cpu_s_per_m", per_m(settle), "CPU-s"),
            Figure::new("vitals/compact_cpu_s_per_m", per_m(compact), "CPU-s"),
            Figure::new("vitals/day_ms", median(runs, || range(today - DAY, today, 1440)).await?, "ms")
                .goal(Goal::AtMost(0.7)),
            Figure::new(
                "vitals/today_ms",
                median(runs, || range(today - 16 * HOUR, today + 8 * HOUR, 1440)).await?,
                "ms",
            )
            .goal(Goal::AtMost(0.7)),
            Figure::new("vitals/90_days_ms", median(runs, || range(T0, today, days as usize * 1440)).await?, "ms")
                .goal(Goal::AtMost(10.0)),
            Figure::new("vitals/totals_200_ms", median(runs, || totals(today - DAY, today)).await?, "ms")
                .goal(Goal::AtMost(2.0)),
            Figure::new(
                "vitals/totals_200_rolling_ms",
                median(runs, || totals(today - 16 * HOUR, today + 8 * HOUR)).await?,
                "ms",
            ),
        ])
    })
}

/// A day of a ward of 200, packed: of virtual bodies, and of recorded ones. Each peer has the same.
fn rest(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let (patients, bodies) = if quick { (8, 1) } else { (200, 4) };
    let mut figures = Vec::new();
    let recorded = recorded::days().inspect_err(|error| eprintln!("no recordings: {error:#}")).unwrap_or_default();
    let recorded = recorded.into_iter().map(by_vital).collect::<Vec<_>>();
    for (name, of_prometheus, bodies) in [
        ("vitals/bytes_per_sample", "prometheus/bytes_per_sample", (0..bodies).map(body).collect::<Vec<_>>()),
        ("vitals/recorded_bytes_per_sample", "prometheus/recorded_bytes_per_sample", recorded),
    ] {
        if bodies.is_empty() {
            continue;
        }
        let peer = |peer: anyhow::Result<Peer>, name| {
            let bytes = peer.and_then(|peer| measure::runtime()?.block_on(peer_rest(peer, patients, &bodies)));
            bytes.inspect_err(|error| eprintln!("{name}: {error:#}")).ok()
        };
        let victoria = peer(Peer::victoria(None), "VictoriaMetrics");
        let prometheus = peer(Peer::prometheus(None), "Prometheus");
        let folder = measure::folder()?;
        let ours = measure::runtime()?.block_on(async {
            let mut ward = Ward::open(folder.path(), bodies, T0).await?;
            for hour in 0..24 {
                ward.hour(0..patients.into(), T0 + hour * HOUR).await?;
            }
            ward.store.maintain(T0 + DAY + 4 * HOUR).await?;
            anyhow::Ok(bytes_in(&folder.path().join("months"))? as f64 / ward.samples as f64)
        })?;
        let figure = Figure::new(name, ours, "B").goal(Goal::AtMost(0.55));
        figures.push(match victoria {
            Some(bytes) => figure.beside("VictoriaMetrics", bytes),
            None => figure,
        });
        figures.extend(prometheus.map(|bytes| Figure::new(of_prometheus, bytes, "B")));
    }
    Ok(figures)
}

/// Bytes a sample. An hour of everybody after the other, as time goes: what comes out of order lies apart.
async fn peer_rest(peer: Peer, patients: u32, bodies: &[Vec<Vec<Window>>]) -> anyhow::Result<f64> {
    let (mut line, mut samples, mut hearts) = (peer.connect().await?, 0, 0);
    for hour in (0..DAY).step_by(HOUR as usize) {
        for patient in 0..patients {
            let body = &bodies[patient as usize % bodies.len()];
            let within = |window: &&Window| (hour..hour + HOUR).contains(&window.start_us);
            let dated = |window: &Window| Window { start_us: T0 + window.start_us, ..window.clone() };
            let windows: Vec<Window> = body.iter().flatten().filter(within).map(dated).collect();
            samples += windows.len() * STATISTICS;
            hearts += windows.iter().filter(|window| window.vital == Vital::HEART_RATE).count();
            if !windows.is_empty() {
                line.peer_post(peer::WRITE, &peer::request(patient, &windows)?).await?;
            }
        }
    }
    peer.flush().await?;
    let held = peer::minutes(&mut line, (T0 + DAY) / 1_000_000 + 60, 2).await?;
    anyhow::ensure!(held == hearts as f64, "it has {held} of {hearts} minutes");
    Ok(peer.bytes_at_rest().await? / samples as f64)
}

/// The start of a store with the newest windows of 10,000 patients and the months of a year. What is in the months is not
/// read at a start, so they are almost empty here.
fn start(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let patients = if quick { 100 } else { 10_000 };
    let folder = measure::folder()?;
    let bodies = vec![body(0)];
    measure::runtime()?.block_on(async {
        let mut ward = Ward::open(folder.path(), bodies, T0).await?;
        for month in 0..12 {
            ward.hour(0..1, T0 + (month - 12) * 30 * DAY).await?;
            ward.store.maintain(T0 + (month - 11) * 30 * DAY).await?;
        }
        ward.hour(0..patients, T0).await?;
        drop(ward);
        let mut times = Vec::new();
        for _ in 0..measure::runs(quick) {
            let begun = Instant::now();
            let store = Embedded::open(folder.path(), Options::default(), Clock::scaled(0.0, T0)).await?;
            times.push(begun.elapsed().as_secs_f64());
            anyhow::ensure!(!store.recent(subject(1)).is_empty(), "nothing is known of a patient");
        }
        let newest = std::fs::metadata(folder.path().join("catalogue.sqlite"))?.len();
        Ok(vec![
            Figure::new("vitals/start_s", measure::best(times, |time| *time)?, "s").goal(Goal::AtMost(2.0)),
            Figure::new("vitals/newest_mib", newest as f64 / f64::from(1 << 20), "MiB"),
        ])
    })
}

/// What this process holds, MiB.
fn rss_mib() -> anyhow::Result<f64> {
    let pages = std::fs::read_to_string("/proc/self/statm")?;
    let pages: f64 = pages.split(' ').nth(1).unwrap_or_default().parse()?;
    Ok(pages * rustix::param::page_size() as f64 / f64::from(1 << 20))
}

/// An hour of 100,000 patients with four vitals, 60 windows each, in memory with their newest windows; then settled.
fn hour_of_100k(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let patients: u128 = if quick { 1000 } else { 100_000 };
    let folder = measure::folder()?;
    let body = body(0);
    measure::runtime()?.block_on(async {
        let store = Embedded::open(folder.path(), Options::default(), Clock::scaled(0.0, T0 + HOUR)).await?;
        let before = rss_mib()?;
        let vitals = [Vital::HEART_RATE, Vital::ACTIVITY, Vital::POSTURE, Vital::ACCELERATION];
        for minute in 0..60 {
            for patient in 0..patients {
                let of = |vital: &Vital| Window {
                    vital: *vital,
                    start_us: T0 + minute * MINUTE,
                    ..body[0][(minute as usize + patient as usize) % 1440].clone()
                };
                let windows = vitals.iter().map(of).collect();
                store.take(1, vec![Batch { subject: subject(patient), windows, gaps: Vec::new() }]).await?;
            }
        }
        let held = rss_mib()? - before;
        let begun = Instant::now();
        anyhow::ensure!(store.settle(1).await?, "somebody else has the files");
        Ok(vec![
            Figure::new("vitals/hour_of_100k_mib", held, "MiB").goal(Goal::AtMost(600.0)),
            Figure::new("vitals/hour_of_100k_settled_s", begun.elapsed().as_secs_f64(), "s"),
        ])
    })
}
