//! `medmon local`: asks the gateway of this machine through its Unix socket. One line out, JSON lines back until the end.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;

use crate::args::Output;
use crate::fail::{Exit, fail};
use crate::print::{self, Printer, csv_line, plain};
use crate::session::Session;

/// A gateway that sends longer lines is not ours.
const MAX_LINE: u64 = 1 << 20;

/// `medmon local`.
#[derive(Debug, clap::Args)]
pub struct LocalArgs {
    /// The gateway's socket
    #[arg(long, global = true, default_value = "/var/lib/medmon/gateway/gatewayd.sock", value_name = "PATH")]
    socket: PathBuf,
    #[command(subcommand)]
    verb: Verb,
}

/// Verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// How the gateway is
    Status,
    /// Accepted readings, one a line
    Tap {
        /// From the oldest reading kept
        #[arg(long, value_enum, value_name = "WHERE")]
        from: Option<From>,
        /// Go on as readings come
        #[arg(long)]
        follow: bool,
    },
    /// Alerts of this home
    Alerts,
    /// Texts, sent and waiting
    Sms,
    /// Readings that were lost here, and why
    Gaps,
    /// Sensors it hears
    Devices,
    /// Attributes of sensors that no mapping row is for, each with a row to begin with
    Unmatched,
    /// Lets sensors join while it runs
    Pair {
        /// How long, such as 60s or 10m; an hour at most
        #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = seconds)]
        time: u32,
    },
    /// An exercise: a marked alarm from a virtual reading to a contact's reply, which it waits for
    Drill {
        /// Whom to text: a name, or the beginning of an id; the first contact if it is left out
        #[arg(long, value_name = "WHO")]
        contact: Option<String>,
        /// How long to wait for the reply
        #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = seconds)]
        time: u32,
    },
    /// Acknowledges an alert on the spot: the texts to relatives stop, the ward still sees it
    Ack {
        /// Its code, as in the texts, or the beginning of its id
        alert: String,
        /// Who takes care of it
        #[arg(long, value_name = "NAME")]
        by: String,
    },
    /// The Zigbee network of this home
    #[command(subcommand)]
    Radio(Radio),
}

/// What changes the network itself.
#[derive(Clone, Copy, Debug, Subcommand)]
pub enum Radio {
    /// Wipes the dongle and forms a new network: every sensor must be paired again
    Form {
        /// Says that this is wanted
        #[arg(long)]
        yes_all_sensors_must_rejoin: bool,
    },
    /// Takes the network of the dongle that is plugged in for this home's
    Adopt,
    /// Puts the backup of this home's network onto the dongle that is plugged in: no sensor need be paired again
    Restore {
        /// Even if the dongle holds another network
        #[arg(long)]
        yes_overwrite: bool,
    },
    /// Takes a backup of the network now; one is taken every night and after sensors joined
    Backup,
}

/// `90`, `90s`, `10m`, `1h`.
fn seconds(text: &str) -> Result<u32, String> {
    let digits = text.trim_end_matches(['s', 'm', 'h']);
    let factor = match text.strip_prefix(digits) {
        Some("" | "s") => 1,
        Some("m") => 60,
        Some("h") => 3600,
        _ => 0,
    };
    let seconds = digits.parse::<u32>().ok().and_then(|number| number.checked_mul(factor));
    seconds.filter(|seconds| (1..=3600).contains(seconds)).ok_or_else(|| "write 1s to 1h, such as 60s or 10m".into())
}

/// Where a tap begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum From {
    /// At the oldest reading kept.
    Start,
}

impl Verb {
    fn command(&self) -> Value {
        match self {
            Self::Status => json!({ "command": "status" }),
            Self::Tap { from, follow } => json!({ "command": "tap", "from_start": from.is_some(), "follow": follow }),
            Self::Alerts => json!({ "command": "alerts" }),
            Self::Sms => json!({ "command": "sms" }),
            Self::Gaps => json!({ "command": "gaps" }),
            Self::Devices => json!({ "command": "devices" }),
            Self::Unmatched => json!({ "command": "unmatched" }),
            Self::Pair { time } => json!({ "command": "pair", "seconds": time }),
            Self::Drill { contact, .. } => json!({ "command": "drill", "contact": contact }),
            Self::Ack { alert, by } => json!({ "command": "ack", "alert": alert, "by": by }),
            Self::Radio(Radio::Form { yes_all_sensors_must_rejoin }) => {
                json!({ "command": "form", "confirmed": yes_all_sensors_must_rejoin })
            }
            Self::Radio(Radio::Adopt) => json!({ "command": "adopt" }),
            Self::Radio(Radio::Restore { yes_overwrite }) => {
                json!({ "command": "restore", "overwrite": yes_overwrite })
            }
            Self::Radio(Radio::Backup) => json!({ "command": "backup" }),
        }
    }

