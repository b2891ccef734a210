//! The `[gateway]` section of the configuration.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use medmon_core::noun::{Device, Ieee, Ladder, Language, Place, Vital, is_e164};

use medmon_kit::config::ConfigError;
use medmon_sms::http::HttpConfig;

use crate::broker::RabbitUrl;
use crate::radio::map::{Map, Row};
use crate::radio::pairing::{InstallCode, PermitJoin, Policy};

/// What gatewayd is told.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GatewayConfig {
    /// As people call it.
    pub name: String,
    /// Where everything is kept.
    pub data_dir: PathBuf,
    /// Unix socket of `medmon local`; default `gatewayd.sock` in `data_dir`.
    pub socket: Option<PathBuf>,
    /// Language of texts to contacts that name none.
    pub language: Language,
    /// IANA zone of times in texts while Settings name none.
    pub time_zone: String,
    /// The dongle.
    pub radio: RadioConfig,
    /// Attribute mappings.
    pub zigbee: ZigbeeConfig,
    /// The allow-list by IEEE address, together with the one in Settings.
    pub devices: BTreeMap<Ieee, DeviceConfig>,
    /// Admit devices that are on no list. Never in a home with neighbours.
    pub allow_unlisted: bool,
    /// Where readings wait.
    pub broker: BrokerConfig,
    /// How much of the disk is this gateway's.
    pub disk: DiskConfig,
    /// Texts.
    pub sms: SmsConfig,
    /// The cloud.
    pub uplink: UplinkConfig,
    /// Health and metrics.
    pub telemetry: TelemetryConfig,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            name: "gateway".into(),
            data_dir: "/var/lib/medmon/gateway".into(),
            socket: None,
            language: Language::default(),
            time_zone: "UTC".into(),
            radio: RadioConfig::default(),
            zigbee: ZigbeeConfig::default(),
            devices: BTreeMap::new(),
            allow_unlisted: false,
            broker: BrokerConfig::default(),
            disk: DiskConfig::default(),
            sms: SmsConfig::default(),
            uplink: UplinkConfig::default(),
            telemetry: TelemetryConfig::default(),
        }
    }
}

/// `[gateway.radio]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RadioConfig {
    /// Serial port: a path, a path with `*` in its last part that fits one port, or `auto`. A name under
    /// /dev/serial/by-id survives replugging.
    pub port: PathBuf,
    /// Bits a second.
    pub baud: u32,
    /// May a blank dongle form a network?
    pub form_network: bool,
    /// Whom a join window admits; without a running `medmon local pair` none is open.
    pub permit_join: PermitJoin,
    /// Install codes by IEEE address, as printed on the devices.
    pub install_codes: BTreeMap<Ieee, InstallCode>,
    /// Messages a second that one device may send for long; more are dropped and counted. 50 Hz of acceleration in bursts
    /// are four.
    pub flood_limit: u32,
    /// A file of 64 hexadecimal digits, mode 0600; default `backup.key` in `data_dir`, made at the first backup.
    pub backup_key_file: Option<PathBuf>,
}

impl Default for RadioConfig {
    fn default() -> Self {
        Self {
            port: "/dev/ttyUSB0".into(),
            baud: 115_200,
            form_network: false,
            permit_join: PermitJoin::default(),
            install_codes: BTreeMap::new(),
            flood_limit: 200,
            backup_key_file: None,
        }
    }
}

impl RadioConfig {
    /// Who may come in.
    pub fn policy(&self) -> Policy {
        Policy { permit_join: self.permit_join, install_codes: self.install_codes.clone() }
    }
}

/// `[gateway.zigbee]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ZigbeeConfig {
    /// Rows before the built-in ones.
    pub map: Vec<Row>,
}

/// One device of `[gateway.devices]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceConfig {
    /// As people call it.
    #[serde(default)]
    pub label: String,
    /// What it is expected to measure.
    #[serde(default)]
    pub vitals: Vec<Vital>,
    /// Where on the body.
    #[serde(default)]
    pub place: Option<Place>,
    /// Expected seconds between its readings, where it differs from the vital table.
    #[serde(default)]
    pub cadences: BTreeMap<Vital, u32>,
}

/// `[gateway.broker]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BrokerConfig {
    /// `embedded` or `rabbitmq`.
    pub kind: BrokerKind,
    /// RabbitMQ: where, with user, password and virtual host.
    pub url: RabbitUrl,
    /// How long a publish may take before readings go past the broker.
    pub publish_timeout_ms: u32,
    /// Hours that raw readings are kept after every stage has had them.
    pub retention_h: u32,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self {
            kind: BrokerKind::Embedded,
            url: RabbitUrl::new("amqp://guest:guest@127.0.0.1:5672/%2f"),
            publish_timeout_ms: 1000,
            retention_h: 24,
        }
    }
}

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BrokerKind {
    /// A SQLite log in `data_dir`.
    Embedded,
    /// RabbitMQ in the home.
    Rabbitmq,
}

