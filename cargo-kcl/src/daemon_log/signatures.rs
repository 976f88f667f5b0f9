//! Explanations of the daemon's messages, with a remedy.

use std::collections::BTreeMap;

use super::event::Event;
use super::report_of;
use crate::args::{shard_id_in, without_password};
use crate::properties::Properties;
use crate::report;

const NO_SHARD_END: &str = "Application didn't checkpoint at end of shard";
const THROTTLED: &str = "ProvisionedThroughputExceededException";
const NO_CREDENTIALS: &[&str] = &["Unable to load credentials from", "No credential providers were specified"];
const REFUSED: &[&str] = &[
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredToken",
    "InvalidClientTokenId",
    "security token",
];
const DENIED: &[&str] = &["is not authorized to perform", "AccessDeniedException"];

/// The names that explanations use.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    stream: String,
    application: String,
    region: String,
    executable: String,
    kinesis: Option<String>,
    /// The shards whose processors have printed something, each with the last report of `kcl` if that is about a failure.
    printed: BTreeMap<String, Option<String>>,
}

impl Context {
    pub(crate) fn new(properties: &Properties) -> Self {
        let text = |key| properties.get(key).unwrap_or_default().to_owned();
        let region = properties.get("streamArn").and_then(|arn| arn.split(':').nth(3)).or(properties.get("regionName"));
        Self {
            stream: properties.get("streamArn").unwrap_or(&text("streamName")).to_owned(),
            application: text("applicationName"),
            region: region.map_or_else(|| "the SDK's default region".to_owned(), |region| format!("region {region}")),
            executable: text("executableName"),
            kinesis: properties.get("kinesisEndpoint").map(without_password),
            printed: BTreeMap::new(),
        }
    }

    /// The names that a command knows, and the properties, which need not contain them.
    #[cfg(feature = "aws")]
    pub(crate) fn of(application: &str, stream: &str, region: &str, properties: &Properties) -> Self {
        Self {
            application: application.to_owned(),
            stream: stream.to_owned(),
            region: format!("region {region}"),
            ..Self::new(properties)
        }
    }

    /// Notes a line that the processor of a shard printed.
    pub(crate) fn printed(&mut self, shard: &str, line: &str) {
        let report = report_of(shard, line).or_else(|| line.strip_prefix("kcl: "));
        // Otherwise a processor that is killed afterwards would seem to have ended because of it.
        let failure = report.filter(|text| is_failure(text)).map(report::excerpt);
        match self.printed.get_mut(shard) {
            Some(last) if report.is_some() => *last = failure,
            Some(_) => {}
            None => _ = self.printed.insert(shard.to_owned(), failure),
        }
    }

    /// Forgets the processors, after the daemon was restarted.
    pub(crate) fn restarted(&mut self) {
        self.printed.clear();
    }
}

/// The starts of reports of `kcl` about failures that are not those of a handler, and that end the processor.
const FAILURES: &[&str] = &[
    "SHARD_END was not checkpointed",
    "a line ends in the middle of its message",
    "not a MultiLangDaemon message",
    "the daemon sent `",
    "before any shard was named: ",
    "reading from the daemon failed",
    "writing to the daemon failed",
    "stdin, stdout and stderr could not be set up",
    "the thread that reads messages and writes replies could not be started",
    "a processor cannot run inside of a runtime",
    "the runtime of tokio could not be started",
    "the environment variable ",
];

/// Whether a report of `kcl` is about a failure that ends the processor. After other reports, it goes on.
fn is_failure(report: &str) -> bool {
    let of_handler =
        report.split_once(' ').is_some_and(|(_, rest)| ["failed", "panicked"].iter().any(|how| rest.starts_with(how)));
    let is_excused = report.contains("; the message is acknowledged anyway, because ");
    of_handler && !is_excused || FAILURES.iter().any(|start| report.starts_with(start))
}

