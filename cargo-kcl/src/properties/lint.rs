//! Finding problems in a daemon's properties.
//!
//! The daemon reports little: it ignores unknown keys, treats a number that it cannot parse as 0, and drops a 0. Every property
//! that would not have the effect it states is a finding here.

use std::collections::HashMap;

use super::combinations;
use super::file::{Origin, Properties, Property};
use super::finding::Finding;
use super::keys;
use super::values;
use crate::cache::Versions;

/// All findings for a daemon of these versions, in the order of the file. Missing properties come last.
pub(crate) fn lint(properties: &Properties, versions: &Versions) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut given = HashMap::new();
    for property in properties.entries() {
        lint_property(property, versions, &mut findings);
        let key = keys::canonical(&property.key);
        if let Some(earlier) = given.insert(key.clone(), property) {
            findings.push(repetition(&key, earlier).at(property));
        }
    }
    combinations::lint(properties, versions, &mut findings);
    findings.sort_by_key(|finding| match finding.origin {
        Some(Origin::Line(line)) => (0, line),
        Some(_) => (1, 0),
        None => (2, 0),
    });
    findings
}

fn lint_property(property: &Property, versions: &Versions, findings: &mut Vec<Finding>) {
    if property.key.starts_with(BYTE_ORDER_MARK) {
        findings.push(byte_order_mark().at(property));
        return;
    }
    let Some(key) = keys::find(&property.key) else {
        findings.push(unknown_key(&property.key).at(property));
        return;
    };
    let Versions { multilang, core } = versions;
    if let Some(since) = key.since().filter(|since| !multilang.reaches(since)) {
        let finding = Finding::error(
            format!("`{}` is a key of MultiLangDaemon {since}", key.name),
            format!("the daemon that this tool runs is version {multilang} and ignores it"),
            "remove it, or run a daemon that knows it with --daemon-lock",
        );
        findings.push(finding.at(property));
    } else if core.reaches("3.5") && key.creates_other_table() {
        let finding = Finding::error(
            format!("`{}` has no effect", key.name),
            format!("KCL {core} does not create this table: it keeps everything in the lease table"),
            "remove it; a table that an earlier version created stays as it is",
        );
        findings.push(finding.at(property));
    }
    findings.extend(values::lint(key, property).map(|finding| finding.at(property)));
}

/// The byte order mark of UTF-8, read as Latin-1.
const BYTE_ORDER_MARK: &str = "\u{ef}\u{bb}\u{bf}";

fn byte_order_mark() -> Finding {
    Finding::error(
        "the file starts with a byte order mark",
        "the daemon takes it for a part of this key, and silently ignores a key that it does not know",
        "save the file as UTF-8 without a byte order mark: `sed -i '1s/^\\xef\\xbb\\xbf//' FILE`",
    )
}

fn unknown_key(name: &str) -> Finding {
    let nearest = keys::nearest(name);
    let fix = match nearest {
        Some(key) => format!("write `{}`, if you mean that", key.name),
        None => "remove it; `cargo kcl check --list` shows all keys".to_owned(),
    };
    let lower = name.to_ascii_lowercase();
    let why = match nearest {
        Some(key) if key.name.to_ascii_lowercase() == lower => {
            "keys are case-sensitive; the daemon silently ignores a key that it does not know"
        }
        _ => "the daemon silently ignores a key that it does not know",
    };
    Finding::error(format!("unknown key `{name}`"), why, fix)
}

