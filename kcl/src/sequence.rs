//! Sequence numbers: decimals that do not fit into a machine integer.

use std::fmt;
use std::str::FromStr;

/// The number of decimal digits in a limb: a `u64` holds any 19 digits.
const DIGITS: usize = 19;
/// 7 x 19 = 133 digits, enough for the 129 of [`SequenceNumber::MAX_DIGITS`].
const LIMBS: usize = 7;

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
    /// Base 10^19, the most significant limb first, so that the derived order is the numeric one.
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
        let mut limbs = [0; LIMBS];
        for (limb, chunk) in limbs.iter_mut().rev().zip(digits.rchunks(DIGITS)) {
            for &digit in chunk {
                if !digit.is_ascii_digit() {
                    return Err(ParseSequenceNumberError(Problem::NotADigit));
                }
                *limb = *limb * 10 + u64::from(digit - b'0');
            }
        }
        Ok(Self { limbs })
    }

    /// Appends the digits.
    pub(crate) fn write(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(self.digits(&mut [b'0'; LIMBS * DIGITS]));
    }

    /// Writes the digits to the end of a buffer of zeros, and returns them.
    fn digits<'b>(&self, buffer: &'b mut [u8; LIMBS * DIGITS]) -> &'b [u8] {
        // With today's 56 digits, most limbs are zero.
        let zeros = self.limbs.iter().take_while(|&&limb| limb == 0).count();
        for (chunk, &limb) in buffer.chunks_exact_mut(DIGITS).zip(&self.limbs).skip(zeros) {
            let mut rest = limb;
            for digit in chunk.iter_mut().rev() {
                *digit = b'0' + (rest % 10) as u8;
                rest /= 10;
            }
        }
        let digits = &buffer[zeros * DIGITS..];
        match digits.iter().position(|&digit| digit != b'0') {
            Some(first) => &digits[first..],
            None => b"0",
        }
    }
}

impl From<u64> for SequenceNumber {
    fn from(number: u64) -> Self {
        const BASE: u64 = 10_u64.pow(DIGITS as u32);
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
        let mut buffer = [b'0'; LIMBS * DIGITS];
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
