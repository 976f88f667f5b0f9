//! The memory that a processor allocates: after the first batches none for a record, and none for a batch.

use std::alloc::System;
use std::io::{self, Read};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kcl::__private::{Clock, Lines, wire};
use kcl::protocol::{ProcessRecordsMessage, WireRecord};
use kcl::{BoxError, ProcessRecords, Processor, Record, Runner, Shard};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// One test at a time, because all threads count.
static TURN: Mutex<()> = Mutex::new(());

const BATCHES: usize = 40;
const WARM_UP: usize = 8;

fn allocations() -> usize {
    let stats = ALLOCATOR.stats();
    stats.allocations + stats.reallocations
}

/// A processor that runs a handler, and notes the allocations so far before each batch.
struct Counting<H> {
    handler: H,
    before: Vec<usize>,
    report: Arc<Mutex<Vec<usize>>>,
}

impl<H: FnMut(&[Record])> Processor for Counting<H> {
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        self.before.push(allocations());
        (self.handler)(input.records());
        Ok(())
    }
}

impl<H> Drop for Counting<H> {
    fn drop(&mut self) {
        let batches = self.before.windows(2).map(|pair| pair[1] - pair[0]).collect();
        *self.report.lock().unwrap_or_else(PoisonError::into_inner) = batches;
    }
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        false
    }

    fn jitter(&self, limit: Duration) -> Duration {
        limit
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// Returns at most 10,000 bytes for each read.
struct Pieces(io::Cursor<Vec<u8>>);

impl Read for Pieces {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let most = to.len().min(10_000);
        self.0.read(&mut to[..most])
    }
}

/// A conversation of batches of 100 records, whose sizes differ.
fn conversation(change: fn(String) -> String) -> Vec<u8> {
    let data = vec![b'x'; 2000];
    let mut text =
        r#"{"action":"initialize","shardId":"s","sequenceNumber":"LATEST","subSequenceNumber":0}"#.to_owned() + "\n";
    for batch in 0..BATCHES {
        let records: Vec<_> = (0..100)
            .map(|index| WireRecord {
                data: &data[..(index * 37 + batch) % 2000],
                partition_key: if index % 7 == 0 { "clé" } else { "key" },
                sequence_number: "49680458979218711847687915154908745076173470095856631826".parse().expect("a number"),
                sub_sequence_number: index as u64,
                approximate_arrival_timestamp: Some(1_795_348_277_691),
            })
            .collect();
        let mut line = Vec::new();
        ProcessRecordsMessage { records: &records[..], millis_behind_latest: Some(0) }.write(&mut line);
        text += &change(String::from_utf8(line).expect("UTF-8"));
        text += "\n{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null,\"error\":null}\n";
    }
    text.into_bytes()
}

/// The numbers of allocations from one batch to the next, after the first batches.
fn count<H: FnMut(&[Record]) + Clone>(change: fn(String) -> String, handler: H) -> Vec<usize> {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let report = Arc::new(Mutex::new(Vec::new()));
    let runner = Runner::new(|_: &Shard| {
        let before = Vec::with_capacity(BATCHES);
        Ok::<_, BoxError>(Counting { handler: handler.clone(), before, report: Arc::clone(&report) })
    });
    let input = Pieces(io::Cursor::new(conversation(change)));
    let lines = Lines::with_capacity(1 << 16, input, io::sink());
    wire::run(&runner, lines, Arc::new(Still), |_| ()).expect("a conversation without failures");
    let batches = report.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(batches.len(), BATCHES - 1);
    batches[WARM_UP..].to_vec()
}

fn read(records: &[Record]) {
    let read: usize = records.iter().map(|record| record.data().len() + record.partition_key().len()).sum();
    assert!(read > 0);
}

#[test]
fn reading_the_data_allocates_nothing() {
    assert_eq!(count(|line| line, read), [0; BATCHES - 1 - WARM_UP]);
}

#[test]
fn records_of_another_shape_allocate_nothing() {
    let reorder = |line: String| line.replace(r#","subSequenceNumber":"#, r#", "new": [1], "subSequenceNumber": "#);
    assert_eq!(count(reorder, read), [0; BATCHES - 1 - WARM_UP]);
}

#[test]
fn shares_of_the_data_cost_one_allocation_for_the_whole_batch() {
    let share = |records: &[Record]| assert!(records.iter().map(Record::bytes).all(|bytes| bytes.len() < 2000));
    assert_eq!(count(|line| line, share), [1; BATCHES - 1 - WARM_UP]);
}

#[test]
fn records_that_are_kept_cost_new_buffers_for_the_next_batch() {
    let mut kept = Vec::with_capacity(BATCHES);
    let keep = move |records: &[Record]| kept.push(records[0].clone());
    // The batch, the owner of its data, its data, its keys and its records; and now and then a buffer that grows.
    let batches = count(|line| line, keep);
    assert!(batches.iter().all(|allocations| (5..=8).contains(allocations)), "{batches:?}");
}
