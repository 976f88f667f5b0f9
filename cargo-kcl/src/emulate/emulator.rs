//! The process of one emulator.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use super::api::{Endpoint, Service};
use crate::cache::{DynamoDb, Kinesis};
use crate::process::exec::Death;
use crate::process::spawn::{Process, bound};
use crate::report::{self, LastLines, Prefix, Source, Speaker};
use crate::threads;

/// The time to wait for an emulator, which is long enough for a slow and busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(20);
/// The number of an emulator's last lines that are shown if it fails.
const LAST_LINES: usize = 10;

/// An emulator that does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmulatorError {
    #[error("{name} cannot be started: {error}")]
    Start { name: &'static str, error: io::Error },
    #[error("{name} ended unexpectedly ({status}){output}")]
    Ended { name: &'static str, status: ExitStatus, output: &'static str },
    #[error("{name} does not answer at {url} after {}{output}", report::duration(PATIENCE))]
    Silent { name: &'static str, url: String, output: &'static str },
    #[error("there is no free port on 127.0.0.1: {0}")]
    Port(io::Error),
}

/// A started emulator. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Emulator {
    name: &'static str,
    endpoint: Endpoint,
    process: Process,
    last_lines: Arc<Mutex<LastLines>>,
    /// Whether all of its output is shown already.
    verbose: bool,
}

fn speaker(name: &'static str) -> Speaker {
    Speaker::new(Source::Emulator, Prefix::Name(name))
}

/// Starts the local Kinesis.
pub(crate) fn kinesis(installed: &Kinesis, verbose: bool) -> Result<Emulator, EmulatorError> {
    let [plain, tls] = free_ports()?;
    let command = ["--require".into(), installed.loopback.clone().into(), installed.main.clone().into()];
    let environment = [
        ("KINESIS_MOCK_CERT_PATH", installed.certificate.clone().into_os_string()),
        ("KINESIS_MOCK_PLAIN_PORT", plain.to_string().into()),
        ("KINESIS_MOCK_TLS_PORT", tls.to_string().into()),
        ("SHARD_LIMIT", "1000".into()),
        // The defaults are half a second each, which only slows tests down.
        ("CREATE_STREAM_DURATION", "20ms".into()),
        ("DELETE_STREAM_DURATION", "20ms".into()),
        ("SPLIT_SHARD_DURATION", "20ms".into()),
        ("MERGE_SHARDS_DURATION", "20ms".into()),
        ("UPDATE_SHARD_COUNT_DURATION", "20ms".into()),
        ("LOG_LEVEL", if verbose { "INFO".into() } else { "WARN".into() }),
    ];
    let command = [installed.node.clone().into_os_string()].into_iter().chain(command).collect();
    Emulator::start("kinesis-local", Service::Kinesis, plain, command, &environment, verbose)
}

/// Starts the local DynamoDB.
pub(crate) fn dynamodb(installed: &DynamoDb, verbose: bool) -> Result<Emulator, EmulatorError> {
    let [port, _] = free_ports()?;
    let mut natives = OsString::from("-Djava.library.path=");
    natives.push(&installed.jars);
    let mut class_path = installed.classes.clone().into_os_string();
    class_path.push(":");
    class_path.push(installed.jars.join("*"));
    let command = vec![
        installed.java.path.clone().into(),
        "-Xmx512m".into(),
        "-XX:TieredStopAtLevel=1".into(),
        natives,
        "-classpath".into(),
        class_path,
        "Loopback".into(),
        "-inMemory".into(),
        "-sharedDb".into(),
        "-disableTelemetry".into(),
        "-port".into(),
        port.to_string().into(),
    ];
    Emulator::start("DynamoDB Local", Service::DynamoDb, port, command, &[], verbose)
}

/// Finds two ports that were free a moment ago.
fn free_ports() -> Result<[u16; 2], EmulatorError> {
    let port = || {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.local_addr().map(|address| (listener, address.port()))
    };
    // Both are held until both are known, so that they differ.
    let first = port().map_err(EmulatorError::Port)?;
    let second = port().map_err(EmulatorError::Port)?;
    Ok([first.1, second.1])
}

impl Emulator {
    fn start(
        name: &'static str,
        service: Service,
        port: u16,
        command: Vec<OsString>,
        environment: &[(&str, OsString)],
        verbose: bool,
    ) -> Result<Self, EmulatorError> {
        let failed = |error| EmulatorError::Start { name, error };
        let mut child = bound(&command, Death::Kill)
            .map_err(failed)?
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let last_lines = Arc::new(Mutex::new(LastLines::new(LAST_LINES)));
        let outputs: [Option<Box<dyn Read + Send>>; 2] =
            [child.stdout.take().map(|out| Box::new(out) as _), child.stderr.take().map(|err| Box::new(err) as _)];
        let process = Process::new(child);
        for output in outputs.into_iter().flatten() {
            let last_lines = Arc::clone(&last_lines);
            let read = threads::spawn(move || read_lines(output, name, verbose, &last_lines));
            read.inspect_err(|_| process.kill()).map_err(failed)?;
        }
        let endpoint = Endpoint::new(service, format!("http://127.0.0.1:{port}"));
        Ok(Self { name, endpoint, process, last_lines, verbose })
    }

    pub(crate) fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Waits until the emulator answers.
    pub(crate) fn wait_until_ready(&mut self) -> Result<(), EmulatorError> {
        let deadline = Instant::now() + PATIENCE;
        let list = match self.name {
            "kinesis-local" => "ListStreams",
            _ => "ListTables",
        };
        while self.endpoint.call(list, &json!({})).is_err() {
            self.check()?;
            if Instant::now() >= deadline {
                return Err(EmulatorError::Silent {
                    name: self.name,
                    url: self.endpoint.url().to_owned(),
                    output: self.last_output(),
                });
            }
            thread::sleep(POLL);
        }
        Ok(())
    }

    /// Fails if the emulator has ended.
    pub(crate) fn check(&mut self) -> Result<(), EmulatorError> {
        match self.process.try_wait() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => Err(EmulatorError::Ended { name: self.name, status, output: self.last_output() }),
            Err(error) => Err(EmulatorError::Start { name: self.name, error }),
        }
    }

    /// Shows the last output, and returns the words that refer to it.
    fn last_output(&self) -> &'static str {
        let lines = self.last_lines.lock().unwrap_or_else(PoisonError::into_inner).lines();
        if !self.verbose {
            lines.iter().for_each(|line| report::pass_on(speaker(self.name), line));
        }
        if lines.is_empty() { "" } else { "; its last output stands above" }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        self.process.kill();
        _ = self.process.wait_for(Duration::from_secs(1));
    }
}

/// Reads the output, keeps its last lines, and shows all of it if `verbose`.
fn read_lines(output: impl Read, name: &'static str, verbose: bool, last_lines: &Mutex<LastLines>) {
    for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
        if verbose {
            report::pass_on(speaker(name), String::from_utf8_lossy(&line).trim_end());
        }
        last_lines.lock().unwrap_or_else(PoisonError::into_inner).add(&line);
    }
}
