//! Creating a stream on the emulator, with its first records.

use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::api::{ApiError, Endpoint};
use super::emulator::EmulatorError;
use super::{Emulators, StreamOptions};
use crate::exit::{FAILED, INTERRUPTED, WRONG_USE};
use crate::input::lines::{Lines, Next};
use crate::input::record::Format;
use crate::input::source::{InputError, Source};
use crate::report::{self, StatusLine};
use crate::signals::Signals;
use crate::threads;

/// The limits of a PutRecords call. Kinesis accepts 500 records, and 5 MiB with their keys.
const CALL_RECORDS: usize = 500;
const CALL_BYTES: usize = 4 << 20;
/// The fewest records that a slow emulator gets in a call.
const FEW_RECORDS: usize = 10;
/// A call that takes longer than the first is followed by a smaller one, and after less than the second by a larger one. No call then
/// takes as long as its time limit, and the progress is shown often.
const SLOW: Duration = Duration::from_secs(2);
const FAST: Duration = Duration::from_millis(500);
/// The number of records in a shard from which the emulator is noticeably slow.
const MANY: u64 = 5_000;
const PATIENCE: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_millis(10);
/// How often signals and the emulators are looked at during calls.
const LOOK: Duration = Duration::from_millis(50);

/// The reason why the stream, or some of its records, could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StreamError {
    #[error(transparent)]
    Api(#[from] ApiError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error("the stream `{name}` is not active after {}", report::duration(PATIENCE))]
    NotActive { name: String },
    #[error("the emulator refused {}: {why}", report::count(*records, "record"))]
    Refused { records: u64, why: String },
    #[error("{0}")]
    Options(&'static str),
    #[error("interrupted while waiting for an emulator")]
    Waiting,
    #[error("interrupted; {} of the input are on the stream", report::count(*records, "record"))]
    Interrupted { records: u64 },
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
}

impl StreamError {
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Api(_) | Self::Emulator(_) | Self::NotActive { .. } | Self::Refused { .. } => FAILED,
            Self::Waiting | Self::Interrupted { .. } => INTERRUPTED,
            Self::Input(_) | Self::Options(_) | Self::Signals(_) => WRONG_USE,
        }
    }
}

/// Makes calls that an emulator may not answer, until a signal asks to stop.
pub(crate) fn attend<T, E>(
    signals: &mut Signals,
    calls: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StreamError>
where
    T: Send + 'static,
    E: Into<StreamError> + Send + 'static,
{
    let (sender, ended) = channel();
    // If there is no receiver, the tool is about to exit.
    let run = move || _ = sender.send(calls());
    threads::spawn(run).map_err(InputError::Thread)?;
    loop {
        match ended.recv_timeout(LOOK) {
            Ok(ended) => return ended.map_err(Into::into),
            Err(_) if signals.take().map_err(StreamError::Signals)?.is_some() => return Err(StreamError::Waiting),
            Err(_) => {}
        }
    }
}

/// The records of a new stream.
#[derive(Debug)]
pub(crate) struct Content<'a> {
    options: &'a StreamOptions,
    format: Format,
    sources: Vec<Source>,
}

impl<'a> Content<'a> {
    /// Opens the input. Its errors then appear before an emulator is started.
    pub(crate) fn open(options: &'a StreamOptions) -> Result<Self, StreamError> {
        let format = options.records.format().map_err(StreamError::Options)?;
        Ok(Self { options, format, sources: Source::open_all(&options.input)? })
    }
}

/// Creates the stream unless it exists, and puts the records on it, until a signal asks to stop. Returns a sentence that reports what
/// was done.
pub(crate) fn create(
    kinesis: &Endpoint,
    name: &str,
    Content { options, format, sources }: Content<'_>,
    signals: &mut Signals,
    emulators: Option<&mut Emulators>,
) -> Result<String, StreamError> {
    let mut input = json!({ "StreamName": name, "ShardCount": options.shards() });
    if options.records.large_records {
        input["MaxRecordSizeInKiB"] = json!(options.records.longest() >> 10);
    }
    let (endpoint, stream) = (kinesis.clone(), name.to_owned());
    let is_new = attend(signals, move || {
        let is_new = match endpoint.call("CreateStream", &input) {
            Ok(_) => true,
            Err(error) if error.is("ResourceInUseException") => false,
            Err(error) => return Err(error.into()),
        };
        wait_until_active(&endpoint, &stream).map(|()| is_new)
    })?;
    let created = match is_new {
        true => format!("created stream `{name}` with {}", report::count(options.shards().into(), "shard")),
        false => format!("stream `{name}` already exists"),
    };
    if sources.is_empty() {
        return Ok(created);
    }
    if sources.iter().any(Source::is_terminal) {
        report::line("reading records from the terminal, one per line; Ctrl-D ends the input");
    }
    let (events, received) = channel();
    let filler = Filler {
        kinesis: kinesis.clone(),
        name: name.to_owned(),
        format,
        longest: options.records.longest(),
        limit: options.limit.unwrap_or(u64::MAX),
        call: Call::default(),
        put: Put::default(),
        events,
    };
    // Reading may wait for the input, and a call for the emulator.
    threads::spawn(move || filler.run(sources)).map_err(InputError::Thread)?;
    let records = watch(&received, signals, emulators, options.shards())?;
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

/// Shows how many records were put until all of them were. Returns their number.
fn watch(
    events: &Receiver<Event>,
    signals: &mut Signals,
    mut emulators: Option<&mut Emulators>,
    shards: u32,
) -> Result<u64, StreamError> {
    let started = Instant::now();
    let mut line = StatusLine::new(false);
    let mut put = Put::default();
    let mut is_hinted = false;
    let mut check = || emulators.as_mut().map_or(Ok(()), |emulators| emulators.check());
    let ended = loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Put(now)) => put = now,
            Ok(Event::End(ended)) => break ended,
            Err(_) => {}
        }
        if signals.take().map_err(StreamError::Signals)?.is_some() {
            break Err(StreamError::Interrupted { records: put.records });
        }
        if let Err(error) = check() {
            break Err(error.into());
        }
        if put.records / u64::from(shards) >= MANY && !std::mem::replace(&mut is_hinted, true) {
            line.clear();
            report::warning(
                "the emulator takes longer for a record the more records its shard holds; --shards N spreads them, and --limit N \
                 puts fewer",
            );
        }
        line.show(|| report::records_put(put.records, put.bytes, started.elapsed()));
    };
    line.clear();
    match ended {
        Ok(()) => Ok(put.records),
        // If the emulator has ended, that is why a call failed.
        Err(error) => Err(check().map_or_else(Into::into, |()| error)),
    }
}

