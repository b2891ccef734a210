//! Asks a device what it is, binds the clusters that carry vitals to us, and tells it how often to report.
//!
//! A task beside the message path, resumed where it stopped: battery devices sleep, and what was answered once is kept.
//! Reports are taken from a device whatever comes of this.

use std::collections::BTreeMap;
use std::time::Duration;

use medmon_core::noun::{Ieee, Settings};

use super::air::{Air, AirError, To};
use super::link::LinkError;
use super::map::{Map, Origin, Reporting};
use super::table::{Endpoint, Interview, Known, Table};
use super::zcl::{self, Attribute};
use super::{short, start};

const ZDO_NODE_DESCRIPTOR: (u16, u16) = (0x2502, 0x4582);
const ZDO_SIMPLE_DESCRIPTOR: (u16, u16) = (0x2504, 0x4584);
const ZDO_ACTIVE_ENDPOINTS: (u16, u16) = (0x2505, 0x4585);
const ZDO_BIND: (u16, u16) = (0x2521, 0x45A1);
const BASIC: u16 = 0x0000;
const BASIC_MANUFACTURER: u16 = 0x0004;
const BASIC_MODEL: u16 = 0x0005;
/// Time for a step; a device that polls its parent every few seconds answers within it.
const STEP: Duration = Duration::from_secs(10);
const TRIES: usize = 3;
/// Clusters from here on are a manufacturer's own.
const MANUFACTURER_CLUSTERS: u16 = 0xFC00;

/// A step that did not succeed.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {cause}")]
pub struct Stopped {
    /// Which.
    pub step: &'static str,
    /// Why.
    pub cause: AirError,
}

/// One interview.
#[derive(Clone, Debug)]
pub struct Interviewer {
    /// To the devices.
    pub air: Air,
    /// Which attributes are vitals.
    pub map: Map,
    /// What is known.
    pub table: Table,
    /// Our own address: where bound clusters report to.
    pub coordinator: Ieee,
}

impl Interviewer {
    /// Asks `device`, now at `network`, whatever is not known yet; then binds and configures.
    pub async fn run(&self, device: Ieee, network: u16, settings: &Settings) -> Result<(), Stopped> {
        let [low, high] = network.to_le_bytes();
        let both = [low, high, low, high];
        let known = || self.table.get(device).unwrap_or_default();
        if known().mfr_code.is_none() {
            let answer = self.zdo("node descriptor", ZDO_NODE_DESCRIPTOR, &both, network).await?;
            // Three bytes of kind and capabilities, then the manufacturer code.
            self.table.change(device, |known| known.mfr_code = short(&answer, 8));
        }
        if known().endpoints.is_none() {
            let endpoints = self.endpoints(&both, network).await?;
            self.table.change(device, |known| known.endpoints = Some(endpoints));
        }
        let endpoints = known().endpoints.clone().unwrap_or_default();
        if known().model.is_none()
            && let Some((&endpoint, _)) = endpoints.iter().find(|(_, endpoint)| endpoint.clusters.contains(&BASIC))
        {
            let to = To { network, endpoint, cluster: BASIC };
            let [manufacturer, model] = self.basic(device, to).await?;
            self.table.change(device, |known| (known.manufacturer, known.model) = (Some(manufacturer), Some(model)));
        }
        let facts = known();
        for (&endpoint, about) in &endpoints {
            for &cluster in &about.clusters {
                let reporting = self.map.reporting(origin(device, &facts, endpoint, cluster), settings);
                if !reporting.is_empty() {
                    self.bind(device, To { network, endpoint, cluster }).await?;
                    self.configure(device, To { network, endpoint, cluster }, &facts, reporting).await?;
                }
            }
        }
        let setup = self.map.setup(settings);
        self.table.change(device, |known| (known.interview, known.setup) = (Interview::Done, setup));
        Ok(())
    }

