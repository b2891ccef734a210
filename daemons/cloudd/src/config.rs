//! The configuration of cloudd: the section `[cloud]`. Reading it from file and environment: kit.

use std::path::PathBuf;

use medmon_kit::config::ConfigError;
use medmon_sms::HttpConfig;
use serde::Deserialize;

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
    /// Which store. Default `embedded`, the only one in this release.
    pub kind: VitalsKind,
    /// Seconds after which a segment of the journal is closed and settled in the store. Default 3600.
    pub segment_s: u32,
}

impl Default for VitalsConfig {
    fn default() -> Self {
        Self { kind: VitalsKind::default(), segment_s: 3600 }
    }
}

/// The vitals stores of this release.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VitalsKind {
    /// Files under `data_dir`.
    #[default]
    Embedded,
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
}
