//! The lanes against clouds of the tests' own.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::extract::RawQuery;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::routing::post;
use axum::{Json, Router};
use medmon_core::noun::{Envelope, Fact, FactKind, Segment};
use medmon_core::wire;
use medmon_kit::Clock;
use tokio::sync::Notify;
use uuid::Uuid;

use super::*;

/// A home of its own in a folder, towards a cloud of a test's own.
struct Home {
    folder: tempfile::TempDir,
    facts: Facts,
    outbox: Outbox,
}

impl Home {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let facts = Facts::open(folder.path(), 0).await.unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        Self { folder, facts, outbox }
    }

    /// Seals envelopes `from..=to`, sealed at `sealed_us`.
    async fn seal(&self, numbers: std::ops::RangeInclusive<u64>, sealed_us: i64) {
        let envelope = |sequence| Envelope {
            install: Uuid::nil(),
            stream: 0,
            sequence,
            epoch: 1,
            sealed_us,
            windows: Vec::new(),
            gaps: Vec::new(),
        };
        let batch = crate::outbox::Batch { sealed: numbers.map(envelope).collect(), ..Default::default() };
        self.outbox.commit(&crate::downsample::State::default(), batch).await.unwrap();
    }

    async fn fact(&self, id: u128) -> Fact {
        let id = Uuid::from_u128(id);
        let fact = Fact { id, alert: id, at_us: 0, author: "gateway".into(), kind: FactKind::Cleared };
        self.facts.commit(vec![fact.clone()], None, false).await.unwrap();
        fact
    }

    async fn waiting(&self) -> Vec<u64> {
        self.outbox.waiting(Pick::default()).await.unwrap().iter().map(|sealed| sealed.row).collect()
    }

    async fn uplink(&self, cloud: Router) -> Uplink {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, cloud).await });
        Uplink {
            client: Client::new(&url, None).unwrap(),
            bulk: Client::new(&url, None).unwrap(),
            facts: self.facts.clone(),
            outbox: self.outbox.clone(),
            broker: Arc::new(crate::broker::Embedded::open(self.path()).await.unwrap()),
            spilled: watch::channel(7).1,
            heard: DevicesHeard::default(),
            settings: watch::channel(Arc::new(Settings::default())).1,
            time: Time {
                clock: Clock::system(),
                trust: watch::channel(medmon_core::noun::ClockQuality::Holdover).1,
                machine_since: 1,
            },
            started_us: 0,
            reference: watch::Sender::new(None),
            texts: None,
            modem_only: false,
            rejected: watch::channel(None).1,
            online: watch::Sender::new(false),
            urgent: watch::Sender::new(false),
        }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// What envelopes a request carries, and in which lane.
fn sent(query: Option<String>, body: &[u8]) -> (String, Vec<u64>) {
    let sealed = medmon_api::frames::decode(body).unwrap();
    let numbers = sealed.iter().map(|one| wire::envelope::decode(one).unwrap().sequence).collect();
    (query.unwrap_or_default(), numbers)
}