/// `[gateway.disk]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DiskConfig {
    /// Most of the volume that is used, MiB; a twentieth of it is always left free.
    pub quota_mib: u64,
}

impl Default for DiskConfig {
    fn default() -> Self {
        Self { quota_mib: 4096 }
    }
}

/// `[gateway.sms]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmsConfig {
    /// Whom to text while Settings name nobody. E.164.
    pub fallback_phone: Option<String>,
    /// The ladder while Settings leave it as it is.
    pub ladder: LadderConfig,
    /// Day of the month of the exercise, 1-28; 0 = none; absent = a day of this gateway's own.
    pub drill_day: Option<u8>,
    /// What carries texts, in this order; empty = what is configured, the modem first.
    pub channels: Vec<Channel>,
    /// A GSM modem.
    pub modem: Option<ModemConfig>,
    /// An HTTP API. With neither, this gateway cannot text by itself.
    pub http: Option<HttpConfig>,
}

/// `[gateway.sms.ladder]`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LadderConfig {
    /// Unacknowledged for so long: the next contact, s.
    pub next_after_s: u32,
    /// No delivery report for so long: the next contact, s.
    pub undelivered_after_s: u32,
    /// After the last contact: to all again at this interval, s; 0 = not.
    pub repeat_s: u32,
    /// A patient who is asked first has so long to answer, s.
    pub ask_s: u32,
    /// The most texts a contact gets in an hour.
    pub hourly: u32,
}

impl Default for LadderConfig {
    fn default() -> Self {
        let Ladder { next_after_s, undelivered_after_s, repeat_s, ask_s, hourly } = Ladder::default();
        Self { next_after_s, undelivered_after_s, repeat_s, ask_s, hourly }
    }
}

impl From<LadderConfig> for Ladder {
    fn from(config: LadderConfig) -> Self {
        let LadderConfig { next_after_s, undelivered_after_s, repeat_s, ask_s, hourly } = config;
        Self { next_after_s, undelivered_after_s, repeat_s, ask_s, hourly }
    }
}

/// What carries texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// `[gateway.sms.modem]`
    Modem,
    /// `[gateway.sms.http]`
    Http,
}

impl SmsConfig {
    /// What carries texts, in order.
    pub fn channels(&self) -> Vec<Channel> {
        let all = [(Channel::Modem, self.modem.is_some()), (Channel::Http, self.http.is_some())];
        let configured = all.into_iter().filter(|(_, there)| *there).map(|(channel, _)| channel);
        if self.channels.is_empty() { configured.collect() } else { self.channels.clone() }
    }
}

/// `[gateway.sms.modem]`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModemConfig {
    /// Serial port.
    pub port: PathBuf,
    /// Bits a second.
    #[serde(default = "modem_baud")]
    pub baud: u32,
    /// A file that holds the SIM's PIN.
    #[serde(default)]
    pub pin_file: Option<PathBuf>,
    /// The SIM's own number, E.164: once a week it is texted.
    #[serde(default)]
    pub number: Option<String>,
}

impl ModemConfig {
    /// The SIM's PIN, if there is one that can be read.
    pub fn pin(&self) -> Option<String> {
        let file = self.pin_file.as_deref()?;
        match std::fs::read_to_string(file) {
            Ok(pin) => Some(pin.trim().to_owned()),
            // A home that detects and keeps is worth more than none; a SIM without a PIN works all the same.
            Err(error) => {
                let key = "gateway.sms.modem.pin_file";
                tracing::error!(%error, file = %file.display(), "{key} cannot be read; tried without a PIN");
                None
            }
        }
    }
}

fn modem_baud() -> u32 {
    115_200
}

/// `[gateway.uplink]`
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct UplinkConfig {
    /// Base URL of the cloud; absent = nothing is sent, everything is kept.
    pub url: Option<String>,
    /// The gateway's token; default `token` in `data_dir`, where `enrol` puts it.
    pub token_file: Option<PathBuf>,
    /// How often closed windows are sealed and sent.
    pub live_interval_s: u32,
    /// Certificates (PEM) to trust instead of the machine's.
    pub ca_file: Option<PathBuf>,
}

impl Default for UplinkConfig {
    fn default() -> Self {
        Self { url: None, token_file: None, live_interval_s: 60, ca_file: None }
    }
}

