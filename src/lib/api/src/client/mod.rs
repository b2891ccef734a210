//! The typed client: one method per endpoint. Not for retrying or for what to do about an error.

mod care;
mod error;
mod fleet;
mod people;
mod sse;

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder, Response, StatusCode, Url};
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

pub use error::{Error, ErrorKind};
pub use sse::{Events, SseParser};

use crate::Problem;

/// Bytes of an answer at most: a server that has gone mad fills no memory.
const MAX_ANSWER: usize = 32 << 20;
/// A call that is not a long poll takes no longer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// No server that is busy is believed for longer: it may be a proxy that has gone mad.
const LONGEST_LATER: Duration = Duration::from_hours(1);
/// Longer than a long poll and than the heart beats of `/v1/events`.
const READ_TIMEOUT: Duration = Duration::from_secs(90);

/// How to reach the server.
#[derive(Clone, Default)]
pub struct Options {
    /// `mm_…`; absent = only what asks for none.
    pub token: Option<String>,
    /// Certificates (PEM) to trust instead of the machine's.
    pub ca_pem: Option<Vec<u8>>,
    /// Shown in the server's log, such as "medmon/0.1.0".
    pub user_agent: Option<String>,
    /// Connecting may take half a minute, and a request as long as its bytes take at 2G's worst.
    pub slow_link: bool,
}

/// A client of one server. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: Url,
    token: Option<HeaderValue>,
    key: Option<Uuid>,
}

impl std::fmt::Debug for Client {
    /// Without the token.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

impl Client {
    /// A client of the server at `url` (`https://cloud.example`), with a token if there is one.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, Error> {
        Self::with(url, &Options { token: token.map(str::to_owned), ..Options::default() })
    }

    /// The same with everything to choose.
    pub fn with(url: &str, options: &Options) -> Result<Self, Error> {
        let refuse =
            |problem: &str| Error::Address(format!("url = \"{url}\": {problem}, such as https://cloud.example"));
        let base = Url::parse(url).map_err(|error| refuse(&format!("{error}; write scheme and host")))?;
        if !matches!(base.scheme(), "http" | "https") || base.cannot_be_a_base() {
            return Err(refuse("write an http or https address"));
        }
        let mut builder = reqwest::Client::builder()
            .connect_timeout(if options.slow_link { TIMEOUT } else { Duration::from_secs(5) })
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(options.user_agent.as_deref().unwrap_or(concat!("medmon-api/", env!("CARGO_PKG_VERSION"))));
        if !options.slow_link {
            // It begins with the request, not with the answer: it would cut off an upload that goes on.
            builder = builder.read_timeout(READ_TIMEOUT);
        }
        if is_loopback(&base) {
            // A proxy of the network cannot reach this machine's own loopback.
            builder = builder.no_proxy();
        }
        if base.scheme() == "http" {
            // Nothing to verify: a machine without certificates can still speak to its own cloudd.
            builder = builder.tls_certs_only([]);
        } else if let Some(pem) = &options.ca_pem {
            let roots = reqwest::Certificate::from_pem_bundle(pem)
                .map_err(|error| Error::Address(format!("ca_file is not a list of PEM certificates: {error}")))?;
            builder = builder.tls_certs_only(roots);
        }
        let http = builder.build().map_err(|error| refuse(&format!("no client for it: {error}")))?;
        let token = options.token.as_deref().map(bearer).transpose()?;
        Ok(Self { http, base, token, key: None })
    }

    /// The same client with another token, or none.
    pub fn with_token(&self, token: Option<&str>) -> Result<Self, Error> {
        Ok(Self { token: token.map(bearer).transpose()?, ..self.clone() })
    }

    /// The same client whose next write carries this idempotency key. Use a key for one request only: repeated with
    /// it, that request has one effect. Without it each write gets a key of its own.
    #[must_use]
    pub fn keyed(&self, key: Uuid) -> Self {
        Self { key: Some(key), ..self.clone() }
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        self.base.as_str()
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut url = self.base.clone();
        // Under a path prefix of a proxy, too.
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        let mut request = self.http.request(method.clone(), url);
        if let Some(token) = &self.token {
            request = request.header(reqwest::header::AUTHORIZATION, token.clone());
        }
        if method != Method::GET {
            request = request.header("Idempotency-Key", self.key.unwrap_or_else(Uuid::now_v7).to_string());
        }
        request
    }

    async fn get<T: DeserializeOwned>(&self, path: &str, query: &[&dyn Query]) -> Result<T, Error> {
        let request = query.iter().fold(self.request(Method::GET, path), |request, query| query.add(request));
        answer(path, self.send(request.timeout(TIMEOUT)).await?).await
    }

