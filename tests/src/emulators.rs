//! A local Kinesis and a local DynamoDB, which tests share.

use std::ffi::OsString;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::aws::Aws;
use crate::{build, workspace};

/// The first run has jars to install.
const INSTALLATION: Duration = Duration::from_secs(600);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "cargo-kcl"]));

/// The first program that is missing of those that the emulators take.
pub fn missing_tool() -> Option<&'static str> {
    let found = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let java = std::env::var_os("JAVA_HOME").is_some() || found("java");
    [("Java", java), ("Maven", found("mvn")), ("Node", found("node")), ("npm", found("npm"))]
        .into_iter()
        .find_map(|(tool, there)| (!there).then_some(tool))
}

/// Where the tool keeps what it installs, for all tests: in the target folder that they were built in.
pub fn cache() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.ancestors().nth(3).unwrap_or(workspace()).join("tmp/daemon/cache")
}

/// The tool, which ends with the thread that starts it: nothing is left of tests that are killed.
///
/// # Panics
///
/// If it does not build.
pub fn tool(arguments: &[OsString]) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(["__exec", &std::process::id().to_string(), "kill", "--"]).arg(&*TOOL).args(arguments);
    command.env("KCL_CACHE_DIR", cache()).stdin(Stdio::null());
    command
}

/// Ends the keeper of the emulators, and so them.
static KEEPER: Mutex<Option<(Sender<()>, JoinHandle<()>)>> = Mutex::new(None);

/// The emulators, started by whoever asks first.
///
/// # Errors
///
/// If they do not start, with what was said.
pub fn emulators() -> Result<Aws, String> {
    static EMULATORS: OnceLock<Result<Aws, String>> = OnceLock::new();
    EMULATORS.get_or_init(keep_emulators).clone()
}

fn keep_emulators() -> Result<Aws, String> {
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
            match line.strip_prefix("export ").and_then(|variable| variable.split_once('=')) {
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
    starting.recv_timeout(INSTALLATION).map_err(|_| "the emulators take too long to start")?
}

/// Ends the emulators, if they were started.
pub fn end() {
    if let Some((end, keeper)) = KEEPER.lock().unwrap_or_else(PoisonError::into_inner).take() {
        drop(end);
        _ = keeper.join();
    }
}
