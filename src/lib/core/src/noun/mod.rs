//! The design's nouns, one a file. Every other crate uses these words and no others.

pub mod access;
pub mod alert;
pub mod assignment;
pub mod envelope;
pub mod limits;
pub mod quality;
pub mod reading;
pub mod segment;
pub mod settings;
pub mod technical;
pub mod vital;
pub mod window;

pub use access::{Action, Denied, Principal, Resource, Role, may};
pub use alert::{Alert, Audience, Class, Condition, Direction, Fact, FactKind, Priority, TextReason};
pub use assignment::{Assignment, Binding};
pub use envelope::{Envelope, Gap, Verdict};
pub use limits::{Limit, Limits};
pub use quality::{Quality, Reason};
pub use reading::{ClockQuality, Ieee, Reading, ReadingId, Value};
pub use segment::Segment;
pub use settings::{Contact, Device, Drill, Ladder, Language, Place, Settings, is_e164};
pub use technical::Technical;
pub use vital::{Vital, VitalInfo};
pub use window::Window;

/// Microseconds UTC since 1970, as stored everywhere.
pub type UtcUs = i64;
/// Microseconds on a gateway's monotonic scale. Only differences mean anything.
pub type MonoUs = i64;
