//! What becomes of a file that is followed: others take its place, as when logs are rotated, or it is cut short.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often a file that was read to its end is looked at.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// What stands under a file's name.
#[derive(Debug)]
pub(crate) enum Moved {
    /// The file itself, or nothing yet.
    Not,
    /// The file itself, shorter than it was.
    Truncated,
    /// Another file.
    Replaced(File),
}

/// Looks what became of a file that was opened under this name and read as far as it goes.
pub(crate) fn look(mut file: &File, path: &Path) -> io::Result<Moved> {
    let own = file.metadata()?;
    let id = |metadata: &fs::Metadata| (metadata.dev(), metadata.ino());
    // A name that leads nowhere is one whose next file is about to be made.
    if let Ok(there) = fs::metadata(path)
        && there.is_file()
        && id(&there) != id(&own)
        && let Ok(other) = File::open(path)
    {
        return Ok(Moved::Replaced(other));
    }
    Ok(if own.len() < file.stream_position()? { Moved::Truncated } else { Moved::Not })
}
