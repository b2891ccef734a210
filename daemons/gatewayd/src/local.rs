//! The Unix socket of `medmon local`: one line of JSON asks, lines of JSON answer. Whoever may open it may read it.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value as Json, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::broker::{Broker, BrokerError, Delivery};
use crate::collect::DevicesHeard;
use crate::detect::fact;
use crate::disk::DiskState;
use crate::drill;
use crate::facts::Facts;
use crate::install::Install;
use crate::outbox::{Lost, Outbox};
use crate::radio::counters::Counters;
use crate::radio::zcl;
use crate::radio::{Ask, Control, Order, RadioState, unmatched};
use crate::seen::Seen;
use crate::time::Time;
use medmon_core::noun::{Alert, Audience, ClockQuality, FactKind, Settings, UtcUs, Value, Vital};
use medmon_core::text;
use medmon_sms::ModemState;
use uuid::Uuid;

/// A question is shorter.
const MAX_QUESTION: u64 = 4096;
const TAP_BATCH: u32 = 500;
/// Between two attempts to take a question.
const PAUSE: Duration = Duration::from_secs(1);
/// The newest texts are shown.
const TEXTS: u32 = 1000;

/// What can be asked.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
enum Question {
    Status,
    Devices,
    Alerts,
    Sms,
    Gaps,
    Unmatched,
    Pair {
        seconds: u32,
    },
    Form {
        #[serde(default)]
        confirmed: bool,
    },
    Adopt,
    Restore {
        #[serde(default)]
        overwrite: bool,
    },
    Backup,
    Drill {
        #[serde(default)]
        contact: Option<String>,
    },
    Ack {
        alert: String,
        by: String,
    },
    Tap {
        #[serde(default)]
        from_start: bool,
        #[serde(default)]
        follow: bool,
    },
}

/// Everything that can be shown.
#[derive(Clone)]
pub struct Local {
    /// Who this is.
    pub install: Install,
    /// As people call it.
    pub name: String,
    /// Readings.
    pub broker: Arc<dyn Broker>,
    /// Readings that wait for the broker.
    pub spilled: watch::Receiver<u64>,
    /// Alerts.
    pub facts: Facts,
    /// Envelopes.
    pub outbox: Outbox,
    /// Texts.
    pub sms: Option<medmon_sms::Outbox>,
    /// The modem, if there is one.
    pub modem: Option<watch::Receiver<ModemState>>,
    /// Devices heard.
    pub heard: DevicesHeard,
    /// Counts by kind.
    pub counters: Counters,
    /// Settings in force.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// The dongle.
    pub radio: watch::Receiver<RadioState>,
    /// What can be asked of it.
    pub control: Control,
    /// Exercises.
    pub drills: mpsc::Sender<drill::Order>,
    /// Whether the cloud answers.
    pub online: watch::Receiver<bool>,
    /// The disk.
    pub disk: watch::Receiver<DiskState>,
    /// Time.
    pub time: Time,
}

/// Listens until `stop`. A stale socket of a killed run is replaced.
pub async fn run(path: PathBuf, local: Local, stop: CancellationToken) -> std::io::Result<()> {
    if path.exists() && UnixStream::connect(&path).await.is_err() {
        std::fs::remove_file(&path)?;
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o660))?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let stream = match accepted {
                    Ok((stream, _)) => stream,
                    // Out of file descriptors, say: others give theirs back.
                    Err(error) => {
                        tracing::warn!(%error, "a local question could not be taken");
                        local.time.clock.sleep(PAUSE).await;
                        continue;
                    }
                };
                let (local, stop) = (local.clone(), stop.clone());
                tokio::spawn(async move {
                    tokio::select! {
                        answered = answer(stream, local) => {
                            if let Err(error) = answered {
                                tracing::debug!(%error, "a local question ended early");
                            }
                        }
                        () = stop.cancelled() => {}
                    }
                });
            }
            () = stop.cancelled() => {
                let _ = std::fs::remove_file(&path);
                return Ok(());
            }
        }
    }
}

