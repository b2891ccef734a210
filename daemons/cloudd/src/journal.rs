//! The journal: every accepted envelope, durable before the gateway is told so. Behind it the vitals store settles at its
//! own pace; what it has not settled when it is killed is given to it again at the next start.
//!
//! ```text
//! record: version u8 = 1 | received µs UTC i64 LE | subject 16 bytes | the sealed envelope
//! ```
//! One commit holds the envelope, its identity and whose it is, so nothing can be half taken. Not for: whether an
//! envelope is right (ingest), nor for reading vitals.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use medmon_core::noun::{Envelope, MonoUs, UtcUs};
use medmon_core::wire::envelope as wire;
use medmon_kit::log::Log;
use uuid::Uuid;

use crate::erase;
use crate::ledger::Ledger;
use crate::records::{Records, stream};
use crate::refusal::Refusal;
use crate::vitals::{Batch, VitalsError, VitalsStore};

const VERSION: u8 = 1;
const HEAD: usize = 1 + 8 + 16;
/// Bytes that are read of a segment at once.
const READ: usize = 1 << 20;
/// A segment is closed at this size and so much more for each stream, whatever its age: what the store keeps in memory
/// and what a start has to read again stays bounded, and what it writes down of each series is worth looking up.
const SEGMENT_BYTES: u64 = 2 << 20;
const SEGMENT_BYTES_A_STREAM: u64 = 2 << 10;
/// Streams that are kept in one commit: others want to write, too.
const STREAMS: usize = 1000;

/// An envelope that is right, and whose it is.
#[derive(Clone, Debug)]
pub struct Accepted {
    /// The random label of its assignment.
    pub subject: Uuid,
    /// SHA-256 of its bytes.
    pub hash: [u8; 32],
    /// Its bytes.
    pub sealed: Vec<u8>,
    /// What they say.
    pub envelope: Envelope,
}

impl Accepted {
    fn record(&self, received_us: UtcUs) -> Vec<u8> {
        let mut record = Vec::with_capacity(HEAD + self.sealed.len());
        record.push(VERSION);
        record.extend_from_slice(&received_us.to_le_bytes());
        record.extend_from_slice(self.subject.as_bytes());
        record.extend_from_slice(&self.sealed);
        record
    }

    fn of(record: &[u8]) -> Option<Self> {
        let (head, sealed) = record.split_at_checked(HEAD)?;
        if head[0] != VERSION {
            return None;
        }
        let subject = Uuid::from_slice(&head[9..]).ok()?;
        let envelope = wire::decode(sealed).ok()?;
        Some(Self { subject, hash: wire::hash(sealed), sealed: sealed.to_vec(), envelope })
    }

    fn batch(self) -> Batch {
        let Envelope { windows, gaps, .. } = self.envelope;
        Batch { subject: self.subject, windows, gaps }
    }
}

/// The first 8 bytes of a hash: enough to tell two envelopes of one number apart.
pub fn short(hash: &[u8; 32]) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

/// The journal and the ledger of what is in it.
#[derive(Debug)]
pub struct Journal {
    log: Log,
    /// Which numbers are held.
    pub ledger: Ledger,
    /// Shared from an append until store and ledger know of it; alone while a segment is closed.
    gate: tokio::sync::RwLock<()>,
    /// The store refused what is durable here: nothing is settled any more, so that the next start gives it again.
    missed: AtomicBool,
    began: AtomicI64,
    /// The newest segment that was begun while nothing was under way. The log begins one by itself after a failure.
    begun: AtomicU64,
    /// One at a time: what is let go here must have been kept there, not be on its way.
    tending: tokio::sync::Mutex<()>,
    /// Whose vitals were erased before this start: the store does not get them again.
    erased: HashSet<Uuid>,
}

impl Journal {
    /// Opens the journal in `folder`, with the ledger as the records have it.
    pub async fn open(folder: &std::path::Path, records: &Records, now: MonoUs) -> Result<Self, Refusal> {
        let read = |db: &rusqlite::Connection| Ok((stream::journal_floor(db)?, stream::load(db)?, erase::erased(db)?));
        let (floor, streams, erased) = records.read(read).await?;
        let log = Log::open(folder, floor).map_err(Refusal::internal)?;
        let (began, begun) = (AtomicI64::new(now), AtomicU64::new(log.active()));
        let (gate, missed, tending) = Default::default();
        Ok(Self { log, ledger: Ledger::new(streams), gate, missed, began, begun, tending, erased })
    }

