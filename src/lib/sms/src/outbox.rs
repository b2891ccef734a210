//! The outbox: every text that has to go out, synced to its own file before it goes, and what became of it.
//!
//! Nothing is texted twice over a restart: a text is one row per (alert, contact, reason, step), and an attempt is
//! written down before it is made. A full disk gives up the reserve first; if even that fails, the text lives in
//! memory and goes out all the same. Not for: whom to text and when (the ladder).

mod store;

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

pub use medmon_core::noun::TextReason as Reason;
use medmon_kit::{Clock, Database, sqlite};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::channel::Outcome;

/// Kept free for the outbox on a disk that others fill.
pub const RESERVE_BYTES: u64 = 16 << 20;
/// Before the second attempt, µs; doubled with each ...
const RETRY_FIRST_US: i64 = 2_000_000;
/// ... up to here.
const RETRY_MOST_US: i64 = 60_000_000;
/// What a channel may ask to wait at the most: an emergency is not put off for an hour.
pub(crate) const ASKED_MOST: Duration = Duration::from_mins(5);
/// Before a text that may have been sent is sent again, µs.
const DOUBT_US: i64 = 15_000_000;
/// A text that may have been sent goes out so many times in all.
const DOUBTS_MAX: i64 = 2;
/// Reports that came before their text was known to be sent: so many, for so long, µs.
const EARLY: (usize, i64) = (64, 600_000_000);
/// So many texts are remembered as taken back while they may be on their way to a channel.
const TAKEN_BACK: usize = 64;
/// What only memory knows is offered to the disk again so often, µs.
const SETTLE_US: i64 = 10_000_000;
/// A disk that has not answered by then is gone for now: a text does not wait for it. It is the machine's time.
const DISK: Duration = Duration::from_millis(200);
/// A retry later than this belongs to a monotonic scale that is gone.
const SCALE_LOST_US: i64 = 10 * RETRY_MOST_US;

/// What can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The file.
    #[error("SMS outbox")]
    Database(#[from] sqlite::Error),
    /// The disk.
    #[error("SMS outbox: the disk does not answer")]
    Hangs,
}

/// How far a text has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits, for the first time or again.
    Queued,
    /// The network has it.
    Sent,
    /// It was handed over, and nobody knows.
    MaybeSent,
    /// On the phone.
    Delivered,
    /// It will never be sent.
    Rejected,
    /// The network gave it up.
    Undelivered,
    /// Taken back before it went out: it has become idle.
    Withdrawn,
}

/// A text to be queued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewText {
    /// The alert it is about.
    pub alert: Uuid,
    /// Who is texted.
    pub contact: Uuid,
    /// Their phone, E.164.
    pub to: String,
    /// What it says.
    pub text: String,
    /// The code in it.
    pub code: String,
    /// Why.
    pub reason: Reason,
    /// Which step of the ladder: the same reason comes again with the next.
    pub step: u32,
}

/// What became of a text that was to be queued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queued {
    /// It is on disk, under this id.
    Stored(i64),
    /// No disk takes it: it is in memory, under this id, and goes out.
    Kept(i64),
    /// It was queued before.
    Already,
}

/// A text in the outbox. Its JSON is a line of `medmon local sms`, times still in µs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// Its number; negative while it lives in memory only.
    pub id: i64,
    /// The alert it is about.
    pub alert: Uuid,
    /// Who is texted.
    pub contact: Uuid,
    /// Their phone, E.164.
    pub to: String,
    /// What it says.
    pub text: String,
    /// The code in it.
    pub code: String,
    /// Why.
    pub reason: Reason,
    /// Which step of the ladder.
    pub step: u32,
    /// How far it has come.
    pub state: State,
    /// How often it was handed over.
    pub attempts: i64,
    /// Why it was refused, or not sent yet.
    pub note: Option<String>,
    /// When it was queued, UTC µs.
    pub created_us: i64,
    /// When the network took it, or may have, UTC µs.
    pub submitted_us: Option<i64>,
    /// When it was on the phone, UTC µs.
    pub delivered_us: Option<i64>,
    /// Attempts of which nobody knows.
    #[serde(skip)]
    doubts: i64,
    /// The channel's name for it.
    #[serde(skip)]
    reference: Option<String>,
    /// The next attempt, monotonic µs.
    #[serde(skip)]
    next_mono_us: i64,
}

