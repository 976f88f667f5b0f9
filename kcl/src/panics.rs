//! Values of user code whose `Display` or `Drop` may panic, such as errors and the payloads of panics.
//!
//! A panic that nobody catches would end the process before its last checkpoint, and with another exit code.

use std::any::Any;
use std::error::Error;
use std::fmt::Write;
use std::iter;
use std::mem::forget;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Drops a value. A panic in its `Drop` has no effect.
pub(crate) fn discard<T>(value: T) {
    contain(|| drop(value));
}

/// Runs code that drops values of the user. A panic in a destructor has no effect: std prints it, or in a test, the kit notes it.
#[inline]
pub(crate) fn contain(work: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(work)) {
        #[cfg(feature = "testing")]
        crate::testing::overhear(&*payload);
        // The payload's own `Drop` may panic too.
        forget(payload);
    }
}

/// A panic's message; `None` if its value is not text.
pub(crate) fn message(payload: &(dyn Any + Send)) -> Option<&str> {
    payload.downcast_ref::<&str>().copied().or_else(|| payload.downcast_ref::<String>().map(String::as_str))
}

/// An error's text, or the part before its `Display` failed or panicked.
pub(crate) fn text(error: &dyn Error) -> String {
    let mut text = String::new();
    let problem = match catch_unwind(AssertUnwindSafe(|| write!(text, "{error}"))) {
        Ok(Ok(())) => return text,
        Ok(Err(_)) => "failed",
        Err(payload) => {
            discard(payload);
            "panicked"
        }
    };
    let space = if text.is_empty() { "" } else { " " };
    text + space + "(the `Display` of this error " + problem + ")"
}

/// An error's `Debug` text; `None` if its `Debug` failed or panicked.
pub(crate) fn debug_text(error: &dyn Error) -> Option<String> {
    let mut text = String::new();
    match catch_unwind(AssertUnwindSafe(|| write!(text, "{error:?}"))) {
        Ok(written) => written.is_ok().then_some(text),
        Err(payload) => {
            discard(payload);
            None
        }
    }
}

/// The largest number of causes that are examined: an error may be its own cause.
const MOST_CAUSES: usize = 64;

/// An error and its causes, from the outermost to the innermost.
pub(crate) fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&error| source(error)).take(MOST_CAUSES)
}

/// An error's cause; `None` if its `source` panics.
fn source<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    catch_unwind(AssertUnwindSafe(|| error.source())).unwrap_or_else(|payload| {
        discard(payload);
        None
    })
}