    /// The word that ends what the radio does for us; without it nobody knows whether it was done.
    fn last(&self) -> Option<&'static str> {
        match self {
            Self::Pair { .. } => Some("closed"),
            Self::Ack { .. } => Some("acknowledged"),
            Self::Radio(Radio::Form { .. }) => Some("formed"),
            Self::Radio(Radio::Adopt) => Some("adopted"),
            Self::Radio(Radio::Restore { .. }) => Some("restored"),
            Self::Radio(Radio::Backup) => Some("backed_up"),
            _ => None,
        }
    }

    /// What an empty answer means.
    fn empty(&self) -> Option<&'static str> {
        match self {
            Self::Status
            | Self::Tap { .. }
            | Self::Pair { .. }
            | Self::Drill { .. }
            | Self::Ack { .. }
            | Self::Radio(_) => None,
            Self::Gaps => Some("Nothing was lost here."),
            Self::Unmatched => Some("Every attribute heard has a mapping row."),
            Self::Alerts => Some("No alert in this home."),
            Self::Sms => Some("No text was sent or waits."),
            Self::Devices => Some("No sensor is known here. `medmon device assign` at the server"),
        }
    }

    /// Columns with the least width each; what is not named here is only in the documents.
    fn columns(&self) -> &'static [(&'static str, usize)] {
        match self {
            Self::Tap { .. } => {
                &[("time", 27), ("device", 16), ("vital", 12), ("value", 8), ("unit", 5), ("quality", 8)]
            }
            Self::Alerts => &[
                ("id", 36),
                ("raised", 27),
                ("priority", 8),
                ("condition", 18),
                ("notified", 27),
                ("acknowledged", 27),
                ("cleared", 27),
            ],
            Self::Sms => &[("id", 36), ("to", 14), ("state", 10), ("attempts", 8), ("code", 4), ("text", 20)],
            Self::Unmatched => &[
                ("device", 16),
                ("model", 12),
                ("endpoint", 8),
                ("cluster", 7),
                ("attribute", 9),
                ("type", 8),
                ("last_raw", 12),
                ("count", 6),
            ],
            Self::Gaps => &[("lost", 6), ("why", 16), ("from", 27), ("to", 27), ("vital", 12), ("device", 16)],
            Self::Pair { .. } => &[("event", 20), ("device", 16), ("model", 12), ("reason", 30)],
            Self::Drill { .. } => {
                &[("after_ms", 9), ("event", 12), ("code", 5), ("channel", 8), ("by", 20), ("alert", 36)]
            }
            Self::Ack { .. } => &[("event", 12), ("alert", 36), ("by", 20)],
            Self::Radio(_) => &[("event", 10), ("network", 60)],
            Self::Devices => &[
                ("device", 16),
                ("label", 12),
                ("model", 12),
                ("listed", 6),
                ("interview", 9),
                ("last", 27),
                ("link_quality", 12),
                ("reports", 20),
            ],
            // As the gateway gives it.
            Self::Status => &[],
        }
    }
}

/// Runs a verb.
pub async fn run(session: &Session, args: LocalArgs) -> anyhow::Result<()> {
    let path = args.socket.display();
    // Not an `io::Error` in the chain: a socket that breaks is no closed stdout.
    let lost = |error: std::io::Error| {
        let message =
            format!("the gateway does not answer at {path}: {error}; does medmon-gatewayd run on this machine?");
        fail(Exit::Unreachable, message)
    };
    let mut stream = UnixStream::connect(&args.socket).await.map_err(lost)?;
    stream.write_all(format!("{}\n", args.verb.command()).as_bytes()).await.map_err(lost)?;
    let mut lines = BufReader::new(stream);
    let mut shown = Shown { session, verb: &args.verb, columns: Vec::new(), document: Vec::new(), rows: 0, last: None };
    let limit = match shown.verb {
        Verb::Drill { time, .. } => Duration::from_secs((*time).into()),
        _ => Duration::MAX,
    };
    let over = tokio::time::sleep(limit);
    tokio::pin!(over);
    loop {
        let mut line = String::new();
        let mut limited = (&mut lines).take(MAX_LINE);
        let read = tokio::select! {
            read = limited.read_line(&mut line) => read.map_err(lost)?,
            () = &mut over => return shown.end(),
        };
        if read == 0 {
            return shown.end();
        }
        if !line.ends_with('\n') && read as u64 == MAX_LINE {
            return Err(fail(
                Exit::Failed,
                format!("{path} sends lines of more than {MAX_LINE} bytes; is it a gateway?"),
            ));
        }
        if !line.trim().is_empty() {
            shown.line(line.trim())?;
        }
    }
}

/// Prints lines as they come.
struct Shown<'a> {
    session: &'a Session,
    verb: &'a Verb,
    columns: Vec<(String, usize)>,
    document: Vec<Value>,
    rows: usize,
    /// The last event of the radio.
    last: Option<String>,
}

