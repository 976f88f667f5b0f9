//! Checkpoints that outlive the run, in an embedded database: each one is saved before it is acknowledged.

mod file;
mod lock;
pub(crate) mod marks;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use kcl::{ParseSequenceNumberError, Position, SequenceNumber};
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition, TableError};

use self::file::{Content, Reopened};
use self::lock::{Lock, LockError};
use self::marks::Mark;
use crate::disk;
use crate::input::follow::FileId;
use crate::report;
use crate::threads;

/// The settings of the run, by the names in [`Run`].
const RUN: TableDefinition<'_, &str, &str> = TableDefinition::new("run");
/// The sequence and sub-sequence number of each shard's checkpoint.
const CHECKPOINTS: TableDefinition<'_, u32, (&str, u64)> = TableDefinition::new("checkpoints");
/// For each shard, the last record that its checkpoint covers, and the digest of all records up to it.
const MARKS: TableDefinition<'_, u32, (&str, u32)> = TableDefinition::new("marks");
/// The start of the followed file, as versions that did not find rotated files saved it: input, offset, number of records before it,
/// and their digest.
const ORIGIN: TableDefinition<'_, (), (u16, u64, u64, u32)> = TableDefinition::new("origin");

/// The start of each file that was followed under a name, by input and offset: the number of records before it, their digest, and
/// the file's device, inode, number of known first bytes and their digest.
const ORIGINS: TableDefinition<'_, (u16, u64), OriginRow> = TableDefinition::new("origins");
type OriginRow = (u64, u32, u64, u64, u32, u32);

/// The total length of all inputs when they were read to their end, in bytes.
const END: TableDefinition<'_, (), u64> = TableDefinition::new("end");

/// The key in [`RUN`] for the limit, which may change from run to run.
pub(crate) const LIMIT: &str = "--limit";
/// The key in [`RUN`] for the place where the run starts, in the words of its supply.
const START: &str = "start";

/// The key in [`RUN`] for what ends a line. Earlier versions did not have it: there, `\r` before a line feed, and a byte order mark
/// at the start of a file, belonged to the record.
const LINE_ENDS: &str = "line ends";
const LINE_ENDS_NOW: &str = "\\n or \\r\\n";

/// The reason why checkpoints cannot be saved or read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("the checkpoints in {} cannot be read ({error}); --fresh starts over", path.display())]
    Unreadable { path: PathBuf, error: redb::Error },
    #[error("there are no checkpoints in {}", .0.display())]
    None(PathBuf),
    #[error("the checkpoints cannot be saved in {}: {error}; --state DIR names another folder", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error(
        "the checkpoints in {} belong to another run: {what} was {stored}, now it is {given}. Run with the old value, choose another --app, or discard the checkpoints with --fresh",
        path.display()
    )]
    OtherRun { path: PathBuf, what: String, stored: String, given: String },
    #[error(
        "the shards ended at --limit {stored}, in a version in which a limit ended them, and cannot continue with --limit {given}; run with the old limit, choose another --app, or discard the checkpoints with --fresh"
    )]
    EndedAtLimit { stored: String, given: String },
    #[error("the state contains `{text}`, which is not a sequence number ({error}); --fresh starts over")]
    Position { text: String, error: ParseSequenceNumberError },
    #[error("the checkpoint cannot be saved: {0}")]
    Keep(Arc<redb::Error>),
    #[error("checkpoints cannot be saved: {0}")]
    Thread(io::Error),
    #[error("the checkpoint cannot be saved: the writer thread has ended")]
    NoWriter,
}

/// The settings for which checkpoints are valid: the same input, split in the same way. Names and values, readable for people.
pub(crate) type Run = Vec<(&'static str, String)>;

/// The start of a followed file among everything read under its name, and a summary of what was read before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) input: u16,
    pub(crate) offset: u64,
    pub(crate) record: u64,
    pub(crate) digest: u32,
    /// The file, if it is known.
    pub(crate) file: Option<FileId>,
}

/// The checkpoints of one application, held by this process alone.
#[derive(Debug)]
pub(crate) struct Store {
    database: Arc<Reopened>,
    /// Both are present until the store is dropped.
    writes: Option<Sender<Write>>,
    writer: Option<JoinHandle<()>>,
    /// Checkpoints that count as moved, and are saved at their new positions when the run begins.
    moved: Mutex<BTreeMap<u32, Position>>,
    _lock: Lock,
}

impl Drop for Store {
    /// Waits for the last write before the lock is released.
    fn drop(&mut self) {
        self.writes = None;
        _ = self.writer.take().map(JoinHandle::join);
    }
}

