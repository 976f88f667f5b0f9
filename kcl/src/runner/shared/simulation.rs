//! The number of 64 slots that the queues and the ring keep busy, in virtual steps. Only the order of records is simulated.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::runner::shared::keys::Keys;
use crate::runner::shared::random::Random;
use crate::runner::shared::records;
use crate::runner::shared::ring::Ring;
use crate::shard::MillisBehindLatest;

const SLOTS: usize = 64;
const BATCHES: usize = 40;
const RECORDS: usize = 500;

/// The mean number of busy slots, if the next batch arrives when the last one may be acknowledged.
fn busy(ahead: u64, key: &dyn Fn(usize, &mut Random) -> u64, time: &dyn Fn(&mut Random) -> f64) -> f64 {
    let (mut ring, mut keys, mut random) = (Ring::default(), Keys::default(), Random(7));
    let mut running = BinaryHeap::new();
    let (mut now, mut work, mut batches) = (0_u64, 0, 0);
    loop {
        while batches < BATCHES && ring.may_acknowledge(ahead, u64::MAX) {
            for at in ring.push(records(batches * RECORDS, RECORDS), MillisBehindLatest(None)) {
                keys.arrive(Some(&key(at as usize, &mut random).to_string()));
            }
            batches += 1;
        }
        while running.len() < SLOTS {
            let Some(at) = keys.next() else { break };
            let micros = (time(&mut random) * 1000.0) as u64;
            work += micros;
            running.push(Reverse((now + micros, at)));
        }
        let Some(Reverse((end, at))) = running.pop() else { return work as f64 / now as f64 };
        now = end;
        keys.settle(at);
        ring.settle(at);
    }
}

fn same(_: &mut Random) -> f64 {
    5.0
}

fn exponential(random: &mut Random) -> f64 {
    -5.0 * random.fraction().ln()
}

/// One of 500 takes half a second.
fn stragglers(random: &mut Random) -> f64 {
    if random.next() % 500 == 0 { 500.0 } else { 5.0 }
}

fn random_of(keys: u64) -> impl Fn(usize, &mut Random) -> u64 {
    move |_, random| random.next() % keys
}

#[test]
fn slots_are_busy() {
    let in_turn = |at: usize, _: &mut Random| at as u64 % 64;
    let (few, many) = (random_of(64), random_of(1000));
    type Key<'k> = &'k dyn Fn(usize, &mut Random) -> u64;
    type Time<'t> = &'t dyn Fn(&mut Random) -> f64;
    let cases: [(&str, Key<'_>, Time<'_>, [f64; 3]); 6] = [
        ("64 keys in turn", &in_turn, &same, [62.0, 63.0, 63.0]),
        ("64 random keys", &few, &same, [31.0, 46.0, 55.0]),
        ("1,000 keys", &many, &same, [56.0, 63.0, 63.0]),
        ("64 random keys, exponential times", &few, &exponential, [25.0, 41.0, 50.0]),
        ("1,000 keys, exponential times", &many, &exponential, [42.0, 62.0, 62.0]),
        ("1,000 keys, stragglers", &many, &stragglers, [8.0, 12.0, 22.0]),
    ];
    for (name, key, time, least) in cases {
        for (ahead, least) in [0, 1, 3].into_iter().zip(least) {
            let busy = busy(ahead, key, time);
            assert!(busy >= least, "{name}, {ahead} batches ahead: {busy:.1} of {SLOTS}");
        }
    }
}
