//! The broker in a RabbitMQ of the home. The gateway starts and works without it: it connects in the background, and
//! whatever is published meanwhile is refused at once.

mod ask;
mod deliver;
mod publish;
mod topology;

use std::fmt;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

use medmon_core::noun::Reading;

use self::ask::Asker;
use self::deliver::Deliverer;
use self::publish::Publisher;
use super::{Broker, BrokerError, BrokerState, Delivery, Depth, Stage};

/// A connection that is not there by then is tried again.
const CONNECT: Duration = Duration::from_secs(5);
/// An answer takes milliseconds, and twenty new queues on a slow card a while.
const ANSWER: Duration = Duration::from_secs(5);
/// Whoever only wants to know how things are does not wait longer.
const GLANCE: Duration = Duration::from_secs(2);
/// A peer that is silent twice as long is gone.
const HEARTBEAT_S: u16 = 5;
/// Deliveries on their way to a stage.
const ON_THE_WAY: usize = 8192;

/// Where RabbitMQ is, with a password in it: never shown whole.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct RabbitUrl(String);

impl RabbitUrl {
    /// Takes it as it is; [`Self::check`] judges it.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    /// What is wrong with it, without its password.
    pub fn check(&self) -> Result<(), String> {
        self.parse().map(drop)
    }

    fn parse(&self) -> Result<AMQPUri, String> {
        // The parser's own words may quote it, password and all.
        let mut uri = AMQPUri::from_str(&self.0).map_err(|_| {
            "not the URL of a RabbitMQ; write it as amqp://user:password@host:5672/vhost, amqps for TLS, %2f for the vhost /"
        })?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_S);
        Ok(uri)
    }
}

impl fmt::Debug for RabbitUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parse().map_or_else(|_| "not a URL".into(), |uri| place(&uri)))
    }
}

fn place(uri: &AMQPUri) -> String {
    format!("{}:{}/{}", uri.authority.host, uri.authority.port, uri.vhost)
}

/// How to reach the server.
struct Server {
    uri: AMQPUri,
    /// Host, port and virtual host, for people.
    place: String,
    retention_h: u32,
}

impl Server {
    async fn connect(&self, what_for: &str) -> Result<Connection, BrokerError> {
        let name = format!("medmon-gatewayd {what_for}");
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        let connected = tokio::time::timeout(CONNECT, connecting).await;
        Ok(connected.map_err(|_| BrokerError::Unreached(self.place.clone()))??)
    }

    /// RabbitMQ may be reached and never answer; then a new connection does better.
    async fn in_time<T>(&self, work: impl Future<Output = Result<T, BrokerError>>) -> Result<T, BrokerError> {
        let late = |_| BrokerError::Unreached(self.place.clone());
        tokio::time::timeout(ANSWER, work).await.map_err(late)?
    }
}

/// Between two attempts to connect: 100 ms, doubled up to 5 s.
#[derive(Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    fn reset(&mut self) {
        self.failures = 0;
    }

    fn is_first(&self) -> bool {
        self.failures == 0
    }

    async fn wait(&mut self) {
        let pause = Duration::from_millis(100) * 2_u32.pow(self.failures.min(6));
        self.failures += 1;
        tokio::time::sleep(pause.min(Duration::from_secs(5))).await;
    }
}

/// RabbitMQ as the gateway's broker.
pub struct RabbitMq {
    publisher: Arc<Publisher>,
    deliverers: [Arc<Deliverer>; Stage::ALL.len()],
    asker: Asker,
    server: Arc<Server>,
    /// DETECT is shown readings past all queues.
    detect: Mutex<Option<mpsc::Sender<Delivery>>>,
    known: Mutex<Depth>,
    _stop: DropGuard,
}

