//! The GSM 7-bit default alphabet and its extension table (3GPP TS 23.038), and letters outside it made to fit.
//!
//! One letter outside would turn a whole text to UCS-2 and halve its room. Not for: packing septets (medmon-sms).

/// Announces a character of the extension table.
pub const ESCAPE: u8 = 0x1B;

/// By septet. The escape's own place holds a character that no text contains.
const BASIC: [char; 128] = [
    '@', '£', '$', '¥', 'è', 'é', 'ù', 'ì', 'ò', 'Ç', '\n', 'Ø', 'ø', '\r', 'Å', 'å', 'Δ', '_', 'Φ', 'Γ', 'Λ', 'Ω',
    'Π', 'Ψ', 'Σ', 'Θ', 'Ξ', '\u{1b}', 'Æ', 'æ', 'ß', 'É', ' ', '!', '"', '#', '¤', '%', '&', '\'', '(', ')', '*', '+',
    ',', '-', '.', '/', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', ':', ';', '<', '=', '>', '?', '¡', 'A', 'B',
    'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y',
    'Z', 'Ä', 'Ö', 'Ñ', 'Ü', '§', '¿', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 'n', 'o', 'p',
    'q', 'r', 's', 't', 'u', 'v', 'w', 'x', 'y', 'z', 'ä', 'ö', 'ñ', 'ü', 'à',
];

const EXTENSION: [(u8, char); 10] = [
    (0x0A, '\u{c}'),
    (0x14, '^'),
    (0x28, '{'),
    (0x29, '}'),
    (0x2F, '\\'),
    (0x3C, '['),
    (0x3D, '~'),
    (0x3E, ']'),
    (0x40, '|'),
    (0x65, '€'),
];

/// The septets of one character: one, or two with the escape; `None` outside the alphabet.
pub fn septets(letter: char) -> Option<impl Iterator<Item = u8>> {
    let basic = || BASIC.iter().position(|own| *own == letter && *own != '\u{1b}').map(|place| (None, place as u8));
    let extended = || EXTENSION.iter().find(|(_, own)| *own == letter).map(|(septet, _)| (Some(ESCAPE), *septet));
    let (escape, septet) = basic().or_else(extended)?;
    Some(escape.into_iter().chain([septet]))
}

/// The septets of `text`; `None` when a character is outside the alphabet.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut all = Vec::with_capacity(text.len());
    for letter in text.chars() {
        all.extend(septets(letter)?);
    }
    Some(all)
}

/// The text of septets. An unknown extension shows as the basic character, as the standard wants; an escape at the
/// end is dropped.
pub fn decode(septets: &[u8]) -> String {
    let basic = |septet: u8| BASIC[usize::from(septet & 0x7F)];
    let mut text = String::with_capacity(septets.len());
    let mut rest = septets.iter().copied();
    while let Some(septet) = rest.next() {
        if septet != ESCAPE {
            text.push(basic(septet));
        } else if let Some(next) = rest.next() {
            text.push(
                EXTENSION.iter().find(|(own, _)| *own == next).map_or_else(|| basic(next), |(_, letter)| *letter),
            );
        }
    }
    text
}

/// `text` with every letter outside GSM-7 replaced: by its plain form where it is a Latin one, else by "?". Line
/// breaks become spaces.
pub fn transliterate(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() => plain.push(' '),
            letter if septets(letter).is_some() => plain.push(letter),
            letter => plain.push_str(substitute(letter)),
        }
    }
    plain
}

/// `text` up to `most` septets, never with half a character.
pub fn cut(text: &str, most: usize) -> String {
    let mut room = most;
    let fits = |letter: &char| {
        let length = septets(*letter).map_or(1, Iterator::count);
        let fits = length <= room;
        room = room.saturating_sub(length);
        fits
    };
    text.chars().take_while(fits).collect()
}

/// Latin-1, Latin Extended-A and typographic marks.
fn substitute(letter: char) -> &'static str {
    match letter {
        'á' | 'â' | 'ã' | 'ā' | 'ă' | 'ą' => "a",
        'À' | 'Á' | 'Â' | 'Ã' | 'Ā' | 'Ă' | 'Ą' => "A",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'ð' | 'ď' | 'đ' => "d",
        'Ð' | 'Ď' | 'Đ' => "D",
        'ê' | 'ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'È' | 'Ê' | 'Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'ĥ' | 'ħ' => "h",
        'Ĥ' | 'Ħ' => "H",
        'í' | 'î' | 'ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'Ì' | 'Í' | 'Î' | 'Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' => "I",
        'ĵ' => "j",
        'Ĵ' => "J",
        'ķ' => "k",
        'Ķ' => "K",
        'ĺ' | 'ļ' | 'ľ' | 'ł' => "l",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ł' => "L",
        'ń' | 'ņ' | 'ň' => "n",
        'Ń' | 'Ņ' | 'Ň' => "N",
        'ó' | 'ô' | 'õ' | 'ō' | 'ŏ' | 'ő' => "o",
        'Ò' | 'Ó' | 'Ô' | 'Õ' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'ŕ' | 'ř' => "r",
        'Ŕ' | 'Ř' => "R",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'ţ' | 'ť' | 'ț' => "t",
        'Ţ' | 'Ť' | 'Ț' => "T",
        'ú' | 'û' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'Ù' | 'Ú' | 'Û' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ŵ' => "w",
        'Ŵ' => "W",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'Ý' | 'Ÿ' | 'Ŷ' => "Y",
        'ź' | 'ż' | 'ž' => "z",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'œ' => "oe",
        'Œ' => "OE",
        'þ' => "th",
        'Þ' => "Th",
        '‘' | '’' | 'ʼ' | '`' | '´' => "'",
        '“' | '”' | '«' | '»' => "\"",
        '–' | '—' | '‐' | '‑' => "-",
        '…' => "...",
        '\u{a0}' | '\u{202f}' | '\u{2009}' => " ",
        _ => "?",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alphabet_is_its_own_inverse() {
        let all: String = BASIC
            .iter()
            .filter(|letter| **letter != '\u{1b}')
            .chain(EXTENSION.iter().map(|(_, letter)| letter))
            .collect();
        assert_eq!(encode(&all).map(|septets| decode(&septets)), Some(all));
        assert_eq!(encode("€"), Some(vec![0x1B, 0x65]));
        assert_eq!(encode("ê"), None);
        assert_eq!(decode(&[0x1B, 0x41, 0x1B]), "A");
    }

    #[test]
    fn letters_outside_become_plain_and_extended_ones_are_not_halved() {
        assert_eq!(transliterate("François Lê, Œdipe: «Ça va…»\n"), "Francois Le, OEdipe: \"Ça va...\" ");
        assert_eq!(transliterate("Фёдор"), "?????");
        assert_eq!(cut("ab€cd", 3), "ab");
        assert_eq!(cut("ab€cd", 4), "ab€");
    }
}
