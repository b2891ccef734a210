//! A GSM modem on a serial port, spoken to in AT commands and PDU mode (3GPP TS 27.005, 27.007, 23.040).

pub mod codec;
pub mod gsm7;
pub mod modem;
mod parts;
pub mod pdu;
mod pin;
mod session;

pub use modem::{Modem, ModemOptions, ModemState};
