//! The coordinator's memory: items, the tables of the extended memory, and the network that is written in them.
//!
//! Part of [`Coordinator`]. Not for: what the network does (coordinator.rs).

use std::collections::BTreeMap;

use super::coordinator::{Coordinator, Network, OK};
use super::frame::Fields;

const NV_CREATED: u8 = 0x09;
const NV_FAILED: u8 = 0x0A;
const NV_BAD_LENGTH: u8 = 0x0C;
/// Where the channel stands in the NIB of a CC26xx: the struct is aligned there.
const NIB_CHANNEL: usize = 24;
const NIB_SIZE: usize = 116;
pub(super) const CHANNEL: u8 = 15;
/// A new network's channel shows in the NIB only after a while.
const NIB_SETTLES_US: i64 = 1_000_000;
/// Table of frame counters in the extended memory: rows of counter u32 and extended PAN id u64.
const SECURITY_MATERIAL: u16 = 0x0007;
const SECURITY_ROWS: u16 = 4;
/// The counter is written down so rarely, and goes on from so far ahead at each boot.
pub(super) const COUNTER_STEP: u32 = 1250;

/// NV items.
pub(super) mod nv {
    pub const EXTADDR: u16 = 0x0001;
    pub const STARTUP_OPTION: u16 = 0x0003;
    pub const NIB: u16 = 0x0021;
    pub const EXTENDED_PAN_ID: u16 = 0x002D;
    pub const ACTIVE_KEY: u16 = 0x003A;
    pub const ALTERNATE_KEY: u16 = 0x003B;
    pub const BDB_NODE_IS_ON_A_NETWORK: u16 = 0x0055;
    pub const PRECFGKEY: u16 = 0x0062;
    pub const PRECFGKEYS_ENABLE: u16 = 0x0063;
    pub const PANID: u16 = 0x0083;
    pub const CHANLIST: u16 = 0x0084;
    pub const LOGICAL_TYPE: u16 = 0x0087;
    pub const ZDO_DIRECT_CB: u16 = 0x008F;
}

impl Coordinator {
    /// The network in the memory, and its frame counter from well ahead of what was written down.
    pub(super) fn load_network(&mut self) {
        let key = self.nv.get(&nv::ACTIVE_KEY).and_then(|held| <[u8; 16]>::try_from(held.get(1..17)?).ok());
        let nib = self.nv.get(&nv::NIB).filter(|_| self.formed());
        self.network = nib.zip(key).and_then(|(nib, key)| {
            let (pan, extended_pan) = (Fields(nib.get(36..)?).u16()?, Fields(nib.get(57..)?).u64()?);
            Some(Network { pan, extended_pan, key })
        });
        let stored = self.network.and_then(|network| {
            let rows = (0..SECURITY_ROWS).filter_map(|row| self.tables.get(&(SECURITY_MATERIAL, row)));
            let mut ours = rows.filter(|row| row.get(4..) == Some(&network.extended_pan.to_le_bytes()[..]));
            ours.next().and_then(|row| Some(u32::from_le_bytes(row.get(..4)?.try_into().ok()?)))
        });
        self.counter = stored.unwrap_or(0).saturating_add(COUNTER_STEP);
        self.keep_counter();
    }

    pub(super) fn keep_counter(&mut self) {
        let Some(network) = self.network else { return };
        for row in 0..SECURITY_ROWS {
            let (counter, pan) = if row == 0 { (self.counter, network.extended_pan) } else { (0, 0) };
            let value = [&counter.to_le_bytes()[..], &pan.to_le_bytes()].concat();
            self.tables.insert((SECURITY_MATERIAL, row), value);
        }
    }

    pub(super) fn store_network(&mut self) {
        let mut nib = vec![0; NIB_SIZE];
        nib[NIB_CHANNEL] = CHANNEL;
        nib[28..36].copy_from_slice(&self.ieee.to_le_bytes());
        nib[36..38].copy_from_slice(&self.pan().to_le_bytes());
        let wanted = |item, none: &[u8]| self.nv.get(&item).filter(|held| held[..] != *none).cloned();
        let own = self.hardware_ieee.to_le_bytes();
        let extended = wanted(nv::EXTENDED_PAN_ID, &[0xFF; 8]).unwrap_or(own.to_vec());
        let key = wanted(nv::PRECFGKEY, &[0xFF; 16]).unwrap_or([own, own].concat());
        nib[57..65].copy_from_slice(&extended);
        nib[65] = 1;
        let key = [&[0], &key[..]].concat();
        self.nv.insert(nv::ACTIVE_KEY, key.clone());
        self.nv.insert(nv::ALTERNATE_KEY, key);
        self.nv.insert(nv::NIB, nib);
        self.nv.insert(nv::BDB_NODE_IS_ON_A_NETWORK, vec![1]);
        self.nv.insert(nv::PANID, self.pan().to_le_bytes().to_vec());
    }

    pub(super) fn pan(&self) -> u16 {
        let stored = self.nv.get(&nv::PANID).and_then(|value| Fields(value).u16()).unwrap_or(0xFFFF);
        if stored == 0xFFFF { 0x1A62 } else { stored }
    }

