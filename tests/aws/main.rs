//! What talks to AWS: on a Kinesis of the test's own, which fails as asked, and on the emulator.
//!
//! The emulator takes Java, Maven and Node: where one is missing those tests are ignored, unless `CI` is set.

mod fake;
mod put;
mod sentences;
mod stream;
mod tool;

use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};
use tests::emulators;

/// A test: its name, and what it does.
type Test = (&'static str, fn());

/// Those on a Kinesis of their own.
const TESTS: &[Test] = &[
    ("put::every_record_arrives_once_and_in_order", put::every_record),
    ("put::a_throttled_stream_is_waited_for", put::throttled),
    ("put::what_was_refused_is_put_again_before_the_rest_of_its_key", put::partly_refused),
    ("put::without_an_order_calls_are_full", put::without_order),
    ("put::a_lost_answer_loses_no_record", put::lost_answers),
    ("put::a_kinesis_that_goes_away_and_comes_back_is_waited_for", put::away_for_a_while),
    ("put::who_gives_up_says_where_to_go_on", put::gives_up),
    ("put::an_interrupted_run_says_where_to_go_on", put::interrupted),
    ("put::a_run_that_failed_is_resumed", put::resumed),
    ("put::another_run_is_not_resumed", put::resumed_otherwise),
    ("put::what_is_before_a_bad_line_is_put", put::bad_line),
    ("put::records_are_spelled_out_in_json", put::json),
    ("put::records_have_their_limits", put::limits),
    ("sentences::without_region_or_credentials", sentences::nothing_to_go_by),
    ("sentences::what_is_refused_is_explained", sentences::refused),
    ("sentences::a_stream_that_is_not_there_is_compared_with_those_that_are", sentences::no_such_stream),
    ("sentences::nobody_is_there", sentences::unreachable),
];

/// Those on the emulator.
const ON_THE_EMULATOR: &[Test] = &[
    ("stream::each_key_comes_in_order_over_a_split_and_a_merge", stream::in_order),
    ("stream::streams_are_created_split_merged_and_deleted", stream::reshaped),
    ("stream::what_is_there_is_printed", stream::from_the_start),
    ("stream::the_producer_says_where_its_records_went", stream::producer),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
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

/// An assertion that fails is a panic.
fn caught(test: fn()) -> Result<(), Failed> {
    panic::catch_unwind(AssertUnwindSafe(test)).map_err(|panic| {
        let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        said.unwrap_or("it panicked").to_owned().into()
    })
}
