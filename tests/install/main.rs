//! The daemon's jars are fetched through Java, from a repository on this machine, or through Maven.
//!
//! The first half of each run is real: the tool, and its class in a JVM. The daemon itself is a script that says that it was started.
//! Without Java the tests are ignored, unless `CI` is set.

mod classes;
mod fetch;
mod place;
mod repository;

use std::panic;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

/// A test: its name and its function.
type Test = (&'static str, fn());

const TESTS: &[Test] = &[
    ("classes::the_class_files_are_what_the_sources_compile_to", classes::compiled),
    ("fetch::the_locked_files_are_fetched_once", fetch::once),
    ("fetch::an_interrupted_download_resumes", fetch::interrupted),
    ("fetch::a_killed_run_is_resumed_by_the_next", fetch::killed),
    ("fetch::a_server_without_ranges_sends_the_whole_file_again", fetch::whole),
    ("fetch::a_slow_or_silent_server_is_awaited", fetch::slow),
    ("fetch::a_server_that_fails_for_a_while_is_called_again", fetch::unavailable),
    ("fetch::a_wrong_file_gets_no_name", fetch::forged),
    ("fetch::a_missing_file_is_an_error", fetch::missing),
    ("fetch::a_second_run_waits_for_the_first", fetch::together),
    ("fetch::the_proxy_of_the_environment_is_used", fetch::proxy),
    ("fetch::a_password_goes_to_the_repository_only", fetch::password),
    ("fetch::a_redirection_is_followed", fetch::redirected),
    ("fetch::a_folder_can_be_a_repository", fetch::folder),
    ("fetch::maven_is_used_where_it_is_installed", fetch::maven),
    ("fetch::a_lock_file_is_checked", fetch::lock_files),
];

/// `cargo test --package tests --test install -- --ignored`.
const ON_DEMAND: &[Test] = &[
    ("fetch::the_tested_jars_come_from_maven_central", fetch::central),
    ("fetch::the_documented_command_writes_the_lock_file", fetch::documented),
];

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let missing = (place::java().is_none() && std::env::var_os("CI").is_none()).then_some("no Java");
    let trial = |&(name, test): &Test, on_demand: bool| {
        let reason = missing.or(on_demand.then_some("on demand"));
        Trial::test(name, move || caught(test))
            .with_kind(reason.unwrap_or_default())
            .with_ignored_flag(reason.is_some())
    };
    let trials = TESTS.iter().map(|test| trial(test, false)).chain(ON_DEMAND.iter().map(|test| trial(test, true)));
    libtest_mimic::run(&arguments, trials.collect()).exit_code()
}

/// Runs a test and converts a panic, such as a failed assertion, to an error.
fn caught(test: fn()) -> Result<(), Failed> {
    panic::catch_unwind(test).map_err(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        message.unwrap_or("it panicked").to_owned().into()
    })
}
