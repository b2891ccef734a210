//! The dongle's serial port, once it is open. Unlike `tokio_serial`'s own stream it takes a short read for the end of what there is: to ask
//! a terminal for more when there is nothing makes the kernel flush its work queue, which costs as much as the report.

use std::io::{self, Read as _, Write as _};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mio_serial::SerialStream;
use tokio::io::unix::AsyncFd;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// An open port.
pub struct Port(AsyncFd<SerialStream>);

impl Port {
    /// Takes an opened port over.
    pub fn new(port: SerialStream) -> io::Result<Self> {
        Ok(Self(register(port)?))
    }
}

#[expect(
    deprecated,
    reason = "its successor is an unsafe fn, forbidden here; a SerialStream keeps its descriptor open"
)]
fn register(port: SerialStream) -> io::Result<AsyncFd<SerialStream>> {
    AsyncFd::new(port)
}

impl AsyncRead for Port {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let port = &mut self.get_mut().0;
        loop {
            // Taken before the read: what arrives during it is another event, which clearing this one leaves alone.
            let mut guard = ready!(port.poll_read_ready_mut(context))?;
            let room = buffer.remaining();
            if let Ok(read) = guard.try_io(|port| port.get_mut().read(buffer.initialize_unfilled())) {
                let count = read?;
                buffer.advance(count);
                if count < room {
                    guard.clear_ready();
                }
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncWrite for Port {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let port = &mut self.get_mut().0;
        loop {
            let mut guard = ready!(port.poll_write_ready_mut(context))?;
            if let Ok(written) = guard.try_io(|port| port.get_mut().write(bytes)) {
                return Poll::Ready(written);
            }
        }
    }

    /// The kernel sends what was written; to wait for that would stop everything else meanwhile.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
