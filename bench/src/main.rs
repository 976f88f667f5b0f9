//! Measures this project: against its peers, after a writer in Java, and against its own past.

mod child;
mod compare;
mod gate;
mod java;
mod local;
mod metrics;
mod page;
mod peers;
mod picture;
mod report;
mod scaling;
mod transcript;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A failure, with the reason in words.
type Outcome<T> = Result<T, String>;

/// Measures this project. Everything that it installs, builds and writes is below `target/bench`.
#[derive(Parser)]
#[command(name = "kcl-bench", bin_name = "cargo kcl-bench", max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand)]
enum Verb {
    /// Compare processors of this project with those of other libraries, which are installed first
    Peers(compare::Options),
    /// Measure the same processors after a writer in Java, as the daemon is one
    Java(java::Options),
    /// Measure what `cargo kcl local` costs, compared with the processors that it feeds
    Local(local::Options),
    /// Measure what metrics cost, in alternating runs of the same processor with and without them
    Metrics(metrics::Options),
    /// Compare instructions and allocations with those in `bench/gate.txt`
    Gate(gate::Options),
    /// Compute the costs and the limits of `docs/scaling.md`
    Scaling(scaling::Options),
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().verb {
        Verb::Peers(options) => compare::run(&options),
        Verb::Java(options) => java::run(&options),
        Verb::Local(options) => local::run(&options),
        Verb::Metrics(options) => metrics::run(&options),
        Verb::Gate(options) => gate::run(&options),
        Verb::Scaling(options) => scaling::run(&options),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
