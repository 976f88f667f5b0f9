//! A reader of lines with one large buffer.

use std::io::{self, Read};

/// The most that a first read can return: the pipe's size after [`enlarge_pipe`](crate::io::stdio), if that succeeded.
pub(crate) const CAPACITY: usize = 1 << 20;
/// The alignment of the buffer. `malloc` puts large buffers a few bytes after a page's start. On some CPUs, reading
/// into such memory costs up to five times as much.
const ALIGNMENT: usize = 4096;

/// Reads lines. A line lives in the buffer until the next one is requested.
#[derive(Debug)]
pub(crate) struct LineReader<R> {
    reader: R,
    buffer: AlignedBuffer,
    /// The start of the buffer's unread part.
    start: usize,
    /// The end of the buffer's unread part.
    end: usize,
}

impl<R: Read> LineReader<R> {
    /// Creates a reader whose buffer has this capacity at first, and grows with the lines.
    pub(crate) fn with_capacity(capacity: usize, reader: R) -> Self {
        Self { reader, buffer: AlignedBuffer::new(capacity), start: 0, end: 0 }
    }

    /// The next line without its line feed; `None` at the end of the input. The input's last line may lack the line
    /// feed.
    pub(crate) fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        let mut searched = 0;
        let length = loop {
            let unread = &self.buffer.as_slice()[self.start..self.end];
            if let Some(found) = memchr::memchr(b'\n', &unread[searched..]) {
                break searched + found;
            }
            searched = unread.len();
            if self.fill()? == 0 {
                if searched == 0 {
                    return Ok(None);
                }
                let line = self.start..self.end;
                self.start = self.end;
                return Ok(Some(&self.buffer.as_slice()[line]));
            }
        };
        let line = self.start..self.start + length;
        self.start = line.end + 1;
        Ok(Some(&self.buffer.as_slice()[line]))
    }

    /// Whether the buffer holds more than the lines that were returned.
    pub(crate) fn has_unread(&self) -> bool {
        self.start < self.end
    }

    /// Reads more bytes, after the unread part.
    fn fill(&mut self) -> io::Result<usize> {
        if self.start > 0 {
            self.buffer.as_mut_slice().copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        if self.end == self.buffer.len() {
            self.buffer.grow();
        }
        loop {
            match self.reader.read(&mut self.buffer.as_mut_slice()[self.end..]) {
                Ok(read) => {
                    self.end += read;
                    return Ok(read);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
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

    fn as_mut_slice(&mut self) -> &mut [u8] {
        let (offset, length) = (self.offset, self.len());
        &mut self.memory[offset..offset + length]
    }

    fn grow(&mut self) {
        let mut larger = Self::new(self.len() * 2);
        larger.as_mut_slice()[..self.len()].copy_from_slice(self.as_slice());
        *self = larger;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns one piece for each read.
    struct Pieces(Vec<Vec<u8>>);

    impl Read for Pieces {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let Some(piece) = self.0.first_mut() else { return Ok(0) };
            let taken = piece.len().min(to.len());
            to[..taken].copy_from_slice(&piece[..taken]);
            piece.drain(..taken);
            if piece.is_empty() {
                self.0.remove(0);
            }
            Ok(taken)
        }
    }

    fn lines(pieces: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let mut reader = LineReader::with_capacity(CAPACITY, Pieces(pieces));
        let mut lines = Vec::new();
        while let Some(line) = reader.next_line().expect("no errors") {
            lines.push(line.to_vec());
        }
        lines
    }

    #[test]
    fn lines_do_not_depend_on_how_they_arrive() {
        let text = b"one\n\ntwo two\nthree";
        let expected: Vec<Vec<u8>> = [&b"one"[..], b"", b"two two", b"three"].map(<[u8]>::to_vec).into();
        assert_eq!(lines(vec![text.to_vec()]), expected);
        assert_eq!(lines(text.iter().map(|&byte| vec![byte]).collect()), expected);
        assert_eq!(lines(vec![]), Vec::<Vec<u8>>::new());
    }

    #[test]
    fn a_line_may_be_longer_than_the_buffer() {
        let long = vec![b'x'; 3 * CAPACITY + 1];
        let text = [&long[..], b"\nshort\n"].concat();
        assert_eq!(lines(vec![text]), [long, b"short".to_vec()]);
    }

    #[test]
    fn the_buffer_is_aligned() {
        let mut buffer = AlignedBuffer::new(10);
        assert_eq!(buffer.as_slice().as_ptr().align_offset(ALIGNMENT), 0);
        buffer.as_mut_slice()[9] = 1;
        buffer.grow();
        assert_eq!(buffer.as_slice().as_ptr().align_offset(ALIGNMENT), 0);
        assert_eq!((buffer.len(), buffer.as_slice()[9]), (20, 1));
    }
}
