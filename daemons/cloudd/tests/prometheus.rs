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
    const PATIENCE: Duration = Duration::from_secs(90);

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
        let store = open(&folder.join("vitals"), &server, Arc::default(), clock.clone(), 3).await;
        let subjects: Vec<Uuid> = (0..20).map(|_| Uuid::now_v7()).collect();
        let first = clock.utc_us() - clock.utc_us().rem_euclid(HOUR) - 12 * HOUR;
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
