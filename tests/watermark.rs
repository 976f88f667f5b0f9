//! The watermark, under any schedule of failures: a model daemon delivers, redelivers and refuses; nothing is ever checkpointed
//! that was not processed, and in the end everything was.

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, Read, Write};
use std::sync::{Arc, Mutex, MutexGuard};

use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, ProcessRecords as Batch, Reply, WireRecord};
use kcl::{BoxError, Position, ProcessRecords, Processor, Runner, Shard};
use proptest::prelude::*;

/// A record's place in the shard: its sequence number and sub-sequence number.
type Place = (u64, u64);

/// What is to go wrong, in the order in which it can.
#[derive(Clone, Debug)]
struct Schedule {
    /// The places of all records.
    records: Vec<Place>,
    batch: usize,
    /// One for each call of the handler; `true`: it fails.
    failures: VecDeque<bool>,
    /// One for each checkpoint; the exception it meets.
    refusals: VecDeque<Option<&'static str>>,
    /// Fails as a whole batch rather than record by record.
    whole: bool,
}

fn schedules() -> impl Strategy<Value = Schedule> {
    // Each sequence number is an aggregate of one to three user records.
    let aggregates = proptest::collection::vec(1..=3_u64, 0..30);
    let refusal = prop_oneof![
        4 => Just(None),
        1 => Just(Some("InvalidStateException")),
        1 => Just(Some("IllegalArgumentException")),
        1 => Just(Some("ShutdownException")),
    ];
    (
        aggregates,
        1..8_usize,
        proptest::collection::vec(proptest::bool::weighted(0.15), 0..60),
        proptest::collection::vec(refusal, 0..30),
        any::<bool>(),
    )
        .prop_map(|(aggregates, batch, failures, refusals, whole)| Schedule {
            records: (1_u64..)
                .zip(aggregates)
                .flat_map(|(number, size)| (0..size).map(move |sub| (number * 10, sub)))
                .collect(),
            batch,
            failures: failures.into(),
            refusals: refusals.into(),
            whole,
        })
}

/// The world outside one processor, and what is known of its inside.
struct World {
    schedule: Schedule,
    lease: Lease,
    /// The next record to be delivered to the process that runs now.
    next: usize,
    /// Bytes on their way to the processor.
    input: VecDeque<u8>,
    /// A line on its way from it.
    output: Vec<u8>,
    processed: BTreeSet<Place>,
    delivered: Vec<Place>,
    /// Another worker has the lease.
    lost: bool,
    /// The last message is said.
    over: bool,
}

impl World {
    fn send(&mut self, message: &impl serde::Serialize) {
        self.input.extend(serde_json::to_vec(message).expect("it serializes"));
        self.input.push_back(b'\n');
    }

    /// A new process gets the shard.
    fn start(&mut self) {
        let position = self.lease.position().clone();
        self.lease = Lease::new(position.clone());
        self.next = match &position {
            Position::After { sequence_number, sub_sequence_number } => self
                .schedule
                .records
                .iter()
                .position(|&(number, sub)| (number.into(), sub) > (*sequence_number, *sub_sequence_number))
                .unwrap_or(self.schedule.records.len()),
            _ => 0,
        };
        self.input.clear();
        self.delivered.clear();
        (self.lost, self.over) = (false, false);
        self.send(&Message::Initialize { shard_id: "shard".to_owned(), position });
    }

    /// The processor has acknowledged; it gets what comes next.
    fn deliver(&mut self) {
        if self.over {
            return; // the end of the input
        }
        if self.lost {
            self.over = true;
            return self.send(&Message::LeaseLost);
        }
        let batch: Vec<Place> =
            self.schedule.records.iter().skip(self.next).take(self.schedule.batch).copied().collect();
        let Some(&(number, sub)) = batch.last() else {
            self.over = true;
            self.lease.end_shard();
            return self.send(&Message::ShardEnded);
        };
        self.next += batch.len();
        self.lease.deliver(number.into(), sub);
        let records: Vec<_> = batch
            .iter()
            .map(|&(number, sub_sequence_number)| WireRecord {
                data: b"x",
                partition_key: "k",
                sequence_number: number.into(),
                sub_sequence_number,
                approximate_arrival_timestamp: None,
            })
            .collect();
        self.send(&Batch { records, millis_behind_latest: None });
    }

