//! The other side of every wire medmon has: virtual patients, the Zigbee dongle and the GSM modem they are heard
//! through, the relatives who answer, the internet connection of a home, and recordings played back.
//!
//! It shares no codec with the gateway on purpose: a mistake made on both sides would be no mistake at all.
//! Not for: asserting what the gateway must do (tests and the demo compare `Expected` with what came out).

pub mod air;
pub mod dongle;
pub mod home;
pub mod link;
pub mod modem;
pub mod patient;
pub mod pty;
pub mod relative;
pub mod replay;
pub mod scenario;

pub use dongle::{Announced, DeviceSpec, Dongle, DongleCounters, DongleOptions, LineFaults};
pub use home::{HomeCounts, run_home};
pub use link::{Fault, Link};
pub use modem::{Modem, ModemFaults, ModemOptions, SentSms};
pub use pty::{Pty, PtyError};
pub use relative::Relative;
pub use replay::{Replay, ReplayError};
pub use scenario::{Device, Expected, Home, Scenario};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panicked holder left the state as it was; the simulator plays on.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
