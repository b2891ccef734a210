//! The mapping table: which attribute of which device is which vital. User rows come before the built-in ones; the
//! first row that matches wins. A report of another type is rejected and counted, never coerced.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use medmon_core::noun::{Ieee, Settings, Vital};

use super::network::hex;
use super::zcl::{self, Attribute, Record};

/// What a row's value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// A figure of this vital.
    Scalar(Vital),
    /// One axis of acceleration; three of one frame make a sample.
    Axis(usize),
    /// A burst of acceleration samples (medmon's own cluster 0xFC82).
    Burst,
}

/// One row as users write it (`[[gateway.zigbee.map]]`).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Glob on the Basic model.
    #[serde(default)]
    pub model: Option<String>,
    /// Glob on the Basic manufacturer.
    #[serde(default)]
    pub manufacturer: Option<String>,
    /// One device only.
    #[serde(default)]
    pub ieee: Option<Ieee>,
    /// One endpoint only.
    #[serde(default)]
    pub endpoint: Option<u8>,
    /// Cluster id.
    pub cluster: u16,
    /// Attribute id.
    pub attribute: u16,
    /// Manufacturer code; absent = any, including none.
    #[serde(default)]
    pub mfr_code: Option<u16>,
    /// ZCL type name; a report of another type is rejected.
    #[serde(rename = "type")]
    pub kind: String,
    /// `heart_rate`, `accel_x`, …
    pub vital: String,
    /// value = raw * scale + offset.
    #[serde(default = "one")]
    pub scale: f64,
    /// See `scale`.
    #[serde(default)]
    pub offset: f64,
    /// As documentation; must be the vital's unit.
    #[serde(default)]
    pub unit: Option<String>,
    /// Packed value: `i16le`.
    #[serde(default)]
    pub split: Option<String>,
    /// Which part of a packed value.
    #[serde(default)]
    pub index: usize,
    /// Below is a rejected reading.
    #[serde(default)]
    pub min: Option<f64>,
    /// Above is a rejected reading.
    #[serde(default)]
    pub max: Option<f64>,
}

fn one() -> f64 {
    1.0
}

/// A row ready for use.
#[derive(Clone, Debug)]
struct Rule {
    row: Row,
    kind: u8,
    target: Target,
}

/// Why a record became no reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// No row for it.
    Unmatched,
    /// A row is for it if the device is of the model that the row names, and it was not asked yet: with the next row's
    /// scale it could be another figure.
    Unidentified,
    /// The device says itself that it is invalid.
    Invalid,
    /// Another type than the row's.
    WrongType,
    /// Outside the row's plausible range.
    Implausible,
    /// A burst that is not laid out as one.
    Malformed,
}

/// What a record became.
#[derive(Clone, Debug, PartialEq)]
pub enum Mapped {
    /// A figure in the vital's unit.
    Scalar(Vital, f64),
    /// One axis in g.
    Axis(usize, f64),
    /// Counter of the first sample, rate, samples in mg.
    Burst {
        /// Counter of the first sample, wraps at 65536.
        counter: u16,
        /// Samples a second.
        rate_hz: u8,
        /// x, y, z in mg.
        xyz: Vec<[i16; 3]>,
    },
}

/// Who sent a record.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Device.
    pub ieee: Ieee,
    /// Its endpoint.
    pub endpoint: u8,
    /// Basic model; `None` = not asked yet.
    pub model: Option<&'a str>,
    /// Basic manufacturer; `None` = not asked yet.
    pub manufacturer: Option<&'a str>,
    /// Cluster.
    pub cluster: u16,
    /// Manufacturer code of the frame.
    pub mfr_code: Option<u16>,
}

/// How a device is to report one attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporting {
    /// Attribute id.
    pub attribute: u16,
    /// ZCL type id.
    pub kind: u8,
    /// Under which manufacturer code; `None` = the row names none.
    pub mfr_code: Option<u16>,
    /// Not more often than this, s.
    pub min_s: u16,
    /// Not less often than this, s.
    pub max_s: u16,
    /// Least change worth a report, as a value of the type; empty where the type is not analogue.
    pub change: Vec<u8>,
}

