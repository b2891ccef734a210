//! A store that is killed at random moments while it takes, settles, compacts, thins, removes and erases, against a
//! model: nothing lost, nothing doubled.
//!
//! The child is this very test program. What it is going to do stands in a log before it does it, as in the journal; the
//! parent reads the log, so it knows what must be there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use medmon_cloudd::vitals::embedded::{Embedded, Options};
use medmon_cloudd::vitals::{Batch, Total, VitalsStore};
use medmon_core::noun::{Gap, UtcUs, Vital, Window};
use medmon_kit::Clock;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use uuid::Uuid;

use super::vitals::{DAY, HOUR, MINUTE, fold, glucose, hole, minute};

/// Tells the child where; absent in a run of the suite.
pub const FOLDER: &str = "MEDMON_TEST_VITALS_FOLDER";
const T0: UtcUs = 1_795_003_200_000_000;
const SUBJECTS: u64 = 6;
const VITALS: [Vital; 2] = [Vital::HEART_RATE, Vital::GLUCOSE];
const OPTIONS: Options = Options {
    retention_us: Some(100 * DAY),
    thin_after_us: Some(40 * DAY),
    ahead_us: Some(62 * DAY),
    compact_after_us: 3 * HOUR,
    max_bytes: None,
};

/// A line of the log.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    /// A batch, made from its number, in a segment, at a time.
    Take { segment: u64, number: u64, now_us: UtcUs },
    /// The segments before this one are closed.
    Rotate { segment: u64 },
    /// What is due at a time is done.
    Maintain { now_us: UtcUs },
    /// A subject is erased.
    Erase { subject: u64 },
    /// It was.
    Erased { subject: u64 },
}

impl Step {
    fn write(self, log: &mut File) {
        let line = match self {
            Self::Take { segment, number, now_us } => format!("take {segment} {number} {now_us}\n"),
            Self::Rotate { segment } => format!("rotate {segment} 0 0\n"),
            Self::Maintain { now_us } => format!("maintain 0 0 {now_us}\n"),
            Self::Erase { subject } => format!("erase {subject} 0 0\n"),
            Self::Erased { subject } => format!("erased {subject} 0 0\n"),
        };
        log.write_all(line.as_bytes()).unwrap();
    }

    fn read(line: &str) -> Self {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<i64>().unwrap();
        match words[0] {
            "take" => Self::Take { segment: number(1) as u64, number: number(2) as u64, now_us: number(3) },
            "rotate" => Self::Rotate { segment: number(1) as u64 },
            "maintain" => Self::Maintain { now_us: number(3) },
            "erase" => Self::Erase { subject: number(1) as u64 },
            "erased" => Self::Erased { subject: number(1) as u64 },
            other => panic!("{other}"),
        }
    }
}

fn subject(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number % SUBJECTS + 1) << 64)
}

/// The batch of a number: always the same.
fn batch(number: u64, now_us: UtcUs) -> Batch {
    let mut random = StdRng::seed_from_u64(number);
    let (mut windows, mut gaps) = (Vec::new(), Vec::new());
    for _ in 0..random.random_range(1..9) {
        let back_us = if random.random_bool(0.9) { 3 * HOUR } else { 30 * DAY };
        let at_us = now_us - random.random_range(0..back_us);
        let (bpm, count) = (random.random_range(50..150), random.random_range(1..40));
        windows.push(if random.random_bool(0.7) {
            minute(at_us - at_us.rem_euclid(MINUTE), bpm, count, random.random_range(0..60_000))
        } else {
            glucose(at_us, bpm * 10)
        });
    }
    if random.random_bool(0.1) {
        gaps.push(hole(VITALS[0], now_us - HOUR, now_us - random.random_range(0..HOUR), random.random_range(1..9)));
    }
    Batch { subject: subject(number), windows, gaps }
}

/// What the log says must be there.
#[derive(Default)]
struct Model {
    read: u64,
    windows: BTreeMap<(Uuid, Vital), BTreeMap<(UtcUs, u32), Window>>,
    gaps: BTreeMap<Uuid, Vec<Gap>>,
    /// What a start gives again, by segment.
    journal: BTreeMap<u64, Vec<(u64, UtcUs)>>,
    erasing: BTreeSet<u64>,
    segment: u64,
    numbers: u64,
    now_us: UtcUs,
}

