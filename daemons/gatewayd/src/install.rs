//! Who this gateway is, and which start of it this is: the identity that readings and envelopes carry.

use std::fs;
use std::io::Write as _;
use std::path::Path;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use medmon_core::noun::{ClockQuality, MonoUs, UtcUs};
use medmon_kit::Clock;

use crate::time::Keeper;

const FILE: &str = "install.json";
/// The id that this box enrols with as another install, written down before anybody is asked.
const ASKED: &str = "install.asked";
/// The same once it has enrolled: the next start takes it.
const NEXT: &str = "install.next";

/// The identity on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Install {
    /// Random, made at the first start; a restored SD card has the same one until it is enrolled anew.
    pub id: Uuid,
    /// Counts starts.
    pub boot: u32,
    /// Latest known UTC: no clock may start before it.
    pub utc_floor_us: UtcUs,
    /// The gateway's UTC and how far it was trusted, at `mono_us`.
    #[serde(default)]
    pub utc_us: UtcUs,
    /// See `utc_us`.
    #[serde(default = "unset")]
    pub clock: ClockQuality,
    /// The monotonic scale when this was written.
    pub mono_us: MonoUs,
    /// The machine's own, which begins anew at each boot.
    #[serde(default)]
    pub machine_mono_us: MonoUs,
    /// The start since which the machine has been on: later ones share its monotonic scale exactly.
    #[serde(default)]
    pub machine_since: u32,
    /// The kernel's boot id at that moment.
    pub machine_boot: String,
}

fn unset() -> ClockQuality {
    ClockQuality::Unset
}

impl Install {
    /// Counts this start and gives the clock whose monotonic scale goes on from the last one.
    ///
    /// The new count is on disk before anything is read under it, so that no reading id is ever used twice.
    pub fn begin(folder: &Path, clock: &Clock) -> std::io::Result<(Self, Clock)> {
        let machine_boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        let (now_mono, machine_utc) = (clock.mono_us(), clock.machine_utc_us());
        let fresh = || Self {
            id: Uuid::new_v4(),
            boot: 0,
            utc_floor_us: 0,
            utc_us: 0,
            clock: ClockQuality::Unset,
            mono_us: now_mono,
            machine_mono_us: now_mono,
            machine_boot: machine_boot.clone(),
            machine_since: 1,
        };
        let mut install = Self::read(folder)?.unwrap_or_else(fresh);
        let next = id_in(&folder.join(NEXT))?;
        install.id = next.unwrap_or(install.id);
        install.boot += 1;
        let on = now_mono - install.machine_mono_us;
        let clock = if install.machine_boot == machine_boot && on >= 0 && install.utc_us > 0 {
            // The machine has been on all the while: both scales have gone on.
            clock.resumed_at(install.mono_us + on).held_at(install.utc_us + on)
        } else {
            let keeper = Keeper::new(ClockQuality::Unset, install.utc_floor_us, false, now_mono);
            let utc_us = keeper.first(machine_utc);
            (install.clock, install.machine_since) = (ClockQuality::Unset, install.boot);
            let first = install.utc_us == 0;
            let resumed = if first { clock.clone() } else { clock.resumed_at(install.resumed(utc_us)) };
            resumed.held_at(utc_us)
        };
        install.machine_boot = machine_boot;
        install.keep(folder, &clock, install.clock)?;
        if next.is_some() {
            fs::remove_file(folder.join(NEXT))?;
        }
        Ok((install, clock))
    }