impl Row {
    /// Whether it is still to be handed over, for the first time or again.
    pub fn waits(&self) -> bool {
        match self.state {
            State::Queued => true,
            State::MaybeSent => self.doubts < DOUBTS_MAX,
            _ => false,
        }
    }

    /// The same over all attempts, and for no other text: whoever carries it can drop a repeat.
    pub fn key(&self) -> Uuid {
        Uuid::new_v5(&self.alert, format!("{}/{:?}/{}", self.contact, self.reason, self.step).as_bytes())
    }

    /// Names it among all: alert, contact, reason, step.
    fn name(&self) -> (Uuid, Uuid, Reason, u32) {
        (self.alert, self.contact, self.reason, self.step)
    }

    /// An attempt begins: until its outcome is known it may have been sent.
    fn begin(&mut self, clock: &Clock) {
        self.state = State::MaybeSent;
        self.attempts += 1;
        self.doubts += 1;
        self.next_mono_us = clock.mono_us() + DOUBT_US;
    }

    /// It does not go out, or not again.
    fn take_back(&mut self) {
        match self.state {
            State::MaybeSent => self.doubts = DOUBTS_MAX,
            _ => self.state = State::Withdrawn,
        }
    }

    fn end(&mut self, outcome: &Outcome, clock: &Clock) {
        match outcome {
            Outcome::Sent { reference } => {
                self.state = State::Sent;
                self.reference = Some(reference.clone());
                self.note = None;
                self.submitted_us = Some(clock.utc_us());
            }
            Outcome::MaybeSent => {
                self.submitted_us.get_or_insert(clock.utc_us());
                self.note = Some("the network did not answer".into());
                self.next_mono_us = clock.mono_us() + DOUBT_US;
            }
            Outcome::Rejected { reason } => {
                (self.state, self.note) = (State::Rejected, Some(reason.clone()));
                self.doubts -= 1;
            }
            Outcome::Unavailable { reason, retry_after } => {
                self.note = Some(reason.clone());
                self.doubts -= 1;
                if self.doubts == 0 {
                    self.state = State::Queued;
                }
                let usual = RETRY_FIRST_US << self.attempts.clamp(1, 6).unsigned_abs().saturating_sub(1);
                let asked = retry_after.map(|wait| wait.clamp(Duration::from_secs(1), ASKED_MOST).as_micros() as i64);
                self.next_mono_us = clock.mono_us() + asked.unwrap_or(usual.min(RETRY_MOST_US));
            }
        }
    }
}

/// What to do next.
#[derive(Clone, Debug, PartialEq)]
pub enum Due {
    /// Hand this one over.
    Now(Box<Row>),
    /// Wait so long, or until something is queued.
    In(Duration),
    /// Wait until something is queued.
    Nothing,
}

/// The outbox. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbox {
    database: Database,
    reserve: PathBuf,
    clock: Clock,
    patience: Option<Duration>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    queued: Notify,
    /// Whoever changes a text that is there reads it, and writes it, before the next does.
    turn: tokio::sync::Mutex<()>,
    memory: Mutex<Memory>,
}

#[derive(Debug, Default)]
struct Memory {
    /// Rows that no disk takes, and the newest state of rows that no disk takes.
    rows: BTreeMap<i64, Row>,
    /// Reports that came before their text was known to be sent: reference, whether delivered, monotonic µs.
    early: VecDeque<(String, bool, i64)>,
    /// Texts that were taken back; one of them may be in a channel's hands meanwhile.
    taken_back: VecDeque<(Uuid, Uuid, Reason, u32)>,
}

