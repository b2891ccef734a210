//! How windows and gaps lie in series, there and back. Pure.
//!
//! One series per subject, vital, span and statistic, in the vital's unit; a part of a window is one sample of each, at
//! the instant of its last reading. So nothing is ever overwritten: late parts are out-of-order samples, and a reader
//! merges what lies in one window. `medmon_window_offset_us` stands only beside a part whose sample could not lie at
//! that instant: sub-millisecond times, two parts at one instant, a last reading at the very end of its window.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hasher as _};

use medmon_core::noun::{Gap, Ieee, UtcUs, Vital, Window};
use uuid::Uuid;

use crate::vitals::Batch;

/// Statistics of a window, in the order of [`Item::values`].
pub const WINDOW: [&str; 8] = ["min", "max", "sum", "count", "last", "coverage", "suspect", "offset_us"];
/// What is said of a gap.
pub const GAP: [&str; 3] = ["seconds", "lost", "offset_us"];
/// Beyond this a sum is no exact float.
const EXACT: i64 = 1 << 50;
/// The year 2112, µs: the last that is believed.
const LAST_US: UtcUs = 1 << 52;
/// Instants tried for one part before it is kept elsewhere.
const STEPS: i64 = 1000;

/// A part of a window, or a gap: what is sent or not as a whole.
#[derive(Clone, Debug, PartialEq)]
pub enum What {
    /// A part of a window.
    Window(Window),
    /// A known hole.
    Gap(Gap),
}

/// One part, and whose.
#[derive(Clone, Debug)]
pub struct Item {
    /// Whose.
    pub subject: Uuid,
    /// What.
    pub what: What,
}

/// The parts of an envelope. What it says twice of one window is one part.
pub fn items(batch: &Batch) -> impl Iterator<Item = Item> {
    let mut parts = BTreeMap::<_, Window>::new();
    for window in &batch.windows {
        let key = (window.vital, window.start_us, window.span_s);
        parts.entry(key).and_modify(|whole| whole.merge(window)).or_insert_with(|| window.clone());
    }
    let subject = batch.subject;
    let mut gaps: Vec<&Gap> = batch.gaps.iter().collect();
    gaps.sort_by_key(|gap| (gap.vital, gap.from_us, gap.to_us, gap.device, gap.lost));
    gaps.dedup();
    let whats = parts.into_values().map(What::Window).chain(gaps.into_iter().cloned().map(What::Gap));
    whats.map(move |what| Item { subject, what }).collect::<Vec<_>>().into_iter()
}

/// Parts as envelopes again, for a store that takes those.
pub fn batches(items: impl IntoIterator<Item = Item>) -> Vec<Batch> {
    let mut batches = HashMap::<Uuid, Batch>::new();
    for Item { subject, what } in items {
        let empty = || Batch { subject, windows: Vec::new(), gaps: Vec::new() };
        let batch = batches.entry(subject).or_insert_with(empty);
        match what {
            What::Window(window) => batch.windows.push(window),
            What::Gap(gap) => batch.gaps.push(gap),
        }
    }
    batches.into_values().collect()
}

impl Item {
    /// Of what.
    pub fn vital(&self) -> Vital {
        match &self.what {
            What::Window(window) => window.vital,
            What::Gap(gap) => gap.vital,
        }
    }

    /// The instant it belongs to: a window's last reading, a gap's start.
    pub fn true_us(&self) -> UtcUs {
        match &self.what {
            What::Window(window) => window.start_us.saturating_add(i64::from(window.last_ms) * 1000),
            What::Gap(gap) => gap.from_us,
        }
    }

    /// Whether series can say it exactly; otherwise it is kept in the archive.
    pub fn fits(&self) -> bool {
        match &self.what {
            What::Window(window) => {
                let span_us = i64::from(window.span_s) * 1_000_000;
                let aligned = span_us == 0 || window.start_us.rem_euclid(span_us) == 0;
                let within = u64::from(window.last_ms) <= u64::from(window.span_s) * 1000;
                aligned && within && window.sum.abs() < EXACT && (0..LAST_US).contains(&window.start_us)
            }
            What::Gap(gap) => {
                (0..LAST_US).contains(&gap.from_us) && (0..EXACT).contains(&gap.to_us.saturating_sub(gap.from_us))
            }
        }
    }

