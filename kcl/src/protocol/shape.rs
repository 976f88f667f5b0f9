//! The exact shape in which the daemon writes a record: the only one that is read without `serde_json`.
//!
//! Whatever differs from it, in the order of fields, in whitespace or in escapes, is left to `serde_json`. This includes
//! records that are broken, so nothing here explains an error.

use crate::buffers::Entry;
use crate::sequence::{EIGHT_DIGITS, SequenceNumber, eight_digits};

/// The start of a record, before its data.
pub(super) const OPENING: &[u8; 9] = br#"{"data":""#;

/// The most digits in a number that certainly fits into an `i64`.
const MOST_DIGITS: usize = 18;

/// Reads the fields that follow the data, from the quote that ends the data to the end of the record: numbers into `record`,
/// and the key and the length of all this as the result. `None` means another shape, or that the record is incomplete.
#[inline]
pub(super) fn fields<'a>(text: &'a [u8], record: &mut Entry) -> Option<(&'a [u8], usize)> {
    let mut rest = Rest(text);
    rest.literal(br#"","partitionKey":""#)?;
    let key = rest.text()?;
    rest.literal(br#"","sequenceNumber":""#)?;
    rest.sequence_number(&mut record.sequence_number)?;
    rest.literal(br#"","approximateArrivalTimestamp":"#)?;
    record.arrival = rest.time()?;
    rest.literal(br#","subSequenceNumber":"#)?;
    // Few records are parts of aggregates, and have another number than the 0 that is there already.
    if rest.literal(br#"0,"action":"record"}"#).is_none() {
        record.sub_sequence_number = rest.integer()?.try_into().ok()?;
        rest.literal(br#","action":"record"}"#)?;
    }
    Some((key, text.len() - rest.0.len()))
}

/// Reads the end of a line whose records have ended, from the bracket on. The result is `millisBehindLatest`.
pub(super) fn closing(text: &[u8]) -> Option<Option<i64>> {
    let mut rest = Rest(text);
    rest.literal(br#"],"millisBehindLatest":"#)?;
    let millis = rest.nullable_integer()?;
    rest.literal(b"}")?;
    matches!(rest.0, b"" | b"\r").then_some(millis)
}

/// 1 in each byte.
const ONES: u64 = u64::MAX / 255;

/// The highest bit of the lowest byte that is zero. Bits above it mean nothing.
#[inline]
fn lowest_zero(bytes: u64) -> u64 {
    bytes.wrapping_sub(ONES) & !bytes & (ONES << 7)
}

/// The text that is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    #[inline]
    fn literal<const N: usize>(&mut self, expected: &[u8; N]) -> Option<()> {
        let (start, rest) = self.0.split_first_chunk()?;
        (start == expected).then(|| self.0 = rest)
    }

    #[inline]
    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }

    /// A string without escapes, up to its quote. Keys are short, so that a search in steps of eight bytes beats `memchr`.
    #[inline]
    fn text(&mut self) -> Option<&'a [u8]> {
        let mut length = 0;
        while let Some(eight) = self.0[length..].first_chunk() {
            let bytes = u64::from_le_bytes(*eight);
            let found = lowest_zero(bytes ^ (ONES * u64::from(b'"')))
                | lowest_zero(bytes ^ (ONES * u64::from(b'\\')))
                | lowest_zero(bytes ^ (ONES * u64::from(b'\n')));
            if found != 0 {
                length += found.trailing_zeros() as usize / 8;
                return (self.0[length] == b'"').then(|| self.take(length));
            }
            length += 8;
        }
        None
    }

    /// A sequence number, up to its quote.
    #[inline]
    fn sequence_number(&mut self, number: &mut SequenceNumber) -> Option<()> {
        match self.0.split_first_chunk() {
            Some((digits, rest)) if rest.first() == Some(&b'"') => {
                self.0 = rest;
                number.assign_usual(digits)
            }
            _ => {
                let length = self.0.iter().take(SequenceNumber::MAX_DIGITS + 1).position(|&byte| byte == b'"')?;
                *number = SequenceNumber::from_ascii(self.take(length)).ok()?;
                Some(())
            }
        }
    }

    /// A time in milliseconds, or null.
    #[inline]
    fn time(&mut self) -> Option<Option<i64>> {
        // Until the year 2286, such a time has 13 digits. Two overlapping groups of eight are faster than a loop.
        if let Some([b'1'..=b'9', ..]) = self.0.first_chunk::<14>().filter(|text| !text[13].is_ascii_digit()) {
            let (first, last) = (eight_digits(self.0.first_chunk()?), eight_digits(self.0[5..].first_chunk()?));
            if let (Some(first), Some(last)) = (first, last) {
                self.take(13);
                return Some(Some((first / 1000 * EIGHT_DIGITS + last) as i64));
            }
        }
        self.nullable_integer()
    }

    #[inline]
    fn nullable_integer(&mut self) -> Option<Option<i64>> {
        match self.0.first()? {
            b'n' => self.literal(b"null").map(|()| None),
            _ => self.integer().map(Some),
        }
    }

    /// A number of JSON without fraction and exponent, of at most [`MOST_DIGITS`] digits, and not -0.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        let negative = self.literal(b"-").is_some();
        let text = self.0;
        let mut value = 0_i64;
        while let [digit @ b'0'..=b'9', rest @ ..] = self.0 {
            value = value.wrapping_mul(10).wrapping_add(i64::from(digit - b'0'));
            self.0 = rest;
        }
        let length = text.len() - self.0.len();
        let has_leading_zero = length > 1 && text[0] == b'0';
        if length == 0 || length > MOST_DIGITS || has_leading_zero || (negative && value == 0) {
            return None;
        }
        // A point or an exponent is another shape: the callers look for what must follow.
        Some(if negative { -value } else { value })
    }
}
