//! Processors with `async` methods, on a runtime of tokio.

mod clock;
mod ends;
mod reading;
mod watcher;

use std::future::poll_fn;
use std::io::{self, Read, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::runtime::{Builder, Handle, Runtime};
use tokio::task::LocalSet;
use tokio::task::coop::unconstrained;

use crate::async_processor::{AsyncInitialize, AsyncProcessor};
use crate::error::{BoxError, RunError};
use crate::io::lines::Io;
use crate::io::stderr::Report;
use crate::io::{lent_io, stdio};
use crate::panics::{discard, message};
use crate::runner::conversation::Waits;
use crate::runner::counts::Counts;
use crate::runner::describe::describe;
use crate::runner::{Runner, are_payloads_logged, converse, end, real};
use crate::runtime::clock::RuntimeClock;
use crate::runtime::ends::Ends;
use crate::shard::Shard;

/// Runs a processor with `async` methods on the process's own stdin and stdout until the daemon ends the conversation. The `main` that
/// `#[kcl::processor]` writes calls this function if a handler is `async`. It needs the feature `tokio`.
///
/// See [`Runner::run`] for its effects on the process, and for the exit codes, and [`AsyncRunner::run`] for the runtime.
#[must_use = "return this exit code from `main`: otherwise, the process ends with exit code 0 after a failure"]
pub fn run_async<P: AsyncInitialize>() -> ExitCode {
    Runner::from_async(async |shard: &Shard| P::initialize(shard).await).run()
}

impl<F> Runner<F> {
    /// Creates a runner of the processors with `async` methods that `factory` makes, one for each shard. The daemon's `initialize`
    /// calls `factory`. It needs the feature `tokio`.
    ///
    /// ```no_run
    /// use std::time::Duration;
    /// use kcl::{AsyncCheckpointer, AsyncProcessor, BoxError, ProcessRecords, Runner, Shard};
    ///
    /// struct Patient(Duration);
    ///
    /// impl AsyncProcessor for Patient {
    ///     async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
    ///         tokio::time::sleep(self.0).await;
    ///         Ok(())
    ///     }
    /// }
    ///
    /// fn main() -> std::process::ExitCode {
    ///     let time = Duration::from_millis(5);
    ///     Runner::from_async(async |_: &Shard| Ok::<_, BoxError>(Patient(time))).run()
    /// }
    /// ```
    pub fn from_async<P, E>(factory: F) -> AsyncRunner<F>
    where
        F: AsyncFn(&Shard) -> Result<P, E>,
    {
        AsyncRunner { factory }
    }
}

/// A runner of processors with `async` methods; see [`Runner::from_async`]. It needs the feature `tokio`.
#[derive(Clone, Debug)]
#[must_use = "a runner does nothing until its `run` or `run_on` is called"]
pub struct AsyncRunner<F> {
    factory: F,
}

impl<F> AsyncRunner<F> {
    /// Runs on the process's own stdin and stdout until the daemon ends the conversation; see [`Runner::run`].
    ///
    /// The call starts a runtime, and must therefore not be made inside of one. Methods are polled on the calling thread, within a
    /// `LocalSet`: `tokio::spawn` and `tokio::task::spawn_local` work. At the end, the runtime does not wait for tasks, and the process
    /// does not wait for a blocking one.
    #[must_use = "return this exit code from `main`: otherwise, the process ends with exit code 0 after a failure"]
    pub fn run<P, E>(&self) -> ExitCode
    where
        F: AsyncFn(&Shard) -> Result<P, E>,
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        if describe::<P>() {
            return ExitCode::SUCCESS;
        }
        end(refuse_nesting().and_then(|()| {
            stdio::with_protocol(are_payloads_logged::<P>(), |input, output, report| {
                self.converse(|| Ends::real(input, output), report.clone())
            })
        }))
    }

    /// Runs on a reader and a writer, without touching the process's own stdio; see [`Runner::run_on`].
    ///
    /// The call ends only after a read that has begun: a thread that borrows the reader waits for it. With [`ahead`], a record can fail
    /// while the next message is awaited. The run is over then, and the call returns once that message has come, or the reader has
    /// ended. [`run`](Self::run) does not have this limit.
    ///
    /// [`ahead`]: crate::Concurrency::ahead
    ///
    /// # Errors
    ///
    /// Any error that would end the process with an exit code other than 0.
    pub fn run_on<P, E>(&self, reader: impl Read + Send, writer: impl Write + Send) -> Result<(), RunError>
    where
        F: AsyncFn(&Shard) -> Result<P, E>,
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        refuse_nesting()?;
        let run = |reader, writer| self.converse(|| Ok(Ends::new(reader, writer)), Report::Printed);
        lent_io::lend(reader, writer, run).map_err(RunError::Thread)?
    }

    /// Starts a runtime and converses in it.
    fn converse<P, E, I>(&self, io: impl FnOnce() -> io::Result<I>, report: Report) -> Result<(), RunError>
    where
        I: Io + 'static,
        F: AsyncFn(&Shard) -> Result<P, E>,
        P: AsyncProcessor,
        E: Into<BoxError>,
    {
        let runtime = start(P::WORKER_THREADS).map_err(RunError::Runtime)?;
        let local = LocalSet::new();
        let conversation = async {
            let clock = Arc::new(RuntimeClock::new());
            let io = io().map_err(RunError::Thread)?;
            let conversation = real::<P>(io, clock, report, Waits::Task)?;
            converse(&self.factory, conversation, Counts::are_requested()).await
        };
        let result = local.block_on(&runtime, conversation);
        // The tasks that are left are dropped. A panic in one of their destructors has no effect.
        discard(local);
        // Dropping the runtime would wait for blocking tasks, and the daemon waits for this process.
        runtime.shutdown_background();
        result
    }
}

/// Starts a runtime. With 0 worker threads, there is one for each CPU of the machine. Without worker threads, its tasks run on the
/// thread that waits for the conversation.
fn start(worker_threads: Option<usize>) -> io::Result<Runtime> {
    let Some(threads) = worker_threads else { return build(&mut Builder::new_current_thread()) };
    let mut builder = Builder::new_multi_thread();
    if threads > 0 {
        builder.worker_threads(threads);
    }
    // If a thread cannot be started, tokio panics, and then waits forever for the threads that it has started. It does not wait where
    // waiting is not allowed, which is within another runtime.
    Builder::new_current_thread().build()?.block_on(async { build(&mut builder) })
}

/// Builds a runtime. If a thread or a descriptor cannot be had, tokio may panic instead of returning an error.
fn build(builder: &mut Builder) -> io::Result<Runtime> {
    catch_unwind(AssertUnwindSafe(|| builder.enable_all().build())).unwrap_or_else(|payload| {
        let error = io::Error::other(message(&*payload).unwrap_or("it panicked").to_owned());
        discard(payload);
        Err(error)
    })
}

/// Refuses to run inside of a runtime. A handler could not wait there.
pub(crate) fn refuse_nesting() -> Result<(), RunError> {
    if Handle::try_current().is_ok() { Err(RunError::Nested) } else { Ok(()) }
}

/// Polls something of the runtime whatever is left of the task's budget. The conversation shares the task with the handlers, and busy
/// handlers use up all of the budget.
pub(crate) fn poll_unconstrained<T>(cx: &mut Context<'_>, poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> Poll<T> {
    pin!(unconstrained(poll_fn(poll))).poll(cx)
}
