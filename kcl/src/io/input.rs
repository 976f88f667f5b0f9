//! The input, which is read through one large buffer.

use std::io::{self, Read};
use std::mem;
use std::task::Poll;

use crate::buffers::Demand;
use crate::io::lines::Received;
use crate::io::stdio::PIPE_SIZE;
use crate::protocol::Message;
use crate::protocol::scanner::Scanner;

/// The most that a read can return at first. It is more than the pipe holds, so that a read that returns less has emptied the pipe.
/// The bytes of a read stay in the CPU's cache until they are decoded.
pub(crate) const CAPACITY: usize = PIPE_SIZE + ALIGNMENT;
/// The alignment of the buffer. `malloc` puts large buffers a few bytes after a page's start. On some CPUs, reading
/// into such memory costs up to five times as much.
const ALIGNMENT: usize = 4096;
/// The part of the capacity that is too little room for a read.
const TOO_LITTLE: usize = 4;
/// How many times as much as the unread rest must have been read since it was last moved, so that moving it costs little.
const CHEAP: usize = 8;

/// Reads messages.
#[derive(Debug)]
pub(crate) struct Input<R> {
    reader: R,
    buffer: AlignedBuffer,
    /// The place in the buffer where reads start, if possible. Before it is room for a rest that belongs to what follows.
    front: usize,
    /// The start of the buffer's unread part.
    start: usize,
    /// The end of the buffer's unread part.
    end: usize,
    /// The capacity at first.
    capacity: usize,
    /// The longest rest since the last batch.
    longest: usize,
    demand: Demand,
    /// The unread part has no complete message.
    is_scanned: bool,
}

impl<R> Input<R> {
    /// Creates an input whose buffer has this capacity at first, and grows with the records.
    pub(crate) fn with_capacity(capacity: usize, reader: R) -> Self {
        let mut input = Self {
            reader,
            buffer: AlignedBuffer::new(0),
            front: 0,
            start: 0,
            end: 0,
            capacity: capacity.max(1),
            longest: 0,
            demand: Demand::default(),
            is_scanned: false,
        };
        input.resize(0);
        input
    }

    /// The next message; `None` at the end of the input. The input's last line may lack the line feed.
    pub(crate) fn next(&mut self, scanner: &mut Scanner) -> Received
    where
        R: Read,
    {
        match self.poll_next(scanner, |reader, to| Poll::Ready(reader.read(to))) {
            Poll::Ready(received) => received,
            Poll::Pending => unreachable!("the reader lets the thread wait"),
        }
    }

    /// Does the same as [`next`](Self::next), with this way to read. After [`Poll::Pending`] it may be called again.
    #[inline]
    pub(crate) fn poll_next(
        &mut self,
        scanner: &mut Scanner,
        mut read: impl FnMut(&mut R, &mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<Received> {
        loop {
            if !self.is_scanned {
                let (taken, message) = scanner.push(&self.buffer.as_slice()[self.start..self.end]);
                self.start += taken;
                if message.is_some() {
                    if matches!(message, Some(Ok(Message::ProcessRecords { .. }))) {
                        self.end_batch();
                    }
                    return Poll::Ready(Ok(message));
                }
                self.make_room();
                self.is_scanned = true;
            }
            match read(&mut self.reader, &mut self.buffer.as_mut_slice()[self.end..]) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(0)) => {
                    let rest = self.start..self.end;
                    self.start = self.end;
                    return Poll::Ready(Ok(scanner.end(&self.buffer.as_slice()[rest])));
                }
                Poll::Ready(Ok(read)) => self.end += read,
                Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::Interrupted => continue,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
            }
            self.is_scanned = false;
        }
    }

    /// Whether the buffer holds more than the messages that were returned.
    pub(crate) fn has_unread(&self) -> bool {
        self.start < self.end
    }

    /// Makes room for more bytes after the unread part.
    fn make_room(&mut self) {
        let rest = self.end - self.start;
        if rest <= self.front && rest * CHEAP <= self.end - self.front {
            self.move_rest();
        } else if self.buffer.len() - self.end <= self.capacity / TOO_LITTLE {
            if rest <= self.front && rest * 2 <= self.end - self.front {
                self.move_rest();
            } else {
                self.resize(rest + rest / 2);
            }
        }
        self.longest = self.longest.max(rest);
    }

    /// Notes how long the batch's rests were, and gives back memory that the last batches did not need.
    fn end_batch(&mut self) {
        self.demand.add(mem::take(&mut self.longest));
        let smallest = self.capacity.max(self.end - self.start);
        if self.front > smallest && self.demand.is_exceeded_by(self.buffer.len()) {
            self.resize(self.demand.largest().max(self.end - self.start));
        }
    }

