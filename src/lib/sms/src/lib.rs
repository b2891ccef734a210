//! SMS: channels that carry texts, the outbox that never forgets or doubles one, and what people answer.
//!
//! Not for: whom to text and when to go on (the ladder, in gatewayd and cloudd), nor what the texts
//! and answers say (`medmon_core::text`).

pub mod at;
pub mod channel;
pub mod http;
mod inbox;
pub mod outbox;
pub mod pump;

pub use at::{Modem, ModemOptions, ModemState};
pub use channel::{Caps, Incoming, Outcome, Sms, SmsChannel};
pub use http::{HttpChannel, HttpConfig, HttpError, HttpKind, HttpOptions};
pub use outbox::{NewText, Outbox, OutboxError, Queued, Reason, Row, State};
pub use pump::{Handed, pump, pump_due};
