//! Configuration: one TOML file, one section a program, every key also as `MEDMON_SECTION__KEY`.
//!
//! A bad value is one line that names the file, the key, the value and the remedy; daemons exit with 78 (EX_CONFIG).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// sysexits.h: something was found in an unconfigured or misconfigured state.
pub const EX_CONFIG: u8 = 78;

/// The sections a file may have; each belongs to one program.
const SECTIONS: [&str; 4] = ["gateway", "cloud", "updater", "client"];

/// A configuration that cannot be used, in one line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {key}{}: {problem}", .value.as_ref().map(|value| format!(" = {value}")).unwrap_or_default())]
pub struct ConfigError {
    /// The file, or the environment variable.
    pub file: String,
    /// Dotted path of the key.
    pub key: String,
    /// What stands there.
    pub value: Option<String>,
    /// What is wrong and what to do.
    pub problem: String,
}

/// Where the configuration comes from.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// `--config`; must exist.
    pub file: Option<PathBuf>,
    /// The environment; [`Source::from_env`] takes the process's.
    pub env: Vec<(OsString, OsString)>,
}

impl Source {
    /// `--config` as given, and the environment of this process.
    pub fn from_env(file: Option<PathBuf>) -> Self {
        Self { file, env: std::env::vars_os().collect() }
    }

    fn var(&self, name: &str) -> Option<PathBuf> {
        self.env.iter().find(|(key, _)| key == name).map(|(_, value)| PathBuf::from(value))
    }

    /// The file in force: `--config`, `MEDMON_CONFIG`, the user's, the machine's.
    pub fn path(&self) -> Option<PathBuf> {
        let user = self
            .var("XDG_CONFIG_HOME")
            .or_else(|| self.var("HOME").map(|home| home.join(".config")))
            .map(|folder| folder.join("medmon/config.toml"));
        let usual = [user, Some(PathBuf::from("/etc/medmon/config.toml"))].into_iter().flatten();
        self.file.clone().or_else(|| self.var("MEDMON_CONFIG")).or_else(|| usual.into_iter().find(|path| path.exists()))
    }
}

/// The configuration of one program: `section` of the file with the environment over it.
pub fn load<T: DeserializeOwned>(section: &str, source: &Source) -> Result<T, ConfigError> {
    let path = source.path();
    let name = path.as_deref().map_or_else(|| "environment".to_owned(), |path| path.display().to_string());
    let mut file = path.as_deref().map_or_else(|| Ok(Table::new()), read)?;
    if let Some(key) = file.keys().find(|key| !SECTIONS.contains(&key.as_str())) {
        let problem = unknown("section", key, SECTIONS.iter().copied());
        return Err(ConfigError { file: name, key: key.clone(), value: None, problem });
    }
    let mut table = match file.remove(section) {
        None => Table::new(),
        Some(Value::Table(table)) => table,
        Some(other) => {
            let problem = format!("must be a section: write [{section}]");
            return Err(ConfigError { file: name, key: section.into(), value: Some(other.to_string()), problem });
        }
    };
    overlay(&mut table, section, &source.env)?;
    let whole = table.clone();
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let at = error.path().to_string();
        let message = error.inner().to_string();
        let (key, problem) = explain(&at, message.trim());
        let value = lookup(&whole, &key).filter(|value| !value.is_table()).map(ToString::to_string);
        ConfigError { file: name, key: format!("{section}.{key}").trim_end_matches('.').to_owned(), value, problem }
    })
}

fn read(path: &Path) -> Result<Table, ConfigError> {
    let broken =
        |key: String, problem: String| ConfigError { file: path.display().to_string(), key, value: None, problem };
    let text = std::fs::read_to_string(path)
        .map_err(|error| broken("file".into(), format!("cannot be read: {error}; create it or pass --config FILE")))?;
    text.parse::<Table>().map_err(|error| {
        let line = error.span().map_or(1, |span| text[..span.start.min(text.len())].lines().count().max(1));
        broken(format!("line {line}"), format!("not TOML: {}", error.message()))
    })
}

