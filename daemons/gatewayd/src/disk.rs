//! DISK: the gateway's own share of its disk. When it is nearly used up, what is worth least goes first: envelopes that
//! the cloud has, raw bursts and segments, then other raw readings that are windows already, and only then what nobody else has.
//! That is a loss: it becomes a gap, which travels and is drawn. When it is others who fill the volume, what is a loss is
//! not given up for them. Texts, facts and open windows are never given up, and this program writes no log files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use medmon_core::noun::MonoUs;
use medmon_kit::Clock;

use crate::broker::{Broker, Worth};
use crate::outbox::{Lost, Outbox};

const LOOK: Duration = Duration::from_secs(10);
/// Rows given up between two looks at the disk.
const CHUNK: u32 = 5000;
/// Of the volume, this share stays free for everybody else, 1 in so many.
const FREE_SHARE: u64 = 20;
/// Growth is measured over so much at least, and a day at most.
const GROWTH_US: [MonoUs; 2] = [600_000_000, 86_400_000_000];
const DAY_US: f64 = 86_400e6;

/// How the disk is, for `medmon local status`.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize)]
pub struct DiskState {
    /// What this gateway keeps, bytes.
    pub used_bytes: u64,
    /// What it may keep, bytes.
    pub quota_bytes: u64,
    /// Free on the volume, bytes.
    pub free_bytes: u64,
    /// Until the quota is reached at the present rate; absent: it does not grow, or is not known yet.
    pub days_left: Option<f64>,
    /// What this program writes to the disk in a day at the present rate, bytes; flash wears by it.
    pub written_bytes_per_day: Option<u64>,
    /// Why something has to be given up.
    pub low: Option<String>,
}

impl DiskState {
    /// Bytes that have to go: what is over the quota, and of what is no loss also what others miss.
    fn excess(&self, volume_bytes: u64, loss: bool) -> u64 {
        let over_quota = self.used_bytes.saturating_sub(self.quota_bytes);
        let missing = (volume_bytes / FREE_SHARE).saturating_sub(self.free_bytes);
        if loss { over_quota } else { over_quota.max(missing) }
    }
}

/// Everything that takes room.
pub struct Disk {
    /// Where.
    pub folder: PathBuf,
    /// Most it may be, bytes.
    pub quota_bytes: u64,
    /// Envelopes, and where losses are written down.
    pub outbox: Outbox,
    /// Readings.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Clock,
}

impl Disk {
    /// Runs until whoever loses readings has ended.
    pub async fn run(self, state: watch::Sender<DiskState>, mut lost: mpsc::UnboundedReceiver<Lost>) {
        let (mut growth, mut unsaid) = (Growth::default(), Vec::new());
        let mut open = true;
        while open {
            match self.look(&mut growth, &mut unsaid).await {
                Ok(now) => {
                    state.send_replace(now);
                }
                Err(error) => tracing::error!(%error, "the disk cannot be looked after"),
            }
            let next = self.clock.mono_us() + LOOK.as_micros() as i64;
            open = loop {
                tokio::select! {
                    loss = lost.recv() => match loss {
                        Some(loss) => unsaid.push(loss),
                        None => break false,
                    },
                    () = self.clock.sleep_until(next) => break true,
                }
            };
        }
        self.say(&mut unsaid).await;
    }

    /// `unsaid`: losses that could not be written down yet.
    async fn look(&self, growth: &mut Growth, unsaid: &mut Vec<Lost>) -> anyhow::Result<DiskState> {
        self.say(unsaid).await;
        let (mut now, volume_bytes) = self.measure().await?;
        if now.excess(volume_bytes, false) == 0 {
            (now.days_left, now.written_bytes_per_day) = growth.take(self.clock.mono_us(), &now);
            return Ok(now);
        }
        now.low = Some(format!("{} MiB free, {} MiB kept here", now.free_bytes >> 20, now.used_bytes >> 20));
        tracing::warn!(disk = now.low, "the disk is nearly full: what is worth least is given up");
        for step in STEPS {
            if !self.make_room(step, volume_bytes, unsaid).await? {
                // What is worth more does not go because of what is only in the way, such as a busy file.
                break;
            }
        }
        let (after, _) = self.measure().await?;
        Ok(DiskState { low: now.low, ..after })
    }

