//! `/v1/events`: hints as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::stream::{Stream, StreamExt, iter, unfold};
use medmon_api::event::Event;
use medmon_api::paths;
use medmon_core::noun::{Denied, Role};
use tokio::sync::watch;

use super::App;
use crate::records::Caller;
use crate::refusal::Refusal;

/// How often a silent stream shows that it lives.
const BEAT: Duration = Duration::from_secs(15);
/// A stream ends after so long: whoever listens shows the token again, which may be revoked by then.
const LIFE: Duration = Duration::from_mins(10);

/// Hints that something changed: `alert`, `vitals`, `patient`, and `resync` after too long an absence.
///
/// They carry ids only and only what the caller may know of. Goes on after `Last-Event-ID`; ends by itself after
/// 10 min.
#[utoipa::path(get, path = paths::EVENTS, tag = "events", operation_id = "events", params(("Last-Event-ID" = Option<String>, Header)), responses((status = 200, description = "Hints", content_type = "text/event-stream", body = Event)))]
pub async fn listen(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<SseEvent, Infallible>>>, Refusal> {
    if caller.principal.role == Role::Gateway {
        let action = medmon_core::noun::Action::ReadPatient;
        return Err(Refusal::Forbidden(Denied::Role { role: Role::Gateway, action }));
    }
    let last = match headers.get("Last-Event-ID") {
        None => app.events.newest(),
        Some(value) => value.to_str().ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            Refusal::Invalid("Last-Event-ID: send the id of an event of this stream, a number".into())
        })?,
    };
    app.metrics.listeners.inc();
    let listener =
        Listener { newest: app.events.watch(), last, caller, counted: Counted(app.clone()), app: app.clone() };
    let end = {
        let app = app.clone();
        async move {
            tokio::select! {
                () = tokio::time::sleep(LIFE) => {}
                () = app.shutdown.cancelled() => {}
            }
        }
    };
    let hints = unfold(listener, next).flat_map(iter).take_until(Box::pin(end));
    Ok(Sse::new(hints).keep_alive(KeepAlive::new().interval(BEAT).text("beat")))
}

struct Listener {
    app: App,
    caller: Caller,
    newest: watch::Receiver<u64>,
    last: u64,
    #[expect(dead_code, reason = "counts the listener down when it is dropped")]
    counted: Counted,
}

struct Counted(App);

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.metrics.listeners.dec();
    }
}

/// The next hints; waits while there are none.
async fn next(mut listener: Listener) -> Option<(Vec<Result<SseEvent, Infallible>>, Listener)> {
    loop {
        // Seen first, looked second: a hint in between wakes the next round at once.
        listener.newest.mark_unchanged();
        listener.caller.now_us = listener.app.clock.utc_us();
        let (events, last) = listener.app.events.after(listener.last, &listener.caller);
        listener.last = last;
        if !events.is_empty() {
            let lines = events.iter().filter_map(line).map(Ok).collect();
            return Some((lines, listener));
        }
        listener.newest.changed().await.ok()?;
    }
}

fn line(event: &Event) -> Option<SseEvent> {
    SseEvent::default().id(event.id.to_string()).event(event.kind.name()).json_data(event).ok()
}