    /// Moves the unread rest to before the place where reads start.
    fn move_rest(&mut self) {
        let start = self.front - (self.end - self.start);
        self.buffer.as_mut_slice().copy_within(self.start..self.end, start);
        (self.start, self.end) = (start, self.front);
    }

    /// Moves the unread rest to another buffer, with room for at least this many bytes before and after the place where
    /// reads start.
    fn resize(&mut self, room: usize) {
        let front = room.max(self.capacity / 2).next_multiple_of(ALIGNMENT);
        let mut buffer = AlignedBuffer::new(front + room.max(self.capacity));
        let rest = &self.buffer.as_slice()[self.start..self.end];
        let start = front - rest.len();
        buffer.as_mut_slice()[start..front].copy_from_slice(rest);
        (self.buffer, self.front, self.start, self.end) = (buffer, front, start, front);
    }
}

/// Zeroed memory that starts at the start of a page. Its untouched pages take no memory.
#[derive(Debug)]
struct AlignedBuffer {
    memory: Vec<u8>,
    offset: usize,
}

impl AlignedBuffer {
    fn new(length: usize) -> Self {
        let memory = vec![0; length + ALIGNMENT];
        let offset = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, offset }
    }

    fn len(&self) -> usize {
        self.memory.len() - ALIGNMENT
    }

    #[inline]
    fn as_slice(&self) -> &[u8] {
        &self.memory[self.offset..self.offset + self.len()]
    }

    #[inline]
    fn as_mut_slice(&mut self) -> &mut [u8] {
        let (offset, length) = (self.offset, self.len());
        &mut self.memory[offset..offset + length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::buffers::BATCHES;
    use crate::protocol::{ProcessRecordsMessage, WireRecord};

    /// Returns at most this many bytes for each read.
    struct Slow(Vec<u8>, usize);

    impl Read for Slow {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let taken = self.0.len().min(self.1).min(to.len());
            to[..taken].copy_from_slice(&self.0[..taken]);
            self.0.drain(..taken);
            Ok(taken)
        }
    }

    /// A line with records of these lengths.
    fn line(lengths: &[usize]) -> Vec<u8> {
        let data = vec![b'x'; lengths.iter().copied().fold(0, usize::max)];
        let record = |length: &usize| WireRecord {
            data: &data[..*length],
            partition_key: "key",
            sequence_number: 7.into(),
            sub_sequence_number: 0,
            approximate_arrival_timestamp: Some(1),
        };
        let records: Vec<_> = lengths.iter().map(record).collect();
        let mut line = Vec::new();
        ProcessRecordsMessage { records: &records[..], millis_behind_latest: Some(0) }.write(&mut line);
        line.push(b'\n');
        line
    }

    /// Reads all messages. Returns the lengths of their records, and the length of the buffer after each.
    fn read(capacity: usize, text: Vec<u8>, piece: usize) -> Vec<(Vec<usize>, usize)> {
        let mut input = Input::with_capacity(capacity, Slow(text, piece));
        let mut scanner = Scanner::default();
        let mut read = Vec::new();
        while let Some(message) = input.next(&mut scanner).unwrap() {
            let Message::ProcessRecords { records, .. } = message.unwrap() else { panic!("other message") };
            read.push((records.iter().map(|record| record.data().len()).collect(), input.buffer.len()));
            assert_eq!(input.buffer.as_slice()[input.front..].as_ptr().align_offset(ALIGNMENT), 0);
            scanner.take_back(records);
        }
        assert!(!input.has_unread());
        read
    }

    #[test]
    fn records_do_not_depend_on_how_they_arrive() {
        let batches = [vec![1, 2, 3], vec![], vec![10_000], vec![5000; 20], vec![0; 200]];
        let text = batches.iter().map(|lengths| line(lengths)).collect::<Vec<_>>().concat();
        for capacity in [64, 1 << 12, CAPACITY] {
            for piece in [1, 7, 4096, CAPACITY] {
                let read = read(capacity, text.clone(), piece);
                let lengths: Vec<_> = read.into_iter().map(|(lengths, _)| lengths).collect();
                assert_eq!(lengths, batches, "{capacity} {piece}");
            }
        }
    }

    #[test]
    fn memory_that_a_long_record_needed_is_given_back() {
        let small: Vec<u8> = (0..20).flat_map(|_| line(&[10])).collect();
        let text = [&small[..], &line(&[3_000_000]), &small].concat();
        let lengths: Vec<_> = read(1 << 16, text, 1 << 16).into_iter().map(|(_, length)| length).collect();
        let (before, during, after) = (lengths[0], lengths[20], lengths[40]);
        assert!(before < 100_000 && after == before, "{lengths:?}");
        assert!((4_000_000..=4 * 4_000_000).contains(&during), "{during}");
        assert_eq!(lengths[20 + BATCHES - 1], during, "it is kept for as long as it may be needed again");
    }
}
