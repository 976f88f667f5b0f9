//! Detects changes to a file that is followed: it is replaced by another, as in log rotation, or truncated.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt};
use std::path::Path;
use std::time::Duration;

/// How often to check a file that was read to its end.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// How much is remembered of the start of a file, and of what was read last, in bytes.
const REMEMBERED: usize = 1 << 10;

/// The file that is now found under a name.
#[derive(Debug)]
pub(crate) enum Moved {
    /// The same file, or no file yet.
    Not,
    /// The same file, with other content than before.
    Truncated,
    /// Another file.
    Replaced(File),
}

/// What was read of a file: how much, its first bytes and its last ones. If the file no longer has them, it was truncated and
/// written again, however long it is now.
#[derive(Debug, Default)]
pub(crate) struct Trace {
    position: u64,
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Trace {
    /// Adds bytes that were read.
    pub(crate) fn note(&mut self, read: &[u8]) {
        self.position += read.len() as u64;
        let to_head = REMEMBERED.saturating_sub(self.head.len()).min(read.len());
        self.head.extend_from_slice(&read[..to_head]);
        self.tail.extend_from_slice(&read[read.len().saturating_sub(REMEMBERED)..]);
        self.tail.drain(..self.tail.len().saturating_sub(REMEMBERED));
    }

    /// Whether the file still holds what was read.
    pub(crate) fn fits(&self, file: &File) -> io::Result<bool> {
        let start = self.position - self.tail.len() as u64;
        Ok(holds(file, &self.tail, start)? && holds(file, &self.head, 0)?)
    }
}

/// Whether a file has these bytes at an offset.
fn holds(file: &File, bytes: &[u8], offset: u64) -> io::Result<bool> {
    let mut found = [0; REMEMBERED];
    let found = &mut found[..bytes.len()];
    match file.read_exact_at(found, offset) {
        Ok(()) => Ok(found == bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Checks what happened to a file that was opened under this name and read to its end.
pub(crate) fn look(file: &File, path: &Path, trace: &Trace) -> io::Result<Moved> {
    let own = file.metadata()?;
    let id = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    // A missing file means that the next one is about to be created.
    if let Ok(there) = fs::metadata(path)
        && there.is_file()
        && id(&there) != id(&own)
        && let Ok(other) = File::open(path)
    {
        return Ok(Moved::Replaced(other));
    }
    Ok(if trace.fits(file)? { Moved::Not } else { Moved::Truncated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_content_is_noticed_at_any_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines = |from: u32, to: u32| (from..to).map(|number| format!("line {number}\n")).collect::<String>();
        let old = lines(0, 1_000);
        fs::write(&path, &old).unwrap();
        let file = File::options().read(true).open(&path).unwrap();
        let mut trace = Trace::default();
        assert!(trace.fits(&file).unwrap());
        old.as_bytes().chunks(700).for_each(|chunk| trace.note(chunk));
        assert_eq!((trace.position, trace.tail.len()), (old.len() as u64, REMEMBERED));
        assert!(trace.fits(&file).unwrap());
        fs::write(&path, old.clone() + "more\n").unwrap();
        assert!(trace.fits(&file).unwrap());
        // The same end, but another start; and the same start, but another end.
        for new in [lines(1, 1_000) + "line 0\n", lines(0, 999) + &lines(0, 9), lines(0, 10), lines(5_000, 9_000)] {
            fs::write(&path, new).unwrap();
            assert!(!trace.fits(&file).unwrap());
        }
    }
}
