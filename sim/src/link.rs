//! The internet connection of a home: a TCP forwarder that can be cut and healed.
//!
//! Not for: slow or lossy links; a cut here is clean and total.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A forwarder from a port of this machine to a target; it stops when dropped.
#[derive(Debug)]
pub struct Link {
    addr: SocketAddr,
    up: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Link {
    /// Listens on a free port of 127.0.0.1. Must be called within a tokio runtime.
    pub fn open(target: SocketAddr) -> std::io::Result<Self> {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let up = watch::Sender::new(true);
        let task = tokio::spawn(serve(listener, target, up.subscribe()));
        Ok(Self { addr, up, task })
    }

    /// Where to connect instead of the target.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Drops every connection and closes new ones at once.
    pub fn cut(&self) {
        self.up.send_replace(false);
    }

    /// Forwards new connections again.
    pub fn heal(&self) {
        self.up.send_replace(true);
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.cut();
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, up: watch::Receiver<bool>) {
    loop {
        match listener.accept().await {
            Ok((near, _)) if *up.borrow() => {
                tokio::spawn(forward(near, target, up.clone()));
            }
            Ok(_refused) => {}
            Err(error) => {
                // Out of file descriptors, for one: others may be closed meanwhile.
                tracing::debug!(%error, "virtual link: accept failed");
                tokio::task::yield_now().await;
            }
        }
    }
}

async fn forward(mut near: TcpStream, target: SocketAddr, mut up: watch::Receiver<bool>) {
    let forwarding = async {
        let mut far = TcpStream::connect(target).await?;
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        _ = up.wait_for(|up| !up) => {}
        ended = forwarding => if let Err(error) = ended {
            tracing::debug!(%error, "virtual link: connection ended");
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn a_cut_link_drops_and_refuses_and_a_healed_one_forwards() {
        let far = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let link = Link::open(far.local_addr().unwrap()).unwrap();
        let echo = tokio::spawn(async move {
            loop {
                let (mut stream, _) = far.accept().await.unwrap();
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        let mut buffer = [0; 4];
        let mut first = TcpStream::connect(link.addr()).await.unwrap();
        first.write_all(b"ping").await.unwrap();
        first.read_exact(&mut buffer).await.unwrap();

        link.cut();
        assert_eq!(first.read(&mut buffer).await.unwrap_or(0), 0);
        let mut second = TcpStream::connect(link.addr()).await.unwrap();
        assert_eq!(second.read(&mut buffer).await.unwrap_or(0), 0);

        link.heal();
        let mut third = TcpStream::connect(link.addr()).await.unwrap();
        third.write_all(b"pong").await.unwrap();
        third.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"pong");
        echo.abort();
    }
}
