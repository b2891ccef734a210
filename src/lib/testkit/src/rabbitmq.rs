//! A RabbitMQ of one's own: node, port mapper (epmd), data, log and cookie are private, so several run side by side and
//! none meets the machine's.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::{Missing, free_port, pause};

const PROGRAM: &str = "rabbitmq-server";
/// Where packages put the scripts that need no root; then the search path.
const FOLDERS: &[&str] = &["/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin", "/opt/homebrew/sbin", "/usr/local/sbin"];
/// An Erlang node needs five seconds on a good day.
const START: Duration = Duration::from_mins(1);
/// An orderly stop; then it is killed.
const STOP: Duration = Duration::from_secs(15);

/// One server; it ends with this value.
pub struct RabbitMq {
    folder: PathBuf,
    bin: PathBuf,
    node: String,
    port: u16,
    distribution_port: u16,
    epmd_port: u16,
    epmd: Option<Child>,
    server: Option<Child>,
}

impl RabbitMq {
    /// Starts one that keeps everything below `folder`, with the virtual hosts `home-0` to `home-<homes - 1>`. Blocks
    /// until it takes connections.
    pub fn start(folder: &Path, homes: usize) -> Result<Self, Missing> {
        let bin = FOLDERS.iter().map(PathBuf::from).find(|folder| folder.join(PROGRAM).exists());
        let bin = bin.ok_or(Missing::Program { program: PROGRAM, package: PROGRAM })?;
        let failed = |error: io::Error| Missing::Start { program: PROGRAM, reason: error.to_string() };
        let folder = folder.join("rabbitmq");
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let definitions = folder.join("definitions.json");
        std::fs::write(&definitions, definitions_of(homes)).map_err(failed)?;
        let config = format!("load_definitions = {}\n", definitions.display());
        std::fs::write(folder.join("rabbitmq.conf"), config).map_err(failed)?;
        let mut ports = [0; 3];
        for port in &mut ports {
            *port = free_port().map_err(failed)?;
        }
        let [port, distribution_port, epmd_port] = ports;
        let node = format!("medmon-{port}@localhost");
        let mut server = Self { folder, bin, node, port, distribution_port, epmd_port, epmd: None, server: None };
        server.start_again()?;
        Ok(server)
    }

