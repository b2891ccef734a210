//! What somebody wrote: an answer to an alert, a question, or nothing that can be used, and what they are told.
//!
//! When in doubt it answers nothing: a wrong acknowledgement would silence an alarm. Not for: reading the words
//! (`text::reply`).

use uuid::Uuid;

use super::{
    Alert, Audience, Contact, Due, Fact, FactKind, HOUR_US, Sent, Settings, TextReason, UtcUs, all_sent, answered,
    concerns, everybody, patient, somebody,
};
use crate::noun::{Class, Condition};
use crate::text::reply::{self, Reply};
use crate::text::{self, Text};

/// Who is unknown, or names nothing that is open, is told so that often in an hour.
const REPLIES: usize = 3;
/// Everybody together is told so much in an hour: a SIM costs money, and two machines can talk for ever.
const REPLIES_ALL: usize = 20;
/// A shorter sender is no phone: networks write under such numbers.
const PHONE_DIGITS: usize = 8;

/// What came of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The acknowledgement it is.
    pub fact: Option<Fact>,
    /// What the writer is told.
    pub reply: Option<Due>,
}

/// What `said`, from the phone `from`, comes to. `author` is the pager that heard it: "gateway", "cloud".
pub fn answer(
    from: &str,
    said: &str,
    alerts: &[Alert],
    settings: &Settings,
    sent: &[Sent],
    author: &str,
    now_us: UtcUs,
) -> Answer {
    let known = everybody(settings).into_iter().chain(patient(settings)).find(|one| same_phone(&one.phone, from));
    let writer = Writer { alerts, settings, sent, now_us };
    let Some(contact) = known else {
        let stranger = somebody("", from.to_owned(), settings);
        let phone = from.chars().filter(char::is_ascii_digit).count() >= PHONE_DIGITS;
        let reply = phone.then(|| writer.reply(&stranger, Text::Stranger, REPLIES)).flatten();
        return Answer { fact: None, reply };
    };
    let nickname = settings.nickname.as_str();
    let all: Vec<_> = alerts.iter().filter(|alert| concerns(alert, settings, now_us)).collect();
    let open: Vec<_> = all.iter().copied().filter(|alert| alert.cleared_us().is_none()).collect();
    let unanswered: Vec<_> = open.iter().copied().filter(|alert| answered(alert).is_none()).collect();
    let codes: Vec<_> = open.iter().map(|alert| text::code(alert.id)).collect();
    let tell = |text| Answer { fact: None, reply: writer.reply(&contact, text, REPLIES) };
    match reply::parse(said) {
        Reply::Acknowledge { code: Some(code) } => {
            let mut meant = all.iter().filter(|alert| text::code(alert.id) == code);
            match (meant.next(), meant.next()) {
                (Some(alert), None) => acknowledged(alert, &contact, settings, author, now_us),
                _ => tell(Text::NotOpen { codes: &codes }),
            }
        }
        Reply::Acknowledge { code: None } => {
            // Nobody takes care of what they were not told of.
            let candidates = if unanswered.is_empty() { &open } else { &unanswered };
            let mut meant = candidates.iter().filter(|alert| writer.told(from, alert));
            match (meant.next(), meant.next()) {
                (Some(alert), None) => acknowledged(alert, &contact, settings, author, now_us),
                (None, _) if codes.is_empty() => tell(Text::NotOpen { codes: &codes }),
                (None, _) if codes.len() == 1 => tell(Text::NotUnderstood { code: &codes[0] }),
                // It may mean any: the ladder goes on for all.
                _ => tell(Text::Which { nickname, codes: &codes }),
            }
        }
        Reply::Status => Answer { fact: None, reply: writer.status(&contact, &open) },
        Reply::Stop => tell(Text::Stop { nickname }),
        Reply::Unknown => tell(Text::NotUnderstood { code: codes.first().map_or("", String::as_str) }),
    }
}

