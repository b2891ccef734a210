//! The cloud pages while a gateway is not heard: through an SMS API of the test's own, by a clock that is moved.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use common::{Home, SECOND, T0, World, fact};
use medmon_api::alert::Ack;
use medmon_api::board::Section;
use medmon_api::contact::NewContact;
use medmon_api::gateway::Heartbeat;
use medmon_api::patient::PatientPatch;
use medmon_cloudd::config::SmsConfig;
use medmon_core::noun::{Condition, Fact, FactKind, Language, Priority, TextReason};
use medmon_core::text;
use serde_json::{Value, json};
use uuid::Uuid;

/// Faster than the tests' patience, slower than a loaded machine answers a text.
const SPEED: f64 = 10.0;
const PAUL: &str = "+33612345678";
const ANNA: &str = "+33612345679";
const ON_CALL: &str = "+33123456789";

/// What an SMS API was given, and whether it takes anything.
#[derive(Default)]
struct Taken {
    texts: Mutex<Vec<(String, String)>>,
    away: AtomicBool,
}

/// An SMS API: keeps what it is given, and tells of each delivery at once.
#[derive(Clone)]
struct Api {
    taken: Arc<Taken>,
    callback: String,
    sms: SmsConfig,
}

impl Api {
    async fn open() -> Self {
        let taken = Arc::<Taken>::default();
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&taken));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        // Free until the cloud takes it.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let callback = format!("http://{listen}/{}", Uuid::new_v4().simple());
        let http = json!({"url": url, "callback_listen": listen, "callback_url": callback});
        Self { taken, callback, sms: serde_json::from_value(json!({ "http": http })).unwrap() }
    }

    /// Who was texted, in order.
    fn to(&self) -> Vec<String> {
        self.taken.texts.lock().unwrap().iter().map(|(to, _)| to.clone()).collect()
    }

    fn said_to(&self, phone: &str) -> Vec<String> {
        let texts = self.taken.texts.lock().unwrap();
        texts.iter().filter(|(to, _)| to == phone).map(|(_, text)| text.clone()).collect()
    }

    /// Takes nothing for a while, or takes texts again.
    fn away(&self, away: bool) {
        self.taken.away.store(away, Ordering::Relaxed);
    }

    /// Somebody answers; taken when it is durable.
    async fn answer(&self, from: &str, text: &str) {
        let body = json!({"from": from, "text": text});
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let answered = client.post(&self.callback).json(&body).send().await.unwrap();
        assert!(answered.status().is_success(), "{answered:?}");
    }
}

async fn take(State(taken): State<Arc<Taken>>, Json(body): Json<Value>) -> Result<Json<Value>, StatusCode> {
    if taken.away.load(Ordering::Relaxed) {
        return Err(StatusCode::SERVICE_UNAVAILABLE);
    }
    let word = |key: &str| body[key].as_str().unwrap().to_owned();
    let id = {
        let mut texts = taken.texts.lock().unwrap();
        texts.push((word("to"), word("text")));
        texts.len().to_string()
    };
    let (callback, report) = (word("callback_url"), json!({"id": id, "state": "delivered"}));
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.post(callback).json(&report).send().await
    });
    Ok(Json(json!({ "id": id })))
}

/// A patient with two contacts, and an emergency of which the first one was texted.
struct Emergency {
    home: Home,
    patient: Uuid,
    contacts: [Uuid; 2],
    alert: Uuid,
}

impl Emergency {
    async fn of(world: &World, name: &str, phones: [&str; 2]) -> Self {
        let (patient, home) = world.home(name).await;
        let mut contacts = [Uuid::nil(); 2];
        for ((id, phone), name) in contacts.iter_mut().zip(phones).zip(["Paul", "Anna"]) {
            let (name, phone, relation) = (name.into(), phone.into(), String::new());
            let new = NewContact { name, phone, relation, language: Language::En, position: None };
            *id = world.doctor.add_contact(patient.id, &new).await.unwrap().id;
        }
        home.beat().await;
        Self { home, patient: patient.id, contacts, alert: Uuid::now_v7() }
    }

    /// Raised at [`T0`] + 1 s, and the first contact has the text.
    async fn raise(&self, priority: Priority) {
        let (contact, reason, step) = (self.contacts[0], TextReason::Raised, 0);
        let notified = FactKind::Notified { contact, channel: "modem".into(), reason, step };
        let facts = [
            self.home.raised(self.alert, priority),
            fact(self.alert, T0 + 2 * SECOND, notified),
            fact(self.alert, T0 + 3 * SECOND, FactKind::Delivered { contact, reason, step }),
        ];
        self.home.client.push_facts(&facts).await.unwrap();
    }

