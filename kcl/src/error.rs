//! The reasons a run ended before its input did.

use std::any::Any;
use std::error::Error;
use std::{fmt, io, mem};

use crate::chain::{Chain, Text, backtrace, nesting_hint};
use crate::checkpoint::error::CheckpointError;
use crate::excerpt::Excerpt;
use crate::panics::{discard, message};
use crate::policy::FailureAction;
use crate::protocol::MessageError;
use crate::record::Record;
use crate::shard::Shard;

/// Any error. The methods of [`Processor`](crate::Processor) return it, and a handler's error is converted into it.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The reason a run ended before its input did. No message was acknowledged whose records were not processed.
///
/// Its text includes the causes, so it has no `source()`.
#[derive(Debug)]
#[non_exhaustive]
pub enum RunError {
    /// A handler returned an error or panicked.
    Handler(HandlerError),
    /// SHARD_END could not be checkpointed. `shardEnded` is not acknowledged, because an acknowledgement without the
    /// checkpoint would block the shard's children forever.
    ShardEnd {
        /// The shard's id.
        shard: String,
        /// The reason.
        source: CheckpointError,
    },
    /// The daemon sent a line that is not a message.
    Input {
        /// The shard's id, if `initialize` had named it.
        shard: Option<String>,
        /// The problem with the line.
        source: MessageError,
    },
    /// The daemon sent a message that the protocol does not allow here.
    Unexpected {
        /// The shard's id, if `initialize` had named it.
        shard: Option<String>,
        /// The message that it sent.
        action: &'static str,
        /// The message that was expected.
        expected: &'static str,
    },
    /// Reading failed.
    Read(io::Error),
    /// Writing failed.
    Write(io::Error),
    /// The process's own stdin is a terminal: a person started it, not a daemon.
    Terminal,
    /// The process's own stdin, stdout and stderr could not be set up.
    Stdio(io::Error),
    /// The thread that serves the reader and the writer of [`Runner::run_on`](crate::Runner::run_on) could not be
    /// started.
    Thread(io::Error),
    /// The run was started inside of a runtime of tokio. Detected only with the feature `tokio`.
    Nested,
    /// The runtime for `async` methods could not be started.
    Runtime(io::Error),
    /// An environment variable has a value without a meaning.
    Setting {
        /// The name of the variable.
        variable: &'static str,
        /// Its value.
        value: String,
        /// The values that it may have.
        expected: &'static str,
    },
}

/// The advice to a person who started a processor.
const HOW_TO_RUN: &str = "this is a record processor for Amazon Kinesis: a daemon starts it and talks to it through stdin and stdout. \
    To run it on this machine: cargo kcl local --bin NAME --input FILE, or cargo kcl local --input FILE -- PROGRAM";

/// The advice to a person who started a processor inside of a runtime.
const NESTED: &str = "a processor cannot run inside of a runtime of tokio, because it starts its own: remove `#[tokio::main]`, or the \
    `block_on` around the call, and write `fn main() -> std::process::ExitCode { kcl::run_async::<P>() }`. Handlers and \
    `#[on_init]` may be `async`, so what `main` awaited can be awaited there";

impl RunError {
    /// The process's exit code: 1 if a handler failed or SHARD_END was refused, 2 for all other errors.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Handler(_) | Self::ShardEnd { .. } => 1,
            Self::Input { .. }
            | Self::Unexpected { .. }
            | Self::Read(_)
            | Self::Write(_)
            | Self::Terminal
            | Self::Stdio(_)
            | Self::Thread(_)
            | Self::Nested
            | Self::Runtime(_)
            | Self::Setting { .. } => 2,
        }
    }
}

