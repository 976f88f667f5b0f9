//! The process whose handler is running on the current thread. Sinks and `pass` need it.

use std::any::Any;
use std::cell::RefCell;
use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::panics::message;
use crate::testing::clock::VirtualClock;
use crate::testing::journal::Moment;
use crate::testing::play::Play;
use crate::testing::quiet;
use crate::testing::script::Kind;
use crate::testing::wire::Shared;

/// The process whose handler is running.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) half: Shared<Play>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) run: u64,
    pub(crate) shard: String,
}

thread_local! {
    static CONTEXT: RefCell<Option<Context>> = const { RefCell::new(None) };
}

/// The payload of the panic that stands for a SIGKILL.
pub(crate) struct Killed;

impl Context {
    /// Calls `work` while this is the current context.
    pub(crate) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let outer = CONTEXT.replace(Some(self.clone()));
        let result = work();
        CONTEXT.set(outer);
        result
    }

    /// The current context.
    #[track_caller]
    pub(crate) fn current(caller: &str) -> Self {
        match CONTEXT.with_borrow(Clone::clone) {
            Some(context) => context,
            None => panic!("{caller} works only in a handler, on the thread that runs the test's `Daemon`"),
        }
    }

    pub(crate) fn is_current() -> bool {
        CONTEXT.with_borrow(Option::is_some)
    }

    /// Notes that a handler writes or lets time pass. A process that does so without end is killed.
    pub(crate) fn act(&self) {
        {
            let play = &mut self.half.lock().director;
            play.killed |= play.patience.act();
        }
        self.stop_if_killed();
    }

    /// Kills the process if a fault of this kind is due.
    pub(crate) fn crash_if(&self, is: impl Fn(&Kind) -> bool) {
        // A second panic while another one unwinds would end the test.
        if !thread::panicking() && self.half.lock().director.happens(is).is_some() {
            self.crash();
        }
    }

    /// Lets a process that was killed go no further.
    fn stop_if_killed(&self) {
        if !thread::panicking() && self.is_killed() {
            self.crash();
        }
    }

    /// Whether the process was killed. Destructors of its handler may still run.
    pub(crate) fn is_killed(&self) -> bool {
        self.half.lock().director.killed
    }

    /// Kills the process: unwinds to the daemon.
    pub(crate) fn crash(&self) -> ! {
        self.half.lock().director.kill();
        resume_unwind(Box::new(Killed))
    }
}

/// Notes a panic of a destructor that has no effect on its process, which std would print.
pub(crate) fn overhear(payload: &(dyn Any + Send)) {
    let Some(context) = CONTEXT.with_borrow(Clone::clone).filter(|_| !payload.is::<Killed>()) else { return };
    let at = quiet::last_panic().unwrap_or_default();
    let text = message(payload).unwrap_or("the panic's value is not text");
    // The kit may hold the lock while it drops a value. It then notes the panic that it handles, so this one is not needed.
    if let Some(mut half) = context.half.try_lock() {
        half.director.journal.push(Moment::Panicked(format!("{text} (at {at})")));
    }
}

/// Lets virtual time pass within a handler, as if it worked that long.
///
/// ```
/// use std::time::Duration;
/// use kcl::testing::{self, Daemon};
///
/// #[derive(Default)]
/// struct Slow;
///
/// #[kcl::processor(main = false, warn_after = "60s")]
/// impl Slow {
///     #[on_record]
///     fn work(&mut self) {
///         testing::pass(Duration::from_secs(90));
///     }
/// }
///
/// let run = Daemon::new().batch(["a"]).run::<Slow>();
/// assert!(run.stderr()[0].ends_with("has been running for 60s"), "{run}");
/// ```
///
/// # Panics
///
/// If no handler is running on this thread.
#[track_caller]
pub fn pass(time: Duration) {
    let context = Context::current("kcl::testing::pass");
    context.act();
    context.clock.pass(time);
}
