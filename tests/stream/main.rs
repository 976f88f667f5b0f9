//! `cargo kcl local --stream`, on a local Kinesis.
//!
//! The emulators are started once; each test has a stream of its own there. They take Java, Maven and Node: where one is missing
//! the tests are ignored, unless `CI` is set. Of a test that failed its folder is kept, which its message names.

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

/// A test: its name, and what it does on a stream of its own.
type Test = (&'static str, fn(&Place) -> Result<(), Failed>);

/// Those that take longest come first.
const TESTS: &[Test] = &[
    ("trouble::an_emulator_that_dies_and_comes_back_is_read_on", trouble::killed_and_restarted),
    ("trouble::throttling_and_an_expired_iterator_cost_no_record", trouble::throttled_and_expired),
    ("shards::each_key_comes_in_order_over_a_split_and_a_merge", shards::split_and_merge),
    ("resume::a_run_goes_on_inside_an_aggregate", resume::inside_an_aggregate),
    ("resume::a_state_serves_one_stream_and_one_run_at_a_time", resume::one_stream_one_run),
    ("resume::what_came_between_two_runs_from_latest_is_not_lost", resume::latest_over_two_runs),
    ("shards::a_merge_waits_for_a_parent_not_heard_of_yet", shards::merged_with_an_unknown),
    ("shards::a_run_can_start_at_a_time", shards::from_a_time),
    ("shards::a_failed_processor_starts_again_from_its_checkpoint", shards::restarted),
    ("shards::the_consumer_prints_what_it_gets", shards::consumer),
    ("aggregates::they_are_taken_apart_as_the_kcl_does", aggregates::taken_apart),
    ("trouble::a_stream_that_is_deleted_ends_the_run", trouble::deleted),
    ("trouble::what_makes_no_sense_with_a_stream_is_refused", trouble::refused),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
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
