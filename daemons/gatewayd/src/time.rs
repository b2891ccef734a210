//! TIME: the UTC that this gateway dates by, and how far it can be trusted (DESIGN, invariant 8).
//!
//! The gateway's UTC runs on the monotonic scale. It follows the machine's clock while that runs evenly; a step of the
//! machine's clock is believed only once the cloud or the kernel's NTP agrees, so a clock that jumps moves no reading.
//! After a boot nothing is believed at once: a board without a battery wakes up in 1970, or in its image's build year.
//! Not for: the monotonic scale across boots (install.rs), re-dating what came before (downsample.rs).

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use medmon_core::noun::{ClockQuality, MonoUs, UtcUs};
use medmon_kit::Clock;

/// 2024-01-01: a clock before it was never set.
const CLOCK_SET_US: UtcUs = 1_704_067_200_000_000;
const SECOND: i64 = 1_000_000;
/// The machine's clock may go away from ours by so much between two looks and is still followed: NTP slews, it does
/// not step, below half a second.
const SLEW_US: i64 = SECOND;
/// A reference agrees within so much. One that is coarser serves only where nothing is known at all.
const CLOSE_US: i64 = 2 * SECOND;
/// What is older than the last known time by more than this was never set.
const BEHIND_US: i64 = 120 * SECOND;
/// A machine that was off for longer than this has to prove its time.
const AHEAD_US: i64 = 30 * 86_400 * SECOND;
/// So long a plausible clock waits for somebody to agree; then it is used as it is.
const PATIENCE_US: i64 = 60 * SECOND;
/// A reference is good for so long; then the clock runs by itself.
const SYNCED_US: i64 = 86_400 * SECOND;
const LOOK: Duration = Duration::from_secs(1);
/// How often the kernel is asked while nothing is in doubt, and while something is.
const ASK_US: [i64; 2] = [600 * SECOND, 10 * SECOND];

/// Somebody else's UTC: what it was when our monotonic scale stood at `mono_us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reference {
    /// Monotonic µs here.
    pub mono_us: MonoUs,
    /// UTC µs there.
    pub utc_us: UtcUs,
    /// It may be wrong by so much, µs: half of what the answer took.
    pub within_us: i64,
}

/// The gateway's time, for a stage that has to know how far it can be trusted.
#[derive(Clone, Debug)]
pub struct Time {
    /// The gateway's clock.
    pub clock: Clock,
    /// How far its UTC can be trusted now.
    pub trust: watch::Receiver<ClockQuality>,
    /// The start of the gateway since which the machine is on.
    pub machine_since: u32,
}

/// All clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Sight {
    mono_us: MonoUs,
    /// The gateway's.
    held_us: UtcUs,
    /// The machine's.
    machine_us: UtcUs,
    /// What the cloud's must be now, if it was heard since the last look, and how coarsely that is known.
    reference: Option<(UtcUs, i64)>,
    /// Whether the kernel says that NTP disciplines the machine's clock.
    ntp: Option<bool>,
}

/// Decides which UTC is believed. Pure.
#[derive(Clone, Debug)]
pub struct Keeper {
    quality: ClockQuality,
    floor_us: UtcUs,
    since: MonoUs,
    /// A cloud is configured, so a reference may come.
    awaited: bool,
    /// When somebody last agreed.
    agreed: Option<MonoUs>,
    /// The machine's clock stands apart from ours since then.
    apart: Option<MonoUs>,
}

impl Keeper {
    /// After a start at `mono_us`. `quality` of a clock that has gone on since it was last judged; `Unset` after a boot.
    pub fn new(quality: ClockQuality, floor_us: UtcUs, awaited: bool, mono_us: MonoUs) -> Self {
        let floor_us = floor_us.max(CLOCK_SET_US);
        let agreed = (quality == ClockQuality::Synced).then_some(mono_us);
        Self { quality, floor_us, since: mono_us, awaited, agreed, apart: None }
    }

    /// The UTC to begin with: the machine's if it can be, else the last known.
    pub fn first(&self, machine_us: UtcUs) -> UtcUs {
        if self.plausible(machine_us) { machine_us } else { self.floor_us }
    }

