//! Reads the input, on its own thread.

use std::sync::mpsc::Receiver;

use tokio::sync::mpsc::UnboundedSender;

use super::window::{CALL_RECORDS, Item, Position};
use super::{Event, PutError};
use crate::input::lines::{Lines, Next};
use crate::input::path::Input;
use crate::input::record::{Format, Record};
use crate::input::record_error::RecordError;
use crate::input::source::{InputError, Source};
use crate::report;

/// The bytes of data in a full chunk.
const CHUNK: usize = 1 << 20;

/// The input, and how to read it.
pub(crate) struct Reader {
    pub(crate) sources: Vec<Source>,
    pub(crate) format: Format,
    /// The most bytes of a record, including its key.
    pub(crate) longest: usize,
    /// How many records to skip: they were put before.
    pub(crate) skip: u64,
    /// The digest of the skipped records, if it is known.
    pub(crate) digest: Option<u32>,
    /// Whether they were put by a version that read the ends of lines in another way.
    pub(crate) old: bool,
    pub(crate) limit: u64,
}

/// Records to hand over to the window.
#[derive(Default)]
struct Chunk {
    items: Vec<Item>,
    bytes: usize,
}

/// The receiver of the records is gone.
struct Gone;

/// Hands over the records, one chunk per request.
struct Outlet {
    requests: Receiver<()>,
    events: UnboundedSender<Event>,
    chunk: Chunk,
    read: Position,
}

impl Reader {
    /// Reads to the end, as fast as chunks are requested.
    pub(crate) fn read(self, requests: Receiver<()>, events: UnboundedSender<Event>) {
        let mut outlet = Outlet { requests, events, chunk: Chunk::default(), read: Position::default() };
        let ended = self.read_to(&mut outlet);
        if !outlet.chunk.items.is_empty() && outlet.hand_over().is_err() {
            return;
        }
        _ = outlet.events.send(Event::End(ended));
    }

    fn read_to(self, outlet: &mut Outlet) -> Result<(), PutError> {
        let (format, longest) = (self.format, self.longest);
        let mut digest = crc32fast::Hasher::new();
        for source in self.sources {
            let input = source.input.clone();
            let mut lines = Lines::new(source, format.framing(longest));
            loop {
                if outlet.read.records >= self.limit {
                    return Ok(());
                }
                let (text, line, altered) = match lines.next()? {
                    Next::Line { text, number, altered, .. } => (text, number, altered),
                    Next::Idle if outlet.hand_over().is_err() => return Ok(()),
                    Next::Idle => continue,
                    Next::End => break,
                };
                let before = outlet.read.digest;
                digest.update(text);
                digest.update(b"\n");
                outlet.read = Position { records: outlet.read.records + 1, digest: digest.clone().finalize() };
                let number = outlet.read.records;
                if number <= self.skip {
                    if let Some(line) = altered.filter(|_| self.old) {
                        return Err(InputError::Altered { input, line }.into());
                    }
                    if number == self.skip && self.digest.is_some_and(|digest| digest != outlet.read.digest) {
                        return Err(PutError::Changed { input, line });
                    }
                    continue;
                }
                match item(&format, text, number, before, longest) {
                    Ok(item) => {
                        if outlet.add(item, text.len()).is_err() {
                            return Ok(());
                        }
                    }
                    Err(problem) => {
                        outlet.read = Position { records: number - 1, digest: before };
                        return Err(bad(input, line, problem, text));
                    }
                }
            }
        }
        match outlet.read.records {
            read if read < self.skip => Err(PutError::Short { records: read, skip: self.skip }),
            _ => Ok(()),
        }
    }
}

fn bad(input: Input, line: u64, problem: RecordError, text: &[u8]) -> PutError {
    InputError::Record { input, line, problem: Box::new(problem), excerpt: report::excerpt(text) }.into()
}

/// Converts a line to a record for `PutRecords`.
fn item(format: &Format, text: &[u8], number: u64, before: u32, longest: usize) -> Result<Item, RecordError> {
    let record = format.record(text, number, longest)?;
    let explicit_hash_key = record.explicit_hash_key();
    let Record { data, key, .. } = record;
    Ok(Item { number, before, data: data.into_owned(), key: key.into(), explicit_hash_key })
}

impl Outlet {
    fn add(&mut self, item: Item, bytes: usize) -> Result<(), Gone> {
        self.chunk.items.push(item);
        self.chunk.bytes += bytes;
        if self.chunk.items.len() >= CALL_RECORDS || self.chunk.bytes >= CHUNK { self.hand_over() } else { Ok(()) }
    }

    fn hand_over(&mut self) -> Result<(), Gone> {
        if self.chunk.items.is_empty() {
            return Ok(());
        }
        self.requests.recv().map_err(|_| Gone)?;
        let items = std::mem::take(&mut self.chunk).items;
        self.events.send(Event::Read(items, self.read)).map_err(|_| Gone)
    }
}
