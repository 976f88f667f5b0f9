//! The records that were read and not acknowledged yet, and which of them may be put now.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::Order;

/// As much is read ahead: enough that many keys are among it.
const MOST_RECORDS: usize = 20_000;
const MOST_BYTES: usize = 32 << 20;
/// The most records a call brings.
pub(crate) const CALL_RECORDS: usize = 500;

/// The longest wait before the first repetition; it doubles up to the other. Each is a random part of it.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A record of the input.
#[derive(Debug)]
pub(crate) struct Item {
    /// From 1, in all inputs.
    pub(crate) number: u64,
    /// What all before it come to, to tell whether it is the same input when it is read again.
    pub(crate) before: u32,
    pub(crate) data: Vec<u8>,
    pub(crate) key: String,
    /// Where it falls among the shards, if not by its key.
    pub(crate) explicit_hash_key: Option<String>,
}

impl Item {
    /// As Kinesis counts: the data and the key.
    fn bytes(&self) -> usize {
        self.data.len() + self.key.len()
    }
}

/// Where the input can be taken up again: all records before were acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// How many they are.
    pub(crate) records: u64,
    /// What they come to.
    pub(crate) digest: u32,
}

#[derive(Debug)]
struct Held {
    item: Arc<Item>,
    attempts: u32,
}

/// What is neither acknowledged nor forgotten.
///
/// With [`Order::Key`] at most one record of a key is on its way: the others of that key stand behind it.
#[derive(Debug)]
pub(crate) struct Window {
    order: Order,
    held: BTreeMap<u64, Held>,
    bytes: usize,
    /// Those that may be put.
    ready: BTreeSet<u64>,
    /// Those that failed and wait until then.
    waiting: BTreeSet<(Instant, u64)>,
    /// Who stands behind the one record of a key that is ready, waiting or on its way.
    behind: HashMap<String, VecDeque<u64>>,
    /// Behind all that was read.
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
            behind: HashMap::new(),
            end: start,
        }
    }

    /// Records follow, and all up to this position were read.
    pub(crate) fn add(&mut self, items: Vec<Item>, end: Position) {
        self.end = end;
        for item in items {
            let number = item.number;
            self.bytes += item.bytes();
            if self.order == Order::None {
                self.ready.insert(number);
            } else if let Some(behind) = self.behind.get_mut(&item.key) {
                behind.push_back(number);
            } else {
                self.behind.insert(item.key.clone(), VecDeque::new());
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

    /// How many records failed and wait for another try.
    pub(crate) fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// When the next of those that failed may be tried again.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _)| *due)
    }

    /// Whether a call could be filled by now.
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

    /// A record was acknowledged. Returns its size.
    pub(crate) fn acknowledge(&mut self, number: u64) -> usize {
        let Some(held) = self.held.remove(&number) else { return 0 };
        let bytes = held.item.bytes();
        self.bytes -= bytes;
        if self.order == Order::Key {
            let key = &held.item.key;
            match self.behind.get_mut(key).and_then(VecDeque::pop_front) {
                Some(next) => _ = self.ready.insert(next),
                None => _ = self.behind.remove(key),
            }
        }
        bytes
    }

    /// A call failed for these records; they are tried again after a while, together.
    pub(crate) fn hold_back(&mut self, numbers: &[u64], now: Instant) {
        let mut attempts = 0;
        for number in numbers {
            if let Some(held) = self.held.get_mut(number) {
                held.attempts += 1;
                attempts = attempts.max(held.attempts);
            }
        }
        let due = now + wait(attempts, fastrand::f64());
        self.waiting.extend(numbers.iter().map(|&number| (due, number)));
    }

    /// Where to go on if it ended here.
    pub(crate) fn position(&self) -> Position {
        match self.held.first_key_value() {
            Some((number, held)) => Position { records: number - 1, digest: held.item.before },
            None => self.end,
        }
    }

    /// Those that waited long enough are ready.
    fn wake(&mut self, now: Instant) {
        while let Some(&(due, number)) = self.waiting.first()
            && due <= now
        {
            self.waiting.pop_first();
            self.ready.insert(number);
        }
    }
}

/// How long to wait after so many attempts, for a random number from 0 to 1.
fn wait(attempts: u32, random: f64) -> Duration {
    let doublings = attempts.saturating_sub(1).min(16);
    (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT).mul_f64(random)
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
    fn no_two_records_of_a_key_are_on_their_way() {
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
        assert!(later <= now + FIRST_WAIT);
        window.acknowledge(4);
        assert_eq!(take(&mut window, later), [1]);
        window.acknowledge(1);
        assert_eq!(take(&mut window, later), [3]);
    }

    #[test]
    fn without_an_order_all_are_on_their_way_at_once() {
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
        assert_eq!(window.take(CALL_RECORDS, 1, now).len(), 1, "one always");
        assert_eq!(window.take(7, MANY, now).len(), 7);
        assert_eq!(window.take(MANY, MANY, now).len(), 500);
    }

    #[test]
    fn waits_double_up_to_the_longest() {
        assert_eq!(
            [1, 2, 3, 6, 7, 99].map(|attempts| wait(attempts, 1.0).as_millis()),
            [100, 200, 400, 3200, 5000, 5000]
        );
        assert_eq!(wait(9, 0.0), Duration::ZERO);
    }
}
