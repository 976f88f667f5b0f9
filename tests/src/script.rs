//! Scripts for processors, which act as a scenario demands and record what they see.
//!
//! `KCL_TEST_SCRIPT` holds an array of rules, `{"at": PLACE, "do": [ACTION, ...]}`. A place is the name of an event
//! (`init`, `batch`, `record`, `lease_lost`, `shard_end`, `shutdown_requested`, `drop`). The name alone stands for every
//! occurrence; a number after it selects the nth occurrence in this process, as in `record 3`. Every event is a line of
//! JSON in `events.jsonl`, in the folder that `KCL_TEST_FOLDER` names.

use std::cell::RefCell;
use std::collections::HashMap;
use std::error::Error;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::process::parent_id;
use std::path::PathBuf;
use std::pin::pin;
use std::process::Command;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, UNIX_EPOCH};

use kcl::{
    AsyncCheckpointer, CheckpointError, Checkpointer, DeadLetter, MillisBehindLatest, Position, Record, SequenceNumber,
    Shard,
};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    at: String,
    #[serde(rename = "do")]
    actions: Vec<Action>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    /// Return an error.
    Fail,
    /// Panic.
    Panic,
    /// Panic while unwinding from a panic, which aborts the process.
    PanicTwice,
    /// Panic in another thread.
    PanicInThread,
    /// Have another thread print lines forever.
    Chatter(String),
    /// End the process with that code.
    Exit(i32),
    /// Print, unchanged, to standard output.
    Print(String),
    /// Print, unchanged, to standard error.
    Eprint(String),
    /// Print that many bytes in lines.
    PrintBytes(usize),
    /// Write to an existing file, such as `/proc/self/fd/1`.
    Write { path: PathBuf, text: String },
    /// Run a command that inherits everything, and wait for it. Event: `ran` with its exit code.
    Run(Vec<String>),
    /// Start a command and do not wait for it. Event: `spawned`.
    Spawn(Vec<String>),
    /// Read standard input to its end. Event: `read` with the number of bytes.
    ReadStdin,
    /// Wait until a file with that name exists in the folder. Event: `waiting`.
    Wait(String),
    /// Wait until the process has another parent, because the daemon is dead. Event: `waiting`.
    Orphan,
    /// Checkpoint. Event: `checkpoint` with `ok` or the error.
    Checkpoint(Checkpoint),
    /// Choose one of several processors, see [`policy`]. Used at `policy`, which is not an event.
    Policy(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Checkpoint {
    #[serde(default)]
    at: At,
    /// Whether the handler returns its error.
    #[serde(default)]
    or_fail: bool,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum At {
    /// `checkpoint()`.
    #[default]
    Here,
    /// `checkpoint_at` the current record.
    Record,
    /// `checkpoint_at_sequence`.
    Sequence(String, u64),
}

/// The error of a handler that failed as the script demanded.
#[derive(Debug)]
pub struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for Failed {}

/// The policy that the script chooses; empty if it does not choose one.
#[must_use]
pub fn policy() -> String {
    let script = std::env::var("KCL_TEST_SCRIPT").unwrap_or_default();
    let rules: Vec<Rule> = serde_json::from_str(&script).unwrap_or_default();
    let chosen = rules.into_iter().filter(|rule| rule.at == "policy").flat_map(|rule| rule.actions);
    let mut chosen = chosen.filter_map(|action| if let Action::Policy(policy) = action { Some(policy) } else { None });
    chosen.next_back().unwrap_or_default()
}

/// How a handler waits, with the checkpointer that it has.
enum Handler<'c> {
    Blocking(Option<&'c mut Checkpointer>),
    Async(Option<&'c mut AsyncCheckpointer>),
}

impl Handler<'_> {
    /// Makes a checkpoint. The outer error is one of the script.
    async fn checkpoint(&mut self, at: &At, record: Option<&Record>) -> Result<Result<(), CheckpointError>, Failed> {
        let failed = |text: &str| Failed(text.to_owned());
        let (no_checkpointer, no_record) = (|| failed("no checkpointer here"), || failed("no record here"));
        let parse = |number: &str| number.parse::<SequenceNumber>().map_err(|error| failed(&error.to_string()));
        Ok(match self {
            Handler::Blocking(checkpointer) => {
                let checkpointer = checkpointer.as_deref_mut().ok_or_else(no_checkpointer)?;
                match at {
                    At::Here => checkpointer.checkpoint(),
                    At::Record => checkpointer.checkpoint_at(record.ok_or_else(no_record)?),
                    At::Sequence(number, sub) => checkpointer.checkpoint_at_sequence(parse(number)?, *sub),
                }
            }
            Handler::Async(checkpointer) => {
                let checkpointer = checkpointer.as_deref_mut().ok_or_else(no_checkpointer)?;
                match at {
                    At::Here => checkpointer.checkpoint().await,
                    At::Record => checkpointer.checkpoint_at(record.ok_or_else(no_record)?).await,
                    At::Sequence(number, sub) => checkpointer.checkpoint_at_sequence(parse(number)?, *sub).await,
                }
            }
        })
    }

    /// Waits a moment.
    async fn pause(&self) {
        let moment = Duration::from_millis(2);
        match self {
            Handler::Blocking(_) => std::thread::sleep(moment),
            Handler::Async(_) => tokio::time::sleep(moment).await,
        }
    }
}

/// A processor's script, and the file in which it records events.
#[derive(Debug)]
pub struct Script {
    rules: Vec<Rule>,
    seen: RefCell<HashMap<&'static str, u32>>,
    folder: PathBuf,
    events: File,
    parent: u32,
}

impl Script {
    /// Reads the environment, and acts in `on_init`.
    ///
    /// # Errors
    ///
    /// If the environment is invalid, or the script demands an error.
    pub fn start(shard: &Shard) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let position = match shard.position() {
            Position::After { sequence_number, sub_sequence_number: 0 } => sequence_number.to_string(),
            other => other.to_string(),
        };
        Self::begin(&format!("{} {position}", shard.id()))
    }

    /// Reads the environment, for a processor without `on_init`.
    ///
    /// # Errors
    ///
    /// As [`Script::start`].
    pub fn start_without_shard() -> Result<Self, Box<dyn Error + Send + Sync>> {
        Self::begin("default")
    }

    fn begin(detail: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let folder = PathBuf::from(std::env::var_os("KCL_TEST_FOLDER").ok_or("KCL_TEST_FOLDER is not set")?);
        let script = Script {
            rules: serde_json::from_str(&std::env::var("KCL_TEST_SCRIPT")?)?,
            seen: RefCell::default(),
            events: OpenOptions::new().create(true).append(true).open(folder.join("events.jsonl"))?,
            folder,
            parent: parent_id(),
        };
        script.note(json!({"event": "init", "detail": detail, "pid": std::process::id()}));
        now(script.play("init", None, Handler::Blocking(None)))?;
        Ok(script)
    }

    /// Acts in a handler that is called once per message.
    ///
    /// # Errors
    ///
    /// If the script demands an error.
    pub fn message(&self, event: &'static str, checkpointer: Option<&mut Checkpointer>) -> Result<(), Failed> {
        self.note(json!({"event": event}));
        now(self.play(event, None, Handler::Blocking(checkpointer)))
    }

    /// Acts in an `async` handler that is called once per message.
    ///
    /// # Errors
    ///
    /// If the script demands an error.
    pub async fn message_async(
        &self,
        event: &'static str,
        checkpointer: Option<&mut AsyncCheckpointer>,
    ) -> Result<(), Failed> {
        self.note(json!({"event": event}));
        self.play(event, None, Handler::Async(checkpointer)).await
    }

    /// Acts in `on_record`.
    ///
    /// # Errors
    ///
    /// If the script demands an error.
    pub fn record(
        &self,
        record: &Record,
        behind: MillisBehindLatest,
        checkpointer: Option<&mut Checkpointer>,
    ) -> Result<(), Failed> {
        self.note_record(record, behind);
        now(self.play("record", Some(record), Handler::Blocking(checkpointer)))
    }

    /// Acts in an `async` `on_record`, which waits a moment with each record.
    ///
    /// # Errors
    ///
    /// If the script demands an error.
    pub async fn record_async(
        &self,
        record: &Record,
        behind: MillisBehindLatest,
        checkpointer: Option<&mut AsyncCheckpointer>,
    ) -> Result<(), Failed> {
        self.note_record(record, behind);
        let handler = Handler::Async(checkpointer);
        tokio::task::yield_now().await;
        self.play("record", Some(record), handler).await
    }

    /// Acts in `on_records`: for the batch first, then for each of its records.
    ///
    /// # Errors
    ///
    /// If the script demands an error.
    pub fn records(
        &self,
        records: &[Record],
        behind: MillisBehindLatest,
        mut checkpointer: Option<&mut Checkpointer>,
    ) -> Result<(), Failed> {
        self.batch(records.len(), behind);
        now(self.play("batch", records.last(), Handler::Blocking(checkpointer.as_deref_mut())))?;
        for record in records {
            self.record(record, behind, checkpointer.as_deref_mut())?;
        }
        Ok(())
    }

    /// Records a batch whose records are passed to [`Script::record`] one by one.
    pub fn batch(&self, records: usize, behind: MillisBehindLatest) {
        self.note(json!({"event": "batch", "detail": records.to_string(), "behind": millis(behind)}));
    }

    /// Records a dead letter: its place and the attempts.
    pub fn dead_letter(&self, letter: &DeadLetter<'_>) {
        let (number, sub) = (letter.record().sequence_number(), letter.record().sub_sequence_number());
        let detail = format!("{number}/{sub} after {}", letter.attempts());
        self.note(json!({"event": "dead_letter", "detail": detail}));
    }

    fn note_record(&self, record: &Record, behind: MillisBehindLatest) {
        self.note(json!({"event": "record", "behind": millis(behind), "record": describe(record)}));
    }

    fn note(&self, event: Value) {
        // One write per line, so that a concurrent reader sees whole lines.
        if let Err(error) = (&self.events).write_all(format!("{event}\n").as_bytes()) {
            eprintln!("events.jsonl: {error}");
        }
    }

    async fn play(&self, event: &'static str, record: Option<&Record>, mut handler: Handler<'_>) -> Result<(), Failed> {
        let seen = *self.seen.borrow_mut().entry(event).and_modify(|seen| *seen += 1).or_insert(1);
        let numbered = format!("{event} {seen}");
        let rules = self.rules.iter().filter(|rule| rule.at == event || rule.at == numbered);
        let actions: Vec<Action> = rules.flat_map(|rule| rule.actions.clone()).collect();
        for action in actions {
            self.act(action, record, &mut handler).await?;
        }
        Ok(())
    }

    #[expect(clippy::print_stdout, reason = "the tests check that printing does no harm")]
    async fn act(&self, action: Action, record: Option<&Record>, handler: &mut Handler<'_>) -> Result<(), Failed> {
        let failed = |error: &dyn Error| Failed(error.to_string());
        match action {
            Action::Fail => return Err(Failed("failed as told".to_owned())),
            Action::Panic => panic!("panicked as told"),
            Action::PanicTwice => {
                let _again = PanicsOnDrop;
                panic!("panicked as told");
            }
            Action::PanicInThread => {
                if std::thread::spawn(|| panic!("panicked in a thread")).join().is_ok() {
                    return Err(Failed("the thread did not panic".to_owned()));
                }
            }
            Action::Chatter(line) => {
                std::thread::spawn(move || {
                    loop {
                        println!("{line}");
                    }
                });
            }
            Action::Policy(_) => {}
            Action::Exit(code) => std::process::exit(code),
            Action::Print(text) => print!("{text}"),
            Action::Eprint(text) => eprint!("{text}"),
            Action::PrintBytes(count) => {
                for _ in 0..count / 64 {
                    println!("{:063}", 0);
                }
            }
            Action::Write { path, text } => {
                let mut file = OpenOptions::new().write(true).open(path).map_err(|error| failed(&error))?;
                file.write_all(text.as_bytes()).map_err(|error| failed(&error))?;
            }
            Action::Run(command) => {
                let status = command_of(&command)?.status().map_err(|error| failed(&error))?;
                self.note(json!({"event": "ran", "detail": status.code().unwrap_or(-1).to_string()}));
            }
            Action::Spawn(command) => {
                let child = command_of(&command)?.spawn().map_err(|error| failed(&error))?;
                self.note(json!({"event": "spawned", "pid": child.id()}));
            }
            Action::ReadStdin => {
                let mut bytes = Vec::new();
                std::io::stdin().read_to_end(&mut bytes).map_err(|error| failed(&error))?;
                self.note(json!({"event": "read", "detail": bytes.len().to_string()}));
            }
            Action::Wait(gate) => {
                self.note(json!({"event": "waiting"}));
                while !self.folder.join(&gate).exists() {
                    handler.pause().await;
                }
            }
            Action::Orphan => {
                self.note(json!({"event": "waiting"}));
                while parent_id() == self.parent {
                    handler.pause().await;
                }
            }
            Action::Checkpoint(how) => {
                let result = handler.checkpoint(&how.at, record).await?;
                let detail = result.as_ref().map_or_else(name, |()| "ok".to_owned());
                self.note(json!({"event": "checkpoint", "detail": detail}));
                if how.or_fail {
                    result.map_err(|error| failed(&error))?;
                }
            }
        }
        Ok(())
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.note(json!({"event": "drop"}));
        if let Err(error) = now(self.play("drop", None, Handler::Blocking(None))) {
            eprintln!("drop: {error}");
        }
    }
}

struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        panic!("panicked once more");
    }
}

