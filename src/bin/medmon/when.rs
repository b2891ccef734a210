//! Times and durations as people write them: "2h", "2h ago", "2026-03-01", RFC 3339; "30m", "14d".

use std::str::FromStr;
use std::time::Duration;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};

/// A time that is only known once it is known when now is, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long before now.
    Ago(Duration),
    /// A time by the clock on the wall.
    Wall(DateTime),
    /// A time anywhere.
    At(Timestamp),
}

impl When {
    /// The time meant, `now`, in `zone`.
    pub fn at(self, now: Timestamp, zone: &TimeZone) -> Timestamp {
        match self {
            Self::Ago(duration) => SignedDuration::try_from(duration)
                .ok()
                .and_then(|duration| now.checked_sub(duration).ok())
                .unwrap_or(Timestamp::MIN),
            Self::Wall(wall) => zone.to_ambiguous_timestamp(wall).compatible().unwrap_or(now),
            Self::At(at) => at,
        }
    }
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if let Ok(at) = text.parse() {
            return Ok(Self::At(at));
        }
        if let Ok(wall) = text.parse() {
            return Ok(Self::Wall(wall));
        }
        if text == "now" {
            return Ok(Self::Ago(Duration::ZERO));
        }
        let length = text.strip_suffix("ago").unwrap_or(text).trim_start_matches('-').trim();
        duration(length).map(Self::Ago).map_err(|_| {
            "write a time like \"2h\", \"2h ago\", \"2026-03-01\", \"2026-03-01 08:00\" or \"2026-03-01T08:00:00Z\""
                .to_owned()
        })
    }
}

/// A duration: "90s", "2h 30m", "14d", "1w". A day has 24 h.
pub fn duration(text: &str) -> Result<Duration, String> {
    let refuse = || "write a duration like \"90s\", \"30m\", \"24h\" or \"14d\"".to_owned();
    let span: Span = text.trim().parse().map_err(|_| refuse())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| refuse())?;
    Duration::try_from(length).map_err(|_| refuse())
}

/// "4s", "12m", "2h", "3d": how old something is, in one figure.
pub fn age(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..172_800 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let paris = TimeZone::get("Europe/Paris").unwrap();
        for (text, expected) in [
            ("2h", "2026-03-01T10:00:00Z"),
            ("2h ago", "2026-03-01T10:00:00Z"),
            ("-2h", "2026-03-01T10:00:00Z"),
            ("1h 30m", "2026-03-01T10:30:00Z"),
            ("90 minutes", "2026-03-01T10:30:00Z"),
            ("14d", "2026-02-15T12:00:00Z"),
            ("1w", "2026-02-22T12:00:00Z"),
            ("PT15M", "2026-03-01T11:45:00Z"),
            ("now", "2026-03-01T12:00:00Z"),
            ("2026-02-27T06:00:00+02:00", "2026-02-27T04:00:00Z"),
            ("2026-02-27", "2026-02-26T23:00:00Z"),
            ("2026-02-27 08:00", "2026-02-27T07:00:00Z"),
        ] {
            let at = text.parse::<When>().unwrap_or_else(|error| panic!("{text}: {error}")).at(now, &paris);
            assert_eq!(at.to_string(), expected, "{text}");
        }
        for text in ["", "soon", "2x", "yesterday", "2026-13-01", "1mo"] {
            assert!(text.parse::<When>().is_err(), "{text}");
        }
    }

    #[test]
    fn durations_and_ages() {
        assert_eq!(duration("2h 30m"), Ok(Duration::from_mins(150)));
        assert_eq!(duration("1d"), Ok(Duration::from_hours(24)));
        assert!(duration("-5m").is_err() && duration("5").is_err());
        let ages: Vec<_> = [3, 240, 7260, 400_000].into_iter().map(age).collect();
        assert_eq!(ages, ["3s", "4m", "2h", "4d"]);
    }
}