/// A write request, and the channel on which its sender waits.
#[derive(Debug)]
struct Write {
    what: What,
    done: SyncSender<Result<(), Arc<redb::Error>>>,
}

#[derive(Debug)]
enum What {
    Checkpoint { shard: u32, position: Position, mark: Option<Mark> },
    Origin(Origin),
    End(u64),
    Limit(String),
    LineEnds,
}

impl Store {
    /// Opens the store of `app` in a folder, which is created if it does not exist; `fresh` discards the store's content.
    /// `start` is the place where a run without checkpoints starts.
    pub(crate) fn open(
        folder: &Path,
        app: &str,
        run: &Run,
        fresh: bool,
        start: Option<String>,
    ) -> Result<Self, StoreError> {
        disk::create_folder(folder).map_err(|error| StoreError::Folder { path: folder.to_owned(), error })?;
        let path = path(folder, app);
        let lock = Lock::take(&path)?;
        let database = Self::open_or_create(&path, run, fresh, start.as_deref())?;
        let stored = database.with(|database| claim(database, run, fresh, start.as_deref()));
        let stored = stored.map_err(|error| unusable(&path, error))?;
        for (what, given) in run {
            let was = stored.iter().find(|(name, _)| name == what && name != LIMIT);
            if let Some((_, stored)) = was
                && stored != given
            {
                let (what, stored, given) = ((*what).to_owned(), stored.clone(), given.clone());
                return Err(StoreError::OtherRun { path, what, stored, given });
            }
        }
        Self::with_writer(database, lock)
    }

    /// Opens the file, which is created if it is absent or never held a checkpoint.
    fn open_or_create(path: &Path, run: &Run, fresh: bool, start: Option<&str>) -> Result<Reopened, StoreError> {
        let content = file::content(path).map_err(|error| StoreError::Folder { path: path.to_owned(), error })?;
        if !fresh {
            // There is nothing to resume from, whatever the cause.
            match content {
                Content::Empty => {
                    report::warning(format_args!(
                        "the checkpoint file {} is empty; the run starts over",
                        path.display()
                    ));
                }
                Content::Unfinished => report::warning(format_args!(
                    "the checkpoint file {} was never completed, and holds no checkpoint: a run was killed while it created the file; this run starts over",
                    path.display()
                )),
                Content::Nothing | Content::Something => {}
            }
        }
        let create = || {
            let created = file::create(path, |database| claim(database, run, false, start).map(|_| ()));
            created.and_then(|()| Reopened::open(path)).map_err(|error| match error {
                redb::Error::Io(error) => StoreError::Folder { path: path.to_owned(), error },
                error => unusable(path, error),
            })
        };
        if content != Content::Something {
            return create();
        }
        match Reopened::open(path) {
            Ok(database) => Ok(database),
            Err(_) if fresh => create(),
            Err(error) => Err(unusable(path, error)),
        }
    }

    /// Opens an existing store to inspect it.
    pub(crate) fn open_existing(folder: &Path, app: &str) -> Result<Self, StoreError> {
        let path = path(folder, app);
        let unreadable = |path, error: io::Error| StoreError::Unreadable { path, error: error.into() };
        match file::content(&path) {
            Ok(Content::Nothing | Content::Empty | Content::Unfinished) => return Err(StoreError::None(path)),
            Ok(Content::Something) => {}
            Err(error) => return Err(unreadable(path, error)),
        }
        let lock = Lock::take(&path)?;
        let database = Reopened::open(&path).map_err(|error| StoreError::Unreadable { path, error })?;
        Self::with_writer(database, lock)
    }

    fn with_writer(database: Reopened, lock: Lock) -> Result<Self, StoreError> {
        let database = Arc::new(database);
        let (writes, received) = channel();
        let written = Arc::clone(&database);
        let writer = threads::spawn(move || write_all(&written, &received)).map_err(StoreError::Thread)?;
        Ok(Self { database, writes: Some(writes), writer: Some(writer), moved: Mutex::default(), _lock: lock })
    }

    /// The settings of the run.
    pub(crate) fn run(&self) -> Result<Vec<(String, String)>, StoreError> {
        let rows = self.read(RUN, rows).map_err(Self::unkept)?.unwrap_or_default();
        Ok(rows.into_iter().filter(|(name, _)| name != START && name != LINE_ENDS).collect())
    }

