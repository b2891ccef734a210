//! What is done by the clock or because somebody asked: pings, the audit of addresses, join windows, backups. Part of
//! [`Session`].

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use medmon_core::noun::MonoUs;

use super::super::Order;
use super::super::backup::{Backup, BackupError};
use super::super::link::LinkError;
use super::super::pairing::{self, Door, Window, Wish};
use super::{ASK_AGAIN, BACKUP_AGAIN_US, BACKUP_FAILED_US, Event, PING_US, SYS_PING, Session};

impl Session<'_> {
    pub(super) fn tick(&mut self) {
        let now = self.context.clock.mono_us();
        if now >= self.next_ping_us {
            self.next_ping_us = now + PING_US;
            let (link, events) = (self.air.link.clone(), self.events.clone());
            // The line may be silent for hours; the dongle must still be there.
            self.errands.spawn(async move {
                let mut answer = link.request(SYS_PING, &[]).await;
                // The line repairs nothing: one answer that was damaged is no reason to be deaf for a new start.
                if matches!(answer, Err(LinkError::Timeout(_))) {
                    answer = link.request(SYS_PING, &[]).await;
                }
                match answer {
                    // It restarted: that is an answer too.
                    Ok(_) | Err(LinkError::Restarted(_)) => {}
                    Err(error) => drop(events.send(Event::Lost(error))),
                }
            });
        }
        self.drop_held(now);
        // A question or its answer may have been lost on the line or in the air.
        let unknown: BTreeSet<_> = self.held.iter().map(|(network, _)| *network).take(ASK_AGAIN).collect();
        unknown.into_iter().for_each(|network| self.ask_device(network));
        self.close_if_over(now);
        if let Some(seconds) = self.window.as_mut().and_then(|window| window.renewal(now)) {
            // All of it again: a dongle that restarted meanwhile has forgotten codes and policy.
            self.open(seconds.into(), now);
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
                self.next_backup_us = self.context.clock.mono_us() + BACKUP_FAILED_US;
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
        self.close_if_over(now);
        let left = self.window.as_ref().map(|window| (window.until_us - now) / 1_000_000);
        if let Some(left) = left.or(self.opening.as_ref().map(|(_, seconds)| i64::from(*seconds))) {
            order.refuse(&format!("sensors may join already, for {left} s more; end the other pairing first"));
        } else if (1..=pairing::MAX_S).contains(&seconds) {
            self.opening = Some((order, seconds));
            self.open(seconds, now);
        } else {
            order.refuse(&format!("a join window is 1 s to {} s long", pairing::MAX_S));
        }
    }

    fn open(&mut self, seconds: u32, now: MonoUs) {
        self.guard_until_us = now + pairing::GUARD_US;
        let _ = self.door.send(Wish::Open(seconds));
    }

    pub(super) fn door_said(&mut self, door: Door) {
        let now = self.context.clock.mono_us();
        match (door, self.opening.take()) {
            (Door::Opened(Ok(())), Some((order, seconds))) => {
                let _ = order.say.send(pairing::opened(&self.context.policy, seconds));
                tracing::warn!(seconds, "sensors may join");
                self.window = Some(Window::new(now, seconds, order.say));
            }
            (Door::Opened(Err(error)), Some((order, _))) => order.refuse(&error),
            (Door::Opened(Err(error)), None) => {
                if let Some(window) = &mut self.window {
                    tracing::warn!(error, "the join window could not be renewed; trying again");
                    window.renew_again(now);
                }
            }
            // Renewed.
            (Door::Opened(Ok(())), None) => {}
            // Of an end before; what was asked for since comes after it.
            (Door::Closed, opening) => {
                if opening.is_none() && self.window.is_none() {
                    self.guard_until_us = self.guard_until_us.min(now + pairing::CLOSED_GUARD_US);
                }
                self.opening = opening;
            }
        }
    }

    /// Time is up, or whoever asked has gone, perhaps before it was open.
    fn close_if_over(&mut self, now: MonoUs) {
        let gone = self.opening.as_ref().is_some_and(|(order, _)| order.say.is_closed());
        if gone || self.window.as_ref().is_some_and(|window| window.is_over(now)) {
            self.opening = None;
            if let Some(window) = self.window.take() {
                tracing::info!("no sensor may join any more");
                window.say(json!({ "event": "closed" }));
            }
            self.close_everywhere();
        }
    }

    pub(super) fn close_everywhere(&self) {
        let _ = self.door.send(Wish::Close);
    }

    /// The dongle is lost, and an open window with it: whoever watches must not take that for its end.
    pub(in super::super) fn lost(&mut self, reason: &str) {
        let error =
            format!("the radio was lost ({reason}); once it is back no sensor may join until pairing is begun again");
        if let Some(window) = self.window.take() {
            window.say(json!({ "error": error }));
        }
        if let Some((order, _)) = self.opening.take() {
            order.refuse(&error);
        }
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