    fn plausible(&self, utc_us: UtcUs) -> bool {
        // At the very first start nothing is known that it could be far ahead of.
        let known = self.floor_us > CLOCK_SET_US;
        utc_us >= self.floor_us - BEHIND_US && (!known || utc_us <= self.floor_us + AHEAD_US)
    }

    /// Looks at all clocks. `Some`: the gateway's UTC has to be this.
    fn look(&mut self, sight: Sight) -> Option<UtcUs> {
        let Sight { mono_us, held_us, machine_us, reference, ntp } = sight;
        let set = self.choose(sight);
        let near = |a: UtcUs, b: UtcUs, limit: i64| (a - b).abs() <= limit;
        let utc_us = set.unwrap_or(held_us);
        let fine = reference.is_some_and(|(at, within)| within <= CLOSE_US / 2 && near(at, utc_us, CLOSE_US));
        let agreed = fine || (ntp == Some(true) && near(machine_us, utc_us, SLEW_US));
        if agreed {
            self.agreed = Some(mono_us);
        }
        let aside = !near(machine_us, utc_us, SLEW_US);
        self.apart = aside.then(|| self.apart.unwrap_or(mono_us));
        let settled = self.quality != ClockQuality::Unset || set.is_some();
        self.quality = match self.agreed {
            Some(at) if mono_us - at < SYNCED_US && (agreed || !aside) => ClockQuality::Synced,
            _ if settled => ClockQuality::Holdover,
            _ => ClockQuality::Unset,
        };
        // What is agreed on also corrects a floor that a wrong clock had raised.
        self.floor_us = match self.quality {
            ClockQuality::Synced if agreed => utc_us,
            ClockQuality::Unset => self.floor_us,
            _ => self.floor_us.max(utc_us),
        };
        set
    }

    /// Whether the kernel is to be asked now. What it said before a step says nothing of the clock after it.
    fn asks(&self, aside: bool, asked: Option<MonoUs>, mono_us: MonoUs) -> bool {
        let doubt = self.quality == ClockQuality::Unset || self.apart.is_some();
        (aside && self.apart.is_none()) || asked.is_none_or(|at| mono_us - at >= ASK_US[usize::from(doubt)])
    }

    fn choose(&self, sight: Sight) -> Option<UtcUs> {
        let Sight { mono_us, held_us, machine_us, reference, ntp } = sight;
        let disciplined = ntp == Some(true) && machine_us >= CLOCK_SET_US;
        let unset = self.quality == ClockQuality::Unset;
        // NTP goes before the cloud: to follow both in turns, where one is wrong, would date every minute anew.
        if let Some((reference_us, within_us)) = reference.filter(|(_, within_us)| unset || *within_us <= CLOSE_US / 2)
            && !disciplined
        {
            // The machine's clock is finer than an answer over the network.
            let limit = CLOSE_US.max(within_us);
            let best = if (machine_us - reference_us).abs() <= limit { machine_us } else { reference_us };
            return (unset || (held_us - best).abs() > CLOSE_US || best == machine_us).then_some(best);
        }
        let believed = match self.quality {
            _ if disciplined => true,
            ClockQuality::Unset => self.plausible(machine_us) && (!self.awaited || mono_us - self.since >= PATIENCE_US),
            _ if (machine_us - held_us).abs() <= SLEW_US => true,
            // Somebody set it by hand, in a home where nobody else could ever say what time it is.
            _ => {
                !self.awaited
                    && self.agreed.is_none()
                    && self.plausible(machine_us)
                    && self.apart.is_some_and(|since| mono_us - since >= PATIENCE_US)
            }
        };
        believed.then_some(machine_us)
    }
}

