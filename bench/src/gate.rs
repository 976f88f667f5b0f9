//! `cargo kcl-bench gate`: instructions and allocations of the runtime, which do not depend on the machine's speed.
//!
//! A processor runs twice under valgrind, with fewer and with more batches. The difference is the cost of the batches alone. The input
//! is a file, because a pipe is read in pieces whose sizes depend on time.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::child::Program;
use crate::metrics::Metrics;
use crate::page::{bench, target};
use crate::peers::{output, own};
use crate::transcript::{Form, Generator, L, LEASE_LOST, M, Payload, S, Shape, T, X};

/// The change of the instructions, in percent, above which a case is named.
const TOLERANCE: f64 = 2.0;
/// The most instructions, in percent of those without metrics, that metrics may add.
const METRICS: f64 = 1.0;

/// The options of `cargo kcl-bench gate`.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// Write `bench/gate.txt` instead of comparing with it
    #[arg(long, conflicts_with = "only")]
    update: bool,
    /// Measure only the cases whose names start with this text
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    only: String,
}

/// A processor and its input.
struct Case {
    name: &'static str,
    processor: &'static str,
    shape: Shape,
    payload: Payload,
    form: Form,
    metrics: Metrics,
    /// The batches of the shorter run, after which the buffers have their final sizes, and of the longer one.
    batches: [usize; 2],
}

const PLAIN: Case = Case {
    name: "",
    processor: "records",
    shape: S,
    payload: Payload::Random,
    form: Form::Daemon,
    metrics: Metrics::Without,
    batches: [24, 48],
};

/// The cases with metrics, and the same ones without.
const WITH_METRICS: [[&str; 2]; 3] = [
    ["on_records, S, metrics built in", "on_records, S"],
    ["on_record, S, metrics built in", "on_record, S"],
    ["on_record, S, metrics collected", "on_record, S"],
];

const CASES: [Case; 13] = [
    Case { name: "on_records, S", ..PLAIN },
    Case { name: "on_records, M", shape: M, ..PLAIN },
    Case { name: "on_records, L", shape: L, ..PLAIN },
    Case { name: "on_records, X", shape: X, batches: [18, 22], ..PLAIN },
    // The cost of a batch beside its records.
    Case { name: "on_records, T", shape: T, batches: [200, 400], ..PLAIN },
    Case { name: "on_record, S", processor: "record", ..PLAIN },
    Case { name: "on_records with bytes(), S", processor: "bytes", ..PLAIN },
    Case {
        name: "on_record with Json, 150 B",
        processor: "json",
        shape: Shape { name: "J", records: 1000, bytes: 150 },
        payload: Payload::Json,
        ..PLAIN
    },
    Case { name: "on_records, S with a space", form: Form::Spaced, ..PLAIN },
    Case { name: "on_records, M with a space", shape: M, form: Form::Spaced, ..PLAIN },
    Case { name: WITH_METRICS[0][0], metrics: Metrics::Unasked, ..PLAIN },
    Case { name: WITH_METRICS[1][0], processor: "record", metrics: Metrics::Unasked, ..PLAIN },
    // They are not sent: there is one snapshot a second, and under valgrind a record takes a hundred times as long.
    Case { name: WITH_METRICS[2][0], processor: "record", metrics: Metrics::Collected, ..PLAIN },
];

/// The cost of a case.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Cost {
    /// Instructions a record.
    instructions: f64,
    /// Allocations a batch.
    allocations: f64,
}

/// The costs of all cases, and the compiler and features that they belong to.
#[derive(Debug, PartialEq)]
struct Costs {
    made_with: String,
    cases: Vec<(String, Cost)>,
}

/// Runs `cargo kcl-bench gate`.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let path = bench().join("gate.txt");
    let now = measure(&options.only)?;
    let text = now.write();
    let dear = now.metrics_above_the_limit();
    if options.update {
        if !dear.is_empty() {
            return Err(format!("metrics cost too much:\n{}", dear.join("\n")));
        }
        return fs::write(&path, text).map_err(|error| format!("{}: {error}", path.display()));
    }
    print!("{text}");
    let old = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut old =
        Costs::read(&old).ok_or_else(|| format!("{} cannot be read; write it with --update", path.display()))?;
    if old.made_with != now.made_with {
        eprintln!(
            "warning: the recorded costs were made with {}, so some differences may not come from this project",
            old.made_with
        );
    }
    old.cases.retain(|(name, _)| is_selected(name, &options.only));
    let mut changes = old.changes(&now);
    changes.extend(dear);
    if changes.is_empty() {
        eprintln!("no change above {TOLERANCE} %");
        return Ok(());
    }
    Err(format!("these costs changed:\n{}\nif that is intended, write them with --update", changes.join("\n")))
}

