//! The ladder over time, by hand and by chance.

use std::slice::from_ref;

use proptest::prelude::*;

use super::climb::ROUND;
use super::*;
use crate::noun::{Device, Direction, Ieee, Language, ReadingId};

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
    let first = Fact::of("gateway", ALERT, "raised", 0, raised(Class::Physiological, Priority::High));
    let rest =
        facts.iter().map(|(at_s, kind)| Fact::of("gateway", ALERT, &format!("{at_s}"), at_s * SECOND, kind.clone()));
    Alert::fold(ALERT, std::iter::once(first).chain(rest))
}

fn sent(contact: u128, reason: TextReason, delivered: bool) -> Sent {
    let delivered_us = delivered.then_some(3 * SECOND);
    let (contact, submitted_us) = (Uuid::from_u128(contact), Some(SECOND));
    Sent { alert: ALERT, contact, reason, step: 0, waits: false, submitted_us, delivered_us }
}

fn ack(by: u128) -> FactKind {
    FactKind::Acknowledged { by: Uuid::from_u128(by), name: "Paul".into(), audience: Audience::Family }
}

/// Who is texted why at `now_s`.
fn texts(alert: &Alert, sent: &[Sent], now_s: i64) -> Vec<(String, TextReason)> {
    let due = super::texts(from_ref(alert), &settings(), sent, now_s * SECOND);
    due.into_iter().map(|text| (text.contact.name, text.reason)).collect()
}

#[test]
fn contacts_are_reached_in_order_until_somebody_answers() {
    use TextReason::{Again, Answered, Over, Raised};
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
    let silent = [sent(PAUL, TextReason::Raised, false)];
    assert_eq!(texts(&fall(&[]), &silent, 180), []);
    assert_eq!(texts(&fall(&[]), &silent, 181), [("Anna".to_owned(), TextReason::Raised)]);
}

#[test]
fn a_number_that_no_network_takes_is_passed_over_at_once() {
    let refused = Sent { submitted_us: None, ..sent(PAUL, TextReason::Raised, false) };
    assert_eq!(texts(&fall(&[]), from_ref(&refused), 2), [("Anna".to_owned(), TextReason::Raised)]);
    assert_eq!(texts(&fall(&[]), &[Sent { waits: true, ..refused }], 2), []);
}

#[test]
fn worsening_pages_again_after_an_answer() {
    let (priority, condition) = (Priority::High, Condition::LongLie);
    let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
    let alert = fall(&[(10, ack(PAUL)), (600, worse)]);
    let due = super::texts(from_ref(&alert), &settings(), &[sent(PAUL, TextReason::Raised, true)], 600 * SECOND);
    assert_eq!(due.iter().map(|text| text.step).collect::<Vec<_>>(), [ROUND]);
}

#[test]
fn the_relatives_of_the_next_patient_hear_nothing_of_the_one_before() {
    let next = Settings { epoch: 2, ..settings() };
    assert_eq!(super::texts(&[fall(&[])], &next, &[], 0), []);
    let over = fall(&[(60, FactKind::Cleared)]);
    assert_eq!(super::texts(from_ref(&over), &next, &[sent(PAUL, TextReason::Raised, true)], 61 * SECOND), []);
}

#[test]
fn a_modem_that_is_away_gathers_no_repetitions() {
    let waits = |contact| Sent { waits: true, submitted_us: None, ..sent(contact, TextReason::Raised, false) };
    let both = [waits(PAUL), sent(ANNA, TextReason::Raised, true)];
    assert_eq!(texts(&fall(&[]), &both, 600), [("Anna".to_owned(), TextReason::Again)]);
}

#[test]
fn a_clock_that_was_set_back_silences_nobody() {
    use TextReason::{Again, Raised};
    let say = |name: &str, reason| (name.to_owned(), reason);
    let begun = Fact {
        at_us: 18_000 * SECOND,
        ..Fact::of("gateway", ALERT, "raised", 0, raised(Class::Physiological, Priority::High))
    };
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
    let first = [sent(ANNA, TextReason::Raised, true), sent(ANNA, TextReason::Answered, true)];
    assert_eq!(super::texts(from_ref(&alert), &settings(), &first, 701 * SECOND), []);
    let again = Sent { step: ROUND, ..sent(ANNA, TextReason::Raised, true) };
    let second = super::texts(from_ref(&alert), &settings(), &[&first[..], &[again]].concat(), 701 * SECOND);
    assert_eq!(second.iter().map(|text| (text.reason, text.step)).collect::<Vec<_>>(), [(TextReason::Answered, ROUND)]);
}

#[test]
fn technical_medium_and_silenced_alerts_text_nobody() {
    let technical = Fact::of("gateway", ALERT, "raised", 0, raised(Class::Technical, Priority::High));
    assert!(texts(&Alert::fold(ALERT, [technical]), &[], 900).is_empty());
    let medium = Fact::of("gateway", ALERT, "raised", 0, raised(Class::Physiological, Priority::Medium));
    assert!(texts(&Alert::fold(ALERT, [medium]), &[], 900).is_empty());
    let silence = FactKind::Silenced { until_us: 100 * SECOND, reason: "care".into() };
    assert!(texts(&fall(&[(1, silence.clone())]), &[], 99).is_empty());
    assert!(!texts(&fall(&[(1, silence)]), &[], 100).is_empty(), "it ends by itself");
}
