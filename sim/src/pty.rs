//! A pseudo-terminal: the serial port that a virtual dongle or modem sits behind.
//!
//! The simulator holds the master; the host opens `path()` as it would a USB serial adapter. A PTY has no baud rate and
//! no modem lines, so nothing here may depend on them. Not for: what is said on the line.

use std::ffi::OsStr;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::pty::OpenptFlags;
use rustix::termios::OptionalActions;
use thiserror::Error;
use tokio::io::unix::AsyncFd;

/// A pseudo-terminal could not be made.
#[derive(Debug, Error)]
#[error("cannot open a pseudo-terminal ({step})")]
pub struct PtyError {
    step: &'static str,
    #[source]
    source: std::io::Error,
}

impl PtyError {
    fn at<E: Into<std::io::Error>>(step: &'static str) -> impl FnOnce(E) -> Self {
        move |source| Self { step, source: source.into() }
    }
}

/// The master end. Must be made within a tokio runtime with I/O enabled.
#[derive(Debug)]
pub struct Pty {
    path: PathBuf,
    master: AsyncFd<OwnedFd>,
    /// Held so that the master reads no EIO while the host has the port closed.
    _slave: OwnedFd,
}

impl Pty {
    /// How long a write waits for a host that does not read before the rest is lost, as on a line without flow control.
    const STALL: Duration = Duration::from_secs(5);

    /// Makes a pair in raw mode, 8 bits, no echo.
    pub fn open() -> Result<Self, PtyError> {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = rustix::pty::openpt(flags).map_err(PtyError::at("openpt"))?;
        rustix::pty::grantpt(&master).map_err(PtyError::at("grantpt"))?;
        rustix::pty::unlockpt(&master).map_err(PtyError::at("unlockpt"))?;
        let name = rustix::pty::ptsname(&master, Vec::new()).map_err(PtyError::at("ptsname"))?;
        let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));

        let slave = rustix::fs::open(&path, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())
            .map_err(PtyError::at("open"))?;
        let mut termios = rustix::termios::tcgetattr(&slave).map_err(PtyError::at("tcgetattr"))?;
        termios.make_raw();
        rustix::termios::tcsetattr(&slave, OptionalActions::Now, &termios).map_err(PtyError::at("tcsetattr"))?;

        let status = rustix::fs::fcntl_getfl(&master).map_err(PtyError::at("fcntl"))?;
        rustix::fs::fcntl_setfl(&master, status | OFlags::NONBLOCK).map_err(PtyError::at("fcntl"))?;
        let master = register(master).map_err(PtyError::at("register"))?;
        Ok(Self { path, master, _slave: slave })
    }

    /// What the host opens, such as `/dev/pts/7`.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The next bytes from the host; waits for at least one.
    pub async fn read(&self) -> std::io::Result<Vec<u8>> {
        let mut buffer = vec![0; 1024];
        loop {
            let mut guard = self.master.readable().await?;
            match guard.try_io(|fd| retry(|| rustix::io::read(fd, buffer.as_mut_slice()))) {
                Ok(read) => {
                    buffer.truncate(read?);
                    return Ok(buffer);
                }
                Err(_would_block) => {}
            }
        }
    }

    /// Writes all of `bytes`; `false` when the host left them unread for so long that the rest was dropped.
    ///
    /// The limit is real time, not the scaled clock's: it is about the host's process, not the simulated world.
    pub async fn write(&self, bytes: &[u8]) -> bool {
        match tokio::time::timeout(Self::STALL, self.write_all(bytes)).await {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                tracing::debug!(%error, "virtual serial line: write failed");
                false
            }
            Err(_stalled) => false,
        }
    }

    async fn write_all(&self, mut bytes: &[u8]) -> std::io::Result<()> {
        while !bytes.is_empty() {
            let mut guard = self.master.writable().await?;
            if let Ok(written) = guard.try_io(|fd| retry(|| rustix::io::write(fd, bytes))) {
                bytes = &bytes[written?.min(bytes.len())..];
            }
        }
        Ok(())
    }
}

#[expect(
    deprecated,
    reason = "its successor is an unsafe fn, forbidden here; an OwnedFd keeps the contract it asks for"
)]
fn register(fd: OwnedFd) -> std::io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}

fn retry(mut call: impl FnMut() -> rustix::io::Result<usize>) -> std::io::Result<usize> {
    loop {
        match call() {
            Err(Errno::INTR) => {}
            other => return other.map_err(Into::into),
        }
    }
}

#[cfg(test)]
pub(crate) mod host {
    //! The host's end of a PTY for tests: a raw blocking-free reader that knows nothing of the protocols.

    use super::{AsyncFd, Mode, OFlags, OwnedFd, Path, register, retry};
    use std::time::Duration;

    pub struct Host(AsyncFd<OwnedFd>);

    impl Host {
        pub fn open(path: &Path) -> Self {
            let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NONBLOCK;
            Self(register(rustix::fs::open(path, flags, Mode::empty()).unwrap()).unwrap())
        }

        pub fn write(&self, bytes: &[u8]) {
            assert_eq!(rustix::io::write(self.0.get_ref(), bytes).unwrap(), bytes.len());
        }

        /// Reads until `done` says yes about everything read so far; panics after 5 s of real time.
        pub async fn read_until(&self, mut done: impl FnMut(&[u8]) -> bool) -> Vec<u8> {
            let mut all = Vec::new();
            let wait = async {
                while !done(&all) {
                    let mut buffer = [0; 512];
                    let mut guard = self.0.readable().await.unwrap();
                    if let Ok(read) = guard.try_io(|fd| retry(|| rustix::io::read(fd, &mut buffer[..]))) {
                        all.extend_from_slice(&buffer[..read.unwrap()]);
                    }
                }
            };
            let finished = tokio::time::timeout(Duration::from_secs(5), wait).await.is_ok();
            assert!(finished, "nothing more came after {:?}", String::from_utf8_lossy(&all));
            all
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Pty, host::Host};

    #[tokio::test]
    async fn bytes_pass_both_ways_unchanged_and_a_reopened_port_works() {
        let pty = Pty::open().unwrap();
        let every_byte: Vec<u8> = (0..=255).collect();
        for _ in 0..2 {
            let host = Host::open(pty.path());
            host.write(&every_byte);
            let mut seen = Vec::new();
            while seen.len() < 256 {
                seen.extend(pty.read().await.unwrap());
            }
            assert_eq!(seen, every_byte);
            assert!(pty.write(&every_byte).await);
            assert_eq!(host.read_until(|all| all.len() >= 256).await, every_byte);
        }
    }
}