    /// Whether the checkpoints are of a version in which `\r\n` ends a line.
    pub(crate) fn has_line_ends(&self) -> Result<bool, StoreError> {
        let found = self.read(RUN, |table| Ok(table.get(LINE_ENDS)?.is_some())).map_err(Self::unkept)?;
        Ok(found.unwrap_or(true))
    }

    /// Notes that the input up to the checkpoints is the same in this version.
    pub(crate) fn keep_line_ends(&self) -> Result<(), StoreError> {
        self.write(What::LineEnds)
    }

    /// The place where the run starts, if one was saved.
    pub(crate) fn start(&self) -> Result<Option<String>, StoreError> {
        let start = self.read(RUN, |table| Ok(table.get(START)?.map(|text| text.value().to_owned())));
        Ok(start.map_err(Self::unkept)?.flatten())
    }

    /// The position of each shard that has a checkpoint, in order.
    pub(crate) fn positions(&self) -> Result<Vec<(u32, Position)>, StoreError> {
        let stored = self.read(CHECKPOINTS, |table| {
            let mut stored = Vec::new();
            for row in table.iter()? {
                let (shard, position) = row?;
                let (text, sub_sequence_number) = position.value();
                stored.push((shard.value(), text.to_owned(), sub_sequence_number));
            }
            Ok(stored)
        });
        let stored = stored.map_err(Self::unkept)?.unwrap_or_default();
        let stored = stored.into_iter().map(|(shard, text, sub)| Ok((shard, position(text, sub)?)));
        let mut stored = stored.collect::<Result<BTreeMap<_, _>, StoreError>>()?;
        stored.extend(self.moved().clone());
        Ok(stored.into_iter().collect())
    }

    /// Moves a shard's checkpoint. It is saved by [`keep_moved`](Self::keep_moved), because the run may still be refused.
    pub(crate) fn move_to(&self, shard: u32, position: Position) {
        self.moved().insert(shard, position);
    }

    /// Saves the checkpoints that were moved.
    pub(crate) fn keep_moved(&self) -> Result<(), StoreError> {
        let moved = std::mem::take(&mut *self.moved());
        moved.iter().try_for_each(|(shard, position)| self.keep(*shard, position, None))
    }

    fn moved(&self) -> MutexGuard<'_, BTreeMap<u32, Position>> {
        self.moved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The marks of the input, saved with its checkpoints.
    pub(crate) fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let stored = self.read(MARKS, |table| {
            let mut stored = Vec::new();
            for row in table.iter()? {
                let (_, mark) = row?;
                let (text, digest) = mark.value();
                stored.push((text.to_owned(), digest));
            }
            Ok(stored)
        });
        let stored = stored.map_err(Self::unkept)?.unwrap_or_default();
        stored.into_iter().map(|(text, digest)| Ok(Mark { sequence_number: sequence_number(text)?, digest })).collect()
    }

    /// The starts of the files that were followed, in order.
    pub(crate) fn origins(&self) -> Result<Vec<Origin>, StoreError> {
        let mut origins = BTreeMap::new();
        let old = self.read(ORIGIN, |table| Ok(table.get(())?.map(|stored| stored.value())));
        if let Some((input, offset, record, digest)) = old.map_err(Self::unkept)?.flatten() {
            origins.insert((input, offset), Origin { input, offset, record, digest, file: None });
        }
        let rows = self.read(ORIGINS, |table| {
            let mut rows = Vec::new();
            for row in table.iter()? {
                let (key, row) = row?;
                rows.push((key.value(), row.value()));
            }
            Ok(rows)
        });
        for ((input, offset), (record, digest, device, inode, head, head_digest)) in
            rows.map_err(Self::unkept)?.unwrap_or_default()
        {
            let file = Some(FileId { device, inode, head, digest: head_digest });
            origins.insert((input, offset), Origin { input, offset, record, digest, file });
        }
        Ok(origins.into_values().collect())
    }

    /// The total length of all inputs when they were read to their end, if they were.
    pub(crate) fn end(&self) -> Result<Option<u64>, StoreError> {
        let stored = self.read(END, |table| Ok(table.get(())?.map(|stored| stored.value())));
        Ok(stored.map_err(Self::unkept)?.flatten())
    }

    /// Reads a table; `None` if nothing was ever written to it.
    fn read<K, V, T>(
        &self,
        table: TableDefinition<'_, K, V>,
        read: impl FnOnce(&redb::ReadOnlyTable<K, V>) -> Result<T, redb::Error>,
    ) -> Result<Option<T>, redb::Error>
    where
        K: redb::Key + 'static,
        V: redb::Value + 'static,
    {
        self.database.with(|database| match database.begin_read()?.open_table(table) {
            Ok(table) => read(&table).map(Some),
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            Err(error) => Err(error.into()),
        })
    }

    fn unkept(error: redb::Error) -> StoreError {
        StoreError::Keep(Arc::new(error))
    }

    /// Saves a shard's checkpoint, and the mark of the input up to there. When this returns, they are on the disk. Concurrent
    /// calls share one commit.
    pub(crate) fn keep(&self, shard: u32, position: &Position, mark: Option<Mark>) -> Result<(), StoreError> {
        self.write(What::Checkpoint { shard, position: position.clone(), mark })
    }

    /// Saves the limit of this run, which may differ from the one before.
    pub(crate) fn keep_limit(&self, limit: &str) -> Result<(), StoreError> {
        self.write(What::Limit(limit.to_owned()))
    }

    /// Saves the start of a followed file.
    pub(crate) fn keep_origin(&self, origin: &Origin) -> Result<(), StoreError> {
        self.write(What::Origin(*origin))
    }

    /// Saves the total length of all inputs, which were read to their end.
    pub(crate) fn keep_end(&self, bytes: u64) -> Result<(), StoreError> {
        self.write(What::End(bytes))
    }

    fn write(&self, what: What) -> Result<(), StoreError> {
        let (done, written) = sync_channel(1);
        let writes = self.writes.as_ref().ok_or(StoreError::NoWriter)?;
        writes.send(Write { what, done }).map_err(|_| StoreError::NoWriter)?;
        written.recv().map_err(|_| StoreError::NoWriter)?.map_err(StoreError::Keep)
    }
}

