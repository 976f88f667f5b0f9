//! The watermark, under any schedule of failures. The daemon of the test kit delivers, redelivers and refuses; handlers fail and panic; processes
//! are killed between any two effects. The test checks that no record is checkpointed or acknowledged before it is processed, skipped
//! or dead-lettered, that every record is in the end, and that the policy is followed exactly. It also checks that checkpoints are
//! made on time, and that each process reports the right counts.
//!
//! A seed makes a schedule. `KCL_SEED=7 cargo test -p tests --test watermark` runs the schedule of that seed, and
//! `KCL_SCHEDULES=10000000` sets the number of schedules.

mod clock;
mod paces;
mod random;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, thread};

use kcl::__private::wire::{self, Half};
use kcl::{
    BoxError, CheckpointError, Checkpointer, Checkpoints, DeadLetter, FailureAction, Json, Position, Processor, Record,
    Runner, Shard,
};

use paces::{Numbered, Timed};
use world::{Ends, Rules, World, place};

/// The number of schedules when `KCL_SCHEDULES` is not set.
const SCHEDULES: u64 = 100_000;

/// The number of checkpoints between records that were accepted and refused, in all schedules.
static BETWEEN: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Defines a processor whose handler gets one record at a time.
macro_rules! one {
    ($name:ident($($options:tt)*) $($letters:tt)?) => {
        struct $name(Ends);

        #[kcl::processor(main = false)]
        impl $name {
            #[on_record($($options)*)]
            fn handle(&mut self, record: &Record, _: Json<u8>) -> Result<(), BoxError> {
                self.0.lock().director.call(&[place(record.partition_key())])
            }
            $(
                #[on_dead_letter]
                fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
                    stringify!($letters);
                    self.0.lock().director.letter(letter)
                }
            )?
        }
    };
}

/// Defines a processor whose handler gets the whole batch.
macro_rules! whole {
    ($name:ident($($options:tt)*) $($letters:tt)?) => {
        struct $name(Ends);

        #[kcl::processor(main = false)]
        impl $name {
            #[on_records($($options)*)]
            fn handle(&mut self, records: Vec<(&Record, Json<u8>)>) -> Result<(), BoxError> {
                let places: Vec<_> = records.iter().map(|(record, _)| place(record.partition_key())).collect();
                self.0.lock().director.call(&places)
            }
            $(
                #[on_dead_letter]
                fn keep(&mut self, letter: &DeadLetter<'_>) -> Result<(), BoxError> {
                    stringify!($letters);
                    self.0.lock().director.letter(letter)
                }
            )?
        }
    };
}

one!(Fails());
one!(Retries(retry = 2));
one!(Skips(retry = 1, on_failure = skip, on_undecodable = skip));
one!(SkipsInvalid(on_undecodable = skip));
one!(Letters(retry = 2, on_failure = dead_letter, on_undecodable = dead_letter) letters);
one!(Mixed(on_failure = dead_letter, on_undecodable = skip) letters);
whole!(WholeFails());
whole!(WholeRetries(retry = 2, on_undecodable = skip));
whole!(WholeSkips(retry = 1, on_failure = skip, on_undecodable = skip));
whole!(WholeLetters(retry = 1, on_failure = dead_letter, on_undecodable = dead_letter) letters);

/// A processor that sometimes checkpoints in its handler.
struct Own(Ends);

#[kcl::processor(main = false)]
impl Own {
    #[on_record(retry = 1, on_failure = skip, on_undecodable = skip)]
    fn handle(&mut self, record: &Record, _: Json<u8>, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        self.0.lock().director.call(&[place(record.partition_key())])?;
        let now = self.0.lock().director.random.percent(40);
        let result = if now { checkpointer.checkpoint() } else { Ok(()) };
        match result {
            Err(CheckpointError::LeaseLost) => Err(CheckpointError::LeaseLost.into()),
            _ => Ok(()),
        }
    }
}

