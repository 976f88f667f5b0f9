//! Processes that are killed at any moment lose no dead letters.
//!
//! `KCL_KILLS=200 cargo test -p tests --test policy kills` sets the number of kills; `KCL_SEED` chooses the moments.

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use std::{env, fs, thread};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kcl::Position;
use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, Reply};
use serde_json::{Value, json};
use tests::{Conversation, build};

use super::processes::{poison, start};

/// The number of kills when `KCL_KILLS` is not set.
const KILLS: u64 = 20;

/// Every third record is poison.
fn is_poison(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// Pseudo-random numbers that depend only on their seed.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

/// The moment at which a process is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// While the batch is being sent.
    Sending,
    /// This many microseconds after it received the batch, whatever it is doing.
    Within(u64),
    /// After the checkpoint was stored, before the answer.
    Unanswered,
    /// After the answer.
    Answered,
}

/// Counts the dead letters in the folder by record number. Every line must be whole, except for a last line without a line end.
fn letters(folder: &Path) -> HashMap<u64, u64> {
    let mut numbers = HashMap::new();
    for file in fs::read_dir(folder.join("letters")).expect("readable") {
        let text = fs::read_to_string(file.expect("readable").path()).expect("text");
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let letter: Value = serde_json::from_str(line).expect("a whole line");
            let data = letter["data"].as_str().expect("text");
            assert_eq!((data.trim_end(), &letter["attempts"]), ("\"poison\"", &json!(2)));
            let number = letter["sequenceNumber"].as_str().and_then(|number| number.parse().ok()).expect("a number");
            *numbers.entry(number).or_default() += 1;
        }
    }
    numbers
}

/// A daemon with one shard, which continues until the test ends it.
struct Daemon {
    lease: Lease,
    random: Random,
}

impl Daemon {
    /// Runs one process from where the last one stopped. Returns whether it read the shard to its end.
    fn run(&mut self, folder: &Path, kill: bool, end: u64) -> bool {
        let position = self.lease.position().clone();
        let mut next = match &position {
            Position::After { sequence_number, .. } => sequence_number.to_string().parse::<u64>().expect("small") + 1,
            _ => 1,
        };
        self.lease = Lease::new(position.clone());
        let mut process = start(folder);
        if kill && self.random.below(4) == 0 {
            // Before or while it creates its folder.
            thread::sleep(Duration::from_micros(self.random.below(4_000)));
            return false;
        }
        process.send(&line(&Message::Initialize { shard_id: "shardId-000000000007".to_owned(), position }));
        self.answer(&mut process, None);
        let batches = self.random.below(4);
        for count in 0.. {
            if !kill && next > end {
                self.lease.end_shard();
                process.send(&line(&Message::ShardEnded));
                self.answer(&mut process, None);
                assert_eq!(process.end().code, Some(0));
                return true;
            }
            let size = 1 + self.random.below(40);
            let message = format!("{}\n", records(next..next + size));
            next += size;
            self.lease.deliver((next - 1).into(), 0);
            let moment = (kill && count == batches).then(|| self.moment());
            match moment {
                Some(Moment::Sending) => {
                    let part = self.random.below(message.len() as u64) as usize;
                    process.write(&message.as_bytes()[..part]);
                    return false; // dropping the process kills it
                }
                Some(Moment::Within(micros)) => {
                    process.write(message.as_bytes());
                    thread::sleep(Duration::from_micros(micros));
                    return false;
                }
                _ => process.write(message.as_bytes()),
            }
            if self.answer(&mut process, moment) {
                return false;
            }
        }
        false
    }

    fn moment(&mut self) -> Moment {
        match self.random.below(8) {
            0 => Moment::Sending,
            1 => Moment::Unanswered,
            2 => Moment::Answered,
            _ => Moment::Within(self.random.below(30_000)),
        }
    }

    /// Answers checkpoints until the message is acknowledged or the process is to be killed. Returns whether it is to be killed.
    fn answer(&mut self, process: &mut Conversation, kill: Option<Moment>) -> bool {
        loop {
            let reply = process.receive().expect("the process is running");
            let Reply::Checkpoint { sequence_number, sub_sequence_number } =
                Reply::from_line(reply.as_bytes()).expect("a reply")
            else {
                return false;
            };
            let judged = self.lease.judge(sequence_number.as_deref(), sub_sequence_number).expect("in range");
            if let Some(position) = judged {
                self.lease.advance(position);
            }
            if kill == Some(Moment::Unanswered) {
                return true;
            }
            process.send(&line(&Message::Checkpoint { sequence_number, sub_sequence_number, error: None }));
            if kill == Some(Moment::Answered) {
                return true;
            }
        }
    }
}

fn line(message: &Message) -> String {
    serde_json::to_string(message).expect("it serializes")
}

fn records(numbers: std::ops::Range<u64>) -> String {
    let record = |number: u64| {
        let data = match number {
            // The line of a large dead letter takes long to write.
            _ if is_poison(number) && number.is_multiple_of(5) => format!("\"poison\"{}", " ".repeat(500_000)),
            _ if is_poison(number) => "\"poison\"".to_owned(),
            _ => "\"good\"".to_owned(),
        };
        json!({"data": STANDARD.encode(data), "partitionKey": "k", "sequenceNumber": number.to_string()})
    };
    json!({"action": "processRecords", "records": numbers.map(record).collect::<Vec<_>>()}).to_string()
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn killed_processes_lose_no_dead_letter() {
    let folder = tempfile::tempdir().expect("a folder");
    let seed = number("KCL_SEED").unwrap_or(7);
    let mut daemon = Daemon { lease: Lease::new(Position::TrimHorizon), random: Random(seed.max(1)) };
    let kills = number("KCL_KILLS").unwrap_or(KILLS);
    for _ in 0..kills {
        assert!(!daemon.run(folder.path(), true, 0));
    }
    let done = match daemon.lease.position() {
        Position::After { sequence_number, .. } => sequence_number.to_string().parse().expect("small"),
        _ => 0,
    };
    let end: u64 = done + 100;
    assert!(daemon.run(folder.path(), false, end));
    let letters = letters(folder.path());
    let last = *letters.keys().max().expect("some");
    assert!(last > done);
    let poison: Vec<_> = (1..=last).filter(|&number| is_poison(number)).collect();
    let mut kept: Vec<_> = letters.keys().copied().collect();
    kept.sort_unstable();
    assert_eq!(kept, poison, "seed {seed}");
    let twice = letters.values().filter(|&&times| times > 1).count();
    eprintln!("{kills} kills: {} dead letters, {twice} of them more than once", kept.len());
    feed_back(folder.path(), letters.values().sum());
}

/// Feeds the files of the folder to a processor again, without their incomplete last lines.
fn feed_back(folder: &Path, letters: u64) {
    let mut command = Command::new(build(&["--package", "cargo-kcl"]));
    command.args(["kcl", "local", "--format", "json"]);
    for file in fs::read_dir(folder.join("letters")).expect("readable") {
        let path = file.expect("readable").path();
        let text = fs::read_to_string(&path).expect("text");
        fs::write(&path, text.rfind('\n').map_or("", |end| &text[..=end])).expect("writable");
        command.arg("--input").arg(path);
    }
    let again = tempfile::tempdir().expect("a folder");
    command.env("KCL_TEST_FOLDER", again.path()).env("KCL_TEST_FIXED", "1").env("KCL_REPORT", "1");
    let output = command.arg("--").arg(poison()).output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    assert!(error.contains(&format!(": {letters} records, ")), "{letters}: {error}");
    assert!(error.contains(" 0 dead-lettered"), "{error}");
}
