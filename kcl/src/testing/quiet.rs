//! Panics of handlers: they are recorded, not printed.

use std::cell::RefCell;
use std::panic;
use std::sync::Once;

use crate::testing::context::Context;

thread_local! {
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes the panics of handlers that run in a test quiet, from now on.
pub(crate) fn hush() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if Context::is_current() {
                LAST.set(info.location().map(ToString::to_string));
            } else {
                previous(info);
            }
        }));
    });
}

/// The place of the last panic of a handler on this thread.
pub(crate) fn last_panic() -> Option<String> {
    LAST.with_borrow(Clone::clone)
}
