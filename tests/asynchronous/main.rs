//! Processors with `async` methods, written by hand: what the daemon and the processor see.

mod batches;
mod checkpoints;
mod failures;
mod processes;
mod runtime;

use std::cell::RefCell;
use std::future::{pending, poll_fn};
use std::io::Read;
use std::marker::PhantomData;
use std::pin::pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::Poll;
use std::time::Duration;

use kcl::{
    AsyncCheckpointer, AsyncProcessor, BoxError, Checkpoints, DeadLetter, FailurePolicy, LeaseLost, ProcessRecord,
    ProcessRecords, RunError, Runner, Shard, ShardEnded, ShutdownRequested, Tick,
};

const INITIALIZE: &str =
    r#"{"action":"initialize","shardId":"shardId-000000000007","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}"#;
const LEASE_LOST: &str = r#"{"action":"leaseLost"}"#;
const SHARD_ENDED: &str = r#"{"action":"shardEnded"}"#;
const SHUTDOWN_REQUESTED: &str = r#"{"action":"shutdownRequested"}"#;
const OK: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":null}"#;
const ALL: &str = r#"{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}"#;
const INITIALIZED: &str = r#"{"action":"status","responseFor":"initialize"}"#;
const DONE: &str = r#"{"action":"status","responseFor":"processRecords"}"#;

type Result<T = (), E = BoxError> = std::result::Result<T, E>;

/// Records with these numbers.
fn batch(numbers: impl IntoIterator<Item = u64>) -> String {
    let record = |number| format!(r#"{{"data":"eA==","partitionKey":"key-{number}","sequenceNumber":"{number}"}}"#);
    let records: Vec<_> = numbers.into_iter().map(record).collect();
    format!(r#"{{"action":"processRecords","records":[{}]}}"#, records.join(","))
}

fn refused(exception: &str) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null,"error":"{exception}"}}"#)
}

