//! Dead letters as lines of JSON in a folder.

use std::fs::{self, File, Metadata};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::dead_letter::letter::DeadLetter;
use crate::shard::Shard;

/// The number of removed files after which a line counts as not kept.
const MOST_FILES: usize = 8;

/// Keeps dead letters as lines of JSON, in files of one folder.
///
/// See [`#[on_dead_letter]`](macro@crate::on_dead_letter) for an example.
///
/// Any number of processes may use one folder, even two processes that both believe that they have the shard. Each
/// process appends to its own file, named after the shard, the time and the process, and created with its first line. A
/// line is on disk when [`write`](Self::write) returns, and therefore before any checkpoint moves past its record.
///
/// You may remove a file at any time, for example after you have replayed its records. The next line goes into a new
/// file. If you move a file within its file system, it remains this process's file and receives the next lines at its
/// new path.
///
/// Records are delivered at least once, so two files may hold the same record. A process that is killed during a write
/// can leave an empty file or an incomplete last line, to which nothing is ever added: its record is delivered again, and
/// a later file holds it completely. A program that reads such a file back stops at an incomplete line with an error:
/// remove the line.
///
/// A line is an object that `cargo kcl local --format json --input FILE` reads back as a record. It has these fields:
///
/// | field | content |
/// |---|---|
/// | `data` or `dataBase64` | the payload: as text if it is UTF-8, otherwise in base64 |
/// | `partitionKey`, `sequenceNumber`, `subSequenceNumber` | the record's values |
/// | `approximateArrivalTimestamp` | in milliseconds since 1970; left out if the record does not have it |
/// | `shardId` | the shard that the record was read from |
/// | `error` | the last error with its causes |
/// | `attempts` | the number of times the handler was called; 0 if the payload could not be decoded |
#[derive(Debug)]
pub struct JsonLines {
    folder: PathBuf,
    shard: String,
    /// The current file; `None` before the first line.
    file: Mutex<Option<(File, PathBuf)>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
    partition_key: &'a str,
    sequence_number: String,
    sub_sequence_number: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    approximate_arrival_timestamp: Option<i64>,
    shard_id: &'a str,
    error: String,
    attempts: u32,
}

impl JsonLines {
    /// Opens a folder for the dead letters of this shard. The folder is created if it does not exist.
    ///
    /// # Errors
    ///
    /// If the folder cannot be created.
    pub fn open(folder: impl AsRef<Path>, shard: &Shard) -> io::Result<Self> {
        let folder = folder.as_ref();
        // An absolute path, so that a later change of the working directory does not matter.
        let folder =
            create_folder(folder).and_then(|()| folder.canonicalize()).map_err(|error| named(folder, &error))?;
        // If the folder existed, the process that created it or a parent of it may have been killed before it was on disk.
        for above in folder.ancestors().skip(1) {
            // Not everyone may read every parent.
            _ = sync(above);
        }
        Ok(Self { folder, shard: file_name(shard.id()), file: Mutex::new(None) })
    }

    /// Appends a dead letter, and waits until it is on disk. It blocks the thread meanwhile, in an `async` handler too.
    ///
    /// # Errors
    ///
    /// If it cannot be written. A part of it may then remain as the last line of its file; the next one goes into a new
    /// file.
    pub fn write(&self, letter: &DeadLetter<'_>) -> io::Result<()> {
        let record = letter.record();
        let text = std::str::from_utf8(record.data()).ok();
        let line = Line {
            data: text,
            data_base64: text.is_none().then(|| STANDARD.encode(record.data())),
            partition_key: record.partition_key(),
            sequence_number: record.sequence_number().to_string(),
            sub_sequence_number: record.sub_sequence_number(),
            approximate_arrival_timestamp: record.approximate_arrival_millis(),
            shard_id: letter.shard().id(),
            error: letter.to_string(),
            attempts: letter.attempts(),
        };
        let mut bytes = serde_json::to_vec(&line)?;
        bytes.push(b'\n');
        // A panic cannot leave a file with a part of a line: the file is taken out while it is written.
        let mut current = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..MOST_FILES {
            let (mut file, path) = match current.take() {
                Some(file) => file,
                None => self.create().map_err(|error| named(&self.folder, &error))?,
            };
            let written = file.write_all(&bytes).and_then(|()| file.sync_data()).and_then(|()| file.metadata());
            // If the file was removed meanwhile, the line is lost with it.
            if is_there(&written.map_err(|error| named(&self.folder, &error))?, &path) {
                *current = Some((file, path));
                return Ok(());
            }
        }
        Err(named(&self.folder, &io::Error::other("each new file was removed while it was written")))
    }

    /// Creates a file that no other process uses, and that stays in its folder after a power failure.
    fn create(&self) -> io::Result<(File, PathBuf)> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (millis, id) = (since.as_millis(), process::id());
        for count in 0_u64.. {
            let path = self.folder.join(format!("{}-{millis}-{id}-{count}.jsonl", self.shard));
            match File::options().append(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
                Ok(file) => {
                    let synced = sync(&self.folder).inspect_err(|_| {
                        // Otherwise each attempt would leave an empty file.
                        _ = fs::remove_file(&path);
                    });
                    return synced.map(|()| (file, path));
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// Whether a file is still in some folder. Some file systems do not count links, so its path is asked, too.
fn is_there(file: &Metadata, path: &Path) -> bool {
    let same = |other: Metadata| (other.dev(), other.ino()) == (file.dev(), file.ino());
    file.nlink() > 0 || fs::metadata(path).is_ok_and(same)
}

/// Adds the folder to an error.
fn named(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("dead letters cannot be kept in {}: {error}", folder.display()))
}

/// Creates a folder and its parents so that they survive a power failure once a file in the folder is on disk.
fn create_folder(folder: &Path) -> io::Result<()> {
    let above = match folder.parent() {
        Some(above) if above.as_os_str().is_empty() => Path::new("."),
        Some(above) => above,
        None => return Ok(()),
    };
    let created = match fs::create_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create_folder(above)?;
            fs::create_dir(folder)
        }
        result => result,
    };
    match created {
        Ok(()) => sync(above),
        // It existed, or another process has just created it.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// Waits until the entries of a folder are on disk, where the file system and the permissions allow it.
fn sync(folder: &Path) -> io::Result<()> {
    use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
    match File::open(folder).and_then(|folder| folder.sync_all()) {
        Err(error) if matches!(error.kind(), InvalidInput | PermissionDenied | Unsupported) => Ok(()),
        synced => synced,
    }
}

/// A shard's id, in which the characters that a file name should not contain are replaced.
fn file_name(id: &str) -> String {
    id.chars().map(|char| if char.is_ascii_alphanumeric() || char == '-' || char == '_' { char } else { '_' }).collect()
}
