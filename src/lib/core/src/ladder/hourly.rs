//! An hour's most texts to one contact: who is texted all the time stops reading. What is beyond it is held, and one
//! text says so.

use super::{Alert, Due, HOUR_US, SECOND, Sent, Settings, TextReason, UtcUs, answered};
use crate::text::{self, Text};

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
        if !mine().any(|sent| sums(sent.reason)) && !now().any(|due| sums(due.reason)) {
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