async fn answer(mut stream: UnixStream, local: Local) -> std::io::Result<()> {
    let mut line = String::new();
    let (read, mut write) = stream.split();
    BufReader::new(read.take(MAX_QUESTION)).read_line(&mut line).await?;
    let rows = match serde_json::from_str(&line) {
        Ok(Question::Status) => local.status().await.map(|status| vec![status]).map_err(|error| error.to_string()),
        Ok(Question::Devices) => Ok(local.devices()),
        Ok(Question::Alerts) => Ok(local.facts.alerts().iter().filter_map(alert_row).collect()),
        Ok(Question::Gaps) => local.gaps().await.map_err(|error| error.to_string()),
        Ok(Question::Sms) => local.sms().await.map_err(|error| error.to_string()),
        Ok(Question::Unmatched) => Ok(local.unmatched()),
        Ok(Question::Pair { seconds }) => return local.order(stream, Ask::Pair { seconds }).await,
        Ok(Question::Form { confirmed }) => return local.order(stream, Ask::Form { confirmed }).await,
        Ok(Question::Adopt) => return local.order(stream, Ask::Adopt).await,
        Ok(Question::Restore { overwrite }) => return local.order(stream, Ask::Restore { overwrite }).await,
        Ok(Question::Backup) => return local.order(stream, Ask::Backup).await,
        Ok(Question::Ack { alert, by }) => local.acknowledge(&alert, by).await.map(|row| vec![row]),
        Ok(Question::Drill { contact }) => {
            let (say, rows) = mpsc::unbounded_channel();
            let ordered = local.drills.send(drill::Order { contact, say }).await.is_ok();
            return show(stream, ordered, rows).await;
        }
        Ok(Question::Tap { from_start, follow }) => match local.tap(&mut write, from_start, follow).await {
            Ok(()) => return Ok(()),
            Err(error) => Err(error.to_string()),
        },
        Err(error) => Ok(vec![json!({ "error": format!("not a question: {error}") })]),
    };
    let rows = rows.unwrap_or_else(|error| vec![json!({ "error": error })]);
    say(&mut write, &rows).await
}

async fn say(write: &mut (impl tokio::io::AsyncWrite + Unpin), rows: &[Json]) -> std::io::Result<()> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, row)?;
        lines.push(b'\n');
    }
    write.write_all(&lines).await
}

/// Shows what comes of an order until its end, or until whoever gave it has gone.
async fn show(mut stream: UnixStream, ordered: bool, mut rows: mpsc::UnboundedReceiver<Json>) -> std::io::Result<()> {
    if !ordered {
        return say(&mut stream, &[json!({ "error": "the gateway is stopping" })]).await;
    }
    let (mut read, mut write) = stream.split();
    let mut rest = [0; 64];
    loop {
        tokio::select! {
            row = rows.recv() => match row {
                Some(row) => say(&mut write, &[row]).await?,
                None => return Ok(()),
            },
            // Ctrl-C closes the socket; who carries the order out sees that nobody listens.
            gone = read.read(&mut rest) => if gone? == 0 { return Ok(()) },
        }
    }
}

impl Local {
    pub(crate) async fn status(&self) -> Result<Json, BrokerError> {
        let settings = Arc::clone(&self.settings.borrow());
        let alerts = self.facts.alerts();
        Ok(json!({
            "name": self.name,
            "install": self.install.id,
            "boot": self.install.boot,
            "release": env!("CARGO_PKG_VERSION"),
            "time": time(self.time.clock.utc_us()),
            "clock": *self.time.trust.borrow(),
            "radio": *self.radio.borrow(),
            "cloud": if *self.online.borrow() { "reached" } else { "not_reached" },
            "modem": self.modem.as_ref().map(|modem| modem.borrow().clone()),
            "settings": { "version": settings.version, "epoch": settings.epoch, "devices": settings.devices.len() },
            "broker": self.broker.depth().await?,
            "spilled": *self.spilled.borrow(),
            "outbox": self.outbox.depth().await?,
            "disk": *self.disk.borrow(),
            "alerts_open": alerts.iter().filter(|alert| alert.open()).count(),
            "counters": self.counters.snapshot(),
        }))
    }

