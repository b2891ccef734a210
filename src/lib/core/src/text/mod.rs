//! What people read on their phones, in every language; one GSM-7 segment each.
//!
//! A text carries a nickname and no diagnosis or figure: phones lie about on tables. Not for: sending (medmon-sms),
//! nor screens.

pub mod gsm7;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use uuid::Uuid;

use crate::noun::{Language, UtcUs};

/// The longest name in a text, in septets. What is longer is cut.
pub const NAME_MAX: usize = 20;

/// What a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text<'a> {
    /// Somebody may need help.
    Raised {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alert.
        code: &'a str,
        /// Local time, by [`local_time`].
        at: &'a str,
    },
    /// Nobody has answered yet.
    Again {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alert.
        code: &'a str,
        /// Local time.
        at: &'a str,
    },
    /// Somebody takes care of it: told to the others.
    Answered {
        /// Who.
        by: &'a str,
        /// Of the alert.
        code: &'a str,
    },
    /// The condition ended.
    Over {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alert.
        code: &'a str,
        /// Local time.
        at: &'a str,
    },
    /// A marked exercise.
    Drill {
        /// Of the drill.
        code: &'a str,
    },
}

/// The text in `language`, in letters of GSM-7 and within one segment of 160 septets.
pub fn sms(language: Language, text: Text<'_>) -> String {
    use Language::{En, Fr};
    let name = |name: &str| gsm7::cut(&gsm7::transliterate(name), NAME_MAX);
    match (language, text) {
        (En, Text::Raised { nickname, code, at }) => {
            format!("medmon {code}: {} may need help ({at}). Reply OK {code} if you take care of it.", name(nickname))
        }
        (Fr, Text::Raised { nickname, code, at }) => format!(
            "medmon {code}: {} peut avoir besoin d'aide ({at}). Répondez OK {code} si vous vous en occupez.",
            name(nickname)
        ),
        (En, Text::Again { nickname, code, at }) => {
            format!("medmon {code} (again, {at}): {} may need help. Nobody has answered yet.", name(nickname))
        }
        (Fr, Text::Again { nickname, code, at }) => {
            format!("medmon {code} (rappel, {at}): {} peut avoir besoin d'aide. Personne n'a répondu.", name(nickname))
        }
        (En, Text::Answered { by, code }) => format!("medmon {code}: {} takes care of it.", name(by)),
        (Fr, Text::Answered { by, code }) => format!("medmon {code}: {} s'en occupe.", name(by)),
        (En, Text::Over { nickname, code, at }) => {
            format!("medmon {code}: the alarm for {} ended at {at}.", name(nickname))
        }
        (Fr, Text::Over { nickname, code, at }) => {
            format!("medmon {code}: l'alarme pour {} est finie depuis {at}.", name(nickname))
        }
        (En, Text::Drill { code }) => {
            format!("medmon TEST: this is an exercise, nothing happened. Reply OK {code}.")
        }
        (Fr, Text::Drill { code }) => format!("medmon TEST: exercice, il ne se passe rien. Répondez OK {code}."),
    }
}

/// The time of day in a text: "14:31", "14h31". `zone` is an IANA name; an unknown or empty one is UTC.
pub fn local_time(language: Language, utc_us: UtcUs, zone: &str) -> String {
    let zone = TimeZone::get(zone).unwrap_or(TimeZone::UTC);
    let local = Timestamp::from_microsecond(utc_us).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned_datetime(zone);
    let between = match language {
        Language::En => ':',
        Language::Fr => 'h',
    };
    format!("{:02}{between}{:02}", local.hour(), local.minute())
}

/// The four digits that name an alert in texts and replies, derived from its id. Never with a leading zero, which
/// people leave out.
pub fn code(alert: Uuid) -> String {
    (1000 + crc32fast::hash(alert.as_bytes()) % 9000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LANGUAGES: [Language; 2] = [Language::En, Language::Fr];

    #[test]
    fn every_text_fits_one_segment_whatever_the_name() {
        let names =
            ["Jeanne", "Mémé du Château d'Œx", "€[]{}^~|\\€[]{}^~|\\€€", "ΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩΩ", "Фёдор", "", "\n"];
        for language in LANGUAGES {
            for name in names.map(str::to_owned).into_iter().chain(["x".repeat(20), "ç".repeat(200)]) {
                let (nickname, by, code, at) = (name.as_str(), name.as_str(), "4821", "14h31");
                for text in [
                    Text::Raised { nickname, code, at },
                    Text::Again { nickname, code, at },
                    Text::Answered { by, code },
                    Text::Over { nickname, code, at },
                    Text::Drill { code },
                ] {
                    let text = sms(language, text);
                    let septets = gsm7::encode(&text);
                    assert!(septets.is_some_and(|septets| septets.len() <= 160), "{text}");
                    assert!(text.contains("4821") && text.starts_with("medmon"), "{text}");
                    assert!(!text.contains('\n'), "{text}");
                }
            }
        }
    }

    #[test]
    fn texts_read_as_on_the_sketch() {
        let text = |language, at| sms(language, Text::Raised { nickname: "Jeanne", code: "4821", at });
        assert_eq!(
            text(Language::En, "14:31"),
            "medmon 4821: Jeanne may need help (14:31). Reply OK 4821 if you take care of it."
        );
        assert_eq!(
            text(Language::Fr, "14h31"),
            "medmon 4821: Jeanne peut avoir besoin d'aide (14h31). Répondez OK 4821 si vous vous en occupez."
        );
    }

    #[test]
    fn times_are_the_patients() {
        // 2026-11-24 13:31 UTC.
        let at = 1_795_527_060_000_000;
        assert_eq!(local_time(Language::En, at, "Europe/Paris"), "14:31");
        assert_eq!(local_time(Language::Fr, at, "Europe/Paris"), "14h31");
        assert_eq!(local_time(Language::En, at, "Nowhere/Never"), "13:31");
        assert_eq!(local_time(Language::En, i64::MAX, ""), "00:00");
    }

    #[test]
    fn a_code_is_four_digits_and_stays() {
        for number in 0..2000u128 {
            let code = code(Uuid::from_u128(number));
            assert!(code.len() == 4 && !code.starts_with('0') && code.parse::<u16>().is_ok());
        }
        assert_eq!(code(Uuid::from_u128(7)), code(Uuid::from_u128(7)));
    }
}
