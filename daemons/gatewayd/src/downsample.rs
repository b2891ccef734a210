//! DOWNSAMPLE: durable readings become windows, closed windows become sealed envelopes in the outbox.
//!
//! Windows, what was seen and the envelopes are committed together; only then the broker is told. While the cloud answers,
//! everything is sealed at the live interval; while it does not, whole hours are, and everything at once when it is back.
//! Readings that came while nobody knew the time are held as they are and dated once it is known, before anything of them
//! is sealed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use medmon_core::noun::{ClockQuality, Envelope, Gap, Quality, Reading, Reason, Settings, UtcUs, Value, Vital, Window};
use medmon_kit::sqlite;

use crate::broker::{Broker, Delivery, Stage};
use crate::outbox::{Batch, Closed, Outbox};
use crate::seen::Seen;
use crate::time::Time;

/// Sealing waits so long after a window's end: readings that were in flight still come in.
const GRACE_US: i64 = 2_000_000;
/// How often it is looked whether something is due.
const LOOK_US: i64 = 1_000_000;
/// What is sealed at a time while the cloud does not answer: whole hours of UTC.
const AWAY_US: i64 = 3_600_000_000;
/// Between sealings: what came since is delivered again, and flash wears with every write.
const COMMIT_US: i64 = 5_000_000;
/// A stop waits so long for readings that are still on their way, and looks so often.
const DRAIN_US: i64 = 3_000_000;
const DRAIN_LOOK_US: i64 = 50_000;
/// Windows of one envelope at most; a longer backlog makes several.
const WINDOWS_MAX: usize = 2000;
/// Readings taken in at a time: a backlog must not keep the others from their turn.
const READINGS_MAX: usize = 500;

/// What has to survive and is written again and again: windows being filled, what was seen. Windows that have ended leave it
/// with the next commit.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct State {
    open: Vec<OpenWindow>,
    closed: Closed,
    seen: Seen,
    /// The newest broker offset in it; it means nothing to the next run.
    #[serde(skip_deserializing)]
    offset: i64,
}

/// A window and which of its expected slots have been heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct OpenWindow {
    epoch: u64,
    window: Window,
    slots: BTreeSet<u32>,
    of: u32,
}

impl OpenWindow {
    fn close(self) -> (u64, Window) {
        let coverage = (self.slots.len() as u32 * 1000 / self.of.max(1)).min(1000) as u16;
        (self.epoch, Window { coverage, ..self.window })
    }
}

impl State {
    /// Takes one reading in. `false`: it was there already.
    pub fn take(&mut self, reading: &Reading, settings: &Settings) -> bool {
        let new = self.seen.insert(reading.id);
        // An exercise is in nobody's record.
        if new && reading.vital != Vital::GATEWAY {
            self.fold(reading, settings);
        }
        new
    }

    /// Adds a reading to its windows.
    fn fold(&mut self, reading: &Reading, settings: &Settings) {
        let good = reading.quality == Quality::Good;
        let mut add =
            |vital, at_us, stored| self.add(reading.epoch, Window::of(vital, at_us, stored, 0, good), settings);
        match &reading.value {
            Value::Scalar(stored) => add(reading.vital, reading.utc_us, *stored),
            Value::Samples { rate_hz, lost, xyz } => {
                for (offset_us, [x, y, z]) in reading.samples() {
                    let at_us = reading.utc_us + offset_us;
                    let norm = (x * x + y * y + z * z).sqrt();
                    // ENMO: Euclidean norm minus one, negatives as nought (van Hees 2013).
                    let activity = ((norm - 1.0).max(0.0) * 1000.0).round() as i32;
                    add(Vital::ACTIVITY, at_us, activity);
                    add(Vital::POSTURE, at_us, posture([x, y, z]));
                }
                if *lost > 0 {
                    let step_us = 1_000_000 / i64::from((*rate_hz).max(1));
                    let to_us = reading.utc_us - step_us * (xyz.len() as i64 - 1).max(0);
                    let from_us = to_us - step_us * i64::from(*lost);
                    let (vital, device) = (reading.vital, reading.device);
                    self.closed.entry(reading.epoch).or_default().1.push(Gap {
                        vital,
                        device,
                        from_us,
                        to_us,
                        lost: u32::from(*lost),
                    });
                }
            }
        }
    }

