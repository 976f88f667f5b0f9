//! The file of the checkpoints: it is created complete, and opened again after an error of the disk.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use redb::{Builder, Database};

use crate::disk;

/// The content of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Nothing,
    /// An empty file, from a failed copy or an earlier version that was killed.
    Empty,
    /// A file that an earlier version was killed over while it created it: it never held a checkpoint.
    Unfinished,
    /// A database, or something else.
    Something,
}

/// The bytes at the start of a database, which are written once the rest of the new file is complete.
const MAGIC: usize = 9;
/// The part of a database that a version without complete creation wrote before them.
const HEADER: usize = 4 << 10;

/// Looks what is at the path of the checkpoints.
pub(super) fn content(path: &Path) -> io::Result<Content> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Content::Nothing),
        opened => opened?,
    };
    let mut start = Vec::new();
    file.by_ref().take(HEADER as u64).read_to_end(&mut start)?;
    if start.is_empty() {
        return Ok(Content::Empty);
    }
    if start.iter().take(MAGIC).any(|byte| *byte != 0) {
        return Ok(Content::Something);
    }
    let mut rest = vec![0; 64 << 10];
    loop {
        match file.read(&mut rest) {
            Ok(0) => return Ok(Content::Unfinished),
            Ok(read) if rest[..read].iter().all(|byte| *byte == 0) => {}
            Ok(_) => return Ok(Content::Something),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Creates a database that holds what `fill` writes, in place of whatever the path holds. It appears at the path once it is
/// complete. The caller holds the lock of the state.
pub(super) fn create(path: &Path, fill: impl FnOnce(&Database) -> Result<(), redb::Error>) -> Result<(), redb::Error> {
    let temporary = disk::temporary_name(path);
    let created = || {
        disk::create_anew(&temporary)?;
        let database = Builder::new().create(&temporary)?;
        fill(&database)?;
        drop(database);
        disk::publish(&temporary, path)?;
        Ok(())
    };
    created().inspect_err(|_| _ = fs::remove_file(&temporary))
}

/// An open database that is opened again after an error: redb refuses everything after an error of the disk.
#[derive(Debug)]
pub(super) struct Reopened {
    path: PathBuf,
    database: Mutex<Option<Database>>,
}

impl Reopened {
    pub(super) fn open(path: &Path) -> Result<Self, redb::Error> {
        let database = Mutex::new(Some(open(path)?));
        Ok(Self { path: path.to_owned(), database })
    }

    /// Uses the database.
    pub(super) fn with<T>(&self, use_it: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, redb::Error> {
        let mut held = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let database = held.take().map_or_else(|| open(&self.path), Ok)?;
        // After an error it is closed here.
        let result = use_it(&database)?;
        *held = Some(database);
        Ok(result)
    }
}

fn open(path: &Path) -> Result<Database, redb::Error> {
    // A state file that another program has changed must be an error, not a panic.
    Ok(Builder::new().set_check_integrity_on_open(true).open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_never_complete_is_recognized() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.redb");
        assert_eq!(content(&path).unwrap(), Content::Nothing);
        let mut half = vec![0; 72 << 10];
        half[9..70].fill(3);
        let mut lost = half.clone();
        lost[HEADER] = 1;
        for (bytes, expected) in [
            (vec![], Content::Empty),
            (vec![0; 5], Content::Unfinished),
            (vec![0; 72 << 10], Content::Unfinished),
            (half, Content::Unfinished),
            // The header was lost, but there were checkpoints.
            (lost, Content::Something),
            (b"rubbish".to_vec(), Content::Something),
        ] {
            fs::write(&path, bytes).unwrap();
            assert_eq!(content(&path).unwrap(), expected);
        }
        create(&path, |_| Ok(())).unwrap();
        assert_eq!(content(&path).unwrap(), Content::Something);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_database_is_opened_again_after_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.redb");
        create(&path, |_| Ok(())).unwrap();
        let database = Reopened::open(&path).unwrap();
        let error = || redb::Error::Io(io::ErrorKind::StorageFull.into());
        assert!(database.with(|_| Err::<(), _>(error())).is_err());
        database.with(|database| Ok(database.begin_write()?.commit()?)).unwrap();
    }
}
