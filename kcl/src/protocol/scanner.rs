//! The daemon's lines, read while they arrive.

use std::fmt;

use memchr::{memchr, memchr2};
use serde::de::{DeserializeSeed as _, IgnoredAny};

use super::base64;
use super::message::{Message, MessageError};
use super::nesting::Nesting;
use super::shape;
use crate::buffers::Buffers;
use crate::excerpt::Excerpt;
use crate::record::Record;

/// The start of a line with records, as the daemon writes it.
const OPENING: &[u8] = br#"{"action":"processRecords","records":["#;
/// A record that stands for all the records that were taken out of a line.
const STAND_IN: &[u8] = br#"{"sequenceNumber":"0"}"#;
/// The most bytes that the end of such a line may have, and still be examined as a whole.
const LONGEST_CLOSING: usize = 64;
/// The largest skeleton whose memory is kept for the next line.
const LARGE_SKELETON: usize = 1 << 16;

/// Reads messages from bytes that arrive in pieces. It never waits and does no input.
///
/// Records are taken out of a line as they arrive and decoded into buffers, which are used again for the next batch. The
/// *skeleton* is the line without them. At the end of the line, `serde_json` reads it, unless it is exactly what the
/// daemon writes. The result is that of [`Message::from_line`]: no record leaves before its line is complete and valid.
///
/// Errors come from `serde_json`, too: from the first unexpected byte on, the rest of the line joins the skeleton.
#[derive(Default)]
pub struct Scanner {
    place: Place,
    /// The line without the records that were taken out of it. It is empty as long as the line is [`OPENING`] and records.
    skeleton: Vec<u8>,
    /// The structure of the skeleton so far.
    nesting: Nesting,
    name: Name,
    taken_out: TakenOut,
    /// The start of the line, for messages.
    head: Vec<u8>,
    buffers: Buffers,
    /// The length of the data of the last record of the usual shape.
    usual_length: usize,
}

impl fmt::Debug for Scanner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scanner").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A place in a line.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    /// Before the line.
    #[default]
    Start,
    /// Outside of the records.
    Envelope,
    /// Between records.
    Records(Between),
    /// In a record whose end has not arrived.
    Record(Partial),
    /// After the last record of a line that started with [`OPENING`].
    Closing,
    /// After a byte for which the line will be refused.
    Refused,
}

/// A place between two records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Between {
    Start,
    AfterRecord,
    AfterComma,
}

/// A record whose end has not arrived, or whose shape is not the usual one.
#[derive(Clone, Copy, Debug)]
struct Partial {
    nesting: Nesting,
    /// The number of bytes that were examined.
    examined: usize,
    /// The end of the data, if the record starts in the usual way.
    data_end: Option<usize>,
    /// The number of bytes in which the usual shape was not found.
    tried: usize,
}

/// The name that an envelope's value will have, as far as it was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Name {
    #[default]
    None,
    /// A name or a value that starts at this place of the skeleton.
    Starts(usize),
    /// `"records"`.
    Records,
    /// `"records":`.
    RecordsColon,
}

/// The records that were taken out of a line.
#[derive(Clone, Copy, Debug, Default)]
struct TakenOut {
    /// Whether the line's records have started.
    started: bool,
    /// The number of records.
    count: usize,
    /// The number of bytes, with commas and whitespace.
    bytes: usize,
    /// The number of bytes without the whitespace at their end.
    solid: usize,
    /// The end of the bytes that stand for them in the skeleton.
    end: usize,
    /// The number of those bytes.
    stand_in: usize,
}

/// The outcome of reading at a place.
enum Step {
    /// This many bytes are done, and the next one belongs to the place that is now current.
    Goes(usize),
    /// This many bytes are done, and the rest must be presented again with more after it.
    Waits(usize),
    /// This many bytes are done, of which the last is the line's end.
    Ends(usize, Ending),
}

/// How the end of a line is read.
enum Ending {
    /// By `serde_json`, from the skeleton.
    Skeleton,
    /// By the scanner, which has found the batch's `millisBehindLatest`.
    Records(Option<i64>),
}