impl RunError {
    /// The lines of the backtrace of a handler's error; see [`backtrace`].
    pub(crate) fn backtrace(&self) -> Vec<String> {
        if let Self::Handler(failed) = self { failed.backtrace() } else { Vec::new() }
    }
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on = |f: &mut fmt::Formatter<'_>, shard: &Option<String>| match shard {
            Some(shard) => write!(f, "shard {shard}: "),
            None => f.write_str("before any shard was named: "),
        };
        match self {
            Self::Handler(failed) => failed.fmt(f),
            Self::ShardEnd { shard, source } => {
                write!(f, "shard {shard}: SHARD_END was not checkpointed, so shardEnded is not acknowledged: {source}")
            }
            Self::Input { shard, source } => {
                on(f, shard)?;
                let what = match source.is_truncated() {
                    true => "a line ends in the middle of its message",
                    false => "not a MultiLangDaemon message",
                };
                write!(f, "{what}: {source}")?;
                // The first line is not from a daemon.
                if shard.is_none() { write!(f, "; {HOW_TO_RUN}") } else { Ok(()) }
            }
            Self::Unexpected { shard, action, expected } => {
                on(f, shard)?;
                write!(f, "the daemon sent `{action}` instead of {expected}")
            }
            Self::Read(error) => write!(f, "reading from the daemon failed: {error}"),
            Self::Write(error) => write!(f, "writing to the daemon failed: {error}"),
            Self::Terminal => f.write_str(HOW_TO_RUN),
            Self::Stdio(error) => write!(f, "stdin, stdout and stderr could not be set up for the protocol: {error}"),
            Self::Thread(error) => {
                write!(f, "the thread that reads messages and writes replies could not be started: {error}")
            }
            Self::Nested => f.write_str(NESTED),
            Self::Runtime(error) => write!(f, "the runtime of tokio could not be started: {error}"),
            Self::Setting { variable, value, expected } => {
                let value = Excerpt(value.as_bytes());
                write!(f, "the environment variable {variable} is `{value}`; set it to {expected}, or unset it")
            }
        }
    }
}

impl Error for RunError {}

/// The reason a run ended, where results without an error are moved often.
pub(crate) type Fatal = Box<RunError>;

impl From<Box<HandlerError>> for Fatal {
    fn from(failed: Box<HandlerError>) -> Self {
        Self::new(RunError::Handler(*failed))
    }
}

impl From<HandlerError> for RunError {
    fn from(failed: HandlerError) -> Self {
        Self::Handler(failed)
    }
}

/// The failure of a handler that returned an error or panicked, with the message and the records. Its text includes the
/// causes.
#[derive(Debug)]
pub struct HandlerError {
    shard: String,
    action: &'static str,
    at: At,
    attempts: u32,
    failure: Failure,
    log_payloads: bool,
}

/// The place in a message where a handler is.
#[derive(Debug)]
pub(crate) enum At {
    Message,
    /// The partition key is left out if payloads are not logged.
    Record {
        sequence_number: Box<str>,
        partition_key: Option<Box<str>>,
    },
    Batch {
        count: usize,
        first: Box<str>,
        last: Box<str>,
    },
}

impl At {
    /// A place in this batch of the shard: at `one` record, if that is known.
    pub(crate) fn new(batch: &[Record], one: Option<&Record>, log_payloads: bool) -> Self {
        let number = |record: &Record| -> Box<str> {
            format!("{}/{}", record.sequence_number(), record.sub_sequence_number()).into()
        };
        match (one, batch) {
            (Some(record), _) => Self::Record {
                sequence_number: number(record),
                partition_key: log_payloads.then(|| Excerpt(record.partition_key().as_bytes()).to_string().into()),
            },
            (None, [first, .., last]) => Self::Batch { count: batch.len(), first: number(first), last: number(last) },
            (None, [only]) => Self::Batch { count: 1, first: number(only), last: number(only) },
            (None, []) => Self::Message,
        }
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message => Ok(()),
            Self::Record { sequence_number, partition_key } => {
                write!(f, " at record {sequence_number}")?;
                partition_key.as_ref().map_or(Ok(()), |key| write!(f, " with partition key `{key}`"))
            }
            Self::Batch { count: 1, first, .. } => write!(f, " in a batch of 1 record, {first}"),
            Self::Batch { count, first, last } => write!(f, " in a batch of {count} records, {first} to {last}"),
        }
    }
}