    async fn write<B: Serialize + ?Sized, T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &B,
    ) -> Result<T, Error> {
        answer(path, self.send(self.request(method, path).json(body).timeout(TIMEOUT)).await?).await
    }

    async fn delete(&self, path: &str) -> Result<(), Error> {
        self.send(self.request(Method::DELETE, path).timeout(TIMEOUT)).await.map(drop)
    }

    /// Sends; anything but success, 304 included, becomes an error unless `send_any` is used.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Error> {
        let response = self.send_any(request).await?;
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    async fn send_any(&self, request: RequestBuilder) -> Result<Response, Error> {
        request.send().await.map_err(|source| Error::Unreachable { url: self.base.to_string(), source })
    }

    async fn refusal(&self, response: Response) -> Error {
        let status = response.status().as_u16();
        let problem = is_problem(response.headers());
        let after = retry_after(&response);
        let unsaid = Error::Status { url: self.base.to_string(), status };
        let refusal = if problem {
            let body = body(response).await.unwrap_or_default();
            serde_json::from_slice::<Problem>(&body).map_or(unsaid, Error::Problem)
        } else {
            unsaid
        };
        match after {
            Some(after) => Error::Later { after, refusal: Box::new(refusal) },
            None => refusal,
        }
    }

    /// Whether the server answers and its stores are open.
    pub async fn ready(&self) -> Result<(), Error> {
        self.send(self.request(Method::GET, crate::paths::READYZ).timeout(TIMEOUT)).await.map(drop)
    }

    /// The OpenAPI document.
    pub async fn openapi(&self) -> Result<serde_json::Value, Error> {
        self.get(crate::paths::OPENAPI, &[]).await
    }
}

/// A query that `serde` lays out; several make one.
trait Query: Sync {
    fn add(&self, request: RequestBuilder) -> RequestBuilder;
}

impl<T: Serialize + Sync> Query for T {
    fn add(&self, request: RequestBuilder) -> RequestBuilder {
        request.query(self)
    }
}

async fn answer<T: DeserializeOwned>(path: &str, response: Response) -> Result<T, Error> {
    // No content reads as `null`, so that `()` and `Option` work.
    let empty = response.status() == StatusCode::NO_CONTENT;
    let bytes = body(response).await.map_err(|message| Error::Answer { path: path.to_owned(), message })?;
    let bytes = if empty { &b"null"[..] } else { &bytes };
    serde_json::from_slice(bytes).map_err(|error| Error::Answer { path: path.to_owned(), message: error.to_string() })
}

async fn body(mut response: Response) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
        if bytes.len() + chunk.len() > MAX_ANSWER {
            return Err(format!("more than {MAX_ANSWER} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn header<'a>(response: &'a Response, name: &HeaderName) -> Option<&'a str> {
    response.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Seconds only: a date says nothing to a gateway that does not know the time.
fn retry_after(response: &Response) -> Option<Duration> {
    let busy = matches!(response.status().as_u16(), 429 | 503);
    let seconds = header(response, &RETRY_AFTER).filter(|_| busy)?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_LATER))
}

fn is_problem(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    kind.is_some_and(|kind| kind.starts_with(crate::problem::MEDIA_TYPE))
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
        .map_err(|_| Error::Address("the token has characters that no token has; copy it again".into()))?;
    value.set_sensitive(true);
    Ok(value)
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_built_for_plain_http_without_a_provider_of_the_process() {
        let client = Client::new("http://127.0.0.1:1/prefix/", Some("mm_x")).unwrap();
        let request = client.request(Method::POST, crate::paths::PATIENTS).build().unwrap();
        assert_eq!(request.url().as_str(), "http://127.0.0.1:1/prefix/v1/patients");
        assert!(request.headers().contains_key("Idempotency-Key"));
        assert!(!format!("{client:?} {request:?}").contains("mm_x"), "the token is never shown");
        assert!(Client::new("https://cloud.example", None).is_ok());
    }

    #[test]
    fn an_address_that_is_none_says_what_to_write() {
        for url in ["cloud.example", "ftp://x", ""] {
            let error = Client::new(url, None).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("https://cloud.example"), "{error}");
        }
    }

    #[tokio::test]
    async fn nobody_at_the_address_is_unreachable() {
        let client = Client::new("http://127.0.0.1:1", None).unwrap();
        assert_eq!(client.whoami().await.unwrap_err().kind(), ErrorKind::Unreachable);
    }
}
