//! From the journal to the server, in order, again after it restarted; what the server cannot take goes to the archive.
//!
//! A refused request is halved until the bad part stands alone: the others go in, and never is a part torn.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Inner;
use super::client::{ClientError, is_too_old};
use super::layout::{self, Item};
use super::wire;
use crate::vitals::{Batch, VitalsError};

/// Ahead of now no sample may lie: one of ten days ahead and Prometheus refuses everybody's present.
const AHEAD_MS: i64 = 120_000;
/// Parts of one request at most: about 100 kB.
const MAX_PARTS: usize = 2000;
/// Between attempts while the server is away.
const RETRY: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(15));
/// Without news, how often the journal is looked at.
const IDLE: Duration = Duration::from_secs(5);

/// Runs until `shutdown`.
pub(super) async fn run(inner: Arc<Inner>, shutdown: CancellationToken) {
    let mut wait = RETRY.0;
    loop {
        let step = tokio::select! {
            step = step(&inner) => step,
            () = shutdown.cancelled() => return,
        };
        let pause = match step {
            Ok(true) => {
                wait = RETRY.0;
                continue;
            }
            Ok(false) => IDLE,
            Err(error) => {
                if wait == RETRY.0 {
                    tracing::warn!(error = %chain(&error), "vitals wait in the journal for their server");
                }
                // It may be another process when it is back.
                inner.state().connected = false;
                wait = (wait * 2).min(RETRY.1);
                wait
            }
        };
        let idle = pause == IDLE;
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = inner.wake.notified(), if idle => {}
            () = shutdown.cancelled() => return,
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// One batch of the journal; `false`: there is nothing more for now.
async fn step(inner: &Arc<Inner>) -> Result<bool, VitalsError> {
    if !inner.state().connected {
        connect(inner).await?;
    }
    let ((segment, offset), closed) = {
        let state = inner.state();
        // Before it is read: what was closed only after may have more than was read.
        (state.cursor, state.closed >= state.cursor.0)
    };
    let replay = Arc::clone(&inner.replay);
    let read = tokio::task::spawn_blocking(move || {
        let (segments, active) = replay.segments()?;
        let (batches, next) =
            if segments.contains(&segment) { replay.read(segment, offset)? } else { (Vec::new(), offset) };
        Ok::<_, std::io::Error>((batches, next, active))
    });
    let read = read.await.map_err(|error| VitalsError::Store(Box::new(error)))?;
    let (batches, next, active) = read.map_err(|error| VitalsError::Store(Box::new(error)))?;
    if next > offset {
        let _alone = inner.sending.lock().await;
        let again = segment <= inner.state().again_through;
        let wanted = batches.into_iter().filter(|batch| !inner.is_erased_at(batch.subject, (segment, offset)));
        send(inner, segment, wanted.collect(), again).await?;
        let mut state = inner.state();
        // Unless it was set back meanwhile.
        if state.cursor == (segment, offset) {
            state.cursor = (segment, next);
        }
        return Ok(true);
    }
    let mut state = inner.state();
    if (closed || active > segment) && state.cursor == (segment, offset) {
        state.done.insert(segment, inner.clock.mono_us());
        state.cursor = (segment + 1, 0);
        return Ok(true);
    }
    Ok(false)
}

/// Learns what the server is, and whether it is still the process that was sent to; reads the newest values once.
async fn connect(inner: &Arc<Inner>) -> Result<(), VitalsError> {
    let server = inner.client.server().await.map_err(super::read::store)?;
    let filled = {
        let mut state = inner.state();
        if state.server.as_ref().is_some_and(|before| before.started != server.started) {
            state.restart();
        }
        if server.started.is_empty() {
            tracing::warn!("the vitals server does not say when it started: a restart that loses samples is not seen");
        }
        state.server = Some(server);
        state.filled
    };
    if !filled {
        inner.fill().await.map_err(super::read::store)?;
        inner.state().filled = true;
        inner.filled.notify_waiters();
    }
    inner.state().connected = true;
    Ok(())
}

/// Sends what fits, keeps the rest in the archive. An error: nothing is known, all of it again later.
async fn send(inner: &Arc<Inner>, segment: u64, batches: Vec<Batch>, again: bool) -> Result<(), VitalsError> {
    let now_ms = inner.clock.utc_us() / 1000;
    let mut aside = Vec::new();
    let mut parts = Vec::new();
    let items: Vec<_> = batches.iter().flat_map(layout::items).collect();
    inner.learn(&items).await.map_err(super::read::store)?;
    for item in items {
        let at_ms = if item.fits() && !inner.is_erased(item.subject) {
            inner.places().put(&item).map(|(at_ms, _)| at_ms)
        } else {
            None
        };
        match at_ms {
            Some(at_ms) if at_ms > now_ms + AHEAD_MS => {
                inner.counters.future.inc();
                let (vital, at) = (item.vital(), medmon_api::time(item.true_us()));
                tracing::warn!(%vital, %at, "a window of the future is kept aside");
                aside.push(item);
            }
            Some(at_ms) => parts.push((item, at_ms)),
            None => aside.push(item),
        }
    }
    parts.sort_by_key(|(_, at_ms)| *at_ms);
    // Taken from the end: the newest first, so that the first that is too old says it of all that are older.
    let mut stack: Vec<Vec<(Item, i64)>> = parts.chunks(MAX_PARTS).map(<[_]>::to_vec).collect();
    while let Some(mut parts) = stack.pop() {
        let floor_ms = inner.floor_ms();
        let (old, young) = parts.into_iter().partition(|(_, at_ms)| *at_ms < floor_ms);
        parts = young;
        for (item, _) in old as Vec<(Item, i64)> {
            keep_aside(inner, item, again, &mut aside).await?;
        }
        if parts.is_empty() {
            continue;
        }
        match inner.client.write(wire::body(&parts)).await {
            Ok(()) => drop(inner.counters.sent.inc_by(parts.len() as u64)),
            Err(ClientError::Refused(status, text)) => {
                if parts.len() > 1 {
                    let newer = parts.split_off(parts.len() / 2);
                    stack.extend([parts, newer]);
                    continue;
                }
                let Some((item, at_ms)) = parts.pop() else { continue };
                if text.contains("duplicate sample") {
                    // Somebody else lies there: the next instant.
                    inner.counters.moved.inc();
                    inner.places().block(&item, at_ms);
                    let put = inner.places().put(&item);
                    match put {
                        Some((at_ms, _)) => stack.push(vec![(item, at_ms)]),
                        None => aside.push(item),
                    }
                    continue;
                }
                if is_too_old(&text) {
                    let mut state = inner.state();
                    state.refused_ms = state.refused_ms.max(at_ms + 1);
                } else {
                    inner.counters.refused.inc();
                    let vital = item.vital();
                    tracing::warn!(%vital, at_ms, %status, %text, "a part that the server refuses is kept aside");
                }
                keep_aside(inner, item, again, &mut aside).await?;
            }
            Err(error) => return Err(super::read::store(error)),
        }
    }
    archive(inner, segment, aside).await
}

/// Gives the archive what it does not have.
async fn archive(inner: &Inner, segment: u64, mut aside: Vec<Item>) -> Result<(), VitalsError> {
    // Settled there, and killed before it was here: the same parts went there then.
    if aside.is_empty() || segment <= inner.late.settled_through() {
        return Ok(());
    }
    aside.retain(|item| !inner.state().aside.entry(segment).or_default().contains(&item.fingerprint()));
    let given: Vec<_> = aside.iter().map(Item::fingerprint).collect();
    inner.counters.aside.inc_by(given.len() as u64);
    inner.late.take(segment, layout::batches(aside)).await?;
    inner.state().aside.entry(segment).or_default().extend(given);
    Ok(())
}

/// What is too old now may have been young enough when it was sent before.
async fn keep_aside(inner: &Inner, item: Item, again: bool, aside: &mut Vec<Item>) -> Result<(), VitalsError> {
    if !again || !inner.has(&item).await? {
        aside.push(item);
    }
    Ok(())
}