impl Scanner {
    /// Reads from the bytes that have arrived and were not taken yet, up to the end of a line at most. Returns the number of
    /// bytes to take away, and the message if the line has ended. If it has not, call this again when more has arrived.
    pub fn push(&mut self, arrived: &[u8]) -> (usize, Option<Result<Message, MessageError>>) {
        let mut at = 0;
        let ending = loop {
            let rest = &arrived[at..];
            let step = match self.place {
                Place::Start => self.start(rest),
                Place::Envelope => self.envelope(rest),
                Place::Records(between) => self.records(between, rest),
                Place::Record(partial) => self.partial_record(partial, rest),
                Place::Closing => self.closing(rest),
                Place::Refused => self.refused(rest),
            };
            match step {
                Step::Goes(taken) => at += taken,
                Step::Waits(taken) => {
                    at += taken;
                    break None;
                }
                Step::Ends(taken, ending) => {
                    at += taken;
                    break Some(ending);
                }
            }
        };
        let missing = Excerpt::SHOWN - self.head.len();
        self.head.extend_from_slice(&arrived[..at.min(missing)]);
        (at, ending.map(|ending| self.finish(ending)))
    }

    /// Reads the last line, which lacks its line feed, from the bytes that were not taken. `None` if there is none.
    pub fn end(&mut self, rest: &[u8]) -> Option<Result<Message, MessageError>> {
        if matches!(self.place, Place::Start) && rest.is_empty() {
            return None;
        }
        self.push(&[rest, b"\n"].concat()).1
    }

    /// Takes back the records of a message that is done, so that their memory can be used again.
    pub fn take_back(&mut self, records: Vec<Record>) {
        self.buffers.take_back(records);
    }

    fn start(&mut self, text: &[u8]) -> Step {
        if text.starts_with(OPENING) {
            self.enter_records();
            return Step::Goes(OPENING.len());
        }
        if OPENING.starts_with(text) {
            return Step::Waits(0);
        }
        self.place = Place::Envelope;
        Step::Goes(0)
    }

    fn enter_records(&mut self) {
        self.buffers.open();
        self.taken_out.started = true;
        self.place = Place::Records(Between::Start);
    }

    /// Reads what surrounds the records.
    fn envelope(&mut self, text: &[u8]) -> Step {
        let (mut at, mut copied) = (0, 0);
        while let Some(found) = self.nesting.next(text, at) {
            at = found + 1;
            match (text[found], self.nesting.depth) {
                (b'\n', _) => {
                    self.skeleton.extend_from_slice(&text[copied..found]);
                    return Step::Ends(at, Ending::Skeleton);
                }
                (b'"', 1) if self.nesting.in_string => self.name = Name::Starts(self.skeleton.len() + found - copied),
                (b'"', 1) => {
                    self.skeleton.extend_from_slice(&text[copied..at]);
                    copied = at;
                    self.name = match self.name {
                        Name::Starts(start) if &self.skeleton[start..] == br#""records""# => Name::Records,
                        _ => Name::None,
                    };
                }
                (b':', 1) if self.name == Name::Records => self.name = Name::RecordsColon,
                (b'[', 2) if self.name == Name::RecordsColon && !self.taken_out.started => {
                    self.skeleton.extend_from_slice(&text[copied..at]);
                    self.enter_records();
                    return Step::Goes(at);
                }
                (_, 1 | 2) => self.name = Name::None,
                _ => {}
            }
        }
        self.skeleton.extend_from_slice(&text[copied..]);
        Step::Waits(text.len())
    }

    /// Reads records and what is between them.
    fn records(&mut self, between: Between, text: &[u8]) -> Step {
        let before = self.taken_out.bytes;
        let (mut between, mut at) = (between, 0);
        loop {
            let rest = &text[at..];
            match (rest.first(), between) {
                (Some(b'{'), Between::Start | Between::AfterComma) => match self.usual_record(rest) {
                    Attempt::Read(length) => {
                        at += length;
                        self.taken_out.count += 1;
                        between = Between::AfterRecord;
                        if text[at..].starts_with(b",{") {
                            at += 1;
                            between = Between::AfterComma;
                        }
                    }
                    Attempt::Waits => {
                        self.place = Place::Records(between);
                        return Step::Waits(at);
                    }
                    Attempt::Other(partial) => match self.other_record(rest, &partial) {
                        Some(length) => {
                            at += length;
                            self.taken_out.count += 1;
                            between = Between::AfterRecord;
                        }
                        None => {
                            self.place = Place::Record(partial);
                            return Step::Goes(at);
                        }
                    },
                },
                (Some(b','), Between::AfterRecord) => {
                    at += 1;
                    between = Between::AfterComma;
                }
                (Some(b' ' | b'\t' | b'\r'), _) => {
                    at += 1;
                    self.taken_out.bytes = before + at;
                    continue;
                }
                (Some(b']'), Between::Start | Between::AfterRecord) => {
                    if self.skeleton.is_empty() {
                        self.place = Place::Closing;
                    } else {
                        self.leave_records(Place::Envelope, false);
                    }
                    return Step::Goes(at);
                }
                (Some(_), _) => {
                    self.leave_records(Place::Refused, between == Between::AfterComma);
                    return Step::Goes(at);
                }
                (None, _) => {
                    self.place = Place::Records(between);
                    return Step::Waits(at);
                }
            }
            self.taken_out.bytes = before + at;
            self.taken_out.solid = before + at;
        }
    }

