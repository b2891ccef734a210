//! What people read on their phones, in every language; one GSM-7 segment each.
//!
//! A text carries a nickname and no diagnosis or figure: phones lie about on tables. Not for: sending (medmon-sms),
//! nor screens.

pub mod gsm7;
pub mod reply;

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
    /// The patient is asked before anybody is alarmed.
    Ask {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alert.
        code: &'a str,
    },
    /// In place of the texts beyond an hour's most.
    Summary {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alerts that nobody has answered.
        codes: &'a [String],
    },
    /// Asked how things are: an alarm is going on.
    Open {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the alert.
        code: &'a str,
        /// Since when, local time.
        at: &'a str,
        /// Who takes care of it.
        by: Option<&'a str>,
    },
    /// Asked how things are: no alarm, and not everything is heard.
    Unheard {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Since when, local time.
        at: &'a str,
    },
    /// Asked how things are: no alarm.
    Calm {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Now, local time.
        at: &'a str,
    },
    /// Asked for no more texts: why they go on.
    Stop {
        /// What the patient is called in texts.
        nickname: &'a str,
    },
    /// Answered, with several open and no code.
    Which {
        /// What the patient is called in texts.
        nickname: &'a str,
        /// Of the open alerts.
        codes: &'a [String],
    },
    /// Answered what is not open.
    NotOpen {
        /// Of the open alerts.
        codes: &'a [String],
    },
    /// Nobody can tell what was meant.
    NotUnderstood {
        /// Of an open alert, or empty.
        code: &'a str,
    },
    /// To somebody who is no contact.
    Stranger,
    /// From a modem to itself.
    SelfTest {
        /// Tells it from others.
        code: &'a str,
    },
}

/// So many codes stand in one text.
const CODES_MAX: usize = 5;

