//! Recorded conversations, such as `cargo kcl local --record` writes and `cargo kcl replay` and the test kit play.
//!
//! Each conversation has a folder of its own, with these files. All but the first two may be missing.

use std::error::Error;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::excerpt::Excerpt;
use crate::protocol::message::{Message, MessageError};
use crate::protocol::reply::Reply;

/// The file of the lines that the processor received.
pub const IN_FILE: &str = "in.jsonl";
/// The file of the lines that it sent.
pub const OUT_FILE: &str = "out.jsonl";
/// The file of its exit code; a processor that was killed has none.
pub const EXIT_FILE: &str = "exit";
/// The file with a row for each line, in their order: the seconds since 1970, a tab, `in` or `out`, a tab, and details.
pub const TIMES_FILE: &str = "times.tsv";
/// An empty file, which marks a recording that could not be written to its end.
pub const CUT_FILE: &str = "cut";

/// The reason why a recording cannot be replayed.
#[derive(Debug)]
#[non_exhaustive]
pub enum TranscriptError {
    /// A file or a folder cannot be read.
    Io {
        /// The file or the folder.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// The path is a file other than `in.jsonl`.
    NoRecording(PathBuf),
    /// The folder does not contain recordings.
    NoneBelow(PathBuf),
    /// A line is not a message.
    Line {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: u64,
        /// The reason.
        error: Box<MessageError>,
    },
    /// A line does not belong where it is.
    Order {
        /// The file.
        path: PathBuf,
        /// The line number, from 1.
        line: u64,
        /// The line, and the reason.
        what: &'static str,
    },
    /// The file of the exit code holds something else.
    Exit(PathBuf),
}

impl fmt::Display for TranscriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { path, error } => write!(f, "{} cannot be read: {error}", path.display()),
            Self::NoRecording(path) => write!(
                f,
                "{} is not a recording: give a folder with in.jsonl and out.jsonl, such as `cargo kcl local --record` \
                 writes, or its in.jsonl",
                path.display()
            ),
            Self::NoneBelow(path) => {
                write!(f, "no recording in {}: none of its folders has an in.jsonl", path.display())
            }
            Self::Line { path, line, error } => write!(f, "{}, line {line}: {error}", path.display()),
            Self::Order { path, line, what } => write!(f, "{}, line {line}: {what}", path.display()),
            Self::Exit(path) => write!(f, "{} does not hold an exit code", path.display()),
        }
    }
}

impl Error for TranscriptError {}

/// Finds the folders of all conversations in these paths, at any depth. Those within a folder are in the order of shards,
/// and of the processes of a shard.
///
/// # Errors
///
/// If a path cannot be read, or if there is not a recording in it.
pub fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TranscriptError> {
    let mut found = Vec::new();
    for path in paths {
        let metadata = fs::metadata(path).map_err(|error| failed(path, error))?;
        if metadata.is_dir() {
            let before = found.len();
            find_below(path, &mut found)?;
            if found.len() == before {
                return Err(TranscriptError::NoneBelow(path.clone()));
            }
        } else {
            let folder = path.parent().filter(|_| path.file_name().is_some_and(|name| name == IN_FILE));
            let folder = folder.ok_or_else(|| TranscriptError::NoRecording(path.clone()))?;
            found.push(if folder.as_os_str().is_empty() { ".".into() } else { folder.to_owned() });
        }
    }
    Ok(found)
}