    /// Reads a record of the usual shape.
    #[inline]
    fn usual_record(&mut self, text: &[u8]) -> Attempt {
        let Some((shape::OPENING, data)) = text.split_first_chunk() else {
            if shape::OPENING.starts_with(text) {
                return Attempt::Waits;
            }
            return Attempt::Other(Partial {
                nesting: Nesting::default(),
                examined: 0,
                data_end: None,
                tried: text.len(),
            });
        };
        // Records often have the same length. Base64 contains no quote, so that decoding fails if another one comes first.
        let likely = Some(self.usual_length).filter(|&length| data.get(length) == Some(&b'"'));
        if let Some(length) = likely.and_then(|quote| self.take_usual(text, shape::OPENING.len() + quote)) {
            return Attempt::Read(length);
        }
        // Base64 contains no escape either, so that decoding fails if the quote belongs to one.
        let quote = memchr(b'"', data);
        let data_end = quote.map(|quote| shape::OPENING.len() + quote);
        if let Some(data_end) = data_end.filter(|_| quote != likely) {
            if let Some(length) = self.take_usual(text, data_end) {
                self.usual_length = data_end - shape::OPENING.len();
                return Attempt::Read(length);
            }
        }
        // Without any of these, the data goes on in what has not arrived.
        let in_data = quote.is_none() && memchr2(b'\\', b'\n', data).is_none();
        let examined = if in_data { text.len() } else { shape::OPENING.len() };
        Attempt::Other(Partial { nesting: Nesting::IN_STRING, examined, data_end, tried: text.len() })
    }

    /// Reads a record of another shape, if all of it is there.
    fn other_record(&mut self, text: &[u8], partial: &Partial) -> Option<usize> {
        // An attempt that fails is expensive, and a record whose end has not arrived rarely has a brace after its data.
        let after_data = partial.data_end.unwrap_or(0);
        if partial.examined == text.len() || memchr(b'}', &text[after_data..]).is_none() {
            return None;
        }
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let read = self.buffers.deserialize(&mut deserializer);
        let length = deserializer.into_iter::<IgnoredAny>().byte_offset();
        // To `serde_json`, a line feed is whitespace.
        if read.is_ok() && memchr(b'\n', &text[..length]).is_some() {
            self.buffers.cancel_record();
            return None;
        }
        read.ok().map(|()| length)
    }

    /// Appends a record of the usual shape whose data ends at this place, and returns its length.
    #[inline]
    fn take_usual(&mut self, text: &[u8], data_end: usize) -> Option<usize> {
        let buffers = &mut self.buffers;
        let Some((key, length)) = shape::fields(&text[data_end..], buffers.start_record()) else {
            buffers.cancel_record();
            return None;
        };
        if base64::decode(&text[shape::OPENING.len()..data_end], buffers).is_err() {
            buffers.cancel_record();
            return None;
        }
        buffers.set_key(key);
        Some(data_end + length)
    }

    /// Looks for the end of a record, and reads the record once the end is there.
    fn partial_record(&mut self, mut partial: Partial, text: &[u8]) -> Step {
        loop {
            let Some(found) = partial.nesting.next(text, partial.examined) else {
                partial.examined = text.len();
                self.place = Place::Record(partial);
                return Step::Waits(0);
            };
            partial.examined = found + 1;
            match (text[found], partial.nesting.depth) {
                (b'"', 1) if !partial.nesting.in_string => _ = partial.data_end.get_or_insert(found),
                (b'\n', _) => break,
                (_, 0) => {
                    let record = &text[..partial.examined];
                    if !self.take_record(record, &partial) {
                        break;
                    }
                    self.taken_out.count += 1;
                    self.taken_out.bytes += record.len();
                    self.taken_out.solid = self.taken_out.bytes;
                    self.place = Place::Records(Between::AfterRecord);
                    return Step::Goes(record.len());
                }
                _ => {}
            }
        }
        self.leave_records(Place::Refused, self.taken_out.count > 0);
        Step::Goes(0)
    }