    fn add(&mut self, epoch: u64, part: Window, settings: &Settings) {
        let source =
            if matches!(part.vital, Vital::POSTURE | Vital::ACTIVITY) { Vital::ACCELERATION } else { part.vital };
        let cadence = settings.cadence_s(source);
        let slot = part.last_ms / 1000 / cadence;
        let key = |epoch: u64, window: &Window| (epoch, window.vital, window.start_us);
        match self.open.iter_mut().find(|open| key(open.epoch, &open.window) == key(epoch, &part)) {
            Some(open) => {
                open.window.merge(&part);
                open.slots.insert(slot);
            }
            None => {
                let of = part.span_s.div_ceil(cadence).max(1);
                self.open.push(OpenWindow { epoch, window: part, slots: BTreeSet::from([slot]), of });
            }
        }
    }

    /// Closes every window. Those that go on, or that a late reading still belongs to, get another part, and the cloud
    /// merges the parts.
    fn close(&mut self) {
        for (epoch, window) in std::mem::take(&mut self.open).into_iter().map(OpenWindow::close) {
            self.closed.entry(epoch).or_default().0.push(window);
        }
    }

    /// Closes those that ended before `utc_us`.
    fn close_ended(&mut self, utc_us: UtcUs) {
        for (epoch, window) in self.open.extract_if(.., |open| open.window.end_us() <= utc_us).map(OpenWindow::close) {
            self.closed.entry(epoch).or_default().0.push(window);
        }
    }

    fn take_closed(&mut self, closed: Closed) {
        for (epoch, (windows, gaps)) in closed {
            let mine = self.closed.entry(epoch).or_default();
            mine.0.extend(windows);
            mine.1.extend(gaps);
        }
    }

    /// Seals what is closed into envelopes numbered from `next`.
    pub fn seal(&mut self, install: Uuid, mut next: u64, sealed_us: UtcUs) -> Vec<Envelope> {
        let mut sealed = Vec::new();
        for (epoch, (windows, gaps)) in std::mem::take(&mut self.closed) {
            let (mut windows, mut gaps) = (merge_parts(windows), merge_gaps(gaps));
            while !windows.is_empty() || !gaps.is_empty() {
                let rest = windows.split_off(windows.len().min(WINDOWS_MAX));
                let windows = std::mem::replace(&mut windows, rest);
                let gaps = std::mem::take(&mut gaps);
                sealed.push(Envelope { install, stream: 0, sequence: next, epoch, sealed_us, windows, gaps });
                next += 1;
            }
        }
        sealed
    }
}

/// The dominant axis: 0-5 = +x -x +y -y +z -z.
fn posture(axes: [f64; 3]) -> i32 {
    let mut dominant = 0;
    for axis in 1..3 {
        if axes[axis].abs() > axes[dominant].abs() {
            dominant = axis;
        }
    }
    dominant as i32 * 2 + i32::from(axes[dominant] < 0.0)
}

/// Sorted by series, so that they pack well; parts of one window are one.
fn merge_parts(windows: Vec<Window>) -> Vec<Window> {
    let mut whole = BTreeMap::new();
    for part in windows {
        whole
            .entry((part.vital, part.span_s, part.start_us))
            .and_modify(|window: &mut Window| window.merge(&part))
            .or_insert(part);
    }
    whole.into_values().collect()
}

/// One gap a device and vital in an envelope: from the first loss to the last, with the sum.
fn merge_gaps(gaps: Vec<Gap>) -> Vec<Gap> {
    let mut whole = BTreeMap::new();
    for part in gaps {
        whole
            .entry((part.vital, part.device))
            .and_modify(|gap: &mut Gap| {
                gap.from_us = gap.from_us.min(part.from_us);
                gap.to_us = gap.to_us.max(part.to_us);
                gap.lost = gap.lost.saturating_add(part.lost);
            })
            .or_insert(part);
    }
    whole.into_values().collect()
}

