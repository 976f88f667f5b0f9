//! A daemon's messages, as arbitrary bytes. If `serde_json` and `base64` alone can read a line, its records must be what they
//! read. A whole run must not panic, and must answer with replies only.

#![no_main]

use std::io::{self, Read, Write};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kcl::__private::{Clock, Lines, wire};
use kcl::protocol::{Message, Reply};
use kcl::{BoxError, Checkpoints, FailurePolicy, ProcessRecords, Processor, Runner, Shard};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

/// Accepts all records but those of one byte.
struct Taker;

impl Processor for Taker {
    const CHECKPOINTS: Checkpoints = Checkpoints::Records(3);
    const POLICY: FailurePolicy = FailurePolicy::new().retry(1).on_failure(kcl::FailureAction::Skip);

    fn process_records(&mut self, input: &mut ProcessRecords<'_>) -> Result<(), BoxError> {
        input.for_each_record(|input| if input.record().data().len() == 1 { Err("one byte".into()) } else { Ok(()) })
    }
}

/// Returns a few bytes at a time.
struct Slow(Vec<u8>, usize, usize);

impl Read for Slow {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let end = self.0.len().min(self.1 + self.2);
        let read = (&self.0[self.1..end]).read(to)?;
        self.1 += read;
        Ok(read)
    }
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A clock that stands still.
struct Still;

impl Clock for Still {
    fn now(&self) -> Duration {
        Duration::ZERO
    }

    fn sleep(&self, _: Duration, _: Option<BorrowedFd<'_>>) -> bool {
        false
    }

    fn jitter(&self, limit: Duration) -> Duration {
        limit
    }

    fn is_virtual(&self) -> bool {
        true
    }
}

/// Decodes base64 as the product reads it: any number of the padding characters at the end may be missing, and all else is strict.
fn decode(encoded: &str) -> Vec<u8> {
    let missing = encoded.len().next_multiple_of(4) - encoded.len();
    STANDARD.decode(encoded.to_owned() + &"=".repeat(missing)).expect("base64")
}

fn compare(line: &[u8]) {
    let Ok(Message::ProcessRecords { records, .. }) = Message::from_line(line) else { return };
    // `kcl` takes strings as raw bytes, with any charset and any control characters. `serde_json` refuses some of them.
    let Ok(value) = serde_json::from_slice::<Value>(line) else { return };
    let values = value["records"].as_array().expect("an array");
    assert_eq!(records.len(), values.len());
    for (record, value) in records.iter().zip(values) {
        assert_eq!(record.data(), decode(value["data"].as_str().unwrap_or("")));
        assert_eq!(record.partition_key(), value["partitionKey"].as_str().unwrap_or(""));
        let number = value["sequenceNumber"].as_str().expect("text").parse().expect("a number");
        assert_eq!(record.sequence_number(), number);
        assert_eq!(record.sub_sequence_number(), value["subSequenceNumber"].as_u64().unwrap_or(0));
    }
}

fuzz_target!(|bytes: &[u8]| {
    bytes.split(|&byte| byte == b'\n').for_each(compare);
    let output = Output::default();
    let reader = Slow(bytes.to_vec(), 0, 1 + bytes.len() % 97);
    let runner = Runner::new(|_: &Shard| Ok::<_, BoxError>(Taker));
    let lines = Lines::with_capacity(1 << 12, reader, output.clone());
    _ = wire::run(&runner, lines, Arc::new(Still), |_| ());
    let output = output.0.lock().unwrap();
    for line in output.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        Reply::from_line(line).expect("a reply");
    }
});