/// Lays `MEDMON_SECTION__KEY__SUB` over the file. A value that reads as TOML is taken so, else as a string.
fn overlay(table: &mut Table, section: &str, env: &[(OsString, OsString)]) -> Result<(), ConfigError> {
    let prefix = format!("MEDMON_{}__", section.to_uppercase());
    for (key, value) in env {
        let (Some(key), Some(value)) = (key.to_str(), value.to_str()) else { continue };
        let Some(path) = key.strip_prefix(&prefix) else { continue };
        let path: Vec<_> = path.split("__").map(str::to_lowercase).collect();
        let parsed = format!("v = {value}").parse::<Table>().ok().and_then(|mut table| table.remove("v"));
        // What begins with a plus is a phone number.
        let parsed = parsed.filter(|_| !value.starts_with('+'));
        let Some((last, parents)) = path.split_last() else { continue };
        let mut at = &mut *table;
        for parent in parents {
            let entry = at.entry(parent.clone()).or_insert_with(|| Value::Table(Table::new()));
            at = entry.as_table_mut().ok_or_else(|| ConfigError {
                file: key.to_owned(),
                key: path.join("."),
                value: Some(value.to_owned()),
                problem: format!("`{parent}` is not a section"),
            })?;
        }
        at.insert(last.clone(), parsed.unwrap_or_else(|| Value::String(value.to_owned())));
    }
    Ok(())
}

fn lookup<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    let mut parts = path.split('.');
    let mut value = table.get(parts.next()?)?;
    for part in parts {
        value = value.get(part)?;
    }
    Some(value)
}

/// Turns serde's message into key and remedy; an unknown key becomes a suggestion.
fn explain(at: &str, message: &str) -> (String, String) {
    let at = if at == "." { "" } else { at };
    let quoted: Vec<_> = message.split('`').skip(1).step_by(2).collect();
    if message.starts_with("unknown field")
        && let Some((field, known)) = quoted.split_first()
    {
        let key = if at.is_empty() || at.ends_with(field) { at.to_owned() } else { format!("{at}.{field}") };
        let key = if key.is_empty() { (*field).to_owned() } else { key };
        return (key, unknown("key", field, known.iter().copied()));
    }
    (at.to_owned(), message.lines().next().unwrap_or(message).to_owned())
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let nearest = known.clone().max_by(|a, b| strsim::jaro(a, name).total_cmp(&strsim::jaro(b, name)));
    match nearest.filter(|near| strsim::jaro(near, name) > 0.7) {
        Some(near) => format!("unknown {what}, did you mean `{near}`?"),
        None => format!("unknown {what}, expected one of {}", known.collect::<Vec<_>>().join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Example {
        name: String,
        radio: Radio,
    }

    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Radio {
        port: String,
        baud: u32,
    }

    fn example(text: &str, env: &[(&str, &str)]) -> Result<Example, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, text).unwrap();
        let env = env.iter().map(|(key, value)| (OsString::from(key), OsString::from(value))).collect();
        let source = Source { file: Some(path.clone()), env };
        load("gateway", &source).map_err(|error| error.to_string().replace(&path.display().to_string(), "c.toml"))
    }

    #[test]
    fn the_environment_lies_over_the_file() {
        let text = "[gateway]\nname = 'a'\n[gateway.radio]\nport = '/dev/ttyUSB0'\nbaud = 9600\n[client]\nurl = 'x'";
        let env = [("MEDMON_GATEWAY__RADIO__BAUD", "115200"), ("MEDMON_GATEWAY__NAME", "gw 7"), ("MEDMON_TOKEN", "t")];
        let radio = Radio { port: "/dev/ttyUSB0".into(), baud: 115_200 };
        assert_eq!(example(text, &env), Ok(Example { name: "gw 7".into(), radio }));
    }

    #[test]
    fn a_bad_configuration_is_one_line_with_place_value_and_remedy() {
        for (text, line) in [
            ("[gateway.radio]\nprot = 'x'", "c.toml: gateway.radio.prot = \"x\": unknown key, did you mean `port`?"),
            ("[gatway]", "c.toml: gatway: unknown section, did you mean `gateway`?"),
            (
                "[gateway.radio]\nbaud = 'fast'",
                "c.toml: gateway.radio.baud = \"fast\": invalid type: string \"fast\", expected u32",
            ),
            ("[gateway]\nname = ", "c.toml: line 2: not TOML: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(example(text, &[]).unwrap_err(), line);
        }
    }

    #[test]
    fn a_missing_named_file_is_an_error_and_no_file_at_all_is_not() {
        let source = Source { file: Some("/nonexistent/medmon.toml".into()), env: Vec::new() };
        assert!(load::<Example>("gateway", &source).unwrap_err().to_string().contains("pass --config FILE"));
    }
}
