//! The page of metrics under load, read by Prometheus's own parser.
//!
//! pip installs the parser once, into the target folder. The test is ignored if Python is missing, unless `CI` is set.

#[expect(dead_code, reason = "the other tests of metrics use the rest")]
#[path = "tool.rs"]
mod tool;

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::Signal;
use serde_json::Value;
use tests::emulators;

use crate::tool::{Place, Run, get, poison, wait_until};

const PROGRAMS: [&str; 2] = ["python3", "pip3"];
const PARSER: &str = "prometheus_client==0.23.1";
const SHARDS: u64 = 64;
const RECORDS: u64 = 30_000;

fn missing() -> Option<&'static str> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = |program: &str| std::env::split_paths(&path).any(|folder| folder.join(program).is_file());
    PROGRAMS.into_iter().find(|program| !found(program))
}

/// The folder of the parser, which is installed unless it is there.
fn parser() -> Result<PathBuf, Failed> {
    let cache = emulators::cache().join("libraries");
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("prometheus.lock"))?;
    lock.lock()?;
    let folder = cache.join("prometheus");
    if !folder.join("prometheus_client").is_dir() {
        let mut pip = Command::new("pip3");
        pip.args(["install", "--quiet", "--no-deps", "--target"]).arg(&folder).arg(PARSER);
        let output = pip.output()?;
        if !output.status.success() {
            return Err(format!("{pip:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
        }
    }
    Ok(folder)
}

/// What the parser makes of a page.
fn parsed(parser: &Path, page: &str) -> Result<Value, Failed> {
    let script = tests::workspace().join("tests/metrics/prometheus.py");
    let mut python = Command::new("python3");
    python.arg(script).env("PYTHONPATH", parser).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = python.spawn()?;
    child.stdin.take().ok_or("piped")?.write_all(page.as_bytes())?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("{}\n{page}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn a_page_of_64_shards_is_valid_under_load() -> Result<(), Failed> {
    let parser = parser()?;
    let place = Place::new();
    let lines: String =
        (0..RECORDS).map(|number| format!("{}\n", ["\"a\"", "\"poison\"", "x"][number as usize % 3])).collect();
    place.write("input", &lines);
    let shards = SHARDS.to_string();
    let arguments =
        ["local", "--input", "input", "--follow", "--shards", &shards, "--max-records", "50", "--metrics", "0"];
    let run = Run::start(place.tool(&[&arguments, &["--quiet", "--", poison()][..]].concat()));
    let address = run.address();
    let mut pages = 0;
    let last = wait_until(&"every record is settled", || {
        let page = get(&address, "/metrics").1;
        let summary = parsed(&parser, &page).map_err(|failed| failed.message().unwrap_or_default().to_owned());
        let summary = summary.unwrap_or_else(|message| panic!("{message}"));
        pages += 1;
        if summary["settled"] == RECORDS as f64 { Ok(summary) } else { Err(summary.to_string()) }
    });
    assert_eq!(last["shards"], SHARDS);
    for (name, kind) in [
        ("messaging_client_consumed_messages", "counter"),
        ("messaging_process_duration_seconds", "histogram"),
        ("kcl_record_duration_seconds", "histogram"),
        ("kcl_batch_records", "histogram"),
        ("kcl_dead_letters", "counter"),
        ("kcl_behind_latest_seconds", "gauge"),
    ] {
        assert_eq!(last["kinds"][name], kind, "{name} in {last}");
    }
    assert!(pages > 1, "no page was read under load");
    run.signal(Signal::INT);
    assert_eq!(run.code(), Some(130));
    Ok(())
}

fn main() -> ExitCode {
    let missing = missing().filter(|_| std::env::var_os("CI").is_none());
    let trial = Trial::test("a_page_of_64_shards_is_valid_under_load", a_page_of_64_shards_is_valid_under_load);
    let trial = trial.with_kind(missing.map(|program| format!("no {program}")).unwrap_or_default());
    libtest_mimic::run(&Arguments::from_args(), vec![trial.with_ignored_flag(missing.is_some())]).exit_code()
}
