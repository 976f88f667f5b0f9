//! Checkpoints that outlive the run, in an embedded database: kept before they are acknowledged.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use kcl::{ParseSequenceNumberError, Position};
use redb::{Database, DatabaseError, ReadableDatabase, TableDefinition};

/// What was run over what, by the names of [`Run`]'s fields.
const RUN: TableDefinition<'_, &str, &str> = TableDefinition::new("run");
/// Sequence and sub-sequence number by shard.
const CHECKPOINTS: TableDefinition<'_, u32, (&str, u64)> = TableDefinition::new("checkpoints");

/// Why checkpoints cannot be kept or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error("{} is used by another run that has not ended; a state serves one at a time", .0.display())]
    InUse(PathBuf),
    #[error("the checkpoints in {} cannot be read ({error}); --fresh starts anew", path.display())]
    Unreadable { path: PathBuf, error: redb::Error },
    #[error("the checkpoints cannot be kept in {}: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error(
        "the checkpoints in {} belong to another run: {what} was {stored}, now it is {given}. Run it as before, name another --app, or forget them with --fresh",
        path.display()
    )]
    OtherRun { path: PathBuf, what: String, stored: String, given: String },
    #[error("the checkpoint of shard {shard} is `{text}`, which is no sequence number ({error}); --fresh starts anew")]
    Position { shard: u32, text: String, error: ParseSequenceNumberError },
    #[error("the checkpoint cannot be kept: {0}")]
    Keep(redb::Error),
}

/// What checkpoints are good for: the same input, split in the same way. Names and values, as people read them.
pub(crate) type Run = Vec<(&'static str, String)>;

/// The checkpoints of one application.
#[derive(Debug)]
pub(crate) struct Store {
    database: Database,
}

impl Store {
    /// Opens the store of `app` in a folder, which is made if it is not there; `fresh` forgets what it holds.
    pub(crate) fn open(folder: &Path, app: &str, run: &Run, fresh: bool) -> Result<Self, StoreError> {
        fs::create_dir_all(folder).map_err(|error| StoreError::Folder { path: folder.to_owned(), error })?;
        let path = folder.join(format!("{app}.redb"));
        let unreadable = |error: redb::Error| match error {
            redb::Error::DatabaseAlreadyOpen => StoreError::InUse(path.clone()),
            redb::Error::Io(error) if !path.exists() || error.kind() == io::ErrorKind::PermissionDenied => {
                StoreError::Folder { path: path.clone(), error }
            }
            error => StoreError::Unreadable { path: path.clone(), error },
        };
        let store = match Self::open_file(&path) {
            Ok(database) => Self { database },
            Err(DatabaseError::DatabaseAlreadyOpen) => return Err(StoreError::InUse(path)),
            Err(error) if !fresh => return Err(unreadable(error.into())),
            Err(_) => {
                fs::remove_file(&path).map_err(|error| StoreError::Folder { path: path.clone(), error })?;
                Self { database: Self::open_file(&path).map_err(|error| unreadable(error.into()))? }
            }
        };
        let stored = store.claim(run, fresh).map_err(unreadable)?;
        for (what, given) in run {
            let was = stored.iter().find(|(name, _)| name == what);
            if let Some((_, stored)) = was
                && stored != given
            {
                let (what, stored, given) = ((*what).to_owned(), stored.clone(), given.clone());
                return Err(StoreError::OtherRun { path, what, stored, given });
            }
        }
        Ok(store)
    }

    fn open_file(path: &Path) -> Result<Database, DatabaseError> {
        // A state file that something else wrote to is to be an error, not a panic.
        Database::builder().set_check_integrity_on_open(true).create(path)
    }

    /// Writes down whose checkpoints these are, if they are nobody's yet; returns whose they were.
    fn claim(&self, run: &Run, fresh: bool) -> Result<Vec<(String, String)>, redb::Error> {
        let write = self.database.begin_write()?;
        if fresh {
            write.delete_table(RUN)?;
            write.delete_table(CHECKPOINTS)?;
        }
        let mut stored = Vec::new();
        {
            let mut table = write.open_table(RUN)?;
            for entry in redb::ReadableTable::iter(&table)? {
                let (name, value) = entry?;
                stored.push((name.value().to_owned(), value.value().to_owned()));
            }
            if stored.is_empty() {
                for (name, value) in run {
                    table.insert(name, value.as_str())?;
                }
            }
        }
        write.commit()?;
        Ok(stored)
    }

    /// Where a shard stands.
    pub(crate) fn position(&self, shard: u32) -> Result<Position, StoreError> {
        let Some((text, sub_sequence_number)) = self.stored(shard).map_err(StoreError::Keep)? else {
            return Ok(Position::TrimHorizon);
        };
        Ok(match text.as_str() {
            "TRIM_HORIZON" => Position::TrimHorizon,
            "LATEST" => Position::Latest,
            "AT_TIMESTAMP" => Position::AtTimestamp,
            "SHARD_END" => Position::ShardEnd,
            digits => match digits.parse() {
                Ok(sequence_number) => Position::After { sequence_number, sub_sequence_number },
                Err(error) => return Err(StoreError::Position { shard, text, error }),
            },
        })
    }

    fn stored(&self, shard: u32) -> Result<Option<(String, u64)>, redb::Error> {
        let read = self.database.begin_read()?;
        let table = match read.open_table(CHECKPOINTS) {
            Ok(table) => table,
            Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let stored = redb::ReadableTable::get(&table, shard)?;
        Ok(stored.map(|stored| (stored.value().0.to_owned(), stored.value().1)))
    }

    /// Keeps where a shard stands. When this returns it is on the disk.
    pub(crate) fn keep(&self, shard: u32, position: &Position) -> Result<(), StoreError> {
        self.write(shard, position).map_err(StoreError::Keep)
    }

    fn write(&self, shard: u32, position: &Position) -> Result<(), redb::Error> {
        let (text, sub_sequence_number) = match position {
            Position::After { sequence_number, sub_sequence_number } => {
                (sequence_number.to_string(), *sub_sequence_number)
            }
            sentinel => (sentinel.to_string(), 0),
        };
        let write = self.database.begin_write()?;
        write.open_table(CHECKPOINTS)?.insert(shard, (text.as_str(), sub_sequence_number))?;
        write.commit()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_stands_where_it_was_kept() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), "app", &vec![("--shards", "4".to_owned())], false).unwrap();
        assert_eq!(store.position(3).unwrap(), Position::TrimHorizon);
        for position in [Position::after(7.into(), 2), Position::after(8.into(), 0), Position::ShardEnd] {
            store.keep(3, &position).unwrap();
            assert_eq!(store.position(3).unwrap(), position);
        }
        assert_eq!(store.position(2).unwrap(), Position::TrimHorizon);
    }
}
