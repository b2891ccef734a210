//! What a command works with: the configuration in force, the server, the token, the place for state, the printer.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use medmon_api::Client;
use medmon_api::client::Options;
use medmon_core::noun::Language;
use medmon_kit::config::{self, Source};
use serde::{Deserialize, Serialize};

use crate::args::{Global, Lang};
use crate::fail::{Exit, fail};
use crate::print::Printer;

/// `[client]` of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ClientConfig {
    /// The server: `https://cloud.example`.
    pub url: Option<String>,
    /// Certificates (PEM) to trust instead of the machine's.
    pub ca_file: Option<PathBuf>,
    /// Language of the dashboard: "en", "fr".
    pub language: Language,
    /// IANA zone for times; absent = the machine's.
    pub time_zone: Option<String>,
    /// "colour" or "mono".
    pub theme: Theme,
}

/// How the dashboard looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Theme {
    /// The terminal's own sixteen colours.
    #[default]
    Colour,
    /// Bold, dim and reverse only.
    Mono,
}

/// A command's surroundings.
pub struct Session {
    /// Prints.
    pub out: Printer,
    /// When the command began.
    pub now: Timestamp,
    /// Do not ask.
    pub yes: bool,
    /// `[client]` in force, with the command line over it.
    pub config: ClientConfig,
    /// The configuration file in force.
    pub config_file: Option<PathBuf>,
    env: BTreeMap<String, String>,
}

impl Session {
    /// Reads the configuration; opens nothing else.
    pub fn open(global: Global) -> anyhow::Result<Self> {
        let source = Source::from_env(global.config.clone());
        Self::with(global, &source)
    }

    /// The same with an environment to choose.
    pub fn with(global: Global, source: &Source) -> anyhow::Result<Self> {
        let mut config: ClientConfig = config::load("client", source)?;
        // An empty variable is one that a script unset.
        config.url = global.url.or(config.url).filter(|url| !url.trim().is_empty());
        config.language = match global.lang {
            Some(Lang::En) => Language::En,
            Some(Lang::Fr) => Language::Fr,
            None => config.language,
        };
        let env: BTreeMap<_, _> = source
            .env
            .iter()
            .filter_map(|(key, value)| Some((key.to_str()?.to_owned(), value.to_str()?.to_owned())))
            .collect();
        let set = |key: &str| env.get(key).is_some_and(|value| !value.is_empty());
        let forced = env.get("CLICOLOR_FORCE").is_some_and(|value| !matches!(value.as_str(), "" | "0"));
        if global.no_color || set("NO_COLOR") && !forced {
            config.theme = Theme::Mono;
        }
        let zone = match &config.time_zone {
            None => TimeZone::system(),
            Some(name) => TimeZone::get(name).map_err(|_| {
                let message = format!("client.time_zone = \"{name}\" is no IANA zone; write one like Europe/Paris");
                fail(Exit::Usage, message)
            })?,
        };
        let out = Printer::stdout(global.output, global.quiet, zone);
        if global.verbose {
            let file = source.path().map_or_else(|| "none".to_owned(), |path| path.display().to_string());
            eprintln!("medmon: configuration {file}, server {}", config.url.as_deref().unwrap_or("not set"));
        }
        Ok(Self { out, now: Timestamp::now(), yes: global.yes, config, config_file: source.path(), env })
    }

    /// The staff's zone.
    pub fn zone(&self) -> &TimeZone {
        self.out.zone()
    }

    /// The server's address.
    pub fn url(&self) -> anyhow::Result<&str> {
        let none = "which server? pass --url https://cloud.example, or set `url` in the [client] section of the \
                    configuration (`medmon config template`)";
        self.config.url.as_deref().ok_or_else(|| fail(Exit::Usage, none))
    }

    /// A client with the caller's token.
    pub fn client(&self) -> anyhow::Result<Client> {
        // The address first: a token for no server at all is not worth asking for.
        let client = self.client_with(None)?;
        Ok(client.with_token(Some(&self.token()?))?)
    }

    /// A client with a token to try, or none.
    pub fn client_with(&self, token: Option<String>) -> anyhow::Result<Client> {
        let ca_pem = match &self.config.ca_file {
            Some(path) => Some(fs::read(path).map_err(|error| {
                fail(Exit::Usage, format!("client.ca_file = \"{}\" cannot be read: {error}", path.display()))
            })?),
            None => None,
        };
        let user_agent = Some(concat!("medmon/", env!("CARGO_PKG_VERSION")).to_owned());
        Ok(Client::with(self.url()?, &Options { token, ca_pem, user_agent, slow_link: false })?)
    }

    fn token(&self) -> anyhow::Result<String> {
        if let Some(token) = self.env.get("MEDMON_TOKEN").filter(|token| !token.trim().is_empty()) {
            return Ok(token.trim().to_owned());
        }
        let url = self.url()?;
        self.tokens()?.remove(url).ok_or_else(|| {
            let message = format!(
                "not logged in at {url}; keep a token with `medmon login --token-stdin --insecure-storage`, or set \
                 MEDMON_TOKEN"
            );
            fail(Exit::NotLoggedIn, message)
        })
    }

    fn token_file(&self) -> anyhow::Result<PathBuf> {
        Ok(self.state_dir()?.join("tokens.json"))
    }

