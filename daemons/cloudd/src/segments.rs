//! The raw readings around alerts: what a gateway may add, and what who may see figures is shown of it.

use std::collections::{BTreeMap, BTreeSet};

use medmon_api::alert::{AlertSegment, RawSeries};
use medmon_api::event::EventKind;
use medmon_api::gateway::SegmentTaken;
use medmon_api::time;
use medmon_core::noun::{Action, Ieee, Reading, Segment, UtcUs, Vital};
use medmon_core::wire::segment as wire;
use rusqlite::Connection;
use uuid::Uuid;

use crate::records::{Caller, Tx, alert, fact, segment};
use crate::refusal::Refusal;

/// An alert that worsens again and again has no more parts.
const MAX_PARTS: i64 = 8;
/// Points of one answer at most; a segment at 100 Hz has half of them.
const MAX_POINTS: usize = 100_000;

/// Time, value and, of acceleration, the axes.
type Point = (UtcUs, f64, Option<[f64; 3]>);

/// Takes a gateway's segment. Who tries it with another's alert is written down: the inner refusal undoes nothing.
pub fn take(tx: &Tx<'_>, gateway: Uuid, sealed: &[u8]) -> Result<Result<SegmentTaken, Refusal>, Refusal> {
    let sent = match wire::open(sealed) {
        Ok(sent) => sent,
        Err(error) => return Ok(Err(Refusal::Invalid(format!("body: {error}")))),
    };
    match alert::owner(tx.db, sent.alert)? {
        Some(owner) if owner == gateway => {}
        owner => {
            if owner.is_some() {
                tx.audit("segment.foreign", sent.alert, None)?;
            }
            return Ok(Err(Refusal::not_found("alert of this gateway", sent.alert)));
        }
    }
    match segment::held(tx.db, sent.alert, sent.part)? {
        Some(before) if before == sealed => return Ok(Ok(SegmentTaken { already_held: true })),
        Some(_) => return Ok(Err(conflict(&sent, "is held with another content"))),
        None => {}
    }
    let row = alert::get(tx.db, sent.alert)?;
    let epoch = fact::fold(tx.db, sent.alert)?.raised().map(|(_, raised)| raised.epoch);
    let same = |epoch| sent.epoch == epoch && sent.readings.iter().all(|reading| reading.epoch == epoch);
    if row.patient.is_none() || !epoch.is_some_and(same) {
        return Ok(Err(conflict(&sent, "is not of the assignment that its alert names")));
    }
    if segment::count(tx.db, sent.alert)? >= MAX_PARTS {
        return Ok(Err(conflict(&sent, "is one too many")));
    }
    segment::hold(tx, gateway, sent.alert, sent.part, sealed)?;
    tx.hint(EventKind::Alert, row.resource(), Some(sent.alert));
    Ok(Ok(SegmentTaken { already_held: false }))
}

fn conflict(sent: &Segment, problem: &str) -> Refusal {
    Refusal::Conflict(format!("part {} of the segment of alert {} {problem}", sent.part, sent.alert))
}

/// The sealed parts of an alert, for who may see its figures.
pub fn parts(db: &Connection, caller: &Caller, id: Uuid) -> Result<Vec<Vec<u8>>, Refusal> {
    let row = alert::get(db, id)?;
    caller.may(Action::ReadAlerts, &row.resource())?;
    caller.may(Action::ReadVitals, &row.resource())?;
    segment::parts(db, id)
}

/// What `parts` show together; `None` = there is none yet. What several parts have is shown once.
pub fn show(parts: &[Vec<u8>]) -> Result<Option<AlertSegment>, Refusal> {
    let parts = parts.iter().map(|sealed| wire::open(sealed)).collect::<Result<Vec<_>, _>>();
    let parts = parts.map_err(Refusal::internal)?;
    let span = parts.iter().map(|part| part.from_us).min().zip(parts.iter().map(|part| part.to_us).max());
    let Some((from_us, to_us)) = span else { return Ok(None) };
    let mut cut = parts.iter().any(|part| part.cut);
    let (mut seen, mut left) = (BTreeSet::new(), MAX_POINTS);
    let mut series: BTreeMap<(Vital, Ieee), Vec<Point>> = BTreeMap::new();
    for reading in parts.iter().flat_map(|part| &part.readings).filter(|reading| seen.insert(reading.id)) {
        let points = points(reading);
        cut |= points.len() > left;
        left = left.saturating_sub(points.len());
        if left > 0 {
            series.entry((reading.vital, reading.device)).or_default().extend(points);
        }
    }
    let series = series.into_iter().map(|((vital, device), mut rows)| {
        rows.sort_by_key(|(at_us, ..)| *at_us);
        let points = rows.iter().map(|(at_us, value, _)| (time(*at_us), *value)).collect();
        let axes = rows.iter().filter_map(|(.., axes)| *axes).collect();
        RawSeries { vital, device, unit: vital.unit().into(), points, axes }
    });
    Ok(Some(AlertSegment { from: time(from_us), to: time(to_us), cut, series: series.collect() }))
}

/// Of a burst the norm of each sample, g, and its axes.
fn points(reading: &Reading) -> Vec<Point> {
    if let Some(value) = reading.scalar() {
        return vec![(reading.utc_us, value, None)];
    }
    let norm = |axes: [f64; 3]| (axes.iter().map(|axis| axis * axis).sum::<f64>().sqrt() * 1000.0).round() / 1000.0;
    reading.samples().map(|(offset, axes)| (reading.utc_us.saturating_add(offset), norm(axes), Some(axes))).collect()
}
