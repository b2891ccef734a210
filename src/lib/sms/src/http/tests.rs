//! Scripted answers of an API that is not there, and callbacks of one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::IntoResponse;

use super::*;

const SECRET: &str = "6f1d3c0a94b14a5f8e2b7c9d0e1f2a3b";

type Answer = (u16, &'static str, &'static str);

#[derive(Clone, Default)]
struct Api {
    answers: Arc<Mutex<VecDeque<Answer>>>,
    asked: Arc<Mutex<Vec<(String, HeaderMap, String)>>>,
}

impl Api {
    /// `(status, Retry-After or Location, body)`; status 0 never answers.
    async fn start(answers: &[Answer]) -> (Self, String) {
        let api = Self { answers: Arc::new(Mutex::new(answers.iter().copied().collect())), ..Self::default() };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1/texts", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(api.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (api, url)
    }
}

async fn answer(State(api): State<Api>, uri: Uri, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let body = String::from_utf8(body.to_vec()).unwrap();
    api.asked.lock().unwrap().push((uri.to_string(), headers, body));
    let (status, extra, body) = api.answers.lock().unwrap().pop_front().unwrap();
    if status == 0 {
        std::future::pending::<()>().await;
    }
    let name = if (300..400).contains(&status) { "location" } else { "retry-after" };
    (StatusCode::from_u16(status).unwrap(), [(name, extra)], body.to_owned())
}

fn sms() -> Sms {
    Sms { id: "key-1".into(), to: "+33639981001".into(), text: "medmon 4821: é € ê +".into() }
}

fn options(url: &str) -> HttpOptions {
    HttpOptions {
        url: url.into(),
        token: Some("s3cret".into()),
        timeout: Duration::from_secs(20),
        ..HttpOptions::default()
    }
}

