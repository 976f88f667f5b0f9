//! The order in which records may be handled: one queue for each key, made when it is needed and dropped when it is empty.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

use crate::runner::shared::ring::Arrival;

/// The records that wait: for their turn among the records of their key, or for a slot.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The records that may be handled now. The first one to arrive comes first: it holds the checkpoint back.
    ready: BinaryHeap<Reverse<Arrival>>,
    /// The last record in the queue of each key. Keys are known by their hashes. Two keys with the same hash, which is very
    /// rare, would share a queue.
    tails: HashMap<u64, Arrival, BuildHasherDefault<Hashed>>,
    /// The links of the records from `base` on.
    links: VecDeque<Link>,
    base: Arrival,
    random: RandomState,
}

/// A record's place in the queue of its key.
#[derive(Clone, Copy, Debug)]
struct Link {
    /// The hash of its key; `None` if its order does not matter.
    key: Option<u64>,
    /// The next record of its key.
    next: Option<Arrival>,
    is_settled: bool,
}

impl Keys {
    /// Adds the next record to arrive. With a `key`, it waits until the records of this key that arrived before it are settled.
    pub(super) fn arrive(&mut self, key: Option<&str>) {
        let at = self.base + self.links.len() as u64;
        let key = key.map(|key| self.random.hash_one(key));
        self.links.push_back(Link { key, next: None, is_settled: false });
        let Some(key) = key else { return self.ready.push(Reverse(at)) };
        match self.tails.entry(key) {
            Entry::Vacant(entry) => {
                entry.insert(at);
                self.ready.push(Reverse(at));
            }
            Entry::Occupied(mut entry) => {
                let before = entry.insert(at);
                if let Some(link) = self.links.get_mut((before - self.base) as usize) {
                    link.next = Some(at);
                }
            }
        }
    }

    /// Takes the record to handle next, which blocks its key until it is settled.
    pub(super) fn next(&mut self) -> Option<Arrival> {
        self.ready.pop().map(|Reverse(at)| at)
    }

    /// Gives back a record that was taken and is to be handled again. Its key stays blocked.
    pub(super) fn again(&mut self, at: Arrival) {
        self.ready.push(Reverse(at));
    }

    /// Settles a record that was taken. The next record of its key may be handled now.
    pub(super) fn settle(&mut self, at: Arrival) {
        let Some(link) = at.checked_sub(self.base).and_then(|index| self.links.get_mut(index as usize)) else { return };
        link.is_settled = true;
        match (*link, link.key) {
            (Link { next: Some(next), .. }, _) => self.ready.push(Reverse(next)),
            (_, Some(key)) => _ = self.tails.remove(&key),
            _ => {}
        }
        while self.links.front().is_some_and(|link| link.is_settled) {
            self.links.pop_front();
            self.base += 1;
        }
    }
}

/// A hasher of keys that are hashes.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // A `u64` is hashed by `write_u64`.
        for &byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrive(keys: &mut Keys, names: &str) {
        for name in names.chars() {
            keys.arrive(Some(name.to_string().as_str()));
        }
    }

    fn all(keys: &mut Keys) -> Vec<Arrival> {
        std::iter::from_fn(|| keys.next()).collect()
    }

    #[test]
    fn records_of_one_key_come_one_after_the_other_and_first_come_first() {
        let mut keys = Keys::default();
        arrive(&mut keys, "aabcab");
        assert_eq!(all(&mut keys), [0, 2, 3]);
        keys.settle(2);
        assert_eq!(all(&mut keys), [5]);
        keys.settle(0);
        arrive(&mut keys, "da");
        assert_eq!(all(&mut keys), [1, 6]);
        keys.settle(1);
        assert_eq!(all(&mut keys), [4]);
        keys.settle(4);
        assert_eq!(all(&mut keys), [7]);
    }

    #[test]
    fn a_record_that_waits_blocks_its_key_and_nothing_else() {
        let mut keys = Keys::default();
        arrive(&mut keys, "abab");
        assert_eq!(all(&mut keys), [0, 1]);
        // The first one waits for its next attempt.
        keys.settle(1);
        assert_eq!(all(&mut keys), [3]);
        keys.settle(3);
        arrive(&mut keys, "ab");
        keys.again(0);
        assert_eq!(all(&mut keys), [0, 5], "it comes before all that arrived after it");
        keys.settle(0);
        assert_eq!(all(&mut keys), [2]);
    }

    #[test]
    fn without_an_order_every_record_is_ready() {
        let mut keys = Keys::default();
        (0..3).for_each(|_| keys.arrive(None));
        assert_eq!(all(&mut keys), [0, 1, 2]);
        assert!(keys.tails.is_empty());
    }

    #[test]
    fn nothing_is_kept_of_what_is_settled() {
        let mut keys = Keys::default();
        for round in 0..100 {
            arrive(&mut keys, "abcabc");
            for _ in 0..6 {
                let at = keys.next().expect("a record is left");
                keys.settle(at);
            }
            assert!(keys.tails.is_empty() && keys.links.is_empty() && keys.base == 6 * (round + 1));
        }
    }
}
