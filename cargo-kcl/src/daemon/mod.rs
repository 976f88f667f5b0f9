//! `cargo kcl daemon`: Amazon's MultiLangDaemon, from its jars to its exit code.
//!
//! The properties are composed ([`compose`]) and checked, the files of the run are written ([`home`]), and the daemon runs to its
//! end ([`supervise`]). Meanwhile its log is parsed, condensed ([`log`]) and explained ([`daemon_log`](crate::daemon_log)).

mod compose;
mod home;
mod log;
mod log_file;
mod options;
mod supervise;
mod troubles;
mod worker;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

pub(crate) use self::options::DaemonOptions;

use self::home::{Home, is_passed_on};
use self::log::{Identity, Log};
use self::supervise::supervise;
use crate::args::{is_local, without_password};
use crate::cache::{Cache, CacheError, Java, LockedDaemon, ToolError, Versions};
use crate::emulate::{
    ACCESS_KEY, ApiError, Application, Content, EmulateError, Emulators, Endpoint, Service, Start, StreamError, attend,
    create_stream, prepare_leases,
};
use crate::exit::{FAILED, WRONG_USE, of_io};
use crate::metrics::{About, Metrics, MetricsError, Site};
use crate::process::description::Description;
use crate::process::program::{Program, ProgramError};
use crate::properties::{EMPTY_BATCHES, Level, Malformed, Origin, Properties, ask_processor, lint, lint_for};
use crate::report;
use crate::signals::{Hangup, Signals};
use crate::waiting;

/// The reason why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DaemonError {
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error(transparent)]
    Cache(#[from] CacheError),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error(transparent)]
    Emulate(#[from] EmulateError),
    #[error(transparent)]
    Stream(#[from] StreamError),
    #[error("the lease table cannot be prepared: {0}")]
    Leases(ApiError),
    #[error("{} cannot be read: {error}", path.display())]
    Properties { path: PathBuf, error: io::Error },
    #[error("{}, {error}", path.display())]
    Malformed { path: PathBuf, error: Malformed },
    #[error("the daemon would not behave as its properties say; nothing was started")]
    Findings,
    #[error(
        "the {what} is not named; write {option} NAME, or name a file of properties with --properties FILE, or try it on this machine \
         with --emulate"
    )]
    Unnamed { what: &'static str, option: &'static str },
    #[error("--shards, --input and --large-records describe the local stream, so they need --emulate")]
    NoEmulator,
    #[error("only one of the two endpoints is given; with --emulate give both, or neither to start new emulators")]
    HalfAnEmulator,
    #[error("`{0}` is not on this machine; --emulate works only with local emulators")]
    NotLocal(String),
    #[error(
        "the argument `{0}` would not reach the processor unchanged: the daemon splits the command on spaces, does not know quotes, \
         and passes on only ASCII; pass the text in an environment variable, or in a script that runs the processor: -- ./SCRIPT"
    )]
    Argument(String),
    #[error("the worker cannot be named: {0}; --set workerId=NAME names it")]
    Worker(io::Error),
    #[error("the files of the run cannot be written: {0}")]
    Home(io::Error),
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
    #[error("the log {} cannot be written: {error}", path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Metrics(#[from] MetricsError),
    #[error("signals cannot be caught: {0}")]
    Signals(io::Error),
    #[error("the daemon cannot be run: {0}")]
    Run(io::Error),
}

impl DaemonError {
    /// The tool's exit code for this error.
    fn code(&self) -> u8 {
        match self {
            Self::Emulate(error) => error.code(),
            Self::Stream(error) => error.code(),
            Self::Cache(error) => error.code(),
            Self::Metrics(error) => error.code(),
            Self::Leases(_) | Self::Output(_) | Self::Run(_) => FAILED,
            Self::Properties { error, .. } | Self::Log { error, .. } => of_io(error),
            Self::Worker(error) | Self::Home(error) | Self::Signals(error) => of_io(error),
            _ => WRONG_USE,
        }
    }
}

