//! Attribute reports as sensors send them: which cluster, attribute and type stands for which vital.
//!
//! Sources: ZCL for the standard clusters; for 0xFC80-0xFC82 this project's own cluster, manufacturer code 0xFFF1;
//! for 0xFC02 the SmartThings / Samjin multi sensor, code 0x110A. Not for: framing (dongle/zcl.rs).

/// This project's manufacturer code, for firmware it controls.
pub const MEDMON: u16 = 0xFFF1;
/// SmartThings / Samjin.
pub const SAMJIN: u16 = 0x110A;

/// Basic.
pub const CLUSTER_BASIC: u16 = 0x0000;
/// Power Configuration.
pub const CLUSTER_POWER: u16 = 0x0001;
/// Temperature Measurement.
pub const CLUSTER_TEMPERATURE: u16 = 0x0402;
/// Samjin acceleration.
pub const CLUSTER_SAMJIN: u16 = 0xFC02;
/// Heart rate of this project.
pub const CLUSTER_HEART_RATE: u16 = 0xFC80;
/// Glucose of this project.
pub const CLUSTER_GLUCOSE: u16 = 0xFC81;
/// Acceleration bursts of this project.
pub const CLUSTER_ACCELERATION: u16 = 0xFC82;

const UINT8: u8 = 0x20;
const UINT16: u8 = 0x21;
const INT16: u8 = 0x29;
const OCTETS: u8 = 0x41;

/// Most samples in a burst: 36 make 219 bytes, which still fits one AF_INCOMING_MSG.
pub const MAX_BURST: usize = 36;

/// One attribute record of a Report Attributes frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttributeReport {
    /// Cluster.
    pub cluster: u16,
    /// Manufacturer code, when the attribute is manufacturer-specific.
    pub mfr_code: Option<u16>,
    /// Attribute.
    pub attribute: u16,
    /// ZCL type id.
    pub kind: u8,
    /// The value as on the wire, little-endian, with the length byte of strings.
    pub raw: Vec<u8>,
}

impl AttributeReport {
    fn new(cluster: u16, mfr_code: Option<u16>, attribute: u16, kind: u8, raw: &[u8]) -> Self {
        Self { cluster, mfr_code, attribute, kind, raw: raw.to_vec() }
    }
}

/// Heart rate, bpm.
pub fn heart_rate(bpm: u16) -> AttributeReport {
    AttributeReport::new(CLUSTER_HEART_RATE, Some(MEDMON), 0, UINT16, &bpm.to_le_bytes())
}

/// Glucose, mg/dL.
pub fn glucose(mg_dl: u16) -> AttributeReport {
    AttributeReport::new(CLUSTER_GLUCOSE, Some(MEDMON), 0, UINT16, &mg_dl.to_le_bytes())
}

/// Temperature, in 0.01 °C.
pub fn temperature(centi_celsius: i16) -> AttributeReport {
    AttributeReport::new(CLUSTER_TEMPERATURE, None, 0, INT16, &centi_celsius.to_le_bytes())
}

/// Battery remaining, in half percent (200 = full).
pub fn battery_percent(half_percent: u8) -> AttributeReport {
    AttributeReport::new(CLUSTER_POWER, None, 0x0021, UINT8, &[half_percent])
}

/// Battery voltage, in 100 mV.
pub fn battery_voltage(decivolt: u8) -> AttributeReport {
    AttributeReport::new(CLUSTER_POWER, None, 0x0020, UINT8, &[decivolt])
}

/// A burst of acceleration samples in mg. `first` counts samples since the sensor started, modulo 65536; `rate` is in
/// Hz. Samples past [`MAX_BURST`] are left out.
pub fn acceleration_burst(first: u16, rate: u8, samples: &[[i16; 3]]) -> AttributeReport {
    let samples = &samples[..samples.len().min(MAX_BURST)];
    let mut raw = vec![(3 + 6 * samples.len()) as u8];
    raw.extend(first.to_le_bytes());
    raw.push(rate);
    raw.extend(samples.iter().flatten().flat_map(|axis| axis.to_le_bytes()));
    AttributeReport::new(CLUSTER_ACCELERATION, Some(MEDMON), 0, OCTETS, &raw)
}

/// One acceleration sample of a SmartThings multi sensor, mg: three attributes of one frame.
pub fn samjin_acceleration(sample: [i16; 3]) -> [AttributeReport; 3] {
    [0, 1, 2].map(|axis: usize| {
        let attribute = 0x0012 + axis as u16;
        AttributeReport::new(CLUSTER_SAMJIN, Some(SAMJIN), attribute, INT16, &sample[axis].to_le_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_laid_out_as_documented() {
        let burst = acceleration_burst(0x0102, 50, &[[1000, -1, 0]; 12]);
        assert_eq!(burst.raw.len(), 76);
        assert_eq!(burst.raw[..10], [75, 0x02, 0x01, 50, 0xE8, 0x03, 0xFF, 0xFF, 0, 0]);
    }
}