impl Reporting {
    /// As a record of Configure Reporting.
    pub fn record(&self) -> Vec<u8> {
        let mut record = vec![0];
        record.extend(self.attribute.to_le_bytes());
        record.push(self.kind);
        record.extend(self.min_s.to_le_bytes());
        record.extend(self.max_s.to_le_bytes());
        record.extend(&self.change);
        record
    }
}

/// What is worth a report of its own, in the vital's unit.
fn least_change(vital: Vital) -> f64 {
    match vital {
        Vital::TEMPERATURE | Vital::BATTERY_VOLTAGE => 0.1,
        _ => 1.0,
    }
}

/// All rows in force.
#[derive(Clone, Debug)]
pub struct Map {
    rules: Vec<Rule>,
}

impl Map {
    /// User rows before the built-in ones. A bad row is named by its number, with the remedy.
    pub fn new(user: &[Row]) -> Result<Self, String> {
        let rules = user
            .iter()
            .enumerate()
            .map(|(index, row)| rule(row.clone()).map_err(|problem| format!("row {}: {problem}", index + 1)));
        let mut rules: Vec<_> = rules.collect::<Result<_, _>>()?;
        rules.extend(built_in());
        Ok(Self { rules })
    }

    /// What of `origin`'s cluster carries vitals: what to configure there. The manufacturer code of `origin` is not looked
    /// at; the rows say which one to ask under.
    pub fn reporting(&self, origin: Origin<'_>, settings: &Settings) -> Vec<Reporting> {
        let mut found: Vec<Reporting> = Vec::new();
        for rule in self.rules.iter().filter(|rule| rule.fits(origin)) {
            if !found.iter().any(|known| known.attribute == rule.row.attribute) {
                found.push(rule.reporting(settings));
            }
        }
        found
    }

    /// Tells whether devices would be configured otherwise: another row, another cadence.
    pub fn setup(&self, settings: &Settings) -> String {
        let rows: Vec<_> = self.rules.iter().map(|rule| (&rule.row, rule.reporting(settings))).collect();
        hex(&Sha256::digest(format!("{rows:?}"))[..8])
    }

    /// What `record` from `origin` means.
    pub fn apply(&self, origin: Origin<'_>, record: &Record) -> Result<Mapped, Rejected> {
        let mut rules = self.rules.iter().filter(|rule| rule.matches(origin, record.attribute));
        let rule = rules.find(|rule| rule.names(origin) != Some(false)).ok_or(Rejected::Unmatched)?;
        if rule.names(origin).is_none() {
            return Err(Rejected::Unidentified);
        }
        if record.value == Attribute::Invalid {
            return Err(Rejected::Invalid);
        }
        if record.kind != rule.kind {
            return Err(Rejected::WrongType);
        }
        if rule.target == Target::Burst {
            return burst(&record.value).ok_or(Rejected::Malformed);
        }
        let raw = rule.raw(&record.value).ok_or(Rejected::Malformed)?;
        let value = raw * rule.row.scale + rule.row.offset;
        let low = rule.row.min.is_some_and(|min| value < min);
        let high = rule.row.max.is_some_and(|max| value > max);
        if low || high || !value.is_finite() {
            return Err(Rejected::Implausible);
        }
        Ok(match rule.target {
            // What a sample cannot hold would be clamped.
            Target::Axis(_) if !(-32.768..=32.767).contains(&value) => return Err(Rejected::Implausible),
            Target::Axis(axis) => Mapped::Axis(axis, value),
            Target::Scalar(vital) => Mapped::Scalar(vital, value),
            Target::Burst => return Err(Rejected::Malformed),
        })
    }
}

impl Rule {
    fn matches(&self, origin: Origin<'_>, attribute: u16) -> bool {
        self.row.attribute == attribute
            && self.row.mfr_code.is_none_or(|code| Some(code) == origin.mfr_code)
            && self.places(origin)
    }

    /// How often a device should report this: at least three times within what counts as silence.
    fn reporting(&self, settings: &Settings) -> Reporting {
        let (vital, least_change) = match self.target {
            Target::Scalar(vital) => (vital, least_change(vital)),
            Target::Axis(_) | Target::Burst => (Vital::ACCELERATION, 0.05),
        };
        let max_s = (settings.silence_s(vital) / 3).clamp(1, 0xFFFE) as u16;
        // Fast vitals as fast as the device likes to the second; a battery need not speak for every half percent.
        let min_s = match vital {
            Vital::ACCELERATION => 0,
            _ if settings.cadence_s(vital) > 600 => 60.min(max_s),
            _ => 1.min(max_s),
        };
        let change = (least_change / self.row.scale.abs()).max(f64::MIN_POSITIVE);
        Reporting {
            attribute: self.row.attribute,
            kind: self.kind,
            mfr_code: self.row.mfr_code,
            min_s,
            max_s,
            change: zcl::change(self.kind, change),
        }
    }