    async fn endpoints(&self, both: &[u8; 4], network: u16) -> Result<BTreeMap<u8, Endpoint>, Stopped> {
        let step = "active endpoints";
        let answer = self.zdo(step, ZDO_ACTIVE_ENDPOINTS, both, network).await?;
        let count = answer.get(5).copied().unwrap_or(0);
        let numbers = answer.get(6..6 + usize::from(count)).ok_or_else(|| short_answer(step, ZDO_ACTIVE_ENDPOINTS))?;
        let mut endpoints = BTreeMap::new();
        for &number in numbers {
            let request = [&both[..], &[number]].concat();
            let step = "simple descriptor";
            let mut tries = TRIES;
            let answer = loop {
                match self.zdo(step, ZDO_SIMPLE_DESCRIPTOR, &request, network).await {
                    // An endpoint that it lists and does not describe.
                    Err(Stopped { cause: AirError::Declined(_), .. }) => break None,
                    // A late answer to the question before is matched by its sender alone, and is of another endpoint.
                    Ok(answer) if !is_about(&answer, number) => tries -= 1,
                    answer => break Some(answer?),
                }
                if tries == 0 {
                    return Err(Stopped { step, cause: AirError::Silent });
                }
            };
            endpoints.extend(answer.and_then(|answer| Some((number, simple_descriptor(&answer)?))));
        }
        Ok(endpoints)
    }

    async fn basic(&self, device: Ieee, to: To) -> Result<[String; 2], Stopped> {
        let payload: Vec<u8> = [BASIC_MANUFACTURER, BASIC_MODEL].iter().flat_map(|id| id.to_le_bytes()).collect();
        let (command, payload) = self.ask("model", device, to, None, zcl::READ, &payload).await?;
        let mut found = [String::new(), String::new()];
        if command == zcl::READ_RESPONSE {
            for record in zcl::read_records(&payload).0 {
                if let (BASIC_MANUFACTURER | BASIC_MODEL, Attribute::Bytes(bytes)) = (record.attribute, record.value) {
                    found[usize::from(record.attribute - BASIC_MANUFACTURER)] = text(&bytes);
                }
            }
        }
        Ok(found)
    }

    /// Status from the device, such as a full table, ends nothing: it may report without a binding.
    async fn bind(&self, device: Ieee, to: To) -> Result<(), Stopped> {
        let mut request = to.network.to_le_bytes().to_vec();
        request.extend(device.0.to_le_bytes());
        request.push(to.endpoint);
        request.extend(to.cluster.to_le_bytes());
        request.push(3);
        request.extend(self.coordinator.0.to_le_bytes());
        request.push(start::ENDPOINT);
        Self::lenient(self.zdo("bind", ZDO_BIND, &request, to.network).await.map(drop), device, to)
    }

    async fn configure(&self, device: Ieee, to: To, facts: &Known, reporting: Vec<Reporting>) -> Result<(), Stopped> {
        // A row for "any code" names none; a manufacturer's own cluster wants its own.
        let code =
            |report: &Reporting| report.mfr_code.or(facts.mfr_code.filter(|_| to.cluster >= MANUFACTURER_CLUSTERS));
        let mut by_code = BTreeMap::<Option<u16>, Vec<u8>>::new();
        for report in &reporting {
            by_code.entry(code(report)).or_default().extend(report.record());
        }
        for (code, payload) in by_code {
            let asked = self.ask("reporting", device, to, code, zcl::CONFIGURE, &payload).await;
            let answer = asked.and_then(|(command, payload)| {
                match (command, payload.first()) {
                    (zcl::CONFIGURE_RESPONSE, Some(0)) => Ok(()),
                    (zcl::CONFIGURE_RESPONSE, Some(&status)) => Err(AirError::Declined(status)),
                    (_, _) => Err(AirError::Declined(payload.get(1).copied().unwrap_or(1))),
                }
                .map_err(|cause| Stopped { step: "reporting", cause })
            });
            Self::lenient(answer, device, to)?;
        }
        Ok(())
    }

    fn lenient(result: Result<(), Stopped>, device: Ieee, to: To) -> Result<(), Stopped> {
        match result {
            Err(Stopped { step, cause: AirError::Declined(status) }) => {
                tracing::info!(%device, cluster = to.cluster, step, status, "the sensor declined; its reports are taken as they come");
                Ok(())
            }
            result => result,
        }
    }

