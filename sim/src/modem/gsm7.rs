//! The GSM 7-bit default alphabet with its extension table, and the packing of septets (3GPP TS 23.038).
//!
//! Not for: what stands around the text in a PDU (pdu.rs).

const ESCAPE: u8 = 0x1B;

/// By septet; the escape's place holds a character that no text contains.
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\u{1b}ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?\
    ¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà";

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

/// The septets of `text`; `None` when a character is outside the alphabet.
pub fn encode(text: &str) -> Option<Vec<u8>> {
    let mut septets = Vec::new();
    for c in text.chars() {
        if let Some((septet, _)) = EXTENSION.iter().find(|(_, own)| *own == c) {
            septets.extend([ESCAPE, *septet]);
        } else {
            let septet = BASIC.chars().position(|own| own == c)? as u8;
            if septet == ESCAPE {
                return None;
            }
            septets.push(septet);
        }
    }
    Some(septets)
}

/// The text of `septets`. An unknown extension shows the basic character, as the standard says; a trailing escape is dropped.
pub fn decode(septets: &[u8]) -> String {
    let basic = |septet: u8| BASIC.chars().nth((septet & 0x7F).into()).unwrap_or(' ');
    let mut text = String::new();
    let mut septets = septets.iter().copied();
    while let Some(septet) = septets.next() {
        if septet != ESCAPE {
            text.push(basic(septet));
        } else if let Some(next) = septets.next() {
            text.push(EXTENSION.iter().find(|(own, _)| *own == next).map_or_else(|| basic(next), |(_, c)| *c));
        }
    }
    text
}

/// Packs septets into octets behind `fill` zero bits.
pub fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let mut octets = vec![0; (fill + septets.len() * 7).div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        let bit = fill + index * 7;
        let spread = u16::from(septet & 0x7F) << (bit % 8);
        octets[bit / 8] |= spread as u8;
        if spread > 0xFF {
            octets[bit / 8 + 1] |= (spread >> 8) as u8;
        }
    }
    octets
}

/// Unpacks `count` septets from behind `fill` bits; `None` when there are too few octets.
pub fn unpack(octets: &[u8], count: usize, fill: usize) -> Option<Vec<u8>> {
    (0..count)
        .map(|index| {
            let bit = fill + index * 7;
            let low = u16::from(*octets.get(bit / 8)?) >> (bit % 8);
            let high = if bit % 8 > 1 { u16::from(*octets.get(bit / 8 + 1)?) << (8 - bit % 8) } else { 0 };
            Some(((low | high) & 0x7F) as u8)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hello_packs_as_everywhere() {
        assert_eq!(pack(&encode("hellohello").unwrap(), 0), [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
        assert_eq!(BASIC.chars().count(), 128);
        assert_eq!(encode("€"), Some(vec![0x1B, 0x65]));
        assert_eq!(encode("ê"), None);
    }

    proptest! {
        #[test]
        fn packing_is_undone(septets in proptest::collection::vec(0..128_u8, 0..161), fill in 0..7_usize) {
            let packed = pack(&septets, fill);
            prop_assert_eq!(packed.len(), (fill + septets.len() * 7).div_ceil(8));
            prop_assert_eq!(unpack(&packed, septets.len(), fill), Some(septets));
        }

        #[test]
        fn text_is_undone(text in "[@£$¥èéùìòÇØøÅåΔ_ΦΓΛΩÆæßÉ !-?A-Za-zÄÖÑÜ§äöñüà^{}\\[~\\]|€\n\r]{0,80}") {
            prop_assert_eq!(decode(&encode(&text).unwrap()), text);
        }

        #[test]
        fn anything_is_survived(septets in proptest::collection::vec(any::<u8>(), 0..200), count in 0..200_usize) {
            decode(&septets);
            unpack(&septets, count, 3);
        }
    }
}
