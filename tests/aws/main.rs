//! The verbs that talk to AWS, against a fake Kinesis that fails on demand, and against the emulator.
//!
//! The emulator needs Java and Node. If one is missing, its tests are ignored, unless `CI` is set.

mod emulate;
mod fake;
mod faults;
mod hostile;
mod launch;
mod leases;
mod put;
mod sentences;
mod stream;
mod tail;
mod tool;
mod why;
mod world;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::emulators;

/// A test: its name and its function.
type Test = (&'static str, fn());

/// The tests against a fake Kinesis.
const TESTS: &[Test] = &[
    ("put::every_record_arrives_once_and_in_order", put::every_record),
    ("put::put_waits_for_a_throttled_stream", put::throttled),
    ("put::a_refused_record_is_retried_before_the_rest_of_its_key", put::partly_refused),
    ("put::without_an_order_calls_are_full", put::without_order),
    ("put::a_lost_answer_loses_no_record", put::lost_answers),
    ("put::put_waits_for_a_kinesis_that_is_away_for_a_while", put::away_for_a_while),
    ("put::a_run_that_gives_up_says_where_to_resume", put::gives_up),
    ("put::a_run_that_puts_nothing_says_only_why", put::useless),
    ("put::an_interrupted_run_says_where_to_resume", put::interrupted),
    ("put::a_run_that_failed_is_resumed", put::resumed),
    ("put::a_progress_file_that_holds_an_earlier_position_is_not_used_again", put::progress_not_saved),
    ("put::another_run_is_not_resumed", put::resumed_otherwise),
    ("put::records_before_a_bad_line_are_put", put::bad_line),
    ("put::records_can_be_given_as_json", put::json),
    ("put::input_that_is_not_text_is_not_put", put::foreign),
    ("put::lines_may_end_in_carriage_return_and_line_feed", put::windows),
    ("put::documents_of_aws_are_put", put::documents),
    ("put::the_limits_of_records_are_enforced", put::limits),
    ("faults::an_endpoint_that_never_answers_is_reported_and_every_verb_ends", faults::silent),
    ("faults::give_up_holds_from_the_start", faults::gives_up_on_silence),
    ("faults::a_fault_that_passes_is_retried_from_the_first_call", faults::passing),
    ("faults::an_answer_that_is_not_one_of_kinesis_is_named_and_not_retried", faults::foreign),
    ("faults::a_success_that_is_not_one_of_kinesis_is_named", faults::foreign_success),
    ("faults::an_answer_without_an_end_is_an_error", faults::endless),
    ("faults::a_slow_answer_is_awaited", faults::dripping),
    ("faults::a_slow_upload_is_awaited", faults::slow_upload),
    ("faults::a_change_whose_answer_is_lost_is_looked_at_again", faults::lost_changes),
    ("faults::a_change_waits_for_a_busy_stream", faults::busy),
    ("faults::tail_ends_when_its_reader_does", faults::closed_output),
    ("faults::a_signal_ends_a_tail_that_nobody_reads", faults::blocked_output),
    ("faults::iterators_that_always_expire_end_the_run", faults::expiring),
    ("faults::a_closed_shard_that_never_ends_is_reported", faults::never_ending),
    ("faults::permanent_errors_are_not_retried", faults::permanent),
    ("faults::two_runs_cannot_share_a_resume_file", faults::two_at_once),
    ("hostile::errors_control_no_terminal", hostile::errors),
    ("hostile::long_errors_are_cut", hostile::long_errors),
    ("hostile::names_control_no_terminal", hostile::names),
    ("leases::both_layouts_are_shown_page_by_page", leases::layouts),
    ("leases::an_owner_that_does_not_renew_its_lease_is_seen", leases::dead_owner),
    ("leases::nobody_renews_the_lease_of_a_shard_that_is_done", leases::done),
    ("leases::a_free_lease_is_moved_in_one_conditional_update", leases::moved),
    ("leases::a_record_that_expired_in_a_quiet_shard_is_seen", leases::expired),
    ("leases::a_person_is_asked_before_a_lease_is_moved", leases::asked),
    ("leases::a_lease_that_somebody_holds_or_takes_is_not_moved", leases::not_free),
    ("leases::a_move_whose_answer_is_lost_is_made_once", leases::lost_answer),
    ("leases::what_was_moved_before_a_failure_is_reported", leases::partly_moved),
    ("leases::leases_are_moved_backwards_only", leases::refused),
    ("leases::a_row_that_cannot_be_read_is_shown", leases::unreadable),
    ("leases::a_reader_that_has_left_is_not_an_error", leases::left),
    ("leases::a_shard_whose_descendants_have_begun_is_not_moved", leases::removed_children),
    ("leases::a_record_is_looked_for_in_a_stream_that_is_named", leases::without_stream),
    ("leases::the_record_before_a_time_is_found", leases::times),
    ("leases::the_clock_of_kinesis_counts", leases::wrong_clock),
    ("leases::errors_say_what_to_do", leases::explained),
    ("leases::the_properties_name_the_table", leases::tables),
    ("why::each_state_has_its_sentence", why::states),
    ("why::a_checkpoint_that_moves_is_not_stuck", why::moves),
    ("why::a_lease_that_comes_late_is_not_missing", why::late_leases),
    ("why::a_shard_waits_for_all_before_it", why::generations),
    ("why::a_lease_that_was_given_up_is_not_neglected", why::given_up),
    ("why::a_quiet_shard_has_lost_nothing", why::quiet),
    ("why::the_log_says_what_a_shard_is_stuck_at", why::logs),
    ("why::each_worker_has_a_log_of_its_own", why::two_logs),
    ("why::the_log_of_the_launcher_says_what_is_over", why::log_of_the_launcher),
    ("why::a_problem_that_comes_back_is_shown_again", why::recurring_problem),
    ("why::a_worker_that_keeps_its_leases_elsewhere_is_named", why::elsewhere),
    ("why::a_shard_that_is_throttled_is_named", why::throttled),
    ("launch::workers_on_one_emulator_have_names_of_their_own", launch::names),
    ("launch::a_daemon_that_gives_up_is_restarted", launch::restarts),
    ("launch::a_problem_is_shown_once_whatever_the_ids_of_its_requests", launch::repeated),
    ("launch::a_failure_of_an_emulator_is_not_wrong_use", launch::emulator_failure),
    ("sentences::without_region_or_credentials", sentences::nothing_to_go_by),
    ("sentences::refusals_are_explained", sentences::refused),
    ("sentences::a_missing_stream_is_compared_with_existing_ones", sentences::no_such_stream),
    ("sentences::an_unreachable_endpoint_is_reported", sentences::unreachable),
    ("tail::a_shard_that_is_gone_is_not_a_missing_stream", tail::gone),
    ("tail::reading_resumes_at_the_oldest_record_if_its_place_has_expired", tail::expired),
    ("tail::the_clock_of_kinesis_says_since_when_records_are_new", tail::wrong_clock),
    ("tail::a_stream_that_is_deleted_is_missing", tail::deleted),
    ("tail::the_parts_of_a_broken_aggregate_that_are_dropped_are_reported", tail::broken_aggregate),
    ("tail::an_aggregate_of_another_shard_is_reported_and_counted", tail::dropped_aggregate),
];

/// The tests against the emulator.
const ON_THE_EMULATOR: &[Test] = &[
    ("stream::each_key_comes_in_order_over_a_split_and_a_merge", stream::in_order),
    ("stream::streams_are_created_split_merged_and_deleted", stream::reshaped),
    ("stream::existing_records_are_printed", stream::from_the_start),
    ("emulate::a_new_stream_is_filled_in_every_format", emulate::formats),
    ("emulate::an_interruption_ends_the_filling_of_a_stream", emulate::interrupted),
    ("emulate::bad_input_starts_no_emulator", emulate::bad_input),
    ("stream::the_producer_prints_the_shards_of_its_records", stream::producer),
];

/// A test spends most of its time waiting: for retries, leases that do not move, and an emulator.
const TESTS_AT_ONCE: usize = 8;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(TESTS_AT_ONCE);
    let trials = TESTS.iter().map(|&(name, test)| Trial::test(name, move || caught(test)));
    let missing = emulators::missing_tool().filter(|_| std::env::var_os("CI").is_none());
    let on_the_emulator = ON_THE_EMULATOR.iter().map(|&(name, test)| {
        Trial::test(name, move || caught(test))
            .with_kind(missing.map(|tool| format!("no {tool}")).unwrap_or_default())
            .with_ignored_flag(missing.is_some())
    });
    let conclusion = libtest_mimic::run(&arguments, on_the_emulator.chain(trials).collect());
    emulators::end();
    conclusion.exit_code()
}

/// Runs a test and converts a panic, such as a failed assertion, to an error.
fn caught(test: fn()) -> Result<(), Failed> {
    panic::catch_unwind(AssertUnwindSafe(test)).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        message.unwrap_or("it panicked").to_owned().into()
    })
}
