//! medmon's HTTP API: what travels (one file per resource), where ([`paths`]) and a typed client ([`Client`]).
//!
//! Times are RFC 3339 UTC and units stand in names, except in what gateways exchange with the cloud: those are the
//! core's own documents (Settings, Fact, Verdict). Unknown fields are ignored on both sides.

pub mod alert;
pub mod assignment;
pub mod board;
pub mod client;
pub mod contact;
pub mod event;
pub mod feeling;
pub mod frames;
pub mod gateway;
pub mod limits;
pub mod page;
pub mod paths;
pub mod patient;
pub mod problem;
pub mod quarantine;
pub mod report;
pub mod token;
pub mod vitals;
pub mod ward;

pub use client::{Client, Error, ErrorKind};
pub use page::{Page, PageQuery};
pub use problem::Problem;

/// Microseconds UTC, as stored, as a time of the API. What lies outside years -9999..9999 becomes the nearest end.
pub fn time(utc_us: i64) -> jiff::Timestamp {
    let end = if utc_us < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_microsecond(utc_us).unwrap_or(end)
}