fn beaten() -> Json<serde_json::Value> {
    Json(serde_json::json!({"settings_version": 0, "utc_us": 0, "facts_cursor": 0}))
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !done().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// A page of a hotel's network is no verdict; a refusal of the cloud is one.
#[tokio::test]
async fn a_segment_goes_once_the_facts_have_and_a_refused_one_not_again() {
    let home = Home::new().await;
    let alert = Uuid::from_u128(1);
    let segment = |epoch| Segment { alert, part: 0, epoch, from_us: 0, to_us: 0, cut: false, readings: Vec::new() };
    for epoch in 1..=4 {
        home.outbox.keep_segment(segment(epoch), 0, 0).await.unwrap();
    }
    let log = Arc::new(Mutex::new(Vec::new()));
    let sent = Arc::clone(&log);
    let take = async move |body: axum::body::Bytes| {
        let epoch = wire::segment::open(&body).unwrap().epoch;
        sent.lock().unwrap().push(epoch);
        let refusal = format!(r#"{{"type":"{}conflict","title":"","status":409}}"#, medmon_api::problem::BASE);
        match epoch {
            4 => (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], String::new()),
            3 => (StatusCode::CONFLICT, [(CONTENT_TYPE, medmon_api::problem::MEDIA_TYPE)], refusal),
            2 => (StatusCode::OK, [(CONTENT_TYPE, "application/json")], r#"{"already_held":true}"#.into()),
            _ => (StatusCode::NOT_FOUND, [(CONTENT_TYPE, "text/html")], "Log in to our network".into()),
        }
    };
    let uplink = home.uplink(Router::new().route(medmon_api::paths::SEGMENTS, post(take))).await;
    let fact = home.fact(1).await;
    let mut parts = Way::default();
    assert!(!uplink.push_segment(&mut parts).await.unwrap());
    assert!(log.lock().unwrap().is_empty(), "the cloud does not know the alert");
    home.facts.uploaded(vec![fact]).await.unwrap();
    for _ in 2..=4 {
        assert!(uplink.push_segment(&mut parts).await.unwrap());
    }
    assert!(uplink.push_segment(&mut parts).await.is_err() && uplink.push_segment(&mut parts).await.is_err());
    assert_eq!(*log.lock().unwrap(), [4, 3, 2, 1, 1], "the newest first; what the cloud chokes on holds back no other");
}

/// A cloud that chokes on some envelopes and understands no facts still hears the rest.
#[tokio::test]
async fn what_the_cloud_cannot_digest_blocks_nothing_else() {
    let home = Home::new().await;
    home.fact(1).await;
    home.seal(1..=20, 0).await;
    let beats = Arc::new(AtomicU32::new(0));
    let beat = Arc::clone(&beats);
    let ingest = async |body: axum::body::Bytes| {
        let (_, numbers) = sent(None, &body);
        if numbers.iter().any(|number| [3, 19, 20].contains(number)) {
            return Err(StatusCode::INTERNAL_SERVER_ERROR);
        }
        Ok(Json(vec![Verdict::Stored; numbers.len()]))
    };
    let heartbeat = async move || {
        beat.fetch_add(1, Ordering::Relaxed);
        beaten()
    };
    let cloud = Router::new()
        .route(medmon_api::paths::INGEST, post(ingest))
        .route(medmon_api::paths::FACTS, post(async || StatusCode::UNPROCESSABLE_ENTITY))
        .route(medmon_api::paths::HEARTBEAT, post(heartbeat));
    let mut uplink = home.uplink(cloud).await;
    assert!(uplink.push_facts(&mut Way::default()).await.is_err() && *uplink.online.borrow());
    uplink.beat().await.unwrap();
    assert_eq!(beats.load(Ordering::Relaxed), 1);
    let mut way = Way::default();
    while uplink.push_envelopes(Some(Lane::Backlog), &mut way).await.unwrap() {}
    assert_eq!(home.waiting().await, [20, 19, 3]);
    assert_eq!(way.deferred(0).len(), 3, "they are tried again, later");
    assert_eq!(home.facts.waiting(10).await.unwrap().len(), 1);
    assert_eq!(uplink.heartbeat().await.unwrap().readings_waiting, 7, "what is spilled waits too");

    // Who has nothing but a modem cannot text while that is lost, whether or not a text waits for it.
    let texts = medmon_sms::Outbox::open(&home.path().join("sms.sqlite"), 0, Clock::system()).unwrap();
    let modem = watch::Sender::new(ModemState::Ready { registered: true, signal: None, operator: None, memory: None });
    uplink.texts = Some((texts, Some(modem.subscribe())));
    for (modem_only, reason, cannot) in [(true, None, false), (true, Some("gone"), true), (false, Some("gone"), false)]
    {
        if let Some(reason) = reason {
            modem.send_replace(ModemState::Lost { reason: reason.into() });
        }
        uplink.modem_only = modem_only;
        assert_eq!(uplink.heartbeat().await.unwrap().cannot_text, cannot);
    }
}

/// A cloud that chokes on everything is broken: it is not asked about each envelope.
#[tokio::test]
async fn a_broken_cloud_is_not_asked_about_each() {
    let home = Home::new().await;
    home.seal(1..=200, 0).await;
    let asked = Arc::new(AtomicU32::new(0));
    let ask = Arc::clone(&asked);
    let ingest = async move || {
        ask.fetch_add(1, Ordering::Relaxed);
        StatusCode::INTERNAL_SERVER_ERROR
    };
    let uplink = home.uplink(Router::new().route(medmon_api::paths::INGEST, post(ingest))).await;
    let mut way = Way::default();
    assert!(uplink.push_envelopes(None, &mut way).await.is_err());
    assert!(asked.load(Ordering::Relaxed) < 20, "{asked:?}");
    assert_eq!(home.waiting().await.len(), 200);
}

/// `later` keeps one envelope back and no other; said of all, and with a 503, it keeps the lane back as long as it says.
#[tokio::test]
async fn the_lanes_come_back_when_the_cloud_says() {
    let home = Home::new().await;
    home.seal(1..=6, 0).await;
    let cloud = async |body: axum::body::Bytes| {
        let (_, numbers) = sent(None, &body);
        let verdict = |number: &u64| if *number < 6 { Verdict::Later { seconds: 40 } } else { Verdict::Stored };
        if numbers == [1] {
            return Err((StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "70")]));
        }
        Ok(Json(numbers.iter().map(verdict).collect::<Vec<_>>()))
    };
    let uplink = home.uplink(Router::new().route(medmon_api::paths::INGEST, post(cloud))).await;
    let now = uplink.time.clock.mono_us();
    let seconds = |wait: Option<Duration>| wait.map_or(0, |wait| wait.as_secs());
    let mut way = Way::default();
    assert!(uplink.push_envelopes(None, &mut way).await.unwrap());
    assert_eq!((home.waiting().await, way.held(now)), (vec![5, 4, 3, 2, 1], None), "not said of all");
    assert!(!uplink.push_envelopes(None, &mut way).await.unwrap(), "all that is left waits");
    let mut way = Way::default();
    assert!(uplink.push_envelopes(None, &mut way).await.unwrap());
    assert!((40..=51).contains(&seconds(way.held(now))), "{way:?}");
    home.outbox.settle((2..=5).map(|row| (row, Verdict::Stored)).collect(), 0).await.unwrap();
    let mut way = Way::default();
    assert!(uplink.push(Lane::Backlog, &mut way, &mut Backoff::default()).await.is_err());
    assert!((69..=88).contains(&seconds(way.held(now))), "{way:?}");
}

