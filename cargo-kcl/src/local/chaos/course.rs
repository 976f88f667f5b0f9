//! The records that a shard must receive, read from the input a second time. To check the feed independently, this shares with it
//! only the format of a line or a document, the parts of an aggregate, and the assignment to shards.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::sync::Arc;

use kcl::SequenceNumber;

use crate::input::kpl::{Aggregate, Content, Cursor, UserRecord};
use crate::input::lines::{self, Framing, Next};
use crate::input::path::Input;
use crate::input::record::Format;
use crate::input::source::Source;
use crate::input::start::BYTE_ORDER_MARK;
use crate::local::place::Place;
use crate::local::source::feed::Reading;
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
    /// The index in an aggregate.
    pub(crate) sub: u64,
    pub(crate) nth: u64,
    /// How many of the shard's records there are before this place.
    before: u64,
}

impl Milestone {
    /// The sequence and sub-sequence number.
    pub(crate) fn number(&self) -> (SequenceNumber, u64) {
        (self.place.sequence_number(), self.sub)
    }
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
    after: Option<(SequenceNumber, u64)>,
    lines: Lines,
    nth: u64,
    /// The aggregate at this place whose parts are next, and how many of the shard's records are before it.
    aggregate: Option<(Place, u64, Aggregate<'static>, Cursor)>,
}

impl Course {
    /// The records after `after`. The search starts at `known`, which is at that record or before it.
    pub(crate) fn new(
        track: &Arc<Track>,
        shard: u32,
        known: Option<Milestone>,
        after: Option<(SequenceNumber, u64)>,
    ) -> io::Result<Self> {
        // A document is read from its start.
        let known = known.filter(|_| track.framing() != Framing::Documents);
        let lines = Lines::start(track, known.map(|known| known.place).unwrap_or_default())?;
        let nth = known.map_or(0, |known| known.before);
        Ok(Self { track: Arc::clone(track), shard, after, lines, nth, aggregate: None })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Due>> {
        loop {
            if let Some(due) = self.next_part() {
                return Ok(Some(due));
            }
            let Some((place, text)) = self.lines.next(&self.track)? else { return Ok(None) };
            let record = self.track.format.record(text, place.record, self.track.longest);
            let record = record.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let before = self.nth;
            match self.track.format.take_apart(&record) {
                Content::Plain if self.track.plan.shard(|| record.hash(), place.record) == self.shard => {
                    self.nth += 1;
                    let milestone = Milestone { place, sub: 0, nth: self.nth, before };
                    if self.after.is_none_or(|after| milestone.number() > after) {
                        return Ok(Some(Due { milestone, data: record.data.into(), key: record.key.into() }));
                    }
                }
                Content::Plain | Content::Elsewhere => {}
                Content::Aggregate(aggregate) => {
                    self.aggregate = Some((place, before, aggregate.into_owned(), Cursor::default()));
                }
            }
        }
    }

    /// The next part of the current aggregate that belongs to the shard.
    fn next_part(&mut self) -> Option<Due> {
        let (place, before, aggregate, cursor) = self.aggregate.as_mut()?;
        while let Some((sub, UserRecord { partition_key, data, hash })) = aggregate.next(cursor) {
            if self.track.plan.shard(|| hash, place.record) != self.shard {
                continue;
            }
            self.nth += 1;
            let milestone = Milestone { place: *place, sub, nth: self.nth, before: *before };
            if self.after.is_none_or(|after| milestone.number() > after) {
                return Some(Due { milestone, data: data.to_owned(), key: partition_key.to_owned() });
            }
        }
        self.aggregate = None;
        None
    }
}

impl Track {
    fn framing(&self) -> Framing {
        self.format.framing(self.longest)
    }
}

/// How many records some inputs have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counted {
    /// The records of the input, in which an aggregate is one.
    pub(crate) records: u64,
    /// The records that are delivered, in which an aggregate is as many as it has parts.
    pub(crate) delivered: u64,
}

/// Counts the records in these inputs, up to a limit.
pub(crate) fn count(inputs: &[Input], reading: &Reading) -> io::Result<Counted> {
    let mut lines = Lines::open(inputs, reading.format.framing(reading.longest), Place::default())?;
    let mut counted = Counted::default();
    while counted.records < reading.limit && lines.read(inputs)? {
        counted.records += 1;
        counted.delivered += match lines.current().1 {
            _ if matches!(reading.format, Format::Lines(_)) => 1,
            text => parts(text, reading),
        };
    }
    Ok(counted)
}

/// The number of records that this text is delivered as.
fn parts(text: &[u8], reading: &Reading) -> u64 {
    let Ok(record) = reading.format.record(text, 1, reading.longest) else { return 1 };
    match reading.format.take_apart(&record) {
        Content::Plain => 1,
        Content::Elsewhere => 0,
        Content::Aggregate(aggregate) => aggregate.len(),
    }
}

/// The texts that are records, from all inputs.
#[derive(Debug)]
enum Lines {
    Own(OwnLines),
    Documents(Box<Documents>),
}

impl Lines {
    fn start(track: &Track, at: Place) -> io::Result<Self> {
        Self::open(&track.inputs, track.framing(), at)
    }