/// How much was put.
#[derive(Clone, Copy, Debug, Default)]
struct Put {
    records: u64,
    /// With their keys.
    bytes: u64,
}

/// An event of the thread that puts the records.
#[derive(Debug)]
enum Event {
    Put(Put),
    End(Result<(), StreamError>),
}

/// Puts the records of an input on a stream.
struct Filler {
    kinesis: Endpoint,
    name: String,
    format: Format,
    longest: usize,
    limit: u64,
    call: Call,
    put: Put,
    events: Sender<Event>,
}

/// The records of the next PutRecords call.
#[derive(Debug)]
struct Call {
    records: Vec<Value>,
    bytes: usize,
    /// The most records.
    most: usize,
}

impl Default for Call {
    fn default() -> Self {
        Self { records: Vec::new(), bytes: 0, most: CALL_RECORDS }
    }
}

impl Filler {
    fn run(mut self, sources: Vec<Source>) {
        let ended = self.fill(sources);
        // If there is no receiver, the tool is about to exit.
        _ = self.events.send(Event::End(ended));
    }

    fn fill(&mut self, sources: Vec<Source>) -> Result<(), StreamError> {
        let mut number = 0;
        for source in sources {
            let mut lines = Lines::new(source, self.format.framing(self.longest));
            while number < self.limit {
                let (text, line) = match lines.next()? {
                    Next::Line { text, number, .. } => (text, number),
                    Next::Idle => {
                        self.send()?;
                        continue;
                    }
                    Next::End => break,
                };
                number += 1;
                let record = match self.format.record(text, number, self.longest) {
                    Ok(record) => record,
                    Err(problem) => {
                        let (excerpt, input) = (report::excerpt(text), lines.source().input.clone());
                        return Err(InputError::Record { input, line, problem: Box::new(problem), excerpt }.into());
                    }
                };
                let bytes = record.data.len() + record.key.len();
                let mut json = json!({ "Data": BASE64_STANDARD.encode(&record.data), "PartitionKey": &*record.key });
                if let Some(hash_key) = record.explicit_hash_key() {
                    json["ExplicitHashKey"] = json!(hash_key);
                }
                self.add(json, bytes)?;
            }
        }
        self.send()
    }

    fn add(&mut self, record: Value, bytes: usize) -> Result<(), StreamError> {
        if self.call.records.len() >= self.call.most || self.call.bytes + bytes > CALL_BYTES {
            self.send()?;
        }
        self.call.bytes += bytes;
        self.call.records.push(record);
        Ok(())
    }

    fn send(&mut self) -> Result<(), StreamError> {
        let records = std::mem::take(&mut self.call.records);
        let bytes = std::mem::take(&mut self.call.bytes);
        if records.is_empty() {
            return Ok(());
        }
        let count = records.len() as u64;
        let started = Instant::now();
        let output = self.kinesis.call("PutRecords", &json!({ "StreamName": self.name, "Records": records }))?;
        if let Some(refused @ 1..) = output["FailedRecordCount"].as_u64() {
            let mut records = output["Records"].as_array().into_iter().flatten();
            let why = records.find_map(|record| record["ErrorMessage"].as_str()).unwrap_or("no reason was given");
            return Err(StreamError::Refused { records: refused, why: report::excerpt(why) });
        }
        self.call.most = match started.elapsed() {
            time if time > SLOW => (self.call.most / 2).max(FEW_RECORDS),
            time if time < FAST => (self.call.most * 2).min(CALL_RECORDS),
            _ => self.call.most,
        };
        self.put = Put { records: self.put.records + count, bytes: self.put.bytes + bytes as u64 };
        _ = self.events.send(Event::Put(self.put));
        Ok(())
    }
}
