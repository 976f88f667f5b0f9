//! From the input to the shards: each record to the queue of its shard, in batches.
//!
//! One pass over the input serves all shards, so that a record is read, split off and hashed once. A shard that is slow holds
//! the others back once its queue is full; memory stays bounded whatever the size of the input.

use std::sync::Arc;

use kcl::{Position, SequenceNumber};

use super::input::{InputError, Lines, Next, Source};
use super::key::Pointer;
use super::queue::{Batch, End, Queue};
use super::split::{Decimal, Place, shard_of};
use crate::report;

/// The most data a call brings, in bytes.
const CALL: usize = super::input::LONGEST_LINE;

/// Fills the queues of all shards.
pub(crate) struct Feed {
    pub(crate) key: Option<Pointer>,
    /// The most records of a batch.
    pub(crate) max_records: usize,
    /// One a shard.
    pub(crate) lanes: Vec<Lane>,
}

/// A shard as the input sees it.
pub(crate) struct Lane {
    queue: Arc<Queue>,
    batch: Batch,
    from: Start,
}

/// Which records of a shard are delivered.
#[derive(Clone, Copy, Debug)]
enum Start {
    All,
    /// Those behind this one.
    Behind(SequenceNumber),
    /// None: the shard was processed to its end before.
    Nowhere,
}

impl Lane {
    /// The lane of a shard that stands at `position`.
    pub(crate) fn new(queue: Arc<Queue>, position: &Position) -> Self {
        let from = match position {
            Position::ShardEnd => Start::Nowhere,
            // Records here have no parts, so whatever the sub-sequence number, the record it belongs to is done.
            Position::After { sequence_number, .. } => Start::Behind(*sequence_number),
            _ => Start::All,
        };
        Self { queue, batch: Batch::default(), from }
    }

    fn flush(&mut self) {
        if self.batch.len() > 0 {
            self.queue.push(&mut self.batch);
        }
    }

    fn is_open(&self) -> bool {
        !matches!(self.from, Start::Nowhere) && self.queue.is_open()
    }
}

impl Feed {
    /// Reads all sources to their end, or as long as somebody wants what they bring; then ends the queues.
    ///
    /// # Errors
    ///
    /// The first line that is no good. What stands before it is delivered.
    pub(crate) fn run(mut self, sources: Vec<Source>) -> Result<(), InputError> {
        let fed = self.read(sources);
        for lane in &mut self.lanes {
            lane.flush();
            lane.queue.end(if fed.is_ok() { End::Finished } else { End::Broken });
        }
        fed
    }