impl Shown<'_> {
    fn line(&mut self, line: &str) -> anyhow::Result<()> {
        let strange = |_| fail(Exit::Failed, format!("the gateway's answer is not JSON: {line}"));
        let value: Value = serde_json::from_str(line).map_err(strange)?;
        if let Some(error) = value.get("error").and_then(Value::as_str).filter(|_| value.get("id").is_none()) {
            return Err(fail(Exit::Failed, format!("the gateway refused: {error}")));
        }
        self.rows += 1;
        self.last = value.get("event").and_then(Value::as_str).map(str::to_owned);
        let out = &self.session.out;
        if out.is_quiet() {
            // A status is of this gateway, a sensor has its address, the rest an id.
            let id = ["id", "device", "install"].into_iter().find_map(|key| value.get(key).filter(|id| !id.is_null()));
            return id.map_or(Ok(()), |id| print::text(&plain(id)));
        }
        match (out.format(), self.verb) {
            (Output::Jsonl, _) => print::write(&format!("{line}\n")),
            // One document: the object itself, or the list once it is complete.
            (Output::Json, Verb::Status) => out.document(&value),
            (Output::Json, _) => {
                self.document.push(value);
                Ok(())
            }
            (_, Verb::Status) => status(out, &value),
            _ => self.row(&value),
        }
    }

    fn end(self) -> anyhow::Result<()> {
        let out = &self.session.out;
        let unfinished = self.verb.last().is_some_and(|last| self.last.as_deref() != Some(last));
        if unfinished || matches!(self.verb, Verb::Status) && self.rows == 0 {
            let message = "the gateway ended before it had answered: what was asked may be done in part; \
                           `medmon local status` says how it is";
            return Err(fail(Exit::Failed, message));
        }
        let drill = matches!(self.verb, Verb::Drill { .. });
        if out.format() == Output::Json && !out.is_quiet() && !matches!(self.verb, Verb::Status) {
            out.document(&self.document)?;
        }
        if drill && self.last.as_deref() != Some("acknowledged") {
            let missing = match self.last.as_deref() {
                None => "no alert came of it: look at `medmon local status`",
                Some("raised") => "the text has not gone out: look at `medmon local sms` and the modem",
                Some("handed_over") => {
                    "the text is with the network, and no phone has it: look at the number, is the phone on?"
                }
                _ => "the text is on the phone, and nobody has answered it",
            };
            return Err(fail(Exit::Verdict, format!("the exercise was not answered: {missing}")));
        }
        if out.is_quiet() || matches!(out.format(), Output::Json | Output::Jsonl) {
            return Ok(());
        }
        if self.rows == 0
            && let Some(sentence) = self.verb.empty()
        {
            eprintln!("{sentence}");
        } else if matches!(self.verb, Verb::Unmatched) && out.is_terminal() {
            eprintln!("A row of [[gateway.zigbee.map]] to begin with, for each: `medmon local unmatched -o json`");
        }
        Ok(())
    }

    /// A tap has no end, so rows are not laid out together: each column has a least width on a terminal.
    fn row(&mut self, value: &Value) -> anyhow::Result<()> {
        let out = &self.session.out;
        let padded = out.is_terminal() && out.format() != Output::Csv;
        let laid_out = |cells: Vec<(String, usize)>| {
            if padded {
                let cells: Vec<_> = cells.iter().map(|(cell, width)| format!("{cell:<width$}")).collect();
                return print::text(cells.join("  ").trim_end());
            }
            let cells: Vec<_> = cells.into_iter().map(|(cell, _)| cell).collect();
            match out.format() {
                Output::Csv => print::write(&csv_line(&cells)),
                _ => print::text(
                    &cells.iter().map(|cell| cell.replace(['\t', '\n'], " ")).collect::<Vec<_>>().join("\t"),
                ),
            }
        };
        if self.columns.is_empty() {
            self.columns = self.verb.columns().iter().map(|(key, width)| ((*key).to_owned(), *width)).collect();
            if self.columns.is_empty() {
                let keys = value.as_object().into_iter().flat_map(Map::keys);
                self.columns = keys.map(|key| (key.clone(), key.len().max(16))).collect();
            }
            if padded {
                laid_out(self.columns.iter().map(|(key, width)| (key.to_uppercase(), *width)).collect())?;
            } else if out.format() == Output::Csv {
                laid_out(self.columns.clone())?;
            }
        }
        laid_out(self.columns.iter().map(|(key, width)| (plain(&value[key.as_str()]), *width)).collect())
    }
}

fn status(out: &Printer, value: &Value) -> anyhow::Result<()> {
    let keys = value.as_object().into_iter().flat_map(Map::keys);
    let width = keys.map(String::len).max().unwrap_or(0);
    for (key, value) in value.as_object().into_iter().flatten() {
        let value = plain(value);
        match (out.format(), out.is_terminal()) {
            (Output::Csv, _) => print::write(&csv_line(&[key.clone(), value]))?,
            (_, true) => print::text(&format!("{key:<width$}  {value}"))?,
            (_, false) => print::text(&format!("{key}\t{value}"))?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn a_time_is_read_with_its_unit() {
        for (text, expected) in [("60s", 60), ("90", 90), ("10m", 600), ("1h", 3600)] {
            assert_eq!(seconds(text), Ok(expected));
        }
        for text in ["", "0", "2h", "s", "m5", "60x", "5sm", "-1"] {
            assert!(seconds(text).is_err(), "{text}");
        }
    }
}
