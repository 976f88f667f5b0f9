//! A folder and a stream for each test, and the tool running there.

use std::ffi::OsString;
use std::fs;
use std::io::Read as _;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tests::aws::Aws;
use tests::emulators::{self, emulators};
use tests::ledger::Ledger;

/// The longest wait, which only a failing test reaches.
const PATIENCE: Duration = Duration::from_secs(120);
const POLL: Duration = Duration::from_millis(20);

static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "ledger"]));

/// Runs a test in its own place, whose folder is kept if the test fails.
pub(crate) fn run(name: &str, test: fn(&Place) -> Result<(), Failed>) -> Result<(), Failed> {
    let place = Place::new(name)?;
    // A failed assertion is a panic.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| test(&place))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(message.unwrap_or("it panicked").to_owned().into())
    });
    ended.map_err(|failed| {
        let why = failed.message().unwrap_or("it failed").to_owned();
        Failed::from(format!("{why}\nthe files are kept in {}", place.folder.display()))
    })?;
    fs::remove_dir_all(&place.folder)?;
    Ok(())
}

/// A test's folder and its stream.
pub(crate) struct Place {
    folder: PathBuf,
    /// The stream's name.
    pub(crate) name: String,
    pub(crate) aws: Aws,
}

impl Place {
    fn new(test: &str) -> Result<Self, Failed> {
        // The process id keeps simultaneous runs of the tests apart.
        let name = format!("{}-{}", test.rsplit("::").next().unwrap_or(test), std::process::id());
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("stream").join(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self { folder, name, aws: emulators()? })
    }

    /// The same place with another stream.
    pub(crate) fn with_stream(&self, name: &str) -> Self {
        Self { folder: self.folder.clone(), name: name.to_owned(), aws: self.aws.clone() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The entries that the processors have written so far.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.path("ledger"))
    }

    /// The data of the records that the processors received, in order.
    pub(crate) fn data(&self) -> Vec<String> {
        let ledger = self.ledger();
        let data = ledger.all("record ").filter_map(|entry| entry.what.splitn(4, ' ').nth(3));
        data.map(str::to_owned).collect()
    }

    pub(crate) fn create(&self, shards: u32) -> Result<(), Failed> {
        create(&self.aws, &self.name, shards)
    }

    /// Puts records, each a key and a text.
    pub(crate) fn put(&self, records: &[(&str, &str)]) -> Result<Vec<(String, String)>, Failed> {
        let records: Vec<_> =
            records.iter().map(|(key, data)| ((*key).to_owned(), data.as_bytes().to_owned())).collect();
        Ok(self.aws.put(&self.name, &records)?)
    }

    /// Splits or merges shards, and waits until that is done.
    pub(crate) fn reshape(&self, operation: &str, mut input: Value) -> Result<(), Failed> {
        input["StreamName"] = json!(self.name);
        self.aws.kinesis(operation, &input)?;
        active(&self.aws, &self.name)
    }

    /// Starts `cargo kcl local` with the ledger-keeping processor on the test's stream.
    pub(crate) fn start(&self, flags: &[&str]) -> Result<Running, Failed> {
        self.start_at(&self.aws.kinesis, flags)
    }

    /// Starts the same at another endpoint.
    pub(crate) fn start_at(&self, endpoint: &str, flags: &[&str]) -> Result<Running, Failed> {
        let stream = ["--stream", &self.name, "--endpoint", endpoint, "--region", "us-east-1"];
        let ledger = LEDGER.to_str().ok_or("no text")?;
        Running::start(self.tool(&[&stream[..], flags, &["--", ledger]].concat()))
    }

    /// The tool with these arguments.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Command {
        let arguments: Vec<OsString> = ["local"].iter().chain(arguments).map(Into::into).collect();
        let mut command = emulators::tool(&arguments);
        command.current_dir(&self.folder).env("LEDGER", self.path("ledger"));
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
        command.env_remove("AWS_ENDPOINT_URL_KINESIS").env_remove("AWS_PROFILE");
        command
    }
}

/// Creates a stream, and waits until it is active.
pub(crate) fn create(aws: &Aws, stream: &str, shards: u32) -> Result<(), Failed> {
    aws.kinesis("CreateStream", &json!({ "StreamName": stream, "ShardCount": shards }))?;
    active(aws, stream)
}

fn active(aws: &Aws, stream: &str) -> Result<(), Failed> {
    until("the stream is active", || {
        let output = aws.kinesis("DescribeStreamSummary", &json!({ "StreamName": stream }));
        output.is_ok_and(|output| output["StreamDescriptionSummary"]["StreamStatus"] == "ACTIVE")
    })
}

/// Waits until a condition holds.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) -> Result<(), Failed> {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        if Instant::now() >= deadline {
            return Err(format!("timed out waiting until {what}").into());
        }
        thread::sleep(POLL);
    }
    Ok(())
}

/// A running tool.
pub(crate) struct Running {
    child: Child,
    said: Arc<Mutex<String>>,
    listener: Option<JoinHandle<()>>,
}

/// The exit code and stderr of an ended run.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Result<Self, Failed> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut stderr = child.stderr.take().ok_or("no stderr")?;
        let said = Arc::new(Mutex::new(String::new()));
        let listener = thread::spawn({
            let said = Arc::clone(&said);
            move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                    let text = String::from_utf8_lossy(&bytes[..read]);
                    said.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                }
            }
        });
        Ok(Self { child, said, listener: Some(listener) })
    }

    /// The output on stderr so far.
    pub(crate) fn said(&self) -> String {
        self.said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until a condition holds. The tool must keep running in the meantime.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn() -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the tool ended ({status}) before {what}:\n{}", self.said()).into());
            }
            if Instant::now() >= deadline {
                return Err(format!("timed out waiting until {what}:\n{}", self.said()).into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Waits until stderr contains a text.
    pub(crate) fn until_said(&mut self, text: &str) -> Result<(), Failed> {
        let said = Arc::clone(&self.said);
        self.until(text, || said.lock().unwrap_or_else(PoisonError::into_inner).contains(text))
    }

    /// Interrupts the tool as Ctrl-C does, then waits for its end.
    pub(crate) fn interrupt(self) -> Result<Ended, Failed> {
        let pid = Pid::from_raw(self.child.id().cast_signed()).ok_or("no process")?;
        kill_process(pid, Signal::INT)?;
        let ended = self.end()?;
        if ended.code == Some(130) { Ok(ended) } else { Err(format!("it did not end gracefully: {ended:?}").into()) }
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ended, Failed> {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= deadline {
                return Err(format!("it does not end:\n{}", self.said()).into());
            }
            thread::sleep(POLL);
        }
        _ = self.listener.take().map(JoinHandle::join);
        Ok(Ended { code: self.child.wait()?.code(), stderr: self.said() })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
