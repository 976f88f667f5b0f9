//! The records that were read and are not acknowledged yet, and which of them may be put now.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Order;
use crate::backoff::Backoff;

/// The limits of reading ahead: large enough to contain many keys.
const MOST_RECORDS: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;
/// The most records in a call.
pub(crate) const CALL_RECORDS: usize = 500;

/// The wait before a record that failed is put again.
const BACKOFF: Backoff = Backoff { first: Duration::from_millis(100), most: Duration::from_secs(5) };

/// A record of the input.
#[derive(Debug)]
pub(crate) struct Item {
    /// Counts from 1 across all inputs.
    pub(crate) number: u64,
    /// The digest of all records before it, which shows whether a later run reads the same input.
    pub(crate) before: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) key: String,
    /// The hash key that selects the shard, if it is not the hash of the partition key.
    pub(crate) explicit_hash_key: Option<String>,
}

impl Item {
    /// The size as Kinesis counts it: the data and the key.
    fn bytes(&self) -> usize {
        self.data.len() + self.key.len()
    }
}

/// A place where the input can be resumed: all records before it were acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// The number of records before it.
    pub(crate) records: u64,
    /// The digest of those records.
    pub(crate) digest: u32,
}

#[derive(Debug)]
struct Held {
    item: Arc<Item>,
    attempts: u32,
}

/// The records that are not acknowledged yet.
///
/// With [`Order::Key`], at most one record of a key is in flight; the later records of that key queue up for their turn.
#[derive(Debug)]
pub(crate) struct Window {
    order: Order,
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// The records that may be put.
    ready: BTreeSet<u64>,
    /// The records that failed, with the time until which they wait.
    waiting: BTreeSet<(Instant, u64)>,
    /// For each key with a record that is ready, waiting or in flight, the later records of that key.
    queued: HashMap<String, VecDeque<u64>>,
    /// The position after the last record read.
    end: Position,
}

impl Window {
    pub(crate) fn new(order: Order, start: Position) -> Self {
        Self {
            order,
            held: BTreeMap::new(),
            bytes: 0,
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            queued: HashMap::new(),
            end: start,
        }
    }

    /// Adds records, which end at this position.
    pub(crate) fn add(&mut self, items: Vec<Item>, end: Position) {
        self.end = end;
        for item in items {
            let number = item.number;
            self.bytes += item.bytes();
            if self.order == Order::None {
                self.ready.insert(number);
            } else if let Some(queued) = self.queued.get_mut(&item.key) {
                queued.push_back(number);
            } else {
                self.queued.insert(item.key.clone(), VecDeque::new());
                self.ready.insert(number);
            }
            self.held.insert(number, Held { item: Arc::new(item), attempts: 0 });
        }
    }

