//! The configuration of cloudd: the section `[cloud]`. Reading it from file and environment: kit.

use std::path::PathBuf;

use medmon_core::noun::UtcUs;
use medmon_kit::config::ConfigError;
use medmon_sms::HttpConfig;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::vitals::embedded::Options;

/// `[cloud]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CloudConfig {
    /// Where the API listens, as `address:port`; port 0 = any free one. Default `127.0.0.1:8080`.
    pub listen: String,
    /// Where records and vitals are. Default `/var/lib/medmon/cloud`.
    pub data_dir: PathBuf,
    /// The address under which clients reach it, if a proxy is in front. Default none.
    pub public_url: Option<String>,
    /// `[cloud.records]`.
    pub records: RecordsConfig,
    /// `[cloud.vitals]`.
    pub vitals: VitalsConfig,
    /// `[cloud.sms]`.
    pub sms: SmsConfig,
    /// `[cloud.backup]`: for `medmon-cloudd backup`, `restore`, `verify`.
    pub backup: BackupConfig,
}

impl Default for CloudConfig {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            data_dir: "/var/lib/medmon/cloud".into(),
            public_url: None,
            records: RecordsConfig::default(),
            vitals: VitalsConfig::default(),
            sms: SmsConfig::default(),
            backup: BackupConfig::default(),
        }
    }
}

/// `[cloud.records]`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RecordsConfig {
    /// Which store. Default `sqlite`, the only one in this release.
    pub kind: RecordsKind,
}

/// The records stores of this release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordsKind {
    /// A file under `data_dir`.
    #[default]
    Sqlite,
}

/// `[cloud.vitals]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VitalsConfig {
    /// Which store: `embedded`, or `prometheus` for whatever takes remote write and answers PromQL. Default `embedded`.
    pub kind: VitalsKind,
    /// Of kind prometheus: where it takes remote write. Default none.
    pub write_url: Option<String>,
    /// Of kind prometheus: where it answers, the part before `/api/v1`. Default none.
    pub query_url: Option<String>,
    /// Of kind prometheus: seconds that it must have had a segment, without a restart, before the journal lets that go.
    /// Default 900.
    pub settle_s: u32,
    /// Seconds after which a segment of the journal is closed and settled in the store. Default 3600.
    pub segment_s: u32,
    /// Seconds after midnight UTC at which the day before is packed into its month: what comes later costs a block anew.
    /// Default 10800.
    pub compact_after_s: u32,
    /// How long windows are kept, such as `3650d`, by whole months; `never` = they never go. Default `never`.
    pub retention: Age,
    /// After how long windows finer than a quarter of an hour are thinned to that; `never` = they stay. Default `366d`.
    pub thin_after: Age,
}

impl VitalsConfig {
    /// As the embedded store takes it.
    pub fn options(&self) -> Options {
        Options {
            retention_us: self.retention.0,
            thin_after_us: self.thin_after.0,
            compact_after_us: i64::from(self.compact_after_s) * 1_000_000,
            ..Options::default()
        }
    }
}

impl Default for VitalsConfig {
    fn default() -> Self {
        Self {
            kind: VitalsKind::default(),
            write_url: None,
            query_url: None,
            settle_s: 900,
            segment_s: 3600,
            compact_after_s: (Options::default().compact_after_us / 1_000_000) as u32,
            retention: Age(None),
            thin_after: Age(Options::default().thin_after_us),
        }
    }
}

/// After how long something happens, µs; `None` = never. Written `3650d`, `12h` or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age(pub Option<UtcUs>);

impl<'de> Deserialize<'de> for Age {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self(None));
        }
        let span = text.parse::<jiff::Span>().ok();
        let age = span.and_then(|span| span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok());
        let age_us = age.and_then(|age| UtcUs::try_from(age.as_micros()).ok()).filter(|age_us| *age_us > 0);
        let refuse = || D::Error::custom(format!("`{text}` is no age: write days, such as 3650d, or never"));
        age_us.map(|age_us| Self(Some(age_us))).ok_or_else(refuse)
    }
}

