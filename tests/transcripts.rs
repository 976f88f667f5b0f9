//! Recordings of the real daemon: our processor side must handle its messages, and our daemon side must send the same.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use kcl::__private::wire::{Delivery, Director, Half, Request, Shared};
use kcl::__private::{Io, Scanner};
use kcl::protocol::daemon::Lease;
use kcl::protocol::{Message, Reply};
use kcl::{Position, SequenceNumber};
use tests::{Conversation, build, workspace};

/// One child of the daemon: the lines of both sides, in the order in which they were sent.
struct Transcript {
    name: String,
    lines: Vec<Line>,
}

enum Line {
    Daemon(String),
    Processor(String),
}

/// The children that lost their lease, with the number of messages that they had received by then.
const LOST: [(&str, usize); 1] = [("e2_checkpoint_lost/shardId-000000000000", 2)];

fn transcripts() -> Vec<Transcript> {
    let root = workspace().join("tests/transcripts");
    let mut children: Vec<PathBuf> = folders(&root).iter().flat_map(|scenario| folders(scenario)).collect();
    children.sort();
    assert!(children.len() >= 15, "{} recordings", children.len());
    children.iter().map(|child| Transcript::read(&root, child)).collect()
}

fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries.filter(|path| path.is_dir()).collect()
}

impl Transcript {
    fn read(root: &Path, child: &Path) -> Self {
        let read = |name: &str| {
            let text = fs::read_to_string(child.join(name)).expect("a recording");
            text.lines().map(str::to_owned).collect::<Vec<_>>().into_iter()
        };
        let (mut daemon, mut processor) = (read("in.jsonl"), read("out.jsonl"));
        let lines = read("times.tsv").filter_map(|line| match line.split('\t').nth(1) {
            Some("in") => daemon.next().map(Line::Daemon),
            Some("out") => processor.next().map(Line::Processor),
            _ => None,
        });
        let name = child.strip_prefix(root).expect("below it").display().to_string();
        Self { name, lines: lines.collect() }
    }

    /// The daemon's messages, without its answers to checkpoints.
    fn messages(&self) -> impl Iterator<Item = (&str, Message)> {
        self.lines.iter().filter_map(|line| match line {
            Line::Daemon(line) => {
                Some((line.as_str(), message(line))).filter(|(_, message)| message.action() != "checkpoint")
            }
            Line::Processor(_) => None,
        })
    }
}

fn message(line: &str) -> Message {
    Message::from_line(line.as_bytes()).unwrap_or_else(|error| panic!("{error}"))
}

/// Our daemon side of one shard.
struct Daemon {
    lease: Lease,
}

impl Daemon {
    fn new() -> Self {
        Self { lease: Lease::new(Position::Unknown) }
    }

    /// Updates the lease for a message that is about to be sent.
    fn announce(&mut self, message: &Message) {
        match message {
            Message::Initialize { position, .. } => self.lease = Lease::new(position.clone()),
            Message::ProcessRecords { records, .. } => match records.last() {
                Some(last) => self.lease.deliver(last.sequence_number(), last.sub_sequence_number()),
                None => self.lease.open(),
            },
            Message::ShardEnded => self.lease.end_shard(),
            Message::ShutdownRequested => self.lease.open(),
            Message::LeaseLost => self.lease.close(),
            other => panic!("{other:?} is not in the recordings"),
        }
    }

    /// The answer to a checkpoint.
    fn answer(&mut self, sequence_number: Option<String>, sub_sequence_number: Option<i64>) -> String {
        let judged = self.lease.judge(sequence_number.as_deref(), sub_sequence_number);
        if let Ok(Some(position)) = &judged {
            self.lease.advance(position.clone());
        }
        let error = judged.err().map(|refused| refused.exception().to_owned());
        let answer = Message::Checkpoint { sequence_number, sub_sequence_number, error };
        serde_json::to_string(&answer).expect("it serializes")
    }
}

