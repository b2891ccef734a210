//! Long texts put together from their parts, whichever comes first. Pure: time is an argument.
//!
//! Not for: what a part looks like (pdu.rs), nor where parts are kept meanwhile (the SIM; modem.rs).

use std::collections::BTreeMap;

use super::pdu::Part;

/// A part that is missing for so long will not come, µs.
const PATIENCE_US: i64 = 600_000_000;
/// More long texts than this at once are somebody's flood: the oldest is given out.
const MOST: usize = 16;
/// Stands for a part that never came.
const MISSING: &str = "…";

/// A text, and the places of the modem's memory that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Who wrote.
    pub from: String,
    /// What.
    pub text: String,
    /// Where its parts are stored.
    pub places: Vec<u32>,
}

#[derive(Debug)]
struct Long {
    from: String,
    reference: u16,
    total: u8,
    since_us: i64,
    parts: BTreeMap<u8, String>,
    places: Vec<u32>,
}

impl Long {
    fn whole(self) -> Whole {
        let text = (1..=self.total).map(|number| self.parts.get(&number).map_or(MISSING, String::as_str)).collect();
        Whole { from: self.from, text, places: self.places }
    }
}

/// Texts of which a part is missing.
#[derive(Debug, Default)]
pub struct Parts(Vec<Long>);

impl Parts {
    /// Takes a part in, stored at `place` if it is; the text that is given out for it, if there is one.
    pub fn add(&mut self, from: &str, text: String, part: Part, place: Option<u32>, now_us: i64) -> Option<Whole> {
        let mine = |long: &Long| long.from == from && (long.reference, long.total) == (part.reference, part.total);
        let index = self.0.iter().position(mine).unwrap_or_else(|| {
            let (reference, total) = (part.reference, part.total);
            let (parts, places) = (BTreeMap::new(), Vec::new());
            self.0.push(Long { from: from.to_owned(), reference, total, since_us: now_us, parts, places });
            self.0.len() - 1
        });
        let long = &mut self.0[index];
        // A part that comes twice is one.
        long.parts.entry(part.number).or_insert(text);
        long.places.extend(place);
        if long.parts.len() == usize::from(long.total) {
            return Some(self.0.remove(index).whole());
        }
        (self.0.len() > MOST).then(|| self.0.remove(0).whole())
    }

    /// Texts whose missing parts will not come.
    pub fn overdue(&mut self, now_us: i64) -> Vec<Whole> {
        let is_late = |long: &mut Long| now_us - long.since_us >= PATIENCE_US;
        self.0.extract_if(.., is_late).map(Long::whole).collect()
    }

    /// Forgets what is stored: it is read again.
    pub fn forget_stored(&mut self) {
        self.0.retain(|long| long.places.is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(reference: u16, total: u8, number: u8) -> Part {
        Part { reference, total, number }
    }

    #[test]
    fn parts_come_in_any_order_twice_and_mixed() {
        let mut parts = Parts::default();
        assert_eq!(parts.add("Paul", "c".into(), part(7, 3, 3), Some(1), 0), None);
        assert_eq!(parts.add("Anna", "x".into(), part(7, 3, 1), None, 0), None, "the same reference of another phone");
        assert_eq!(parts.add("Paul", "y".into(), part(8, 3, 1), None, 0), None);
        assert_eq!(parts.add("Paul", "a".into(), part(7, 3, 1), Some(2), 0), None);
        assert_eq!(parts.add("Paul", "a".into(), part(7, 3, 1), Some(3), 0), None, "told twice");
        let whole = Whole { from: "Paul".into(), text: "abc".into(), places: vec![1, 2, 3, 4] };
        assert_eq!(parts.add("Paul", "b".into(), part(7, 3, 2), Some(4), 0), Some(whole));
        assert_eq!(parts.0.len(), 2);
    }

    #[test]
    fn what_stays_incomplete_is_given_out_after_a_while() {
        let mut parts = Parts::default();
        parts.add("Paul", "ok ".into(), part(7, 3, 1), Some(1), 0);
        parts.add("Paul", "merci".into(), part(7, 3, 3), None, 5_000_000);
        assert_eq!(parts.overdue(PATIENCE_US - 1), []);
        let whole = Whole { from: "Paul".into(), text: "ok …merci".into(), places: vec![1] };
        assert_eq!(parts.overdue(PATIENCE_US), [whole]);
        assert_eq!(parts.overdue(PATIENCE_US), []);
        let flood = (0..20).filter_map(|n| parts.add("Eve", "x".into(), part(n, 2, 1), None, 0)).count();
        assert_eq!((flood, parts.0.len()), (4, MOST));
    }
}
