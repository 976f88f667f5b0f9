//! The tool at work in a folder of its own.

use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// No test waits as long unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));
static WITNESS: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "witness"]));

static LEDGER: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "ledger"]));

/// The processor that writes down what it sees.
pub(crate) fn witness() -> &'static str {
    WITNESS.to_str().expect("a path of text")
}

/// The processor that does what records say.
pub(crate) fn ledger() -> &'static str {
    LEDGER.to_str().expect("a path of text")
}

static PLANTED: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "planted"]));

/// The processor with the bug that `BUG` names.
pub(crate) fn planted() -> &'static str {
    PLANTED.to_str().expect("a path of text")
}

/// A folder with an input, and the file in which a [`witness`] writes down what it saw.
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

    /// What was written to a file here; nothing if there is none.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// What the witnesses saw since this was asked last.
    pub(crate) fn seen(&self) -> Seen {
        let seen = self.read("seen");
        _ = fs::remove_file(self.path("seen"));
        Seen(seen.lines().map(str::to_owned).collect())
    }

    /// `cargo-kcl local` with these arguments, which may name files here.
    pub(crate) fn tool<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&*TOOL);
        command.arg("local").args(arguments).current_dir(self.folder.path()).env("SEEN", self.path("seen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// `cargo-kcl replay` likewise.
    pub(crate) fn replay<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&*TOOL);
        command.arg("replay").args(arguments).current_dir(self.folder.path()).env("SEEN", self.path("seen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the tool over `input` with the witness to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        let arguments = [&["--input", "input"], arguments, &["--", witness()]].concat();
        Running::start(self.tool(arguments)).end()
    }

    /// Runs the tool over `input` with a shell script for a processor.
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
    /// The data of the records, in no particular order of shards.
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

    /// Lines that start so, without that.
    pub(crate) fn starting_with<'a>(&'a self, start: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter_map(move |line| line.strip_prefix(start))
    }
}

/// The tool at work.
pub(crate) struct Running {
    child: Child,
    outputs: Vec<JoinHandle<String>>,
}

/// The tool has ended.
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

    /// Waits until the tool has ended that was killed, and until its processors have: they hold its outputs no longer.
    pub(crate) fn wait(mut self) {
        self.child.wait().expect("it can be waited for");
        wait_until("nobody holds its outputs", || self.outputs.iter().all(JoinHandle::is_finished));
    }

    /// Waits until the tool and all that hold its stderr have ended.
    pub(crate) fn end(self) -> Ended {
        let (ended, stdout) = self.end_with_stdout();
        assert_eq!(stdout, "", "the tool's stdout is for scripts");
        ended
    }

    /// Waits likewise, for the tool's stdout too.
    pub(crate) fn end_with_stdout(mut self) -> (Ended, String) {
        wait_until("the tool ends", || self.child.try_wait().expect("it can be waited for").is_some());
        wait_until("nobody holds its outputs", || self.outputs.iter().all(JoinHandle::is_finished));
        let code = self.child.wait().expect("it has ended").code();
        let [stdout, stderr] = [0, 1].map(|_| self.outputs.remove(0)).map(|output| output.join().expect("it reads on"));
        (Ended { code, stderr }, stdout)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A failed test leaves nothing behind.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

impl Ended {
    /// Asserts the exit code, and that stderr says all of this.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        for text in says {
            assert!(self.stderr.contains(text), "`{text}` is not in:\n{}", self.stderr);
        }
    }
}

fn collect(mut from: impl Read + Send + 'static) -> JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("a pipe");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Waits for something that another process does.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut it: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !it() {
        assert!(Instant::now() < deadline, "not within a minute: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether a process runs: neither gone nor a zombie.
pub(crate) fn runs(id: &str) -> bool {
    let Ok(stat) = fs::read_to_string(Path::new("/proc").join(id).join("stat")) else { return false };
    stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
}