/// Saves the settings of the run if the store has none yet. Returns the settings that were stored before.
fn claim(
    database: &Database,
    run: &Run,
    fresh: bool,
    start: Option<&str>,
) -> Result<Vec<(String, String)>, redb::Error> {
    let write = database.begin_write()?;
    if fresh {
        write.delete_table(RUN)?;
        write.delete_table(CHECKPOINTS)?;
        write.delete_table(MARKS)?;
        write.delete_table(ORIGIN)?;
        write.delete_table(ORIGINS)?;
        write.delete_table(END)?;
    }
    let stored;
    {
        let mut table = write.open_table(RUN)?;
        stored = rows(&table)?;
        if stored.is_empty() {
            for (name, value) in run {
                table.insert(name, value.as_str())?;
            }
            if let Some(start) = start {
                table.insert(START, start)?;
            }
            table.insert(LINE_ENDS, LINE_ENDS_NOW)?;
        }
    }
    write.commit()?;
    Ok(stored)
}

/// The reason why an existing file cannot be used.
fn unusable(path: &Path, error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(error) if is_no_room(&error) => StoreError::Folder { path: path.to_owned(), error },
        error => StoreError::Unreadable { path: path.to_owned(), error },
    }
}

/// Whether the disk or its permissions are at fault rather than the file.
fn is_no_room(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    matches!(error.kind(), FileTooLarge | PermissionDenied | QuotaExceeded | ReadOnlyFilesystem | StorageFull)
}

fn path(folder: &Path, app: &str) -> PathBuf {
    folder.join(format!("{app}.redb"))
}

fn rows<T: ReadableTable<&'static str, &'static str>>(table: &T) -> Result<Vec<(String, String)>, redb::Error> {
    let mut rows = Vec::new();
    for row in table.iter()? {
        let (name, value) = row?;
        rows.push((name.value().to_owned(), value.value().to_owned()));
    }
    Ok(rows)
}

pub(crate) fn sequence_number(text: String) -> Result<SequenceNumber, StoreError> {
    text.parse().map_err(|error| StoreError::Position { text, error })
}

fn position(text: String, sub_sequence_number: u64) -> Result<Position, StoreError> {
    Ok(match text.as_str() {
        "TRIM_HORIZON" => Position::TrimHorizon,
        "LATEST" => Position::Latest,
        "AT_TIMESTAMP" => Position::AtTimestamp,
        "SHARD_END" => Position::ShardEnd,
        _ => Position::After { sequence_number: sequence_number(text)?, sub_sequence_number },
    })
}

/// Writes requests until all senders are gone; all waiting requests share one commit.
fn write_all(database: &Reopened, writes: &Receiver<Write>) {
    while let Ok(first) = writes.recv() {
        let group: Vec<_> = std::iter::once(first).chain(writes.try_iter()).collect();
        let written = database.with(|database| commit(database, &group)).map_err(Arc::new);
        for write in group {
            // The sender may be gone by now.
            _ = write.done.send(written.clone());
        }
    }
}

