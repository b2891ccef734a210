//! Finding and opening the dongle's serial port: by name, by pattern, or by what was used last.
//!
//! A stick that is pulled out and put back often comes back as another /dev/ttyUSBn; its name under by-id stays.

use std::path::{Path, PathBuf};

use mio_serial::{ClearBuffer, SerialPort as _, SerialStream};

use medmon_kit::Clock;

use super::map::glob;
use super::serial::Port;
use crate::install::write_atomically;

const BY_ID: &str = "/dev/serial/by-id";
/// The by-id name that worked last.
const FILE: &str = "radio.port";
/// What coordinators with TI chips call themselves there.
const COORDINATORS: [&str; 6] = ["*Texas*", "*CC26*", "*CC13*", "*Sonoff*", "*SLZB*", "*Electrolama*"];
/// Off, on, off: leaves the loader of sticks that wire it so (zigpy-znp, `api.py`).
const PULSE: std::time::Duration = std::time::Duration::from_millis(150);

/// Opens the port, again and again.
#[derive(Debug)]
pub struct Opener {
    configured: PathBuf,
    baud: u32,
    by_id: PathBuf,
    memory: PathBuf,
    /// By-id name that worked last.
    last: Option<String>,
    opened: Option<PathBuf>,
    /// The dongle did not answer the last time: its lines are pulsed.
    pub silent: bool,
}

impl Opener {
    /// For `configured`: a path, a path with `*` or `?` in its last part, or `auto`.
    pub fn new(configured: PathBuf, baud: u32, folder: &Path) -> Self {
        let memory = folder.join(FILE);
        let last = std::fs::read_to_string(&memory).ok().map(|name| name.trim().to_owned());
        Self { configured, baud, by_id: BY_ID.into(), memory, last, opened: None, silent: false }
    }

    /// Opens it; an error says what was looked for.
    pub async fn open(&mut self, clock: &Clock) -> Result<Port, String> {
        let path = self.resolve()?;
        let port = open(&path, self.baud, std::mem::take(&mut self.silent), clock).await;
        let port = port.map_err(|error| format!("serial port {}: {error}", path.display()))?;
        self.opened = Some(path);
        Ok(port)
    }

    /// A dongle answered there: its lasting name is remembered.
    pub fn worked(&mut self) {
        let Some(real) = self.opened.as_ref().and_then(|path| path.canonicalize().ok()) else { return };
        let name =
            self.names().into_iter().find(|name| self.by_id.join(name).canonicalize().is_ok_and(|at| at == real));
        if name.is_none() || name == self.last {
            return;
        }
        self.last = name;
        let written = self.last.as_ref().map(|name| write_atomically(&self.memory, name.as_bytes()));
        if let Some(Err(error)) = written {
            tracing::warn!(%error, "the dongle's name could not be written down");
        }
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.by_id).into_iter().flatten().flatten();
        let mut names: Vec<_> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort_unstable();
        names
    }

    fn resolve(&self) -> Result<PathBuf, String> {
        let configured = self.configured.to_string_lossy();
        let last = self.last.as_ref().map(|name| self.by_id.join(name)).filter(|path| path.exists());
        if configured == "auto" {
            let fits = |name: &String| COORDINATORS.iter().any(|pattern| glob(pattern, name));
            let found: Vec<_> = self.names().into_iter().filter(fits).collect();
            return last.map_or_else(|| self.only(&found, "auto"), Ok);
        }
        let name = self.configured.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if name.contains(['*', '?']) {
            let folder = self.configured.parent().unwrap_or(Path::new("/dev"));
            let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
            let found: Vec<_> = names.filter(|found| glob(&name, found)).collect();
            return match &found[..] {
                [one] => Ok(folder.join(one)),
                _ => Err(format!("gateway.radio.port = \"{configured}\" fits {}; it must fit one", listed(&found))),
            };
        }
        // After replugging, /dev/ttyUSB0 may be the modem, or nothing.
        let numbered = ["/dev/ttyUSB", "/dev/ttyACM"].iter().any(|prefix| configured.starts_with(prefix));
        match last.filter(|_| numbered || !self.configured.exists()) {
            Some(last) => {
                if last.canonicalize().ok() != self.configured.canonicalize().ok() {
                    tracing::warn!(configured = %configured, used = %last.display(), "the dongle is at another port now");
                }
                Ok(last)
            }
            None => Ok(self.configured.clone()),
        }
    }

    fn only(&self, found: &[String], what: &str) -> Result<PathBuf, String> {
        match found {
            [one] => Ok(self.by_id.join(one)),
            _ => Err(format!(
                "gateway.radio.port = \"{what}\" found {} under {}; name the dongle's port",
                listed(found),
                self.by_id.display()
            )),
        }
    }
}

fn listed(found: &[String]) -> String {
    if found.is_empty() { "no port".into() } else { found.join(", ") }
}

async fn open(path: &Path, baud: u32, pulse: bool, clock: &Clock) -> std::io::Result<Port> {
    let mut port = SerialStream::open(&mio_serial::new(path.to_string_lossy(), baud))?;
    // Two programs on one dongle would each get half of the frames.
    port.set_exclusive(true)?;
    // Some sticks boot into a loader when these lines move; a PTY has no such lines.
    for set in [port.write_data_terminal_ready(false), port.write_request_to_send(false)] {
        if let Err(error) = set {
            tracing::debug!(%error, "no modem lines on this port");
        }
    }
    if pulse {
        for level in [false, true, false] {
            if port.write_request_to_send(level).is_err() {
                break;
            }
            clock.sleep(PULSE).await;
        }
    }
    // What lies in the port's buffer is of another time; it would be dated now.
    port.clear(ClearBuffer::Input)?;
    Port::new(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replugged_dongle_is_found_by_its_lasting_name() {
        let folder = tempfile::tempdir().unwrap();
        let (by_id, dev) = (folder.path().join("by-id"), folder.path().join("ttyUSB1"));
        std::fs::create_dir(&by_id).unwrap();
        std::fs::write(&dev, "").unwrap();
        let dongle = by_id.join("usb-Texas_Instruments_CC2652-if00");
        std::os::unix::fs::symlink(&dev, &dongle).unwrap();
        std::fs::write(by_id.join("usb-Quectel_modem"), "").unwrap();
        let opener = |configured: &str| {
            let mut opener = Opener::new(configured.into(), 115_200, folder.path());
            opener.by_id.clone_from(&by_id);
            opener
        };
        assert_eq!(opener("auto").resolve(), Ok(dongle.clone()));
        let pattern = by_id.join("*Texas*");
        assert_eq!(opener(&pattern.to_string_lossy()).resolve(), Ok(dongle.clone()));
        let error = opener(&by_id.join("usb*").to_string_lossy()).resolve().unwrap_err();
        assert!(error.contains("Quectel") && error.contains("must fit one"), "{error}");
        // Nothing is known yet: as configured.
        assert_eq!(opener("/dev/ttyUSB77").resolve(), Ok("/dev/ttyUSB77".into()));
        let mut used = opener(&dev.to_string_lossy());
        used.opened = Some(dev);
        used.worked();
        assert_eq!(opener("/dev/ttyUSB77").resolve(), Ok(dongle.clone()));
        std::fs::remove_file(&dongle).unwrap();
        assert_eq!(opener("/dev/ttyUSB77").resolve(), Ok("/dev/ttyUSB77".into()));
        assert!(opener("auto").resolve().unwrap_err().contains("no port"));
    }
}