/// The failure of user code. It can be dropped and shown without a panic, whatever the error's own `Drop` and `Display`
/// do.
#[derive(Debug)]
pub(crate) enum Failure {
    Error(BoxError),
    Panic(Panicked),
    /// The code was cancelled while it waited, because the daemon is gone.
    Gone,
}

/// The error of code that was cancelled because the daemon is gone.
#[derive(Debug)]
struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled, because the daemon is gone")
    }
}

impl Error for Cancelled {}

impl Drop for Failure {
    fn drop(&mut self) {
        if let Self::Error(error) = self {
            discard(mem::replace(error, Box::new(fmt::Error)));
        }
    }
}

impl Failure {
    pub(crate) fn panic(payload: &(dyn Any + Send)) -> Self {
        Self::Panic(Panicked(message(payload).unwrap_or("the panic's value is not text").to_owned()))
    }

    /// The failure as an error, whatever its kind.
    pub(crate) fn as_error(&self) -> &(dyn Error + Send + Sync + 'static) {
        match self {
            Self::Error(error) => &**error,
            Self::Panic(panicked) => panicked,
            Self::Gone => &Cancelled,
        }
    }

    /// The failure as an owned error.
    pub(crate) fn into_error(mut self) -> BoxError {
        match &mut self {
            Self::Error(error) => mem::replace(error, Box::new(fmt::Error)),
            Self::Panic(Panicked(message)) => Panicked(mem::take(message)).into(),
            Self::Gone => Cancelled.into(),
        }
    }
}

/// A handler's panic, with its message.
#[derive(Debug)]
pub(crate) struct Panicked(String);

impl fmt::Display for Panicked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "panicked: {}", self.0)
    }
}

impl Error for Panicked {}

impl HandlerError {
    pub(crate) fn new(shard: &Shard, action: &'static str, failure: Failure) -> Self {
        let (shard, log_payloads) = (shard.id().to_owned(), shard.log_payloads);
        Self { shard, action, at: At::Message, attempts: 1, failure, log_payloads }
    }

    /// Adds the batch, and the record that failed, if that is known.
    pub(crate) fn with_records(mut self, batch: &[Record], failed: Option<&Record>) -> Self {
        self.at = At::new(batch, failed, self.log_payloads);
        self
    }

    /// Sets the number of times the handler was called.
    pub(crate) fn with_attempts(mut self, attempts: u32) -> Self {
        self.attempts = attempts;
        self
    }

    pub(crate) fn failure(&self) -> &Failure {
        &self.failure
    }

    /// Whether the handler was cancelled because the daemon is gone.
    pub(crate) fn is_gone(&self) -> bool {
        matches!(self.failure, Failure::Gone)
    }

    /// The error with its causes, on one line.
    fn chain(&self) -> Chain<'_> {
        Chain { error: self.failure.as_error(), log_payloads: self.log_payloads }
    }

    /// The lines of the error's backtrace; see [`backtrace`].
    pub(crate) fn backtrace(&self) -> Vec<String> {
        backtrace(self.failure.as_error())
    }

    /// The shard's id.
    pub fn shard(&self) -> &str {
        &self.shard
    }

    /// The number of times the handler was called: more than once if a [`FailurePolicy`](crate::FailurePolicy) asks for retries, and
    /// 0 if the payload could not be decoded.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// The name of the daemon's message that was being handled, such as `processRecords`; `tick` for a tick, and `drop` for the
    /// processor's own `Drop`.
    pub fn action(&self) -> &'static str {
        self.action
    }

    /// The error that the handler returned; `None` if it panicked.
    pub fn error(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        match &self.failure {
            Failure::Error(error) => Some(&**error),
            Failure::Panic(_) | Failure::Gone => None,
        }
    }
}

