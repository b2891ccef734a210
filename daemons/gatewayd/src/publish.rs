//! From COLLECT to the broker, and past it: a publish has its time; without a durable confirm by then the broker counts
//! as down. While it does, readings go to DETECT in memory at once and to the spill, and one batch at a time finds out
//! when it is back.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use medmon_core::noun::Reading;
use medmon_kit::sqlite;

use crate::broker::{Broker, BrokerError};
use crate::outbox::Lost;
use crate::radio::counters::Counters;
use crate::spill::{Batch, Spill};

/// Published at once from the spill when the broker is known to take it.
const BATCH: usize = 1000;
/// And when it is not.
const PROBE: usize = 32;
/// Between two probes, doubled up to the longest. The broker's time is the machine's, however fast a test's clock runs.
const PAUSE: Duration = Duration::from_millis(250);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Between two tries to write what the spill's file could not take.
const WRITE_PAUSE: Duration = Duration::from_secs(1);
/// A stop waits so long for what is still in memory.
const FINISH: Duration = Duration::from_secs(3);

/// What ended.
enum Done {
    Published(Vec<Reading>, Result<(), BrokerError>),
    Written(Vec<Reading>, Result<(), sqlite::Error>),
    Read(Result<Batch, sqlite::Error>),
    Replayed(Batch, Result<(), BrokerError>),
    Removed(u64, Result<(), sqlite::Error>),
}

/// Everything on its way to the broker. Call [`Self::step`] again and again; it may be dropped and called anew.
pub struct Publishing {
    broker: Arc<dyn Broker>,
    limit: Duration,
    bypass: mpsc::Sender<Reading>,
    spill: Spill,
    spilled: watch::Sender<u64>,
    counters: Counters,
    losing: mpsc::UnboundedSender<Lost>,
    work: FuturesUnordered<Pin<Box<dyn Future<Output = Done> + Send>>>,
    in_flight: usize,
    writing: bool,
    write_at: Instant,
    replaying: bool,
    replay_at: Instant,
    /// The broker does not take readings.
    down: bool,
    /// Since the last batch that went through.
    failures: u32,
    finishing: bool,
}

impl Publishing {
    /// `limit`: how long a publish may take. What an earlier run has spilled goes first.
    pub fn new(
        broker: Arc<dyn Broker>,
        limit: Duration,
        bypass: mpsc::Sender<Reading>,
        spill: Spill,
        spilled: watch::Sender<u64>,
        counters: Counters,
        losing: mpsc::UnboundedSender<Lost>,
    ) -> Self {
        let now = Instant::now();
        let down = !spill.is_empty();
        let mut new = Self {
            broker,
            limit,
            bypass,
            spill,
            spilled,
            counters,
            losing,
            work: FuturesUnordered::new(),
            in_flight: 0,
            writing: false,
            write_at: now,
            replaying: false,
            replay_at: now,
            down,
            failures: 0,
            finishing: false,
        };
        new.go_on();
        new
    }

    /// Takes readings over, without waiting for anything.
    pub fn take(&mut self, readings: Vec<Reading>) {
        if self.down {
            self.bypass(&readings);
            self.spill(readings);
        } else {
            let publish = self.publish(readings.clone());
            self.in_flight += 1;
            self.work.push(Box::pin(async move { Done::Published(readings, publish.await) }));
        }
    }

    /// Does one thing that is due.
    pub async fn step(&mut self) {
        let timer = self.timer();
        tokio::select! {
            Some(done) = self.work.next(), if !self.work.is_empty() => self.settle(done),
            () = tokio::time::sleep_until(timer.unwrap_or_else(Instant::now)), if timer.is_some() => {}
            else => std::future::pending().await,
        }
        self.go_on();
    }

    /// No more readings come: everything becomes durable, here or there. What cannot be is lost, and said.
    pub async fn finish(mut self) {
        self.finishing = true;
        let finish = async {
            while self.in_flight > 0 || self.writing || self.replaying || self.spill.has_unwritten() {
                self.step().await;
            }
        };
        if tokio::time::timeout(FINISH, finish).await.is_err() {
            let left = self.spill.give_up();
            self.lost(left);
        }
    }

    /// DETECT has had what was published; what could not be is shown to it here. A reading twice is no harm.
    fn bypass(&self, readings: &[Reading]) {
        for reading in readings {
            let name = match self.bypass.try_send(reading.clone()) {
                Ok(()) => "readings_bypassed",
                Err(_) => "readings_not_bypassed",
            };
            self.counters.add(name, 1);
        }
    }

    fn spill(&mut self, readings: Vec<Reading>) {
        self.counters.add("readings_spilled", readings.len() as u64);
        let over = self.spill.add(readings);
        self.lost(over);
    }

    /// They become gaps in the record.
    fn lost(&self, readings: Vec<Reading>) {
        self.counters.add("readings_lost", readings.len() as u64);
        for lost in Lost::of(&readings, "broker and disk take nothing") {
            tracing::error!(?lost, "readings are lost");
            let _ = self.losing.send(lost);
        }
    }