fn acknowledged(alert: &Alert, contact: &Contact, settings: &Settings, author: &str, now_us: UtcUs) -> Answer {
    let on_call = settings.on_call_phone.as_deref() == Some(&contact.phone);
    let relative = settings.contacts.iter().any(|own| own.id == contact.id);
    let audience = if on_call && !relative { Audience::Ward } else { Audience::Family };
    // One acknowledgement a contact and round: a text that is read twice is one answer.
    let worsened = alert.facts().filter(|fact| matches!(fact.kind, FactKind::Worsened { .. })).count();
    let kind = FactKind::Acknowledged { by: contact.id, name: contact.name.clone(), audience };
    let name = format!("acknowledged/{}/{worsened}", contact.id);
    Answer { fact: Some(Fact::of(author, alert.id, &name, now_us, kind)), reply: None }
}

struct Writer<'a> {
    alerts: &'a [Alert],
    settings: &'a Settings,
    sent: &'a [Sent],
    now_us: UtcUs,
}

impl Writer<'_> {
    /// Whether a text about `alert` has gone to the phone `from`.
    fn told(&self, from: &str, alert: &Alert) -> bool {
        let people = everybody(self.settings).into_iter().chain(patient(self.settings));
        let theirs: Vec<_> = people.filter(|one| same_phone(&one.phone, from)).map(|one| one.id).collect();
        let texts = all_sent(std::slice::from_ref(alert), self.sent);
        let mut texts = texts.iter().filter(|one| one.alert == alert.id && theirs.contains(&one.contact));
        texts.any(|one| one.submitted_us.is_some())
    }

    /// A text back, unless there were `most` within the hour.
    fn reply(&self, contact: &Contact, text: Text<'_>, most: usize) -> Option<Due> {
        let lately = |one: &&Sent| {
            let newly = one.submitted_us.map_or(one.waits, |at| (0..HOUR_US).contains(&(self.now_us - at)));
            one.reason == TextReason::Reply && newly
        };
        let replies = || self.sent.iter().filter(lately);
        let mine = replies().filter(|one| one.contact == contact.id).count();
        (mine < most && replies().count() < REPLIES_ALL).then(|| Due {
            alert: Uuid::nil(),
            contact: contact.clone(),
            reason: TextReason::Reply,
            step: (self.now_us / 1_000_000).rem_euclid(i64::from(u32::MAX)) as u32,
            code: String::new(),
            text: text::sms(contact.language, text),
        })
    }

    /// How things are, without a figure. "No alarm" is said only beside what is not heard.
    fn status(&self, contact: &Contact, open: &[&Alert]) -> Option<Due> {
        let nickname = self.settings.nickname.as_str();
        let time = |utc_us| text::local_time(contact.language, utc_us, &self.settings.time_zone);
        let body = |alert: &&&Alert| alert.raised().is_some_and(|(_, raised)| raised.class == Class::Physiological);
        let newest = open.iter().filter(body).max_by_key(|alert| alert.raised().map(|(fact, _)| fact.at_us));
        let unheard = self.alerts.iter().filter_map(|alert| {
            let (_, raised) = alert.raised()?;
            let absent = matches!(raised.condition, Condition::Silence | Condition::GatewayDeaf | Condition::SensorOff);
            let ours = raised.epoch == self.settings.epoch && alert.cleared_us().is_none();
            (absent && ours).then_some(raised.onset_us)
        });
        let most = self.settings.ladder.hourly as usize;
        match (newest, unheard.min()) {
            (Some(alert), _) => {
                let code = text::code(alert.id);
                let at = time(alert.raised().map_or(self.now_us, |(fact, _)| fact.at_us));
                let by = answered(alert).map(|(name, _)| name);
                self.reply(contact, Text::Open { nickname, code: &code, at: &at, by }, most)
            }
            (None, Some(since_us)) => self.reply(contact, Text::Unheard { nickname, at: &time(since_us) }, most),
            (None, None) => self.reply(contact, Text::Calm { nickname, at: &time(self.now_us) }, most),
        }
    }
}

/// Networks show a number with or without its country code.
pub fn same_phone(known: &str, from: &str) -> bool {
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    let (known, from) = (digits(known), digits(from));
    let from = from.strip_prefix("00").map_or(from.as_str(), |international| international);
    known == from || (from.len() >= 9 && from.strip_prefix('0').is_some_and(|national| known.ends_with(national)))
}