/// `[gateway.telemetry]`
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TelemetryConfig {
    /// Address of /livez, /readyz, /health and /metrics; absent = none.
    pub listen: Option<SocketAddr>,
}

impl GatewayConfig {
    /// Refuses values that can be read but not used, before a port or a device is opened.
    pub fn check(&self, file: &str) -> Result<(), ConfigError> {
        let refuse = |key: &str, value: Option<String>, problem: &str| ConfigError {
            file: file.to_owned(),
            key: format!("gateway.{key}"),
            value,
            problem: problem.to_owned(),
        };
        Map::new(&self.zigbee.map).map_err(|problem| refuse("zigbee.map", None, &problem))?;
        if let Some(url) = &self.uplink.url
            && let Err(error) = medmon_api::Client::new(url, None)
        {
            return Err(refuse("uplink.url", Some(format!("\"{url}\"")), &error.to_string()));
        }
        if let Some((url, file)) = self.uplink.url.as_ref().zip(self.uplink.ca_file.as_ref())
            && url.starts_with("http:")
        {
            let problem = "gateway.uplink.url is http, where nothing is encrypted: write https, or leave the file out";
            return Err(refuse("uplink.ca_file", Some(format!("\"{}\"", file.display())), problem));
        }
        // Never shown: there is a password in it.
        self.broker.url.check().map_err(|problem| refuse("broker.url", None, &problem))?;
        if self.broker.publish_timeout_ms == 0 {
            return Err(refuse("broker.publish_timeout_ms", Some("0".into()), "must be at least 1"));
        }
        // Less would give everything up at once: what is set aside for texts counts too.
        if self.disk.quota_mib < 64 {
            return Err(refuse("disk.quota_mib", Some(self.disk.quota_mib.to_string()), "must be at least 64"));
        }
        if self.uplink.live_interval_s == 0 {
            return Err(refuse("uplink.live_interval_s", Some("0".into()), "must be at least 1"));
        }
        if let Some(phone) = self.sms.fallback_phone.as_deref().filter(|phone| !is_e164(phone)) {
            let problem = "write it as +33612345678 (E.164)";
            return Err(refuse("sms.fallback_phone", Some(format!("\"{phone}\"")), problem));
        }
        // With none, an emergency would be a summary of nothing.
        for (name, value) in [("next_after_s", self.sms.ladder.next_after_s), ("hourly", self.sms.ladder.hourly)] {
            if value == 0 {
                return Err(refuse(&format!("sms.ladder.{name}"), Some("0".into()), "must be at least 1"));
            }
        }
        for (name, channel, there) in
            [("modem", Channel::Modem, self.sms.modem.is_some()), ("http", Channel::Http, self.sms.http.is_some())]
        {
            if self.sms.channels.contains(&channel) && !there {
                let problem = format!("there is no [gateway.sms.{name}]: add it, or leave the channel out");
                return Err(refuse("sms.channels", Some(format!("\"{name}\"")), &problem));
            }
        }
        if let Some(Err(error)) = self.sms.http.as_ref().map(HttpConfig::check) {
            let value = error.value.map(|value| format!("\"{value}\""));
            return Err(refuse(&format!("sms.http.{}", error.key), value, &error.problem));
        }
        let number = self.sms.modem.as_ref().and_then(|modem| modem.number.as_deref());
        if let Some(phone) = number.filter(|phone| !is_e164(phone)) {
            let problem = "write it as +33612345678 (E.164)";
            return Err(refuse("sms.modem.number", Some(format!("\"{phone}\"")), problem));
        }
        if let Some(day) = self.sms.drill_day.filter(|day| *day > 28) {
            return Err(refuse("sms.drill_day", Some(day.to_string()), "must be 1 to 28, or 0 for none"));
        }
        jiff::tz::TimeZone::get(&self.time_zone).map(drop).map_err(|_| {
            let problem = "not an IANA zone, such as Europe/Paris";
            refuse("time_zone", Some(format!("\"{}\"", self.time_zone)), problem)
        })
    }

    /// The Unix socket of `medmon local`.
    pub fn socket(&self) -> PathBuf {
        self.socket.clone().unwrap_or_else(|| self.data_dir.join("gatewayd.sock"))
    }

    /// Where the gateway's token is.
    pub fn token_file(&self) -> PathBuf {
        self.uplink.token_file.clone().unwrap_or_else(|| self.data_dir.join("token"))
    }

    /// The allow-list of this file.
    pub fn devices(&self) -> impl Iterator<Item = Device> + '_ {
        self.devices.iter().map(|(ieee, device)| Device {
            ieee: *ieee,
            label: device.label.clone(),
            vitals: device.vitals.clone(),
            place: device.place,
        })
    }
}
