//! Records for tests.

use std::fmt::{self, Debug};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::excerpt::Excerpt;
use crate::sequence::SequenceNumber;

/// The largest number of bytes of a record that is shown as code.
const SHOWN: usize = 1024;

/// A record that a [`Daemon`](super::Daemon) delivers.
///
/// Records are numbered from 1 in each shard. That number is the record's sequence number, too, unless an
/// [aggregate](Self::part), [a number of its own](Self::sequence_number) or the [position](super::Daemon::starting_at) at which the
/// shard starts comes before it. Its partition key is
/// `key-1`, `key-2` and so on, unless it [has one](Self::key).
///
/// ```
/// use kcl::testing::TestRecord;
/// use serde_json::json;
///
/// let records: [TestRecord; 3] = [
///     json!({"cents": 5}).into(),
///     "plain text".into(),
///     TestRecord::bytes([0xff, 0]).key("alice"),
/// ];
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct TestRecord {
    pub(crate) data: Vec<u8>,
    pub(crate) key: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) arrival: Option<i64>,
    pub(crate) part: Option<u64>,
    pub(crate) number: Option<SequenceNumber>,
}

impl TestRecord {
    /// A record of these bytes.
    pub fn bytes(data: impl Into<Vec<u8>>) -> Self {
        Self { data: data.into(), key: None, arrival: None, part: None, number: None }
    }

    /// A record of this text.
    pub fn text(text: impl Into<String>) -> Self {
        Self::bytes(text.into())
    }

    /// A record of a value in JSON.
    ///
    /// # Panics
    ///
    /// If the value cannot be serialized.
    #[track_caller]
    pub fn json(value: &(impl Serialize + ?Sized)) -> Self {
        match serde_json::to_vec(value) {
            Ok(data) => Self::bytes(data),
            Err(error) => panic!("a record cannot be serialized: {error}"),
        }
    }

    /// Sets the partition key.
    #[must_use]
    pub fn key(self, key: impl Into<String>) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    /// Sets the time at which the record arrived in the stream, with a precision of milliseconds.
    ///
    /// # Panics
    ///
    /// If the time is millions of years away.
    #[must_use]
    #[track_caller]
    pub fn arrival(self, time: SystemTime) -> Self {
        let millis = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()),
            Err(before) => i64::try_from(before.duration().as_millis()).map(|millis| -millis),
        };
        let Ok(millis) = millis else { panic!("an arrival time must be within millions of years of 1970") };
        Self { arrival: Some(millis), ..self }
    }

    /// Makes it part `n`, counted from 0, of an aggregated record of the Kinesis Producer Library: its sub-sequence
    /// number. A part shares the sequence number of the part before it.
    #[must_use]
    pub fn part(self, n: u64) -> Self {
        Self { part: Some(n), ..self }
    }

    /// Sets the sequence number. It must be larger than those of the records before it.
    #[must_use]
    pub fn sequence_number(self, number: impl Into<SequenceNumber>) -> Self {
        Self { number: Some(number.into()), ..self }
    }

    /// Reads records from a file of JSON lines: what `cargo kcl tail --json` prints, or the dead letters that
    /// [`JsonLines`](crate::dead_letter::JsonLines) keeps. The records keep their data, keys and arrival times. They keep
    /// their sequence numbers if these ascend. Otherwise, as in a file with records of several shards, they are numbered
    /// anew in the order of the file.
    ///
    /// # Panics
    ///
    /// If the file cannot be read, or if a line of it is not a record. The message names the line.
    #[track_caller]
    pub fn read_json_lines(path: impl AsRef<Path>) -> Vec<Self> {
        let path = path.as_ref();
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) => panic!("{} cannot be read: {error}", path.display()),
        };
        let mut records = Vec::new();
        for (line, number) in text.split(|&byte| byte == b'\n').zip(1..) {
            if line.trim_ascii().is_empty() {
                continue;
            }
            match serde_json::from_slice(line).map_err(|error| error.to_string()).and_then(Line::into_record) {
                Ok(record) => records.push(record),
                Err(problem) => panic!(
                    "{} line {number} is not a record: {problem}; each line must be an object such as cargo kcl tail --json prints",
                    path.display()
                ),
            }
        }
        let numbers = |record: &Self| (record.number, record.part);
        if !records.is_sorted_by(|one, next| one.number.is_some() && numbers(one) < numbers(next)) {
            records.iter_mut().for_each(|record| (record.number, record.part) = (None, None));
        }
        records
    }
}