fn find_below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<(), TranscriptError> {
    if folder.join(IN_FILE).is_file() {
        found.push(folder.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut folders = Vec::new();
    for entry in entries.map_err(|error| failed(folder, error))? {
        if entry.file_type().map_err(|error| failed(&entry.path(), error))?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort_by_cached_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match name.rsplit_once('.').and_then(|(shard, life)| Some((shard.to_owned(), life.parse::<u32>().ok()?))) {
            Some(of_life) => of_life,
            None => (name, 1),
        }
    });
    folders.iter().try_for_each(|folder| find_below(folder, found))
}

fn failed(path: &Path, error: io::Error) -> TranscriptError {
    TranscriptError::Io { path: path.to_owned(), error }
}

/// One conversation, read while it is replayed, because it may be larger than memory.
#[derive(Debug)]
pub struct Transcript {
    sent: Lines,
    /// Without `out.jsonl`, there are none.
    replies: Option<Lines>,
    /// The rows of `times.tsv`, if there is one.
    times: Option<Times>,
    /// A reply that was read to find out whether there is one.
    ahead: Option<Replied>,
    /// The first line after the last reply that is not a reply either.
    noise: Option<Vec<u8>>,
    exit: Option<i32>,
    is_cut: bool,
    /// Whether the ends of the files were compared.
    is_over: bool,
}

/// A line that the daemon sent. Its `Display` text names it by its file, its line and its content.
#[derive(Debug)]
#[non_exhaustive]
pub struct Sent {
    /// The line as it is in the file, with its line feed.
    pub text: Vec<u8>,
    /// The line number, from 1.
    pub line: u64,
    /// The line, read.
    pub message: Message,
    /// The time since 1970 when the line was sent, if that was recorded.
    pub time: Option<Duration>,
}

/// A reply of the processor.
#[derive(Debug)]
#[non_exhaustive]
pub struct Replied {
    /// The line number in `out.jsonl`, from 1.
    pub line: u64,
    /// The reply.
    pub reply: Reply,
}

impl Transcript {
    /// Opens the recording in a folder.
    ///
    /// # Errors
    ///
    /// If a file of it cannot be read.
    pub fn open(folder: &Path) -> Result<Self, TranscriptError> {
        let exit_path = folder.join(EXIT_FILE);
        let mut is_cut = folder.join(CUT_FILE).exists();
        let exit = match fs::read_to_string(&exit_path) {
            Ok(text) if text.is_empty() => {
                is_cut = true;
                None
            }
            Ok(text) => Some(text.trim().parse().map_err(|_| TranscriptError::Exit(exit_path))?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed(&exit_path, error)),
        };
        let sent = Lines::open(folder.join(IN_FILE))?;
        let replies = Lines::find(folder.join(OUT_FILE))?;
        is_cut |= replies.is_none();
        let times = Lines::find(folder.join(TIMES_FILE))?.map(|lines| Times { lines, replies: 0 });
        Ok(Self { sent, replies, times, ahead: None, noise: None, exit, is_cut, is_over: false })
    }

    /// The processor's exit code, if it was recorded. A processor that was killed has none. `None` also for a recording that was cut
    /// short, because lines before the exit are missing.
    pub fn exit(&self) -> Option<i32> {
        self.exit.filter(|_| !self.is_cut)
    }

    /// Whether the recording was cut short, as by a full disk, so that the end of the conversation is missing. It is known once
    /// [`message`](Self::message), [`answer`](Self::answer) or [`reply`](Self::reply) has returned `None`: a file of a recording is also
    /// cut short if the other files go on after its end.
    pub fn is_cut(&self) -> bool {
        self.is_cut
    }

    /// The daemon's next message. `None` at the end of the recording, even if that is in the middle of a line.
    ///
    /// # Errors
    ///
    /// If the line cannot be read, is not a message, or is the answer to a checkpoint.
    pub fn message(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(sent) = self.next_sent()? else { return Ok(None) };
        match sent.message {
            Message::Checkpoint { .. } => {
                Err(self.sent.order("an answer to a checkpoint, but out.jsonl has no such checkpoint"))
            }
            _ => Ok(Some(sent)),
        }
    }

    /// The daemon's answer to a checkpoint. `None` at the end of the recording.
    ///
    /// # Errors
    ///
    /// If the line cannot be read, is not a message, or is not such an answer.
    pub fn answer(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(sent) = self.next_sent()? else { return Ok(None) };
        match sent.message {
            Message::Checkpoint { .. } => Ok(Some(sent)),
            _ => Err(self.sent.order("a message, but out.jsonl has a checkpoint here that no line answers")),
        }
    }

    /// The processor's next reply. Lines that are not replies are skipped, as the daemon skips them.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn reply(&mut self) -> Result<Option<Replied>, TranscriptError> {
        let reply = match self.ahead.take() {
            None => self.next_reply()?,
            ahead => ahead,
        };
        if reply.is_none() {
            self.end()?;
        }
        Ok(reply)
    }

    /// Once there are no more replies: the first line after them that is not blank, which is not a reply. It may lack its line feed.
    pub fn noise(&self) -> Option<&[u8]> {
        self.noise.as_deref()
    }

    /// The number of remaining lines of the daemon.
    ///
    /// # Errors
    ///
    /// If the file cannot be read.
    pub fn rest(mut self) -> Result<u64, TranscriptError> {
        let mut rest = 0;
        while self.sent.next()?.is_some() {
            rest += 1;
        }
        Ok(rest)
    }

    fn next_sent(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(text) = self.sent.next()? else {
            self.end()?;
            return Ok(None);
        };
        let row = match &mut self.times {
            None => Some(Row::Sent(None)),
            Some(times) => times.next()?,
        };
        // A row is written after its line.
        let Some(Row::Sent(time)) = row else {
            self.cut();
            return Ok(None);
        };
        if !text.ends_with(b"\n") {
            self.end()?;
            // `--chaos` sends part of a line before it kills a process. Such a recording has neither an answer to that line nor an exit
            // code.
            if self.ahead.is_some() || self.exit.is_some() {
                self.cut();
            }
            return Ok(None);
        }
        let line = self.sent.number;
        match Message::from_line(&text) {
            Ok(message) => Ok(Some(Sent { text, line, message, time })),
            Err(error) => Err(TranscriptError::Line { path: self.sent.path.clone(), line, error: Box::new(error) }),
        }
    }

    fn next_reply(&mut self) -> Result<Option<Replied>, TranscriptError> {
        let Some(replies) = &mut self.replies else { return Ok(None) };
        while let Some(text) = replies.next()? {
            if let (Ok(reply), true) = (Reply::from_line(&text), text.ends_with(b"\n")) {
                self.noise = None;
                return Ok(Some(Replied { line: replies.number, reply }));
            }
            if self.noise.is_none() && !text.trim_ascii().is_empty() {
                self.noise = Some(text);
            }
        }
        Ok(None)
    }

    /// At the end of `in.jsonl` or `out.jsonl`: compares it with the other files, of which none may go on.
    fn end(&mut self) -> Result<(), TranscriptError> {
        if self.is_over {
            return Ok(());
        }
        self.is_over = true;
        // The daemon sends nothing before the answer to its last line.
        let (mut goes_on, mut has_ended) = (!self.sent.is_at_end()?, false);
        self.ahead = self.next_reply()?;
        if let Some(times) = &mut self.times {
            while let Some(row) = times.next()? {
                goes_on |= matches!(row, Row::Sent(_));
                has_ended |= matches!(row, Row::Exit);
            }
            goes_on |= self.ahead.is_none() && self.replies.as_ref().is_some_and(|read| read.whole < times.replies);
        }
        // A processor may send a reply that nothing asked for. Only the row of its exit shows that no message is missing before it.
        if goes_on || (self.ahead.is_some() && !has_ended) {
            self.cut();
        }
        Ok(())
    }

    /// Ends the recording here, because the files do not agree from here on.
    fn cut(&mut self) {
        (self.is_cut, self.is_over) = (true, true);
        (self.replies, self.ahead) = (None, None);
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match &self.message {
            Message::ProcessRecords { records, .. } => {
                write!(f, "{IN_FILE}, line {line}: processRecords")?;
                match &records[..] {
                    [] => f.write_str(" without records"),
                    [only] => write!(f, ", 1 record: {}", only.sequence_number()),
                    [first, .., last] => {
                        let (from, to) = (first.sequence_number(), last.sequence_number());
                        write!(f, ", {} records: {from} to {to}", records.len())
                    }
                }
            }
            Message::Initialize { shard_id, position } => {
                write!(f, "{IN_FILE}, line {line}: initialize {} at {position}", Excerpt(shard_id.as_bytes()))
            }
            Message::Checkpoint { error: None, .. } => write!(f, "line {line}: checkpoint accepted"),
            Message::Checkpoint { error: Some(error), .. } => {
                write!(f, "line {line}: checkpoint refused, {}", Excerpt(error.as_bytes()))
            }
            other => write!(f, "{IN_FILE}, line {line}: {}", other.action()),
        }
    }
}

