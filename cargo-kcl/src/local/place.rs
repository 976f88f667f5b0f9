//! The hash key ranges of shards, and the sequence numbers of records.

use kcl::__private::number_of_parts;
use kcl::SequenceNumber;

/// The start of each of `shards` equal ranges of 2^128: shard `i` starts at i * 2^128 / `shards`, rounded up.
pub(crate) fn ranges(shards: u32) -> impl Iterator<Item = u128> {
    let shards = u128::from(shards);
    // 2^128 itself does not fit into a u128.
    let (whole, rest) = (u128::MAX / shards, u128::MAX % shards + 1);
    (0..shards).map(move |shard| shard * whole + (shard * rest).div_ceil(shards))
}

/// The most inputs of a run: a sequence number has 4 digits for the number of the input.
pub(crate) const MOST_INPUTS: u16 = 10_000;
/// The greatest number of a line or record, which has 16 digits.
const MOST_LINES: u64 = 9_999_999_999_999_999;

/// The place of a record in the input. Its sequence number encodes the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// The number of the input, from 0.
    pub(crate) input: u16,
    /// The offset in the input at which the record starts, in bytes.
    pub(crate) offset: u64,
    /// The line of the record, from 1.
    pub(crate) line: u64,
    /// The number of the record among all records of all inputs, from 1.
    pub(crate) record: u64,
}

impl Place {
    /// A sequence number of 56 digits, like those of Kinesis today: 49, then 4 for the input, 18 for the offset, and 16 each for
    /// line and record.
    pub(crate) fn sequence_number(self) -> SequenceNumber {
        const SIXTEEN_DIGITS: u64 = 10_000_000_000_000_000;
        let first = 49_000_000 + u64::from(self.input % MOST_INPUTS) * 100 + self.offset / SIXTEEN_DIGITS % 100;
        number_of_parts([first, self.offset, self.line, self.record])
    }

    /// The place that a sequence number encodes, if it is such a number.
    pub(crate) fn from_sequence_number(number: &SequenceNumber) -> Option<Self> {
        let text = number.to_string();
        let fields = text.strip_prefix("49").filter(|fields| fields.len() == 54)?;
        let field = |from: usize, to: usize| fields.get(from..to)?.parse::<u64>().ok();
        Some(Self {
            input: field(0, 4)?.try_into().ok()?,
            offset: field(4, 22)?,
            line: field(22, 38)?,
            record: field(38, 54)?,
        })
    }

    /// The last place in an input before this offset. It sorts after every record that starts before the offset, and before all
    /// others.
    pub(crate) fn last_before(input: u16, offset: u64) -> Option<Self> {
        Some(Self { input, offset: offset.checked_sub(1)?, line: MOST_LINES, record: MOST_LINES })
    }

    /// Whether a record can be here, and not only before or after it.
    pub(crate) fn is_record(&self) -> bool {
        self.line < MOST_LINES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_equal() {
        for shards in [1, 2, 3, 7, 100, 128, 10_000] {
            let starts: Vec<_> = ranges(shards).collect();
            assert_eq!((starts.len(), starts[0]), (shards as usize, 0));
            let widths: Vec<_> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let last = u128::MAX - starts[starts.len() - 1] + u128::from(shards > 1);
            let (least, most) = widths.iter().chain([&last]).fold((last, last), |(a, b), &w| (a.min(w), b.max(w)));
            assert!(most - least <= 1, "{shards}: {least} to {most}");
        }
        assert_eq!(ranges(4).nth(3), Some(3 << 126));
    }

    #[test]
    fn sequence_numbers_have_56_digits_and_ascend_with_the_place() {
        let places = [
            Place { input: 0, offset: 0, line: 1, record: 1 },
            Place { input: 0, offset: 9, line: 2, record: 2 },
            Place { input: 0, offset: 1 << 59, line: 1 << 50, record: 1 << 50 },
            Place { input: 1, offset: 0, line: 1, record: (1 << 50) + 1 },
            Place { input: 9_999, offset: 0, line: 1, record: (1 << 50) + 2 },
        ];
        let numbers = places.map(Place::sequence_number);
        assert!(numbers.is_sorted());
        assert_eq!(numbers.map(|number| Place::from_sequence_number(&number)), places.map(Some));
        assert!(numbers.iter().all(|number| number.to_string().len() == 56));
        assert_eq!(
            places[1].sequence_number().to_string(),
            concat!("49", "0000", "000000000000000009", "0000000000000002", "0000000000000002")
        );
    }

    #[test]
    fn other_numbers_are_not_places() {
        for number in [SequenceNumber::from(1), SequenceNumber::from(u64::MAX)] {
            assert_eq!(Place::from_sequence_number(&number), None);
        }
    }

    #[test]
    fn the_last_place_before_an_offset_sorts_after_all_records_there() {
        let last = Place::last_before(2, 10).unwrap();
        assert!(Place { input: 2, offset: 9, line: 5, record: 5 }.sequence_number() < last.sequence_number());
        assert!(last.sequence_number() < Place { input: 2, offset: 10, line: 1, record: 1 }.sequence_number());
        assert_eq!(Place::last_before(0, 0), None);
    }
}
