//! Every key the daemon's properties file may hold: the one table that the linter and `cargo kcl check --list` read.

use std::ops::RangeInclusive;

/// One key of the daemon's properties file.
#[derive(Debug)]
pub(crate) struct Key {
    /// As the daemon wants it spelled.
    pub(crate) name: &'static str,
    /// What its value must be.
    pub(crate) kind: Kind,
    /// What the daemon does without it.
    pub(crate) default: &'static str,
    /// What it is for, in one sentence.
    pub(crate) meaning: &'static str,
    /// The daemon's version that brought it, if that is newer than the one this tool runs.
    pub(crate) since: Option<&'static str>,
}

/// What a value must be, as far as it can be told from the text.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Anything.
    Text,
    /// A command: split on spaces, without quoting.
    Executable,
    /// A stream's name.
    StreamName,
    /// A stream's ARN.
    StreamArn,
    /// The name of a DynamoDB table.
    TableName,
    /// A whole number that the daemon keeps in a Java primitive: it cannot tell 0 from "not set".
    Primitive(RangeInclusive<i64>),
    /// A whole number for which 0 is a value.
    Number(RangeInclusive<i64>),
    /// A decimal number that the daemon keeps in a Java primitive.
    Decimal(f64, f64),
    /// `true` or `false` in a Java primitive: it cannot tell `false` from "not set".
    PrimitiveFlag,
    /// `true` or `false`.
    Flag,
    /// One of these words, in any case.
    Word(&'static [&'static str]),
    /// An `http` or `https` URL.
    Url,
    /// A region's name.
    Region,
    /// An ISO 8601 duration such as `P1D`.
    Duration,
    /// `key=value` pairs between commas.
    Tags,
    /// Names between commas.
    Names,
    /// Classes of credentials providers between commas.
    Credentials,
    /// A setting of one of the AWS SDK's clients.
    Client,
    /// A key the daemon has but can never take a value for.
    Unusable,
}

impl Kind {
    /// The kind in a few words, for `--list`.
    pub(crate) fn describe(&self) -> String {
        let text = match self {
            Self::Text => "text",
            Self::Executable => "command",
            Self::StreamName => "stream name",
            Self::StreamArn => "stream ARN",
            Self::TableName => "table name",
            Self::Primitive(range) | Self::Number(range) => return describe_range(range),
            Self::Decimal(low, high) if *high == f64::MAX => return format!("decimal from {low}"),
            Self::Decimal(low, high) => return format!("decimal, {low} to {high}"),
            Self::PrimitiveFlag | Self::Flag => "true or false",
            Self::Word(words) => return words.join(" | "),
            Self::Url => "URL",
            Self::Region => "region",
            Self::Duration => "ISO 8601 duration",
            Self::Tags => "key=value,...",
            Self::Names => "names,...",
            Self::Credentials => "providers,...",
            Self::Client => "SDK setting",
            Self::Unusable => "nothing",
        };
        text.to_owned()
    }
}

fn describe_range(range: &RangeInclusive<i64>) -> String {
    match (*range.start(), *range.end()) {
        (i64::MIN, _) => "number".to_owned(),
        (low, LONG | INT) => format!("number from {low}"),
        (low, high) => format!("number, {low} to {high}"),
    }
}

/// The key of that exact name, or the one whose family (`kinesisClient.*`) it belongs to.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    let name = canonical(name);
    KEYS.iter().find(|key| match key.name.strip_suffix('*') {
        Some(family) => name.strip_prefix(family).is_some_and(|rest| !rest.is_empty()),
        None => key.name == name,
    })
}

/// The name under which the daemon looks a key up: it does not mind the case of one prefix only.
pub(crate) fn canonical(name: &str) -> String {
    match name.get(..CREDENTIALS.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(CREDENTIALS) => {
            format!("{CREDENTIALS}{}", &name[CREDENTIALS.len()..])
        }
        _ => name.to_owned(),
    }
}

/// The key whose name is nearest to a name that is none, if one is near enough to be meant.
pub(crate) fn nearest(name: &str) -> Option<&'static Key> {
    let lower = name.to_ascii_lowercase();
    KEYS.iter()
        .filter(|key| !key.name.ends_with('*'))
        .map(|key| (strsim::damerau_levenshtein(&lower, &key.name.to_ascii_lowercase()), key))
        .filter(|(distance, key)| distance * 3 <= key.name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

const CREDENTIALS: &str = "AwsCredentialsProvider";
const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning, since: None }
}

