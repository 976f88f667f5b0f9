//! The cheapest processor that a daemon accepts: finds the ends of lines, and answers without reading the records.

use std::io::{self, Write};

/// The start of a line that says which message it is.
const LONGEST_START: usize = 64;

fn reply(start: &[u8]) -> &'static [u8] {
    let is = |action: &[u8]| start.starts_with(&[br#"{"action":""#, action, b"\""].concat());
    if is(b"initialize") {
        b"{\"action\":\"status\",\"responseFor\":\"initialize\"}\n"
    } else if is(b"processRecords") {
        b"{\"action\":\"checkpoint\",\"sequenceNumber\":null,\"subSequenceNumber\":null}\n"
    } else if is(b"checkpoint") {
        b"{\"action\":\"status\",\"responseFor\":\"processRecords\"}\n"
    } else {
        b"{\"action\":\"status\",\"responseFor\":\"leaseLost\"}\n"
    }
}

fn main() -> io::Result<()> {
    let mut start = Vec::new();
    let mut output = io::stdout().lock();
    processors::read_all(|mut read| {
        while !read.is_empty() {
            let end = memchr::memchr(b'\n', read);
            let line = &read[..end.unwrap_or(read.len())];
            let wanted = LONGEST_START - start.len();
            start.extend_from_slice(&line[..line.len().min(wanted)]);
            let Some(end) = end else { break };
            output.write_all(reply(&start))?;
            start.clear();
            read = &read[end + 1..];
        }
        output.flush()
    })
}