/// Runs the verb.
pub(crate) fn run(options: &DaemonOptions) -> ExitCode {
    options.output.apply();
    match prepare_and_run(options) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

/// The services with the stream and the tables of a local run.
struct Local {
    kinesis: Endpoint,
    dynamodb: Endpoint,
    /// The emulators that this run started itself.
    emulators: Option<Emulators>,
}

/// Installs the daemon's files, and runs nothing.
fn install(options: &DaemonOptions) -> Result<u8, DaemonError> {
    let daemon = LockedDaemon::of(options.lock.daemon_lock.as_deref())?;
    let cache = Cache::open(options.install.maven_repository.as_deref())?;
    let jars = cache.daemon(&Java::find()?, &daemon)?;
    report::line(format_args!("the daemon is installed in {}", jars.folder.display()));
    Ok(0)
}

fn prepare_and_run(options: &DaemonOptions) -> Result<u8, DaemonError> {
    if options.installs {
        return install(options);
    }
    if !options.emulate && options.content.is_given() {
        return Err(DaemonError::NoEmulator);
    }
    let content = Content::open(&options.content)?;
    let daemon = LockedDaemon::of(options.lock.daemon_lock.as_deref())?;
    let versions = match &options.jars {
        Some(folder) => daemon.versions_in(folder),
        None => daemon.versions().clone(),
    };
    let mut properties = match &options.properties {
        Some(path) => compose::read(path)?,
        None => Properties::default(),
    };
    compose::apply_options(&mut properties, options);
    if options.properties.is_none() && !options.emulate {
        require_names(&properties)?;
    }
    let home = Home::new().map_err(DaemonError::Home)?;
    let name = name_processor(&mut properties, options, &home)?;
    let names_worker = compose::names_worker(&properties);
    if options.restart.is_some() && !options.emulate && !names_worker {
        // A restarted daemon is the same worker, so it takes its leases back at once.
        properties.set_default("workerId", worker::unique());
    }
    let description = ask_processor(&properties);
    if description.is_some_and(|description| description.empty_batches) {
        properties.set_default(EMPTY_BATCHES, "true");
    }
    compose::fill_in(&mut properties, &name, options.emulate);
    report::use_stream(stream_name(&properties));

    let cache = Cache::open(options.install.maven_repository.as_deref())?;
    if options.dry_run {
        let jars = options.jars.clone().unwrap_or_else(|| cache.daemon_folder(&daemon));
        check(&properties, &versions, description, options)?;
        let command = command(&java_or_name(), &jars, &home, options);
        print(&command, &properties, options.emulate).map_err(DaemonError::Output)?;
        return Ok(0);
    }
    let metrics = Metrics::open(&options.metrics, about(&properties, options))?;
    let java = Java::find()?;
    let mut local = if options.emulate { Some(local(options, &cache)?) } else { None };
    if let Some(local) = &local {
        properties.set("kinesisEndpoint", local.kinesis.url(), Origin::Tool);
        properties.set("dynamoDBEndpoint", local.dynamodb.url(), Origin::Tool);
    }
    // Held until the end of the run.
    let worker = match &local {
        Some(local) if !names_worker => Some(name_worker(&mut properties, local, &cache)?),
        _ => None,
    };
    let identity = identity(&properties);
    metrics.work_as(identity.worker, &identity.site);
    check(&properties, &versions, description, options)?;
    let jars = match &options.jars {
        Some(folder) => daemon.in_folder(folder)?,
        None => cache.daemon(&java, &daemon)?,
    };
    let mut signals = Signals::catch(Hangup::Asks).map_err(DaemonError::Signals)?;
    if let Some(local) = &mut local {
        prepare_stream(local, &properties, &versions, content, &mut signals)?;
    }
    fs::write(home.properties(), properties.to_string()).map_err(DaemonError::Home)?;
    let log = Log::open(options.verbose, options.log.as_deref(), &properties, &identity, metrics.clone())?;
    let command = command(&java.path, &jars.folder, &home, options);
    let emulators = local.and_then(|local| local.emulators);
    let restarts = options.restart.unwrap_or(0);
    let code = supervise(&command, log, emulators, signals, restarts, &metrics).map_err(DaemonError::Run);
    drop(worker);
    code
}

/// Requires the stream and the application. The checks find this too, but only after the build.
fn require_names(properties: &Properties) -> Result<(), DaemonError> {
    let is_missing = |key| properties.get(key).is_none();
    if is_missing("streamName") && is_missing("streamArn") {
        return Err(DaemonError::Unnamed { what: "stream", option: "--stream" });
    }
    if is_missing("applicationName") {
        return Err(DaemonError::Unnamed { what: "application", option: "--app" });
    }
    Ok(())
}

/// The description of the run in the metrics.
fn about(properties: &Properties, options: &DaemonOptions) -> About {
    About {
        verb: "daemon",
        application: properties.get("applicationName").unwrap_or_default().to_owned(),
        stream: Some(stream_name(properties).to_owned()),
        stuck_after: options.stuck_after,
    }
}

/// The name of the worker, unless the KCL makes one.
fn worker_name(properties: &Properties) -> Option<&str> {
    properties.get("workerId").or(properties.get("workerIdentifier")).filter(|name| !name.is_empty())
}

/// The description of the worker in its log.
fn identity(properties: &Properties) -> Identity<'_> {
    Identity {
        application: properties.get("applicationName").unwrap_or_default(),
        stream: stream_name(properties),
        worker: worker_name(properties),
        site: site(properties),
    }
}

