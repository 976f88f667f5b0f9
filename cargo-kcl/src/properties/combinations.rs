//! What is missing, and what does not go together.

use super::file::{Properties, Property};
use super::lint::Finding;
use super::values::arn_parts;

/// Threads the daemon keeps busy for itself, and for each shard: one writes, one reads the replies, one reads stderr.
const DAEMON_THREADS: i64 = 1;
const SHARD_THREADS: i64 = 3;

const POLLING_KEYS: [&str; 5] = [
    "maxRecords",
    "idleTimeBetweenReadsInMillis",
    "retryGetRecordsInSeconds",
    "maxGetRecordsThreadPool",
    "millisBehindLatestThresholdForReducedTps",
];

pub(crate) fn lint(properties: &Properties, findings: &mut Vec<Finding>) {
    missing(properties, findings);
    grace(properties, findings);
    stream(properties, findings);
    position(properties, findings);
    retrieval(properties, findings);
    threads(properties, findings);
    worker(properties, findings);
    capacities(properties, findings);
    timing(properties, findings);
}

fn number(properties: &Properties, key: &str) -> Option<i64> {
    properties.get(key)?.trim().parse().ok()
}

fn missing(properties: &Properties, findings: &mut Vec<Finding>) {
    let required = [
        ("executableName", "the daemon has nothing to run", "give it the processor's command"),
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
    for (key, why, mend) in required {
        if properties.get(key).is_none() {
            findings.push(Finding::error(format!("`{key}` is missing"), why, mend));
        }
    }
}

fn grace(properties: &Properties, findings: &mut Vec<Finding>) {
    let why = "without a grace period processors get no shutdownRequested when the daemon is stopped: they cannot checkpoint, \
               and their last records are delivered again";
    let mend = "write shutdownGraceMillis = 20000";
    match properties.property("shutdownGraceMillis") {
        None => findings.push(Finding::warning("`shutdownGraceMillis` is missing", why, mend)),
        Some(property) if number(properties, "shutdownGraceMillis") == Some(0) => {
            findings.push(Finding::warning("`shutdownGraceMillis` is 0", why, mend).at(property));
        }
        Some(_) => {}
    }
}

fn stream(properties: &Properties, findings: &mut Vec<Finding>) {
    let name = properties.property("streamName");
    let Some(arn) = properties.property("streamArn") else {
        if name.is_none() {
            findings.push(Finding::error(
                "neither `streamName` nor `streamArn` is there",
                "the daemon has nothing to read",
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
                "the daemon asks the region of `regionName` for the stream",
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
                "`initialPositionInStream` and `initialPositionInStreamExtended` are both there",
                "one of the two counts, and which one is not settled",
                "keep one",
            )
            .at(&second),
        );
    }
    // Thirteen digits are milliseconds, or the year 33658.
    if let Some(property) = properties.property("initialPositionInStreamExtended")
        && number(properties, "initialPositionInStreamExtended").is_some_and(|seconds| seconds > 100_000_000_000)
    {
        findings.push(
            Finding::error(
                format!("`initialPositionInStreamExtended` is {}", property.value),
                "it counts seconds, and that many end in a far future",
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
                    "it belongs to polling",
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
                "it belongs to enhanced fan-out; setting a key of polling alone makes the daemon poll",
                "remove it, or write retrievalMode = FANOUT and remove the keys of polling",
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
                format!("`applicationName` has {} characters", name.value.len()),
                "it names the stream consumer of enhanced fan-out too, and that has at most 128",
                "give fanoutConfig.consumerName a shorter one",
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
    let mend = match wanted {
        Some(wanted) => {
            format!("give it {} or more, or leave it out", wanted.saturating_mul(SHARD_THREADS) + DAEMON_THREADS)
        }
        None if shards > 0 => format!("leave it out, or write maxLeasesForWorker = {shards} as well"),
        None => "leave it out".to_owned(),
    };
    findings.push(
        Finding::error(
            format!("`maxActiveThreads` is {threads}: enough for {shards} shards"),
            "a shard takes three threads and the daemon one; a shard beyond that waits for ever",
            mend,
        )
        .at(property),
    );
}

fn worker(properties: &Properties, findings: &mut Vec<Finding>) {
    if let Some((_, second)) = both(properties, "workerId", "workerIdentifier") {
        findings.push(
            Finding::error(
                "`workerId` and `workerIdentifier` are both there",
                "they are the same, and which one counts is not settled",
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
                        "the table is paid by request",
                        format!("remove it, or write {table}BillingMode = PROVISIONED"),
                    )
                    .at(property),
                ),
                None if provisioned => findings.push(Finding::error(
                    format!("`{key}` is missing"),
                    format!("`{table}BillingMode` is PROVISIONED, and the table cannot be made without a capacity"),
                    "give it a number from 1",
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
                "a worker that pauses for that long, to collect garbage say, loses all its shards",
                "give it 1000 or more; the default is 10000",
            )
            .at(property),
        );
    }
}
