//! A local Kinesis and a local DynamoDB: installed once, started on the loopback interface, and ended with the tool.

mod api;
mod emulator;
mod leases;
mod options;
mod stream;

use std::io;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

pub(crate) use self::api::{ApiError, Endpoint, Service};
pub(crate) use self::leases::{Application, Start, prepare as prepare_leases};
pub(crate) use self::options::{EmulateOptions, StreamOptions};
pub(crate) use self::stream::{Content, StreamError, attend, create as create_stream};

use self::emulator::{Emulator, EmulatorError};
use crate::cache::{Cache, CacheError, Java, ToolError};
use crate::exit::{FAILED, WRONG_USE};
use crate::report;
use crate::signals::{Hangup, Signals};
use crate::waiting;

/// The region and the access key for calls to the emulators. Neither emulator verifies signatures.
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCESS_KEY: &str = "local";

const POLL: Duration = Duration::from_millis(50);

/// The reason why the emulators do not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EmulateError {
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("--shards, --input and --large-records describe a stream; give its name with --stream NAME")]
    NoStream,
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("the environment cannot be written to stdout: {0}")]
    Output(io::Error),
}

impl EmulateError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Emulator(_) | Self::Output(_) => FAILED,
            Self::Stream(error) => error.code(),
            Self::Cache(error) => error.code(),
            _ => WRONG_USE,
        }
    }
}

/// A running pair of emulators. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Emulators {
    kinesis: Emulator,
    dynamodb: Emulator,
}

impl Emulators {
    /// Installs the emulators if necessary, starts both, and waits until they answer. Call it on a thread that lives as long as the
    /// tool, because they die with that thread.
    pub(crate) fn start(cache: &Cache, verbose: bool) -> Result<Self, EmulateError> {
        // A missing Java is reported before anything is installed.
        let java = Java::find()?;
        let kinesis = cache.kinesis()?;
        let dynamodb = cache.dynamodb(java)?;
        // Both start at the same time.
        let mut dynamodb = emulator::dynamodb(&dynamodb, verbose)?;
        let mut kinesis = emulator::kinesis(&kinesis, verbose)?;
        kinesis.wait_until_ready()?;
        dynamodb.wait_until_ready()?;
        Ok(Self { kinesis, dynamodb })
    }

    pub(crate) fn kinesis(&self) -> &Endpoint {
        self.kinesis.endpoint()
    }

    pub(crate) fn dynamodb(&self) -> &Endpoint {
        self.dynamodb.endpoint()
    }

    /// Fails if one of them has ended.
    pub(crate) fn check(&mut self) -> Result<(), EmulatorError> {
        self.kinesis.check()?;
        self.dynamodb.check()
    }
}

/// `cargo kcl emulate`.
pub(crate) fn run(options: &EmulateOptions) -> ExitCode {
    match keep_running(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

fn keep_running(options: &EmulateOptions) -> Result<(), EmulateError> {
    if options.stream.is_none() && options.content.is_given() {
        return Err(EmulateError::NoStream);
    }
    let content = Content::open(&options.content)?;
    let mut emulators = Emulators::start(&Cache::open(options.install.maven_repository.as_deref())?, options.verbose)?;
    let mut signals = Signals::catch(Hangup::Asks).map_err(EmulateError::Signals)?;
    if let Some(name) = &options.stream {
        let kinesis = emulators.kinesis().clone();
        report::line(create_stream(&kinesis, name, content, &mut signals, Some(&mut emulators))?);
    }
    print_environment(&emulators).map_err(EmulateError::Output)?;
    report::line("both emulators are running, on this machine only; press Ctrl-C to stop them");
    while signals.take().map_err(EmulateError::Signals)?.is_none() {
        emulators.check()?;
        thread::sleep(POLL);
    }
    Ok(())
}

/// Prints the variables that the AWS SDKs read, one `export NAME=value` per line, for a shell to source.
fn print_environment(emulators: &Emulators) -> io::Result<()> {
    let environment = [
        ("AWS_ENDPOINT_URL_KINESIS", emulators.kinesis().url()),
        ("AWS_ENDPOINT_URL_DYNAMODB", emulators.dynamodb().url()),
        ("AWS_REGION", REGION),
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
        ("AWS_SECRET_ACCESS_KEY", ACCESS_KEY),
    ];
    let text: String = environment.iter().map(|(name, value)| format!("export {name}={value}\n")).collect();
    waiting::write_all(&mut io::stdout().lock(), text.as_bytes())
}
