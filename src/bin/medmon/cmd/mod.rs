//! One file per noun: its verbs as clap sees them, and what each does.

pub mod alert;
pub mod config;
pub mod contact;
pub mod dashboard;
pub mod device;
pub mod doctor;
mod drill;
pub mod feeling;
pub mod gateway;
pub mod generate;
pub mod help;
pub mod limits;
pub mod local;
pub mod login;
pub mod outbox;
pub mod patient;
pub mod report;
pub mod token;
pub mod vitals;
pub mod ward;

/// A value of the core by its name as in files and API, for clap.
fn by_name<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

/// The name of a value of the core as in files and API.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}