#[test]
fn our_daemon_side_answers_as_the_real_daemon_did() {
    for transcript in transcripts() {
        let lost = LOST.iter().find(|(name, _)| *name == transcript.name).map(|(_, messages)| *messages);
        let (mut daemon, mut messages, mut answer) = (Daemon::new(), 0, None);
        for line in &transcript.lines {
            match line {
                Line::Daemon(line) => match (message(line), answer.take()) {
                    (Message::Checkpoint { .. }, answer) => {
                        assert_eq!(answer.as_ref(), Some(line), "{}", transcript.name)
                    }
                    (message, None) => {
                        // We would have written the same line.
                        assert_eq!(
                            serde_json::to_string(&message).expect("it serializes"),
                            *line,
                            "{}",
                            transcript.name
                        );
                        daemon.announce(&message);
                        messages += 1;
                        if lost == Some(messages) {
                            daemon.lease.lose();
                        }
                    }
                    (message, Some(answer)) => panic!("{}: {message:?} came, not {answer}", transcript.name),
                },
                Line::Processor(line) => match Reply::from_line(line.as_bytes()) {
                    Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                        answer = Some(daemon.answer(sequence_number, sub_sequence_number));
                    }
                    Ok(_) => assert_eq!(answer, None),
                    Err(refused) => panic!("{}: {line}: {refused}", transcript.name),
                },
            }
        }
    }
}

/// Has the test kit's half of a daemon send the messages of a recording.
#[derive(Debug)]
struct Recorded {
    deliveries: std::vec::IntoIter<Delivery>,
    /// The number of messages until the lease is lost.
    until_lost: Option<usize>,
    is_lost: bool,
    problems: Vec<String>,
}

impl Director for Recorded {
    fn is_alive(&mut self) -> bool {
        true
    }

    fn next(&mut self, _: &Lease) -> Option<Delivery> {
        self.until_lost = self.until_lost.map(|messages| messages.saturating_sub(1));
        self.deliveries.next()
    }

    fn refuse(&mut self, _: &Request, _: &Lease) -> Option<String> {
        self.is_lost = self.until_lost.take_if(|messages| *messages == 0).is_some();
        self.is_lost.then(|| "ShutdownException".to_owned())
    }

    fn answer(&mut self, _: &Request, _: Result<Option<&Position>, &str>) -> bool {
        self.is_lost
    }

