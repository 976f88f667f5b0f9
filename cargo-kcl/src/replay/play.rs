//! Replaying one conversation.

use std::io::{self, Write};
use std::path::Path;
use std::process::{ChildStdin, ChildStdout};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use kcl::protocol::Reply;
use kcl::protocol::recording::{IN_FILE, Replied, Sent, Transcript, TranscriptError, in_words};

use super::pipes::{self, Patient};
use crate::process::program::Program;
use crate::process::replies::{NoReply, Replies};
use crate::process::spawn::{Process, Spawned, spawn};
use crate::report::{self, Prefix, Source, Speaker};
use crate::threads;

/// The time that a processor may take to end after its conversation.
const TO_END: Duration = Duration::from_secs(5);

/// The reason why a conversation cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PlayError {
    #[error(transparent)]
    Transcript(#[from] TranscriptError),
    #[error("the processor cannot be started: {0}")]
    Spawn(io::Error),
    #[error("cannot write to the processor: {0}")]
    Pipe(io::Error),
}

/// The result of a replayed conversation.
#[derive(Debug)]
pub(crate) enum Played {
    Same {
        messages: u64,
        checkpoints: u64,
        stopped: Option<&'static str>,
        /// Whether the end of the conversation was not recorded, as on a full disk.
        is_cut: bool,
    },
    Different(Difference),
}

/// The point at which the processor departed from the recording.
#[derive(Debug)]
pub(crate) struct Difference {
    /// The line of the recording, and its request.
    asked: String,
    recorded: String,
    now: Now,
    /// The number of lines that were not replayed.
    rest: u64,
}

/// The note at a difference of checkpoints.
const BY_TIME: &str =
    "with `ahead`, or with a `checkpoint` by time, checkpoints depend on time and can differ without a change";

/// The reaction of the processor in words.
#[derive(Debug)]
struct Now {
    text: String,
    /// Its consequence in production, or a reason why it can differ.
    note: Option<String>,
}

impl From<String> for Now {
    fn from(text: String) -> Self {
        Self { text, note: None }
    }
}

impl Difference {
    /// The difference for people.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Self { asked, recorded, now, rest } = self;
        let mut lines =
            vec![format!("request   {asked}"), format!("recorded  {recorded}"), format!("now       {}", now.text)];
        lines.extend(now.note.iter().map(|note| format!("          {note}")));
        let rest = match rest {
            0 => return lines,
            1 => format!("the last line of {IN_FILE} was not replayed"),
            rest => format!("the last {rest} lines of {IN_FILE} were not replayed"),
        };
        lines.push(format!("The conversation ends here; {rest}."));
        lines
    }
}

/// A reaction of the processor other than the recorded answer.
enum Other {
    Replied(Reply),
    NoReply(NoReply),
    Ended,
}

/// Replays one recording with a new process, whose stderr is printed with this prefix.
pub(crate) fn play(folder: &Path, program: &Program, patience: Duration, prefix: Prefix) -> Result<Played, PlayError> {
    let mut transcript = Transcript::open(folder)?;
    let Spawned { stdin, stdout, stderr, process } = spawn(&program.command).map_err(PlayError::Spawn)?;
    let pump = threads::spawn(move || report::pump(stderr, Speaker::new(Source::Processor, prefix), |_| {}));
    let pump = pump.inspect_err(|_| process.kill()).map_err(PlayError::Spawn)?;
    let stdin = pipes::stdin(stdin, patience).map_err(PlayError::Pipe)?;
    let replies = Some(Replies::new(pipes::stdout(stdout, patience)));
    let mut player =
        Player { stdin: Some(stdin), replies, process, pump: Some(pump), patience, messages: 0, checkpoints: 0 };
    let played = player.play(&mut transcript);
    player.end();
    Ok(match played? {
        Ok(stopped) => {
            let is_cut = transcript.is_cut();
            Played::Same { messages: player.messages, checkpoints: player.checkpoints, stopped, is_cut }
        }
        Err((asked, recorded, now)) => Played::Different(Difference { asked, recorded, now, rest: transcript.rest()? }),
    })
}

