//! How soon a report is an event.

use std::path::PathBuf;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use medmon_gatewayd::Gateway;
use medmon_gatewayd::broker::Stage;
use medmon_gatewayd::config::GatewayConfig;
use medmon_kit::Clock;
use medmon_sim::{DeviceSpec, Dongle, DongleOptions, air};

use crate::figure::{Figure, Goal};
use crate::{line, measure};

const SENSOR: u64 = 0x0012_4b00_2a5c_0d01;
/// Between two reports: 200 a second.
const BEAT: Duration = Duration::from_millis(5);

/// Timed: from before the write of a heart rate report to the PTY until the decoded, identified and published reading is
/// in DETECT's hands (radio, COLLECT and the embedded broker in between, on two workers), at 200 reports a second. The
/// best of some runs: a machine that others use shows their work in a p99. The peer: until a thread that only counts
/// frames has it.
pub fn event(quick: bool) -> anyhow::Result<Vec<Figure>> {
    let count = if quick { 100 } else { 2000 };
    let (mut p50, mut p99, mut bare_p50, mut bare_p99) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..measure::runs(quick) {
        let mut took = through_the_gateway(count)?;
        p50.push(measure::quantile_ms(&mut took, 0.5));
        p99.push(measure::quantile_ms(&mut took, 0.99));
        let mut took = through_a_counter(count)?;
        bare_p50.push(measure::quantile_ms(&mut took, 0.5));
        bare_p99.push(measure::quantile_ms(&mut took, 0.99));
    }
    let best = |runs: Vec<f64>| measure::best(runs, |ms| *ms);
    let bare = "bare frame counter";
    Ok(vec![
        Figure::new("gateway/event_p50_ms", best(p50)?, "ms").beside(bare, best(bare_p50)?),
        Figure::new("gateway/event_p99_ms", best(p99)?, "ms").goal(Goal::AtMost(0.5)).beside(bare, best(bare_p99)?),
    ])
}

fn frame(network: u16, n: usize) -> Vec<u8> {
    line::report(network, n as u8, &air::heart_rate(70 + (n / 256 % 4) as u16))
}

fn differences(sent: &[Instant], seen: &[Instant]) -> Vec<Duration> {
    seen.iter().zip(sent).map(|(seen, sent)| seen.duration_since(*sent)).collect()
}

fn through_the_gateway(count: usize) -> anyhow::Result<Vec<Duration>> {
    let folder = measure::folder()?;
    let clock = Clock::system();
    // The other side of the line has a thread of its own, as another machine would.
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let dongle = other.block_on(async { Dongle::open(DongleOptions::default(), clock.clone()) })?;
    let network = dongle.know(DeviceSpec::sensor(SENSOR, "bench", &[]));
    let port = dongle.port().to_owned();
    let (seen_one, wait) = mpsc::channel();

    let runtime = measure::runtime()?;
    let _entered = runtime.enter();
    let mut config = GatewayConfig { data_dir: folder.path().to_owned(), ..GatewayConfig::default() };
    (config.radio.port, config.allow_unlisted) = (port, true);
    let gateway = runtime.block_on(Gateway::start(config, clock.clone()))?;
    let mut detect = gateway.local.broker.consume(Stage::Detect);
    runtime.spawn(async move { while detect.recv().await.is_some() && seen_one.send(Instant::now()).is_ok() {} });

    let sent = other.block_on(async {
        dongle.ready().await;
        // The first makes the sensor known and is not timed.
        dongle.raw(&frame(network, 0)).await;
        let mut sent = Vec::new();
        let mut beat = tokio::time::interval(BEAT);
        for n in 0..=count {
            beat.tick().await;
            if n > 0 {
                sent.push(Instant::now());
                dongle.raw(&frame(network, n)).await;
            }
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        sent
    });
    let seen: Vec<_> = wait.try_iter().skip(1).collect();
    runtime.block_on(gateway.stop());
    anyhow::ensure!(seen.len() == count, "{} of {count} reports were seen", seen.len());
    Ok(differences(&sent, &seen))
}

fn through_a_counter(count: usize) -> anyhow::Result<Vec<Duration>> {
    let other = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let pty = other.block_on(async { medmon_sim::Pty::open() })?;
    let port: PathBuf = pty.path().to_owned();
    let reader = std::thread::spawn(move || {
        let mut seen = Vec::new();
        line::count_frames(&port, |frames| {
            seen.resize(frames as usize, Instant::now());
            seen.len() < count
        })?;
        Ok::<_, std::io::Error>(seen)
    });
    let sent = other.block_on(async {
        let mut sent = Vec::new();
        let mut beat = tokio::time::interval(BEAT);
        for n in 0..count {
            beat.tick().await;
            sent.push(Instant::now());
            pty.write(&frame(1, n)).await;
        }
        sent
    });
    let seen = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))??;
    Ok(differences(&sent, &seen))
}
