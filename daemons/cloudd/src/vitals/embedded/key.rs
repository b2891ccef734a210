//! What rows are found by: the series, the day, the month.

use std::fmt;
use std::path::{Path, PathBuf};

use medmon_core::noun::{UtcUs, Vital};
use uuid::Uuid;

/// A day in µs.
pub const DAY_US: UtcUs = 86_400_000_000;

/// Windows of one subject, vital and span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Series {
    pub subject: Uuid,
    pub vital: Vital,
    pub span_s: u32,
}

impl fmt::Display for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} s) of {}", self.vital, self.span_s, self.subject)
    }
}

/// A segment of the journal, in words.
#[derive(Clone, Copy, Debug)]
pub struct Segment(pub u64);

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}", self.0)
    }
}

/// What starts are counted in: the span, or µs where each reading is a window of its own.
pub fn unit_us(span_s: u32) -> i64 {
    if span_s == 0 { 1 } else { i64::from(span_s) * 1_000_000 }
}

/// A day of UTC, counted from 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(pub i64);

impl Day {
    pub fn of(utc_us: UtcUs) -> Self {
        Self(utc_us.div_euclid(DAY_US))
    }

    pub fn start_us(self) -> UtcUs {
        self.0.saturating_mul(DAY_US)
    }

    /// Year, month 1-12, day 1-31. By Howard Hinnant's `civil_from_days`, which knows no smallest or largest year.
    fn civil(self) -> (i64, u32, u32) {
        let days = self.0 + 719_468;
        let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
        let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + i64::from(month <= 2), month as u32, day as u32)
    }

    pub fn month(self) -> Month {
        let (year, month, _) = self.civil();
        Month(year * 12 + i64::from(month) - 1)
    }

    /// The hot file of this day.
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join("hot").join(format!("{self}.sqlite"))
    }

    /// The day a hot file is called after.
    pub fn parse(name: &str) -> Option<Self> {
        let (month, day) = name.strip_suffix(".sqlite")?.rsplit_once('-')?;
        let first = Month::parse_text(month)?.first_day();
        Some(Self(first.0 + day.parse::<u8>().ok().filter(|day| (1..=31).contains(day)).map(i64::from)? - 1))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.civil();
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// A month of UTC, counted from the year 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Month(pub i64);

impl Month {
    pub fn of(utc_us: UtcUs) -> Self {
        Day::of(utc_us).month()
    }

    /// The month's first day. By Howard Hinnant's `days_from_civil`.
    pub fn first_day(self) -> Day {
        let (year, month) = (self.0.div_euclid(12), self.0.rem_euclid(12) + 1);
        let year = if month <= 2 { year - 1 } else { year };
        let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
        let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5;
        Day(era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468)
    }

    pub fn end_us(self) -> UtcUs {
        Self(self.0 + 1).first_day().start_us()
    }

    /// The file of this month.
    pub fn path(self, folder: &Path) -> PathBuf {
        folder.join("months").join(format!("{self}.sqlite"))
    }

    /// The month a file is called after.
    pub fn parse(name: &str) -> Option<Self> {
        Self::parse_text(name.strip_suffix(".sqlite")?)
    }

    fn parse_text(text: &str) -> Option<Self> {
        let (year, month) = text.rsplit_once('-')?;
        let month = month.parse::<u8>().ok().filter(|month| (1..=12).contains(month))?;
        Some(Self(year.parse::<i64>().ok()?.checked_mul(12)? + i64::from(month) - 1))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.0.div_euclid(12), self.0.rem_euclid(12) + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn days_and_months_are_found_again(utc_us in any::<i64>()) {
            let day = Day::of(utc_us);
            prop_assert_eq!(Day::parse(&format!("{day}.sqlite")), Some(day));
            prop_assert_eq!(Month::parse(&format!("{}.sqlite", day.month())), Some(day.month()));
            prop_assert!(day.month().first_day() <= day && day < Month(day.month().0 + 1).first_day());
        }
    }

    #[test]
    fn names_are_dates() {
        assert_eq!(Day::of(1_795_003_200_000_000).to_string(), "2026-11-18");
        assert_eq!(Day(-1).to_string(), "1969-12-31");
        assert_eq!((Day(11_016).to_string(), Day(11_016).month().to_string()), ("2000-02-29".into(), "2000-02".into()));
        assert!(Day::parse("2026-11-18.sqlite-wal").is_none() && Month::parse("2026-13.sqlite").is_none());
    }
}
