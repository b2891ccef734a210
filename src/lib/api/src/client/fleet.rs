//! Calls about gateways, and those of a gateway itself.

use std::time::Duration;

use medmon_core::noun::{Fact, Settings, Verdict};
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::people::{one, unchanged};
use super::{Client, Error, Query, TIMEOUT, answer, header};
use crate::gateway::{
    ContactNow, ContactQuery, Enrol, Enrolled, FactsDown, FactsQuery, Gateway, GatewayCode, Heartbeat, HeartbeatAnswer,
    IngestQuery, Lane, NewGateway, Pair, SegmentTaken, WaitQuery,
};
use crate::quarantine::{Decision, Quarantined, Release};
use crate::{frames, paths};

/// A slower link is none: half of what 2G gives at its worst.
const SLOWEST_BYTES_PER_S: u64 = 256;
/// A long poll may take its wait and this.
const GRACE: Duration = Duration::from_secs(15);

impl Client {
    /// Gateways of the caller's site, by name.
    pub async fn gateways(&self) -> Result<Vec<Gateway>, Error> {
        self.get(paths::GATEWAYS, &[]).await
    }

    /// One gateway.
    pub async fn gateway(&self, id: Uuid) -> Result<Gateway, Error> {
        self.get(&one(paths::GATEWAY, id), &[]).await
    }

    /// Adds a gateway; its one-time code is in this answer and nowhere else.
    pub async fn add_gateway(&self, new: &NewGateway) -> Result<GatewayCode, Error> {
        self.write(Method::POST, paths::GATEWAYS, new).await
    }

    /// A new one-time code, for a box that is replaced; the old install's token ends when it is used.
    pub async fn gateway_code(&self, id: Uuid) -> Result<GatewayCode, Error> {
        self.write(Method::POST, &one(paths::GATEWAY_CODE, id), &()).await
    }

    /// Lets sensors join a gateway for a while.
    pub async fn pair(&self, id: Uuid, pair: &Pair) -> Result<Gateway, Error> {
        self.write(Method::POST, &one(paths::GATEWAY_PAIR, id), pair).await
    }

    /// Envelopes of a gateway that were set aside and wait for a decision, oldest first.
    pub async fn quarantine(&self, gateway: Uuid) -> Result<Vec<Quarantined>, Error> {
        self.get(&one(paths::GATEWAY_QUARANTINE, gateway), &[]).await
    }

    /// Puts one of them into the record of the patient of an assignment; safe to repeat.
    pub async fn release_quarantine(&self, id: Uuid, release: &Release) -> Result<Decision, Error> {
        self.write(Method::POST, &one(paths::QUARANTINE_RELEASE, id), release).await
    }

    /// One of them stays aside for good.
    pub async fn dismiss_quarantine(&self, id: Uuid) -> Result<Decision, Error> {
        self.write(Method::POST, &one(paths::QUARANTINE_DISMISS, id), &()).await
    }

    /// Revokes a gateway: its token ends. One that is bound has to be unbound first.
    pub async fn revoke_gateway(&self, id: Uuid) -> Result<(), Error> {
        self.delete(&one(paths::GATEWAY, id)).await
    }

    /// A one-time code against a token. Needs none.
    pub async fn enrol(&self, enrol: &Enrol) -> Result<Enrolled, Error> {
        self.write(Method::POST, paths::ENROL, enrol).await
    }

    /// Sealed envelopes in, a verdict each out, in order. 256 envelopes and 8 MiB at most.
    pub async fn ingest<'a>(
        &self,
        lane: Lane,
        envelopes: impl IntoIterator<Item = &'a [u8]>,
    ) -> Result<Vec<Verdict>, Error> {
        self.upload(paths::INGEST, &IngestQuery { lane }, frames::encode(envelopes)).await
    }

    /// The calling gateway's Settings; `None` = still `have`. Waits up to `wait_s` (60 at most) for newer ones.
    pub async fn settings(&self, have: Option<u64>, wait_s: u32) -> Result<Option<Settings>, Error> {
        let mut request = self.request(Method::GET, paths::SETTINGS).timeout(TIMEOUT.max(wait(wait_s)));
        request = request.query(&WaitQuery { wait_s: Some(wait_s) });
        if let Some(version) = have {
            request = request.header(IF_NONE_MATCH, format!("\"{version}\""));
        }
        let response = self.send_any(request).await?;
        if unchanged(response.status()) {
            return Ok(None);
        }
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        if header(&response, &ETAG).is_none() {
            let message = "no ETag".to_owned();
            return Err(Error::Answer { path: paths::SETTINGS.to_owned(), message });
        }
        answer(paths::SETTINGS, response).await.map(Some)
    }

    /// Facts up, 1 MiB of JSON at most: send some hundred at once. The answer brings what others said about this gateway's open alerts.
    pub async fn push_facts(&self, facts: &[Fact]) -> Result<FactsDown, Error> {
        self.write(Method::POST, paths::FACTS, facts).await
    }

    /// A segment up, as it was sealed. Again it changes nothing.
    pub async fn push_segment(&self, sealed: Vec<u8>) -> Result<SegmentTaken, Error> {
        self.upload(paths::SEGMENTS, &(), sealed).await
    }

    /// Bytes up. A link that is slow and goes on is given its time.
    async fn upload<T: DeserializeOwned>(&self, path: &str, query: &dyn Query, body: Vec<u8>) -> Result<T, Error> {
        let request = self.request(Method::POST, path).header(CONTENT_TYPE, "application/octet-stream");
        let timeout = TIMEOUT + Duration::from_secs(body.len() as u64 / SLOWEST_BYTES_PER_S);
        answer(path, self.send(query.add(request).body(body).timeout(timeout)).await?).await
    }

    /// Facts down: what others said after `after`. Waits up to `wait_s` (30 at most) while there is nothing.
    pub async fn pull_facts(&self, after: u64, wait_s: u32) -> Result<FactsDown, Error> {
        let query = FactsQuery { after, wait_s: Some(wait_s) };
        let request = self.request(Method::GET, paths::FACTS).query(&query).timeout(TIMEOUT.max(wait(wait_s)));
        answer(paths::FACTS, self.send(request).await?).await
    }

    /// Whom the calling gateway is about to text, as the cloud knows them now. An emergency waits for the answer, so
    /// the caller says for how long.
    pub async fn contact_now(&self, query: &ContactQuery, timeout: Duration) -> Result<ContactNow, Error> {
        let request = self.request(Method::GET, paths::CONTACT_NOW).query(query).timeout(timeout);
        answer(paths::CONTACT_NOW, self.send(request).await?).await
    }

    /// A sign of life.
    pub async fn heartbeat(&self, heartbeat: &Heartbeat) -> Result<HeartbeatAnswer, Error> {
        self.write(Method::POST, paths::HEARTBEAT, heartbeat).await
    }
}

fn wait(wait_s: u32) -> Duration {
    Duration::from_secs(wait_s.min(60).into()) + GRACE
}
