//! The types that threads share: those of the standard library, or those of loom in its models.
//!
//! loom runs a model under the orders in which its threads can go on, and with every value that an atomic could then have. The models are
//! tests of the modules that import from here.

#[cfg(not(all(test, loom)))]
pub(crate) use std::{
    sync::{Condvar, Mutex, MutexGuard, atomic, mpsc},
    thread,
};

#[cfg(all(test, loom))]
pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard, atomic};

/// Runs a model under every order in which its threads can go on, as long as they are interrupted at most this often.
#[cfg(all(test, loom))]
pub(crate) fn model(interruptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(interruptions);
    builder.check(model);
}

/// The threads of a model.
#[cfg(all(test, loom))]
pub(crate) mod thread {
    use std::time::Duration;

    pub(crate) use loom::thread::{Builder, Thread, spawn, yield_now};

    /// Lets other threads go on: time does not pass in a model.
    pub(crate) fn park_timeout(_: Duration) {
        yield_now();
    }
}

/// A channel in a model. loom has one that does not notice when its senders are gone.
#[cfg(all(test, loom))]
pub(crate) mod mpsc {
    use std::collections::VecDeque;
    use std::sync::mpsc::{RecvError, SendError};
    use std::sync::{Arc, PoisonError};

    use loom::sync::{Condvar, Mutex, MutexGuard};

    /// The messages, and who is left.
    struct State<T> {
        messages: VecDeque<T>,
        senders: usize,
        is_received: bool,
    }

    struct Channel<T> {
        state: Mutex<State<T>>,
        changed: Condvar,
    }

    impl<T> Channel<T> {
        fn lock(&self) -> MutexGuard<'_, State<T>> {
            self.state.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    pub(crate) struct Sender<T>(Arc<Channel<T>>);

    pub(crate) struct Receiver<T>(Arc<Channel<T>>);

    pub(crate) fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let state = State { messages: VecDeque::new(), senders: 1, is_received: true };
        let channel = Arc::new(Channel { state: Mutex::new(state), changed: Condvar::new() });
        (Sender(Arc::clone(&channel)), Receiver(channel))
    }

    impl<T> Sender<T> {
        pub(crate) fn send(&self, message: T) -> Result<(), SendError<T>> {
            let mut state = self.0.lock();
            if !state.is_received {
                drop(state);
                return Err(SendError(message));
            }
            state.messages.push_back(message);
            drop(state);
            self.0.changed.notify_one();
            Ok(())
        }
    }

    impl<T> Clone for Sender<T> {
        fn clone(&self) -> Self {
            self.0.lock().senders += 1;
            Self(Arc::clone(&self.0))
        }
    }

    impl<T> Drop for Sender<T> {
        fn drop(&mut self) {
            self.0.lock().senders -= 1;
            self.0.changed.notify_one();
        }
    }

    impl<T> Receiver<T> {
        pub(crate) fn recv(&self) -> Result<T, RecvError> {
            let mut state = self.0.lock();
            loop {
                if let Some(message) = state.messages.pop_front() {
                    return Ok(message);
                }
                if state.senders == 0 {
                    return Err(RecvError);
                }
                state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            let mut state = self.0.lock();
            state.is_received = false;
            let messages = std::mem::take(&mut state.messages);
            drop(state);
            drop(messages);
        }
    }
}