/// The finding for a key that was given earlier.
fn repetition(key: &str, earlier: &Property) -> Finding {
    let place = match &earlier.origin {
        Origin::Line(line) => format!("line {line}"),
        Origin::Flag(flag) => format!("`{flag}`"),
        Origin::Tool => "this tool".to_owned(),
    };
    Finding::error(
        format!("`{key}` is given twice"),
        format!("{place} also gives it, and only one of the two takes effect"),
        "keep one",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::properties::finding::Level;

    /// A file without findings.
    const CLEAN: &str = "executableName = sh -c true\n\
                         applicationName = orders\n\
                         streamName = orders\n\
                         AwsCredentialsProvider = DefaultCredentialsProvider\n\
                         shutdownGraceMillis = 20000\n";

    fn findings(more: &str) -> Vec<Finding> {
        lint(&format!("{CLEAN}{more}\n"))
    }

    /// The findings for the tested daemon.
    fn lint(text: &str) -> Vec<Finding> {
        lint_for("amazon-kinesis-client-3.5.1.jar", "amazon-kinesis-client-multilang-3.1.3.jar", text)
    }

    fn lint_for(core: &str, multilang: &str, text: &str) -> Vec<Finding> {
        let versions = Versions::of([core, multilang].into_iter()).expect("both are there");
        super::lint(&Properties::parse(text.as_bytes()).expect("Java reads it"), &versions)
    }

    #[test]
    fn a_correct_file_has_no_findings() {
        for more in [
            "",
            "regionName = us-gov-west-1",
            "initialPositionInStream = trim_horizon",
            "retrievalMode = polling\nmaxRecords = 100",
            "awscredentialsprovidercloudwatch = DefaultCredentialsProvider",
            "AwsCredentialsProviderDynamoDB = StsAssumeRoleCredentialsProvider|arn:aws:iam::1:role/x|me|endpointRegion=eu-west-1",
            "AwsCredentialsProviderCloudWatch = com.example.Own",
            "kinesisEndpoint = http://127.0.0.1:4568",
            "cloudWatchClient.endpointOverride = http://127.0.0.1:1",
            "maxActiveThreads = -1",
            "maxActiveThreads = 13\nmaxLeasesForWorker = 4",
            "timeoutInSeconds = 300",
            "staleWorkerMetricsEntryCleanupDuration = P1DT2H30M",
            "coordinatorStateTableName = orders-leader",
            "leaseTablePitrEnabled = no",
            "failoverTimeMillis = 10000 ",
            "streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/orders\nregionName = eu-west-1",
        ] {
            // The case of the prefix does not matter, that of the rest does.
            let found = findings(&more.replace("providercloudwatch", "providerCloudWatch"));
            assert_eq!(found, [], "{more}");
        }
    }

    #[test]
    fn a_property_without_its_stated_effect_is_found_with_its_line_and_its_fix() {
        let sixth = Some(Origin::Line(6));
        for (line, what, fix) in [
            ("streamname = x", "unknown key `streamname`", "write `streamName`"),
            ("colour = red", "unknown key `colour`", "--list"),
            ("failoverTimeMillis = 10000 # 10 s", "is not a valid value", "write 10000 alone"),
            ("failoverTimeMillis = ten", "is not a valid value", "digits"),
            ("failoverTimeMillis = 0", "is 0", "number from 1"),
            ("failoverTimeMillis = -1", "is -1", "number from 1"),
            ("failoverTimeMillis = 500", "is 500", "1000 or more"),
            ("failoverTimeMillis =", "has no value", "remove the line"),
            ("maxRecords = 20000", "is 20000", "1 to 10000"),
            ("idleTimeBetweenReadsInMillis = 50", "is 50", "number from 200"),
            ("cleanupLeasesUponShardCompletion = false", "cannot be switched off", "remove"),
            ("leaseTablePitrEnabled = perhaps", "is not a valid value", "true or false"),
            ("leaseTablePitrEnabled = true ", "white space", "remove"),
            ("timeoutInSeconds = 5", "is 5", "30 or more"),
            ("timeoutInSeconds = 0", "is 0", "number from 1"),
            ("maxActiveThreads = 3", "enough for 0 shards", "remove it"),
            ("maxActiveThreads = 7", "enough for 2 shards", "maxLeasesForWorker = 2"),
            ("initialPositionInStream = AT_TIMESTAMP", "is not a valid value", "initialPositionInStreamExtended"),
            ("initialPositionInStream = TRIMHORIZON", "is not a valid value", "write TRIM_HORIZON"),
            ("initialPositionInStreamExtended = 1636609142000", "is 1636609142000", "divide it by 1000"),
            ("regionName = us-esat-1", "not a known region", "us-east-1"),
            ("regionName = Frankfurt", "is not a region", "us-east-1"),
            ("kinesisEndpoint = localhost:4567", "is not the URL", "http://HOST:PORT"),
            ("workerId = \"me\"", "is in quotes", "write me"),
            ("applicationName = ab", "is given twice", "keep one"),
            ("tableName = a", "has 1 character", "another name"),
            ("tableName = a/b", "'/' cannot be part", "another name"),
            ("streamArn = arn:aws:kinesis:x:1:stream/a", "is not the ARN", "12 digits"),
            ("streamArn = arn:aws:kinesis:eu-west-1:123456789012:stream/b", "`streamArn` names `b`", "keep one"),
            (
                "AwsCredentialsProviderDynamoDB = DefaultAWSCredentialsProviderChain",
                "no credentials provider",
                "write Default",
            ),
            ("AwsCredentialsProviderDynamoDB = StsAssumeRoleCredentialsProvider", "needs a role", "ROLE_ARN"),
            ("metricsLevel = LOUD", "is not a valid value", "SUMMARY"),
            ("shardPrioritization = x", "cannot be set", "remove"),
            ("workerMetricsTags = a=b", "has no effect", "remove it"),
            ("coordinatorStateReadCapacity = 5", "has no effect", "remove it"),
            ("staleWorkerMetricsEntryCleanupDuration = 5 minutes", "is not a valid value", "PT30M"),
            ("workerMetricsEMAAlpha = 7", "is 7", "decimal"),
            ("leaseTableScanTotalSegments = 4", "MultiLangDaemon 3.5", "--daemon-lock"),
            ("migrateAllEntitiesToLeaseTable = true", "MultiLangDaemon 3.5", "--daemon-lock"),
            ("tableMigrationCompleteBakeTimeSeconds = 7200", "MultiLangDaemon 3.5", "--daemon-lock"),
            ("processingLanguage = r\u{fc}st", "not ASCII", "uXXXX"),
            ("workerId = ${HOSTNAME}-1", "the value of `workerId` contains `${HOSTNAME}`", "write the value itself"),
            ("tableName = ${TABLE", "the value of `tableName` contains `${TABLE`", "write the value itself"),
        ] {
            let found = findings(line);
            let hit = found.iter().find(|finding| {
                finding.what.contains(what) && finding.fix.contains(fix)
                    || finding.what.contains(what) && fix.is_empty()
            });
            // A contradiction to an earlier line is reported where it is easiest to fix.
            let hit = hit.unwrap_or_else(|| panic!("{line}: {found:#?}"));
            assert!(hit.origin == sixth || hit.origin == Some(Origin::Line(3)), "{line}: {hit:?}");
        }
    }

    #[test]
    fn keys_are_judged_by_the_multilang_version_and_tables_by_the_core_version() {
        let [v2, v3, v35] = ["2.5.4", "3.1.3", "3.5.1"];
        for (multilang, core, line, finding) in [
            (v3, v35, "leaseTableScanTotalSegments = 4", Some("is a key of MultiLangDaemon 3.5")),
            (v35, v35, "leaseTableScanTotalSegments = 4", None),
            (v3, v3, "coordinatorStateTags = a=b", None),
            (v3, v3, "workerMetricsTags = a", Some("is not a tag")),
            (v3, v3, "coordinatorStateReadCapacity = 5", Some("has no effect")),
            (v3, v3, "coordinatorStateBillingMode = PROVISIONED", Some("is missing")),
            (v3, v35, "coordinatorStateTags = a=b", Some("has no effect")),
            (v2, v2, "coordinatorStateTags = a=b", Some("is a key of MultiLangDaemon 3.0")),
            (v2, v2, "regionName = eu-west-1", Some("is a key of MultiLangDaemon 2.7")),
        ] {
            let jars = (
                format!("amazon-kinesis-client-{core}.jar"),
                format!("amazon-kinesis-client-multilang-{multilang}.jar"),
            );
            let found = lint_for(&jars.0, &jars.1, &format!("{CLEAN}{line}\n"));
            assert_eq!(
                found.first().map(|found| found.level),
                finding.map(|_| Level::Error),
                "{multilang} {core} {line}"
            );
            assert!(found.iter().all(|found| found.what.contains(finding.unwrap_or_default())), "{found:#?}");
        }
    }

    #[test]
    fn a_command_for_a_shell_is_found() {
        for (command, what, fix) in [
            ("sh -c \"exec app\"", "contains quotes", "a small script"),
            ("sh -c 'exec app'", "contains quotes", "a small script"),
            ("RUST_LOG=info target/app", "sets a variable, as for a shell", "a small script"),
            ("sh -c exec > log", "contains `>`, as for a shell", "small script"),
            ("sh 2>log", "contains `2>log`", "small script"),
            ("sh 2>&1", "contains `2>&1`", "small script"),
            ("sh | tee log", "contains `|`", "small script"),
            ("cd /app && ./run", "contains `&&`", "small script"),
            ("sh; sh", "contains `sh;`", "small script"),
            ("sh &", "contains `&`", "small script"),
            ("sh < input", "contains `<`", "small script"),
            ("sh $HOME/app", "contains `$HOME/app`", "small script"),
            ("sh -c $(which app)", "contains `$(which`", "small script"),
            ("sh `which app`", "contains ``which`", "small script"),
            ("~/app", "contains `~/app`", "small script"),
            ("sh ${APP}", "contains `${APP}`", "write the value itself"),
            ("sh # the processor", "contains a comment", "on its own line"),
        ] {
            let text = CLEAN.replace("sh -c true", command);
            let found = lint(&text);
            assert_eq!(found.len(), 1, "{command}: {found:#?}");
            assert!(found[0].what.contains(what) && found[0].fix.contains(fix), "{command}: {found:#?}");
            assert_eq!(found[0].origin, Some(Origin::Line(1)));
        }
        for command in ["sh http://host/?a=1&b=2;c#d", "sh a|b 5$ --price=$5"] {
            let text = CLEAN.replace("sh -c true", command);
            assert_eq!(lint(&text), [], "{command}");
        }
    }

    #[test]
    fn a_byte_order_mark_is_found() {
        for text in [format!("\u{feff}{CLEAN}"), format!("\u{feff}# a comment\n{CLEAN}"), format!("\u{feff}\n{CLEAN}")]
        {
            let found = lint(&text);
            assert_eq!(found[0].what, "the file starts with a byte order mark", "{text}");
            assert_eq!(found[0].origin, Some(Origin::Line(1)));
        }
    }

    #[test]
    fn each_of_many_unknown_keys_is_found() {
        let names = (0..10_000).map(|number| format!("unknownNumber{number}.leaseTable = 1\n"));
        let text: String = names.collect();
        assert_eq!(findings(&text).len(), 10_000);
    }

    #[test]
    fn a_missing_property_is_found() {
        for (key, what) in [
            ("executableName", "`executableName` is missing"),
            ("applicationName", "`applicationName` is missing"),
            ("streamName", "neither `streamName` nor `streamArn`"),
            ("AwsCredentialsProvider", "`AwsCredentialsProvider` is missing"),
            ("shutdownGraceMillis", "`shutdownGraceMillis` is missing"),
        ] {
            let text: String =
                CLEAN.lines().filter(|line| !line.starts_with(key)).map(|line| format!("{line}\n")).collect();
            let found = lint(&text);
            assert!(
                matches!(&found[..], [finding] if finding.what.contains(what) && finding.origin.is_none()),
                "{found:#?}"
            );
        }
    }

    #[test]
    fn the_processor_must_exist_and_be_executable() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("plain"), "").expect("a file can be written");
        std::fs::write(path("with space"), "").expect("a file can be written");
        for (command, what) in [
            (path("none"), "there is no processor"),
            (path("plain"), "is not executable"),
            (path(""), "is a directory"),
            (path("with space"), "contains spaces"),
            ("\"/bin/sh\" -c true".to_owned(), "contains quotes"),
        ] {
            let text = CLEAN.replace("sh -c true", &command);
            let found = lint(&text);
            assert!(matches!(&found[..], [finding] if finding.what.contains(what)), "{command}: {found:#?}");
        }
    }

    #[test]
    fn a_finding_shows_its_place() {
        let text = findings("colour = red").first().expect("a finding").in_file("app.properties");
        let text = text.text(false);
        assert!(text.starts_with("app.properties:6: error: unknown key `colour`\n  why: "), "{text}");
        assert!(text.contains("\n  fix: "), "{text}");
    }
}
