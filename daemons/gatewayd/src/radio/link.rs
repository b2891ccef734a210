//! The dialogue with a dongle over one open port: one synchronous request at a time, indications at any time.
//!
//! Not for: what the commands mean (start.rs, mod.rs), reopening a lost port (mod.rs).

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use medmon_kit::Clock;

use super::counters::Counters;
use super::unpi::{Decoder, Frame};

/// A false start may hold the decoder back for so long (250 bytes take 22 ms at 115200 baud).
const EXPIRE: Duration = Duration::from_millis(200);
/// Time for an ordinary synchronous answer.
pub const SRSP: Duration = Duration::from_secs(6);
/// For the port to take a request: 22 ms at 115200 baud.
const WRITE: Duration = Duration::from_secs(3);
/// The dongle restarted.
const RESET_IND: u16 = 0x4180;
/// An unknown or malformed request is answered with this.
const RPC_ERROR: u16 = 0x6000;

/// Why the dongle did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No answer.
    #[error("the dongle did not answer command {0:#06x}")]
    Timeout(u16),
    /// It restarted before it answered.
    #[error("the dongle restarted before it answered command {0:#06x}")]
    Restarted(u16),
    /// It does not know the command.
    #[error("the dongle refused command {0:#06x} (code {1})")]
    Refused(u16, u8),
    /// The port is gone.
    #[error("the serial port is closed")]
    Closed,
    /// The answer is shorter than its kind.
    #[error("the dongle's answer to {0:#06x} is too short")]
    Short(u16),
}

/// Something the dongle said by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Indication {
    /// Which.
    pub command: u16,
    /// Its payload.
    pub data: Vec<u8>,
    /// Arrival, µs on the gateway's monotonic scale.
    pub mono_us: i64,
    /// Arrival, UTC µs.
    pub utc_us: i64,
}

/// Asks the dongle. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Link {
    requests: mpsc::Sender<Request>,
}

#[derive(Debug)]
struct Request {
    frame: Vec<u8>,
    command: u16,
    limit: Duration,
    reply: Option<oneshot::Sender<Result<Vec<u8>, LinkError>>>,
}

impl Link {
    /// Speaks over `port` until it closes; then the receiver ends.
    pub fn open<P>(port: P, clock: Clock, counters: Counters) -> (Self, mpsc::UnboundedReceiver<Indication>)
    where
        P: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (requests, inbox) = mpsc::channel(16);
        // Unbounded on purpose: the line carries 11 kB/s at most, and a bounded one could wait for a reader that
        // itself waits for an answer.
        let (indications, outbox) = mpsc::unbounded_channel();
        tokio::spawn(speak(port, clock, counters, inbox, indications));
        (Self { requests }, outbox)
    }

    /// Sends a synchronous request and waits for its answer.
    pub async fn request(&self, command: u16, data: &[u8]) -> Result<Vec<u8>, LinkError> {
        self.request_within(command, data, SRSP).await
    }

    /// As [`Self::request`], with another limit.
    pub async fn request_within(&self, command: u16, data: &[u8], limit: Duration) -> Result<Vec<u8>, LinkError> {
        let (reply, answer) = oneshot::channel();
        self.send(command, data, limit, Some(reply)).await?;
        answer.await.map_err(|_| LinkError::Closed)?
    }

    /// Sends a command that has no answer.
    pub async fn tell(&self, command: u16, data: &[u8]) -> Result<(), LinkError> {
        self.send(command, data, Duration::ZERO, None).await
    }

    /// Sends bytes that are no frame.
    pub async fn raw(&self, bytes: &[u8]) -> Result<(), LinkError> {
        let request = Request { frame: bytes.to_vec(), command: 0, limit: Duration::ZERO, reply: None };
        self.requests.send(request).await.map_err(|_| LinkError::Closed)
    }

    async fn send(
        &self,
        command: u16,
        data: &[u8],
        limit: Duration,
        reply: Option<oneshot::Sender<Result<Vec<u8>, LinkError>>>,
    ) -> Result<(), LinkError> {
        let frame = Frame { command, data: data.to_vec() }.encode().ok_or(LinkError::Short(command))?;
        self.requests.send(Request { frame, command, limit, reply }).await.map_err(|_| LinkError::Closed)
    }
}

