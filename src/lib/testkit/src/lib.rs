//! Real services for tests, benches and `medmon demo`: each on private loopback ports, in a folder of its caller,
//! stopped by its own process id. Not for anything that runs in a home.

mod http_server;
mod kannel;
mod prometheus;
mod rabbitmq;
mod smsd;
mod victoria;

pub use kannel::{Kannel, Phones};
pub use prometheus::Prometheus;
pub use rabbitmq::RabbitMq;
pub use smsd::{Smsd, SmsdKind};
pub use victoria::VictoriaMetrics;

/// Why a service is not there.
#[derive(Debug, thiserror::Error)]
pub enum Missing {
    /// Not installed.
    #[error("{program} is not installed; on Debian: apt-get install {package}")]
    Program {
        /// What was looked for.
        program: &'static str,
        /// What brings it.
        package: &'static str,
    },
    /// Installed, and does not run.
    #[error("{program} did not start: {reason}")]
    Start {
        /// Which.
        program: &'static str,
        /// Its last words.
        reason: String,
    },
}

/// Says that `test` was left out and why, in the form that `cargo xtask test` counts.
pub fn skip(test: &str, missing: &Missing) {
    println!("SKIPPED: {test} ({missing})");
}

#[expect(clippy::disallowed_methods, reason = "between two looks at another process; nothing tells when it is ready")]
fn pause() {
    std::thread::sleep(std::time::Duration::from_millis(50));
}

/// A port that was free a moment ago.
pub fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
