//! The table of all keys of the daemon's properties file, which the linter and `cargo kcl check --list` use.

use std::ops::RangeInclusive;
use std::sync::LazyLock;

/// One key of the daemon's properties file.
#[derive(Debug)]
pub(crate) struct Key {
    /// The spelling that the daemon requires.
    pub(crate) name: &'static str,
    /// The kind of its value.
    pub(crate) kind: Kind,
    /// The daemon's behaviour without it.
    pub(crate) default: &'static str,
    /// Its purpose, in one sentence.
    pub(crate) meaning: &'static str,
}

impl Key {
    /// The release of the MultiLangDaemon that introduced it, unless it is as old as every release that can be used.
    pub(crate) fn since(&self) -> Option<&'static str> {
        SINCE
            .iter()
            .find(|(_, starts)| starts.iter().any(|start| self.name.starts_with(start)))
            .map(|(since, _)| *since)
    }

    /// Whether a new application's table that it configures exists only before KCL 3.5.
    pub(crate) fn creates_other_table(&self) -> bool {
        ["coordinatorState", "workerMetrics"].iter().any(|table| {
            self.name.strip_prefix(table).is_some_and(|what| {
                ["BillingMode", "ReadCapacity", "WriteCapacity", "PointInTime", "DeletionProtection", "Tags"]
                    .iter()
                    .any(|start| what.starts_with(start))
            })
        })
    }
}

/// The starts of the names of newer keys, by the release of the MultiLangDaemon that introduced them.
const SINCE: [(&str, &[&str]); 7] = [
    (
        "3.5",
        &["leaseTableScanTotalSegments", "migrateAllEntitiesToLeaseTable", "tableMigrationCompleteBakeTimeSeconds"],
    ),
    ("3.1.1", &["leaseAssignmentIntervalMillis", "millisBehindLatestThresholdForReducedTps"]),
    (
        "3.0",
        &[
            "allowThroughputOvershoot",
            "clientVersionConfig",
            "coordinatorState",
            "dampeningPercentage",
            "disableWorkerMetrics",
            "gracefulLeaseHandoffTimeoutMillis",
            "inMemoryWorkerMetricsCaptureFrequencyMillis",
            "isGracefulLeaseHandoffEnabled",
            "maxThroughputPerHostKBps",
            "noOfPersistedMetricsPerWorkerMetrics",
            "reBalanceThresholdPercentage",
            "staleWorkerMetricsEntryCleanupDuration",
            "varianceBalancingFrequency",
            "workerMetrics",
        ],
    ),
    ("2.7", &["regionName"]),
    ("2.6.1", &["leaseTableDeletionProtectionEnabled", "leaseTablePitrEnabled"]),
    ("2.6", &["enablePriorityLeaseAssignment"]),
    ("2.5.1", &["streamArn"]),
];

/// The kind of a value, as far as its text can be checked.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// Anything.
    Text,
    /// A command, which is split on spaces, without quoting.
    Executable,
    /// A stream's name.
    StreamName,
    /// A stream's ARN.
    StreamArn,
    /// The name of a DynamoDB table.
    TableName,
    /// An integer that the daemon keeps in a Java primitive, so that it cannot distinguish 0 from "not set".
    Primitive(RangeInclusive<i64>),
    /// An integer for which 0 is a value.
    Number(RangeInclusive<i64>),
    /// A decimal number that the daemon keeps in a Java primitive.
    Decimal(f64, f64),
    /// `true` or `false` in a Java primitive, so that the daemon cannot distinguish `false` from "not set".
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
    /// `key=value` pairs, separated by commas.
    Tags,
    /// Names, separated by commas.
    Names,
    /// Classes of credentials providers, separated by commas.
    Credentials,
    /// A setting of one of the AWS SDK's clients.
    Client,
    /// A key that the daemon has, but for which it accepts no value.
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
            Self::Unusable => "no value",
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