fn at(number: u64) -> String {
    format!(r#"{{"action":"checkpoint","sequenceNumber":"{number}","subSequenceNumber":0}}"#)
}

fn status(action: &str) -> String {
    format!(r#"{{"action":"status","responseFor":"{action}"}}"#)
}

/// What a handler does once it has waited a little.
#[derive(Clone, Copy, Debug)]
enum Step {
    Done,
    Fail,
    Panic,
    /// Wait until the future is dropped.
    Hang,
    /// The same, with a destructor that panics.
    HangAndPanic,
    Checkpoint,
    /// Begin a checkpoint, and drop its future once the request has been sent.
    DropCheckpoint,
}

/// The constants of a processor.
trait Kind {
    const CHECKPOINTS: Checkpoints = Checkpoints::Batch;
    const POLICY: FailurePolicy = FailurePolicy::new();
    const TIMEOUT: Option<Duration> = None;
    const TICK: Option<Duration> = None;
}

struct Plain;

impl Kind for Plain {}

/// The events that a processor has noted.
type Seen = Rc<RefCell<Vec<String>>>;

/// A processor that does what its plan says, and notes its calls. It is not `Send`.
struct Scripted<K> {
    seen: Seen,
    plan: Rc<dyn Fn(&str) -> Step>,
    /// Lets the reader go on after [`WAIT`].
    gate: Sender<()>,
    kind: PhantomData<K>,
}

impl<K> Scripted<K> {
    /// Notes an event, waits, and does what the plan says.
    async fn act(&self, event: String, checkpointer: Option<&mut AsyncCheckpointer>) -> Result {
        let step = (self.plan)(&event);
        self.seen.borrow_mut().push(event);
        tokio::task::yield_now().await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        match (step, checkpointer) {
            (Step::Done, _) => Ok(()),
            (Step::Fail, _) => Err("it broke".into()),
            (Step::Panic, _) => panic!("it broke"),
            (Step::Hang, _) => {
                let _note = NoteDrop(Rc::clone(&self.seen));
                pending().await
            }
            (Step::HangAndPanic, _) => {
                let _panic = PanicOnDrop(NoteDrop(Rc::clone(&self.seen)));
                pending().await
            }
            (Step::Checkpoint, Some(checkpointer)) => Ok(checkpointer.checkpoint().await?),
            (Step::DropCheckpoint, Some(checkpointer)) => {
                let mut checkpoint = pin!(checkpointer.checkpoint());
                // The first poll sends the request.
                let polled = poll_fn(|cx| Poll::Ready(checkpoint.as_mut().poll(cx))).await;
                self.seen.borrow_mut().push(if polled.is_ready() { "answered" } else { "dropped" }.to_owned());
                Ok(self.gate.send(())?)
            }
            (Step::Checkpoint | Step::DropCheckpoint, None) => panic!("no checkpointer here"),
        }
    }
}

struct NoteDrop(Seen);

impl Drop for NoteDrop {
    fn drop(&mut self) {
        self.0.borrow_mut().push("cancelled".to_owned());
    }
}

/// A guard whose destructor panics.
struct PanicOnDrop(#[expect(dead_code, reason = "it is dropped afterwards")] NoteDrop);

impl Drop for PanicOnDrop {
    fn drop(&mut self) {
        panic!("a destructor");
    }
}

impl<K: Kind> AsyncProcessor for Scripted<K> {
    const CHECKPOINTS: Checkpoints = K::CHECKPOINTS;
    const POLICY: FailurePolicy = K::POLICY;
    const TIMEOUT: Option<Duration> = K::TIMEOUT;
    const TICK: Option<Duration> = K::TICK;

    async fn process_records(&mut self, input: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        let this = &*self;
        let each = async |input: &mut ProcessRecord<'_, AsyncCheckpointer>| {
            this.act(format!("record {}", input.record().sequence_number()), Some(input.checkpointer())).await
        };
        input.settle_each_record(each).await?;
        self.act(format!("batch of {}", input.records().len()), Some(input.checkpointer())).await
    }

    async fn dead_letter(&mut self, input: &DeadLetter<'_>) -> Result {
        self.act(format!("letter {}: {}", input.record().sequence_number(), input.error()), None).await
    }

    async fn tick(&mut self, input: &mut Tick<'_, AsyncCheckpointer>) -> Result {
        self.act("tick".to_owned(), Some(input.checkpointer())).await
    }

    async fn lease_lost(&mut self, _: &mut LeaseLost<'_>) -> Result {
        self.act("leaseLost".to_owned(), None).await
    }

    async fn shard_ended(&mut self, input: &mut ShardEnded<'_, AsyncCheckpointer>) -> Result {
        self.act("shardEnded".to_owned(), Some(input.checkpointer())).await
    }

    async fn shutdown_requested(&mut self, input: &mut ShutdownRequested<'_, AsyncCheckpointer>) -> Result {
        self.act("shutdownRequested".to_owned(), Some(input.checkpointer())).await
    }
}

/// The outcome of a run: the replies, the calls, and the result.
struct Ran {
    replies: Vec<String>,
    seen: Vec<String>,
    result: Result<(), RunError>,
}

/// A line that the daemon does not send. It sends what follows once the future of a checkpoint was dropped.
const WAIT: &str = "WAIT";

/// Lines that arrive one by one.
struct Lines {
    lines: std::vec::IntoIter<String>,
    gate: Receiver<()>,
}

impl Read for Lines {
    fn read(&mut self, to: &mut [u8]) -> std::io::Result<usize> {
        let mut next = self.lines.next();
        if next.as_deref() == Some(WAIT) {
            _ = self.gate.recv();
            next = self.lines.next();
        }
        let line = next.map(|line| line + "\n").unwrap_or_default();
        to[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

/// Runs a processor of this kind on these lines.
fn run<K: Kind>(plan: impl Fn(&str) -> Step + 'static, input: &[&str]) -> Ran {
    let (sender, gate) = channel();
    let input = Lines { lines: input.iter().map(|&line| line.to_owned()).collect::<Vec<_>>().into_iter(), gate };
    let seen = Seen::default();
    let plan: Rc<dyn Fn(&str) -> Step> = Rc::new(plan);
    let runner = Runner::from_async(async |_: &Shard| {
        tokio::task::yield_now().await;
        let (seen, plan, gate) = (Rc::clone(&seen), Rc::clone(&plan), sender.clone());
        Ok::<_, BoxError>(Scripted::<K> { seen, plan, gate, kind: PhantomData })
    });
    let mut output = Vec::new();
    let result = runner.run_on(input, &mut output);
    let replies = String::from_utf8(output).expect("JSON").lines().map(str::to_owned).collect();
    let seen = seen.borrow().clone();
    Ran { replies, seen, result }
}

/// A plan: each of these steps is taken once, in this order for one event. All other events are done.
fn plan<const N: usize>(steps: [(&'static str, Step); N]) -> impl Fn(&str) -> Step {
    let left = RefCell::new(steps.to_vec());
    move |event| {
        let mut left = left.borrow_mut();
        left.iter().position(|(at, _)| *at == event).map_or(Step::Done, |at| left.remove(at).1)
    }
}