/// The text in `language`, in letters of GSM-7 and within one segment of 160 septets.
#[expect(clippy::too_many_lines, reason = "one catalogue, a line a text and language")]
pub fn sms(language: Language, text: Text<'_>) -> String {
    use Language::{En, Fr};
    let name = |name: &str| gsm7::cut(&gsm7::transliterate(name), NAME_MAX);
    let list = |codes: &[String]| codes.iter().take(CODES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
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
        (En, Text::Ask { nickname, code }) => format!(
            "medmon {code}: {}, are you all right? Then reply OK {code}. Without an answer your contacts are told in a minute.",
            name(nickname)
        ),
        (Fr, Text::Ask { nickname, code }) => format!(
            "medmon {code}: {}, tout va bien? Alors répondez OK {code}. Sans réponse, vos proches sont prévenus d'ici une minute.",
            name(nickname)
        ),
        (En, Text::Summary { nickname, codes: [] }) => {
            format!("medmon: many texts this hour. Every alarm for {} has ended or is taken care of.", name(nickname))
        }
        (Fr, Text::Summary { nickname, codes: [] }) => {
            format!(
                "medmon: trop de messages cette heure. Les alarmes pour {} sont finies ou prises en charge.",
                name(nickname)
            )
        }
        (En, Text::Summary { nickname, codes }) => format!(
            "medmon: many texts this hour. Nobody has answered for {} yet: {}. Reply OK and the number.",
            name(nickname),
            list(codes)
        ),
        (Fr, Text::Summary { nickname, codes }) => format!(
            "medmon: trop de messages cette heure. Personne n'a répondu pour {}: {}. Répondez OK et le numéro.",
            name(nickname),
            list(codes)
        ),
        (En, Text::Open { nickname, code, at, by: Some(by) }) => {
            format!("medmon {code}: an alarm for {} since {at}. {} takes care of it.", name(nickname), name(by))
        }
        (Fr, Text::Open { nickname, code, at, by: Some(by) }) => {
            format!("medmon {code}: une alarme pour {} depuis {at}. {} s'en occupe.", name(nickname), name(by))
        }
        (En, Text::Open { nickname, code, at, by: None }) => {
            format!(
                "medmon {code}: an alarm for {} since {at}. Nobody has answered. Reply OK {code} to take care of it.",
                name(nickname)
            )
        }
        (Fr, Text::Open { nickname, code, at, by: None }) => {
            format!(
                "medmon {code}: une alarme pour {} depuis {at}. Personne n'a répondu. Répondez OK {code} pour vous en occuper.",
                name(nickname)
            )
        }
        (En, Text::Unheard { nickname, at }) => {
            format!("medmon: no alarm for {}, but not all sensors are heard, since {at}. Better call.", name(nickname))
        }
        (Fr, Text::Unheard { nickname, at }) => {
            format!(
                "medmon: aucune alarme pour {}, mais des capteurs se taisent depuis {at}. Mieux vaut appeler.",
                name(nickname)
            )
        }
        (En, Text::Calm { nickname, at }) => format!("medmon: no alarm for {} ({at}).", name(nickname)),
        (Fr, Text::Calm { nickname, at }) => format!("medmon: aucune alarme pour {} ({at}).", name(nickname)),
        (En, Text::Stop { nickname }) => format!(
            "medmon: you are told only when {} may need help at once, so these texts go on. The care team can take you off the list.",
            name(nickname)
        ),
        (Fr, Text::Stop { nickname }) => format!(
            "medmon: ces messages viennent quand {} peut avoir besoin d'aide, donc ils continuent. L'équipe soignante peut vous retirer.",
            name(nickname)
        ),
        (En, Text::Which { nickname, codes }) => {
            format!("medmon: several alarms for {} are open: {}. Reply OK and the number.", name(nickname), list(codes))
        }
        (Fr, Text::Which { nickname, codes }) => {
            format!("medmon: plusieurs alarmes pour {}: {}. Répondez OK et le numéro.", name(nickname), list(codes))
        }
        (En, Text::NotOpen { codes: [] }) => "medmon: no such alarm is open, nothing was done.".to_owned(),
        (Fr, Text::NotOpen { codes: [] }) => "medmon: aucune alarme de ce genre, rien n'a été fait.".to_owned(),
        (En, Text::NotOpen { codes }) => format!("medmon: no open alarm has that number. Open: {}.", list(codes)),
        (Fr, Text::NotOpen { codes }) => format!("medmon: aucune alarme n'a ce numéro. En cours: {}.", list(codes)),
        (En, Text::NotUnderstood { code: "" }) => {
            "medmon: not understood. STATUS tells how things are. In an emergency call 112.".to_owned()
        }
        (Fr, Text::NotUnderstood { code: "" }) => {
            "medmon: pas compris. STATUT donne des nouvelles. En cas d'urgence, appelez le 112.".to_owned()
        }
        (En, Text::NotUnderstood { code }) => {
            format!("medmon: not understood, nothing was done. Reply OK {code} to take care of it, STATUS for news.")
        }
        (Fr, Text::NotUnderstood { code }) => {
            format!(
                "medmon: pas compris, rien n'a été fait. Répondez OK {code} pour vous en occuper, STATUT pour des nouvelles."
            )
        }
        (En, Text::Stranger) => {
            "medmon: this phone is on nobody's list here, nothing was done. In an emergency call 112.".to_owned()
        }
        (Fr, Text::Stranger) => {
            "medmon: ce téléphone n'est sur aucune liste, rien n'a été fait. En cas d'urgence, appelez le 112."
                .to_owned()
        }
        (_, Text::SelfTest { code }) => format!("medmon SELF-TEST {code}"),
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
        let codes = &["4821"; 8].map(str::to_owned)[..];
        for language in LANGUAGES {
            for name in names.map(str::to_owned).into_iter().chain(["x".repeat(20), "ç".repeat(200)]) {
                let (nickname, by, code, at) = (name.as_str(), name.as_str(), "4821", "14h31");
                for text in [
                    Text::Raised { nickname, code, at },
                    Text::Again { nickname, code, at },
                    Text::Answered { by, code },
                    Text::Over { nickname, code, at },
                    Text::Drill { code },
                    Text::Ask { nickname, code },
                    Text::Summary { nickname, codes },
                    Text::Summary { nickname, codes: &[] },
                    Text::Open { nickname, code, at, by: Some(by) },
                    Text::Open { nickname, code, at, by: None },
                    Text::Unheard { nickname, at },
                    Text::Calm { nickname, at },
                    Text::Stop { nickname },
                    Text::Which { nickname, codes },
                    Text::NotOpen { codes },
                    Text::NotOpen { codes: &[] },
                    Text::NotUnderstood { code },
                    Text::NotUnderstood { code: "" },
                    Text::Stranger,
                    Text::SelfTest { code },
                ] {
                    let text = sms(language, text);
                    let septets = gsm7::encode(&text);
                    assert!(septets.is_some_and(|septets| septets.len() <= 160), "{text}");
                    assert!(text.starts_with("medmon"), "{text}");
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
