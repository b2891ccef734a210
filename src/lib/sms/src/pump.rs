//! From the outbox to the channels: what is due is handed over in order, and what became of it is written down.
//!
//! Not for: deliveries and answers, which come in by [`SmsChannel::receive`] whenever they like.

use std::sync::Arc;

use medmon_kit::Clock;
use tokio::sync::mpsc;

use crate::channel::{Outcome, Sms, SmsChannel};
use crate::outbox::{Due, Outbox, Row};

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
/// The channels are tried in order: the next one when the one before cannot or will not send.
pub async fn pump(outbox: &Outbox, channels: &[Arc<dyn SmsChannel>], clock: &Clock, told: mpsc::Sender<Handed>) {
    loop {
        match outbox.due().await {
            Due::Now(row) => {
                let handed = hand_over(outbox, channels, *row).await;
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
pub async fn pump_due(outbox: &Outbox, channels: &[Arc<dyn SmsChannel>]) -> Vec<Handed> {
    let mut all = Vec::new();
    while let Due::Now(row) = outbox.due().await {
        all.push(hand_over(outbox, channels, *row).await);
    }
    all
}

async fn hand_over(outbox: &Outbox, channels: &[Arc<dyn SmsChannel>], row: Row) -> Handed {
    let row = outbox.begin(row).await;
    let sms = Sms { id: row.key().to_string(), to: row.to.clone(), text: row.text.clone() };
    let mut channel = "none";
    let mut outcome = Outcome::unavailable("no SMS channel is configured");
    for next in channels {
        channel = next.caps().name;
        outcome = next.send(&sms).await;
        match &outcome {
            Outcome::Sent { .. } | Outcome::MaybeSent => break,
            Outcome::Rejected { reason } | Outcome::Unavailable { reason, .. } => {
                tracing::warn!(sms = row.id, channel, %reason, "a text could not be sent");
            }
        }
    }
    let row = outbox.end(row, &outcome).await;
    Handed { row, channel, outcome }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

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
            self.outcomes.lock().unwrap().pop().unwrap_or(Outcome::Sent { reference: "1".into() })
        }

        async fn receive(&self) -> Incoming {
            std::future::pending().await
        }
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
        let outbox = Outbox::open(&folder.path().join("sms.sqlite"), 0, clock.clone()).unwrap();
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
        let outbox = Outbox::open(&folder.path().join("sms.sqlite"), 0, Clock::scaled(1.0, 0)).unwrap();
        let dead = Outcome::unavailable("no modem");
        let first = Arc::new(Scripted { outcomes: Mutex::new(vec![dead]), seen: Mutex::default() });
        let second = Arc::new(Scripted { outcomes: Mutex::default(), seen: Mutex::default() });
        outbox.queue(text(1)).await;
        let handed = pump_due(&outbox, &[first, second.clone()]).await;
        assert_eq!(handed.len(), 1);
        assert_eq!(handed[0].row.state, State::Sent);
        assert_eq!(second.seen.lock().unwrap().len(), 1);
        outbox.queue(text(2)).await;
        assert!(matches!(pump_due(&outbox, &[]).await[0].outcome, Outcome::Unavailable { .. }));
    }
}
