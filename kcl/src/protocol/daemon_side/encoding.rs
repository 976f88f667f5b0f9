//! Writes base64 as the daemon does.

use base64::engine::Engine as _;

use crate::protocol::base64::ENGINE;

/// `data` in base64, with padding.
pub(crate) fn encode(data: &[u8]) -> String {
    ENGINE.encode(data)
}

/// The two characters of every twelve bits.
const PAIRS: [[u8; 2]; 1 << 12] = {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pairs = [[0; 2]; 1 << 12];
    let mut bits = 0;
    while bits < pairs.len() {
        pairs[bits] = [ALPHABET[bits >> 6], ALPHABET[bits & 63]];
        bits += 1;
    }
    pairs
};

/// The number of bytes that the engine encodes at once, and how many it leaves: it reads 32 at a time, of which it uses 24.
const AT_ONCE: usize = 24;
const LEFT: usize = 9;
/// The least that the engine encodes at once. It encodes less one by one.
const LEAST: usize = 5 * AT_ONCE;

/// Writes `data` in base64, with padding, to the start of a slice that has room for it. Returns the number of characters.
pub(crate) fn encode_to(data: &[u8], to: &mut [u8]) -> usize {
    // The engine takes longer for what it leaves than for a hundred bytes before it, and a table does not.
    let bulk = match data.len().checked_sub(LEFT) {
        Some(more) if more >= LEAST => more / AT_ONCE * AT_ONCE + LEFT,
        _ => 0,
    };
    let (bulk, rest) = data.split_at(bulk);
    // There is room for all of it.
    let written = if bulk.is_empty() { 0 } else { ENGINE.encode_slice(bulk, to).unwrap_or(0) };
    written + encode_rest(rest, &mut to[written..])
}

/// Encodes six bytes at a time with the table.
fn encode_rest(data: &[u8], to: &mut [u8]) -> usize {
    let sixes = data.chunks_exact(6);
    let last = sixes.remainder();
    let (eights, to) = to.split_at_mut(data.len() / 6 * 8);
    for (six, eight) in sixes.zip(eights.chunks_exact_mut(8)) {
        let bits = u64::from_be_bytes([0, 0, six[0], six[1], six[2], six[3], six[4], six[5]]);
        for (two, shift) in eight.chunks_exact_mut(2).zip([36, 24, 12, 0]) {
            two.copy_from_slice(&PAIRS[(bits >> shift) as usize & (PAIRS.len() - 1)]);
        }
    }
    eights.len() + encode_last(last, to)
}

/// Encodes fewer than six bytes, and adds the padding.
fn encode_last(data: &[u8], to: &mut [u8]) -> usize {
    let pair = |bits: u32| PAIRS[bits as usize & (PAIRS.len() - 1)];
    let four = |bits: u32| {
        let ([one, two], [three, four]) = (pair(bits >> 12), pair(bits));
        [one, two, three, four]
    };
    let whole = data.chunks_exact(3);
    let (rest, mut quads) = (whole.remainder(), to.chunks_exact_mut(4));
    for (three, quad) in whole.zip(&mut quads) {
        quad.copy_from_slice(&four(u32::from_be_bytes([0, three[0], three[1], three[2]])));
    }
    let last = match *rest {
        [] => return data.len() / 3 * 4,
        [a] => {
            let [one, two, ..] = four(u32::from_be_bytes([0, a, 0, 0]));
            [one, two, b'=', b'=']
        }
        [a, b, ..] => {
            let [one, two, three, _] = four(u32::from_be_bytes([0, a, b, 0]));
            [one, two, three, b'=']
        }
    };
    if let Some(quad) = quads.next() {
        quad.copy_from_slice(&last);
    }
    (data.len() / 3 + 1) * 4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoding_is_the_same_as_the_library_does_it() {
        let data: Vec<u8> = (0..1_000_u32).map(|index| (index * 167 + index / 7) as u8).collect();
        for length in (0..200).chain([999, 1_000]) {
            for start in [0, 1, 400].map(|start| start.min(data.len() - length)) {
                let data = &data[start..start + length];
                let mut to = [b'?'; 1_400];
                let written = encode_to(data, &mut to);
                assert_eq!(&to[..written], encode(data).as_bytes(), "{length}");
                assert!(to[written..].iter().all(|&byte| byte == b'?'));
            }
        }
    }
}
