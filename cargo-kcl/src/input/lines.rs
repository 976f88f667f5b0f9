//! Reads inputs line by line, or document by document.

use std::collections::VecDeque;
use std::io::{self, Seek};
use std::thread;

use super::bracket::Bracket;
use super::documents::{self, DocumentError, LONGEST_DOCUMENT, Scanner};
use super::follow::{self, FileId, Moved, Trace};
use super::path::Input;
use super::source::{InputError, READ, Source};
use super::start::{self, BYTE_ORDER_MARK, Foreign};
use crate::report;
use crate::waiting;

/// The alignment of the places where reads start. On some CPUs, reading into other memory costs up to five times as much.
const ALIGNMENT: usize = 4096;

/// How the bytes of an input become records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A record is a line.
    Lines {
        /// The most bytes of a line, without its end.
        longest: usize,
        /// Whether to warn of a first line that looks like the start of JSON on several lines.
        warns: bool,
    },
    /// A record is an object in a document of JSON, which may have several lines.
    Documents,
}

/// The next event of an input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next<'a> {
    /// A line that is not empty, without its end, or a record of a document.
    Line {
        text: &'a [u8],
        /// The line on which it starts, counted from 1.
        number: u64,
        /// The offset of its start, in bytes; in a followed file, counted over everything read under the input's name.
        offset: u64,
        /// The arrival time, in milliseconds since 1970.
        arrival: i64,
        /// The offset at which its file starts; not 0 if the file replaced another.
        origin: u64,
        /// The first line so far that earlier versions of this tool read in another way. They took `\r` before the line feed, and a
        /// byte order mark, for parts of the record.
        altered: Option<u64>,
    },
    /// No line for now; the next call waits for one.
    Idle,
    End,
}

/// The lines of a source, read through one buffer that grows to the longest line.
#[derive(Debug)]
pub(crate) struct Lines {
    source: Source,
    framing: Framing,
    buffer: Vec<u8>,
    /// The unread part of the buffer.
    start: usize,
    end: usize,
    /// The offset in the input at which the unread part starts.
    offset: u64,
    origin: u64,
    number: u64,
    idle: bool,
    arrival: i64,
    /// The offset from which on a line or a document was added to the file after it was first opened.
    added_from: u64,
    /// Whether nothing of the file has been read yet.
    at_start: bool,
    /// Whether a line that was not empty was found.
    has_lines: bool,
    /// The first line that earlier versions of this tool read in another way.
    altered: Option<u64>,
    /// The records of the last document that were not returned yet.
    records: VecDeque<Located>,
    /// The trace of the text that was read of a followed file.
    trace: Trace,
}

/// A line or a record in the buffer.
#[derive(Clone, Copy, Debug)]
struct Located {
    start: usize,
    end: usize,
    number: u64,
    offset: u64,
}

/// The next event, without the text.
enum Step {
    Line(Located),
    /// The input continues in another file, or at the start of a file that was truncated.
    Switched,
    Idle,
    End,
}

/// The search for the end of a line or a document, over several reads.
enum Search {
    /// In this many bytes, there is no end of a line.
    Line(usize),
    Document(Scanner),
}

/// The result of a search for the end of a line or a document.
enum Found {
    /// A line or a document of this length, and the length of its end.
    Whole(usize, usize),
    /// The start of another file.
    Switched,
    Idle,
    End,
}

impl Search {
    fn new(framing: Framing) -> Self {
        match framing {
            Framing::Lines { .. } => Self::Line(0),
            Framing::Documents => Self::Document(Scanner::default()),
        }
    }

    /// The length of the first line or document in this text, and of its end.
    fn find(&mut self, unread: &[u8]) -> Result<Option<(usize, usize)>, DocumentError> {
        match self {
            Self::Line(searched) => {
                let found = memchr::memchr(b'\n', &unread[*searched..]).map(|found| (*searched + found, 1));
                *searched = unread.len();
                Ok(found)
            }
            Self::Document(scanner) => Ok(scanner.find_end(unread)?.map(|end| (end, 0))),
        }
    }
}

impl Lines {
    /// Reads lines of at most `longest` bytes.
    #[cfg(test)]
    pub(crate) fn with_longest(source: Source, longest: usize) -> Self {
        Self::new(source, Framing::Lines { longest, warns: false })
    }