/// Readings that came while nobody knew the time.
struct Held {
    /// Not yet durable.
    new: Vec<Reading>,
    /// Rows up to here are in the windows.
    released: i64,
    /// There may be more on disk.
    waiting: bool,
    time: Time,
}

impl Held {
    fn known(&self) -> bool {
        *self.time.trust.borrow() != ClockQuality::Unset
    }

    /// `reading`, dated by where its moment lies on the monotonic scale. Before the last boot of the machine that scale
    /// is an estimate: the date stays in doubt, and says so.
    fn dated(&self, reading: Reading) -> Reading {
        let utc_us = self.time.clock.utc_at(reading.mono_us);
        if reading.id.boot < self.time.machine_since {
            return Reading { utc_us, ..reading };
        }
        let quality = match reading.quality {
            Quality::Suspect(Reason::Clock) => Quality::Good,
            other => other,
        };
        Reading { utc_us, clock: ClockQuality::Holdover, quality, ..reading }
    }

    /// Brings what is held into the windows, once the time is known: also what no disk has yet, or a stop right after
    /// the start would leave it for the next one.
    async fn release(
        &mut self,
        state: &mut State,
        outbox: &Outbox,
        settings: &Settings,
    ) -> Result<bool, sqlite::Error> {
        if !self.known() {
            return Ok(false);
        }
        let fresh = !self.new.is_empty();
        for reading in std::mem::take(&mut self.new) {
            state.fold(&self.dated(reading), settings);
        }
        if !self.waiting {
            return Ok(fresh);
        }
        let (readings, last) = outbox.held(self.released, READINGS_MAX as u32).await?;
        self.waiting = last.is_some();
        self.released = last.unwrap_or(self.released);
        for reading in readings {
            state.fold(&self.dated(reading), settings);
        }
        Ok(fresh || self.waiting)
    }
}

/// What is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seal {
    /// Nothing; what has ended is put aside for it.
    Nothing,
    /// Windows that have ended.
    Ended,
    /// Those that go on, too, as far as they are.
    All,
}

/// Makes the state durable, with what is sealed from it and what is held. Gives the state that is durable now.
async fn keep(
    outbox: &Outbox,
    state: &State,
    held: (&[Reading], i64),
    (seal, install): (Seal, Uuid),
    now_us: UtcUs,
) -> Result<State, sqlite::Error> {
    let mut state = state.clone();
    let mut batch = Batch { hold: held.0.to_vec(), released: held.1, ..Batch::default() };
    match seal {
        Seal::All => state.close(),
        Seal::Ended | Seal::Nothing => state.close_ended(now_us - GRACE_US),
    }
    if seal == Seal::Nothing {
        batch.closed = std::mem::take(&mut state.closed);
    } else {
        let (closed, last) = outbox.closed().await?;
        closed.into_iter().for_each(|closed| state.take_closed(closed));
        batch.unclosed = last;
        for (row, lost, _) in outbox.lost(true).await? {
            state.closed.entry(lost.epoch).or_default().1.push(lost.gap);
            batch.gaps = row;
        }
        batch.sealed = state.seal(install, outbox.next_sequence().await?, now_us);
    }
    outbox.commit(&state, batch).await?;
    Ok(state)
}

/// The same; only then the broker is told. What is durable is given whatever the broker says: sealed once more, its windows
/// would count twice.
async fn commit(
    outbox: &Outbox,
    broker: &Arc<dyn Broker>,
    state: &State,
    held: (&[Reading], i64),
    seal: (Seal, Uuid),
    now_us: UtcUs,
) -> Result<State, sqlite::Error> {
    let state = keep(outbox, state, held, seal, now_us).await?;
    if let Err(error) = broker.acknowledge(Stage::Downsample, state.offset).await {
        tracing::warn!(%error, "the broker does not take note of windows that are durable; it is told with the next");
    }
    Ok(state)
}

/// The sealing that `utc_us` belongs to. Sealings stand at whole intervals, a little after the windows that end there,
/// so that those travel whole.
fn seal_time(utc_us: UtcUs, interval_us: i64) -> i64 {
    (utc_us - GRACE_US).div_euclid(interval_us)
}

