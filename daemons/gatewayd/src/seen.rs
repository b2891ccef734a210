//! Which readings a stage has had: brokers deliver at least once, and the urgent path may bring one twice.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use medmon_core::noun::ReadingId;

/// Boots remembered; older ones cannot come any more (raw readings are kept for a day).
const BOOTS: usize = 64;

/// A set of reading ids as ranges. Sequences are without holes, so it stays small.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Per boot: start of a range -> its end, exclusive.
    boots: BTreeMap<u32, BTreeMap<u64, u64>>,
}

impl Seen {
    /// Takes `id` in. `false`: it was there.
    pub fn insert(&mut self, id: ReadingId) -> bool {
        if !self.boots.contains_key(&id.boot) && self.boots.len() >= BOOTS {
            if self.boots.first_key_value().is_some_and(|(oldest, _)| *oldest > id.boot) {
                return false;
            }
            self.boots.pop_first();
        }
        let ranges = self.boots.entry(id.boot).or_default();
        let before = ranges.range(..=id.sequence).next_back().map(|(start, end)| (*start, *end));
        if before.is_some_and(|(_, end)| id.sequence < end) {
            return false;
        }
        let start = before.filter(|(_, end)| *end == id.sequence).map_or(id.sequence, |(start, _)| start);
        let end = ranges.remove(&(id.sequence + 1)).unwrap_or(id.sequence + 1);
        ranges.insert(start, end);
        true
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set(ids in prop::collection::vec((0u32..3, 0u64..40), 0..200)) {
            let (mut seen, mut model) = (Seen::default(), BTreeSet::new());
            for (boot, sequence) in ids {
                let id = ReadingId { boot, sequence };
                prop_assert_eq!(seen.insert(id), model.insert(id));
            }
            let json = serde_json::to_string(&seen).unwrap();
            prop_assert_eq!(serde_json::from_str::<Seen>(&json).unwrap(), seen);
        }
    }

    #[test]
    fn in_order_it_is_one_range_and_old_boots_go() {
        let mut seen = Seen::default();
        for boot in 0..100 {
            for sequence in 0..50 {
                assert!(seen.insert(ReadingId { boot, sequence }));
            }
        }
        assert_eq!(seen.boots.len(), BOOTS);
        assert!(seen.boots.values().all(|ranges| ranges.len() == 1));
        assert!(!seen.insert(ReadingId { boot: 0, sequence: 7 }));
    }
}
