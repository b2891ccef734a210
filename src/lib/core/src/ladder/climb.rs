//! One alert's texts: who is asked, who is alarmed and when, who hears that somebody answered, and of the end.

use super::{
    Alert, Condition, Contact, Due, Fact, FactKind, NEWS_US, SECOND, Sent, Settings, TextReason, UtcUs, answered,
    asks_first, due as worded, everybody, rounds, silenced,
};

/// Steps of one round; each worsening begins another.
pub(super) const ROUND: u32 = 1000;
/// What began later than this from now began before the clock was set back.
const AHEAD_US: i64 = 2 * SECOND;

/// What of `alert` is due; some of it may exist.
pub(super) fn due(alert: &Alert, settings: &Settings, sent: &[Sent], now_us: UtcUs) -> Vec<Due> {
    let sent: Vec<_> = sent.iter().filter(|one| one.alert == alert.id).collect();
    let rounds = rounds(alert);
    let step = |index: usize| index as u32 * ROUND;
    let unanswered = unanswered(alert, &rounds);
    let climb = Climb {
        alert,
        settings,
        sent,
        now_us,
        begin: rounds.get(unanswered).copied(),
        base: step(unanswered),
        round: step(rounds.len().max(1) - 1),
    };
    if alert.condition() == Some(Condition::Drill) { climb.drill() } else { climb.due() }
}

/// The first of the rounds that go on: a worsening that finds nobody's answer alarms again whom the ladder has reached,
/// and goes on from there. Who is higher up does not wait anew.
fn unanswered(alert: &Alert, rounds: &[&Fact]) -> usize {
    let Some(last) = rounds.last() else { return 0 };
    let mut answers = alert.facts().filter(|fact| matches!(fact.kind, FactKind::Acknowledged { .. }));
    let answer = answers.rfind(|fact| fact.at_us <= last.at_us);
    rounds.iter().position(|round| answer.is_none_or(|answer| round.at_us >= answer.at_us)).unwrap_or(0)
}

struct Climb<'a> {
    alert: &'a Alert,
    settings: &'a Settings,
    sent: Vec<&'a Sent>,
    now_us: UtcUs,
    /// What began the rounds that nobody has answered.
    begin: Option<&'a Fact>,
    /// The first step of the first of them.
    base: u32,
    /// The first step of the newest.
    round: u32,
}

