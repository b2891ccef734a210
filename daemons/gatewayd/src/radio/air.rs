//! Requests to devices: sent through the dongle, matched with what comes back, repeated as the stack's status says.
//!
//! Runs beside the message path, which only hands answers over ([`Air::answer`]). Not for: what is asked (interview.rs).

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use medmon_core::noun::Ieee;
use medmon_kit::Clock;

use super::counters::Counters;
use super::link::{Link, LinkError};
use super::{start, zcl};

const AF_DATA_REQUEST: u16 = 0x2401;
const ZDO_ROUTE_DISCOVERY: u16 = 0x2545;
/// A sleepy device's parent gives up after about 7.5 s; a router may take its time.
const CONFIRM_LIMIT: Duration = Duration::from_secs(30);
/// Between two tries while the channel or the dongle is full.
const BUSY: Duration = Duration::from_secs(2);
const RETRIES: u8 = 3;
const RADIUS: u8 = 30;
/// Ask for the radio's own acknowledgement.
const APS_ACK: u8 = 0x10;

/// Status of the dongle, TI SWRA198 and the Z-Stack sources' `ZComDef.h`.
mod status {
    pub const SUCCESS: u8 = 0x00;
    pub const MEMORY: u8 = 0x10;
    pub const BUFFER_FULL: u8 = 0x11;
    pub const NO_RESOURCES: u8 = 0x1A;
    pub const APS_NO_ACK: u8 = 0xB7;
    pub const NWK_NO_ROUTE: u8 = 0xCD;
    pub const CHANNEL_ACCESS: u8 = 0xE1;
    pub const MAC_NO_ACK: u8 = 0xE9;
    pub const EXPIRED: u8 = 0xF0;
}

/// Why a device did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AirError {
    /// The dongle itself failed.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The message waited at its parent and was thrown away: try when it speaks.
    #[error("the device sleeps")]
    Asleep,
    /// Nothing came back in time.
    #[error("the device did not answer")]
    Silent,
    /// The stack did not get it there, with its status.
    #[error("not delivered (status {0:#04x})")]
    Undelivered(u8),
    /// The device said no, with its status.
    #[error("the device declined (status {0:#04x})")]
    Declined(u8),
}

/// Where a message goes.
#[derive(Clone, Copy, Debug)]
pub struct To {
    /// Present short address.
    pub network: u16,
    /// Endpoint there.
    pub endpoint: u8,
    /// Cluster.
    pub cluster: u16,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// AF_DATA_CONFIRM of a transaction.
    Confirm(u8),
    /// A ZDO answer from a short address.
    Zdo(u16, u16),
    /// A ZCL answer of a device: cluster and sequence.
    Zcl(Ieee, u16, u8),
}

type Waiting = Vec<(Awaited, oneshot::Sender<Vec<u8>>)>;

/// Sends and waits. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Air {
    /// The dongle.
    pub link: Link,
    /// Time.
    pub clock: Clock,
    counters: Counters,
    waiting: Arc<Mutex<Waiting>>,
    transaction: Arc<AtomicU8>,
    sequence: Arc<AtomicU8>,
}

impl Air {
    /// Over an open link.
    pub fn new(link: Link, clock: Clock, counters: Counters) -> Self {
        let (waiting, transaction, sequence) = (Arc::default(), Arc::default(), Arc::default());
        Self { link, clock, counters, waiting, transaction, sequence }
    }

