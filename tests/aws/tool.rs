//! Runs the tool.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// The longest wait, which only a failing test reaches.
const PATIENCE: Duration = Duration::from_secs(120);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));

/// Builds the tool, unless that was done before.
pub(crate) fn build() {
    LazyLock::force(&TOOL);
}

/// The exit code and the output of an ended run.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// The tool without any of the user's AWS settings.
pub(crate) fn bare(arguments: &[&str]) -> Command {
    let mut command = Command::new(&*TOOL);
    command.args(arguments);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("AWS_") || text.starts_with("KCL_") {
            command.env_remove(name);
        }
    }
    for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
        command.env(name, "/dev/null");
    }
    command.env("AWS_EC2_METADATA_DISABLED", "true");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The tool with a region and credentials, and with Kinesis at this URL.
pub(crate) fn tool(url: &str, arguments: &[&str]) -> Command {
    let mut command = bare(arguments);
    command.env("AWS_ENDPOINT_URL_KINESIS", url).env("AWS_ENDPOINT_URL_DYNAMODB", url).env("AWS_REGION", "us-east-1");
    command.env("AWS_ACCESS_KEY_ID", "local").env("AWS_SECRET_ACCESS_KEY", "local");
    command
}

/// Runs a command to its end with this input.
pub(crate) fn run(mut command: Command, input: &[u8]) -> Ended {
    let mut child = command.stdin(Stdio::piped()).spawn().expect("the tool starts");
    // The tool may end before it has read all of the input.
    _ = child.stdin.take().map(|mut stdin| stdin.write_all(input));
    end(child)
}

/// Starts a command.
pub(crate) fn start(mut command: Command) -> Child {
    command.spawn().expect("the tool starts")
}

/// Sends a signal.
pub(crate) fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(child.id().cast_signed()).expect("the tool has a process id");
    kill_process(pid, signal).expect("the tool is running");
}

/// Waits until a condition holds.
pub(crate) fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits for the end of the tool.
pub(crate) fn end(child: Child) -> Ended {
    let started = Instant::now();
    let output = child.wait_with_output().expect("the tool can be waited for");
    assert!(started.elapsed() < PATIENCE, "the tool took too long");
    Ended {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ended {
    /// Asserts that the run ended with this code, and that stderr contains all of these texts.
    pub(crate) fn expect(&self, code: i32, texts: &[&str]) -> &Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        for text in texts {
            assert!(self.stderr.contains(text), "`{text}` is missing in {}", self.stderr);
        }
        self
    }
}

/// A running tool, and its output.
pub(crate) struct Printing {
    pub(crate) child: Child,
    lines: Receiver<String>,
    stderr: Receiver<String>,
}

impl Printing {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let out = lines(child.stdout.take().expect("piped"));
        let stderr = lines(child.stderr.take().expect("piped"));
        Self { child, lines: out, stderr }
    }

    pub(crate) fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|_| panic!("no more lines; {:?}", self.stderr.try_iter().collect::<Vec<_>>()))
    }

    /// The next lines.
    pub(crate) fn take(&self, count: usize) -> Vec<String> {
        (0..count).map(|_| self.line()).collect()
    }

    /// Waits for a line on stderr that contains this text.
    pub(crate) fn wait_for(&self, text: &str) {
        let mut seen = Vec::new();
        while !seen.last().is_some_and(|line: &String| line.contains(text)) {
            let line = self.stderr.recv_timeout(PATIENCE);
            seen.push(line.unwrap_or_else(|_| panic!("`{text}` is not on stderr: {seen:?}")));
        }
    }

    /// Waits for the end, and returns the exit code, or that of a shell for the signal that ended it.
    pub(crate) fn code(mut self) -> Option<i32> {
        let status = self.child.wait().expect("it can be waited for");
        status.code().or_else(|| status.signal().map(|signal| 128 + signal))
    }
}

impl Drop for Printing {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).lines().map_while(Result::ok) {
            _ = sender.send(line);
        }
    });
    receiver
}