/// A backlog that hangs and a cloud that refuses it keep neither facts, signs of life nor the newest windows waiting.
#[tokio::test]
async fn facts_and_the_newest_windows_pass_a_backlog_that_hangs() {
    let home = Home::new().await;
    let now_us = Clock::system().utc_us();
    home.seal(1..=30, 0).await;
    home.seal(31..=31, now_us).await;
    let (facts, live, hung) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    let (count, newest, hang) = (Arc::clone(&facts), Arc::clone(&live), Arc::clone(&hung));
    let ingest = async move |RawQuery(query): RawQuery, body: axum::body::Bytes| {
        let (lane, numbers) = sent(query, &body);
        if lane == "lane=backlog" {
            hang.notify_one();
            return std::future::pending().await;
        }
        newest.lock().unwrap().extend_from_slice(&numbers);
        Json(vec![Verdict::Stored; numbers.len()])
    };
    let take = async move |Json(pushed): Json<Vec<Fact>>| {
        *count.lock().unwrap() += pushed.len();
        Json(medmon_api::gateway::FactsDown::default())
    };
    let cloud = Router::new()
        .route(medmon_api::paths::INGEST, post(ingest))
        .route(medmon_api::paths::FACTS, post(take))
        .route(medmon_api::paths::HEARTBEAT, post(async || beaten()));
    let uplink = home.uplink(cloud).await;
    let (stop, drained) = (CancellationToken::new(), CancellationToken::new());
    let running = tokio::spawn(uplink.run(stop.clone(), drained.clone()));
    hung.notified().await;
    home.fact(1).await;
    until("the fact is there", async || *facts.lock().unwrap() == 1).await;
    home.seal(32..=33, now_us).await;
    until("the newest are there", async || live.lock().unwrap().len() == 3).await;
    // The cloud has them before its answer is written down here.
    until("only the backlog waits", async || home.waiting().await.len() == 30).await;
    running.abort();
}

