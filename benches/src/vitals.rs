//! The embedded vitals store: bytes at rest, what taking and settling costs, and how long readers wait.
//!
//! A sample is one of the five statistics of a window: min, max, sum, count, last. The windows are those of the simulated
//! bodies: a heart rate every 5 s, acceleration at 50 Hz as activity and posture, temperature and glucose.

use std::path::Path;
use std::time::{Duration, Instant};

use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_cloudd::vitals::{Batch, VitalsStore};
use medmon_core::noun::{Vital, Window};
use medmon_kit::Clock;
use medmon_sim::patient::Signals;
use uuid::Uuid;

use crate::Bench;
use crate::figure::{Figure, Goal};
use crate::measure::{self, Stopwatch};

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (
        &[
            "vitals/bytes_per_sample",
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
    (&["vitals/start_s", "vitals/newest_mib"], start),
    (&["vitals/hour_of_100k_mib", "vitals/hour_of_100k_settled_s"], hour_of_100k),
];

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// The first day, a midnight.
const T0: i64 = 1_795_003_200 * SECOND - 1_795_003_200 * SECOND % DAY;
/// Statistics of a window.
const STATISTICS: usize = 5;

/// What one body shows in a day, each vital by start; starts count from the day's.
fn body(seed: u64) -> Vec<Vec<Window>> {
    let signals = Signals::new(seed, &[]);
    let mut vitals = Vec::new();
    let mut gather = |vital: Vital, step_us: i64, value: &dyn Fn(f64) -> i32| {
        let mut windows: Vec<Window> = Vec::new();
        for at_us in (0..DAY).step_by(step_us as usize) {
            let part = Window::of(vital, at_us, value(at_us as f64 / 1e6), 1000, true);
            match windows.last_mut() {
                Some(whole) if whole.start_us == part.start_us && part.span_s > 0 => whole.merge(&part),
                _ => windows.push(part),
            }
        }
        vitals.push(windows);
    };
    gather(Vital::HEART_RATE, 5 * SECOND, &|t| i32::from(signals.heart_rate.bpm(t)) * 10);
    gather(Vital::TEMPERATURE, MINUTE, &|t| (signals.temperature.celsius(t) * 100.0).round() as i32);
    gather(Vital::GLUCOSE, 5 * MINUTE + 1_237, &|t| i32::from(signals.glucose.mg_dl(t)) * 10);
    let norm = |t: f64| {
        let xyz = signals.motion.sample((t * 50.0) as u64).map(|axis| f64::from(axis) / 1000.0);
        ((xyz.iter().map(|axis| axis * axis).sum::<f64>().sqrt() - 1.0).max(0.0) * 1000.0).round() as i32
    };
    gather(Vital::ACTIVITY, SECOND / 50, &norm);
    let axis = |t: f64| {
        let xyz = signals.motion.sample((t * 50.0) as u64);
        let largest = (0..3).max_by_key(|axis| xyz[*axis].abs()).unwrap_or(0);
        largest as i32 * 2 + i32::from(xyz[largest] < 0)
    };
    gather(Vital::POSTURE, SECOND / 5, &axis);
    vitals
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
        let months = folder.path().join("months");
        let before = bytes_in(&months)?;
        (ward.samples, ward.take, ward.settle) = (0, 0.0, 0.0);
        for hour in 0..24 {
            ward.hour(0..patients, today - DAY + hour * HOUR).await?;
        }
        let hot = bytes_in(&folder.path().join("hot"))?;
        let (samples, take, settle) = (ward.samples as f64, ward.take, ward.settle);
        let watch = Stopwatch::start();
        ward.store.maintain(today + 4 * HOUR).await?;
        let compact = watch.spent().cpu_s;
        let rest = bytes_in(&months)? - before;
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
            Figure::new("vitals/bytes_per_sample", rest as f64 / samples, "B").goal(Goal::AtMost(0.55)),
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
            anyhow::ensure!(store.recent(subject(1)).len() == 5, "nothing is known of a patient");
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
        let vitals = [Vital::HEART_RATE, Vital::ACTIVITY, Vital::POSTURE, Vital::TEMPERATURE];
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