/// Whether a case is measured: its name starts with this text, or that of a case whose metrics are compared with it does.
fn is_selected(name: &str, only: &str) -> bool {
    name.starts_with(only) || WITH_METRICS.iter().any(|&[with, without]| with.starts_with(only) && name == without)
}

fn measure(only: &str) -> Outcome<Costs> {
    let engine = output(Command::new("valgrind").args(["--quiet", "--tool=none"]).arg(own("engine")?.program))?;
    let made_with = format!("{}; {}; {engine}", output(Command::new("rustc").arg("--version"))?, {
        output(Command::new("valgrind").arg("--version"))?
    });
    let mut cases = Vec::new();
    for case in CASES.iter().filter(|case| is_selected(case.name, only)) {
        eprintln!("measuring: {}", case.name);
        let program = case.metrics.program(case.processor)?;
        let [fewer, more] = case.batches.map(|batches| case.input(batches));
        let [fewer, more] = [fewer?, more?];
        let difference = |tool, label| -> Outcome<f64> {
            Ok(valgrind(&program, &more, tool, label)? as f64 - valgrind(&program, &fewer, tool, label)? as f64)
        };
        let batches = (case.batches[1] - case.batches[0]) as f64;
        let callgrind: &[&str] = &["--tool=callgrind", "--callgrind-out-file=/dev/null"];
        let memcheck: &[&str] = &["--tool=memcheck", "--leak-check=no", "--undef-value-errors=no"];
        let instructions = difference(callgrind, "Collected : ")? / batches / case.shape.records as f64;
        let allocations = difference(memcheck, "total heap usage: ")? / batches;
        cases.push((case.name.to_owned(), Cost { instructions, allocations }));
        [fewer, more].iter().try_for_each(fs::remove_file).map_err(|error| error.to_string())?;
    }
    Ok(Costs { made_with, cases })
}

impl Case {
    /// Writes the transcript of this many batches to a file.
    fn input(&self, batches: usize) -> Outcome<PathBuf> {
        let transcript = Generator::new(1, self.shape, self.payload, self.form).batches(batches);
        let path = target().join(format!("gate-{batches}.jsonl"));
        let lines = [&transcript.lines, LEASE_LOST].concat();
        fs::write(&path, lines).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(path)
    }
}

/// Runs a processor under a tool of valgrind, and returns the number after a label in valgrind's report.
fn valgrind(program: &Program, input: &Path, tool: &[&str], label: &str) -> Outcome<u64> {
    let input = File::open(input).map_err(|error| format!("{}: {error}", input.display()))?;
    let mut command = Command::new("valgrind");
    command.args(tool).arg(&program.program).stdin(input).stdout(Stdio::null());
    command.envs(program.variables.iter().map(|(name, value)| (name, value)));
    let output = command
        .output()
        .map_err(|error| format!("valgrind: {error}; install it, for example as the package `valgrind`"))?;
    let report = String::from_utf8_lossy(&output.stderr);
    let number = report.lines().find_map(|line| {
        let (_, after) = line.split_once(label)?;
        after.split(' ').next()?.replace(',', "").parse().ok()
    });
    number.filter(|_| output.status.success()).ok_or_else(|| format!("valgrind reports no `{label}`:\n{report}"))
}

impl Costs {
    fn get(&self, name: &str) -> Option<Cost> {
        self.cases.iter().find(|(case, _)| case == name).map(|(_, cost)| *cost)
    }

    fn write(&self) -> String {
        let mut text =
            "# The cost of this project's hot path. `cargo kcl-bench gate` compares it, and with `--update` writes it.\n"
                .to_owned();
        text += &format!("# {}\n# case | instructions a record | allocations a batch\n", self.made_with);
        for (name, Cost { instructions, allocations }) in &self.cases {
            text += &format!("{name} | {instructions:.1} | {allocations:.2}\n");
        }
        text
    }

