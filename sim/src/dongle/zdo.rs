//! ZDO requests of the host: the join window, addresses, descriptors, binding, leaving.
//!
//! Each is answered at once with a status and, where the asked device exists, by an AREQ; a device that is not there
//! never answers. Not for: start-up requests of the ZDO subsystem (coordinator.rs).

use super::coordinator::{Coordinator, OK, answer};
use super::frame::{Fields, Frame};

const INVALID_ENDPOINT: u8 = 0x82;

impl Coordinator {
    /// `None`: the request is too short.
    pub(super) fn zdo(&mut self, request: &Frame, mut fields: Fields<'_>, now_us: i64) -> Option<Vec<Frame>> {
        let mut frames = vec![answer(request, [OK])];
        // Descriptors and bindings are the sensor's own to tell.
        if matches!(request.command, 0x2502 | 0x2504 | 0x2505 | 0x2521) && self.sleeps() {
            return Some(frames);
        }
        match request.command {
            0x2536 => {
                let (_mode, _to, seconds, _significance) = (fields.u8()?, fields.u16()?, fields.u8()?, fields.u8()?);
                self.open_join_window(seconds, now_us);
                frames.extend(self.zdo_answer(0x45B6, 0, vec![0, 0, OK]));
                frames.push(Frame::new(0x45CB, [seconds]));
            }
            0x2500 | 0x2501 => {
                let found = if request.command == 0x2500 {
                    let ieee = fields.u64()?;
                    self.sensors.iter().find(|sensor| sensor.spec.ieee == ieee).map(|sensor| (ieee, sensor.nwk))
                } else {
                    let nwk = fields.u16()?;
                    self.ieee_of(nwk).map(|ieee| (ieee, nwk))
                };
                fields.take(2)?;
                if let Some((ieee, nwk)) = found {
                    let mut data = vec![OK];
                    data.extend(ieee.to_le_bytes());
                    data.extend(nwk.to_le_bytes());
                    data.extend([0, 0]);
                    let command = if request.command == 0x2500 { 0x4580 } else { 0x4581 };
                    frames.extend(self.zdo_answer(command, nwk, data));
                }
            }
            0x2502 => {
                let (_to, nwk) = (fields.u16()?, fields.u16()?);
                if self.ieee_of(nwk).is_some() {
                    let (kind, capabilities) = if nwk == 0 { (0, 0x8F) } else { (2, 0x80) };
                    let descriptor = [kind, 0x40, capabilities, 0xF1, 0xFF, 80, 160, 0, 0, 0, 160, 0, 0];
                    frames.extend(self.zdo_answer(0x4582, nwk, [&about(nwk), descriptor.as_slice()].concat()));
                }
            }
            0x2505 => {
                let (_to, nwk) = (fields.u16()?, fields.u16()?);
                let endpoints: Option<Vec<u8>> = if nwk == 0 {
                    Some(self.endpoints().collect())
                } else {
                    let sensor = self.sensors.iter().find(|sensor| sensor.nwk == nwk);
                    sensor.map(|sensor| sensor.spec.endpoints.iter().map(|endpoint| endpoint.id).collect())
                };
                if let Some(endpoints) = endpoints {
                    let data = [&about(nwk), [endpoints.len() as u8].as_slice(), &endpoints].concat();
                    frames.extend(self.zdo_answer(0x4585, nwk, data));
                }
            }
            0x2504 => {
                let (_to, nwk, id) = (fields.u16()?, fields.u16()?, fields.u8()?);
                if let Some(sensor) = self.sensors.iter().find(|sensor| sensor.nwk == nwk) {
                    let mut data = about(nwk).to_vec();
                    if let Some(endpoint) = sensor.spec.endpoints.iter().find(|endpoint| endpoint.id == id) {
                        data.push((8 + 2 * endpoint.clusters.len()) as u8);
                        data.push(id);
                        data.extend(endpoint.profile.to_le_bytes());
                        data.extend(endpoint.device.to_le_bytes());
                        data.extend([1, endpoint.clusters.len() as u8]);
                        data.extend(endpoint.clusters.iter().flat_map(|cluster| cluster.to_le_bytes()));
                        data.push(0);
                    } else {
                        data[2] = INVALID_ENDPOINT;
                        data.push(0);
                    }
                    frames.extend(self.zdo_answer(0x4584, nwk, data));
                }
            }
            0x2521 | 0x2522 => {
                let (nwk, ieee) = (fields.u16()?, fields.u64()?);
                fields.take(13)?;
                if self.ieee_of(nwk) == Some(ieee) {
                    self.counters.bound += u64::from(request.command == 0x2521);
                    let command = if request.command == 0x2521 { 0x45A1 } else { 0x45A2 };
                    frames.extend(self.zdo_answer(command, nwk, vec![nwk as u8, (nwk >> 8) as u8, OK]));
                }
            }
            0x2534 => {
                let (nwk, ieee, _flags) = (fields.u16()?, fields.u64()?, fields.u8()?);
                if nwk != 0 && self.ieee_of(nwk) == Some(ieee) {
                    frames.extend(self.zdo_answer(0x45B4, nwk, vec![nwk as u8, (nwk >> 8) as u8, OK]));
                    frames.extend(self.leave(ieee));
                }
            }
            0x2545 => {
                fields.take(4)?;
            }
            _ => return Some(vec![self.refuse(request, 2)]),
        }
        Some(frames)
    }
}

/// Source address, status success, address of interest: how most answers start.
fn about(nwk: u16) -> [u8; 5] {
    let [low, high] = nwk.to_le_bytes();
    [low, high, OK, low, high]
}
