//! From the outbox to the channels: what is due is handed over in order, and what became of it is written down.
//!
//! Not for: deliveries and answers, which come in by [`SmsChannel::receive`] whenever they like.

use std::sync::Arc;
use std::time::Duration;

use medmon_kit::Clock;
use tokio::sync::mpsc;

use crate::channel::{Outcome, Sms, SmsChannel};
use crate::outbox::{ASKED_MOST, Due, Outbox, Row};

/// A text that was handed over.
#[derive(Clone, Debug)]
pub struct Handed {
    /// The text as it now stands in the outbox.
    pub row: Row,
    /// The channel that had the last word: "modem", "http".
    pub channel: &'static str,
    /// What it said.
    pub outcome: Outcome,
}

/// Hands over whatever becomes due and tells of each, until nobody listens to `told` any more.
///
/// The channels are tried in order: the next one when the one before cannot or will not send, or asked to be left alone.
pub async fn pump(outbox: &Outbox, channels: &[Arc<dyn SmsChannel>], clock: &Clock, told: mpsc::Sender<Handed>) {
    let mut line = Line::new(channels, clock);
    loop {
        match outbox.due().await {
            Due::Now(row) => {
                let Some(handed) = line.hand_over(outbox, *row).await else { continue };
                if told.send(handed).await.is_err() {
                    return;
                }
            }
            Due::In(wait) => {
                tokio::select! {
                    () = clock.sleep(wait) => {}
                    () = outbox.queued() => {}
                    () = told.closed() => return,
                }
            }
            Due::Nothing => {
                tokio::select! {
                    () = outbox.queued() => {}
                    () = told.closed() => return,
                }
            }
        }
    }
}

/// Hands over all that is due now, once.
pub async fn pump_due(outbox: &Outbox, channels: &[Arc<dyn SmsChannel>], clock: &Clock) -> Vec<Handed> {
    let mut line = Line::new(channels, clock);
    let mut all = Vec::new();
    while let Due::Now(row) = outbox.due().await {
        all.extend(line.hand_over(outbox, *row).await);
    }
    all
}

/// The channels, and until when each asked to be left alone, monotonic µs.
struct Line<'a> {
    channels: Vec<(&'a Arc<dyn SmsChannel>, i64)>,
    clock: &'a Clock,
}

impl<'a> Line<'a> {
    fn new(channels: &'a [Arc<dyn SmsChannel>], clock: &'a Clock) -> Self {
        Self { channels: channels.iter().map(|channel| (channel, i64::MIN)).collect(), clock }
    }

    /// `None`: it was taken back at the last moment.
    async fn hand_over(&mut self, outbox: &Outbox, row: Row) -> Option<Handed> {
        let row = outbox.begin(row).await?;
        let sms = Sms { id: row.key().to_string(), to: row.to.clone(), text: row.text.clone() };
        let mut channel = "none";
        let mut outcome = Outcome::unavailable("no SMS channel is configured");
        // What one of several says for ever counts only if none of them may yet send it.
        let mut waits: Option<Outcome> = None;
        for (next, alone_until_us) in &mut self.channels {
            channel = next.caps().name;
            outcome = attempt(next.as_ref(), &sms, alone_until_us, self.clock).await;
            match &outcome {
                Outcome::Sent { .. } | Outcome::MaybeSent => {
                    waits = None;
                    break;
                }
                Outcome::Rejected { reason } => {
                    tracing::warn!(sms = row.id, channel, %reason, "a text is refused");
                }
                Outcome::Unavailable { reason, retry_after } => {
                    tracing::warn!(sms = row.id, channel, %reason, "a text could not be sent");
                    waits = Some(match waits {
                        Some(Outcome::Unavailable { reason, retry_after: other }) => {
                            // The sooner of the two; as the outbox likes where one of them does not mind.
                            let retry_after = retry_after.zip(other).map(|(one, other)| one.min(other));
                            Outcome::Unavailable { reason, retry_after }
                        }
                        _ => outcome.clone(),
                    });
                }
            }
        }
        let outcome = waits.unwrap_or(outcome);
        let row = outbox.end(row, &outcome).await;
        Some(Handed { row, channel, outcome })
    }
}

