//! `--record`: what a processor is told and what it says, kept as it passes.
//!
//! A conversation has a folder of its own: `in.jsonl` is what was written to the processor's stdin, `out.jsonl` what came from its
//! stdout, `times.tsv` the order of their lines, and `exit` the processor's exit code. Nothing is held back in memory: whatever
//! ends, what passed is in the files.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use kcl::protocol::Reply;

use crate::local::place::shard_id;

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordingError {
    #[error("{} is not empty, and recordings are not overwritten; name another folder, or empty it first", .0.display())]
    NotEmpty(PathBuf),
    #[error("conversations cannot be recorded in {}: {error}", path.display())]
    Io { path: PathBuf, error: io::Error },
}

/// A folder with a run's conversations.
#[derive(Debug)]
pub(crate) struct Recording {
    folder: PathBuf,
}

impl Recording {
    /// Makes the folder.
    pub(crate) fn create(folder: &Path) -> Result<Self, RecordingError> {
        let failed = |error| RecordingError::Io { path: folder.to_owned(), error };
        fs::create_dir_all(folder).map_err(failed)?;
        if fs::read_dir(folder).map_err(failed)?.next().is_some() {
            return Err(RecordingError::NotEmpty(folder.to_owned()));
        }
        Ok(Self { folder: folder.to_owned() })
    }

    /// Writes down what runs.
    pub(crate) fn describe(&self, command: &[OsString]) -> Result<(), RecordingError> {
        let arguments: Vec<_> = std::env::args_os().skip(1).map(|text| text.to_string_lossy().into_owned()).collect();
        let command: Vec<_> = command.iter().map(|text| text.to_string_lossy()).collect();
        let tool = concat!("cargo-kcl ", env!("CARGO_PKG_VERSION"));
        let meta = serde_json::json!({"tool": tool, "arguments": arguments, "processor": command});
        let written = fs::write(self.folder.join("meta.json"), format!("{meta:#}\n"));
        written.map_err(|error| RecordingError::Io { path: self.folder.clone(), error })
    }

    /// For the conversation with a shard's processor; `life` counts them, from 1.
    pub(crate) fn tape(&self, shard: u32, life: u32) -> Result<Tape, RecordingError> {
        let name = if life > 1 { format!("{}.{life}", shard_id(shard)) } else { shard_id(shard) };
        let folder = self.folder.join(name);
        Tape::create(&folder).map_err(|error| RecordingError::Io { path: folder, error })
    }
}

/// One conversation's files.
#[derive(Debug)]
pub(crate) struct Tape {
    folder: PathBuf,
    told: File,
    said: File,
    times: File,
    lines_told: u64,
    lines_said: u64,
}

impl Tape {
    fn create(folder: &Path) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let file = |name| File::create_new(folder.join(name));
        let (told, said, times) = (file("in.jsonl")?, file("out.jsonl")?, file("times.tsv")?);
        let mut tape = Self { folder: folder.to_owned(), told, said, times, lines_told: 0, lines_said: 0 };
        tape.note("start", format_args!(""))?;
        Ok(tape)
    }

    /// A line is about to be written to the processor.
    pub(crate) fn tell(&mut self, line: &[u8], what: impl fmt::Display) -> io::Result<()> {
        self.told.write_all(line)?;
        self.lines_told += 1;
        let number = self.lines_told;
        self.note("in", format_args!("{number} {what}"))
    }

    /// A line of the processor was taken for a reply, or for none.
    pub(crate) fn hear(&mut self, reply: Option<&Reply>) -> io::Result<()> {
        self.lines_said += 1;
        let number = self.lines_said;
        match reply {
            Some(Reply::Status { response_for }) => {
                self.note("out", format_args!("{number} status {}", response_for.as_deref().unwrap_or("None")))
            }
            Some(Reply::Checkpoint { sequence_number, sub_sequence_number }) => {
                let asked = Asked(sequence_number.as_deref(), *sub_sequence_number);
                self.note("out", format_args!("{number} checkpoint {asked}"))
            }
            _ => self.note("out", format_args!("{number} noise")),
        }
    }

    /// Writes a row that says when what happened.
    pub(crate) fn note(&mut self, what: &str, detail: impl fmt::Display) -> io::Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let row = format!("{}.{:03}\t{what}\t{detail}\n", now.as_secs(), now.subsec_millis());
        self.times.write_all(row.as_bytes())
    }

    /// The processor has ended; without a code if a signal ended it.
    pub(crate) fn end(&mut self, code: Option<i32>) -> io::Result<()> {
        let Some(code) = code else { return self.note("exit", "None") };
        fs::write(self.folder.join("exit"), format!("{code}\n"))?;
        self.note("exit", code)
    }
}

/// The numbers of a checkpoint, as `times.tsv` has them.
pub(crate) struct Asked<'a>(pub(crate) Option<&'a str>, pub(crate) Option<i64>);

impl fmt::Display for Asked<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.unwrap_or("None"))?;
        match self.1 {
            Some(sub) => write!(f, "/{sub}"),
            None => f.write_str("/None"),
        }
    }
}

/// The thread that converses has it in two places: where it reads and where it writes.
pub(crate) type SharedTape = Rc<RefCell<Tape>>;

/// What a processor says, on its way to the tape too, if there is one.
#[derive(Debug)]
pub(crate) struct Heard<R> {
    from: R,
    tape: Option<SharedTape>,
}

impl<R> Heard<R> {
    pub(crate) fn new(from: R, tape: Option<SharedTape>) -> Self {
        Self { from, tape }
    }
}

impl<R: Read> Read for Heard<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(to)?;
        if let Some(tape) = &self.tape {
            tape.borrow_mut().said.write_all(&to[..read])?;
        }
        Ok(read)
    }
}

impl<R: AsFd> AsFd for Heard<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.from.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_is_in_the_files_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let recording = Recording::create(&folder.path().join("a/b")).unwrap();
        let tape = Rc::new(RefCell::new(recording.tape(7, 2).unwrap()));
        let mut heard = Heard::new(&b"one\ntwo"[..], Some(Rc::clone(&tape)));
        tape.borrow_mut().tell(b"{}\n", "leaseLost").unwrap();
        assert_eq!(heard.read(&mut [0; 64]).unwrap(), 7);
        tape.borrow_mut().hear(None).unwrap();
        tape.borrow_mut().end(Some(3)).unwrap();
        let read = |name| fs::read_to_string(folder.path().join("a/b/shardId-000000000007.2").join(name)).unwrap();
        assert_eq!([read("in.jsonl"), read("out.jsonl"), read("exit")], ["{}\n", "one\ntwo", "3\n"]);
        let rows: Vec<_> =
            read("times.tsv").lines().filter_map(|row| Some(row.split_once('\t')?.1.to_owned())).collect();
        assert_eq!(rows, ["start\t", "in\t1 leaseLost", "out\t1 noise", "exit\t3"]);
        assert!(matches!(Recording::create(&folder.path().join("a/b")), Err(RecordingError::NotEmpty(_))));
    }
}
