//! What is done by the clock or because somebody asked: pings, the audit of addresses, join windows, backups. Part of
//! [`Session`].

use std::time::Duration;

use serde_json::json;

use super::super::Order;
use super::super::backup::{Backup, BackupError};
use super::super::link::LinkError;
use super::super::pairing;
use super::{BACKUP_AGAIN_US, Event, PING_US, SYS_PING, Session};

impl Session<'_> {
    pub(super) fn tick(&mut self) {
        let now = self.context.clock.mono_us();
        if now >= self.next_ping_us {
            self.next_ping_us = now + PING_US;
            let (link, events) = (self.air.link.clone(), self.events.clone());
            // The line may be silent for hours; the dongle must still be there.
            self.errands.spawn(async move {
                match link.request(SYS_PING, &[]).await {
                    // It restarted: that is an answer too.
                    Ok(_) | Err(LinkError::Restarted(_)) => {}
                    Err(error) => drop(events.send(Event::Lost(error))),
                }
            });
        }
        if self.window.as_ref().is_some_and(|window| window.is_over(now)) {
            self.close_window();
        } else if let Some(seconds) = self.window.as_mut().and_then(|window| window.renewal(now)) {
            // All of it again: a dongle that restarted meanwhile has forgotten codes and policy.
            let (air, policy) = (self.air.clone(), self.context.policy.clone());
            self.errands.spawn(async move {
                if let Err(error) = pairing::open(&air, &policy, seconds.into()).await {
                    tracing::warn!(error, "the join window could not be renewed");
                }
            });
        }
        // Nightly, and soon after the network changed.
        if now >= self.next_backup_us {
            self.next_backup_us = now + BACKUP_AGAIN_US;
            if std::mem::take(&mut self.changed) || self.context.vault.is_due() {
                self.back_up(None);
            }
        }
        self.audit();
    }

    /// One address a second is looked up again: one that changed hands without a word is a patient mix-up.
    pub(super) fn audit(&mut self) {
        if self.table_is_late {
            return;
        }
        let networks = self.addresses.networks();
        if let Some(&network) = networks.get(self.audit % networks.len().max(1)) {
            self.audit = self.audit.wrapping_add(1);
            self.look_up(network);
        }
    }

    /// Reads the dongle's memory out: some seconds of short questions between others.
    pub(super) fn back_up(&mut self, order: Option<Order>) {
        let Some(network) = self.network.clone().filter(|_| !self.backing_up) else {
            if let Some(order) = order {
                order.refuse("a backup is being taken already, or the dongle does not show its network");
            }
            return;
        };
        self.backing_up = true;
        let (link, vault, events) = (self.air.link.clone(), self.context.vault.clone(), self.events.clone());
        let now_us = self.context.clock.utc_us();
        self.errands.spawn(async move {
            let result = match Backup::take(&link, network, now_us).await {
                Ok(backup) => tokio::task::spawn_blocking(move || vault.keep(&backup))
                    .await
                    .unwrap_or_else(|error| Err(BackupError::File(error.to_string()))),
                Err(error) => Err(error),
            };
            let _ = events.send(Event::BackedUp(order, result));
        });
    }

    pub(super) fn backed_up(&mut self, order: Option<Order>, result: Result<(), BackupError>) {
        self.backing_up = false;
        let row = match result {
            Ok(()) => {
                self.context.counters.add("backups", 1);
                json!({ "event": "backed_up" })
            }
            Err(error) => {
                self.context.counters.add("backups_failed", 1);
                tracing::warn!(%error, "the network could not be backed up");
                json!({ "error": error.to_string() })
            }
        };
        if let Some(order) = order {
            let _ = order.say.send(row);
        }
    }

    pub(super) fn pair(&mut self, order: Order, seconds: u32) {
        let now = self.context.clock.mono_us();
        if let Some(window) = self.window.as_ref().filter(|window| !window.is_over(now)) {
            let left = (window.until_us - now) / 1_000_000;
            let error = format!("sensors may join already, for {left} s more; end the other `medmon local pair` first");
            let _ = order.say.send(json!({ "error": error }));
            return;
        }
        if !(1..=pairing::MAX_S).contains(&seconds) {
            let error = format!("a join window is 1 s to {} s long", pairing::MAX_S);
            let _ = order.say.send(json!({ "error": error }));
            return;
        }
        let (air, events, policy) = (self.air.clone(), self.events.clone(), self.context.policy.clone());
        self.errands.spawn(async move {
            let result = pairing::open(&air, &policy, seconds).await;
            let _ = events.send(Event::Opened(order, seconds, result));
        });
    }

    pub(super) fn close_window(&mut self) {
        if let Some(window) = self.window.take() {
            tracing::info!("no sensor may join any more");
            window.say(json!({ "event": "closed" }));
        }
        self.close_everywhere();
    }

    pub(super) fn close_everywhere(&mut self) {
        let air = self.air.clone();
        self.errands.spawn(async move {
            if let Err(error) = pairing::permit(&air, 0).await {
                tracing::warn!(%error, "the join window could not be closed; it closes by itself");
            }
        });
    }

    /// Before the end: a window that stayed open would have no guard.
    pub(super) async fn shut(&mut self) {
        // One that is just being opened too.
        self.errands.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(2), pairing::permit(&self.air, 0)).await;
        if let Some(window) = self.window.take() {
            window.say(json!({ "event": "closed" }));
        }
    }
}