async fn attempt(channel: &dyn SmsChannel, sms: &Sms, alone_until_us: &mut i64, clock: &Clock) -> Outcome {
    let left = alone_until_us.saturating_sub(clock.mono_us());
    if left > 0 {
        let retry_after = Some(Duration::from_micros(left.unsigned_abs()));
        return Outcome::Unavailable { reason: "it asked to be left alone for a while".into(), retry_after };
    }
    // A channel that hangs does not hold the text longer than it said.
    let outcome = clock.timeout(channel.caps().longest, channel.send(sms)).await.unwrap_or(Outcome::MaybeSent);
    if let Outcome::Unavailable { retry_after: Some(wait), .. } = &outcome {
        *alone_until_us = clock.mono_us() + (*wait).min(ASKED_MOST).as_micros() as i64;
    }
    outcome
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use uuid::Uuid;

    use super::*;
    use crate::channel::{Caps, Incoming};
    use crate::outbox::{NewText, Reason, State};

    struct Scripted {
        outcomes: Mutex<Vec<Outcome>>,
        seen: Mutex<Vec<String>>,
    }

    #[async_trait]
    impl SmsChannel for Scripted {
        fn caps(&self) -> Caps {
            Caps { name: "scripted", reports_delivery: false, receives: false, longest: Duration::from_mins(1) }
        }

        async fn send(&self, sms: &Sms) -> Outcome {
            self.seen.lock().unwrap().push(sms.text.clone());
            let outcome = self.outcomes.lock().unwrap().pop().unwrap_or(Outcome::Sent { reference: "1".into() });
            if outcome == hangs() {
                std::future::pending::<()>().await;
            }
            outcome
        }

        async fn receive(&self) -> Incoming {
            std::future::pending().await
        }
    }

    fn hangs() -> Outcome {
        Outcome::unavailable("hangs")
    }

    fn scripted(outcomes: Vec<Outcome>) -> Arc<Scripted> {
        Arc::new(Scripted { outcomes: Mutex::new(outcomes), seen: Mutex::default() })
    }

    fn text(step: u32) -> NewText {
        NewText {
            alert: Uuid::from_u128(1),
            contact: Uuid::from_u128(2),
            to: "+33639981001".into(),
            text: format!("text {step}"),
            code: "4821".into(),
            reason: Reason::Raised,
            step,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn texts_go_out_in_order_again_when_not_sent_and_once_more_when_in_doubt() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(1.0, 0);
        let outbox = Outbox::open_with(
            &folder.path().join("sms.sqlite"),
            0,
            clock.clone(),
            medmon_kit::sqlite::Options::default(),
            None,
        )
        .unwrap();
        let unavailable = Outcome::unavailable("no network");
        // Popped from the end: text 1 is not sent, 2 is in doubt twice.
        let outcomes =
            vec![Outcome::MaybeSent, Outcome::Sent { reference: "2".into() }, Outcome::MaybeSent, unavailable];
        let channel = Arc::new(Scripted { outcomes: Mutex::new(outcomes), seen: Mutex::default() });
        let channels: [Arc<dyn SmsChannel>; 1] = [channel.clone()];
        let (told, mut handed) = mpsc::channel::<Handed>(16);
        let listen = async {
            outbox.queue(text(1)).await;
            outbox.queue(text(2)).await;
            for state in [State::Queued, State::MaybeSent, State::Sent, State::MaybeSent] {
                assert_eq!(handed.recv().await.map(|handed| handed.row.state), Some(state));
            }
            clock.sleep(Duration::from_hours(1)).await;
            assert!(handed.try_recv().is_err());
            drop(handed);
        };
        tokio::join!(pump(&outbox, &channels, &clock, told), listen);
        assert_eq!(*channel.seen.lock().unwrap(), ["text 1", "text 2", "text 1", "text 2"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_channel_takes_what_the_first_cannot() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(1.0, 0);
        let outbox = Outbox::open_with(
            &folder.path().join("sms.sqlite"),
            0,
            clock.clone(),
            medmon_kit::sqlite::Options::default(),
            None,
        )
        .unwrap();
        let first = scripted(vec![Outcome::unavailable("no modem")]);
        let second = scripted(Vec::new());
        outbox.queue(text(1)).await;
        let handed = pump_due(&outbox, &[first, second.clone()], &clock).await;
        assert_eq!(handed.len(), 1);
        assert_eq!(handed[0].row.state, State::Sent);
        assert_eq!(second.seen.lock().unwrap().len(), 1);
        outbox.queue(text(2)).await;
        assert!(matches!(pump_due(&outbox, &[], &clock).await[0].outcome, Outcome::Unavailable { .. }));
        // What only one of them refuses for ever may go by the other later, whichever comes first.
        for unavailable_first in [true, false] {
            let outbox = Outbox::open_with(
                &folder.path().join(format!("{unavailable_first}")),
                0,
                clock.clone(),
                medmon_kit::sqlite::Options::default(),
                None,
            )
            .unwrap();
            outbox.queue(text(1)).await;
            let refuses = scripted(vec![Outcome::Rejected { reason: "bad number".into() }]);
            let cannot = scripted(vec![Outcome::unavailable("no network")]);
            let channels = if unavailable_first { [cannot, refuses] } else { [refuses, cannot] };
            let handed = pump_due(&outbox, &channels.map(|one| one as Arc<dyn SmsChannel>), &clock).await;
            assert_eq!(handed[0].row.state, State::Queued);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_that_hangs_holds_a_text_no_longer_than_it_said() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(1.0, 0);
        let outbox = Outbox::open_with(
            &folder.path().join("sms.sqlite"),
            0,
            clock.clone(),
            medmon_kit::sqlite::Options::default(),
            None,
        )
        .unwrap();
        let channels: [Arc<dyn SmsChannel>; 1] = [scripted(vec![hangs()])];
        outbox.queue(text(1)).await;
        let handed = pump_due(&outbox, &channels, &clock).await;
        assert_eq!((handed[0].row.state, clock.mono_us() / 1_000_000), (State::MaybeSent, 60));
    }

    #[tokio::test(start_paused = true)]
    async fn a_channel_is_left_alone_as_long_as_it_asks_while_the_other_sends() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::scaled(1.0, 0);
        let outbox = Outbox::open_with(
            &folder.path().join("sms.sqlite"),
            0,
            clock.clone(),
            medmon_kit::sqlite::Options::default(),
            None,
        )
        .unwrap();
        let asks = |seconds| {
            let retry_after = Some(Duration::from_secs(seconds));
            Outcome::Unavailable { reason: "slow down".into(), retry_after }
        };
        let (first, second) = (scripted(vec![asks(100)]), scripted(vec![asks(40)]));
        let channels: [Arc<dyn SmsChannel>; 2] = [first.clone(), second.clone()];
        let (told, mut handed) = mpsc::channel::<Handed>(16);
        let listen = async {
            outbox.queue(text(1)).await;
            assert_eq!(handed.recv().await.map(|handed| handed.row.state), Some(State::Queued));
            assert_eq!(handed.recv().await.map(|handed| handed.row.state), Some(State::Sent));
            assert_eq!(clock.mono_us() / 1_000_000, 40, "the sooner of the two");
            drop(handed);
        };
        tokio::join!(pump(&outbox, &channels, &clock, told), listen);
        assert_eq!((first.seen.lock().unwrap().len(), second.seen.lock().unwrap().len()), (1, 2));
    }
}
