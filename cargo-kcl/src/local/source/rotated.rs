//! Finds the file in which a followed input continues, if it was rotated while nobody followed it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use crate::input::follow::{self, FileId, Rotated};
use crate::input::lines::{Framing, Lines, Next};
use crate::input::path::Input;
use crate::input::source::{InputError, Source};
use crate::local::place::Place;
use crate::local::state::Origin;
use crate::local::state::marks::{Mark, Marks, digest};

/// Where a followed input continues: in a file, followed by these, followed by the one that has the name.
#[derive(Debug)]
pub(crate) struct Continuation {
    pub(crate) file: File,
    pub(crate) later: VecDeque<File>,
}

/// Finds the file that starts at this origin: the one with the name, or one that rotation gave another name. `marks` are those that
/// an earlier run left in it.
///
/// # Errors
///
/// If a file that must be read after it is compressed.
pub(crate) fn find(
    path: &Path,
    origin: &Origin,
    marks: &[Mark],
    framing: Framing,
) -> Result<Option<Continuation>, InputError> {
    let input = Input::File(path.to_owned());
    let failed = |error| InputError::Read { input: input.clone(), line: 0, error };
    // Rotation may rename files meanwhile, so the file with the name is opened before the others.
    let named = File::open(path).ok();
    let mut files = follow::rotated(path).map_err(failed)?;
    // An earlier version did not save the identity. Without a mark, it is the file with the name.
    let is_known = origin.file.is_some() || !marks.is_empty();
    let is_it = |file: &File| is_it(file, path, origin, marks, framing).map_err(failed);
    if let Some(mut file) = named
        && (!is_known || is_it(&file)?)
    {
        file.rewind().map_err(failed)?;
        return Ok(Some(Continuation { file, later: VecDeque::new() }));
    }
    if !is_known {
        return Ok(None);
    }
    let mut found = None;
    for (at, rotated) in files.iter().enumerate().rev().filter(|(_, rotated)| !rotated.is_compressed()) {
        if is_it(&rotated.file)? {
            found = Some(at);
            break;
        }
    }
    let Some(at) = found else { return Ok(None) };
    let mut later = files.drain(at..);
    let rewind = |mut file: File| file.rewind().map(|()| file);
    let Some(first) = later.next() else { return Ok(None) };
    let mut next = VecDeque::new();
    for rotated in later {
        if rotated.is_compressed() {
            return Err(InputError::Compressed { input, path: rotated.path });
        }
        next.push_back(rewind(rotated.file).map_err(failed)?);
    }
    Ok(Some(Continuation { file: rewind(first.file).map_err(failed)?, later: next }))
}

/// The newest file beside this one that rotation has compressed.
pub(crate) fn newest_compressed(path: &Path) -> Result<Option<PathBuf>, InputError> {
    let failed = |error| InputError::Read { input: Input::File(path.to_owned()), line: 0, error };
    let files = follow::rotated(path).map_err(failed)?;
    Ok(files.into_iter().rev().find(Rotated::is_compressed).map(|rotated| rotated.path))
}

/// Whether the file with the name is the one that starts at this origin, but with other records than those that left these marks.
pub(crate) fn is_changed(path: &Path, origin: &Origin, marks: &[Mark]) -> Result<bool, InputError> {
    let (Some(id), Ok(file)) = (origin.file, File::open(path)) else { return Ok(false) };
    let is_same = || Ok(is_long_enough(&file, origin, marks)? && id.starts(&file)? && id.is_inode_of(&file)?);
    is_same().map_err(|error| InputError::Read { input: Input::File(path.to_owned()), line: 0, error })
}

/// Whether a file is so long that it can have the record of the last mark.
fn is_long_enough(file: &File, origin: &Origin, marks: &[Mark]) -> io::Result<bool> {
    let last = marks.last().and_then(|mark| Place::from_sequence_number(&mark.sequence_number));
    let Some(last) = last else { return Ok(true) };
    Ok(file.metadata()?.len() > last.offset.saturating_sub(origin.offset))
}

fn is_it(file: &File, path: &Path, origin: &Origin, marks: &[Mark], framing: Framing) -> io::Result<bool> {
    if !is_long_enough(file, origin, marks)? {
        return Ok(false);
    }
    match origin.file {
        Some(id) if !id.starts(file)? => Ok(false),
        // A file that was copied and truncated has the same inode, and may start with the same line.
        _ if !marks.is_empty() => meets(file.try_clone()?, path, origin, marks, framing),
        Some(id) if id.is_inode_of(file)? => Ok(true),
        // Every file starts with no bytes.
        Some(FileId { head: 0, .. }) => Ok(false),
        _ => Ok(true),
    }
}

