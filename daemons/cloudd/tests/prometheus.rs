//! The vitals store on real servers: the contract of all vitals stores, and what hurts these alone.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common {
    pub mod servers;
    pub mod vitals;
}

mod on_prometheus {
    use medmon_testkit::{Prometheus, skip};

    use super::common::servers::{Served, Server};
    use super::common::vitals::{Rig, contract};

    async fn rig(test: &str) -> Option<Box<dyn Rig>> {
        let folder = tempfile::tempdir().unwrap();
        match Prometheus::start(folder.path()) {
            Ok(server) => Some(Box::new(Served::new(folder, Server::Prometheus(server)).await)),
            Err(missing) => {
                skip(&format!("prometheus: {test}"), &missing);
                None
            }
        }
    }

    contract!(rig);
}

mod on_victoria {
    use medmon_testkit::{VictoriaMetrics, skip};

    use super::common::servers::{Served, Server};
    use super::common::vitals::{Rig, contract};

    async fn rig(test: &str) -> Option<Box<dyn Rig>> {
        let folder = tempfile::tempdir().unwrap();
        match VictoriaMetrics::start(folder.path()) {
            Ok(server) => Some(Box::new(Served::new(folder, Server::Victoria(server)).await)),
            Err(missing) => {
                skip(&format!("victoria: {test}"), &missing);
                None
            }
        }
    }

    contract!(rig);
}

mod killed {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::{Duration, Instant};

    use medmon_cloudd::vitals::{Batch, VitalsStore};
    use medmon_core::noun::{Vital, Window};
    use medmon_kit::Clock;
    use medmon_testkit::{Prometheus, VictoriaMetrics, skip};
    use uuid::Uuid;

    use super::common::servers::{Server, open};
    use super::common::vitals::{HOUR, MINUTE, minutes};

    const ROUNDS: usize = 4;
    /// VictoriaMetrics writes what it took within five seconds.
    const SETTLE_S: u32 = 12;
    const PATIENCE: Duration = Duration::from_mins(4);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_prometheus_that_is_killed_while_it_takes_loses_and_doubles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        match Prometheus::start(folder.path()) {
            Ok(server) => story(folder.path(), Server::Prometheus(server)).await,
            Err(missing) => skip("prometheus: killed while it takes", &missing),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_victoria_metrics_that_is_killed_while_it_takes_loses_and_doubles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        match VictoriaMetrics::start(folder.path()) {
            Ok(server) => story(folder.path(), Server::Victoria(server)).await,
            Err(missing) => skip("victoria: killed while it takes", &missing),
        }
    }

