//! Starting threads, which fails if the system has no room for another one.

use std::io;
use std::thread::{Builder, JoinHandle};

/// Starts a thread.
///
/// # Errors
///
/// If the system refuses. `std::thread::spawn` panics then.
pub(crate) fn spawn<T: Send + 'static>(run: impl FnOnce() -> T + Send + 'static) -> io::Result<JoinHandle<T>> {
    let refused = |error| io::Error::new(io::Error::kind(&error), format!("a thread cannot be started: {error}"));
    // Boxed, so that `std::thread` is compiled once for each type of result, instead of once for each closure.
    let run: Box<dyn FnOnce() -> T + Send> = Box::new(run);
    Builder::new().spawn(run).map_err(refused)
}