    fn publish(&self, readings: Vec<Reading>) -> impl Future<Output = Result<(), BrokerError>> + Send + 'static {
        let (broker, limit) = (Arc::clone(&self.broker), self.limit);
        async move {
            let mut publish = Box::pin(async move { broker.publish(readings).await });
            tokio::time::timeout(limit, publish.as_mut()).await.unwrap_or_else(|_| {
                // Half a publish would leave the broker with a hole that it waits for.
                tokio::spawn(publish);
                Err(BrokerError::Late(limit))
            })
        }
    }

    fn settle(&mut self, done: Done) {
        match done {
            Done::Published(readings, result) => {
                self.in_flight -= 1;
                if let Err(error) = result {
                    self.bypass(&readings);
                    self.spill(readings);
                    self.failed(&error);
                }
            }
            Done::Written(readings, result) => {
                self.writing = false;
                if let Err(error) = &result {
                    tracing::error!(%error, readings = readings.len(), "readings cannot be spilled; kept in memory");
                    self.write_at = Instant::now() + WRITE_PAUSE;
                }
                let over = self.spill.written(readings, &result);
                self.lost(over);
            }
            Done::Read(Ok(batch)) => {
                let publish = self.publish(batch.readings.clone());
                self.work.push(Box::pin(async move { Done::Replayed(batch, publish.await) }));
            }
            Done::Read(Err(error)) => {
                self.replaying = false;
                tracing::error!(%error, "the spill cannot be read; tried again");
                self.pause();
            }
            Done::Replayed(batch, Ok(())) => {
                self.counters.add("readings_replayed", batch.readings.len() as u64);
                self.failures = 0;
                // The rest is on its way; what comes from now on need not queue behind it. Under a steady flow the spill
                // would never be empty.
                if self.down && self.spill.len() <= (batch.readings.len() + BATCH) as u64 {
                    tracing::info!("the broker takes readings again");
                    self.down = false;
                }
                let remove = self.spill.remove(batch);
                self.work.push(Box::pin(async move {
                    let (count, result) = remove.await;
                    Done::Removed(count, result)
                }));
            }
            Done::Replayed(batch, Err(error)) => {
                self.replaying = false;
                let over = self.spill.keep(batch);
                self.lost(over);
                self.failed(&error);
            }
            Done::Removed(count, result) => {
                self.replaying = false;
                self.spill.removed(count, &result);
                if let Err(error) = result {
                    tracing::error!(%error, "the spill cannot be shortened; its readings are published once more");
                    self.pause();
                }
            }
        }
    }

    fn failed(&mut self, error: &BrokerError) {
        let late = matches!(error, BrokerError::Late(_));
        self.counters.add(if late { "publishes_late" } else { "publishes_failed" }, 1);
        if !std::mem::replace(&mut self.down, true) {
            tracing::error!(%error, "the broker counts as down: readings go to DETECT directly and to the spill");
        }
        // Those that were on their way together fail together: that is one failure.
        if self.replay_at <= Instant::now() {
            self.pause();
        }
    }

    fn pause(&mut self) {
        self.replay_at = Instant::now() + (PAUSE * 2_u32.pow(self.failures.min(8))).min(PAUSE_MAX);
        self.failures += 1;
    }

    /// Begins what is due, and tells how much waits.
    fn go_on(&mut self) {
        let now = Instant::now();
        if self.write_due().is_some_and(|at| at <= now) {
            self.writing = true;
            let write = self.spill.write();
            self.work.push(Box::pin(async move {
                let (readings, result) = write.await;
                Done::Written(readings, result)
            }));
        }
        if self.replay_due().is_some_and(|at| at <= now) {
            self.replaying = true;
            let read = self.spill.oldest(if self.failures == 0 { BATCH } else { PROBE });
            self.work.push(Box::pin(async move { Done::Read(read.await) }));
        }
        let waiting = self.spill.len();
        self.spilled.send_if_modified(|spilled| std::mem::replace(spilled, waiting) != waiting);
    }

    fn write_due(&self) -> Option<Instant> {
        (!self.writing && self.spill.has_unwritten()).then_some(self.write_at)
    }

    fn replay_due(&self) -> Option<Instant> {
        (!self.replaying && !self.finishing && !self.spill.is_empty()).then_some(self.replay_at)
    }

    fn timer(&self) -> Option<Instant> {
        [self.write_due(), self.replay_due()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::broker::{Delivery, Depth, Stage};
    use crate::tests::reading;

    #[derive(Clone, Copy, PartialEq)]
    enum Mood {
        Takes,
        Refuses,
        Hangs,
    }

    /// A broker that takes, refuses or does not answer.
    struct Moody {
        mood: watch::Sender<Mood>,
        taken: Mutex<Vec<u64>>,
    }

    impl Moody {
        fn new(mood: Mood) -> Arc<Self> {
            Arc::new(Self { mood: watch::Sender::new(mood), taken: Mutex::default() })
        }

        fn taken(&self) -> Vec<u64> {
            self.taken.lock().unwrap().clone()
        }
    }

    #[async_trait]
    impl Broker for Moody {
        async fn publish(&self, readings: Vec<Reading>) -> Result<(), BrokerError> {
            let mut mood = self.mood.subscribe();
            if *mood.borrow_and_update() == Mood::Refuses {
                return Err(BrokerError::Refused);
            }
            let _ = mood.wait_for(|mood| *mood == Mood::Takes).await;
            self.taken.lock().unwrap().extend(readings.iter().map(|reading| reading.id.sequence));
            Ok(())
        }

        fn consume(&self, _stage: Stage) -> mpsc::Receiver<Delivery> {
            mpsc::channel(1).1
        }

        async fn acknowledge(&self, _stage: Stage, _offset: i64) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn drained(&self, _stage: Stage, _offset: i64) -> bool {
            true
        }

        async fn read(&self, _offset: i64, _limit: u32) -> Result<Vec<Delivery>, BrokerError> {
            Ok(Vec::new())
        }

        async fn newest(&self) -> Result<i64, BrokerError> {
            Ok(0)
        }

        fn durable(&self) -> watch::Receiver<i64> {
            watch::channel(0).1
        }

        async fn trim(&self, _older_than_utc_us: i64) -> Result<u64, BrokerError> {
            Ok(0)
        }

        async fn depth(&self) -> Result<Depth, BrokerError> {
            Ok(Depth::default())
        }
    }

    struct Bench {
        broker: Arc<Moody>,
        publishing: Publishing,
        past: mpsc::Receiver<Reading>,
        spilled: watch::Receiver<u64>,
        counters: Counters,
    }

    impl Bench {
        async fn new(folder: &std::path::Path, mood: Mood) -> Self {
            let (broker, counters) = (Moody::new(mood), Counters::default());
            let (bypass, past) = mpsc::channel(10_000);
            let spill = Spill::open(folder).await.unwrap();
            let (sender, spilled) = watch::channel(spill.len());
            let (losing, _) = mpsc::unbounded_channel();
            let limit = Duration::from_secs(1);
            let publishing = Publishing::new(broker.clone(), limit, bypass, spill, sender, counters.clone(), losing);
            Self { broker, publishing, past, spilled, counters }
        }

        async fn step_until(&mut self, done: impl Fn(&Self) -> bool) {
            let wait = async {
                while !done(self) {
                    self.publishing.step().await;
                }
            };
            tokio::time::timeout(Duration::from_mins(10), wait).await.unwrap();
        }

        fn shown(&mut self) -> Vec<u64> {
            std::iter::from_fn(|| self.past.try_recv().ok()).map(|reading| reading.id.sequence).collect()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_does_not_answer_delays_detect_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::new(folder.path(), Mood::Hangs).await;
        let began = Instant::now();
        bench.publishing.take(vec![reading(0)]);
        bench.step_until(|bench| !bench.past.is_empty()).await;
        assert_eq!(began.elapsed().as_millis() / 100, 10);
        bench.publishing.take(vec![reading(1)]);
        assert_eq!(bench.shown(), [0, 1], "the second does not wait");
        bench.step_until(|bench| *bench.spilled.borrow() == 2 && !bench.publishing.spill.has_unwritten()).await;
        bench.broker.mood.send_replace(Mood::Takes);
        bench.step_until(|bench| *bench.spilled.borrow() == 0).await;
        bench.publishing.take(vec![reading(2)]);
        bench.step_until(|bench| bench.broker.taken().contains(&2)).await;
        assert!(bench.shown().is_empty(), "the broker shows it again");
        let mut taken = bench.broker.taken();
        taken.dedup();
        taken.sort_unstable();
        taken.dedup();
        assert_eq!(taken, [0, 1, 2]);
    }

    #[tokio::test(start_paused = true)]
    async fn under_a_steady_flow_the_spill_ends_and_nothing_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::new(folder.path(), Mood::Refuses).await;
        let mut flow = tokio::time::interval(Duration::from_millis(20));
        let mut next = 0;
        while next < 3000 || bench.publishing.down || *bench.spilled.borrow() > 0 {
            tokio::select! {
                () = bench.publishing.step() => {}
                _ = flow.tick() => {
                    bench.publishing.take(vec![reading(next)]);
                    next += 1;
                    assert!(next < 10_000, "it never ends");
                    if next == 3000 {
                        bench.broker.mood.send_replace(Mood::Takes);
                    }
                }
            }
        }
        bench.publishing.finish().await;
        let taken = bench.broker.taken();
        assert!(taken[..2000].is_sorted(), "oldest first");
        assert_eq!(std::collections::BTreeSet::from_iter(taken), (0..next).collect());
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_in_hand_at_the_stop_is_there_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::new(folder.path(), Mood::Hangs).await;
        bench.publishing.take(vec![reading(0), reading(1)]);
        bench.publishing.finish().await;
        assert_eq!(bench.counters.snapshot().get("readings_lost"), None);
        let mut bench = Bench::new(folder.path(), Mood::Takes).await;
        assert_eq!(*bench.spilled.borrow(), 2);
        bench.step_until(|bench| *bench.spilled.borrow() == 0).await;
        assert_eq!(bench.broker.taken(), [0, 1]);
    }
}
