//! Detects changes to a file that is followed: it is replaced by another, as in log rotation, or truncated.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

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
    Replaced(Next),
    /// Another file, but the one that must be read before it is compressed.
    Compressed(PathBuf),
}

/// The file to read after one that was rotated.
#[derive(Debug)]
pub(crate) struct Next {
    pub(crate) file: File,
    /// The files to read after it, before the one that has the name.
    pub(crate) later: VecDeque<File>,
    /// Whether files between the old one and this one may have been missed.
    pub(crate) missed: bool,
}

/// Identifies a file across runs: by its inode, and by its first bytes, because an inode is used again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) device: u64,
    pub(crate) inode: u64,
    /// The number of its first bytes that are known, and their CRC-32.
    pub(crate) head: u32,
    pub(crate) digest: u32,
}

impl FileId {
    fn new(file: &File, head: &[u8]) -> io::Result<Self> {
        let metadata = file.metadata()?;
        let (device, inode) = (metadata.dev(), metadata.ino());
        Ok(Self { device, inode, head: head.len() as u32, digest: crc32fast::hash(head) })
    }

    /// Whether no more of its first bytes need to be known.
    pub(crate) fn is_complete(&self) -> bool {
        self.head as usize >= REMEMBERED
    }

    /// Whether this identifies a file better than what is known of it.
    pub(crate) fn is_better_than(&self, known: &Self) -> bool {
        (self.device, self.inode) != (known.device, known.inode) || self.head > known.head
    }

    /// Whether a file has the known first bytes.
    pub(crate) fn starts(&self, file: &File) -> io::Result<bool> {
        let mut head = [0; REMEMBERED];
        let head = &mut head[..REMEMBERED.min(self.head as usize)];
        match file.read_exact_at(head, 0) {
            Ok(()) => Ok(crc32fast::hash(head) == self.digest),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether a file has the same inode.
    pub(crate) fn is_inode_of(&self, file: &File) -> io::Result<bool> {
        let metadata = file.metadata()?;
        Ok((metadata.dev(), metadata.ino()) == (self.device, self.inode))
    }
}

/// A file that log rotation gave another name.
#[derive(Debug)]
pub(crate) struct Rotated {
    pub(crate) path: PathBuf,
    pub(crate) file: File,
    /// When it was last written, and a number by which files of the same time are ordered.
    age: (SystemTime, i64),
}

/// The files beside this one whose names log rotation gives to its predecessors, such as NAME.1 and NAME-20260131, from the oldest
/// to the newest.
pub(crate) fn rotated(path: &Path) -> io::Result<Vec<Rotated>> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let Some(number) = entry.file_name().as_encoded_bytes().strip_prefix(name).and_then(rotation_number) else {
            continue;
        };
        let path = entry.path();
        // One that cannot be opened was removed meanwhile, or belongs to somebody else.
        if let Ok(metadata) = fs::metadata(&path)
            && metadata.is_file()
            && let Ok(file) = File::open(&path)
        {
            found.push(Rotated { path, file, age: (metadata.modified()?, number) });
        }
    }
    found.sort_by_key(|rotated| rotated.age);
    Ok(found)
}

/// The number in what rotation appends to a name: `.1`, `-20260131`, `.2026-01-31T12:00` and these with the suffix of a compressed
/// file.
fn rotation_number(suffix: &[u8]) -> Option<i64> {
    let suffix = std::str::from_utf8(suffix).ok()?;
    let suffix = COMPRESSED.iter().find_map(|end| suffix.strip_suffix(end)).unwrap_or(suffix);
    let number = suffix.strip_prefix(['.', '-'])?;
    let is_known = |char: char| char.is_ascii_digit() || matches!(char, '-' | '_' | '.' | ':' | 'T' | 'Z');
    if !number.starts_with(|char: char| char.is_ascii_digit()) || !number.chars().all(is_known) {
        return None;
    }
    // A date grows with time; NAME.2 is older than NAME.1.
    Some(number.parse().map_or(0, |number: i64| if number.abs() < DATE { -number } else { number }))
}

