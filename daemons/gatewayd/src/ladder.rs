//! The ladder: whom to text now. A pure decision from the alert's facts, Settings and the texts so far, so that a
//! restart decides the same; the outbox refuses a text that is there.

use uuid::Uuid;

use medmon_core::noun::alert::Raised;
use medmon_core::noun::{Alert, Audience, Class, Contact, Fact, FactKind, Priority, Settings, UtcUs};
use medmon_sms::Reason;

/// A text that ought to exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// To whom.
    pub contact: Contact,
    /// Why.
    pub reason: Reason,
    /// Tells repeated texts of one reason apart.
    pub step: u32,
}

/// A text that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// To whom.
    pub contact: Uuid,
    /// Why.
    pub reason: Reason,
    /// Which of them.
    pub step: u32,
    /// It has not gone out, and will.
    pub waits: bool,
    /// When it was handed to the modem.
    pub submitted_us: Option<UtcUs>,
    /// When its delivery was reported.
    pub delivered_us: Option<UtcUs>,
}

/// Steps of one round; each worsening begins another.
const ROUND: u32 = 1000;
const SECOND: i64 = 1_000_000;
/// What began later than this from now began before the clock was set back.
const AHEAD_US: i64 = 2 * SECOND;
/// Who was alarmed is told the end within this time of it, or not at all: an old end is no news.
const OVER_US: i64 = 3600 * SECOND;

/// The texts that are due at `now_us` and do not exist yet.
pub fn due(alert: &Alert, settings: &Settings, sent: &[Sent], now_us: UtcUs) -> Vec<Text> {
    if !concerns(alert, settings, now_us) {
        return Vec::new();
    }
    let round = (rounds(alert).len().max(1) as u32 - 1) * ROUND;
    let everybody = everybody(settings);
    let mut texts = Vec::new();
    let answered = [Audience::Family, Audience::Ward].into_iter().find_map(|audience| alert.acknowledged(audience));
    let alarmed_since = |contact: &Contact, step| {
        sent.iter().any(|text| text.contact == contact.id && text.reason < Reason::Answered && text.step >= step)
    };
    if let Some((_, answered_us)) = answered {
        let by = alert.facts().rev().find_map(|fact| match &fact.kind {
            FactKind::Acknowledged { by, .. } if fact.at_us == answered_us => Some(*by),
            _ => None,
        });
        // Who was alarmed again by a worsening is told again that somebody answered.
        let others = everybody.iter().filter(|contact| alarmed_since(contact, round) && Some(contact.id) != by);
        texts.extend(others.map(|contact| text(contact, Reason::Answered, round)));
    }
    if alert.cleared_us().is_some() {
        let alarmed = everybody.iter().filter(|contact| alarmed_since(contact, 0));
        texts.extend(alarmed.map(|contact| text(contact, Reason::Over, 0)));
    } else if answered.is_none() && alert.silenced_until_us().is_none_or(|until_us| until_us <= now_us) {
        texts.extend(paging(alert, settings, &everybody, sent, now_us));
    }
    let exists = |text: &Text| {
        sent.iter().any(|one| (one.contact, one.reason, one.step) == (text.contact.id, text.reason, text.step))
    };
    texts.retain(|text| !exists(text));
    texts
}

/// Whether texts about `alert` can still be due at `now_us`. The contacts of one patient hear nothing of another who
/// had this gateway before.
pub fn concerns(alert: &Alert, settings: &Settings, now_us: UtcUs) -> bool {
    let ours = |raised: &Raised| raised.class == Class::Physiological && raised.epoch == settings.epoch;
    let texted = alert.raised().is_some_and(|(_, raised)| ours(raised)) && alert.priority() == Some(Priority::High);
    texted && alert.cleared_us().is_none_or(|cleared_us| now_us - cleared_us < OVER_US)
}

