//! Recorded conversations: finding and reading them.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use kcl::protocol::{Message, MessageError, Reply};

/// The file of the messages that the processor received.
pub(crate) const IN_FILE: &str = "in.jsonl";
/// The file of its replies.
pub(crate) const OUT_FILE: &str = "out.jsonl";
/// The file of its exit code.
const EXIT: &str = "exit";
/// The file with the time of each line.
const TIMES: &str = "times.tsv";
/// An empty file, which marks a recording that could not be written to its end.
pub(crate) const CUT_FILE: &str = "cut";

/// The reason why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TranscriptError {
    #[error("{} cannot be read: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
    #[error("{} is not a recording: give a folder with in.jsonl and out.jsonl, such as `cargo kcl local --record` writes, or its in.jsonl", .0.display())]
    NoRecording(PathBuf),
    #[error("no recording in {}: none of its folders has an in.jsonl", .0.display())]
    NoneBelow(PathBuf),
    #[error("{}, line {line}: {error}", path.display())]
    Line { path: PathBuf, line: u64, error: Box<MessageError> },
    #[error("{}, line {line}: {what}", path.display())]
    Order { path: PathBuf, line: u64, what: &'static str },
    #[error("{} does not hold an exit code", .0.display())]
    Exit(PathBuf),
}

/// Finds the folders of all conversations in these paths. Those within a folder are in order of shards and lives.
pub(crate) fn find(paths: &[PathBuf]) -> Result<Vec<PathBuf>, TranscriptError> {
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
pub(crate) struct Transcript {
    sent: Lines,
    replies: Lines,
    /// The exit code, if it was recorded. A processor that was killed has none.
    pub(crate) exit: Option<i32>,
    /// The number of lines in in.jsonl that were written completely, as far as times.tsv tells.
    complete: u64,
    /// Whether the recording was cut short, as by a full disk, so that the end of the conversation is missing.
    pub(crate) is_cut: bool,
}

/// A line that the daemon sent.
#[derive(Debug)]
pub(crate) struct Sent {
    /// The line as it is in the file, with its line feed.
    pub(crate) text: Vec<u8>,
    /// The line number, from 1.
    pub(crate) line: u64,
    pub(crate) message: Message,
}

/// A reply of the processor.
#[derive(Debug)]
pub(crate) struct Replied {
    pub(crate) line: u64,
    pub(crate) reply: Reply,
}

impl Transcript {
    pub(crate) fn open(folder: &Path) -> Result<Self, TranscriptError> {
        let exit_path = folder.join(EXIT);
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
        let replies = match Lines::open(folder.join(OUT_FILE)) {
            Err(TranscriptError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => {
                is_cut = true;
                Lines::open("/dev/null".into())?
            }
            opened => opened?,
        };
        let complete = complete_messages(&folder.join(TIMES))?;
        Ok(Self { sent, replies, exit, complete, is_cut })
    }

    /// The daemon's next message. `None` at the end of the recording, even if that is in the middle of a line.
    pub(crate) fn message(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(sent) = self.next_sent()? else { return Ok(None) };
        match sent.message {
            Message::Checkpoint { .. } => {
                Err(self.sent.order("an answer to a checkpoint, but out.jsonl has no such checkpoint"))
            }
            _ => Ok(Some(sent)),
        }
    }

    /// The daemon's answer to a checkpoint.
    pub(crate) fn answer(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(sent) = self.next_sent()? else { return Ok(None) };
        match sent.message {
            Message::Checkpoint { .. } => Ok(Some(sent)),
            _ => Err(self.sent.order("a message, but out.jsonl has a checkpoint here that no line answers")),
        }
    }

    /// The processor's next reply. Lines that are not replies are skipped, as the daemon skips them.
    pub(crate) fn reply(&mut self) -> Result<Option<Replied>, TranscriptError> {
        while let Some(text) = self.replies.next()? {
            if let (Ok(reply), true) = (Reply::from_line(&text), text.ends_with(b"\n")) {
                return Ok(Some(Replied { line: self.replies.number, reply }));
            }
        }
        Ok(None)
    }

    /// The number of remaining lines of the daemon.
    pub(crate) fn rest(mut self) -> Result<u64, TranscriptError> {
        let mut rest = 0;
        while self.sent.next()?.is_some() {
            rest += 1;
        }
        Ok(rest)
    }

    fn next_sent(&mut self) -> Result<Option<Sent>, TranscriptError> {
        let Some(text) = self.sent.next()? else { return Ok(None) };
        if self.sent.number > self.complete {
            self.is_cut = true;
            self.exit = None;
            return Ok(None);
        }
        if !text.ends_with(b"\n") {
            return Ok(None);
        }
        let line = self.sent.number;
        match Message::from_line(&text) {
            Ok(message) => Ok(Some(Sent { text, line, message })),
            Err(error) => Err(TranscriptError::Line { path: self.sent.path.clone(), line, error: Box::new(error) }),
        }
    }
}

/// The number of messages that have a row in this file: a row is written after its message. Without the file, every message counts.
fn complete_messages(times: &Path) -> Result<u64, TranscriptError> {
    let mut rows = match Lines::open(times.to_owned()) {
        Err(TranscriptError::Io { error, .. }) if error.kind() == io::ErrorKind::NotFound => return Ok(u64::MAX),
        opened => opened?,
    };
    let mut complete = 0;
    while let Some(row) = rows.next()? {
        complete += u64::from(row.ends_with(b"\n") && row.split(|byte| *byte == b'\t').nth(1) == Some(b"in"));
    }
    Ok(complete)
}

#[derive(Debug)]
struct Lines {
    path: PathBuf,
    from: BufReader<File>,
    number: u64,
}

impl Lines {
    fn open(path: PathBuf) -> Result<Self, TranscriptError> {
        match File::open(&path) {
            Ok(file) => Ok(Self { path, from: BufReader::new(file), number: 0 }),
            Err(error) => Err(TranscriptError::Io { path, error }),
        }
    }

    /// The next line, with its line feed if it has one.
    fn next(&mut self) -> Result<Option<Vec<u8>>, TranscriptError> {
        let mut line = Vec::new();
        let read = self.from.read_until(b'\n', &mut line).map_err(|error| failed(&self.path, error))?;
        self.number += 1;
        Ok((read > 0).then_some(line))
    }

    fn order(&self, what: &'static str) -> TranscriptError {
        TranscriptError::Order { path: self.path.clone(), line: self.number, what }
    }
}
