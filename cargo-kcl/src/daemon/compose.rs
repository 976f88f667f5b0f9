//! Composing the daemon's properties from the file, the options and sensible defaults.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{env, fs};

use super::{DaemonError, DaemonOptions};
use crate::args::{StartAt, is_of_name};
use crate::emulate;
use crate::properties::{Origin, Properties};

/// The time, in milliseconds, that processors may take to checkpoint when the daemon is stopped. Most supervisors wait longer
/// before they kill.
const GRACE: &str = "20000";

/// The name of the first worker on emulators. The next run is the same worker, so it takes its leases back at once.
pub(crate) const LOCAL_WORKER: &str = "local";

/// The provider that reads its credentials from a profile. Unlike the default provider, it ignores those in the environment, as the
/// AWS CLI does if a profile is named.
const PROFILE: &str = "ProfileCredentialsProvider";

/// Properties that make a daemon on emulators fast: there are no competing workers, and calls cost nothing.
const LOCAL: [(&str, &str); 17] = [
    ("regionName", emulate::REGION),
    ("AwsCredentialsProvider", "SystemPropertyCredentialsProvider"),
    ("workerId", LOCAL_WORKER),
    ("retrievalMode", "POLLING"),
    ("metricsLevel", "NONE"),
    ("disableWorkerMetrics", "true"),
    ("failoverTimeMillis", "3000"),
    ("leaseAssignmentIntervalMillis", "1000"),
    ("shardSyncIntervalMillis", "2000"),
    ("parentShardPollIntervalMillis", "500"),
    ("idleTimeBetweenReadsInMillis", "250"),
    ("schedulerInitializationBackoffTimeMillis", "200"),
    ("taskBackoffTimeMillis", "100"),
    ("listShardsBackoffTimeInMillis", "200"),
    ("gracefulLeaseHandoffTimeoutMillis", "5000"),
    ("shutdownGraceMillis", "10000"),
    ("initialPositionInStream", "TRIM_HORIZON"),
];

/// Parses a start position. The property for a time, `initialPositionInStreamExtended`, takes whole seconds.
pub(crate) fn parse_from(text: &str) -> Result<StartAt, String> {
    match text.parse()? {
        StartAt::Time(moment) if moment.has_fraction() => {
            Err("the daemon accepts only whole seconds (initialPositionInStreamExtended); leave out the fraction"
                .to_owned())
        }
        from => Ok(from),
    }
}

/// The way in which records are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Retrieval {
    Polling,
    Fanout,
}

