//! An HTTP API as a channel: a JSON dialect of our own (README, "Texts"), or Kannel's.
//!
//! Not for: trying a text again (the outbox).

mod callback;
mod config;
mod json;
mod kannel;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use medmon_kit::Clock;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::{RequestBuilder, Response, StatusCode, Url};
use serde::Deserialize;
use tokio_util::task::AbortOnDropHandle;

use crate::channel::{Caps, Incoming, Outcome, Sms, SmsChannel};
use crate::inbox::{Inbox, inbox};
pub use config::{HttpConfig, HttpError};

/// An answer longer than this is not read to its end.
const ANSWER_MAX: usize = 64 << 10;

/// What an API speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpKind {
    /// POST of JSON with a bearer token.
    #[default]
    Json,
    /// GET as Kannel's smsbox wants it.
    Kannel,
}

/// How an HTTP channel is started.
#[derive(Clone)]
pub struct HttpOptions {
    /// Where texts are handed over.
    pub url: String,
    /// What is spoken there.
    pub kind: HttpKind,
    /// The bearer token; for Kannel "user:password".
    pub token: Option<String>,
    /// Where the API reaches our listener. It ends in a secret: whoever knows it can answer for a relative.
    pub callback_url: Option<String>,
    /// Where our listener listens.
    pub callback_listen: Option<SocketAddr>,
    /// What phones show as the sender, where the API lets us choose.
    pub from: Option<String>,
    /// How long an answer may take.
    pub timeout: Duration,
}

impl Default for HttpOptions {
    fn default() -> Self {
        Self {
            url: String::new(),
            kind: HttpKind::default(),
            token: None,
            callback_url: None,
            callback_listen: None,
            from: None,
            timeout: config::TIMEOUT,
        }
    }
}

impl fmt::Debug for HttpOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url, kind, token, callback_url, callback_listen, from, timeout } = self;
        let hidden = |secret: &Option<String>| secret.as_ref().map(|_| "…");
        f.debug_struct("HttpOptions")
            .field("url", url)
            .field("kind", kind)
            .field("token", &hidden(token))
            .field("callback_url", &hidden(callback_url))
            .field("callback_listen", callback_listen)
            .field("from", from)
            .field("timeout", timeout)
            .finish()
    }
}

/// Where the token comes from.
#[derive(Clone)]
enum Token {
    None,
    Known(String),
    /// Read at each text: a new one needs no restart.
    File(PathBuf),
}

/// An HTTP API. Its listener ends when this is dropped.
pub struct HttpChannel {
    http: reqwest::Client,
    url: Url,
    options: HttpOptions,
    token: Token,
    clock: Clock,
    inbox: Inbox,
    callback: Option<(SocketAddr, AbortOnDropHandle<()>)>,
}

impl fmt::Debug for HttpChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpChannel").field("options", &self.options).finish_non_exhaustive()
    }
}

impl HttpChannel {
    /// Takes the API into service. Nothing is sent before the listener listens. Wants to be called within a runtime.
    pub fn start(options: HttpOptions, clock: Clock) -> Result<Self, HttpError> {
        let token = options.token.clone().map_or(Token::None, Token::Known);
        Self::open(options, token, clock)
    }

