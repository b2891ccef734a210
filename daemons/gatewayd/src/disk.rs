//! DISK: the gateway's own share of its disk. When it is nearly used up, what is worth least goes first: envelopes that
//! the cloud has, raw bursts and then other raw readings that are windows already, and only then what nobody else has.
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
        if let Err(error) = self.outbox.lose(unsaid.clone()).await {
            tracing::error!(%error, ?unsaid, "what was lost cannot be written down");
        }
    }

    /// `unsaid`: losses that could not be written down yet.
    async fn look(&self, growth: &mut Growth, unsaid: &mut Vec<Lost>) -> anyhow::Result<DiskState> {
        if !unsaid.is_empty() {
            self.outbox.lose(unsaid.clone()).await?;
            unsaid.clear();
        }
        let (mut now, volume_bytes) = self.measure()?;
        if now.excess(volume_bytes, false) == 0 {
            (now.days_left, now.written_bytes_per_day) = growth.take(self.clock.mono_us(), &now);
            return Ok(now);
        }
        now.low = Some(format!("{} MiB free, {} MiB kept here", now.free_bytes >> 20, now.used_bytes >> 20));
        tracing::warn!(disk = now.low, "the disk is nearly full: what is worth least is given up");
        for step in
            [Step::Acknowledged, Step::Raw(Worth::Bursts), Step::Raw(Worth::Taken), Step::Unsent, Step::Raw(Worth::Any)]
        {
            while self.measure()?.0.excess(volume_bytes, step.is_loss()) > 0 {
                // On a disk that is full to the last byte even giving up may fail; the next step may still help.
                match self.give_up(step, unsaid).await {
                    Ok(0) => break,
                    Ok(rows) => tracing::info!(?step, rows, "given up for room"),
                    Err(error) => {
                        tracing::error!(?step, %error, "cannot be given up");
                        break;
                    }
                }
            }
        }
        let (after, _) = self.measure()?;
        Ok(DiskState { low: now.low, ..after })
    }

    /// Gives up some of a kind, says what was lost by it, and gives the room back. How many rows went.
    async fn give_up(&self, step: Step, unsaid: &mut Vec<Lost>) -> anyhow::Result<u64> {
        let (rows, lost) = match step {
            Step::Acknowledged => (self.outbox.give_up_acknowledged(CHUNK / 50).await?, Vec::new()),
            Step::Raw(worth) => self.broker.give_up(worth, CHUNK).await?,
            Step::Unsent => self.outbox.give_up_unsent(CHUNK / 50).await?,
        };
        unsaid.extend(lost);
        self.outbox.give_back().await?;
        self.broker.give_back().await?;
        self.outbox.lose(unsaid.clone()).await?;
        unsaid.clear();
        Ok(rows)
    }

    /// The state now, and the size of the volume.
    fn measure(&self) -> std::io::Result<(DiskState, u64)> {
        let volume = rustix::fs::statvfs(&self.folder)?;
        let (volume_bytes, free_bytes) = (volume.f_blocks * volume.f_frsize, volume.f_bavail * volume.f_frsize);
        let used_bytes = size(&self.folder)?;
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
    /// Raw readings.
    Raw(Worth),
    /// Envelopes that it does not have, oldest first.
    Unsent,
}

impl Step {
    fn is_loss(self) -> bool {
        matches!(self, Self::Unsent | Self::Raw(Worth::Any))
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
