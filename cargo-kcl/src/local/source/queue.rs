//! The queue between the input and a shard: a few batches of records.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
#[cfg(feature = "aws")]
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kcl::SequenceNumber;
use kcl::protocol::WireRecord;

use crate::local::place::Place;
use crate::local::state::marks::{Mark, PlacedMark};

/// The most batches in a queue.
const CAPACITY: usize = 1;
/// How often a thread that waits for room checks whether other shards wait for records.
const LOOK: Duration = Duration::from_millis(10);

/// Records of one shard that are delivered together, in reusable buffers.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// The data of all records, one after the other.
    data: Vec<u8>,
    keys: String,
    entries: Vec<Entry>,
    /// The sequence and sub-sequence numbers of a stream's records. Records of an input are numbered by their place.
    numbers: Vec<(SequenceNumber, u64)>,
    /// How far the batch was behind the newest record, if known.
    millis_behind: u64,
}

#[derive(Debug)]
struct Entry {
    /// The end of its data, and of its key.
    ends: Ends,
    stamp: Stamp,
}

/// Where the data and the key of a record end in the buffers of their batch.
#[derive(Clone, Copy, Debug, Default)]
struct Ends {
    data: usize,
    key: usize,
}

/// The metadata of a record besides its key.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Stamp {
    pub(crate) place: Place,
    /// The index in an aggregate.
    pub(crate) sub: u64,
    /// In milliseconds since 1970.
    pub(crate) arrival: i64,
    /// The digest of all records up to this one.
    pub(crate) digest: u32,
}

impl Stamp {
    /// The sequence and sub-sequence number of a record of an input.
    pub(crate) fn number(&self) -> (SequenceNumber, u64) {
        (self.place.sequence_number(), self.sub)
    }

    pub(crate) fn mark(&self) -> Mark {
        self.placed().mark()
    }

    fn placed(&self) -> PlacedMark {
        PlacedMark { place: self.place, digest: self.digest }
    }
}

impl Batch {
    pub(crate) fn push(&mut self, data: &[u8], key: &str, stamp: Stamp) {
        self.data.extend_from_slice(data);
        self.keys.push_str(key);
        let ends = Ends { data: self.data.len(), key: self.keys.len() };
        self.entries.push(Entry { ends, stamp });
    }

    /// Adds the records of another batch, and leaves it empty.
    fn absorb(&mut self, other: &mut Self) {
        let Ends { data, key } = self.entries.last().map_or_else(Ends::default, |last| last.ends);
        self.data.append(&mut other.data);
        self.keys.push_str(&other.keys);
        self.entries.extend(other.entries.drain(..).map(|Entry { ends, stamp }| {
            let ends = Ends { data: data + ends.data, key: key + ends.key };
            Entry { ends, stamp }
        }));
        self.numbers.append(&mut other.numbers);
        other.clear();
    }

    #[cfg(feature = "aws")]
    /// Adds a record with its sequence and sub-sequence number from a stream. All records of a batch are of one kind.
    pub(crate) fn push_numbered(&mut self, data: &[u8], key: &str, number: (SequenceNumber, u64), arrival: i64) {
        self.push(data, key, Stamp { arrival, ..Stamp::default() });
        self.numbers.push(number);
    }

    /// Sets how far the batch is behind the newest record.
    #[cfg(any(feature = "aws", test))]
    pub(crate) fn set_millis_behind(&mut self, millis: u64) {
        self.millis_behind = millis;
    }

    pub(crate) fn millis_behind(&self) -> u64 {
        self.millis_behind
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Removes the records. How far the batch was behind stays.
    pub(crate) fn empty(&mut self) {
        let millis_behind = self.millis_behind;
        self.clear();
        self.millis_behind = millis_behind;
    }

    /// The size of its records with their keys, in bytes.
    pub(crate) fn size(&self) -> usize {
        self.data.len() + self.keys.len()
    }

    /// The places of the records in an input; empty for records of a stream.
    pub(crate) fn places(&self) -> impl Iterator<Item = Place> {
        self.stamps().map(|stamp| stamp.place)
    }

    fn stamps(&self) -> impl Iterator<Item = &Stamp> {
        let placed = if self.numbers.is_empty() { &self.entries[..] } else { &[] };
        placed.iter().map(|entry| &entry.stamp)
    }

    /// The mark of each record of an input.
    pub(crate) fn marks(&self) -> impl Iterator<Item = PlacedMark> {
        self.stamps().map(Stamp::placed)
    }

    /// The stamp of the last record of an input.
    pub(crate) fn last_stamp(&self) -> Option<Stamp> {
        self.stamps().last().copied()
    }

    /// All records.
    pub(crate) fn all(&self) -> Part<'_> {
        Part { batch: self, start: 0, end: self.len() }
    }

