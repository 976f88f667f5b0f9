//! From the input to the shards: each record to the queue of its shard, in batches.
//!
//! One pass over the input serves all shards, so that a record is read, split off and hashed once. A shard that is slow holds
//! the others back once its queue is full; memory stays bounded whatever the size of the input.

use std::sync::Arc;

use kcl::{Position, SequenceNumber};

use super::input::{InputError, LONGEST_LINE, Lines, Next, Source};
use super::marks::{Mark, Marks, digest};
use super::queue::{Batch, End, Queue, Stamp};
use super::record::{Format, Record};
use super::split::{Place, shard_of};
use super::store::{Origin, Store};
use crate::report;

/// The most data a call brings, in bytes.
const CALL: usize = LONGEST_LINE;

/// How the input becomes records.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) format: Format,
    /// The most data of a record, in bytes.
    pub(crate) longest: usize,
    /// The most records of a batch.
    pub(crate) max_records: usize,
    /// How many records count.
    pub(crate) limit: u64,
    /// The last record that counts for nothing, if the run starts behind one.
    pub(crate) start: Option<SequenceNumber>,
}

/// Fills the queues of all shards.
pub(crate) struct Feed {
    pub(crate) reading: Reading,
    /// One a shard.
    pub(crate) lanes: Vec<Lane>,
    /// What an earlier run knows of the input.
    pub(crate) marks: Marks,
    pub(crate) origin: Option<Origin>,
    /// None if checkpoints go with the run.
    pub(crate) store: Option<Arc<Store>>,
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
    /// The lane of a shard that stands at `position`; `start` is the last record before the run's start.
    pub(crate) fn new(queue: Arc<Queue>, position: &Position, start: Option<SequenceNumber>) -> Self {
        let from = match (position, start) {
            (Position::ShardEnd, _) => Start::Nowhere,
            // Records here have no parts, so whatever the sub-sequence number, the record it belongs to is done.
            (Position::After { sequence_number, .. }, _) => Start::Behind(*sequence_number),
            (_, Some(start)) => Start::Behind(start),
            (_, None) => Start::All,
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

/// How far the input was read.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    /// Records so far.
    record: u64,
    /// Of these, those that count.
    counted: u64,
    digest: u32,
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
        let inputs: Vec<_> = sources.iter().map(|source| source.input.clone()).collect();
        let changed = |mark: Mark| {
            let place = Place::from_sequence_number(&mark.sequence_number).unwrap_or_default();
            let input = inputs.get(usize::from(place.input)).or(inputs.last()).cloned();
            InputError::Changed { input: input.unwrap_or(super::Input::Stdin), line: place.line }
        };
        let mut start = self.reading.start;
        let mut skip_to = self.earliest();
        let mut progress = Progress::default();
        for (input, source) in (0..).zip(sources) {
            let longest = self.reading.format.longest_line(self.reading.longest);
            let mut lines = Lines::with_longest(source, longest);
            let mut known_origin = self.continue_at(input, &mut lines, &mut progress);
            while progress.counted < self.reading.limit {
                let (text, number, offset, arrival, origin) = match lines.next()? {
                    Next::Line { text, number, offset, arrival, origin } => (text, number, offset, arrival, origin),
                    Next::Idle => {
                        // All that there was is read.
                        if lines.source().is_followed() {
                            self.marks.end().map_err(changed)?;
                        }
                        self.lanes.iter_mut().for_each(Lane::flush);
                        continue;
                    }
                    Next::End => break,
                };
                if origin != known_origin {
                    known_origin = origin;
                    let Progress { record, digest, .. } = progress;
                    self.keep_origin(&Origin { input, offset: origin, record, digest })?;
                }
                progress.record += 1;
                let place = Place { input, offset, line: number, record: progress.record };
                if self.store.is_some() {
                    progress.digest = digest(progress.digest, text);
                    self.marks.meet(|| place.sequence_number(), progress.digest).map_err(changed)?;
                }
                start = start.filter(|start| place.sequence_number() <= *start);
                if start.is_none() {
                    progress.counted += 1;
                }
                skip_to = skip_to.filter(|last| place.sequence_number() <= *last);
                if skip_to.is_some() {
                    continue;
                }
                let stamp = Stamp { place, arrival, digest: progress.digest };
                match self.reading.format.record(text, place.record, self.reading.longest) {
                    Ok(record) if self.deliver(&record, stamp) => {}
                    Ok(_) => return Ok(()),
                    Err(problem) => {
                        let excerpt = report::excerpt(text);
                        let input = lines.source().input.clone();
                        return Err(InputError::Record { input, line: number, problem: Box::new(problem), excerpt });
                    }
                }
            }
        }
        self.marks.end().map_err(changed)
    }

    /// Lets a followed file start where it did when it was read last; where that is.
    fn continue_at(&self, input: u16, lines: &mut Lines, progress: &mut Progress) -> u64 {
        let is_here = |origin: &Origin| origin.input == input && lines.source().is_followed();
        let Some(origin) = self.origin.filter(is_here) else { return 0 };
        lines.start_at(origin.offset);
        progress.record = origin.record;
        progress.digest = origin.digest;
        origin.offset
    }

    fn keep_origin(&self, origin: &Origin) -> Result<(), InputError> {
        let kept = self.store.as_ref().map_or(Ok(()), |store| store.keep_origin(origin));
        kept.map_err(|error| InputError::Origin(Box::new(error)))
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
    fn deliver(&mut self, record: &Record<'_>, stamp: Stamp) -> bool {
        let shard = shard_of(record.hash, self.lanes.len() as u32);
        let Some(lane) = self.lanes.get_mut(shard as usize) else { return true };
        match lane.from {
            Start::All => {}
            Start::Behind(last) if stamp.place.sequence_number() > last => lane.from = Start::All,
            Start::Behind(_) | Start::Nowhere => return true,
        }
        if lane.batch.data_len() + record.data.len() > CALL {
            lane.flush();
        }
        lane.batch.push(&record.data, &record.key, Stamp { arrival: record.arrival.unwrap_or(stamp.arrival), ..stamp });
        if lane.batch.len() < self.reading.max_records {
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
        let lanes = vec![Lane::new(Arc::clone(&queue), position, None)];
        let reading =
            Reading { format: Format::Lines(None), longest: LONGEST_LINE, max_records, limit: u64::MAX, start: None };
        let feed = Feed { reading, lanes, marks: Marks::default(), origin: None, store: None };
        let feed = thread::spawn(move || feed.run(sources));
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