    fn fits(&self, origin: Origin<'_>) -> bool {
        self.places(origin) && self.names(origin) == Some(true)
    }

    fn places(&self, origin: Origin<'_>) -> bool {
        let row = &self.row;
        row.cluster == origin.cluster
            && row.ieee.is_none_or(|ieee| ieee == origin.ieee)
            && row.endpoint.is_none_or(|endpoint| endpoint == origin.endpoint)
    }

    /// Is it of the model and manufacturer that the row names, if any? `None`: it was not asked yet.
    fn names(&self, origin: Origin<'_>) -> Option<bool> {
        let fits = |pattern: Option<&str>, name: Option<&str>| match pattern {
            Some(pattern) => name.map(|name| glob(pattern, name)),
            None => Some(true),
        };
        match (
            fits(self.row.model.as_deref(), origin.model),
            fits(self.row.manufacturer.as_deref(), origin.manufacturer),
        ) {
            (Some(false), _) | (_, Some(false)) => Some(false),
            (model, manufacturer) => model.and(manufacturer),
        }
    }

    fn raw(&self, value: &Attribute) -> Option<f64> {
        match (value, self.row.split.is_some()) {
            (Attribute::Unsigned(raw), true) => Some(f64::from((raw >> (16 * self.row.index.min(3))) as u16 as i16)),
            (Attribute::Unsigned(raw), false) => Some(*raw as f64),
            (Attribute::Signed(raw), false) => Some(*raw as f64),
            (Attribute::Float(raw), false) => Some(*raw),
            (Attribute::Bytes(bytes), true) => {
                let pair = bytes.get(self.row.index * 2..self.row.index * 2 + 2)?;
                Some(f64::from(i16::from_le_bytes([pair[0], pair[1]])))
            }
            _ => None,
        }
    }
}

fn rule(row: Row) -> Result<Rule, String> {
    let kind = zcl::type_by_name(&row.kind)
        .ok_or_else(|| format!("type = \"{}\" is not a ZCL type; write int16, uint8, single, octstr, …", row.kind))?;
    let target = match row.vital.as_str() {
        "accel_x" => Target::Axis(0),
        "accel_y" => Target::Axis(1),
        "accel_z" => Target::Axis(2),
        "acceleration" if row.kind == "octstr" && row.split.is_none() => Target::Burst,
        name => Target::Scalar(Vital::by_name(name).ok_or_else(|| format!("vital = \"{name}\" is not known"))?),
    };
    if let Some(split) = row.split.as_deref().filter(|split| *split != "i16le") {
        return Err(format!("split = \"{split}\" is not known; the only one is i16le"));
    }
    if row.cluster == 0x000C && row.model.is_none() && row.endpoint.is_none() && row.ieee.is_none() {
        return Err("cluster 0x000C (Analog Input) says nothing by itself: name a model, endpoint or ieee".into());
    }
    Ok(Rule { row, kind, target })
}

fn built_in() -> impl Iterator<Item = Rule> {
    let row = |cluster, attribute, mfr_code, kind: &str, vital: &str, scale| Row {
        model: None,
        manufacturer: None,
        ieee: None,
        endpoint: None,
        cluster,
        attribute,
        mfr_code,
        kind: kind.into(),
        vital: vital.into(),
        scale,
        offset: 0.0,
        unit: None,
        split: None,
        index: 0,
        min: None,
        max: None,
    };
    let ours = Some(0xFFF1);
    [
        row(0x0402, 0x0000, None, "int16", "temperature", 0.01),
        row(0x0001, 0x0021, None, "uint8", "battery", 0.5),
        row(0x0001, 0x0020, None, "uint8", "battery_voltage", 0.1),
        row(0xFC02, 0x0012, None, "int16", "accel_x", 0.001),
        row(0xFC02, 0x0013, None, "int16", "accel_y", 0.001),
        row(0xFC02, 0x0014, None, "int16", "accel_z", 0.001),
        row(0xFC80, 0x0000, ours, "uint16", "heart_rate", 1.0),
        row(0xFC81, 0x0000, ours, "uint16", "glucose", 1.0),
        row(0xFC82, 0x0000, ours, "octstr", "acceleration", 0.001),
    ]
    .into_iter()
    .filter_map(|row| rule(row).ok())
}