fn commit(database: &Database, group: &[Write]) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    for write in group {
        match &write.what {
            What::Checkpoint { shard, position, mark } => {
                let (text, sub_sequence_number): (&dyn fmt::Display, _) = match position {
                    Position::After { sequence_number, sub_sequence_number } => (sequence_number, *sub_sequence_number),
                    sentinel => (sentinel, 0),
                };
                let text = text.to_string();
                transaction.open_table(CHECKPOINTS)?.insert(shard, (text.as_str(), sub_sequence_number))?;
                if let Some(mark) = mark {
                    let text = mark.sequence_number.to_string();
                    transaction.open_table(MARKS)?.insert(shard, (text.as_str(), mark.digest))?;
                }
            }
            What::Origin(Origin { input, offset, record, digest, file }) => {
                let file = file.unwrap_or_default();
                let row = (*record, *digest, file.device, file.inode, file.head, file.digest);
                transaction.open_table(ORIGINS)?.insert((*input, *offset), row)?;
            }
            What::LineEnds => {
                transaction.open_table(RUN)?.insert(LINE_ENDS, LINE_ENDS_NOW)?;
            }
            What::Limit(limit) => {
                transaction.open_table(RUN)?.insert(LIMIT, limit.as_str())?;
            }
            What::End(bytes) => {
                transaction.open_table(END)?.insert((), bytes)?;
            }
        }
    }
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::thread;

    fn open(folder: &Path) -> Store {
        Store::open(folder, "app", &vec![("--shards", "4".to_owned())], false, Some("5".to_owned())).unwrap()
    }

    #[test]
    fn a_shard_stands_at_its_last_checkpoint() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        assert_eq!(store.positions().unwrap(), []);
        for position in [Position::after(7.into(), 2), Position::after(8.into(), 0), Position::ShardEnd] {
            store.keep(3, &position, None).unwrap();
            assert_eq!(store.positions().unwrap(), [(3, position)]);
        }
    }

    #[test]
    fn a_moved_checkpoint_is_saved_when_the_run_begins() {
        let folder = tempfile::tempdir().unwrap();
        let (before, after) = (Position::after(7.into(), 2), Position::TrimHorizon);
        let store = open(folder.path());
        store.keep(3, &before, None).unwrap();
        store.move_to(3, after.clone());
        assert_eq!(store.positions().unwrap(), [(3, after.clone())]);
        drop(store);
        let store = open(folder.path());
        assert_eq!(store.positions().unwrap(), [(3, before)]);
        store.move_to(3, after.clone());
        store.keep_moved().unwrap();
        drop(store);
        assert_eq!(open(folder.path()).positions().unwrap(), [(3, after)]);
    }

    #[test]
    fn everything_survives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let mark = Mark { sequence_number: 7.into(), digest: 9 };
        let file = Some(FileId { device: 5, inode: 6, head: 7, digest: 8 });
        let origin = |offset| Origin { input: 1, offset, record: 3, digest: 4, file };
        {
            let store = open(folder.path());
            assert_eq!((store.marks().unwrap(), store.origins().unwrap()), (vec![], vec![]));
            store.keep(1, &Position::after(8.into(), 0), Some(mark)).unwrap();
            store.keep_origin(&origin(20)).unwrap();
            store.keep_origin(&origin(10)).unwrap();
            store.keep_end(99).unwrap();
        }
        let store = open(folder.path());
        assert_eq!((store.marks().unwrap(), store.origins().unwrap()), (vec![mark], [10, 20].map(origin).to_vec()));
        assert_eq!(store.end().unwrap(), Some(99));
        assert_eq!(store.start().unwrap().as_deref(), Some("5"));
        assert_eq!(store.run().unwrap(), [("--shards".to_owned(), "4".to_owned())]);
    }

    #[test]
    fn concurrent_checkpoints_are_all_saved() {
        let folder = tempfile::tempdir().unwrap();
        let store = open(folder.path());
        thread::scope(|scope| {
            for shard in 0..8 {
                let store = &store;
                scope.spawn(move || {
                    for number in 1..=10_u64 {
                        store.keep(shard, &Position::after(number.into(), 0), None).unwrap();
                    }
                });
            }
        });
        let positions = store.positions().unwrap();
        assert_eq!(positions.len(), 8);
        assert!(positions.iter().all(|(_, position)| *position == Position::after(10.into(), 0)));
    }
}
