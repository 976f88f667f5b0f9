//! The records that a shard must receive, read from the input a second time. To check the feed independently, this shares with it
//! only the format of a line and the assignment to shards.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use kcl::SequenceNumber;

use crate::input::lines::Input;
use crate::input::record::Format;
use crate::local::place::Place;
use crate::local::source::plan::Plan;

/// The input of a run.
#[derive(Debug)]
pub(crate) struct Track {
    pub(crate) inputs: Vec<Input>,
    pub(crate) format: Format,
    /// The most bytes of data in a record.
    pub(crate) longest: usize,
    /// How many records of the input are used.
    pub(crate) limit: u64,
    pub(crate) plan: Plan,
}

/// A record of a shard, and how many of the shard's records there are up to and including it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Milestone {
    pub(crate) place: Place,
    pub(crate) nth: u64,
}

/// A record that is due next.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) milestone: Milestone,
    pub(crate) data: Vec<u8>,
    pub(crate) key: String,
}

/// The records of one shard, starting at some place.
#[derive(Debug)]
pub(crate) struct Course {
    track: Arc<Track>,
    shard: u32,
    /// Records up to this one are skipped.
    after: Option<SequenceNumber>,
    lines: Lines,
    nth: u64,
}

impl Course {
    /// The records after `after`. The search starts at `known`, which is at that record or before it.
    pub(crate) fn new(
        track: &Arc<Track>,
        shard: u32,
        known: Option<Milestone>,
        after: Option<SequenceNumber>,
    ) -> io::Result<Self> {
        let start = known.map(|known| known.place).unwrap_or_default();
        let lines = Lines::start(track, start)?;
        Ok(Self { track: Arc::clone(track), shard, after, lines, nth: known.map_or(0, |known| known.nth - 1) })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Due>> {
        while let Some((place, text)) = self.lines.next(&self.track)? {
            let record = self.track.format.record(text, place.record, self.track.longest);
            let record = record.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            if self.track.plan.shard(record.hash, place.record) != self.shard {
                continue;
            }
            self.nth += 1;
            if self.after.is_some_and(|after| place.sequence_number() <= after) {
                continue;
            }
            let milestone = Milestone { place, nth: self.nth };
            return Ok(Some(Due { milestone, data: record.data.into_owned(), key: record.key.into_owned() }));
        }
        Ok(None)
    }
}

/// Counts the records in these inputs, up to a limit.
pub(crate) fn count(inputs: &[Input], longest: usize, limit: u64) -> io::Result<u64> {
    let mut lines = Lines::open(inputs, Place::default())?;
    while lines.place.record < limit && lines.read(inputs, longest)? {}
    Ok(lines.place.record)
}

/// The lines that are records, from all inputs.
#[derive(Debug)]
struct Lines {
    from: Option<BufReader<File>>,
    /// The place of the line that was read last.
    place: Place,
    /// The offset where the next line starts.
    offset: u64,
    text: Vec<u8>,
}

impl Lines {
    fn start(track: &Track, at: Place) -> io::Result<Self> {
        Self::open(&track.inputs, at)
    }

    /// Opens the inputs so that the record at this place is the next one.
    fn open(inputs: &[Input], at: Place) -> io::Result<Self> {
        let mut from = open(inputs, at.input)?;
        if let Some(from) = &mut from {
            from.seek(SeekFrom::Start(at.offset))?;
        }
        let place = Place { line: at.line.saturating_sub(1), record: at.record.saturating_sub(1), ..at };
        Ok(Self { from, place, offset: at.offset, text: Vec::new() })
    }

    fn next(&mut self, track: &Track) -> io::Result<Option<(Place, &[u8])>> {
        if self.place.record >= track.limit || !self.read(&track.inputs, track.format.longest_line(track.longest))? {
            return Ok(None);
        }
        Ok(Some((self.place, &self.text)))
    }

    /// Reads up to the next line that is a record; false at the end of the last input.
    fn read(&mut self, inputs: &[Input], longest: usize) -> io::Result<bool> {
        while let Some(from) = &mut self.from {
            self.text.clear();
            let read = from.by_ref().take(longest as u64 + 1).read_until(b'\n', &mut self.text)? as u64;
            if read == 0 {
                self.place = Place { input: self.place.input + 1, line: 0, ..self.place };
                self.offset = 0;
                self.from = open(inputs, self.place.input)?;
                continue;
            }
            if self.text.pop_if(|last| *last == b'\n').is_none() && read > longest as u64 {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long for a record"));
            }
            self.place = Place { offset: self.offset, line: self.place.line + 1, ..self.place };
            self.offset += read;
            if !self.text.is_empty() {
                self.place.record += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn open(inputs: &[Input], number: u16) -> io::Result<Option<BufReader<File>>> {
    match inputs.get(usize::from(number)) {
        Some(Input::File(path)) => File::open(path).map(|file| Some(BufReader::with_capacity(64 << 10, file))),
        Some(Input::Stdin) => Err(io::Error::other("standard input cannot be read again")),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(files: &[&str], limit: u64) -> (tempfile::TempDir, Arc<Track>) {
        let folder = tempfile::tempdir().unwrap();
        let input = |(number, content): (usize, &&str)| {
            let path = folder.path().join(number.to_string());
            std::fs::write(&path, content).unwrap();
            Input::File(path)
        };
        let inputs: Vec<_> = files.iter().enumerate().map(input).collect();
        let plan = Plan::new(1, &crate::local::source::plan::Reshard::default()).unwrap();
        (folder, Arc::new(Track { inputs, format: Format::Lines(None), longest: 100, limit, plan }))
    }

    fn all(mut course: Course) -> Vec<(Milestone, Vec<u8>)> {
        std::iter::from_fn(|| course.next().unwrap()).map(|due| (due.milestone, due.data)).collect()
    }

    #[test]
    fn a_course_covers_all_inputs_from_any_place() {
        let (_folder, track) = track(&["a\n\nb\n", "", "\nc\nd"], u64::MAX);
        let course = all(Course::new(&track, 0, None, None).unwrap());
        let places: Vec<_> = course.iter().map(|(milestone, _)| milestone.place).collect();
        let place = |input, offset, line, record| Place { input, offset, line, record };
        assert_eq!(places, [place(0, 0, 1, 1), place(0, 3, 3, 2), place(2, 1, 2, 3), place(2, 3, 3, 4)]);
        for (index, (known, data)) in course.iter().enumerate() {
            let from = all(Course::new(&track, 0, Some(*known), None).unwrap());
            assert_eq!(from, course[index..], "{data:?}");
            let after = Some(known.place.sequence_number());
            assert_eq!(all(Course::new(&track, 0, Some(*known), after).unwrap()), course[index + 1..]);
            assert_eq!(all(Course::new(&track, 0, None, after).unwrap()), course[index + 1..]);
        }
        assert_eq!(count(&track.inputs, 100, u64::MAX).unwrap(), 4);
    }

    #[test]
    fn a_limit_holds() {
        let (_folder, track) = track(&["a\nb\nc\n"], 2);
        assert_eq!(all(Course::new(&track, 0, None, None).unwrap()).len(), 2);
        assert_eq!(count(&track.inputs, 100, 2).unwrap(), 2);
        assert!(count(&track.inputs, 0, 2).is_err());
    }
}
