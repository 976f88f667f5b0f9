//! Where a failed processor left off, in words.

use std::fmt;

use kcl::{Position, SequenceNumber};

use crate::local::place::Place;
use crate::local::source::queue::{Batch, Part};

/// The place where a failed processor left off.
pub(super) struct LeftOff<'a> {
    /// The last batch.
    pub(super) batch: &'a Batch,
    /// The number of records in the batch that were acknowledged.
    pub(super) acknowledged: usize,
    /// Whether batches are acknowledged before all of their records are done.
    pub(super) works_ahead: bool,
    pub(super) position: &'a Position,
    /// The names of the inputs.
    pub(super) inputs: &'a [String],
}

impl<'a> LeftOff<'a> {
    /// The records of the batch that were not acknowledged, but that the checkpoint covers.
    pub(super) fn done(&self) -> Part<'a> {
        let (_, rest) = self.batch.all().split_at(self.acknowledged);
        let is_done = |number: &(SequenceNumber, u64)| match self.position {
            Position::After { sequence_number, sub_sequence_number } => {
                *number <= (*sequence_number, *sub_sequence_number)
            }
            Position::ShardEnd => true,
            _ => false,
        };
        let (done, _) = rest.split_at(rest.numbers().take_while(is_done).count());
        done
    }

    /// The first record that was neither acknowledged nor checkpointed, if there is one.
    fn first_open(&self) -> Option<(Position, Option<Place>)> {
        let done = self.acknowledged + self.done().len();
        let (sequence_number, sub_sequence_number) = self.batch.all().numbers().nth(done)?;
        Some((Position::after(sequence_number, sub_sequence_number), self.batch.places().nth(done)))
    }

    /// The place of the record at the checkpoint, if it is a record of an input.
    fn checkpointed(&self) -> Option<Place> {
        match self.position {
            Position::After { sequence_number, .. } => {
                Place::from_sequence_number(sequence_number).filter(|place| place.is_record())
            }
            _ => None,
        }
    }

    /// Writes the place of a record after the record, if it is known.
    fn write_place(&self, f: &mut fmt::Formatter<'_>, place: Option<Place>) -> fmt::Result {
        let named = place.and_then(|place| Some((self.inputs.get(usize::from(place.input))?, place.line)));
        named.map_or(Ok(()), |(input, line)| write!(f, " ({input}, line {line})"))
    }
}

/// An acknowledgement says that a batch is done, unless the processor works ahead. Only the checkpoint decides what is delivered again.
impl fmt::Display for LeftOff<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((record, place)) = self.first_open().filter(|_| !self.works_ahead) {
            write!(f, "not acknowledged: record {record}")?;
            self.write_place(f, place)?;
            f.write_str(" and all after it; ")?;
        }
        if *self.position == Position::ShardEnd {
            return f.write_str("delivered again: none, because the checkpoint stands at SHARD_END");
        }
        write!(f, "delivered again: all records after the checkpoint at {}", self.position)?;
        self.write_place(f, self.checkpointed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::local::source::queue::Stamp;

    fn place(line: u64) -> Place {
        Place { input: 0, offset: 2 * line, line, record: line }
    }

    /// The text after a failure in a batch with the lines 1 to 4.
    fn text(acknowledged: usize, works_ahead: bool, position: &Position) -> String {
        let mut batch = Batch::default();
        (1..=4).for_each(|line| batch.push(b"x", "key", Stamp { place: place(line), ..Stamp::default() }));
        let inputs = ["file".to_owned()];
        LeftOff { batch: &batch, acknowledged, works_ahead, position, inputs: &inputs }.to_string()
    }

    fn after(line: u64) -> Position {
        Position::after(place(line).sequence_number(), 0)
    }

    #[test]
    fn open_records_start_after_those_acknowledged_or_checkpointed() {
        for (acknowledged, checkpoint, line) in [(0, 0, 1), (0, 2, 3), (3, 2, 4), (2, 3, 4), (2, 2, 3)] {
            let text = text(acknowledged, false, &after(checkpoint));
            let start = format!("not acknowledged: record {} (file, line {line}) and all after it; ", after(line));
            assert!(text.starts_with(&start), "{acknowledged}, {checkpoint}: {text}");
            assert!(
                text.ends_with(&format!(" after the checkpoint at {} (file, line {checkpoint})", after(checkpoint)))
            );
        }
    }

    #[test]
    fn without_an_open_record_only_the_checkpoint_counts() {
        let start = "delivered again: all records after the checkpoint at ";
        assert_eq!(text(4, false, &after(2)), format!("{start}{} (file, line 2)", after(2)));
        assert_eq!(text(4, false, &Position::TrimHorizon), format!("{start}TRIM_HORIZON"));
        let end = text(0, false, &Position::ShardEnd);
        assert_eq!(end, "delivered again: none, because the checkpoint stands at SHARD_END");
    }

    #[test]
    fn an_acknowledgement_of_a_processor_that_works_ahead_says_nothing() {
        let start = "delivered again: all records after the checkpoint at ";
        assert_eq!(text(3, true, &after(1)), format!("{start}{} (file, line 1)", after(1)));
    }

    #[test]
    fn a_checkpoint_between_records_has_no_place() {
        let before = Place::last_before(0, 10).expect("an offset");
        let position = Position::after(before.sequence_number(), 0);
        assert!(text(4, false, &position).ends_with(&format!(" at {position}")));
        let of_a_stream =
            LeftOff { batch: &Batch::default(), acknowledged: 0, works_ahead: false, position: &after(2), inputs: &[] };
        assert!(of_a_stream.to_string().ends_with(&format!(" at {}", after(2))));
    }
}
