//! A Prometheus of one's own that takes remote write and late samples, and scrapes nothing.

use std::path::Path;

use crate::Missing;
use crate::http_server::HttpServer;

const PROGRAM: &str = "prometheus";
const CONFIG: &str = "prometheus.yml";

/// One server; it ends with this value.
pub struct Prometheus(HttpServer);

impl Prometheus {
    /// Starts one that keeps everything below `folder` and takes samples as late as a day. Blocks until it answers.
    pub fn start(folder: &Path) -> Result<Self, Missing> {
        Self::start_with(folder, "24h", &[])
    }

    /// The same, with samples as late as `late` (as Prometheus writes durations) and more flags.
    pub fn start_with(folder: &Path, late: &str, flags: &[&str]) -> Result<Self, Missing> {
        let args = |folder: &Path, port| {
            let config = format!("storage:\n  tsdb:\n    out_of_order_time_window: {late}\n");
            std::fs::write(folder.join(CONFIG), config)?;
            let own = [
                format!("--config.file={CONFIG}"),
                "--storage.tsdb.path=data".into(),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--web.enable-remote-write-receiver".into(),
                "--web.enable-admin-api".into(),
            ];
            Ok(own.into_iter().chain(flags.iter().map(|flag| (*flag).to_owned())).collect())
        };
        HttpServer::start(PROGRAM, PROGRAM, folder, "/-/ready", args).map(Self)
    }

    /// Where its API is, without a path.
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Where it takes remote write.
    pub fn write_url(&self) -> String {
        format!("{}/api/v1/write", self.0.url())
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
        let mut server = match Prometheus::start(folder.path()) {
            Ok(server) => server,
            Err(missing) => return crate::skip("prometheus: it_starts_again_after_a_power_cut", &missing),
        };
        let _other = Prometheus::start(other.path()).unwrap();
        server.kill9();
        assert!(server.0.get("/-/ready").is_err());
        server.start_again().unwrap();
        assert!(server.0.get("/api/v1/query?query=1").unwrap().contains("success"));
        server.stop();
        assert!(server.0.get("/-/ready").is_err());
    }
}
