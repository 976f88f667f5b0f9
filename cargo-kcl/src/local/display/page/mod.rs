//! The page of `--report`: one file of HTML about a run, which needs neither a network nor a script.

mod html;
mod lanes;
mod sections;

use std::fs::{self, Permissions};
use std::io::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::NamedTempFile;

use super::summary::Summary;
use crate::disk;
use crate::exit::FAILED;
use crate::local::shard::pulse::Counts;
use crate::local::timeline::{History, Timeline};
use crate::report;

/// The most shards with a timeline of their own, which bounds the memory of a run and the size of the page.
const MOST_SHARDS: usize = 200;

/// The reason why the page cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the report cannot be written to {}: {error}", path.display())]
pub(crate) struct PageError {
    path: PathBuf,
    error: io::Error,
}

/// One shard of the page.
pub(crate) struct Drawn {
    /// The history, if it is that of this shard alone.
    timeline: Option<Timeline>,
    counts: Counts,
}

/// The histories of all shards.
struct Histories<'a> {
    drawn: &'a [Drawn],
    /// The common history of the shards that do not have one of their own.
    rest: Option<Timeline>,
}

impl Histories<'_> {
    fn iter(&self) -> impl Iterator<Item = &Timeline> {
        self.drawn.iter().filter_map(|drawn| drawn.timeline.as_ref()).chain(&self.rest)
    }
}

/// The page of a run that has not ended.
#[derive(Debug)]
pub(crate) struct Page {
    path: PathBuf,
    /// The file that the path leads to.
    target: PathBuf,
    /// The number of arguments at the end of the command that are not shown.
    hidden: usize,
    /// The number of shards with a timeline of their own so far.
    drawn: usize,
    /// The history of the other shards.
    rest: Option<History>,
}

impl Page {
    /// Checks that the page can be written at the end of the run. It does not show the last `hidden` arguments of the command.
    pub(crate) fn create(path: &Path, hidden: usize) -> Result<Self, PageError> {
        let failed = |error| PageError { path: path.to_owned(), error };
        let target = disk::target(path).map_err(failed)?;
        let page = Self { path: path.to_owned(), target, hidden, drawn: 0, rest: None };
        page.new_file().map_err(failed)?;
        Ok(page)
    }

    /// The history of one more shard of a run that began at `epoch`: its own, or one that it shares.
    pub(crate) fn history(&mut self, epoch: Instant) -> History {
        if self.drawn < MOST_SHARDS {
            self.drawn += 1;
            return History::new(epoch);
        }
        self.rest.get_or_insert_with(|| History::new(epoch)).clone()
    }

    /// A shard with this history.
    pub(crate) fn drawn(&self, history: Option<History>, counts: Counts) -> Drawn {
        let is_own = |history: &History| self.rest.as_ref().is_none_or(|rest| !rest.is_same(history));
        Drawn { timeline: history.filter(is_own).map(|history| history.lock().clone()), counts }
    }

    /// Writes the page. Returns the exit code of the run, which is 1 if it would be 0 and the page cannot be written.
    pub(crate) fn write(&self, summary: &Summary, drawn: &[Drawn], quiet: bool, code: u8) -> u8 {
        let rest = self.rest.as_ref().map(|rest| rest.lock().clone());
        let text = sections::page(summary, &Histories { drawn, rest }, self.hidden);
        let written = self.new_file().and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(&self.target).map(drop).map_err(|error| error.error)
        });
        match written {
            Ok(()) if quiet => {}
            Ok(()) => report::line(format_args!("the report is in {}", self.path.display())),
            Err(error) => {
                report::error(self.failed(error));
                return if code == 0 { FAILED } else { code };
            }
        }
        code
    }

    /// A file in the same folder, so that nobody sees half a page. Only a regular file may be replaced.
    fn new_file(&self) -> io::Result<NamedTempFile> {
        let name = self.target.as_os_str().as_bytes();
        match fs::symlink_metadata(&self.target) {
            Ok(there) if there.is_file() => {}
            Ok(there) if there.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(_) => return Err(io::Error::other("it exists, and is not a regular file")),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Err(_) if name.ends_with(b"/") || name.ends_with(b"/.") => {
                return Err(io::Error::other("it is the name of a folder, not of a file"));
            }
            Err(_) => {}
        }
        let mut builder = tempfile::Builder::new();
        builder.prefix(".report-").permissions(Permissions::from_mode(0o666)).tempfile_in(disk::folder_of(&self.target))
    }

    fn failed(&self, error: io::Error) -> PageError {
        PageError { path: self.path.clone(), error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_without_a_timeline_are_counted() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut page = Page::create(&folder.path().join("page.html"), 0).expect("it can be written");
        let epoch = Instant::now();
        let histories: Vec<_> = (0..MOST_SHARDS + 5).map(|_| page.history(epoch)).collect();
        histories.iter().for_each(|history| history.lock().processed(1));
        let drawn = histories.into_iter().map(|history| page.drawn(Some(history), Counts::default()));
        let drawn: Vec<_> = drawn.collect();
        assert_eq!(drawn.iter().filter(|drawn| drawn.timeline.is_some()).count(), MOST_SHARDS);
        let rest = page.rest.map(|rest| rest.lock().clone());
        let all = Histories { drawn: &drawn, rest };
        let records = all.iter().flat_map(|timeline| timeline.periods.iter()).map(|period| period.records);
        assert_eq!(records.sum::<u64>(), MOST_SHARDS as u64 + 5);
    }
}
