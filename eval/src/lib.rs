//! How well medmon's detectors do on recordings of people they have not seen: `cargo xtask eval`.
//!
//! Runs the real detectors of `medmon-core` over a folder of recordings, prints tables and writes what was found, so
//! that anybody can repeat the figures. Not for: what a detector does (core), nor synthetic patients (sim).

pub mod falls;
pub mod figures;
pub mod glucose;
pub mod heart_rate;
pub mod home;
pub mod table;
pub mod temperature;
