//! Dead letters as lines of JSON in a folder.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::DeadLetter;
use crate::Shard;

/// Keeps dead letters as lines of JSON, in files of one folder.
///
/// See [`#[on_dead_letter]`](macro@crate::on_dead_letter) for one in use.
///
/// Any number of processes may use one folder, also two that both believe to have the shard: each appends to a file of its own,
/// named for the shard, the time and the process, which is there as soon as it has a line.
/// A line is on the disk when [`write`](Self::write) returns, so before any checkpoint passes its record.
///
/// A file may be removed at any time, as when its records were played back: the next line goes into a new one. What is moved
/// within its file system stays this process's file, and gets its next lines where it is then.
///
/// As records are delivered at least once, the same one may stand in two files. A process that was killed while it wrote can
/// leave a last line without its end: its record is delivered again, and stands whole in a later file. What reads such a file back
/// stops there, and says so: take the line out.
///
/// A line is an object that `cargo kcl local --format json --input FILE` reads as a record again, of
///
/// | field | what |
/// |---|---|
/// | `data` or `dataBase64` | the payload: as text if it is UTF-8, else in base64 |
/// | `partitionKey`, `sequenceNumber`, `subSequenceNumber` | the record's |
/// | `approximateArrivalTimestamp` | in milliseconds since 1970; left out where the record has none |
/// | `shardId` | the shard it was read from |
/// | `error` | the last error with its causes |
/// | `attempts` | how often the handler was called; 0 if the payload could not be decoded |
#[derive(Debug)]
pub struct JsonLines {
    folder: PathBuf,
    shard: String,
    /// From the first line on.
    file: Option<File>,
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
    /// Dead letters of this shard go into this folder, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be made.
    pub fn open(folder: impl AsRef<Path>, shard: &Shard) -> io::Result<Self> {
        let folder = folder.as_ref();
        // For paths that do not depend on where the process goes later.
        let folder =
            create_folder(folder).and_then(|()| folder.canonicalize()).map_err(|error| named(folder, &error))?;
        Ok(Self { folder, shard: file_name(shard.id()), file: None })
    }

    /// Appends one, and waits until it is on the disk.
    ///
    /// # Errors
    ///
    /// If it cannot be written. What was written of it then stays the last of its file, and the next goes into a new one.
    pub fn write(&mut self, letter: &DeadLetter<'_>) -> io::Result<()> {
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
        loop {
            let mut file = match self.file.take() {
                Some(file) => file,
                None => self.create().map_err(|error| named(&self.folder, &error))?,
            };
            let written = file.write_all(&bytes).and_then(|()| file.sync_data()).and_then(|()| file.metadata());
            // Where the file was removed meanwhile, the line went with it.
            if written.map_err(|error| named(&self.folder, &error))?.nlink() > 0 {
                self.file = Some(file);
                return Ok(());
            }
        }
    }

    /// A file that nobody else has, and that a power cut does not take out of its folder.
    fn create(&self) -> io::Result<File> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let (millis, id) = (since.as_millis(), process::id());
        for count in 0_u64.. {
            let path = self.folder.join(format!("{}-{millis}-{id}-{count}.jsonl", self.shard));
            match File::options().append(true).create_new(true).open(path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                result => {
                    let file = result?;
                    File::open(&self.folder)?.sync_all()?;
                    return Ok(file);
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }
}

/// An error that says where.
fn named(folder: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("dead letters cannot be kept in {}: {error}", folder.display()))
}

/// A folder, with those above it, that a power cut does not take away once a file in it is on the disk.
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
        Ok(()) => File::open(above)?.sync_all(),
        // It was there, or another process has just made it.
        Err(_) if folder.is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}

/// A shard's id, as far as it can stand in a file's name.
fn file_name(id: &str) -> String {
    id.chars().map(|char| if char.is_ascii_alphanumeric() || char == '-' || char == '_' { char } else { '_' }).collect()
}