/// Where the daemon keeps its leases. The AWS SDK for Java may know more places that name a region.
fn site(properties: &Properties) -> Site {
    let variable = |name| env::var(name).ok();
    let text = |text: String| Some(text).filter(|text| !text.is_empty());
    let property = |key| properties.get(key).map(str::to_owned);
    Site {
        region: property("regionName").or_else(|| variable("AWS_REGION")).and_then(text),
        endpoint: property("dynamoDBEndpoint")
            .or_else(|| variable("AWS_ENDPOINT_URL"))
            .and_then(text)
            .map(|url| without_password(&url)),
    }
}

/// Sets `workerId` to a name that no other run on the same emulators has.
fn name_worker(properties: &mut Properties, local: &Local, cache: &Cache) -> Result<worker::Name, DaemonError> {
    let application = properties.get("applicationName").unwrap_or_default();
    let name = worker::Name::take(&cache.workers(), local.dynamodb.url(), application).map_err(DaemonError::Worker)?;
    if name.text != compose::LOCAL_WORKER {
        report::line(format_args!("this worker is `{}`: others of this application are running here", name.text));
        properties.set("workerId", name.text.clone(), Origin::Tool);
    }
    Ok(name)
}

/// Sets `executableName`, and returns the processor's name.
fn name_processor(properties: &mut Properties, options: &DaemonOptions, home: &Home) -> Result<String, DaemonError> {
    if let Some(command) = properties.get("executableName")
        && !options.program.is_given()
    {
        let program = command.split(' ').find(|part| !part.is_empty()).unwrap_or_default();
        let name = Path::new(program).file_name().unwrap_or_default();
        return Ok(name.to_string_lossy().into_owned());
    }
    if let Some(argument) = options.program.arguments().iter().find(|argument| !is_passed_on(argument)) {
        return Err(DaemonError::Argument(report::excerpt(argument.as_encoded_bytes())));
    }
    let program = Program::prepare(&options.program)?;
    let name = home.executable_name(&program.command).map_err(DaemonError::Home)?;
    properties.set("executableName", name, Origin::Tool);
    Ok(program.name)
}

/// Shows the findings about the properties. Fails if the daemon would not behave as they say.
fn check(
    properties: &Properties,
    versions: &Versions,
    description: Option<Description>,
    options: &DaemonOptions,
) -> Result<(), DaemonError> {
    let mut findings = lint(properties, versions);
    findings.extend(description.iter().flat_map(|description| lint_for(properties, description)));
    let name = match &options.properties {
        Some(path) => path.display().to_string(),
        None => "properties".to_owned(),
    };
    for finding in &findings {
        finding.in_file(&name).print();
    }
    if findings.iter().any(|finding| finding.level == Level::Error) { Err(DaemonError::Findings) } else { Ok(()) }
}

