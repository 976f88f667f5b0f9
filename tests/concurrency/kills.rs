//! Processes that are killed at any moment lose no record, and no more than the bound is delivered again.
//!
//! `KCL_KILLS=1000 cargo test -p tests --test concurrency kills` sets the number of kills; `KCL_SEED` chooses the moments.

use std::collections::HashSet;
use std::env;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::thread;
use std::time::Duration;

use kcl::Position;
use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, Reply};

use super::*;

/// The number of kills when `KCL_KILLS` is not set.
const KILLS: u64 = 20;

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

/// A daemon with one shard.
struct Daemon {
    lease: Lease,
    random: Random,
    ahead: bool,
    folder: TempDir,
    /// The last record that a checkpoint passes.
    reached: u64,
    /// The last record of which it was checked that it is done.
    checked: u64,
    /// The records that are done, and how far the processes' notes were read.
    done: HashSet<u64>,
    read: u64,
    /// The ends of the batches that the process got.
    batches: Vec<u64>,
}

impl Daemon {
    /// Checks that the processes have handled every record that a checkpoint passes.
    fn check(&mut self) {
        let mut file = File::open(self.folder.path().join("seen")).expect("a file");
        let mut new = String::new();
        let read = file.seek(SeekFrom::Start(self.read)).and_then(|_| file.read_to_string(&mut new));
        read.expect("text");
        // A process may have been killed in the middle of a line.
        let lines = new.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        for line in lines {
            self.read += line.len() as u64;
            self.done.extend(line.trim_end().strip_prefix("end ").and_then(|number| number.parse::<u64>().ok()));
        }
        let lost = (self.checked + 1..=self.reached).find(|number| !self.done.contains(number));
        assert_eq!(lost, None, "a checkpoint at record {} passes it", self.reached);
        self.checked = self.reached;
    }

    /// Judges a checkpoint. Returns the answer.
    fn judge(&mut self, sequence_number: Option<String>, sub_sequence_number: Option<i64>) -> Message {
        let judged = self.lease.judge(sequence_number.as_deref(), sub_sequence_number).expect("in range");
        if let Some(position) = judged {
            match &position {
                Position::After { sequence_number, .. } => {
                    self.reached = sequence_number.to_string().parse().expect("a small number");
                }
                _ => self.reached = self.batches.last().copied().unwrap_or(self.reached),
            }
            self.lease.advance(position);
            self.check();
        }
        Message::Checkpoint { sequence_number, sub_sequence_number, error: None }
    }

    /// Answers checkpoints until the message is acknowledged, or until `moves` more replies have come. Returns whether it is acknowledged.
    fn answer(&mut self, process: &mut Conversation, moves: u64) -> bool {
        for _ in 0..moves {
            let reply = process.receive().expect("the process is running");
            match Reply::from_line(reply.as_bytes()).expect("a reply") {
                Reply::Checkpoint { sequence_number, sub_sequence_number } => {
                    let answer = self.judge(sequence_number, sub_sequence_number);
                    process.send(&line(&answer));
                }
                _ => return true,
            }
        }
        false
    }

    /// Runs one process from where the last one stopped, until it is killed or the shard has ended. Returns whether it has.
    fn run(&mut self, end: u64, kills: bool) -> bool {
        let position = self.lease.position().clone();
        self.lease = Lease::new(position.clone());
        let start = self.reached;
        self.batches = vec![start];
        let mut command = Command::new(&*CONCURRENT);
        command.env("SEEN", self.folder.path().join("seen")).stderr(Stdio::piped());
        if self.ahead {
            command.env("AHEAD", "1");
        }
        let mut process = Conversation::start(&mut command);
        process.send(&line(&Message::Initialize { shard_id: "shardId-000000000007".to_owned(), position }));
        assert!(self.answer(&mut process, 9));
        let (mut next, mut messages) = (start + 1, if kills { 1 + self.random.below(6) } else { u64::MAX });
        while next <= end {
            let size = 1 + self.random.below(40);
            let keys = ["a", "b", "c", "d", "e", "f", "g"];
            process.send(&batch((next..next + size).map(|number| (number, keys[(number % 7) as usize], "x"))));
            next += size;
            self.lease.deliver((next - 1).into(), 0);
            self.batches.push(next - 1);
            // Delivered again would be at most the last batch, or the last two with `ahead = 1`.
            let old = self.batches[self.batches.len().saturating_sub(if self.ahead { 3 } else { 2 })];
            assert!(self.reached >= old, "{} after {:?}", self.reached, self.batches);
            messages -= 1;
            if messages == 0 {
                let moves = self.random.below(2);
                self.answer(&mut process, moves);
                thread::sleep(Duration::from_micros(self.random.below(30_000)));
                // Dropping the process kills it.
                return false;
            }
            assert!(self.answer(&mut process, 9));
        }
        self.lease.end_shard();
        process.send(&line(&Message::ShardEnded));
        assert!(self.answer(&mut process, 9));
        assert_eq!(process.end().code, Some(0));
        *self.lease.position() == Position::ShardEnd
    }
}

fn line(message: &Message) -> String {
    serde_json::to_string(message).expect("it serializes")
}

#[test]
fn killed_processes_lose_no_record() {
    let number = |name| env::var(name).ok().and_then(|value| value.parse().ok());
    let (kills, seed) = (number("KCL_KILLS").unwrap_or(KILLS), number("KCL_SEED").unwrap_or(7));
    for ahead in [false, true] {
        let mut daemon = Daemon {
            lease: Lease::new(Position::TrimHorizon),
            random: Random(seed | 1),
            ahead,
            folder: TempDir::new().expect("a temporary folder"),
            reached: 0,
            checked: 0,
            done: HashSet::new(),
            read: 0,
            batches: Vec::new(),
        };
        for _ in 0..kills.div_ceil(2) {
            assert!(!daemon.run(u64::MAX, true));
        }
        let end = daemon.reached + 100;
        assert!(daemon.run(end, false), "the shard ends");
        daemon.check();
    }
}