/// The vitals stores of this release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VitalsKind {
    /// Files under `data_dir`.
    #[default]
    Embedded,
    /// A server; what it does not take, or keep, is in files under `data_dir` beside it.
    Prometheus,
}

/// `[cloud.backup]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackupConfig {
    /// Where backups are kept: another disk than `data_dir`'s. Default none.
    pub folder: Option<PathBuf>,
    /// The key to them, 64 hexadecimal digits; made by the first backup. Keep a copy of it elsewhere. Default none.
    pub key_file: Option<PathBuf>,
    /// Backups kept; older ones are let go. Default 30.
    pub keep: u32,
}

impl Default for BackupConfig {
    fn default() -> Self {
        Self { folder: None, key_file: None, keep: 30 }
    }
}

/// `[cloud.sms]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// `[cloud.sms.http]`: what carries texts while a gateway is not heard. Default none: then nobody is texted.
    pub http: Option<HttpConfig>,
}

impl CloudConfig {
    /// Refuses values that can be read but not used, before anything is opened.
    pub fn check(&self, file: &str) -> Result<(), ConfigError> {
        let refuse = |key: &str, value: String, problem: &str| {
            let (file, key, value) = (file.to_owned(), format!("cloud.{key}"), Some(format!("\"{value}\"")));
            Err(ConfigError { file, key, value, problem: problem.to_owned() })
        };
        let port =
            self.listen.rsplit_once(':').and_then(|(host, port)| port.parse::<u16>().ok().filter(|_| !host.is_empty()));
        if port.is_none() {
            return refuse("listen", self.listen.clone(), "write address:port, such as 127.0.0.1:8080");
        }
        if self.data_dir.as_os_str().is_empty() {
            return refuse("data_dir", String::new(), "write a folder, such as /var/lib/medmon/cloud");
        }
        if let Some(Err(error)) = self.sms.http.as_ref().map(HttpConfig::check) {
            let (key, file) = (format!("cloud.sms.http.{}", error.key), file.to_owned());
            let value = error.value.map(|value| format!("\"{value}\""));
            return Err(ConfigError { file, key, value, problem: error.problem });
        }
        if self.vitals.kind == VitalsKind::Prometheus {
            for (key, url) in [("write_url", &self.vitals.write_url), ("query_url", &self.vitals.query_url)] {
                let problem = "kind = \"prometheus\" needs it: an address, such as http://127.0.0.1:9090";
                if !url.as_ref().is_some_and(|url| url.starts_with("http://") || url.starts_with("https://")) {
                    return refuse(&format!("vitals.{key}"), url.clone().unwrap_or_default(), problem);
                }
            }
        }
        match &self.public_url {
            Some(url) if !url.starts_with("https://") && !url.starts_with("http://") => {
                refuse("public_url", url.clone(), "write an address, such as https://cloud.example")
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_legal_and_a_bad_value_names_key_and_remedy() {
        CloudConfig::default().check("c.toml").unwrap();
        let bad = CloudConfig { listen: "8080".into(), ..CloudConfig::default() };
        let line = bad.check("c.toml").unwrap_err().to_string();
        assert_eq!(line, "c.toml: cloud.listen = \"8080\": write address:port, such as 127.0.0.1:8080");
    }

    #[test]
    fn ages_are_days_or_never() {
        let read = |text: &str| serde_json::from_value::<Age>(text.into());
        assert_eq!(read("3650d").unwrap(), Age(Some(3650 * 86_400_000_000)));
        assert_eq!(read("never").unwrap(), Age(None));
        for text in ["", "0d", "-1d", "1y", "3650", "99999999999d"] {
            let line = read(text).unwrap_err().to_string();
            assert!(line.contains("3650d"), "{line}");
        }
    }
}
