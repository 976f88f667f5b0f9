//! The test kit, `kcl::testing`.

mod asynchronous;
mod bugs;
mod endless;
mod judged;
mod misuse;
mod recordings;
mod reports;
mod schedules;
mod scripts;
mod sinks;
mod speed;
mod time;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// The message of the panic of a test that is written with the kit.
fn failure<T>(test: impl FnOnce() -> T) -> String {
    // Not with `expect_err`: a report is not part of the message.
    let Err(payload) = catch_unwind(AssertUnwindSafe(test)) else { panic!("the test passed") };
    match payload.downcast::<String>() {
        Ok(message) => *message,
        Err(payload) => (*payload.downcast::<&str>().expect("a message")).to_owned(),
    }
}

/// The first line of the message of a test that fails.
fn first_line<T>(test: impl FnOnce() -> T) -> String {
    failure(test).lines().next().unwrap_or_default().to_owned()
}
