//! Two SMS daemons that others wrote, on a serial port that the caller has: `gammu-smsd` and `smsd` of smstools. What
//! they can speak to is a modem.
//!
//! Not for: sending texts of ours.

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::Missing;

/// Which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmsdKind {
    /// gammu-smsd with its "files" service.
    Gammu,
    /// smsd of smstools 3.
    Smstools,
}

/// One daemon; it ends with this value.
pub struct Smsd {
    kind: SmsdKind,
    folder: PathBuf,
    child: Child,
}

impl Smsd {
    /// Starts one in `folder` that speaks to the modem at `port`. It needs some seconds before it sends.
    pub fn start(kind: SmsdKind, folder: &Path, port: &Path) -> Result<Self, Missing> {
        let (program, package) = match kind {
            SmsdKind::Gammu => ("/usr/bin/gammu-smsd", "gammu-smsd"),
            SmsdKind::Smstools => ("/usr/sbin/smsd", "smstools"),
        };
        if !Path::new(program).exists() {
            return Err(Missing::Program { program: package, package });
        }
        let failed = |error: io::Error| Missing::Start { program: package, reason: error.to_string() };
        let folder = folder.join(package);
        for part in ["inbox", "outbox", "sent", "error", "checked", "failed", "stats"] {
            std::fs::create_dir_all(folder.join(part)).map_err(failed)?;
        }
        let (home, port) = (folder.display(), port.display());
        let config = match kind {
            SmsdKind::Gammu => format!(
                "[gammu]\ndevice = {port}\nconnection = at115200\n\n[smsd]\nservice = files\nlogfile = {home}/smsd.log\n\
                 debuglevel = 255\ninboxpath = {home}/inbox/\noutboxpath = {home}/outbox/\nsentsmspath = {home}/sent/\n\
                 errorsmspath = {home}/error/\nCheckSecurity = 0\nReceiveFrequency = 2\nCommTimeout = 1\nStatusFrequency = 0\n\
                 DeliveryReport = sms\n"
            ),
            SmsdKind::Smstools => format!(
                "devices = GSM1\nlogfile = {home}/smsd.log\nloglevel = 7\noutgoing = {home}/outbox\nchecked = {home}/checked\n\
                 failed = {home}/failed\nincoming = {home}/inbox\nsent = {home}/sent\npidfile = {home}/smsd.pid\n\
                 infofile = {home}/smsd.running\nstats = {home}/stats\ndelaytime = 1\nreceive_before_send = no\n\n\
                 [GSM1]\ndevice = {port}\nincoming = yes\nbaudrate = 115200\nrtscts = no\nreport = yes\n\
                 cs_convert = yes\n"
            ),
        };
        std::fs::write(folder.join("smsd.conf"), config).map_err(failed)?;
        let log = std::fs::File::create(folder.join("output.log")).map_err(failed)?;
        let mut command = Command::new(program);
        command.args(["-c", "smsd.conf"]).args(if kind == SmsdKind::Smstools { &["-t"][..] } else { &[] });
        command.current_dir(&folder).process_group(0).stdin(Stdio::null());
        command.stdout(log.try_clone().map_err(failed)?).stderr(log);
        let child = command.spawn().map_err(failed)?;
        Ok(Self { kind, folder, child })
    }

    /// Queues a text of plain letters.
    pub fn send(&self, to: &str, text: &str) -> io::Result<()> {
        let (name, content) = match self.kind {
            SmsdKind::Gammu => (format!("OUTA20260101_000000_00_{to}_medmon.txtd"), text.to_owned()),
            SmsdKind::Smstools => {
                let to = to.trim_start_matches('+');
                (format!("GSM1.{to}"), format!("To: {to}\nReport: yes\n\n{text}"))
            }
        };
        // It must not find half of it.
        let whole = self.folder.join("whole");
        std::fs::write(&whole, content)?;
        std::fs::rename(whole, self.folder.join("outbox").join(name))
    }

    /// What came in, file by file.
    pub fn inbox(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.folder.join("inbox")).into_iter().flatten().flatten();
        files
            .filter_map(|file| std::fs::read(file.path()).ok())
            .map(|all| String::from_utf8_lossy(&all).into_owned())
            .collect()
    }

    /// Whether a text was sent, as it believes.
    pub fn has_sent(&self) -> bool {
        std::fs::read_dir(self.folder.join("sent")).is_ok_and(|mut files| files.next().is_some())
    }

    /// The end of its log.
    pub fn last_words(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        let text = read("output.log") + &read("smsd.log");
        let lines: Vec<_> = text.lines().collect();
        lines[lines.len().saturating_sub(60)..].join("\n")
    }
}

impl Drop for Smsd {
    fn drop(&mut self) {
        // smsd has a process per modem; they are in its group.
        let _ = rustix::process::kill_process_group(
            rustix::process::Pid::from_child(&self.child),
            rustix::process::Signal::KILL,
        );
        let _ = self.child.wait();
    }
}
