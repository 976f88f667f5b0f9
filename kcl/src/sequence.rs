//! Sequence numbers: decimals that do not fit into a machine integer.

use std::fmt;
use std::str::FromStr;

/// The number of decimal digits in a limb, except the first: twice the eight of [`eight_digits`].
const DIGITS: usize = 16;
/// The first limb holds the digits that the others have no room for: 129 - 7 x 16 = 17, which a `u64` holds, too.
const LIMBS: usize = 8;
/// The number of digits that the limbs hold.
const BUFFER: usize = SequenceNumber::MAX_DIGITS;
/// The number of digits in the first limb.
const FIRST: usize = BUFFER - (LIMBS - 1) * DIGITS;

/// The number of digits in the sequence numbers that Kinesis assigns today.
pub(crate) const USUAL_DIGITS: usize = 56;

/// The sequence number of a record: a decimal of up to 129 digits.
///
/// Kinesis documents it as `0|([1-9]\d{0,128})`. Today's sequence numbers have 56 digits, which is more than a `u128`
/// holds. It compares as a number, takes no heap memory and is cheap to copy.
///
/// ```
/// use kcl::SequenceNumber;
///
/// let earlier: SequenceNumber = "9".parse()?;
/// let later: SequenceNumber = "49680459081244621130965516027434656173539743708206858242".parse()?;
/// assert!(earlier < later);
/// assert_eq!(later.to_string(), "49680459081244621130965516027434656173539743708206858242");
/// # Ok::<(), kcl::ParseSequenceNumberError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SequenceNumber {
    /// Base 10^16, the most significant limb first, so that the derived order is the numeric one.
    limbs: [u64; LIMBS],
}

impl SequenceNumber {
    /// The largest number of digits in a sequence number.
    pub const MAX_DIGITS: usize = 129;

    /// Parses ASCII digits.
    ///
    /// # Errors
    ///
    /// If there are no digits or more than [`MAX_DIGITS`](Self::MAX_DIGITS), or if any byte is not a digit.
    pub fn from_ascii(digits: &[u8]) -> Result<Self, ParseSequenceNumberError> {
        if digits.is_empty() {
            return Err(ParseSequenceNumberError(Problem::Empty));
        }
        if digits.len() > Self::MAX_DIGITS {
            return Err(ParseSequenceNumberError(Problem::TooLong(digits.len())));
        }
        let mut number = Self::from(0);
        number.assign(digits).ok_or(ParseSequenceNumberError(Problem::NotADigit))?;
        Ok(number)
    }

    fn assign(&mut self, digits: &[u8]) -> Option<()> {
        if let Some((digits, [])) = digits.split_first_chunk() {
            return self.assign_usual(digits);
        }
        let (first, rest) = digits.split_at(digits.len().saturating_sub(DIGITS * (LIMBS - 1)));
        for (limb, chunk) in self.limbs.iter_mut().rev().zip(rest.rchunks(DIGITS).chain([first])) {
            *limb = few_digits(chunk)?;
        }
        Some(())
    }

    /// Becomes the number of these ASCII digits, if all of them are digits. The limbs are written where they stay, because to
    /// copy them right after would cost as much as to parse them.
    #[inline(always)] // Whether or not the feature `metrics` is on, which changes what the compiler would do.
    pub(crate) fn assign_usual(&mut self, digits: &[u8; USUAL_DIGITS]) -> Option<()> {
        let (first, rest) = digits.split_first_chunk()?;
        self.limbs = [0; LIMBS];
        self.limbs[LIMBS - 4] = eight_digits(first)?;
        for (limb, chunk) in self.limbs[LIMBS - 3..].iter_mut().zip(rest.chunks_exact(DIGITS)) {
            *limb = eight_digits(chunk.first_chunk()?)? * EIGHT_DIGITS + eight_digits(chunk.last_chunk()?)?;
        }
        Some(())
    }

    /// The digits of a number that has as many as those of Kinesis today.
    #[inline]
    #[cfg(any(feature = "daemon", test))]
    pub(crate) fn usual_digits(&self) -> Option<[u8; USUAL_DIGITS]> {
        let [zeros @ .., first, second, third, fourth] = self.limbs;
        // The first limb has eight digits, of which the first one is not zero.
        if zeros != [0; LIMBS - 4] || !(EIGHT_DIGITS / 10..EIGHT_DIGITS).contains(&first) {
            return None;
        }
        let mut digits = [0; USUAL_DIGITS];
        let (start, mut rest) = digits.split_first_chunk_mut()?;
        *start = eight_ascii(first);
        for limb in [second, third, fourth] {
            for eight in [limb / EIGHT_DIGITS, limb % EIGHT_DIGITS] {
                let chunk;
                (chunk, rest) = rest.split_first_chunk_mut()?;
                *chunk = eight_ascii(eight);
            }
        }
        Some(digits)
    }

    /// The next number, if it has no more digits than a sequence number may have.
    #[cfg(feature = "testing")]
    pub(crate) fn successor(mut self) -> Option<Self> {
        for limb in self.limbs[1..].iter_mut().rev() {
            *limb += 1;
            if *limb < BASE {
                return Some(self);
            }
            *limb = 0;
        }
        self.limbs[0] += 1;
        (self.limbs[0] < 10 * BASE).then_some(self)
    }

