//! A local Kinesis and a local DynamoDB that tests share.

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

/// The longest wait for a start; the first run must install jars.
const INSTALLATION: Duration = Duration::from_secs(600);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| build(&["--package", "cargo-kcl"]));

/// The first missing program of those that the emulators need.
pub fn missing_tool() -> Option<&'static str> {
    let found = |program: &str| {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
    };
    let java = std::env::var_os("JAVA_HOME").is_some() || found("java");
    [("Java", java), ("Node", found("node")), ("npm", found("npm"))]
        .into_iter()
        .find_map(|(tool, there)| (!there).then_some(tool))
}

/// The tool's cache folder for all tests, in the target folder in which they were built.
pub fn cache() -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    test.ancestors().nth(3).unwrap_or(workspace()).join("tmp/daemon/cache")
}

/// The tool. It ends with the thread that starts it, so that killed tests leave no process running.
///
/// # Panics
///
/// If the tool does not build.
pub fn tool(arguments: &[OsString]) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(["__exec", &std::process::id().to_string(), "kill", "--"]).arg(&*TOOL).args(arguments);
    command.env("KCL_CACHE_DIR", cache()).stdin(Stdio::null());
    command
}

/// The thread that keeps the emulators running, and the channel that ends it.
static KEEPER: Mutex<Option<(Sender<()>, JoinHandle<()>)>> = Mutex::new(None);

/// Returns the emulators; the first call starts them.
///
/// # Errors
///
/// If they do not start; the error contains their messages.
pub fn emulators() -> Result<Aws, String> {
    static EMULATORS: OnceLock<Result<Aws, String>> = OnceLock::new();
    EMULATORS.get_or_init(keep_emulators).clone()
}

fn keep_emulators() -> Result<Aws, String> {
    let (started, starting) = channel();
    let (end, ending) = channel();
    // The emulators die with the thread that starts them, so this thread stays alive for them.
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
            let messages = stderr.and_then(|stderr| stderr.join().ok()).unwrap_or_default();
            _ = started.send(Err(format!("the emulators do not start: {messages}")));
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