    /// Opens the inputs so that the record at this place is the next one.
    fn open(inputs: &[Input], framing: Framing, at: Place) -> io::Result<Self> {
        match framing {
            Framing::Lines { longest, .. } => OwnLines::open(inputs, longest, at).map(Self::Own),
            Framing::Documents => Ok(Self::Documents(Box::new(Documents { from: None, place: at, text: Vec::new() }))),
        }
    }

    fn next(&mut self, track: &Track) -> io::Result<Option<(Place, &[u8])>> {
        if self.current().0.record >= track.limit || !self.read(&track.inputs)? {
            return Ok(None);
        }
        Ok(Some(self.current()))
    }

    /// The record that was read last, and its place.
    fn current(&self) -> (Place, &[u8]) {
        match self {
            Self::Own(lines) => (lines.place, &lines.text),
            Self::Documents(documents) => (documents.place, &documents.text),
        }
    }

    /// Reads up to the next text that is a record; false at the end of the last input.
    fn read(&mut self, inputs: &[Input]) -> io::Result<bool> {
        match self {
            Self::Own(lines) => lines.read(inputs),
            Self::Documents(documents) => documents.read(inputs),
        }
    }
}

/// The records of documents, which are read as the feed reads them.
#[derive(Debug)]
struct Documents {
    from: Option<lines::Lines>,
    place: Place,
    text: Vec<u8>,
}

impl Documents {
    fn read(&mut self, inputs: &[Input]) -> io::Result<bool> {
        loop {
            let Some(from) = &mut self.from else {
                let Some(input) = inputs.get(usize::from(self.place.input)) else { return Ok(false) };
                let sources = Source::open_all(std::slice::from_ref(input)).map_err(io::Error::other)?;
                self.from =
                    sources.into_iter().next().map(|source| lines::Lines::new(source.again(), Framing::Documents));
                continue;
            };
            match from.next().map_err(io::Error::other)? {
                Next::Line { text, number: line, offset, .. } => {
                    self.place = Place { line, offset, record: self.place.record + 1, ..self.place };
                    self.text.clear();
                    self.text.extend_from_slice(text);
                    return Ok(true);
                }
                Next::Idle => {}
                Next::End => {
                    self.from = None;
                    self.place.input += 1;
                }
            }
        }
    }
}

/// Lines, read on their own.
#[derive(Debug)]
struct OwnLines {
    from: Option<BufReader<File>>,
    longest: usize,
    /// The place of the line that was read last.
    place: Place,
    /// The offset where the next line starts.
    offset: u64,
    text: Vec<u8>,
}

impl OwnLines {
    fn open(inputs: &[Input], longest: usize, at: Place) -> io::Result<Self> {
        let mut from = open(inputs, at.input)?;
        if let Some(from) = &mut from {
            from.seek(SeekFrom::Start(at.offset))?;
        }
        let place = Place { line: at.line.saturating_sub(1), record: at.record.saturating_sub(1), ..at };
        Ok(Self { from, longest, place, offset: at.offset, text: Vec::new() })
    }

