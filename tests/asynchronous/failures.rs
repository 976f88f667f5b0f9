//! Every policy for records that fail, with methods that wait.

use kcl::FailureAction;

use super::*;

fn after_batch(numbers: std::ops::RangeInclusive<u64>) -> Vec<String> {
    let mut seen: Vec<_> = numbers.clone().map(|number| format!("record {number}")).collect();
    seen.push(format!("batch of {}", numbers.count()));
    seen
}

#[test]
fn records_are_awaited_one_after_the_other() {
    let ran = run::<Plain>(plan([]), &[INITIALIZE, &batch(1..=3), OK, &batch(4..=5), OK, SHARD_ENDED, OK, LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, ALL, DONE, ALL, DONE, ALL, &status("shardEnded"), &status("leaseLost")]);
    let mut seen = after_batch(1..=3);
    seen.extend(["record 4", "record 5", "batch of 2", "shardEnded", "leaseLost"].map(str::to_owned));
    assert_eq!(ran.seen, seen);
    ran.result.expect("no error");
}

#[test]
fn a_failure_checkpoints_the_records_before_it_and_acknowledges_nothing() {
    for (step, text) in [(Step::Fail, "failed: it broke"), (Step::Panic, "panicked: it broke")] {
        let ran = run::<Plain>(plan([("record 2", step)]), &[INITIALIZE, &batch(1..=3), OK]);
        assert_eq!(ran.replies, [INITIALIZED, &at(1)]);
        let error = ran.result.expect_err("it failed");
        assert_eq!(error.exit_code(), 1);
        assert_eq!(
            error.to_string(),
            format!("shard shardId-000000000007: processRecords {text}; at record 2/0 with partition key `key-2`")
        );
    }
}

struct Retrying;

impl Kind for Retrying {
    const POLICY: FailurePolicy = FailurePolicy::new()
        .retry(2)
        .backoff(Duration::from_millis(1), Duration::from_millis(2))
        .on_failure(FailureAction::DeadLetter);
}

#[test]
fn a_record_is_retried_and_then_dead_lettered() {
    let steps = plan([
        ("record 2", Step::Fail),
        ("record 2", Step::Panic),
        ("record 2", Step::Fail),
        ("record 3", Step::Panic),
    ]);
    let ran = run::<Retrying>(steps, &[INITIALIZE, &batch(1..=3), OK]);
    assert_eq!(ran.replies, [INITIALIZED, ALL, DONE]);
    assert_eq!(
        ran.seen,
        ["record 1", "record 2", "record 2", "record 2", "letter 2: it broke", "record 3", "record 3", "batch of 3"]
    );
    ran.result.expect("no error");
}

#[test]
fn a_dead_letter_that_fails_is_a_failure() {
    let fails = [("record 1", Step::Fail), ("record 1", Step::Fail), ("record 1", Step::Fail)];
    let steps = plan([fails[0], fails[1], fails[2], ("letter 1: it broke", Step::Panic)]);
    let ran = run::<Retrying>(steps, &[INITIALIZE, &batch(1..=2)]);
    assert_eq!(ran.replies, [INITIALIZED]);
    let error = ran.result.expect_err("it failed").to_string();
    assert!(error.contains("it could not be dead-lettered: panicked: it broke"), "{error}");
}

struct Skipping;

impl Kind for Skipping {
    const POLICY: FailurePolicy = FailurePolicy::new().on_failure(FailureAction::Skip);
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(20));
}

#[test]
fn an_attempt_that_takes_too_long_is_cancelled_and_has_failed() {
    // Also if a destructor panics then.
    for step in [Step::Hang, Step::HangAndPanic] {
        let ran = run::<Skipping>(plan([("record 2", step)]), &[INITIALIZE, &batch(1..=3), OK]);
        assert_eq!(ran.replies, [INITIALIZED, ALL, DONE]);
        assert_eq!(ran.seen, ["record 1", "record 2", "cancelled", "record 3", "batch of 3"]);
        ran.result.expect("no error");
    }
}

struct Impatient;

impl Kind for Impatient {
    const TIMEOUT: Option<Duration> = Some(Duration::from_millis(20));
}

#[test]
fn the_time_of_an_attempt_counts_for_each_record() {
    // Each record takes at least a millisecond.
    let ran = run::<Impatient>(plan([("record 100", Step::Hang)]), &[INITIALIZE, &batch(1..=100), OK]);
    assert_eq!(ran.replies, [INITIALIZED, &at(99)]);
    let error = ran.result.expect_err("it failed").to_string();
    assert_eq!(
        error,
        "shard shardId-000000000007: processRecords failed: cancelled after its `timeout` of 20ms; at record 100/0 with partition \
         key `key-100`"
    );
}

#[test]
fn other_methods_fail_like_blocking_ones() {
    for (message, event) in
        [(SHARD_ENDED, "shardEnded"), (SHUTDOWN_REQUESTED, "shutdownRequested"), (LEASE_LOST, "leaseLost")]
    {
        let steps: Box<dyn Fn(&str) -> Step> = Box::new(move |at| if at == event { Step::Panic } else { Step::Done });
        let ran = run::<Plain>(steps, &[INITIALIZE, message]);
        assert_eq!(ran.replies, [INITIALIZED]);
        let error = ran.result.expect_err("it failed").to_string();
        assert_eq!(error, format!("shard shardId-000000000007: {event} panicked: it broke"));
    }
}
