//! The page of `--report`: one file of HTML about a run, which needs neither a network nor a script.

mod html;
mod lanes;
mod sections;

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::summary::Summary;
use crate::disk;
use crate::exit::FAILED;
use crate::local::shard::pulse::Counts;
use crate::local::timeline::Timeline;
use crate::report;

/// The most shards with a timeline, which bounds the memory of a run and the size of the page.
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
    /// The history, if it was kept.
    pub(crate) timeline: Option<Box<Timeline>>,
    pub(crate) counts: Counts,
}

/// The page of a run that has not ended.
#[derive(Debug)]
pub(crate) struct Page {
    path: PathBuf,
    /// The number of shards with a timeline so far.
    drawn: usize,
}

impl Page {
    /// Checks that the page can be written at the end of the run.
    pub(crate) fn create(path: &Path) -> Result<Self, PageError> {
        let page = Self { path: path.to_owned(), drawn: 0 };
        if path.is_dir() {
            return Err(page.failed(io::ErrorKind::IsADirectory.into()));
        }
        page.new_file().map_err(|error| page.failed(error))?;
        Ok(page)
    }

    /// Whether one more shard has a timeline. Counts it.
    pub(crate) fn has_room(&mut self) -> bool {
        let has_room = self.drawn < MOST_SHARDS;
        self.drawn += usize::from(has_room);
        has_room
    }

    /// Writes the page. Returns the exit code of the run, which is 1 if it would be 0 and the page cannot be written.
    pub(crate) fn write(&self, summary: &Summary, drawn: &[Drawn], quiet: bool, code: u8) -> u8 {
        let text = sections::page(summary, drawn);
        let written = self.new_file().and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.persist(&self.path).map(drop).map_err(|error| error.error)
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

    /// A file in the same folder, so that nobody sees half a page.
    fn new_file(&self) -> io::Result<NamedTempFile> {
        let mut builder = tempfile::Builder::new();
        builder.prefix(".report-").permissions(Permissions::from_mode(0o666)).tempfile_in(disk::folder_of(&self.path))
    }

    fn failed(&self, error: io::Error) -> PageError {
        PageError { path: self.path.clone(), error }
    }
}
