//! What a gateway itself calls: enrol, ingest, settings, facts, segments, heartbeat.

use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use medmon_api::frames::{self, MAX_BODY};
use medmon_api::gateway::{
    ContactNow, ContactQuery, Enrol, Enrolled, FactsDown, FactsQuery, Heartbeat, HeartbeatAnswer, IngestQuery, Lane,
    SegmentTaken, StreamHeld, WaitQuery,
};
use medmon_api::paths;
use medmon_core::noun::{Principal, Role};
use medmon_core::wire::segment::MAX_BYTES as MAX_SEGMENT;
use rusqlite::Connection;
use serde_json::Value;
use uuid::Uuid;

use super::App;
use super::extract::{Ask, Body, GatewayCaller, read};
use crate::records::{Caller, contact, fact, gateway, stream};
use crate::refusal::Refusal;
use crate::{alerts, ingest as rules, segments, settings as document};

/// Longest waits of long polls, s.
const MAX_SETTINGS_WAIT_S: u32 = 60;
const MAX_FACTS_WAIT_S: u32 = 30;
/// Holes of one answer at most; the next answer names the next ones.
const MAX_HOLES: usize = 200;

/// A one-time code against a token. The same code and install again give a fresh token, for a lost answer.
#[utoipa::path(post, path = paths::ENROL, tag = "gateway", operation_id = "enrol", security(()), request_body = Enrol, responses((status = 201, description = "The gateway's token, shown once", body = Enrolled)))]
pub async fn enrol(State(app): State<App>, body: Body<Enrol>) -> Result<(StatusCode, Json<Enrolled>), Refusal> {
    let now_us = app.clock.utc_us();
    let enrol = body.value;
    let asked = enrol.clone();
    let found = app.records.read(move |db| gateway::by_code(db, &asked, now_us)).await?;
    // The gateway acts for itself, before it has a principal of its own.
    let principal = Principal {
        id: found.id,
        name: found.name,
        role: Role::Gateway,
        site: found.site,
        ward: None,
        patient: None,
        gateway: Some(found.id),
        expires_us: None,
    };
    let work = move |tx: &crate::records::Tx<'_>| gateway::enrol(tx, &enrol);
    let (gateway, secret) = app.write(Caller { principal, now_us }, work).await?;
    Ok((StatusCode::CREATED, Json(Enrolled { gateway, token: secret.reveal() })))
}

/// Sealed envelopes in, a verdict each out, in order.
///
/// The body is `u32 LE length | envelope` frames: 256 of them and 8 MiB at most. A verdict is `{"verdict": "stored"}`,
/// `already_held`, `quarantined` with a `reason`, or `later` with `seconds`; all but `later` free the envelope.
#[utoipa::path(post, path = paths::INGEST, tag = "gateway", operation_id = "ingest", params(IngestQuery), request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "Frames: u32 LE length, envelope bytes"), responses((status = 200, description = "Verdicts in the order of the envelopes", body = Vec<Object>)))]
pub async fn ingest(
    State(app): State<App>,
    who: GatewayCaller,
    Ask(query): Ask<IngestQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    // Before the body is read: what cannot be taken costs no memory.
    let admitted = app.admission.admit(request.headers(), query.lane)?;
    let (parts, body) = request.into_parts();
    let body = read(&app, &parts.headers, body, MAX_BODY).await?;
    let sealed = frames::decode(&body).map_err(|error| Refusal::Invalid(format!("body: {error}")))?;
    let sealed = sealed.into_iter().map(<[u8]>::to_vec).collect();
    drop(body);
    let verdicts = rules::take(&app, &who.caller, who.gateway, sealed, admitted).await?;
    app.metrics.verdicts(&verdicts);
    Ok(Json(verdicts).into_response())
}

/// The calling gateway's Settings. With `If-None-Match` and `wait_s` it waits for newer ones; 304 = none came.
#[utoipa::path(get, path = paths::SETTINGS, tag = "gateway", operation_id = "settings", params(WaitQuery, ("If-None-Match" = Option<String>, Header)), responses((status = 200, description = "Settings, as the gateway's own document", body = Object, headers(("ETag" = String))), (status = 304, description = "As they were")))]
pub async fn settings(
    State(app): State<App>,
    who: GatewayCaller,
    Ask(query): Ask<WaitQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let have = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let wait_s = query.wait_s.unwrap_or(0).min(MAX_SETTINGS_WAIT_S);
    let gateway = who.gateway;
    let newer = poll(&app, gateway, wait_s, || async {
        let now_us = app.clock.utc_us();
        let settings = app.records.read(move |db| document::build(db, gateway, now_us)).await?;
        let etag = format!("\"{}\"", settings.version);
        Ok((have.as_deref() != Some(&etag)).then_some((etag, settings)))
    });
    Ok(match newer.await? {
        Some((etag, settings)) => ([(ETAG, etag)], Json(settings)).into_response(),
        None => StatusCode::NOT_MODIFIED.into_response(),
    })
}

/// What others said about this gateway's alerts after a cursor. Waits up to `wait_s` while there is nothing.
#[utoipa::path(get, path = paths::FACTS, tag = "gateway", operation_id = "pull_facts", params(FactsQuery), responses((status = 200, description = "Facts and the next cursor", body = FactsDown)))]
pub async fn pull_facts(
    State(app): State<App>,
    who: GatewayCaller,
    Ask(query): Ask<FactsQuery>,
) -> Result<Json<FactsDown>, Refusal> {
    let wait_s = query.wait_s.unwrap_or(0).min(MAX_FACTS_WAIT_S);
    let (gateway, after) = (who.gateway, query.after);
    let newer = poll(&app, gateway, wait_s, || async {
        let (facts, cursor) = app.records.read(move |db| fact::down(db, gateway, after, alerts::PAGE)).await?;
        Ok((!facts.is_empty()).then_some(FactsDown { facts, cursor, refused: Vec::new() }))
    });
    let nothing = FactsDown { cursor: after, ..FactsDown::default() };
    Ok(Json(newer.await?.unwrap_or(nothing)))
}

