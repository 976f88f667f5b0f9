//! A second judge of the kit's runs, which reads only what a report prints, and what a processor noted by itself. It shares no code with
//! the kit: neither its daemon nor its own checks.

use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

use kcl::testing::{Daemon, Report, TestRecord};
use kcl::{BoxError, Checkpointer, Record, Shard};

/// The numbers of the records that were handled with success, in any process.
type Notes = Rc<RefCell<Vec<u64>>>;

/// The state of one shard, as a report shows it line by line.
#[derive(Default)]
struct Judge {
    /// The last record that a checkpoint passes.
    checkpoint: u64,
    ended: bool,
    /// The last record that the current process received, and the message that it has not acknowledged.
    received: u64,
    message: Option<String>,
    lost: bool,
    running: bool,
}

impl Judge {
    fn read(&mut self, line: &str) {
        if let Some(position) = line.strip_prefix("a process starts at ") {
            let expected = match (self.ended, self.checkpoint) {
                (true, _) => "SHARD_END".to_owned(),
                (false, 0) => "TRIM_HORIZON".to_owned(),
                (false, number) => format!("{number}/0"),
            };
            assert_eq!(position, expected, "a process resumes after the last checkpoint");
            let (checkpoint, ended, message) = (self.checkpoint, self.ended, Some("initialize".to_owned()));
            *self = Self { checkpoint, ended, received: checkpoint, message, lost: false, running: true };
        } else if line == "the process is killed" || line.starts_with("the process ends") {
            self.running = false;
        } else if let Some(message) = line.strip_prefix("-> ") {
            self.receive(message);
        } else if let Some(answered) = line.strip_prefix("<- ") {
            let message = self.message.take();
            assert_eq!(answered.split(' ').next(), message.as_deref(), "each message is acknowledged once");
            assert!(message.as_deref() != Some("shardEnded") || self.ended || self.lost, "SHARD_END comes first");
        } else if let Some(checkpoint) = line.strip_prefix("checkpoint") {
            self.checkpoint(checkpoint.trim_start());
        }
    }

    fn receive(&mut self, message: &str) {
        assert!(self.running && !self.ended, "a process gets messages while it runs, until the end of its shard");
        let action = message.split(' ').next().unwrap_or_default();
        assert_eq!(self.message.replace(action.to_owned()), None, "one message at a time: {message}");
        self.lost |= action == "leaseLost";
        let numbers =
            message.split(|char: char| !char.is_ascii_digit()).filter_map(|digits| digits.parse::<u64>().ok());
        let numbers: Vec<_> = numbers.collect();
        if let (Some(first), Some(last)) = (numbers.first(), numbers.last()) {
            assert_eq!(*first, self.received + 1, "no record is left out, and none comes twice: {message}");
            self.received = *last;
        }
    }

    fn checkpoint(&mut self, checkpoint: &str) {
        if let Some((_, exception)) = checkpoint.split_once("refused: ") {
            self.lost |= exception == "ShutdownException";
            return;
        }
        assert!(self.running && !self.lost, "no checkpoint is accepted from a process that lost its lease");
        assert!(!self.ended, "no checkpoint is accepted after SHARD_END");
        if checkpoint == "at SHARD_END" {
            assert_eq!(self.message.as_deref(), Some("shardEnded"));
            (self.ended, self.checkpoint) = (true, self.received);
        } else if let Some(number) = checkpoint.strip_prefix("at record ") {
            let number = number.parse().expect("a number");
            assert!((self.checkpoint..=self.received).contains(&number), "{number} is not between the last two");
            self.checkpoint = number;
        }
    }
}

/// Judges a run, and returns the last record that its checkpoints pass.
fn judge<P>(run: &Report<P>, notes: &Notes) -> u64 {
    let mut judge = Judge::default();
    for line in run.to_string().lines() {
        judge.read(line.trim_start());
    }
    let notes = notes.borrow();
    let missing = (1..=judge.checkpoint).find(|number| !notes.contains(number));
    assert_eq!(missing, None, "{run}");
    judge.checkpoint
}

/// Fails at some records at first.
struct Single {
    notes: Notes,
    left: u64,
}

#[kcl::processor(main = false)]
impl Single {
    #[on_record(retry = 1)]
    fn handle(&mut self, record: &Record) -> Result<(), BoxError> {
        self.left = self.left.checked_sub(1).unwrap_or(4);
        if self.left == 0 {
            return Err("not now".into());
        }
        self.notes.borrow_mut().push(record.sequence_number().to_string().parse()?);
        Ok(())
    }
}

/// Checkpoints every third record by itself.
struct ByHand(Notes);

#[kcl::processor(main = false)]
impl ByHand {
    #[on_records]
    fn handle(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
        for (place, record) in records.iter().enumerate() {
            self.0.borrow_mut().push(record.sequence_number().to_string().parse()?);
            if place % 3 == 2 {
                checkpointer.checkpoint_at(record)?;
            }
        }
        Ok(checkpointer.checkpoint()?)
    }
}

fn record(number: usize) -> TestRecord {
    TestRecord::text("x").sequence_number(number as u64 + 1)
}

#[kcl::test(schedules = 1000)]
fn records_one_by_one(daemon: Daemon) {
    let notes = Notes::default();
    let make = |_: &Shard| Ok::<_, Infallible>(Single { notes: Rc::clone(&notes), left: 4 });
    judge(&daemon.records((0..12).map(record)).run_with(make), &notes);
}

#[kcl::test(schedules = 1000)]
fn checkpoints_by_hand(daemon: Daemon) {
    let notes = Notes::default();
    judge(
        &daemon.records((0..12).map(record)).run_with(|_: &Shard| Ok::<_, Infallible>(ByHand(Rc::clone(&notes)))),
        &notes,
    );
}

#[test]
fn the_judge_sees_what_is_wrong() {
    let fails = |lines: &[&str]| {
        let mut judge = Judge::default();
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| lines.iter().for_each(|line| judge.read(line))))
            .is_err()
    };
    let start = "a process starts at TRIM_HORIZON";
    let right = [
        start,
        "<- initialize is acknowledged",
        "-> processRecords with records 1 to 3",
        "checkpoint at record 2",
        "<- processRecords is acknowledged",
    ];
    assert!(!fails(&right));
    assert!(fails(&[&right[..3], &["checkpoint at record 4"]].concat()));
    assert!(fails(&[&right[..], &["checkpoint at record 1"]].concat()));
    assert!(fails(&[&right[..], &["-> processRecords with records 5 to 6"]].concat()));
    assert!(fails(&[&right[..], &["the process is killed", start]].concat()));
    assert!(fails(&[&right[..], &["checkpoint refused: ShutdownException", "checkpoint at record 3"]].concat()));
    assert!(fails(&[&right[..], &["-> shardEnded", "<- shardEnded is acknowledged"]].concat()));
}