/// The explanation of an event, if it is a known one.
pub(crate) fn explain(event: &Event, context: &Context) -> Option<String> {
    let text = format!("{}\n{}", event.message, event.exception);
    let has = |part: &str| text.contains(part);
    let shard = shard_id_in(&text).map(|shard| format!(" of {shard}")).unwrap_or_default();

    if event.logger == "GetNextMessageTask" && has("Skipping unexpected line on STDOUT") {
        return Some(format!(
            "the processor{shard} wrote text to its stdout, which carries the protocol: the daemon skips such a line, and hangs if \
             it does not end with a line feed; write to stderr instead"
        ));
    }
    if let Some(wrong) = wrong_answer(&event.message) {
        return Some(wrong);
    }
    if !matches!(event.level.as_str(), "WARN" | "ERROR") {
        return None;
    }
    if has(NO_SHARD_END) {
        return Some(format!(
            "the processor{shard} answered shardEnded without a checkpoint: the shard never counts as done, and its child shards \
             never start; checkpoint at the end of the shard, without a sequence number, before the status"
        ));
    }
    if has("Cannot run program") || has("Failed to start client executable") {
        let why = text.lines().find_map(|line| line.split_once("error=")).map(|(_, why)| why);
        let what = match why.and_then(|why| why.split(',').next()) {
            Some("2") => "there is no such file, or no interpreter for it",
            Some("8") => "it is not an executable for this machine",
            Some("13") => "it is not executable, or its folder is not accessible",
            _ => "the operating system refuses to run it",
        };
        let name = Some(&context.executable).filter(|name| !name.is_empty());
        let name = name.map(|name| format!(" `{name}`")).unwrap_or_default();
        return Some(format!("the processor{name} cannot be started: {what}"));
    }
    if has("Reached end of STDIN of child process") {
        let output = match shard_id_in(&text).map(|id| context.printed.get(id)) {
            // Its output comes through another pipe, and may be late.
            Some(None) => {
                "none of its output has arrived: if none follows, it was killed (SIGKILL, by hand or because memory ran out)".to_owned()
            }
            Some(Some(Some(report))) => format!("its last report is `{report}`"),
            _ => "its last output stands before this".to_owned(),
        };
        return Some(format!(
            "the processor{shard} ended before it answered; {output}. The daemon ends with it, and records that were not \
             checkpointed are delivered again"
        ));
    }
    if has("Timedout to get status message") {
        return Some(format!(
            "the processor{shard} took longer than timeoutInSeconds for one message; the daemon ends at once, with all its shards"
        ));
    }
    if event.logger == "MultiLangShardRecordProcessor" && event.exception.starts_with("java.lang.NullPointerException")
    {
        return Some(
            "a processor wrote the line `null` to its stdout, which carries the protocol: this ends the daemon; write to stderr \
             instead"
                .to_owned(),
        );
    }
    // The KCL before 3.5 takes every row of the lease table for a lease.
    if has("leaseCounter is marked non-null but is null") {
        return Some(format!(
            "the lease table of `{}` has rows that are not leases: the application was created by the KCL 3.5 or newer, and this \
             version cannot read its table; docs/daemon.md says how to go back",
            context.application
        ));
    }
    service(&text, context)
}

/// Explains a status for a message other than the one that was sent.
fn wrong_answer(message: &str) -> Option<String> {
    let (answer, rest) =
        message.strip_prefix("Received response ")?.split_once(" from subprocess while waiting for ")?;
    let (asked, shard) = rest.split_once(" while processing shard ")?;
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let answered = answer["responseFor"].as_str().unwrap_or("nothing");
    (answered != asked).then(|| {
        format!("the processor of {shard} received `{asked}` and answered for `{answered}`; this ends the daemon")
    })
}

/// The kind of a problem that the daemon logs.
#[cfg(feature = "aws")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The end of a shard was not checkpointed.
    ShardEnd,
    /// AWS throttles.
    Throttled,
    /// The credentials are missing or refused, or do not allow an action.
    Credentials,
    Other,
}

/// The kind of problem of an event that has an explanation.
#[cfg(feature = "aws")]
pub(crate) fn cause(event: &Event) -> Cause {
    let text = format!("{}\n{}", event.message, event.exception);
    let has = |part: &&str| text.contains(*part);
    if has(&NO_SHARD_END) {
        Cause::ShardEnd
    } else if has(&THROTTLED) {
        Cause::Throttled
    } else if [NO_CREDENTIALS, REFUSED, DENIED].iter().any(|names| names.iter().any(has)) {
        Cause::Credentials
    } else {
        Cause::Other
    }
}