/// Keeps `clock`'s UTC right until `stop`, and says how far it can be trusted.
pub async fn run(
    mut keeper: Keeper,
    clock: Clock,
    mut reference: watch::Receiver<Option<Reference>>,
    trust: watch::Sender<ClockQuality>,
    stop: CancellationToken,
) {
    let mut asked: Option<MonoUs> = None;
    let mut ntp = None;
    loop {
        let mono_us = clock.mono_us();
        let aside = (clock.machine_utc_us() - clock.utc_us()).abs() > SLEW_US;
        if !clock.is_system() {
            (asked, ntp) = (None, None);
        } else if keeper.asks(aside, asked, mono_us) {
            asked = Some(mono_us);
            ntp = kernel_ntp().await;
        }
        let heard = reference.has_changed().unwrap_or(false);
        let said = reference.borrow_and_update().filter(|_| heard);
        let mono_us = clock.mono_us();
        let sight = Sight {
            mono_us,
            held_us: clock.utc_us(),
            machine_us: clock.machine_utc_us(),
            reference: said.map(|at| (at.utc_us + mono_us - at.mono_us, at.within_us)),
            ntp,
        };
        if let Some(utc_us) = keeper.look(sight) {
            if (utc_us - sight.held_us).abs() > SLEW_US {
                tracing::warn!(by_s = (utc_us - sight.held_us) / SECOND, "the clock is set");
            }
            clock.set_utc(utc_us);
        }
        trust.send_if_modified(|trust| {
            let changed = *trust != keeper.quality;
            if changed {
                tracing::info!(quality = ?keeper.quality, "clock");
            }
            *trust = keeper.quality;
            changed
        });
        tokio::select! {
            () = clock.sleep(LOOK) => {}
            Ok(()) = reference.changed() => reference.mark_changed(),
            () = stop.cancelled() => return,
        }
    }
}

