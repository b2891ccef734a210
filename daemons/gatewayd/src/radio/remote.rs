//! Pairing from afar: Settings say until when sensors may join, and the radio is asked as by `medmon local pair`.
//!
//! Not for: who may come in (the allow-list and pairing.rs).

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{Settings, UtcUs};
use medmon_kit::Clock;

use super::{Ask, Order};

/// The longest window, whatever Settings say: a wrong clock on either side must not leave the home open.
const LONGEST: Duration = Duration::from_mins(15);
/// The radio may be lost or in use; it is asked again while the time lasts.
const AGAIN: Duration = Duration::from_secs(5);

/// Follows `Settings::pair_until_us` until `stop`. Each value opens once.
pub async fn run(
    mut settings: watch::Receiver<Arc<Settings>>,
    orders: mpsc::Sender<Order>,
    clock: Clock,
    stop: CancellationToken,
) {
    let follow = async {
        let mut over = None;
        loop {
            let until_us = settings.borrow_and_update().pair_until_us;
            let due = until_us.filter(|until_us| over != Some(*until_us) && *until_us > clock.utc_us());
            let asked_again = match due {
                Some(until_us) => {
                    if open(until_us, &mut settings, &orders, &clock).await {
                        over = Some(until_us);
                        continue;
                    }
                    true
                }
                None => false,
            };
            tokio::select! {
                () = clock.sleep(AGAIN), if asked_again => {}
                // Without a server none will come.
                changed = settings.changed() => if changed.is_err() { std::future::pending().await },
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = stop.cancelled() => {}
    }
}

/// Opens until `until_us`, or until Settings say otherwise. `false`: it did not open.
async fn open(
    until_us: UtcUs,
    settings: &mut watch::Receiver<Arc<Settings>>,
    orders: &mpsc::Sender<Order>,
    clock: &Clock,
) -> bool {
    let left_us = (until_us - clock.utc_us()).clamp(0, LONGEST.as_micros() as i64);
    let end_us = clock.mono_us() + left_us;
    let seconds = u32::try_from((left_us + 999_999) / 1_000_000).unwrap_or(1).max(1);
    // The window closes when `rows` is dropped.
    let (say, mut rows) = mpsc::unbounded_channel();
    let order = Order { ask: Ask::Pair { seconds }, say };
    let watch = async {
        let mut opened = false;
        if orders.send(order).await.is_err() {
            return opened;
        }
        while let Some(row) = rows.recv().await {
            // Who joined and who was refused is in the log already.
            if let Some(error) = row.get("error") {
                tracing::warn!(%error, "sensors were to join, as the server says");
                return opened;
            }
            opened = true;
        }
        opened
    };
    let withdrawn = async {
        let changed = settings.wait_for(|settings| settings.pair_until_us != Some(until_us)).await.is_ok();
        if !changed {
            // Without a server none will change.
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        opened = watch => opened,
        () = withdrawn => true,
        () = clock.sleep_until(end_us) => true,
    }
}