/// Whether the records of a file are those that left these marks.
fn meets(file: File, path: &Path, origin: &Origin, marks: &[Mark], framing: Framing) -> io::Result<bool> {
    let source = Source::of_file(Input::File(path.to_owned()), file)?;
    let mut lines = Lines::new(source, framing);
    lines.start_at(origin.offset);
    let mut marks = Marks::new(marks.to_vec());
    let (mut record, mut before) = (origin.record, origin.digest);
    while marks.end().is_err() {
        let Ok(Next::Line { text, number, offset, .. }) = lines.next() else { return Ok(false) };
        record += 1;
        before = digest(before, text);
        let place = Place { input: origin.input, offset, line: number, record };
        if marks.meet(|| place.sequence_number(), before).is_err() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::io::Read as _;

    const LINES: Framing = Framing::Lines { longest: 100, warns: false };

    fn origin(file: Option<FileId>) -> Origin {
        Origin { input: 0, offset: 0, record: 0, digest: 0, file }
    }

    fn content(path: &Path, origin: &Origin, marks: &[Mark]) -> Option<Vec<String>> {
        let found = find(path, origin, marks, LINES).unwrap()?;
        let read = |mut file: File| {
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            text
        };
        Some(std::iter::once(found.file).chain(found.later).map(read).collect())
    }

    /// The mark of a file's second record.
    fn second(lines: [&[u8]; 2]) -> Mark {
        let offset = lines[0].len() as u64 + 1;
        let place = Place { input: 0, offset, line: 2, record: 2 };
        Mark { sequence_number: place.sequence_number(), digest: digest(digest(0, lines[0]), lines[1]) }
    }

    #[test]
    fn marks_count_more_than_the_inode_and_the_first_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "a\nx\nc\n").unwrap();
        fs::write(folder.path().join("log.1"), "a\nb\nc\n").unwrap();
        let mut trace = follow::Trace::default();
        trace.note(b"a\n");
        let origin = origin(Some(trace.file_id(&File::open(&path).unwrap()).unwrap()));
        let found = content(&path, &origin, &[second([b"a", b"b"])]);
        assert_eq!(found, Some(vec!["a\nb\nc\n".to_owned()]));
        let other = [second([b"a", b"y"])];
        assert_eq!(content(&path, &origin, &other), None);
        assert!(is_changed(&path, &origin, &other).unwrap());
        fs::write(&path, "a\n").unwrap();
        assert!(!is_changed(&path, &origin, &other).unwrap());
    }

    #[test]
    fn a_rotated_file_is_found_by_its_inode_or_by_its_records() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        fs::write(&path, "a\nb\nc\n").unwrap();
        let mut trace = follow::Trace::default();
        trace.note(b"a\nb\n");
        let id = trace.file_id(&File::open(&path).unwrap()).unwrap();
        let other = FileId { inode: id.inode + 1, ..id };
        let marks = [second([b"a", b"b"])];
        let rotate = |number: u32| {
            for number in (1..number).rev() {
                fs::rename(
                    folder.path().join(format!("log.{number}")),
                    folder.path().join(format!("log.{}", number + 1)),
                )
                .unwrap();
            }
            fs::rename(&path, folder.path().join("log.1")).unwrap();
            fs::write(&path, format!("{number}\n{number}\n")).unwrap();
        };
        for (origin, marks) in [(origin(Some(id)), &[][..]), (origin(Some(other)), &marks), (origin(None), &marks)] {
            let whole = || Some(vec!["a\nb\nc\n".to_owned()]);
            assert_eq!(content(&path, &origin, marks).map(|files| files[..1].to_vec()), whole());
        }
        rotate(1);
        rotate(2);
        let expected = Some(["a\nb\nc\n", "1\n1\n"].map(str::to_owned).to_vec());
        for (origin, marks) in [(origin(Some(id)), &[][..]), (origin(Some(other)), &marks), (origin(None), &marks)] {
            assert_eq!(content(&path, &origin, marks), expected);
        }
        assert_eq!(content(&path, &origin(Some(other)), &[second([b"a", b"x"])]), None);
        fs::rename(folder.path().join("log.1"), folder.path().join("log.1.gz")).unwrap();
        let error = find(&path, &origin(Some(id)), &[], LINES).unwrap_err().to_string();
        assert!(error.contains("log.1.gz"), "{error}");
    }
}