/// The output of a future that does not wait.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a blocking handler does not wait"),
    }
}

fn command_of(words: &[String]) -> Result<Command, Failed> {
    let (program, arguments) = words.split_first().ok_or_else(|| Failed("no command".to_owned()))?;
    let mut command = Command::new(program);
    command.args(arguments);
    Ok(command)
}

fn name(error: &CheckpointError) -> String {
    let name = match error {
        CheckpointError::Throttled => "Throttled",
        CheckpointError::Dependency => "Dependency",
        CheckpointError::LeaseLost => "LeaseLost",
        CheckpointError::InvalidState => "InvalidState",
        CheckpointError::OutOfRange => "OutOfRange",
        CheckpointError::Other(name) => return format!("Other {name}"),
        CheckpointError::Io(_) => "Io",
        _ => "unknown",
    };
    name.to_owned()
}

/// Describes a record as the driver describes the records that it sends.
fn describe(record: &Record) -> Value {
    let arrival = record.approximate_arrival_timestamp();
    let arrival = arrival.and_then(|time| time.duration_since(UNIX_EPOCH).ok()).map(|time| time.as_millis() as u64);
    json!({
        "sequence": record.sequence_number().to_string(),
        "sub": record.sub_sequence_number(),
        "key": record.partition_key(),
        "arrival": arrival,
        "bytes": record.data().len(),
        "fnv": format!("{:x}", fnv(record.data())),
    })
}

/// The 64-bit FNV-1a hash: enough to detect a changed byte, and as short in the driver.
fn fnv(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The milliseconds that the daemon sent.
fn millis(MillisBehindLatest(behind): MillisBehindLatest) -> Option<u64> {
    behind.and_then(|behind| behind.as_millis().try_into().ok())
}