    pub(super) fn byte(&self, item: u16) -> u8 {
        self.nv.get(&item).and_then(|value| value.first()).copied().unwrap_or(0)
    }

    pub(super) fn formed(&self) -> bool {
        self.byte(nv::BDB_NODE_IS_ON_A_NETWORK) == 1 && self.nv.contains_key(&nv::NIB)
    }

    pub(super) fn memory(&mut self, command: u16, mut fields: Fields<'_>, now_us: i64) -> Option<Vec<u8>> {
        let item = fields.u16()?;
        match command {
            0x2107 => {
                let (length, given) = (fields.u16()?, fields.u8()?);
                let mut value = fields.take(given.into())?.to_vec();
                value.resize(length.into(), 0);
                let status = if self.nv.contains_key(&item) { OK } else { NV_CREATED };
                self.nv.entry(item).or_insert(value);
                Some(vec![status])
            }
            0x2108 | 0x211C => {
                let offset = if command == 0x2108 { fields.u8()?.into() } else { fields.u16()? };
                let mut value = self.nv.get(&item).cloned().unwrap_or_default();
                if item == nv::NIB && self.formed_us.is_some_and(|formed| now_us < formed + NIB_SETTLES_US) {
                    value[NIB_CHANNEL] = 0;
                }
                let part = value.get(usize::from(offset)..).unwrap_or(&[]);
                let part = &part[..part.len().min(246)];
                let status = if part.is_empty() { NV_FAILED } else { OK };
                Some([&[status, part.len() as u8], part].concat())
            }
            0x2109 | 0x211D => {
                let wide = command == 0x211D;
                let offset = if wide { fields.u16()? } else { fields.u8()?.into() };
                let length = if wide { fields.u16()? } else { fields.u8()?.into() };
                let value = fields.take(length.into())?;
                let place =
                    self.nv.get_mut(&item).and_then(|held| held.get_mut(offset.into()..)?.get_mut(..length.into()));
                let Some(place) = place else { return Some(vec![NV_FAILED]) };
                place.copy_from_slice(value);
                Some(vec![OK])
            }
            0x2112 => {
                let length = fields.u16()?;
                match self.nv.get(&item).map(Vec::len) {
                    None => Some(vec![NV_CREATED]),
                    Some(held) if held == usize::from(length) => {
                        self.nv.remove(&item);
                        Some(vec![OK])
                    }
                    Some(_) => Some(vec![NV_BAD_LENGTH]),
                }
            }
            _ => Some((self.nv.get(&item).map_or(0, Vec::len) as u16).to_le_bytes().to_vec()),
        }
    }

    /// The extended memory of Z-Stack 3.x.0: system 1, item, row.
    pub(super) fn table(&mut self, command: u16, mut fields: Fields<'_>) -> Option<Vec<u8>> {
        let (system, item, row) = (fields.u8()?, fields.u16()?, fields.u16()?);
        if system != 1 {
            return Some(vec![NV_FAILED]);
        }
        let key = (item, row);
        match command {
            0x2130 => {
                let length = fields.take(4)?;
                self.tables.entry(key).or_insert_with(|| vec![0; usize::from(length[0])]);
                Some(vec![OK])
            }
            0x2131 => Some(vec![if self.tables.remove(&key).is_some() { OK } else { NV_FAILED }]),
            0x2132 => Some((self.tables.get(&key).map_or(0, Vec::len) as u32).to_le_bytes().to_vec()),
            0x2133 => {
                let (offset, length) = (usize::from(fields.u16()?), usize::from(fields.u8()?));
                let part = self.tables.get(&key).and_then(|held| held.get(offset..offset + length));
                Some(part.map_or(vec![NV_FAILED, 0], |part| [&[OK, part.len() as u8], part].concat()))
            }
            _ => {
                let (offset, length) = (usize::from(fields.u16()?), usize::from(fields.u8()?));
                let value = fields.take(length)?;
                let place = self.tables.get_mut(&key).and_then(|held| held.get_mut(offset..offset + length));
                let Some(place) = place else { return Some(vec![NV_FAILED]) };
                place.copy_from_slice(value);
                Some(vec![OK])
            }
        }
    }
}

/// Items of a blank dongle.
pub(super) fn factory() -> BTreeMap<u16, Vec<u8>> {
    [
        (nv::STARTUP_OPTION, vec![0]),
        (nv::EXTENDED_PAN_ID, vec![0xFF; 8]),
        (nv::BDB_NODE_IS_ON_A_NETWORK, vec![0]),
        (nv::PRECFGKEY, vec![0xFF; 16]),
        (nv::PRECFGKEYS_ENABLE, vec![1]),
        (nv::PANID, vec![0xFF, 0xFF]),
        (nv::CHANLIST, 0x0000_0800_u32.to_le_bytes().to_vec()),
        (nv::LOGICAL_TYPE, vec![0]),
        (nv::ZDO_DIRECT_CB, vec![0]),
    ]
    .into()
}
