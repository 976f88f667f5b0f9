//! `cargo kcl check`, as users and their CI run it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc::channel;
use std::time::Duration;
use std::{fs, str, thread};

/// How long a test waits for something that should happen soon.
const PATIENCE: Duration = Duration::from_secs(30);

fn check(arguments: &[&str], folder: &Path) -> Output {
    let tool = tests::build(&["--package", "cargo-kcl"]);
    Command::new(tool).arg("check").args(arguments).current_dir(folder).output().expect("the tool starts")
}

#[test]
fn the_exit_code_tells_whether_there_are_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let clean = "executableName = sh\nstreamName = words\napplicationName = words\n\
                 AwsCredentialsProvider = DefaultCredentialsProvider\nshutdownGraceMillis = 20000\n";
    fs::write(folder.path().join("clean.properties"), clean).expect("it can be written");
    fs::write(folder.path().join("odd.properties"), clean.replace("streamName", "streamname"))
        .expect("it can be written");

    let clean = check(&["clean.properties"], folder.path());
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");

    let odd = check(&["clean.properties", "odd.properties"], folder.path());
    assert_eq!(odd.status.code(), Some(1), "{odd:?}");
    let stderr = str::from_utf8(&odd.stderr).expect("stderr is UTF-8");
    assert!(stderr.contains("odd.properties:2: error: unknown key `streamname`\n"), "{stderr}");
    assert!(stderr.contains("  fix: write `streamName`"), "{stderr}");

    let none = check(&["none.properties"], folder.path());
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}

#[test]
fn the_list_shows_every_key_on_stdout() {
    let list = check(&["--list"], Path::new("."));
    assert_eq!(list.status.code(), Some(0), "{list:?}");
    let keys = str::from_utf8(&list.stdout).expect("it is text").lines().filter(|line| !line.starts_with(' '));
    assert!(keys.count() > 80);
}

/// A program that leaves a child behind, which holds its stdout.
const SILENT: &str = r#"#!/bin/sh
# It does not answer KCL_DESCRIBE.
(sleep 60; echo late >&3) 3> "${0%/*}/fifo" &
"#;

#[test]
fn a_processor_that_does_not_describe_itself_is_named_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let [processor, fifo] = ["processor", "fifo"].map(|name| folder.path().join(name));
    fs::write(&processor, SILENT).expect("it can be written");
    fs::set_permissions(&processor, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("mkfifo starts").success());
    // It ends with the last process that can write.
    let (ended, end) = channel();
    thread::spawn(move || ended.send(fs::read_to_string(fifo).expect("it can be read")));
    let properties = format!(
        "executableName = {}\nstreamName = words\napplicationName = words\nshutdownGraceMillis = 20000\n\
         AwsCredentialsProvider = DefaultCredentialsProvider\n",
        processor.display()
    );
    fs::write(folder.path().join("words.properties"), properties).expect("it can be written");
    let checked = check(&["words.properties"], folder.path());
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let stderr = str::from_utf8(&checked.stderr).expect("stderr is UTF-8");
    assert!(stderr.contains("processor` did not say in 5 s what it needs (KCL_DESCRIBE=1)"), "{stderr}");
    assert_eq!(end.recv_timeout(PATIENCE).as_deref(), Ok(""));
}

/// A processor that describes itself as one with a tick and a long drain.
const DESCRIBED: &str = r#"#!/bin/sh
if [ "$KCL_DESCRIBE" = 1 ]; then
    echo '{"emptyBatches":true,"drainMillis":30000,"timeoutMillis":5000,"concurrency":64,"ahead":1,"attempts":2,"backoffMillis":1000}'
    exit 0
fi
exec cat
"#;

#[test]
fn the_properties_are_compared_with_the_processor_that_they_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let processor = folder.path().join("processor");
    fs::write(&processor, DESCRIBED).expect("it can be written");
    fs::set_permissions(&processor, fs::Permissions::from_mode(0o755)).expect("it can be made executable");
    let properties = format!(
        "executableName = {}\nstreamName = words\napplicationName = words\nshutdownGraceMillis = 20000\n\
         AwsCredentialsProvider = DefaultCredentialsProvider\ncallProcessRecordsEvenForEmptyRecordList = false\n",
        processor.display()
    );
    fs::write(folder.path().join("words.properties"), properties).expect("it can be written");

    let checked = check(&["words.properties"], folder.path());
    assert_eq!(checked.status.code(), Some(1), "{checked:?}");
    let stderr = str::from_utf8(&checked.stderr).expect("stderr is UTF-8");
    for warning in [
        "words.properties:6: warning: `callProcessRecordsEvenForEmptyRecordList` is false, but the processor needs batches without records",
        "words.properties:4: warning: `shutdownGraceMillis` is 20 s, but the processor may need 41 s",
        "`gracefulLeaseHandoffTimeoutMillis` is 30 s, its default, but the processor may need 41 s",
    ] {
        assert!(stderr.contains(warning), "{stderr}");
    }

    // The launcher sets what the processor needs, unless the user has decided otherwise.
    let tool = tests::build(&["--package", "cargo-kcl"]);
    let arguments = ["daemon", "--stream", "words", "--app", "words", "--dry-run", "--"];
    let run = Command::new(tool).args(arguments).arg(&processor).output().expect("the tool starts");
    let stdout = str::from_utf8(&run.stdout).expect("stdout is UTF-8");
    assert!(stdout.contains("callProcessRecordsEvenForEmptyRecordList = true\n"), "{run:?}");
}

#[test]
fn a_program_that_does_not_describe_itself_is_an_ordinary_processor() {
    let folder = tempfile::tempdir().expect("a folder");
    for program in ["cat", "true", "false", "yes", "no-such-program"] {
        let properties = format!(
            "executableName = {program}\nstreamName = words\napplicationName = words\nshutdownGraceMillis = 20000\n\
             AwsCredentialsProvider = DefaultCredentialsProvider\n"
        );
        fs::write(folder.path().join("words.properties"), properties).expect("it can be written");
        let checked = check(&["words.properties"], folder.path());
        let stderr = str::from_utf8(&checked.stderr).expect("stderr is UTF-8");
        assert!(!stderr.contains("but the processor"), "{program}: {stderr}");
    }
}
