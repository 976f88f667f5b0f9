//! Random schedules of concurrent records, in virtual time: which handler goes on next, how long each takes and how it ends, how
//! records come in batches, and what goes wrong. Everything is drawn from a seed, so a schedule can be repeated.

mod cases;
mod daemon;
mod model;
mod processor;
pub(super) mod world;

use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, thread};

use crate::runner::shared::schedules::cases::KINDS;
use crate::runner::shared::schedules::processor::follow;

/// The number of schedules of the test command.
const SCHEDULES: u64 = 100_000;

/// Follows the schedule of this seed with a processor of this kind. Returns the promises that were broken, and what happened.
type Follow = fn(seed: u64, is_told: bool) -> (Vec<String>, Vec<String>);

const FOLLOW: [Follow; KINDS.len()] = [
    follow::<0>,
    follow::<1>,
    follow::<2>,
    follow::<3>,
    follow::<4>,
    follow::<5>,
    follow::<6>,
    follow::<7>,
    follow::<8>,
    follow::<9>,
];

/// The story of a schedule that broke a promise.
fn story(seed: u64) -> Option<String> {
    let kind = (seed % KINDS.len() as u64) as usize;
    let (violations, _) = FOLLOW[kind](seed, false);
    violations.first()?;
    let (violations, events) = FOLLOW[kind](seed, true);
    let mut story = format!("schedule {seed}:\n");
    for line in events.iter().chain(&violations) {
        _ = writeln!(story, "  {line}");
    }
    _ = write!(story, "repeat it with KCL_SEED={seed}");
    Some(story)
}

/// `KCL_SCHEDULES=1000000` follows more schedules than usual, and `KCL_SEED=7` only the one of this seed.
#[test]
fn every_schedule_keeps_the_promises() {
    let number = |name| env::var(name).ok().map(|number| number.parse().expect("a number"));
    let (first, end) = match number("KCL_SEED") {
        Some(seed) => (seed, seed + 1),
        None => (0, number("KCL_SCHEDULES").unwrap_or(SCHEDULES)),
    };
    let threads = thread::available_parallelism().map_or(1, usize::from) as u64;
    let broken = AtomicUsize::new(0);
    let stories: Vec<_> = thread::scope(|scope| {
        let broken = &broken;
        let workers: Vec<_> = (0..threads)
            .map(|worker| {
                scope.spawn(move || {
                    let seeds = (first + worker..end).step_by(threads as usize);
                    let seeds = seeds.take_while(|_| broken.load(Ordering::Relaxed) < 3);
                    let told = seeds.filter_map(story).inspect(|_| _ = broken.fetch_add(1, Ordering::Relaxed));
                    told.collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    assert!(stories.is_empty(), "{}", stories.join("\n\n"));
}

#[test]
fn a_schedule_is_repeatable() {
    for seed in 0..50 {
        let follow = FOLLOW[(seed % KINDS.len() as u64) as usize];
        assert_eq!(follow(seed, true), follow(seed, true));
    }
}
