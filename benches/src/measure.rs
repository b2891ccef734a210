//! Wall time and CPU time, and what runs have in common.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// CPU seconds of this process so far, all threads.
fn cpu_s() -> f64 {
    let now = clock_gettime(ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 / 1e9
}

/// What some work took.
#[derive(Clone, Copy, Debug)]
pub struct Spent {
    /// Seconds on the wall.
    pub wall_s: f64,
    /// CPU seconds of this process.
    pub cpu_s: f64,
}

/// Starts counting.
pub struct Stopwatch(Instant, f64);

impl Stopwatch {
    /// Now.
    pub fn start() -> Self {
        Self(Instant::now(), cpu_s())
    }

    /// Since the start.
    pub fn spent(&self) -> Spent {
        Spent { wall_s: self.0.elapsed().as_secs_f64(), cpu_s: cpu_s() - self.1 }
    }
}

/// CPU seconds of a process so far, user and system.
pub fn cpu_s_of(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    let ticks = |field: usize| after_name.split_whitespace().nth(field).and_then(|text| text.parse::<u64>().ok());
    let ticks = ticks(11).zip(ticks(12)).ok_or_else(|| anyhow::anyhow!("no times in /proc/{pid}/stat"))?;
    Ok((ticks.0 + ticks.1) as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// A line of `/proc/PID/status` in KiB: `VmRSS:`, `VmHWM:`.
pub fn kib_of(pid: u32, name: &str) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse().ok()).ok_or_else(|| anyhow::anyhow!("no {name}"))
}

/// Runs on a machine that others use too: how often each is done, of which the best is taken.
pub fn runs(quick: bool) -> usize {
    if quick { 1 } else { 3 }
}

/// The run with the smallest `key`.
pub fn best<T>(runs: Vec<T>, key: impl Fn(&T) -> f64) -> anyhow::Result<T> {
    let best = runs.into_iter().min_by(|a, b| key(a).total_cmp(&key(b)));
    best.ok_or_else(|| anyhow::anyhow!("no run"))
}

/// The value that `share` of `values` do not exceed, in ms.
pub fn quantile_ms(values: &mut [Duration], share: f64) -> f64 {
    values.sort_unstable();
    let index = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len().max(1)) - 1;
    values.get(index).map_or(f64::NAN, |value| value.as_secs_f64() * 1e3)
}

/// A runtime with two workers, for what the benches themselves do.
pub fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

/// A folder for what is written, on the disk that the workspace is on: a file in memory would know no sync.
pub fn folder() -> anyhow::Result<tempfile::TempDir> {
    let beside = std::env::current_exe()?;
    let beside = beside.parent().ok_or_else(|| anyhow::anyhow!("no folder"))?;
    Ok(tempfile::Builder::new().prefix("bench").tempdir_in(beside)?)
}
