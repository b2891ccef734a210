//! Analyses of what was measured: pure functions from readings to figures. Not for: detecting (detect), nor who may see
//! what (the cloud).

pub mod glucose;