    pub(crate) fn has_room(&self) -> bool {
        self.held.len() < MOST_RECORDS && self.bytes < MOST_BYTES
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// How many records failed and wait to be retried.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When the next failed record may be retried.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Whether there are enough records for a full call.
    pub(crate) fn fills_a_call(&mut self, most_bytes: usize, now: Instant) -> bool {
        self.wake(now);
        self.ready.len() >= CALL_RECORDS || self.bytes >= most_bytes
    }

    /// The records of the next call, in the order of the input.
    pub(crate) fn take(&mut self, most: usize, most_bytes: usize, now: Instant) -> Vec<Arc<Item>> {
        self.wake(now);
        let mut taken = Vec::new();
        let mut bytes = 0;
        while taken.len() < most.min(CALL_RECORDS) {
            let Some(number) = self.ready.first() else { break };
            let Some(held) = self.held.get(number) else { break };
            bytes += held.item.bytes();
            if bytes > most_bytes && !taken.is_empty() {
                break;
            }
            taken.push(Arc::clone(&held.item));
            self.ready.pop_first();
        }
        taken
    }

    /// Removes an acknowledged record and returns its size.
    pub(crate) fn acknowledge(&mut self, number: u64) -> usize {
        let Some(held) = self.held.remove(&number) else { return 0 };
        let bytes = held.item.bytes();
        self.bytes -= bytes;
        if self.order == Order::Key {
            let key = &held.item.key;
            match self.queued.get_mut(key).and_then(VecDeque::pop_front) {
                Some(next) => _ = self.ready.insert(next),
                None => _ = self.queued.remove(key),
            }
        }
        bytes
    }

    /// Has records that a call failed for wait, so that they are retried together later.
    pub(crate) fn hold_back(&mut self, numbers: &[u64], now: Instant) {
        let mut attempts = 0;
        for number in numbers {
            if let Some(held) = self.held.get_mut(number) {
                held.attempts += 1;
                attempts = attempts.max(held.attempts);
            }
        }
        let due = now + BACKOFF.random(attempts);
        self.waiting.extend(numbers.iter().map(|&number| (due, number)));
    }

    /// Where to resume if the run ended now.
    pub(crate) fn position(&self) -> Position {
        match self.held.first_key_value() {
            Some((number, held)) => Position { records: number - 1, digest: held.item.before },
            None => self.end,
        }
    }

    /// Makes the records that have waited long enough ready.
    fn wake(&mut self, now: Instant) {
        while let Some(&(due, number)) = self.waiting.first()
            && due <= now
        {
            self.waiting.pop_first();
            self.ready.insert(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANY: usize = 1 << 20;

    fn items(from: u64, keys: &[&str]) -> Vec<Item> {
        let item = |(number, key): (u64, &&str)| Item {
            number,
            before: number as u32 - 1,
            data: b"data".to_vec(),
            key: (*key).to_owned(),
            explicit_hash_key: None,
        };
        (from..).zip(keys).map(item).collect()
    }

    fn window(order: Order, keys: &[&str]) -> Window {
        let mut window = Window::new(order, Position::default());
        let records = keys.len() as u64;
        window.add(items(1, keys), Position { records, digest: records as u32 });
        window
    }

    fn take(window: &mut Window, now: Instant) -> Vec<u64> {
        window.take(CALL_RECORDS, MANY, now).into_iter().map(|item| item.number).collect()
    }

    #[test]
    fn no_two_records_of_a_key_are_in_flight() {
        let mut window = window(Order::Key, &["a", "b", "a", "a", "c", "b"]);
        let now = Instant::now();
        assert_eq!(take(&mut window, now), [1, 2, 5]);
        assert!(take(&mut window, now).is_empty());
        window.acknowledge(2);
        assert_eq!(take(&mut window, now), [6]);
        window.acknowledge(1);
        assert_eq!(take(&mut window, now), [3]);
        window.add(items(7, &["a", "b", "d"]), Position { records: 9, digest: 9 });
        assert_eq!(take(&mut window, now), [9]);
        for number in [3, 5, 6, 9] {
            window.acknowledge(number);
        }
        assert_eq!(take(&mut window, now), [4, 8]);
    }

    #[test]
    fn a_record_that_failed_holds_back_its_key_only() {
        let mut window = window(Order::Key, &["a", "b", "a", "b"]);
        let now = Instant::now();
        assert_eq!(take(&mut window, now), [1, 2]);
        window.acknowledge(2);
        window.hold_back(&[1], now);
        assert_eq!(window.waiting(), 1);
        let later = window.next_due().unwrap();
        assert!(later <= now + BACKOFF.first);
        window.acknowledge(4);
        assert_eq!(take(&mut window, later), [1]);
        window.acknowledge(1);
        assert_eq!(take(&mut window, later), [3]);
    }

    #[test]
    fn without_an_order_all_are_in_flight_at_once() {
        let mut window = window(Order::None, &["a", "a", "a"]);
        assert_eq!(take(&mut window, Instant::now()), [1, 2, 3]);
    }

    #[test]
    fn all_before_the_position_were_acknowledged() {
        let mut window = window(Order::None, &["a", "b", "c"]);
        let at = |records| Position { records, digest: records as u32 };
        take(&mut window, Instant::now());
        assert_eq!(window.position(), at(0));
        window.acknowledge(2);
        assert_eq!(window.position(), at(0));
        window.acknowledge(1);
        assert_eq!(window.position(), at(2));
        window.acknowledge(3);
        assert_eq!((window.position(), window.is_empty()), (at(3), true));
        assert_eq!(Window::new(Order::Key, at(7)).position(), at(7));
    }

    #[test]
    fn a_call_has_its_limits() {
        let mut window = window(Order::None, &["a"; 600]);
        let now = Instant::now();
        assert!(window.fills_a_call(MANY, now));
        assert_eq!(window.take(CALL_RECORDS, 11, now).len(), 2, "five bytes each");
        assert_eq!(window.take(CALL_RECORDS, 1, now).len(), 1, "always at least one");
        assert_eq!(window.take(7, MANY, now).len(), 7);
        assert_eq!(window.take(MANY, MANY, now).len(), 500);
    }
}
