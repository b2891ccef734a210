//! SEGMENT: the raw readings around each alert about the body, from 2 min before the onset to 5 min after the raising.
//! Beside DETECT, which gives it what it judges and never waits for it.
//!
//! What is not sealed yet is in memory only. A stop seals it, as cut; after a crash it is gone, but for what the broker
//! delivers to DETECT again. An alert of less than 5 min ago gets what is heard from the start on, as cut. The readings
//! themselves are the broker's, and the record is DOWNSAMPLE's: a segment that is lost costs no window.

use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::noun::segment::{AFTER_US, BEFORE_US};
use medmon_core::noun::{
    Alert, Class, Condition, Fact, FactKind, MonoUs, Priority, Reading, Segment, Settings, UtcUs, Vital,
};
use medmon_kit::Clock;

use crate::detect::Moment;
use crate::facts::Facts;
use crate::outbox::Outbox;

/// Readings that wait to be taken over at most.
const WAITING: usize = 1024;
/// So many are taken over at once: to wake this stage with each costs more than to keep it.
const MANY: usize = 256;
/// Closings, and tries to keep what could not be kept.
const TICK_US: MonoUs = 2_000_000;
/// What was read in the last moment is on its way so long.
const ON_ITS_WAY_US: MonoUs = 1_000_000;
/// An onset may lie so long before its raising: hyperglycaemia is the slowest.
const KEEP_US: MonoUs = 50 * 60_000_000;
/// A fall is quicker, and acceleration is much.
const KEEP_BURSTS_US: MonoUs = 4 * 60_000_000;
/// Readings in memory at most: 50 min of three sensors each second; 4 min at 100 Hz in frames of 10 samples, twice.
const MOST: usize = 9000;
const MOST_BURSTS: usize = 5000;
/// Readings of an open segment at most.
const MOST_OPEN: usize = 20_000;
/// Segments that a full disk keeps waiting.
const UNKEPT: usize = 20;

/// DETECT's end.
#[derive(Clone, Debug)]
pub struct Tap(Arc<Waiting>);

/// This stage's end.
#[derive(Debug)]
pub struct Feed(Arc<Waiting>);

/// What DETECT has had and this stage has not.
#[derive(Debug, Default)]
struct Waiting {
    readings: Mutex<Vec<Reading>>,
    many: Notify,
    missed: AtomicBool,
}

impl Waiting {
    fn readings(&self) -> MutexGuard<'_, Vec<Reading>> {
        self.readings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// From DETECT to here.
pub fn tap() -> (Tap, Feed) {
    let waiting = Arc::new(Waiting::default());
    (Tap(Arc::clone(&waiting)), Feed(waiting))
}

impl Tap {
    /// Takes a copy, if there is room: the emergency waits for nobody.
    pub fn give(&self, reading: &Reading) {
        let mut readings = self.0.readings();
        if readings.len() == WAITING {
            self.0.missed.store(true, Ordering::Relaxed);
            return;
        }
        readings.push(reading.clone());
        if readings.len() >= MANY {
            self.0.many.notify_one();
        }
    }
}

/// The newest readings.
#[derive(Debug)]
struct Ring {
    rows: VecDeque<Reading>,
    keep_us: MonoUs,
    most: usize,
    /// Whole from here on.
    since: MonoUs,
}

impl Ring {
    fn new(keep_us: MonoUs, most: usize, since: MonoUs) -> Self {
        Self { rows: VecDeque::new(), keep_us, most, since }
    }

