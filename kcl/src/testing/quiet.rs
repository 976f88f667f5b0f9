//! Panics that are recorded, not printed: those of handlers, and of a test whose schedules are tried.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use crate::testing::context::Context;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
    static TRYING: Cell<bool> = const { Cell::new(false) };
}

/// Makes the panics of handlers that run in a test quiet, from now on.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if TRYING.get() || Context::is_current() {
                LAST.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// Calls a test's body. Returns its result, or what it panicked with, which is not printed.
pub(crate) fn try_quietly<T>(body: impl FnOnce() -> T) -> Result<T, Box<dyn Any + Send>> {
    hush();
    LAST.set(None);
    let outer = TRYING.replace(true);
    let result = catch_unwind(AssertUnwindSafe(body));
    TRYING.set(outer);
    result
}

/// The place of the last panic on this thread that was not printed.
pub(crate) fn last_panic() -> Option<String> {
    LAST.with_borrow(Clone::clone)
}