    /// Kept tokens by server: one is never sent to another server.
    fn tokens(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let path = self.token_file()?;
        let Ok(meta) = fs::metadata(&path) else { return Ok(BTreeMap::new()) };
        if meta.permissions().mode() & 0o077 != 0 {
            let path = path.display();
            let message = format!("others can read the tokens in {path}; run `chmod 600 {path}` and think of new ones");
            return Err(fail(Exit::NotLoggedIn, message));
        }
        let text = fs::read(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        serde_json::from_slice(&text)
            .map_err(|_| fail(Exit::NotLoggedIn, format!("{} is damaged; remove it, log in again", path.display())))
    }

    /// Keeps a token for the server, or forgets it. Gives the file.
    pub fn keep_token(&self, token: Option<String>) -> anyhow::Result<PathBuf> {
        let (url, path) = (self.url()?.to_owned(), self.token_file()?);
        let mut tokens = self.tokens()?;
        match token {
            Some(token) => tokens.insert(url, token),
            None => tokens.remove(&url),
        };
        write_private(&path, &serde_json::to_vec(&tokens)?)?;
        Ok(path)
    }

    /// Where tokens and waiting writes are kept: `$XDG_STATE_HOME/medmon`.
    pub fn state_dir(&self) -> anyhow::Result<PathBuf> {
        let base = self.env.get("XDG_STATE_HOME").filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let home = || self.env.get("HOME").map(|home| Path::new(home).join(".local/state"));
        let dir = base.or_else(home).context("there is no place to keep anything: set XDG_STATE_HOME")?.join("medmon");
        Ok(dir)
    }

    /// The editor to write a text in.
    pub fn editor(&self) -> Option<&str> {
        let set = |key| self.env.get(key).map(String::as_str).filter(|editor| !editor.is_empty());
        set("VISUAL").or_else(|| set("EDITOR"))
    }
}

/// Writes a file that only its owner can read; it is whole or it is not there.
pub fn write_private(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let cannot = || format!("{} cannot be written", path.display());
    let dir = path.parent().context("no folder")?;
    fs::create_dir_all(dir).with_context(cannot)?;
    let partial = path.with_extension(format!("part-{}", std::process::id()));
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&partial)
        .with_context(cannot)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).with_context(cannot)?;
    fs::rename(&partial, path).with_context(cannot)
}

#[cfg(test)]
pub mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;

    #[test]
    fn the_example_is_what_the_client_reads() {
        let folder = std::env::temp_dir().join(format!("medmon-example-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("config.toml");
        let example = include_str!("../../../config.example.toml");
        for text in [
            example.to_owned(),
            example.replace("# url", "url").replace("# ca_file", "ca_file").replace("# time_zone", "time_zone"),
        ] {
            std::fs::write(&path, text).unwrap();
            let source = Source { file: Some(path.clone()), env: Vec::new() };
            config::load::<ClientConfig>("client", &source).unwrap();
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
    use crate::args::Args;
    use crate::fail::exit_code;

    /// A session with its state under `home`.
    pub fn session(home: &Path, line: &str, env: &[(&str, &str)]) -> anyhow::Result<Session> {
        let home = home.to_str().unwrap();
        let base = [("XDG_STATE_HOME", home), ("XDG_CONFIG_HOME", home), ("MEDMON_CLIENT__TIME_ZONE", "Europe/Paris")];
        let env = base.iter().chain(env).map(|(key, value)| (OsString::from(key), OsString::from(value))).collect();
        // A file of its own: what stands in /etc of this machine is no part of a test.
        let file = Path::new(home).join("config.toml");
        fs::write(&file, "[client]\n").unwrap();
        Session::with(Args::parse_from(line.split(' ')).global, &Source { file: Some(file), env })
    }

    const LINE: &str = "medmon whoami --url http://127.0.0.1:1";

    #[test]
    fn a_token_is_kept_for_its_server_alone_and_only_its_owner_reads_it() {
        let home = tempfile::tempdir().unwrap();
        let here = session(home.path(), LINE, &[]).unwrap();
        assert_eq!(exit_code(&here.token().unwrap_err()), 4);
        let path = here.keep_token(Some("mm_1".to_owned())).unwrap();
        assert_eq!(here.token().unwrap(), "mm_1");
        let elsewhere = session(home.path(), "medmon whoami --url http://127.0.0.1:2", &[]).unwrap();
        assert_eq!(exit_code(&elsewhere.token().unwrap_err()), 4);
        let told = session(home.path(), LINE, &[("MEDMON_TOKEN", " mm_2\n")]).unwrap();
        assert_eq!(told.token().unwrap(), "mm_2");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(here.token().unwrap_err().to_string().contains("chmod 600"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        here.keep_token(None).unwrap();
        assert!(here.token().is_err());
    }

    #[test]
    fn the_command_line_lies_over_the_environment_over_the_file() {
        let home = tempfile::tempdir().unwrap();
        let env = [("MEDMON_CLIENT__URL", "http://env"), ("NO_COLOR", "1")];
        let session = |line| session(home.path(), line, &env).unwrap();
        assert_eq!(session("medmon whoami").url().unwrap(), "http://env");
        assert_eq!(session("medmon whoami --url http://line").url().unwrap(), "http://line");
        assert_eq!(session("medmon whoami").config.theme, Theme::Mono);
        assert_eq!(session("medmon whoami --lang fr").config.language, Language::Fr);
    }

    #[test]
    fn without_an_address_or_with_a_bad_zone_it_is_usage() {
        let home = tempfile::tempdir().unwrap();
        let none = session(home.path(), "medmon whoami", &[]).unwrap();
        assert_eq!(exit_code(&none.client().unwrap_err()), 2);
        let zone = session(home.path(), "medmon whoami", &[("MEDMON_CLIENT__TIME_ZONE", "Mars/Olympus")]);
        assert_eq!(zone.err().map(|error| exit_code(&error)), Some(2));
    }
}
