//! HTTP to the server: remote write in, PromQL out, and what it says of itself. Every answer has a size cap.

use std::collections::HashMap;
use std::time::Duration;

use reqwest::{Response, StatusCode};
use serde::Deserialize;
use uuid::Uuid;

/// A request takes no longer; 90 days of one vital are read in about a second.
const TIMEOUT: Duration = Duration::from_secs(30);
/// An answer of more is asked for in parts.
const MAX_ANSWER: usize = 48 << 20;
/// Of an error no more is read.
const MAX_ERROR: usize = 4096;
const DAY_MS: i64 = 86_400_000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The server has looked at the samples and does not want them.
    #[error("refused ({0}): {1}")]
    Refused(StatusCode, String),
    /// The answer is too large: ask for less.
    #[error("an answer of more than {MAX_ANSWER} bytes")]
    TooBig,
    /// It answers, and not with what was asked for.
    #[error("{0}: {1}")]
    Answer(String, String),
    /// Nobody there, or not in time.
    #[error("{0}: no answer; is the server up, and are cloud.vitals.write_url and query_url right?")]
    Down(String, #[source] reqwest::Error),
    /// What it takes now could not be told from what the process before it took.
    #[error("{0}: started less than a second ago; asked again")]
    Young(String),
}

/// What a server is.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// See [`Client::started`].
    pub started: String,
    /// How far back it keeps samples, ms.
    pub retention_ms: i64,
    /// How late a sample may come, ms; none: within the retention any.
    pub late_ms: Option<i64>,
}

/// One series of an answer, borrowed from it.
#[derive(Debug, Deserialize)]
pub struct Row<'a> {
    /// Its labels.
    pub metric: HashMap<String, String>,
    #[serde(borrow)]
    values: Vec<(f64, &'a str)>,
}

impl Row<'_> {
    /// Its samples: instant in ms, value.
    pub fn samples(&self) -> impl Iterator<Item = (i64, f64)> {
        self.values.iter().filter_map(|(at_s, value)| Some(((at_s * 1000.0).round() as i64, value.parse().ok()?)))
    }
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow)]
    result: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Reply<T> {
    data: T,
}

/// A client of one server.
#[derive(Debug)]
pub struct Client {
    http: reqwest::Client,
    write_url: String,
    query_url: String,
}