/// Explains errors from AWS, or from the network on the way to it.
fn service(text: &str, context: &Context) -> Option<String> {
    let has = |part: &str| text.contains(part);
    if NO_CREDENTIALS.iter().any(|name| has(name)) {
        return Some(
            "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with --aws-profile or AWS_PROFILE, or give \
             AwsCredentialsProvider another provider"
                .to_owned(),
        );
    }
    if REFUSED.iter().any(|name| has(name)) {
        return Some(
            "AWS does not accept the credentials: they are wrong, expired, or for another partition".to_owned(),
        );
    }
    if DENIED.iter().any(|name| has(name)) {
        let action =
            text.split("is not authorized to perform: ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let action = action.map_or_else(|| "a required action".to_owned(), |action| format!("`{action}`"));
        return Some(format!("the credentials do not allow {action}: grant it to the role or user (IAM)"));
    }
    if has("Unable to load region from any of the providers") {
        return Some("no region is set: give --region, or set AWS_REGION".to_owned());
    }
    if has("UnknownHostException") {
        return Some(format!(
            "the host name of AWS in {} cannot be resolved: the region is misspelled, or this machine has no network",
            context.region
        ));
    }
    if has("Connection refused") {
        let at = context.kinesis.as_ref().map(|url| format!(" (Kinesis is expected at {url})")).unwrap_or_default();
        return Some(format!("nothing listens at an endpoint{at}: is the service running, and is the port right?"));
    }
    if has("ResourceNotFoundException") && (has("Stream") || has("stream")) && !has("non-existent table") {
        return Some(format!(
            "there is no stream `{}` in {}: create it, or correct --stream, --region or the account",
            context.stream, context.region
        ));
    }
    if has("non-existent table") || has("ResourceNotFoundException") && has("DynamoDb") {
        return Some(format!(
            "a table of the application `{}` is gone: it was deleted while the daemon ran, and the daemon creates tables only when it starts",
            context.application
        ));
    }
    if has("LimitExceededException") && has("onsumer") {
        return Some(
            "the stream has reached its limit of fan-out consumers: use --retrieval polling, or deregister one"
                .to_owned(),
        );
    }
    if has(THROTTLED) && has("dynamodb.model.") {
        return Some(format!(
            "AWS throttles the tables of the application `{}`: their capacity is too small; give them more, or on-demand capacity, or checkpoint less often",
            context.application
        ));
    }
    if has(THROTTLED) {
        return Some(
            "AWS throttles: other consumers share the shard's read throughput (fan-out has its own)".to_owned(),
        );
    }
    if has("OutOfMemoryError") {
        return Some(
            "Java ran out of memory: give it more, for example with JAVA_TOOL_OPTIONS=-Xmx2g, or lower --max-records"
                .to_owned(),
        );
    }
    if has("Could not find or load main class") {
        return Some("the jars do not contain the MultiLangDaemon: give its folder with --jars".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::Origin;

    fn context() -> Context {
        let mut properties = Properties::default();
        for (key, value) in [
            ("streamName", "orders"),
            ("applicationName", "app"),
            ("regionName", "eu-west-1"),
            ("executableName", "/bin/x"),
        ] {
            properties.set(key, value, Origin::Tool);
        }
        Context::new(&properties)
    }

    /// Each message is from the log of a real daemon with that fault.
    #[test]
    fn known_messages_are_explained() {
        for (logger, message, exception, expected) in [
            (
                "MultiLangShardRecordProcessor",
                "Encountered an error while trying to initialize record processor",
                "java.io.IOException: Failed to start client executable\nCaused by: java.io.IOException: Cannot run program \"/bin/x\": error=2, No such file or directory",
                "`/bin/x` cannot be started: there is no such file",
            ),
            (
                "MultiLangProtocol",
                "Failed to get status message for processRecords action for shard shardId-000000000003",
                "java.util.concurrent.ExecutionException: java.lang.RuntimeException: Reached end of STDIN of child process for shard shardId-000000000003 so won't be able to return a message.",
                "processor of shardId-000000000003 ended before it answered",
            ),
            (
                "ShardConsumer",
                "x",
                "java.lang.IllegalArgumentException: Application didn't checkpoint at end of shard shardId-000000000000. Application must checkpoint upon shard completion.",
                "of shardId-000000000000 answered shardEnded without a checkpoint",
            ),
            (
                "ShardSyncTask",
                "x",
                "software.amazon.awssdk.services.kinesis.model.ResourceNotFoundException: Stream orders under account 000000000000 not found",
                "no stream `orders` in region eu-west-1",
            ),
            (
                "Scheduler",
                "x",
                "software.amazon.awssdk.core.exception.SdkClientException: Unable to load credentials from any of the providers in the chain",
                "no AWS credentials",
            ),
            (
                "Scheduler",
                "Caught exception when initializing LeaseCoordinator",
                "java.lang.NullPointerException: leaseCounter is marked non-null but is null\n\tat software.amazon.kinesis.leases.Lease.leaseCounter(Lease.java:367)",
                "lease table of `app` has rows that are not leases",
            ),
            (
                "Scheduler",
                "x",
                "Caused by: java.net.UnknownHostException: kinesis.eu-west-9.amazonaws.com",
                "cannot be resolved",
            ),
            (
                "Scheduler",
                "x",
                "k: User: arn:aws:iam::1:user/u is not authorized to perform: kinesis:ListShards on resource: y",
                "`kinesis:ListShards`",
            ),
        ] {
            let event = Event {
                level: "ERROR".to_owned(),
                logger: logger.to_owned(),
                message: message.to_owned(),
                exception: exception.to_owned(),
                ..Event::default()
            };
            let explanation = explain(&event, &context()).unwrap_or_default();
            assert!(explanation.contains(expected), "{exception}: {explanation}");
        }
    }

    #[test]
    fn output_is_pointed_to_if_there_was_any() {
        let event = Event {
            level: "ERROR".to_owned(),
            exception:
                "java.lang.RuntimeException: Reached end of STDIN of child process for shard shardId-000000000003 so"
                    .to_owned(),
            ..Event::default()
        };
        let mut context = context();
        let explained = |context: &Context| explain(&event, context).unwrap_or_default();
        context.printed("shardId-000000000004", "other");
        assert!(explained(&context).contains("before it answered; none of its output has arrived: if none follows"));
        context.printed("shardId-000000000003", "a panic");
        assert!(explained(&context).contains("before it answered; its last output stands before this"));
        context.printed("shardId-000000000003", "kcl: shard shardId-000000000003: processRecords failed");
        context.printed("shardId-000000000003", "a backtrace");
        assert!(explained(&context).contains("before it answered; its last report is `processRecords failed`"));
        for harmless in [
            "dead-lettered a record: it failed",
            "processRecords at record 7 has been running for 60s",
            "a checkpoint was not made: it failed",
            "processRecords failed: no; the message is acknowledged anyway, because the lease is gone",
            "the lease is gone before record 7/0: 1 record of the batch is left to its new owner, and the message is acknowledged",
            "at least 80 % of the records have the same partition key `failed`",
        ] {
            context.printed("shardId-000000000003", &format!("kcl: shard shardId-000000000003: {harmless}"));
            assert!(explained(&context).contains("its last output stands before this"), "{harmless}");
        }
        for failure in
            ["processRecords panicked: no", "SHARD_END was not checkpointed, so", "the daemon sent `initialize`"]
        {
            context.printed("shardId-000000000003", &format!("kcl: shard shardId-000000000003: {failure}"));
            assert!(explained(&context).contains("its last report is"), "{failure}");
        }
        context.printed("shardId-000000000003", "kcl: writing to the daemon failed: Broken pipe (os error 32)");
        assert!(explained(&context).contains("its last report is `writing to the daemon failed"));
        context.restarted();
        assert!(explained(&context).contains("none of its output has arrived"));
    }

    #[test]
    fn text_on_stdout_is_explained_although_the_daemon_logs_it_as_info() {
        let event = Event {
            level: "INFO".to_owned(),
            logger: "GetNextMessageTask".to_owned(),
            message: "Skipping unexpected line on STDOUT for shard shardId-000000000001: hello".to_owned(),
            ..Event::default()
        };
        let explanation = explain(&event, &context()).unwrap_or_default();
        assert!(explanation.contains("processor of shardId-000000000001 wrote text to its stdout"), "{explanation}");
    }
}
