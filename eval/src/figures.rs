//! Figures and how they are printed: shares with their intervals, medians, tables of text.

use std::fmt::Write as _;

/// So many of so many.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share {
    /// Hits.
    pub hits: usize,
    /// Of so many.
    pub of: usize,
}

impl Share {
    /// Counts one more.
    pub fn count(&mut self, hit: bool) {
        self.hits += usize::from(hit);
        self.of += 1;
    }

    /// As a share, 0 to 1; NaN of nothing.
    pub fn value(self) -> f64 {
        self.hits as f64 / self.of as f64
    }

    /// The 95 % interval (Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212).
    pub fn interval(self) -> (f64, f64) {
        const Z: f64 = 1.959_964;
        let (count, share) = (self.of as f64, self.value());
        let middle = share + Z * Z / (2.0 * count);
        let half = Z * (share * (1.0 - share) / count + Z * Z / (4.0 * count * count)).sqrt();
        let scale = 1.0 + Z * Z / count;
        (((middle - half) / scale).max(0.0), ((middle + half) / scale).min(1.0))
    }

    /// `.989`, or `-` of nothing.
    pub fn short(self) -> String {
        if self.of == 0 { "-".into() } else { third(self.value()) }
    }

    /// `.989 (.943-.998) 93/94`, or `-` of nothing.
    pub fn long(self) -> String {
        if self.of == 0 {
            return "-".into();
        }
        let (low, high) = self.interval();
        format!("{} ({}-{}) {}/{}", third(self.value()), third(low), third(high), self.hits, self.of)
    }
}

/// Three decimals, without the 0 before the point.
fn third(share: f64) -> String {
    let text = format!("{share:.3}");
    text.strip_prefix('0').map_or(text.clone(), str::to_owned)
}

/// `1.8 (0.2-6.4)`: events in each unit of `time`, with the 95 % interval of a Poisson count (Garwood, Biometrika 28
/// (1936) 437-442).
pub fn rate(count: usize, time: f64) -> String {
    // The mean at which a count of `most` and less is so likely.
    let mean_where = |most: usize, likely: f64| {
        let (mut low, mut high) = (0.0, 20.0 + 3.0 * most as f64);
        for _ in 0..60 {
            let mean = f64::midpoint(low, high);
            let terms = (1..=most).scan((-mean).exp(), |term, number| {
                *term *= mean / number as f64;
                Some(*term)
            });
            if (-mean).exp() + terms.sum::<f64>() > likely { low = mean } else { high = mean }
        }
        low
    };
    let low = count.checked_sub(1).map_or(0.0, |fewer| mean_where(fewer, 0.975));
    format!("{:.1} ({:.1}-{:.1})", count as f64 / time, low / time, mean_where(count, 0.025) / time)
}

/// The median; `None` of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let upper = *sorted.get(sorted.len() / 2)?;
    Some(if sorted.len().is_multiple_of(2) { f64::midpoint(sorted[sorted.len() / 2 - 1], upper) } else { upper })
}

/// A value with so many decimals, or `-`.
pub fn maybe(value: Option<f64>, decimals: usize) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| "-".into(), |value| format!("{value:.decimals$}"))
}

/// Rows as text, columns as wide as they have to be; the first row is the head.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A row of a table.
#[macro_export]
macro_rules! row {
    ($($cell:expr),* $(,)?) => { vec![$($cell.to_string()),*] };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_wilsons() {
        let (low, high) = Share { hits: 94, of: 95 }.interval();
        assert!((low - 0.9428).abs() < 1e-3 && (high - 0.9981).abs() < 1e-3, "{low} {high}");
        assert_eq!(Share { hits: 3, of: 3 }.interval().1, 1.0);
        assert_eq!(Share::default().long(), "-");
    }

    #[test]
    fn a_rate_has_the_interval_of_its_count() {
        assert_eq!(rate(0, 1.0), "0.0 (0.0-3.7)");
        assert_eq!(rate(2, 1.0), "2.0 (0.2-7.2)");
        assert_eq!(rate(10, 2.0), "5.0 (2.4-9.2)");
    }
}
