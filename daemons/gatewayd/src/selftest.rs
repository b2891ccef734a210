//! SELF-TEST: once a week the modem texts its own number. What comes back has been through the SIM, the network and the
//! way in: a modem that only says that it is well proves none of it.
//!
//! Not for: the modem's state from minute to minute (medmon-sms), nor people (drill.rs).

use uuid::Uuid;

use medmon_core::ladder::{Sent, same_phone};
use medmon_core::noun::{Language, TextReason, UtcUs};
use medmon_core::text::{self, Text};
use medmon_sms::NewText;

const WEEK_US: i64 = 7 * 86_400_000_000;
/// A text to oneself is back after so long, or is not coming.
const BACK_US: i64 = 15 * 60_000_000;
/// Where it is written down which one came back.
pub const STATE: &str = "self_test";

/// The modem's texts to itself.
#[derive(Debug)]
pub struct SelfTest {
    number: String,
    install: Uuid,
    /// The newest week whose text came back.
    back: Option<u32>,
}

impl SelfTest {
    /// `number`: the SIM's own, E.164. `kept`: as [`Self::heard`] gave it.
    pub fn new(number: String, install: Uuid, kept: Option<&str>) -> Self {
        Self { number, install, back: kept.and_then(|kept| kept.parse().ok()) }
    }

    /// Which week it is here: gateways do not all text in one minute.
    fn week(&self, now_us: UtcUs) -> u32 {
        let own_us = i64::from(self.install.as_fields().0) * 100_000_000 % WEEK_US;
        ((now_us + own_us) / WEEK_US).clamp(0, i64::from(u32::MAX)) as u32
    }

    fn code(&self, week: u32) -> String {
        text::code(Uuid::new_v5(&self.install, &week.to_le_bytes()))
    }

    fn mine(&self) -> Uuid {
        Uuid::new_v5(&Uuid::NAMESPACE_OID, self.number.as_bytes())
    }

    /// The newest week whose text came back; one after `this` was by a clock that has been set back since, and proves
    /// nothing now.
    fn back(&self, this: u32) -> Option<u32> {
        self.back.filter(|week| *week <= this)
    }

    /// This week's text, unless it is there.
    pub fn due(&self, sent: &[Sent], now_us: UtcUs) -> Option<NewText> {
        let step = self.week(now_us);
        let exists = |one: &Sent| one.reason == TextReason::SelfTest && one.step == step;
        let code = self.code(step);
        let text = text::sms(Language::En, Text::SelfTest { code: &code });
        let (alert, contact, to, reason) = (Uuid::nil(), self.mine(), self.number.clone(), TextReason::SelfTest);
        (!sent.iter().any(exists)).then_some(NewText { alert, contact, to, text, code, reason, step })
    }

    /// Whether a text that came in is the own one, and what to keep of it.
    pub fn heard(&mut self, from: &str, said: &str, now_us: UtcUs) -> Option<String> {
        if !same_phone(&self.number, from) {
            return None;
        }
        let this = self.week(now_us);
        // Also last week's, a minute late.
        let week = [this, this.saturating_sub(1)].into_iter().find(|week| said.contains(&self.code(*week)));
        self.back = week.max(self.back(this));
        self.back.map(|week| week.to_string())
    }

    /// What is wrong, as far as the newest text tells.
    pub fn failing(&self, sent: &[Sent], now_us: UtcUs) -> Option<String> {
        let this = self.week(now_us);
        let own = sent.iter().filter(|one| one.reason == TextReason::SelfTest && one.contact == self.mine());
        let newest = own.filter(|one| one.step <= this).max_by_key(|one| one.step)?;
        if self.back(this) >= Some(newest.step) {
            return None;
        }
        match newest.submitted_us {
            None if !newest.waits => Some("the network refuses a text to gateway.sms.modem.number".into()),
            Some(at) if now_us - at > BACK_US => Some("the weekly text to its own number has not come back".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR_US: i64 = 3_600_000_000;

    #[test]
    fn one_a_week_and_what_does_not_come_back_is_said() {
        let mut test = SelfTest::new("+33600000042".into(), Uuid::from_u128(5 << 96), None);
        let (mut sent, mut texts) = (Vec::new(), Vec::new());
        for hour in 0..24 * 22 {
            let now_us = 1_795_521_600_000_000 + hour * HOUR_US;
            if let Some(new) = test.due(&sent, now_us) {
                let (alert, contact, reason, step) = (new.alert, new.contact, new.reason, new.step);
                let submitted_us = Some(now_us);
                sent.push(Sent { alert, contact, reason, step, waits: false, submitted_us, delivered_us: None });
                texts.push((now_us, new.text));
            }
            let failing = test.failing(&sent, now_us + HOUR_US / 2);
            // The second is lost.
            match texts.len() {
                2 => assert!(failing.is_some_and(|why| why.contains("not come back"))),
                _ => {
                    let (_, text) = texts.last().unwrap();
                    assert_eq!(test.heard("+33611111111", text, now_us), None, "somebody else");
                    let kept = test.heard("0600000042", text, now_us).unwrap();
                    assert_eq!(test.failing(&sent, now_us + HOUR_US / 2), None);
                    test = SelfTest::new(test.number, test.install, Some(&kept));
                }
            }
        }
        assert_eq!(texts.len(), 4, "{texts:?}");
        assert!(texts.windows(2).all(|pair| pair[1].0 - pair[0].0 <= WEEK_US));
        let now_us = 1_795_521_600_000_000 + 24 * 22 * HOUR_US;
        let refused = Sent { submitted_us: None, ..sent.pop().unwrap() };
        test.back = None;
        assert!(test.failing(&[refused], now_us).is_some_and(|why| why.contains("refuses")));
    }

    /// What came back by a clock that was years ahead proves nothing of the years until then.
    #[test]
    fn a_clock_that_was_ahead_does_not_hide_what_is_lost_later() {
        let mut test = SelfTest::new("+33600000042".into(), Uuid::from_u128(5 << 96), None);
        let mut sent = Vec::new();
        let mut text = |test: &SelfTest, now_us| {
            let new = test.due(&sent, now_us)?;
            let (alert, contact, reason, step) = (new.alert, new.contact, new.reason, new.step);
            let submitted_us = Some(now_us);
            sent.push(Sent { alert, contact, reason, step, waits: false, submitted_us, delivered_us: None });
            Some((new.text, test.failing(&sent, now_us + HOUR_US)))
        };
        let (now_us, ahead_us) = (1_795_521_600_000_000, 1_795_521_600_000_000 + 520 * WEEK_US);
        let (said, _) = text(&test, ahead_us).unwrap();
        test.heard("+33600000042", &said, ahead_us).unwrap();
        let (said, failing) = text(&test, now_us).unwrap();
        assert!(failing.is_some_and(|why| why.contains("not come back")));
        assert_ne!(test.heard("+33600000042", &said, now_us), None);
        assert_eq!(test.failing(&sent, now_us + HOUR_US), None);
    }
}