const fn since(version: &'static str, key: Key) -> Key {
    Key { since: Some(version), ..key }
}

const MILLIS: Kind = Kind::Primitive(1..=LONG);
const COUNT: Kind = Kind::Primitive(1..=INT);
const BILLING: Kind = Kind::Word(&["PAY_PER_REQUEST", "PROVISIONED"]);

/// All keys, grouped as a reader would look for them.
pub(crate) const KEYS: &[Key] = &[
    // What runs.
    key("executableName", Kind::Executable, "required", "The processor's command; split on spaces, without quoting."),
    key("processingLanguage", Kind::Text, "none", "Only logged."),
    key(
        "maxActiveThreads",
        Kind::Number(i64::MIN..=INT),
        "0: as many as needed",
        "A fixed pool of threads instead; a shard needs 3, the daemon itself 1.",
    ),
    key(
        "shutdownGraceMillis",
        Kind::Primitive(1..=LONG),
        "0: processors get no shutdownRequested",
        "How long processors may take to checkpoint and end when the daemon is stopped.",
    ),
    key(
        "timeoutInSeconds",
        Kind::Number(1..=INT),
        "none",
        "A processor that takes longer for one message ends the whole daemon at once, all shards with it.",
    ),
    // What is read.
    key("applicationName", Kind::TableName, "required", "Names the lease table, the metrics and the fan-out consumer."),
    key("streamName", Kind::StreamName, "required, or streamArn", "The stream."),
    key("streamArn", Kind::StreamArn, "none", "The stream's ARN; wins over streamName."),
    key("regionName", Kind::Region, "the SDK's own search", "The region of the stream and of the tables."),
    key(
        "initialPositionInStream",
        Kind::Word(&["LATEST", "TRIM_HORIZON"]),
        "LATEST",
        "Where to start a shard that has no checkpoint yet.",
    ),
    key(
        "initialPositionInStreamExtended",
        Kind::Number(0..=LONG),
        "none",
        "The same as a time: seconds since 1970-01-01 UTC.",
    ),
    key(
        "retrievalMode",
        Kind::Word(&["DEFAULT", "FANOUT", "POLLING"]),
        "DEFAULT: fan-out, polling if one of its keys is set",
        "Enhanced fan-out (a paid consumer of its own) or shared polling.",
    ),
    key(
        "callProcessRecordsEvenForEmptyRecordList",
        Kind::PrimitiveFlag,
        "false",
        "Calls the processor when there are no records, too.",
    ),
    // Who may.
    key(
        "AwsCredentialsProvider",
        Kind::Credentials,
        "required",
        "Where credentials come from, for Kinesis and, unless told otherwise, the rest.",
    ),
    key("AwsCredentialsProviderDynamoDB", Kind::Credentials, "AwsCredentialsProvider", "The same for DynamoDB."),
    key("AwsCredentialsProviderCloudWatch", Kind::Credentials, "AwsCredentialsProvider", "The same for CloudWatch."),
    // Where.
    key("kinesisEndpoint", Kind::Url, "the region's", "Kinesis's URL."),
    key("dynamoDBEndpoint", Kind::Url, "the region's", "DynamoDB's URL."),
    key("kinesisClient.*", Kind::Client, "the SDK's", "A setting of the SDK's Kinesis client."),
    key("dynamoDbClient.*", Kind::Client, "the SDK's", "A setting of the SDK's DynamoDB client."),
    key(
        "cloudWatchClient.*",
        Kind::Client,
        "the SDK's",
        "A setting of the SDK's CloudWatch client: endpointOverride is its URL.",
    ),
    // Polling.
    key("maxRecords", Kind::Primitive(1..=10_000), "10000", "Records a GetRecords call (polling)."),
    key(
        "idleTimeBetweenReadsInMillis",
        Kind::Primitive(200..=LONG),
        "1500",
        "The pause between two reads of a shard (polling); less than 200 counts as 200.",
    ),
    key("retryGetRecordsInSeconds", Kind::Number(1..=INT), "none", "When to try a GetRecords call again (polling)."),
    key("maxGetRecordsThreadPool", Kind::Number(1..=INT), "none", "Threads for GetRecords calls (polling)."),
    key(
        "millisBehindLatestThresholdForReducedTps",
        Kind::Primitive(0..=LONG),
        "0: off",
        "Reads less often while it is nearer to the tip than this (polling).",
    ),
    // Enhanced fan-out.
    key("fanoutConfig.consumerArn", Kind::Text, "none", "A stream consumer registered before."),
    key("fanoutConfig.consumerName", Kind::Text, "applicationName", "The stream consumer to register."),
    key("fanoutConfig.maxDescribeStreamSummaryRetries", COUNT, "10", "Tries of DescribeStreamSummary."),
    key("fanoutConfig.maxDescribeStreamConsumerRetries", COUNT, "10", "Tries of DescribeStreamConsumer."),
    key("fanoutConfig.registerStreamConsumerRetries", COUNT, "10", "Tries of RegisterStreamConsumer."),
    key("fanoutConfig.retryBackoffMillis", MILLIS, "1000", "The pause between these tries."),
    // The worker.
    key("workerId", Kind::Text, "random", "This worker's name: never the same in two workers."),
    key("workerIdentifier", Kind::Text, "random", "Another spelling of workerId."),
    key("failoverTimeMillis", MILLIS, "10000", "A worker that has not renewed a lease for this long has lost it."),
    key("leaseAssignmentIntervalMillis", MILLIS, "twice failoverTimeMillis", "How often the leader hands out leases."),
    key("maxLeasesForWorker", COUNT, "no limit", "The most shards this worker takes."),
    key("maxLeaseRenewalThreads", COUNT, "20", "Threads that renew leases."),
    key("taskBackoffTimeMillis", MILLIS, "500", "The pause after a task that failed."),
    key("logWarningForTaskAfterMillis", Kind::Number(1..=LONG), "none", "Warns of tasks that take longer."),
    key("schedulerInitializationBackoffTimeMillis", MILLIS, "1000", "The pause between tries to start up."),
    key(
        "clientVersionConfig",
        Kind::Word(&["CLIENT_VERSION_CONFIG_3X", "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X"]),
        "CLIENT_VERSION_CONFIG_3X",
        "How leases are balanced; the other value is for the way from KCL 2.",
    ),
    key(
        "maxLeasesToStealAtOneTime",
        COUNT,
        "1",
        "Leases to take from another worker at once; KCL 3 balances otherwise.",
    ),
    key("enablePriorityLeaseAssignment", Kind::Flag, "true", "Takes long expired leases first; not used by KCL 3."),
    // Shards and leases.
    key("shardSyncIntervalMillis", MILLIS, "60000", "How often shards and leases are compared."),
    key("parentShardPollIntervalMillis", MILLIS, "10000", "How often a new shard asks if its parents are done."),
    key("cleanupLeasesUponShardCompletion", Kind::PrimitiveFlag, "true", "Deletes the leases of shards that are done."),
    key("ignoreUnexpectedChildShards", Kind::PrimitiveFlag, "false", "For streams of DynamoDB."),
    key(
        "skipShardSyncAtWorkerInitializationIfLeasesExist",
        Kind::PrimitiveFlag,
        "false",
        "Starts without comparing shards and leases if there are leases.",
    ),
    key("listShardsBackoffTimeInMillis", MILLIS, "1500", "The pause between tries of ListShards."),
    key("maxListShardsRetryAttempts", COUNT, "50", "Tries of ListShards."),
    key("shardPrioritization", Kind::Unusable, "none", "The daemon has the key but takes no value for it."),
    key("isGracefulLeaseHandoffEnabled", Kind::Flag, "true", "Lets a processor checkpoint before its lease moves on."),
    key("gracefulLeaseHandoffTimeoutMillis", Kind::Number(1..=LONG), "30000", "How long it may take for that."),
    key("validateSequenceNumberBeforeCheckpointing", Kind::PrimitiveFlag, "none", "Without effect since KCL 2."),
    // The lease table.
    key("tableName", Kind::TableName, "applicationName", "The lease table."),
    key("initialLeaseTableReadCapacity", COUNT, "10", "Its read capacity, if it is provisioned."),
    key("initialLeaseTableWriteCapacity", COUNT, "10", "Its write capacity, if it is provisioned."),
    key("leaseTableDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("leaseTablePitrEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    since("3.5", key("leaseTableScanTotalSegments", COUNT, "chosen by size", "Segments of a parallel scan of it.")),
    since(
        "3.5",
        key("migrateAllEntitiesToLeaseTable", Kind::PrimitiveFlag, "false", "Moves the other two tables into it."),
    ),
    since(
        "3.5",
        key(
            "tableMigrationCompleteBakeTimeSeconds",
            Kind::Primitive(3_600..=604_800),
            "86400",
            "How long that may be undone.",
        ),
    ),
    // The other two tables.
    key("coordinatorStateTableName", Kind::TableName, "applicationName-CoordinatorState", "The leader's table."),
    key("coordinatorStateBillingMode", BILLING, "PAY_PER_REQUEST", "How it is paid for."),
    key("coordinatorStateReadCapacity", MILLIS, "none", "Its read capacity, if it is provisioned."),
    key("coordinatorStateWriteCapacity", MILLIS, "none", "Its write capacity, if it is provisioned."),
    key("coordinatorStatePointInTimeRecoveryEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    key("coordinatorStateDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("coordinatorStateTags", Kind::Tags, "none", "Its tags."),
    key("workerMetricsTableName", Kind::TableName, "applicationName-WorkerMetricStats", "The table of workers' loads."),
    key("workerMetricsBillingMode", BILLING, "PAY_PER_REQUEST", "How it is paid for."),
    key("workerMetricsReadCapacity", MILLIS, "none", "Its read capacity, if it is provisioned."),
    key("workerMetricsWriteCapacity", MILLIS, "none", "Its write capacity, if it is provisioned."),
    key("workerMetricsPointInTimeRecoveryEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    key("workerMetricsDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("workerMetricsTags", Kind::Tags, "none", "Its tags."),
    // Balancing by load.
    key("disableWorkerMetrics", Kind::Flag, "false", "Balances without looking at the workers' CPU."),
    key("inMemoryWorkerMetricsCaptureFrequencyMillis", MILLIS, "1000", "How often the load is measured."),
    key("workerMetricsReporterFreqInMillis", MILLIS, "30000", "How often it is written to the table."),
    key("noOfPersistedMetricsPerWorkerMetrics", COUNT, "10", "How many measurements are kept."),
    key("maxThroughputPerHostKBps", Kind::Decimal(0.001, f64::MAX), "no limit", "The most a worker is given to read."),
    key("dampeningPercentage", Kind::Primitive(1..=100), "60", "How much of an imbalance is mended at a time."),
    key("reBalanceThresholdPercentage", Kind::Primitive(1..=100), "10", "The imbalance that is left alone."),
    key("allowThroughputOvershoot", Kind::Flag, "true", "Moves a shard even if it is more than needed."),
    key("varianceBalancingFrequency", COUNT, "3", "Balances in every so many assignments."),
    key("workerMetricsEMAAlpha", Kind::Decimal(0.000_001, 1.0), "0.5", "The weight of the newest measurement."),
    key("staleWorkerMetricsEntryCleanupDuration", Kind::Duration, "P1D", "When a gone worker's entry is deleted."),
    // CloudWatch.
    key("metricsLevel", Kind::Word(&["DETAILED", "NONE", "SUMMARY"]), "DETAILED", "What is sent to CloudWatch."),
    key("metricsBufferTimeMillis", MILLIS, "10000", "How long measurements may wait."),
    key("metricsMaxQueueSize", COUNT, "10000", "How many measurements may wait."),
    key("metricsEnabledDimensions", Kind::Names, "ALL", "The dimensions that are sent."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_stands_once() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name.to_ascii_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn the_daemon_forgives_the_case_of_one_prefix_only() {
        assert_eq!(find("awsCREDENTIALSproviderDynamoDB").map(|key| key.name), Some("AwsCredentialsProviderDynamoDB"));
        assert!(find("awsCredentialsProviderDynamodb").is_none());
        assert!(find("streamname").is_none());
    }

    #[test]
    fn the_nearest_key_is_offered_and_nothing_far() {
        assert_eq!(nearest("streamname").map(|key| key.name), Some("streamName"));
        assert_eq!(nearest("failoverTimeMilis").map(|key| key.name), Some("failoverTimeMillis"));
        assert!(nearest("colour").is_none());
    }
}