    /// Instants (ms) its sample may lie at, the best one first.
    pub fn instants(&self) -> impl Iterator<Item = i64> {
        let best = self.true_us().div_euclid(1000);
        let (first, end) = match &self.what {
            What::Window(window) if window.span_s > 0 => (window.start_us / 1000, window.end_us() / 1000),
            _ => (best, best + STEPS),
        };
        let best = best.min(end - 1);
        (best..end).chain((first..best).rev()).take(STEPS as usize)
    }

    /// The values of its sample at `at_ms`: each statistic's name and value.
    pub fn values(&self, at_ms: i64) -> impl Iterator<Item = (&'static str, f64)> {
        let offset_us = self.true_us() - at_ms * 1000;
        let (names, values): (&[&str], Vec<f64>) = match &self.what {
            What::Window(w) => {
                let scale = w.vital.scale();
                let values = vec![
                    f64::from(w.min) / scale,
                    f64::from(w.max) / scale,
                    w.sum as f64 / scale,
                    f64::from(w.count),
                    f64::from(w.last) / scale,
                    f64::from(w.coverage) / 1000.0,
                    f64::from(w.suspect),
                    offset_us as f64,
                ];
                (&WINDOW, values)
            }
            What::Gap(gap) => {
                (&GAP, vec![(gap.to_us - gap.from_us) as f64 / 1e6, f64::from(gap.lost), offset_us as f64])
            }
        };
        let kept = names.len() - usize::from(offset_us == 0);
        names[..kept].iter().copied().zip(values).collect::<Vec<_>>().into_iter()
    }

    /// The family of its metrics.
    pub fn family(&self) -> &'static str {
        match self.what {
            What::Window(_) => "medmon_window_",
            What::Gap(_) => "medmon_gap_",
        }
    }

    /// Labels beside the metric's name, by name as remote write wants them.
    pub fn labels(&self) -> [(&'static str, String); 3] {
        let (subject, vital) = (self.subject.to_string(), self.vital().to_string());
        match &self.what {
            What::Window(w) => [("span", w.span_s.to_string()), ("subject", subject), ("vital", vital)],
            What::Gap(gap) => [("device", gap.device.to_string()), ("subject", subject), ("vital", vital)],
        }
    }

    /// What tells its series apart.
    pub fn series(&self) -> (Uuid, Vital, u64, bool) {
        match &self.what {
            What::Window(window) => (self.subject, window.vital, u64::from(window.span_s), true),
            What::Gap(gap) => (self.subject, gap.vital, gap.device.0, false),
        }
    }

    /// What tells it from every other part.
    pub fn fingerprint(&self) -> u64 {
        hash(&(self.series(), self.content()))
    }

    fn content(&self) -> u64 {
        match &self.what {
            What::Window(w) => hash(&(
                (w.start_us, w.span_s, w.min, w.max, w.sum, w.count),
                (w.last, w.last_ms, w.coverage, w.suspect),
            )),
            What::Gap(gap) => hash(&(gap.from_us, gap.to_us, gap.lost)),
        }
    }
}

fn hash(of: &impl std::hash::Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Where parts were put: two of one series never at one instant, one and the same always at its own. The server would
/// refuse the second or keep either, as it likes. Bounded: it forgets what was put long ago.
#[derive(Debug, Default)]
pub struct Places {
    /// Hashes: of series and instant, of the part that lies there.
    young: HashMap<u64, u64>,
    old: HashMap<u64, u64>,
}

/// Places remembered at least.
const REMEMBERED: usize = 200_000;

impl Places {
    /// Where `item` lies, and whether it is new here; `None` = all its instants are taken.
    pub fn put(&mut self, item: &Item) -> Option<(i64, bool)> {
        item.instants().find_map(|at_ms| Some((at_ms, self.lay(item, at_ms)?)))
    }

    /// Notes a part that the server was found to have at `at_ms`; whether that is new here.
    pub fn found(&mut self, item: &Item, at_ms: i64) -> bool {
        self.lay(item, at_ms) == Some(true)
    }

    /// Somebody else's sample lies at `at_ms`.
    pub fn block(&mut self, item: &Item, at_ms: i64) {
        self.note(hash(&(item.series(), at_ms)), !item.content());
    }

    /// Whether it is new there; `None` = another one is there.
    fn lay(&mut self, item: &Item, at_ms: i64) -> Option<bool> {
        let (key, content) = (hash(&(item.series(), at_ms)), item.content());
        match self.young.get(&key).or_else(|| self.old.get(&key)) {
            Some(held) => (*held == content).then_some(false),
            None => {
                self.note(key, content);
                Some(true)
            }
        }
    }

    fn note(&mut self, key: u64, content: u64) {
        if self.young.len() >= REMEMBERED {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, content);
    }
}

/// Labels of a series that was read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Series {
    /// Whose.
    pub subject: Uuid,
    /// Of what.
    pub vital: Vital,
    /// Span of a window or device of a gap.
    pub label: u64,
}

