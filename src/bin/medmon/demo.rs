//! `medmon demo`: the whole system in one process, on virtual patients or on recordings. Everything between the
//! virtual sensor and the screen is the real code; only bodies, dongles, modems and relatives are not.

mod summary;
mod world;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use medmon_api::Client;
use medmon_core::noun::Language;
use medmon_kit::Clock;
use medmon_sim::{Replay, Scenario};
use medmon_testkit::RabbitMq;
use tokio_util::sync::CancellationToken;

use self::world::World;
use crate::args::{Broker, DemoArgs, Output};
use crate::tui::{self, DashboardOptions};

/// Without a screen and without `--for`, the demo ends after all scenes.
const SCENES: Duration = Duration::from_mins(2);

/// Who is logged in at the dashboard.
const NURSE: &str = "A. Martin, nurse";

/// Runs the demo; the exit code is 8 when something was lost, missed or unexpected.
pub fn run(args: DemoArgs) -> anyhow::Result<ExitCode> {
    tokio::runtime::Runtime::new()?.block_on(play(&args))
}

async fn play(args: &DemoArgs) -> anyhow::Result<ExitCode> {
    let temporary = if args.data.is_none() { Some(TemporaryFolder::new()?) } else { None };
    let folder = match (&args.data, &temporary) {
        (Some(folder), _) => folder.clone(),
        (None, Some(temporary)) => temporary.0.clone(),
        (None, None) => PathBuf::new(),
    };
    anyhow::ensure!(
        !folder.join("cloud").exists(),
        "--data {}: a demo is kept there already; give another folder, or remove this one",
        folder.display()
    );
    std::fs::create_dir_all(&folder).with_context(|| format!("--data {}", folder.display()))?;
    let log = folder.join("demo.log");
    let file = std::fs::File::create(&log).with_context(|| format!("{}", log.display()))?;
    medmon_kit::logging::init(medmon_kit::logging::Format::Text, std::sync::Mutex::new(file));

    let clock = if args.speed == 1.0 { Clock::system() } else { Clock::scaled(args.speed, Clock::system().utc_us()) };
    let stop = CancellationToken::new();
    let scenario = scenario(args)?;
    // One for all homes, with a virtual host each; it ends with the demo.
    let rabbitmq = match args.broker {
        Broker::Embedded => None,
        Broker::Rabbitmq => Some(RabbitMq::start(&folder, scenario.homes.len()).context("--broker rabbitmq")?),
    };
    let world = World::build(scenario, rabbitmq.as_ref(), &folder, &clock).await?;
    let phone = world.phone_lines(&clock);
    let end = world.play(&clock, &stop);
    if !args.headless && std::io::stdout().is_terminal() {
        let client = Client::new(&world.url(), Some(&world.nurse_token))?;
        let options = DashboardOptions {
            client,
            user: NURSE.into(),
            phone: Some(phone),
            ward: None,
            read_only: false,
            privacy: false,
            // Where these homes are, so that the board and the texts tell one time.
            zone: jiff::tz::TimeZone::get(world::ZONE).unwrap_or(jiff::tz::TimeZone::UTC),
            language: Language::En,
            colour: std::env::var_os("NO_COLOR").is_none(),
        };
        let dashboard = stop.child_token();
        let shown = tui::run(options, dashboard.clone());
        tokio::pin!(shown);
        tokio::select! {
            ended = &mut shown => ended?,
            () = limit(args.run_for, &clock) => {
                dashboard.cancel();
                shown.await?;
            }
        }
    } else {
        tokio::select! {
            () = limit(Some(args.run_for.unwrap_or(SCENES)), &clock) => {}
            interrupted = tokio::signal::ctrl_c() => interrupted?,
        }
    }
    stop.cancel();
    let played = end.await??;
    let summary = world.finish(played, args, &clock).await?;
    summary.print(matches!(args.output, Output::Json | Output::Jsonl))?;
    if let Some(folder) = &args.data {
        eprintln!("kept in {}", folder.display());
    }
    Ok(if summary.good() { ExitCode::SUCCESS } else { ExitCode::from(8) })
}

fn scenario(args: &DemoArgs) -> anyhow::Result<Scenario> {
    let patients = usize::from(args.patients);
    let Some(folder) = &args.replay else { return Ok(Scenario::demo(patients, args.seed)) };
    let homes = Replay::open(folder)?.homes(patients)?;
    anyhow::ensure!(!homes.is_empty(), "--replay {}: no recording there", folder.display());
    Ok(Scenario { homes, link_cut: (f64::INFINITY, f64::INFINITY) })
}

async fn limit(duration: Option<Duration>, clock: &Clock) {
    match duration {
        Some(duration) => clock.sleep(duration).await,
        None => std::future::pending().await,
    }
}

/// A folder that goes with the demo.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("medmon-demo-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        Ok(Self(folder))
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
