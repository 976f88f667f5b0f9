//! Processors under the real MultiLangDaemon, on a local Kinesis and a local DynamoDB.
//!
//! `cargo kcl emulate` is started once. Each test has its own stream and application there, and runs `cargo kcl daemon` as a user
//! would. This needs Java and Node. If one of them is missing the tests are ignored, unless `CI` is set.
//!
//! Everything of a failed test is kept in a folder that the test's message names: the messages that the daemon sent and received (a
//! folder per process), its log, and the entries that the processors wrote.

mod aggregate;
mod harness;
mod leases;
mod life;
mod records;
mod recovery;
mod resharding;
mod takeover;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::emulators;

use crate::harness::Place;

/// A daemon keeps a core busy while it starts.
const DAEMONS_AT_ONCE: usize = 3;

/// A test: its name, and the function that runs it on its own stream.
type Test = (&'static str, fn(&Place) -> Result<(), Failed>);

/// The tests, the longest first.
const TESTS: &[Test] = &[
    ("records::twenty_thousand_are_seen_once_and_checkpointed", records::twenty_thousand),
    ("resharding::parents_are_finished_before_their_children_start", resharding::split_and_merge),
    ("recovery::a_stopped_daemon_resumes_where_it_stopped", recovery::stopped_in_the_middle),
    ("recovery::a_killed_processor_costs_no_record", recovery::killed_in_the_middle),
    ("recovery::a_failed_record_is_the_next_to_be_delivered", recovery::failed_in_the_middle),
    ("leases::delivery_resumes_at_the_first_record_of_a_time", leases::at_a_time),
    ("leases::a_paused_worker_loses_a_lease_that_is_moved", leases::paused_worker),
    ("leases::a_shard_end_without_a_checkpoint_is_found", leases::no_shard_end),
    ("leases::of_two_workers_the_killed_one_is_dead", leases::two_workers),
    ("leases::a_handler_that_hangs_is_named", leases::hung_handler),
    ("leases::missing_credentials_are_named", leases::no_credentials),
    ("records::alice_bob_and_charlie_reach_four_shards", records::alice_bob_and_charlie),
    ("records::aggregated_records_are_taken_apart", aggregate::aggregated),
    ("life::printing_and_spawning_disturb_nothing", life::prints_and_spawns),
    ("life::emulators_come_and_go_with_the_launcher", life::own_emulators),
    ("life::a_lost_emulator_is_a_failure", life::lost_emulator),
    ("life::a_killed_launcher_leaves_nothing_running", life::killed_launcher),
    ("life::a_second_signal_kills", life::second_signal),
    ("life::a_processor_that_cannot_start_is_explained", life::cannot_start),
];

/// Tests that are inherently slow: `cargo test --package tests --test daemon -- --ignored`.
const ON_DEMAND: &[Test] = &[("takeover::a_second_worker_takes_over", takeover::second_worker)];

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(DAEMONS_AT_ONCE);
    let missing = emulators::missing_tool().filter(|_| std::env::var_os("CI").is_none());
    let trial = |&(name, test): &Test, on_demand: bool| {
        let reason = missing.map(|tool| format!("no {tool}")).or(on_demand.then(|| "on demand".to_owned()));
        let ignored = reason.is_some();
        Trial::test(name, move || harness::run(name, test))
            .with_kind(reason.unwrap_or_default())
            .with_ignored_flag(ignored)
    };
    let trials = TESTS.iter().map(|test| trial(test, false)).chain(ON_DEMAND.iter().map(|test| trial(test, true)));
    let conclusion = libtest_mimic::run(&arguments, trials.collect());
    emulators::end();
    conclusion.exit_code()
}
