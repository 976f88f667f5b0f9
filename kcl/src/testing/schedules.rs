//! `#[kcl::test]`: which schedules are tried, when two failures are the same, and what is printed about one.

use std::any::Any;
use std::env;
use std::fmt;
use std::panic::Location;

use crate::error::BoxError;
use crate::panics::message;
use crate::testing::Daemon;
use crate::testing::draw::{Noted, Plan, Schedule};
use crate::testing::journal::explain;
use crate::testing::ledger::Promise;
use crate::testing::quiet;
use crate::testing::script::Script;
use crate::testing::shrink::shrink;

/// The argument of a test.
#[diagnostic::on_unimplemented(
    message = "a test cannot take `{Self}`",
    label = "must be `kcl::testing::Daemon`",
    note = "`#[kcl::test]` passes the daemon of a schedule to the test"
)]
pub trait Drawn {
    /// The argument.
    fn drawn(daemon: Daemon) -> Self;
}

#[diagnostic::do_not_recommend]
impl Drawn for Daemon {
    fn drawn(daemon: Daemon) -> Self {
        daemon
    }
}

/// A type that a test may return.
#[diagnostic::on_unimplemented(
    message = "a test cannot return `{Self}`",
    label = "must be `()` or `Result<(), E>`",
    note = "`E` must convert into a `Box<dyn Error + Send + Sync>`, as errors and texts do"
)]
pub trait Returned {
    /// The text of the error, if it is one.
    fn error(self) -> Option<String>;
}

#[diagnostic::do_not_recommend]
impl Returned for () {
    fn error(self) -> Option<String> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<E: Into<BoxError>> Returned for Result<(), E> {
    fn error(self) -> Option<String> {
        self.err().map(|error| explain(&*error.into()))
    }
}

/// Why a test fails. Two failures with the same cause are the same one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cause {
    Promise(Promise),
    /// A panic in this line.
    Panic(Option<String>),
    Error,
}

/// A test that failed under a schedule.
#[derive(Debug)]
struct Failure {
    cause: Cause,
    message: String,
    plan: Plan,
    /// The seed of the schedule's choices.
    seed: Option<u64>,
    noted: Noted,
}

/// Runs a test, which returns its error, under schedules: with the seeds from 0 on, or with the one that `KCL_SEED` names.
/// `KCL_SCHEDULES` changes their number.
///
/// # Panics
///
/// If the test fails, or if a number in the environment cannot be read. If the test never runs its daemon with a step.
#[track_caller]
pub fn run(name: &str, schedules: u32, test: impl Fn(Daemon) -> Option<String>) {
    let (seed, schedules) = (number("KCL_SEED"), number("KCL_SCHEDULES").unwrap_or(schedules.into()));
    assert!(schedules > 0, "0 schedules test nothing: give `#[kcl::test]` or KCL_SCHEDULES at least 1");
    let seeds = seed.map_or(0..=schedules - 1, |seed| seed..=seed);
    let first = *seeds.start();
    let mut has_run = false;
    for seed in seeds {
        let schedule = Schedule::draw(seed);
        if let Some(failure) = attempt(&test, &schedule) {
            let (failure, is_repeatable) = shorten(&test, failure);
            panic!("{}", Shown { name, seed, tried: seed - first + 1, failure, is_repeatable });
        }
        has_run |= schedule.has_run();
    }
    assert!(
        has_run,
        "{name} delivers nothing under any schedule: call `.any_records(...)`, `.records(...)` or another step of its daemon, such as \
         `.empty_batch()`, and then run it"
    );
}

/// A number in the environment.
#[track_caller]
fn number(name: &str) -> Option<u64> {
    let text = env::var_os(name)?;
    match text.to_str().and_then(|text| text.trim().replace('_', "").parse().ok()) {
        Some(number) => Some(number),
        None => {
            panic!("{name} is {text:?}: write a whole number, such as the seed in the message of a test that failed")
        }
    }
}

