//! One conversation, held again.

use std::fmt;
use std::io::{self, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kcl::protocol::{Message, Reply};

use super::pipes::{self, Patient};
use crate::process::program::Program;
use crate::process::replies::{NoReply, Replies};
use crate::process::spawn::{Process, Spawned, spawn};
use crate::recording::reader::{SAID, TOLD, Told, Transcript, TranscriptError};
use crate::report;

/// How long a processor whose conversation is over may take to end.
const TO_END: Duration = Duration::from_secs(5);

/// Why a conversation cannot be held.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlayError {
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    #[error("the processor cannot be started: {0}")]
    Spawn(io::Error),
    #[error("the processor cannot be talked to: {0}")]
    Pipe(io::Error),
}

/// How a conversation went.
#[derive(Debug)]
pub(super) enum Played {
    Same { messages: u64, checkpoints: u64, stopped: Option<&'static str> },
    Different(Difference),
}

/// Where the processor departed from the recording.
#[derive(Debug)]
pub(super) struct Difference {
    /// The line of the recording, and what it asks.
    asked: String,
    recorded: String,
    now: String,
    /// How many lines were not played.
    rest: u64,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, recorded, now, rest } = self;
        writeln!(f, "  asked     {asked}\n  recorded  {recorded}\n  now       {now}")?;
        match rest {
            0 => Ok(()),
            1 => writeln!(f, "  The conversation ends here; the last line of {TOLD} was not played."),
            rest => {
                writeln!(f, "  The conversation ends here; the {rest} lines of {TOLD} that follow were not played.")
            }
        }
    }
}

/// What the processor did in place of the recorded answer.
enum Other {
    Said(Reply),
    Nothing(NoReply),
    Ended,
}

/// Plays one recording into a new process.
pub(super) fn play(folder: &Path, program: &Program, patience: Duration) -> Result<Played, PlayError> {
    let mut transcript = Transcript::open(folder)?;
    let Spawned { stdin, stdout, stderr, process } = spawn(&program.command).map_err(PlayError::Spawn)?;
    let pump = thread::spawn(move || report::pump(stderr, "", |_| {}));
    let stdin = pipes::stdin(stdin, patience).map_err(PlayError::Pipe)?;
    let replies = Replies::new(pipes::stdout(stdout, patience));
    let mut player =
        Player { stdin: Some(stdin), replies, process, pump: Some(pump), patience, messages: 0, checkpoints: 0 };
    let played = player.play(&mut transcript);
    player.end();
    Ok(match played? {
        Ok(stopped) => Played::Same { messages: player.messages, checkpoints: player.checkpoints, stopped },
        Err((asked, recorded, now)) => Played::Different(Difference { asked, recorded, now, rest: transcript.rest()? }),
    })
}

/// The same, and why it stopped if the recording does; or else what was asked, the recorded answer, and this one.
type Outcome = Result<Option<&'static str>, (String, String, String)>;

struct Player {
    stdin: Option<Patient<ChildStdin>>,
    replies: Replies<Patient<ChildStdout>>,
    process: Process,
    pump: Option<JoinHandle<()>>,
    patience: Duration,
    messages: u64,
    checkpoints: u64,
}

impl Player {
    fn play(&mut self, transcript: &mut Transcript) -> Result<Outcome, PlayError> {
        let mut asked = "its start".to_owned();
        while let Some(message) = transcript.message()? {
            self.messages += 1;
            let described = describe(&message);
            asked.clone_from(&described);
            let mut gone = self.send(&message)?;
            loop {
                let Some(recorded) = transcript.reply()? else { return Ok(self.stop(asked, transcript.exit)) };
                let now = if gone { Err(Other::Ended) } else { self.reply(&recorded.reply) };
                if let Err(now) = now {
                    let recorded = format!("{SAID}, line {}: {}", recorded.line, in_words(&recorded.reply));
                    return Ok(Err((asked, recorded, self.explain(now))));
                }
                if matches!(recorded.reply, Reply::Status { .. }) {
                    break;
                }
                self.checkpoints += 1;
                let Some(answer) = transcript.answer()? else { return Ok(self.stop(asked, transcript.exit)) };
                asked = format!("{described}; then {}", describe(&answer));
                gone = self.send(&answer)?;
            }
        }
        Ok(self.end_of_input(asked, transcript.exit))
    }

    /// The recording has no answer to what was asked last: the processor ended by itself, or was killed.
    fn stop(&mut self, asked: String, exit: Option<i32>) -> Outcome {
        match exit {
            Some(code) => self.ends(asked, format!("no answer, and exit code {code}"), code),
            None => Ok(Some("the recording stops before the answer to the last one")),
        }
    }

    /// All that was recorded was answered in the same way; what is left is how it ends.
    fn end_of_input(&mut self, asked: String, exit: Option<i32>) -> Outcome {
        let Some(code) = exit else { return Ok(Some("how it ended was not recorded")) };
        self.stdin = None;
        self.ends(format!("the end of the input, behind {asked}"), format!("exit code {code}"), code)
    }

