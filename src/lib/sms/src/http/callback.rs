//! The listener: what became of texts, and what people answer, as the API tells it.
//!
//! Whoever forges an answer silences an alarm: without the secret in the address nothing is heard. What nobody took
//! care of is refused with 503, so that the API tells it again.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, RawQuery, State};
use axum::http::header::RETRY_AFTER;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use medmon_kit::Clock;
use serde_json::Value;
use tokio_util::task::AbortOnDropHandle;

use super::HttpError;
use crate::channel::Incoming;
use crate::inbox::Inlet;

/// More than any text, and any report around it.
const BODY_MAX: usize = 16 << 10;
/// Within this somebody takes care of what came in.
const TAKEN: Duration = Duration::from_secs(10);
/// So many at once, and so many a second for long.
const RATE: (f64, f64) = (100.0, 20.0);

struct Listener {
    secret: String,
    inlet: Inlet,
    clock: Clock,
    /// What may still come at once, and when that was counted, monotonic µs.
    budget: Mutex<(f64, i64)>,
}

/// Binds, and listens until the handle is dropped.
pub(super) fn listen(
    address: SocketAddr,
    secret: String,
    inlet: Inlet,
    clock: Clock,
) -> Result<(SocketAddr, AbortOnDropHandle<()>), HttpError> {
    let taken = |error: std::io::Error| {
        let problem = format!("cannot listen there: {error}; write a free port of this machine");
        HttpError::new("callback_listen", &address.to_string(), &problem)
    };
    let socket = std::net::TcpListener::bind(address).map_err(taken)?;
    socket.set_nonblocking(true).map_err(taken)?;
    let socket = tokio::net::TcpListener::from_std(socket).map_err(taken)?;
    let bound = socket.local_addr().map_err(taken)?;
    let budget = Mutex::new((RATE.0, clock.mono_us()));
    let listener = Arc::new(Listener { secret, inlet, clock, budget });
    let router =
        Router::new().fallback(get(hear).post(hear)).layer(DefaultBodyLimit::max(BODY_MAX)).with_state(listener);
    let task = tokio::spawn(async move {
        if let Err(error) = axum::serve(socket, router).await {
            tracing::error!(%error, "sms.http.callback_listen: nothing comes in any more");
        }
    });
    Ok((bound, AbortOnDropHandle::new(task)))
}

async fn hear(State(listener): State<Arc<Listener>>, uri: Uri, RawQuery(query): RawQuery, body: Bytes) -> Response {
    let given = uri.path().rsplit('/').next().unwrap_or_default();
    if !same(given, &listener.secret) {
        tracing::warn!("sms.http: a callback without the secret is refused");
        return StatusCode::FORBIDDEN.into_response();
    }
    if !listener.admits() {
        return (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "1")]).into_response();
    }
    let said = if body.is_empty() { Said::query(&query.unwrap_or_default()) } else { Said::json(&body) };
    let incoming = match said.map(Said::meaning) {
        Some(Some(Meaning::News(incoming))) => incoming,
        Some(Some(Meaning::Nothing)) => return StatusCode::OK.into_response(),
        _ => return (StatusCode::BAD_REQUEST, "neither {\"from\",\"text\"} nor {\"id\",\"state\"}").into_response(),
    };
    if let Some(taken) = listener.inlet.offer(incoming)
        && let Some(Ok(())) = listener.clock.timeout(TAKEN, taken).await
    {
        return StatusCode::OK.into_response();
    }
    tracing::warn!("sms.http: nobody takes what comes in; the API is asked to tell it again");
    (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "5")]).into_response()
}

impl Listener {
    fn admits(&self) -> bool {
        let now = self.clock.mono_us();
        let mut budget = self.budget.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = (now - budget.1) as f64 / 1e6 * RATE.1;
        *budget = ((budget.0 + earned).min(RATE.0), now);
        let admits = budget.0 >= 1.0;
        if admits {
            budget.0 -= 1.0;
        }
        admits
    }
}

/// In a time that does not tell how much of it was right.
fn same(given: &str, secret: &str) -> bool {
    let differs = given.bytes().zip(secret.bytes()).fold(0, |differs, (given, own)| differs | (given ^ own));
    given.len() == secret.len() && differs == 0
}

/// What an API says, in whichever form.
#[derive(Default)]
struct Said {
    from: Option<String>,
    text: Option<String>,
    id: Option<String>,
    state: Option<String>,
}

enum Meaning {
    News(Incoming),
    /// On its way, and the like.
    Nothing,
}

impl Said {
    fn query(query: &str) -> Option<Self> {
        // Only a whole address is taken apart by the library.
        let url = reqwest::Url::parse(&format!("http://localhost/?{query}")).ok()?;
        let mut said = Self::default();
        for (name, value) in url.query_pairs() {
            said.set(&name, value.into_owned());
        }
        Some(said)
    }

    fn json(body: &[u8]) -> Option<Self> {
        let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return None };
        let mut said = Self::default();
        for (name, value) in fields {
            match value {
                Value::String(text) => said.set(&name, text),
                Value::Number(number) => said.set(&name, number.to_string()),
                _ => {}
            }
        }
        Some(said)
    }

    fn set(&mut self, name: &str, value: String) {
        let place = match name {
            "from" => &mut self.from,
            "text" => &mut self.text,
            "id" => &mut self.id,
            "state" => &mut self.state,
            _ => return,
        };
        *place = Some(value);
    }

    fn meaning(self) -> Option<Meaning> {
        match self {
            Self { id: Some(reference), state: Some(state), .. } => {
                // Words of APIs; numbers of Kannel's %d.
                let delivered = match state.to_ascii_lowercase().as_str() {
                    "delivered" | "1" => true,
                    "failed" | "undelivered" | "undeliverable" | "rejected" | "expired" | "deleted" | "2" | "16" => {
                        false
                    }
                    _ => return Some(Meaning::Nothing),
                };
                Some(Meaning::News(Incoming::Delivery { reference, delivered }))
            }
            Self { from: Some(from), text: Some(text), .. } => Some(Meaning::News(Incoming::Text { from, text })),
            _ => None,
        }
    }
}
