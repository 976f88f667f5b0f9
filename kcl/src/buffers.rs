//! The buffers that the records of a batch share. They are used again for the next batch if no record was kept.

use std::convert::Infallible;
use std::mem;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::record::Record;
use crate::sequence::SequenceNumber;

/// The number of batches after which memory that none of them needed is given back.
pub(crate) const BATCHES: usize = 16;
/// How many times as large as all of these batches a buffer may be.
const EXCESS: usize = 4;
/// The number of elements that a buffer may always keep.
const SMALL: usize = 1024;

/// The records of one message: one buffer for their data, one for their keys.
#[derive(Default)]
pub(crate) struct Batch {
    /// The data of all records, then whatever an earlier batch left there. It has an owner of its own, because shares of
    /// it may outlive the batch, and a share within the batch must not own the batch.
    data: Arc<Vec<u8>>,
    /// A share of `data`, once someone has asked for one.
    share: OnceLock<Bytes>,
    keys: String,
    entries: Vec<Entry>,
}

/// A record of a batch.
pub(crate) struct Entry {
    data: Range<usize>,
    key: Range<usize>,
    pub(crate) sequence_number: SequenceNumber,
    pub(crate) sub_sequence_number: u64,
    /// Milliseconds since 1970.
    pub(crate) arrival: Option<i64>,
}

impl Batch {
    #[inline]
    pub(crate) fn entry(&self, index: usize) -> &Entry {
        &self.entries[index]
    }

    #[inline]
    pub(crate) fn data(&self, index: usize) -> &[u8] {
        &self.data[self.entry(index).data.clone()]
    }

    /// The size of the data of the records up to and including this one.
    #[cfg(feature = "metrics")]
    pub(crate) fn size_up_to(&self, index: usize) -> u64 {
        self.entry(index).data.end as u64
    }

    #[inline]
    pub(crate) fn key(&self, index: usize) -> &str {
        &self.keys[self.entry(index).key.clone()]
    }

    /// The data as a share of the buffer. All shares of a batch cost one allocation together.
    pub(crate) fn bytes(&self, index: usize) -> Bytes {
        let share = self.share.get_or_init(|| Bytes::from_owner(Data(Arc::clone(&self.data))));
        share.slice(self.entry(index).data.clone())
    }
}

/// An owner of a batch's data, but not of the batch.
struct Data(Arc<Vec<u8>>);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Fills one batch after another.
#[derive(Default)]
pub(crate) struct Buffers {
    /// The data of the records so far, then memory that an earlier batch has initialized.
    data: Vec<u8>,
    /// The length of the data of the records so far.
    filled: usize,
    /// The keys of the records so far, each of which is UTF-8.
    keys: Vec<u8>,
    entries: Vec<Entry>,
    /// The last batch, whose memory is used again.
    last: Arc<Batch>,
    /// An empty list for the next batch.
    records: Vec<Record>,
    data_demand: Demand,
    key_demand: Demand,
    record_demand: Demand,
}

impl Buffers {
    /// Starts a batch. It uses the memory of the last one, unless some of that one's records or data are still in use.
    pub(crate) fn open(&mut self) {
        match Arc::get_mut(&mut self.last) {
            Some(last) => {
                last.share.take();
                self.data = Arc::get_mut(&mut last.data).map(mem::take).unwrap_or_default();
                self.keys = mem::take(&mut last.keys).into_bytes();
                self.entries = mem::take(&mut last.entries);
            }
            None => self.last = Arc::default(),
        }
        self.filled = 0;
        self.keys.clear();
        self.entries.clear();
        if self.data_demand.is_exceeded_by(self.data.capacity()) {
            self.data.clear();
        }
        self.data_demand.fit(&mut self.data);
        self.key_demand.fit(&mut self.keys);
        self.record_demand.fit(&mut self.entries);
        self.record_demand.fit(&mut self.records);
    }

    /// Starts a record. The caller fills in its numbers.
    #[inline]
    pub(crate) fn start_record(&mut self) -> &mut Entry {
        let (data, key) = (self.filled, self.keys.len());
        self.entries.push(Entry {
            data: data..data,
            key: key..key,
            sequence_number: SequenceNumber::from(0),
            sub_sequence_number: 0,
            arrival: None,
        });
        let last = self.entries.len() - 1;
        &mut self.entries[last]
    }

    /// Forgets the record that was started last.
    pub(crate) fn cancel_record(&mut self) {
        if let Some(record) = self.entries.pop() {
            self.filled = record.data.start;
            self.keys.truncate(record.key.start);
        }
    }

    /// The record that was started last.
    #[inline]
    pub(crate) fn record(&mut self) -> Option<&mut Entry> {
        self.entries.last_mut()
    }

    /// Makes these bytes the data of the record.
    pub(crate) fn set_data(&mut self, data: &[u8]) {
        // It cannot fail.
        _ = self.write_data(data.len(), |to| {
            to.copy_from_slice(data);
            Ok::<_, Infallible>(data.len())
        });
    }

    /// Makes the data of the record what `write` writes into a buffer of this length. It returns how much that is.
    #[inline]
    pub(crate) fn write_data<E>(
        &mut self,
        most: usize,
        write: impl FnOnce(&mut [u8]) -> Result<usize, E>,
    ) -> Result<(), E> {
        let Some(record) = self.entries.last_mut() else { return Ok(()) };
        let start = record.data.start;
        if self.data.len() - start < most {
            self.data.resize(start + most, 0);
        }
        self.filled = start + write(&mut self.data[start..start + most])?;
        record.data.end = self.filled;
        Ok(())
    }