/// Facts up: a union by id. One that cannot be used is named in the answer and holds back none of the others.
///
/// The answer also brings what others said about this gateway's open alerts, whatever the cursor.
#[utoipa::path(post, path = paths::FACTS, tag = "gateway", operation_id = "push_facts", request_body = Vec<Object>, responses((status = 200, description = "Facts from others", body = FactsDown)))]
pub async fn push_facts(
    State(app): State<App>,
    who: GatewayCaller,
    body: Body<Vec<Value>>,
) -> Result<Json<FactsDown>, Refusal> {
    let (gateway, site) = (who.gateway, who.caller.principal.site);
    app.metrics.facts.inc_by(body.value.len() as u64);
    let work = move |tx: &crate::records::Tx<'_>| {
        gateway::heard_of_alerts(tx, gateway)?;
        alerts::take(tx, gateway, site, &body.value)
    };
    app.write(who.caller, work).await.map(Json)
}

/// A segment: the raw readings around an alert of this gateway, as it was sealed, 256 kB at most.
///
/// The same again changes nothing. What is refused will not be taken later either, unless the cloud is busy.
#[utoipa::path(post, path = paths::SEGMENTS, tag = "gateway", operation_id = "push_segment", request_body(content = Vec<u8>, content_type = "application/octet-stream", description = "A sealed segment"), responses((status = 200, description = "It is durable", body = SegmentTaken)))]
pub async fn push_segment(
    State(app): State<App>,
    who: GatewayCaller,
    request: Request,
) -> Result<Json<SegmentTaken>, Refusal> {
    let _permit = app.admission.admit(request.headers(), Lane::Backlog)?;
    let (parts, body) = request.into_parts();
    let sealed = read(&app, &parts.headers, body, MAX_SEGMENT).await?;
    let gateway = who.gateway;
    app.write(who.caller, move |tx| segments::take(tx, gateway, &sealed)).await?.map(Json)
}

/// A sign of life: confirms the binding whose epoch it names, and which Settings are in force.
#[utoipa::path(post, path = paths::HEARTBEAT, tag = "gateway", operation_id = "heartbeat", request_body = Heartbeat, responses((status = 200, description = "What is newest here", body = HeartbeatAnswer)))]
pub async fn heartbeat(
    State(app): State<App>,
    who: GatewayCaller,
    body: Body<Heartbeat>,
) -> Result<Json<HeartbeatAnswer>, Refusal> {
    let (gateway, now_us) = (who.gateway, who.caller.now_us);
    let work = move |tx: &crate::records::Tx<'_>| {
        gateway::heartbeat(tx, gateway, &body.value)?;
        answer(tx.db, gateway, now_us)
    };
    let (answer, install) = app.write(who.caller, work).await?;
    let mut held: Vec<StreamHeld> = Vec::new();
    for (stream, known) in install.map(|install| app.journal.ledger.of(install)).unwrap_or_default() {
        held.push(StreamHeld { stream, high: known.high(), holes: known.holes().take(MAX_HOLES).collect() });
    }
    // Nothing at all is said, too: after a restore all of it has to come again.
    if held.is_empty() && install.is_some() {
        held.push(StreamHeld::default());
    }
    Ok(Json(HeartbeatAnswer { held, ..answer }))
}

/// Whom this gateway is about to text, as they are known here now. Only a newer epoch forbids the text.
#[utoipa::path(get, path = paths::CONTACT_NOW, tag = "gateway", operation_id = "contact_now", params(ContactQuery), responses((status = 200, description = "The contact", body = ContactNow)))]
pub async fn contact_now(
    State(app): State<App>,
    who: GatewayCaller,
    Ask(query): Ask<ContactQuery>,
) -> Result<Json<ContactNow>, Refusal> {
    app.records.read(move |db| contact::now(db, who.gateway, query.contact)).await.map(Json)
}

/// The answer, but for what is held; and the install it is about.
fn answer(db: &Connection, gateway: Uuid, now_us: i64) -> Result<(HeartbeatAnswer, Option<Uuid>), Refusal> {
    let answer = HeartbeatAnswer {
        settings_version: gateway::settings_version(db, gateway)?,
        utc_us: now_us,
        facts_cursor: fact::cursor(db, gateway)?,
        generation: stream::generation(db)?,
        held: Vec::new(),
    };
    Ok((answer, gateway::install(db, gateway)?.0))
}

/// Looks until there is something, the time is over, or the cloud ends.
async fn poll<T, F>(app: &App, gateway: Uuid, wait_s: u32, look: impl Fn() -> F) -> Result<Option<T>, Refusal>
where
    F: Future<Output = Result<Option<T>, Refusal>>,
{
    let bell = app.bells.of(gateway);
    let waiting = async {
        loop {
            let mut rung = Box::pin(bell.notified());
            // Listening before looking: a change in between rings.
            rung.as_mut().enable();
            if let Some(found) = look().await? {
                return Ok(Some(found));
            }
            rung.await;
        }
    };
    if wait_s == 0 {
        return look().await;
    }
    tokio::select! {
        found = waiting => found,
        () = app.clock.sleep(Duration::from_secs(wait_s.into())) => Ok(None),
        () = app.shutdown.cancelled() => Ok(None),
    }
}
