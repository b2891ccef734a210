//! What every vitals store does, whatever is behind it: the same stories for each. A store that is not one's own
//! words at once (`Caps::reads_own_writes`) is asked until it says what is right.
//!
//! [`Story`] stands for the journal: it keeps every batch, gives again what is not settled after a reopening, and
//! knows what must be there.

#![allow(dead_code, reason = "each test program uses its own part of it")]

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use medmon_cloudd::vitals::{Batch, Total, VitalsStore};
use medmon_core::noun::{Gap, Ieee, UtcUs, Vital, Window};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use uuid::Uuid;

pub const SECOND: i64 = 1_000_000;
pub const MINUTE: i64 = 60 * SECOND;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// How long a store may take to show what it was given.
const PATIENCE: Duration = Duration::from_secs(30);
/// Where a span begins that holds everything.
const EVER: (UtcUs, UtcUs) = (0, i64::MAX);

/// A store under test.
#[async_trait]
pub trait Rig: Send {
    /// The store as it is now.
    fn store(&self) -> Arc<dyn VitalsStore>;
    /// Lets it go as a kill would and opens it again on the same data.
    async fn reopen(&mut self);
    /// What time it is for the store, µs UTC.
    fn now_us(&self) -> UtcUs;
}

/// One store, all that it was told, and the journal behind it.
pub struct Story {
    rig: Box<dyn Rig>,
    store: Arc<dyn VitalsStore>,
    /// By segment; those that are settled are gone.
    journal: BTreeMap<u64, Vec<Batch>>,
    segment: u64,
    windows: BTreeMap<(Uuid, Vital), BTreeMap<(UtcUs, u32), Window>>,
    gaps: BTreeMap<(Uuid, Vital), Vec<Gap>>,
    /// The start of this hour.
    pub hour_us: UtcUs,
}

impl Story {
    pub fn new(rig: Box<dyn Rig>) -> Self {
        let (store, now_us) = (rig.store(), rig.now_us());
        let (windows, gaps) = (BTreeMap::new(), BTreeMap::new());
        // A store that others told something before has a number to go on from.
        let segment = store.settled_through() + 1;
        let hour_us = now_us - now_us.rem_euclid(HOUR);
        Self { rig, store, journal: BTreeMap::new(), segment, windows, gaps, hour_us }
    }

    /// An envelope with windows and gaps of one subject: journalled and given to the store.
    pub async fn tell(&mut self, subject: Uuid, windows: Vec<Window>, gaps: Vec<Gap>) {
        for part in &windows {
            let series = self.windows.entry((subject, part.vital)).or_default();
            series.entry((part.start_us, part.span_s)).and_modify(|whole| whole.merge(part)).or_insert(part.clone());
        }
        for gap in &gaps {
            let known = self.gaps.entry((subject, gap.vital)).or_default();
            // The same word twice lies at one instant.
            if !self.store.caps().same_instant && known.contains(gap) {
                continue;
            }
            known.push(gap.clone());
            known.sort_by_key(|gap| (gap.from_us, gap.to_us));
        }
        let batch = Batch { subject, windows, gaps };
        self.journal.entry(self.segment).or_default().push(batch.clone());
        self.store.take(self.segment, vec![batch]).await.unwrap();
    }

    /// The next segment begins; the one before it is not settled yet.
    pub fn rotate(&mut self) {
        self.segment += 1;
    }

    /// Closes the segment and settles all that are closed.
    pub async fn settle(&mut self) {
        self.rotate();
        for segment in self.store.settled_through() + 1..self.segment {
            let (store, what) = (Arc::clone(&self.store), format!("segment {segment} settles"));
            until(&what, || async { store.settle(segment).await.unwrap().then_some(()) }).await;
            assert_eq!(self.store.settled_through(), segment);
            self.journal.remove(&segment);
        }
    }

    /// A kill and a start: what is not settled is given again.
    pub async fn reopen(&mut self) {
        self.rig.reopen().await;
        self.store = self.rig.store();
        let settled = self.store.settled_through();
        assert!(self.journal.keys().all(|segment| *segment > settled), "settled what it was not asked to");
        for (segment, batches) in &self.journal {
            self.store.take(*segment, batches.clone()).await.unwrap();
        }
    }

