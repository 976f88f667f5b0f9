//! `cargo kcl-bench local`: what a record costs in `cargo kcl local`, compared with the processor that it feeds.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::page::{bench, target, write};
use crate::peers::{output, own};
use crate::report::{Samples, load, machine, runs, table};

/// The clock ticks of a second in `/proc`, on every Linux.
const TICKS: f64 = 100.0;
/// The sizes of records in bytes, with their line feeds, and the numbers of shards.
const CASES: [(usize, u32); 4] = [(100, 1), (100, 8), (1 << 10, 1), (1 << 10, 8)];
/// The builds of the tool: a name, the folder of the result, and the arguments of cargo.
const BUILDS: [(&str, &str, &[&str]); 2] = [
    ("the clone's alias", "debug", &["kcl", "--version"]),
    ("optimised in full", "release", &["build", "--package", "cargo-kcl", "--release", "--no-default-features"]),
];

/// The options of `cargo kcl-bench local`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The size of each input, in megabytes
    #[arg(long, value_name = "N", default_value_t = 200)]
    megabytes: usize,
    /// How often each case runs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..))]
    runs: u16,
    /// Replace the section of `docs/performance.md` by the result
    #[arg(long)]
    publish: bool,
}

/// The measurements of one build in one case.
#[derive(Clone, Default)]
struct Row {
    rate: Samples,
    tool: Samples,
    processor: Samples,
    ratio: Samples,
    memory: Samples,
}

/// Runs `cargo kcl-bench local`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let load_before = load();
    let processor = PathBuf::from(own("records")?.program);
    let tools = BUILDS.map(|(name, folder, arguments)| build(folder, arguments).map(|tool| (name, tool)));
    let tools = tools.into_iter().collect::<Outcome<Vec<_>>>()?;
    let mut rows = vec![Row::default(); tools.len() * CASES.len()];
    for (at, (bytes, shards)) in CASES.into_iter().enumerate() {
        let (input, records) = generate(bytes, options.megabytes * 1_000_000 / bytes)?;
        for _ in 0..options.runs {
            for (index, (name, tool)) in tools.iter().enumerate() {
                eprintln!("measuring: {name}, {bytes} B, {shards} shards");
                let row = &mut rows[index * CASES.len() + at];
                row.add(&measure(tool, &processor, &input, shards)?, records);
            }
        }
        fs::remove_file(&input).map_err(|error| format!("{}: {error}", input.display()))?;
    }
    let names = tools.iter().flat_map(|(name, _)| CASES.map(|(bytes, shards)| format!("{name}, {bytes} B, {shards}")));
    let cells: Vec<_> = names.zip(&rows).map(|(name, row)| row.cells(name)).collect();
    let header = [
        "build, record, shards",
        "million records/s",
        "tool, CPU ns a record",
        "processors, CPU ns a record",
        "ratio",
        "tool, peak MB",
    ];
    let text = format!(
        "{}\nEach number is the median of {} in turns over {} MB, the percentage the distance between the least and the greatest.\n\n{}",
        machine(&load_before),
        runs(options.runs.into()),
        options.megabytes,
        table(&header, &cells)
    );
    write(options.publish, "performance.md", "local", &text, &[])
}

/// Builds the tool, and returns where it is.
fn build(folder: &str, arguments: &[&str]) -> Outcome<PathBuf> {
    // In the clone's own target folder, another build could replace the executable during the measurement.
    let target = target().join("tool");
    let mut cargo = Command::new("cargo");
    output(cargo.args(arguments).env("CARGO_TARGET_DIR", &target).current_dir(bench().join("..")))?;
    Ok(target.join(folder).join("cargo-kcl"))
}

/// Writes lines of this many bytes each, with their line feeds. Returns where they are, and their number.
fn generate(bytes: usize, records: usize) -> Outcome<(PathBuf, usize)> {
    let path = target().join(format!("local-{bytes}.jsonl"));
    let failed = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = BufWriter::new(File::create(&path).map_err(failed)?);
    let fill = "x".repeat(bytes - r#"{"id":000000000000,"text":""}"#.len() - 1);
    for number in 0..records {
        writeln!(file, r#"{{"id":{number:012},"text":"{fill}"}}"#).map_err(failed)?;
    }
    file.flush().map_err(failed)?;
    drop(file);
    Ok((path, records))
}

/// The cost of one run.
struct Cost {
    wall: Duration,
    /// CPU seconds of the tool itself, and of its processors.
    cpu: [f64; 2],
    /// Peak memory of the tool in bytes.
    memory: u64,
}

fn measure(tool: &Path, processor: &Path, input: &Path, shards: u32) -> Outcome<Cost> {
    let mut command = Command::new(tool);
    command.args(["local", "--quiet", "--shards", &shards.to_string(), "--input"]).arg(input).arg("--").arg(processor);
    command.stdin(Stdio::null()).stderr(Stdio::null());
    let started = Instant::now();
    let child = command.spawn().map_err(|error| format!("{}: {error}", tool.display()))?;
    cost(child, started)
}

/// Waits until a process has ended and reads its times, which are there until it is reaped.
fn cost(mut child: Child, started: Instant) -> Outcome<Cost> {
    let proc = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", child.id())).unwrap_or_default();
    let mut memory = 0;
    let (wall, stat) = loop {
        let stat = proc("stat");
        if stat.rsplit_once(") ").is_none_or(|(_, state)| state.starts_with('Z')) {
            break (started.elapsed(), stat);
        }
        let status = proc("status");
        let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        memory = most.and_then(|kibibytes| kibibytes.parse::<u64>().ok()).map_or(memory, |kibibytes| kibibytes << 10);
        thread::sleep(Duration::from_millis(5));
    };
    let status = child.wait().map_err(|error| error.to_string())?;
    let ticks = |stat: &str| -> Option<[f64; 4]> {
        let fields = stat.rsplit_once(") ")?.1.split(' ').skip(11).take(4);
        fields.map(|ticks| ticks.parse().ok()).collect::<Option<Vec<_>>>()?.try_into().ok()
    };
    match ticks(&stat) {
        Some([user, system, user_below, system_below]) if status.success() => {
            Ok(Cost { wall, cpu: [(user + system) / TICKS, (user_below + system_below) / TICKS], memory })
        }
        _ => Err(format!("the tool failed: {status}")),
    }
}

impl Row {
    fn add(&mut self, cost: &Cost, records: usize) {
        let records = records as f64;
        let [tool, processor] = cost.cpu;
        self.rate.push(records / cost.wall.as_secs_f64() / 1e6);
        self.tool.push(tool * 1e9 / records);
        self.processor.push(processor * 1e9 / records);
        self.ratio.push(tool / processor);
        self.memory.push(cost.memory as f64 / 1e6);
    }

    fn cells(&self, name: String) -> Vec<String> {
        let cells = [&self.rate, &self.tool, &self.processor, &self.ratio, &self.memory].map(Samples::cell);
        [name].into_iter().chain(cells).collect()
    }
}