/// Samples that were read, on their way to parts.
#[derive(Debug)]
pub struct Parts<const N: usize> {
    names: [&'static str; N],
    family: &'static str,
    samples: HashMap<(Series, i64), [Option<f64>; N]>,
}

impl Parts<8> {
    /// For windows.
    pub fn of_windows() -> Self {
        Self { names: WINDOW, family: "medmon_window_", samples: HashMap::new() }
    }

    /// Windows in no order, with the instant of each. What lacks a statistic is not one yet: it is being written.
    pub fn windows(self) -> impl Iterator<Item = (Uuid, Window, i64)> {
        self.samples.into_iter().filter_map(|((series, at_ms), values)| {
            let [Some(min), Some(max), Some(sum), Some(count), Some(last), Some(coverage), Some(suspect), offset_us] =
                values
            else {
                return None;
            };
            let (vital, span_s) = (series.vital, u32::try_from(series.label).ok()?);
            let scale = vital.scale();
            let true_us = at_ms * 1000 + offset_us.unwrap_or(0.0) as i64;
            let span_us = i64::from(span_s) * 1_000_000;
            let start_us = if span_us == 0 { true_us } else { at_ms * 1000 - (at_ms * 1000).rem_euclid(span_us) };
            let window = Window {
                vital,
                start_us,
                span_s,
                min: (min * scale).round() as i32,
                max: (max * scale).round() as i32,
                sum: (sum * scale).round() as i64,
                count: count as u32,
                last: (last * scale).round() as i32,
                last_ms: u32::try_from((true_us - start_us) / 1000).ok()?,
                coverage: (coverage * 1000.0).round() as u16,
                suspect: suspect as u32,
            };
            Some((series.subject, window, at_ms))
        })
    }
}

impl Parts<3> {
    /// For gaps.
    pub fn of_gaps() -> Self {
        Self { names: GAP, family: "medmon_gap_", samples: HashMap::new() }
    }