    /// Writes the digits to the end of a buffer of zeros, and returns them.
    fn digits<'b>(&self, buffer: &'b mut [u8; BUFFER]) -> &'b [u8] {
        let (first, rest) = buffer.split_at_mut(FIRST);
        write_digits(self.limbs[0], first);
        for (chunk, &limb) in rest.chunks_exact_mut(DIGITS).zip(&self.limbs[1..]) {
            write_digits(limb, chunk);
        }
        // With today's 56 digits, most limbs are zero.
        let zeros = self.limbs.iter().take_while(|&&limb| limb == 0).count();
        let digits = &buffer[zeros.checked_sub(1).map_or(0, |limbs| FIRST + limbs * DIGITS)..];
        match digits.iter().position(|&digit| digit != b'0') {
            Some(first) => &digits[first..],
            None => b"0",
        }
    }
}

/// The value of at most 17 ASCII digits, or `None` if a byte is not a digit.
#[inline]
fn few_digits(digits: &[u8]) -> Option<u64> {
    let mut rest = digits;
    let mut value = 0;
    while let Some((eight, after)) = rest.split_first_chunk() {
        value = value * EIGHT_DIGITS + eight_digits(eight)?;
        rest = after;
    }
    for &digit in rest {
        value = value * 10 + digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
    }
    Some(value)
}

/// The number of values of a limb.
const BASE: u64 = 10_u64.pow(DIGITS as u32);

/// The number of values of eight digits.
pub(crate) const EIGHT_DIGITS: u64 = 100_000_000;

/// The value of eight ASCII digits, or `None` if a byte is not a digit.
#[inline(always)]
pub(crate) fn eight_digits(digits: &[u8; 8]) -> Option<u64> {
    // The first digit becomes the lowest byte.
    let bytes = u64::from_le_bytes(*digits);
    let values = bytes.wrapping_sub(0x3030_3030_3030_3030);
    // Of the lowest byte that is not a digit, one of the two has the highest bit. Digits do not have it.
    if (values | bytes.wrapping_add(0x4646_4646_4646_4646)) & 0x8080_8080_8080_8080 != 0 {
        return None;
    }
    // All are converted at once: to four numbers of two digits, two of four, and one of eight.
    let twos = (values.wrapping_mul((10 << 8) | 1) >> 8) & 0x00ff_00ff_00ff_00ff;
    let fours = (twos.wrapping_mul((100 << 16) | 1) >> 16) & 0x0000_ffff_0000_ffff;
    Some(fours.wrapping_mul((10_000 << 32) | 1) >> 32)
}

/// The ASCII digits of a number below 10^8.
#[inline(always)]
fn eight_ascii(number: u64) -> [u8; 8] {
    // The first digits become the lowest bytes: two numbers of four digits are divided at once, four of two, and eight of one.
    let fours = (number / 10_000) | ((number % 10_000) << 32);
    let hundreds = ((fours * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let twos = hundreds | ((fours - hundreds * 100) << 16);
    let tens = ((twos * 103) >> 10) & 0x000f_000f_000f_000f;
    let ones = tens | ((twos - tens * 10) << 8);
    (ones + 0x3030_3030_3030_3030).to_le_bytes()
}

/// A number as decimal text, without a heap allocation.
#[derive(Clone, Copy)]
pub struct Decimal {
    /// The text is at the end.
    digits: [u8; 24],
    start: u8,
}

impl Decimal {
    /// The text of this number.
    #[inline]
    pub fn new(number: u64) -> Self {
        let mut digits = [b'0'; 24];
        let mut left = number;
        for eight in digits.rchunks_exact_mut(8) {
            eight.copy_from_slice(&eight_ascii(left % EIGHT_DIGITS));
            left /= EIGHT_DIGITS;
            if left == 0 {
                break;
            }
        }
        let length = number.checked_ilog10().map_or(1, |most| most as u8 + 1);
        Self { digits, start: 24 - length }
    }

    /// The digits.
    #[inline]
    pub fn digits(&self) -> &[u8] {
        &self.digits[usize::from(self.start)..]
    }

    /// The digits, as a text.
    #[inline]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.digits()).unwrap_or_default()
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The number whose last 64 digits these are, 16 in each part.
#[inline]
pub fn number_of_parts(parts: [u64; 4]) -> SequenceNumber {
    let [first, second, third, fourth] = parts;
    let limbs = [0, 0, 0, 0, first % BASE, second % BASE, third % BASE, fourth % BASE];
    SequenceNumber { limbs }
}

/// Writes the digits of a number to the end of a buffer of zeros that has room for them.
fn write_digits(number: u64, buffer: &mut [u8]) {
    let mut left = number;
    for digit in buffer.iter_mut().rev() {
        if left == 0 {
            break;
        }
        *digit = b'0' + (left % 10) as u8;
        left /= 10;
    }
}

impl From<u64> for SequenceNumber {
    fn from(number: u64) -> Self {
        let mut limbs = [0; LIMBS];
        limbs[LIMBS - 1] = number % BASE;
        limbs[LIMBS - 2] = number / BASE;
        Self { limbs }
    }
}

impl FromStr for SequenceNumber {
    type Err = ParseSequenceNumberError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::from_ascii(text.as_bytes())
    }
}

impl fmt::Display for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut buffer = [b'0'; BUFFER];
        f.pad_integral(true, "", std::str::from_utf8(self.digits(&mut buffer)).unwrap_or_default())
    }
}

