//! Creating a stream on the emulator, with its first records.

use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::StreamOptions;
use super::api::{ApiError, Endpoint};
use crate::input::limits::LONGEST_LINE;
use crate::input::lines::{Lines, Next};
use crate::input::record::Format;
use crate::input::source::{InputError, Source};
use crate::report;

/// The limits of a PutRecords call. Kinesis accepts 500 records, and 5 MiB with their keys.
const CALL_RECORDS: usize = 500;
const CALL_BYTES: usize = 4 << 20;
/// The largest size of a record, in bytes.
const RECORD_BYTES: usize = 1 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);

/// The reason why the stream, or some of its records, could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error("the stream `{name}` is not active after {}", report::duration(PATIENCE))]
    NotActive { name: String },
    #[error("{input}, line {line}: the record has {bytes} bytes, more than the {RECORD_BYTES} that Kinesis allows")]
    TooLong { input: String, line: u64, bytes: usize },
    #[error("the emulator refused {0} records")]
    Refused(u64),
}

/// Creates the stream unless it exists, and puts the records of the input on it. Returns a sentence that reports what was done.
pub(crate) fn create(kinesis: &Endpoint, name: &str, options: &StreamOptions) -> Result<String, StreamError> {
    let sources = Source::open_all(&options.input)?;
    let input = json!({ "StreamName": name, "ShardCount": options.shards() });
    let created = match kinesis.call("CreateStream", &input) {
        Ok(_) => format!("created stream `{name}` with {}", report::count(options.shards().into(), "shard")),
        Err(error) if error.is("ResourceInUseException") => format!("stream `{name}` already exists"),
        Err(error) => return Err(error.into()),
    };
    wait_until_active(kinesis, name)?;
    if options.input.is_empty() {
        return Ok(created);
    }
    let records = put(kinesis, name, options, sources)?;
    Ok(format!("{created}; put {} on it", report::count(records, "record")))
}

fn wait_until_active(kinesis: &Endpoint, name: &str) -> Result<(), StreamError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let summary = kinesis.call("DescribeStreamSummary", &json!({ "StreamName": name }))?;
        if summary["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE" {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(StreamError::NotActive { name: name.to_owned() });
        }
        thread::sleep(POLL);
    }
}

fn put(kinesis: &Endpoint, name: &str, options: &StreamOptions, sources: Vec<Source>) -> Result<u64, StreamError> {
    let mut call = Call { kinesis, name, records: Vec::new(), bytes: 0 };
    let mut count = 0;
    let format = Format::Lines(options.key.clone().map(|key| (key, options.key_missing.clone())));
    for source in sources {
        let mut lines = Lines::new(source, format.framing(LONGEST_LINE));
        loop {
            let (text, line) = match lines.next()? {
                Next::Line { text, number, .. } => (text, number),
                Next::Idle => {
                    call.send()?;
                    continue;
                }
                Next::End => break,
            };
            count += 1;
            let key = match format.record(text, count, LONGEST_LINE) {
                Ok(record) => record.key,
                Err(problem) => {
                    let (excerpt, input) = (report::excerpt(text), lines.source().input.clone());
                    return Err(InputError::Record { input, line, problem: Box::new(problem), excerpt }.into());
                }
            };
            let bytes = text.len() + key.len();
            if bytes > RECORD_BYTES {
                return Err(StreamError::TooLong { input: lines.source().input.to_string(), line, bytes });
            }
            call.add(text, &key)?;
        }
    }
    call.send()?;
    Ok(count)
}

/// The records of the next PutRecords call.
struct Call<'a> {
    kinesis: &'a Endpoint,
    name: &'a str,
    records: Vec<Value>,
    bytes: usize,
}

impl Call<'_> {
    fn add(&mut self, data: &[u8], key: &str) -> Result<(), StreamError> {
        if self.records.len() == CALL_RECORDS || self.bytes + data.len() > CALL_BYTES {
            self.send()?;
        }
        self.bytes += data.len() + key.len();
        self.records.push(json!({ "Data": BASE64_STANDARD.encode(data), "PartitionKey": key }));
        Ok(())
    }

    fn send(&mut self) -> Result<(), StreamError> {
        if self.records.is_empty() {
            return Ok(());
        }
        self.bytes = 0;
        let input = json!({ "StreamName": self.name, "Records": std::mem::take(&mut self.records) });
        let output = self.kinesis.call("PutRecords", &input)?;
        match output["FailedRecordCount"].as_u64() {
            None | Some(0) => Ok(()),
            Some(refused) => Err(StreamError::Refused(refused)),
        }
    }
}
