//! A processor for the tests with the bug that `BUG` names. It speaks the protocol directly, like a processor written without the crate.
//!
//! If `DONE` names a file, it writes each processed record there, one per line.

use std::env;
use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use kcl::Record;
use kcl::protocol::{Message, Reply};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Planted {
    bug: String,
    input: BufReader<io::Stdin>,
    done: Option<File>,
    /// The first record of all, for the bug that goes back to it.
    first: Option<String>,
    /// The records that are not written yet.
    held: Vec<String>,
}

impl Planted {
    fn line(&mut self) -> Outcome<Option<Vec<u8>>> {
        let mut line = Vec::new();
        if self.bug == "short-reads" {
            // Assumes that a read always returns a whole line, and drops everything else.
            let mut buffer = vec![0; 1 << 20];
            loop {
                let read = self.input.get_mut().read(&mut buffer)?;
                if read == 0 {
                    return Ok(None);
                }
                if read > 1 && buffer[..read].ends_with(b"\n") {
                    return Ok(Some(buffer[..read].to_vec()));
                }
            }
        }
        Ok((self.input.read_until(b'\n', &mut line)? > 0).then_some(line))
    }

    #[expect(clippy::print_stdout)]
    fn send(&self, reply: &Reply) -> Outcome<()> {
        println!("{}", serde_json::to_string(reply)?);
        Ok(io::stdout().flush()?)
    }

    /// Repeats a checkpoint until it is accepted or the lease is lost. Returns whether it was accepted.
    fn checkpoint(&mut self, sequence_number: Option<&str>) -> Outcome<bool> {
        for _ in 0..20 {
            let sequence_number = sequence_number.map(str::to_owned);
            self.send(&Reply::Checkpoint { sequence_number, sub_sequence_number: None })?;
            let line = self.line()?.ok_or("the input ended before the answer")?;
            match Message::from_line(&line)? {
                Message::Checkpoint { error: None, .. } => return Ok(true),
                Message::Checkpoint { error: Some(error), .. } if error == "ShutdownException" => return Ok(false),
                Message::Checkpoint { .. } if self.bug == "ignores-refusals" => return Ok(false),
                Message::Checkpoint { .. } => {}
                other => return Err(format!("{} instead of the answer", other.action()).into()),
            }
        }
        Err("the checkpoint was refused too often".into())
    }

    fn process(&mut self, records: &[Record], behind: Option<u64>) -> Outcome<()> {
        if self.bug == "null-millis" {
            behind.ok_or("no millisBehindLatest")?;
        }
        let last = match records.last() {
            Some(last) => last.sequence_number().to_string(),
            None if self.bug == "empty-batches" => return Err("no record".into()),
            None => return Ok(()),
        };
        let first = records[0].sequence_number().to_string();
        self.first.get_or_insert(first);
        if self.bug == "checkpoints-first" {
            self.checkpoint(None)?;
        }
        for record in records {
            self.held.push(String::from_utf8_lossy(record.data()).into_owned());
            if self.bug != "holds-back" || self.held.len() >= 50 {
                self.write_down()?;
            }
        }
        match self.bug.as_str() {
            "checkpoints-first" => {}
            "past-the-end" => {
                let (rest, digit) = last.split_at(last.len() - 1);
                let beyond = format!("{rest}{}", if digit == "9" { "99" } else { "9" });
                self.send(&Reply::Checkpoint { sequence_number: Some(beyond), sub_sequence_number: None })?;
                self.line()?;
            }
            "goes-back" => {
                self.checkpoint(Some(&last))?;
                let first = self.first.clone();
                self.send(&Reply::Checkpoint { sequence_number: first, sub_sequence_number: None })?;
                self.line()?;
            }
            _ => {
                self.checkpoint(None)?;
            }
        }
        Ok(())
    }

    fn write_down(&mut self) -> Outcome<()> {
        for data in self.held.drain(..) {
            if let Some(done) = &mut self.done {
                done.write_all(format!("{data}\n").as_bytes())?;
            }
        }
        Ok(())
    }
}

fn main() -> Outcome<()> {
    let done = env::var_os("DONE").map(|path| OpenOptions::new().create(true).append(true).open(path)).transpose()?;
    let input = BufReader::new(io::stdin());
    let mut planted = Planted { bug: env::var("BUG")?, input, done, first: None, held: Vec::new() };
    while let Some(line) = planted.line()? {
        let message = Message::from_line(&line)?;
        match &message {
            Message::ProcessRecords { records, millis_behind_latest } => {
                planted.process(records, *millis_behind_latest)?;
            }
            Message::ShardEnded => {
                planted.write_down()?;
                planted.checkpoint(None)?;
            }
            Message::ShutdownRequested => {
                planted.write_down()?;
                planted.checkpoint(None)?;
            }
            Message::LeaseLost if planted.bug == "leaves-early" => return Ok(()),
            _ => {}
        }
        planted.send(&Reply::status(message.action()))?;
    }
    Ok(())
}