    fn read(folder: &Path) -> std::io::Result<Option<Self>> {
        match fs::read(folder.join(FILE)) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(std::io::Error::other),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Who this box is, also while its program runs; one that has never started becomes somebody now.
    pub fn id(folder: &Path, clock: &Clock) -> std::io::Result<Uuid> {
        match (id_in(&folder.join(NEXT))?, Self::read(folder)?) {
            (Some(next), _) => Ok(next),
            (None, Some(install)) => Ok(install.id),
            (None, None) => Ok(Self::begin(folder, clock)?.0.id),
        }
    }

    /// Another id for this box to enrol with; the same one until [`Self::renewed`]: an answer may get lost.
    pub fn another(folder: &Path) -> std::io::Result<Uuid> {
        let path = folder.join(ASKED);
        if let Some(asked) = id_in(&path)? {
            return Ok(asked);
        }
        let id = Uuid::new_v4();
        write_atomically(&path, id.to_string().as_bytes())?;
        Ok(id)
    }

    /// It has enrolled with [`Self::another`] and is that from its next start on.
    pub fn renewed(folder: &Path) -> std::io::Result<()> {
        fs::rename(folder.join(ASKED), folder.join(NEXT))
    }

    /// Where the monotonic scale goes on after a reboot: the kernel's begins again, so by what UTC says has passed. A
    /// clock that forgot the time says nothing; then by as much as readings can be younger than what was written down,
    /// or the detectors would take the next ones for older than the last.
    fn resumed(&self, utc_us: UtcUs) -> MonoUs {
        self.mono_us + (utc_us - self.utc_floor_us).max(crate::HOUSEKEEPING.as_micros() as i64)
    }

    /// Writes the present times down, as the floor of the next start.
    pub fn keep(&mut self, folder: &Path, clock: &Clock, quality: ClockQuality) -> std::io::Result<()> {
        (self.mono_us, self.machine_mono_us) = (clock.mono_us(), clock.machine_mono_us());
        (self.utc_us, self.clock) = (clock.utc_us(), quality);
        // A clock that is known to be right also corrects a floor that a wrong one had raised.
        let right = quality == ClockQuality::Synced;
        self.utc_floor_us = if right { self.utc_us } else { self.utc_floor_us.max(self.utc_us) };
        let bytes = serde_json::to_vec(self).map_err(std::io::Error::other)?;
        write_atomically(&folder.join(FILE), &bytes)
    }
}

/// The id that a file holds, if it is there.
fn id_in(path: &Path) -> std::io::Result<Option<Uuid>> {
    match fs::read_to_string(path) {
        Ok(text) => Uuid::try_parse(text.trim()).map(Some).map_err(std::io::Error::other),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Replaces a file so that a crash leaves the old or the new one, whole.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Named after the whole name: radio.json and radio.backup are written at the same time.
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The rename itself has to be durable too.
    fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_differ_only_in_their_extension_do_not_end_up_in_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for (name, byte) in [("radio.json", b'j'), ("radio.backup", b'b')] {
                let path = folder.path().join(name);
                scope.spawn(move || {
                    for _ in 0..200 {
                        write_atomically(&path, &[byte; 4000]).unwrap();
                        assert!(fs::read(&path).unwrap() == [byte; 4000], "{name}");
                    }
                });
            }
        });
    }

    #[tokio::test]
    async fn a_box_that_enrols_anew_is_another_from_its_next_start_on() {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let first = Install::id(folder.path(), &clock).unwrap();
        let (mut running, _) = Install::begin(folder.path(), &clock).unwrap();
        assert_eq!(running.id, first);
        let other = Install::another(folder.path()).unwrap();
        assert_eq!(Install::another(folder.path()).unwrap(), other, "asked again after a lost answer");
        assert_eq!(Install::id(folder.path(), &clock).unwrap(), first, "nobody has said yes");
        Install::renewed(folder.path()).unwrap();
        // The program that still runs writes its times down.
        running.keep(folder.path(), &clock, ClockQuality::Holdover).unwrap();
        assert_eq!(Install::id(folder.path(), &clock).unwrap(), other);
        for boot in [running.boot + 1, running.boot + 2] {
            let (again, _) = Install::begin(folder.path(), &clock).unwrap();
            assert_eq!((again.id, again.boot), (other, boot));
        }
        assert_ne!(Install::another(folder.path()).unwrap(), other);
    }

    #[tokio::test]
    async fn each_start_is_another_boot_and_the_scale_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let (first, clock) = Install::begin(folder.path(), &Clock::system()).unwrap();
        let before = clock.mono_us();
        let (second, again) = Install::begin(folder.path(), &Clock::system()).unwrap();
        assert_eq!((first.id, first.boot, second.boot, second.machine_since), (second.id, 1, 2, 1));
        assert!(again.mono_us() >= before);
        // A clock that starts at nought, as after a reboot, an hour later by UTC.
        let rebooted = Clock::scaled(1.0, second.utc_floor_us + 3_600_000_000);
        let (third, resumed) = Install::begin(folder.path(), &rebooted).unwrap();
        assert_eq!((third.boot, third.machine_since), (3, 3));
        let passed = resumed.mono_us() - second.mono_us;
        assert!((3_600_000_000..3_660_000_000).contains(&passed), "{passed}");
        // Again, on a machine whose clock begins in 1970.
        let (_, resumed) = Install::begin(folder.path(), &Clock::scaled(1.0, 0)).unwrap();
        assert!(resumed.mono_us() >= third.mono_us + 60_000_000, "readings of the last minute are older");
        assert!(resumed.utc_us() >= third.utc_us, "and nothing is dated before what is known");
    }
}