#[tokio::test]
async fn answers_are_told_apart() {
    let date = "Thu, 01 Jan 1970 00:01:40 GMT";
    let answers = [
        (200, "", r#"{"id":"abc"}"#),
        (202, "", r#"{"id":17}"#),
        (200, "", "thanks"),
        (429, "7", "slow"),
        (503, date, ""),
        (500, "", "oops"),
        (401, "", ""),
        (403, "", ""),
        (307, "http://127.0.0.1:1/elsewhere", ""),
        (400, "", "bad number"),
        (422, "", "no such phone"),
        (404, "", ""),
        (504, "", ""),
        (0, "", ""),
    ];
    let (api, url) = Api::start(&answers).await;
    // Twenty seconds pass in a fifth of one; it is midnight, 1 January 1970.
    let channel = HttpChannel::start(options(&url), Clock::scaled(100.0, 0)).unwrap();
    let mut outcomes = Vec::new();
    for _ in answers {
        outcomes.push(channel.send(&sms()).await);
    }
    let sent = |reference: &str| Outcome::Sent { reference: reference.into() };
    assert_eq!(outcomes[..3], [sent("abc"), sent("17"), sent("key-1")]);
    let wait = |outcome: &Outcome| match outcome {
        Outcome::Unavailable { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
        other => panic!("{other:?}"),
    };
    assert_eq!(wait(&outcomes[3]), Some(7));
    assert!(matches!(wait(&outcomes[4]), Some(80..=100)), "{:?}", outcomes[4]);
    assert_eq!(outcomes[5..9].iter().map(wait).collect::<Vec<_>>(), [None; 4]);
    assert!(outcomes[9..12].iter().all(|outcome| matches!(outcome, Outcome::Rejected { .. })), "{outcomes:?}");
    assert_eq!(outcomes[12..], [Outcome::MaybeSent, Outcome::MaybeSent]);
    let asked = api.asked.lock().unwrap();
    assert_eq!(asked.len(), answers.len(), "nothing was followed or repeated");
    for (uri, headers, body) in asked.iter() {
        assert_eq!(
            (uri.as_str(), body.as_str()),
            ("/v1/texts", r#"{"to":"+33639981001","text":"medmon 4821: é € ê +"}"#)
        );
        assert_eq!(
            (&headers["authorization"], &headers["idempotency-key"]),
            (&"Bearer s3cret".parse().unwrap(), &"key-1".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn what_cannot_have_left_is_not_in_doubt_and_what_may_have_is() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = HttpChannel::start(options(&format!("http://{free}/")), Clock::system()).unwrap();
    assert!(matches!(refused.send(&sms()).await, Outcome::Unavailable { .. }));
    let no_name = HttpChannel::start(options("http://name.invalid/"), Clock::system()).unwrap();
    assert!(matches!(no_name.send(&sms()).await, Outcome::Unavailable { .. }));
    let (_, url) = Api::start(&[]).await;
    let no_tls = HttpChannel::start(options(&url.replace("http:", "https:")), Clock::system()).unwrap();
    let outcome = no_tls.send(&sms()).await;
    assert!(matches!(outcome, Outcome::Unavailable { .. }), "{outcome:?}");
    // It takes the request, and hangs up.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        tokio::io::AsyncReadExt::read(&mut stream, &mut [0; 64]).await.unwrap();
    });
    let hangs_up = HttpChannel::start(options(&url), Clock::system()).unwrap();
    assert_eq!(hangs_up.send(&sms()).await, Outcome::MaybeSent);
}

#[tokio::test]
async fn a_new_token_needs_no_restart_and_a_lost_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    let (api, url) = Api::start(&[(200, "", "{}"), (200, "", "{}")]).await;
    let text = format!("url = \"{url}\"\ntoken_file = \"{}\"", file.display());
    let channel = toml::from_str::<HttpConfig>(&text).unwrap().open(Clock::system()).unwrap();
    let outcome = channel.send(&sms()).await;
    assert!(matches!(&outcome, Outcome::Unavailable { reason, .. } if reason.contains("token_file")), "{outcome:?}");
    for token in ["one\n", "two\n"] {
        std::fs::write(&file, token).unwrap();
        assert!(matches!(channel.send(&sms()).await, Outcome::Sent { .. }));
    }
    let asked: Vec<_> =
        api.asked.lock().unwrap().iter().map(|(_, headers, _)| headers["authorization"].clone()).collect();
    assert_eq!(asked, ["Bearer one", "Bearer two"]);
}

#[test]
fn a_bad_configuration_names_key_value_and_remedy() {
    let check = |text: &str| match toml::from_str::<HttpConfig>(text) {
        Ok(config) => config.check().map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let url = "url = \"https://sms.example/\"";
    assert_eq!(check(url), Ok(()));
    let all = format!(
        "{url}\nkind = \"kannel\"\ntoken_file = \"/t\"\nfrom = \"medmon\"\ntimeout_s = 5\n\
         callback_listen = \"127.0.0.1:8085\"\ncallback_url = \"https://here.example/sms/{SECRET}\""
    );
    assert_eq!(check(&all), Ok(()));
    for (bad, named) in [
        ("url = \"sms.example\"", "sms.http.url = \"sms.example\": "),
        ("url = \"ftp://sms.example\"", "write an http or https address"),
        (&format!("{url}\ntimeout_s = 0"), "sms.http.timeout_s = \"0\": write 1 to 60 seconds"),
        (&format!("{url}\ntoken = \"x\""), "unknown field `token`"),
        (&format!("{url}\nkind = \"smpp\""), "unknown variant `smpp`"),
        (&format!("{url}\ncallback_listen = \"127.0.0.1:1\""), "sms.http.callback_url = nothing: "),
        (&format!("{url}\ncallback_url = \"https://here.example/{SECRET}\""), "sms.http.callback_listen = nothing: "),
        (&all.replace(SECRET, "sms"), "openssl rand -hex 16"),
        (&all.replace(SECRET, &format!("{SECRET}?x=1")), "openssl rand -hex 16"),
    ] {
        let error = check(bad).expect_err(bad);
        assert!(error.contains(named), "{error}");
    }
    let shown = format!("{:?}", HttpOptions { callback_url: Some(SECRET.into()), ..options("http://x/") });
    assert!(!shown.contains("s3cret") && !shown.contains(SECRET), "{shown}");
}

#[tokio::test]
async fn a_port_that_is_taken_is_refused_before_anything_is_sent() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let callback_url = Some(format!("http://127.0.0.1/{SECRET}"));
    let options =
        HttpOptions { callback_url, callback_listen: taken.local_addr().ok(), ..options("http://127.0.0.1:1/") };
    let error = HttpChannel::start(options, Clock::system()).unwrap_err();
    assert_eq!(error.key, "callback_listen");
}

/// A channel that listens, a client, and the address of its callback.
fn listening(clock: Clock) -> (HttpChannel, reqwest::Client, String) {
    let options = HttpOptions {
        callback_url: Some(format!("http://127.0.0.1/{SECRET}")),
        callback_listen: Some(([127, 0, 0, 1], 0).into()),
        ..options("http://127.0.0.1:1/")
    };
    let channel = HttpChannel::start(options, clock).unwrap();
    let url = format!("http://{}/sms/{SECRET}", channel.callback_address().unwrap());
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    (channel, http, url)
}

#[tokio::test]
async fn nothing_is_heard_without_the_secret() {
    let (channel, http, url) = listening(Clock::system());
    let forged = r#"{"from":"+33639981001","text":"OK 4821"}"#;
    for wrong in
        [url.replace(SECRET, ""), url.replace("6f1d", "6f1e"), format!("{url}0"), url[..url.len() - 1].to_owned()]
    {
        let post = http.post(&wrong).body(forged).send().await.unwrap();
        let get = http.get(format!("{wrong}?from=%2B33639981001&text=OK")).send().await.unwrap();
        assert_eq!((post.status(), get.status()), (StatusCode::FORBIDDEN, StatusCode::FORBIDDEN), "{wrong}");
    }
    for (body, status) in
        [("", 400), ("[]", 400), ("{\"from\":1}", 400), ("not json", 400), (&"x".repeat(17 << 10), 413)]
    {
        assert_eq!(http.post(&url).body(body.to_owned()).send().await.unwrap().status(), status, "{body:.20}");
    }
    let nothing = tokio::time::timeout(Duration::from_millis(1), channel.receive()).await;
    assert!(nothing.is_err(), "{nothing:?}");
}

#[tokio::test]
async fn reports_and_answers_come_in_in_either_dialect() {
    let (channel, http, url) = listening(Clock::system());
    let delivery = |reference: &str, delivered| Incoming::Delivery { reference: reference.into(), delivered };
    let paul = |text: &str| Incoming::Text { from: "+33639981001".into(), text: text.into() };
    let post = |body: &'static str| http.post(&url).body(body);
    let get = |query: &str| http.get(format!("{url}?{query}"));
    // What tells nothing is answered at once.
    for quiet in [post(r#"{"id":"a","state":"queued"}"#), get("id=a&state=8")] {
        assert_eq!(quiet.send().await.unwrap().status(), 200);
    }
    for (request, incoming) in [
        (post(r#"{"id":"a","state":"delivered"}"#), delivery("a", true)),
        (post(r#"{"id":12,"state":"FAILED","reason":{"x":[1]}}"#), delivery("12", false)),
        (post(r#"{"from":"+33639981001","text":"OK 4821 é"}"#), paul("OK 4821 é")),
        (get("id=a&state=1"), delivery("a", true)),
        (get("id=a&state=16"), delivery("a", false)),
        (get("from=%2B33639981001&text=OK+4821+%C3%A9"), paul("OK 4821 é")),
    ] {
        let answer = tokio::spawn(async move { request.send().await.unwrap().status() });
        assert_eq!(channel.receive().await, incoming);
        assert!(!answer.is_finished(), "it is not taken care of yet");
        let next = channel.receive();
        tokio::select! {
            _ = next => unreachable!(),
            status = answer => assert_eq!(status.unwrap(), 200),
        }
    }
}

#[tokio::test]
async fn what_nobody_takes_is_asked_for_again_and_a_flood_is_refused() {
    // Ten seconds pass in a tenth of one.
    let (channel, http, url) = listening(Clock::scaled(100.0, 0));
    let said = || http.get(format!("{url}?from=Paul&text=OK")).send();
    assert_eq!(said().await.unwrap().status(), 503);
    let again = tokio::spawn(said());
    assert_eq!(channel.receive().await, Incoming::Text { from: "Paul".into(), text: "OK".into() }, "once, not twice");
    drop(channel);
    drop(again);

    let (_channel, http, url) = listening(Clock::scaled(0.001, 0));
    let mut statuses = Vec::new();
    for _ in 0..110 {
        statuses.push(http.get(format!("{url}?id=a&state=4")).send().await.unwrap().status().as_u16());
    }
    assert_eq!((statuses.iter().filter(|status| **status == 200).count(), statuses[109]), (100, 429));
}