impl Model {
    /// Reads what is new in the log; a line that was cut is no line.
    fn follow(&mut self, folder: &Path) -> File {
        let mut log =
            OpenOptions::new().create(true).truncate(false).read(true).write(true).open(folder.join("log")).unwrap();
        log.seek(std::io::SeekFrom::Start(self.read)).unwrap();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        let whole = text.rfind('\n').map_or(0, |at| at + 1);
        text[..whole].lines().for_each(|line| self.step(Step::read(line)));
        self.read += whole as u64;
        log.set_len(self.read).unwrap();
        log.seek(std::io::SeekFrom::End(0)).unwrap();
        (self.segment, self.now_us) = (self.segment.max(1), self.now_us.max(T0));
        log
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Take { segment, number, now_us } => {
                self.segment = segment;
                (self.numbers, self.now_us) = (self.numbers.max(number + 1), now_us);
                self.journal.entry(segment).or_default().push((number, now_us));
                let Batch { subject, windows, gaps } = batch(number, now_us);
                for part in windows {
                    let series = self.windows.entry((subject, part.vital)).or_default();
                    let key = (part.start_us, part.span_s);
                    series.entry(key).and_modify(|whole| whole.merge(&part)).or_insert(part);
                }
                self.gaps.entry(subject).or_default().extend(gaps);
            }
            Step::Rotate { segment } => self.segment = segment,
            Step::Maintain { now_us } => self.now_us = now_us,
            Step::Erase { subject: number } => {
                let whose = subject(number);
                self.erasing.insert(number);
                self.windows.retain(|(subject, _), _| *subject != whose);
                self.gaps.remove(&whose);
                self.journal.values_mut().for_each(|batches| batches.retain(|(number, _)| subject(*number) != whose));
            }
            Step::Erased { subject } => drop(self.erasing.remove(&subject)),
        }
    }

    /// Opens the store as the cloud does after a kill: what is not settled is given again, what was begun is ended.
    async fn open(&mut self, folder: &Path) -> (Embedded, Clock) {
        let clock = Clock::scaled(0.0, self.now_us);
        let store = Embedded::open(&folder.join("vitals"), OPTIONS, clock.clone()).await.unwrap();
        let settled = store.settled_through();
        for (segment, numbers) in self.journal.range(settled + 1..) {
            let batches = numbers.iter().map(|(number, now_us)| batch(*number, *now_us)).collect();
            store.take(*segment, batches).await.unwrap();
        }
        for number in &self.erasing {
            store.erase(subject(*number)).await.unwrap();
        }
        (store, clock)
    }

    /// The store has exactly this, where it is not thinned or old; the same sums where it is thinned.
    async fn compare(&self, store: &Embedded, when: &str) {
        let month = |at_us: UtcUs| {
            let utc = jiff::tz::TimeZone::UTC;
            let first = utc.to_datetime(jiff::Timestamp::from_microsecond(at_us).unwrap()).first_of_month();
            utc.to_timestamp(first.start_of_day()).unwrap().as_microsecond()
        };
        let old_us = month(self.now_us - OPTIONS.retention_us.unwrap());
        let thin_us = month(self.now_us - OPTIONS.thin_after_us.unwrap());
        for (subject, vital) in (0..SUBJECTS).flat_map(|number| VITALS.map(|vital| (subject(number), vital))) {
            let known = self.windows.get(&(subject, vital));
            let known = |from_us, to_us| -> Vec<Window> {
                let all = known.into_iter().flat_map(|series| series.range((from_us, 0)..(to_us, 0)));
                all.map(|(_, window)| window.clone()).collect()
            };
            let what = format!("{when}: {vital} of {subject}");
            let windows = store.range(subject, vital, thin_us, i64::MAX).await.unwrap();
            assert!(windows == known(thin_us, i64::MAX), "{what}: {}", differ(&windows, &known(thin_us, i64::MAX)));
            let totals = store.totals(&[subject], vital, thin_us, i64::MAX).await.unwrap();
            assert_eq!(sums(totals[0]), sums(fold(&windows)), "{what}, its totals");
            let thinned = store.totals(&[subject], vital, old_us, thin_us).await.unwrap();
            assert_eq!(sums(thinned[0]), sums(fold(&known(old_us, thin_us))), "{what}, where it may be thinned");
            let newest = store.recent(subject).into_iter().find(|row| row.0 == vital).and_then(|mut row| row.1.pop());
            assert_eq!(newest, known(i64::MIN, i64::MAX).pop(), "{what}, the newest");
        }
        for number in 0..SUBJECTS {
            let recent = |gap: &Gap| gap.to_us > self.now_us - OPTIONS.retention_us.unwrap() + DAY;
            let known = self.gaps.get(&subject(number)).into_iter().flatten();
            let mut known: Vec<Gap> = known.filter(|gap| recent(gap)).cloned().collect();
            known.sort_by_key(|gap| (gap.from_us, gap.to_us, gap.lost));
            let mut gaps = store.gaps(subject(number), VITALS[0], 0, i64::MAX).await.unwrap();
            gaps.retain(recent);
            gaps.sort_by_key(|gap| (gap.from_us, gap.to_us, gap.lost));
            assert_eq!(gaps, known, "{when}: gaps of {number}");
        }
    }
}

