//! Logs on stderr: a line reads alone, values are fields, nothing in it names a person.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// How a line is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For collectors.
    Json,
}

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("`{text}` is not a log format: text or json")),
        }
    }
}

/// Starts logging to `writer` at the level of `RUST_LOG` (default `info`). The first call in a process wins.
pub fn init<W>(format: Format, writer: W)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).unwrap_or_else(|_| "info".into());
    // lapin warns with the bodies of messages, which are values of a patient; what matters of it the broker says itself.
    let filter = EnvFilter::new(format!("lapin=off,{asked}"));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(false);
    let _ = match format {
        Format::Text => lines.try_init(),
        Format::Json => lines.json().try_init(),
    };
}
