//! A daemon's messages, as arbitrary bytes in pieces of arbitrary lengths. The messages and the errors must be those of whole
//! lines.

#![no_main]

use kcl::__private::Scanner;
use kcl::protocol::{Message, MessageError, WireRecord};
use libfuzzer_sys::fuzz_target;

type Read = Result<Message, MessageError>;

/// Everything about a message or an error.
fn show(read: Read) -> String {
    match read {
        Ok(Message::ProcessRecords { records, millis_behind_latest }) => {
            let records: Vec<_> = records.iter().map(WireRecord::from).collect();
            format!("{records:?} {millis_behind_latest:?}")
        }
        Ok(message) => format!("{message:?}"),
        Err(error) => format!("{error} {}", error.is_truncated()),
    }
}

fuzz_target!(|bytes: &[u8]| {
    // The first bytes are the lengths of the pieces: up to 15 short ones, or else everything at once.
    let Some((count, rest)) = bytes.split_first() else { return };
    let (lengths, text) = rest.split_at(rest.len().min(usize::from(count % 16)));
    let mut lengths = lengths.iter().cycle().map(|&length| 1 + usize::from(length));
    let mut scanner = Scanner::default();
    let (mut scanned, mut unread, mut at) = (Vec::new(), Vec::new(), 0);
    while at < text.len() {
        let end = text.len().min(at + lengths.next().unwrap_or(text.len()));
        unread.extend_from_slice(&text[at..end]);
        at = end;
        loop {
            let (taken, read) = scanner.push(&unread);
            unread.drain(..taken);
            let Some(read) = read else { break };
            scanned.push(show(read));
        }
    }
    scanned.extend(scanner.end(&unread).map(show));
    let lines = text.split_inclusive(|&byte| byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line));
    assert!(lines.map(|line| show(Message::from_line(line))).eq(scanned));
});
