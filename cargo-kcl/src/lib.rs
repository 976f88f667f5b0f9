//! The implementation of `cargo kcl`: one module per verb, and the modules that they share.
//!
//! `local` is a daemon for one machine. Every verb starts processors with `spawn`, through the tool itself.

mod args;
mod backoff;
mod cache;
mod cli;
mod daemon;
mod daemon_log;
mod disk;
mod emulate;
mod exit;
mod health;
mod hints;
mod input;
mod installed;
#[cfg(feature = "aws")]
mod kinesis;
#[cfg(feature = "aws")]
mod lease_table;
mod leases;
mod local;
mod metrics;
mod new;
mod process;
mod properties;
mod put;
mod recording;
mod replay;
mod report;
mod signals;
mod stream;
mod tail;
mod threads;
mod top;
mod usage;
mod waiting;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser as _;

use args::LogOptions;
use cli::{Cli, Verb};
use report::LogFormat;

/// Runs the tool with these arguments, the program's name first.
///
/// The exit code is 0 on success, 1 if a processor failed, 2 for a usage error, and 130 after an interruption.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    abort_on_panic();
    let mut arguments: Vec<OsString> = arguments.into_iter().collect();
    // Cargo runs `cargo-kcl kcl local` for `cargo kcl local`.
    if arguments.get(1).is_some_and(|argument| argument == "kcl") {
        arguments.remove(1);
    }
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            LogOptions::apply_from(&arguments);
            return usage::explain(hints::explain(error, arguments.get(1..).unwrap_or_default()));
        }
    };
    match cli.verb {
        Verb::New(options) => new::run(&options),
        #[cfg(not(feature = "aws"))]
        Verb::Local(options) if options.stream.is_some() => installed::run(&arguments),
        #[cfg(not(feature = "metrics"))]
        Verb::Local(options) if options.metrics.metrics.is_some() => installed::run(&arguments),
        Verb::Local(options) => local::run(&options),
        #[cfg(not(feature = "metrics"))]
        Verb::Daemon(options) if options.metrics.metrics.is_some() => installed::run(&arguments),
        Verb::Daemon(options) => daemon::run(&options),
        Verb::Emulate(options) => emulate::run(&options),
        Verb::Replay(options) => replay::run(&options),
        Verb::Check(options) => properties::check(&options),
        #[cfg(feature = "aws")]
        Verb::Put(options) => put::run(&options),
        #[cfg(feature = "aws")]
        Verb::Tail(options) => tail::run(&options),
        #[cfg(feature = "aws")]
        Verb::Stream(command) => stream::run(&command),
        #[cfg(feature = "aws")]
        Verb::Leases(options) => leases::run(&options),
        #[cfg(feature = "aws")]
        Verb::Why(options) => why::run(&options),
        #[cfg(not(feature = "aws"))]
        Verb::Put(_) | Verb::Tail(_) | Verb::Stream(_) | Verb::Leases(_) | Verb::Why(_) => installed::run(&arguments),
        #[cfg(feature = "metrics")]
        Verb::Health(options) => health::run(&options),
        #[cfg(feature = "metrics")]
        Verb::Top(options) => top::run(&options),
        #[cfg(not(feature = "metrics"))]
        Verb::Health(_) | Verb::Top(_) => installed::run(&arguments),
        Verb::Exec { parent, death, command } => process::exec::run(parent, death, &command),
    }
}

/// Parses a line as `local --format json` does, into data, partition key and hash. For the fuzz targets.
///
/// # Errors
///
/// The reason why the line is invalid.
#[doc(hidden)]
pub fn json_record(line: &[u8]) -> Result<(Vec<u8>, String, u128), String> {
    input::record::json_record(line)
}

/// Aborts the tool if any thread panics. Otherwise the other threads would wait for that thread forever. Processors die with the
/// tool, however it ends.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        match report::format() {
            LogFormat::Json => report::error(info),
            LogFormat::Text | LogFormat::Raw => print(info),
        }
        std::process::abort();
    }));
}