    /// Where home number `home` connects.
    pub fn url(&self, home: usize) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/home-{home}", self.port)
    }

    /// Starts it on what it has kept.
    pub fn start_again(&mut self) -> Result<(), Missing> {
        self.spawn().map_err(|error| Missing::Start { program: PROGRAM, reason: error.to_string() })?;
        let began = Instant::now();
        while !self.listens() {
            let ended = self.server.as_mut().is_none_or(|server| !matches!(server.try_wait(), Ok(None)));
            if ended || began.elapsed() > START {
                self.kill9();
                return Err(Missing::Start { program: PROGRAM, reason: self.last_words() });
            }
            pause();
        }
        Ok(())
    }

    /// A power cut.
    pub fn kill9(&mut self) {
        if let Some(mut server) = self.server.take() {
            // The node has helpers; they are in its group.
            let _ = kill_process_group(Pid::from_child(&server), Signal::KILL);
            let _ = server.wait();
            // The group is dead when the last of it is, not when its leader is: who starts again needs the port.
            let began = Instant::now();
            while self.listens() && began.elapsed() < STOP {
                pause();
            }
        }
    }

    fn listens(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }

    /// An orderly stop.
    pub fn stop(&mut self) {
        if let Some(server) = &mut self.server {
            let _ = kill_process_group(Pid::from_child(server), Signal::TERM);
            let began = Instant::now();
            while matches!(server.try_wait(), Ok(None)) && began.elapsed() < STOP {
                pause();
            }
        }
        self.kill9();
    }

    /// Stops it in its tracks, as a machine that swaps: connections stay and nothing answers. `false`: it goes on.
    pub fn freeze(&self, frozen: bool) {
        if let Some(server) = &self.server {
            let _ = kill_process_group(Pid::from_child(server), if frozen { Signal::STOP } else { Signal::CONT });
        }
    }

    /// Raises or clears the disk alarm: while it is raised, every connection that publishes is blocked.
    pub fn set_disk_alarm(&self, raised: bool) -> io::Result<()> {
        self.control(&["set_disk_free_limit", if raised { "900000GB" } else { "1MB" }]).map(drop)
    }

    /// What `rabbitmqctl` answers.
    pub fn control(&self, args: &[&str]) -> io::Result<String> {
        let output = self.command("rabbitmqctl").args(args).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(io::Error::other(format!("rabbitmqctl {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr))))
    }

    fn spawn(&mut self) -> io::Result<()> {
        if self.epmd.is_none() {
            let mut epmd = Command::new("epmd");
            epmd.args(["-port", &self.epmd_port.to_string(), "-address", "127.0.0.1"]);
            self.epmd = Some(epmd.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        let log = File::options().create(true).append(true).open(self.output())?;
        let mut server = self.command(PROGRAM);
        server.stdout(log.try_clone()?).stderr(log).process_group(0);
        self.server = Some(server.spawn()?);
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        let path = |name: &str| self.folder.join(name).into_os_string();
        command
            .stdin(Stdio::null())
            .current_dir(&self.folder)
            .env("HOME", &self.folder)
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("ERL_EPMD_PORT", self.epmd_port.to_string())
            .env("RABBITMQ_NODENAME", &self.node)
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", self.port.to_string())
            .env("RABBITMQ_DIST_PORT", self.distribution_port.to_string())
            .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
            .env("RABBITMQ_CONFIG_FILE", path("rabbitmq.conf"))
            .env("RABBITMQ_MNESIA_BASE", path("data"))
            .env("RABBITMQ_LOG_BASE", path("log"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", path("plugins"))
            .env("RABBITMQ_PID_FILE", path("pid"));
        command
    }

    fn output(&self) -> PathBuf {
        self.folder.join("output.log")
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.output()).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

impl Drop for RabbitMq {
    fn drop(&mut self) {
        self.kill9();
        if let Some(mut epmd) = self.epmd.take() {
            let _ = epmd.kill();
            let _ = epmd.wait();
        }
    }
}

/// Users and virtual hosts, loaded at the first start: `rabbitmqctl` would take seconds for each.
fn definitions_of(homes: usize) -> String {
    // guest/guest as RabbitMQ hashes it: base64 of a salt and SHA-256 of salt and password.
    const HASH: &str = "bWVkbf5UuZAfJon/ueRAhAlVGwnSRgPqRavU88hRRNz+3EVK";
    let hosts: Vec<_> = (0..homes).map(|home| format!("{{\"name\":\"home-{home}\"}}")).collect();
    let all = "\"configure\":\".*\",\"write\":\".*\",\"read\":\".*\"";
    let rights: Vec<_> =
        (0..homes).map(|home| format!("{{\"user\":\"guest\",\"vhost\":\"home-{home}\",{all}}}")).collect();
    format!(
        "{{\"users\":[{{\"name\":\"guest\",\"password_hash\":\"{HASH}\",\
         \"hashing_algorithm\":\"rabbit_password_hashing_sha256\",\"tags\":[\"administrator\"]}}],\
         \"vhosts\":[{}],\"permissions\":[{}]}}",
        hosts.join(","),
        rights.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_again_after_a_power_cut_and_several_run_side_by_side() {
        let folder = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let mut server = match RabbitMq::start(folder.path(), 1) {
            Ok(server) => server,
            Err(missing) => return crate::skip("it_starts_again_after_a_power_cut", &missing),
        };
        let _other = RabbitMq::start(other.path(), 0).unwrap();
        server.kill9();
        server.start_again().unwrap();
        server.control(&["list_queues", "-p", "home-0"]).unwrap();
        server.stop();
        assert!(!server.listens());
    }
}
