//! An hour's most texts to one contact: who is texted all the time stops reading. What is beyond it is held, and one
//! text says so; another one, when a new alarm is held that it could not name.

use super::{Alert, Due, HOUR_US, SECOND, Sent, Settings, TextReason, UtcUs, answered, rounds};
use crate::text::{self, Text};

/// A new alarm that is held is told of in another summary, so long after the last.
const SUMMARY_US: i64 = HOUR_US / 4;

/// `due` within each contact's hour; the most urgent first.
pub(super) fn pace(
    mut due: Vec<Due>,
    alerts: &[&Alert],
    settings: &Settings,
    sent: &[Sent],
    now_us: UtcUs,
) -> Vec<Due> {
    due.sort_by_key(|due| due.reason);
    let mut paced: Vec<Due> = Vec::new();
    for one in due {
        let lately = |sent: &&Sent| {
            let newly = sent.submitted_us.map_or(sent.waits, |at| (0..HOUR_US).contains(&(now_us - at)));
            sent.contact == one.contact.id && newly
        };
        let mine = || sent.iter().filter(lately);
        // What people asked for by writing, and what was held before, are no part of it.
        let sums = |reason| matches!(reason, TextReason::Summary | TextReason::Quiet);
        let counts = |reason| !sums(reason) && !matches!(reason, TextReason::Reply | TextReason::SelfTest);
        let now = || paced.iter().filter(|other| other.contact.id == one.contact.id);
        let had = mine().filter(|sent| counts(sent.reason)).count() + now().filter(|due| counts(due.reason)).count();
        if had < settings.ladder.hourly as usize {
            paced.push(one);
            continue;
        }
        let begun_us =
            alerts.iter().find(|alert| alert.id == one.alert).and_then(|alert| rounds(alert).last()?.at_us.into());
        let covers = |sum: &Sent| match (one.reason, sum.reason) {
            // Who was told that all is well does not know of an alarm.
            (TextReason::Raised | TextReason::Again, TextReason::Quiet) => false,
            // One that began since is not among those that it names.
            (TextReason::Raised, TextReason::Summary) => sum.submitted_us.is_none_or(|at| {
                begun_us.is_none_or(|begun_us| begun_us <= at) || (0..SUMMARY_US).contains(&(now_us - at))
            }),
            _ => true,
        };
        if !mine().filter(|sent| sums(sent.reason)).any(covers) && !now().any(|due| sums(due.reason)) {
            paced.push(summary(&one, alerts, settings, now_us));
        }
    }
    paced
}

/// In place of `held` and all that comes after it within the hour.
fn summary(held: &Due, alerts: &[&Alert], settings: &Settings, now_us: UtcUs) -> Due {
    let open = |alert: &&&Alert| alert.cleared_us().is_none() && answered(alert).is_none();
    let codes: Vec<_> = alerts.iter().filter(open).map(|alert| text::code(alert.id)).collect();
    let text = Text::Summary { nickname: &settings.nickname, codes: &codes };
    Due {
        reason: if codes.is_empty() { TextReason::Quiet } else { TextReason::Summary },
        step: (now_us / SECOND).rem_euclid(i64::from(u32::MAX)) as u32,
        text: text::sms(held.contact.language, text),
        ..held.clone()
    }
}