impl Outbox {
    /// Opens or creates the outbox at `path`, and sets `reserve_bytes` ([`RESERVE_BYTES`]) aside beside it.
    pub fn open(path: &Path, reserve_bytes: u64, clock: Clock) -> Result<Self, OutboxError> {
        Self::open_with(path, reserve_bytes, clock, sqlite::Options::default(), Some(DISK))
    }

    /// `patience`: how long the disk may take; a test whose time stands still has no end of it.
    pub(crate) fn open_with(
        path: &Path,
        reserve_bytes: u64,
        clock: Clock,
        options: sqlite::Options,
        patience: Option<Duration>,
    ) -> Result<Self, OutboxError> {
        let reserve = path.with_extension("reserve");
        let database = match Database::open(path, store::MIGRATIONS, options) {
            Err(error) if error.is_full() && release(&reserve) => Database::open(path, store::MIGRATIONS, options)?,
            other => other?,
        };
        if let Err(error) = set_aside(&reserve, reserve_bytes) {
            tracing::warn!(%error, "SMS outbox: no room for its reserve");
        }
        Ok(Self { database, reserve, clock, patience, shared: Arc::default() })
    }

    /// Queues a text, durably if any disk takes it.
    pub async fn queue(&self, new: NewText) -> Queued {
        {
            let mut memory = self.memory();
            memory.taken_back.retain(|name| *name != (new.alert, new.contact, new.reason, new.step));
            let rows = &mut memory.rows;
            rows.retain(|_, row| !(same(row, &new) && row.state == State::Withdrawn));
            if rows.values().any(|row| same(row, &new)) {
                return Queued::Already;
            }
        }
        let row = Row {
            id: 0,
            alert: new.alert,
            contact: new.contact,
            to: new.to,
            text: new.text,
            code: new.code,
            reason: new.reason,
            step: new.step,
            state: State::Queued,
            attempts: 0,
            note: None,
            created_us: self.clock.utc_us(),
            submitted_us: None,
            delivered_us: None,
            doubts: 0,
            reference: None,
            next_mono_us: self.clock.mono_us(),
        };
        let stored = row.clone();
        let queued = match self.write(move |db| store::insert(db, &stored)).await {
            Ok(Some(id)) => Queued::Stored(id),
            Ok(None) => Queued::Already,
            Err(error) => {
                tracing::error!(%error, "SMS outbox: a text is kept in memory");
                let rows = &mut self.memory().rows;
                let id = rows.keys().next().map_or(-1, |first| (first - 1).min(-1));
                rows.insert(id, Row { id, ..row });
                Queued::Kept(id)
            }
        };
        self.shared.queued.notify_one();
        queued
    }

    /// What to hand over next. In the order of queueing; a text that has to wait blocks no other.
    pub async fn due(&self) -> Due {
        match self.next().await {
            Due::Now(row) => Due::Now(row),
            wait => self.settle(wait).await,
        }
    }

    /// While nothing is to be handed over: a disk that is there again takes what only memory knows. Else a text that was
    /// sent meanwhile would wait there, and go out again after a restart.
    async fn settle(&self, wait: Due) -> Due {
        let _turn = self.shared.turn.lock().await;
        for row in self.kept() {
            if !self.keep(&row).await {
                let again = Duration::from_micros(SETTLE_US.unsigned_abs());
                return Due::In(if let Due::In(wait) = wait { wait.min(again) } else { again });
            }
        }
        wait
    }

    async fn next(&self) -> Due {
        let stored = self.read(store::waiting).await.unwrap_or_else(|error| {
            tracing::error!(%error, "SMS outbox: cannot be read");
            Vec::new()
        });
        let rows = self.newest_of(stored);
        let now = self.clock.mono_us();
        let mut soonest: Option<i64> = None;
        for row in rows.into_values().filter(Row::waits) {
            let wait = row.next_mono_us - now;
            if wait <= 0 || wait > SCALE_LOST_US {
                return Due::Now(Box::new(row));
            }
            soonest = Some(soonest.map_or(wait, |least| least.min(wait)));
        }
        soonest.map_or(Due::Nothing, |wait| Due::In(Duration::from_micros(wait.unsigned_abs())))
    }