    /// Sensors that are listed, were heard, or are part of the network.
    fn devices(&self) -> Vec<Json> {
        let settings = Arc::clone(&self.settings.borrow());
        let (heard, known) = (self.heard.snapshot(), self.control.table.snapshot());
        let listed = settings.devices.iter().map(|device| device.ieee);
        let all: BTreeSet<_> = listed.chain(heard.keys().copied()).chain(known.keys().copied()).collect();
        all.into_iter()
            .map(|ieee| {
                let (heard, known) = (heard.get(&ieee), known.get(&ieee));
                let listed = settings.devices.iter().find(|device| device.ieee == ieee);
                json!({
                    "device": ieee,
                    "label": listed.map(|device| &device.label),
                    "listed": listed.is_some() || heard.is_some_and(|heard| heard.listed),
                    "last": heard.map(|heard| time(heard.last_us)),
                    "reports": heard.map_or(&BTreeMap::new(), |heard| &heard.reports),
                    "link_quality": heard.map(|heard| heard.link_quality),
                    "manufacturer": known.and_then(|known| known.manufacturer.as_ref()),
                    "model": known.and_then(|known| known.model.as_ref()),
                    "interview": known.map(|known| known.interview),
                    "endpoints": known.and_then(|known| known.endpoints.as_ref()),
                })
            })
            .collect()
    }

    fn unmatched(&self) -> Vec<Json> {
        let seen = self.control.unmatched.snapshot();
        seen.iter()
            .map(|(key, seen)| {
                let (device, endpoint, cluster, mfr_code, attribute) = key;
                json!({
                    "device": device, "model": seen.model, "endpoint": endpoint, "cluster": format!("{cluster:#06x}"),
                    "attribute": format!("{attribute:#06x}"), "mfr_code": mfr_code.map(|code| format!("{code:#06x}")),
                    "type": zcl::type_name(seen.kind), "last_raw": seen.last, "count": seen.count,
                    "last": time(seen.last_us), "row": unmatched::row(key, seen),
                })
            })
            .collect()
    }

    /// Gives an order to the radio and shows what comes of it, until its end or until whoever asked has gone.
    async fn order(&self, stream: UnixStream, ask: Ask) -> std::io::Result<()> {
        let (say, rows) = mpsc::unbounded_channel();
        let ordered = self.control.orders.send(Order { ask, say }).await.is_ok();
        show(stream, ordered, rows).await
    }

    /// Somebody on the spot takes care of an alert, named by its code or the beginning of its id.
    async fn acknowledge(&self, alert: &str, by: String) -> Result<Json, String> {
        const NAME_MAX: usize = 60;
        if by.trim().is_empty() || by.chars().count() > NAME_MAX {
            return Err(format!("a name has 1 to {NAME_MAX} letters"));
        }
        let alerts = self.facts.alerts();
        let meant = |one: &&Alert| {
            let named = text::code(one.id) == alert || (alert.len() >= 6 && one.id.to_string().starts_with(alert));
            named && one.raised().is_some() && one.cleared_us().is_none()
        };
        let mut found = alerts.iter().filter(meant);
        let (Some(one), None) = (found.next(), found.next()) else {
            return Err(format!("no open alert, or more than one, is {alert:?}; `medmon local alerts` shows them"));
        };
        let who = Uuid::new_v5(&self.install.id, by.as_bytes());
        let kind = FactKind::Acknowledged { by: who, name: by.clone(), audience: Audience::Family };
        let at_us = self.time.clock.utc_us();
        let mut facts = [fact(one.id, &format!("acknowledged/{who}/{at_us}"), at_us, kind)];
        self.facts.put_after(&mut facts);
        self.facts.commit(facts.to_vec(), None, false).await.map_err(|error| error.to_string())?;
        Ok(json!({ "event": "acknowledged", "alert": one.id, "by": by }))
    }

    /// What was lost here, oldest first.
    async fn gaps(&self) -> Result<Vec<Json>, medmon_kit::sqlite::Error> {
        let lost = self.outbox.lost(false).await?.into_iter();
        Ok(lost
            .map(|(_, Lost { epoch, gap, why }, sealed)| {
                // Nought stands for all devices, and for a number that nobody knows.
                let (device, count) = ((gap.device.0 != 0).then_some(gap.device), (gap.lost > 0).then_some(gap.lost));
                json!({
                    "vital": gap.vital, "device": device, "from": time(gap.from_us), "to": time(gap.to_us),
                    "lost": count, "why": why, "epoch": epoch, "sealed": sealed,
                })
            })
            .collect())
    }

