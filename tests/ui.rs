//! Correct uses of `#[kcl::processor]` compile, and each mistake causes one error that says what to do.
//!
//! After a change of the messages, run `TRYBUILD=overwrite cargo test -p tests --test ui`, review the changed `.stderr` files, and
//! run `UPDATE_ERRORS=1 cargo test -p tests --test errors_page`.

use trybuild::TestCases;

const PASS: &str = "ui/pass/*/*.rs";
const FAIL: &str = "ui/fail/*/*.rs";

/// Runs both in one project, so that dependencies are built once.
#[cfg(toolchain_of_the_error_texts)]
#[test]
fn pass_and_fail() {
    let cases = TestCases::new();
    cases.pass(PASS);
    cases.compile_fail(FAIL);
}

#[cfg(not(toolchain_of_the_error_texts))]
#[test]
fn pass() {
    TestCases::new().pass(PASS);
}

#[cfg(not(toolchain_of_the_error_texts))]
#[test]
#[ignore = "the .stderr files are those of Rust 1.95"]
fn fail() {
    TestCases::new().compile_fail(FAIL);
}
