//! The ladder: whom to text now, and why. Pure decisions from facts, Settings and the texts so far, so that a restart
//! decides the same, and so do the gateway and the cloud that takes over from it.
//!
//! Not for: sending (medmon-sms), nor what is an alert (`detect`).

mod answer;
mod climb;
mod hourly;

use uuid::Uuid;

use crate::noun::alert::Raised;
use crate::noun::{
    Alert, Audience, Class, Condition, Contact, Fact, FactKind, Place, Priority, Settings, TextReason, UtcUs, Vital,
};
use crate::text::{self, Text};

pub use answer::{Answer, answer, same_phone};

const SECOND: i64 = 1_000_000;
const HOUR_US: i64 = 3600 * SECOND;
/// An end or an answer is told within this time of it, or not at all: old ones are no news.
const NEWS_US: i64 = HOUR_US;
/// Nobody silences for longer than a day (and an hour, for clocks that differ): what seems longer was said before the
/// clock was set back.
const SILENCE_MOST_US: i64 = 25 * HOUR_US;
/// A gateway that was not heard for so long has lost its lease: the cloud pages.
pub const LEASE_US: i64 = 180 * SECOND;

/// A text that ought to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The alert it is about; nil where it is about none.
    pub alert: Uuid,
    /// To whom.
    pub contact: Contact,
    /// Why.
    pub reason: TextReason,
    /// Tells repeated texts of one reason apart.
    pub step: u32,
    /// The code in it.
    pub code: String,
    /// What it says.
    pub text: String,
}

/// A text that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The alert it is about.
    pub alert: Uuid,
    /// To whom.
    pub contact: Uuid,
    /// Why.
    pub reason: TextReason,
    /// Which of them.
    pub step: u32,
    /// It has not gone out, and will.
    pub waits: bool,
    /// When it was handed over, or may have been, UTC.
    pub submitted_us: Option<UtcUs>,
    /// When its delivery was reported, UTC.
    pub delivered_us: Option<UtcUs>,
}

impl Sent {
    /// Names a text among all.
    pub fn key(&self) -> (Uuid, Uuid, TextReason, u32) {
        (self.alert, self.contact, self.reason, self.step)
    }
}

impl Due {
    fn key(&self) -> (Uuid, Uuid, TextReason, u32) {
        (self.alert, self.contact.id, self.reason, self.step)
    }
}

/// All texts that are due at `now_us` and do not exist yet, over all alerts of a home.
///
/// `sent` holds the pager's own texts; those that the facts tell of are known besides, whoever handed them over.
pub fn texts(alerts: &[Alert], settings: &Settings, sent: &[Sent], now_us: UtcUs) -> Vec<Due> {
    let sent = all_sent(alerts, sent);
    let ours: Vec<_> = alerts.iter().filter(|alert| concerns(alert, settings, now_us)).collect();
    let mut due: Vec<_> = ours.iter().flat_map(|alert| climb::due(alert, settings, &sent, now_us)).collect();
    due.retain(|due| !sent.iter().any(|one| one.key() == due.key()));
    hourly::pace(due, &ours, settings, &sent, now_us)
}

/// The pager's own texts that wait and must not go out any more: somebody has answered, or the other pager has sent
/// them.
pub fn withdrawn(alerts: &[Alert], sent: &[Sent]) -> Vec<Sent> {
    let over = |one: &&Sent| {
        let Some(alert) = alerts.iter().find(|alert| one.waits && alert.id == one.alert) else { return false };
        let asks = one.reason == TextReason::Ask;
        let quiet = (one.reason.alarms() || asks) && answered(alert).is_some();
        // Who is asked so late would be told what is no longer so.
        let late = asks && sent.iter().any(|other| other.alert == one.alert && other.reason.alarms());
        quiet || late || told(alert).any(|told| told.key() == one.key() && one.submitted_us.is_none())
    };
    sent.iter().filter(over).cloned().collect()
}

/// The texts that facts tell of.
pub fn told(alert: &Alert) -> impl Iterator<Item = Sent> + '_ {
    alert.facts().filter_map(|fact| {
        let FactKind::Notified { contact, reason, step, .. } = fact.kind else { return None };
        let delivered = alert.facts().find(|later| {
            let kind = FactKind::Delivered { contact, reason, step };
            later.kind == kind
        });
        let (submitted_us, delivered_us) = (Some(fact.at_us), delivered.map(|fact| fact.at_us));
        Some(Sent { alert: alert.id, contact, reason, step, waits: false, submitted_us, delivered_us })
    })
}

/// The pager's own texts, and those that only the facts tell of.
fn all_sent(alerts: &[Alert], own: &[Sent]) -> Vec<Sent> {
    let others = alerts.iter().flat_map(told).filter(|told| !own.iter().any(|one| one.key() == told.key()));
    own.iter().cloned().chain(others).collect()
}