    /// Makes these bytes the key of the record. This is lossy: if the charset of the daemon's JVM is not UTF-8, the daemon
    /// writes keys in that charset.
    #[inline(always)] // Whether or not the feature `metrics` is on, which changes what the compiler would do.
    pub(crate) fn set_key(&mut self, key: &[u8]) {
        let Some(record) = self.entries.last_mut() else { return };
        self.keys.truncate(record.key.start);
        if key.is_ascii() {
            self.keys.extend_from_slice(key);
        } else {
            self.keys.extend_from_slice(String::from_utf8_lossy(key).as_bytes());
        }
        record.key.end = self.keys.len();
    }

    /// Ends the batch and returns its records.
    pub(crate) fn finish(&mut self) -> Vec<Record> {
        let count = self.entries.len();
        self.data_demand.add(self.filled);
        self.key_demand.add(self.keys.len());
        self.record_demand.add(count);
        let data = mem::take(&mut self.data);
        // All keys are checked at once, because checking them one by one costs more than their shortness suggests.
        let keys = String::from_utf8(mem::take(&mut self.keys)).unwrap_or_default();
        let entries = mem::take(&mut self.entries);
        match Arc::get_mut(&mut self.last) {
            Some(last) => {
                match Arc::get_mut(&mut last.data) {
                    Some(empty) => *empty = data,
                    None => last.data = Arc::new(data),
                }
                (last.keys, last.entries) = (keys, entries);
            }
            None => self.last = Arc::new(Batch { data: Arc::new(data), share: OnceLock::new(), keys, entries }),
        }
        let mut records = mem::take(&mut self.records);
        records.extend((0..count).map(|index| Record::of(Arc::clone(&self.last), index)));
        records
    }

    /// Takes back the records of a batch that is done, for the next one.
    pub(crate) fn take_back(&mut self, mut records: Vec<Record>) {
        records.clear();
        self.records = records;
    }
}

/// The sizes that the last batches needed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Demand {
    sizes: [usize; BATCHES],
    /// The place of the oldest.
    oldest: usize,
}

impl Demand {
    pub(crate) fn add(&mut self, size: usize) {
        self.sizes[self.oldest] = size;
        self.oldest = (self.oldest + 1) % BATCHES;
    }

    pub(crate) fn largest(&self) -> usize {
        self.sizes.into_iter().fold(0, usize::max)
    }

    /// Whether a buffer of this capacity is far larger than what the last batches needed.
    pub(crate) fn is_exceeded_by(&self, capacity: usize) -> bool {
        capacity > SMALL.max(self.largest().saturating_mul(EXCESS))
    }

    /// Gives back most of a buffer that is far larger than what the last batches needed, and makes a new one large enough.
    fn fit<T>(&self, buffer: &mut Vec<T>) {
        if buffer.capacity() == 0 {
            buffer.reserve_exact(self.largest());
        } else if self.is_exceeded_by(buffer.capacity()) {
            buffer.shrink_to(self.largest());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(buffers: &mut Buffers, lengths: &[usize]) -> Vec<Record> {
        buffers.open();
        for &length in lengths {
            buffers.start_record();
            buffers.set_data(&vec![b'x'; length]);
            buffers.set_key(b"key");
        }
        buffers.finish()
    }

    #[test]
    fn memory_is_used_again_unless_records_are_kept() {
        let mut buffers = Buffers::default();
        let records = batch(&mut buffers, &[100; 10]);
        let (place, list) = (records[0].data().as_ptr(), records.as_ptr());
        buffers.take_back(records);

        let records = batch(&mut buffers, &[50; 10]);
        assert_eq!((records[0].data().as_ptr(), records.as_ptr()), (place, list));
        let kept = records[3].clone();
        buffers.take_back(records);

        let records = batch(&mut buffers, &[60; 10]);
        assert_ne!(records[0].data().as_ptr(), place);
        assert_eq!((kept.data(), kept.partition_key()), (&[b'x'; 50][..], "key"));
        let (share, place) = (records[2].bytes(), records[0].data().as_ptr());
        buffers.take_back(records);

        let records = batch(&mut buffers, &[70; 10]);
        assert_ne!(records[0].data().as_ptr(), place);
        assert_eq!(share, [b'x'; 60][..]);
        let (_, place) = (records[2].bytes(), records[0].data().as_ptr());
        buffers.take_back(records);
        assert_eq!(batch(&mut buffers, &[7])[0].data().as_ptr(), place, "a share that is gone does not matter");
    }

    #[test]
    fn memory_that_no_batch_needed_is_given_back() {
        let mut buffers = Buffers::default();
        let records = batch(&mut buffers, &[1000; 5000]);
        buffers.take_back(records);
        for _ in 0..BATCHES {
            let records = batch(&mut buffers, &[1000]);
            assert!(buffers.last.data.capacity() >= 5_000_000 && records.capacity() >= 5000);
            buffers.take_back(records);
        }
        let records = batch(&mut buffers, &[1000]);
        let last = &buffers.last;
        assert!(last.data.capacity() <= 4000 && last.keys.capacity() <= SMALL && last.entries.capacity() <= SMALL);
        assert!(records.capacity() <= SMALL, "{}", records.capacity());
    }

    #[test]
    fn a_cancelled_record_leaves_nothing() {
        let mut buffers = Buffers::default();
        buffers.open();
        for kept in [true, false, true] {
            buffers.start_record();
            buffers.set_data(b"data");
            buffers.set_key(b"k\xff");
            if !kept {
                buffers.cancel_record();
            }
        }
        let records = buffers.finish();
        assert_eq!(records.iter().map(Record::data).collect::<Vec<_>>(), [b"data", b"data"]);
        assert_eq!(records[1].partition_key(), "k\u{fffd}");
    }
}