    /// Gives up of a kind as long as room is missing. `false`: that does not make room now.
    async fn make_room(&self, step: Step, volume_bytes: u64, unsaid: &mut Vec<Lost>) -> anyhow::Result<bool> {
        loop {
            let (before, _) = self.measure().await?;
            if before.excess(volume_bytes, step.is_loss()) == 0 {
                return Ok(true);
            }
            match self.give_up(step, unsaid).await {
                Ok(0) => return Ok(true),
                Ok(rows) => tracing::info!(?step, rows, "given up for room"),
                Err(error) => {
                    tracing::error!(?step, %error, "cannot be given up; tried again");
                    return Ok(false);
                }
            }
            if step.is_loss() && self.measure().await?.0.used_bytes >= before.used_bytes {
                tracing::error!(?step, "giving up makes no room; nothing more is lost for it now");
                return Ok(false);
            }
        }
    }

    /// Gives up some of a kind, says what was lost by it, and gives the room back. How many rows went.
    async fn give_up(&self, step: Step, unsaid: &mut Vec<Lost>) -> anyhow::Result<u64> {
        let rows = match step {
            Step::Acknowledged => self.outbox.give_up_acknowledged(CHUNK / 50).await?,
            Step::Unsent => self.outbox.give_up_unsent(CHUNK / 50).await?,
            Step::Held => self.outbox.give_up_held(CHUNK).await?,
            Step::Segments => self.outbox.give_up_segments(CHUNK / 500).await?,
            Step::Raw(worth) => {
                let (rows, lost) = self.broker.give_up(worth, CHUNK).await?;
                unsaid.extend(lost);
                // At once: nobody else knows of them any more.
                self.say(unsaid).await;
                self.broker.give_back().await?;
                return Ok(rows);
            }
        };
        self.outbox.give_back().await?;
        Ok(rows)
    }

    /// Writes losses down; what cannot be is said later.
    async fn say(&self, unsaid: &mut Vec<Lost>) {
        if unsaid.is_empty() {
            return;
        }
        match self.outbox.lose(unsaid.clone()).await {
            Ok(()) => unsaid.clear(),
            Err(error) => tracing::error!(%error, ?unsaid, "what was lost cannot be written down yet"),
        }
    }

    /// The state now, and the size of the volume.
    async fn measure(&self) -> anyhow::Result<(DiskState, u64)> {
        let folder = self.folder.clone();
        // Elsewhere: a card that hangs must not hold up an emergency.
        let asked =
            tokio::task::spawn_blocking(move || std::io::Result::Ok((rustix::fs::statvfs(&folder)?, size(&folder)?)));
        let (volume, used_bytes) = asked.await??;
        let (volume_bytes, free_bytes) = (volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize);
        // On a small volume, what may be kept is what is there.
        let quota_bytes = self.quota_bytes.min(volume_bytes - volume_bytes / FREE_SHARE);
        Ok((DiskState { used_bytes, quota_bytes, free_bytes, ..DiskState::default() }, volume_bytes))
    }
}

/// What is given up, in this order.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Envelopes that the cloud has.
    Acknowledged,
    /// Raw readings around alerts.
    Segments,
    /// Raw readings.
    Raw(Worth),
    /// Envelopes that it does not have, oldest first.
    Unsent,
    /// Readings that nobody can date.
    Held,
}

const STEPS: [Step; 7] = [
    Step::Acknowledged,
    Step::Raw(Worth::Bursts),
    Step::Segments,
    Step::Raw(Worth::Taken),
    Step::Unsent,
    Step::Held,
    Step::Raw(Worth::Any),
];

impl Step {
    fn is_loss(self) -> bool {
        matches!(self, Self::Unsent | Self::Held | Self::Raw(Worth::Any))
    }
}

/// Bytes of the files in `folder`.
fn size(folder: &Path) -> std::io::Result<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder)? {
        // A file that has just gone takes no room.
        sum += entry?.metadata().map_or(0, |data| if data.is_file() { data.len() } else { 0 });
    }
    Ok(sum)
}

/// How quickly the disk fills and wears.
#[derive(Debug, Default)]
struct Growth {
    /// Time, bytes kept, bytes written since the start of the program; about one an hour.
    marks: Vec<(MonoUs, u64, u64)>,
}

