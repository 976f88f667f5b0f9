//! Helpers that the workspace's tests share.

pub mod aws;
pub mod emulators;
pub mod hostile;
pub mod kpl;
pub mod ledger;
pub mod script;

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds one binary with a nested `cargo build`, and returns its path as reported by cargo, wherever the target folder is.
///
/// `arguments` select the binary, for example `["--package", "examples", "--example", "by_hand"]`.
///
/// # Panics
///
/// If the build fails, in which case cargo's messages are on stderr, or if the arguments do not select an executable.
pub fn build(arguments: &[&str]) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo build {arguments:?} failed");
    let mut executables = output.stdout.split(|&byte| byte == b'\n').filter_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.next_back().unwrap_or_else(|| panic!("cargo build {arguments:?} does not produce an executable"))
}

/// A running processor, with the test as its daemon.
#[derive(Debug)]
pub struct Conversation {
    child: Child,
    input: Option<ChildStdin>,
    output: Receiver<String>,
    error: Arc<Mutex<String>>,
    readers: Vec<JoinHandle<()>>,
}

/// The exit code and the remaining output of a processor that has ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// The lines of stdout that the test had not read.
    pub output: Vec<String>,
    /// The content of stderr.
    pub error: String,
}

impl Conversation {
    /// Starts a processor. Its stderr is kept if the command's stderr is piped.
    ///
    /// # Panics
    ///
    /// If the processor does not start.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let (lines, output) = channel();
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let stdout = thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                _ = lines.send(line);
            }
        });
        let error = Arc::new(Mutex::new(String::new()));
        let mut readers = vec![stdout];
        if let Some(mut stderr) = child.stderr.take() {
            let error = Arc::clone(&error);
            readers.push(thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(read @ 1..) = stderr.read(&mut bytes) {
                    error.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..read]));
                }
            }));
        }
        Self { input: child.stdin.take(), child, output, error, readers }
    }

    /// The processor's process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Writes bytes to the processor's stdin.
    ///
    /// # Panics
    ///
    /// If the processor does not take them.
    pub fn write(&mut self, bytes: &[u8]) {
        let input = self.input.as_mut().expect("the input was ended");
        input.write_all(bytes).and_then(|()| input.flush()).expect("the processor reads");
    }

    /// Writes a line to the processor's stdin.
    pub fn send(&mut self, line: &str) {
        self.write(format!("{line}\n").as_bytes());
    }

    /// Returns the next line of the processor's stdout; `None` if stdout is closed.
    ///
    /// # Panics
    ///
    /// If no line arrives within a minute.
    pub fn receive(&mut self) -> Option<String> {
        match self.output.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no reply; stderr: {}", self.error.lock().expect("no panic")),
        }
    }

    /// Waits until the processor's stderr contains this text.
    ///
    /// # Panics
    ///
    /// If it does not contain the text within a minute.
    pub fn wait_for_error(&self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let error = self.error.lock().expect("no panic").clone();
            if error.contains(text) {
                return;
            }
            assert!(Instant::now() < deadline, "no `{text}` in: {error}");
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Closes the processor's stdin.
    pub fn end_input(&mut self) {
        self.input = None;
    }

    /// Closes stdin and waits, as the daemon does, until every process that holds stdout or stderr has closed it.
    ///
    /// # Panics
    ///
    /// If that takes more than a minute.
    pub fn end(mut self) -> Ended {
        self.end_input();
        let mut output = Vec::new();
        while let Some(line) = self.receive() {
            output.push(line);
        }
        let deadline = Instant::now() + PATIENCE;
        while self.readers.iter().any(|reader| !reader.is_finished()) {
            assert!(Instant::now() < deadline, "a process still holds stderr");
            thread::sleep(Duration::from_millis(5));
        }
        let code = self.child.wait().expect("the processor can be waited for").code();
        let error = std::mem::take(&mut *self.error.lock().expect("no panic"));
        Ended { code, output, error }
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // A failed test leaves no process running.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The longest wait, which only a failing test reaches.
const PATIENCE: Duration = Duration::from_secs(60);
