//! Writes base64 as the daemon does.

use base64::engine::Engine as _;

use super::pen::Pen;
use crate::protocol::base64::ENGINE;

/// `data` in base64, with padding.
pub(crate) fn encode(data: &[u8]) -> String {
    ENGINE.encode(data)
}

/// The two characters of every twelve bits.
static PAIRS: [[u8; 2]; 1 << 12] = {
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

/// Appends `data` in base64, with padding.
#[inline]
pub(super) fn encode_to(data: &[u8], pen: &mut Pen<'_>) {
    // The engine takes longer for what it leaves than for a hundred bytes before it, and a table does not.
    let bulk = match data.len().checked_sub(LEFT) {
        Some(more) if more >= LEAST => more / AT_ONCE * AT_ONCE + LEFT,
        _ => 0,
    };
    let (bulk, rest) = data.split_at(bulk);
    if !bulk.is_empty() {
        pen.put_with(|to| match ENGINE.encode_slice(bulk, to) {
            Ok(written) => written,
            Err(_) => unreachable!("there is room for the data"),
        });
    }
    encode_rest(rest, pen);
}

/// The characters of the lowest twelve bits.
#[inline]
fn pair(bits: u64) -> [u8; 2] {
    PAIRS[bits as usize & (PAIRS.len() - 1)]
}

/// The characters of the lowest 24 bits.
#[inline]
fn quad(bits: u64) -> [u8; 4] {
    let ([a, b], [c, d]) = (pair(bits >> 12), pair(bits));
    [a, b, c, d]
}

/// Encodes six bytes at a time with the table, and adds the padding.
#[inline]
fn encode_rest(mut data: &[u8], pen: &mut Pen<'_>) {
    while let Some((&[a, b, c, d, e, f], rest)) = data.split_first_chunk() {
        let bits = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
        let ([a, b, c, d], [e, f, g, h]) = (quad(bits >> 24), quad(bits));
        pen.put(&[a, b, c, d, e, f, g, h]);
        data = rest;
    }
    if let Some((&[a, b, c], rest)) = data.split_first_chunk() {
        pen.put(&quad(u64::from_be_bytes([0, 0, 0, 0, 0, a, b, c])));
        data = rest;
    }
    match *data {
        [a] => {
            let [one, two, ..] = quad(u64::from(a) << 16);
            pen.put(&[one, two, b'=', b'=']);
        }
        [a, b] => {
            let [one, two, three, _] = quad((u64::from(a) << 16) | (u64::from(b) << 8));
            pen.put(&[one, two, three, b'=']);
        }
        _ => {}
    }
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
                let mut pen = Pen::new(&mut to);
                encode_to(data, &mut pen);
                let written = pen.written();
                assert_eq!(&to[..written], encode(data).as_bytes(), "{length}");
                assert!(to[written..].iter().all(|&byte| byte == b'?'));
            }
        }
    }
}
