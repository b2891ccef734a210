//! What every medmon program needs and none of them owns: configuration, logging, shutdown, clock, SQLite.

pub mod clock;

pub use clock::Clock;
