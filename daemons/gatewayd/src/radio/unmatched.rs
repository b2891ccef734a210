//! Attributes that devices report and no mapping row is for, so that a row can be written from what is shown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use medmon_core::noun::{Ieee, UtcUs};

use super::map::Origin;
use super::zcl::{self, Attribute, Record};

/// Rows kept; a device that invents attributes must not fill the memory.
const MAX: usize = 200;

/// Device, endpoint, cluster, manufacturer code, attribute.
pub type Key = (Ieee, u8, u16, Option<u16>, u16);

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Basic model, if known.
    pub model: String,
    /// ZCL type id.
    pub kind: u8,
    /// As last reported.
    pub last: String,
    /// How often.
    pub count: u64,
    /// When last, UTC µs.
    pub last_us: UtcUs,
}

/// The list. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Unmatched {
    seen: Arc<Mutex<BTreeMap<Key, Seen>>>,
}

impl Unmatched {
    /// Notes a report that no row is for.
    pub fn note(&self, origin: Origin<'_>, record: &Record, utc_us: UtcUs) {
        let key = (origin.ieee, origin.endpoint, origin.cluster, origin.mfr_code, record.attribute);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= MAX && !seen.contains_key(&key) {
            return;
        }
        let count = seen.get(&key).map_or(0, |held| held.count) + 1;
        let last = match &record.value {
            Attribute::Unsigned(raw) => raw.to_string(),
            Attribute::Signed(raw) => raw.to_string(),
            Attribute::Float(raw) => raw.to_string(),
            Attribute::Invalid => "invalid".into(),
            Attribute::Bytes(bytes) => {
                bytes.iter().take(32).fold(String::from("0x"), |hex, byte| format!("{hex}{byte:02x}"))
            }
        };
        seen.insert(
            key,
            Seen { model: origin.model.unwrap_or_default().into(), kind: record.kind, last, count, last_us: utc_us },
        );
    }

    /// All of them now.
    pub fn snapshot(&self) -> BTreeMap<Key, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A mapping row to begin with: only the vital and its scale are to be filled in.
pub fn row((ieee, endpoint, cluster, mfr_code, attribute): &Key, seen: &Seen) -> String {
    let who = match seen.model.as_str() {
        "" => format!("ieee = \"{ieee}\""),
        model => format!("model = {}", serde_json::Value::from(model)),
    };
    let code = mfr_code.map(|code| format!("\nmfr_code = {code:#06x}")).unwrap_or_default();
    format!(
        "[[gateway.zigbee.map]]\n{who}\nendpoint = {endpoint}\ncluster = {cluster:#06x}\nattribute = {attribute:#06x}{code}\n\
         type = \"{}\"\nvital = \"?\"\nscale = 1.0",
        zcl::type_name(seen.kind)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_ready_made_and_the_list_is_bounded() {
        let list = Unmatched::default();
        let origin = Origin {
            ieee: Ieee(7),
            endpoint: 2,
            model: Some("BELT-1"),
            manufacturer: None,
            cluster: 0xFD00,
            mfr_code: Some(0x1234),
        };
        for attribute in 0..300 {
            let record = Record { attribute, kind: 0x20, value: Attribute::Unsigned(16) };
            list.note(origin, &record, 0);
        }
        let seen = list.snapshot();
        assert_eq!(seen.len(), MAX);
        let (key, first) = seen.iter().next().unwrap();
        let text = row(key, first).replace("\"?\"", "\"heart_rate\"");
        let expected = "[[gateway.zigbee.map]]\nmodel = \"BELT-1\"\nendpoint = 2\ncluster = 0xfd00\nattribute = 0x0000\n\
                        mfr_code = 0x1234\ntype = \"uint8\"\nvital = \"heart_rate\"\nscale = 1.0";
        assert_eq!((text.as_str(), first.last.as_str(), first.count), (expected, "16", 1));
    }
}