/// A number from which on the number of a rotated file is a date, such as 20260131.
const DATE: i64 = 10_000_000;
const COMPRESSED: [&str; 5] = [".gz", ".bz2", ".xz", ".zst", ".lz4"];

impl Rotated {
    /// Whether it is compressed, so that it cannot be read.
    pub(crate) fn is_compressed(&self) -> bool {
        let name = self.path.to_string_lossy();
        COMPRESSED.iter().any(|end| name.ends_with(end))
    }
}

/// The amount of text that was read of a file, with its first bytes and its last ones. If the file no longer has them, it was
/// truncated and written again, however long it is now.
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

    /// The identity of the file that was read.
    pub(crate) fn file_id(&self, file: &File) -> io::Result<FileId> {
        FileId::new(file, &self.head)
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

/// Checks what happened to a file that was opened under this name and read to its end. `later` are files that come between it and
/// the one with the name. A file that is `absent` did not exist yet.
pub(crate) fn look(file: &File, path: &Path, trace: &Trace, later: &VecDeque<File>, absent: bool) -> io::Result<Moved> {
    if let Some(next) = later.front() {
        let later = later.iter().skip(1).map(File::try_clone).collect::<io::Result<_>>()?;
        return Ok(Moved::Replaced(Next { file: next.try_clone()?, later, missed: false }));
    }
    // A missing file means that the next one is about to be created.
    if let Ok(there) = fs::metadata(path)
        && there.is_file()
        && id(&there) != id(&file.metadata()?)
        && let Ok(other) = File::open(path)
    {
        return if absent {
            Ok(Moved::Replaced(Next { file: other, later: VecDeque::new(), missed: false }))
        } else {
            after(file, path, other)
        };
    }
    Ok(if trace.fits(file)? { Moved::Not } else { Moved::Truncated })
}

/// The file to read after one that was rotated, perhaps more than once. `named` is the file that has the name.
fn after(file: &File, path: &Path, named: File) -> io::Result<Moved> {
    let (own, last) = (id(&file.metadata()?), id(&named.metadata()?));
    let mut rotated = rotated(path)?.into_iter();
    let mut missed = true;
    while missed && let Some(next) = rotated.next() {
        missed = id(&next.file.metadata()?) != own;
    }
    let mut files = VecDeque::new();
    for next in rotated {
        // The file with the name may have been rotated since it was opened.
        if id(&next.file.metadata()?) == last {
            break;
        }
        if next.is_compressed() {
            return Ok(Moved::Compressed(next.path));
        }
        files.push_back(next.file);
    }
    let file = files.pop_front().unwrap_or(named);
    Ok(Moved::Replaced(Next { file, later: files, missed }))
}

/// The device and the inode of a file.
fn id(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_rotated_files_are_known() {
        for (suffix, number) in [
            (".1", Some(-1)),
            (".12.gz", Some(-12)),
            ("-20260131", Some(20_260_131)),
            (".2026-01-31T12:00:00Z", Some(0)),
            ("", None),
            (".bak", None),
            (".swp", None),
            ("1", None),
            (".1.old", None),
            (".gz", None),
        ] {
            assert_eq!(rotation_number(suffix.as_bytes()), number, "{suffix}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        for name in ["log", "log.2", "log.1", "log.10", "other.1", "log.d"] {
            fs::write(folder.path().join(name), name).unwrap();
        }
        fs::create_dir(folder.path().join("log.3")).unwrap();
        let time = SystemTime::now();
        for name in ["log.1", "log.2", "log.10"] {
            File::options().append(true).open(folder.path().join(name)).unwrap().set_modified(time).unwrap();
        }
        let names: Vec<_> = rotated(&path).unwrap().into_iter().map(|file| file.path).collect();
        assert_eq!(names, ["log.10", "log.2", "log.1"].map(|name| folder.path().join(name)));
    }

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
