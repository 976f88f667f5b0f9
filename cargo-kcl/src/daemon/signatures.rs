//! What the daemon's complaints mean, and what to do about them.

use super::event::Event;
use crate::properties::Properties;

/// What an explanation names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Context {
    stream: String,
    application: String,
    region: String,
    executable: String,
    kinesis: Option<String>,
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
            kinesis: properties.get("kinesisEndpoint").map(str::to_owned),
        }
    }
}

/// The sentence that goes with an event, if it is known what it means.
pub(crate) fn explain(event: &Event, context: &Context) -> Option<String> {
    let said = format!("{}\n{}", event.message, event.exception);
    let has = |text: &str| said.contains(text);
    let shard = shard_in(&said).map(|shard| format!(" of {shard}")).unwrap_or_default();

    if event.logger == "GetNextMessageTask" && has("Skipping unexpected line on STDOUT") {
        return Some(format!(
            "the processor{shard} wrote text to its stdout, which is the protocol: the daemon skips such a line, and hangs if no line \
             feed ends it; write to stderr instead"
        ));
    }
    if let Some(wrong) = wrong_answer(&event.message) {
        return Some(wrong);
    }
    if !matches!(event.level.as_str(), "WARN" | "ERROR") {
        return None;
    }
    if has("Application didn't checkpoint at end of shard") {
        return Some(format!(
            "the processor{shard} answered shardEnded without a checkpoint: the shard never counts as done and its children \
             never start; checkpoint at the shard's end, without a sequence number, before the status"
        ));
    }
    if has("Cannot run program") || has("Failed to start client executable") {
        let why = said.lines().find_map(|line| line.split_once("error=")).map(|(_, why)| why);
        let what = match why.and_then(|why| why.split(',').next()) {
            Some("2") => "there is no such file, or no interpreter for it",
            Some("8") => "it is not an executable of this machine",
            Some("13") => "it is not executable, or in a folder that is not",
            _ => "the operating system refuses",
        };
        return Some(format!("the processor `{}` cannot be started: {what}", context.executable));
    }
    if has("Reached end of STDIN of child process") {
        return Some(format!(
            "the processor{shard} ended before it answered; what it last said stands above. The daemon ends with it, and what was \
             not checkpointed is delivered again"
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
            "a processor wrote the line `null` to its stdout, which is the protocol: the daemon ends with it; what its own code \
             prints belongs on stderr"
                .to_owned(),
        );
    }
    service(&said, context)
}

/// A status for another message than the one that waits for it.
fn wrong_answer(message: &str) -> Option<String> {
    let (answer, rest) =
        message.strip_prefix("Received response ")?.split_once(" from subprocess while waiting for ")?;
    let (asked, shard) = rest.split_once(" while processing shard ")?;
    let answer: serde_json::Value = serde_json::from_str(answer).ok()?;
    let answered = answer["responseFor"].as_str().unwrap_or("nothing");
    (answered != asked).then(|| {
        format!(
            "the processor of {shard} was asked for `{asked}` and answered for `{answered}`; the daemon ends with it"
        )
    })
}

/// What AWS, or the way there, refuses.
fn service(said: &str, context: &Context) -> Option<String> {
    let has = |text: &str| said.contains(text);
    if has("Unable to load credentials from") || has("No credential providers were specified") {
        return Some(
            "no AWS credentials were found: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, choose AWS_PROFILE, or give \
             AwsCredentialsProvider another provider"
                .to_owned(),
        );
    }
    if [
        "UnrecognizedClientException",
        "InvalidSignatureException",
        "ExpiredToken",
        "InvalidClientTokenId",
        "security token",
    ]
    .iter()
    .any(|name| has(name))
    {
        return Some(
            "AWS does not accept the credentials: they are wrong, expired, or of another partition".to_owned(),
        );
    }
    if has("is not authorized to perform") || has("AccessDeniedException") {
        let action =
            said.split("is not authorized to perform: ").nth(1).and_then(|rest| rest.split_whitespace().next());
        let action = action.map_or_else(|| "an action it needs".to_owned(), |action| format!("`{action}`"));
        return Some(format!("the credentials do not allow {action}: give it to the role or user (IAM)"));
    }
    if has("Unable to load region from any of the providers") {
        return Some("no region is known: give --region, or set AWS_REGION".to_owned());
    }
    if has("UnknownHostException") {
        return Some(format!(
            "AWS is not found under its name in {}: the region is misspelled, or this machine has no network",
            context.region
        ));
    }
    if has("Connection refused") {
        let at = context.kinesis.as_ref().map(|url| format!(" (Kinesis is expected at {url})")).unwrap_or_default();
        return Some(format!("nobody listens at an endpoint{at}: is it up, and is the port right?"));
    }
    if has("ResourceNotFoundException") && (has("Stream") || has("stream")) && !has("non-existent table") {
        return Some(format!(
            "there is no stream `{}` in {}: create it, or correct --stream, --region or the account",
            context.stream, context.region
        ));
    }
    if has("non-existent table") || has("ResourceNotFoundException") && has("DynamoDb") {
        return Some(format!(
            "a table of the application `{}` is gone: it was deleted while the daemon ran, and the daemon makes it only at its start",
            context.application
        ));
    }
    if has("LimitExceededException") && has("onsumer") {
        return Some(
            "the stream has as many fan-out consumers as it may: use --retrieval polling, or deregister one".to_owned(),
        );
    }
    if has("ProvisionedThroughputExceededException") {
        return Some(
            "AWS throttles: other consumers share the shard's reads (fan-out has its own), or a table's capacity is too small".to_owned(),
        );
    }
    if has("OutOfMemoryError") {
        return Some(
            "Java has run out of memory: give it more with JAVA_TOOL_OPTIONS=-Xmx2g, say, or lower --max-records"
                .to_owned(),
        );
    }
    if has("Could not find or load main class") {
        return Some("the jars do not hold the MultiLangDaemon: --jars must name the folder that does".to_owned());
    }
    None
}

/// The first shard that is named.
fn shard_in(said: &str) -> Option<&str> {
    let start = said.find("shardId-")?;
    let rest = &said[start..];
    let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
    Some(&rest[..end])
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

    /// Each as the daemon said it in a run with that fault.
    #[test]
    fn known_complaints_are_explained() {
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
                "x",
                "Caused by: java.net.UnknownHostException: kinesis.eu-west-9.amazonaws.com",
                "not found under its name",
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
    fn text_on_stdout_is_explained_although_the_daemon_takes_it_lightly() {
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
