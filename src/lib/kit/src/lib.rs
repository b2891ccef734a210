//! What every medmon program needs and none of them owns: configuration, logging, shutdown, clock, SQLite.

pub mod clock;
pub mod config;
pub mod log;
pub mod logging;
pub mod service;
pub mod sqlite;

pub use clock::Clock;
pub use sqlite::Database;