/// Whether the kernel's clock is disciplined, whichever NTP client does it. `None`: nobody here can tell.
async fn kernel_ntp() -> Option<bool> {
    let mut asking = tokio::process::Command::new("timedatectl");
    asking.args(["show", "--property=NTPSynchronized", "--value"]).stdin(std::process::Stdio::null());
    let asked = tokio::time::timeout(Duration::from_secs(2), asking.kill_on_drop(true).output()).await;
    match asked.ok()?.ok()?.stdout.as_slice() {
        b"yes\n" => Some(true),
        b"no\n" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UtcUs = 1_795_521_600 * SECOND;
    const HOUR: i64 = 3600 * SECOND;
    const YEAR: i64 = 365 * 24 * HOUR;

    /// A gateway's clock, second by second.
    struct World {
        keeper: Keeper,
        mono_us: MonoUs,
        /// UTC minus monotonic, of the gateway and of the machine.
        held: i64,
        machine: i64,
    }

    impl World {
        /// Booted at noon; the machine believes that it is `off_us` later.
        fn boot(off_us: i64, awaited: bool) -> Self {
            let keeper = Keeper::new(ClockQuality::Unset, NOON - HOUR, awaited, 0);
            let machine = NOON + off_us;
            let held = keeper.first(machine);
            Self { keeper, mono_us: 0, held, machine }
        }

        fn seconds(&mut self, count: i64, ntp: Option<bool>) {
            for _ in 0..count {
                self.second(None, ntp);
            }
        }

        fn second(&mut self, reference: Option<(UtcUs, i64)>, ntp: Option<bool>) {
            self.mono_us += SECOND;
            let (held_us, machine_us) = (self.held + self.mono_us, self.machine + self.mono_us);
            let sight = Sight { mono_us: self.mono_us, held_us, machine_us, reference, ntp };
            if let Some(utc_us) = self.keeper.look(sight) {
                self.held = utc_us - self.mono_us;
            }
        }

        fn cloud(&mut self) {
            self.second(Some((NOON + self.mono_us + SECOND, 0)), None);
        }

        /// How far the gateway's UTC is off, and its quality.
        fn state(&self) -> (i64, ClockQuality) {
            (self.held - NOON, self.keeper.quality)
        }
    }

    #[test]
    fn whatever_the_machine_believes_after_a_boot_the_cloud_settles_it() {
        for off in [0, HOUR, -HOUR, YEAR, -YEAR, -NOON] {
            let mut world = World::boot(off, true);
            world.seconds(30, None);
            assert_eq!(world.state().1, ClockQuality::Unset, "{off}");
            world.cloud();
            assert_eq!(world.state(), (0, ClockQuality::Synced), "{off}");
        }
    }

    #[test]
    fn without_a_cloud_a_plausible_clock_is_used_and_another_waits_to_be_set() {
        let mut world = World::boot(HOUR, false);
        world.seconds(1, None);
        assert_eq!(world.state(), (HOUR, ClockQuality::Holdover));
        let mut world = World::boot(-NOON, false);
        world.seconds(600, Some(false));
        assert_eq!(world.state(), (-HOUR, ClockQuality::Unset), "it goes on from the last known time");
        world.machine = NOON;
        world.seconds(1, Some(true));
        assert_eq!(world.state(), (0, ClockQuality::Synced));
        let first = Keeper::new(ClockQuality::Unset, 0, false, 0);
        assert_eq!((first.first(NOON), first.first(0)), (NOON, CLOCK_SET_US), "the very first start");
        // A cloud that does not come is waited for, not for ever.
        let mut world = World::boot(0, true);
        world.seconds(61, None);
        assert_eq!(world.state(), (0, ClockQuality::Holdover));
    }

    #[test]
    fn a_jump_moves_nothing_until_somebody_agrees_with_it() {
        for jump in [HOUR, -HOUR, YEAR, -YEAR] {
            let mut world = World::boot(0, true);
            world.cloud();
            world.machine += jump;
            world.seconds(7200, None);
            assert_eq!(world.state(), (0, ClockQuality::Holdover), "{jump}");
            world.cloud();
            assert_eq!(world.state(), (0, ClockQuality::Synced), "the cloud does not");
            world.machine -= jump;
            world.seconds(1, None);
            assert_eq!(world.state(), (0, ClockQuality::Synced));
        }
        // A clock that was wrong from the boot on and is set right.
        let mut world = World::boot(HOUR, true);
        world.seconds(100, None);
        assert_eq!(world.state(), (HOUR, ClockQuality::Holdover));
        world.machine = NOON;
        world.seconds(1, Some(true));
        assert_eq!(world.state(), (0, ClockQuality::Synced));
    }

    #[test]
    fn a_slew_is_followed_and_a_day_alone_is_holdover() {
        let mut world = World::boot(0, true);
        world.cloud();
        for _ in 0..20 {
            world.machine += SECOND / 4;
            world.seconds(1, None);
        }
        assert_eq!(world.state(), (5 * SECOND, ClockQuality::Synced));
        world.seconds(86_400, None);
        assert_eq!(world.state().1, ClockQuality::Holdover);
        // Set by hand, where nobody else says the time.
        let mut world = World::boot(0, false);
        world.seconds(1, None);
        world.machine += HOUR;
        world.seconds(59, None);
        assert_eq!(world.state().0, 0);
        world.seconds(3, None);
        assert_eq!(world.state(), (HOUR, ClockQuality::Holdover));
    }

    #[test]
    fn a_cloud_that_is_wrong_and_ntp_do_not_take_turns() {
        let mut world = World::boot(0, true);
        for _ in 0..10 {
            world.second(Some((NOON + HOUR + world.mono_us, 0)), Some(true));
            assert_eq!(world.state(), (0, ClockQuality::Synced));
            world.seconds(30, Some(true));
            assert_eq!(world.state(), (0, ClockQuality::Synced));
        }
    }

    #[test]
    fn what_ntp_said_before_a_step_is_asked_again_after_it() {
        let mut world = World::boot(0, true);
        world.seconds(1, Some(true));
        let (keeper, asked) = (&world.keeper, Some(world.mono_us));
        assert!(!keeper.asks(false, asked, world.mono_us + SECOND));
        assert!(keeper.asks(true, asked, world.mono_us + SECOND));
        world.machine += HOUR;
        world.seconds(1, Some(false));
        assert!(!world.keeper.asks(true, Some(world.mono_us), world.mono_us + SECOND), "not every second");
        assert_eq!(world.state(), (0, ClockQuality::Holdover));
    }

    #[test]
    fn a_slow_answer_serves_where_nothing_is_known_and_nowhere_else() {
        let mut world = World::boot(-NOON, true);
        let slow = |world: &World, off| Some((NOON + world.mono_us + SECOND + off, 8 * SECOND));
        world.second(slow(&world, 5 * SECOND), None);
        assert_eq!(world.state(), (5 * SECOND, ClockQuality::Holdover));
        world.second(slow(&world, -5 * SECOND), None);
        assert_eq!(world.state(), (5 * SECOND, ClockQuality::Holdover));
        world.cloud();
        assert_eq!(world.state(), (0, ClockQuality::Synced));
    }
}