/// The running emulators whose endpoints were given, or else new ones.
fn local(options: &DaemonOptions, cache: &Cache) -> Result<Local, DaemonError> {
    match compose::endpoints(options) {
        [Some(kinesis), Some(dynamodb)] => {
            for url in [&kinesis, &dynamodb] {
                if !is_local(url) {
                    return Err(DaemonError::NotLocal(without_password(url)));
                }
            }
            report::line(format_args!("using the emulators at {kinesis} and {dynamodb}"));
            Ok(Local {
                kinesis: Endpoint::new(Service::Kinesis, kinesis),
                dynamodb: Endpoint::new(Service::DynamoDb, dynamodb),
                emulators: None,
            })
        }
        [None, None] => {
            let emulators = Emulators::start(cache, options.verbose)?;
            let (kinesis, dynamodb) = (emulators.kinesis().url(), emulators.dynamodb().url());
            report::line(format_args!("started emulators: Kinesis at {kinesis}, DynamoDB at {dynamodb}"));
            Ok(Local {
                kinesis: emulators.kinesis().clone(),
                dynamodb: emulators.dynamodb().clone(),
                emulators: Some(emulators),
            })
        }
        _ => Err(DaemonError::HalfAnEmulator),
    }
}

/// The name of the stream that the daemon reads.
fn stream_name(properties: &Properties) -> &str {
    match properties.get("streamArn") {
        Some(arn) => arn.rsplit('/').next().unwrap_or_default(),
        None => properties.get("streamName").unwrap_or_default(),
    }
}

/// Creates the stream with its records, and the tables of the application.
fn prepare_stream(
    local: &mut Local,
    properties: &Properties,
    versions: &Versions,
    content: Content<'_>,
    signals: &mut Signals,
) -> Result<(), DaemonError> {
    let text = |key| properties.get(key).unwrap_or_default();
    let stream = stream_name(properties);
    let emulators = local.emulators.as_mut();
    report::line(create_stream(&local.kinesis, stream, content, signals, emulators)?);
    let start = match properties.get("initialPositionInStreamExtended") {
        Some(_) => Start::AtTimestamp,
        None if text("initialPositionInStream").eq_ignore_ascii_case("LATEST") => Start::Latest,
        None => Start::TrimHorizon,
    };
    let worker = worker_name(properties).unwrap_or_default();
    let application = Application {
        name: text("applicationName").to_owned(),
        lease_table: properties.get("tableName").map(str::to_owned),
        stream: stream.to_owned(),
        worker: worker.to_owned(),
        start,
        has_three_tables: versions.has_three_tables(),
    };
    let (kinesis, dynamodb) = (local.kinesis.clone(), local.dynamodb.clone());
    let prepare = move || prepare_leases(&kinesis, &dynamodb, &application);
    attend(signals, prepare).map_err(|error| match error {
        StreamError::Api(error) => DaemonError::Leases(error),
        error => error.into(),
    })
}

fn java_or_name() -> PathBuf {
    Java::find().map_or_else(|_| "java".into(), |java| java.path)
}

/// The command that runs the daemon.
fn command(java: &Path, jars: &Path, home: &Home, options: &DaemonOptions) -> Vec<OsString> {
    let mut command: Vec<OsString> =
        vec![java.into(), "-Dfile.encoding=UTF-8".into(), "-Dstderr.encoding=UTF-8".into()];
    if options.emulate {
        // A fast start matters more here than speed later.
        command.extend(["-XX:TieredStopAtLevel=1".into(), "-XX:+UseSerialGC".into()]);
        // `SystemPropertyCredentialsProvider` reads these. The environment, which processors share, is left to the user.
        command.push(format!("-Daws.accessKeyId={ACCESS_KEY}").into());
        command.push(format!("-Daws.secretAccessKey={ACCESS_KEY}").into());
    }
    if let Some(profile) = &options.aws_profile {
        command.push(format!("-Daws.profile={profile}").into());
    }
    command.extend([
        "-classpath".into(),
        jars.join("*").into(),
        "software.amazon.kinesis.multilang.MultiLangDaemon".into(),
        "--log-configuration".into(),
        home.logback().into(),
        "--properties-file".into(),
        home.properties().into(),
    ]);
    command
}

/// Prints the result of `--dry-run`. It was asked for, so it goes to stdout.
fn print(command: &[OsString], properties: &Properties, emulated: bool) -> io::Result<()> {
    let quoted = command.iter().map(|part| report::quoted(&part.to_string_lossy()));
    let line = quoted.collect::<Vec<_>>().join(" ");
    let emulators = if emulated { "# plus the emulators' endpoints, once their ports are known\n" } else { "" };
    let text = format!("{}\n\n{properties}{emulators}", report::escaped(&line));
    waiting::write_all(&mut io::stdout().lock(), text.as_bytes())
}