    fn push(&mut self, reading: Reading) {
        let oldest = reading.mono_us - self.keep_us;
        self.rows.push_back(reading);
        while self.rows.front().is_some_and(|row| row.mono_us < oldest || self.rows.len() > self.most) {
            self.since = self.rows.pop_front().map_or(self.since, |gone| self.since.max(gone.mono_us + 1));
        }
    }
}

/// A segment that is being filled.
#[derive(Debug)]
struct Open {
    segment: Segment,
    vital: Vital,
    /// What is taken, on the monotonic scale.
    span: [MonoUs; 2],
    /// What fired.
    around_us: UtcUs,
    closes: MonoUs,
}

impl Open {
    fn take(&mut self, reading: &Reading) {
        let own = reading.epoch == self.segment.epoch && Segment::shows(self.vital, reading.vital);
        if own && (self.span[0]..=self.span[1]).contains(&reading.mono_us) {
            if self.segment.readings.len() < MOST_OPEN {
                self.segment.readings.push(reading.clone());
            } else {
                self.segment.cut = true;
            }
        }
    }
}

/// Everything in memory.
#[derive(Debug)]
struct Segments {
    bursts: Ring,
    others: Ring,
    /// Facts that were looked at.
    known: BTreeSet<Uuid>,
    open: Vec<Open>,
}

impl Segments {
    fn new(now: MonoUs) -> Self {
        let (bursts, others) = (Ring::new(KEEP_BURSTS_US, MOST_BURSTS, now), Ring::new(KEEP_US, MOST, now));
        Self { bursts, others, known: BTreeSet::new(), open: Vec::new() }
    }

    /// Nobody's readings are in nobody's segment.
    fn take(&mut self, reading: Reading) {
        if reading.epoch == 0 {
            return;
        }
        self.open.iter_mut().for_each(|open| open.take(&reading));
        let ring = if reading.vital == Vital::ACCELERATION { &mut self.bursts } else { &mut self.others };
        ring.push(reading);
    }

    /// Readings have not come here.
    fn missed(&mut self, now: MonoUs) {
        (self.bursts.since, self.others.since) = (now, now);
        self.open.iter_mut().for_each(|open| open.segment.cut = true);
    }

    /// Opens a segment for what `alerts` say that is new. `start`: what was over before is not.
    fn look(&mut self, alerts: &[Alert], now: Moment, start: bool) {
        let mut known = BTreeSet::new();
        for alert in alerts {
            for (fact, [onset_us, at_us], vital, epoch) in firings(alert) {
                known.insert(fact);
                let had = start && at_us + AFTER_US < now.utc_us;
                if !had && !self.known.contains(&fact) {
                    self.fired(alert.id, [onset_us, at_us], vital, epoch, now);
                }
            }
        }
        self.known = known;
    }

    fn fired(&mut self, alert: Uuid, [onset_us, at_us]: [UtcUs; 2], vital: Vital, epoch: u64, now: Moment) {
        let mono = |utc_us: UtcUs| now.mono_us - (now.utc_us - utc_us);
        // Counted from now: what was judged late is followed by what is judged late.
        let (until, closes) = (mono(at_us) + AFTER_US, now.mono_us + AFTER_US + ON_ITS_WAY_US);
        if let Some(open) = self.open.iter_mut().find(|open| open.segment.alert == alert) {
            open.segment.to_us = open.segment.to_us.max(at_us + AFTER_US);
            (open.span[1], open.closes) = (open.span[1].max(until), closes);
            return;
        }
        let (from_us, to_us) = (onset_us - BEFORE_US, at_us + AFTER_US);
        let from = mono(from_us);
        let cut = self.others.since > from || (vital == Vital::ACCELERATION && self.bursts.since > from);
        let segment = Segment { alert, part: 0, epoch, from_us, to_us, cut, readings: Vec::new() };
        let mut open = Open { segment, vital, span: [from, until], around_us: at_us, closes };
        self.bursts.rows.iter().chain(&self.others.rows).for_each(|reading| open.take(reading));
        self.open.push(open);
    }