    async fn high(world: &World, name: &str, phones: [&str; 2]) -> Self {
        let one = Self::of(world, name, phones).await;
        one.raise(Priority::High).await;
        one
    }

    async fn facts(&self, world: &World) -> Vec<Fact> {
        world.nurse.alert(self.alert).await.unwrap().facts
    }

    /// Who pages, by the facts, in order.
    async fn pagers(&self, world: &World) -> Vec<String> {
        let by = |fact: Fact| match fact.kind {
            FactKind::TakenOver { by } => Some(by),
            _ => None,
        };
        self.facts(world).await.into_iter().filter_map(by).collect()
    }

    fn ok(&self) -> String {
        format!("OK {}", text::code(self.alert))
    }
}

/// The clock at `second` after [`T0`], and what has passed since the beginning.
fn at(world: &World, second: i64) {
    world.clock.shift_utc(0);
    let passed = world.clock.utc_us() - T0;
    world.clock.shift_utc(second * SECOND - passed);
}

/// Waits until `holds` gives true.
async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let patience = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(30), patience).await.is_ok(), "{what} did not come");
}

async fn taken_over(world: &World, one: &Emergency, pagers: &[&str]) {
    until(&format!("{pagers:?}"), async || one.pagers(world).await == pagers).await;
}

async fn texted(api: &Api, phones: &[&str]) {
    until(&format!("{phones:?}"), async || api.to().len() >= phones.len()).await;
    assert_eq!(api.to(), phones);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_home_is_paged_for_from_where_its_ladder_stood_until_somebody_answers() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let one = Emergency::high(&world, "DOE Jeanne", [PAUL, ANNA]).await;
    let heard = world.admin.gateway(one.home.id).await.unwrap().last_heard_at.unwrap().as_microsecond();
    at(&world, 200);
    taken_over(&world, &one, &["cloud"]).await;
    let facts = one.facts(&world).await;
    let over = facts.iter().find(|fact| matches!(fact.kind, FactKind::TakenOver { .. })).unwrap();
    assert!(over.at_us - heard >= 180 * SECOND && over.author == "cloud", "{over:?}");
    let board = world.nurse.board(None).await.unwrap();
    assert_eq!(board.rows[0].section, Section::NeedsAnswer);
    assert_eq!(board.rows[0].alerts[0].taken_over_by.as_deref(), Some("cloud"));
    assert!(board.rows[0].gateway.as_ref().unwrap().heard_age_s.unwrap() >= 180);
    assert!(api.to().is_empty(), "the first contact has the text, the next one is not due");

    at(&world, 302);
    texted(&api, &[ANNA]).await;
    assert!(api.said_to(ANNA)[0].contains("Jeanne may need help"), "{:?}", api.said_to(ANNA));
    let delivered = FactKind::Delivered { contact: one.contacts[1], reason: TextReason::Raised, step: 0 };
    until("the delivery", async || one.facts(&world).await.iter().any(|fact| fact.kind == delivered)).await;
    at(&world, 602);
    texted(&api, &[ANNA, ON_CALL]).await;

    api.answer("0612345679", &one.ok()).await;
    let acked = async || world.nurse.alert(one.alert).await.unwrap().alert.acknowledged_family;
    until("the answer", async || acked().await.is_some()).await;
    assert_eq!(acked().await.unwrap().by, "Anna");
    // Whoever was alarmed hears that she takes care of it, the gateway's own first text included.
    until("the news", async || api.to().len() == 4).await;
    assert_eq!(api.said_to(ANNA).len(), 1);
    assert!(api.said_to(PAUL)[0].contains("Anna"), "{:?}", api.said_to(PAUL));
    // All of it goes down to the gateway, which merges it with what it says itself.
    let down = one.home.client.pull_facts(0, 0).await.unwrap().facts;
    let kinds = |facts: &[Fact], what: fn(&FactKind) -> bool| facts.iter().filter(|fact| what(&fact.kind)).count();
    assert_eq!(kinds(&down, |kind| matches!(kind, FactKind::Acknowledged { .. })), 1);
    assert_eq!(kinds(&down, |kind| matches!(kind, FactKind::TakenOver { .. })), 1);
    assert!(kinds(&down, |kind| matches!(kind, FactKind::Notified { .. })) >= 2);
    assert_eq!(world.nurse.board(None).await.unwrap().rows[0].section, Section::NeedsAnswer, "not the ward's answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_that_is_heard_again_pages_itself_and_one_state_comes_of_both() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let one = Emergency::high(&world, "DOE Jeanne", [PAUL, ANNA]).await;
    let other = Emergency::high(&world, "MOREL André", ["+33612340001", "+33612340002"]).await;
    at(&world, 302);
    until("both", async || api.to().len() == 2).await;
    taken_over(&world, &other, &["cloud"]).await;
    one.home.beat().await;
    taken_over(&world, &one, &["cloud", "gateway"]).await;
    // What happened there meanwhile arrives, also what the cloud told it.
    let down = one.home.client.pull_facts(0, 0).await.unwrap().facts;
    let (contact, reason, step) = (one.contacts[1], TextReason::Raised, 0);
    let own = fact(one.alert, T0 + 301 * SECOND, FactKind::Notified { contact, channel: "modem".into(), reason, step });
    let told = [std::slice::from_ref(&own), &down[..]].concat();
    assert!(one.home.client.push_facts(&told).await.unwrap().refused.is_empty());
    let facts = one.facts(&world).await;
    assert_eq!(facts.iter().filter(|fact| matches!(fact.kind, FactKind::TakenOver { .. })).count(), 2);
    assert!(facts.contains(&own));
    // Only the other home's next step is the cloud's.
    at(&world, 460);
    one.home.beat().await;
    at(&world, 602);
    until("the other's on-call", async || api.said_to(ON_CALL).len() == 1).await;
    assert!(api.said_to(ON_CALL)[0].contains(&text::code(other.alert)));
    assert_eq!((api.said_to(ANNA).len(), api.said_to(PAUL).len()), (1, 0));
    // Silent once more, it is taken over once more.
    at(&world, 700);
    taken_over(&world, &one, &["cloud", "gateway", "cloud"]).await;
    assert_eq!(other.pagers(&world).await, ["cloud"], "once a takeover");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_what_is_high_unanswered_and_going_on_is_paged_for_and_a_nurse_ends_it() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let phones = ["+33612340001", "+33612340002"];
    let medium = Emergency::of(&world, "A medium", phones).await;
    medium.raise(Priority::Medium).await;
    let answered = Emergency::high(&world, "B answered", phones).await;
    world.nurse.acknowledge(answered.alert, &Ack::default()).await.unwrap();
    let cleared = Emergency::high(&world, "C cleared", phones).await;
    cleared.home.client.push_facts(&[fact(cleared.alert, T0 + 9 * SECOND, FactKind::Cleared)]).await.unwrap();
    let technical = Emergency::of(&world, "D technical", phones).await;
    let mut raised = technical.home.raised(technical.alert, Priority::High);
    if let FactKind::Raised(raised) = &mut raised.kind {
        (raised.class, raised.condition) = (medmon_core::noun::Class::Technical, Condition::GatewayDeaf);
    }
    technical.home.client.push_facts(&[raised]).await.unwrap();
    // Last in the order of gateways: when it is texted for, all others were looked at.
    let one = Emergency::high(&world, "E high", [PAUL, ANNA]).await;
    at(&world, 302);
    texted(&api, &[ANNA]).await;
    for quiet in [&medium, &answered, &cleared, &technical] {
        assert!(quiet.pagers(&world).await.is_empty());
    }
    world.nurse.acknowledge(one.alert, &Ack::default()).await.unwrap();
    until("the news", async || api.to().len() == 3).await;
    assert!(api.said_to(PAUL)[0].contains("A. nurse") && api.said_to(ANNA)[1].contains("A. nurse"));
    // Long after, another home's text shows that it was looked: nothing more for this one.
    let last = Emergency::high(&world, "F high", ["+33612340003", "+33612340004"]).await;
    at(&world, 2000);
    taken_over(&world, &last, &["cloud"]).await;
    until("the last home", async || !api.said_to("+33612340004").is_empty()).await;
    assert_eq!((api.said_to(PAUL).len(), api.said_to(ANNA).len()), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_neither_repeats_nor_forgets() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let one = Emergency::high(&world, "DOE Jeanne", [PAUL, ANNA]).await;
    at(&world, 302);
    texted(&api, &[ANNA]).await;
    let notified = |fact: &&Fact| matches!(&fact.kind, FactKind::Notified { channel, .. } if channel == "http");
    until("the fact", async || one.facts(&world).await.iter().any(|fact| notified(&fact))).await;
    // The end came between the text and its fact.
    let records = world.folder.path().join("records.sqlite");
    let lose = |_: &_| {
        let db = rusqlite::Connection::open(records).unwrap();
        let sql = "DELETE FROM fact WHERE origin = 'ward' AND body LIKE '%\"fact\":\"notified\"%'";
        assert_eq!(db.execute(sql, []).unwrap(), 1);
    };
    let world = world.restart_after(lose).await;
    at(&world, 602);
    texted(&api, &[ANNA, ON_CALL]).await;
    until("both facts", async || one.facts(&world).await.iter().filter(notified).count() == 2).await;
    assert_eq!(one.pagers(&world).await, ["cloud"]);
    api.answer(ON_CALL, "ok").await;
    let acked = async || world.nurse.alert(one.alert).await.unwrap().alert.acknowledged_ward.is_some();
    until("the ward's answer", acked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_was_away_gives_its_homes_the_time_of_a_lease() {
    let world = World::with(SPEED, SmsConfig::default()).await;
    let one = Emergency::high(&world, "DOE Jeanne", [PAUL, ANNA]).await;
    let world = world.restart_after(|clock| clock.shift_utc(3600 * SECOND)).await;
    let started = world.clock.utc_us();
    world.clock.shift_utc(3780 * SECOND);
    // Without an API, too: the board says who ought to page.
    taken_over(&world, &one, &["cloud"]).await;
    let facts = one.facts(&world).await;
    let over = facts.iter().find(|fact| matches!(fact.kind, FactKind::TakenOver { .. })).unwrap();
    assert!(over.at_us - started > 170 * SECOND, "{} s", (over.at_us - started) / SECOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_to_two_patients_is_asked_which() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let one = Emergency::high(&world, "DOE Jeanne", ["+33612340001", PAUL]).await;
    let two = Emergency::high(&world, "MOREL André", ["+33612340002", PAUL]).await;
    at(&world, 302);
    texted(&api, &[PAUL, PAUL]).await;
    api.answer(PAUL, "OK").await;
    until("the question", async || api.said_to(PAUL).len() == 3).await;
    let asked = &api.said_to(PAUL)[2];
    assert!([&one, &two].iter().all(|one| asked.contains(&text::code(one.alert))), "{asked}");
    api.answer(PAUL, &two.ok()).await;
    let acked = async |one: &Emergency| world.nurse.alert(one.alert).await.unwrap().alert.acknowledged_family.is_some();
    until("the answer", async || acked(&two).await).await;
    assert!(!acked(&one).await);
    api.answer(PAUL, "status").await;
    until("the state", async || api.said_to(PAUL).iter().filter(|text| text.contains("alarm for")).count() >= 1).await;
    api.answer("+33699999999", &one.ok()).await;
    until("a word to a stranger", async || api.said_to("+33699999999").len() == 1).await;
    assert!(!acked(&one).await);
    let phone = PatientPatch { phone: Some("+33 6 12 34 99 99".into()), ..PatientPatch::default() };
    world.doctor.edit_patient(one.patient, &phone).await.unwrap();
    api.answer("+33612349999", "ok").await;
    until("a word to who was told of nothing", async || api.said_to("+33612349999").len() == 1).await;
    assert!(!acked(&one).await);
    api.answer("+33612349999", &one.ok()).await;
    until("the patient's own answer", async || acked(&one).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_home_whose_texts_wait_does_not_page_however_often_it_is_heard() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let one = Emergency::high(&world, "DOE Jeanne", [PAUL, ANNA]).await;
    let beat = |sms_waiting| Heartbeat { epoch: one.home.epoch, sms_waiting, ..Heartbeat::default() };
    at(&world, 302);
    one.home.client.heartbeat(&beat(1)).await.unwrap();
    texted(&api, &[ANNA]).await;
    one.home.client.push_facts(&[one.home.raised(Uuid::now_v7(), Priority::Medium)]).await.unwrap();
    assert_eq!(one.pagers(&world).await, ["cloud"]);
    one.home.client.heartbeat(&beat(0)).await.unwrap();
    taken_over(&world, &one, &["cloud", "gateway"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_waits_for_the_api_is_taken_back_when_nobody_needs_it() {
    let api = Api::open().await;
    let world = World::with(SPEED, api.sms.clone()).await;
    let returns = Emergency::high(&world, "A returns", ["+33612340001", "+33612340002"]).await;
    let answered = Emergency::high(&world, "B answered", ["+33612340003", "+33612340004"]).await;
    let one = Emergency::high(&world, "C waits", [PAUL, ANNA]).await;
    api.away(true);
    at(&world, 302);
    for home in [&returns, &answered, &one] {
        taken_over(&world, home, &["cloud"]).await;
    }
    let outbox = world.folder.path().join("sms.sqlite");
    let count = |state: &str| {
        let db = rusqlite::Connection::open(&outbox).unwrap();
        let sql = "SELECT COUNT(*) FROM text WHERE state = ?1 AND reason = 'raised'";
        db.query_row(sql, [state], |row| row.get::<_, u32>(0)).unwrap()
    };
    until("all three texts wait", async || count("queued") == 3).await;
    returns.home.beat().await;
    world.nurse.acknowledge(answered.alert, &Ack::default()).await.unwrap();
    until("two are taken back", async || count("withdrawn") == 2).await;
    api.away(false);
    until("the one that is needed goes out", async || api.said_to(ANNA).len() == 1).await;
    assert!(api.said_to("+33612340002").is_empty() && api.said_to("+33612340004").is_empty());
}