    /// Waits until something is queued.
    pub async fn queued(&self) {
        self.shared.queued.notified().await;
    }

    /// Writes down that `row` is about to be handed over; `None` if it is not to be, taken back meanwhile.
    pub async fn begin(&self, mut row: Row) -> Option<Row> {
        let _turn = self.shared.turn.lock().await;
        let taken_back = self.is_taken_back(&row);
        if taken_back {
            row.take_back();
        } else {
            row.begin(&self.clock);
        }
        self.keep(&row).await;
        (!taken_back).then_some(row)
    }

    /// Writes down what became of it.
    pub async fn end(&self, mut row: Row, outcome: &Outcome) -> Row {
        let _turn = self.shared.turn.lock().await;
        row.end(outcome, &self.clock);
        if row.waits() && self.is_taken_back(&row) {
            row.take_back();
        }
        if let Some(delivered) = row.reference.as_ref().and_then(|reference| self.early(reference)) {
            self.deliver(&mut row, delivered);
        }
        self.keep(&row).await;
        row
    }

    /// Takes a text back that waits: it does not go out, or not again. `key`: alert, contact, reason, step.
    pub async fn withdraw(&self, key: (Uuid, Uuid, Reason, u32)) {
        {
            let taken_back = &mut self.memory().taken_back;
            taken_back.retain(|name| *name != key);
            if taken_back.len() >= TAKEN_BACK {
                taken_back.pop_front();
            }
            taken_back.push_back(key);
        }
        let _turn = self.shared.turn.lock().await;
        let stored = self.read(store::waiting).await.unwrap_or_default();
        let kept = self.kept();
        let mine = |row: &&Row| row.name() == key && row.waits();
        let Some(mut row) = kept.iter().chain(&stored).find(mine).cloned() else { return };
        row.take_back();
        self.keep(&row).await;
    }

    fn is_taken_back(&self, row: &Row) -> bool {
        self.memory().taken_back.contains(&row.name())
    }

    /// Takes in what the network says about a text; the text, if that is news.
    pub async fn delivery(&self, reference: &str, delivered: bool) -> Option<Row> {
        let _turn = self.shared.turn.lock().await;
        let wanted = reference.to_owned();
        let stored = self.read(move |db| store::by_reference(db, &wanted)).await.unwrap_or_default();
        let known = {
            let memory = self.memory();
            let mine = |row: &&Row| row.reference.as_deref() == Some(reference);
            memory.rows.values().filter(mine).max_by_key(|row| row.submitted_us).cloned().or(stored)
        };
        match known {
            Some(mut row) if row.state == State::Sent => {
                self.deliver(&mut row, delivered);
                self.keep(&row).await;
                Some(row)
            }
            _ => {
                let early = &mut self.memory().early;
                if early.len() >= EARLY.0 {
                    early.pop_front();
                }
                early.push_back((reference.to_owned(), delivered, self.clock.mono_us()));
                None
            }
        }
    }