    /// Those that are complete, or end with their assignment, or all of them at a stop; each with the time of what fired.
    fn close(&mut self, now: Moment, epoch: u64, stop: bool) -> Vec<(Segment, UtcUs)> {
        let due = |open: &mut Open| stop || now.mono_us >= open.closes || open.segment.epoch != epoch;
        let closed = self.open.extract_if(.., due).map(|open| {
            let mut segment = open.segment;
            segment.cut |= stop && now.mono_us < open.span[1];
            segment.to_us = segment.to_us.min(now.utc_us);
            segment.readings.sort_by_key(|reading| (reading.mono_us, reading.id));
            (segment, open.around_us)
        });
        closed.collect()
    }
}

/// What fired, of an alert about the body: the raising, and each time it worsened to high. The fact, the onset and the
/// moment, the vital and the assignment. An exercise shows no body, and an alert about the equipment neither.
fn firings(alert: &Alert) -> impl Iterator<Item = (Uuid, [UtcUs; 2], Vital, u64)> {
    let raised = alert.raised().map(|(_, raised)| raised);
    let body = raised.filter(|raised| {
        raised.class == Class::Physiological
            && raised.condition != Condition::Drill
            && raised.vital != Vital::GATEWAY
            && raised.epoch != 0
    });
    body.into_iter().flat_map(move |raised| {
        let fired = move |fact: &Fact| match &fact.kind {
            FactKind::Raised(raised) => Some([raised.onset_us, raised.completed_us.max(raised.onset_us)]),
            FactKind::Worsened { priority: Priority::High, .. } => Some([fact.at_us; 2]),
            _ => None,
        };
        alert.facts().filter_map(move |fact| Some((fact.id, fired(fact)?, raised.vital, raised.epoch)))
    })
}

/// Runs until `stop`; then what is open is sealed.
pub async fn run(
    Feed(waiting): Feed,
    outbox: Outbox,
    facts: Facts,
    mut settings: watch::Receiver<Arc<Settings>>,
    clock: Clock,
    stop: CancellationToken,
) {
    let mut changed = facts.changed();
    let (mut segments, mut unkept, mut start) = (Segments::new(clock.mono_us()), VecDeque::new(), true);
    changed.mark_changed();
    let mut tick = Box::pin(clock.sleep_until(clock.mono_us()));
    loop {
        let (mut facts_changed, mut ticked) = (false, false);
        tokio::select! {
            () = waiting.many.notified() => {}
            Ok(()) = changed.changed() => facts_changed = true,
            Ok(()) = settings.changed() => {}
            () = &mut tick, if !segments.open.is_empty() || !unkept.is_empty() => ticked = true,
            () = stop.cancelled() => {}
        }
        // Before an assignment ends or a segment closes, what was read before is in it.
        waiting.readings().drain(..).for_each(|reading| segments.take(reading));
        let (now, epoch, stopped) = (Moment::now(&clock), settings.borrow().epoch, stop.is_cancelled());
        if waiting.missed.swap(false, Ordering::Relaxed) && !stopped {
            tracing::warn!("readings came too quickly for the segments; those that are open are cut");
            segments.missed(now.mono_us);
        }
        if facts_changed || stopped {
            segments.look(&facts.alerts(), now, start);
            start = false;
        }
        if ticked {
            tick.set(clock.sleep_until(now.mono_us + TICK_US));
        }
        let closed = segments.close(now, epoch, stopped);
        if ticked || stopped || !closed.is_empty() {
            unkept.extend(closed);
            keep(&outbox, &mut unkept, now.utc_us).await;
        }
        if stopped {
            break;
        }
    }
}

/// Makes segments durable; those that cannot be wait for the next try.
async fn keep(outbox: &Outbox, unkept: &mut VecDeque<(Segment, UtcUs)>, now_us: UtcUs) {
    while let Some((segment, around_us)) = unkept.front().cloned() {
        let (alert, readings, cut) = (segment.alert, segment.readings.len(), segment.cut);
        match outbox.keep_segment(segment, around_us, now_us).await {
            Ok(()) => tracing::info!(%alert, readings, cut, "segment sealed"),
            Err(error) => {
                tracing::error!(%alert, %error, "a segment is not durable yet; tried again");
                break;
            }
        }
        unkept.pop_front();
    }
    while unkept.len() > UNKEPT {
        unkept.pop_front();
        tracing::error!("the disk takes no segments; the oldest that waits is lost");
    }
}

#[cfg(test)]
mod tests {
    use medmon_core::noun::{Direction, Ieee, ReadingId};

    use super::*;
    use crate::tests::{burst, reading};

    /// UTC of the monotonic 0 of `reading`.
    const ZERO_US: UtcUs = 1_795_521_600_000_000;
    const SECOND: i64 = 1_000_000;

    fn at(second: i64) -> Moment {
        Moment { mono_us: second * SECOND, utc_us: ZERO_US + second * SECOND }
    }

