//! The runtime's rules, as a daemon sees them: input lines and the replies to them.

mod checkpoints;
mod failures;
mod input;
mod life;
mod pace;
mod tick;

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use kcl::{
    BoxError, Checkpoints, LeaseLost, ProcessRecords, Processor, RunError, Runner, Shard, ShardEnded, ShutdownRequested,
};

type Result<T = (), E = BoxError> = std::result::Result<T, E>;
type Records = Box<dyn FnMut(&mut ProcessRecords<'_>) -> Result>;

/// A processor made of closures. With `BY_HANDLER`, it makes its own checkpoints.
struct Scripted<const BY_HANDLER: bool> {
    records: Records,
    lease_lost: Box<dyn FnMut(&mut LeaseLost<'_>) -> Result>,
    shard_ended: Box<dyn FnMut(&mut ShardEnded<'_>) -> Result>,
    shutdown_requested: Box<dyn FnMut(&mut ShutdownRequested<'_>) -> Result>,
    /// Records that the processor was dropped.
    #[expect(dead_code, reason = "for its drop")]
    dropped: SetOnDrop,
}

#[derive(Default)]
struct SetOnDrop(Arc<AtomicBool>);

impl Drop for SetOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<const BY_HANDLER: bool> Default for Scripted<BY_HANDLER> {
    fn default() -> Self {
        Self {
            records: Box::new(|_| Ok(())),
            lease_lost: Box::new(|_| Ok(())),
            shard_ended: Box::new(|_| Ok(())),
            shutdown_requested: Box::new(|_| Ok(())),
            dropped: SetOnDrop::default(),
        }
    }
}

impl<const BY_HANDLER: bool> Processor for Scripted<BY_HANDLER> {
    const CHECKPOINTS: Checkpoints = if BY_HANDLER { Checkpoints::Handler } else { Checkpoints::Batch };

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result {
        (self.records)(input)
    }
    fn lease_lost(&mut self, input: &mut LeaseLost<'_>) -> Result {
        (self.lease_lost)(input)
    }
    fn shard_ended(&mut self, input: &mut ShardEnded<'_>) -> Result {
        (self.shard_ended)(input)
    }
    fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_>) -> Result {
        (self.shutdown_requested)(input)
    }
}

/// The runtime checkpoints.
type Auto = Scripted<false>;
/// The handler checkpoints.
type Own = Scripted<true>;

/// Runs a processor on these lines. Returns its replies and the result of the run.
fn run<const BY_HANDLER: bool>(processor: Scripted<BY_HANDLER>, input: &[&str]) -> (Vec<String>, Result<(), RunError>) {
    let input = input.iter().map(|line| format!("{line}\n")).collect::<String>();
    run_bytes(processor, input.as_bytes())
}

fn run_bytes<const BY_HANDLER: bool>(
    processor: Scripted<BY_HANDLER>,
    input: &[u8],
) -> (Vec<String>, Result<(), RunError>) {
    let processor = RefCell::new(Some(processor));
    let runner = Runner::new(|_: &Shard| processor.take().ok_or("a second processor was requested"));
    let mut output = Vec::new();
    let result = runner.run_on(input, &mut output);
    let output = String::from_utf8(output).expect("JSON");
    (output.lines().map(str::to_owned).collect(), result)
}

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const EMPTY: &str = r#"{"action":"processRecords","records":[],"millisBehindLatest":0}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;

const ALL: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;

fn batch(numbers: impl IntoIterator<Item = (u64, u64)>) -> String {
    let records: Vec<_> = numbers
        .into_iter()
        .map(|(number, sub)| {
            format!(r#"{{"data":"eA==","partitionKey":"key-{number}","sequenceNumber":"{number}","subSequenceNumber":{sub},"action":"record"}}"#)
        })
        .collect();
    format!(r#"{{"action":"processRecords","records":[{}],"millisBehindLatest":5}}"#, records.join(","))
}

fn refused(exception: &str) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"{exception}"}}"#)
}

fn at(number: u64, sub: u64) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":"{number}","subSequenceNumber":{sub}}}"#)
}

fn status(action: &str) -> String {
    format!(r#"{{"action":"status","responseFor":"{action}"}}"#)
}

/// A record handler that fails at the record with this number.
fn fail_at(number: u64, how: fn() -> Result) -> Records {
    Box::new(move |input| {
        input.for_each_record(|record| if record.record().sequence_number() == number.into() { how() } else { Ok(()) })
    })
}

fn error() -> Result {
    Err("it broke".into())
}

fn panic() -> Result {
    panic!("it broke")
}
