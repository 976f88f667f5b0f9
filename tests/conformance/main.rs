//! Runs processors under Amazon's own MultiLangDaemon classes, without a stream and without a network.
//!
//! `java/` is a small program that drives a processor through a scripted conversation: Amazon's record processor and
//! checkpointer over a lease table of one row. The scripts are the data files in `scenarios/`, and each scenario is one
//! test. This crate reads the scripts, passes them to the program, and judges the outcome by the records that the
//! processor saw, the checkpoint in the row, the reaction of Amazon's class, and the end of the process.
//!
//! `cargo test --package tests --test conformance -- stdio/` runs the scenarios whose names contain `stdio/`. After a
//! failed scenario, its folder keeps the traffic (one folder per processor), the events that the processor wrote
//! (`events.jsonl`) and the log of Amazon's classes (`daemon.log`).

mod daemon;
mod report;
mod scenario;
mod tools;
mod verdict;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use libtest_mimic::{Arguments, Failed, Trial};

use crate::daemon::Daemons;
use crate::scenario::Scenario;

/// A scenario spends most of its time waiting for retries and for processes to end.
const SCENARIOS_AT_ONCE: usize = 12;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(SCENARIOS_AT_ONCE);

    let scenarios = match scenario::load(&sources().join("scenarios")) {
        Ok(scenarios) => scenarios,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let missing = tools::missing();
    let ignored = missing.is_some() && std::env::var_os("CI").is_none();
    let trials = scenarios
        .into_iter()
        .map(|scenario| {
            let name = scenario.name.clone();
            let kind = if ignored { missing.clone() } else { None };
            Trial::test(name, move || run(&scenario)).with_ignored_flag(ignored).with_kind(kind.unwrap_or_default())
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn run(scenario: &Scenario) -> Result<(), Failed> {
    let daemons = daemons()?;
    let folder = scratch().join("runs").join(scenario.name.replace(['/', ' '], "-"));
    tools::empty(&folder)?;

    let outcome = daemons.run(scenario, &folder)?;
    let complaints = verdict::judge(scenario, &outcome, &folder)?;
    if complaints.is_empty() {
        // A successful run leaves no files.
        std::fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        return Ok(());
    }
    Err(format!(
        "{}\n  {}\nthe traffic between daemon and processor: {}",
        scenario.about,
        complaints.join("\n  "),
        folder.display()
    )
    .into())
}

/// Builds both sides on first use, so that listing the tests builds nothing.
fn daemons() -> Result<&'static Daemons, String> {
    static DAEMONS: OnceLock<Result<Arc<Daemons>, String>> = OnceLock::new();
    DAEMONS
        .get_or_init(|| {
            if let Some(missing) = tools::missing() {
                return Err(missing);
            }
            Ok(Arc::new(Daemons::new(
                tools::package_java(&sources().join("java"), &scratch().join("java"))?,
                tools::build_processors(),
                scratch(),
            )))
        })
        .as_deref()
        .map_err(Clone::clone)
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance")
}

fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("conformance")
}