    /// Two days go by: what is due is done.
    pub async fn age(&mut self) {
        self.store.maintain(self.rig.now_us() + 2 * DAY).await.unwrap();
    }

    /// A subject is erased, also from the model and the journal.
    pub async fn erase(&mut self, subject: Uuid) {
        self.journal.values_mut().for_each(|batches| batches.retain(|batch| batch.subject != subject));
        self.windows.retain(|(whose, _), _| *whose != subject);
        self.gaps.retain(|(whose, _), _| *whose != subject);
        self.store.erase(subject).await.unwrap();
    }

    fn known(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) -> Vec<Window> {
        let series = self.windows.get(&(subject, vital)).into_iter().flat_map(|series| series.values());
        series.filter(|window| window.start_us >= from_us && window.start_us < to_us).cloned().collect()
    }

    /// The store has exactly what it was told of a span, window by window and in sum.
    pub async fn expect_span(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) {
        let want = self.known(subject, vital, from_us, to_us);
        self.read(&format!("{vital} of {subject} from {from_us} to {to_us}"), want.clone(), || async {
            self.store.range(subject, vital, from_us, to_us).await.unwrap()
        })
        .await;
        self.read(&format!("total of {vital} of {subject} from {from_us} to {to_us}"), vec![fold(&want)], || async {
            shown(self.store.totals(&[subject], vital, from_us, to_us).await.unwrap())
        })
        .await;
    }

    /// The store has exactly what it was told.
    pub async fn expect(&self, subject: Uuid, vital: Vital) {
        self.expect_span(subject, vital, EVER.0, EVER.1).await;
    }

    /// All that was ever told, of everybody.
    pub async fn expect_all(&self) {
        for (subject, vital) in self.windows.keys() {
            self.expect(*subject, *vital).await;
        }
        for (subject, vital) in self.gaps.keys() {
            self.expect_gaps(*subject, *vital, EVER.0, EVER.1).await;
        }
    }

    /// The store has exactly the gaps that overlap a span.
    pub async fn expect_gaps(&self, subject: Uuid, vital: Vital, from_us: UtcUs, to_us: UtcUs) {
        let known = self.gaps.get(&(subject, vital)).into_iter().flatten();
        let want: Vec<Gap> = known.filter(|gap| gap.from_us < to_us && gap.to_us > from_us).cloned().collect();
        self.read(&format!("gaps of {subject}"), want, || async {
            self.store.gaps(subject, vital, from_us, to_us).await.unwrap()
        })
        .await;
    }