impl Growth {
    /// Days left and bytes written a day.
    fn take(&mut self, now: MonoUs, state: &DiskState) -> (Option<f64>, Option<u64>) {
        let written = written_bytes().unwrap_or(0);
        if self.marks.last().is_none_or(|(at, ..)| now - at >= 3_600_000_000) {
            self.marks.push((now, state.used_bytes, written));
        }
        self.marks.retain(|(at, ..)| now - at <= GROWTH_US[1]);
        let Some(&(since, used, wrote)) = self.marks.first().filter(|(at, ..)| now - at >= GROWTH_US[0]) else {
            return (None, None);
        };
        let days = (now - since) as f64 / DAY_US;
        let grown = state.used_bytes.saturating_sub(used) as f64 / days;
        let room = state.quota_bytes.saturating_sub(state.used_bytes).min(state.free_bytes) as f64;
        let left = (grown > 0.0).then(|| (room / grown * 10.0).round() / 10.0);
        (left, (written > 0).then(|| (written.saturating_sub(wrote) as f64 / days) as u64))
    }
}

/// Bytes that this program has caused to be written to a disk since it started (proc(5), /proc/self/io).
fn written_bytes() -> Option<u64> {
    let io = std::fs::read_to_string("/proc/self/io").ok()?;
    io.lines().find_map(|line| line.strip_prefix("write_bytes: "))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_to_go_is_what_is_over_the_quota_or_missing_for_others() {
        let state =
            |used_bytes, free_bytes| DiskState { used_bytes, free_bytes, quota_bytes: 100, ..DiskState::default() };
        assert_eq!(state(90, 50).excess(1000, false), 0);
        assert_eq!(state(130, 500).excess(1000, true), 30);
        assert_eq!(state(90, 20).excess(1000, false), 30);
        assert_eq!(state(90, 20).excess(1000, true), 0, "nothing is lost for others");
    }

    /// A reader who stays keeps the files as long as they are, however much is given up.
    #[tokio::test]
    async fn nothing_is_lost_for_room_that_does_not_come() {
        use medmon_core::noun::{Envelope, Vital, Window};

        let folder = tempfile::tempdir().unwrap();
        let outbox = Outbox::open(folder.path()).unwrap();
        let broker: Arc<dyn Broker> = Arc::new(crate::broker::Embedded::open(folder.path()).await.unwrap());
        let window = |at: i64| Window::of(Vital::HEART_RATE, at * 60_000_000, (at * at * at % 1499) as i32, 1000, true);
        let envelope = |sequence: u64| {
            let windows = (0..1000).map(window).collect();
            Envelope {
                install: uuid::Uuid::nil(),
                stream: 0,
                sequence,
                epoch: 1,
                sealed_us: 0,
                windows,
                gaps: Vec::new(),
            }
        };
        let batch = crate::outbox::Batch { sealed: (1..=300).map(envelope).collect(), ..Default::default() };
        outbox.commit(&crate::downsample::State::default(), batch).await.unwrap();
        let disk =
            Disk { folder: folder.path().to_owned(), quota_bytes: 400 << 10, outbox, broker, clock: Clock::system() };
        let look = async || disk.look(&mut Growth::default(), &mut Vec::new()).await.unwrap();
        let reader = rusqlite::Connection::open(folder.path().join("outbox.sqlite")).unwrap();
        reader.execute_batch("BEGIN; SELECT count(*) FROM envelope").unwrap();
        let first = look().await;
        assert!(first.low.is_some(), "{first:?}");
        let left = disk.outbox.depth().await.unwrap().waiting;
        assert!(left >= 200, "{left}: one try is enough");
        drop(reader);
        look().await;
        let (after, lost) = (disk.outbox.depth().await.unwrap().waiting, disk.outbox.lost(true).await.unwrap());
        assert!(after < left && look().await.low.is_none(), "{after}");
        assert_eq!(lost.iter().map(|(_, lost, _)| i64::from(lost.gap.lost)).sum::<i64>(), (300 - after) * 1000);
    }

    #[test]
    fn days_left_follow_from_what_was_added_since() {
        let mut growth = Growth::default();
        let state =
            |used_bytes| DiskState { used_bytes, free_bytes: 1 << 40, quota_bytes: 1000, ..DiskState::default() };
        assert_eq!(growth.take(0, &state(100)).0, None);
        let half_a_day = DAY_US as i64 / 2;
        assert_eq!(growth.take(half_a_day, &state(200)).0, Some(4.0));
        assert_eq!(growth.take(half_a_day, &state(100)).0, None, "it does not grow");
    }
}
