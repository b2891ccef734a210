//! Vitals of a patient: over a span, and the newest of each. A patient's record is the sum of its assignments.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use medmon_api::vitals::{Latest, MAX_POINTS, Series, SeriesQuery};
use medmon_api::{paths, time};
use medmon_core::noun::{Action, Assignment, Settings, UtcUs, Vital};
use uuid::Uuid;

use super::App;
use super::extract::{Ask, At};
use super::patients::may;
use crate::records::{Caller, assignment, device};
use crate::refusal::Refusal;
use crate::vitals::recent::latest as newest;
use crate::vitals::series;

/// Longest span of one answer: a leap year.
const MAX_SPAN_US: UtcUs = 366 * 86_400_000_000;
/// The span when nothing is asked.
const DEFAULT_SPAN_US: UtcUs = 86_400_000_000;

/// The newest value of each vital.
#[utoipa::path(get, path = paths::VITALS_LATEST, tag = "vitals", operation_id = "latest_vitals", params(("id" = Uuid, Path)), responses((status = 200, description = "By vital", body = Vec<Latest>)))]
pub async fn latest(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<Json<Vec<Latest>>, Refusal> {
    let now_us = caller.now_us;
    let (assignments, settings) = read_record(&app, caller, id).await?;
    let subject = assignments.iter().find(|row| row.to_us.is_none()).map(|row| row.subject);
    let recent = subject.map(|subject| app.vitals.recent(subject)).unwrap_or_default();
    let values = recent.iter().filter_map(|(vital, windows)| newest(*vital, windows, &settings, now_us));
    Ok(Json(values.collect()))
}

/// One vital over a span. Holes are in `gaps`, never bridged by points.
#[utoipa::path(get, path = paths::VITALS, tag = "vitals", operation_id = "vital_series", params(("id" = Uuid, Path), ("vital" = String, Path), SeriesQuery), responses((status = 200, description = "Points and gaps", body = Series)))]
pub async fn series(
    State(app): State<App>,
    caller: Caller,
    At((id, vital)): At<(Uuid, String)>,
    Ask(query): Ask<SeriesQuery>,
) -> Result<Json<Series>, Refusal> {
    let vital = named(&vital)?;
    let until_us = query.until.map_or(caller.now_us, jiff::Timestamp::as_microsecond);
    let since_us = query.since.map_or(until_us.saturating_sub(DEFAULT_SPAN_US), jiff::Timestamp::as_microsecond);
    let step_s = step(&query, vital, since_us, until_us)?;
    let (assignments, settings) = read_record(&app, caller, id).await?;
    let (mut windows, mut gaps) = (Vec::new(), Vec::new());
    // Oldest first, and each assignment only for its own time: its windows reach over its ends by a span at most.
    for row in assignments.iter().rev() {
        let (from_us, to_us) = (since_us, until_us);
        let more = app.vitals.range(row.subject, vital, from_us, to_us).await.map_err(Refusal::internal)?;
        if windows.is_empty() {
            windows = more;
        } else {
            windows.extend(more);
            windows.sort_by_key(|window| (window.start_us, window.span_s));
        }
        gaps.extend(app.vitals.gaps(row.subject, vital, from_us, to_us).await.map_err(Refusal::internal)?);
    }
    if step_s.is_none() && windows.len() > MAX_POINTS {
        let problem = format!("{} points in this span, {MAX_POINTS} at most; give step_s", windows.len());
        return Err(Refusal::Invalid(problem));
    }
    let silence_us = i64::from(settings.silence_s(vital)) * 1_000_000;
    Ok(Json(Series {
        patient: id,
        vital,
        unit: vital.unit().into(),
        since: time(since_us),
        until: time(until_us),
        step_s,
        coverage: series::coverage(vital, &windows, since_us, until_us, &settings),
        points: series::points(vital, &windows, step_s, &settings),
        gaps: series::holes(&windows, &gaps, since_us, until_us, silence_us),
    }))
}

/// Erases all vitals of a patient for good, out of every file. They must not be bound to a gateway. Backups keep what they
/// hold until they are let go.
#[utoipa::path(delete, path = paths::PATIENT_VITALS, tag = "vitals", operation_id = "erase_vitals", params(("id" = Uuid, Path)), responses((status = 204, description = "Erased")))]
pub async fn erase(State(app): State<App>, caller: Caller, At(id): At<Uuid>) -> Result<StatusCode, Refusal> {
    // A task of its own: a connection that ends must not leave it half done until the next start.
    let task = tokio::spawn(async move { crate::erase::vitals(&app, caller, id).await });
    task.await.map_err(Refusal::internal)?.map(|()| StatusCode::NO_CONTENT)
}

/// The vital of a path.
pub fn named(name: &str) -> Result<Vital, Refusal> {
    Vital::by_name(name).ok_or_else(|| {
        let known: Vec<_> = medmon_core::noun::vital::VITALS.iter().map(|row| row.name).collect();
        Refusal::Invalid(format!("vital = {name}: write one of {}", known.join(", ")))
    })
}

/// The step in force: never finer than the vital's windows, whose points would pretend to be holes.
fn step(query: &SeriesQuery, vital: Vital, since_us: UtcUs, until_us: UtcUs) -> Result<Option<u32>, Refusal> {
    if since_us >= until_us || until_us - since_us > MAX_SPAN_US {
        let (since, until) = (time(since_us), time(until_us));
        return Err(Refusal::Invalid(format!("since = {since}, until = {until}: give a span of up to 366 days")));
    }
    let Some(step_s) = query.step_s else { return Ok(None) };
    let step_s = step_s.max(vital.info().map_or(1, |row| row.window_s)).max(1);
    let points = (until_us - since_us) / (i64::from(step_s) * 1_000_000);
    if points > MAX_POINTS as i64 {
        return Err(Refusal::Invalid(format!("step_s = {step_s}: {points} points, {MAX_POINTS} at most; give more")));
    }
    Ok(Some(step_s))
}

/// A patient's assignments, newest first, and what judges the age of values.
async fn read_record(app: &App, caller: Caller, id: Uuid) -> Result<(Vec<Assignment>, Settings), Refusal> {
    let read = move |db: &rusqlite::Connection| {
        may(db, &caller, Action::ReadVitals, id)?;
        let settings = Settings { cadences: device::cadences(db, id)?, ..Settings::default() };
        Ok((assignment::list(db, id)?, settings))
    };
    app.records.read(read).await
}