/// The key with exactly this name, or the family (`kinesisClient.*`) that the name belongs to.
pub(crate) fn find(name: &str) -> Option<&'static Key> {
    let name = canonical(name);
    KEYS.iter().find(|key| match key.name.strip_suffix('*') {
        Some(family) => name.strip_prefix(family).is_some_and(|rest| !rest.is_empty()),
        None => key.name == name,
    })
}

/// The name under which the daemon looks up a key. It ignores the case of one prefix, and of nothing else.
pub(crate) fn canonical(name: &str) -> String {
    match name.get(..CREDENTIALS.len()) {
        Some(prefix) if prefix.eq_ignore_ascii_case(CREDENTIALS) => {
            format!("{CREDENTIALS}{}", &name[CREDENTIALS.len()..])
        }
        _ => name.to_owned(),
    }
}

/// The key whose name is nearest to an unknown name, if it is near enough to be the intended one.
pub(crate) fn nearest(name: &str) -> Option<&'static Key> {
    let name = Letters::of(name);
    CANDIDATES
        .iter()
        .filter(|(key, letters)| name.least_distance(letters) * 3 <= key.name.len())
        .map(|(key, letters)| (strsim::damerau_levenshtein(&name.lower, &letters.lower), *key))
        .filter(|(distance, key)| distance * 3 <= key.name.len())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key)
}

/// The keys whose names may be meant by an unknown name.
static CANDIDATES: LazyLock<Vec<(&Key, Letters)>> = LazyLock::new(|| {
    KEYS.iter().filter(|key| !key.name.ends_with('*')).map(|key| (key, Letters::of(key.name))).collect()
});

/// A name in lower case, and how often each of its bytes occurs in it; some bytes are counted together.
struct Letters {
    lower: String,
    counts: [u32; 32],
}

impl Letters {
    fn of(name: &str) -> Self {
        let lower = name.to_ascii_lowercase();
        let mut counts = [0; 32];
        lower.bytes().for_each(|byte| counts[usize::from(byte & 0x1f)] += 1);
        Self { lower, counts }
    }

    /// A lower bound of the distance to a name in ASCII, which is much faster than the distance.
    fn least_distance(&self, other: &Self) -> usize {
        let mut least = (0, 0);
        for (own, other) in self.counts.iter().zip(&other.counts) {
            least.0 += other.saturating_sub(*own);
            least.1 += own.saturating_sub(*other);
        }
        // A character that is not in ASCII is one edit, and has several bytes.
        least.0.max(if self.lower.is_ascii() { least.1 } else { 0 }) as usize
    }
}

const CREDENTIALS: &str = "AwsCredentialsProvider";
const INT: i64 = i32::MAX as i64;
const LONG: i64 = i64::MAX;

const fn key(name: &'static str, kind: Kind, default: &'static str, meaning: &'static str) -> Key {
    Key { name, kind, default, meaning }
}

const MILLIS: Kind = Kind::Primitive(1..=LONG);
const COUNT: Kind = Kind::Primitive(1..=INT);
const BILLING: Kind = Kind::Word(&["PAY_PER_REQUEST", "PROVISIONED"]);