/// Runs until `drain`: nothing more is published. Once all of it is in, closes and seals everything, so that nothing
/// waits for the next start. What does not come within three seconds is delivered again then.
#[expect(clippy::too_many_arguments, reason = "a stage's seams, each named once in lib.rs")]
pub async fn run(
    install: Uuid,
    mut state: State,
    mut deliveries: tokio::sync::mpsc::Receiver<Delivery>,
    broker: Arc<dyn Broker>,
    outbox: Outbox,
    mut settings: watch::Receiver<Arc<Settings>>,
    live_interval: Duration,
    mut online: watch::Receiver<bool>,
    time: Time,
    drain: CancellationToken,
) {
    let clock = time.clock.clone();
    let mut held = Held { new: Vec::new(), released: 0, waiting: true, time };
    let live_us = live_interval.as_micros() as i64;
    let mut interval_us = if *online.borrow_and_update() { live_us } else { live_us.max(AWAY_US) };
    let mut sealed_at = seal_time(clock.utc_us(), interval_us);
    let mut now = Arc::clone(&settings.borrow_and_update());
    let mut batch = Vec::new();
    let mut drain_began = None;
    let mut changed = false;
    let mut look_at = clock.mono_us() + LOOK_US;
    let mut look = Box::pin(clock.sleep_until(look_at));
    let mut committed_us = clock.mono_us();
    loop {
        tokio::select! {
            count = deliveries.recv_many(&mut batch, READINGS_MAX) => {
                if count == 0 {
                    return;
                }
            }
            () = &mut look => look_at = look_at.min(clock.mono_us()),
            () = drain.cancelled(), if drain_began.is_none() => drain_began = Some(clock.mono_us()),
        }
        if settings.has_changed().unwrap_or(false) {
            now = Arc::clone(&settings.borrow_and_update());
        }
        for Delivery { offset, reading } in batch.drain(..) {
            // A session's offsets grow; those of the next have nothing to do with them.
            changed |= offset != state.offset;
            state.offset = offset;
            if reading.clock == ClockQuality::Unset && state.seen.insert(reading.id) {
                changed = true;
                if held.known() {
                    state.fold(&held.dated(reading), &now);
                } else {
                    held.new.push(reading);
                }
            } else {
                changed |= state.take(&reading, &now);
            }
        }
        if clock.mono_us() < look_at && drain_began.is_none() {
            continue;
        }
        look_at = clock.mono_us() + if drain_began.is_some() { DRAIN_LOOK_US } else { LOOK_US };
        look.set(clock.sleep_until(look_at));
        match held.release(&mut state, &outbox, &now).await {
            Ok(released) => changed |= released,
            Err(error) => tracing::error!(%error, "held readings cannot be read yet; tried again"),
        }
        let stopping = match drain_began {
            Some(began) => clock.mono_us() - began > DRAIN_US || broker.drained(Stage::Downsample, state.offset).await,
            None => false,
        };
        let here = *online.borrow_and_update();
        let is_back = here && interval_us > live_us;
        if !here && interval_us < AWAY_US {
            (interval_us, sealed_at) = (AWAY_US, seal_time(clock.utc_us(), AWAY_US));
        }
        let due = is_back || seal_time(clock.utc_us(), interval_us) != sealed_at;
        let unsaved = changed && clock.mono_us() - committed_us >= COMMIT_US;
        if !(unsaved || due || stopping) {
            continue;
        }
        let seal = match due {
            // Windows that go on are sent as far as they are: the board shows no value that is older than the interval.
            _ if stopping || (due && here) => Seal::All,
            true => Seal::Ended,
            false => Seal::Nothing,
        };
        match commit(&outbox, &broker, &state, (&held.new, held.released), (seal, install), clock.utc_us()).await {
            Ok(committed) => {
                state = committed;
                held.waiting |= !held.new.is_empty();
                held.new.clear();
                (changed, committed_us) = (false, clock.mono_us());
                if due {
                    interval_us = if here { live_us } else { interval_us };
                    sealed_at = seal_time(clock.utc_us(), interval_us);
                }
            }
            // The windows stay as they are and are tried again; the broker keeps what they were made of.
            Err(error) => tracing::error!(%error, "windows are not durable yet; tried again"),
        }
        if stopping {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