/// Runs one schedule to the end of the shard.
fn run<P: Processor>(seed: u64, rules: Rules, make: impl Fn(Ends) -> P) -> Result<(), String> {
    let rules = Rules { checkpoints: P::CHECKPOINTS, ..rules };
    let ends = Ends::new(Half::new(World::new(seed, rules), Position::TrimHorizon));
    // Each process that does not reach the end uses up one of a few troubles.
    for _ in 0..20 {
        ends.lock().director.start();
        ends.lock().start("shard");
        let lines = ends.clone();
        let runner = Runner::new(|_: &Shard| Ok::<_, BoxError>(make(ends.clone())));
        let report = move |line: &str| lines.lock().director.line(line);
        let result = wire::run(&runner, ends.ends(), Arc::new(clock::Simulated), report);
        if ends.lock().director.end(result)? {
            for (total, count) in BETWEEN.iter().zip(ends.lock().director.between) {
                total.fetch_add(count as u64, Ordering::Relaxed);
            }
            return Ok(());
        }
    }
    Err("the shard does not end".to_owned())
}

/// Runs one schedule with one of the paces for the runtime's checkpoints.
fn paced<P: Processor>(seed: u64, rules: Rules, make: fn(Ends) -> P) -> Result<(), String> {
    match seed / 11 % 5 {
        0 => run(seed, rules, make),
        1 => run(seed, rules, |ends| Timed::<_, 30>(make(ends))),
        4 => run(seed, rules, |ends| Timed::<_, 4>(make(ends))),
        2 => run(seed, rules, |ends| Numbered::<_, 1>(make(ends))),
        _ => run(seed, rules, |ends| Numbered::<_, 7>(make(ends))),
    }
}

fn schedule(seed: u64) -> Result<(), String> {
    use FailureAction::{DeadLetter, Fail, Skip};
    let rules = |retry, on_failure, on_undecodable| Rules {
        retry,
        on_failure,
        on_undecodable,
        whole: false,
        checkpoints: Checkpoints::Batch,
    };
    let whole = |rules| Rules { whole: true, ..rules };
    match seed % 11 {
        0 => paced(seed, rules(0, Fail, Fail), Fails),
        1 => paced(seed, rules(2, Fail, Fail), Retries),
        2 => paced(seed, rules(1, Skip, Skip), Skips),
        3 => paced(seed, rules(0, Fail, Skip), SkipsInvalid),
        4 => paced(seed, rules(2, DeadLetter, DeadLetter), Letters),
        5 => paced(seed, rules(0, DeadLetter, Skip), Mixed),
        6 => paced(seed, whole(rules(0, Fail, Fail)), WholeFails),
        7 => paced(seed, whole(rules(2, Fail, Skip)), WholeRetries),
        8 => paced(seed, whole(rules(1, Skip, Skip)), WholeSkips),
        9 => paced(seed, whole(rules(1, DeadLetter, DeadLetter)), WholeLetters),
        _ => run(seed, rules(1, Skip, Skip), Own),
    }
}

/// A number from the environment.
fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn every_record_is_settled_before_it_is_checkpointed() {
    let (first, end) = match number("KCL_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, number("KCL_SCHEDULES").unwrap_or(SCHEDULES)),
    };
    let next = AtomicU64::new(first);
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end {
                return;
            }
            if let Err(violation) = schedule(seed) {
                panic!("{violation}\nto reproduce it: KCL_SEED={seed} cargo test -p tests --test watermark");
            }
        }
    };
    thread::scope(|scope| {
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            if let Err(panic) = worker.join() {
                std::panic::resume_unwind(panic);
            }
        }
    });
    let [accepted, refused] = &BETWEEN;
    let (accepted, refused) = (accepted.load(Ordering::Relaxed), refused.load(Ordering::Relaxed));
    eprintln!("{accepted} checkpoints between records were accepted, and {refused} refused");
    assert!(end - first < 1000 || (accepted > 0 && refused > 0));
}