impl Climb<'_> {
    fn text(&self, contact: &Contact, reason: TextReason, step: u32) -> Due {
        worded(self.alert, contact, reason, step, self.settings, self.now_us)
    }

    fn due(&self) -> Vec<Due> {
        let everybody = everybody(self.settings);
        let mut texts = Vec::new();
        // A text that has not gone out has alarmed nobody.
        let alarmed_since = |contact: &Contact, step| {
            let alarms = |text: &&&Sent| text.reason.alarms() && text.submitted_us.is_some();
            self.sent.iter().filter(alarms).any(|text| text.contact == contact.id && text.step >= step)
        };
        let answer = answered(self.alert);
        if let Some((_, answered_us)) = answer
            && self.now_us - answered_us < NEWS_US
        {
            let by = self.alert.facts().rev().find_map(|fact| match &fact.kind {
                FactKind::Acknowledged { by, .. } if fact.at_us == answered_us => Some(*by),
                _ => None,
            });
            // Who was alarmed again by a worsening is told again that somebody answered.
            let others = everybody.iter().filter(|one| alarmed_since(one, self.base) && Some(one.id) != by);
            texts.extend(others.map(|contact| self.text(contact, TextReason::Answered, self.round)));
        }
        let silenced = silenced(self.alert, self.now_us);
        if self.alert.cleared_us().is_some() {
            let alarmed = everybody.iter().filter(|contact| alarmed_since(contact, 0));
            texts.extend(alarmed.map(|contact| self.text(contact, TextReason::Over, 0)));
        } else if answer.is_none() && !silenced {
            texts.extend(self.paging(&everybody));
        }
        texts
    }

    /// An exercise is one text, to the one it is for.
    fn drill(&self) -> Vec<Due> {
        let wanted = self.alert.raised().and_then(|(_, raised)| raised.contact);
        let mut contacts = everybody(self.settings).into_iter();
        let contact = match wanted {
            Some(id) => contacts.find(|contact| contact.id == id),
            None => contacts.next(),
        };
        let open = self.alert.cleared_us().is_none() && answered(self.alert).is_none();
        contact.filter(|_| open).map(|contact| self.text(&contact, TextReason::Drill, 0)).into_iter().collect()
    }

    /// The first text of these rounds.
    fn find(&self, contact: &Contact, reason: TextReason) -> Option<&&Sent> {
        let mine = |one: &&&Sent| (one.contact, one.reason) == (contact.id, reason) && one.step >= self.base;
        self.sent.iter().filter(mine).min_by_key(|one| one.step)
    }

    fn paging(&self, everybody: &[Contact]) -> Vec<Due> {
        let Some(begin) = self.begin else { return Vec::new() };
        let (now_us, ladder) = (self.now_us, &self.settings.ladder);
        if begin.at_us > now_us + AHEAD_US {
            return self.undated(everybody);
        }
        let mut texts = Vec::new();
        let mut due_us = begin.at_us.min(now_us);
        // What has become worse meanwhile is not asked about.
        let asked = asks_first(self.alert, begin, self.settings).filter(|_| self.round == self.base);
        if let Some(patient) = asked {
            // A phone that no network takes is not waited for.
            let refused =
                self.find(&patient, TextReason::Ask).is_some_and(|one| !one.waits && one.submitted_us.is_none());
            due_us += if refused { 0 } else { i64::from(ladder.ask_s) * SECOND };
            if now_us < due_us {
                texts.push(self.text(&patient, TextReason::Ask, self.round));
            }
        }
        for contact in everybody {
            if now_us < due_us {
                return texts;
            }
            texts.push(self.text(contact, TextReason::Raised, self.round));
            let unanswered = due_us + i64::from(ladder.next_after_s) * SECOND;
            // No delivery report in time: the phone is off, the next contact does not wait for the answer.
            due_us =
                match self.find(contact, TextReason::Raised).map(|one| (one.submitted_us, one.delivered_us, one.waits))
                {
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
        let again = (now_us - due_us) / (i64::from(ladder.repeat_s) * SECOND);
        // Nor does a modem that was away for hours: who has a text of this round waiting, or has just had one, needs no
        // other.
        let lately_us = i64::from(ladder.next_after_s) * SECOND / 2;
        let had = |one: &Contact| {
            let mut own = self.sent.iter().filter(|sent| sent.contact == one.id && sent.step >= self.round).peekable();
            let newly = |sent: &&Sent| sent.submitted_us.is_some_and(|at| (0..lately_us).contains(&(now_us - at)));
            own.peek().is_some() && !own.any(|sent| sent.waits || newly(sent))
        };
        // Round and round: a clock that was set forward by years does not end the repetitions.
        let step = self.round + 1 + again.rem_euclid(i64::from(ROUND) - 1) as u32;
        let everybody = everybody.iter().filter(|contact| had(contact));
        texts.extend(everybody.map(|contact| self.text(contact, TextReason::Again, step)));
        texts
    }

    /// Nobody can say for how long it has been going on: the clock was set back, or the cloud's is ahead. Everybody is
    /// told at once, and again at the ladder's interval, rather than nobody until the clock has caught up.
    fn undated(&self, everybody: &[Contact]) -> Vec<Due> {
        let (round, now_us) = (self.round, self.now_us);
        let repeat_us = i64::from(self.settings.ladder.repeat_s) * SECOND;
        let mut texts: Vec<_> = everybody.iter().map(|contact| self.text(contact, TextReason::Raised, round)).collect();
        if repeat_us > 0 {
            let step = round + 1 + (now_us / repeat_us).rem_euclid(i64::from(ROUND) - 1) as u32;
            let newly = |one: &Sent| one.submitted_us.is_some_and(|at| (0..repeat_us).contains(&(now_us - at)));
            let due = |contact: &&Contact| {
                let mut own = self.sent.iter().filter(|one| one.contact == contact.id && one.step >= round).peekable();
                own.peek().is_some() && !own.any(|one| one.waits || newly(one))
            };
            texts.extend(everybody.iter().filter(due).map(|contact| self.text(contact, TextReason::Again, step)));
        }
        texts
    }
}