    /// An alert about `vital`, raised at a second, with an onset before it.
    fn alert(id: u128, vital: Vital, onset: i64, second: i64) -> Alert {
        let raised = medmon_core::noun::alert::Raised {
            epoch: 1,
            vital,
            direction: Direction::Low,
            condition: Condition::Bradycardia,
            class: Class::Physiological,
            priority: Priority::Medium,
            onset_us: at(onset).utc_us,
            device: Ieee(1),
            reading: ReadingId::default(),
            completed_us: at(second).utc_us,
            settings_version: 1,
            explanation: String::new(),
            contact: None,
        };
        let id = Uuid::from_u128(id);
        Alert::fold(id, [Fact::of("gateway", id, "raised", at(second).utc_us, FactKind::Raised(raised))])
    }

    fn worse(alert: &mut Alert, second: i64) {
        let (priority, condition) = (Priority::High, Condition::Bradycardia);
        let kind = FactKind::Worsened { priority, condition, explanation: String::new() };
        alert.take(Fact::of("gateway", alert.id, &format!("worsened {second}"), at(second).utc_us, kind));
    }

    /// A heart rate every 2 s from one second to another.
    fn feed(segments: &mut Segments, seconds: std::ops::Range<u64>) {
        (seconds.start / 2..seconds.end / 2).for_each(|number| segments.take(reading(number)));
    }

    fn seconds(segment: &Segment) -> [i64; 2] {
        [segment.readings[0].mono_us / SECOND, segment.readings[segment.readings.len() - 1].mono_us / SECOND]
    }

    #[test]
    fn a_segment_reaches_from_two_minutes_before_the_onset_to_five_after_the_raising() {
        let mut segments = Segments::new(0);
        feed(&mut segments, 0..2000);
        let (glucose, temperature) = (Vital::GLUCOSE, Vital::TEMPERATURE);
        segments.take(Reading { vital: glucose, mono_us: 1001 * SECOND, ..reading(1) });
        segments.take(Reading { vital: temperature, mono_us: 1002 * SECOND, ..reading(1) });
        segments.take(Reading { epoch: 2, mono_us: 1003 * SECOND, ..reading(1) });
        let alerts = [alert(1, glucose, 1100, 2000)];
        segments.look(&alerts, at(2000), false);
        segments.look(&alerts, at(2001), false);
        feed(&mut segments, 2000..2400);
        assert!(segments.close(at(2300), 1, false).is_empty());
        let closed = segments.close(at(2301), 1, false);
        let [(segment, around_us)] = &closed[..] else { panic!("{closed:?}") };
        assert_eq!((seconds(segment), segment.cut, *around_us), ([980, 2300], false, at(2000).utc_us));
        assert_eq!([segment.from_us, segment.to_us], [at(980).utc_us, at(2300).utc_us]);
        assert_eq!(segment.readings.iter().filter(|row| row.vital == glucose).count(), 1);
        assert!(segment.readings.iter().all(|row| row.vital != temperature && row.epoch == 1));
        assert_eq!(segment.readings.len(), 661 + 1);
    }

    #[test]
    fn bursts_are_kept_for_four_minutes_and_what_is_gone_is_said() {
        let mut segments = Segments::new(-10_000 * SECOND);
        (0..300).for_each(|number| segments.take(burst(number, vec![[0, 0, 1000]])));
        segments.look(
            &[alert(1, Vital::ACCELERATION, 480, 480), alert(2, Vital::ACCELERATION, 598, 598)],
            at(598),
            false,
        );
        let closed = segments.close(at(899), 1, false);
        let found: Vec<_> = closed.iter().map(|(segment, _)| (seconds(segment), segment.cut)).collect();
        assert_eq!(found, [([360, 598], false), ([478, 598], false)]);
        segments.look(&[alert(3, Vital::ACCELERATION, 400, 400)], at(899), false);
        assert!(segments.close(at(1200), 1, false)[0].0.cut);
    }