impl fmt::Display for HandlerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}: {} ", self.shard, self.action)?;
        f.write_str(match self.failure {
            Failure::Error(_) | Failure::Gone => "failed",
            Failure::Panic(_) => "panicked",
        })?;
        match &self.failure {
            Failure::Error(_) | Failure::Gone => write!(f, ": {}", self.chain())?,
            Failure::Panic(Panicked(text)) => {
                write!(f, ": {}", Text { text, log_payloads: self.log_payloads })?;
                nesting_hint(text).map_or(Ok(()), |hint| write!(f, "; {hint}"))?;
            }
        }
        // The place comes last, so that the cause remains where a line is cut.
        let separator = if matches!(self.at, At::Message) { ";" } else { "," };
        match &self.at {
            At::Message => {}
            at => write!(f, ";{at}")?,
        }
        if self.attempts > 1 {
            write!(f, "{separator} after {} attempts", self.attempts)?;
        }
        Ok(())
    }
}

impl Error for HandlerError {}

/// The failure to handle a dead letter, which makes its record a failed one after all.
#[derive(Debug)]
pub(crate) struct DeadLetterFailed {
    record: String,
    source: BoxError,
}

impl DeadLetterFailed {
    pub(crate) fn new(failure: Failure, record: &HandlerError) -> Self {
        Self { record: record.chain().to_string(), source: failure.into_error() }
    }
}

impl fmt::Display for DeadLetterFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; and it could not be dead-lettered", self.record)
    }
}

impl Error for DeadLetterFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}

/// The way in which a record that failed was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Skipped,
    DeadLettered,
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Skipped => "skipped",
            Self::DeadLettered => "dead-lettered",
        })
    }
}

/// One record that was skipped or dead-lettered.
pub(crate) struct Passed<'a> {
    pub(crate) how: How,
    pub(crate) record: &'a Record,
    pub(crate) failed: &'a HandlerError,
}

impl fmt::Display for Passed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { how, record, failed } = self;
        let (number, sub) = (record.sequence_number(), record.sub_sequence_number());
        write!(f, "shard {}: {how} a record: {}; record {number}/{sub}", failed.shard, failed.chain())?;
        if failed.log_payloads {
            write!(f, " with partition key `{}`", Excerpt(record.partition_key().as_bytes()))?;
        }
        match failed.attempts {
            0 => Ok(()),
            1 => f.write_str(", after 1 attempt"),
            attempts => write!(f, ", after {attempts} attempts"),
        }
    }
}

/// The action that this line on a processor's stderr reports, if it reports a skipped or dead-lettered record.
pub fn passed_over(line: &[u8]) -> Option<FailureAction> {
    let text = line.strip_prefix(b"kcl: shard ")?;
    let place = |(how, action)| {
        let words = format!(": {how} a record: ");
        let place = text.windows(words.len()).position(|window| window == words.as_bytes())?;
        Some((place, action))
    };
    let found = [(How::Skipped, FailureAction::Skip), (How::DeadLettered, FailureAction::DeadLetter)]
        .into_iter()
        .filter_map(place);
    // The error may quote the words of the other action.
    found.min_by_key(|(place, _)| *place).map(|(_, action)| action)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::WireRecord;

    #[test]
    fn a_line_about_a_record_that_was_passed_over_is_found() {
        let shard = Shard::new("shardId-000000000001", crate::shard::Position::TrimHorizon);
        let error =
            |text: &str| HandlerError::new(&shard, "processRecords", Failure::Error(text.into())).with_attempts(2);
        let records = WireRecord::into_batch([WireRecord {
            data: b"x",
            partition_key: "k",
            sequence_number: 7.into(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: None,
        }]);
        for (how, text, action) in [
            (How::Skipped, "it broke", FailureAction::Skip),
            (How::Skipped, "x: dead-lettered a record: y", FailureAction::Skip),
            (How::DeadLettered, "x: skipped a record: y", FailureAction::DeadLetter),
        ] {
            let line = format!("kcl: {}", Passed { how, record: &records[0], failed: &error(text) });
            assert_eq!(passed_over(line.as_bytes()), Some(action), "{line}");
        }
        assert_eq!(passed_over(format!("kcl: {}", error("it broke")).as_bytes()), None);
        assert_eq!(passed_over(b": skipped a record: "), None);
    }
}
