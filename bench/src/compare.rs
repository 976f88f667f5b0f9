//! `cargo kcl-bench peers`: the same transcripts for every processor, in turns.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;

use crate::Outcome;
use crate::child::{Extent, Program, converse, feed, single_records};
use crate::page;
use crate::peers::{self, Peer};
use crate::picture::{Panel, bars};
use crate::report::{self, Samples, number, runs, table};
use crate::transcript::{Form, Generator, L, M, Payload, S, Shape, X};

/// The shapes that are compared.
const SHAPES: [Shape; 4] = [S, M, L, X];

/// The conversations of each run, because a start takes only milliseconds.
const STARTS: usize = 5;
/// The messages of one record that each conversation exchanges.
const TRIPS: usize = 200;

/// The options of `cargo kcl-bench peers`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write transcripts of this many megabytes
    #[arg(long, value_name = "MB", default_value_t = 350)]
    megabytes: usize,
    /// Run everything this often, in turns
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Make the transcripts from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Measure this processor only; repeat it for more
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(peers::keys()))]
    only: Vec<String>,
    /// A checkout of github.com/goguardian/goguardian-go-kcl
    #[arg(long, value_name = "FOLDER")]
    go: Option<PathBuf>,
    /// Write the tables and the picture into `docs`
    #[arg(long)]
    publish: bool,
}

/// The results of one processor.
struct Row {
    peer: Peer,
    /// CPU nanoseconds a record, for each shape.
    cpu: [Samples; SHAPES.len()],
    /// Peak memory in megabytes, for each shape.
    peak: [Samples; SHAPES.len()],
    /// Milliseconds from the start to the answer to `initialize`.
    start: Samples,
    /// Microseconds from a batch of one record to its status.
    trip: Samples,
}

impl Row {
    fn new(peer: Peer) -> Self {
        Self {
            peer,
            cpu: Default::default(),
            peak: Default::default(),
            start: Samples::default(),
            trip: Samples::default(),
        }
    }

    /// The program, unless it could not be installed or failed before.
    fn program(&self) -> Option<Program> {
        self.peer.program.as_ref().ok().cloned()
    }

    /// The medians of the CPU times.
    fn medians(&self) -> Vec<Option<f64>> {
        self.cpu.iter().map(Samples::median).collect()
    }
}

/// Runs `cargo kcl-bench peers`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let mut rows: Vec<_> = peers::install(&options.only, options.go.as_deref()).into_iter().map(Row::new).collect();
    let load = report::load();
    for (index, shape) in SHAPES.into_iter().enumerate() {
        eprintln!("measuring: {} ({})", shape.name, shape.words());
        let generator = Generator::new(options.seed, shape, Payload::Random, Form::Daemon);
        let transcript = generator.transcript(options.megabytes * 1_000_000);
        for _ in 0..options.runs {
            for row in &mut rows {
                let Some(program) = row.program() else { continue };
                match feed(&program, &transcript) {
                    Ok(cost) => {
                        let records = transcript.tally.records as f64;
                        row.cpu[index].push(cost.cpu.as_nanos() as f64 / records);
                        row.peak[index].push(cost.peak as f64 / 1e6);
                    }
                    Err(error) => row.peer.program = Err(error),
                }
            }
        }
    }
    eprintln!("measuring: start and round trips");
    for _ in 0..options.runs * STARTS {
        for row in &mut rows {
            let Some(program) = row.program().filter(|program| program.extent == Extent::Answers) else { continue };
            match converse(&program, single_records(options.seed), TRIPS) {
                Ok(times) => {
                    row.start.push(times.start.as_secs_f64() * 1e3);
                    let mut trips = Samples::default();
                    times.trips.iter().map(Duration::as_secs_f64).for_each(|trip| trips.push(trip * 1e6));
                    trips.median().into_iter().for_each(|median| row.trip.push(median));
                }
                Err(error) => row.peer.program = Err(error),
            }
        }
    }
    let text = tables(options, &rows, &load);
    println!("{text}");
    page::write(options.publish, "performance.md", "peers", &text, &[("peers.svg", picture(&rows))])
}

fn tables(options: &Options, rows: &[Row], load: &str) -> String {
    let words = SHAPES.map(|shape| format!("{} ({})", shape.name, shape.words()));
    let header = |unit| [&[unit][..], &words.each_ref().map(String::as_str)].concat();
    let line = |row: &Row, cells: Vec<String>| [vec![row.peer.name.to_owned()], cells].concat();
    let measured: Vec<_> = rows.iter().filter(|row| row.peer.program.is_ok()).collect();

    let cpu: Vec<_> = measured.iter().map(|row| line(row, row.cpu.iter().map(Samples::cell).collect())).collect();
    let ours = rows.iter().find(|row| row.peer.key == "records").map(Row::medians);
    let times = |row: &Row| {
        let ours = ours.clone().unwrap_or_else(|| vec![None; SHAPES.len()]);
        let ratio = |(theirs, ours): (Option<f64>, Option<f64>)| Some(number(theirs? / ours?));
        let ratios = row.medians().into_iter().zip(ours).map(ratio);
        line(row, ratios.map(|ratio| ratio.unwrap_or_else(|| "–".to_owned())).collect())
    };
    let times: Vec<_> = measured.iter().map(|row| times(row)).collect();
    let peak: Vec<_> = measured.iter().map(|row| line(row, row.peak.iter().map(Samples::cell).collect())).collect();
    let talking = measured.iter().filter(|row| row.start.median().is_some());
    let talks: Vec<_> = talking.map(|row| line(row, vec![row.start.cell(), row.trip.cell()])).collect();
    let runs_on =
        |row: &Row| format!("- {}: {}", row.peer.name, row.peer.program.as_ref().err().unwrap_or(&row.peer.runs_on));
    let runs_on: Vec<_> = rows.iter().map(runs_on).collect();

    format!(
        "![CPU time a record](images/peers.svg)\n\n{}\nEach number is the median of {} in turns over {} MB from seed {}. The \
         percentage is the distance between the least and the greatest of them.\n\n{}\n{}\n{}\n{}\n{}\n",
        report::machine(load),
        runs(options.runs),
        options.megabytes,
        options.seed,
        table(&header("CPU ns a record"), &cpu),
        table(&header("as much CPU as `#[on_records]`, times"), &times),
        table(&header("peak memory, MB"), &peak),
        table(&["", "start, ms", "round trip of one record of 100 B, µs"], &talks),
        runs_on.join("\n"),
    )
}

/// The CPU times, a panel for each shape.
fn picture(rows: &[Row]) -> String {
    let panel = |(index, shape): (usize, Shape)| {
        let bar = |row: &Row| Some((row.peer.name.replace(['*', '`'], ""), row.cpu[index].median()?));
        Panel { title: format!("{}: {}", shape.name, shape.words()), bars: rows.iter().filter_map(bar).collect() }
    };
    bars("CPU nanoseconds a record", &SHAPES.into_iter().enumerate().map(panel).collect::<Vec<_>>())
}
