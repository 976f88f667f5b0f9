//! The fast writer of records.
//!
//! The functions that every record passes through are `#[inline]`. A program compiles them with its own optimisation level, even if its
//! dependencies are not optimised.

use super::encoding::encode_to;
use super::pen::Pen;
use super::written::WireRecord;
use crate::sequence::Decimal;

/// The most bytes that a character of a key becomes: `\u0000`.
const LONGEST_ESCAPE: usize = 6;
/// More than the bytes of a record without its data and its key.
const REST: usize = 512;

/// Records as the daemon writes them: the inner part of the array of a `processRecords` message.
///
/// It keeps its memory when it is cleared. The bytes are those of serializing each [`WireRecord`], in a fraction of the
/// time.
///
/// ```
/// use kcl::protocol::{Message, WireRecord, WireText};
///
/// let record = WireRecord {
///     data: b"hello",
///     partition_key: "alice",
///     sequence_number: 7.into(),
///     sub_sequence_number: 0,
///     approximate_arrival_timestamp: None,
/// };
/// let mut text = WireText::default();
/// text.push(&record);
/// let line = [WireText::BEFORE, text.as_bytes(), WireText::after(Some(0)).as_bytes()].concat();
/// let Ok(Message::ProcessRecords { records, .. }) = Message::from_line(&line) else { unreachable!() };
/// assert_eq!(records[0].data(), b"hello");
/// ```
#[derive(Clone, Debug, Default)]
pub struct WireText {
    /// Initialized bytes, of which those after `end` are free.
    bytes: Vec<u8>,
    end: usize,
    tail: Tail,
}

impl WireText {
    /// The beginning of the message, up to its first record.
    pub const BEFORE: &'static [u8] = br#"{"action":"processRecords","records":["#;

    /// The end of the message after its last record, without a line feed. The argument is how far the batch is behind the
    /// newest record of the shard, in milliseconds.
    pub fn after(millis_behind_latest: Option<u64>) -> String {
        match millis_behind_latest {
            Some(millis) => format!("],\"millisBehindLatest\":{millis}}}"),
            None => "],\"millisBehindLatest\":null}".to_owned(),
        }
    }

    /// Appends a record, after a comma if it is not the first one.
    #[inline]
    pub fn push(&mut self, record: &WireRecord<'_>) {
        let WireRecord { data, partition_key: key, .. } = record;
        let tail = self.tail.of(record.approximate_arrival_timestamp, record.sub_sequence_number);
        let room = data.len().div_ceil(3) * 4 + LONGEST_ESCAPE * key.len() + REST;
        let mut pen = Pen::new(free(&mut self.bytes, self.end, room));
        if self.end > 0 {
            pen.put(b",");
        }
        pen.put(br#"{"data":""#);
        encode_to(data, &mut pen);
        pen.put(br#"","partitionKey":""#);
        pen.put_escaped(key);
        pen.put(br#"","sequenceNumber":""#);
        match record.sequence_number.usual_digits() {
            Some(digits) => pen.put(&digits),
            None => pen.put_slice(record.sequence_number.to_string().as_bytes()),
        }
        pen.put_slice(tail);
        self.end += pen.written();
    }

    /// The records, separated by commas.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.end]
    }

    /// The number of bytes.
    #[inline]
    pub fn len(&self) -> usize {
        self.end
    }

    /// Whether there are no records.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.end == 0
    }

    /// Removes the records.
    #[inline]
    pub fn clear(&mut self) {
        self.end = 0;
    }
}

/// The bytes from `end` on, of which there are at least `room`.
#[inline]
fn free(bytes: &mut Vec<u8>, end: usize, room: usize) -> &mut [u8] {
    if bytes.len() - end < room {
        grow(bytes, end, room);
    }
    &mut bytes[end..]
}

/// Makes room after `end`. The new memory is zeroed by the system, so that what is not written takes no memory.
#[cold]
fn grow(bytes: &mut Vec<u8>, end: usize, room: usize) {
    let mut longer = vec![0; (end + room).max(2 * bytes.len()).next_multiple_of(4096)];
    longer[..end].copy_from_slice(&bytes[..end]);
    *bytes = longer;
}

/// The end of a record, which is mostly that of the record before it.
#[derive(Clone, Debug, Default)]
struct Tail {
    text: String,
    /// The arrival and the sub-sequence number in it.
    numbers: Option<(Option<i64>, u64)>,
}

impl Tail {
    #[inline]
    fn of(&mut self, arrival: Option<i64>, sub_sequence_number: u64) -> &[u8] {
        let numbers = Some((arrival, sub_sequence_number));
        if self.numbers != numbers {
            self.numbers = numbers;
            self.write(arrival, sub_sequence_number);
        }
        self.text.as_bytes()
    }

    fn write(&mut self, arrival: Option<i64>, sub_sequence_number: u64) {
        self.text.clear();
        self.text.push_str(r#"","approximateArrivalTimestamp":"#);
        match arrival {
            Some(millis) => {
                self.text.push_str(if millis < 0 { "-" } else { "" });
                self.text.push_str(Decimal::new(millis.unsigned_abs()).as_str());
            }
            None => self.text.push_str("null"),
        }
        self.text.push_str(r#","subSequenceNumber":"#);
        self.text.push_str(Decimal::new(sub_sequence_number).as_str());
        self.text.push_str(r#","action":"record"}"#);
    }
}
