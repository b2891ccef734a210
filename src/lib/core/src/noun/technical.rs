//! The technical conditions: what can be wrong with the equipment, in one table.
//!
//! An alert about equipment names its condition here: how urgent, what it means, what to do, and what may be behind it.
//! Its episode is known by the assignment, the condition and the device; the direction is always `Absent`. Not for: when a condition holds (the gateway's health stage; silence and its like have detectors of their own).

use super::{Condition, Priority, Vital};

/// One row.
#[derive(Debug)]
pub struct Technical {
    /// Its code in files and API.
    pub condition: Condition,
    /// What it is about. Of silence: the vital that is silent.
    pub vital: Vital,
    /// How urgent.
    pub priority: Priority,
    /// What it means.
    pub text: &'static str,
    /// What to do.
    pub remedy: &'static str,
    /// While one of these holds, this one is its consequence and is not told.
    pub depends_on: &'static [Condition],
    /// It has to hold for so long before anybody is told, s.
    pub visible_after_s: u32,
    /// It has to be over for so long, s.
    pub clears_after_s: u32,
}

/// The table. A sensor's silence, a thermometer taken off, two sensors under one identity and a limited accelerometer are
/// judged by detectors,
/// with waits of their own (CLINICAL.md).
pub const TECHNICAL: &[Technical] = &[
    Technical {
        condition: Condition::GatewayDeaf,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "the gateway hears no sensor",
        remedy: "look whether the Zigbee dongle is plugged in and its light is on; `medmon local status` says what is wrong",
        depends_on: &[],
        visible_after_s: 60,
        clears_after_s: 0,
    },
    Technical {
        condition: Condition::Silence,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "an expected vital is not heard",
        remedy: "look at the patient, then at the sensor: worn, charged, within reach of the gateway",
        depends_on: &[Condition::GatewayDeaf],
        visible_after_s: 0,
        clears_after_s: 0,
    },
    Technical {
        condition: Condition::SensorOff,
        vital: Vital::TEMPERATURE,
        priority: Priority::Medium,
        text: "the sensor is off the body, or the person cools quickly",
        remedy: "look at the patient, then put the sensor back on",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 600,
    },
    Technical {
        condition: Condition::TwoSources,
        vital: Vital::GLUCOSE,
        priority: Priority::Medium,
        text: "two sensors seem to speak under one identity",
        remedy: "look at the assignment: `medmon device history` names every patient a sensor was given to",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 900,
    },
    Technical {
        condition: Condition::FallLimited,
        vital: Vital::ACCELERATION,
        priority: Priority::Medium,
        text: "fall detection is limited: the accelerometer is too slow or cut off",
        remedy: "look at the link (lost samples) and at the sensor's settings: 12.5 samples a second at least; at the wrist a range of 8 g or more",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 60,
    },
    Technical {
        condition: Condition::LowBattery,
        vital: Vital::BATTERY,
        priority: Priority::Low,
        text: "a sensor's battery is nearly empty",
        remedy: "change or charge it; until then its vitals may fall silent at any time",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 60,
    },
    Technical {
        condition: Condition::WeakLink,
        vital: Vital::LINK_QUALITY,
        priority: Priority::Low,
        text: "a sensor is at the edge of the radio's reach",
        remedy: "move the gateway nearer, or put a mains-powered Zigbee router between them",
        depends_on: &[Condition::GatewayDeaf],
        visible_after_s: 1800,
        clears_after_s: 1800,
    },
    Technical {
        condition: Condition::ModemDown,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "the gateway cannot text",
        remedy: "look at the modem's power, its SIM (PIN, credit) and its antenna",
        depends_on: &[],
        visible_after_s: 300,
        clears_after_s: 60,
    },
    Technical {
        condition: Condition::ClockUnsure,
        vital: Vital::GATEWAY,
        priority: Priority::Low,
        text: "nobody confirms the gateway's time",
        remedy: "look whether it reaches the cloud or an NTP server; readings are kept and dated once it does",
        depends_on: &[],
        visible_after_s: 3600,
        clears_after_s: 0,
    },
    Technical {
        condition: Condition::DiskLow,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "the gateway's disk is nearly full and old readings are given up",
        remedy: "free the volume of gateway.data_dir or give it more; look whether the cloud takes envelopes",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 600,
    },
    Technical {
        condition: Condition::BrokerDown,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "readings wait beside the broker",
        remedy: "look at RabbitMQ (running, disk alarm) or at the disk; alarms work meanwhile, and nothing is lost",
        depends_on: &[Condition::DiskLow],
        visible_after_s: 60,
        clears_after_s: 60,
    },
    Technical {
        condition: Condition::Forked,
        vital: Vital::GATEWAY,
        priority: Priority::Medium,
        text: "two boxes send under one gateway's identity; what they send is set aside",
        remedy: "find out which box is in the home, switch the other off, and enrol the right one anew (medmon gateway code, then medmon-gatewayd enrol CODE); then release what was set aside: medmon gateway quarantine",
        depends_on: &[],
        visible_after_s: 0,
        clears_after_s: 0,
    },
];

impl Technical {
    /// The row of a condition.
    pub fn of(condition: Condition) -> Option<&'static Self> {
        TECHNICAL.iter().find(|row| row.condition == condition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_causes_are_rows_above_their_consequences() {
        for (index, row) in TECHNICAL.iter().enumerate() {
            assert!(TECHNICAL[..index].iter().all(|other| other.condition != row.condition));
            assert!(!row.text.is_empty() && !row.remedy.is_empty());
            for cause in row.depends_on {
                assert!(TECHNICAL[..index].iter().any(|other| other.condition == *cause), "{:?}", row.condition);
            }
        }
    }
}