impl Client {
    /// For samples to `write_url`, for questions to paths below `query_url`.
    pub fn new(write_url: &str, query_url: &str) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder().timeout(TIMEOUT).connect_timeout(Duration::from_secs(5)).build()?;
        Ok(Self { http, write_url: write_url.into(), query_url: query_url.trim_end_matches('/').into() })
    }

    /// Sends a body of remote write.
    pub async fn write(&self, body: Vec<u8>) -> Result<(), ClientError> {
        let request = self.http.post(&self.write_url).body(body);
        let request = request
            .header("content-type", "application/x-protobuf")
            .header("content-encoding", "snappy")
            .header("x-prometheus-remote-write-version", "0.1.0");
        let answer =
            request.send().await.map_err(|error| ClientError::Down(self.write_url.clone(), error.without_url()))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&read(answer, MAX_ERROR).await.unwrap_or_default()).trim().to_owned();
        // Some releases answer 500 to what is wrong with a sample.
        if status == StatusCode::BAD_REQUEST || is_of_a_sample(&text) {
            return Err(ClientError::Refused(status, text));
        }
        Err(ClientError::Answer(self.write_url.clone(), format!("{status} {text}")))
    }

    /// The samples of a range selector, handed to `take` series by series. `at_ms` is the selector's end.
    pub async fn query(&self, query: &str, at_ms: i64, mut take: impl FnMut(Row<'_>)) -> Result<(), ClientError> {
        // VictoriaMetrics keeps answers; late samples would not be seen.
        let at_s = format!("{}.{:03}", at_ms.div_euclid(1000), at_ms.rem_euclid(1000));
        let body = self.get("/api/v1/query", &[("query", query), ("time", &at_s), ("nocache", "1")]).await?;
        let answer: Answer<'_> = serde_json::from_slice(&body).map_err(|error| self.not_understood(&error))?;
        answer.data.result.into_iter().for_each(&mut take);
        Ok(())
    }

    /// The vitals that there are windows of.
    pub async fn vitals(&self) -> Result<Vec<String>, ClientError> {
        self.label_values("vital", &[]).await
    }

    /// The subjects that have samples of `metric` and a vital since `from_ms`, and perhaps some more.
    pub async fn subjects(&self, metric: &str, vital: &str, from_ms: i64) -> Result<Vec<Uuid>, ClientError> {
        let (series, from_s) = (format!("{metric}{{vital=\"{vital}\"}}"), (from_ms / 1000).to_string());
        let values = self.label_values("subject", &[("match[]", &series), ("start", &from_s)]).await?;
        Ok(values.iter().filter_map(|value| value.parse().ok()).collect())
    }

    async fn label_values(&self, label: &str, query: &[(&str, &str)]) -> Result<Vec<String>, ClientError> {
        let body = self.get(&format!("/api/v1/label/{label}/values"), query).await?;
        let values: Result<Reply<Vec<String>>, _> = serde_json::from_slice(&body);
        values.map(|values| values.data).map_err(|error| self.not_understood(&error))
    }

    /// Deletes the samples of a subject. Prometheus does it only with `--web.enable-admin-api`.
    pub async fn delete(&self, subject: Uuid) -> Result<(), ClientError> {
        let url = format!("{}/api/v1/admin/tsdb/delete_series", self.query_url);
        let request = self.http.post(&url).query(&[("match[]", format!("{{subject=\"{subject}\"}}"))]);
        let answer = request.send().await.map_err(|error| ClientError::Down(url.clone(), error.without_url()))?;
        if answer.status().is_success() {
            // Prometheus writes its blocks anew without them; VictoriaMetrics knows no such path and does it by itself.
            let clean = format!("{}/api/v1/admin/tsdb/clean_tombstones", self.query_url);
            let _ = self.http.post(clean).send().await;
            return Ok(());
        }
        let (status, text) = (answer.status(), read(answer, MAX_ERROR).await.unwrap_or_default());
        Err(ClientError::Answer(url, format!("{status} {}", String::from_utf8_lossy(&text).trim())))
    }

    /// What tells one process of the server from the next: when it started, as it says; empty where it does not say.
    pub async fn started(&self) -> Result<String, ClientError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Runtime {
            start_time: String,
        }
        // Prometheus' metric of it is computed anew each time, with a clock that may be corrected meanwhile.
        let runtime = match self.get("/api/v1/status/runtimeinfo", &[]).await {
            Err(down @ ClientError::Down(..)) => return Err(down),
            runtime => runtime.unwrap_or_default(),
        };
        if let Ok(runtime) = serde_json::from_slice::<Reply<Runtime>>(&runtime) {
            return Ok(runtime.data.start_time);
        }
        match self.get("/metrics", &[]).await {
            Ok(body) => {
                let body = String::from_utf8_lossy(&body);
                // It says the second only: one that is killed within its first could be followed by one of the same name.
                if metric(&body, "vm_app_uptime_seconds").as_deref() == Some("0") {
                    return Err(ClientError::Young(self.query_url.clone()));
                }
                Ok(metric(&body, "vm_app_start_timestamp").unwrap_or_default())
            }
            Err(ClientError::Answer(_, answer)) if answer.starts_with("404") => Ok(String::new()),
            Err(error) => Err(error),
        }
    }

    /// What the server says of itself.
    pub async fn server(&self) -> Result<Server, ClientError> {
        #[derive(Deserialize)]
        struct Config {
            yaml: String,
        }
        let started = self.started().await?;
        let months = 31 * DAY_MS;
        if let Ok(body) = self.get("/api/v1/status/flags", &[]).await
            && let Ok(flags) = serde_json::from_slice::<Reply<HashMap<String, String>>>(&body)
            && let Some(set) = flags.data.get("storage.tsdb.retention.time")
        {
            let retention_ms = duration_ms(set).filter(|kept| *kept > 0).unwrap_or(15 * DAY_MS);
            let config = self.get("/api/v1/status/config", &[]).await?;
            let config: Reply<Config> = serde_json::from_slice(&config).map_err(|error| self.not_understood(&error))?;
            let late = config.data.yaml.lines().find_map(|line| line.trim().strip_prefix("out_of_order_time_window: "));
            return Ok(Server { started, retention_ms, late_ms: Some(late.and_then(duration_ms).unwrap_or(0)) });
        }
        let flags = self.get("/flags", &[]).await.unwrap_or_default();
        let flags = String::from_utf8_lossy(&flags);
        let set =
            flags.lines().find_map(|line| line.strip_prefix("-retentionPeriod=")).map(|set| set.trim_matches('"'));
        let retention_ms = set.map_or(Some(months), |set| match set.parse::<i64>() {
            Ok(count) => Some(count * months),
            Err(_) => duration_ms(set),
        });
        Ok(Server { started, retention_ms: retention_ms.unwrap_or(months), late_ms: None })
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}{path}", self.query_url);
        let down = |error: reqwest::Error| ClientError::Down(url.clone(), error.without_url());
        let answer = self.http.get(&url).query(query).send().await.map_err(down)?;
        let status = answer.status();
        if status.is_success() {
            return read(answer, MAX_ANSWER).await;
        }
        let text = String::from_utf8_lossy(&read(answer, MAX_ERROR).await.unwrap_or_default()).trim().to_owned();
        // "query processing would load too many samples into memory", and VictoriaMetrics' likes of it.
        if text.contains("too many samples") || text.contains("maxSamplesPer") {
            return Err(ClientError::TooBig);
        }
        Err(ClientError::Answer(url, format!("{status} {text}")))
    }

    fn not_understood(&self, error: &serde_json::Error) -> ClientError {
        ClientError::Answer(self.query_url.clone(), format!("not understood: {error}"))
    }
}

