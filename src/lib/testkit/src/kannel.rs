//! A Kannel of one's own: bearerbox and smsbox, with its "fake" service centre, which is a port that phones are played on.
//!
//! Not for: the texts in it; the caller plays the phones.

use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Missing, free_port, pause};

const BEARERBOX: &str = "/usr/sbin/bearerbox";
const SMSBOX: &str = "/usr/sbin/smsbox";
const START: Duration = Duration::from_secs(20);

/// One Kannel; it ends with this value.
pub struct Kannel {
    folder: PathBuf,
    sendsms: u16,
    boxes: u16,
    centre: u16,
    running: Vec<Child>,
}

impl Kannel {
    /// Who may send.
    pub const TOKEN: &str = "medmon:s3cret";

    /// Starts one in `folder` that brings what phones write to `get_url` (`http://…?from=%p&text=%a`). Blocks until it
    /// takes texts.
    pub fn start(folder: &Path, get_url: &str) -> Result<Self, Missing> {
        if !Path::new(BEARERBOX).exists() || !Path::new(SMSBOX).exists() {
            return Err(Missing::Program { program: "bearerbox", package: "kannel" });
        }
        let failed = |error: io::Error| Missing::Start { program: "bearerbox", reason: error.to_string() };
        let folder = folder.join("kannel");
        std::fs::create_dir_all(folder.join("spool")).map_err(failed)?;
        let mut ports = [0; 4];
        for port in &mut ports {
            *port = free_port().map_err(failed)?;
        }
        let [admin, boxes, centre, sendsms] = ports;
        // A text that was accepted is on disk: the store called "file" writes every ten seconds only.
        let config = format!(
            "group = core\nadmin-port = {admin}\nadmin-interface = 127.0.0.1\nadmin-password = s3cret\n\
             smsbox-port = {boxes}\nsmsbox-interface = 127.0.0.1\n\
             store-type = spool\nstore-location = {}\n\n\
             group = smsc\nsmsc = fake\nsmsc-id = phones\nport = {centre}\nour-host = 127.0.0.1\n\
             connect-allow-ip = 127.0.0.1\n\n\
             group = smsbox\nbearerbox-host = 127.0.0.1\nsendsms-port = {sendsms}\n\
             sendsms-interface = 127.0.0.1\nhttp-request-retry = 20\nhttp-queue-delay = 1\n\n\
             group = sendsms-user\nusername = medmon\npassword = s3cret\nconcatenation = true\nmax-messages = 8\n\n\
             group = sms-service\nkeyword = default\nget-url = \"{get_url}\"\nomit-empty = true\nmax-messages = 0\n",
            folder.join("spool").display(),
        );
        std::fs::write(folder.join("kannel.conf"), config).map_err(failed)?;
        let mut kannel = Self { folder, sendsms, boxes, centre, running: Vec::new() };
        kannel.start_again()?;
        Ok(kannel)
    }

    /// Where texts are handed over.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/cgi-bin/sendsms", self.sendsms)
    }

    /// Starts it on what it has kept.
    pub fn start_again(&mut self) -> Result<(), Missing> {
        for (program, port) in [(BEARERBOX, self.boxes), (SMSBOX, self.sendsms)] {
            let began = Instant::now();
            let mut child = self
                .spawn(program)
                .map_err(|error| Missing::Start { program: "bearerbox", reason: error.to_string() })?;
            loop {
                let ended = !matches!(child.try_wait(), Ok(None));
                if !ended && TcpStream::connect(("127.0.0.1", port)).is_ok() {
                    break;
                }
                if ended || began.elapsed() > START {
                    self.running.push(child);
                    self.kill9();
                    return Err(Missing::Start { program: "bearerbox", reason: self.last_words() });
                }
                pause();
            }
            self.running.push(child);
        }
        Ok(())
    }

    /// A power cut.
    pub fn kill9(&mut self) {
        for mut child in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Connects the phones; texts wait until there are some. Again after [`Self::start_again`].
    pub fn phones(&self) -> io::Result<Phones> {
        let stream = TcpStream::connect(("127.0.0.1", self.centre))?;
        let lines = Arc::<Mutex<Vec<String>>>::default();
        let (reader, heard) = (BufReader::new(stream.try_clone()?), Arc::clone(&lines));
        std::thread::spawn(move || {
            for line in reader.lines().map_while(Result::ok) {
                heard.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        Ok(Phones { stream, lines })
    }

    fn spawn(&self, program: &str) -> io::Result<Child> {
        let log = std::fs::File::options().create(true).append(true).open(self.folder.join("output.log"))?;
        let mut command = Command::new(program);
        command.args(["-v", "1", "kannel.conf"]).current_dir(&self.folder).process_group(0);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
    }

    fn last_words(&self) -> String {
        let text = std::fs::read_to_string(self.folder.join("output.log")).unwrap_or_default();
        let lines: Vec<_> = text.lines().filter(|line| !line.contains("gw_backtrace")).collect();
        lines[lines.len().saturating_sub(5)..].join(" | ")
    }
}

impl Drop for Kannel {
    fn drop(&mut self) {
        self.kill9();
    }
}

/// The phones of a [`Kannel`], as its fake service centre knows them: a line a message.
pub struct Phones {
    stream: TcpStream,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Phones {
    /// What has arrived: `from to text words`, or with `ucs-2`, `data`, `udh` in place of `text` and octets as in an
    /// address of the web.
    pub fn arrived(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A phone writes to us: `text` has neither a line break nor `%`.
    pub fn write(&mut self, from: &str, to: &str, text: &str) -> io::Result<()> {
        writeln!(self.stream, "{from} {to} text {text}")
    }
}

impl Drop for Phones {
    fn drop(&mut self) {
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
    }
}