impl fmt::Display for Replied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{OUT_FILE}, line {}: {}", self.line, in_words(&self.reply))
    }
}

impl Replied {
    /// Whether the daemon would react to this reply in the same way. A missing sub-sequence number means 0; without a
    /// sequence number it is ignored.
    pub fn is_same(&self, reply: &Reply) -> bool {
        let normalized = |reply: &Reply| match reply {
            Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number } => Reply::Checkpoint {
                sequence_number: Some(number.clone()),
                sub_sequence_number: Some(sub_sequence_number.unwrap_or(0)),
            },
            Reply::Checkpoint { sequence_number: None, .. } => {
                Reply::Checkpoint { sequence_number: None, sub_sequence_number: None }
            }
            other => other.clone(),
        };
        normalized(&self.reply) == normalized(reply)
    }
}

/// A reply in words, as in `checkpoint at 7` and `status for processRecords`.
pub fn in_words(reply: &Reply) -> String {
    match reply {
        Reply::Status { response_for } => {
            format!("status for {}", Excerpt(response_for.as_deref().unwrap_or("nothing").as_bytes()))
        }
        Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number: None | Some(0) } => {
            format!("checkpoint at {}", Excerpt(number.as_bytes()))
        }
        Reply::Checkpoint { sequence_number: Some(number), sub_sequence_number: Some(sub) } => {
            format!("checkpoint at {}/{sub}", Excerpt(number.as_bytes()))
        }
        Reply::Checkpoint { sequence_number: None, .. } => "checkpoint at the end of the batch".to_owned(),
    }
}

