//! One program that serves HTTP on a private loopback port and keeps its data in a folder: what Prometheus and
//! VictoriaMetrics have in common. Not for: their flags.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Missing, free_port, pause};

/// A folder with some hours of data is read back in seconds.
const START: Duration = Duration::from_secs(30);
/// An orderly stop; then it is killed.
const STOP: Duration = Duration::from_secs(15);

pub struct HttpServer {
    program: &'static str,
    folder: PathBuf,
    port: u16,
    health: &'static str,
    args: Vec<String>,
    child: Option<Child>,
}

impl HttpServer {
    /// Starts `program`, whose package on Debian has the name `package`, with what `args` makes of its folder and port.
    /// It is up once `health` answers 200.
    pub fn start(
        program: &'static str,
        package: &'static str,
        folder: &Path,
        health: &'static str,
        args: impl FnOnce(&Path, u16) -> io::Result<Vec<String>>,
    ) -> Result<Self, Missing> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join(program).exists()) {
            return Err(Missing::Program { program, package });
        }
        let failed = |error: io::Error| Missing::Start { program, reason: error.to_string() };
        let folder = folder.join(program);
        std::fs::create_dir_all(&folder).map_err(failed)?;
        let port = free_port().map_err(failed)?;
        let args = args(&folder, port).map_err(failed)?;
        let mut server = Self { program, folder, port, health, args, child: None };
        server.start_again()?;
        Ok(server)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    pub fn start_again(&mut self) -> Result<(), Missing> {
        let failed = |error: io::Error| Missing::Start { program: self.program, reason: error.to_string() };
        let log = File::options().create(true).append(true).open(self.folder.join("output.log")).map_err(failed)?;
        let mut command = Command::new(self.program);
        command.args(&self.args).current_dir(&self.folder).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        self.child = Some(command.spawn().map_err(failed)?);
        let began = Instant::now();
        while !self.get(self.health).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            let ended = self.child.as_mut().is_none_or(|child| !matches!(child.try_wait(), Ok(None)));
            if ended || began.elapsed() > START {
                self.kill9();
                return Err(Missing::Start { program: self.program, reason: self.last_words() });
            }
            pause();
        }
        Ok(())
    }

    pub fn kill9(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn stop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = kill_process(Pid::from_child(child), Signal::TERM);
            let began = Instant::now();
            while matches!(child.try_wait(), Ok(None)) && began.elapsed() < STOP {
                pause();
            }
        }
        self.kill9();
    }

    /// The whole answer to a GET, head and body.
    pub fn get(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(STOP))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("output.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.trim().is_empty()).collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.kill9();
    }
}
