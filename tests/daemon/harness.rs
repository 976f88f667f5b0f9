//! The emulators, a place for each test, and daemons at work there.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};

use crate::aws::Aws;
use crate::ledger::Ledger;

/// No test waits as long unless it fails. The first has jars to install.
const PATIENCE: Duration = Duration::from_secs(240);
const INSTALLATION: Duration = Duration::from_secs(600);
const POLL: Duration = Duration::from_millis(50);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));
static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "ledger"]));
static TAP: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "tap"]));

/// The first program that is missing of those it takes.
pub(crate) fn missing_tool() -> Option<&'static str> {
    let found = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let java = std::env::var_os("JAVA_HOME").is_some() || found("java");
    [("Java", java), ("Maven", found("mvn")), ("Node", found("node")), ("npm", found("npm"))]
        .into_iter()
        .find_map(|(tool, there)| (!there).then_some(tool))
}

/// Runs a test in a place of its own, which is kept if it fails.
pub(crate) fn run(name: &str, test: fn(&Place) -> Result<(), Failed>) -> Result<(), Failed> {
    let place = Place::new(name)?;
    // An assertion that fails is a panic.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| test(&place))).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(said.unwrap_or("it panicked").to_owned().into())
    });
    ended.map_err(|failed| {
        let why = failed.message().unwrap_or("it failed").to_owned();
        Failed::from(format!("{why}\nwhat passed is kept in {}", place.folder.display()))
    })?;
    fs::remove_dir_all(&place.folder)?;
    Ok(())
}

/// Where a test's files are, and its stream and application.
pub(crate) struct Place {
    pub(crate) folder: PathBuf,
    /// The stream's name, and the application's.
    pub(crate) name: String,
    pub(crate) aws: Aws,
}

impl Place {
    fn new(test: &str) -> Result<Self, Failed> {
        // Several runs of the tests at once do not meet.
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

    /// What the processors wrote down so far.
    pub(crate) fn ledger(&self) -> Ledger {
        Ledger::read(&self.path("ledger"))
    }

    /// All that the first daemon here has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("daemon.0.log")).unwrap_or_default()
    }

    /// Starts `cargo kcl daemon` with the ledger-keeping processor, on a stream of that many shards.
    pub(crate) fn start(&self, shards: u32) -> Result<Daemon, Failed> {
        self.start_with(&["--shards", &shards.to_string()], self.processor())
    }

    /// The command of the ledger-keeping processor, with what keeps a transcript before it.
    pub(crate) fn processor(&self) -> [&'static OsStr; 2] {
        [TAP.as_os_str(), LEDGER.as_os_str()]
    }

    /// The same with other flags and another processor.
    pub(crate) fn start_with<'a>(
        &self,
        flags: &[&str],
        processor: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Daemon, Failed> {
        let endpoints = ["--endpoint", &self.aws.kinesis, "--dynamodb-endpoint", &self.aws.dynamodb];
        self.start_on_its_own(&[&endpoints, flags].concat(), processor)
    }

    /// The same with emulators that the daemon's launcher starts itself.
    pub(crate) fn start_on_its_own<'a>(
        &self,
        flags: &[&str],
        processor: impl IntoIterator<Item = &'a OsStr>,
    ) -> Result<Daemon, Failed> {
        // The log of an earlier daemon here stays.
        let log = (0..).map(|number| self.path(&format!("daemon.{number}.log"))).find(|path| !path.exists());
        let log = log.ok_or("no name is left for a log")?;
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
            .env("TRANSCRIPTS", self.path("transcripts"));
        Daemon::start(command)
    }
}

/// The tool, which ends with the thread that starts it: nothing is left of tests that are killed.
fn tool(arguments: &[OsString]) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(["__exec", &std::process::id().to_string(), "kill", "--"]).arg(&*TOOL).args(arguments);
    command.env("KCL_CACHE_DIR", scratch().join("cache")).stdin(Stdio::null());
    // What the user has set would go to the daemon, too.
    for name in
        ["AWS_ENDPOINT_URL_KINESIS", "AWS_ENDPOINT_URL_DYNAMODB", "KCL_FROM", "KCL_RETRIEVAL", "KCL_MAX_RECORDS"]
    {
        command.env_remove(name);
    }
    command
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("daemon")
}

