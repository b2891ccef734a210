//! Formats laid out by hand, with golden files kept for ever: a format derived from a struct reads a newer struct
//! as wrong values.

mod bits;
pub mod envelope;
pub mod reading;
pub mod segment;
mod varint;

pub use varint::{Malformed, Reader, Writer};
