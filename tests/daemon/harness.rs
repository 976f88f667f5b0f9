//! The emulators, a place for each test, and daemons that run there.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use tests::aws::Aws;
use tests::emulators::{self, emulators};
use tests::ledger::Ledger;

/// A time that no wait reaches unless the test fails.
const PATIENCE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(50);

static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "ledger"]));
static POISON: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "poison"]));
static TAP: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "tap"]));

/// Runs a test in its own place, which is kept if the test fails.
pub(crate) fn run(name: &str, test: fn(&Place) -> Result<(), Failed>) -> Result<(), Failed> {
    let place = Place::new(name)?;
    // A failed assertion is a panic.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| test(&place))).unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(message.unwrap_or("it panicked").to_owned().into())
    });
    ended.map_err(|failed| {
        let why = failed.message().unwrap_or("it failed").to_owned();
        Failed::from(format!("{why}\nthe files of the run are kept in {}", place.folder.display()))
    })?;
    fs::remove_dir_all(&place.folder)?;
    Ok(())
}

/// The folder of a test's files, its stream and its application.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The name of the stream and of the application.
    pub(crate) name: String,
    pub(crate) aws: Aws,
}

impl Place {
    fn new(test: &str) -> Result<Self, Failed> {
        // Concurrent runs of the tests do not collide.
        let name = format!("{}-{}", test.rsplit("::").next().unwrap_or(test), std::process::id());
        let folder = scratch().join("runs").join(&name);
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(folder.join("transcripts"))?;
        Ok(Self { folder, name, aws: emulators()? })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The entries that the processors have written so far.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.path("ledger"))
    }

    /// The log of the first daemon of this place so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.0.log")).unwrap_or_default()
    }

    /// Runs a verb on the place's application and stream to its end.
    pub(crate) fn verb(&self, verb: &str, arguments: &[&str]) -> Result<Output, Failed> {
        Ok(self.command(verb, arguments).output()?)
    }

    /// The command that [`verb`](Self::verb) runs.
    pub(crate) fn command(&self, verb: &str, arguments: &[&str]) -> Command {
        // The workers of this place have a failoverTimeMillis of 3 s.
        let names = [verb, "--app", &self.name, "--stream", &self.name, "--failover", "3s", "--region", "us-east-1"];
        let endpoints = ["--endpoint", &self.aws.kinesis, "--dynamodb-endpoint", &self.aws.dynamodb];
        let all: Vec<OsString> = [&names[..], &endpoints, arguments].concat().into_iter().map(Into::into).collect();
        let mut command = tool(&all);
        command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local").env_remove("AWS_PROFILE");
        command
    }

    /// Starts `cargo kcl daemon` with the ledger-keeping processor, on a stream with this number of shards.
    pub(crate) fn start(&self, shards: u32) -> Result<Daemon, Failed> {
        self.start_with(&["--shards", &shards.to_string()], self.processor())
    }

    /// The command of the ledger-keeping processor, run by the program that keeps a transcript.
    pub(crate) fn processor(&self) -> [&'static OsStr; 2] {
        [TAP.as_os_str(), LEDGER.as_os_str()]
    }

    /// The processor that waits, and reports that soon.
    pub(crate) fn poison(&self) -> &'static OsStr {
        POISON.as_os_str()
    }

    /// The same as [`start`](Self::start), with other flags and another processor.
    pub(crate) fn start_with<'a>(
        &self,
        flags: &[&str],
        processor: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Daemon, Failed> {
        let endpoints = ["--endpoint", &self.aws.kinesis, "--dynamodb-endpoint", &self.aws.dynamodb];
        self.start_on_its_own(&[&endpoints, flags].concat(), processor)
    }

    /// The same as [`start_with`](Self::start_with), with emulators that the daemon's launcher starts itself.
    pub(crate) fn start_on_its_own<'a>(
        &self,
        flags: &[&str],
        processor: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Daemon, Failed> {
        // The log of an earlier daemon of this place is kept.
        let log = (0..).map(|number| self.path(&format!("daemon.{number}.log"))).find(|path| !path.exists());
        let log = log.ok_or("no free name for a log")?;
        let mut arguments: Vec<OsString> = ["daemon", "--emulate", "--stream", &self.name, "--app", &self.name]
            .iter()
            .chain(flags)
            .chain(&["--log"])
            .map(Into::into)
            .collect();
        arguments.push(log.into());
        arguments.push("--".into());
        arguments.extend(processor.into_iter().map(OsStr::to_owned));
        let mut command = tool(&arguments);
        command
            .current_dir(&self.folder)
            .env("LEDGER", self.path("ledger"))
            .env("KCL_TEST_FOLDER", &self.folder)
            .env("TRANSCRIPTS", self.path("transcripts"));
        Daemon::start(command)
    }
}