    /// Envelopes come without a pause, the server is killed at any moment and comes back; in the last round it stays
    /// away until all is told. Then every segment settles, and each window is there once.
    async fn story(folder: &std::path::Path, mut server: Server) {
        let (clock, dice) = (Clock::system(), Uuid::new_v4().as_u128());
        println!("dice {dice}");
        let store = open(&folder.join("vitals"), &server, Arc::default(), clock.clone(), SETTLE_S).await;
        let subjects: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
        let first = clock.utc_us().div_euclid(HOUR) * HOUR - 12 * HOUR;
        let (mut segment, mut told) = (1u64, Vec::<Vec<Window>>::new());
        let ended = Arc::new(AtomicBool::new(false));
        let settling = {
            let (store, ended) = (Arc::clone(&store), Arc::clone(&ended));
            tokio::spawn(async move {
                while !ended.load(Ordering::Acquire) {
                    // As the journal does, while the server comes and goes.
                    let next = store.settled_through() + 1;
                    let written = store.told.lock().keys().last().copied().unwrap_or(0);
                    if next < written {
                        let _ = store.settle(next).await;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
        };
        for round in 0..ROUNDS {
            let kill_at = (dice >> (round * 8)) as usize % 40;
            for envelope in 0..40 {
                let at = told.len() as i64;
                let windows = minutes(first + at * 2 * MINUTE, [60 + (at % 40) as i32, 61]);
                for subject in &subjects {
                    let batch = Batch { subject: *subject, windows: windows.clone(), gaps: Vec::new() };
                    store.take(segment, vec![batch]).await.unwrap();
                }
                told.push(windows);
                if envelope == kill_at {
                    server.kill9();
                }
                if envelope == (kill_at + 7) % 40 && round + 1 < ROUNDS {
                    server.start_again().unwrap();
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            segment += 1;
        }
        server.kill9();
        server.start_again().unwrap();
        // The last segment is closed by one after it.
        store.take(segment, Vec::new()).await.unwrap();
        let begun = Instant::now();
        while store.settled_through() + 1 < segment {
            assert!(begun.elapsed() < PATIENCE, "only {} of {segment} are settled", store.settled_through());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        ended.store(true, Ordering::Release);
        settling.await.unwrap();
        // Settled: another kill takes nothing.
        server.kill9();
        server.start_again().unwrap();
        server.flush();
        let want: Vec<Window> = told.into_iter().flatten().collect();
        for subject in &subjects {
            let got = store.range(*subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap();
            assert_eq!(got, want, "{subject}");
        }
    }
}

mod archived {
    use std::sync::Arc;

    use medmon_cloudd::vitals::{Batch, VitalsStore};
    use medmon_core::noun::{Vital, Window};
    use medmon_kit::Clock;
    use medmon_testkit::{Prometheus, VictoriaMetrics, skip};
    use uuid::Uuid;

    use super::common::servers::{Server, open};
    use super::common::vitals::{DAY, HOUR, MINUTE, hole, minutes, until};

    #[tokio::test(flavor = "multi_thread")]
    async fn days_outlive_a_prometheus_that_lets_go_of_them() {
        let folder = tempfile::tempdir().unwrap();
        match Prometheus::start_with(folder.path(), "10d", &["--storage.tsdb.retention.time=4d"]) {
            Ok(server) => story(folder.path(), Server::Prometheus(server)).await,
            Err(missing) => skip("prometheus: days outlive it", &missing),
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn days_outlive_a_victoria_metrics_that_lets_go_of_them() {
        let folder = tempfile::tempdir().unwrap();
        match VictoriaMetrics::start_with(folder.path(), "4d") {
            Ok(server) => story(folder.path(), Server::Victoria(server)).await,
            Err(missing) => skip("victoria: days outlive it", &missing),
        }
    }

    async fn story(folder: &std::path::Path, mut server: Server) {
        let clock = Clock::system();
        let store = open(&folder.join("vitals"), &server, Arc::default(), clock.clone(), 0).await;
        let subject = Uuid::now_v7();
        let today = clock.utc_us().div_euclid(DAY) * DAY;
        let (evening, morning) = (today - DAY - 10 * MINUTE, today - DAY);
        let windows = minutes(evening, 60..80);
        let gap = hole(Vital::HEART_RATE, evening - HOUR, morning + HOUR, 3);
        let batch = Batch { subject, windows: windows.clone(), gaps: vec![gap.clone()] };
        store.take(1, vec![batch]).await.unwrap();
        store.take(2, Vec::new()).await.unwrap();
        until("segment 1 settles", || async { store.settle(1).await.unwrap().then_some(()) }).await;
        server.flush();
        let all = || async { store.range(subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap() };
        until("all is read", || async { (all().await == windows).then_some(()) }).await;
        // The evening's day is due, the morning's is not.
        for _ in 0..2 {
            store.maintain(today + 2 * DAY + 20 * HOUR).await.unwrap();
            assert_eq!(all().await, windows);
        }
        // A part for a day that was copied is merged; the server does not get it.
        let late = Window { last_ms: 3_000, ..windows[3].clone() };
        store.take(2, vec![Batch { subject, windows: vec![late.clone()], gaps: Vec::new() }]).await.unwrap();
        let mut want = windows.clone();
        want[3].merge(&late);
        until("the late part is read", || async { (all().await == want).then_some(()) }).await;
        let gaps = store.gaps(subject, Vital::HEART_RATE, 0, i64::MAX).await.unwrap();
        assert_eq!(gaps, [gap]);
        server.kill9();
        let archived = store.range(subject, Vital::HEART_RATE, 0, morning).await.unwrap();
        assert_eq!(archived, want[..10]);
        store.range(subject, Vital::HEART_RATE, 0, morning + 1).await.unwrap_err();
    }
}