    fn clear(&mut self) {
        self.data.clear();
        self.keys.clear();
        self.entries.clear();
        self.numbers.clear();
        self.millis_behind = 0;
    }
}

/// Consecutive records of a batch, which are delivered in one message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part<'a> {
    batch: &'a Batch,
    start: usize,
    end: usize,
}

impl<'a> Part<'a> {
    pub(crate) fn len(self) -> usize {
        self.end - self.start
    }

    pub(crate) fn is_empty(self) -> bool {
        self.start == self.end
    }

    /// The first `count` records, and the others.
    pub(crate) fn split_at(self, count: usize) -> (Self, Self) {
        let middle = self.end.min(self.start + count);
        (Self { end: middle, ..self }, Self { start: middle, ..self })
    }

    /// The records as they are on the wire.
    pub(crate) fn records(self) -> impl Iterator<Item = WireRecord<'a>> {
        let Batch { data, keys, numbers, .. } = self.batch;
        let mut from = self.ends_before(self.start);
        self.entries().iter().zip(self.start..).map(move |(Entry { ends: to, stamp }, index)| {
            let from = mem::replace(&mut from, *to);
            let known = numbers.get(index).copied();
            let (sequence_number, sub_sequence_number) = known.unwrap_or_else(|| stamp.number());
            WireRecord {
                data: &data[from.data..to.data],
                partition_key: &keys[from.key..to.key],
                sequence_number,
                sub_sequence_number,
                approximate_arrival_timestamp: Some(stamp.arrival),
            }
        })
    }

    /// Where the data and the keys end of the records before this one.
    fn ends_before(self, record: usize) -> Ends {
        let last = record.checked_sub(1).and_then(|last| self.batch.entries.get(last));
        last.map_or_else(Ends::default, |last| last.ends)
    }

    /// The size of the data of all records, in bytes.
    pub(crate) fn size(self) -> u64 {
        let from = self.ends_before(self.start);
        (self.ends_before(self.end).data - from.data) as u64
    }

    /// The sequence and sub-sequence number of each record.
    pub(crate) fn numbers(self) -> impl Iterator<Item = (SequenceNumber, u64)> {
        (self.start..self.end).filter_map(move |record| self.number(record))
    }

    /// The sequence and sub-sequence number of the last record.
    pub(crate) fn last_number(self) -> Option<(SequenceNumber, u64)> {
        self.end.checked_sub(1).filter(|last| *last >= self.start).and_then(|last| self.number(last))
    }

    /// The number of a record of the batch.
    fn number(self, record: usize) -> Option<(SequenceNumber, u64)> {
        let known = self.batch.numbers.get(record).copied();
        known.or_else(|| Some(self.batch.entries.get(record)?.stamp.number()))
    }

    fn entries(self) -> &'a [Entry] {
        self.batch.entries.get(self.start..self.end).unwrap_or_default()
    }
}

/// The reason why no more batches follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// All records of the shard were delivered, so it ends.
    Finished,
    /// No more records follow in this run: the queued ones are delivered, but the shard does not end.
    Paused,
    /// The run was interrupted: the queued records are not delivered.
    Interrupted,
}

/// A queue with one producer and one consumer.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    full: VecDeque<Batch>,
    spare: Vec<Batch>,
    end: Option<End>,
    abandoned: bool,
    /// Whether the consumer waits for records.
    hungry: bool,
    /// How far the producer was behind the newest record after the last batch, if known.
    millis_behind: Option<u64>,
    /// The waker of a task that waits for room.
    #[cfg(feature = "aws")]
    waker: Option<Waker>,
}

impl Queue {
    /// Puts the batch at the end and leaves an empty one instead; waits while the queue is full. Does nothing once the consumer
    /// is gone or the queue has ended.
    pub(crate) fn push(&self, batch: &mut Batch) {
        self.offer(batch, Duration::MAX, || false);
    }

