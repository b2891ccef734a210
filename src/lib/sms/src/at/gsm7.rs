//! Packing of septets into octets and back (3GPP TS 23.038, 6.1.2).
//!
//! Not for: which letter is which septet (`medmon_core::text::gsm7`).

/// Packs septets into octets behind `fill` zero bits.
pub fn pack(septets: &[u8], fill: usize) -> Vec<u8> {
    let mut octets = vec![0; (fill + septets.len() * 7).div_ceil(8)];
    for (index, septet) in septets.iter().enumerate() {
        let bit = fill + index * 7;
        let spread = u16::from(septet & 0x7F) << (bit % 8);
        let [low, high] = spread.to_le_bytes();
        octets[bit / 8] |= low;
        if high != 0 {
            octets[bit / 8 + 1] |= high;
        }
    }
    octets
}

/// Unpacks `count` septets from behind `fill` bits; `None` when there are too few octets.
pub fn unpack(octets: &[u8], count: usize, fill: usize) -> Option<Vec<u8>> {
    let septet = |index: usize| {
        let (place, shift) = ((fill + index * 7) / 8, (fill + index * 7) % 8);
        let low = u16::from(*octets.get(place)?);
        let high = if shift > 1 { u16::from(*octets.get(place + 1)?) } else { 0 };
        Some(((low | high << 8) >> shift) as u8 & 0x7F)
    };
    (0..count).map(septet).collect()
}

#[cfg(test)]
mod tests {
    use medmon_core::text::gsm7;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn hello_packs_as_everywhere() {
        let packed = pack(&gsm7::encode("hellohello").unwrap(), 0);
        assert_eq!(packed, [0xE8, 0x32, 0x9B, 0xFD, 0x46, 0x97, 0xD9, 0xEC, 0x37]);
    }

    proptest! {
        #[test]
        fn packing_is_undone(septets in prop::collection::vec(0u8..128, 0..161), fill in 0usize..7) {
            let packed = pack(&septets, fill);
            prop_assert_eq!(packed.len(), (fill + septets.len() * 7).div_ceil(8));
            prop_assert_eq!(unpack(&packed, septets.len(), fill), Some(septets));
        }

        #[test]
        fn anything_is_survived(octets in prop::collection::vec(any::<u8>(), 0..200), count in 0usize..300, fill in 0usize..7) {
            unpack(&octets, count, fill);
        }
    }
}
