//! What one vital amounted to over a span, for each patient of a ward: one look for a round, a report, a chart of many.

use axum::Json;
use axum::extract::State;
use medmon_api::vitals::{Totals, TotalsQuery, TotalsRow};
use medmon_api::{paths, time};
use medmon_core::noun::{Action, Resource, UtcUs, Vital};
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::App;
use super::extract::{Ask, At};
use super::vitals::named;
use crate::records::{Caller, all, key, maybe_uuid, uuid};
use crate::refusal::Refusal;
use crate::vitals::Total;

/// The span when nothing is asked.
const DEFAULT_SPAN_US: UtcUs = 86_400_000_000;
/// Patients of one answer at most.
const MAX_PATIENTS: usize = 10_000;

/// One vital of every patient that the caller may see figures of, by name; those without data have a count of 0.
#[utoipa::path(get, path = paths::VITAL_TOTALS, tag = "vitals", operation_id = "vital_totals", params(("vital" = String, Path), TotalsQuery), responses((status = 200, description = "A row a patient", body = Totals)))]
pub async fn show(
    State(app): State<App>,
    caller: Caller,
    At(vital): At<String>,
    Ask(query): Ask<TotalsQuery>,
) -> Result<Json<Totals>, Refusal> {
    let vital = named(&vital)?;
    let until_us = query.until.map_or(caller.now_us, jiff::Timestamp::as_microsecond);
    let since_us = query.since.map_or(until_us.saturating_sub(DEFAULT_SPAN_US), jiff::Timestamp::as_microsecond);
    if since_us >= until_us {
        let (since, until) = (time(since_us), time(until_us));
        return Err(Refusal::Invalid(format!("since = {since}, until = {until}: give a span that is not empty")));
    }
    let patients = app.records.read(move |db| list(db, &caller, query.ward, since_us, until_us)).await?;
    let subjects: Vec<Uuid> = patients.iter().map(|(_, _, subject)| *subject).collect();
    let found = app.vitals.totals(&subjects, vital, since_us, until_us).await.map_err(Refusal::internal)?;
    // Whoever had two assignments in the span has one row.
    let mut rows: Vec<(Uuid, String, Total)> = Vec::new();
    for ((patient, name, _), total) in patients.into_iter().zip(found) {
        match rows.last_mut() {
            Some((last, _, whole)) if *last == patient => whole.merge(&total),
            _ => rows.push((patient, name, total)),
        }
    }
    let span_ms = ((until_us - since_us) / 1000) as f64;
    let rows = rows.into_iter().map(|(patient, name, total)| row(vital, patient, name, &total, span_ms));
    let unit = vital.unit().into();
    Ok(Json(Totals { vital, unit, since: time(since_us), until: time(until_us), rows: rows.collect() }))
}

fn row(vital: Vital, patient: Uuid, name: String, total: &Total, span_ms: f64) -> TotalsRow {
    let some = total.count > 0;
    TotalsRow {
        patient,
        name,
        min: some.then(|| vital.to_value(total.min)),
        max: some.then(|| vital.to_value(total.max)),
        mean: some.then(|| total.sum as f64 / total.count as f64 / vital.scale()),
        count: total.count,
        suspect: total.suspect,
        coverage: (total.covered_ms as f64 / span_ms).min(1.0),
    }
}

/// Patients with the subjects of their assignments in the span, in one statement; `may` decides on each.
fn list(
    db: &Connection,
    caller: &Caller,
    ward: Option<Uuid>,
    since_us: UtcUs,
    until_us: UtcUs,
) -> Result<Vec<(Uuid, String, Uuid)>, Refusal> {
    let who = &caller.principal;
    let sql = "SELECT p.id, p.name, p.ward, a.subject FROM patient p JOIN assignment a ON a.patient = p.id
               WHERE p.site = ?1 AND (?2 IS NULL OR p.ward = ?2) AND (?3 IS NULL OR p.ward = ?3)
                 AND (?4 IS NULL OR p.id = ?4) AND p.archived_us IS NULL
                 AND a.from_us < ?6 AND (a.to_us IS NULL OR a.to_us > ?5)
               ORDER BY p.name, p.id LIMIT ?7";
    let narrow = params![
        key(who.site),
        who.ward.map(key),
        ward.map(key),
        who.patient.map(key),
        since_us,
        until_us,
        MAX_PATIENTS as i64
    ];
    let rows = all(db, sql, narrow, |row| {
        let ward = maybe_uuid(row, "ward")?;
        Ok((uuid(row, "id")?, row.get::<_, String>("name")?, ward, uuid(row, "subject")?))
    })?;
    let may = |patient, ward| caller.can(Action::ReadVitals, &Resource::of_patient(who.site, ward, patient));
    Ok(rows
        .into_iter()
        .filter(|(patient, _, ward, _)| may(*patient, *ward))
        .map(|(patient, name, _, subject)| (patient, name, subject))
        .collect())
}
