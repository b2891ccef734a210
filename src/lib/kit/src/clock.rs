//! The clock every program takes as an argument: a monotonic scale for decisions, UTC for the record.
//!
//! Not for: choosing a display zone (the client's), dating readings of an unset clock (gatewayd's collect).

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Time as a program sees it. Cheap to clone; clones share the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    inner: Arc<Inner>,
    mono_offset_us: i64,
    /// UTC minus monotonic, µs, where UTC is kept apart from the machine's.
    held: Option<Arc<AtomicI64>>,
}

#[derive(Debug)]
struct Inner {
    /// `None`: the machine's own clocks.
    scaled: Option<Scaled>,
    /// What tests add to UTC, µs: a moved clock.
    utc_shift_us: AtomicI64,
}

#[derive(Debug)]
struct Scaled {
    speed: f64,
    origin: Instant,
    utc_origin_us: i64,
}

impl Clock {
    /// The machine's clocks. The monotonic one counts suspended time and survives a restart of the program
    /// (CLOCK_BOOTTIME), so that a condition's persistence does too.
    pub fn system() -> Self {
        Self::new(None)
    }

    /// A clock that runs `speed` times as fast as tokio's, starting at `utc_us` (UTC, µs) now.
    pub fn scaled(speed: f64, utc_us: i64) -> Self {
        Self::new(Some(Scaled { speed, origin: Instant::now(), utc_origin_us: utc_us }))
    }

    fn new(scaled: Option<Scaled>) -> Self {
        Self { inner: Arc::new(Inner { scaled, utc_shift_us: AtomicI64::new(0) }), mono_offset_us: 0, held: None }
    }

    /// The same clock with its monotonic scale going on from `mono_us`: after a reboot, persisted times stay
    /// comparable.
    #[must_use]
    pub fn resumed_at(&self, mono_us: i64) -> Self {
        let offset = mono_us - self.machine_mono_us();
        Self { inner: Arc::clone(&self.inner), mono_offset_us: offset, held: self.held.clone() }
    }

    /// The same clock with a UTC of its own that begins at `utc_us` and goes on evenly whatever becomes of the machine's,
    /// until [`Self::set_utc`] moves it.
    #[must_use]
    pub fn held_at(&self, utc_us: i64) -> Self {
        let held = Arc::new(AtomicI64::new(utc_us - self.mono_us()));
        Self { inner: Arc::clone(&self.inner), mono_offset_us: self.mono_offset_us, held: Some(held) }
    }

    /// Moves a held UTC to `utc_us`, for every clone of this clock. The machine's own is not touched.
    pub fn set_utc(&self, utc_us: i64) {
        if let Some(held) = &self.held {
            held.store(utc_us - self.mono_us(), Ordering::Relaxed);
        }
    }

    /// Monotonic µs. Only differences mean anything.
    pub fn mono_us(&self) -> i64 {
        self.machine_mono_us() + self.mono_offset_us
    }

    /// Monotonic µs on the machine's own scale, which begins anew at each boot.
    pub fn machine_mono_us(&self) -> i64 {
        match &self.inner.scaled {
            Some(scaled) => scaled.elapsed_us(),
            None => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
                now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
            }
        }
    }

    /// UTC in µs since 1970: the one that is held, else the machine's.
    pub fn utc_us(&self) -> i64 {
        match &self.held {
            Some(_) => self.utc_at(self.mono_us()),
            None => self.machine_utc_us(),
        }
    }

    /// What this clock's UTC was, or will be, when the monotonic scale stands at `mono_us`.
    pub fn utc_at(&self, mono_us: i64) -> i64 {
        match &self.held {
            Some(held) => mono_us + held.load(Ordering::Relaxed),
            None => self.machine_utc_us() + mono_us - self.mono_us(),
        }
    }

    /// UTC in µs since 1970, as the machine believes it.
    pub fn machine_utc_us(&self) -> i64 {
        let now = match &self.inner.scaled {
            Some(scaled) => scaled.utc_origin_us + scaled.elapsed_us(),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64),
        };
        now + self.inner.utc_shift_us.load(Ordering::Relaxed)
    }

    /// Whether this is the machine's time: neither scaled, nor moved by a test, which the kernel knows nothing of.
    pub fn is_system(&self) -> bool {
        self.inner.scaled.is_none() && self.inner.utc_shift_us.load(Ordering::Relaxed) == 0
    }

    /// Moves the machine's UTC by `shift_us` without touching the monotonic scale, as an NTP step or a dead RTC battery would.
    pub fn shift_utc(&self, shift_us: i64) {
        self.inner.utc_shift_us.store(shift_us, Ordering::Relaxed);
    }

    /// Waits for `duration` of this clock's time.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.real(duration)).await;
    }

    /// Waits until the monotonic scale reaches `mono_us`. In a loop that other events wake, this keeps its pace where
    /// [`Self::sleep`] would begin anew each time.
    pub async fn sleep_until(&self, mono_us: i64) {
        let left = (mono_us - self.mono_us()).max(0);
        self.sleep(Duration::from_micros(left.unsigned_abs())).await;
    }

    /// The real time that `duration` of this clock's time takes.
    pub fn real(&self, duration: Duration) -> Duration {
        match &self.inner.scaled {
            Some(scaled) => duration.div_f64(scaled.speed),
            None => duration,
        }
    }

    /// `None` when `future` took longer than `limit` of this clock's time.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Option<F::Output> {
        tokio::time::timeout(self.real(limit), future).await.ok()
    }
}

impl Scaled {
    fn elapsed_us(&self) -> i64 {
        (self.origin.elapsed().as_secs_f64() * self.speed * 1e6) as i64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_scaled_clock_runs_faster_and_sleeps_shorter() {
        let clock = Clock::scaled(10.0, 1_000_000);
        let before = Instant::now();
        clock.sleep(Duration::from_secs(50)).await;
        assert_eq!(before.elapsed().as_secs(), 5);
        assert_eq!(clock.mono_us() / 1_000_000, 50);
        assert_eq!(clock.utc_us() / 1_000_000, 51);
    }

    #[test]
    fn a_moved_wall_clock_leaves_the_monotonic_scale_alone() {
        let clock = Clock::system();
        let before = clock.mono_us();
        clock.shift_utc(-3_600_000_000);
        assert!(clock.mono_us() - before < 60_000_000);
        assert!(clock.utc_us() > 1_700_000_000_000_000);
    }

    #[test]
    fn a_held_utc_goes_on_evenly_until_it_is_set() {
        let machine = Clock::system();
        let clock = machine.held_at(machine.utc_us());
        machine.shift_utc(3_600_000_000);
        assert!(clock.machine_utc_us() - clock.utc_us() > 3_599_000_000);
        clock.clone().set_utc(7);
        assert!((7..60_000_000).contains(&clock.utc_us()), "every clone is set");
        let mono_us = clock.mono_us();
        assert_eq!(clock.utc_at(mono_us + 5) - clock.utc_at(mono_us), 5);
    }
}
