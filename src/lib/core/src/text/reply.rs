//! What people write back, however they write it: case, accents, spaces and marks do not matter.
//!
//! When in doubt it is no acknowledgement: a wrong one would silence an alarm. Not for: whom a code belongs to.

use super::gsm7;

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// They take care of it.
    Acknowledge {
        /// Of which alert; `None` = of the one they were last told about.
        code: Option<String>,
    },
    /// They ask how things are.
    Status,
    /// They want no more texts.
    Stop,
    /// Nobody can tell.
    Unknown,
}

const YES: [&str; 7] = ["OK", "OKAY", "OUI", "YES", "DACCORD", "RECU", "VU"];
const KIND: [&str; 8] = ["MERCI", "THANKS", "THANK", "YOU", "BIEN", "D", "ACCORD", "JE"];
const NO: [&str; 12] =
    ["NOT", "NO", "NON", "PAS", "NE", "CANNOT", "CANT", "CAN", "DONT", "UNABLE", "IMPOSSIBLE", "NEVER"];
const STATUS: [&str; 4] = ["STATUS", "STATUT", "ETAT", "NOUVELLES"];
const STOP: [&str; 5] = ["STOP", "ARRET", "ARRETER", "ARRETEZ", "UNSUBSCRIBE"];

/// What `text` means.
pub fn parse(text: &str) -> Reply {
    let words = words(text);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is = |list: &[&str]| words.first().is_some_and(|word| list.contains(word));
    let codes: Vec<&str> = words.iter().copied().filter(|word| is_code(word)).collect();
    if words.iter().any(|word| NO.contains(word)) || codes.len() > 1 {
        return Reply::Unknown;
    }
    let known = |word: &str| YES.contains(&word) || KIND.contains(&word) || is_code(word);
    match codes.first() {
        // A code says which alert; a yes beside it, or nothing beside it, says that they do.
        Some(code) if is(&YES) || words.len() == 1 => Reply::Acknowledge { code: Some((*code).to_owned()) },
        // Without a code every word has to be one that we know.
        None if is(&YES) && words.iter().all(|word| known(word)) => Reply::Acknowledge { code: None },
        None if is(&STATUS) && words.len() == 1 => Reply::Status,
        None if is(&STOP) && words.len() == 1 => Reply::Stop,
        _ => Reply::Unknown,
    }
}

fn is_code(word: &str) -> bool {
    word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// Words of plain capital letters, and words of digits: "ok4821" is two.
fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    // What GSM-7 has with accents becomes plain here as well.
    let plain = |letter: char| match letter {
        'À' | 'Ä' | 'Å' => 'A',
        'Ç' => 'C',
        'É' | 'È' => 'E',
        'Ì' => 'I',
        'Ñ' => 'N',
        'Ò' | 'Ö' => 'O',
        'Ù' | 'Ü' => 'U',
        other => other,
    };
    for letter in gsm7::transliterate(text).chars().flat_map(char::to_uppercase).map(plain) {
        let last = words.last().and_then(|word| word.chars().last());
        let joins = last.is_none_or(|last| last.is_ascii_digit() == letter.is_ascii_digit());
        match (letter.is_ascii_alphanumeric(), joins) {
            (true, true) => words.last_mut().into_iter().for_each(|word| word.push(letter)),
            (true, false) => words.push(letter.to_string()),
            // "d'accord", "can't" are one word.
            (false, _) if letter == '\'' => {}
            (false, _) => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn replies_as_people_write_them() {
        let of = |code: &str| Reply::Acknowledge { code: Some(code.into()) };
        let bare = || Reply::Acknowledge { code: None };
        for (text, reply) in [
            ("OK 4821", of("4821")),
            ("ok4821", of("4821")),
            ("  Ok ,  4821 . ", of("4821")),
            ("OUI 4821", of("4821")),
            ("oui 4821 j'arrive", of("4821")),
            ("Yes 4821, on my way", of("4821")),
            ("D’accord 4821", of("4821")),
            ("reçu 4821", of("4821")),
            ("4821", of("4821")),
            ("4821 ok", Reply::Unknown),
            ("OK", bare()),
            ("ok merci", bare()),
            ("Óui !", bare()),
            ("👍 ok", bare()),
            ("OK 4821 OK 7777", Reply::Unknown),
            ("OK 482", Reply::Unknown),
            ("OK 48210", Reply::Unknown),
            ("ok mais plus tard", Reply::Unknown),
            ("not ok 4821", Reply::Unknown),
            ("ok 4821 mais je ne peux pas", Reply::Unknown),
            ("OK 4821 but I can't", Reply::Unknown),
            ("NON", Reply::Unknown),
            ("Status", Reply::Status),
            ("ÉTAT ?", Reply::Status),
            ("status?", Reply::Status),
            ("STOP", Reply::Stop),
            ("Arrêt", Reply::Stop),
            ("stop it, who are you", Reply::Unknown),
            ("Who is this?", Reply::Unknown),
            ("", Reply::Unknown),
            ("???", Reply::Unknown),
        ] {
            assert_eq!(parse(text), reply, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            parse(&text);
        }

        #[test]
        fn the_asked_for_reply_is_always_understood(
            code in 1000u32..9999,
            yes in prop::sample::select(vec!["ok", "OK", "Ok", "oui", "OUI", "yes"]),
            space in " {0,3}",
        ) {
            prop_assert_eq!(parse(&format!("{space}{yes}{space}{code}{space}")), Reply::Acknowledge { code: Some(code.to_string()) });
        }
    }
}