/// The launcher at work.
pub(crate) struct Daemon {
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

/// How the launcher ended.
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

    /// Waits until something is so; the daemon must go on meanwhile.
    pub(crate) fn until(&mut self, what: &str, so: impl Fn() -> bool) -> Result<(), Failed> {
        let deadline = Instant::now() + PATIENCE;
        while !so() {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("the daemon ended ({status}) before {what}:\n{}", self.said()).into());
            }
            if Instant::now() >= deadline {
                _ = self.child.kill();
                return Err(format!("in vain was waited until {what}:\n{}", self.said()).into());
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self) -> Result<Ended, Failed> {
        self.signal(Signal::TERM)?;
        self.end()
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Result<Ended, Failed> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Ended { status, stderr: self.said() });
            }
            if Instant::now() >= deadline {
                _ = self.child.kill();
                return Err(format!("the daemon does not end:\n{}", self.said()).into());
            }
            thread::sleep(POLL);
        }
    }

    fn said(&mut self) -> String {
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
    /// It ended because it was asked to, after the daemon had.
    pub(crate) fn was_graceful(&self) -> Result<(), Failed> {
        if self.status.code() == Some(143) { Ok(()) } else { Err(format!("not graceful: {self:?}").into()) }
    }
}

/// Ends the keeper of the emulators, and so them.
static KEEPER: Mutex<Option<(Sender<()>, JoinHandle<()>)>> = Mutex::new(None);

/// The emulators, started by whoever asks first.
fn emulators() -> Result<Aws, Failed> {
    static EMULATORS: OnceLock<Result<Aws, String>> = OnceLock::new();
    Ok(EMULATORS
        .get_or_init(|| keep_emulators().map_err(|failed| failed.message().unwrap_or_default().to_owned()))
        .clone()?)
}

fn keep_emulators() -> Result<Aws, Failed> {
    fs::create_dir_all(scratch())?;
    let (started, starting) = channel();
    let (end, ending) = channel();
    // They die with the thread that starts them, so one stays for them.
    let keeper = thread::spawn(move || {
        let child = tool(&["emulate".into()]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                _ = started.send(Err(error.to_string()));
                return;
            }
        };
        let stderr =
            child.stderr.take().map(|stderr| thread::spawn(|| std::io::read_to_string(stderr).unwrap_or_default()));
        let mut aws = Aws { kinesis: String::new(), dynamodb: String::new() };
        for line in
            child.stdout.take().into_iter().flat_map(|stdout| BufReader::new(stdout).lines()).map_while(Result::ok)
        {
            match line.split_once('=') {
                Some(("AWS_ENDPOINT_URL_KINESIS", url)) => aws.kinesis = url.to_owned(),
                Some(("AWS_ENDPOINT_URL_DYNAMODB", url)) => aws.dynamodb = url.to_owned(),
                _ => {}
            }
            if !aws.kinesis.is_empty() && !aws.dynamodb.is_empty() {
                break;
            }
        }
        if aws.dynamodb.is_empty() {
            let said = stderr.and_then(|stderr| stderr.join().ok()).unwrap_or_default();
            _ = started.send(Err(format!("the emulators do not start: {said}")));
        } else {
            _ = started.send(Ok(aws));
            _ = ending.recv();
        }
        if let Some(pid) = Pid::from_raw(child.id().cast_signed()) {
            _ = kill_process(pid, Signal::TERM);
        }
        _ = child.wait();
    });
    *KEEPER.lock().unwrap_or_else(PoisonError::into_inner) = Some((end, keeper));
    Ok(starting.recv_timeout(INSTALLATION)??)
}

/// Ends the emulators, if they were started.
pub(crate) fn end_emulators() {
    if let Some((end, keeper)) = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        drop(end);
        _ = keeper.join();
    }
}
