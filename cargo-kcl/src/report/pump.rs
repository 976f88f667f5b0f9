//! Passing on the output of processors.

use std::collections::VecDeque;
use std::io::{self, Read};

use super::{excerpt, write};

/// The longest line that is kept in one piece.
const LONGEST_LINE: usize = 64 << 10;

/// Copies to stderr until the end, line by line, each with the prefix. Lines of different writers are never mixed. `observe` also
/// gets the lines, unchanged.
pub(crate) fn pump(from: impl Read, prefix: &str, observe: impl FnMut(&[u8])) {
    pump_to(from, prefix, observe, write);
}

/// The last lines of some text, each as an excerpt.
#[derive(Debug)]
pub(crate) struct LastLines {
    lines: VecDeque<String>,
    most: usize,
}

impl LastLines {
    /// Keeps this many lines.
    pub(crate) fn new(most: usize) -> Self {
        Self { lines: VecDeque::new(), most }
    }

    /// Adds whole lines.
    pub(crate) fn add(&mut self, lines: &[u8]) {
        let mut last: Vec<_> = lines.trim_ascii_end().rsplit(|&byte| byte == b'\n').take(self.most).collect();
        last.reverse();
        for line in last.into_iter().filter(|line| !line.is_empty()) {
            if self.lines.len() == self.most {
                self.lines.pop_front();
            }
            self.lines.push_back(excerpt(line));
        }
    }

    /// The kept lines, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.iter().cloned().collect()
    }
}

fn pump_to(mut from: impl Read, prefix: &str, mut observe: impl FnMut(&[u8]), mut write: impl FnMut(&[u8])) {
    let mut buffer = vec![0; LONGEST_LINE];
    let mut held = 0;
    let mut lines = Vec::new();
    loop {
        let read = match from.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        held += read;
        let complete = match memchr::memrchr(b'\n', &buffer[..held]) {
            Some(end) => end + 1,
            None if held == buffer.len() => held,
            None => continue,
        };
        prefixed(&buffer[..complete], prefix, &mut lines);
        observe(&buffer[..complete]);
        write(&lines);
        buffer.copy_within(complete..held, 0);
        held -= complete;
    }
    if held > 0 {
        prefixed(&buffer[..held], prefix, &mut lines);
        observe(&buffer[..held]);
        write(&lines);
    }
}

/// Writes each line of `text` to `to`, with the prefix and a line feed.
fn prefixed(text: &[u8], prefix: &str, to: &mut Vec<u8>) {
    to.clear();
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        to.extend_from_slice(prefix.as_bytes());
        to.extend_from_slice(line.strip_suffix(b"\n").unwrap_or(line));
        to.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pumped(text: &[u8]) -> Vec<u8> {
        let mut lines = Vec::new();
        pump_to(text, "[1] ", |_| {}, |written| lines.extend_from_slice(written));
        lines
    }

    #[test]
    fn every_line_gets_the_prefix_and_an_end() {
        assert_eq!(pumped(b"one\n\ntw\xff\nend"), b"[1] one\n[1] \n[1] tw\xff\n[1] end\n");
        assert_eq!(pumped(b""), b"");
    }

    #[test]
    fn the_last_lines_are_remembered() {
        let mut last = LastLines::new(5);
        last.add(b"1\n2\n3\n");
        last.add(b"4\n\n5\n6\x07");
        assert_eq!(last.lines(), ["2", "3", "4", "5", "6\\u{7}"]);
    }

    #[test]
    fn a_line_of_any_length_comes_through() {
        let long = vec![b'x'; 3 * LONGEST_LINE + 5];
        let lines = pumped(&long);
        assert_eq!(lines.iter().filter(|&&byte| byte == b'x').count(), long.len());
        assert!(lines.ends_with(b"x\n"));
    }
}
