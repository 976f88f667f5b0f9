//! The command line: the verbs.

use std::ffi::OsString;

use clap::{Parser, Subcommand};

use crate::daemon::DaemonOptions;
use crate::emulate::EmulateOptions;
use crate::health::HealthOptions;
use crate::installed::VERSION;
use crate::leases::LeasesOptions;
use crate::local::LocalOptions;
use crate::new::NewOptions;
use crate::process::exec::Death;
use crate::properties::CheckOptions;
use crate::put::PutOptions;
use crate::replay::ReplayOptions;
use crate::stream::StreamCommand;
use crate::tail::TailOptions;
use crate::top::TopOptions;
use crate::why::WhyOptions;

/// Run and develop record processors for Amazon Kinesis
#[derive(Debug, Parser)]
#[command(
    name = "cargo-kcl",
    bin_name = "cargo kcl",
    version = VERSION,
    arg_required_else_help = true,
    max_term_width = 120,
    after_help = "Exit codes: 0 success, 1 a processor failed or something needs fixing, 2 usage error or bad input, 130 interrupted; see the help of \
                  each command for details.\n\n\
                  To get started:\n  \
                  cargo kcl new orders --path DIR_OF_KCL\n  \
                  cd orders\n  \
                  cargo kcl local --input orders.jsonl --key /customer --shards 2"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    New(NewOptions),
    Local(Box<LocalOptions>),
    Daemon(Box<DaemonOptions>),
    Emulate(EmulateOptions),
    Check(CheckOptions),
    Replay(ReplayOptions),
    Put(Box<PutOptions>),
    Tail(TailOptions),
    Stream(StreamCommand),
    Leases(Box<LeasesOptions>),
    Why(Box<WhyOptions>),
    Top(TopOptions),
    Health(HealthOptions),
    /// Become the command, and end when the tool that started it ends
    #[command(name = crate::process::exec::VERB, hide = true)]
    Exec {
        parent: i32,
        /// How it is ended
        #[arg(value_enum)]
        death: Death,
        #[arg(required = true, last = true)]
        command: Vec<OsString>,
    },
}
