//! Runs the tool in a separate folder.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// The longest time to wait; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));
static WITNESS: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "witness"]));

static ANNOTATED: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "annotated"]));

/// The processor that records what it sees in `async` handlers.
pub(crate) fn annotated() -> &'static str {
    ANNOTATED.to_str().expect("a path of text")
}

static AT_ONCE: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "at_once"]));

/// The processor that records what it sees, and handles many records at once.
pub(crate) fn at_once() -> &'static str {
    AT_ONCE.to_str().expect("a path of text")
}

static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "ledger"]));

/// The processor that records what it sees.
pub(crate) fn witness() -> &'static str {
    WITNESS.to_str().expect("a path of text")
}

/// The processor that does what its records command.
pub(crate) fn ledger() -> &'static str {
    LEDGER.to_str().expect("a path of text")
}

static PLANTED: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "planted"]));

/// The processor with the bug that `BUG` names.
pub(crate) fn planted() -> &'static str {
    PLANTED.to_str().expect("a path of text")
}

/// A folder with an input, and the file in which a [`witness`] records what it saw.
pub(crate) struct Place {
    folder: TempDir,
}

impl Place {
    pub(crate) fn with_input(input: impl AsRef<[u8]>) -> Self {
        let place = Self { folder: tempfile::tempdir().expect("a folder") };
        fs::write(place.path("input"), input).expect("it can be written");
        place
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The content of a file in the folder; empty if there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The records and events that the witnesses saw since the last call.
    pub(crate) fn seen(&self) -> Seen {
        let seen = self.read("seen");
        _ = fs::remove_file(self.path("seen"));
        Seen(seen.lines().map(str::to_owned).collect())
    }

    /// `cargo-kcl local` with these arguments, which may name files in the folder.
    pub(crate) fn tool<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&*TOOL);
        command.arg("local").args(arguments).current_dir(self.folder.path()).env("SEEN", self.path("seen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `cargo-kcl replay` with these arguments, which may name files in the folder.
    pub(crate) fn replay<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&*TOOL);
        command.arg("replay").args(arguments).current_dir(self.folder.path()).env("SEEN", self.path("seen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the tool over `input` with the witness, until it ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["--input", "input"], arguments, &["--", witness()]].concat();
        Running::start(self.tool(arguments)).end()
    }

    /// Runs the tool over `input` with a shell script as the processor.
    pub(crate) fn run_script(&self, arguments: &[&str], script: &str) -> Ended {
        Running::start(self.script(arguments, script)).end()
    }

    pub(crate) fn script(&self, arguments: &[&str], script: &str) -> Command {
        self.tool([arguments, &["--input", "input", "--", "sh", "-c", script]].concat())
    }
}

/// Lines that witnesses wrote.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Seen(pub(crate) Vec<String>);

impl Seen {
    /// The data of the records, sorted.
    pub(crate) fn data(&self) -> Vec<&str> {
        let mut data: Vec<_> = self.records().map(|(_, data)| data).collect();
        data.sort_unstable();
        data
    }

    /// Sequence numbers and data.
    pub(crate) fn records(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().filter_map(|line| line.strip_prefix("record ")?.split_once(' '))
    }

    pub(crate) fn count(&self, line: &str) -> usize {
        self.0.iter().filter(|seen| *seen == line).count()
    }

    /// The lines that start with this text, without it.
    pub(crate) fn starting_with<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |line| line.strip_prefix(start))
    }
}

/// The running tool.
pub(crate) struct Running {
    child: Child,
    outputs: Vec<JoinHandle<String>>,
}

/// The result of a run that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("piped");
        let stderr = child.stderr.take().expect("piped");
        Self { child, outputs: vec![collect(stdout), collect(stderr)] }
    }

    pub(crate) fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).expect("it runs");
    }

    /// Sends a signal repeatedly until the tool ends, as a user does who presses Ctrl-C again.
    pub(crate) fn signal_until_it_ends(&mut self, signal: rustix::process::Signal) {
        wait_until("a later signal ends the tool", || {
            let has_ended = self.child.try_wait().expect("it can be waited for").is_some();
            if !has_ended {
                self.signal(signal);
            }
            has_ended
        });
    }

    /// Waits until the killed tool has ended, and its processors too, so that they no longer hold its outputs.
    pub(crate) fn wait(mut self) {
        self.child.wait().expect("it can be waited for");
        wait_until("nobody holds its outputs", || self.outputs.iter().all(JoinHandle::is_finished));
    }

    /// Waits until the tool and all processes that hold its stderr have ended.
    pub(crate) fn end(self) -> Ended {
        let (ended, stdout) = self.end_with_stdout();
        assert_eq!(stdout, "", "the tool's stdout is for scripts");
        ended
    }

    /// Like [`end`](Self::end), but also returns the tool's stdout.
    pub(crate) fn end_with_stdout(mut self) -> (Ended, String) {
        wait_until("the tool ends", || self.child.try_wait().expect("it can be waited for").is_some());
        wait_until("nobody holds its outputs", || self.outputs.iter().all(JoinHandle::is_finished));
        let code = self.child.wait().expect("it has ended").code();
        let [stdout, stderr] = [0, 1].map(|_| self.outputs.remove(0)).map(|output| output.join().expect("no panic"));
        (Ended { code, stderr }, stdout)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test must not leave the tool running.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts the exit code, and that stderr contains all of these texts.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for text in says {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
    }

    /// A shard's cell in the table of the summary.
    #[track_caller]
    pub(crate) fn cell(&self, shard: u32, column: &str) -> &str {
        let cell = || {
            let header = self.stderr.lines().find(|line| line.starts_with("shard  "))?;
            let row = self.stderr.lines().find(|line| line.starts_with(&format!("shardId-{shard:012}  ")))?;
            let at = cells(header).position(|name| name == column)?;
            cells(row).nth(at)
        };
        cell().unwrap_or_else(|| panic!("no {column} of shard {shard} in:\n{}", self.stderr))
    }
}

/// The cells of a row, which are at least two spaces apart.
fn cells(row: &str) -> impl Iterator<Item = &str> {
    row.split("  ").map(str::trim).filter(|cell| !cell.is_empty())
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits until a condition holds that another process brings about.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut it: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !it() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process is running: neither gone nor a zombie.
pub(crate) fn runs(id: &str) -> bool {
    let Ok(stat) = fs::read_to_string(Path::new("/proc").join(id).join("stat")) else { return false };
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}
