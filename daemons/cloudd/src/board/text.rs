//! A row of the board as JSON that is written once, with holes for what grows old (section, ages, staleness) and for
//! when the gateway was heard.
//!
//! What a row has beside them changes once a minute; a screen asks every few seconds.

use std::ops::Range;

use medmon_api::board::{BoardGateway, BoardRow, Section};
use medmon_core::noun::UtcUs;
use serde::Serialize;

use crate::refusal::Refusal;

/// A row, and what fills its holes.
#[derive(Debug)]
pub struct Text {
    /// [`VitalsStore::recent_version`](crate::vitals::VitalsStore::recent_version) of what is in it.
    pub version: u64,
    /// Whether a feeling is in it.
    pub feeling: bool,
    /// When each vital was read, and after how many seconds it is too old.
    vitals: Vec<(UtcUs, u64)>,
    json: String,
    holes: Vec<Range<usize>>,
}

impl Text {
    /// A row, whatever is in its holes. `vitals`: when each of its vitals was read, and after how many seconds it is too old.
    pub fn of(row: &BoardRow, version: u64, vitals: Vec<(UtcUs, u64)>) -> Result<Self, Refusal> {
        let json = serde_json::to_string(row).map_err(Refusal::internal)?;
        // Inside a string a quotation mark is escaped: these are found as keys only.
        let of_vitals = vitals.iter().flat_map(|_| ["\"age_s\":", "\"stale\":"]);
        let of_gateway = row.gateway.iter().flat_map(|_| ["\"last_heard_at\":", "\"heard_age_s\":"]);
        let mut holes = Vec::with_capacity(3 + 2 * vitals.len());
        for key in std::iter::once("\"section\":").chain(of_vitals).chain(of_gateway) {
            let from = holes.last().map_or(0, |hole: &Range<usize>| hole.end);
            let hole = json[from..].find(key).and_then(|at| {
                let start = from + at + key.len();
                Some(start..start + json[start..].find([',', '}'])?)
            });
            holes.push(hole.ok_or_else(|| Refusal::internal(format!("a row of the board has no {key}")))?);
        }
        Ok(Self { version, feeling: row.feeling.is_some(), vitals, json, holes })
    }

    /// Whether there is a vital.
    pub fn has_vitals(&self) -> bool {
        !self.vitals.is_empty()
    }

    /// Whether a vital is too old.
    pub fn is_stale(&self, now_us: UtcUs) -> bool {
        self.ages(now_us).any(|(_, stale)| stale)
    }

    fn ages(&self, now_us: UtcUs) -> impl Iterator<Item = (u64, bool)> {
        self.vitals.iter().map(move |(at_us, stale_after_s)| {
            let age_s = age_s(*at_us, now_us);
            (age_s, age_s > *stale_after_s)
        })
    }

    /// Bytes to make room for.
    pub fn room(&self) -> usize {
        self.json.len() + 64
    }

    /// Writes the row as it is at `now_us`, its gateway being `gateway`.
    pub fn write(
        &self,
        section: Section,
        gateway: Option<&BoardGateway>,
        now_us: UtcUs,
        out: &mut Vec<u8>,
    ) -> Result<(), Refusal> {
        let mut holes = self.holes.iter();
        let mut from = 0;
        let mut fill = |out: &mut Vec<u8>| {
            let hole = holes.next().cloned().unwrap_or(from..from);
            out.extend_from_slice(&self.json.as_bytes()[from..hole.start]);
            from = hole.end;
        };
        fill(out);
        put(out, &section)?;
        for (age_s, stale) in self.ages(now_us) {
            fill(out);
            put(out, &age_s)?;
            fill(out);
            put(out, &stale)?;
        }
        if let Some(gateway) = gateway {
            fill(out);
            put(out, &gateway.last_heard_at)?;
            fill(out);
            put(out, &gateway.last_heard_at.map(|at| age_s(at.as_microsecond(), now_us)))?;
        }
        out.extend_from_slice(&self.json.as_bytes()[from..]);
        Ok(())
    }
}

/// How long ago something was, s.
fn age_s(at_us: UtcUs, now_us: UtcUs) -> u64 {
    (now_us - at_us).max(0) as u64 / 1_000_000
}

fn put(out: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Refusal> {
    serde_json::to_writer(out, value).map_err(Refusal::internal)
}
