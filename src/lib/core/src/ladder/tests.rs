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
fn worsening_that_finds_no_answer_alarms_again_and_keeps_nobody_waiting() {
    use TextReason::{Again, Raised};
    let (priority, condition) = (Priority::High, Condition::LongLie);
    let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
    let alert = fall(&[(560, worse)]);
    let say = |name: &str, reason| (name.to_owned(), reason);
    let at = |contact, step, at_s: i64| Sent {
        step,
        submitted_us: Some(at_s * SECOND),
        delivered_us: Some((at_s + 3) * SECOND),
        ..sent(contact, Raised, true)
    };
    let on_call = Settings { on_call_phone: Some("+33600000009".into()), ..settings() };
    let due = |sent: &[Sent], now_s: i64| -> Vec<_> {
        let due = super::texts(from_ref(&alert), &on_call, sent, now_s * SECOND);
        due.into_iter().map(|text| (text.contact.name, text.reason)).collect()
    };
    let mut texts = vec![at(PAUL, 0, 1), at(ANNA, 0, 301)];
    assert_eq!(due(&texts, 560), [say("Paul", Raised), say("Anna", Raised)]);
    texts.extend([at(PAUL, ROUND, 561), at(ANNA, ROUND, 561)]);
    assert_eq!(due(&texts, 599), []);
    assert_eq!(due(&texts, 600), [say("on call", Raised)], "ten minutes after the fall, not after the worsening");
    texts.push(Sent { contact: everybody(&on_call)[2].id, ..at(PAUL, ROUND, 601) });
    assert_eq!(due(&texts, 899), []);
    assert_eq!(due(&texts, 900), [say("Paul", Again), say("Anna", Again), say("on call", Again)]);
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
fn a_clock_that_was_set_forward_by_years_silences_nobody() {
    let years_s = 56 * 365 * 86_400;
    let at = |contact, reason, step, at_s: i64| Sent {
        step,
        submitted_us: Some(at_s * SECOND),
        ..sent(contact, reason, true)
    };
    let mut sent = vec![at(PAUL, TextReason::Raised, 0, 1), at(ANNA, TextReason::Raised, 0, 301)];
    for now_s in (years_s..years_s + 3600).step_by(60) {
        for due in super::texts(&[fall(&[])], &settings(), &sent, now_s * SECOND) {
            sent.push(at(due.contact.id.as_u128(), due.reason, due.step, now_s));
        }
    }
    let again = sent.iter().filter(|one| one.reason == TextReason::Again).count();
    assert!((8..=10).contains(&again), "both, every quarter of an hour: {again}");
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

#[test]
fn a_silence_holds_neither_against_a_worsening_nor_for_ever() {
    use TextReason::Raised;
    let say = |name: &str| (name.to_owned(), Raised);
    let (priority, condition) = (Priority::High, Condition::LongLie);
    let worse = FactKind::Worsened { priority, condition, explanation: String::new() };
    let silence = FactKind::Silenced { until_us: 3600 * SECOND, reason: "care".into() };
    let alert = fall(&[(1, silence.clone()), (250, worse.clone())]);
    assert_eq!(texts(&fall(&[(1, silence.clone())]), &[], 200), []);
    assert_eq!(texts(&alert, &[], 260), [say("Paul")]);
    let again = fall(&[(1, silence.clone()), (250, worse.clone()), (270, silence)]);
    assert_eq!(texts(&again, &[], 280), [], "who knows that it is worse may silence it anew");
    // The clock was set back by days since.
    let days = FactKind::Silenced { until_us: 9 * 86_400 * SECOND, reason: "care".into() };
    assert_eq!(texts(&fall(&[(1, days)]), &[], 2), [say("Paul")]);
    // By a clock that was set back, what comes after is dated next to what there was: so is an answer from elsewhere.
    let mut alert = fall(&[(250, worse)]);
    alert.take(Fact { id: Uuid::from_u128(5), ..Fact::of("cloud", ALERT, "ack", 250 * SECOND, ack(77)) });
    assert_eq!(texts(&alert, &[], 260), [say("Paul")], "it is no answer to what happened at that moment");
}

fn alarm(id: u128, at_s: i64) -> Alert {
    let id = Uuid::from_u128(id);
    let raised = raised(Class::Physiological, Priority::High);
    Alert::fold(id, [Fact::of("gateway", id, "raised", at_s * SECOND, raised)])
}

fn as_sent(due: &Due, now_us: UtcUs) -> Sent {
    let (submitted_us, delivered_us) = (Some(now_us), Some(now_us + SECOND));
    let (alert, contact, reason, step) = due.key();
    Sent { alert, contact, reason, step, waits: false, submitted_us, delivered_us }
}

#[test]
fn a_contact_gets_six_texts_an_hour_and_one_that_sums_up() {
    let mut sent: Vec<Sent> = Vec::new();
    let mut alerts = Vec::new();
    let mut summaries = Vec::new();
    for minute in 0..180 {
        let now_us = minute * 60 * SECOND;
        if minute % 2 == 0 {
            alerts.push(alarm(100 + minute as u128, minute * 60));
        }
        for due in super::texts(&alerts, &settings(), &sent, now_us) {
            assert!(due.text.len() <= 160);
            if due.reason == TextReason::Summary && due.contact.id.as_u128() == PAUL {
                summaries.push((minute, due.text.clone()));
            }
            sent.push(as_sent(&due, now_us));
        }
        for contact in [PAUL, ANNA] {
            let hour = |one: &&Sent| {
                one.contact.as_u128() == contact && one.submitted_us.is_some_and(|at| now_us - at < 3600 * SECOND)
            };
            let (summed, others): (Vec<_>, Vec<_>) =
                sent.iter().filter(hour).partition(|one| matches!(one.reason, TextReason::Summary | TextReason::Quiet));
            assert!(others.len() <= 6 && summed.len() <= 4, "minute {minute}: {} and {}", others.len(), summed.len());
        }
    }
    // A new alarm each other minute: one in a quarter of an hour.
    assert!((9..=12).contains(&summaries.len()), "{summaries:?}");
    assert!(summaries[0].1.contains("Nobody has answered"), "{summaries:?}");
}

#[test]
fn an_alarm_that_begins_after_the_hours_summary_is_told_of_all_the_same() {
    let at = |id, reason, at_s: i64| Sent {
        alert: Uuid::from_u128(id),
        submitted_us: Some(at_s * SECOND),
        ..sent(PAUL, reason, true)
    };
    let full: Vec<_> = (0..6).map(|id| at(90 + id, TextReason::Raised, 1)).collect();
    let due = |last: Sent, alarms: &[Alert], now_s: i64| {
        let sent = [&full[..], &[last]].concat();
        let mut due = super::texts(alarms, &settings(), &sent, now_s * SECOND);
        due.retain(|due| due.contact.id.as_u128() == PAUL);
        due.into_iter().map(|due| (due.reason, due.text)).collect::<Vec<_>>()
    };
    let (old, new) = (alarm(7, 50), alarm(8, 120));
    // Paul was told that all is well: not any more.
    let summary = due(at(90, TextReason::Quiet, 60), from_ref(&new), 120);
    assert!(matches!(&summary[..], [(TextReason::Summary, text)] if text.contains(&text::code(new.id))), "{summary:?}");
    // Paul was told of the old one, which is no news.
    assert_eq!(due(at(7, TextReason::Summary, 60), from_ref(&old), 1500), []);
    assert_eq!(due(at(7, TextReason::Summary, 60), &[old.clone(), new.clone()], 959), []);
    let summary = due(at(7, TextReason::Summary, 60), &[old, new.clone()], 960);
    assert!(matches!(&summary[..], [(TextReason::Summary, text)] if text.contains(&text::code(new.id))), "{summary:?}");
}

#[test]
fn what_is_most_urgent_goes_into_the_hours_last_text() {
    let hour: Vec<_> =
        (0..5).map(|id| Sent { alert: Uuid::from_u128(90 + id), ..sent(PAUL, TextReason::Raised, true) }).collect();
    // One alert is over, another begins: room for one text.
    let over = Alert::fold(hour[0].alert, {
        let id = hour[0].alert;
        let first = Fact::of("gateway", id, "raised", 0, raised(Class::Physiological, Priority::High));
        [first, Fact::of("gateway", id, "cleared", 2 * SECOND, FactKind::Cleared)]
    });
    let due = super::texts(&[over, alarm(7, 3)], &settings(), &hour, 3 * SECOND);
    assert_eq!(due.iter().map(|due| due.reason).collect::<Vec<_>>(), [TextReason::Raised, TextReason::Summary]);
}

/// A home with a wrist band, and a patient who has a phone.
fn wrist(place: Place) -> Settings {
    let device = Device { ieee: Ieee(1), label: String::new(), vitals: vec![Vital::ACCELERATION], place: Some(place) };
    Settings {
        devices: vec![device],
        patient_phone: Some("+33600000001".into()),
        nickname: "Jeanne".into(),
        ..settings()
    }
}

#[test]
fn a_fall_that_only_a_wrist_shows_is_asked_about_first() {
    let who = |settings: &Settings, alert: &Alert, sent: &[Sent], now_s: i64| -> Vec<_> {
        let due = super::texts(from_ref(alert), settings, sent, now_s * SECOND);
        due.into_iter().map(|due| (due.contact.name, due.reason)).collect()
    };
    let say = |name: &str, reason| vec![(name.to_owned(), reason)];
    let wrist_only = wrist(Place::Wrist);
    assert_eq!(who(&wrist_only, &fall(&[]), &[], 0), say("Jeanne", TextReason::Ask));
    let asked = as_sent(&super::texts(&[fall(&[])], &wrist_only, &[], 0)[0], 0);
    assert_eq!(who(&wrist_only, &fall(&[]), from_ref(&asked), 59), []);
    assert_eq!(who(&wrist_only, &fall(&[]), from_ref(&asked), 60), say("Paul", TextReason::Raised));
    // A phone that is not there, or is no longer waited for.
    let refused = Sent { submitted_us: None, ..asked.clone() };
    assert_eq!(who(&wrist_only, &fall(&[]), from_ref(&refused), 1), say("Paul", TextReason::Raised));
    // Her "OK" is for the family: the ward still sees it.
    let answer = answer("+33600000001", "ok", &[fall(&[])], &wrist_only, from_ref(&asked), "gateway", 9 * SECOND);
    let mut alert = fall(&[]);
    alert.take(answer.fact.unwrap());
    assert_eq!(who(&wrist_only, &alert, from_ref(&asked), 90), []);
    assert_eq!(alert.acknowledged(Audience::Family).map(|(by, _)| by), Some("Jeanne"));
    assert!(alert.open());
    // A belt is believed, and so is a long lie.
    assert_eq!(who(&wrist(Place::Waist), &fall(&[]), &[], 0), say("Paul", TextReason::Raised));
    let (priority, condition) = (Priority::High, Condition::LongLie);
    let lies = fall(&[(600, FactKind::Worsened { priority, condition, explanation: String::new() })]);
    let due = who(&wrist_only, &lies, from_ref(&asked), 600);
    assert_eq!(due, [("Paul".to_owned(), TextReason::Raised), ("Anna".to_owned(), TextReason::Raised)]);
}

#[test]
fn who_writes_is_answered_three_times_an_hour() {
    let settings = Settings { nickname: "Jeanne".into(), ..settings() };
    let told = |id| Sent { alert: Uuid::from_u128(id), ..sent(PAUL, TextReason::Raised, true) };
    let mut sent = vec![told(1), told(2)];
    let (paul, stranger) = (settings.contacts[0].phone.clone(), "+33711111111");
    let mut ask = |from: &str, said: &str, alerts: &[Alert], now_s: i64| {
        let answer = answer(from, said, alerts, &settings, &sent, "gateway", now_s * SECOND);
        sent.extend(answer.reply.iter().map(|due| as_sent(due, now_s * SECOND)));
        (answer.fact.map(|fact| fact.alert), answer.reply.map(|due| due.text))
    };
    let text = |(fact, text): (Option<Uuid>, Option<String>)| {
        assert_eq!(fact, None);
        text.unwrap_or_default()
    };
    let both = [alarm(1, 0), alarm(2, 0)];
    let codes: Vec<_> = both.iter().map(|alert| text::code(alert.id)).collect();
    assert_eq!(ask(&paul, &format!("ok {}", codes[1]), &both, 1), (Some(both[1].id), None));
    assert_eq!(ask("0033612345611", "OUI", &both[..1], 1), (Some(both[0].id), None));
    let which = text(ask(&paul, "OK", &both, 2));
    assert!(codes.iter().all(|code| which.contains(code)), "{which}");
    assert!(text(ask(&paul, "OK 0000", &both, 3)).contains("no open alarm has that number"));
    assert!(text(ask(&paul, "what?", &both[..1], 4)).contains(&format!("OK {}", codes[0])));
    assert_eq!(text(ask(&paul, "OK", &both, 5)), "", "three an hour");
    assert!(text(ask(&paul, "STATUS", &both[..1], 6)).contains("Nobody has answered"));
    for now_s in 7..10 {
        assert!(text(ask(stranger, "OK", &both, now_s)).contains("on nobody's list"));
    }
    assert_eq!(text(ask(stranger, "OK", &both, 11)), "");
    assert_eq!(text(ask("Orange", "1 Go offert", &both, 12)), "", "no phone");
    assert!(text(ask(stranger, "OK", &[], 3700)).contains("on nobody's list"));
    // An hour later.
    assert_eq!(text(ask(&paul, "Status?", &[], 3700)), "medmon: no alarm for Jeanne (01:01).");
    assert!(text(ask(&paul, "STOP", &both, 3701)).contains("go on"));
    // Of a patient who was here before.
    let next = Settings { epoch: 2, ..settings.clone() };
    assert_eq!(answer(&paul, "OK", &both[..1], &next, &[], "gateway", SECOND).fact, None);
}

#[test]
fn an_ok_without_a_number_is_for_what_its_writer_was_told_of() {
    let home = wrist(Place::Wrist);
    let (paul, anna, jeanne) = (&home.contacts[0].phone, &home.contacts[1].phone, "+33600000001");
    let both = [alarm(1, 0), alarm(2, 0)];
    let told = |id, waits: bool| {
        let submitted_us = (!waits).then_some(SECOND);
        Sent { alert: Uuid::from_u128(id), waits, submitted_us, ..sent(PAUL, TextReason::Raised, false) }
    };
    let ok = |from: &str, alerts: &[Alert], sent: &[Sent]| {
        let answer = answer(from, "ok", alerts, &home, sent, "gateway", 9 * SECOND);
        (answer.fact.map(|fact| fact.alert), answer.reply.map(|due| due.text).unwrap_or_default())
    };
    assert_eq!(ok(paul, &both, &[told(2, false)]), (Some(both[1].id), String::new()));
    assert_eq!(ok(paul, &both, &[told(2, false), told(1, true)]).0, Some(both[1].id), "the first has not gone out");
    assert_eq!(ok(paul, &both, &[told(2, false), told(1, false)]).0, None, "either");
    for from in [anna, jeanne] {
        let (alert, text) = ok(from, &both[..1], &[told(1, false)]);
        assert_eq!(alert, None, "it is about something else");
        assert!(text.contains(&format!("OK {}", text::code(both[0].id))), "{text}");
    }
    // The other pager has texted: its facts tell.
    let mut alert = both[0].clone();
    let (contact, channel, reason) = (Uuid::from_u128(ANNA), "http".to_owned(), TextReason::Raised);
    alert.take(Fact::of("cloud", alert.id, "n", SECOND, FactKind::Notified { contact, channel, reason, step: 0 }));
    assert_eq!(ok(anna, from_ref(&alert), &[]).0, Some(alert.id));
}

#[test]
fn a_calm_status_says_what_is_not_heard() {
    let silence = FactKind::Raised(Raised {
        condition: Condition::Silence,
        direction: Direction::Absent,
        ..match raised(Class::Technical, Priority::Medium) {
            FactKind::Raised(raised) => raised,
            _ => unreachable!(),
        }
    });
    let alert = Alert::fold(ALERT, [Fact::of("gateway", ALERT, "raised", 0, silence)]);
    let phone = &settings().contacts[0].phone;
    let reply = answer(phone, "status", &[alert], &settings(), &[], "gateway", 60 * SECOND).reply.unwrap();
    assert!(reply.text.contains("not all sensors are heard, since 00:00"), "{}", reply.text);
}

#[test]
fn a_drill_is_one_marked_text_to_one_contact() {
    let drill = |contact| {
        let kind = match raised(Class::Technical, Priority::Low) {
            FactKind::Raised(raised) => Raised { condition: Condition::Drill, contact, ..raised },
            _ => unreachable!(),
        };
        Alert::fold(ALERT, [Fact::of("gateway", ALERT, "raised", 0, FactKind::Raised(kind))])
    };
    let say = |name: &str| vec![(name.to_owned(), TextReason::Drill)];
    assert_eq!(texts(&drill(None), &[], 0), say("Paul"));
    assert_eq!(texts(&drill(Some(Uuid::from_u128(ANNA))), &[], 0), say("Anna"));
    assert_eq!(texts(&drill(Some(Uuid::from_u128(99))), &[], 0), [], "who is no contact any more");
    assert_eq!(texts(&drill(None), &[sent(PAUL, TextReason::Drill, true)], 4000), []);
    let due = super::texts(&[drill(None)], &settings(), &[], 0);
    assert!(due[0].text.contains("TEST"), "{}", due[0].text);
    let heard =
        answer(&due[0].contact.phone, &format!("ok {}", due[0].code), &[drill(None)], &settings(), &[], "gateway", 9);
    let mut alert = drill(None);
    assert!(alert.open());
    alert.take(heard.fact.unwrap());
    assert!(!alert.open(), "an answered exercise leaves the board by itself");
}

/// What one pager knows and has texted.
#[derive(Default)]
struct Pager {
    facts: Vec<Fact>,
    own: Vec<Sent>,
}

impl Pager {
    fn alert(&self) -> Alert {
        Alert::fold(ALERT, self.facts.iter().cloned())
    }

    /// As both daemons date what people say: after all that they know.
    fn next_us(&self, now_us: UtcUs) -> UtcUs {
        self.alert().facts().next_back().map_or(now_us, |last| now_us.max(last.at_us + 1))
    }
}

/// Who says what when, and how much later the other side hears of it.
#[derive(Clone, Debug)]
struct Said {
    at_s: i64,
    by_cloud: bool,
    kind: FactKind,
    delay_s: i64,
}

fn said() -> impl Strategy<Value = Said> {
    let ack = |by, audience| FactKind::Acknowledged { by: Uuid::from_u128(by), name: "Paul".into(), audience };
    let worse =
        FactKind::Worsened { priority: Priority::High, condition: Condition::LongLie, explanation: String::new() };
    let kinds = prop_oneof![
        3 => Just((false, worse)),
        3 => Just((false, ack(PAUL, Audience::Family))),
        2 => Just((true, ack(77, Audience::Ward))),
        2 => Just((true, ack(ANNA, Audience::Family))),
        1 => Just((false, FactKind::Cleared)),
        1 => (0i64..3000).prop_map(|until| (true, FactKind::Silenced { until_us: until * SECOND, reason: "care".into() })),
    ];
    (0i64..5000, kinds, 0i64..2000).prop_map(|(at_s, (by_cloud, kind), delay_s)| Said { at_s, by_cloud, kind, delay_s })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    /// Gateway and cloud page at once, as under a partition; modems are away at times. Whatever comes when: no text
    /// calls for help once its pager knows of an answer, no pager sends one twice, and both end with one state.
    #[test]
    fn no_alarm_goes_out_after_its_pager_has_heard_the_answer(
        mut all in prop::collection::vec(said(), 0..8),
        lag_s in 0i64..900,
        stuck in prop::collection::vec(any::<bool>(), 40),
        cloud_from_s in 0i64..3000,
    ) {
        all.sort_by_key(|said| said.at_s);
        let begun = fall(&[]).facts().cloned().collect::<Vec<_>>();
        let mut pagers = [Pager { facts: begun.clone(), ..Pager::default() }, Pager::default()];
        // When, to whom, what.
        let mut post: Vec<(i64, usize, Fact)> = begun.into_iter().map(|fact| (lag_s, 1, fact)).collect();
        let mut number = 0;
        for now_s in (0..8000).step_by(20) {
            let now_us = now_s * SECOND;
            for said in all.iter().filter(|said| (now_s - 19..=now_s).contains(&said.at_s)) {
                let (mine, other) = if said.by_cloud { (1, 0) } else { (0, 1) };
                number += 1;
                let at_us = pagers[mine].next_us(now_us);
                let fact = Fact { id: Uuid::from_u128(1000 + number), alert: ALERT, at_us, author: String::new(), kind: said.kind.clone() };
                pagers[mine].facts.push(fact.clone());
                post.push((now_s + said.delay_s, other, fact));
            }
            let (come, rest) = post.into_iter().partition(|(at_s, ..)| *at_s <= now_s);
            post = rest;
            for (_, to, fact) in come {
                pagers[to].facts.push(fact);
            }
            for (index, author) in [(0, "gateway"), (1, "cloud")] {
                if index == 1 && now_s < cloud_from_s {
                    continue;
                }
                let pager = &mut pagers[index];
                let alert = pager.alert();
                for idle in super::withdrawn(from_ref(&alert), &pager.own) {
                    pager.own.iter_mut().filter(|one| one.key() == idle.key()).for_each(|one| one.waits = false);
                }
                let quiet = answered(&alert).is_some();
                prop_assert!(!quiet || pager.own.iter().all(|one| !(one.waits && one.reason.alarms())));
                for due in super::texts(from_ref(&alert), &settings(), &pager.own, now_us) {
                    prop_assert!(!(quiet && due.reason.alarms()), "{:?} at {now_s}", due.reason);
                    prop_assert!(pager.own.iter().all(|one| one.key() != due.key()));
                    pager.own.push(Sent { waits: true, submitted_us: None, delivered_us: None, ..as_sent(&due, now_us) });
                }
                // The modem takes what waits, unless it is away.
                if stuck[(now_s as usize / 200) % stuck.len()] {
                    continue;
                }
                let mut news = Vec::new();
                for one in pager.own.iter_mut().filter(|one| one.waits) {
                    (one.waits, one.submitted_us) = (false, Some(now_us));
                    let (contact, reason, step) = (one.contact, one.reason, one.step);
                    let kind = FactKind::Notified { contact, channel: author.into(), reason, step };
                    news.push(Fact::of(author, ALERT, &format!("notified/{contact}/{reason:?}/{step}"), now_us, kind));
                }
                pagers[index].facts.extend(news.iter().cloned());
                post.extend(news.into_iter().map(|fact| (now_s + lag_s, 1 - index, fact)));
            }
        }
        for (_, to, fact) in post {
            pagers[to].facts.push(fact);
        }
        prop_assert_eq!(pagers[0].alert(), pagers[1].alert());
    }
}
