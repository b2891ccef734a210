//! The ledger: which numbers of each stream are held. A high-water mark and the holes below it, not a row an envelope.
//!
//! It is asked before an envelope is taken and told after that is durable; the journal behind it makes it whole again
//! after a kill. What two boxes with one install id send is told apart by it: a number that is held, with other bytes.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use medmon_core::noun::UtcUs;
use medmon_core::wire::{Malformed, Reader, Writer};
use uuid::Uuid;

/// Hashes that are kept of a stream: of the numbers held last. A number is sent again within seconds of its loss.
const RECENT: usize = 16;
/// Holes of a stream at most. A home that was away for years comes back in one; only nonsense makes more.
const HOLES: usize = 4096;

/// Whether a number is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// It is not.
    No,
    /// It is, with these bytes.
    Yes,
    /// It is, with other bytes: two boxes count with one install id.
    Differs,
    /// It would make more holes than a stream may have.
    Scattered,
}

/// What is held of one stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stream {
    /// The largest number held; 0 = none.
    high: u64,
    /// Numbers below it that are not held, as first -> last.
    holes: BTreeMap<u64, u64>,
    /// The latest sealing time of what is held. Numbers grow with the time they are sealed at.
    sealed_us: UtcUs,
    /// The numbers held last, with the first 8 bytes of their hash.
    recent: VecDeque<(u64, u64)>,
}

impl Stream {
    /// The largest number held, 0 = none.
    pub fn high(&self) -> u64 {
        self.high
    }

    /// What is missing below the mark, first to last.
    pub fn holes(&self) -> impl ExactSizeIterator<Item = (u64, u64)> {
        self.holes.iter().map(|(first, last)| (*first, *last))
    }

    /// Whether `sequence` is held.
    pub fn held(&self, sequence: u64, hash: u64, sealed_us: UtcUs) -> Held {
        if sequence > self.high || self.hole(sequence).is_some() {
            let scattered = self.holes.len() >= HOLES && self.splits(sequence);
            return if scattered { Held::Scattered } else { Held::No };
        }
        match self.recent.iter().find(|(number, _)| *number == sequence) {
            Some((_, before)) if *before == hash => Held::Yes,
            Some(_) => Held::Differs,
            // Its hash is forgotten. Sealed later than all that is held, it cannot be the one that was.
            None if sealed_us > self.sealed_us => Held::Differs,
            None => Held::Yes,
        }
    }

    /// Takes `sequence` as held.
    pub fn hold(&mut self, sequence: u64, hash: u64, sealed_us: UtcUs) {
        if sequence > self.high {
            if sequence - self.high > 1 {
                self.holes.insert(self.high + 1, sequence - 1);
            }
            self.high = sequence;
        } else if let Some((first, last)) = self.hole(sequence) {
            self.holes.remove(&first);
            if first < sequence {
                self.holes.insert(first, sequence - 1);
            }
            if sequence < last {
                self.holes.insert(sequence + 1, last);
            }
        }
        self.sealed_us = self.sealed_us.max(sealed_us);
        self.recent.push_back((sequence, hash));
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    fn hole(&self, sequence: u64) -> Option<(u64, u64)> {
        let (first, last) = self.holes.range(..=sequence).next_back()?;
        (*last >= sequence).then_some((*first, *last))
    }

    /// Whether holding `sequence` makes one hole more.
    fn splits(&self, sequence: u64) -> bool {
        match self.hole(sequence) {
            Some((first, last)) => first < sequence && sequence < last,
            None => sequence - self.high > 1,
        }
    }

    /// As it is kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Writer::default();
        out.uint(self.high);
        out.int(self.sealed_us);
        out.uint(self.holes.len() as u64);
        for (first, last) in &self.holes {
            out.uint(*first);
            out.uint(last - first);
        }
        for (number, hash) in &self.recent {
            out.uint(*number);
            out.0.extend_from_slice(&hash.to_le_bytes());
        }
        out.0
    }

    /// As it was kept.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut input = Reader::new(bytes);
        let mut stream = Self { high: input.uint("mark")?, sealed_us: input.int("sealing time")?, ..Self::default() };
        let holes: usize = input.fit("holes")?;
        for _ in 0..holes {
            let first = input.uint("hole")?;
            let last = first.checked_add(input.uint("hole")?).ok_or_else(|| input.malformed("hole"))?;
            stream.holes.insert(first, last);
        }
        while input.left() > 0 {
            let number = input.uint("number")?;
            let mut hash = [0; 8];
            hash.copy_from_slice(input.take(8, "hash")?);
            stream.recent.push_back((number, u64::from_le_bytes(hash)));
        }
        Ok(stream)
    }
}

/// The install and the number of a stream.
pub type StreamId = (Uuid, u8);