    /// Gives the store what it has not settled, and the ledger what it may not know. Once, before anything is kept.
    pub async fn replay(&self, store: &dyn VitalsStore) -> Result<u64, VitalsError> {
        // What a failed sync left behind may stand here twice: it was refused, and sent again.
        let (mut seen, mut envelopes) = (HashSet::new(), 0);
        for segment in self.log.segments().map_err(broken)? {
            if segment <= store.settled_through() {
                self.log.remove(segment).map_err(broken)?;
                continue;
            }
            let mut offset = 0;
            loop {
                let (records, next) = self.log.read(segment, offset, READ).map_err(broken)?;
                offset = next;
                if records.is_empty() {
                    break;
                }
                let mut batches = Vec::with_capacity(records.len());
                for record in &records {
                    let Some(accepted) = opened(segment, record) else {
                        // Of a newer release, perhaps: it stays for that.
                        self.missed.store(true, Ordering::Release);
                        continue;
                    };
                    let (hash, envelope) = (short(&accepted.hash), &accepted.envelope);
                    if seen.insert(hash) {
                        let id = (envelope.install, envelope.stream);
                        self.ledger.hold_again(id, envelope.sequence, hash, envelope.sealed_us);
                        if !self.erased.contains(&accepted.subject) {
                            batches.push(accepted.batch());
                        }
                    }
                }
                envelopes += batches.len() as u64;
                store.take(segment, batches).await?;
            }
            let left = self.log.bytes(segment).map_err(broken)?.saturating_sub(offset);
            if left > 0 {
                // Torn by a kill, before it was answered. If it is damage, homes hear what is missing and send it again.
                tracing::warn!(segment, bytes = left, "the end of a segment of the journal is not whole; left out");
            }
        }
        Ok(envelopes)
    }

    /// Keeps what is right: durable here, seen by the store, known to the ledger, in this order. On an error nothing of
    /// it is held.
    pub async fn keep(&self, store: &dyn VitalsStore, accepted: Vec<Accepted>, now_us: UtcUs) -> io::Result<()> {
        if accepted.is_empty() {
            return Ok(());
        }
        let _open = self.gate.read().await;
        let segment = self.log.append(accepted.iter().map(|one| one.record(now_us)).collect()).await?;
        for Accepted { envelope, hash, .. } in &accepted {
            let id = (envelope.install, envelope.stream);
            self.ledger.hold(id, envelope.sequence, short(hash), envelope.sealed_us);
        }
        let batches = accepted.into_iter().map(Accepted::batch).collect();
        if let Err(error) = store.take(segment, batches).await {
            tracing::error!(%error, segment, "the vitals store refuses what is durable; given again at the next start");
            self.missed.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// Envelopes of a segment from `offset` (0 = its start) as the store takes them, and the offset after them.
    pub fn read(&self, segment: u64, offset: u64) -> io::Result<(Vec<Batch>, u64)> {
        let (records, next) = self.log.read(segment, offset, READ)?;
        Ok((records.iter().filter_map(|record| opened(segment, record)).map(Accepted::batch).collect(), next))
    }

    /// Segments that are still here, oldest first, and the one that is written.
    pub fn segments(&self) -> io::Result<(Vec<u64>, u64)> {
        Ok((self.log.segments()?, self.log.active()))
    }

    /// Closes the segment that is written if it is older than `after` or large; has the store settle what is closed,
    /// and lets that go. The ledger is kept before: what is let go here must be known there.
    pub async fn tend(
        &self,
        records: &Records,
        store: &dyn VitalsStore,
        after: Duration,
        now: MonoUs,
    ) -> Result<(), VitalsError> {
        let _one = self.tending.lock().await;
        let active = self.log.active();
        let old = now - self.began.load(Ordering::Acquire) >= after.as_micros() as i64;
        let mut rotated = Ok(());
        let most = SEGMENT_BYTES + SEGMENT_BYTES_A_STREAM * self.ledger.len() as u64;
        if old || self.log.bytes(active).map_err(broken)? >= most {
            let _alone = self.gate.write().await;
            match self.log.rotate().await {
                Ok(segment) => {
                    self.begun.store(segment, Ordering::Release);
                    self.began.store(now, Ordering::Release);
                }
                // What is closed is let go all the same: that makes room.
                Err(error) => rotated = Err(broken(error)),
            }
        }
        let active = self.log.active();
        if self.begun.swap(active, Ordering::AcqRel) != active {
            // What is durable in the one before it may not be with the store yet.
            drop(self.gate.write().await);
        }
        let closed: Vec<u64> = self.log.segments().map_err(broken)?.into_iter().filter(|one| *one < active).collect();
        if closed.is_empty() || self.missed.load(Ordering::Acquire) {
            return rotated;
        }
        self.keep_ledger(records, active).await.map_err(VitalsError::of)?;
        for segment in closed {
            if !store.settle(segment).await? {
                break;
            }
            self.log.remove(segment).map_err(broken)?;
        }
        rotated
    }

    async fn keep_ledger(&self, records: &Records, active: u64) -> Result<(), Refusal> {
        records.tend(move |db| stream::note_segment(db, active)).await?;
        loop {
            let streams = self.ledger.changed(STREAMS);
            if streams.is_empty() {
                return Ok(());
            }
            let ids: Vec<_> = streams.iter().map(|(id, _)| *id).collect();
            if let Err(error) = records.tend(move |db| stream::keep(db, &streams)).await {
                self.ledger.not_kept(ids);
                return Err(error);
            }
        }
    }
}

/// A record that is whole and yet not ours is of a newer release, or damage that a check sum does not see.
fn opened(segment: u64, record: &[u8]) -> Option<Accepted> {
    let accepted = Accepted::of(record);
    if accepted.is_none() {
        tracing::error!(segment, bytes = record.len(), "a record of the journal cannot be read; left out");
    }
    accepted
}

fn broken(error: io::Error) -> VitalsError {
    VitalsError::Store(Box::new(error))
}