    fn acknowledge(&mut self, _: &'static str) {}

    fn misunderstand(&mut self, problem: String) {
        self.problems.push(problem);
    }
}

/// The message as something to deliver; `None` for `initialize` and for answers.
fn delivery(message: Message) -> Option<Delivery> {
    match message {
        Message::ProcessRecords { records, millis_behind_latest } => {
            Some(Delivery::Records(records, millis_behind_latest))
        }
        Message::LeaseLost => Some(Delivery::LeaseLost),
        Message::ShardEnded => Some(Delivery::ShardEnded),
        Message::ShutdownRequested => Some(Delivery::ShutdownRequested),
        _ => None,
    }
}

#[test]
fn the_test_kit_answers_as_the_real_daemon_did() {
    for transcript in transcripts() {
        let mut messages = transcript.messages();
        let Some((_, Message::Initialize { shard_id, position })) = messages.next() else {
            panic!("{} does not begin with `initialize`", transcript.name)
        };
        let deliveries: Vec<_> = messages.filter_map(|(_, message)| delivery(message)).collect();
        let lost = LOST.iter().find(|(name, _)| *name == transcript.name);
        let director = Recorded {
            deliveries: deliveries.into_iter(),
            // `initialize` is one of them.
            until_lost: lost.map(|(_, messages)| messages - 1),
            is_lost: false,
            problems: Vec::new(),
        };
        let mut half = Half::new(director, position);
        half.start(&shard_id);
        let half = Shared::new(half);
        let (mut ends, mut scanner) = (half.ends(), Scanner::default());
        for line in &transcript.lines {
            match line {
                Line::Daemon(line) => {
                    let sent = ends.receive(&mut scanner).expect("it is alive").expect("a message").expect("valid");
                    assert_eq!(serde_json::to_string(&sent).expect("it serializes"), *line, "{}", transcript.name);
                }
                Line::Processor(line) => ends.send(format!("{line}\n").as_bytes()).expect("it is alive"),
            }
        }
        assert_eq!(half.lock().director.problems, [""; 0], "{}", transcript.name);
    }
}

#[test]
fn a_processor_handles_every_recording() {
    // One has blocking methods, one the same ones as `async` methods, one has them as handlers, with the attribute, and one handles
    // many records at once.
    let programs =
        ["witness", "awaiting", "annotated", "at_once"].map(|name| build(&["--package", "tests", "--example", name]));
    for (program, transcript) in
        programs.iter().flat_map(|program| transcripts().into_iter().map(move |it| (program, it)))
    {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let seen = folder.path().join("seen");
        let mut processor =
            Conversation::start(Command::new(program).env("SEEN", &seen).env("DO", "").stderr(Stdio::piped()));
        let mut daemon = Daemon::new();
        let mut expected = Vec::new();
        for (line, message) in transcript.messages() {
            daemon.announce(&message);
            processor.send(line);
            let status = loop {
                let line = processor.receive().expect("a reply");
                match Reply::from_line(line.as_bytes()) {
                    Ok(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                        processor.send(&daemon.answer(sequence_number, sub_sequence_number));
                    }
                    Ok(Reply::Status { response_for }) => break response_for,
                    other => panic!("{}: {line}: {other:?}", transcript.name),
                }
            };
            assert_eq!(status.as_deref(), Some(message.action()), "{}", transcript.name);
            let position = daemon.lease.position();
            match &message {
                Message::Initialize { shard_id, position } => {
                    expected.push(format!("initialize {shard_id} {position}"))
                }
                Message::ProcessRecords { records, .. } => {
                    expected.extend(records.iter().map(|record| {
                        let (number, sub) = (record.sequence_number(), record.sub_sequence_number());
                        format!("record {number}/{sub} {}", record.data().escape_ascii())
                    }));
                    let last =
                        records.last().map(|last| Position::after(last.sequence_number(), last.sub_sequence_number()));
                    assert_eq!(Some(position), last.as_ref(), "{}", transcript.name);
                }
                Message::ShardEnded => {
                    expected.push("shardEnded".to_owned());
                    assert_eq!(*position, Position::ShardEnd, "{}", transcript.name);
                }
                other => expected.push(other.action().to_owned()),
            }
        }
        let ended = processor.end();
        assert_eq!((ended.code, &ended.output[..]), (Some(0), &[][..]), "{}: {}", transcript.name, ended.error);
        expected.push("drop".to_owned());
        let seen = fs::read_to_string(seen).expect("it saw something");
        assert_eq!(seen.lines().collect::<Vec<_>>(), expected, "{}", transcript.name);
    }
}

#[test]
fn a_lease_judges_as_the_kcl_does() {
    let number = |number: u64| SequenceNumber::from(number);
    let mut lease = Lease::new(Position::after(number(5), 2));
    let judge = |lease: &Lease, sequence_number: Option<&str>, sub| {
        lease.judge(sequence_number, sub).map_err(|refused| refused.exception())
    };
    assert_eq!(judge(&lease, None, None), Err("InvalidStateException"));
    lease.deliver(number(9), 3);
    assert_eq!(judge(&lease, Some("5"), Some(1)), Err("IllegalArgumentException"));
    assert_eq!(judge(&lease, Some("5"), Some(2)), Ok(None));
    assert_eq!(judge(&lease, Some("9"), None), Ok(Some(Position::after(number(9), 0))));
    assert_eq!(judge(&lease, Some("9"), Some(4)), Err("IllegalArgumentException"));
    assert_eq!(judge(&lease, Some("9"), Some(-1)), Err("IllegalArgumentException"));
    assert_eq!(judge(&lease, None, None), Ok(Some(Position::after(number(9), 3))));
    // At the end of the shard, the number of its last record stands for SHARD_END.
    lease.end_shard();
    assert_eq!(judge(&lease, Some("9"), Some(3)), Ok(Some(Position::ShardEnd)));
    assert_eq!(judge(&lease, Some("9"), Some(2)), Ok(Some(Position::after(number(9), 2))));
    assert_eq!(judge(&lease, None, None), Ok(Some(Position::ShardEnd)));
    // If that record was checkpointed before, its number changes nothing.
    lease.advance(Position::after(number(9), 3));
    assert_eq!(judge(&lease, Some("9"), Some(3)), Ok(None));
    lease.lose();
    assert_eq!(judge(&lease, None, None), Err("ShutdownException"));
}