    /// What `ask` gives is `want`: at once, or soon, as the store's caps say.
    async fn read<T: PartialEq + std::fmt::Debug, F: Future<Output = T>>(
        &self,
        what: &str,
        want: T,
        ask: impl Fn() -> F,
    ) {
        if self.store.caps().reads_own_writes {
            assert_eq!(ask().await, want, "{what}");
            return;
        }
        let begun = Instant::now();
        loop {
            let got = ask().await;
            if got == want {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{what}: {got:?} is not {want:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// Waits for `ask` to have an answer.
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "{what}: not within {PATIENCE:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// What windows amount to. A total of nothing has no extremes to compare.
pub fn fold(windows: &[Window]) -> Total {
    let mut total = Total::default();
    windows.iter().for_each(|window| total.add(window));
    total
}

fn shown(totals: Vec<Total>) -> Vec<Total> {
    totals.into_iter().map(|total| if total.count == 0 { Total::default() } else { total }).collect()
}

/// A minute of heart rate with `count` readings of which the last, at `last_ms`, was `bpm`.
pub fn minute(start_us: UtcUs, bpm: i32, count: u32, last_ms: u32) -> Window {
    Window {
        vital: Vital::HEART_RATE,
        start_us,
        span_s: 60,
        min: (bpm - 3) * 10,
        max: (bpm + 5) * 10,
        sum: i64::from(bpm) * 10 * i64::from(count),
        count,
        last: bpm * 10,
        last_ms,
        coverage: (count * 10).min(1000) as u16,
        suspect: count / 10,
    }
}

/// Minutes of heart rate from `start_us` on.
pub fn minutes(start_us: UtcUs, bpm: impl IntoIterator<Item = i32>) -> Vec<Window> {
    let starts = (0..).map(|index| start_us + index * MINUTE);
    starts.zip(bpm).map(|(start_us, bpm)| minute(start_us, bpm, 30, 58_000)).collect()
}

/// A single reading of glucose.
pub fn glucose(at_us: UtcUs, stored: i32) -> Window {
    Window::of(Vital::GLUCOSE, at_us, stored, 1000, true)
}

pub fn hole(vital: Vital, from_us: UtcUs, to_us: UtcUs, lost: u32) -> Gap {
    Gap { vital, device: Ieee(0x0012_4b00_2a5c_0d01), from_us, to_us, lost }
}

/// Makes a test of each story: `$rig` is an async function that gives `Option<Box<dyn Rig>>`, `None` where the store is
/// not installed (it has said so).
macro_rules! contract {
    ($rig:path) => {
        contract!($rig:
            what_is_told_is_read, spans_begin_with_their_start_and_end_before_their_end, gaps_overlap_a_span,
            a_vital_or_a_span_that_nobody_knows_is_kept, a_single_reading_is_a_window_without_a_span,
            totals_are_the_fold_of_the_range_in_the_order_asked, late_parts_make_the_window_whole_before_and_after_it_ages,
            what_is_not_settled_is_given_again_and_counts_once, what_is_settled_is_there_after_a_kill,
            erasing_one_leaves_the_others, the_newest_windows_are_in_memory_also_after_a_kill,
            one_bad_part_in_a_hundred_harms_no_other, parts_merge_in_any_order
        );
    };
    ($rig:path: $($name:ident),*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                if let Some(rig) = $rig(stringify!($name)).await {
                    $crate::common::vitals::$name($crate::common::vitals::Story::new(rig)).await;
                }
            }
        )*
    };
}
pub(crate) use contract;

pub async fn what_is_told_is_read(mut story: Story) {
    let (one, other, hour) = (Uuid::now_v7(), Uuid::now_v7(), story.hour_us);
    story.tell(one, minutes(hour - HOUR, 60..80), vec![hole(Vital::HEART_RATE, hour - HOUR, hour, 2)]).await;
    story.tell(other, minutes(hour - HOUR, 90..95), Vec::new()).await;
    story.expect_all().await;
    let nobody = Uuid::now_v7();
    story.expect(nobody, Vital::HEART_RATE).await;
    story.expect(one, Vital::TEMPERATURE).await;
    story.settle().await;
    story.expect_all().await;
    story.age().await;
    story.expect_all().await;
    story.reopen().await;
    story.expect_all().await;
}

pub async fn spans_begin_with_their_start_and_end_before_their_end(mut story: Story) {
    let (subject, first) = (Uuid::now_v7(), story.hour_us - 2 * HOUR);
    story.tell(subject, minutes(first, 60..180), Vec::new()).await;
    let edges = [
        (first, first + MINUTE),
        (first + 1, first + MINUTE),
        (first + 1, first + MINUTE + 1),
        (first - 5 * DAY, first),
        (first + 119 * MINUTE, first + 9 * DAY),
        (first + 120 * MINUTE, first + 9 * DAY),
        (first + 30 * MINUTE, first + 90 * MINUTE),
        (first, first),
        (first + MINUTE, first),
        EVER,
        (i64::MIN, i64::MAX),
    ];
    for (from_us, to_us) in edges {
        story.expect_span(subject, Vital::HEART_RATE, from_us, to_us).await;
    }
    story.settle().await;
    story.age().await;
    for (from_us, to_us) in edges {
        story.expect_span(subject, Vital::HEART_RATE, from_us, to_us).await;
    }
}

pub async fn gaps_overlap_a_span(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - DAY);
    // Out of order, one over midnight, one twice in different envelopes, one of another vital.
    let long = hole(Vital::HEART_RATE, hour - 30 * HOUR, hour, 9);
    let short = hole(Vital::HEART_RATE, hour + MINUTE, hour + 2 * MINUTE, 1);
    story.tell(subject, Vec::new(), vec![short.clone(), hole(Vital::GLUCOSE, hour, hour + HOUR, 4)]).await;
    story.tell(subject, Vec::new(), vec![long, short]).await;
    for settled in [false, true] {
        if settled {
            story.settle().await;
            story.age().await;
        }
        for (from_us, to_us) in [EVER, (hour, hour + MINUTE), (hour, hour + MINUTE + 1), (hour - 1, hour), (hour, hour)]
        {
            story.expect_gaps(subject, Vital::HEART_RATE, from_us, to_us).await;
        }
        story.expect_gaps(subject, Vital::GLUCOSE, EVER.0, EVER.1).await;
        story.expect_gaps(subject, Vital::TEMPERATURE, EVER.0, EVER.1).await;
    }
}

pub async fn a_vital_or_a_span_that_nobody_knows_is_kept(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    let odd = Window { vital: Vital(4711), min: -1_000_000, max: 2_000_000, ..minute(hour, 1, 7, 900) };
    // The same start in two spans: two windows.
    let parts = [Window { span_s: 5, last_ms: 4_321, ..odd.clone() }, Window { span_s: 900, ..odd.clone() }, odd];
    story.tell(subject, parts.to_vec(), Vec::new()).await;
    story.expect_all().await;
    story.settle().await;
    story.age().await;
    story.expect_all().await;
}

pub async fn a_single_reading_is_a_window_without_a_span(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    let readings = (0..12).map(|index| glucose(hour + index * 300 * SECOND + index * 7_001, 1000 + index as i32 * 30));
    let readings: Vec<_> = readings.collect();
    story.tell(subject, readings.clone(), Vec::new()).await;
    story.expect_all().await;
    story.settle().await;
    story.age().await;
    story.expect_all().await;
    story.expect_span(subject, Vital::GLUCOSE, readings[3].start_us, readings[7].start_us + 1).await;
}

pub async fn totals_are_the_fold_of_the_range_in_the_order_asked(mut story: Story) {
    let hour = story.hour_us - 3 * DAY;
    let subjects: Vec<Uuid> = (0..5).map(|_| Uuid::now_v7()).collect();
    for (index, subject) in subjects.iter().enumerate().skip(1) {
        for day in 0..3 {
            let bpm = (0..20).map(|minute| 50 + 10 * index as i32 + minute);
            story.tell(*subject, minutes(hour + day * DAY, bpm), Vec::new()).await;
        }
    }
    let asked: Vec<Uuid> = subjects.iter().rev().copied().collect();
    for aged in [false, true] {
        if aged {
            story.settle().await;
            story.age().await;
        }
        for (from_us, to_us) in [EVER, (hour + 5 * MINUTE, hour + DAY + 7 * MINUTE), (hour, hour + DAY), (hour, hour)] {
            let want: Vec<_> =
                asked.iter().map(|one| fold(&story.known(*one, Vital::HEART_RATE, from_us, to_us))).collect();
            story
                .read("totals", want, || async {
                    shown(story.store.totals(&asked, Vital::HEART_RATE, from_us, to_us).await.unwrap())
                })
                .await;
        }
    }
}

pub async fn late_parts_make_the_window_whole_before_and_after_it_ages(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    story.tell(subject, minutes(hour, 60..70), Vec::new()).await;
    story.settle().await;
    story.tell(subject, vec![minute(hour + 3 * MINUTE, 120, 2, 11_000)], Vec::new()).await;
    story.expect_all().await;
    story.settle().await;
    story.age().await;
    story.tell(subject, vec![minute(hour + 3 * MINUTE, 130, 1, 12_000)], Vec::new()).await;
    story.tell(subject, vec![minute(hour + 20 * MINUTE, 131, 1, 12_000)], Vec::new()).await;
    story.expect_all().await;
    story.settle().await;
    story.expect_all().await;
    story.age().await;
    story.expect_all().await;
    story.reopen().await;
    story.expect_all().await;
}

pub async fn what_is_not_settled_is_given_again_and_counts_once(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    story.tell(subject, minutes(hour, 60..70), vec![hole(Vital::HEART_RATE, hour, hour + 1, 1)]).await;
    story.reopen().await;
    story.expect_all().await;
    story.rotate();
    story.tell(subject, vec![minute(hour, 90, 3, 30_000)], Vec::new()).await;
    story.reopen().await;
    story.reopen().await;
    story.expect_all().await;
    story.settle().await;
    story.tell(subject, vec![minute(hour, 95, 3, 31_000)], Vec::new()).await;
    story.reopen().await;
    story.expect_all().await;
}

pub async fn what_is_settled_is_there_after_a_kill(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    for round in 0..3 {
        story.tell(subject, minutes(hour + round * 10 * MINUTE, 60..70), Vec::new()).await;
        story.tell(subject, Vec::new(), vec![hole(Vital::HEART_RATE, hour + round, hour + 9, 1)]).await;
        story.settle().await;
        story.reopen().await;
        story.expect_all().await;
    }
    // A segment without anything settles too.
    story.settle().await;
    story.reopen().await;
    story.expect_all().await;
}

pub async fn erasing_one_leaves_the_others(mut story: Story) {
    let hour = story.hour_us - HOUR;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    for (round, start_us) in [hour - 40 * DAY, hour, hour + 10 * MINUTE].into_iter().enumerate() {
        for subject in [one, other] {
            let gap = hole(Vital::HEART_RATE, start_us, start_us + MINUTE, 1);
            story.tell(subject, minutes(start_us, 60..70), vec![gap]).await;
        }
        match round {
            0 => {
                story.settle().await;
                story.age().await;
            }
            1 => story.settle().await,
            _ => {}
        }
    }
    story.expect_all().await;
    story.erase(one).await;
    for _ in 0..2 {
        story.expect(one, Vital::HEART_RATE).await;
        story.expect_gaps(one, Vital::HEART_RATE, EVER.0, EVER.1).await;
        assert_eq!(story.store.recent(one), Vec::new());
        story.expect_all().await;
        story.reopen().await;
    }
    story.erase(Uuid::now_v7()).await;
    story.expect_all().await;
    // A label that comes back is a new one.
    story.tell(one, minutes(hour, 80..82), Vec::new()).await;
    story.expect_all().await;
}

pub async fn the_newest_windows_are_in_memory_also_after_a_kill(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - HOUR);
    story.tell(subject, minutes(hour, 60..70), Vec::new()).await;
    story.settle().await;
    story.tell(subject, vec![minute(hour + 9 * MINUTE, 120, 2, 59_000)], Vec::new()).await;
    story.tell(subject, vec![glucose(hour + 9 * MINUTE, 1111)], Vec::new()).await;
    story.settle().await;
    // Part of the newest window is settled, part is not.
    story.tell(subject, vec![minute(hour + 9 * MINUTE, 99, 1, 59_500)], Vec::new()).await;
    let want = |windows: &[(Vital, Vec<Window>)]| {
        let last = |vital| windows.iter().find(|row| row.0 == vital)?.1.last().cloned();
        (last(Vital::HEART_RATE), last(Vital::GLUCOSE), windows.len())
    };
    let newest = story.known(subject, Vital::HEART_RATE, hour + 9 * MINUTE, i64::MAX).pop();
    let told = (newest, Some(glucose(hour + 9 * MINUTE, 1111)), 2);
    for _ in 0..2 {
        let recent = story.store.recent(subject);
        assert_eq!(want(&recent), told);
        // As far back as the trend of a heart looks, by start.
        let hearts = &recent.iter().find(|row| row.0 == Vital::HEART_RATE).unwrap().1;
        assert!(hearts.is_sorted_by_key(|window| window.start_us) && hearts.len() >= 10, "{hearts:?}");
        story.reopen().await;
    }
    story.settle().await;
    story.age().await;
    story.reopen().await;
    assert_eq!(want(&story.store.recent(subject)), told);
}

pub async fn one_bad_part_in_a_hundred_harms_no_other(mut story: Story) {
    let (subject, hour) = (Uuid::now_v7(), story.hour_us - 2 * HOUR);
    let other = Uuid::now_v7();
    let caps = story.store.caps();
    let good = minutes(hour, (0..97).map(|index| 60 + index % 20));
    let mut parts = good.clone();
    let (twice, at) = (good[50].clone(), hour + 50 * MINUTE);
    let future = minute(story.hour_us + 10 * DAY, 66, 30, 58_000);
    let old_us = hour - caps.late_window_s.map_or(200 * DAY, |late_s| late_s as i64 * SECOND + DAY);
    let old = minute(old_us - old_us.rem_euclid(MINUTE), 67, 30, 58_000);
    parts.insert(20, future);
    parts.insert(40, old.clone());
    parts.insert(60, Window { last: 990, max: 1_200, sum: 3_000, ..twice });
    // Around the story's own books: what becomes of the three is not the same for every store.
    let batch = Batch { subject, windows: parts, gaps: Vec::new() };
    story.journal.entry(story.segment).or_default().push(batch.clone());
    story.store.take(story.segment, vec![batch]).await.unwrap();
    story.tell(other, minutes(hour, 80..90), Vec::new()).await;
    let harmless = good.iter().filter(|window| window.start_us != at).cloned().collect::<Vec<_>>();
    for step in 0..3 {
        let ask = || async {
            let windows = story.store.range(subject, Vital::HEART_RATE, hour, story.hour_us).await.unwrap();
            windows.into_iter().filter(|window| window.start_us != at).collect::<Vec<_>>()
        };
        story.read("the others", harmless.clone(), ask).await;
        let ask = || async { story.store.range(subject, Vital::HEART_RATE, old_us - DAY, old_us + 1).await.unwrap() };
        story.read("the old one", vec![old.clone()], ask).await;
        let both = story.store.range(subject, Vital::HEART_RATE, at, at + 1).await.unwrap();
        let count = both.iter().map(|window| window.count).sum::<u32>();
        assert!(count == 60 || (count >= 30 && !caps.same_instant), "{both:?}");
        story.expect(other, Vital::HEART_RATE).await;
        match step {
            0 => story.settle().await,
            1 => story.age().await,
            _ => {}
        }
    }
    // What is told next is taken all the same.
    story.tell(other, minutes(hour + 20 * MINUTE, 80..90), Vec::new()).await;
    story.expect(other, Vital::HEART_RATE).await;
}

/// A few parts of a few windows, each with a last reading of its own instant, cut into envelopes and segments.
fn told() -> impl Strategy<Value = Vec<(Window, u8)>> {
    let part = (0i64..4, 40i32..200, 1u32..40, 0u8..4);
    prop::collection::vec(part, 1..24).prop_map(|parts| {
        let numbered = parts.into_iter().enumerate();
        numbered
            .map(|(at, (index, bpm, count, cut))| (minute(index * MINUTE, bpm, count, at as u32 * 2_000), cut))
            .collect()
    })
}

pub async fn parts_merge_in_any_order(story: Story) {
    let cases = if story.store.caps().reads_own_writes { 48 } else { 6 };
    let here = tokio::runtime::Handle::current();
    let story = std::sync::Mutex::new(story);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let run = |parts: Vec<(Window, u8)>| {
        let mut story = story.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let (subject, first) = (Uuid::now_v7(), story.hour_us - HOUR);
        here.block_on(async {
            for (part, cut) in parts {
                story.tell(subject, vec![Window { start_us: first + part.start_us, ..part }], Vec::new()).await;
                match cut {
                    0 => story.settle().await,
                    1 => story.rotate(),
                    _ => {}
                }
            }
            story.expect(subject, Vital::HEART_RATE).await;
            story.settle().await;
            story.expect(subject, Vital::HEART_RATE).await;
            story.age().await;
            story.expect(subject, Vital::HEART_RATE).await;
        });
        Ok(())
    };
    tokio::task::block_in_place(|| runner.run(&told(), run)).unwrap();
}