    async fn sms(&self) -> Result<Vec<Json>, medmon_sms::OutboxError> {
        let Some(outbox) = &self.sms else { return Ok(Vec::new()) };
        let rows = outbox.rows(TEXTS).await?;
        Ok(rows
            .iter()
            .map(|row| {
                json!({
                    "id": row.id, "alert": row.alert, "to": row.to, "text": row.text, "code": row.code,
                    "state": row.state, "attempts": row.attempts,
                    "submitted_at": row.submitted_us.map(time), "delivered_at": row.delivered_us.map(time),
                })
            })
            .collect())
    }

    /// Durable readings, oldest first: what is shown here is never lost.
    async fn tap(
        &self,
        write: &mut (impl tokio::io::AsyncWrite + Unpin),
        from_start: bool,
        follow: bool,
    ) -> std::io::Result<()> {
        let failed = std::io::Error::other::<BrokerError>;
        let mut durable = self.broker.durable();
        let mut cursor = if from_start { 0 } else { self.broker.newest().await.map_err(failed)? };
        // What was published late may be in the log twice.
        let mut seen = Seen::default();
        loop {
            durable.mark_unchanged();
            let mut batch = self.broker.read(cursor, TAP_BATCH).await.map_err(failed)?;
            if let Some(last) = batch.last() {
                cursor = last.offset;
                // Nor is an exercise a reading of anybody.
                batch.retain(|delivery| seen.insert(delivery.reading.id) && delivery.reading.vital != Vital::GATEWAY);
                let rows: Vec<_> = batch.iter().flat_map(tap_rows).collect();
                say(write, &rows).await?;
            } else if !follow || durable.changed().await.is_err() {
                return Ok(());
            }
        }
    }
}

/// A reading as `tap` shows it: one line, or one a sample for acceleration.
fn tap_rows(delivery: &Delivery) -> Vec<Json> {
    let reading = &delivery.reading;
    let clock = match reading.clock {
        ClockQuality::Synced => "synced",
        ClockQuality::Holdover => "holdover",
        ClockQuality::Unset => "unset",
    };
    let row = |id: String, utc_us: UtcUs, value: Json| {
        json!({
            "id": id, "time": time(utc_us), "received": time(reading.utc_us), "clock": clock,
            "device": reading.device, "endpoint": reading.endpoint, "vital": reading.vital, "value": value,
            "unit": reading.vital.unit(), "quality": reading.quality.grade(),
        })
    };
    match reading.value {
        Value::Scalar(stored) => {
            vec![row(reading.id.to_string(), reading.utc_us, json!(reading.vital.to_value(stored)))]
        }
        Value::Samples { .. } => reading
            .samples()
            .enumerate()
            .map(|(index, (offset_us, axes))| {
                row(format!("{}.{index}", reading.id), reading.utc_us + offset_us, json!(axes))
            })
            .collect(),
    }
}

/// An alert as `medmon local alerts` shows it.
fn alert_row(alert: &Alert) -> Option<Json> {
    let (fact, raised) = alert.raised()?;
    let acknowledged: Vec<_> = [Audience::Family, Audience::Ward]
        .into_iter()
        .filter_map(|audience| {
            let (by, at_us) = alert.acknowledged(audience)?;
            Some(json!({ "by": by, "audience": audience, "at": time(at_us) }))
        })
        .collect();
    Some(json!({
        "id": alert.id,
        "vital": raised.vital,
        "direction": raised.direction,
        "condition": alert.condition(),
        "kind": raised.class,
        "priority": alert.priority(),
        "onset": time(raised.onset_us),
        "completed": time(raised.completed_us),
        "raised": time(fact.at_us),
        "notified": alert.notified_us().map(time),
        "cleared": alert.cleared_us().map(time),
        "acknowledged": acknowledged,
        "explanation": alert.explanation(),
        "facts": alert.facts().collect::<Vec<_>>(),
    }))
}

fn time(utc_us: UtcUs) -> String {
    medmon_api::time(utc_us).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{burst, reading};

    #[test]
    fn a_tap_line_is_the_contract_and_a_burst_is_a_line_a_sample() {
        let rows = tap_rows(&Delivery { offset: 1, reading: reading(5) });
        insta::assert_json_snapshot!(rows);
        let rows = tap_rows(&Delivery { offset: 2, reading: burst(6, vec![[0, 0, 1000], [10, 0, 990]]) });
        insta::assert_json_snapshot!(rows);
    }
}