    #[test]
    fn a_worsening_prolongs_an_open_segment_and_makes_another_part_of_a_closed_one() {
        let mut segments = Segments::new(0);
        let mut alert = alert(1, Vital::HEART_RATE, 200, 260);
        feed(&mut segments, 0..262);
        segments.look(std::slice::from_ref(&alert), at(260), false);
        feed(&mut segments, 262..500);
        worse(&mut alert, 500);
        segments.look(std::slice::from_ref(&alert), at(500), false);
        feed(&mut segments, 500..900);
        assert!(segments.close(at(561), 1, false).is_empty());
        assert_eq!(seconds(&segments.close(at(801), 1, false)[0].0), [80, 800]);
        worse(&mut alert, 898);
        segments.look(std::slice::from_ref(&alert), at(898), false);
        feed(&mut segments, 900..1300);
        assert_eq!(seconds(&segments.close(at(1199), 1, false)[0].0), [778, 1198]);
    }

    #[test]
    fn the_end_of_an_assignment_ends_a_segment_and_a_stop_cuts_it() {
        let mut segments = Segments::new(0);
        feed(&mut segments, 0..400);
        let alerts = [alert(1, Vital::HEART_RATE, 300, 360)];
        segments.look(&alerts, at(399), false);
        let next = Reading { epoch: 2, ..reading(200) };
        segments.take(next);
        let ended = segments.close(at(401), 2, false);
        assert_eq!((seconds(&ended[0].0), ended[0].0.cut, ended[0].0.to_us), ([180, 398], false, at(401).utc_us));
        segments.known.clear();
        segments.look(&alerts, at(401), false);
        assert!(segments.close(at(402), 1, true)[0].0.cut);
        // After the start: what is long over has had its segment, what is not gets the rest.
        let mut again = Segments::new(at(500).mono_us);
        again.look(&[alert(1, Vital::HEART_RATE, 100, 160), alert(2, Vital::HEART_RATE, 300, 360)], at(500), true);
        feed(&mut again, 500..700);
        let rest = again.close(at(801), 1, false);
        assert_eq!((rest.len(), seconds(&rest[0].0), rest[0].0.cut), (1, [500, 660], true));
    }

    #[test]
    fn exercises_equipment_and_nobody_have_none() {
        let mut segments = Segments::new(0);
        let with = |change: fn(&mut medmon_core::noun::alert::Raised)| {
            let id = Uuid::from_u128(9);
            let mut raised = alert(9, Vital::HEART_RATE, 0, 0).raised().unwrap().1.clone();
            change(&mut raised);
            Alert::fold(id, [Fact::of("gateway", id, "raised", at(0).utc_us, FactKind::Raised(raised))])
        };
        for none in [
            with(|raised| raised.condition = Condition::Drill),
            with(|raised| raised.vital = Vital::GATEWAY),
            with(|raised| raised.class = Class::Technical),
            with(|raised| raised.epoch = 0),
        ] {
            segments.look(&[none], at(0), false);
            assert!(segments.open.is_empty());
        }
        segments.look(&[with(|_| {})], at(0), false);
        assert_eq!(segments.open.len(), 1);
    }

    #[tokio::test]
    async fn a_stop_writes_down_what_is_open() {
        let folder = tempfile::tempdir().unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let settings = Arc::new(Settings { epoch: 1, ..Settings::default() });
        let ((tap, feed), (_settings, in_force)) = (tap(), watch::channel(settings));
        let (clock, stop) = (Clock::system(), CancellationToken::new());
        let now = Moment::now(&clock);
        let stage = tokio::spawn(run(feed, outbox.clone(), facts.clone(), in_force, clock, stop.clone()));
        tap.give(&Reading { mono_us: now.mono_us, utc_us: now.utc_us, ..reading(7) });
        let since_zero = (now.utc_us - ZERO_US) / SECOND;
        let alert = alert(1, Vital::HEART_RATE, since_zero, since_zero);
        facts.show(&alert.facts().cloned().collect::<Vec<_>>());
        stop.cancel();
        stage.await.unwrap();
        let (_, body) = outbox.segment_waiting(&[]).await.unwrap().unwrap();
        let sealed = medmon_core::wire::segment::open(&body).unwrap();
        assert_eq!((sealed.alert, sealed.part, sealed.cut, sealed.readings.len()), (alert.id, 1, true, 1));
        // A stage that has ended costs DETECT nothing.
        tap.give(&reading(8));
    }
}