fn sums(total: Total) -> Total {
    if total.count == 0 { Total::default() } else { Total { covered_ms: 0, ..total } }
}

fn differ(have: &[Window], want: &[Window]) -> String {
    let lost: Vec<_> = want.iter().filter(|window| !have.contains(window)).take(3).collect();
    let more: Vec<_> = have.iter().filter(|window| !want.contains(window)).take(3).collect();
    format!("{} instead of {}; lost {lost:?}; more {more:?}", have.len(), want.len())
}

/// What the child does until it is killed.
pub async fn work(folder: &Path) {
    let mut model = Model::default();
    let mut log = model.follow(folder);
    let (store, clock) = model.open(folder).await;
    while let Some(number) = model.erasing.pop_first() {
        Step::Erased { subject: number }.write(&mut log);
    }
    println!("opened");
    let mut random = StdRng::from_os_rng();
    let mut number = model.numbers;
    loop {
        match random.random_range(0..100) {
            0..60 => {
                let step = Step::Take { segment: model.segment, number, now_us: model.now_us };
                step.write(&mut log);
                store.take(model.segment, vec![batch(number, model.now_us)]).await.unwrap();
                number += 1;
            }
            60..80 => {
                model.segment += 1;
                Step::Rotate { segment: model.segment }.write(&mut log);
                for segment in store.settled_through() + 1..model.segment {
                    assert!(store.settle(segment).await.unwrap());
                }
            }
            80..98 => {
                let step_us = random.random_range(0..DAY);
                model.now_us += step_us;
                clock.shift_utc(step_us);
                Step::Maintain { now_us: model.now_us }.write(&mut log);
                store.maintain(model.now_us).await.unwrap();
            }
            _ => {
                let subject = random.random_range(0..SUBJECTS);
                Step::Erase { subject }.write(&mut log);
                store.erase(self::subject(subject)).await.unwrap();
                Step::Erased { subject }.write(&mut log);
            }
        }
    }
}

/// Kills a child in each of `rounds`, `test` being the child's part of this program; then looks.
pub async fn rounds(test: &str, rounds: u32) {
    let folder = tempfile::tempdir().unwrap();
    let mut model = Model::default();
    let mut random = StdRng::from_os_rng();
    for round in 0..rounds {
        let mut child = tokio::process::Command::new(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture", "--test-threads", "1"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        // At a random moment: that is the test, not a wait for something.
        tokio::time::sleep(Duration::from_millis(random.random_range(30..700))).await;
        assert!(child.try_wait().unwrap().is_none(), "round {round}: the child ended by itself");
        child.kill().await.unwrap();
        drop(model.follow(folder.path()));
        let (store, _) = model.open(folder.path()).await;
        model.compare(&store, &format!("round {round}")).await;
    }
    let (store, _) = model.open(folder.path()).await;
    for segment in store.settled_through() + 1..=model.segment {
        assert!(store.settle(segment).await.unwrap());
    }
    store.maintain(model.now_us + DAY).await.unwrap();
    model.compare(&store, "in the end").await;
    let days = (model.now_us - T0) / DAY;
    println!("{rounds} kills, {} envelopes, {} segments, {days} days", model.numbers, model.segment);
    assert!(model.numbers > u64::from(rounds), "the children did nothing");
}
