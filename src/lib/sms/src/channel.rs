//! The seam between texts and what carries them: a GSM modem, or an HTTP API.
//!
//! Not for: trying again, which is the outbox's.

use std::time::Duration;

use async_trait::async_trait;

/// One text to one phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sms {
    /// The same over all attempts of one text: whoever carries it can drop a repeat.
    pub id: String,
    /// E.164: "+33612345678".
    pub to: String,
    /// What it says.
    pub text: String,
}

/// What became of a text that was handed to a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The network has it. A later delivery names this reference.
    Sent {
        /// The channel's own name for it.
        reference: String,
    },
    /// It left, and no answer came: it may or may not have been sent.
    MaybeSent,
    /// It will never be sent: trying again is of no use.
    Rejected {
        /// Why.
        reason: String,
    },
    /// Not sent; trying again later may help.
    Unavailable {
        /// Why.
        reason: String,
        /// How long the channel asks to be left alone; `None`: as the outbox likes.
        retry_after: Option<Duration>,
    },
}

impl Outcome {
    /// Not sent, for `reason`; trying again when the outbox likes may help.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None }
    }
}

/// What comes in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Somebody wrote.
    Text {
        /// Their number, or a name where the network gives one.
        from: String,
        /// What they wrote; the parts of a long text are put together.
        text: String,
    },
    /// The network tells the fate of a text.
    Delivery {
        /// As in [`Outcome::Sent`].
        reference: String,
        /// On the phone, or given up.
        delivered: bool,
    },
}

/// What a channel can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Its name in facts: "modem", "http".
    pub name: &'static str,
    /// Whether deliveries are reported.
    pub reports_delivery: bool,
    /// Whether people can answer.
    pub receives: bool,
    /// How long [`SmsChannel::send`] may take. A text that is not answered for by then may have been sent.
    pub longest: Duration,
}

/// Something that carries texts.
#[async_trait]
pub trait SmsChannel: Send + Sync {
    /// What it can do.
    fn caps(&self) -> Caps;

    /// Hands one text over and waits for the answer, [`Caps::longest`] at the most.
    async fn send(&self, sms: &Sms) -> Outcome;

    /// The next thing that came in. It counts as taken care of when this is called again: only then is it forgotten where
    /// it came from. Waits for ever where nothing can come in; nothing is lost when the wait is given up.
    async fn receive(&self) -> Incoming;
}