    /// Hands an answer to whoever waits for it; `false`: nobody does.
    pub fn answer(&self, what: Awaited, data: &[u8]) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(at) = waiting.iter().position(|(awaited, _)| *awaited == what) else { return false };
        waiting.swap_remove(at).1.send(data.to_vec()).is_ok()
    }

    /// Nothing that is waited for will come: the dongle restarted.
    pub fn forget(&self) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn expect(&self, what: Awaited) -> oneshot::Receiver<Vec<u8>> {
        let (answer, receiver) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|(awaited, sender)| !sender.is_closed() && *awaited != what);
        waiting.push((what, answer));
        receiver
    }

    /// A ZDO request about `network`, and the payload of its answer (`answer` is its command).
    pub async fn zdo(&self, request: u16, data: &[u8], answer: u16, network: u16) -> Result<Vec<u8>, AirError> {
        let receiver = self.expect(Awaited::Zdo(answer, network));
        match self.link.request(request, data).await?[..] {
            [status::SUCCESS, ..] => {}
            [status, ..] => return Err(AirError::Undelivered(status)),
            [] => return Err(LinkError::Short(request).into()),
        }
        receiver.await.map_err(|_| AirError::Silent)
    }

    /// A general ZCL command to a device: command and payload of what it answers.
    pub async fn ask(
        &self,
        device: Ieee,
        to: To,
        mfr_code: Option<u16>,
        command: u8,
        payload: &[u8],
    ) -> Result<(u8, Vec<u8>), AirError> {
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed);
        let receiver = self.expect(Awaited::Zcl(device, to.cluster, sequence));
        self.send(to, &zcl::frame(mfr_code, sequence, command, payload)).await?;
        let answer = receiver.await.map_err(|_| AirError::Silent)?;
        let (&command, payload) = answer.split_first().ok_or(AirError::Silent)?;
        Ok((command, payload.to_vec()))
    }

    /// Sends until the dongle confirms it, repeating what its status says is worth repeating.
    async fn send(&self, to: To, zcl: &[u8]) -> Result<(), AirError> {
        let mut last = status::SUCCESS;
        for attempt in 0..=RETRIES {
            let transaction = self.transaction.fetch_add(1, Ordering::Relaxed);
            let confirm = self.expect(Awaited::Confirm(transaction));
            last = self.submit(to, transaction, APS_ACK, zcl).await?;
            if last == status::SUCCESS {
                last = match self.clock.timeout(CONFIRM_LIMIT, confirm).await {
                    Some(Ok(confirm)) => confirm.first().copied().unwrap_or(status::EXPIRED),
                    Some(Err(_)) | None => status::EXPIRED,
                };
            }
            match last {
                // "No acknowledgement" of the application layer: sent all the same.
                status::SUCCESS | status::APS_NO_ACK => return Ok(()),
                status::EXPIRED => {
                    self.counters.add("sends_expired", 1);
                    return Err(AirError::Asleep);
                }
                status::MAC_NO_ACK | status::NWK_NO_ROUTE => {
                    self.counters.add("sends_repeated", 1);
                    if attempt == 1 {
                        let [low, high] = to.network.to_le_bytes();
                        self.link.request(ZDO_ROUTE_DISCOVERY, &[low, high, 0, RADIUS]).await?;
                    }
                }
                status::CHANNEL_ACCESS | status::MEMORY | status::BUFFER_FULL | status::NO_RESOURCES => {
                    self.counters.add("sends_repeated", 1);
                    self.clock.sleep(BUSY).await;
                }
                other => return Err(AirError::Undelivered(other)),
            }
        }
        Err(AirError::Undelivered(last))
    }

    /// Sends once and waits for nobody: a Default Response.
    pub async fn tell(&self, to: To, zcl: &[u8]) -> Result<(), AirError> {
        let transaction = self.transaction.fetch_add(1, Ordering::Relaxed);
        match self.submit(to, transaction, 0, zcl).await? {
            status::SUCCESS => Ok(()),
            status => Err(AirError::Undelivered(status)),
        }
    }

    async fn submit(&self, to: To, transaction: u8, options: u8, zcl: &[u8]) -> Result<u8, LinkError> {
        let ([n0, n1], [c0, c1]) = (to.network.to_le_bytes(), to.cluster.to_le_bytes());
        let head = [n0, n1, to.endpoint, start::ENDPOINT, c0, c1, transaction, options, RADIUS, zcl.len() as u8];
        let answer = self.link.request(AF_DATA_REQUEST, &[&head[..], zcl].concat()).await?;
        answer.first().copied().ok_or(LinkError::Short(AF_DATA_REQUEST))
    }
}
