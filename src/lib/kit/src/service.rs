//! A daemon among others: signals that end it, and what systemd is told.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// A token that SIGTERM or SIGINT cancels.
pub fn shutdown_on_signals() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let (mut term, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let cancelled = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = term.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        cancelled.cancel();
    });
    Ok(token)
}

/// Tells systemd that start-up is done. Nothing happens elsewhere.
pub fn ready() {
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
}

/// Feeds systemd's watchdog: call it where work was really done. A service manager that does not read its socket holds
/// nobody up: one word at a time waits for it, elsewhere.
pub fn progress() {
    static SPEAKING: AtomicBool = AtomicBool::new(false);
    if std::env::var_os("NOTIFY_SOCKET").is_none() || SPEAKING.swap(true, Ordering::Relaxed) {
        return;
    }
    tokio::task::spawn_blocking(|| {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Watchdog]);
        SPEAKING.store(false, Ordering::Relaxed);
    });
}
