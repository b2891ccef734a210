//! The medmon client.
fn main() {}
