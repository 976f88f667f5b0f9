//! Processors that break the protocol: the tool explains errors that the real daemon ignores silently.

use crate::harness::{Ended, Place};

/// Runs a processor that answers `initialize`, then does this instead of sending a status for `processRecords`.
fn run(rogue: &str) -> Ended {
    let script = format!(
        r#"read -r line; echo '{{"action":"status","responseFor":"initialize"}}'
           read -r line; {rogue}
           while read -r line; do :; done"#
    );
    Place::with_input("one\ntwo\n").run_script(&[], &script)
}

#[test]
fn an_invalid_reply_is_explained() {
    const SKIPPED: &str = "in production: the MultiLangDaemon silently skips ";
    const STDOUT: &str = "fix: stdout carries only replies; print to stderr instead";
    const FIELDS: &str = "fix: a status has `action` and `responseFor`, a checkpoint `action`, `sequenceNumber`";
    for (rogue, says) in [
        ("echo hello", ["not JSON", "`hello`", SKIPPED]),
        ("printf '\\n \\nhello\\n'", ["not JSON", "`hello`", SKIPPED]),
        ("echo 42", ["JSON, but not an object", "`42`", SKIPPED]),
        ("echo '{\"action\":\"status\"'", ["not JSON", SKIPPED, STDOUT]),
        ("echo '{\"level\":\"info\"}'", ["a JSON object without an `action`", SKIPPED, STDOUT]),
        ("echo '{\"action\":\"done\"}'", ["the unknown action `done`", SKIPPED, STDOUT]),
        (
            "echo '{\"action\":\"status\",\"responseFor\":\"processRecords\",\"at\":1}'",
            ["`status` with the unknown field `at`", SKIPPED, FIELDS],
        ),
        (
            "echo '{\"action\":\"checkpoint\",\"subSequenceNumber\":\"x\"}'",
            ["`subSequenceNumber` is not", SKIPPED, FIELDS],
        ),
        ("echo '{\"action\":\"shardEnded\"}'", ["`shardEnded`, which only the daemon sends", SKIPPED, STDOUT]),
        ("echo null", ["the JSON value `null`", "in production: the MultiLangDaemon ", STDOUT]),
    ] {
        let ended = run(rogue);
        ended.expect(1, &says);
        ended.expect(1, &["shardId-000000000000: invalid reply to processRecords: ", "line 1)", "failed"]);
    }
}

#[test]
fn text_that_is_printed_before_the_first_message_is_explained() {
    for print in ["echo hello", "printf hello"] {
        let script = format!("{print}; while read -r line; do :; done");
        Place::with_input("one\n").run_script(&[], &script).expect(
            1,
            &["invalid reply to initialize: ", "`hello`", "print to stderr instead, or after the call of `kcl::run`"],
        );
    }
}

#[test]
fn text_without_a_line_feed_is_explained_at_once() {
    run("printf hello").expect(1, &["text without a line feed: `hello`", "in production: the MultiLangDaemon waits"]);
    run("printf '{\"action\":'; exit").expect(1, &["text without a line feed: `{\"action\":`"]);
}

#[test]
fn a_status_for_something_else_is_explained() {
    run(r#"echo '{"action":"status","responseFor":"initialize"}'"#)
        .expect(1, &["the status is for `initialize`, but the message was processRecords", "with exit code 1", "fix:"]);
    run(r#"echo '{"action":"status"}'"#).expect(1, &["`responseFor` is missing"]);
}

#[test]
fn a_shard_end_without_its_checkpoint_is_explained() {
    run(r#"echo '{"action":"status","responseFor":"processRecords"}'
           read -r line; echo '{"action":"status","responseFor":"shardEnded"}'"#)
    .expect(1, &["without a checkpoint at the shard's end", "stands at TRIM_HORIZON", "fix: before the status"]);
}

#[test]
fn checkpoints_are_answered_as_the_daemon_answers_them() {
    let place = Place::with_input("one\n");
    let script = r#"say() { echo "$1"; read -r line; echo "$line" >> answers; }
        read -r line
        say '{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}'
        say '{"action":"status","responseFor":"initialize"}'
        say '{"action":"checkpoint","sequenceNumber":"99999999999999999999999999999999999999999999999999999999"}'
        say '{"action":"checkpoint","sequenceNumber":"nonsense","subSequenceNumber":0}'
        say '{"action":"checkpoint"}'
        say '{"action":"status","responseFor":"processRecords"}'
        say '{"action":"checkpoint"}'
        echo '{"action":"status","responseFor":"shardEnded"}'"#;
    place.run_script(&[], script).expect(0, &["ended"]);
    let answers = place.read("answers");
    let errors: Vec<_> =
        answers.lines().filter_map(|line| line.split_once("\"error\":")).map(|(_, error)| error).collect();
    assert_eq!(
        errors,
        [
            "\"InvalidStateException\"}",
            "\"IllegalArgumentException\"}",
            "\"IllegalArgumentException\"}",
            "null}",
            "null}",
        ],
        "{answers}"
    );
}

#[test]
fn closing_stdout_without_an_end_is_explained() {
    run("exec >&-").expect(1, &["closed its stdin or stdout while handling processRecords", "fix: keep both open"]);
}

#[test]
fn an_end_in_the_middle_is_reported_with_its_status() {
    run("exit 0").expect(1, &["exited (exit status: 0) while handling processRecords", "(input, line 1)"]);
    run("exit 3").expect(1, &["exited (exit status: 3)"]);
    run("kill -9 $$").expect(
        1,
        &["exited (signal: 9 (SIGKILL))", "delivered again: all records after the checkpoint at TRIM_HORIZON"],
    );
}

#[test]
fn last_words_come_before_the_report() {
    let ended = run("echo 'last words' >&2; exit 1");
    ended.expect(1, &["last words\n"]);
    let (words, report) = (ended.stderr.find("last words"), ended.stderr.find("the processor exited"));
    assert!(words < report, "{}", ended.stderr);
}

#[test]
fn a_process_that_still_holds_stdout_or_stderr_is_explained() {
    for (closed, held) in [("2>/dev/null", "stdout"), (">/dev/null", "stderr")] {
        let ended = run(&format!(
            r#"echo '{{"action":"status","responseFor":"processRecords"}}'
               read -r line; echo '{{"action":"checkpoint"}}'; read -r line
               sleep 15 {closed} & echo '{{"action":"status","responseFor":"shardEnded"}}'"#
        ));
        ended.expect(
            1,
            &[&format!("a process that it started still holds its {held} open"), "waits for that process forever"],
        );
    }
}

#[test]
fn a_failure_after_the_last_message_counts() {
    run(r#"echo '{"action":"status","responseFor":"processRecords"}'
           read -r line; echo '{"action":"checkpoint"}'; read -r line
           echo '{"action":"status","responseFor":"shardEnded"}'; exit 7"#)
    .expect(1, &["the processor failed after its last message (exit status: 7)"]);
}
