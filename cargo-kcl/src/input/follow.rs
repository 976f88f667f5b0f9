//! Detects changes to a file that is followed: it is replaced by another, as in log rotation, or truncated.

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// How often to check a file that was read to its end.
pub(crate) const POLL: Duration = Duration::from_millis(100);

/// The file that is now found under a name.
#[derive(Debug)]
pub(crate) enum Moved {
    /// The same file, or no file yet.
    Not,
    /// The same file, shorter than before.
    Truncated,
    /// Another file.
    Replaced(File),
}

/// Checks what happened to a file that was opened under this name and read to its end.
pub(crate) fn look(mut file: &File, path: &Path) -> io::Result<Moved> {
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
    Ok(if own.len() < file.stream_position()? { Moved::Truncated } else { Moved::Not })
}
