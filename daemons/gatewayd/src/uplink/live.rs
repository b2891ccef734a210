//! The live lane: the sign of life, and what was sealed just now.

use std::sync::Arc;
use std::time::Duration;

use medmon_api::ErrorKind;
use medmon_api::gateway::{DeviceHeard, Heartbeat, HeartbeatAnswer, Lane};
use medmon_kit::sqlite;

use super::pace::{self, Way};
use super::{Backoff, Error, Uplink};
use crate::health::modem_down;
use crate::settings::PAUSE;
use crate::time::Reference;

/// A heartbeat is the lease of the pager: three minutes of silence and the cloud takes over.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// Texts looked at for those that wait.
const TEXTS: u32 = 1000;

impl Uplink {
    /// Heartbeats when they are due, the newest windows while the cloud answers. Never ends.
    pub(super) async fn carry_live(&self) {
        let (mut settings, mut outbox, mut online) =
            (self.settings.clone(), self.outbox.changed(), self.online.subscribe());
        let (mut beating, mut sending, mut way) = (Backoff::default(), Backoff::default(), Way::default());
        let mut beat_at = self.time.clock.mono_us();
        loop {
            if self.time.clock.mono_us() >= beat_at {
                let began = self.time.clock.mono_us();
                let wait = match self.beat().await {
                    Ok(()) => {
                        beating.reset();
                        HEARTBEAT
                    }
                    Err(error) => {
                        tracing::debug!(%error, "no sign of life to the cloud; everything is kept");
                        // Who pages must not be taken for dead because a cloud is busy.
                        error.retry_after().map_or_else(|| beating.wait(), pace::later).min(HEARTBEAT)
                    }
                };
                beat_at = began + wait.as_micros() as i64;
            }
            if *online.borrow_and_update() {
                outbox.mark_unchanged();
                if let Err(Error::Api(error)) = self.push(Lane::Live, &mut way, &mut sending).await
                    && error.kind() == ErrorKind::Unreachable
                {
                    // Is it away?
                    beat_at = self.time.clock.mono_us();
                }
            }
            let until = way.next(self.time.clock.mono_us()).map_or(beat_at, |next| next.min(beat_at));
            tokio::select! {
                () = self.time.clock.sleep_until(until) => {}
                Ok(()) = outbox.changed() => {}
                Ok(()) = online.changed() => {}
                // A new assignment is confirmed by the next heartbeat.
                Ok(()) = settings.changed() => beat_at = self.time.clock.mono_us(),
            }
            self.time.clock.sleep(PAUSE).await;
        }
    }

    /// A sign of life; what the cloud answers is heeded.
    pub(super) async fn beat(&self) -> Result<(), Error> {
        let (beat, asked_us) = (self.heartbeat().await?, self.time.clock.mono_us());
        let asked_utc_us = self.time.clock.utc_us();
        let answer = self.client.heartbeat(&beat).await;
        self.note(answer.as_ref().err());
        let answer = answer?;
        let answered_us = self.time.clock.mono_us();
        // Half-way between question and answer.
        let (mono_us, within_us) = (asked_us.midpoint(answered_us), (answered_us - asked_us) / 2);
        self.reference.send_replace(Some(Reference { mono_us, utc_us: answer.utc_us, within_us }));
        self.resume(answer, asked_utc_us).await
    }

    /// Sends again what the cloud does not hold, after a restore everything that may be missing. Facts come first: once the
    /// generation is noted nobody asks again.
    async fn resume(&self, answer: HeartbeatAnswer, asked_us: i64) -> Result<(), Error> {
        if self.outbox.is_restored(answer.generation).await? {
            let facts = self.facts.resend().await?;
            tracing::warn!(facts, "the cloud was restored from a backup; what it may lack is sent again");
        }
        let envelopes = self.outbox.resume(answer.generation, answer.held, asked_us).await?;
        if envelopes > 0 {
            tracing::warn!(envelopes, "the cloud does not hold what it had taken; sent again");
        }
        Ok(())
    }

    pub(super) async fn heartbeat(&self) -> Result<Heartbeat, sqlite::Error> {
        let settings = Arc::clone(&self.settings.borrow());
        let (depth, outbox, now) = (self.broker.depth().await, self.outbox.depth().await?, self.time.clock.utc_us());
        // Whoever pages must not be taken for dead because a broker does not answer.
        let depth = depth.unwrap_or_default();
        let sms_waiting = self.sms_waiting().await;
        let clock = *self.time.trust.borrow();
        let modem = self.texts.as_ref().and_then(|(_, modem)| modem.as_ref());
        let modem_ok = modem.map(|modem| modem_down(&modem.borrow()).is_none());
        let settings_rejected = self.rejected.borrow().clone();
        let devices = self.heard.snapshot().into_iter();
        Ok(Heartbeat {
            settings_version: settings.version,
            epoch: settings.epoch,
            clock,
            utc_us: now,
            uptime_s: ((self.time.clock.mono_us() - self.started_us) / 1_000_000).max(0) as u64,
            release: env!("CARGO_PKG_VERSION").into(),
            sms_waiting,
            // Not only while texts wait: those that the cloud has sent meanwhile wait no more, the next will.
            cannot_text: self.texts.is_none() || (self.modem_only && modem_ok == Some(false)),
            modem_ok,
            settings_rejected,
            readings_waiting: depth.detect_behind.max(depth.downsample_behind).max(0) as u64 + *self.spilled.borrow(),
            outbox_waiting: outbox.waiting.max(0) as u64,
            devices: devices
                .map(|(ieee, heard)| DeviceHeard {
                    ieee,
                    heard_s_ago: Some(((now - heard.last_us) / 1_000_000).max(0) as u64),
                    link_quality: Some(heard.link_quality),
                    battery_percent: heard.battery_percent,
                    listed: heard.listed,
                })
                .collect(),
        })
    }

    /// Texts that wait for the modem.
    async fn sms_waiting(&self) -> u64 {
        let Some((outbox, _)) = &self.texts else { return 0 };
        let rows = outbox.rows(TEXTS).await.unwrap_or_else(|_| outbox.kept());
        rows.iter().filter(|row| row.waits()).count() as u64
    }
}