    fn reply(&mut self, line: &[u8]) {
        match Reply::from_line(line).expect("a reply the daemon takes") {
            Reply::Checkpoint { sequence_number, sub_sequence_number } => {
                let injected = self.schedule.refusals.pop_front().flatten();
                let error =
                    injected.or_else(|| match self.lease.judge(sequence_number.as_deref(), sub_sequence_number) {
                        Ok(position) => {
                            self.checkpoint(position);
                            None
                        }
                        Err(refused) => Some(refused.exception()),
                    });
                if error == Some("ShutdownException") {
                    self.lost = true;
                    self.lease.lose();
                }
                let error = error.map(str::to_owned);
                self.send(&Message::Checkpoint { sequence_number, sub_sequence_number, error });
            }
            Reply::Status { .. } => {
                for place in self.delivered.drain(..).filter(|_| !self.lost) {
                    assert!(self.processed.contains(&place), "{place:?} was acknowledged but not processed");
                }
                self.deliver();
            }
            other => panic!("{other:?}"),
        }
    }

    /// The one promise: what is checkpointed was processed, and so was everything before it.
    fn checkpoint(&mut self, position: Option<Position>) {
        let Some(position) = position else { return };
        let passed = |&&(number, sub): &&Place| match &position {
            Position::After { sequence_number, sub_sequence_number } => {
                (number.into(), sub) <= (*sequence_number, *sub_sequence_number)
            }
            Position::ShardEnd => true,
            other => panic!("{other:?} was checkpointed"),
        };
        for place in self.schedule.records.iter().filter(passed) {
            assert!(self.processed.contains(place), "{position} was checkpointed, {place:?} not processed");
        }
        self.lease.advance(position);
    }
}

/// One processor's two ends of the world.
#[derive(Clone)]
struct Ends(Arc<Mutex<World>>);

impl Ends {
    fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Read for Ends {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        self.world().input.read(to)
    }
}

impl Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut world = self.world();
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut world.output);
                world.reply(&line);
            } else {
                world.output.push(byte);
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Fallible(Ends);

impl Fallible {
    fn handle(&self, place: Place) -> Result<(), BoxError> {
        let mut world = self.0.world();
        world.delivered.push(place);
        if world.schedule.failures.pop_front().unwrap_or(false) {
            return Err("as scheduled".into());
        }
        world.processed.insert(place);
        Ok(())
    }
}

impl Processor for Fallible {
    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        let place = |record: &kcl::Record| -> Place {
            (record.sequence_number().to_string().parse().expect("a small number"), record.sub_sequence_number())
        };
        if self.0.world().schedule.whole {
            return input.records().iter().try_for_each(|record| self.handle(place(record)));
        }
        input.for_each_record(|input| self.handle(place(input.record())))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn nothing_unprocessed_is_checkpointed_and_everything_is_processed(schedule in schedules()) {
        let all: BTreeSet<Place> = schedule.records.iter().copied().collect();
        let ends = Ends(Arc::new(Mutex::new(World {
            schedule,
            lease: Lease::new(Position::TrimHorizon),
            next: 0,
            input: VecDeque::new(),
            output: Vec::new(),
            processed: BTreeSet::new(),
            delivered: Vec::new(),
            lost: false,
            over: false,
        })));
        let runner = Runner::new(|_: &Shard| Ok::<_, BoxError>(Fallible(ends.clone())));
        // Each run that fails uses up a failure or a refusal, of which there are at most 90.
        for _ in 0..100 {
            ends.world().start();
            if runner.run_on(ends.clone(), ends.clone()).is_ok() && *ends.world().lease.position() == Position::ShardEnd {
                break;
            }
        }
        let world = ends.world();
        prop_assert_eq!(world.lease.position(), &Position::ShardEnd);
        prop_assert_eq!(&world.processed, &all);
    }
}
