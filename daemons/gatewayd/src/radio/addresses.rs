//! Which device holds which 16-bit network address now. The key is the IEEE address; the short one changes on rejoin
//! and can be given to another device. What is not known is asked for, never guessed.

use std::collections::HashMap;

use medmon_core::noun::Ieee;

/// The table. Pure; the dongle's answers fill it.
#[derive(Debug, Default)]
pub struct Addresses {
    by_network: HashMap<u16, Ieee>,
    by_ieee: HashMap<Ieee, u16>,
    /// Grows with whatever the dongle says by itself, so that an answer that was under way meanwhile shows as old.
    generation: u64,
}

impl Addresses {
    /// `ieee` announced itself or joined under `network`. Returns who held that address until now.
    pub fn learn(&mut self, ieee: Ieee, network: u16) -> Option<Ieee> {
        self.generation += 1;
        self.set(ieee, network)
    }

    /// `ieee` was looked up under `network`, asked at `generation`. `false`: something was announced meanwhile; ask again.
    pub fn looked_up(&mut self, ieee: Ieee, network: u16, generation: u64) -> bool {
        if generation != self.generation {
            return false;
        }
        self.set(ieee, network);
        true
    }

    fn set(&mut self, ieee: Ieee, network: u16) -> Option<Ieee> {
        let before = self.by_network.insert(network, ieee).filter(|before| *before != ieee);
        if let Some(before) = before {
            self.by_ieee.remove(&before);
        }
        if let Some(old) = self.by_ieee.insert(ieee, network).filter(|old| *old != network) {
            self.by_network.remove(&old);
        }
        before
    }

    /// `ieee` left. Only its present address is forgotten.
    pub fn forget(&mut self, ieee: Ieee, network: u16) {
        self.generation += 1;
        if self.by_ieee.get(&ieee) == Some(&network) {
            self.by_ieee.remove(&ieee);
            self.by_network.remove(&network);
        }
    }

    /// The dongle restarted: what was announced meanwhile was not heard.
    pub fn forget_all(&mut self) {
        *self = Self { generation: self.generation + 1, ..Self::default() };
    }

    /// To be given back with the answer of a look-up.
    pub fn generation(&self) -> u64 {
        self.generation
    }

    /// Where `ieee` is.
    pub fn network(&self, ieee: Ieee) -> Option<u16> {
        self.by_ieee.get(&ieee).copied()
    }

    /// All addresses, in order.
    pub fn networks(&self) -> Vec<u16> {
        let mut networks: Vec<_> = self.by_network.keys().copied().collect();
        networks.sort_unstable();
        networks
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
        let mut addresses = Addresses::default();
        addresses.learn(Ieee(1), 0x1000);
        addresses.learn(Ieee(2), 0x2000);
        addresses.learn(Ieee(1), 0x2000);
        assert_eq!((addresses.ieee(0x2000), addresses.ieee(0x1000)), (Some(Ieee(1)), None));
        addresses.learn(Ieee(2), 0x1000);
        addresses.forget(Ieee(1), 0x1000);
        assert_eq!((addresses.ieee(0x1000), addresses.ieee(0x2000)), (Some(Ieee(2)), Some(Ieee(1))));
        addresses.forget(Ieee(2), 0x1000);
        assert_eq!(addresses.ieee(0x1000), None);
    }

    /// Patient mix-up: the answer "0x1000 is 1" is under way while 0x1000 is announced to be 2.
    #[test]
    fn an_answer_older_than_an_announcement_is_not_taken() {
        let mut addresses = Addresses::default();
        let asked = addresses.generation();
        addresses.learn(Ieee(2), 0x1000);
        addresses.forget(Ieee(2), 0x1000);
        assert!(!addresses.looked_up(Ieee(1), 0x1000, asked));
        assert_eq!(addresses.ieee(0x1000), None);
        let asked = addresses.generation();
        assert!(addresses.looked_up(Ieee(1), 0x1000, asked));
        assert_eq!(addresses.network(Ieee(1)), Some(0x1000));
    }
}
