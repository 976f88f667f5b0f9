//! `cargo kcl local --stream`, against a local Kinesis.
//!
//! The emulators are started once, and each test has its own stream there. They need Java and Node. If one is missing, the
//! tests are ignored, unless `CI` is set. The folder of a failed test is kept; the test's message names it.

mod aggregates;
mod harness;
mod proxy;
mod resume;
mod shards;
mod trouble;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::emulators;

use crate::harness::Place;

/// A test: its name and its function, which gets its own stream.
type Test = (&'static str, fn(&Place) -> Result<(), Failed>);

/// The tests; the slowest come first.
const TESTS: &[Test] = &[
    ("trouble::reading_continues_after_an_emulator_is_killed_and_restarted", trouble::killed_and_restarted),
    ("trouble::throttling_and_an_expired_iterator_cost_no_record", trouble::throttled_and_expired),
    ("shards::each_key_comes_in_order_over_a_split_and_a_merge", shards::split_and_merge),
    ("resume::a_run_resumes_inside_an_aggregate", resume::inside_an_aggregate),
    ("resume::a_state_serves_one_stream_and_one_run_at_a_time", resume::one_stream_one_run),
    ("resume::records_between_two_runs_from_latest_are_not_lost", resume::latest_over_two_runs),
    ("shards::a_merge_waits_for_an_unknown_parent", shards::merged_with_an_unknown),
    ("shards::a_run_can_start_at_a_time", shards::from_a_time),
    ("shards::a_failed_processor_restarts_from_its_checkpoint", shards::restarted),
    ("shards::a_restarted_processor_gets_the_records_of_the_limit", shards::restarted_at_a_limit),
    ("shards::a_quiet_shard_gets_batches_without_records", shards::quiet),
    ("shards::the_consumer_prints_its_records", shards::consumer),
    ("aggregates::they_are_split_as_the_kcl_does", aggregates::taken_apart),
    ("trouble::a_stream_that_is_deleted_ends_the_run", trouble::deleted),
    ("trouble::options_that_do_not_fit_a_stream_are_refused", trouble::refused),
];

/// A test spends most of its time waiting for shards to be split, and for polls.
const TESTS_AT_ONCE: usize = 6;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let missing = emulators::missing_tool().filter(|_| std::env::var_os("CI").is_none());
    let trials = TESTS.iter().map(|&(name, test)| {
        Trial::test(name, move || harness::run(name, test))
            .with_kind(missing.map(|tool| format!("no {tool}")).unwrap_or_default())
            .with_ignored_flag(missing.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    emulators::end();
    conclusion.exit_code()
}