/// u16 counter of the first sample, u8 rate, then n x three i16 in mg, little-endian.
fn burst(value: &Attribute) -> Option<Mapped> {
    let Attribute::Bytes(bytes) = value else { return None };
    let (head, samples) = bytes.split_at_checked(3)?;
    let rate_hz = head[2];
    if samples.is_empty() || samples.len() % 6 != 0 || rate_hz == 0 {
        return None;
    }
    let axis = |pair: &[u8]| i16::from_le_bytes([pair[0], pair[1]]);
    let xyz = samples.chunks(6).map(|s| [axis(&s[0..2]), axis(&s[2..4]), axis(&s[4..6])]).collect();
    Some(Mapped::Burst { counter: u16::from_le_bytes([head[0], head[1]]), rate_hz, xyz })
}

/// `*` any run, `?` any one character; nothing else is special.
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    fn go(pattern: &[char], text: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skip| go(rest, &text[skip..])),
            Some(('?', rest)) => !text.is_empty() && go(rest, &text[1..]),
            Some((letter, rest)) => text.first() == Some(letter) && go(rest, &text[1..]),
        }
    }
    let (pattern, text): (Vec<_>, Vec<_>) = (pattern.chars().collect(), text.chars().collect());
    // A model string is 32 characters at most; a longer one is not one, and would make stars expensive.
    text.len() <= 64 && pattern.len() <= 64 && go(&pattern, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: Origin<'static> = Origin {
        ieee: Ieee(1),
        endpoint: 1,
        model: Some("MULTI-7"),
        manufacturer: Some("Samjin"),
        cluster: 0xFC02,
        mfr_code: Some(0x110A),
    };

    fn record(attribute: u16, kind: u8, value: Attribute) -> Record {
        Record { attribute, kind, value }
    }

    fn user(text: &str) -> Result<Map, String> {
        #[derive(serde::Deserialize)]
        struct File {
            map: Vec<Row>,
        }
        Map::new(&serde_json::from_str::<File>(text).map_err(|error| error.to_string())?.map)
    }

    #[test]
    fn built_in_rows_read_what_our_own_firmware_and_the_standard_send() {
        let map = Map::new(&[]).unwrap();
        let at = |cluster, mfr_code| Origin { cluster, mfr_code, ..ORIGIN };
        let hr = map.apply(at(0xFC80, Some(0xFFF1)), &record(0, 0x21, Attribute::Unsigned(72)));
        assert_eq!(hr, Ok(Mapped::Scalar(Vital::HEART_RATE, 72.0)));
        let temperature = map.apply(at(0x0402, None), &record(0, 0x29, Attribute::Signed(3674)));
        assert_eq!(temperature, Ok(Mapped::Scalar(Vital::TEMPERATURE, 36.74)));
        assert_eq!(map.apply(ORIGIN, &record(0x13, 0x29, Attribute::Signed(-1000))), Ok(Mapped::Axis(1, -1.0)));
        let mut bytes = vec![5, 0, 50];
        bytes.extend([1_i16, -2, 1000].iter().flat_map(|axis| axis.to_le_bytes()));
        let burst = map.apply(at(0xFC82, Some(0xFFF1)), &record(0, 0x41, Attribute::Bytes(bytes)));
        assert_eq!(burst, Ok(Mapped::Burst { counter: 5, rate_hz: 50, xyz: vec![[1, -2, 1000]] }));
    }

    #[test]
    fn nothing_is_coerced_clamped_or_guessed() {
        let map = Map::new(&[]).unwrap();
        let ours = Origin { cluster: 0xFC80, mfr_code: Some(0xFFF1), ..ORIGIN };
        assert_eq!(map.apply(ours, &record(0, 0x20, Attribute::Unsigned(72))), Err(Rejected::WrongType));
        assert_eq!(map.apply(ours, &record(0, 0x21, Attribute::Invalid)), Err(Rejected::Invalid));
        let stranger = Origin { mfr_code: Some(1), ..ours };
        assert_eq!(map.apply(stranger, &record(0, 0x21, Attribute::Unsigned(72))), Err(Rejected::Unmatched));
        let burst = Origin { cluster: 0xFC82, ..ours };
        let short = record(0, 0x41, Attribute::Bytes(vec![0, 0, 50, 1, 2]));
        assert_eq!(map.apply(burst, &short), Err(Rejected::Malformed));
    }

    #[test]
    fn a_user_row_wins_and_bounds_reject() {
        let row = r#"{"map":[{"model":"MULTI*","cluster":64514,"attribute":18,"type":"int16","vital":"heart_rate",
            "scale":0.1,"min":20,"max":300}]}"#;
        let map = user(row).unwrap();
        let read = |raw| map.apply(ORIGIN, &record(0x12, 0x29, Attribute::Signed(raw)));
        assert_eq!(read(720), Ok(Mapped::Scalar(Vital::HEART_RATE, 72.0)));
        assert_eq!(read(9000), Err(Rejected::Implausible));
        // Not asked yet which model it is: the built-in row would make an acceleration of it.
        let unknown = Origin { model: None, manufacturer: None, ..ORIGIN };
        let value = record(0x12, 0x29, Attribute::Signed(720));
        assert_eq!(map.apply(unknown, &value), Err(Rejected::Unidentified));
        let named = Origin { model: Some(""), ..ORIGIN };
        assert_eq!(map.apply(named, &value), Ok(Mapped::Axis(0, 0.72)), "it has no name");
        assert_eq!(map.apply(unknown, &record(0x13, 0x29, Attribute::Signed(720))), Ok(Mapped::Axis(1, 0.72)));
        let coarse = r#"{"map":[{"cluster":64514,"attribute":18,"type":"int16","vital":"accel_x","scale":1.0}]}"#;
        assert_eq!(user(coarse).unwrap().apply(ORIGIN, &value), Err(Rejected::Implausible), "not 32.767 g");
        let packed = r#"{"map":[{"cluster":257,"attribute":1288,"type":"uint48","vital":"accel_y","split":"i16le",
            "index":1,"scale":0.001}]}"#;
        let origin = Origin { cluster: 257, ..ORIGIN };
        let value = record(1288, 0x25, Attribute::Unsigned(0x0001_FC18_0003));
        assert_eq!(user(packed).unwrap().apply(origin, &value), Ok(Mapped::Axis(1, -1.0)));
    }

    #[test]
    fn a_device_is_told_to_report_thrice_within_its_silence_time() {
        let map = Map::new(&[]).unwrap();
        let at = |cluster| map.reporting(Origin { cluster, mfr_code: None, ..ORIGIN }, &Settings::default());
        let temperature = at(0x0402);
        // 10 minutes of silence; 0.1 degC is 10 hundredths.
        assert_eq!((temperature[0].max_s, &temperature[0].change[..]), (200, &[10, 0][..]));
        assert_eq!(temperature[0].record(), [0, 0, 0, 0x29, 1, 0, 200, 0, 10, 0]);
        assert_eq!(at(0xFC82)[0].change, [0; 0], "an octet string is not analogue");
        let hourly = Settings { cadences: [(Vital::TEMPERATURE, 3600)].into(), ..Settings::default() };
        assert_ne!(map.setup(&hourly), map.setup(&Settings::default()), "devices are to be configured again");
        assert_eq!(map.setup(&Settings { version: 9, ..Settings::default() }), map.setup(&Settings::default()));
        assert_eq!((at(0xFC80)[0].mfr_code, at(0xFC02).len(), at(0x0006).len()), (Some(0xFFF1), 3, 0));
    }

    #[test]
    fn a_bad_row_is_named_with_its_remedy() {
        let analog = r#"{"map":[{"cluster":12,"attribute":85,"type":"single","vital":"glucose"}]}"#;
        let error = user(analog).unwrap_err();
        assert!(error.contains("row 1") && error.contains("name a model"), "{error}");
        let typo = r#"{"map":[{"cluster":1026,"attribute":0,"type":"int17","vital":"temperature"}]}"#;
        assert!(user(typo).unwrap_err().contains("int17"));
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in
            [("MULTI*", "MULTI-7", true), ("*", "", true), ("a?c", "abc", true), ("a", "A", false)]
        {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }
}
