//! medmon's pure core: the nouns, what detectors and analyses compute, the wire format, the texts.
//!
//! Nothing here opens a socket, a file or a clock: time and randomness come in as arguments.

pub mod analysis;
pub mod detect;
pub mod ladder;
pub mod noun;
pub mod text;
pub mod wire;