    /// The newest `most` texts, newest first.
    pub async fn rows(&self, most: u32) -> Result<Vec<Row>, OutboxError> {
        let stored = self.read(move |db| store::newest(db, most)).await?;
        let mut rows: Vec<_> = self.newest_of(stored).into_values().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_us, row.id)));
        rows.truncate(most as usize);
        Ok(rows)
    }

    /// Forgets the texts of alerts whose newest was queued before `before_us` (UTC µs; 90 days ago is meant), because they
    /// carry telephone numbers; never one that waits, nor of an alert in `open`, which the ladder still asks about. How
    /// many went.
    pub async fn trim(&self, before_us: i64, open: &[Uuid]) -> Result<usize, OutboxError> {
        let open = serde_json::to_string(open).unwrap_or_default();
        self.write(move |db| store::trim(db, before_us, &open)).await
    }

    /// The texts that are in memory because no disk takes them, oldest first.
    pub fn kept(&self) -> Vec<Row> {
        let mut rows: Vec<_> = self.memory().rows.values().cloned().collect();
        rows.sort_by_key(|row| (row.created_us, std::cmp::Reverse(row.id)));
        rows
    }

    /// What is stored, and what memory knows better: a newer state, and a row that a slow disk took after all.
    fn newest_of(&self, stored: Vec<Row>) -> BTreeMap<i64, Row> {
        let memory = self.memory();
        let late = |row: &Row| memory.rows.values().any(|kept| kept.id < 0 && kept.name() == row.name());
        let stored = stored.into_iter().filter(|row| !late(row));
        stored.chain(memory.rows.values().cloned()).map(|row| (row.id, row)).collect()
    }

    fn deliver(&self, row: &mut Row, delivered: bool) {
        row.state = if delivered { State::Delivered } else { State::Undelivered };
        row.delivered_us = delivered.then(|| self.clock.utc_us());
    }

    fn early(&self, reference: &str) -> Option<bool> {
        let oldest = self.clock.mono_us() - EARLY.1;
        let early = &mut self.memory().early;
        early.retain(|(.., at)| *at >= oldest);
        let place = early.iter().position(|(name, ..)| name == reference)?;
        early.remove(place).map(|(_, delivered, _)| delivered)
    }

    /// On disk, or in memory as long as no disk takes it; whether on disk.
    async fn keep(&self, row: &Row) -> bool {
        let stored = row.clone();
        let written = self.write(move |db| store::settle(db, &stored)).await.is_ok();
        let rows = &mut self.memory().rows;
        if written {
            rows.remove(&row.id);
        } else {
            rows.insert(row.id, row.clone());
        }
        written
    }

    async fn write<T, F>(&self, work: F) -> Result<T, OutboxError>
    where
        T: Send + 'static,
        F: Fn(&Connection) -> Result<T, sqlite::Error> + Clone + Send + 'static,
    {
        self.within(async {
            match self.database.write(work.clone()).await {
                Err(error) if error.is_full() && release(&self.reserve) => {
                    tracing::error!("the disk is full: the SMS outbox uses its reserve");
                    self.database.write(work).await
                }
                other => other,
            }
        })
        .await
    }

    async fn read<T, F>(&self, work: F) -> Result<T, OutboxError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, sqlite::Error> + Send + 'static,
    {
        self.within(self.database.read(work)).await
    }

    /// A write that is given up goes on, and may be done later.
    async fn within<T>(&self, work: impl Future<Output = Result<T, sqlite::Error>>) -> Result<T, OutboxError> {
        match self.patience {
            None => Ok(work.await?),
            Some(patience) => Ok(tokio::time::timeout(patience, work).await.map_err(|_| OutboxError::Hangs)??),
        }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn same(row: &Row, new: &NewText) -> bool {
    row.name() == (new.alert, new.contact, new.reason, new.step)
}

/// Fills a file with zeros: a hole would keep nothing free.
fn set_aside(reserve: &Path, bytes: u64) -> io::Result<()> {
    if fs::metadata(reserve).is_ok_and(|found| found.len() == bytes) {
        return Ok(());
    }
    let fill = || {
        let mut file = fs::File::create(reserve)?;
        let zeros = [0; 1 << 13];
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(zeros.len() as u64);
            file.write_all(&zeros[..piece as usize])?;
            left -= piece;
        }
        file.sync_all()
    };
    // Half a reserve on a full disk helps nobody.
    fill().inspect_err(|_| {
        release(reserve);
    })
}

/// Gives the reserve up; `false` when there is none left.
fn release(reserve: &Path) -> bool {
    fs::remove_file(reserve).is_ok()
}

#[cfg(test)]
mod tests;