/// All keys, grouped as a reader would look for them.
pub(crate) const KEYS: &[Key] = &[
    // The processor.
    key(
        "executableName",
        Kind::Executable,
        "required",
        "The processor's command, which is split on spaces, without quoting.",
    ),
    key("processingLanguage", Kind::Text, "none", "Only logged."),
    key(
        "maxActiveThreads",
        Kind::Number(i64::MIN..=INT),
        "0: as many as needed",
        "The size of a fixed thread pool; a shard needs 3 threads, the daemon itself 1.",
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
        "A processor that takes longer for one message ends the whole daemon at once, with all its shards.",
    ),
    // The stream.
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
        "The same, as a time in seconds since 1970-01-01 UTC.",
    ),
    key(
        "retrievalMode",
        Kind::Word(&["DEFAULT", "FANOUT", "POLLING"]),
        "DEFAULT: fan-out, or polling if one of its keys is set",
        "Enhanced fan-out (a dedicated consumer, for which AWS charges) or polling, which shares throughput.",
    ),
    key(
        "callProcessRecordsEvenForEmptyRecordList",
        Kind::PrimitiveFlag,
        "false",
        "Also calls the processor when there are no records.",
    ),
    // Credentials.
    key(
        "AwsCredentialsProvider",
        Kind::Credentials,
        "required",
        "The source of credentials for Kinesis and, unless set otherwise, the other services.",
    ),
    key("AwsCredentialsProviderDynamoDB", Kind::Credentials, "AwsCredentialsProvider", "The same for DynamoDB."),
    key("AwsCredentialsProviderCloudWatch", Kind::Credentials, "AwsCredentialsProvider", "The same for CloudWatch."),
    // Endpoints.
    key("kinesisEndpoint", Kind::Url, "the region's", "The URL of Kinesis."),
    key("dynamoDBEndpoint", Kind::Url, "the region's", "The URL of DynamoDB."),
    key("kinesisClient.*", Kind::Client, "the SDK's", "A setting of the SDK's Kinesis client."),
    key("dynamoDbClient.*", Kind::Client, "the SDK's", "A setting of the SDK's DynamoDB client."),
    key(
        "cloudWatchClient.*",
        Kind::Client,
        "the SDK's",
        "A setting of the SDK's CloudWatch client: endpointOverride is its URL.",
    ),
    // Polling.
    key("maxRecords", Kind::Primitive(1..=10_000), "10000", "The most records per GetRecords call (polling)."),
    key(
        "idleTimeBetweenReadsInMillis",
        Kind::Primitive(200..=LONG),
        "1500",
        "The pause between two reads of a shard (polling); less than 200 counts as 200.",
    ),
    key(
        "retryGetRecordsInSeconds",
        Kind::Number(1..=INT),
        "none",
        "The time after which a GetRecords call is retried (polling).",
    ),
    key("maxGetRecordsThreadPool", Kind::Number(1..=INT), "none", "Threads for GetRecords calls (polling)."),
    key(
        "millisBehindLatestThresholdForReducedTps",
        Kind::Primitive(0..=LONG),
        "0: off",
        "Reads less often while the daemon is less than this behind the end of the stream (polling).",
    ),
    // Enhanced fan-out.
    key("fanoutConfig.consumerArn", Kind::Text, "none", "An already registered stream consumer."),
    key("fanoutConfig.consumerName", Kind::Text, "applicationName", "The stream consumer to register."),
    key("fanoutConfig.maxDescribeStreamSummaryRetries", COUNT, "10", "Attempts at DescribeStreamSummary."),
    key("fanoutConfig.maxDescribeStreamConsumerRetries", COUNT, "10", "Attempts at DescribeStreamConsumer."),
    key("fanoutConfig.registerStreamConsumerRetries", COUNT, "10", "Attempts at RegisterStreamConsumer."),
    key("fanoutConfig.retryBackoffMillis", MILLIS, "1000", "The pause between these attempts."),
    // The worker.
    key("workerId", Kind::Text, "random", "The name of this worker; no two workers may have the same."),
    key("workerIdentifier", Kind::Text, "random", "Another name for workerId."),
    key("failoverTimeMillis", MILLIS, "10000", "A worker that has not renewed a lease for this long loses it."),
    key("leaseAssignmentIntervalMillis", MILLIS, "twice failoverTimeMillis", "How often the leader assigns leases."),
    key("maxLeasesForWorker", COUNT, "no limit", "The most shards that this worker takes."),
    key("maxLeaseRenewalThreads", COUNT, "20", "Threads that renew leases."),
    key("taskBackoffTimeMillis", MILLIS, "500", "The pause after a failed task."),
    key("logWarningForTaskAfterMillis", Kind::Number(1..=LONG), "none", "Warns about tasks that take longer."),
    key("schedulerInitializationBackoffTimeMillis", MILLIS, "1000", "The pause between attempts to start up."),
    key(
        "clientVersionConfig",
        Kind::Word(&["CLIENT_VERSION_CONFIG_3X", "CLIENT_VERSION_CONFIG_COMPATIBLE_WITH_2X"]),
        "CLIENT_VERSION_CONFIG_3X",
        "How leases are balanced; the other value is for migrating from KCL 2.",
    ),
    key(
        "maxLeasesToStealAtOneTime",
        COUNT,
        "1",
        "Leases to take from another worker at once; KCL 3 balances differently.",
    ),
    key("enablePriorityLeaseAssignment", Kind::Flag, "true", "Takes long-expired leases first; not used by KCL 3."),
    // Shards and leases.
    key("shardSyncIntervalMillis", MILLIS, "60000", "How often shards and leases are compared."),
    key("parentShardPollIntervalMillis", MILLIS, "10000", "How often a new shard checks whether its parents are done."),
    key("cleanupLeasesUponShardCompletion", Kind::PrimitiveFlag, "true", "Deletes the leases of shards that are done."),
    key("ignoreUnexpectedChildShards", Kind::PrimitiveFlag, "false", "For DynamoDB streams."),
    key(
        "skipShardSyncAtWorkerInitializationIfLeasesExist",
        Kind::PrimitiveFlag,
        "false",
        "Starts without comparing shards and leases if leases exist.",
    ),
    key("listShardsBackoffTimeInMillis", MILLIS, "1500", "The pause between attempts at ListShards."),
    key("maxListShardsRetryAttempts", COUNT, "50", "Attempts at ListShards."),
    key("shardPrioritization", Kind::Unusable, "none", "The daemon has this key, but accepts no value for it."),
    key("isGracefulLeaseHandoffEnabled", Kind::Flag, "true", "Lets a processor checkpoint before its lease moves on."),
    key("gracefulLeaseHandoffTimeoutMillis", Kind::Number(1..=LONG), "30000", "How long that may take."),
    key("validateSequenceNumberBeforeCheckpointing", Kind::PrimitiveFlag, "none", "No effect since KCL 2."),
    // The lease table.
    key("tableName", Kind::TableName, "applicationName", "The lease table."),
    key("initialLeaseTableReadCapacity", COUNT, "10", "Its read capacity, if it is provisioned."),
    key("initialLeaseTableWriteCapacity", COUNT, "10", "Its write capacity, if it is provisioned."),
    key("leaseTableDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("leaseTablePitrEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    key("leaseTableScanTotalSegments", COUNT, "chosen by size", "The number of segments of a parallel scan of it."),
    key("migrateAllEntitiesToLeaseTable", Kind::PrimitiveFlag, "false", "Moves the other two tables into it."),
    key(
        "tableMigrationCompleteBakeTimeSeconds",
        Kind::Primitive(3_600..=604_800),
        "86400",
        "How long that can be undone.",
    ),
    // The other two tables, which applications have that were created before KCL 3.5.
    key("coordinatorStateTableName", Kind::TableName, "applicationName-CoordinatorState", "The leader's table."),
    key("coordinatorStateBillingMode", BILLING, "PAY_PER_REQUEST", "How it is billed."),
    key("coordinatorStateReadCapacity", MILLIS, "none", "Its read capacity, if it is provisioned."),
    key("coordinatorStateWriteCapacity", MILLIS, "none", "Its write capacity, if it is provisioned."),
    key("coordinatorStatePointInTimeRecoveryEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    key("coordinatorStateDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("coordinatorStateTags", Kind::Tags, "none", "Its tags."),
    key(
        "workerMetricsTableName",
        Kind::TableName,
        "applicationName-WorkerMetricStats",
        "The table of the workers' loads.",
    ),
    key("workerMetricsBillingMode", BILLING, "PAY_PER_REQUEST", "How it is billed."),
    key("workerMetricsReadCapacity", MILLIS, "none", "Its read capacity, if it is provisioned."),
    key("workerMetricsWriteCapacity", MILLIS, "none", "Its write capacity, if it is provisioned."),
    key("workerMetricsPointInTimeRecoveryEnabled", Kind::Flag, "false", "Keeps point-in-time backups of it."),
    key("workerMetricsDeletionProtectionEnabled", Kind::Flag, "false", "Protects it against deletion."),
    key("workerMetricsTags", Kind::Tags, "none", "Its tags."),
    // Balancing by load.
    key("disableWorkerMetrics", Kind::Flag, "false", "Balances without looking at the workers' CPU."),
    key("inMemoryWorkerMetricsCaptureFrequencyMillis", MILLIS, "1000", "How often the load is measured."),
    key("workerMetricsReporterFreqInMillis", MILLIS, "30000", "How often it is written to the table."),
    key("noOfPersistedMetricsPerWorkerMetrics", COUNT, "10", "The number of measurements that are kept."),
    key(
        "maxThroughputPerHostKBps",
        Kind::Decimal(0.001, f64::MAX),
        "no limit",
        "The most throughput that a worker is assigned.",
    ),
    key("dampeningPercentage", Kind::Primitive(1..=100), "60", "The part of an imbalance that is corrected at a time."),
    key("reBalanceThresholdPercentage", Kind::Primitive(1..=100), "10", "The imbalance that is tolerated."),
    key("allowThroughputOvershoot", Kind::Flag, "true", "Moves a shard even if its load is more than needed."),
    key("varianceBalancingFrequency", COUNT, "3", "Balances in every Nth assignment of leases."),
    key("workerMetricsEMAAlpha", Kind::Decimal(0.000_001, 1.0), "0.5", "The weight of the newest measurement."),
    key(
        "staleWorkerMetricsEntryCleanupDuration",
        Kind::Duration,
        "P1D",
        "The time after which the entry of a vanished worker is deleted.",
    ),
    // CloudWatch.
    key(
        "metricsLevel",
        Kind::Word(&["DETAILED", "NONE", "SUMMARY"]),
        "DETAILED",
        "The metrics that are sent to CloudWatch.",
    ),
    key("metricsBufferTimeMillis", MILLIS, "10000", "How long measurements may be buffered."),
    key("metricsMaxQueueSize", COUNT, "10000", "How many measurements may be buffered."),
    key("metricsEnabledDimensions", Kind::Names, "ALL", "The dimensions that are sent."),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_is_listed_once() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name.to_ascii_lowercase()).collect();
        names.sort();
        let all = names.len();
        names.dedup();
        assert_eq!(names.len(), all);
    }

    #[test]
    fn newer_keys_have_a_release() {
        let since = |name| find(name).and_then(Key::since);
        assert_eq!(since("migrateAllEntitiesToLeaseTable"), Some("3.5"));
        assert_eq!(since("workerMetricsTags"), Some("3.0"));
        assert_eq!(since("streamName"), None);
        for start in SINCE.iter().flat_map(|(_, starts)| *starts) {
            assert!(KEYS.iter().any(|key| key.name.starts_with(start)), "{start}");
        }
    }

    #[test]
    fn the_daemon_ignores_the_case_of_one_prefix_only() {
        assert_eq!(find("awsCREDENTIALSproviderDynamoDB").map(|key| key.name), Some("AwsCredentialsProviderDynamoDB"));
        assert!(find("awsCredentialsProviderDynamodb").is_none());
        assert!(find("streamname").is_none());
    }

    #[test]
    fn the_nearest_key_is_suggested_unless_it_is_too_far() {
        assert_eq!(nearest("streamname").map(|key| key.name), Some("streamName"));
        assert_eq!(nearest("failoverTimeMilis").map(|key| key.name), Some("failoverTimeMillis"));
        assert!(nearest("colour").is_none());
    }
}