    /// Gaps in no order, with the instant of each.
    pub fn gaps(self) -> impl Iterator<Item = (Uuid, Gap, i64)> {
        self.samples.into_iter().filter_map(|((series, at_ms), values)| {
            let [Some(seconds), Some(lost), offset_us] = values else { return None };
            let from_us = at_ms * 1000 + offset_us.unwrap_or(0.0) as i64;
            let to_us = from_us + (seconds * 1e6).round() as i64;
            let gap = Gap { vital: series.vital, device: Ieee(series.label), from_us, to_us, lost: lost as u32 };
            Some((series.subject, gap, at_ms))
        })
    }
}

impl<const N: usize> Parts<N> {
    /// Takes the samples of one series in; what is of no such metric is left out.
    pub fn take(&mut self, labels: &HashMap<String, String>, samples: impl Iterator<Item = (i64, f64)>) {
        let of = |name: &str| labels.get(name).map(String::as_str);
        let name = of("__name__").and_then(|name| name.strip_prefix(self.family));
        let Some(index) = name.and_then(|name| self.names.iter().position(|known| *known == name)) else { return };
        let label = of("span").and_then(|span| span.parse().ok());
        let label = label.or_else(|| of("device").and_then(|device| u64::from_str_radix(device, 16).ok()));
        let vital = of("vital").and_then(Vital::by_name);
        let subject = of("subject").and_then(|subject| subject.parse().ok());
        let (Some(label), Some(vital), Some(subject)) = (label, vital, subject) else { return };
        let series = Series { subject, vital, label };
        for (at_ms, value) in samples {
            self.samples.entry((series.clone(), at_ms)).or_insert([None; N])[index] = Some(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn window() -> impl Strategy<Value = Window> {
        let vital = prop::sample::select(vec![Vital(1), Vital(2), Vital(3), Vital(4), Vital(9), Vital(4711)]);
        let span = prop::sample::select(vec![0u32, 5, 60, 300, 900, 3600, 86_400]);
        let figures = (any::<i32>(), any::<i32>(), -EXACT + 1..EXACT, any::<u32>(), any::<i32>(), 0u16.., any::<u32>());
        (vital, span, 0..LAST_US, 0f64..=1.0, figures).prop_map(|(vital, span_s, at_us, last, figures)| {
            let (min, max, sum, count, last_value, coverage, suspect) = figures;
            let span_us = i64::from(span_s) * 1_000_000;
            let start_us = if span_us == 0 { at_us } else { at_us - at_us % span_us };
            let last_ms = (f64::from(span_s) * 1000.0 * last) as u32;
            Window { vital, start_us, span_s, min, max, sum, count, last: last_value, last_ms, coverage, suspect }
        })
    }

    fn item(what: What) -> Item {
        Item { subject: Uuid::from_u128(1), what }
    }

    fn labels(item: &Item, name: &str) -> HashMap<String, String> {
        let name = ("__name__".to_owned(), format!("{}{name}", item.family()));
        item.labels().map(|(key, value)| (key.to_owned(), value)).into_iter().chain([name]).collect()
    }

    proptest! {
        #[test]
        fn a_window_comes_back_to_the_last_bit_from_each_of_its_instants(window in window(), turn in 0usize..1000) {
            let item = item(What::Window(window.clone()));
            prop_assert!(item.fits());
            let instants: Vec<_> = item.instants().collect();
            prop_assert!(!instants.is_empty());
            for at_ms in [instants[0], instants[turn % instants.len()]] {
                let mut parts = Parts::of_windows();
                for (name, value) in item.values(at_ms) {
                    // As it travels back: decimal text.
                    let value: f64 = value.to_string().parse().unwrap();
                    parts.take(&labels(&item, name), [(at_ms, value)].into_iter());
                }
                let back: Vec<_> = parts.windows().collect();
                prop_assert_eq!(back, vec![(item.subject, window.clone(), at_ms)]);
            }
        }

        #[test]
        fn a_gap_comes_back_to_the_last_bit(from_us in 0..LAST_US, length_us in 0i64..1 << 49, lost: u32) {
            let gap = Gap { vital: Vital::GLUCOSE, device: Ieee(0xfedc_ba98_7654_3210), from_us, to_us: from_us + length_us, lost };
            let item = item(What::Gap(gap.clone()));
            for at_ms in item.instants().take(2) {
                let mut parts = Parts::of_gaps();
                for (name, value) in item.values(at_ms) {
                    parts.take(&labels(&item, name), [(at_ms, value)].into_iter());
                }
                prop_assert_eq!(parts.gaps().map(|(_, gap, _)| gap).collect::<Vec<_>>(), vec![gap.clone()]);
            }
        }
    }

    #[test]
    fn two_parts_never_lie_at_one_instant_and_the_same_one_always_at_its_own() {
        let of = |stored| item(What::Window(Window::of(Vital::HEART_RATE, 59_999_000, stored, 1000, true)));
        let mut places = Places::default();
        assert_eq!(places.put(&of(700)), Some((59_999, true)));
        assert_eq!(places.put(&of(710)), Some((59_998, true)), "inside its window");
        assert_eq!(places.put(&of(720)), Some((59_997, true)));
        assert_eq!(places.put(&of(700)), Some((59_999, false)));
        assert_eq!(places.put(&of(710)), Some((59_998, false)));
        let mut after_a_restart = Places::default();
        assert!(after_a_restart.found(&of(710), 59_999));
        assert!(!after_a_restart.found(&of(710), 59_999));
        assert_eq!(after_a_restart.put(&of(700)), Some((59_998, true)));
        after_a_restart.block(&of(700), 59_998);
        assert_eq!(after_a_restart.put(&of(700)), Some((59_997, true)));
    }

    #[test]
    fn what_series_cannot_say_is_told() {
        let aligned = Window::of(Vital::HEART_RATE, 1_795_003_200_000_000, 700, 1000, true);
        assert!(item(What::Window(aligned.clone())).fits());
        for odd in [
            Window { start_us: aligned.start_us + 1, ..aligned.clone() },
            Window { last_ms: 60_001, ..aligned.clone() },
            Window { sum: i64::MAX, ..aligned.clone() },
            Window { start_us: -60_000_000, ..aligned.clone() },
            Window { start_us: LAST_US, ..aligned },
        ] {
            assert!(!item(What::Window(odd.clone())).fits(), "{odd:?}");
        }
    }
}
