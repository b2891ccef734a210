//! The internet connection of a home: a TCP forwarder that can be cut and healed, is as slow as it is told, and loses,
//! doubles or delays what passes.
//!
//! Not for: loss of packets, which TCP hides; a cut here is clean and total.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Bytes that pass at a time; on a slow link, connections take turns.
const CHUNK: usize = 256;
/// Bytes that pass at a time on a fast one.
const CHUNK_FAST: usize = 64 << 10;

/// What goes wrong on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Requests arrive; instead of the reply the connection ends.
    LoseReplies,
    /// Each reply comes twice.
    DoubleReplies,
    /// Each reply comes so late.
    LateReplies(Duration),
    /// Each request arrives twice, by two connections.
    DoubleRequests,
}

/// How the link is.
#[derive(Clone, Copy, Debug)]
struct State {
    up: bool,
    fault: Fault,
    /// Bytes a second each way.
    rate: Option<u32>,
}

/// A forwarder from a port of this machine to a target; it stops when dropped.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    state: watch::Sender<State>,
    hits: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Link {
    /// Listens on a free port of 127.0.0.1. Must be called within a tokio runtime.
    pub fn open(target: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let state = watch::Sender::new(State { up: true, fault: Fault::None, rate: None });
        let hits = Arc::new(AtomicU64::new(0));
        let way = Way { target, state: state.subscribe(), hits: Arc::clone(&hits), ways: Arc::default() };
        let task = tokio::spawn(serve(listener, way));
        Ok(Self { addr, state, hits, task })
    }

    /// Where to connect instead of the target.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Drops every connection and closes new ones at once.
    pub fn cut(&self) {
        self.state.send_modify(|state| state.up = false);
    }

    /// Forwards new connections again.
    pub fn heal(&self) {
        self.state.send_modify(|state| state.up = true);
    }

    /// What goes wrong from now on, with connections that are open too.
    pub fn fault(&self, fault: Fault) {
        self.state.send_modify(|state| state.fault = fault);
    }

    /// How often something went wrong as [`Self::fault`] asked for.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// Bytes a second each way, of all connections together; `None` = no limit.
    pub fn slow(&self, rate: Option<u32>) {
        self.state.send_modify(|state| state.rate = rate);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

/// What connections share.
#[derive(Clone, Debug)]
struct Way {
    target: SocketAddr,
    state: watch::Receiver<State>,
    hits: Arc<AtomicU64>,
    /// When the next byte passes up, and down.
    ways: Arc<[Mutex<Option<Instant>>; 2]>,
}

impl Way {
    fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Waits until `count` bytes have passed.
    async fn pass(&self, direction: usize, count: usize) {
        let Some(rate) = self.state.borrow().rate else { return };
        let mut free = self.ways[direction].lock().await;
        let passed = free.unwrap_or_else(Instant::now).max(Instant::now())
            + Duration::from_secs_f64(count as f64 / f64::from(rate.max(1)));
        *free = Some(passed);
        tokio::time::sleep_until(passed).await;
    }

    fn chunk(&self) -> usize {
        if self.state.borrow().rate.is_some() { CHUNK } else { CHUNK_FAST }
    }
}

async fn serve(listener: TcpListener, way: Way) {
    loop {
        match listener.accept().await {
            Ok((near, _)) if way.state.borrow().up => {
                tokio::spawn(forward(near, way.clone()));
            }
            Ok(_refused) => {}
            Err(error) => {
                // Out of file descriptors, for one: others may be closed meanwhile.
                tracing::debug!(%error, "virtual link: accept failed");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn forward(near: TcpStream, way: Way) {
    let mut state = way.state.clone();
    let forwarding = async {
        let (near, far) = (near.into_split(), TcpStream::connect(way.target).await?.into_split());
        tokio::select! {
            ended = upward(near.0, far.1, &way) => ended,
            ended = downward(far.0, near.1, &way) => ended,
        }
    };
    tokio::select! {
        _ = state.wait_for(|state| !state.up) => {}
        ended = forwarding => if let Err(error) = ended {
            tracing::debug!(%error, "virtual link: connection ended");
        },
    }
}

async fn upward(
    mut near: tokio::net::tcp::OwnedReadHalf,
    mut far: tokio::net::tcp::OwnedWriteHalf,
    way: &Way,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_FAST];
    let mut twin: Option<TcpStream> = None;
    loop {
        let count = near.read(&mut buffer[..way.chunk()]).await?;
        if count == 0 {
            // Who says nothing more may still be answered.
            far.shutdown().await?;
            return std::future::pending().await;
        }
        way.pass(0, count).await;
        if way.state.borrow().fault == Fault::DoubleRequests {
            if twin.is_none() {
                twin = Some(TcpStream::connect(way.target).await?);
                way.hit();
            }
        } else {
            twin = None;
        }
        // The twin first: it is the one whose effect nobody hears of.
        if let Some(twin) = &mut twin {
            twin.write_all(&buffer[..count]).await?;
        }
        far.write_all(&buffer[..count]).await?;
    }
}

async fn downward(
    mut far: tokio::net::tcp::OwnedReadHalf,
    mut near: tokio::net::tcp::OwnedWriteHalf,
    way: &Way,
) -> std::io::Result<()> {
    let mut buffer = vec![0; CHUNK_FAST];
    loop {
        let count = far.read(&mut buffer[..way.chunk()]).await?;
        if count == 0 {
            return Ok(());
        }
        way.pass(1, count).await;
        let fault = way.state.borrow().fault;
        match fault {
            Fault::LoseReplies => {
                way.hit();
                return Ok(());
            }
            Fault::LateReplies(late) => {
                way.hit();
                tokio::time::sleep(late).await;
            }
            Fault::DoubleReplies => {
                way.hit();
                near.write_all(&buffer[..count].repeat(2)).await?;
                continue;
            }
            Fault::None | Fault::DoubleRequests => {}
        }
        near.write_all(&buffer[..count]).await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Who says back what it hears.
    async fn echo() -> (SocketAddr, JoinHandle<()>, Arc<AtomicU64>) {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (addr, heard) = (far.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
        let count = Arc::clone(&heard);
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = far.accept().await.unwrap();
                let count = Arc::clone(&count);
                tokio::spawn(async move {
                    let mut buffer = [0; 1024];
                    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                        count.fetch_add(read as u64, Ordering::Relaxed);
                        if stream.write_all(&buffer[..read]).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        (addr, task, heard)
    }

    #[tokio::test]
    async fn a_cut_link_drops_and_refuses_and_a_healed_one_forwards() {
        let (far, echo, _) = echo().await;
        let link = Link::open(far).unwrap();
        let mut buffer = [0; 4];
        let mut first = TcpStream::connect(link.addr()).await.unwrap();
        first.write_all(b"ping").await.unwrap();
        first.read_exact(&mut buffer).await.unwrap();

        link.cut();
        assert_eq!(first.read(&mut buffer).await.unwrap_or(0), 0);
        let mut second = TcpStream::connect(link.addr()).await.unwrap();
        assert_eq!(second.read(&mut buffer).await.unwrap_or(0), 0);

        link.heal();
        let mut third = TcpStream::connect(link.addr()).await.unwrap();
        third.write_all(b"pong").await.unwrap();
        third.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"pong");
        echo.abort();
    }

    #[tokio::test]
    async fn replies_are_lost_and_doubled_and_requests_arrive_twice() {
        let (far, echo, heard) = echo().await;
        let link = Link::open(far).unwrap();
        let mut buffer = [0; 8];
        link.fault(Fault::LoseReplies);
        let mut stream = TcpStream::connect(link.addr()).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap_or(0), 0);
        assert_eq!((heard.load(Ordering::Relaxed), link.hits()), (4, 1));

        link.fault(Fault::DoubleReplies);
        let mut stream = TcpStream::connect(link.addr()).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"pingping");

        link.fault(Fault::DoubleRequests);
        stream.write_all(b"pong").await.unwrap();
        stream.read_exact(&mut buffer[..4]).await.unwrap();
        while heard.load(Ordering::Relaxed) < 16 {
            tokio::task::yield_now().await;
        }
        echo.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_link_takes_its_time_and_its_connections_take_turns() {
        let way = Way {
            target: SocketAddr::from((Ipv4Addr::LOCALHOST, 1)),
            state: watch::channel(State { up: true, fault: Fault::None, rate: Some(1000) }).1,
            hits: Arc::default(),
            ways: Arc::default(),
        };
        let began = Instant::now();
        let long = async {
            for _ in 0..40 {
                way.pass(0, CHUNK).await;
            }
            began.elapsed().as_secs()
        };
        let short = async {
            way.pass(0, CHUNK).await;
            began.elapsed().as_secs()
        };
        assert_eq!(tokio::join!(long, short), (10, 0));
    }
}
