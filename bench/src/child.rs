//! How a processor is run and measured.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};
use std::{fs, io};

use wait4::Wait4;

use crate::Outcome;
use crate::transcript::{Form, Generator, LEASE_LOST, Payload, T, Tally, Transcript, initialize};

/// A program that can be started again and again.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) variables: Vec<(&'static str, OsString)>,
    pub(crate) extent: Extent,
}

/// How much a program does. The first two are not processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// It reads.
    Reads,
    /// It also decodes the data, and counts the records.
    Decodes,
    /// It also answers.
    Answers,
}

impl Program {
    pub(crate) fn new(program: impl Into<OsString>) -> Self {
        Self { program: program.into(), arguments: Vec::new(), variables: Vec::new(), extent: Extent::Answers }
    }

    fn start(&self) -> Outcome<Child> {
        Command::new(&self.program)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))
    }
}

/// The cost of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cost {
    /// CPU time of the processor, in user and kernel mode.
    pub(crate) cpu: Duration,
    /// Peak memory in bytes, read before the last message.
    pub(crate) peak: u64,
}

/// Writes a transcript to a processor through a pipe, and returns what the processor used.
pub(crate) fn feed(program: &Program, transcript: &Transcript) -> Outcome<Cost> {
    let mut child = program.start()?;
    let replies = drain(child.stdout.take().expect("piped"));
    let errors = drain(child.stderr.take().expect("piped"));
    let mut input = child.stdin.take().expect("piped");
    let written = input.write_all(&transcript.lines);
    let peak = peak(child.id());
    let written = written.and_then(|()| input.write_all(LEASE_LOST));
    drop(input);
    let used = child.wait4().map_err(|error| error.to_string())?.rusage;
    let (_, errors) = (join(replies), join(errors));
    if let Err(error) = written {
        return Err(format!("it stopped reading ({error}): {}", errors.trim()));
    }
    if program.extent != Extent::Reads && tally(&errors) != Some(transcript.tally) {
        return Err(format!("it reports {:?} instead of {:?}: {}", tally(&errors), transcript.tally, errors.trim()));
    }
    Ok(Cost { cpu: used.utime + used.stime, peak })
}

/// The time from the start of a processor until `initialize` is acknowledged, and the times of batches of one record.
#[derive(Clone, Debug)]
pub(crate) struct Times {
    pub(crate) start: Duration,
    pub(crate) trips: Vec<Duration>,
}

/// Talks to a processor as the daemon does: no message is sent before the status of the last one.
pub(crate) fn converse(program: &Program, mut batches: Generator, count: usize) -> Outcome<Times> {
    let started = Instant::now();
    let mut child = program.start()?;
    let errors = drain(child.stderr.take().expect("piped"));
    let mut input = child.stdin.take().expect("piped");
    let mut replies = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut exchange = |message: &[u8]| -> io::Result<()> {
        let mut lines = message.split_inclusive(|&byte| byte == b'\n');
        input.write_all(lines.next().unwrap_or_default())?;
        for reply in &mut replies {
            let reply = reply?;
            if reply.contains("\"checkpoint\"") {
                input.write_all(lines.next().unwrap_or_default())?;
            } else if reply.contains("\"status\"") {
                return Ok(());
            }
        }
        Err(io::ErrorKind::UnexpectedEof.into())
    };
    let mut talk = || -> io::Result<Times> {
        exchange(&initialize())?;
        let start = started.elapsed();
        let mut trips = Vec::new();
        for _ in 0..count {
            let mut lines = Vec::new();
            batches.batch(&mut lines);
            let sent = Instant::now();
            exchange(&lines)?;
            trips.push(sent.elapsed());
        }
        exchange(LEASE_LOST)?;
        Ok(Times { start, trips })
    };
    let times = talk();
    drop(input);
    child.wait().map_err(|error| error.to_string())?;
    times.map_err(|error| format!("it stopped answering ({error}): {}", join(errors).trim()))
}

/// The batches of one record that [`converse`] sends.
pub(crate) fn single_records(seed: u64) -> Generator {
    Generator::new(seed, T, Payload::Random, Form::Daemon)
}

/// Reads an output to its end, in a thread of its own.
fn drain(mut output: impl Read + Send + 'static) -> JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A reader that fails leaves what it has read.
        _ = output.read_to_end(&mut bytes);
        bytes
    })
}

fn join(thread: JoinHandle<Vec<u8>>) -> String {
    String::from_utf8_lossy(&thread.join().unwrap_or_default()).into_owned()
}

fn tally(errors: &str) -> Option<Tally> {
    let line = errors.lines().find_map(|line| line.strip_prefix("tally "))?;
    let mut numbers = line.split(' ').map(str::parse);
    let mut next = || numbers.next()?.ok();
    Some(Tally { records: next()?, bytes: next()?, sum: next()? })
}

/// The peak memory of a running process in bytes; 0 if the system does not say it.
fn peak(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    most.and_then(|kibibytes| kibibytes.parse::<u64>().ok()).unwrap_or(0) << 10
}