/// `Ok` if the answers were the same, with the reason if the recording breaks off. Otherwise the request, the recorded answer and
/// the new one.
type Outcome = Result<Option<&'static str>, (String, String, Now)>;

struct Player {
    stdin: Option<Patient<ChildStdin>>,
    replies: Option<Replies<Patient<ChildStdout>>>,
    process: Process,
    pump: Option<JoinHandle<()>>,
    patience: Duration,
    messages: u64,
    checkpoints: u64,
}

impl Player {
    fn play(&mut self, transcript: &mut Transcript) -> Result<Outcome, PlayError> {
        let mut asked = "the start".to_owned();
        while let Some(message) = transcript.message()? {
            self.messages += 1;
            let described = message.to_string();
            asked.clone_from(&described);
            let mut gone = self.send(&message)?;
            loop {
                let Some(recorded) = transcript.reply()? else { return self.stop(asked, transcript) };
                let now = if gone { Err(Other::Ended) } else { self.reply(&recorded) };
                if let Err(now) = now {
                    let now = self.explain(now, Some(&recorded.reply));
                    return Ok(Err((asked, recorded.to_string(), now)));
                }
                if matches!(recorded.reply, Reply::Status { .. }) {
                    break;
                }
                self.checkpoints += 1;
                let Some(answer) = transcript.answer()? else { return self.stop(asked, transcript) };
                asked = format!("{described}; then {answer}");
                gone = self.send(&answer)?;
            }
        }
        self.end_of_input(asked, transcript)
    }

    /// Handles a recording without an answer to the last request: the processor ended by itself, or was killed.
    fn stop(&mut self, asked: String, transcript: &mut Transcript) -> Result<Outcome, PlayError> {
        match transcript.exit() {
            Some(code) => self.ends(asked, format!("no answer, and exit code {code}"), code, transcript),
            None => Ok(Ok(Some("the recording stops before the answer to the last message"))),
        }
    }

    /// Compares how the processor ends, after all recorded messages were answered in the same way.
    fn end_of_input(&mut self, asked: String, transcript: &mut Transcript) -> Result<Outcome, PlayError> {
        let Some(code) = transcript.exit() else { return Ok(Ok(Some("its exit code was not recorded"))) };
        self.stdin = None;
        self.ends(format!("the end of the input, after {asked}"), format!("exit code {code}"), code, transcript)
    }

    fn ends(
        &mut self,
        asked: String,
        recorded: String,
        code: i32,
        transcript: &mut Transcript,
    ) -> Result<Outcome, PlayError> {
        // Replies that nothing asked for.
        while let Some(recorded) = transcript.reply()? {
            if let Err(now) = self.reply(&recorded) {
                return Ok(Err((asked, recorded.to_string(), self.explain(now, None))));
            }
        }
        // The text after the last reply is known now.
        let noise = transcript.noise().and_then(|noise| Replies::new(noise).next().err());
        let other = match self.next_reply() {
            Err(now) if noise.is_some_and(|noise| is_same_noise(&noise, &now)) => {
                // The daemon takes no more from a processor after that.
                (self.stdin, self.replies) = (None, None);
                if self.exit_code() == Some(code) {
                    return Ok(Ok(None));
                }
                Other::Ended
            }
            Err(NoReply::Closed) if self.exit_code() == Some(code) => return Ok(Ok(None)),
            Err(NoReply::Closed) => Other::Ended,
            Err(none) => Other::NoReply(none),
            Ok(reply) => Other::Replied(reply),
        };
        Ok(Err((asked, recorded, self.explain(other, None))))
    }

    fn next_reply(&mut self) -> Result<Reply, NoReply> {
        self.replies.as_mut().map_or(Err(NoReply::Closed), Replies::next)
    }

