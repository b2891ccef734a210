//! `[gateway.sms.http]` and `[cloud.sms.http]`, and what is wrong with them.
//!
//! Not for: where in a file they stand; the daemons put that before the key.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use medmon_kit::Clock;
use reqwest::Url;
use serde::Deserialize;

use super::{HttpChannel, HttpKind, HttpOptions, Token};

/// How long an answer may take when nobody says.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// A secret shorter than this can be tried out. 22 letters of base64 or 32 hexadecimal digits are 128 bits.
const SECRET: usize = 22;

/// What is wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("sms.http.{key} = {}: {problem}", value.as_deref().map_or("nothing".into(), |value| format!("\"{value}\"")))]
pub struct HttpError {
    /// The key within `sms.http`.
    pub key: &'static str,
    /// What stands there; a secret is not shown.
    pub value: Option<String>,
    /// What is wrong and what to do.
    pub problem: String,
}

impl HttpError {
    pub(super) fn new(key: &'static str, value: &str, problem: &str) -> Self {
        Self { key, value: Some(value.to_owned()), problem: problem.to_owned() }
    }

    fn missing(key: &'static str, problem: &str) -> Self {
        Self { key, value: None, problem: problem.to_owned() }
    }
}

/// An HTTP API in a configuration file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// Where texts are handed over.
    pub url: String,
    /// What is spoken there.
    #[serde(default)]
    pub kind: HttpKind,
    /// A file that holds the bearer token, for Kannel "user:password". Read at each text.
    #[serde(default)]
    pub token_file: Option<PathBuf>,
    /// Where to listen for delivery reports and answers; absent: neither comes in.
    #[serde(default)]
    pub callback_listen: Option<SocketAddr>,
    /// The same as the API reaches it; its last part is a secret.
    #[serde(default)]
    pub callback_url: Option<String>,
    /// What phones show as the sender.
    #[serde(default)]
    pub from: Option<String>,
    /// How long an answer may take, s.
    #[serde(default = "timeout_s")]
    pub timeout_s: u64,
}

fn timeout_s() -> u64 {
    TIMEOUT.as_secs()
}

impl HttpConfig {
    /// Whether it makes sense, before anything is opened.
    pub fn check(&self) -> Result<(), HttpError> {
        if !(1..=60).contains(&self.timeout_s) {
            let value = self.timeout_s.to_string();
            return Err(HttpError::new("timeout_s", &value, "write 1 to 60 seconds: an emergency waits for it"));
        }
        check(&self.options()).map(|_| ())
    }

    /// Takes the API into service.
    pub fn open(&self, clock: Clock) -> Result<HttpChannel, HttpError> {
        self.check()?;
        HttpChannel::open(self.options(), self.token_file.clone().map_or(Token::None, Token::File), clock)
    }

    fn options(&self) -> HttpOptions {
        HttpOptions {
            url: self.url.clone(),
            kind: self.kind,
            token: None,
            callback_url: self.callback_url.clone(),
            callback_listen: self.callback_listen,
            from: self.from.clone(),
            timeout: Duration::from_secs(self.timeout_s),
        }
    }
}

/// The address of the API, and the secret of the listener's.
pub(super) fn check(options: &HttpOptions) -> Result<(Url, Option<String>), HttpError> {
    let url = address("url", &options.url, &options.url, "such as https://sms.example/v1/texts")?;
    let secret = match (&options.callback_url, options.callback_listen) {
        (Some(callback), Some(_)) => Some(secret(callback)?),
        (None, Some(listen)) => {
            let problem = format!(
                "callback_listen = \"{listen}\" hears nothing unless the API knows where: write the address under which it \
                 reaches it, ending in a secret, such as https://here.example/sms/ and what `openssl rand -hex 16` prints"
            );
            return Err(HttpError::missing("callback_url", &problem));
        }
        (Some(_), None) => {
            let problem = "callback_url is there, and nobody would listen: write an address, such as 127.0.0.1:8085";
            return Err(HttpError::missing("callback_listen", problem));
        }
        (None, None) => None,
    };
    Ok((url, secret))
}

fn address(key: &'static str, value: &str, shown: &str, example: &str) -> Result<Url, HttpError> {
    match Url::parse(value) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.has_host() => Ok(url),
        Ok(_) => Err(HttpError::new(key, shown, &format!("write an http or https address, {example}"))),
        Err(error) => Err(HttpError::new(key, shown, &format!("{error}; write an http or https address, {example}"))),
    }
}

/// The last part of the path.
fn secret(callback: &str) -> Result<String, HttpError> {
    let url = address("callback_url", callback, callback, "such as https://here.example/sms/SECRET")?;
    let last = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    let plain = last.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if last.len() < SECRET || !plain || url.query().is_some() || url.fragment().is_some() {
        let problem = "whoever can guess it can answer for a relative and silence an alarm: let it end in \"/\" and what \
            `openssl rand -hex 16` prints";
        return Err(HttpError::new("callback_url", callback, problem));
    }
    Ok(last.to_owned())
}
