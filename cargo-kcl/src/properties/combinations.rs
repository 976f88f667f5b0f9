//! Checks for missing properties, and for properties that contradict each other.

use super::file::{Properties, Property};
use super::finding::Finding;
use super::values::arn_parts;
use crate::cache::Versions;
use crate::report;

/// The threads that the daemon occupies itself, and per shard: one writes, one reads the replies, one reads stderr.
const DAEMON_THREADS: i64 = 1;
const SHARD_THREADS: i64 = 3;

const POLLING_KEYS: [&str; 5] = [
    "maxRecords",
    "idleTimeBetweenReadsInMillis",
    "retryGetRecordsInSeconds",
    "maxGetRecordsThreadPool",
    "millisBehindLatestThresholdForReducedTps",
];

pub(crate) fn lint(properties: &Properties, versions: &Versions, findings: &mut Vec<Finding>) {
    missing(properties, findings);
    grace(properties, findings);
    stream(properties, findings);
    position(properties, findings);
    retrieval(properties, findings);
    threads(properties, findings);
    worker(properties, findings);
    if versions.has_three_tables() {
        capacities(properties, findings);
    }
    timing(properties, findings);
}

fn number(properties: &Properties, key: &str) -> Option<i64> {
    properties.get(key)?.trim().parse().ok()
}

fn missing(properties: &Properties, findings: &mut Vec<Finding>) {
    let required = [
        ("executableName", "the daemon has no program to run", "set it to the processor's command"),
        (
            "applicationName",
            "the daemon cannot name its lease table",
            "write applicationName = NAME, or give --app NAME to `cargo kcl daemon`",
        ),
        (
            "AwsCredentialsProvider",
            "the daemon refuses to start without one",
            "write AwsCredentialsProvider = DefaultCredentialsProvider",
        ),
    ];
    for (key, why, fix) in required {
        if properties.get(key).is_none() {
            findings.push(Finding::error(format!("`{key}` is missing"), why, fix));
        }
    }
}

fn grace(properties: &Properties, findings: &mut Vec<Finding>) {
    let why = "without a grace period processors get no shutdownRequested when the daemon is stopped: they cannot checkpoint, \
               and the last records are delivered again";
    let fix = "write shutdownGraceMillis = 20000";
    match properties.property("shutdownGraceMillis") {
        None => findings.push(Finding::warning("`shutdownGraceMillis` is missing", why, fix)),
        Some(property) if number(properties, "shutdownGraceMillis") == Some(0) => {
            findings.push(Finding::warning("`shutdownGraceMillis` is 0", why, fix).at(property));
        }
        Some(_) => {}
    }
}

fn stream(properties: &Properties, findings: &mut Vec<Finding>) {
    let name = properties.property("streamName");
    let Some(arn) = properties.property("streamArn") else {
        if name.is_none() {
            findings.push(Finding::error(
                "neither `streamName` nor `streamArn` is given",
                "the daemon has no stream to read",
                "write streamName = NAME, or give --stream NAME to `cargo kcl daemon`",
            ));
        }
        return;
    };
    let Some((region, stream)) = arn_parts(&arn.value) else { return };
    if let Some(name) = name.filter(|name| name.value != stream) {
        findings.push(
            Finding::error(
                format!("`streamName` is `{}`, but `streamArn` names `{stream}`", name.value),
                "the ARN wins",
                "keep one of the two",
            )
            .at(name),
        );
    }
    if let Some(set) = properties.property("regionName").filter(|set| set.value != region) {
        findings.push(
            Finding::error(
                format!("`regionName` is `{}`, but the stream of `streamArn` is in `{region}`", set.value),
                "the daemon looks for the stream in the region of `regionName`",
                format!("write regionName = {region}"),
            )
            .at(set),
        );
    }
}

fn both(properties: &Properties, first: &str, second: &str) -> Option<(Property, Property)> {
    Some((properties.property(first)?.clone(), properties.property(second)?.clone()))
}

fn position(properties: &Properties, findings: &mut Vec<Finding>) {
    if let Some((_, second)) = both(properties, "initialPositionInStream", "initialPositionInStreamExtended") {
        findings.push(
            Finding::error(
                "`initialPositionInStream` and `initialPositionInStreamExtended` are both given",
                "only one of the two takes effect, and which one is undefined",
                "keep one",
            )
            .at(&second),
        );
    }
    // A number of thirteen digits is in milliseconds, unless it means the year 33658.
    if let Some(property) = properties.property("initialPositionInStreamExtended")
        && number(properties, "initialPositionInStreamExtended").is_some_and(|seconds| seconds > 100_000_000_000)
    {
        findings.push(
            Finding::error(
                format!("`initialPositionInStreamExtended` is {}", property.value),
                "it is a time in seconds, and this one is in the distant future",
                "divide it by 1000: it seems to be in milliseconds",
            )
            .at(property),
        );
    }
}