impl fmt::Debug for SequenceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceNumber({self})")
    }
}

/// The reason a text is not a [`SequenceNumber`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseSequenceNumberError(Problem);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Empty,
    TooLong(usize),
    NotADigit,
}

impl fmt::Display for ParseSequenceNumberError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Problem::Empty => f.write_str("a sequence number has at least one digit"),
            Problem::TooLong(digits) => {
                write!(f, "a sequence number has at most {} digits, this one has {digits}", SequenceNumber::MAX_DIGITS)
            }
            Problem::NotADigit => f.write_str("a sequence number is made of the digits 0 to 9 only"),
        }
    }
}

impl std::error::Error for ParseSequenceNumberError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> SequenceNumber {
        text.parse().expect(text)
    }

    #[test]
    #[cfg(feature = "testing")]
    fn the_successor_of_a_number_carries() {
        let after = |text: &str| parse(text).successor().map(|number| number.to_string());
        assert_eq!(after("0").as_deref(), Some("1"));
        assert_eq!(after(&u64::MAX.to_string()).as_deref(), Some("18446744073709551616"));
        for digits in 1..SequenceNumber::MAX_DIGITS {
            assert_eq!(after(&"9".repeat(digits)), Some(format!("1{}", "0".repeat(digits))));
        }
        assert_eq!(after(&"9".repeat(SequenceNumber::MAX_DIGITS)), None);
    }

    #[test]
    fn digits_are_those_of_the_standard_format() {
        for number in (0..30_000).chain((0..EIGHT_DIGITS).step_by(99_991)).chain([EIGHT_DIGITS - 1]) {
            assert_eq!(eight_ascii(number), *format!("{number:08}").as_bytes());
        }
        for number in (0..20).flat_map(|zeros| [10_u64.pow(zeros), 10_u64.pow(zeros) - 1]).chain([u64::MAX]) {
            assert_eq!(Decimal::new(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn numbers_of_today_have_56_digits() {
        let number = number_of_parts([49_680_459, 812_446_211_309_655, 0, 7]);
        let text = concat!("49680459", "0812446211309655", "0000000000000000", "0000000000000007");
        assert_eq!(number, parse(text));
        assert_eq!(number.usual_digits().unwrap(), text.as_bytes());
        for other in ["0", &text[1..], &format!("1{text}"), &"9".repeat(129)] {
            assert_eq!(parse(other).usual_digits(), None, "{other}");
        }
        let zeros = format!("1{}", "0".repeat(55));
        assert_eq!(parse(&zeros).usual_digits().unwrap(), zeros.as_bytes());
        assert_eq!(number_of_parts([0, 0, 1, BASE + 2]), parse("10000000000000002"));
    }

    #[test]
    fn compares_as_a_number() {
        let ascending =
            ["0", "9", "10", "18446744073709551615", "18446744073709551616", &"9".repeat(128), &"9".repeat(129)];
        for pair in ascending.windows(2) {
            assert!(parse(pair[0]) < parse(pair[1]), "{} < {}", pair[0], pair[1]);
        }
        assert_eq!(parse("007"), parse("7"));
        assert_eq!(SequenceNumber::from(u64::MAX), parse("18446744073709551615"));
    }

    #[test]
    fn eight_bytes_are_a_number_only_if_all_are_digits() {
        assert_eq!(eight_digits(b"00000000"), Some(0));
        assert_eq!(eight_digits(b"12345678"), Some(12_345_678));
        assert_eq!(eight_digits(b"99999999"), Some(99_999_999));
        for place in 0..8 {
            for other in 0..8 {
                for byte in 0..=255_u8 {
                    let mut text = *b"90909090";
                    (text[other], text[place]) = (b'x', byte);
                    assert_eq!(eight_digits(&text).is_some(), place == other && byte.is_ascii_digit(), "{text:?}");
                }
            }
        }
    }

    #[test]
    fn prints_what_it_read() {
        for digits in 1..=SequenceNumber::MAX_DIGITS {
            let text: String = "1234567890".chars().cycle().take(digits).collect();
            assert_eq!(parse(&text).to_string(), text);
        }
        assert_eq!(parse("000").to_string(), "0");
        assert_eq!(parse("10000000000000000000").to_string(), "10000000000000000000");
    }

    #[test]
    fn refuses_text_that_is_not_a_number() {
        for text in ["", " 1", "1 ", "+1", "-1", "1.0", "TRIM_HORIZON", "1_000", "１", &"9".repeat(130)] {
            assert!(text.parse::<SequenceNumber>().is_err(), "{text:?}");
        }
    }
}