    pub(crate) fn new(source: Source, framing: Framing) -> Self {
        let (arrival, added_from) = (source.arrival(), source.added_from());
        Self {
            source,
            framing,
            buffer: vec![0; READ + 2 * ALIGNMENT],
            start: 0,
            end: 0,
            offset: 0,
            origin: 0,
            number: 0,
            idle: false,
            arrival,
            added_from,
            at_start: true,
            has_lines: false,
            altered: None,
            records: VecDeque::new(),
            trace: Trace::default(),
        }
    }

    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// The offset at which the file that is read now starts.
    pub(crate) fn origin(&self) -> u64 {
        self.origin
    }

    /// The identity of the file that is read now, as far as it was read.
    pub(crate) fn file_id(&self) -> Result<FileId, InputError> {
        self.trace.file_id(&self.source.file).map_err(|error| self.failed(error))
    }

    /// The offset up to which the input was read, in bytes.
    pub(crate) fn offset(&self) -> u64 {
        self.offset
    }

    pub(crate) fn next(&mut self) -> Result<Next<'_>, InputError> {
        let step = loop {
            match self.step()? {
                Step::Switched => {}
                step => break step,
            }
        };
        Ok(self.event(step).unwrap_or(Next::Idle))
    }

    /// Like [`next`](Self::next), but returns `None` before the first line of another file.
    pub(crate) fn next_in_file(&mut self) -> Result<Option<Next<'_>>, InputError> {
        let step = self.step()?;
        Ok(self.event(step))
    }

    fn event(&self, step: Step) -> Option<Next<'_>> {
        let Located { start, end, number, offset } = match step {
            Step::Line(located) => located,
            Step::Switched => return None,
            Step::Idle => return Some(Next::Idle),
            Step::End => return Some(Next::End),
        };
        let text = &self.buffer[start..end];
        let Self { arrival, origin, altered, .. } = *self;
        Some(Next::Line { text, number, offset, arrival, origin, altered })
    }

    fn step(&mut self) -> Result<Step, InputError> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Ok(Step::Line(record));
            }
            let (length, end) = match self.find()? {
                Found::Whole(length, end) => (length, end),
                Found::Switched => return Ok(Step::Switched),
                Found::Idle => return Ok(Step::Idle),
                Found::End => return Ok(Step::End),
            };
            match self.framing {
                Framing::Lines { longest, warns } => {
                    if let Some(line) = self.take_line((length, end), longest, warns)? {
                        return Ok(Step::Line(line));
                    }
                }
                Framing::Documents => self.take_document(length)?,
            }
        }
    }

    /// Reads up to the end of a line or a document.
    fn find(&mut self) -> Result<Found, InputError> {
        if self.offset >= self.added_from {
            return Ok(Found::End);
        }
        let mut search = Search::new(self.framing);
        loop {
            let unread = &self.buffer[self.start..self.end];
            if let Some((length, end)) = search.find(unread).map_err(|problem| self.bad_document(problem))? {
                return Ok(Found::Whole(length, end));
            }
            let searched = self.end - self.start;
            match self.framing {
                // The last byte may belong to the end of the line.
                Framing::Lines { longest, .. } if searched > longest + 1 => return Err(self.too_long(self.number + 1)),
                Framing::Documents if searched > LONGEST_DOCUMENT => {
                    return Err(self.bad_document(DocumentError::TooLong));
                }
                _ => {}
            }
            if !self.idle && self.source.would_wait() {
                self.idle = true;
                return Ok(Found::Idle);
            }
            if self.fill()? > 0 {
                self.idle = false;
                if self.check_start()? {
                    search = Search::new(self.framing);
                }
                continue;
            }
            if !self.source.followed {
                self.check_length(searched)?;
                return if searched == 0 { Ok(Found::End) } else { self.last(searched) };
            }
            match self.moved()? {
                Moved::Not if self.idle => thread::sleep(follow::POLL),
                Moved::Not => {
                    self.idle = true;
                    return Ok(Found::Idle);
                }
                // The old file may have grown between the read and the check.
                Moved::Replaced(_) | Moved::Compressed(_) if self.fill()? > 0 => {}
                // The last text of a replaced file is a line, with or without a line feed.
                _ if searched > 0 => return self.last(searched),
                moved => {
                    self.switch(moved)?;
                    return Ok(Found::Switched);
                }
            }
        }
    }

    /// The last text of a file: a line without an end, or what is left after the last document.
    fn last(&mut self, length: usize) -> Result<Found, InputError> {
        let is_space = self.buffer[self.start..self.end].trim_ascii().is_empty();
        match self.framing {
            Framing::Lines { .. } => Ok(Found::Whole(length, 0)),
            Framing::Documents if is_space => Ok(Found::Whole(length, 0)),
            Framing::Documents => Err(self.bad_document(DocumentError::Unfinished)),
        }
    }

    /// Checks the first bytes of a file. Returns whether it dropped a byte order mark.
    fn check_start(&mut self) -> Result<bool, InputError> {
        let unread = &self.buffer[self.start..self.end];
        if !self.at_start {
            return Ok(false);
        }
        if let Some(format) = Foreign::of(unread) {
            return Err(InputError::Foreign(self.source.input.clone(), format));
        }
        let is_marked = unread.starts_with(BYTE_ORDER_MARK);
        self.at_start = !is_marked && unread.len() < start::LONGEST;
        if is_marked {
            self.start += BYTE_ORDER_MARK.len();
            self.offset += BYTE_ORDER_MARK.len() as u64;
            self.altered.get_or_insert(1);
            if !self.source.again {
                report::warning(format_args!("{} starts with a byte order mark, which is dropped", self.source.input));
            }
        }
        Ok(is_marked)
    }

    /// Takes a line out of the unread part, unless it is empty.
    fn take_line(
        &mut self,
        (length, end): (usize, usize),
        longest: usize,
        warns: bool,
    ) -> Result<Option<Located>, InputError> {
        let (start, offset) = (self.start, self.offset);
        self.consume(length + end);
        self.number += 1;
        let is_windows = end > 0 && self.buffer[start..start + length].ends_with(b"\r");
        if is_windows {
            self.altered.get_or_insert(self.number);
        }
        let length = length - usize::from(is_windows);
        if length > longest {
            return Err(self.too_long(self.number));
        }
        if length == 0 {
            return Ok(None);
        }
        let text = &self.buffer[start..start + length];
        if warns
            && !self.has_lines
            && !self.source.again
            && let Some(bracket) = Bracket::alone_in(text)
        {
            report::warning(format_args!(
                "{}, line {}: only `{bracket}`, as in JSON that was printed on several lines; each line becomes a record. {}",
                self.source.input,
                self.number,
                bracket.advice()
            ));
        }
        self.has_lines = true;
        Ok(Some(Located { start, end: start + length, number: self.number, offset }))
    }

    /// Takes a document out of the unread part, and finds its records.
    fn take_document(&mut self, length: usize) -> Result<(), InputError> {
        let (start, mut number, mut offset) = (self.start, self.number + 1, self.offset);
        let text = &self.buffer[start..start + length];
        let lines = |text: &[u8]| memchr::memchr_iter(b'\n', text).count() as u64;
        let document = text.trim_ascii_start();
        let space = length - document.len();
        if !document.is_empty() {
            let records = documents::records(document).map_err(|problem| self.bad_document(problem))?;
            let mut known = 0;
            self.records.extend(records.map(|(from, to)| {
                let (from, to) = (space + from, space + to);
                number += lines(&text[known..from]);
                offset += (from - known) as u64;
                known = from;
                Located { start: start + from, end: start + to, number, offset }
            }));
        }
        self.number += lines(text);
        self.consume(length);
        Ok(())
    }

    fn consume(&mut self, length: usize) {
        self.start += length;
        self.offset += length as u64;
        self.at_start = false;
    }

    /// Checks that a file that was read to its end, including the last line, was not truncated in the meantime.
    fn check_length(&self, last_line: usize) -> Result<(), InputError> {
        let Some(was) = self.source.length().filter(|was| self.offset + (last_line as u64) < *was) else {
            return Ok(());
        };
        let now = self.source.file.metadata().map_err(|error| self.failed(error))?.len();
        if now < was {
            return Err(InputError::CutShort { input: self.source.input.clone(), line: self.number, was, now });
        }
        Ok(())
    }

    /// Sets the offset at which the file starts, as it did in an earlier run.
    pub(crate) fn start_at(&mut self, origin: u64) {
        self.origin = origin;
        self.offset = origin;
    }

    fn moved(&self) -> Result<Moved, InputError> {
        let Input::File(path) = &self.source.input else { return Ok(Moved::Not) };
        let Source { file, later, absent, .. } = &self.source;
        follow::look(file, path, &self.trace, later, *absent).map_err(|error| self.failed(error))
    }

    /// Continues with the file that now has the name, from its start.
    fn switch(&mut self, moved: Moved) -> Result<(), InputError> {
        let event = match moved {
            Moved::Replaced(next) => {
                self.source.file = next.file;
                self.source.later = next.later;
                if next.missed {
                    report::warning(format_args!(
                        "{}: the file that was read is not beside the new one, so files between the two may have been missed",
                        self.source.input
                    ));
                }
                if std::mem::take(&mut self.source.absent) { "was created" } else { "was rotated" }
            }
            Moved::Compressed(path) => {
                return Err(InputError::Compressed { input: self.source.input.clone(), path });
            }
            Moved::Truncated | Moved::Not => {
                self.source.file.rewind().map_err(|error| self.failed(error))?;
                "was truncated"
            }
        };
        report::line(format_args!("{} {event}; reading it from the start", self.source.input));
        self.origin = self.offset;
        self.number = 0;
        self.trace = Trace::default();
        (self.at_start, self.has_lines) = (true, false);
        Ok(())
    }

    fn failed(&self, error: io::Error) -> InputError {
        InputError::Read { input: self.source.input.clone(), line: self.number, error }
    }

    fn too_long(&self, line: u64) -> InputError {
        let longest = if let Framing::Lines { longest, .. } = self.framing { longest } else { LONGEST_DOCUMENT };
        InputError::TooLong { input: self.source.input.clone(), line, longest }
    }

    /// An error in the document that is next in the unread part.
    fn bad_document(&self, problem: DocumentError) -> InputError {
        let unread = &self.buffer[self.start..self.end];
        let space = unread.len() - unread.trim_ascii_start().len();
        let line = self.number + 1 + memchr::memchr_iter(b'\n', &unread[..space]).count() as u64;
        InputError::Document { input: self.source.input.clone(), line, problem }
    }

    /// Reads more data after the unread part.
    fn fill(&mut self) -> Result<usize, InputError> {
        let unread = self.end - self.start;
        if self.buffer.len() - unread < READ / 2 + ALIGNMENT {
            self.buffer.resize(self.buffer.len() * 2, 0);
        }
        // The unread part is moved to before the start of a page.
        let aligned = self.buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        let end = aligned + unread.saturating_sub(aligned).next_multiple_of(ALIGNMENT);
        self.buffer.copy_within(self.start..self.end, end - unread);
        (self.start, self.end) = (end - unread, end);
        loop {
            match waiting::read(&mut self.source.file, &mut self.buffer[self.end..]) {
                Ok(read) => {
                    if self.source.followed && read > 0 {
                        // Bytes from the middle of other content are no records; the file is read from the start then.
                        if !self.trace.fits(&self.source.file).map_err(|error| self.failed(error))? {
                            // They were not read, whatever the next check finds.
                            let back = self.source.file.seek_relative(-(read as i64));
                            back.map_err(|error| self.failed(error))?;
                            return Ok(0);
                        }
                        self.trace.note(&self.buffer[self.end..self.end + read]);
                        self.arrival = self.source.arrival();
                    }
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(error)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::limits::LONGEST_LINE;
    use rustix::fd::OwnedFd;
    use std::fs::File;
    use std::io::Write;

    /// A pipe, which is not a regular file; standard input is often a pipe.
    fn pipe(text: &[u8]) -> Source {
        let (reader, writer) = io::pipe().unwrap();
        let text = text.to_vec();
        std::thread::spawn(move || io::PipeWriter::write_all(&mut { writer }, &text));
        Source::new(Input::Stdin, OwnedFd::from(reader).into())
    }

    fn piped(text: &[u8]) -> Lines {
        Lines::with_longest(pipe(text), LONGEST_LINE)
    }

    fn all(mut lines: Lines) -> Result<Vec<(Vec<u8>, u64, u64)>, InputError> {
        let mut all = Vec::new();
        loop {
            match lines.next()? {
                Next::Line { text, number, offset, .. } => all.push((text.to_vec(), number, offset)),
                Next::Idle => {}
                Next::End => return Ok(all),
            }
        }
    }

    #[test]
    fn a_line_feed_ends_a_record() {
        let lines = all(piped(b"one\n\n\xff\0\nlast")).unwrap();
        assert_eq!(lines, [(b"one".to_vec(), 1, 0), (b"\xff\0".to_vec(), 3, 5), (b"last".to_vec(), 4, 8)]);
        assert_eq!(all(piped(b"")).unwrap(), []);
        assert_eq!(all(piped(b"\n\n")).unwrap(), []);
    }

    #[test]
    fn a_carriage_return_before_the_line_feed_is_part_of_the_end() {
        let lines = all(piped(b"o\rne\r\n\r\ntwo\r\r\n\nlast\r")).unwrap();
        assert_eq!(lines, [(b"o\rne".to_vec(), 1, 0), (b"two\r".to_vec(), 3, 8), (b"last\r".to_vec(), 5, 15)]);
        let mut lines = piped(b"one\ntwo\r\nthree\n");
        for expected in [None, Some(2), Some(2)] {
            while lines.next().unwrap() == Next::Idle {}
            assert_eq!(lines.altered, expected);
        }
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_start_only() {
        let mut lines = piped(b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\n");
        while lines.next().unwrap() == Next::Idle {}
        assert_eq!((lines.altered, lines.offset()), (Some(1), 7));
        assert_eq!(all(lines).unwrap(), [(b"\xef\xbb\xbftwo".to_vec(), 2, 7)]);
        assert_eq!(all(piped(b"\xef\xbb\xbf")).unwrap(), []);
        assert_eq!(all(piped(b"\xef\xbb\n")).unwrap(), [(b"\xef\xbb".to_vec(), 1, 0)]);
    }

    #[test]
    fn foreign_formats_are_refused_as_soon_as_they_are_known() {
        for text in [&b"\x1f\x8b\x08\0"[..], b"\xff\xfe{\0", b"BZh91AY&SY", b"\x28\xb5\x2f\xfd\n"] {
            assert!(matches!(all(piped(text)), Err(InputError::Foreign(Input::Stdin, _))), "{}", text.escape_ascii());
        }
        // They may arrive byte by byte, and the end of a line need not arrive.
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::new(Input::Stdin, OwnedFd::from(reader).into());
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
        for byte in b"\x1f\x8b" {
            writer.write_all(&[*byte]).unwrap();
            assert_eq!(lines.next().unwrap(), Next::Idle);
        }
        writer.write_all(b"\x08").unwrap();
        assert!(matches!(lines.next(), Err(InputError::Foreign(_, Foreign::Gzip))));
        // Not at the start.
        assert_eq!(all(piped(b"x\n\x1f\x8b\x08\n")).unwrap().len(), 2);
    }

    #[test]
    fn records_of_documents_have_their_own_places() {
        let text = b"\n{\"Records\":[{\"a\":1},\n {\"b\":2}]} {\"Records\":[]}\n\n{\n\"Records\": [\n3]\n}\n\n";
        let read = |text: &[u8]| all(Lines::new(pipe(text), Framing::Documents));
        let records = read(text).unwrap();
        assert_eq!(records, [(b"{\"a\":1}".to_vec(), 2, 13), (b"{\"b\":2}".to_vec(), 3, 23), (b"3".to_vec(), 7, 64)]);
        for (record, number, offset) in records {
            assert!(text[offset as usize..].starts_with(&record));
            assert_eq!(text[..offset as usize].iter().filter(|&&byte| byte == b'\n').count() as u64 + 1, number);
        }
        assert_eq!(read(b"").unwrap(), []);
        let broken = |text: &[u8]| match read(text) {
            Err(InputError::Document { line, problem, .. }) => (line, problem.to_string()),
            other => panic!("{other:?}"),
        };
        let (line, problem) = broken(b"{\"Records\":[]}\n\n {\"Records\":[");
        assert_eq!((line, &*problem), (3, "the document that starts here does not end"));
        assert_eq!(broken(b"{\"Records\":[]}\n7").0, 2);
        assert_eq!(broken(b"\n{}\n").0, 2);
    }

    #[test]
    fn a_line_may_be_longer_than_a_read() {
        let long = vec![b'x'; 5 * READ + 3];
        let lines = all(piped(&[&long[..], b"\nshort\n"].concat())).unwrap();
        assert_eq!(lines.iter().map(|(text, ..)| text.len()).collect::<Vec<_>>(), [long.len(), 5]);
    }

    #[test]
    fn a_line_that_no_message_can_hold_is_an_error() {
        let longest = [b"1\n", &vec![b'x'; LONGEST_LINE][..], b"\n"].concat();
        assert_eq!(all(piped(&longest)).unwrap().len(), 2);
        for end in [&b"\n"[..], b"", b"xxxx"] {
            let longer = [b"1\n", &vec![b'x'; LONGEST_LINE + 1][..], end].concat();
            assert!(matches!(all(piped(&longer)), Err(InputError::TooLong { line: 2, .. })), "{end:?}");
        }
    }

    /// The lines of a followed file that can be read for now.
    fn available(lines: &mut Lines) -> Vec<(String, u64)> {
        let mut read = Vec::new();
        loop {
            match lines.next().unwrap() {
                Next::Line { text, number, .. } => read.push((String::from_utf8_lossy(text).into_owned(), number)),
                Next::Idle => return read,
                Next::End => panic!("a followed file has no end"),
            }
        }
    }

    #[test]
    fn what_is_added_to_a_file_while_it_is_read_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("input");
        for (content, second) in [("a\nb\n", "b"), ("a\nb", "bc")] {
            std::fs::write(&path, content).unwrap();
            let sources = Source::open_all(&[Input::File(path.clone())]).unwrap();
            // It completes a line that was begun.
            File::options().append(true).open(&path).unwrap().write_all(b"c\nd\n").unwrap();
            let mut lines = Lines::with_longest(sources.into_iter().next().unwrap(), LONGEST_LINE);
            for text in ["a", second] {
                assert!(matches!(lines.next().unwrap(), Next::Line { text: line, .. } if line == text.as_bytes()));
            }
            assert_eq!(lines.next().unwrap(), Next::End);
        }
    }

    #[test]
    fn a_followed_file_may_grow_be_replaced_and_be_truncated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(
            &path,
            "a
b
unfin",
        )
        .unwrap();
        let mut source = Source::open(&Input::File(path.clone())).unwrap();
        source.follow().unwrap();
        assert_eq!(source.last_line_end().unwrap(), 4);
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
        let line = |text: &str, number| (text.to_owned(), number);
        assert_eq!(available(&mut lines), [line("a", 1), line("b", 2)]);

        let mut file = File::options().append(true).open(&path).unwrap();
        file.write_all(
            b"ished
last words",
        )
        .unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"unfinished", number: 3, offset: 4, .. }));
        assert!(matches!(lines.next().unwrap(), Next::Idle));

        std::fs::rename(&path, folder.path().join("log.1")).unwrap();
        file.write_all(b" and more").unwrap();
        std::fs::write(
            &path, "new
",
        )
        .unwrap();
        assert_eq!(available(&mut lines), [line("last words and more", 4), line("new", 1)]);

        std::fs::write(
            &path, "x
",
        )
        .unwrap();
        let Next::Line { text: b"x", number: 1, offset, origin, .. } = lines.next().unwrap() else { panic!("a line") };
        assert_eq!((offset, origin), (38, 38), "places ascend, whatever happens to the file");
        assert_eq!(available(&mut lines), []);

        std::fs::write(&path, "y\nlonger than before\n").unwrap();
        assert_eq!(available(&mut lines), [line("y", 1), line("longer than before", 2)]);
    }

    /// A file `log` with this content that is followed.
    fn followed(folder: &std::path::Path, content: &str) -> Lines {
        let path = folder.join("log");
        std::fs::write(&path, content).unwrap();
        let mut source = Source::open(&Input::File(path)).unwrap();
        source.follow().unwrap();
        Lines::with_longest(source, LONGEST_LINE)
    }

    /// Gives `log` the name `log.1`, and `log.1` the name `log.2`, and so on; then writes a new `log`.
    fn rotate(folder: &std::path::Path, content: &str) {
        let name = |number: u32| folder.join(if number == 0 { "log".to_owned() } else { format!("log.{number}") });
        for number in (0..5).rev() {
            _ = std::fs::rename(name(number), name(number + 1));
        }
        std::fs::write(folder.join("log"), content).unwrap();
    }

    #[test]
    fn the_start_of_another_file_is_an_event() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = followed(folder.path(), "a\nb");
        assert!(matches!(lines.next_in_file().unwrap(), Some(Next::Line { text: b"a", .. })));
        rotate(folder.path(), "c\n");
        assert!(matches!(lines.next_in_file().unwrap(), Some(Next::Line { text: b"b", origin: 0, .. })));
        assert_eq!(lines.next_in_file().unwrap(), None);
        assert_eq!(lines.origin(), 3);
        assert!(matches!(lines.next_in_file().unwrap(), Some(Next::Line { text: b"c", origin: 3, .. })));
    }

    #[test]
    fn bytes_that_do_not_fit_are_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = followed(folder.path(), "a\nb\n");
        assert_eq!(available(&mut lines).len(), 2);
        std::fs::write(folder.path().join("log"), "x\nb\nc\n").unwrap();
        assert_eq!(lines.fill().unwrap(), 0);
        std::fs::write(folder.path().join("log"), "a\nb\nc\n").unwrap();
        assert_eq!(available(&mut lines), [("c".to_owned(), 3)]);
    }

    #[test]
    fn every_file_is_read_if_several_rotations_happen_between_two_reads() {
        let folder = tempfile::tempdir().unwrap();
        let mut lines = followed(folder.path(), "a\nb\n");
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"a", .. }));
        for content in ["c\n", "d\n", "e\n"] {
            rotate(folder.path(), content);
        }
        let expected = |text: &[&str]| text.iter().map(|text| ((*text).to_owned(), 1)).collect::<Vec<_>>();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"b", .. }));
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"c", .. }));
        // More rotations, while files that were rotated before are still to be read.
        rotate(folder.path(), "f\n");
        rotate(folder.path(), "g\n");
        assert_eq!(available(&mut lines), expected(&["d", "e", "f", "g"]));

        // A compressed file cannot be read; the last text of the file before it is a line.
        File::options().append(true).open(folder.path().join("log")).unwrap().write_all(b"last").unwrap();
        rotate(folder.path(), "h\n");
        std::fs::rename(folder.path().join("log.1"), folder.path().join("kept")).unwrap();
        rotate(folder.path(), "i\n");
        std::fs::rename(folder.path().join("log.1"), folder.path().join("log.1.gz")).unwrap();
        std::fs::rename(folder.path().join("kept"), folder.path().join("log.2")).unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"last", .. }));
        let error = lines.next().unwrap_err().to_string();
        assert!(error.contains("log.1.gz, which is compressed"), "{error}");
    }

    #[test]
    fn only_files_can_be_followed() {
        let mut source = Source::open(&Input::File("/dev/null".into())).unwrap();
        assert!(matches!(source.follow(), Err(InputError::NotFollowed(_))));
    }

    #[test]
    fn a_pipe_that_does_not_block_is_waited_for() {
        let (reader, mut writer) = io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&reader, true).unwrap();
        let source = Source::new(Input::Stdin, OwnedFd::from(reader).into());
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
        assert!(matches!(lines.next().unwrap(), Next::Idle));
        let reading = std::thread::spawn(move || all(lines).unwrap());
        writer.write_all(b"one\ntwo").unwrap();
        drop(writer);
        assert_eq!(reading.join().unwrap(), [(b"one".to_vec(), 1, 0), (b"two".to_vec(), 2, 4)]);
    }

    #[test]
    fn reports_when_it_would_have_to_wait() {
        let (reader, mut writer) = io::pipe().unwrap();
        let source = Source::new(Input::Stdin, OwnedFd::from(reader).into());
        let mut lines = Lines::with_longest(source, LONGEST_LINE);
        assert!(matches!(lines.next().unwrap(), Next::Idle));
        writer.write_all(b"one\ntw").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"one", .. }));
        assert!(matches!(lines.next().unwrap(), Next::Idle));
        writer.write_all(b"o\n").unwrap();
        assert!(matches!(lines.next().unwrap(), Next::Line { text: b"two", offset: 4, .. }));
        drop(writer);
        assert_eq!(lines.next().unwrap(), Next::End);
    }
}