#[derive(Debug)]
struct Lines {
    path: PathBuf,
    from: BufReader<File>,
    /// The number of the last line that was read, from 1.
    number: u64,
    /// The number of lines so far that had a line feed.
    whole: u64,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self, TranscriptError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, from: BufReader::new(file), number: 0, whole: 0 }),
            Err(error) => Err(TranscriptError::Io { path, error }),
        }
    }

    /// Opens a file that may be missing.
    fn find(path: PathBuf) -> Result<Option<Self>, TranscriptError> {
        match Self::open(path) {
            Err(TranscriptError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// The next line, with its line feed if it has one.
    fn next(&mut self) -> Result<Option<Vec<u8>>, TranscriptError> {
        let mut line = Vec::new();
        let read = self.from.read_until(b'\n', &mut line).map_err(|error| failed(&self.path, error))?;
        self.number += u64::from(read > 0);
        self.whole += u64::from(line.ends_with(b"\n"));
        Ok((read > 0).then_some(line))
    }

    fn is_at_end(&mut self) -> Result<bool, TranscriptError> {
        self.from.fill_buf().map(<[u8]>::is_empty).map_err(|error| failed(&self.path, error))
    }

    fn order(&self, what: &'static str) -> TranscriptError {
        TranscriptError::Order { path: self.path.clone(), line: self.number, what }
    }
}

/// The rows of `times.tsv`.
#[derive(Debug)]
struct Times {
    lines: Lines,
    /// The number of rows so far that belong to lines of the processor.
    replies: u64,
}

/// A row that does not belong to a line of the processor.
enum Row {
    /// A line of the daemon. The time may be missing.
    Sent(Option<Duration>),
    /// The end of the process. No lines follow.
    Exit,
}

impl Times {
    /// The next row other than those of the processor's lines, which are counted. Half a row, at the end of the file, is none.
    fn next(&mut self) -> Result<Option<Row>, TranscriptError> {
        while let Some(row) = self.lines.next()?.filter(|row| row.ends_with(b"\n")) {
            let mut cells = row.split(|byte| *byte == b'\t');
            let time = cells.next().and_then(|time| std::str::from_utf8(time).ok()?.parse().ok());
            match cells.next() {
                Some(b"in") => {
                    return Ok(Some(Row::Sent(time.and_then(|time| Duration::try_from_secs_f64(time).ok()))));
                }
                Some(b"out") => self.replies += 1,
                Some(b"exit") => return Ok(Some(Row::Exit)),
                _ => {}
            }
        }
        Ok(None)
    }
}
