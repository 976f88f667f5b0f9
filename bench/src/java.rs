//! `cargo kcl-bench java`: the same batches, written with the daemon's own classes.

use std::path::PathBuf;
use std::process::Command;

use crate::Outcome;
use crate::child::Program;
use crate::page::{self, bench, target};
use crate::peers::{self, output, own};
use crate::report::{self, Samples, runs, table};
use crate::transcript::{M, S, Shape};

const SHAPES: [Shape; 2] = [S, M];

/// The options of `cargo kcl-bench java`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write this many megabytes in each run, after a third of that to warm up
    #[arg(long, value_name = "MB", default_value_t = 1000)]
    megabytes: u64,
    /// Run everything this often, in turns
    #[arg(long, value_name = "N", default_value_t = 3)]
    runs: usize,
    /// Make the records from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Write the table into `docs`
    #[arg(long)]
    publish: bool,
}

/// The results of one processor.
struct Row {
    name: &'static str,
    program: Program,
    cells: [Cells; SHAPES.len()],
}

/// The results for one shape.
#[derive(Default)]
struct Cells {
    /// Megabytes that the daemon's side writes in a second.
    rate: Samples,
    /// CPU nanoseconds of the JVM, a record.
    jvm: Samples,
    /// CPU nanoseconds of the processor, a record.
    processor: Samples,
}

/// Runs `cargo kcl-bench java`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let classes = package()?;
    let mut rows =
        vec![Row { name: "answers without reading records", program: own("no_op")?, cells: Default::default() }];
    for peer in peers::install(&["records", "crates-io"].map(str::to_owned), None) {
        rows.push(Row { name: peer.name, program: peer.program?, cells: Default::default() });
    }
    let load = report::load();
    for (index, shape) in SHAPES.into_iter().enumerate() {
        eprintln!("measuring: {} ({})", shape.name, shape.words());
        for _ in 0..options.runs {
            for row in &mut rows {
                let [records, bytes, elapsed, jvm, processor] = write(options, &classes, shape, &row.program)?;
                row.cells[index].rate.push(bytes / elapsed * 1e3);
                row.cells[index].jvm.push(jvm / records);
                row.cells[index].processor.push(processor / records);
            }
        }
    }
    let text = text(options, &rows, &load)?;
    println!("{text}");
    page::write(options.publish, "performance.md", "java", &text, &[])
}

/// One run. Returns records, bytes, nanoseconds, and the CPU nanoseconds of the JVM and of the processor.
fn write(options: &Options, classes: &str, shape: Shape, program: &Program) -> Outcome<[f64; 5]> {
    let numbers = [options.seed, shape.records as u64, shape.bytes as u64, options.megabytes * 1_000_000];
    let mut java = Command::new("java");
    java.args(["-Xmx1g", "-cp", classes, "software.amazon.kinesis.multilang.Writer"]);
    java.args(numbers.map(|number| number.to_string())).arg(&program.program).args(&program.arguments);
    let printed = output(&mut java)?;
    let last = printed.lines().last().unwrap_or_default();
    let numbers: Vec<f64> = last.split(' ').flat_map(str::parse).collect();
    numbers.try_into().map_err(|_| format!("the writer printed {last:?} instead of five numbers"))
}

/// Has Maven compile the writer and fetch the daemon's jars. Returns the class path.
fn package() -> Outcome<String> {
    let folder: PathBuf = target().join("java");
    let mut maven = Command::new("mvn");
    maven.args(["--quiet", "--batch-mode", "package", "--file"]).arg(bench().join("java/pom.xml"));
    output(maven.arg(format!("-Dwriter.target={}", folder.display())))?;
    Ok(format!("{0}/writer.jar:{0}/lib/*", folder.display()))
}

fn text(options: &Options, rows: &[Row], load: &str) -> Outcome<String> {
    let mut lines = Vec::new();
    for row in rows {
        let cells = row.cells.iter().flat_map(|cells| [cells.rate.cell(), cells.jvm.cell(), cells.processor.cell()]);
        lines.push([vec![row.name.to_owned()], cells.collect()].concat());
    }
    let columns = ["MB/s", "JVM, ns a record", "processor, ns a record"];
    let header: Vec<_> =
        SHAPES.iter().flat_map(|shape| columns.map(|column| format!("{}: {column}", shape.name))).collect();
    let header = [&["after a writer in Java"][..], &header.iter().map(String::as_str).collect::<Vec<_>>()].concat();
    // The version is on stderr.
    let java = output(Command::new("java").arg("--version"))?;
    Ok(format!(
        "{}\n{}. Each number is the median of {} in turns over {} MB, after a third of that to warm up.\n\n{}",
        report::machine(load),
        java.lines().next().unwrap_or_default(),
        runs(options.runs),
        options.megabytes,
        table(&header, &lines),
    ))
}
