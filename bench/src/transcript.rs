//! The transcripts: everything that a daemon writes to one processor, made from a seed.

use fastrand::Rng;
use kcl::SequenceNumber;
use kcl::protocol::{Message, ProcessRecordsMessage, WireRecord};

/// How the records of a transcript are batched.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) name: &'static str,
    /// Records in a batch.
    pub(crate) records: usize,
    /// Bytes of a record's data, before base64.
    pub(crate) bytes: usize,
}

impl Shape {
    /// The shape in words.
    pub(crate) fn words(&self) -> String {
        let (count, kibi) = (self.records, self.bytes >> 10);
        let size = if kibi > 0 { format!("{kibi} KiB") } else { format!("{} B", self.bytes) };
        format!("{count} × {size}")
    }
}

pub(crate) const S: Shape = Shape { name: "S", records: 1000, bytes: 100 };
pub(crate) const M: Shape = Shape { name: "M", records: 500, bytes: 1 << 10 };
pub(crate) const L: Shape = Shape { name: "L", records: 20, bytes: 50 << 10 };
pub(crate) const X: Shape = Shape { name: "X", records: 200, bytes: 50 << 10 };
pub(crate) const T: Shape = Shape { name: "T", records: 1, bytes: 100 };

/// The content of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Payload {
    /// Random bytes.
    Random,
    /// An object with two numbers and two texts.
    Json,
}

/// How records are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As the daemon writes them.
    Daemon,
    /// With a space that the daemon does not write, which the fast path of a parser may not expect.
    Spaced,
}

/// The numbers that a processor reports after the last record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    /// The sum of the bytes in the middle of the records.
    pub(crate) sum: u64,
}

/// The lines of one conversation. The answers to checkpoints are among them, so that they need no daemon.
pub(crate) struct Transcript {
    /// All lines but the last one.
    pub(crate) lines: Vec<u8>,
    pub(crate) tally: Tally,
}

/// The first line.
pub(crate) fn initialize() -> Vec<u8> {
    br#"{"action":"initialize","shardId":"shardId-000000000000","sequenceNumber":"TRIM_HORIZON","subSequenceNumber":0}
"#
    .to_vec()
}

/// The last line.
pub(crate) const LEASE_LOST: &[u8] = b"{\"action\":\"leaseLost\"}\n";

/// Makes the batches of a transcript, one after the other.
pub(crate) struct Generator {
    rng: Rng,
    shape: Shape,
    payload: Payload,
    form: Form,
    next: u64,
    tally: Tally,
}

impl Generator {
    pub(crate) fn new(seed: u64, shape: Shape, payload: Payload, form: Form) -> Self {
        Self { rng: Rng::with_seed(seed), shape, payload, form, next: 0, tally: Tally::default() }
    }

    fn data(&mut self) -> Vec<u8> {
        match self.payload {
            Payload::Random => std::iter::repeat_with(|| self.rng.u8(..)).take(self.shape.bytes).collect(),
            Payload::Json => {
                let (id, cents) = (self.rng.u64(..1 << 40), self.rng.i64(-100_000..100_000));
                let kind = ["order", "refund", "transfer"][self.rng.usize(..3)];
                let start = format!(r#"{{"id":{id},"cents":{cents},"kind":"{kind}","fill":""#);
                let length = self.shape.bytes.saturating_sub(start.len() + 2);
                let fill: String = std::iter::repeat_with(|| self.rng.alphanumeric()).take(length).collect();
                format!("{start}{fill}\"}}").into_bytes()
            }
        }
    }

    /// The part of a payload that the processors count.
    fn counted<'a>(&self, data: &'a [u8]) -> &'a [u8] {
        match self.payload {
            Payload::Random => data,
            Payload::Json => {
                let fill = b",\"fill\":\"";
                let start = data.windows(fill.len()).position(|window| window == fill).map_or(0, |at| at + fill.len());
                &data[start..data.len() - 2]
            }
        }
    }

    /// One batch, and the answer to its checkpoint.
    pub(crate) fn batch(&mut self, lines: &mut Vec<u8>) {
        let data: Vec<_> = (0..self.shape.records).map(|_| self.data()).collect();
        let keys: Vec<_> = data.iter().map(|_| format!("customer-{:08}", self.rng.u32(..100_000_000))).collect();
        let numbers: Vec<_> = data.iter().map(|_| self.number()).collect();
        let records = data.iter().zip(&keys).zip(&numbers).zip(1_795_348_000_000..);
        let records = records.map(|(((data, partition_key), number), arrival)| WireRecord {
            data,
            partition_key,
            sequence_number: *number,
            sub_sequence_number: 0,
            approximate_arrival_timestamp: Some(arrival),
        });
        let records: Vec<_> = records.collect();
        let start = lines.len();
        ProcessRecordsMessage { records: &records[..], millis_behind_latest: Some(0) }.write(lines);
        if self.form == Form::Spaced {
            let line = lines.split_off(start);
            let text = String::from_utf8(line).expect("JSON is UTF-8");
            lines.extend_from_slice(text.replace("\"partitionKey\":", "\"partitionKey\": ").as_bytes());
        }
        lines.push(b'\n');
        for data in &data {
            let counted = self.counted(data);
            self.tally.records += 1;
            self.tally.bytes += counted.len() as u64;
            self.tally.sum += counted.get(counted.len() / 2).copied().map_or(0, u64::from);
        }
        let last = numbers.last().map(ToString::to_string);
        lines.extend_from_slice(&answer(last));
    }

    /// The next of a shard's ascending numbers.
    fn number(&mut self) -> SequenceNumber {
        self.next += self.rng.u64(1..1 << 40);
        format!("4968045894958102147884071699982107367{:019}", self.next).parse().expect("56 digits")
    }

    /// A whole transcript, of at least this many bytes.
    pub(crate) fn transcript(mut self, bytes: usize) -> Transcript {
        let mut lines = initialize();
        while lines.len() < bytes {
            self.batch(&mut lines);
        }
        Transcript { lines, tally: self.tally }
    }

    /// A whole transcript, of this many batches.
    pub(crate) fn batches(mut self, batches: usize) -> Transcript {
        let mut lines = initialize();
        (0..batches).for_each(|_| self.batch(&mut lines));
        Transcript { lines, tally: self.tally }
    }
}

/// The answer to a checkpoint, with its line feed.
fn answer(sequence_number: Option<String>) -> Vec<u8> {
    let answer = Message::Checkpoint { sequence_number, sub_sequence_number: Some(0), error: None };
    let mut line = serde_json::to_vec(&answer).expect("it is JSON");
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_makes_the_same_transcript_twice() {
        let make = |seed| Generator::new(seed, S, Payload::Json, Form::Spaced).batches(2).lines;
        assert_eq!(make(1), make(1));
        assert_ne!(make(1), make(2));
    }

    #[test]
    fn every_line_is_a_message_of_the_daemon() {
        for (payload, form) in [(Payload::Random, Form::Daemon), (Payload::Json, Form::Spaced)] {
            let transcript = Generator::new(3, M, payload, form).batches(3);
            let mut records = 0;
            for line in transcript.lines.split_inclusive(|&byte| byte == b'\n') {
                if let Message::ProcessRecords { records: batch, .. } = Message::from_line(line).expect("a message") {
                    records += batch.len() as u64;
                    assert!(batch.iter().all(|record| record.data().len() == M.bytes));
                }
            }
            assert_eq!(records, transcript.tally.records);
        }
    }
}
