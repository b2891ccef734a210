//! What came in, until somebody has taken care of it. Whoever brought it learns when: only then may it be forgotten
//! where it came from.
//!
//! Not for: what it means (replies.rs), nor where it comes from (at/, http/).

use tokio::sync::{Mutex, mpsc, oneshot};

use crate::channel::Incoming;

/// What came in and nobody took yet.
const MOST: usize = 256;

struct Offer {
    incoming: Incoming,
    taken: oneshot::Sender<()>,
}

/// Where things come in.
#[derive(Clone)]
pub(crate) struct Inlet(mpsc::Sender<Offer>);

/// Where they are taken.
pub(crate) struct Inbox(Mutex<Taking>);

struct Taking {
    offers: mpsc::Receiver<Offer>,
    /// Whoever brought what was given out last.
    last: Option<oneshot::Sender<()>>,
}

pub(crate) fn inbox() -> (Inlet, Inbox) {
    let (inlet, offers) = mpsc::channel(MOST);
    (Inlet(inlet), Inbox(Mutex::new(Taking { offers, last: None })))
}

impl Inlet {
    /// Brings something in; the receiver hears when it is taken care of, or that it will not be. Dropped before, it is
    /// taken back. `None`: nobody takes anything.
    pub fn offer(&self, incoming: Incoming) -> Option<oneshot::Receiver<()>> {
        let (taken, hear) = oneshot::channel();
        self.0.try_send(Offer { incoming, taken }).ok().map(|()| hear)
    }
}

impl Inbox {
    /// As [`crate::SmsChannel::receive`].
    pub async fn receive(&self) -> Incoming {
        let mut taking = self.0.lock().await;
        if let Some(last) = taking.last.take() {
            // Whoever brought it may have gone.
            let _ = last.send(());
        }
        while let Some(Offer { incoming, taken }) = taking.offers.recv().await {
            if !taken.is_closed() {
                taking.last = Some(taken);
                return incoming;
            }
        }
        std::future::pending().await
    }
}