    /// Sends a message, and returns whether the processor is gone.
    fn send(&mut self, sent: &Sent) -> Result<bool, PlayError> {
        let Some(stdin) = &mut self.stdin else { return Ok(true) };
        match stdin.write_all(&sent.text) {
            Ok(()) => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(true),
            // It does not read. The wait for its reply shows that it does not answer either.
            Err(error) if error.kind() == io::ErrorKind::TimedOut => Ok(false),
            Err(error) => Err(PlayError::Pipe(error)),
        }
    }

    fn reply(&mut self, recorded: &Replied) -> Result<(), Other> {
        match self.next_reply() {
            Ok(reply) if recorded.is_same(&reply) => Ok(()),
            Ok(reply) => Err(Other::Replied(reply)),
            Err(NoReply::Closed) => Err(Other::Ended),
            Err(none) => Err(Other::NoReply(none)),
        }
    }

    fn explain(&self, other: Other, recorded: Option<&Reply>) -> Now {
        let text = match other {
            Other::Replied(reply) => {
                // Otherwise it would report the end of its input, which is due to the replay.
                self.process.kill();
                let is_checkpoint = |reply: &Reply| matches!(reply, Reply::Checkpoint { .. });
                let in_checkpoints = recorded.is_some_and(|recorded| is_checkpoint(recorded) || is_checkpoint(&reply));
                return Now { text: in_words(&reply), note: in_checkpoints.then(|| BY_TIME.to_owned()) };
            }
            Other::Ended => match self.process.wait_for(TO_END) {
                Ok(Some(status)) => format!("the processor ended ({status})"),
                _ => "the processor closed its stdin or stdout, and is still running".to_owned(),
            },
            Other::NoReply(NoReply::Refused { line, why }) => {
                let note = format!("in production: {}", why.consequence());
                return Now { text: format!("{why}: `{line}`"), note: Some(note) };
            }
            Other::NoReply(NoReply::Unfinished { text }) => format!("text without a line feed: `{text}`"),
            Other::NoReply(NoReply::Io(error)) if error.kind() == io::ErrorKind::TimedOut => {
                format!("no answer within {} (--stuck-after)", report::duration(self.patience))
            }
            Other::NoReply(NoReply::Io(error)) => format!("its stdout cannot be read: {error}"),
            Other::NoReply(NoReply::Closed) => "its stdout was closed".to_owned(),
        };
        text.into()
    }

    fn exit_code(&self) -> Option<i32> {
        self.process.wait_for(self.patience).ok().flatten().and_then(|status| status.code())
    }

    /// Ends the process, and waits for its stderr, so that its last lines are printed before the result.
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

/// Whether two texts that are not replies are the same. One without a line feed may have been read in part.
fn is_same_noise(recorded: &NoReply, now: &NoReply) -> bool {
    match (recorded, now) {
        (NoReply::Refused { line: recorded, .. }, NoReply::Refused { line: now, .. }) => recorded == now,
        (NoReply::Unfinished { text: recorded }, NoReply::Unfinished { text: now }) => {
            recorded.starts_with(now) || now.starts_with(recorded)
        }
        (NoReply::Unfinished { text: part }, NoReply::Refused { line, .. })
        | (NoReply::Refused { line, .. }, NoReply::Unfinished { text: part }) => line == part,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use kcl::protocol::ReplyError;

    use super::*;

    #[test]
    fn text_that_is_not_a_reply_is_compared_whole() {
        let line = |text: &str| NoReply::Refused { line: text.to_owned(), why: ReplyError::Blank };
        let part = |text: &str| NoReply::Unfinished { text: text.to_owned() };
        for (one, other) in
            [(line("hello"), line("hello")), (part("hello"), part("hel")), (part("hello"), line("hello"))]
        {
            assert!(is_same_noise(&one, &other) && is_same_noise(&other, &one), "{one:?} and {other:?}");
        }
        for (one, other) in [(line("1"), line("10")), (part("hello"), line("hello world")), (part(""), NoReply::Closed)]
        {
            assert!(!is_same_noise(&one, &other) && !is_same_noise(&other, &one), "{one:?} and {other:?}");
        }
    }
}
