//! A relative with a phone, who reads the texts of the virtual modem and answers them as people do.
//!
//! Not for: what a reply does to an alert.

use std::collections::BTreeSet;
use std::time::Duration;

use medmon_kit::clock::Clock;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::modem::Modem;

/// Someone who is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relative {
    /// E.164.
    pub phone: String,
    /// Given name.
    pub name: String,
    /// `fr` or `en`.
    pub language: &'static str,
    /// From the text to the reply.
    pub reply_after: Duration,
    /// Whether they reply at all.
    pub answers: bool,
}

impl Relative {
    /// Reads texts until `stop`; to the first with each four-digit code replies `OK <code>`.
    pub async fn watch(&self, modem: &Modem, clock: &Clock, stop: CancellationToken) {
        let mut sent = modem.sent();
        let mut answered = BTreeSet::new();
        loop {
            let text = tokio::select! {
                () = stop.cancelled() => return,
                text = sent.recv() => text,
            };
            let text = match text {
                Ok(text) => text,
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return,
            };
            let Some(code) = code(&text.text).filter(|_| text.to == self.phone && self.answers) else { continue };
            if answered.insert(code.to_owned()) {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = clock.sleep(self.reply_after) => modem.receive(&self.phone, &format!("OK {code}")).await,
                }
            }
        }
    }
}

/// The first run of exactly four digits.
fn code(text: &str) -> Option<&str> {
    text.split(|c: char| !c.is_ascii_digit()).find(|run| run.len() == 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_is_found_beside_a_time() {
        assert_eq!(code("medmon 4821: Jeanne may need help (14:31). Reply OK 4821"), Some("4821"));
        assert_eq!(code("au 06399810, 14h31"), None);
    }
}
