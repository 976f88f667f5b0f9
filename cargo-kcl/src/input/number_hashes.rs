//! The hash keys of numbers, computed for several numbers at once.

use std::array;

use kcl::__private::Decimal;

use super::key::hash;

/// How many numbers are hashed at once. With fewer, the compiler does not use vector instructions for all steps.
const LANES: usize = 32;

/// A word of each of several messages.
type Lanes = [u32; LANES];

/// The state before the first block (RFC 1321, 3.3).
const START: [u32; 4] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/// The summand of each step: the integer part of 2^32 times the sine of its number (RFC 1321, 3.4).
#[rustfmt::skip]
const SINES: [[u32; 16]; 4] = [
    [
        0xd76a_a478, 0xe8c7_b756, 0x2420_70db, 0xc1bd_ceee, 0xf57c_0faf, 0x4787_c62a, 0xa830_4613, 0xfd46_9501,
        0x6980_98d8, 0x8b44_f7af, 0xffff_5bb1, 0x895c_d7be, 0x6b90_1122, 0xfd98_7193, 0xa679_438e, 0x49b4_0821,
    ],
    [
        0xf61e_2562, 0xc040_b340, 0x265e_5a51, 0xe9b6_c7aa, 0xd62f_105d, 0x0244_1453, 0xd8a1_e681, 0xe7d3_fbc8,
        0x21e1_cde6, 0xc337_07d6, 0xf4d5_0d87, 0x455a_14ed, 0xa9e3_e905, 0xfcef_a3f8, 0x676f_02d9, 0x8d2a_4c8a,
    ],
    [
        0xfffa_3942, 0x8771_f681, 0x6d9d_6122, 0xfde5_380c, 0xa4be_ea44, 0x4bde_cfa9, 0xf6bb_4b60, 0xbebf_bc70,
        0x289b_7ec6, 0xeaa1_27fa, 0xd4ef_3085, 0x0488_1d05, 0xd9d4_d039, 0xe6db_99e5, 0x1fa2_7cf8, 0xc4ac_5665,
    ],
    [
        0xf429_2244, 0x432a_ff97, 0xab94_23a7, 0xfc93_a039, 0x655b_59c3, 0x8f0c_cc92, 0xffef_f47d, 0x8584_5dd1,
        0x6fa8_7e4f, 0xfe2c_e6e0, 0xa301_4314, 0x4e08_11a1, 0xf753_7e82, 0xbd3a_f235, 0x2ad7_d2bb, 0xeb86_d391,
    ],
];

/// The hash keys of the numbers from `first` on, as decimal texts.
#[derive(Debug)]
pub(crate) struct NumberHashes {
    first: u64,
    hashes: [u128; LANES],
}

impl Default for NumberHashes {
    fn default() -> Self {
        Self { first: 0, hashes: hashes_from(0) }
    }
}

impl NumberHashes {
    /// The hash key of this number. It costs least if the numbers are asked for in order.
    pub(crate) fn get(&mut self, number: u64) -> u128 {
        let index = |first: u64| usize::try_from(number.checked_sub(first)?).ok();
        if let Some(hash) = index(self.first).and_then(|index| self.hashes.get(index)) {
            return *hash;
        }
        if number > u64::MAX - LANES as u64 {
            return hash(Decimal::new(number).as_str());
        }
        *self = Self { first: number, hashes: hashes_from(number) };
        self.hashes[0]
    }
}

/// The hash keys of the next numbers. The text of a number, with its padding, is a single block of MD5.
fn hashes_from(first: u64) -> [u128; LANES] {
    let mut words = [[0; LANES]; 16];
    for lane in 0..LANES {
        let number = Decimal::new(first + lane as u64);
        let digits = number.digits();
        let mut text = [0; 24];
        text[..digits.len()].copy_from_slice(digits);
        text[digits.len()] = 0x80;
        for (word, bytes) in words.iter_mut().zip(text.chunks_exact(4)) {
            word[lane] = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        words[14][lane] = 8 * digits.len() as u32;
    }
    let state = block(&words);
    array::from_fn(|lane| state.iter().fold(0, |hash, words| (hash << 32) | u128::from(words[lane].swap_bytes())))
}

/// The state after one block of each message.
fn block(words: &[Lanes; 16]) -> [Lanes; 4] {
    let mut state = START.map(|word| [word; LANES]);
    round(&mut state, words, &SINES[0], |at| at, [7, 12, 17, 22], |b, c, d| d ^ (b & (c ^ d)));
    round(&mut state, words, &SINES[1], |at| 5 * at + 1, [5, 9, 14, 20], |b, c, d| c ^ (d & (b ^ c)));
    round(&mut state, words, &SINES[2], |at| 3 * at + 5, [4, 11, 16, 23], |b, c, d| b ^ c ^ d);
    round(&mut state, words, &SINES[3], |at| 7 * at, [6, 10, 15, 21], |b, c, d| c ^ (b | !d));
    for (words, start) in state.iter_mut().zip(START) {
        words.iter_mut().for_each(|word| *word = word.wrapping_add(start));
    }
    state
}

/// Sixteen steps.
#[inline(always)]
fn round(
    state: &mut [Lanes; 4],
    words: &[Lanes; 16],
    sines: &[u32; 16],
    word: impl Fn(usize) -> usize,
    rotations: [u32; 4],
    mix: impl Fn(u32, u32, u32) -> u32,
) {
    let [mut a, mut b, mut c, mut d] = *state;
    for at in 0..16 {
        let (word, sine, rotation) = (&words[word(at) % 16], sines[at], rotations[at % 4]);
        for lane in 0..LANES {
            let sum = a[lane].wrapping_add(mix(b[lane], c[lane], d[lane])).wrapping_add(sine).wrapping_add(word[lane]);
            a[lane] = sum.rotate_left(rotation).wrapping_add(b[lane]);
        }
        (a, b, c, d) = (d, a, b, c);
    }
    *state = [a, b, c, d];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_hashed_as_their_texts_are() {
        let mut hashes = NumberHashes::default();
        let ends = (0..20).map(|zeros| 10_u64.pow(zeros)).chain([u64::MAX - 40]);
        for number in ends.flat_map(|end| end.saturating_sub(40)..=end + 40).chain([7, 0]) {
            assert_eq!(hashes.get(number), hash(&number.to_string()), "{number}");
        }
    }
}