/// What servers write about one sample among others, whatever the status.
fn is_of_a_sample(text: &str) -> bool {
    is_too_old(text) || ["out of order", "duplicate sample"].iter().any(|words| text.contains(words))
}

/// Older than the server takes from anybody: what is older still is so too.
pub fn is_too_old(text: &str) -> bool {
    ["too old", "out of bounds"].iter().any(|words| text.contains(words))
}

/// The body, if it has no more than `cap` bytes.
async fn read(mut answer: Response, cap: usize) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    loop {
        let url = answer.url().path().to_owned();
        let Some(chunk) = answer.chunk().await.map_err(|error| ClientError::Down(url, error.without_url()))? else {
            return Ok(body);
        };
        if body.len() + chunk.len() > cap {
            return Err(ClientError::TooBig);
        }
        body.extend_from_slice(&chunk);
    }
}

fn metric(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.trim().to_owned()))
}

/// A duration as both servers write it: `1d12h`, `10y`.
fn duration_ms(text: &str) -> Option<i64> {
    let (mut total_ms, mut rest) = (0i64, text);
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let count: i64 = rest[..digits].parse().ok()?;
        let letters = rest[digits..].find(|c: char| c.is_ascii_digit()).map_or(rest.len(), |length| digits + length);
        let unit_ms = match &rest[digits..letters] {
            "ms" => 1,
            "s" => 1000,
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => DAY_MS,
            "w" => 7 * DAY_MS,
            "y" => 365 * DAY_MS,
            _ => return None,
        };
        total_ms = total_ms.checked_add(count.checked_mul(unit_ms)?)?;
        rest = &rest[letters..];
    }
    Some(total_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_both_servers_write_them() {
        assert_eq!(duration_ms("1d12h"), Some(36 * 3_600_000));
        assert_eq!(duration_ms("10y"), Some(3650 * DAY_MS));
        assert_eq!(duration_ms("0s"), Some(0));
        assert_eq!([duration_ms("3"), duration_ms("d"), duration_ms("9999999999999y")], [None; 3]);
    }
}
