//! The real `medmon-gatewayd` beside virtual hardware, and what the kernel says of it.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use anyhow::Context as _;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value as Json;
use tempfile::TempDir;

use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, Modem, ModemOptions};

use crate::measure;

/// Patience with a start.
const LIMIT: Duration = Duration::from_secs(30);

/// A running gateway with its own folder, dongle and modem; killed when dropped. It has a cloud to look for, which never
/// answers.
pub struct Gatewayd {
    /// What it hears.
    pub dongle: Dongle,
    _modem: Modem,
    child: Child,
    notify: UnixDatagram,
    is_ready: mpsc::Receiver<()>,
    folder: TempDir,
}

impl Gatewayd {
    /// Starts it with sensors that it expects, by IEEE address and vital. `wrapper`: a command to start it by.
    pub fn start(sensors: &[(u64, &str)], wrapper: &[&str]) -> anyhow::Result<Self> {
        let folder = measure::folder()?;
        let dongle = Dongle::open(DongleOptions::default(), Clock::system())?;
        let modem = Modem::open(ModemOptions::default(), Clock::system())?;
        let mut config = format!(
            "[gateway]\ndata_dir = '{}'\n[gateway.radio]\nport = '{}'\nflood_limit = 1000000\n[gateway.sms.modem]\nport = '{}'\n\
             [gateway.uplink]\nurl = 'http://127.0.0.1:9'\n[gateway.devices]\n",
            folder.path().display(),
            dongle.port().display(),
            modem.port().display()
        );
        for (ieee, vital) in sensors {
            dongle.know(DeviceSpec::sensor(*ieee, "bench", &[]));
            writeln!(config, "\"{ieee:016x}\" = {{ vitals = [\"{vital}\"] }}")?;
        }
        std::fs::write(folder.path().join("config.toml"), config)?;
        std::fs::write(folder.path().join("token"), "none")?;
        let notify = UnixDatagram::bind(folder.path().join("notify"))?;
        let is_ready = listen(notify.try_clone()?);
        let program = std::env::current_exe()?.with_file_name("medmon-gatewayd");
        anyhow::ensure!(program.exists(), "{} is not built; use `cargo xtask bench`", program.display());
        let program = program.display().to_string();
        let mut line = wrapper.iter().copied().chain([program.as_str()]);
        let child = Command::new(line.next().unwrap_or_default())
            .args(line)
            .arg("--config")
            .arg(folder.path().join("config.toml"))
            .env("NOTIFY_SOCKET", folder.path().join("notify"))
            .env("RUST_LOG", "error")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .context("medmon-gatewayd did not start")?;
        Ok(Self { dongle, _modem: modem, child, notify, is_ready, folder })
    }

    /// Waits until it told the service manager that it is ready and its radio runs.
    pub async fn ready(&self) -> anyhow::Result<()> {
        self.is_ready.recv_timeout(LIMIT).context("it is never ready")?;
        tokio::time::timeout(LIMIT, self.dongle.ready()).await.context("its radio never runs")?;
        Ok(())
    }

    /// What `medmon local` would be told.
    pub fn ask(&self, command: &str) -> anyhow::Result<Vec<Json>> {
        let mut stream = UnixStream::connect(self.folder.path().join("gatewayd.sock"))?;
        stream.set_read_timeout(Some(LIMIT))?;
        writeln!(stream, "{{\"command\":\"{command}\"}}")?;
        BufReader::new(stream).lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
    }

    /// Readings that are durable so far.
    pub fn durable(&self) -> anyhow::Result<u64> {
        let status = self.ask("status")?.pop().unwrap_or_default();
        status["broker"]["kept"].as_u64().context("no depth in the status")
    }

    /// CPU seconds so far, user and system.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        measure::cpu_s_of(self.child.id())
    }

    /// Resident memory now, MiB.
    pub fn rss_mib(&self) -> anyhow::Result<f64> {
        measure::kib_of(self.child.id(), "VmRSS:").map(|kib| kib / 1024.0)
    }
}

impl Drop for Gatewayd {
    fn drop(&mut self) {
        // A wrapper that stays, as strace does, has the program as its child, which would outlive it.
        let id = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)) {
            let _ = kill_process(child, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.notify.shutdown(std::net::Shutdown::Both);
    }
}

/// The service manager's end: it takes everything, as a program that cannot tell its watchdog stands still.
fn listen(notify: UnixDatagram) -> mpsc::Receiver<()> {
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let mut said = [0; 64];
        while let Ok(count @ 1..) = notify.recv(&mut said) {
            if said[..count].starts_with(b"READY=1") {
                let _ = ready.send(());
            }
        }
    });
    is_ready
}
