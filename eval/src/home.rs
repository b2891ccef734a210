//! A patient with one sensor, and the real detectors over what it says.

use anyhow::Context as _;
use medmon_core::detect::glucose::Ahead;
use medmon_core::detect::{Detectors, Finding};
use medmon_core::noun::{
    ClockQuality, Device, Ieee, MonoUs, Place, Quality, Reading, ReadingId, Settings, Value, Vital,
};

use crate::table::Row;

/// Microseconds in a second.
pub const SECOND: MonoUs = 1_000_000;
const DEVICE: Ieee = Ieee(0x0012_4b00_2a5c_0d01);
/// 2026-06-01, for the ages.
const UTC_US: i64 = 1_780_272_000 * SECOND;

/// A cell with seconds (`12.5`) or a date and time (`2016-04-12 11:21:00`), in µs.
pub fn micros(row: Row<'_>, column: usize) -> anyhow::Result<MonoUs> {
    let text = row.text(column);
    if let Ok(seconds) = text.parse::<f64>() {
        return Ok((seconds * 1e6).round() as MonoUs);
    }
    let time: jiff::civil::DateTime = text.parse().with_context(|| format!("{}: `{text}` is no time", row.place()))?;
    let zoned = time.to_zoned_datetime(jiff::tz::TimeZone::UTC).with_context(|| row.place())?;
    Ok(zoned.timestamp().as_microsecond())
}

/// A patient of 40, whose sensor is expected to measure what it does.
#[derive(Debug)]
pub struct Home {
    settings: Settings,
    detectors: Detectors,
    sequence: u64,
    /// What was found so far.
    pub findings: Vec<Finding>,
}

impl Home {
    /// A sensor at `place`; limits where they differ from the defaults.
    pub fn new(vitals: &[Vital], place: Option<Place>, limits: &[(&str, f64)]) -> anyhow::Result<Self> {
        let device = Device { ieee: DEVICE, label: "sensor".into(), vitals: vitals.to_vec(), place };
        let mut settings = Settings { devices: vec![device], birth_year: Some(1986), ..Settings::default() };
        settings.limits.set(limits.iter().copied()).map_err(|error| anyhow::anyhow!("{error}"))?;
        let detectors = Detectors::new(&settings, 0);
        Ok(Self { settings, detectors, sequence: 0, findings: Vec::new() })
    }

    /// With other predictions of low glucose.
    #[must_use]
    pub fn looking(self, ahead: Ahead) -> Self {
        Self { detectors: self.detectors.looking(ahead), ..self }
    }

    /// A figure in the vital's unit.
    pub fn scalar(&mut self, vital: Vital, at_us: MonoUs, value: f64) {
        self.read(vital, at_us, Value::Scalar(vital.to_stored(value)));
    }

    /// A single sample of acceleration, g.
    pub fn acceleration(&mut self, at_us: MonoUs, axes: [f64; 3]) {
        let xyz = vec![axes.map(|g| (g * 1000.0).round() as i16)];
        self.read(Vital::ACCELERATION, at_us, Value::Samples { rate_hz: 0, lost: 0, xyz });
    }

    /// Time passes.
    pub fn tick(&mut self, at_us: MonoUs) {
        self.findings.extend(self.detectors.tick(at_us, &self.settings));
    }

    fn read(&mut self, vital: Vital, at_us: MonoUs, value: Value) {
        let reading = Reading {
            id: ReadingId { boot: 1, sequence: self.sequence },
            epoch: 1,
            device: DEVICE,
            endpoint: 1,
            vital,
            value,
            mono_us: at_us,
            utc_us: UTC_US + at_us,
            clock: ClockQuality::Synced,
            quality: Quality::Good,
            link_quality: 200,
        };
        self.sequence += 1;
        self.findings.extend(self.detectors.reading(&reading, &self.settings));
    }
}
