//! Properties that do not fit the processor, as it describes itself.

use std::ffi::OsString;
use std::time::Duration;

use super::file::Properties;
use super::finding::Finding;
use crate::process::description::Description;
use crate::process::program::find;
use crate::report;

/// The daemon's key for messages without records.
pub(crate) const EMPTY_BATCHES: &str = "callProcessRecordsEvenForEmptyRecordList";

/// The daemon's default for the time that a processor gets before its lease moves to another worker.
const HANDOFF_MILLIS: u64 = 30_000;

/// Asks the processor that the properties name for its description.
pub(crate) fn ask(properties: &Properties) -> Option<Description> {
    let mut parts = properties.get("executableName")?.split(' ').filter(|part| !part.is_empty()).map(OsString::from);
    let program = find(&parts.next()?)?;
    Description::ask(&[program.into_os_string()].into_iter().chain(parts).collect::<Vec<_>>())
}

/// The findings about properties for a processor with this description.
pub(crate) fn lint(properties: &Properties, description: &Description) -> Vec<Finding> {
    let mut findings = Vec::new();
    empty_batches(properties, description, &mut findings);
    grace(properties, description, &mut findings);
    timeout(properties, description, &mut findings);
    findings
}

fn empty_batches(properties: &Properties, description: &Description, findings: &mut Vec<Finding>) {
    let given = properties.property(EMPTY_BATCHES);
    if !description.empty_batches || given.is_some_and(|given| given.value.trim().eq_ignore_ascii_case("true")) {
        return;
    }
    let what = match given {
        Some(given) => format!("`{EMPTY_BATCHES}` is {}, but the processor needs batches without records", given.value),
        None => format!("`{EMPTY_BATCHES}` is missing, but the processor needs batches without records"),
    };
    let finding = Finding::warning(
        what,
        "on a quiet shard, its tick is not called and its last records are not checkpointed, because the daemon sends no message",
        format!("write {EMPTY_BATCHES} = true"),
    );
    findings.push(match given {
        Some(given) => finding.at(given),
        None => finding,
    });
}

/// Compares what a shutdown can take with the time that the daemon gives.
fn grace(properties: &Properties, description: &Description, findings: &mut Vec<Finding>) {
    let Some(drain) = description.drain_millis.map(Duration::from_millis) else { return };
    let record = description.longest_record().unwrap_or_default();
    let longest = drain.saturating_add(record);
    let parts = match description.longest_record() {
        Some(record) => {
            format!(
                "up to {} for a record, and then a `drain` of {}",
                report::duration(record),
                report::duration(drain)
            )
        }
        None => format!("a `drain` of {}", report::duration(drain)),
    };
    // If the first is 0 or missing, there is another finding.
    for (key, default) in [("shutdownGraceMillis", None), ("gracefulLeaseHandoffTimeoutMillis", Some(HANDOFF_MILLIS))] {
        let given = properties.property(key);
        let millis = given.map_or(default, |given| given.value.trim().parse().ok()).filter(|&millis| millis > 0);
        let Some(grace) = millis.map(Duration::from_millis).filter(|&grace| grace < longest) else { continue };
        let by_default = if given.is_none() { ", its default" } else { "" };
        let finding = Finding::warning(
            format!(
                "`{key}` is {}{by_default}, but the processor may need {}",
                report::duration(grace),
                report::duration(longest)
            ),
            format!("its shutdown takes {parts}; after the time is up, the last records are delivered again"),
            format!("write {key} = {}, or make `drain`, `timeout` or `retry` smaller", longest.as_millis()),
        );
        findings.push(match given {
            Some(given) => finding.at(given),
            None => finding,
        });
    }
}

/// Compares the longest time without a status with the time after which the daemon ends itself.
fn timeout(properties: &Properties, description: &Description, findings: &mut Vec<Finding>) {
    let Some(property) = properties.property("timeoutInSeconds") else { return };
    let limit = property.value.trim().parse().ok().filter(|&seconds| seconds > 0).map(Duration::from_secs);
    let drain = description.drain_millis.map(Duration::from_millis).unwrap_or_default();
    let (Some(limit), Some(record)) = (limit, description.longest_record()) else { return };
    let longest = record.max(drain);
    if limit <= longest {
        findings.push(
            Finding::warning(
                format!(
                    "`timeoutInSeconds` is {}, but the processor may need {}",
                    property.value,
                    report::duration(longest)
                ),
                "a record that takes its time ends the whole daemon, with all its shards",
                format!("set it to more than {}, or make `timeout` or `retry` smaller", longest.as_secs()),
            )
            .at(property),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, description: Description) -> Vec<String> {
        let properties = Properties::parse(file.as_bytes()).expect("Java reads it");
        lint(&properties, &description)
            .into_iter()
            .map(|finding| format!("{}; {}", finding.what, finding.fix))
            .collect()
    }

    #[test]
    fn a_tick_needs_batches_without_records() {
        let ticks = Description { empty_batches: true, ..Description::default() };
        assert!(findings("", ticks)[0].contains("is missing, but"));
        assert!(findings("callProcessRecordsEvenForEmptyRecordList = false", ticks)[0].contains("is false, but"));
        assert!(findings("callProcessRecordsEvenForEmptyRecordList = true", ticks).is_empty());
        assert!(findings("", Description::default()).is_empty());
    }

    #[test]
    fn the_daemon_gives_the_time_that_a_shutdown_takes() {
        let slow = Description {
            drain_millis: Some(10_000),
            timeout_millis: Some(5_000),
            attempts: Some(4),
            backoff_millis: Some(5_000),
            ..Description::default()
        };
        let short = findings("shutdownGraceMillis = 20000\ntimeoutInSeconds = 20\n", slow);
        assert_eq!(
            short,
            [
                "`shutdownGraceMillis` is 20 s, but the processor may need 35 s; write shutdownGraceMillis = 35000, or make `drain`, \
                 `timeout` or `retry` smaller",
                "`gracefulLeaseHandoffTimeoutMillis` is 30 s, its default, but the processor may need 35 s; write \
                 gracefulLeaseHandoffTimeoutMillis = 35000, or make `drain`, `timeout` or `retry` smaller",
                "`timeoutInSeconds` is 20, but the processor may need 25 s; set it to more than 25, or make `timeout` or `retry` smaller",
            ]
        );
        let enough = "shutdownGraceMillis = 35000\ngracefulLeaseHandoffTimeoutMillis = 40000\ntimeoutInSeconds = 60\n";
        assert!(findings(enough, slow).is_empty());
        // Without a timeout, only the drain is known.
        let drains = Description { drain_millis: Some(10_000), ..Description::default() };
        assert_eq!(findings("shutdownGraceMillis = 5000\n", drains).len(), 1);
        assert!(findings("shutdownGraceMillis = 20000\n", drains).is_empty());
    }
}