/// Runs a test under one schedule.
fn attempt(test: &impl Fn(Daemon) -> Option<String>, schedule: &Schedule) -> Option<Failure> {
    let daemon = Daemon::scheduled(schedule.clone());
    let result = quiet::try_quietly(|| test(daemon));
    let (cause, message) = match result {
        Ok(None) => return None,
        Ok(Some(error)) => (Cause::Error, format!("it returned an error: {error}")),
        Err(payload) => {
            let at = quiet::last_panic();
            (Cause::Panic(at.as_deref().map(line)), text(&*payload))
        }
    };
    let (plan, noted) = schedule.finish();
    // The last run broke it, and nothing panicked since.
    let cause = noted.broken.map_or(cause, Cause::Promise);
    Some(Failure { cause, message, plan, seed: schedule.seed(), noted })
}

/// The file and the line of a place, without its column.
fn line(at: &str) -> String {
    at.rsplit_once(':').map_or(at, |(line, _)| line).to_owned()
}

/// The message of a panic.
fn text(payload: &(dyn Any + Send)) -> String {
    message(payload).unwrap_or("it panicked without a message").to_owned()
}

/// Finds a short schedule that fails in the same way. Also returns whether the schedule fails each time.
fn shorten(test: &impl Fn(Daemon) -> Option<String>, first: Failure) -> (Failure, bool) {
    let mut shortest = None;
    let mut fails = |plan: &Plan| {
        let failure =
            attempt(test, &Schedule::follow(plan.clone(), first.seed)).filter(|again| again.cause == first.cause);
        let fails = failure.is_some();
        shortest = failure.or(shortest.take());
        fails
    };
    if fails(&first.plan) {
        let any = matches!(first.cause, Cause::Promise(_));
        shrink(first.plan.clone(), any, fails);
    }
    match shortest {
        Some(shortest) => (shortest, true),
        None => (first, false),
    }
}

/// A failure as it is printed.
struct Shown<'a> {
    name: &'a str,
    seed: u64,
    /// The place of the schedule among those that were tried.
    tried: u64,
    failure: Failure,
    is_repeatable: bool,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, seed, tried, failure, is_repeatable } = self;
        let Failure { cause, message, noted, .. } = failure;
        write!(f, "{name} failed under schedule {tried} (seed {seed})")?;
        if let Cause::Panic(Some(line)) = cause {
            write!(f, " at {line}")?;
        }
        writeln!(f, ": {}", message.trim_end())?;
        if let Some(notes) = noted.notes.as_ref().filter(|notes| !message.contains(notes.trim_end())) {
            writeln!(f, "\n{}", notes.trim_end())?;
        }
        if let Some(script) = &noted.script {
            let which = if *is_repeatable { "the shortest script found that fails like this" } else { "the script" };
            writeln!(f, "\n{which}, to be followed by `.run::<...>()` or `.run_with(...)`:\n\n{script}\n")?;
        }
        if noted.script.as_ref().is_some_and(Script::is_cut) {
            writeln!(f, "The script is shortened: its comments say what is left out.\n")?;
        }
        if !is_repeatable {
            writeln!(
                f,
                "The same schedule did not fail like this again: the test depends on more than its schedule, such as a \
                 `static`, the time or another thread."
            )?;
        }
        write!(f, "KCL_SEED={seed} repeats the schedule.")
    }
}

/// The schedule of a daemon.
#[track_caller]
pub(crate) fn of<'s>(schedule: Option<&'s Schedule>, method: &str) -> &'s Schedule {
    match schedule {
        Some(schedule) => schedule,
        None => panic!("`.{method}(...)` works only with the daemon of a `#[kcl::test]`: elsewhere, use `.batch(...)`"),
    }
}

/// Ends the shards of a script whose records follow a schedule.
pub(crate) fn end(script: &mut Script, schedule: &Schedule, at: &'static Location<'static>) -> Result<(), String> {
    let parents: Vec<_> = script.shards.iter().flat_map(|shard| shard.parents.clone()).collect();
    script.shards.iter_mut().filter(|shard| shard.drawn).try_for_each(|shard| {
        let part = schedule.ending(shard, parents.contains(&shard.id));
        // It has no records.
        shard.draw(part, |_| crate::testing::TestRecord::bytes([]), at)
    })
}