async fn speak<P>(
    mut port: P,
    clock: Clock,
    counters: Counters,
    mut requests: mpsc::Receiver<Request>,
    indications: mpsc::UnboundedSender<Indication>,
) where
    P: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let mut decoder = Decoder::default();
    let mut pending: Option<(Request, Instant)> = None;
    let mut buffer = [0_u8; 4096];
    let mut frames = Vec::new();
    loop {
        let deadline = pending.as_ref().map(|(_, deadline)| *deadline);
        tokio::select! {
            // What the port holds goes before what time says: after a pause of this program the rest of a frame is there,
            // and the frame is no false start.
            biased;
            request = requests.recv(), if pending.is_none() => {
                let Some(request) = request else { return };
                // One that takes no bytes any more is lost; to wait for it would be to hear nothing, unnoticed.
                let write = async { port.write_all(&request.frame).await.is_ok() && port.flush().await.is_ok() };
                if !tokio::time::timeout(WRITE, write).await.unwrap_or(false) {
                    return;
                }
                if request.reply.is_some() {
                    let deadline = Instant::now() + request.limit;
                    pending = Some((request, deadline));
                }
            }
            read = port.read(&mut buffer) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => decoder.feed(&buffer[..count], |frame| frames.push(frame)),
            },
            () = sleep_until(deadline), if deadline.is_some() => {
                if let Some((Request { command, reply: Some(reply), .. }, _)) = pending.take() {
                    let _ = reply.send(Err(LinkError::Timeout(command)));
                }
            }
            () = tokio::time::sleep(EXPIRE), if decoder.is_waiting() => decoder.expire(|frame| frames.push(frame)),
        }
        let dropped = std::mem::take(&mut decoder.dropped);
        counters.add("dropped_bytes", dropped.bytes);
        counters.add("bad_checks", dropped.checks);
        let (mono_us, utc_us) = (clock.mono_us(), clock.utc_us());
        for frame in frames.drain(..) {
            if frame.is_indication() {
                // It owes no answer any more; waiting for it would hold up the next request.
                if frame.command == RESET_IND
                    && let Some((Request { command, reply: Some(reply), .. }, _)) = pending.take()
                {
                    let _ = reply.send(Err(LinkError::Restarted(command)));
                }
                let _ = indications.send(Indication { command: frame.command, data: frame.data, mono_us, utc_us });
            } else if let Some(answer) = answer(&frame, pending.as_ref().map(|(request, _)| request.command)) {
                if let Some((Request { reply: Some(reply), .. }, _)) = pending.take() {
                    let _ = reply.send(answer);
                }
            } else {
                counters.add("unknown_frames", 1);
            }
        }
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    if let Some(deadline) = deadline {
        tokio::time::sleep_until(deadline).await;
    }
}

/// What `frame` says to the request `command`, if it is its answer at all.
fn answer(frame: &Frame, command: Option<u16>) -> Option<Result<Vec<u8>, LinkError>> {
    let command = command?;
    if frame.command == RPC_ERROR {
        let asked = u16::from_be_bytes([*frame.data.get(1)?, *frame.data.get(2)?]);
        return (asked == command).then(|| Err(LinkError::Refused(command, frame.data[0])));
    }
    frame.answers(command).then(|| Ok(frame.data.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_port_that_takes_no_bytes_is_lost() {
        let (ours, _theirs) = tokio::io::duplex(4);
        let (link, mut indications) = Link::open(ours, Clock::scaled(1.0, 0), Counters::default());
        assert_eq!(link.request(0x2101, &[]).await, Err(LinkError::Closed));
        assert_eq!(indications.recv().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn an_indication_may_come_before_the_answer_and_an_answer_may_never_come() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let (link, mut indications) = Link::open(ours, Clock::scaled(1.0, 0), Counters::default());
        let dongle = async {
            let mut ping = [0; 5];
            theirs.read_exact(&mut ping).await.unwrap();
            let state = Frame { command: 0x45C0, data: vec![9] }.encode().unwrap();
            let pong = Frame { command: 0x6101, data: vec![0x59, 0x06] }.encode().unwrap();
            theirs.write_all(&[state, pong].concat()).await.unwrap();
        };
        let (answer, ()) = tokio::join!(link.request(0x2101, &[]), dongle);
        assert_eq!(answer, Ok(vec![0x59, 0x06]));
        assert_eq!(indications.recv().await.map(|said| said.command), Some(0x45C0));
        assert_eq!(link.request(0x2102, &[]).await, Err(LinkError::Timeout(0x2102)));
        let error = Frame { command: RPC_ERROR, data: vec![2, 0x21, 0x99] }.encode().unwrap();
        let refuse = async { theirs.write_all(&error).await.unwrap() };
        let (refused, ()) = tokio::join!(link.request(0x2199, &[]), refuse);
        assert!(matches!(refused, Err(LinkError::Refused(0x2199, 2) | LinkError::Timeout(_))));
        let reset = Frame { command: RESET_IND, data: vec![2, 2, 1, 2, 7, 1] }.encode().unwrap();
        // The two requests before.
        theirs.read_exact(&mut [0; 10]).await.unwrap();
        let restart = async {
            theirs.read_exact(&mut [0; 5]).await.unwrap();
            theirs.write_all(&reset).await.unwrap();
        };
        let (restarted, ()) = tokio::join!(link.request(0x2103, &[]), restart);
        assert_eq!(restarted, Err(LinkError::Restarted(0x2103)));
        assert_eq!(indications.recv().await.map(|said| said.command), Some(RESET_IND));
        drop(theirs);
        assert_eq!(link.request(0x2101, &[]).await, Err(LinkError::Closed));
        assert_eq!(indications.recv().await, None);
    }
}