    fn read(&mut self, sources: Vec<Source>) -> Result<(), InputError> {
        let skip_to = self.earliest();
        let mut record = 0;
        for (input, source) in (0..).zip(sources) {
            let arrival = source.arrival();
            let mut lines = Lines::new(source);
            loop {
                let (text, number, offset) = match lines.next()? {
                    Next::Line { text, number, offset } => (text, number, offset),
                    Next::Idle => {
                        self.lanes.iter_mut().for_each(Lane::flush);
                        continue;
                    }
                    Next::End => break,
                };
                record += 1;
                let place = Place { input, offset, line: number, record };
                if skip_to.is_some_and(|last| place.sequence_number() <= last) {
                    continue;
                }
                let decimal;
                let key = match &self.key {
                    Some(pointer) => match pointer.key(text) {
                        Ok(key) => key,
                        Err(problem) => {
                            let excerpt = report::excerpt(text);
                            let input = lines.source().input.clone();
                            return Err(InputError::Key { input, line: number, problem, excerpt });
                        }
                    },
                    None => {
                        decimal = Decimal::new(record);
                        decimal.as_str().into()
                    }
                };
                let shard = shard_of(&key, self.lanes.len() as u32);
                if !self.deliver(shard, text, &key, place, arrival) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The record up to which no shard wants any.
    fn earliest(&self) -> Option<SequenceNumber> {
        let wanted = self.lanes.iter().filter_map(|lane| match lane.from {
            Start::All => Some(None),
            Start::Behind(last) => Some(Some(last)),
            Start::Nowhere => None,
        });
        wanted.min().flatten()
    }

    /// Puts a record into its batch; false if nobody wants any more.
    fn deliver(&mut self, shard: u32, data: &[u8], key: &str, place: Place, arrival: i64) -> bool {
        let Some(lane) = self.lanes.get_mut(shard as usize) else { return true };
        match lane.from {
            Start::All => {}
            Start::Behind(last) if place.sequence_number() > last => lane.from = Start::All,
            Start::Behind(_) | Start::Nowhere => return true,
        }
        if lane.batch.data_len() + data.len() > CALL {
            lane.flush();
        }
        lane.batch.push(data, key, place, arrival);
        if lane.batch.len() < self.max_records {
            return true;
        }
        lane.flush();
        self.lanes.iter().any(Lane::is_open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::Input;

    use std::thread;

    /// What one shard gets, batch by batch, from files with these contents.
    fn fed(files: &[&[u8]], position: &Position, max_records: usize) -> Vec<Vec<(Place, Vec<u8>, String)>> {
        let folder = tempfile::tempdir().unwrap();
        let inputs: Vec<_> = (0..files.len()).map(|file| folder.path().join(file.to_string())).collect();
        for (path, content) in inputs.iter().zip(files) {
            std::fs::write(path, content).unwrap();
        }
        let sources = Source::open_all(&inputs.into_iter().map(Input::File).collect::<Vec<_>>()).unwrap();
        let queue = Arc::new(Queue::default());
        let lanes = vec![Lane::new(Arc::clone(&queue), position)];
        let feed = thread::spawn(move || Feed { key: None, max_records, lanes }.run(sources));
        let mut batches = Vec::new();
        let mut batch = Batch::default();
        while queue.pop(&mut batch).is_ok() {
            let records = batch.records().zip(batch.places());
            batches.push(
                records.map(|(record, place)| (place, record.data.to_vec(), record.partition_key.to_owned())).collect(),
            );
        }
        feed.join().unwrap().unwrap();
        batches
    }

    #[test]
    fn records_are_counted_over_all_inputs_and_lines_in_each() {
        let batches = fed(&[b"a\n\nb\n", b"\nc"], &Position::TrimHorizon, 2);
        let place = |input, offset, line, record| Place { input, offset, line, record };
        assert_eq!(
            batches,
            [
                vec![
                    (place(0, 0, 1, 1), b"a".to_vec(), "1".to_owned()),
                    (place(0, 3, 3, 2), b"b".to_vec(), "2".to_owned()),
                ],
                vec![(place(1, 1, 2, 3), b"c".to_vec(), "3".to_owned())],
            ]
        );
    }

    #[test]
    fn delivery_goes_on_right_behind_a_position() {
        let files: [&[u8]; 2] = [b"a\nb\n", b"c\nd\n"];
        let all: Vec<_> = fed(&files, &Position::TrimHorizon, 9).concat();
        for (index, (place, ..)) in all.iter().enumerate() {
            let position = Position::after(place.sequence_number(), 0);
            assert_eq!(fed(&files, &position, 9).concat(), all[index + 1..]);
        }
        // The daemon lets a processor checkpoint numbers that no record has.
        assert_eq!(fed(&files, &Position::after(1.into(), 0), 9).concat(), all);
        assert!(fed(&files, &Position::ShardEnd, 9).is_empty());
    }

    #[test]
    fn a_batch_has_no_more_data_than_a_call_may_bring() {
        let line = [&vec![b'x'; 4 << 20][..], b"\n"].concat();
        let batches = fed(&[&line.repeat(5)], &Position::TrimHorizon, 1_000);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [2, 2, 1]);
    }
}
