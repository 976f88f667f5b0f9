//! The JVMs that act as the daemon.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use crate::report::Report;
use crate::scenario::Scenario;

/// How a scenario ended.
pub(crate) enum Outcome {
    /// The scenario was played to its end.
    Played(Report),
    /// The JVM ended first.
    DaemonGone(ExitStatus),
}

/// One JVM for each default charset, shared by all scenarios that can share it.
///
/// Sharing is sound because a scenario has its own child, lease row, executor and threads, and the JVM starts children
/// with only the descriptors of their three pipes. Sharing saves a second per scenario. A scenario in which the daemon
/// dies or ends itself gets its own JVM.
pub(crate) struct Daemons {
    class_path: String,
    processors: BTreeMap<String, PathBuf>,
    scratch: PathBuf,
    shared: Mutex<HashMap<String, Arc<Jvm>>>,
}

impl Daemons {
    pub(crate) fn new(class_path: String, processors: BTreeMap<String, PathBuf>, scratch: PathBuf) -> Self {
        Daemons { class_path, processors, scratch, shared: Mutex::default() }
    }

    /// Plays a scenario. The traffic and the logs are written below `folder`.
    pub(crate) fn run(&self, scenario: &Scenario, folder: &Path) -> Result<Outcome, String> {
        let command = self
            .processors
            .get(&scenario.processor)
            .ok_or_else(|| format!("there is no processor `{}`", scenario.processor))?;
        let request = scenario.request(command, folder).to_string();
        if scenario.daemon_exit.is_some() {
            let own = Jvm::start(&self.class_path, &scenario.charset, &folder.join("jvm.log"))?;
            let outcome = own.play(&scenario.name, &request)?;
            own.end()?;
            return Ok(outcome);
        }
        let shared = {
            let mut shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
            match shared.get(&scenario.charset) {
                Some(jvm) => Arc::clone(jvm),
                None => {
                    let log = self.scratch.join(format!("jvm-{}.log", scenario.charset));
                    let jvm = Arc::new(Jvm::start(&self.class_path, &scenario.charset, &log)?);
                    shared.insert(scenario.charset.clone(), Arc::clone(&jvm));
                    jvm
                }
            }
        };
        shared.play(&scenario.name, &request)
    }
}

/// A JVM that runs any number of scenarios at a time. It ends when its standard input does, so it cannot outlive this process.
struct Jvm {
    process: Mutex<Child>,
    requests: Mutex<Option<ChildStdin>>,
    waiting: Arc<Mutex<Waiting>>,
}

/// The senders of the awaited reports, by scenario; `None` once the JVM has ended.
type Waiting = Option<HashMap<String, Sender<Report>>>;

impl Jvm {
    fn start(class_path: &str, charset: &str, log: &Path) -> Result<Self, String> {
        let failed = |error: std::io::Error| format!("java: {error}");
        let mut process = Command::new("java")
            .arg(format!("-Dfile.encoding={charset}"))
            // The JVM is short-lived, so a second spent on the best code does not pay off.
            .args(["-Xmx2g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", class_path])
            .arg("kcl.conformance.Main")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let requests = process.stdin.take();
        let reports = process.stdout.take().ok_or("java has no standard output")?;
        let waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        let readers = Arc::clone(&waiting);
        std::thread::spawn(move || {
            for line in BufReader::new(reports).lines().map_while(Result::ok) {
                hand_out(&line, &readers);
            }
            // Dropping the senders wakes the waiting scenarios.
            readers.lock().unwrap_or_else(PoisonError::into_inner).take();
        });
        Ok(Jvm { process: Mutex::new(process), requests: Mutex::new(requests), waiting })
    }

    fn play(&self, name: &str, request: &str) -> Result<Outcome, String> {
        let (sender, receiver) = channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let waiting = waiting.as_mut().ok_or("the JVM of the scenarios ended")?;
            waiting.insert(name.to_owned(), sender);
        }
        {
            let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
            let requests = requests.as_mut().ok_or("the JVM takes no more scenarios")?;
            writeln!(requests, "{request}").map_err(|error| format!("java: {error}"))?;
        }
        match receiver.recv() {
            Ok(report) => Ok(Outcome::Played(report)),
            Err(_) => self.wait().map(Outcome::DaemonGone),
        }
    }

    fn wait(&self) -> Result<ExitStatus, String> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        process.wait().map_err(|error| format!("java: {error}"))
    }

    fn end(&self) -> Result<(), String> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.wait().map(drop)
    }
}

fn hand_out(line: &str, waiting: &Mutex<Waiting>) {
    let report: Report = match serde_json::from_str(line) {
        Ok(report) => report,
        Err(error) => return eprintln!("the driver printed a line that is not a report: {error}: {line}"),
    };
    let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = waiting.as_mut().and_then(|waiting| waiting.remove(&report.name)) {
        // Sending fails if the scenario has given up waiting.
        let _ = sender.send(report);
    }
}