/// All streams.
#[derive(Debug, Default)]
pub struct Ledger(Mutex<Streams>);

#[derive(Debug, Default)]
struct Streams {
    all: HashMap<StreamId, Stream>,
    /// Those that differ from what is kept in the records.
    changed: HashSet<StreamId>,
}

impl Ledger {
    /// As it was kept.
    pub fn new(kept: impl IntoIterator<Item = (StreamId, Stream)>) -> Self {
        Self(Mutex::new(Streams { all: kept.into_iter().collect(), changed: HashSet::new() }))
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many streams there are.
    pub fn len(&self) -> usize {
        self.streams().all.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a number is held.
    pub fn held(&self, id: StreamId, sequence: u64, hash: u64, sealed_us: UtcUs) -> Held {
        self.streams().all.get(&id).map_or(Held::No, |stream| stream.held(sequence, hash, sealed_us))
    }

    /// Takes a number as held.
    pub fn hold(&self, id: StreamId, sequence: u64, hash: u64, sealed_us: UtcUs) {
        let mut streams = self.streams();
        streams.all.entry(id).or_default().hold(sequence, hash, sealed_us);
        streams.changed.insert(id);
    }

    /// Takes a number as held that may be held already.
    pub fn hold_again(&self, id: StreamId, sequence: u64, hash: u64, sealed_us: UtcUs) {
        if self.held(id, sequence, hash, sealed_us) == Held::No {
            self.hold(id, sequence, hash, sealed_us);
        }
    }

    /// The streams of an install, by number.
    pub fn of(&self, install: Uuid) -> Vec<(u8, Stream)> {
        let streams = self.streams();
        // A gateway has one stream; more are for later releases.
        (0..=u8::MAX).filter_map(|number| Some((number, streams.all.get(&(install, number))?.clone()))).collect()
    }

    /// Up to `limit` streams that changed since they were given here last.
    pub fn changed(&self, limit: usize) -> Vec<(StreamId, Vec<u8>)> {
        let mut streams = self.streams();
        let ids: Vec<StreamId> = streams.changed.iter().take(limit).copied().collect();
        for id in &ids {
            streams.changed.remove(id);
        }
        ids.into_iter().filter_map(|id| Some((id, streams.all.get(&id)?.encode()))).collect()
    }

    /// What was given could not be kept: it is given again.
    pub fn not_kept(&self, ids: impl IntoIterator<Item = StreamId>) {
        self.streams().changed.extend(ids);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn hash(sequence: u64) -> u64 {
        sequence.wrapping_mul(0x9e37_79b9)
    }

    proptest! {
        /// Against a plain set, in any order, with repetitions, across being kept and read.
        #[test]
        fn it_knows_what_a_set_would_know(numbers in prop::collection::vec(1u64..60, 0..80), kept_at in 0usize..80) {
            let (mut stream, mut set) = (Stream::default(), BTreeSet::new());
            for (index, number) in numbers.into_iter().enumerate() {
                let known = stream.held(number, hash(number), number as i64);
                prop_assert_eq!(known == Held::Yes, set.contains(&number));
                if known == Held::No {
                    stream.hold(number, hash(number), number as i64);
                    set.insert(number);
                }
                if index == kept_at {
                    stream = Stream::decode(&stream.encode()).unwrap();
                }
            }
            prop_assert_eq!(stream.high(), set.last().copied().unwrap_or(0));
            let missing: Vec<u64> = stream.holes().flat_map(|(first, last)| first..=last).collect();
            prop_assert_eq!(missing, (1..stream.high()).filter(|number| !set.contains(number)).collect::<Vec<_>>());
        }

        #[test]
        fn garbage_is_an_error_and_never_a_panic(bytes in any::<Vec<u8>>()) {
            let _ = Stream::decode(&bytes);
        }
    }

    #[test]
    fn a_number_with_other_bytes_is_told_apart_soon_and_years_later() {
        let mut stream = Stream::default();
        for number in 1..=100 {
            stream.hold(number, hash(number), number as i64 * 60);
        }
        assert_eq!(stream.held(100, hash(7), 6000), Held::Differs);
        assert_eq!(stream.held(3, hash(3), 180), Held::Yes, "its hash is forgotten; it is as old as it says");
        // The card of three hours ago in another box: number 3 was sealed now.
        assert_eq!(stream.held(3, hash(8), 9000), Held::Differs);
    }

    #[test]
    fn nonsense_numbers_do_not_fill_the_memory() {
        let mut stream = Stream::default();
        let taken = (1..).map(|index| index * 2).take_while(|number| {
            let known = stream.held(*number, 0, 0);
            stream.hold(*number, 0, 0);
            known == Held::No
        });
        assert_eq!(taken.count(), HOLES);
    }
}