/// Whether texts about `alert` can still be due at `now_us`. The contacts of one patient hear nothing of another who
/// had this gateway before.
pub fn concerns(alert: &Alert, settings: &Settings, now_us: UtcUs) -> bool {
    let urgent = alert.priority() == Some(Priority::High);
    let ours = |raised: &Raised| {
        raised.epoch == settings.epoch
            && (urgent && raised.class == Class::Physiological || raised.condition == Condition::Drill)
    };
    let texted = alert.raised().is_some_and(|(_, raised)| ours(raised));
    texted && alert.cleared_us().is_none_or(|cleared_us| now_us - cleared_us < NEWS_US)
}

/// Contacts in order, then the ward's on-call number.
pub fn everybody(settings: &Settings) -> Vec<Contact> {
    let on_call = settings.on_call_phone.clone().map(|phone| somebody("on call", phone, settings));
    settings.contacts.iter().cloned().chain(on_call).collect()
}

/// The patient as one who is texted, if they have a phone.
pub fn patient(settings: &Settings) -> Option<Contact> {
    settings.patient_phone.clone().map(|phone| somebody(&settings.nickname, phone, settings))
}

/// Whether nobody is to be paged for `alert` at `now_us`.
pub fn silenced(alert: &Alert, now_us: UtcUs) -> bool {
    alert.silenced_until_us().is_some_and(|until_us| (1..=SILENCE_MOST_US).contains(&until_us.saturating_sub(now_us)))
}

/// Somebody who is no contact, known by their phone.
pub(crate) fn somebody(name: &str, phone: String, settings: &Settings) -> Contact {
    let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, phone.as_bytes());
    Contact { id, name: name.to_owned(), phone, language: settings.language }
}

/// Who answered for the body's condition as it is now: the relative before the ward.
fn answered(alert: &Alert) -> Option<(&str, UtcUs)> {
    [Audience::Family, Audience::Ward].into_iter().find_map(|audience| alert.acknowledged(audience))
}

/// What begins a round of texts: the raising and each worsening to high priority.
fn rounds(alert: &Alert) -> Vec<&Fact> {
    let high = |fact: &&Fact| match &fact.kind {
        FactKind::Raised(raised) => raised.priority == Priority::High,
        FactKind::Worsened { priority, .. } => *priority == Priority::High,
        _ => false,
    };
    alert.facts().filter(high).collect()
}

/// Whether the patient is asked before anybody is alarmed: a fall that only a wrist or a pocket shows is nothing one
/// time in ten (FALLS.md), and they have a phone. Not a long lie: who lies for ten minutes does not answer.
fn asks_first(alert: &Alert, begin: &Fact, settings: &Settings) -> Option<Contact> {
    let condition = match &begin.kind {
        FactKind::Raised(raised) => raised.condition,
        FactKind::Worsened { condition, .. } => *condition,
        _ => return None,
    };
    let sensors = || settings.devices.iter().filter(|device| device.vitals.contains(&Vital::ACCELERATION));
    let doubtful = |place| matches!(place, Some(Place::Wrist | Place::Pocket));
    let raising = alert.raised().map(|(_, raised)| raised.device);
    let seen = sensors().any(|device| Some(device.ieee) == raising && doubtful(device.place));
    let all = sensors().all(|device| doubtful(device.place));
    (condition == Condition::Fall && seen && all).then(|| patient(settings)).flatten()
}

/// One text, worded.
fn due(alert: &Alert, contact: &Contact, reason: TextReason, step: u32, settings: &Settings, now_us: UtcUs) -> Due {
    let code = text::code(alert.id);
    let nickname = settings.nickname.as_str();
    let time = |utc_us| text::local_time(contact.language, utc_us, &settings.time_zone);
    let raised = time(alert.raised().map_or(now_us, |(fact, _)| fact.at_us));
    let over = time(alert.cleared_us().unwrap_or(now_us));
    let now = time(now_us);
    let by = answered(alert).map_or("", |(name, _)| name);
    let words = match reason {
        TextReason::Ask => Text::Ask { nickname, code: &code },
        TextReason::Again => Text::Again { nickname, code: &code, at: &now },
        TextReason::Answered => Text::Answered { by, code: &code },
        TextReason::Over => Text::Over { nickname, code: &code, at: &over },
        TextReason::Drill => Text::Drill { code: &code },
        _ => Text::Raised { nickname, code: &code, at: &raised },
    };
    let text = text::sms(contact.language, words);
    Due { alert: alert.id, contact: contact.clone(), reason, step, code, text }
}

#[cfg(test)]
mod tests;