fn retrieval(properties: &Properties, findings: &mut Vec<Finding>) {
    let mode = properties.get("retrievalMode").unwrap_or_default().to_ascii_uppercase();
    if mode == "FANOUT" {
        for property in POLLING_KEYS.iter().filter_map(|key| properties.property(key)) {
            findings.push(
                Finding::error(
                    format!("`{}` has no effect with `retrievalMode = FANOUT`", property.key),
                    "it is a property of polling",
                    "remove it, or write retrievalMode = POLLING",
                )
                .at(property),
            );
        }
    }
    let polls = mode == "POLLING" || (mode != "FANOUT" && POLLING_KEYS.iter().any(|key| properties.get(key).is_some()));
    for property in properties.entries().iter().filter(|property| polls && property.key.starts_with("fanoutConfig.")) {
        findings.push(
            Finding::error(
                format!("`{}` has no effect while the daemon polls", property.key),
                "it is a property of enhanced fan-out; setting any polling key makes the daemon poll",
                "remove it, or write retrievalMode = FANOUT and remove the polling keys",
            )
            .at(property),
        );
    }
    if let Some(name) = properties.property("applicationName")
        && !polls
        && name.value.len() > 128
        && properties.get("fanoutConfig.consumerName").is_none()
    {
        findings.push(
            Finding::error(
                format!("`applicationName` has {}", report::count(name.value.len() as u64, "character")),
                "it also names the stream consumer of enhanced fan-out, whose name has at most 128",
                "set fanoutConfig.consumerName to a shorter name",
            )
            .at(name),
        );
    }
}

fn threads(properties: &Properties, findings: &mut Vec<Finding>) {
    let Some(property) = properties.property("maxActiveThreads") else { return };
    let Some(threads) = number(properties, "maxActiveThreads").filter(|&threads| threads > 0) else { return };
    let shards = (threads - DAEMON_THREADS) / SHARD_THREADS;
    let wanted = number(properties, "maxLeasesForWorker").filter(|&leases| leases > 0);
    if wanted.is_some_and(|wanted| wanted <= shards) {
        return;
    }
    let fix = match wanted {
        Some(wanted) => {
            format!("set it to {} or more, or remove it", wanted.saturating_mul(SHARD_THREADS) + DAEMON_THREADS)
        }
        None if shards > 0 => format!("remove it, or write maxLeasesForWorker = {shards} as well"),
        None => "remove it".to_owned(),
    };
    findings.push(
        Finding::error(
            format!("`maxActiveThreads` is {threads}: enough for {shards} shards"),
            "a shard needs three threads and the daemon one; any further shard waits forever",
            fix,
        )
        .at(property),
    );
}

fn worker(properties: &Properties, findings: &mut Vec<Finding>) {
    if let Some((_, second)) = both(properties, "workerId", "workerIdentifier") {
        findings.push(
            Finding::error(
                "`workerId` and `workerIdentifier` are both given",
                "they mean the same, and which one takes effect is undefined",
                "keep one",
            )
            .at(&second),
        );
    }
}

fn capacities(properties: &Properties, findings: &mut Vec<Finding>) {
    for table in ["coordinatorState", "workerMetrics"] {
        let provisioned =
            properties.get(&format!("{table}BillingMode")).is_some_and(|mode| mode.eq_ignore_ascii_case("PROVISIONED"));
        for what in ["ReadCapacity", "WriteCapacity"] {
            let key = format!("{table}{what}");
            match properties.property(&key) {
                Some(property) if !provisioned => findings.push(
                    Finding::error(
                        format!("`{key}` has no effect"),
                        "the table is billed per request",
                        format!("remove it, or write {table}BillingMode = PROVISIONED"),
                    )
                    .at(property),
                ),
                None if provisioned => findings.push(Finding::error(
                    format!("`{key}` is missing"),
                    format!("`{table}BillingMode` is PROVISIONED, and the table cannot be created without a capacity"),
                    "set it to a number from 1",
                )),
                _ => {}
            }
        }
    }
}

fn timing(properties: &Properties, findings: &mut Vec<Finding>) {
    let Some(property) = properties.property("failoverTimeMillis") else { return };
    if number(properties, "failoverTimeMillis").is_some_and(|millis| (1..1_000).contains(&millis)) {
        findings.push(
            Finding::warning(
                format!("`failoverTimeMillis` is {}", property.value),
                "a worker that pauses for that long, for example for garbage collection, loses all its shards",
                "set it to 1000 or more; the default is 10000",
            )
            .at(property),
        );
    }
}