/// The tool, without the environment variables that configure a daemon.
fn tool(arguments: &[OsString]) -> Command {
    let mut command = emulators::tool(arguments);
    // Otherwise the settings of the user who runs the tests would apply to the daemon.
    for name in [
        "AWS_ENDPOINT_URL_KINESIS",
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "KCL_FROM",
        "KCL_RETRIEVAL",
        "KCL_MAX_RECORDS",
    ] {
        command.env_remove(name);
    }
    command
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("daemon")
}

/// A running launcher.
pub(crate) struct Daemon {
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

/// The exit status and the stderr of a launcher that ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl Daemon {
    fn start(mut command: Command) -> Result<Self, Failed> {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().ok_or("no stderr")?;
        let stderr = thread::spawn(move || std::io::read_to_string(stderr).unwrap_or_default());
        Ok(Self { child, stderr: Some(stderr) })
    }

    pub(crate) fn id(&self) -> i32 {
        self.child.id().cast_signed()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<(), Failed> {
        let pid = Pid::from_raw(self.id()).ok_or("no process")?;
        Ok(kill_process(pid, signal)?)
    }

    /// Waits until a condition holds. The daemon must not end before.
    pub(crate) fn until(&mut self, what: &str, condition: impl Fn() -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        while !condition() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the daemon ended ({status}) before {what}:\n{}", self.take_stderr()).into());
            }
            if Instant::now() >= deadline {
                _ = self.child.kill();
                return Err(format!("timed out waiting until {what}:\n{}", self.take_stderr()).into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Asks the launcher to stop, and waits for its end.
    pub(crate) fn stop(self) -> Result<Ended, Failed> {
        self.signal(Signal::TERM)?;
        self.end()
    }

    /// Waits for the launcher's end.
    pub(crate) fn end(self) -> Result<Ended, Failed> {
        self.end_after(|_| Ok(()))
    }

    /// Sends a signal repeatedly until the launcher ends, as a user does who presses Ctrl-C again.
    pub(crate) fn end_by_repeated(self, signal: Signal) -> Result<Ended, Failed> {
        self.end_after(|daemon| daemon.signal(signal))
    }

    /// Waits for the launcher's end, and does something again and again until then.
    fn end_after(mut self, again: impl Fn(&Self) -> Result<(), Failed>) -> Result<Ended, Failed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, stderr: self.take_stderr() });
            }
            again(&self)?;
            if Instant::now() >= deadline {
                _ = self.child.kill();
                return Err(format!("the daemon does not end:\n{}", self.take_stderr()).into());
            }
            thread::sleep(POLL);
        }
    }

    fn take_stderr(&mut self) -> String {
        self.stderr.take().and_then(|stderr| stderr.join().ok()).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Ended {
    /// Checks that the launcher ended because it was asked to stop, after the daemon had ended.
    pub(crate) fn was_graceful(&self) -> Result<(), Failed> {
        if self.status.code() == Some(143) { Ok(()) } else { Err(format!("not graceful: {self:?}").into()) }
    }
}