/// The fields of a line; others are ignored.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    data: Option<serde_json::Value>,
    data_base64: Option<String>,
    partition_key: Option<String>,
    sequence_number: Option<String>,
    sub_sequence_number: Option<u64>,
    approximate_arrival_timestamp: Option<i64>,
}

impl Line {
    fn into_record(self) -> Result<TestRecord, String> {
        let data = match (self.data, self.data_base64) {
            (Some(_), Some(_)) => return Err("it has both `data` and `dataBase64`".to_owned()),
            (None, None) => return Err("it has neither `data` nor `dataBase64`".to_owned()),
            (Some(serde_json::Value::String(text)), None) => text.into_bytes(),
            (Some(value), None) => value.to_string().into_bytes(),
            (None, Some(base64)) => STANDARD.decode(base64).map_err(|error| format!("`dataBase64`: {error}"))?,
        };
        let number = self.sequence_number.map(|digits| digits.parse()).transpose();
        Ok(TestRecord {
            data,
            key: self.partition_key,
            arrival: self.approximate_arrival_timestamp,
            part: self.sub_sequence_number.filter(|&sub| sub > 0),
            number: number.map_err(|error| format!("`sequenceNumber`: {error}"))?,
        })
    }
}

impl From<serde_json::Value> for TestRecord {
    /// The value in JSON; for a string, with its quotes.
    fn from(value: serde_json::Value) -> Self {
        Self::text(value.to_string())
    }
}

impl From<&str> for TestRecord {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

impl From<String> for TestRecord {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Vec<u8>> for TestRecord {
    fn from(data: Vec<u8>) -> Self {
        Self::bytes(data)
    }
}

impl From<&[u8]> for TestRecord {
    fn from(data: &[u8]) -> Self {
        Self::bytes(data)
    }
}

/// The records of a test: an array or an iterator of whatever becomes a [`TestRecord`].
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the records of a test",
    label = "must be an array or an iterator of records, as in `[\"a\", \"b\"]`",
    note = "a record is a `&str`, a `String`, a `&[u8]`, a `Vec<u8>`, a `serde_json::Value` or a `kcl::testing::TestRecord`"
)]
pub trait IntoRecords {
    /// Makes the records.
    fn into_records(self) -> Vec<TestRecord>;
}

#[diagnostic::do_not_recommend]
impl<I> IntoRecords for I
where
    I: IntoIterator,
    I::Item: Into<TestRecord>,
{
    fn into_records(self) -> Vec<TestRecord> {
        self.into_iter().map(Into::into).collect()
    }
}

impl TestRecord {
    /// Its data, if it is a text that is short enough to be shown, and has nothing else.
    pub(crate) fn plain_text(&self) -> Option<&str> {
        let bare = *self == Self::bytes(&self.data[..]);
        std::str::from_utf8(&self.data).ok().filter(|text| bare && text.len() <= SHOWN)
    }
}

/// A text as a literal.
pub(crate) fn quoted(text: &str) -> String {
    let is_raw = text.contains(['"', '\\']) && !text.contains("\"#") && !text.contains(char::is_control);
    if is_raw { format!("r#\"{text}\"#") } else { format!("{text:?}") }
}

/// A sequence number as code that makes it.
pub(crate) fn code(number: SequenceNumber) -> String {
    let digits = number.to_string();
    match digits.parse::<u64>() {
        Ok(_) => digits,
        Err(_) => format!("\"{digits}\".parse::<SequenceNumber>().unwrap()"),
    }
}

/// Shows the record as code that makes it. Long data is left out.
impl Debug for TestRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match std::str::from_utf8(&self.data) {
            _ if self.data.len() > SHOWN => {
                write!(f, "TestRecord::bytes(/* {} bytes: {} */)", self.data.len(), Excerpt(&self.data))?;
            }
            Ok(text) => write!(f, "TestRecord::text({})", quoted(text))?,
            Err(_) => write!(f, "TestRecord::bytes(b\"{}\")", self.data.escape_ascii())?,
        }
        if let Some(key) = &self.key {
            write!(f, ".key({key:?})")?;
        }
        if let Some(millis) = self.arrival {
            let sign = if millis < 0 { '-' } else { '+' };
            write!(f, ".arrival(UNIX_EPOCH {sign} Duration::from_millis({}))", millis.unsigned_abs())?;
        }
        if let Some(part) = self.part {
            write!(f, ".part({part})")?;
        }
        if let Some(number) = self.number {
            write!(f, ".sequence_number({})", code(number))?;
        }
        Ok(())
    }
}