/// Contacts in order, then the ward's on-call number.
pub fn everybody(settings: &Settings) -> Vec<Contact> {
    let on_call = settings.on_call_phone.clone().map(|phone| Contact {
        id: Uuid::new_v5(&Uuid::NAMESPACE_OID, phone.as_bytes()),
        name: "on call".into(),
        phone,
        language: settings.language,
    });
    settings.contacts.iter().cloned().chain(on_call).collect()
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

fn paging(alert: &Alert, settings: &Settings, everybody: &[Contact], sent: &[Sent], now_us: UtcUs) -> Vec<Text> {
    let rounds = rounds(alert);
    let Some(begin) = rounds.last() else { return Vec::new() };
    let round = (rounds.len() as u32 - 1) * ROUND;
    let ladder = &settings.ladder;
    let mut texts = Vec::new();
    if begin.at_us > now_us + AHEAD_US {
        return paging_undated(everybody, sent, round, i64::from(ladder.repeat_s) * SECOND, now_us);
    }
    let mut due_us = begin.at_us.min(now_us);
    for contact in everybody {
        if now_us < due_us {
            return texts;
        }
        texts.push(text(contact, Reason::Raised, round));
        let this = sent.iter().find(|one| (one.contact, one.reason, one.step) == (contact.id, Reason::Raised, round));
        let unanswered = due_us + i64::from(ladder.next_after_s) * SECOND;
        // No delivery report in time: the phone is off, the next contact does not wait for the answer.
        due_us = match this.map(|one| (one.submitted_us, one.delivered_us, one.waits)) {
            Some((Some(submitted_us), None, _)) => {
                unanswered.min(submitted_us + i64::from(ladder.undelivered_after_s) * SECOND)
            }
            // The network will never take it: nobody has been told.
            Some((None, _, false)) => due_us,
            _ => unanswered,
        };
    }
    if now_us < due_us || ladder.repeat_s == 0 {
        return texts;
    }
    // Only the newest repetition: a gateway that was off for hours does not send all that it missed.
    let again = 1 + ((now_us - due_us) / (i64::from(ladder.repeat_s) * SECOND)) as u32;
    // Nor does a modem that was away for hours: who has a text of this round waiting needs no other.
    let waits = |contact: &Contact| sent.iter().any(|one| one.waits && one.contact == contact.id && one.step >= round);
    let everybody = everybody.iter().filter(|contact| !waits(contact));
    texts.extend(everybody.map(|contact| text(contact, Reason::Again, round + again.min(ROUND - 1))));
    texts
}

/// Nobody can say for how long it has been going on: the clock was set back, or the cloud's is ahead. Everybody is told
/// at once, and again at the ladder's interval, rather than nobody until the clock has caught up.
fn paging_undated(everybody: &[Contact], sent: &[Sent], round: u32, repeat_us: i64, now_us: UtcUs) -> Vec<Text> {
    let mut texts: Vec<_> = everybody.iter().map(|contact| text(contact, Reason::Raised, round)).collect();
    if repeat_us > 0 {
        let step = round + 1 + (now_us / repeat_us).rem_euclid(i64::from(ROUND) - 1) as u32;
        let newly = |one: &Sent| one.submitted_us.is_some_and(|at| (0..repeat_us).contains(&(now_us - at)));
        let due = |contact: &&Contact| {
            let mut own = sent.iter().filter(|one| one.contact == contact.id && one.step >= round).peekable();
            own.peek().is_some() && !own.any(|one| one.waits || newly(one))
        };
        texts.extend(everybody.iter().filter(due).map(|contact| text(contact, Reason::Again, step)));
    }
    texts
}

fn text(contact: &Contact, reason: Reason, step: u32) -> Text {
    Text { contact: contact.clone(), reason, step }
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use medmon_core::noun::{Condition, Direction, Ieee, Language, ReadingId, Vital};

    use super::*;
    use crate::detect::fact;

    const ALERT: Uuid = Uuid::from_u128(1);
    const PAUL: u128 = 11;
    const ANNA: u128 = 12;

    fn settings() -> Settings {
        let contact = |id, name: &str| Contact {
            id: Uuid::from_u128(id),
            name: name.into(),
            phone: format!("+336123456{id}"),
            language: Language::En,
        };
        let contacts = vec![contact(PAUL, "Paul"), contact(ANNA, "Anna")];
        Settings { epoch: 1, contacts, ..Settings::default() }
    }

    fn raised(class: Class, priority: Priority) -> FactKind {
        FactKind::Raised(Raised {
            epoch: 1,
            vital: Vital::ACCELERATION,
            direction: Direction::Event,
            condition: Condition::Fall,
            class,
            priority,
            onset_us: 0,
            device: Ieee(1),
            reading: ReadingId::default(),
            completed_us: 0,
            settings_version: 1,
            explanation: String::new(),
            contact: None,
        })
    }

    fn fall(facts: &[(i64, FactKind)]) -> Alert {
        let first = fact(ALERT, "raised", 0, raised(Class::Physiological, Priority::High));
        let rest = facts.iter().map(|(at_s, kind)| fact(ALERT, &format!("{at_s}"), at_s * SECOND, kind.clone()));
        Alert::fold(ALERT, std::iter::once(first).chain(rest))
    }

    fn sent(contact: u128, reason: Reason, delivered: bool) -> Sent {
        let delivered_us = delivered.then_some(3 * SECOND);
        let (contact, submitted_us) = (Uuid::from_u128(contact), Some(SECOND));
        Sent { contact, reason, step: 0, waits: false, submitted_us, delivered_us }
    }

    fn ack(by: u128) -> FactKind {
        FactKind::Acknowledged { by: Uuid::from_u128(by), name: "Paul".into(), audience: Audience::Family }
    }

    /// Who is texted why at `now_s`.
    fn texts(alert: &Alert, sent: &[Sent], now_s: i64) -> Vec<(String, Reason)> {
        let due = due(alert, &settings(), sent, now_s * SECOND);
        due.into_iter().map(|text| (text.contact.name, text.reason)).collect()
    }

    #[test]
    fn contacts_are_reached_in_order_until_somebody_answers() {
        use Reason::{Again, Answered, Over, Raised};
        let paul = sent(PAUL, Raised, true);
        let both = [paul.clone(), sent(ANNA, Raised, true)];
        let say = |name: &str, reason| (name.to_owned(), reason);
        assert_eq!(texts(&fall(&[]), &[], 0), [say("Paul", Raised)]);
        assert_eq!(texts(&fall(&[]), from_ref(&paul), 299), []);
        assert_eq!(texts(&fall(&[]), from_ref(&paul), 300), [say("Anna", Raised)]);
        assert_eq!(texts(&fall(&[]), &both, 599), []);
        assert_eq!(texts(&fall(&[]), &both, 600), [say("Paul", Again), say("Anna", Again)]);
        assert_eq!(texts(&fall(&[(10, ack(PAUL))]), &both, 700), [say("Anna", Answered)]);
        let over = fall(&[(10, ack(PAUL)), (60, FactKind::Cleared)]);
        assert_eq!(texts(&over, from_ref(&paul), 700), [say("Paul", Over)]);
        assert_eq!(texts(&over, &[paul, sent(PAUL, Over, true)], 700), []);
    }

    #[test]
    fn an_undelivered_text_moves_the_ladder_on_earlier() {
        let silent = [sent(PAUL, Reason::Raised, false)];
        assert_eq!(texts(&fall(&[]), &silent, 180), []);
        assert_eq!(texts(&fall(&[]), &silent, 181), [("Anna".to_owned(), Reason::Raised)]);
    }

    #[test]
    fn a_number_that_no_network_takes_is_passed_over_at_once() {
        let refused = Sent { submitted_us: None, ..sent(PAUL, Reason::Raised, false) };
        assert_eq!(texts(&fall(&[]), from_ref(&refused), 2), [("Anna".to_owned(), Reason::Raised)]);
        assert_eq!(texts(&fall(&[]), &[Sent { waits: true, ..refused }], 2), []);
    }

    #[test]
    fn worsening_pages_again_after_an_answer() {
        let (priority, condition) = (Priority::High, Condition::LongLie);
        let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
        let alert = fall(&[(10, ack(PAUL)), (600, worse)]);
        let due = due(&alert, &settings(), &[sent(PAUL, Reason::Raised, true)], 600 * SECOND);
        assert_eq!(due.iter().map(|text| text.step).collect::<Vec<_>>(), [ROUND]);
    }

    #[test]
    fn the_relatives_of_the_next_patient_hear_nothing_of_the_one_before() {
        let next = Settings { epoch: 2, ..settings() };
        assert_eq!(due(&fall(&[]), &next, &[], 0), []);
        let over = fall(&[(60, FactKind::Cleared)]);
        assert_eq!(due(&over, &next, &[sent(PAUL, Reason::Raised, true)], 61 * SECOND), []);
    }

    #[test]
    fn a_modem_that_is_away_gathers_no_repetitions() {
        let waits = |contact| Sent { waits: true, submitted_us: None, ..sent(contact, Reason::Raised, false) };
        let both = [waits(PAUL), sent(ANNA, Reason::Raised, true)];
        assert_eq!(texts(&fall(&[]), &both, 600), [("Anna".to_owned(), Reason::Again)]);
    }

    #[test]
    fn a_clock_that_was_set_back_silences_nobody() {
        use Reason::{Again, Raised};
        let say = |name: &str, reason| (name.to_owned(), reason);
        let begun =
            Fact { at_us: 18_000 * SECOND, ..fact(ALERT, "raised", 0, raised(Class::Physiological, Priority::High)) };
        let alert = Alert::fold(ALERT, [begun]);
        let before = |contact| Sent { submitted_us: Some(18_001 * SECOND), ..sent(contact, Raised, true) };
        let now = |contact| Sent { submitted_us: Some(10 * SECOND), ..before(contact) };
        assert_eq!(texts(&alert, &[], 10), [say("Paul", Raised), say("Anna", Raised)]);
        assert_eq!(texts(&alert, &[now(PAUL), now(ANNA)], 11), []);
        assert_eq!(texts(&alert, &[now(PAUL), now(ANNA)], 910), [say("Paul", Again), say("Anna", Again)]);
        // Paul had his text by the clock that was wrong.
        assert_eq!(texts(&alert, &[before(PAUL), now(ANNA)], 11), [say("Paul", Again)]);
    }

    #[test]
    fn a_second_answer_is_told_to_whom_a_worsening_alarmed_again() {
        let (priority, condition) = (Priority::High, Condition::LongLie);
        let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
        let alert = fall(&[(10, ack(PAUL)), (600, worse), (700, ack(PAUL))]);
        let first = [sent(ANNA, Reason::Raised, true), sent(ANNA, Reason::Answered, true)];
        assert_eq!(due(&alert, &settings(), &first, 701 * SECOND), []);
        let again = Sent { step: ROUND, ..sent(ANNA, Reason::Raised, true) };
        let second = due(&alert, &settings(), &[&first[..], &[again]].concat(), 701 * SECOND);
        assert_eq!(second.iter().map(|text| (text.reason, text.step)).collect::<Vec<_>>(), [(Reason::Answered, ROUND)]);
    }

    #[test]
    fn technical_medium_and_silenced_alerts_text_nobody() {
        let technical = fact(ALERT, "raised", 0, raised(Class::Technical, Priority::High));
        assert!(texts(&Alert::fold(ALERT, [technical]), &[], 900).is_empty());
        let medium = fact(ALERT, "raised", 0, raised(Class::Physiological, Priority::Medium));
        assert!(texts(&Alert::fold(ALERT, [medium]), &[], 900).is_empty());
        let silence = FactKind::Silenced { until_us: 100 * SECOND, reason: "care".into() };
        assert!(texts(&fall(&[(1, silence.clone())]), &[], 99).is_empty());
        assert!(!texts(&fall(&[(1, silence)]), &[], 100).is_empty(), "it ends by itself");
    }
}
