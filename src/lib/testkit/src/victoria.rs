//! A VictoriaMetrics of one's own (single node).

use std::path::Path;

use crate::Missing;
use crate::http_server::HttpServer;

const PROGRAM: &str = "victoria-metrics";

/// One server; it ends with this value.
pub struct VictoriaMetrics(HttpServer);

impl VictoriaMetrics {
    /// Starts one that keeps everything below `folder`, for ten years. Blocks until it answers.
    pub fn start(folder: &Path) -> Result<Self, Missing> {
        Self::start_with(folder, "10y")
    }

    /// The same, with data kept for `retention` (as VictoriaMetrics writes durations).
    pub fn start_with(folder: &Path, retention: &str) -> Result<Self, Missing> {
        let args = |_: &Path, port| {
            Ok(vec![
                "-storageDataPath=data".into(),
                format!("-httpListenAddr=127.0.0.1:{port}"),
                format!("-retentionPeriod={retention}"),
                // What is sent twice is kept once.
                "-dedup.minScrapeInterval=1ms".into(),
                // A test machine is not its own.
                "-memory.allowedPercent=20".into(),
            ])
        };
        HttpServer::start(PROGRAM, PROGRAM, folder, "/health", args).map(Self)
    }

    /// Where its API is, without a path.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Where it takes remote write.
    pub fn write_url(&self) -> String {
        format!("{}/api/v1/write", self.0.url())
    }

    /// Makes what was taken readable now; by itself within seconds.
    pub fn flush(&self) -> std::io::Result<()> {
        self.0.get("/internal/force_flush").map(drop)
    }

    /// Its data and its log.
    pub fn folder(&self) -> &Path {
        self.0.folder()
    }

    /// The process while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.0.pid()
    }

    /// Starts it on what it has kept.
    pub fn start_again(&mut self) -> Result<(), Missing> {
        self.0.start_again()
    }

    /// A power cut, as far as a program sees it.
    pub fn kill9(&mut self) {
        self.0.kill9();
    }

    /// An orderly stop.
    pub fn stop(&mut self) {
        self.0.stop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_again_after_a_power_cut_and_several_run_side_by_side() {
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut server = match VictoriaMetrics::start(folder.path()) {
            Ok(server) => server,
            Err(missing) => return crate::skip("victoria: it_starts_again_after_a_power_cut", &missing),
        };
        let _other = VictoriaMetrics::start(other.path()).unwrap();
        server.kill9();
        assert!(server.flush().is_err());
        server.start_again().unwrap();
        assert!(server.0.get("/api/v1/query?query=1").unwrap().contains("success"));
        server.stop();
        assert!(server.0.get("/health").is_err());
    }
}
