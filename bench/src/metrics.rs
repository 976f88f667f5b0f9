//! `cargo kcl-bench metrics`: what metrics cost a processor, in runs that alternate.

use std::ffi::OsString;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::thread;

use crate::Outcome;
use crate::child::{Program, feed};
use crate::page::target;
use crate::peers::{own, own_with_metrics};
use crate::report::{Samples, load, machine, number, runs, table};
use crate::transcript::{Form, Generator, Payload, S};

/// The processors that are measured. Their handlers do nothing, so the share of metrics is as large as it can be.
const PROCESSORS: [&str; 2] = ["records", "record"];

/// The kinds of metrics that are compared with the first one.
const COMPARED: [Metrics; 3] = [Metrics::Without, Metrics::Unasked, Metrics::Sent];

/// The options of `cargo kcl-bench metrics`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write transcripts of this many megabytes
    #[arg(long, value_name = "MB", default_value_t = 350)]
    megabytes: usize,
    /// Run everything this often, in turns
    #[arg(long, value_name = "N", default_value_t = 10)]
    runs: usize,
}

/// Whether a processor has metrics, and what it does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metrics {
    /// The feature is not built in.
    Without,
    /// The feature is built in, and nobody asks for metrics.
    Unasked,
    /// They are collected, and written once, at the end.
    Collected,
    /// They are sent to a socket every second, as under a launcher.
    Sent,
}

impl Metrics {
    fn name(self) -> &'static str {
        match self {
            Self::Without => "without the feature",
            Self::Unasked => "built in, not asked for",
            Self::Collected => "collected",
            Self::Sent => "sent to a socket",
        }
    }

    /// One of the processors of `processors`, with these metrics.
    pub(crate) fn program(self, name: &str) -> Outcome<Program> {
        let with = |variables| own_with_metrics(name).map(|program| Program { variables, ..program });
        match self {
            Self::Without => own(name),
            Self::Unasked => with(Vec::new()),
            Self::Collected => with(vec![("KCL_METRICS", "json".into()), ("KCL_METRICS_PERIOD", "1h".into())]),
            Self::Sent => {
                let mut output = OsString::from("unix:");
                output.push(socket());
                with(vec![("KCL_METRICS", output)])
            }
        }
    }
}

/// The socket that snapshots are sent to.
fn socket() -> PathBuf {
    target().join("metrics")
}

/// Reads the snapshots that are sent to the socket, until the process ends.
fn listen() -> Outcome<()> {
    let path = socket();
    _ = fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    thread::spawn(move || {
        let mut buffer = [0; 64 << 10];
        while socket.recv(&mut buffer).is_ok() {}
    });
    Ok(())
}

/// Runs `cargo kcl-bench metrics`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    listen()?;
    let load_before = load();
    let transcript = Generator::new(1, S, Payload::Random, Form::Daemon).transcript(options.megabytes * 1_000_000);
    let mut rows = Vec::new();
    for name in PROCESSORS {
        let programs = COMPARED.map(|metrics| metrics.program(name));
        let programs = programs.into_iter().collect::<Outcome<Vec<_>>>()?;
        let mut times = [Samples::default(), Samples::default(), Samples::default()];
        let mut ratios = times.clone();
        for run in 0..options.runs {
            eprintln!("measuring: {name}, run {} of {}", run + 1, options.runs);
            let mut nanos = [0.0; COMPARED.len()];
            // The order changes, so that none of them is always first.
            for turn in 0..programs.len() {
                let at = (run + turn) % programs.len();
                nanos[at] = feed(&programs[at], &transcript)?.cpu.as_nanos() as f64 / transcript.tally.records as f64;
            }
            for (at, nanos_of_it) in nanos.into_iter().enumerate() {
                times[at].push(nanos_of_it);
                ratios[at].push((nanos_of_it / nanos[0] - 1.0) * 100.0);
            }
        }
        for (at, metrics) in COMPARED.into_iter().enumerate() {
            let more = ratios[at].median().map(|percent| format!("{percent:+.1} %")).unwrap_or_default();
            rows.push(vec![name.to_owned(), metrics.name().to_owned(), times[at].cell(), more]);
        }
    }
    println!(
        "{}\nEach number is the median of {} in turns over {} MB of S. The last column compares the runs of each turn.\n\n{}",
        machine(&load_before),
        runs(options.runs),
        number(options.megabytes as f64),
        table(&["processor", "metrics", "CPU ns a record", "more"], &rows)
    );
    Ok(())
}
