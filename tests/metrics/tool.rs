//! The tool with `--metrics`, and requests to it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

/// The longest time to wait; only a failing test waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));
static POISON: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "tests", "--example", "poison"]));

/// The processor whose records choose what it does.
pub(crate) fn poison() -> &'static str {
    POISON.to_str().expect("a path of text")
}

/// A folder for one test, in which all of its runs have their sockets.
pub(crate) struct Place(pub(crate) TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).expect("it can be written");
    }

    /// The tool with these arguments.
    pub(crate) fn tool(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&*TOOL);
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KCL_")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(self.0.path()).stdin(Stdio::null());
        command.env("XDG_RUNTIME_DIR", self.0.path()).env("KCL_TEST_FOLDER", self.0.path()).env("NO_COLOR", "1");
        command
    }

    /// What the tool prints with these arguments, and its exit code.
    pub(crate) fn output(&self, arguments: &[&str]) -> (Option<i32>, String, String) {
        let Output { status, stdout, stderr } = self.tool(arguments).output().expect("the tool starts");
        let [stdout, stderr] = [stdout, stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
        (status.code(), stdout, stderr)
    }
}

/// A running tool.
pub(crate) struct Run {
    child: Child,
    stderr: Arc<Mutex<String>>,
}

impl Run {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the tool starts");
        let stderr = Arc::new(Mutex::new(String::new()));
        let lines = BufReader::new(child.stderr.take().expect("piped"));
        let collected = Arc::clone(&stderr);
        thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                collected.lock().expect("no panic").push_str(&(line + "\n"));
            }
        });
        Self { child, stderr }
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.lock().expect("no panic").clone()
    }

    /// The address that the tool says it serves metrics at.
    #[track_caller]
    pub(crate) fn address(&self) -> String {
        let address = || {
            let stderr = self.stderr();
            let (_, after) = stderr.split_once("metrics: http://")?;
            Some(after.split_once("/metrics\n")?.0.to_owned())
        };
        wait_until(&"the address", || address().is_some().then_some(()).ok_or_else(|| self.stderr()));
        address().expect("it is there")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).expect("it runs");
    }

    /// The exit code, once the tool has ended.
    #[track_caller]
    pub(crate) fn code(mut self) -> Option<i32> {
        let stderr = Arc::clone(&self.stderr);
        wait_until(&"the end", || match self.child.try_wait() {
            Ok(Some(_)) => Ok(()),
            _ => Err(stderr.lock().expect("no panic").clone()),
        });
        self.child.wait().expect("it has ended").code()
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Waits until there is a result that is not an error.
#[track_caller]
pub(crate) fn wait_until<T>(what: &dyn std::fmt::Debug, mut it: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match it() {
            Ok(value) => return value,
            Err(last) => assert!(Instant::now() < deadline, "not within a minute: {what:?}; last: {last}"),
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// Sends these bytes, and returns the whole response.
pub(crate) fn exchange(address: &str, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("a limit");
    stream.write_all(request).expect("it reads");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("it answers");
    response
}

/// The status code and the body of the response to a request for a path.
pub(crate) fn get(address: &str, path: &str) -> (u16, String) {
    let response = exchange(address, format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes());
    let (head, body) = response.split_once("\r\n\r\n").expect("a response");
    (head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a code"), body.to_owned())
}

/// Waits until a request is answered with this code and body.
#[track_caller]
pub(crate) fn wait_for(address: &str, path: &str, code: u16, body: &str) {
    wait_until(&(path, code, body), || {
        let answer = get(address, path);
        if answer.0 == code && answer.1.contains(body) { Ok(()) } else { Err(format!("{answer:?}")) }
    });
}

/// Waits until the state of a run is as it should be.
#[track_caller]
pub(crate) fn wait_for_state(address: &str, is_it: impl Fn(&Value) -> bool) -> Value {
    wait_until(&"the state", || {
        let state: Value = serde_json::from_str(&get(address, "/state").1).map_err(|error| error.to_string())?;
        if is_it(&state) { Ok(state) } else { Err(state.to_string()) }
    })
}

/// The value of the sample of a page whose name and labels contain these texts.
pub(crate) fn sample(page: &str, texts: &[&str]) -> Option<f64> {
    let mut found = page.lines().filter(|line| !line.starts_with('#') && texts.iter().all(|text| line.contains(text)));
    found.next().and_then(|line| line.rsplit_once(' ')?.1.parse().ok())
}

/// Whether a file is a socket that nobody but the user can reach.
pub(crate) fn sockets(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}
