//! Devices come and go: who may stay, who is asked what it is. Part of [`Session`].

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use medmon_core::noun::{Ieee, MonoUs};

use super::super::interview::Stopped;
use super::super::link::Indication;
use super::super::table::Interview;
use super::super::{ieee, short};
use super::{AGAIN_MAX_US, AGAIN_US, Event, Session, ZDO_JOIN, ZDO_LEAVE_REQUEST};

impl Session<'_> {
    pub(super) fn met(&mut self, said: &Indication, ieee_at: usize, network_at: usize) {
        let (Some(device), Some(network)) = (ieee(&said.data, ieee_at), short(&said.data, network_at)) else {
            self.context.counters.add("malformed_joins", 1);
            return;
        };
        let moved = self.addresses.network(device) != Some(network);
        if let Some(before) = self.addresses.learn(device, network) {
            // Its answers would be taken for the other's.
            self.interrupt(before);
        }
        // What was held came from whoever had this address before, and nobody knows who that was.
        let held = self.held.len();
        self.held.retain(|(from, _)| *from != network);
        self.context.counters.add("unknown_sender_dropped", (held - self.held.len()) as u64);
        let known = self.context.table.get(device).is_some();
        let listed = self.context.listed(device);
        if !known && !listed {
            if said.mono_us < self.guard_until_us && (said.command == ZDO_JOIN || moved) {
                self.refuse(device, network);
            }
            return;
        }
        if said.command == ZDO_JOIN || moved || !known {
            self.context.counters.add("joins", 1);
            let window = self.window.is_some();
            tracing::info!(%device, network, listed, window, "a sensor joined, or came back");
            if let Some(window) = &self.window {
                window.say(json!({ "event": "joined", "device": device }));
            }
            // Bindings and reporting may be lost with a rejoin; what the device is, is not.
            self.context.table.change(device, |known| (known.network, known.interview) = (network, Interview::Pending));
            self.interrupt(device);
            let now = said.mono_us;
            if let Some(peer) = self.peer(device, now) {
                (peer.again_us, peer.misses) = (now, 0);
            }
        }
        self.interview(device, network, said.mono_us);
    }

    /// Not on the allow-list: it has the network's key by now, so it is told to leave at once.
    pub(super) fn refuse(&mut self, device: Ieee, network: u16) {
        self.context.counters.add("joins_refused", 1);
        tracing::warn!(%device, "a device that is on no list joined and is told to leave");
        if let Some(window) = &self.window {
            let reason = "not on the allow-list: `medmon device assign` or [gateway.devices]";
            window.say(json!({ "event": "refused", "device": device, "reason": reason }));
        }
        let (air, counters) = (self.air.clone(), self.context.counters.clone());
        self.errands.spawn(async move {
            let mut request = network.to_le_bytes().to_vec();
            request.extend(device.0.to_le_bytes());
            request.push(0);
            let asked = air.zdo(ZDO_LEAVE_REQUEST.0, &request, ZDO_LEAVE_REQUEST.1, network);
            if !matches!(air.clock.timeout(Duration::from_secs(10), asked).await, Some(Ok(_))) {
                counters.add("leaves_unanswered", 1);
            }
        });
    }

    pub(super) fn left(&mut self, data: &[u8]) {
        match (ieee(data, 2), short(data, 0)) {
            (Some(device), Some(network)) => {
                self.addresses.forget(device, network);
                self.interrupt(device);
                self.context.counters.add("leaves", 1);
            }
            _ => self.context.counters.add("malformed_leaves", 1),
        }
    }

    /// Starts an interview with a device that is awake, belongs here and was not asked everything yet.
    pub(super) fn interview(&mut self, device: Ieee, network: u16, now: MonoUs) {
        let Some(peer) = self.peers.get(&device) else { return };
        if peer.interview.is_some() || now < peer.again_us {
            return;
        }
        let settings = Arc::clone(&self.context.settings.borrow());
        let done = self.context.table.get(device).is_some_and(|known| {
            known.interview == Interview::Done && known.setup == self.context.map.setup(&settings)
        });
        if done || !self.context.listed(device) {
            // Asked again for what Settings may say of it later, not for every message.
            if let Some(peer) = self.peers.get_mut(&device) {
                peer.again_us = now + AGAIN_US;
            }
            return;
        }
        self.context.table.change(device, |known| known.network = network);
        let (interviewer, events, turn) = (self.interviewer.clone(), self.events.clone(), Arc::clone(&self.turns));
        let task = self.errands.spawn(async move {
            let _turn = turn.acquire().await;
            let result = interviewer.run(device, network, &settings).await;
            let _ = events.send(Event::Interviewed(device, result));
        });
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.interview = Some(task);
        }
    }

    pub(super) fn interviewed(&mut self, device: Ieee, result: &Result<(), Stopped>) {
        let now = self.context.clock.mono_us();
        if let Some(peer) = self.peers.get_mut(&device) {
            peer.interview = None;
            if result.is_err() {
                // The first time at its next word; then ever more rarely.
                let pause = AGAIN_US.saturating_mul(1 << peer.misses.min(20)).min(AGAIN_MAX_US);
                peer.again_us = now + if peer.misses == 0 { 0 } else { pause };
                peer.misses += 1;
            }
        }
        let row = match result {
            Ok(()) => {
                self.context.counters.add("interviews", 1);
                self.changed = true;
                let known = self.context.table.get(device).unwrap_or_default();
                tracing::info!(%device, model = known.model, "interviewed");
                json!({
                    "event": "interviewed", "device": device, "manufacturer": known.manufacturer, "model": known.model,
                })
            }
            Err(stopped) => {
                self.context.counters.add("interviews_unfinished", 1);
                tracing::info!(%device, reason = %stopped, "interview unfinished; tried again when the sensor speaks");
                json!({ "event": "interview_unfinished", "device": device, "reason": stopped.to_string() })
            }
        };
        if let Some(window) = &self.window {
            window.say(row);
        }
    }

    /// Ends an interview whose answers could be another device's.
    pub(super) fn interrupt(&mut self, device: Ieee) {
        if let Some(task) = self.peers.get_mut(&device).and_then(|peer| peer.interview.take()) {
            task.abort();
        }
    }
}