    fn read(&mut self, inputs: &[Input]) -> io::Result<bool> {
        let longest = self.longest as u64;
        while let Some(from) = &mut self.from {
            self.text.clear();
            // A line may end in `\r\n`, and the first may follow a byte order mark.
            let most = longest + 2 + if self.offset == 0 { BYTE_ORDER_MARK.len() as u64 } else { 0 };
            let read = from.by_ref().take(most).read_until(b'\n', &mut self.text)? as u64;
            if read == 0 {
                self.place = Place { input: self.place.input + 1, line: 0, ..self.place };
                self.offset = 0;
                self.from = open(inputs, self.place.input)?;
                continue;
            }
            let mark =
                if self.offset == 0 && self.text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
            self.text.drain(..mark);
            if self.text.pop_if(|last| *last == b'\n').is_some() {
                self.text.pop_if(|last| *last == b'\r');
            }
            if self.text.len() as u64 > longest {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a line is too long for a record"));
            }
            self.place = Place { offset: self.offset + mark as u64, line: self.place.line + 1, ..self.place };
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

    fn reading(longest: usize, limit: u64) -> Reading {
        Reading { format: Format::Lines(None), longest, max_records: 1, limit, limit_ends: true, start: None }
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
            let after = Some(known.number());
            assert_eq!(all(Course::new(&track, 0, Some(*known), after).unwrap()), course[index + 1..]);
            assert_eq!(all(Course::new(&track, 0, None, after).unwrap()), course[index + 1..]);
        }
        assert_eq!(count(&track.inputs, &reading(100, u64::MAX)).unwrap(), Counted { records: 4, delivered: 4 });
    }

    #[test]
    fn a_course_has_the_records_of_the_feed() {
        let (_folder, track) = track(&["\u{feff}a\r\n\r\nb\r\nc\r", "\u{feff}d"], u64::MAX);
        let course = all(Course::new(&track, 0, None, None).unwrap());
        let places: Vec<_> = course.iter().map(|(milestone, data)| (milestone.place, data.as_slice())).collect();
        let place = |input, offset, line, record| Place { input, offset, line, record };
        let expected = [
            (place(0, 3, 1, 1), &b"a"[..]),
            (place(0, 8, 3, 2), b"b"),
            (place(0, 11, 4, 3), b"c\r"),
            (place(1, 3, 1, 4), b"d"),
        ];
        assert_eq!(places, expected);
        for (index, (known, data)) in course.iter().enumerate() {
            let from = all(Course::new(&track, 0, Some(*known), None).unwrap());
            assert_eq!(from, course[index..], "{data:?}");
        }
    }

    #[test]
    fn the_longest_line_may_follow_a_byte_order_mark() {
        // The key, which is the number of the record, counts as well.
        let longest = "x".repeat(99);
        for end in ["", "\n", "\r\n"] {
            let (_folder, track) = track(&[&format!("\u{feff}{longest}{end}")], u64::MAX);
            let course = all(Course::new(&track, 0, None, None).unwrap());
            assert!(matches!(&course[..], [(_, data)] if *data == longest.as_bytes()), "{end:?}");
        }
        for start in ["", "\u{feff}"] {
            let (_folder, track) = track(&[&format!("{start}{longest}x\n")], u64::MAX);
            assert!(Course::new(&track, 0, None, None).unwrap().next().is_err());
        }
    }

    #[test]
    fn a_limit_holds() {
        let (_folder, track) = track(&["a\nb\nc\n"], 2);
        assert_eq!(all(Course::new(&track, 0, None, None).unwrap()).len(), 2);
        assert_eq!(count(&track.inputs, &reading(100, 2)).unwrap(), Counted { records: 2, delivered: 2 });
        assert!(count(&track.inputs, &reading(0, 2)).is_err());
    }
}
