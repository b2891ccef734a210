//! A fact in words. The command line prints them, too.

use jiff::tz::TimeZone;
use medmon_api::alert::Alert;
use medmon_core::noun::{Audience, Fact, FactKind, Priority};
use uuid::Uuid;

use crate::tui::words::Words;

/// What a fact of `alert` says.
pub fn words(fact: &Fact, alert: &Alert, words: &Words, zone: &TimeZone) -> String {
    let contact = |id: &Uuid| {
        let notice = alert.notices.iter().find(|notice| notice.contact == *id);
        notice.and_then(|notice| notice.name.clone()).unwrap_or_else(|| id.to_string()[..8].to_owned())
    };
    match &fact.kind {
        FactKind::Raised(raised) => {
            let condition = words.condition(raised.condition, raised.vital);
            join(&format!("{} {} {condition}", words.raised, stars(raised.priority)), &raised.explanation)
        }
        FactKind::Worsened { priority, condition, explanation } => {
            let condition = words.condition(*condition, alert.vital);
            join(&format!("{} {} {condition}", words.worsened, stars(*priority)), explanation)
        }
        FactKind::Notified { contact: id, channel, reason, .. } => {
            format!(
                "{} {} ({channel})",
                words.to_contact,
                join(&contact(id), words.reason(*reason).unwrap_or_default())
            )
        }
        FactKind::Delivered { contact: id, reason, .. } => {
            let text = join(&contact(id), words.reason(*reason).unwrap_or_default());
            format!("{} {text} {}", words.to_contact, words.delivered)
        }
        FactKind::Acknowledged { name, audience: Audience::Ward, .. } => format!("{name} {}", words.takes_care),
        FactKind::Acknowledged { name, audience: Audience::Family, .. } => format!("{name} {} (SMS)", words.takes_care),
        FactKind::Silenced { until_us, reason } => {
            let until = medmon_api::time(*until_us).to_zoned_datetime(zone.clone()).strftime("%H:%M").to_string();
            join(&format!("{} {until}", words.silenced_until), reason)
        }
        FactKind::Cleared => words.over.to_owned(),
        FactKind::Escalated { step } => format!("{} {step}", words.ladder_step),
        FactKind::TakenOver { by } => format!("{} {}", words.pager(by), words.pages_now),
        FactKind::Other => words.unknown_fact.to_owned(),
    }
}

fn join(head: &str, tail: &str) -> String {
    if tail.is_empty() { head.to_owned() } else { format!("{head}: {tail}") }
}

/// A priority as its mark.
pub fn stars(priority: Priority) -> &'static str {
    match priority {
        Priority::High => "***",
        Priority::Medium => "**",
        Priority::Low => "*",
    }
}
