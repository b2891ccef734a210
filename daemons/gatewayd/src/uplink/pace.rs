//! How fast a lane goes: waits after failures, waits that the cloud asks for, and how much a request carries.

use std::collections::BTreeMap;
use std::time::Duration;

use medmon_api::frames::{MAX_BODY, MAX_ENVELOPES};
use medmon_core::noun::MonoUs;

use crate::settings::PAUSE;

/// A request is to take so long: a link of 1 kB/s is free for an alert every few seconds, a fast one has few round trips.
const TARGET: Duration = Duration::from_secs(4);
/// Bytes of the first request: on 2G (1 kB/s) 8 s.
const FIRST: usize = 8 << 10;
/// Bytes of a request at least; one envelope always goes.
const LEAST: usize = 1 << 10;
/// No wait that the cloud asks for is shorter.
const SHORTEST_LATER: Duration = Duration::from_secs(1);

/// Waits that double, with jitter: ten thousand gateways must not come back in the same second.
#[derive(Debug)]
pub struct Backoff {
    next: Duration,
}

impl Default for Backoff {
    fn default() -> Self {
        Self { next: Self::FIRST }
    }
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(500);
    const LONGEST: Duration = Duration::from_secs(30);

    /// The wait after a failure.
    pub fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(0.5 + jitter() / 2.0);
        self.next = (self.next * 2).min(Self::LONGEST);
        wait
    }

    /// After a success.
    pub fn reset(&mut self) -> Duration {
        self.next = Self::FIRST;
        PAUSE
    }
}

/// 0 to 1.
fn jitter() -> f64 {
    f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0
}

/// When the cloud asks to come back in `asked`: never earlier, and not all at once.
pub fn later(asked: Duration) -> Duration {
    asked.max(SHORTEST_LATER).mul_f64(1.0 + jitter() / 4.0)
}

/// What a lane knows of its way to the cloud.
#[derive(Debug, Default)]
pub struct Way {
    /// Nothing is sent before.
    held_until: MonoUs,
    /// Envelopes that are not sent before.
    deferred: BTreeMap<u64, MonoUs>,
    size: Size,
}

impl Way {
    /// The whole lane waits.
    pub fn hold(&mut self, now: MonoUs, wait: Duration) {
        self.held_until = self.held_until.max(now + wait.as_micros() as i64);
    }

    /// How long it still waits.
    pub fn held(&self, now: MonoUs) -> Option<Duration> {
        (self.held_until > now).then(|| Duration::from_micros((self.held_until - now).unsigned_abs()))
    }

    /// One envelope waits, and holds back no other.
    pub fn defer(&mut self, sequence: u64, now: MonoUs, wait: Duration) {
        self.deferred.insert(sequence, now + wait.as_micros() as i64);
    }

    /// When something that waits now may go.
    pub fn next(&self, now: MonoUs) -> Option<MonoUs> {
        let least = self.deferred.values().copied().filter(|until| *until > now).min();
        if self.held_until > now { Some(self.held_until) } else { least }
    }

    /// Whether nothing waits.
    pub fn is_free(&mut self, now: MonoUs) -> bool {
        self.held(now).is_none() && self.deferred(now).is_empty()
    }

    /// Those that wait now.
    pub fn deferred(&mut self, now: MonoUs) -> Vec<u64> {
        self.deferred.retain(|_, until| *until > now);
        self.deferred.keys().copied().collect()
    }

    /// Bytes of the next request, and envelopes.
    pub fn size(&self) -> (usize, usize) {
        (self.size.0, MAX_ENVELOPES)
    }

    /// A request of `bytes` was answered after `took`.
    pub fn answered(&mut self, bytes: usize, took: Duration) {
        self.size.answered(bytes, took);
    }

    /// A request was not answered: with less on the way there is less to lose.
    pub fn failed(&mut self) {
        self.size.0 = (self.size.0 / 2).max(LEAST);
    }
}

/// Bytes of a request, by how fast those before were.
#[derive(Debug)]
struct Size(usize);

impl Default for Size {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Size {
    fn answered(&mut self, bytes: usize, took: Duration) {
        let fits = bytes as f64 * TARGET.as_secs_f64() / took.as_secs_f64().max(0.001);
        // Of a small request most is the way there and back: it says that more would be too much, not how much is enough.
        let at_most = if bytes >= self.0 / 2 { self.0 * 2 } else { self.0 };
        self.0 = (fits as usize).clamp(LEAST, at_most).min(MAX_BODY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_half_a_minute_and_never_agree() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..20).map(|_| backoff.wait()).collect();
        assert!(waits[0] <= Duration::from_millis(500) && waits[19] >= Duration::from_secs(15));
        assert!(waits.iter().all(|wait| *wait <= Backoff::LONGEST));
        backoff.reset();
        assert!(backoff.wait() <= Duration::from_millis(500));
    }

    #[test]
    fn who_is_asked_to_come_back_does_not_come_earlier() {
        let waits: Vec<_> = (0..50).map(|_| later(Duration::from_secs(40))).collect();
        assert!(waits.iter().all(|wait| (40..=50).contains(&wait.as_secs())));
        assert!(waits.iter().any(|wait| *wait != waits[0]));
        let mut way = Way::default();
        way.hold(0, Duration::from_secs(40));
        way.hold(0, Duration::from_secs(5));
        assert_eq!((way.held(30_000_000), way.held(40_000_000)), (Some(Duration::from_secs(10)), None));
        way.defer(7, 0, Duration::from_secs(9));
        assert_eq!((way.deferred(8_999_999), way.deferred(9_000_000)), (vec![7], vec![]));
    }

    /// What requests take on a link of `rate` bytes a second with 0.6 s there and back.
    fn requests(rate: f64, count: usize) -> Vec<(usize, f64)> {
        let mut way = Way::default();
        let mut sent = Vec::new();
        for _ in 0..count {
            let bytes = way.size().0;
            let took = 0.6 + bytes as f64 / rate;
            way.answered(bytes, Duration::from_secs_f64(took));
            sent.push((bytes, took));
        }
        sent
    }

    #[test]
    fn a_request_is_as_large_as_its_link_is_fast() {
        let slow = requests(1000.0, 20);
        assert!(slow.iter().all(|(_, took)| *took < 10.0), "{slow:?}");
        assert!(slow.last().unwrap().1 < 4.5, "{slow:?}");
        let fast = requests(10e6, 20);
        assert_eq!(fast.last().unwrap().0, MAX_BODY);
        // A link that becomes slow.
        let mut way = Way::default();
        way.size.0 = 1 << 20;
        way.failed();
        assert_eq!(way.size().0, 1 << 19);
        way.answered(1 << 19, Duration::from_secs(500));
        assert!(way.size().0 < 5000);
        // One that is merely idle says nothing of its speed.
        let before = way.size().0;
        way.answered(100, Duration::from_millis(10));
        assert_eq!(way.size().0, before);
    }
}
