//! What hospitals run today, under the same load in the same run: Prometheus and VictoriaMetrics take the same windows,
//! one home's envelope a request, by remote write over as many kept connections. Neither syncs before it answers.

use std::path::Path;
use std::process::Command;

use anyhow::Context as _;
use medmon_core::noun::Window;
use medmon_testkit::{Prometheus, VictoriaMetrics};
use tempfile::TempDir;
use uuid::Uuid;

use crate::cloudd::Line;
use crate::measure;

/// Where a peer takes remote write.
pub const WRITE: &str = "/api/v1/write";
/// How late samples may come: a home's ninety days after another's yesterday.
const LATE: &str = "100d";

/// A running server with its own folder; killed when dropped.
pub struct Peer {
    server: Server,
    /// Goes after the server.
    _folder: TempDir,
}

enum Server {
    Prometheus(Prometheus),
    Victoria(VictoriaMetrics),
}

impl Peer {
    /// A Prometheus, on one core if one is named.
    pub fn prometheus(core: Option<&str>) -> anyhow::Result<Self> {
        let folder = measure::folder()?;
        let server = Server::Prometheus(Prometheus::start_with(folder.path(), LATE, &[])?);
        Self { server, _folder: folder }.pinned(core)
    }

    /// A VictoriaMetrics, on one core if one is named.
    pub fn victoria(core: Option<&str>) -> anyhow::Result<Self> {
        let folder = measure::folder()?;
        let server = Server::Victoria(VictoriaMetrics::start(folder.path())?);
        Self { server, _folder: folder }.pinned(core)
    }

    fn pinned(self, core: Option<&str>) -> anyhow::Result<Self> {
        if let Some(core) = core {
            let pid = self.pid()?.to_string();
            let done = Command::new("taskset").args(["-a", "-c", "-p", core, &pid]).output()?;
            anyhow::ensure!(done.status.success(), "taskset: {}", String::from_utf8_lossy(&done.stderr));
        }
        Ok(self)
    }

    fn pid(&self) -> anyhow::Result<u32> {
        let pid = match &self.server {
            Server::Prometheus(server) => server.pid(),
            Server::Victoria(server) => server.pid(),
        };
        pid.context("the peer has ended")
    }

    /// A connection that is kept.
    pub async fn connect(&self) -> anyhow::Result<Line> {
        let url = match &self.server {
            Server::Prometheus(server) => server.url(),
            Server::Victoria(server) => server.url(),
        };
        Line::open(url.rsplit(':').next().context("a port")?.parse()?).await
    }

    /// CPU seconds so far, user and system.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        measure::cpu_s_of(self.pid()?)
    }

    /// The largest resident memory so far, MiB.
    pub fn peak_mib(&self) -> anyhow::Result<f64> {
        measure::kib_of(self.pid()?, "VmHWM:").map(|kib| kib / 1024.0)
    }

    /// Kills it as a power cut would, and starts it again.
    pub fn kill_and_start(&mut self) -> anyhow::Result<()> {
        match &mut self.server {
            Server::Prometheus(server) => {
                server.kill9();
                server.start_again()?;
            }
            Server::Victoria(server) => {
                server.kill9();
                server.start_again()?;
            }
        }
        Ok(())
    }

    /// What was taken can be read when it returns.
    pub async fn flush(&self) -> anyhow::Result<()> {
        if let Server::Victoria(_) = self.server {
            self.connect().await?.peer_get("/internal/force_flush").await?;
        }
        Ok(())
    }

    /// Bytes at rest: of a snapshot, which is blocks, without the log; of the data folder after a merge. It ends there.
    pub async fn bytes_at_rest(mut self) -> anyhow::Result<f64> {
        let mut line = self.connect().await?;
        match &mut self.server {
            Server::Prometheus(server) => {
                line.peer_post("/api/v1/admin/tsdb/snapshot", &[]).await?;
                bytes_in(&server.folder().join("data/snapshots"))
            }
            Server::Victoria(server) => {
                line.peer_get("/internal/force_flush").await?;
                line.peer_get("/internal/force_merge").await?;
                server.stop();
                bytes_in(&server.folder().join("data"))
            }
        }
    }
}

/// How many minutes of hearts a peer has of `days` before `until_s`.
pub async fn minutes(line: &mut Line, until_s: i64, days: i64) -> anyhow::Result<f64> {
    let query = format!("sum(count_over_time(medmon_heart_rate_count%5B{days}d%5D))");
    let answer = line.peer_get(&format!("/api/v1/query?nocache=1&time={until_s}&query={query}")).await?;
    let answer: serde_json::Value = serde_json::from_slice(&answer)?;
    let value = answer.pointer("/data/result/0/value/1").and_then(|value| value.as_str());
    Ok(value.map_or(Ok(0.0), str::parse)?)
}

/// All of a heart's 24 h before `until_s`, every statistic of every minute.
pub fn day(subject: Uuid, until_s: i64) -> String {
    let series = format!("%7B__name__%3D~%22medmon_heart_rate_.%2B%22%2Csubject%3D%22{subject}%22%7D%5B24h%5D");
    format!("/api/v1/query?nocache=1&time={until_s}&query={series}")
}

/// The mean heart rate of each hour of `days` before `until_s`.
pub fn hours(subject: Uuid, until_s: i64, days: i64) -> String {
    let of = |statistic| format!("sum_over_time(medmon_heart_rate_{statistic}%7Bsubject%3D%22{subject}%22%7D%5B1h%5D)");
    let start_s = until_s - days * 86_400 + 3600;
    let query = format!("{}%2F{}", of("sum"), of("count"));
    format!("/api/v1/query_range?nocache=1&start={start_s}&end={until_s}&step=3600&query={query}")
}

/// The mean of 24 h before `until_s` for everybody.
pub fn means(until_s: i64) -> String {
    let mean = "sum_over_time(medmon_heart_rate_sum%5B24h%5D)%2Fsum_over_time(medmon_heart_rate_count%5B24h%5D)";
    format!("/api/v1/query?nocache=1&time={until_s}&query={mean}")
}

/// The label of a home in a peer.
pub fn subject(home: u32) -> Uuid {
    Uuid::from_u128(u128::from(home).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835))
}

/// Windows as a request.
pub fn request(home: u32, windows: &[Window]) -> anyhow::Result<Vec<u8>> {
    crate::wire::remote_write(subject(home), windows)
}

fn bytes_in(folder: &Path) -> anyhow::Result<f64> {
    let mut bytes = 0.0;
    for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() { bytes_in(&entry.path())? } else { entry.metadata()?.len() as f64 };
    }
    Ok(bytes)
}
