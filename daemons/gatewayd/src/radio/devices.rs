//! Which device holds which 16-bit network address now. The key is the IEEE address; the short one changes on rejoin
//! and can be given to another device. What is not known is asked for, never guessed.

use std::collections::HashMap;

use medmon_core::noun::Ieee;

/// The table. Pure; the dongle's answers fill it.
#[derive(Debug, Default)]
pub struct Devices {
    by_network: HashMap<u16, Ieee>,
    by_ieee: HashMap<Ieee, u16>,
}

impl Devices {
    /// `ieee` announced itself, joined, or was looked up under `network`: whoever held that address no longer does.
    pub fn learn(&mut self, ieee: Ieee, network: u16) {
        if let Some(before) = self.by_network.insert(network, ieee).filter(|before| *before != ieee) {
            self.by_ieee.remove(&before);
        }
        if let Some(old) = self.by_ieee.insert(ieee, network).filter(|old| *old != network) {
            self.by_network.remove(&old);
        }
    }

    /// `ieee` left. Only its present address is forgotten.
    pub fn forget(&mut self, ieee: Ieee, network: u16) {
        if self.by_ieee.get(&ieee) == Some(&network) {
            self.by_ieee.remove(&ieee);
            self.by_network.remove(&network);
        }
    }

    /// Who holds `network`.
    pub fn ieee(&self, network: u16) -> Option<Ieee> {
        self.by_network.get(&network).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_given_to_another_device_is_the_others() {
        let mut devices = Devices::default();
        devices.learn(Ieee(1), 0x1000);
        devices.learn(Ieee(2), 0x2000);
        devices.learn(Ieee(1), 0x2000);
        assert_eq!((devices.ieee(0x2000), devices.ieee(0x1000)), (Some(Ieee(1)), None));
        devices.learn(Ieee(2), 0x1000);
        devices.forget(Ieee(1), 0x1000);
        assert_eq!((devices.ieee(0x1000), devices.ieee(0x2000)), (Some(Ieee(2)), Some(Ieee(1))));
        devices.forget(Ieee(2), 0x1000);
        assert_eq!(devices.ieee(0x1000), None);
    }
}