/// Splits `KEY=VALUE`.
pub(crate) fn parse_set(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_owned(), value.trim().to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

/// Reads the user's own file.
pub(crate) fn read(path: &Path) -> Result<Properties, DaemonError> {
    let bytes = fs::read(path).map_err(|error| DaemonError::Properties { path: path.to_owned(), error })?;
    Properties::parse(&bytes).map_err(|error| DaemonError::Malformed { path: path.to_owned(), error })
}

/// The endpoints given by options, or by the environment variables that the SDKs read.
pub(crate) fn endpoints(options: &DaemonOptions) -> [Option<String>; 2] {
    let variable = |name| env::var(name).ok().filter(|url| !url.is_empty());
    [
        options.endpoint.clone().or_else(|| variable("AWS_ENDPOINT_URL_KINESIS")),
        options.dynamodb_endpoint.clone().or_else(|| variable("AWS_ENDPOINT_URL_DYNAMODB")),
    ]
}

/// Applies the options of the command line to the properties of the file.
pub(crate) fn apply_options(properties: &mut Properties, options: &DaemonOptions) {
    let mut set = |flag: &str, key: &str, value: Option<String>| {
        if let Some(value) = value {
            properties.set(key, value, Origin::Flag(flag.to_owned()));
        }
    };
    let [kinesis, dynamodb] = endpoints(options);
    set("--stream", "streamName", options.stream.clone());
    set("--stream-arn", "streamArn", options.stream_arn.clone());
    set("--app", "applicationName", options.app.clone());
    set("--region", "regionName", options.region.clone());
    // `daemon::command` gives it the profile's name.
    set("--aws-profile", "AwsCredentialsProvider", options.aws_profile.as_ref().map(|_| PROFILE.to_owned()));
    set("--endpoint", "kinesisEndpoint", kinesis);
    set("--dynamodb-endpoint", "dynamoDBEndpoint", dynamodb);
    set("--max-records", "maxRecords", options.max_records.map(|records| records.to_string()));
    let retrieval = options.retrieval.map(|retrieval| match retrieval {
        Retrieval::Polling => "POLLING".to_owned(),
        Retrieval::Fanout => "FANOUT".to_owned(),
    });
    set("--retrieval", "retrievalMode", retrieval);
    let (position, time) = match &options.from {
        None => (None, None),
        Some(StartAt::TrimHorizon) => (Some("TRIM_HORIZON".to_owned()), None),
        Some(StartAt::Latest) => (Some("LATEST".to_owned()), None),
        Some(StartAt::Time(moment)) => {
            let since_1970 = moment.time(SystemTime::now()).duration_since(UNIX_EPOCH).unwrap_or_default();
            (None, Some(since_1970.as_secs().to_string()))
        }
    };
    set("--from", "initialPositionInStream", position);
    set("--from", "initialPositionInStreamExtended", time);
    for (key, value) in &options.set {
        set(&format!("--set {key}"), key, Some(value.clone()));
    }
    // An option also replaces the property that gives the same thing in another form.
    if options.stream.is_some() {
        properties.remove("streamArn");
    }
    if options.stream_arn.is_some() {
        properties.remove("streamName");
    }
    match options.from {
        Some(StartAt::Time(_)) => properties.remove("initialPositionInStream"),
        Some(_) => properties.remove("initialPositionInStreamExtended"),
        None => {}
    }
}

/// Sets defaults for the properties that were not given. `program` is the processor's name.
pub(crate) fn fill_in(properties: &mut Properties, program: &str, emulated: bool) {
    if properties.get("initialPositionInStreamExtended").is_none() {
        properties.set_default("initialPositionInStream", "TRIM_HORIZON");
    }
    if emulated {
        let name = application_name(program);
        properties.set_default("applicationName", name.clone());
        if properties.get("streamArn").is_none() {
            properties.set_default("streamName", name);
        }
        let fans_out = properties.get("retrievalMode").is_some_and(|mode| mode.eq_ignore_ascii_case("FANOUT"));
        let named = properties.get("workerIdentifier").is_some();
        let timed = properties.get("initialPositionInStreamExtended").is_some();
        for (key, value) in LOCAL {
            let moot = match key {
                "idleTimeBetweenReadsInMillis" => fans_out,
                "workerId" => named,
                "initialPositionInStream" => timed,
                _ => false,
            };
            if !moot {
                properties.set_default(key, value);
            }
        }
    }
    properties.set_default("AwsCredentialsProvider", "DefaultCredentialsProvider");
    properties.set_default("shutdownGraceMillis", GRACE);
}

/// Whether the user has named the worker.
pub(crate) fn names_worker(properties: &Properties) -> bool {
    ["workerId", "workerIdentifier"].iter().any(|key| properties.get(key).is_some())
}

/// Turns a program's name into a valid table name.
fn application_name(program: &str) -> String {
    let name: String = program.chars().map(|char| if is_of_name(char) { char } else { '-' }).collect();
    if name.len() < 3 { format!("kcl-{name}") } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use std::time::Duration;

    #[derive(clap::Parser)]
    struct CommandLine {
        #[command(flatten)]
        options: DaemonOptions,
    }

    fn composed(file: &str, arguments: &[&str]) -> Properties {
        let CommandLine { options } = CommandLine::parse_from(["daemon"].iter().chain(arguments));
        let mut properties = Properties::parse(file.as_bytes()).expect("Java reads it");
        apply_options(&mut properties, &options);
        fill_in(&mut properties, "my processor", options.emulate);
        properties
    }

    #[test]
    fn the_command_line_overrides_the_file_and_set_overrides_both() {
        let file = "streamName = a\nmaxRecords = 1\nregionName = us-east-1\nfailoverTimeMillis = 7000\n";
        let properties = composed(
            file,
            &["--stream", "b", "--max-records", "2", "--set", "maxRecords=3", "--set", "shutdownGraceMillis = 5"],
        );
        for (key, value) in [
            ("streamName", "b"),
            ("maxRecords", "3"),
            ("regionName", "us-east-1"),
            ("failoverTimeMillis", "7000"),
            ("shutdownGraceMillis", "5"),
        ] {
            assert_eq!(properties.get(key), Some(value), "{key}");
        }
    }

    #[test]
    fn missing_properties_get_defaults() {
        let properties = composed("", &["--stream", "a"]);
        assert_eq!(properties.get("shutdownGraceMillis"), Some(GRACE));
        assert_eq!(properties.get("AwsCredentialsProvider"), Some("DefaultCredentialsProvider"));
        assert_eq!(properties.get("initialPositionInStream"), Some("TRIM_HORIZON"));
        // The user must name a real application.
        assert_eq!(properties.get("applicationName"), None);
    }

    #[test]
    fn an_option_replaces_the_other_form_of_the_same_property() {
        let time = composed("initialPositionInStream = LATEST\n", &["--from", "2026-01-02T03:04:05Z"]);
        assert_eq!(time.get("initialPositionInStream"), None);
        assert_eq!(time.get("initialPositionInStreamExtended"), Some("1767323045"));

        let before = composed("", &["--from", "-2h"]);
        let seconds = before.get("initialPositionInStreamExtended").and_then(|seconds| seconds.parse::<u64>().ok());
        let ago = seconds.map(|seconds| (UNIX_EPOCH + Duration::from_secs(seconds)).elapsed().unwrap());
        assert!(ago.is_some_and(|ago| (7_200..7_300).contains(&ago.as_secs())), "{ago:?}");

        let position = composed("initialPositionInStreamExtended = 1\n", &["--from", "LATEST"]);
        assert_eq!(position.get("initialPositionInStreamExtended"), None);
        assert_eq!(position.get("initialPositionInStream"), Some("LATEST"));

        let arn = "arn:aws:kinesis:eu-west-1:123456789012:stream/b";
        let arn = composed("streamName = a\n", &["--stream-arn", arn]);
        assert_eq!(arn.get("streamName"), None);
    }

    #[test]
    fn a_profile_takes_precedence_over_other_credentials() {
        let profile = composed("AwsCredentialsProvider = DefaultCredentialsProvider\n", &["--aws-profile", "prod"]);
        assert_eq!(profile.get("AwsCredentialsProvider"), Some(PROFILE));
    }

    #[test]
    fn the_daemon_starts_at_whole_seconds() {
        assert!(parse_from("2026-01-02T03:04:05Z").is_ok() && parse_from("-90s").is_ok());
        for text in ["2026-01-02T03:04:05.5Z", "-500ms"] {
            assert!(parse_from(text).unwrap_err().contains("leave out the fraction"), "{text}");
        }
    }

    #[test]
    fn on_emulators_names_follow_the_processor_and_the_user_still_wins() {
        let properties = composed("retrievalMode = FANOUT\n", &["--emulate", "--set", "failoverTimeMillis=9000"]);
        assert_eq!(properties.get("applicationName"), Some("my-processor"));
        assert_eq!(properties.get("streamName"), Some("my-processor"));
        assert_eq!(properties.get("failoverTimeMillis"), Some("9000"));
        assert_eq!(properties.get("retrievalMode"), Some("FANOUT"));
        assert_eq!(properties.get("idleTimeBetweenReadsInMillis"), None);
        assert_eq!(application_name("x"), "kcl-x");
    }
}