    async fn zdo(&self, step: &'static str, which: (u16, u16), data: &[u8], network: u16) -> Result<Vec<u8>, Stopped> {
        let mut tries = Tries { step, left: TRIES };
        loop {
            let answer = self.air.clock.timeout(STEP, self.air.zdo(which.0, data, which.1, network)).await;
            let answer = answer.map(|answer| match answer?.as_slice() {
                answer @ [_, _, 0, ..] => Ok(answer.to_vec()),
                [_, _, status, ..] => Err(AirError::Declined(*status)),
                _ => Err(LinkError::Short(which.0).into()),
            });
            if let Some(answer) = tries.judge(answer)? {
                return Ok(answer);
            }
        }
    }

    async fn ask(
        &self,
        step: &'static str,
        device: Ieee,
        to: To,
        mfr_code: Option<u16>,
        command: u8,
        payload: &[u8],
    ) -> Result<(u8, Vec<u8>), Stopped> {
        let mut tries = Tries { step, left: TRIES };
        loop {
            let answer = self.air.clock.timeout(STEP, self.air.ask(device, to, mfr_code, command, payload)).await;
            if let Some(answer) = tries.judge(answer)? {
                return Ok(answer);
            }
        }
    }
}

/// How often a step is still tried.
struct Tries {
    step: &'static str,
    left: usize,
}

impl Tries {
    /// Silence is worth another try at once (`None`), sleep only when the device speaks again.
    fn judge<T>(&mut self, answer: Option<Result<T, AirError>>) -> Result<Option<T>, Stopped> {
        self.left -= 1;
        let cause = match answer.unwrap_or(Err(AirError::Silent)) {
            Ok(answer) => return Ok(Some(answer)),
            Err(cause) => cause,
        };
        let final_word = matches!(
            cause,
            AirError::Asleep | AirError::Undelivered(_) | AirError::Declined(_) | AirError::Link(LinkError::Closed)
        );
        if final_word || self.left == 0 { Err(Stopped { step: self.step, cause }) } else { Ok(None) }
    }
}

/// Who a mapping row may name.
fn origin(device: Ieee, facts: &Known, endpoint: u8, cluster: u16) -> Origin<'_> {
    Origin {
        ieee: device,
        endpoint,
        model: facts.model.as_deref(),
        manufacturer: facts.manufacturer.as_deref(),
        cluster,
        mfr_code: None,
    }
}

fn short_answer(step: &'static str, which: (u16, u16)) -> Stopped {
    Stopped { step, cause: LinkError::Short(which.0).into() }
}

/// An empty descriptor names no endpoint.
fn is_about(answer: &[u8], endpoint: u8) -> bool {
    answer.get(5).is_none_or(|length| *length == 0) || answer.get(6) == Some(&endpoint)
}

/// Source u16, status, address u16, length u8, then endpoint u8, profile u16, device u16, version u8, server clusters.
fn simple_descriptor(answer: &[u8]) -> Option<Endpoint> {
    (*answer.get(5)? > 0).then_some(())?;
    let count = usize::from(*answer.get(12)?);
    let clusters = answer.get(13..13 + 2 * count)?;
    Some(Endpoint {
        profile: short(answer, 7)?,
        device: short(answer, 9)?,
        clusters: clusters.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect(),
    })
}

/// A name as people may see it: some devices pad with zeros, and none needs control characters.
fn text(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    text.chars().filter(|letter| !letter.is_control()).take(64).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_answer_is_survived(answer in prop::collection::vec(any::<u8>(), 0..60)) {
            simple_descriptor(&answer);
            prop_assert!(text(&answer).chars().count() <= 64);
        }
    }

    #[test]
    fn a_simple_descriptor_is_read_and_an_empty_one_is_none() {
        let answer = [1, 2, 0, 1, 2, 12, 1, 4, 1, 2, 3, 0, 2, 0, 0, 2, 4, 0];
        let endpoint = simple_descriptor(&answer).unwrap();
        assert_eq!((endpoint.profile, endpoint.device, endpoint.clusters), (0x0104, 0x0302, vec![0, 0x0402]));
        assert_eq!(simple_descriptor(&[1, 2, 0, 1, 2, 0]), None);
        assert!(is_about(&answer, 1) && is_about(&[1, 2, 0, 1, 2, 0], 2));
        assert!(!is_about(&answer, 2), "a late answer to the question before");
        assert_eq!(simple_descriptor(&answer[..15]), None, "a count that lies");
        assert_eq!(text(b"BELT-1\0\0"), "BELT-1");
    }
}
