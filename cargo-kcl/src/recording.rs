//! `--record`: the messages and replies of each conversation, saved as they pass.
//!
//! Each conversation has its own folder. `in.jsonl` holds the bytes written to the processor's stdin, `out.jsonl` the bytes read
//! from its stdout, `times.tsv` the order of their lines, and `exit` the processor's exit code. Nothing is buffered in memory: no
//! matter what ends, everything that passed is in the files.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use kcl::protocol::Reply;
use kcl::protocol::recording::{CUT_FILE, EXIT_FILE, IN_FILE, OUT_FILE, TIMES_FILE};

use crate::args::{shard_id, without_password};
use crate::disk;
use crate::report::escaped;

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    #[error("{} is not empty, and recordings are not overwritten; name another folder, or empty it first", .0.display())]
    NotEmpty(PathBuf),
    #[error("conversations cannot be recorded in {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// A folder for the conversations of a run.
#[derive(Debug)]
pub(crate) struct Recording {
    folder: PathBuf,
}

impl Recording {
    /// Creates the folder.
    pub(crate) fn create(folder: &Path) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Io { path: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(RecordingError::NotEmpty(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Records which tool and which processor run.
    pub(crate) fn describe(&self, command: &[OsString]) -> Result<(), RecordingError> {
        let arguments: Vec<_> = std::env::args_os().skip(1).map(|text| shown(&text)).collect();
        let command: Vec<_> = command.iter().map(|text| shown(text)).collect();
        let tool = concat!("cargo-kcl ", env!("CARGO_PKG_VERSION"));
        let meta = serde_json::json!({"tool": tool, "arguments": arguments, "processor": command});
        let written = disk::write(&self.folder.join("meta.json"), format!("{meta:#}\n").as_bytes());
        written.map_err(|error| RecordingError::Io { path: self.folder.clone(), error })
    }

    /// The tape for a conversation with a shard's processor; `life` numbers the shard's processors from 1.
    pub(crate) fn tape(&self, shard: u32, life: u32) -> Result<Tape, RecordingError> {
        let name = if life > 1 { format!("{}.{life}", shard_id(shard)) } else { shard_id(shard) };
        let folder = self.folder.join(name);
        Tape::create(&folder).map_err(|error| RecordingError::Io { path: folder, error })
    }
}

/// An argument of a command, without the password of a URL in it.
fn shown(argument: &OsStr) -> String {
    let text = argument.to_string_lossy();
    if text.contains("://") { without_password(&text) } else { text.into_owned() }
}

/// The files of one conversation.
#[derive(Debug)]
pub(crate) struct Tape {
    folder: PathBuf,
    messages: File,
    replies: File,
    times: File,
    message_lines: u64,
    reply_lines: u64,
    /// Whether something could not be written, as on a full disk: the files end there.
    is_cut: bool,
}

impl Tape {
    fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let file = |name| File::create_new(folder.join(name));
        let (messages, replies, times) = (file(IN_FILE)?, file(OUT_FILE)?, file(TIMES_FILE)?);
        let mut tape = Self {
            folder: folder.to_owned(),
            messages,
            replies,
            times,
            message_lines: 0,
            reply_lines: 0,
            is_cut: false,
        };
        tape.note("start", format_args!(""))?;
        Ok(tape)
    }

    /// Records a line that is about to be written to the processor.
    pub(crate) fn record_message(&mut self, line: &[u8], what: impl fmt::Display) -> io::Result<()> {
        let written = self.messages.write_all(line);
        self.check(written)?;
        self.message_lines += 1;
        let number = self.message_lines;
        self.note("in", format_args!("{number} {what}"))
    }

    /// Records bytes that were read from the processor.
    pub(crate) fn record_output(&mut self, bytes: &[u8]) -> io::Result<()> {
        let written = self.replies.write_all(bytes);
        self.check(written)
    }

    fn check(&mut self, written: io::Result<()>) -> io::Result<()> {
        self.is_cut |= written.is_err();
        written
    }

    /// Notes a line from the processor: a reply, or noise.
    pub(crate) fn note_reply(&mut self, reply: Option<&Reply>) -> io::Result<()> {
        self.reply_lines += 1;
        let number = self.reply_lines;
        match reply {
            Some(Reply::Status { response_for }) => {
                self.note("out", format_args!("{number} status {}", response_for.as_deref().unwrap_or("None")))
            }
            Some(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                let numbers = CheckpointNumbers(sequence_number.as_deref(), *sub_sequence_number);
                self.note("out", format_args!("{number} checkpoint {numbers}"))
            }
            _ => self.note("out", format_args!("{number} noise")),
        }
    }

    /// Writes a row with the time and the event.
    pub(crate) fn note(&mut self, what: &str, detail: impl fmt::Display) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        // It may contain text of the processor.
        let detail = detail.to_string();
        let row = format!("{}.{:03}\t{what}\t{}\n", now.as_secs(), now.subsec_millis(), escaped(&detail));
        let written = self.times.write_all(row.as_bytes());
        self.check(written)
    }

    /// Records the processor's exit, without a code if a signal killed it. A recording that was cut short is marked as such: its
    /// files do not show how the processor came to its end.
    pub(crate) fn end(&mut self, code: Option<i32>) -> io::Result<()> {
        if self.is_cut {
            return File::create(self.folder.join(CUT_FILE)).map(|_| ());
        }
        let Some(code) = code else { return self.note("exit", "None") };
        disk::write(&self.folder.join(EXIT_FILE), format!("{code}\n").as_bytes())?;
        self.note("exit", code)
    }
}

/// The numbers of a checkpoint, in the format of `times.tsv`.
pub(crate) struct CheckpointNumbers<'a>(pub(crate) Option<&'a str>, pub(crate) Option<i64>);

impl fmt::Display for CheckpointNumbers<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.unwrap_or("None"))?;
        match self.1 {
            Some(sub) => write!(f, "/{sub}"),
            None => f.write_str("/None"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_written_to_the_files_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording::create(&folder.path().join("a/b")).unwrap();
        let mut tape = recording.tape(7, 2).unwrap();
        tape.record_message(b"{}\n", "leaseLost").unwrap();
        tape.record_output(b"one\ntwo").unwrap();
        tape.note_reply(None).unwrap();
        tape.note_reply(Some(&Reply::status("a\n0.000\tin\t9 b"))).unwrap();
        let forged = || Some("7\n\x1b[2J".to_owned());
        tape.note_reply(Some(&Reply::Checkpoint { sequence_number: forged(), sub_sequence_number: None })).unwrap();
        tape.end(Some(3)).unwrap();
        let read = |name| fs::read_to_string(folder.path().join("a/b/shardId-000000000007.2").join(name)).unwrap();
        assert_eq!([read("in.jsonl"), read("out.jsonl"), read("exit")], ["{}\n", "one\ntwo", "3\n"]);
        let rows: Vec<_> =
            read("times.tsv").lines().filter_map(|row| Some(row.split_once('\t')?.1.to_owned())).collect();
        let escaped = [r"out	2 status a\n0.000\tin\t9 b", r"out	3 checkpoint 7\n\u{1b}[2J/None"];
        assert_eq!(rows, ["start\t", "in\t1 leaseLost", "out\t1 noise", escaped[0], escaped[1], "exit\t3"]);
        assert!(matches!(Recording::create(&folder.path().join("a/b")), Err(RecordingError::NotEmpty(_))));
    }
}
