//! `cargo kcl check`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;

use super::file::Properties;
use super::finding::Level;
use super::keys::KEYS;
use super::lint::lint;
use super::processor;
use crate::args::LockOptions;
use crate::cache::{LockedDaemon, Versions};
use crate::exit::WRONG_USE;
use crate::report;
use crate::waiting;

/// Check properties files of the MultiLangDaemon
///
/// The daemon silently ignores a key that it does not know, treats a number that it cannot parse as 0, and drops a 0. Each finding
/// gives the line, the reason and the fix.
///
/// If a file names a processor of this library that is on this machine, it is started with KCL_DESCRIBE=1 and an empty input. It then says
/// what it needs, and ends. The properties are compared with that.
#[derive(Debug, Args)]
#[command(after_help = "Exit codes: 0 no findings, 1 a finding, 2 usage error or a file that cannot be read.\n\n\
                  Examples:\n  \
                  cargo kcl check revenue.properties\n  \
                  cargo kcl check --list")]
pub(crate) struct CheckOptions {
    /// Check these files
    #[arg(value_name = "FILE", required_unless_present = "list")]
    pub(crate) files: Vec<PathBuf>,

    /// Print every key with its type, default and meaning
    #[arg(long, conflicts_with = "files")]
    pub(crate) list: bool,

    #[command(flatten)]
    pub(crate) lock: LockOptions,
}

/// Checks each file. The exit code is 1 if there are findings.
pub(crate) fn run(options: &CheckOptions) -> ExitCode {
    let daemon = match LockedDaemon::of(options.lock.daemon_lock.as_deref()) {
        Ok(daemon) => daemon,
        Err(error) => {
            report::error(&error);
            return ExitCode::from(error.code());
        }
    };
    if options.list {
        return list(daemon.versions());
    }
    let mut code = 0;
    for file in &options.files {
        code = code.max(check(file, daemon.versions()));
    }
    ExitCode::from(code)
}

fn check(file: &Path, versions: &Versions) -> u8 {
    let name = file.display();
    let bytes = match fs::read(file) {
        Ok(bytes) => bytes,
        Err(error) => {
            report::error(format_args!("{name} cannot be read: {error}"));
            return WRONG_USE;
        }
    };
    let properties = match Properties::parse(&bytes) {
        Ok(properties) => properties,
        Err(error) => {
            report::error(format_args!("{name}, {error}; the daemon refuses to read the file"));
            return 1;
        }
    };
    let mut findings = lint(&properties, versions);
    if let Some(description) = processor::ask(&properties) {
        findings.extend(processor::lint(&properties, &description));
    }
    for finding in &findings {
        finding.in_file(&name).print();
    }
    let errors = findings.iter().filter(|finding| finding.level == Level::Error).count() as u64;
    let warnings = findings.len() as u64 - errors;
    if findings.is_empty() {
        report::line(format_args!("{name}: {}, no findings", report::count(properties.entries().len() as u64, "key")));
        return 0;
    }
    let [errors, warnings] = [report::count(errors, "error"), report::count(warnings, "warning")];
    report::line(format_args!("{name}: {errors}, {warnings}"));
    1
}

/// Prints the table of keys. It was asked for, so it goes to stdout.
fn list(versions: &Versions) -> ExitCode {
    let mut text = String::new();
    for key in KEYS {
        let newer = key.since().filter(|since| !versions.multilang.reaches(since));
        let since = newer.map(|version| format!(" (MultiLangDaemon {version})")).unwrap_or_default();
        text += &format!(
            "{}{since}\n    {}; default: {}\n    {}\n",
            key.name,
            key.kind.describe(),
            key.default,
            key.meaning
        );
    }
    match waiting::write_all(&mut io::stdout().lock(), text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        // The reader has closed the pipe: it has read enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            report::error(format_args!("the list cannot be written: {error}"));
            ExitCode::FAILURE
        }
    }
}
