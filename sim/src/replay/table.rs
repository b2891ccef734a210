//! A CSV table of a recording, plain or gzip, with errors that name file, line and value.
//!
//! Not for: what the columns mean.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use flate2::read::GzDecoder;

use super::ReplayError;

/// Most bytes read of one table, unpacked: ten times the largest known one.
const LIMIT: u64 = 256 << 20;

/// A table in memory.
#[derive(Debug)]
pub struct Table {
    file: PathBuf,
    header: StringRecord,
    rows: Vec<StringRecord>,
}

impl Table {
    /// Reads a table whole.
    pub fn open(file: &Path) -> Result<Self, ReplayError> {
        let opened = File::open(file).map_err(|source| ReplayError::Open { file: file.to_owned(), source })?;
        let reader: Box<dyn Read> = if file.extension().is_some_and(|extension| extension == "gz") {
            Box::new(GzDecoder::new(opened))
        } else {
            Box::new(opened)
        };
        let broken = |source| ReplayError::Table { file: file.to_owned(), source };
        let mut reader = csv::Reader::from_reader(reader.take(LIMIT));
        let header = reader.headers().map_err(broken)?.clone();
        let rows = reader.into_records().collect::<Result<_, _>>().map_err(broken)?;
        Ok(Self { file: file.to_owned(), header, rows })
    }

    /// Whether there is a column of this name.
    pub fn has(&self, column: &str) -> bool {
        self.header.iter().any(|name| name == column)
    }

    fn column(&self, name: &'static str) -> Result<usize, ReplayError> {
        self.header
            .iter()
            .position(|held| held == name)
            .ok_or_else(|| ReplayError::Column { file: self.file.clone(), column: name })
    }

    /// A column as text.
    pub fn texts(&self, name: &'static str) -> Result<Vec<&str>, ReplayError> {
        let column = self.column(name)?;
        Ok(self.rows.iter().map(|row| row.get(column).unwrap_or("")).collect())
    }

    /// A column of numbers within `range`; an empty field is a missing sample.
    pub fn numbers(
        &self,
        name: &'static str,
        range: std::ops::RangeInclusive<f64>,
    ) -> Result<Vec<Option<f64>>, ReplayError> {
        self.parse(name, |text| text.parse().ok().filter(|number| range.contains(number)))
    }

    /// A column of times in s: numbers, or `YYYY-MM-DD hh:mm:ss`. Every row must have one.
    pub fn times(&self, name: &'static str) -> Result<Vec<f64>, ReplayError> {
        let times =
            self.parse(name, |text| text.parse().ok().filter(|t: &f64| t.is_finite()).or_else(|| civil(text)))?;
        times.into_iter().enumerate().map(|(index, time)| time.ok_or_else(|| self.bad(index, name, ""))).collect()
    }

    fn parse(&self, name: &'static str, parse: impl Fn(&str) -> Option<f64>) -> Result<Vec<Option<f64>>, ReplayError> {
        let texts = self.texts(name)?;
        let field = |(index, text): (usize, &str)| match text {
            "" => Ok(None),
            _ => parse(text).map(Some).ok_or_else(|| self.bad(index, name, text)),
        };
        texts.into_iter().enumerate().map(field).collect()
    }

    /// The error about a field of row `index`.
    pub fn bad(&self, index: usize, column: &'static str, value: &str) -> ReplayError {
        let line = self.rows.get(index).and_then(|row| row.position()).map_or(0, csv::Position::line);
        ReplayError::Value { file: self.file.clone(), line, column, value: value.chars().take(40).collect() }
    }
}

/// Seconds of a civil time on an arbitrary scale, for differences.
fn civil(text: &str) -> Option<f64> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let part = |text: &str, separator: char, n: usize| text.split(separator).nth(n)?.parse::<f64>().ok();
    let (year, month, day) = (part(date, '-', 0)?, part(date, '-', 1)?, part(date, '-', 2)?);
    let (hour, minute, second) = (part(time, ':', 0)?, part(time, ':', 1)?, part(time, ':', 2)?);
    let in_range = (1900.0..2200.0).contains(&year)
        && (1.0..=12.0).contains(&month)
        && (1.0..=31.0).contains(&day)
        && (0.0..24.0).contains(&hour)
        && (0.0..60.0).contains(&minute)
        && (0.0..=60.0).contains(&second);
    // March-based years put the leap day last (Julian day numbers without their offset).
    let (year, month) = if month > 2.0 { (year, month - 3.0) } else { (year - 1.0, month + 9.0) };
    let leaps = (year / 4.0).floor() - (year / 100.0).floor() + (year / 400.0).floor();
    let days = day + ((153.0 * month + 2.0) / 5.0).floor() + 365.0 * year + leaps;
    in_range.then_some(days * 86_400.0 + hour * 3600.0 + minute * 60.0 + second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn civil_times_differ_as_they_should() {
        let apart = |a: &str, b: &str| civil(b).unwrap() - civil(a).unwrap();
        assert_eq!(apart("2023-12-31 23:59:00", "2024-01-01 00:04:00"), 300.0);
        assert_eq!(apart("2024-02-28 00:00:00", "2024-03-01 00:00:00"), 2.0 * 86_400.0);
        assert_eq!(civil("2024-13-01 00:00:00"), None);
        assert_eq!(civil("noon"), None);
    }
}