    fn open(options: HttpOptions, token: Token, clock: Clock) -> Result<Self, HttpError> {
        let (url, secret) = config::check(&options)?;
        let mut builder = reqwest::Client::builder()
            .connect_timeout(clock.real(options.timeout))
            // The token is for this address and for no other.
            .redirect(reqwest::redirect::Policy::none())
            // A connection that was kept may be dead: then nobody could tell whether a text has left.
            .pool_max_idle_per_host(0)
            .user_agent(concat!("medmon/", env!("CARGO_PKG_VERSION")));
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()) {
            builder = builder.no_proxy();
        }
        if url.scheme() == "http" {
            // Nothing to verify: a machine without certificates can still speak to a gateway in its own network.
            builder = builder.tls_certs_only([]);
        }
        let unusable =
            |error: reqwest::Error| HttpError::new("url", &options.url, &format!("no client for it: {error}"));
        let http = builder.build().map_err(unusable)?;
        let (inlet, inbox) = inbox();
        let callback = match (options.callback_listen, secret) {
            (Some(address), Some(secret)) => Some(callback::listen(address, secret, inlet, clock.clone())?),
            _ => None,
        };
        Ok(Self { http, url, options, token, clock, inbox, callback })
    }

    /// Where the listener listens: with port 0, which one it got.
    pub fn callback_address(&self) -> Option<SocketAddr> {
        self.callback.as_ref().map(|(address, _)| *address)
    }

    async fn token(&self) -> Result<Option<String>, Outcome> {
        match &self.token {
            Token::None => Ok(None),
            Token::Known(token) => Ok(Some(token.clone())),
            Token::File(file) => match tokio::fs::read_to_string(file).await.map(|token| token.trim().to_owned()) {
                Ok(token) if !token.is_empty() => Ok(Some(token)),
                Ok(_) => Err(Outcome::unavailable(format!("token_file {} is empty", file.display()))),
                Err(error) => {
                    tracing::error!(%error, file = %file.display(), "sms.http.token_file cannot be read: no text goes out");
                    Err(Outcome::unavailable(format!("token_file {}: {error}", file.display())))
                }
            },
        }
    }

    /// Sends a request, and makes of the answer what it means.
    async fn hand_over(
        &self,
        request: RequestBuilder,
        accepted: impl Fn(StatusCode, &str) -> Option<Outcome>,
    ) -> Outcome {
        let answered = async {
            let mut response = request.send().await?;
            let status = response.status();
            let wait = retry_after(response.headers(), self.clock.utc_us());
            // The status says it all even where the rest is lost.
            let body = read(&mut response).await;
            Ok::<_, reqwest::Error>((status, wait, body))
        };
        match self.clock.timeout(self.options.timeout, answered).await {
            // A connection that did not come to be: not a byte of the text has left.
            Some(Err(error)) if error.is_connect() || error.is_builder() => Outcome::unavailable(words(error)),
            Some(Err(error)) => {
                tracing::warn!(error = words(error), "sms.http: no answer to a text");
                Outcome::MaybeSent
            }
            None => Outcome::MaybeSent,
            Some(Ok((status, wait, body))) => accepted(status, &body).unwrap_or_else(|| refusal(status, wait, &body)),
        }
    }
}

#[async_trait]
impl SmsChannel for HttpChannel {
    fn caps(&self) -> Caps {
        let hears = self.callback.is_some();
        // Twice: the file of the token, and the name service, have their own ideas of time.
        Caps { name: "http", reports_delivery: hears, receives: hears, longest: self.options.timeout * 2 }
    }

    async fn send(&self, sms: &Sms) -> Outcome {
        let token = match self.token().await {
            Ok(token) => token,
            Err(outcome) => return outcome,
        };
        match self.options.kind {
            HttpKind::Json => {
                let request = json::request(&self.http, &self.url, &self.options, token.as_deref(), sms);
                self.hand_over(request, |status, body| json::accepted(status, body, sms)).await
            }
            HttpKind::Kannel => {
                let request = kannel::request(&self.http, &self.url, &self.options, token.as_deref(), sms);
                self.hand_over(request, |status, body| kannel::accepted(status, body, sms)).await
            }
        }
    }

    async fn receive(&self) -> Incoming {
        self.inbox.receive().await
    }
}

/// What an answer means that did not take the text (RFC 9110, 15).
fn refusal(status: StatusCode, retry_after: Option<Duration>, body: &str) -> Outcome {
    let said: String = body.chars().filter(|letter| !letter.is_control()).take(200).collect();
    let reason = format!("{status} {said}").trim().to_owned();
    match status.as_u16() {
        401..=403 => {
            tracing::error!(%reason, "the SMS API refuses us: no text goes out by HTTP until token or account is put right");
            Outcome::unavailable(reason)
        }
        300..=399 => Outcome::unavailable(format!("{status}: it sends us to another address, which is not followed")),
        // Somebody before the API gave up waiting for it.
        504 => Outcome::MaybeSent,
        408 | 409 | 425 | 429 | 500..=599 => Outcome::Unavailable { reason, retry_after },
        _ => Outcome::Rejected { reason },
    }
}

/// Seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, utc_us: i64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(Duration::from_micros((date.as_microsecond() - utc_us).max(0).unsigned_abs()))
}

/// The beginning of an answer, whatever it is.
async fn read(response: &mut Response) -> String {
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend(piece);
        if body.len() >= ANSWER_MAX {
            body.truncate(ANSWER_MAX);
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// An error with its causes, without the address: Kannel's holds the password and the text.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        words.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    words
}

#[cfg(test)]
mod tests;