    /// Appends a complete record of any shape. Returns whether it is valid.
    fn take_record(&mut self, record: &[u8], partial: &Partial) -> bool {
        let usual = partial.data_end.filter(|_| record.len() > partial.tried && record.starts_with(shape::OPENING));
        usual.is_some_and(|data_end| self.take_usual(record, data_end).is_some())
            || self.buffers.deserialize(&mut serde_json::Deserializer::from_slice(record)).is_ok()
    }

    /// Continues the skeleton after the records that were taken out.
    fn leave_records(&mut self, place: Place, after_comma: bool) {
        if self.skeleton.is_empty() {
            self.skeleton.extend_from_slice(OPENING);
            self.nesting.depth = 2;
        }
        let start = self.skeleton.len();
        if self.taken_out.count > 0 {
            self.skeleton.extend_from_slice(STAND_IN);
        }
        if after_comma {
            self.skeleton.push(b',');
        }
        self.taken_out.end = self.skeleton.len();
        self.taken_out.stand_in = self.skeleton.len() - start;
        // Whitespace at the end of a line is not part of it in messages.
        self.skeleton.resize(self.skeleton.len() + self.taken_out.bytes - self.taken_out.solid, b' ');
        self.taken_out.bytes = self.taken_out.solid;
        self.place = place;
    }

    /// Reads what follows the records of a line that started with [`OPENING`].
    fn closing(&mut self, text: &[u8]) -> Step {
        match memchr(b'\n', &text[..text.len().min(LONGEST_CLOSING)]) {
            None if text.len() < LONGEST_CLOSING => return Step::Waits(0),
            None => {}
            Some(end) => {
                if let Some(millis_behind_latest) = shape::closing(&text[..end]) {
                    return Step::Ends(end + 1, Ending::Records(millis_behind_latest));
                }
            }
        }
        self.leave_records(Place::Envelope, false);
        Step::Goes(0)
    }

    /// Keeps the rest of a line that will be refused.
    fn refused(&mut self, text: &[u8]) -> Step {
        let end = memchr(b'\n', text);
        self.skeleton.extend_from_slice(&text[..end.unwrap_or(text.len())]);
        end.map_or(Step::Waits(text.len()), |end| Step::Ends(end + 1, Ending::Skeleton))
    }

    /// Returns the message of a line that has ended, and gets ready for the next line.
    fn finish(&mut self, ending: Ending) -> Result<Message, MessageError> {
        let message = match ending {
            Ending::Records(millis) => Ok(Message::process_records(self.buffers.finish(), millis)),
            Ending::Skeleton => self.read_skeleton(),
        };
        self.place = Place::Start;
        self.skeleton.clear();
        self.skeleton.shrink_to(LARGE_SKELETON);
        self.nesting = Nesting::default();
        self.name = Name::None;
        self.taken_out = TakenOut::default();
        self.head.clear();
        message
    }

    fn read_skeleton(&mut self) -> Result<Message, MessageError> {
        let TakenOut { started, count, bytes, end, stand_in, .. } = self.taken_out;
        let in_line = |place: usize| if place >= end { place - stand_in + bytes } else { place };
        match Message::read(&self.skeleton) {
            Ok(mut message) => {
                if let Message::ProcessRecords { records, .. } = &mut message {
                    if started {
                        let rest = records.split_off(count.min(1));
                        *records = self.buffers.finish();
                        records.extend(rest);
                    }
                }
                Ok(message)
            }
            Err(problem) => {
                let length = self.skeleton.trim_ascii_end().len() - stand_in + bytes;
                Err(MessageError::new(&self.head, length, problem.at(in_line)))
            }
        }
    }
}

/// The outcome of reading a record of the usual shape.
enum Attempt {
    /// The record was appended and has this length.
    Read(usize),
    /// More must arrive, even to know the record's first bytes.
    Waits,
    /// The record is incomplete, or has another shape.
    Other(Partial),
}