/// A month of facts over a slow link: the newest go first, and no more at once than the link carries.
#[tokio::test]
async fn the_newest_facts_go_first_in_requests_of_the_links_size() {
    let home = Home::new().await;
    let fact = |number: u128| Fact {
        id: Uuid::from_u128(number),
        alert: Uuid::from_u128(1),
        at_us: number as i64,
        author: "gateway".into(),
        kind: FactKind::Cleared,
    };
    home.facts.commit((0..200).map(fact).collect(), None, false).await.unwrap();
    let log = Arc::new(Mutex::new(Vec::new()));
    let taken = Arc::clone(&log);
    let take = async move |Json(pushed): Json<Vec<Fact>>| {
        taken.lock().unwrap().push(pushed.iter().map(|fact| fact.at_us).collect::<Vec<_>>());
        Json(medmon_api::gateway::FactsDown::default())
    };
    let uplink = home.uplink(Router::new().route(medmon_api::paths::FACTS, post(take))).await;
    let mut way = Way::default();
    for _ in 0..9 {
        way.failed();
    }
    assert!(uplink.push_facts(&mut way).await.unwrap());
    let first = log.lock().unwrap()[0].clone();
    assert!(first.len() < 10 && first.ends_with(&[198, 199]), "{first:?}");
    while uplink.push_facts(&mut way).await.unwrap() {}
    let mut all = log.lock().unwrap().concat();
    all.sort_unstable();
    assert_eq!(all, (0..200).collect::<Vec<_>>());
}

/// After a restore facts, what was set aside and segments go again, once; a heartbeat that says nothing changes nothing.
#[tokio::test]
async fn a_restored_cloud_is_told_again() {
    let home = Home::new().await;
    home.seal(1..=9, 0).await;
    let fact = home.fact(1).await;
    home.facts.uploaded(vec![fact]).await.unwrap();
    home.outbox.settle((1..=9).map(|row| (row, Verdict::Stored)).collect(), 0).await.unwrap();
    let answers = [(0, 0), (4, 9), (4, 9), (5, 6), (5, 6)];
    let next = Arc::new(Mutex::new(answers.into_iter()));
    let heartbeat = async move || {
        let (generation, high) = next.lock().unwrap().next().unwrap();
        let held = serde_json::json!([{"stream": 0, "high": high}]);
        let held = if generation == 0 { serde_json::json!([]) } else { held };
        Json(serde_json::json!({
            "settings_version": 0, "utc_us": 0, "facts_cursor": 0, "generation": generation, "held": held,
        }))
    };
    let uplink = home.uplink(Router::new().route(medmon_api::paths::HEARTBEAT, post(heartbeat))).await;
    let told = async || (home.facts.waiting(10).await.unwrap().len(), home.waiting().await);
    for _ in 0..3 {
        uplink.beat().await.unwrap();
        assert_eq!(told().await, (0, vec![]));
    }
    uplink.beat().await.unwrap();
    assert_eq!(told().await, (1, vec![9, 8, 7]));
    home.facts.uploaded(home.facts.waiting(10).await.unwrap()).await.unwrap();
    uplink.beat().await.unwrap();
    assert_eq!(told().await, (0, vec![9, 8, 7]), "facts once for a restore");
}