impl RabbitMq {
    /// Begins to connect; returns at once. `retention_h`: hours that the raw log goes back.
    pub fn open(url: &RabbitUrl, retention_h: u32) -> Result<Self, String> {
        let uri = url.parse()?;
        let server = Arc::new(Server { place: place(&uri), uri, retention_h });
        let publisher = Arc::new(Publisher::new(Arc::clone(&server)));
        let stop = CancellationToken::new();
        let (connected, stopped) = (Arc::clone(&publisher), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = connected.keep_connected() => {}
                () = stopped.cancelled() => {}
            }
        });
        Ok(Self {
            publisher,
            deliverers: Stage::ALL.map(|stage| Arc::new(Deliverer::new(stage))),
            asker: Asker::new(Arc::clone(&server)),
            server,
            detect: Mutex::new(None),
            known: Mutex::new(Depth::default()),
            _stop: stop.drop_guard(),
        })
    }

    async fn ask_depth(&self) -> Result<Depth, BrokerError> {
        let behind = async |stage: Stage| {
            let waiting = self.asker.waiting(stage).await?;
            Ok::<_, BrokerError>(waiting + self.deliverers[stage as usize].unsettled())
        };
        Ok(Depth {
            kept: self.asker.kept().await?,
            detect_behind: behind(Stage::Detect).await?,
            downsample_behind: behind(Stage::Downsample).await?,
            state: BrokerState::Up,
        })
    }
}

#[async_trait]
impl Broker for RabbitMq {
    async fn publish(&self, readings: Vec<Reading>) -> Result<(), BrokerError> {
        let detect = self.detect.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(detect) = detect {
            for reading in &readings {
                // No room: DETECT is far behind and gets it from its queue.
                let _ = detect.try_send(Delivery { offset: 0, reading: reading.clone() });
            }
        }
        self.publisher.publish(&readings).await
    }

    fn consume(&self, stage: Stage) -> mpsc::Receiver<Delivery> {
        let (sender, receiver) = mpsc::channel(ON_THE_WAY);
        if stage == Stage::Detect {
            *self.detect.lock().unwrap_or_else(PoisonError::into_inner) = Some(sender.clone());
        }
        let (deliverer, server) = (Arc::clone(&self.deliverers[stage as usize]), Arc::clone(&self.server));
        let publisher = Arc::clone(&self.publisher);
        tokio::spawn(async move {
            deliverer.keep_delivering(&server, &publisher, sender).await;
        });
        receiver
    }

    async fn acknowledge(&self, stage: Stage, offset: i64) -> Result<(), BrokerError> {
        self.deliverers[stage as usize].acknowledge(offset).await
    }

    /// A queue hands out only so much that is not acknowledged.
    fn commit_every(&self) -> Duration {
        Duration::from_secs(1)
    }

    async fn drained(&self, stage: Stage, offset: i64) -> bool {
        // Unreached: nothing more comes. First what waits, then what was handed: between the two it only moves on.
        let Ok(waiting) = tokio::time::timeout(GLANCE, self.asker.waiting(stage)).await else { return false };
        waiting.unwrap_or(0) == 0 && self.deliverers[stage as usize].has_all(offset).unwrap_or(true)
    }

    async fn read(&self, offset: i64, limit: u32) -> Result<Vec<Delivery>, BrokerError> {
        self.asker.read(offset, limit).await
    }

    async fn newest(&self) -> Result<i64, BrokerError> {
        self.asker.newest().await
    }

    fn durable(&self) -> watch::Receiver<i64> {
        self.publisher.durable.subscribe()
    }

    /// RabbitMQ does it: a queue forgets what is acknowledged, the raw log what is old.
    async fn trim(&self, _older_than_utc_us: i64) -> Result<u64, BrokerError> {
        Ok(0)
    }

    async fn depth(&self) -> Result<Depth, BrokerError> {
        let state = self.publisher.state();
        let asked = match state {
            BrokerState::Unreached => None,
            _ => tokio::time::timeout(GLANCE, self.ask_depth()).await.ok().and_then(Result::ok),
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Depth { state, ..asked.unwrap_or(*known) };
        Ok(*known)
    }
}