    fn ends(&mut self, asked: String, recorded: String, code: i32) -> Outcome {
        let other = match self.replies.next() {
            Err(NoReply::Closed) if self.exit_code() == Some(code) => return Ok(None),
            Err(NoReply::Closed) => Other::Ended,
            Err(none) => Other::Nothing(none),
            Ok(reply) => Other::Said(reply),
        };
        Err((asked, recorded, self.explain(other)))
    }

    /// Whether the processor is gone.
    fn send(&mut self, told: &Told) -> Result<bool, PlayError> {
        let Some(stdin) = &mut self.stdin else { return Ok(true) };
        match stdin.write_all(&told.text) {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            // It does not read; that it does not answer either shows next.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(PlayError::Pipe(error)),
        }
    }

    fn reply(&mut self, recorded: &Reply) -> Result<(), Other> {
        match self.replies.next() {
            Ok(reply) if same(&reply, recorded) => Ok(()),
            Ok(reply) => Err(Other::Said(reply)),
            Err(NoReply::Closed) => Err(Other::Ended),
            Err(none) => Err(Other::Nothing(none)),
        }
    }

    fn explain(&self, other: Other) -> String {
        match other {
            Other::Said(reply) => {
                // It would go on about an end of its input that comes only now.
                self.process.kill();
                in_words(&reply)
            }
            Other::Ended => match self.process.wait_for(TO_END) {
                Ok(Some(status)) => format!("the processor ended ({status})"),
                _ => "the processor closed its stdin or stdout, and goes on running".to_owned(),
            },
            Other::Nothing(NoReply::Refused { line, why }) => {
                format!("{why}: `{line}`\n            there: {}", why.consequence())
            }
            Other::Nothing(NoReply::Unfinished { text }) => format!("text without a line feed: `{text}`"),
            Other::Nothing(NoReply::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                format!("nothing within {} (--stuck-after)", humantime::format_duration(self.patience))
            }
            Other::Nothing(NoReply::Io(error)) => format!("its stdout cannot be read: {error}"),
            Other::Nothing(NoReply::Closed) => "its stdout was closed".to_owned(),
        }
    }

    fn exit_code(&self) -> Option<i32> {
        self.process.wait_for(self.patience).ok().flatten().and_then(|status| status.code())
    }

    /// Nothing is left behind, and the processor's last words come before what is said of it.
    fn end(&mut self) {
        self.stdin = None;
        if !matches!(self.process.wait_for(TO_END), Ok(Some(_))) {
            self.process.kill();
            _ = self.process.wait_for(TO_END);
        }
        let deadline = Instant::now() + TO_END;
        while self.pump.as_ref().is_some_and(|pump| !pump.is_finished()) && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(2));
        }
        self.pump = None;
    }
}

/// Whether the daemon would do the same on both: without a sub-sequence number it is 0, without a sequence number it is nothing.
fn same(one: &Reply, other: &Reply) -> bool {
    let meant = |reply: &Reply| match reply {
        Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number } => Reply::Checkpoint {
            sequence_number: Some(number.clone()),
            sub_sequence_number: Some(sub_sequence_number.unwrap_or(0)),
        },
        Reply::Checkpoint { sequence_number: None, .. } => {
            Reply::Checkpoint { sequence_number: None, sub_sequence_number: None }
        }
        other => other.clone(),
    };
    meant(one) == meant(other)
}

fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Status { response_for } => format!("status for {}", response_for.as_deref().unwrap_or("nothing")),
        Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number: None | Some(0) } => {
            format!("checkpoint at {number}")
        }
        Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number: Some(sub) } => {
            format!("checkpoint at {number}/{sub}")
        }
        Reply::Checkpoint { sequence_number: None, .. } => "checkpoint at the end of what was handed over".to_owned(),
        other => format!("{other:?}"),
    }
}

fn describe(told: &Told) -> String {
    let line = told.line;
    match &told.message {
        Message::ProcessRecords { records, .. } => {
            let count = report::count(records.len() as u64, "record");
            match &records[..] {
                [] => format!("{TOLD}, line {line}: processRecords without records"),
                [only] => format!("{TOLD}, line {line}: processRecords, {count}: {}", only.sequence_number()),
                [first, .., last] => format!(
                    "{TOLD}, line {line}: processRecords, {count}: {} to {}",
                    first.sequence_number(),
                    last.sequence_number()
                ),
            }
        }
        Message::Initialize { shard_id, position } => {
            format!("{TOLD}, line {line}: initialize {shard_id} at {position}")
        }
        Message::Checkpoint { error: None, .. } => format!("line {line}: checkpoint taken"),
        Message::Checkpoint { error: Some(error), .. } => format!("line {line}: checkpoint refused, {error}"),
        other => format!("{TOLD}, line {line}: {}", other.action()),
    }
}