    /// Like [`push`](Self::push), but gives up after `patience` if other shards wait for the records that this holds back. It
    /// then returns `false`, and the batch is lost.
    pub(crate) fn offer(&self, batch: &mut Batch, patience: Duration, others_wait: impl Fn() -> bool) -> bool {
        let started = Instant::now();
        let mut state = self.lock();
        while state.full.len() >= CAPACITY && state.is_open() {
            if started.elapsed() > patience && others_wait() {
                batch.clear();
                return false;
            }
            state = self.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.is_open() {
            let spare = state.spare.pop().unwrap_or_default();
            state.full.push_back(mem::replace(batch, spare));
            self.change(&mut state);
        }
        batch.clear();
        true
    }

    /// Like [`push`](Self::push), but adds to a batch that waits as long as that has room for these numbers of records and bytes.
    pub(crate) fn append(&self, batch: &mut Batch, most_records: usize, most_bytes: usize) {
        let mut state = self.lock();
        if let Some(last) = state.full.back_mut()
            && last.len() + batch.len() <= most_records
            && last.size() + batch.size() <= most_bytes
        {
            last.absorb(batch);
            return;
        }
        drop(state);
        self.push(batch);
    }

    /// Puts a last batch at the end, although the queue may be full, and ends the queue.
    pub(crate) fn finish(&self, batch: &mut Batch, end: End) {
        let mut state = self.lock();
        if state.is_open() && batch.len() > 0 {
            state.full.push_back(mem::take(batch));
        }
        drop(state);
        self.end(end);
    }

    /// Ready once there is room for a batch, or with `false` if no consumer takes batches any more.
    #[cfg(feature = "aws")]
    pub(crate) fn poll_room(&self, context: &Context<'_>) -> Poll<bool> {
        let mut state = self.lock();
        if state.is_open() && state.full.len() >= CAPACITY {
            state.waker = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(state.is_open())
    }

    /// Sets how far the producer is behind the newest record.
    pub(crate) fn set_millis_behind(&self, millis: u64) {
        let mut state = self.lock();
        state.millis_behind = Some(millis);
        self.change(&mut state);
    }

    /// Wakes all waiters.
    fn change(&self, _state: &mut State) {
        self.changed.notify_all();
        #[cfg(feature = "aws")]
        _state.waker.take().into_iter().for_each(Waker::wake);
    }

    /// Whether the consumer waits for records and there are none.
    pub(crate) fn is_hungry(&self) -> bool {
        let state = self.lock();
        state.hungry && state.is_open()
    }

    /// Ends the queue. The first end counts, but an interruption overrides any other.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.lock();
        if state.end.is_none() || end == End::Interrupted {
            state.end = Some(end);
        }
        self.change(&mut state);
    }

    /// Whether there is a batch to take.
    pub(crate) fn has_batch(&self) -> bool {
        let state = self.lock();
        state.end != Some(End::Interrupted) && !state.full.is_empty()
    }

    /// Waits for the next batch and takes it; gives back the previous batch for reuse. If there is none after `patience`, the batch
    /// has no records. A producer that has not yet found how far it is behind is waited for longer.
    pub(crate) fn pop(&self, batch: &mut Batch, patience: Option<Duration>) -> Result<(), End> {
        batch.clear();
        let started = Instant::now();
        let mut state = self.lock();
        loop {
            if state.end == Some(End::Interrupted) {
                return Err(End::Interrupted);
            }
            if let Some(next) = state.full.pop_front() {
                let spent = mem::replace(batch, next);
                state.spare.push(spent);
                state.hungry = false;
                self.change(&mut state);
                return Ok(());
            }
            if let Some(end) = state.end {
                return Err(end);
            }
            state.hungry = true;
            state = match patience.zip(state.millis_behind) {
                Some((patience, millis_behind)) if started.elapsed() >= patience => {
                    batch.millis_behind = millis_behind;
                    return Ok(());
                }
                Some((patience, _)) => {
                    let rest = patience.saturating_sub(started.elapsed());
                    self.changed.wait_timeout(state, rest).unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Closes the consumer's side: no batch is taken any more.
    pub(crate) fn abandon(&self) {
        let mut state = self.lock();
        state.abandoned = true;
        state.full.clear();
        state.spare.clear();
        self.change(&mut state);
    }

    /// Whether the consumer still takes batches.
    pub(crate) fn is_open(&self) -> bool {
        self.lock().is_open()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_open(&self) -> bool {
        self.end.is_none() && !self.abandoned
    }
}

/// The data and the key of each record, as a processor reads them.
#[cfg(test)]
pub(crate) fn read(part: Part<'_>) -> Vec<(Vec<u8>, String)> {
    use kcl::protocol::{Message, WireText};
    let mut text = WireText::default();
    part.records().for_each(|record| text.push(&record));
    let line = [WireText::BEFORE, text.as_bytes(), WireText::after(None).as_bytes()].concat();
    let Ok(Message::ProcessRecords { records, .. }) = Message::from_line(&line) else {
        panic!("not a message: {}", line.escape_ascii())
    };
    records.iter().map(|record| (record.data().to_vec(), record.partition_key().to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;

    fn batch(data: &[&str]) -> Batch {
        let mut batch = Batch::default();
        for data in data {
            batch.push(data.as_bytes(), "key", Stamp::default());
        }
        batch
    }

    fn data(batch: &Batch) -> Vec<String> {
        read(batch.all()).into_iter().map(|(data, _)| String::from_utf8(data).unwrap()).collect()
    }

    #[test]
    fn a_part_holds_its_records() {
        let batch = batch(&["1", "", "333"]);
        let of = |part| read(part).into_iter().map(|(data, _)| data.len()).collect::<Vec<_>>();
        for count in 0..5 {
            let (first, rest) = batch.all().split_at(count);
            assert_eq!([of(first), of(rest)].concat(), [1, 0, 3]);
            assert_eq!((first.len() + rest.len(), first.size() + rest.size()), (3, 4));
            assert_eq!(first.last_number().is_some(), count > 0);
            let (second, third) = rest.split_at(1);
            assert_eq!([of(second), of(third)].concat(), of(rest));
        }
    }

    #[test]
    fn batches_arrive_in_order_before_the_end() {
        let queue = Arc::new(Queue::default());
        let filler = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                for text in ["1", "2", "3"] {
                    queue.push(&mut batch(&[text, "", "x"]));
                }
                queue.end(End::Finished);
            }
        });
        let mut taken = Batch::default();
        for text in ["1", "2", "3"] {
            queue.pop(&mut taken, None).unwrap();
            assert_eq!(data(&taken), [text, "", "x"]);
        }
        assert_eq!(queue.pop(&mut taken, None), Err(End::Finished));
        filler.join().unwrap();
    }

    #[test]
    fn an_offer_gives_up_if_it_holds_others_back() {
        let queue = Queue::default();
        assert!(queue.offer(&mut batch(&["1"]), Duration::ZERO, || true), "there is room");
        assert!(!queue.offer(&mut batch(&["2"]), Duration::ZERO, || true));
        let mut taken = Batch::default();
        queue.pop(&mut taken, None).unwrap();
        assert_eq!(data(&taken), ["1"]);
        assert!(queue.offer(&mut batch(&["3"]), Duration::ZERO, || true));
    }

    #[test]
    fn a_batch_that_waits_takes_more_records_as_long_as_it_has_room() {
        let queue = Queue::default();
        for text in ["1", "22", "333"] {
            queue.append(&mut batch(&[text, ""]), 6, 100);
        }
        queue.finish(&mut batch(&["4"]), End::Finished);
        let mut taken = Batch::default();
        queue.pop(&mut taken, None).unwrap();
        assert_eq!(data(&taken), ["1", "", "22", "", "333", ""]);
        queue.pop(&mut taken, None).unwrap();
        assert_eq!(data(&taken), ["4"]);
        assert_eq!(queue.pop(&mut taken, None), Err(End::Finished));
    }

    #[test]
    fn an_interruption_overtakes_queued_batches() {
        let queue = Queue::default();
        queue.push(&mut batch(&["1"]));
        queue.end(End::Finished);
        queue.end(End::Interrupted);
        assert!(!queue.has_batch());
        assert_eq!(queue.pop(&mut Batch::default(), None), Err(End::Interrupted));
    }

    #[test]
    fn without_records_the_batch_is_empty_after_a_while() {
        let queue = Queue::default();
        queue.push(&mut batch(&["1"]));
        queue.set_millis_behind(7);
        assert!(queue.has_batch());
        let mut taken = Batch::default();
        queue.pop(&mut taken, Some(Duration::ZERO)).unwrap();
        assert_eq!(data(&taken), ["1"], "records come first");
        for patience in [0, 1] {
            queue.pop(&mut taken, Some(Duration::from_millis(patience))).unwrap();
            assert_eq!((taken.len(), taken.millis_behind()), (0, 7));
        }
        queue.end(End::Finished);
        assert_eq!(queue.pop(&mut taken, Some(Duration::ZERO)), Err(End::Finished));
    }

    #[test]
    fn no_batch_is_empty_before_the_distance_is_known() {
        let queue = Arc::new(Queue::default());
        let consumer = thread::spawn({
            let queue = Arc::clone(&queue);
            move || {
                let mut taken = Batch::default();
                queue.pop(&mut taken, Some(Duration::ZERO)).unwrap();
                (taken.len(), taken.millis_behind())
            }
        });
        queue.set_millis_behind(3);
        assert_eq!(consumer.join().unwrap(), (0, 3));
    }

    #[test]
    fn a_push_does_not_wait_once_the_consumer_is_gone() {
        let queue = Queue::default();
        queue.push(&mut batch(&["1"]));
        queue.abandon();
        queue.push(&mut batch(&["2"]));
        assert!(!queue.is_open());
    }
}