    fn read(text: &str) -> Option<Self> {
        let made_with = text.lines().nth(1)?.strip_prefix("# ")?.to_owned();
        let case = |line: &str| {
            let mut fields = line.split(" | ");
            let name = fields.next()?.to_owned();
            let mut next = || fields.next()?.parse().ok();
            Some((name, Cost { instructions: next()?, allocations: next()? }))
        };
        let cases = text.lines().filter(|line| !line.starts_with('#')).map(case).collect::<Option<_>>()?;
        Some(Self { made_with, cases })
    }

    /// The cases in which metrics cost more than they may, a line each.
    fn metrics_above_the_limit(&self) -> Vec<String> {
        let percent = |[with, without]: [&str; 2]| {
            let percent = (self.get(with)?.instructions / self.get(without)?.instructions - 1.0) * 100.0;
            (percent > METRICS).then(|| format!("  {with}: {percent:+.1} % of `{without}`; the limit is {METRICS} %"))
        };
        WITH_METRICS.into_iter().filter_map(percent).collect()
    }

    /// The changes from these costs to others, a line each.
    fn changes(&self, now: &Self) -> Vec<String> {
        let mut changes = Vec::new();
        for (name, new) in &now.cases {
            let Some(old) = self.get(name) else {
                changes.push(format!("  {name}: not recorded yet"));
                continue;
            };
            let percent = (new.instructions / old.instructions - 1.0) * 100.0;
            if percent.abs() > TOLERANCE {
                let (old, new) = (old.instructions, new.instructions);
                changes.push(format!("  {name}: {old:.1} -> {new:.1} instructions a record ({percent:+.1} %)"));
            }
            // A batch either allocates or does not.
            if (new.allocations - old.allocations).abs() >= 0.05 {
                changes.push(format!("  {name}: {:.2} -> {:.2} allocations a batch", old.allocations, new.allocations));
            }
        }
        let gone = self.cases.iter().filter(|(name, _)| now.get(name).is_none());
        changes.extend(gone.map(|(name, _)| format!("  {name}: not measured any more")));
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn costs(cases: &[(&str, f64, f64)]) -> Costs {
        let case =
            |&(name, instructions, allocations): &(&str, _, _)| (name.to_owned(), Cost { instructions, allocations });
        Costs { made_with: "rustc 1".to_owned(), cases: cases.iter().map(case).collect() }
    }

    #[test]
    fn what_is_written_is_read() {
        let costs = costs(&[("on_records, S", 480.5, 0.0), ("on_record, S", 500.25, 1.5)]);
        let read = Costs::read(&costs.write()).unwrap();
        assert_eq!(read.made_with, "rustc 1");
        assert!(costs.changes(&read).is_empty());
        assert_eq!(Costs::read("nonsense"), None);
    }

    #[test]
    fn metrics_have_a_limit() {
        let [[with, without], ..] = WITH_METRICS;
        assert!(costs(&[(without, 100.0, 0.0), (with, 100.9, 0.0)]).metrics_above_the_limit().is_empty());
        let expected = [format!("  {with}: +1.1 % of `{without}`; the limit is 1 %")];
        assert_eq!(costs(&[(without, 100.0, 0.0), (with, 101.1, 0.0)]).metrics_above_the_limit(), expected);
    }

    #[test]
    fn every_change_is_named() {
        let old = costs(&[("same", 100.0, 0.0), ("heavier", 100.0, 0.0), ("lighter", 100.0, 1.0), ("gone", 1.0, 0.0)]);
        let now = costs(&[("same", 101.9, 0.04), ("heavier", 102.1, 0.0), ("lighter", 90.0, 2.0), ("new", 1.0, 0.0)]);
        let expected = [
            "  heavier: 100.0 -> 102.1 instructions a record (+2.1 %)",
            "  lighter: 100.0 -> 90.0 instructions a record (-10.0 %)",
            "  lighter: 1.00 -> 2.00 allocations a batch",
            "  new: not recorded yet",
            "  gone: not measured any more",
        ];
        assert_eq!(old.changes(&now), expected);
    }
}
