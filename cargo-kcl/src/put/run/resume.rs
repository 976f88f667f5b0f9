//! The progress of a run, saved in a file.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::PutError;
use super::window::Position;
use crate::args::without_password;
use crate::disk;
use crate::input::source::Source;
use crate::kinesis::place::Place;
use crate::put::PutOptions;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Kept {
    stream: String,
    region: String,
    endpoint: Option<String>,
    input: Vec<String>,
    format: String,
    key: Option<String>,
    /// How many records of the input were acknowledged without a gap.
    acknowledged: u64,
    /// The CRC-32 of their lines.
    digest: u32,
    /// Whether `\r\n` ended a line. Files of earlier versions do not say so: there, `\r`, and a byte order mark at the start, belonged to
    /// the record.
    #[serde(default)]
    carriage_returns: bool,
}

/// The file, which no other run can use at the same time.
#[derive(Debug)]
pub(crate) struct Resume {
    path: PathBuf,
    kept: Kept,
    /// The file at the path, locked.
    file: File,
}

impl Resume {
    /// Reads the file, if it exists.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, is in use, or belongs to another input or stream, even to a stream of the same name in another place.
    pub(crate) fn open(path: &Path, options: &PutOptions, place: &Place, input: &[Source]) -> Result<Self, PutError> {
        let failed = |error| PutError::Resume { path: path.to_owned(), error };
        // The file is replaced each time, which must not replace a link to it.
        let path = &*disk::target(path).map_err(failed)?;
        let new = Kept {
            stream: options.stream.clone(),
            region: place.region.clone(),
            endpoint: place.endpoint.as_deref().map(without_password),
            input: input.iter().map(|source| Source::identity(&source.input)).collect(),
            format: options.records.format.to_string(),
            key: match (&options.records.key, &options.records.key_missing) {
                (key, None) => key.as_ref().map(ToString::to_string),
                (Some(key), Some(missing)) => Some(format!("{key}, or {missing}")),
                (None, Some(missing)) => Some(missing.to_string()),
            },
            acknowledged: 0,
            digest: 0,
            carriage_returns: true,
        };
        let (mut kept, file): (Kept, _) = loop {
            if let Some((text, file)) = lock(path)? {
                break (serde_json::from_slice(&text).map_err(|error| failed(error.into()))?, file);
            }
            let written =
                new.write_next_to(path).and_then(|file| file.persist_noclobber(path).map_err(|error| error.error));
            match written {
                Ok(file) => break (new.clone(), file),
                // Another run was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        };
        kept.endpoint = kept.endpoint.as_deref().map(without_password);
        let Kept { stream, region, endpoint, input, format, key, .. } = &kept;
        let differs = [
            ("--stream", *stream != new.stream),
            ("--region", *region != new.region),
            ("--endpoint", *endpoint != new.endpoint),
            ("input", *input != new.input),
            ("--format", *format != new.format),
            ("--key", *key != new.key),
        ];
        if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
            return Err(PutError::OtherRun { path: path.to_owned(), what });
        }
        let mut resume = Self { path: path.to_owned(), kept, file };
        // A file that cannot be written is an error before anything is put.
        resume.write(resume.kept.clone())?;
        Ok(resume)
    }

    /// The position in the file.
    pub(crate) fn position(&self) -> Position {
        Position { records: self.kept.acknowledged, digest: self.kept.digest }
    }

    /// Whether the progress is of a version that read the ends of lines in another way.
    pub(crate) fn is_old(&self) -> bool {
        !self.kept.carriage_returns && self.kept.acknowledged > 0
    }

    /// Saves a position, if it has changed.
    pub(crate) fn keep(&mut self, position: Position) -> Result<(), PutError> {
        if position == self.position() {
            return Ok(());
        }
        // The records up to the old position are the same in this version.
        let kept = Kept {
            acknowledged: position.records,
            digest: position.digest,
            carriage_returns: true,
            ..self.kept.clone()
        };
        self.write(kept)
    }

    /// Replaces the file atomically: whatever happens, it holds the old content or the new.
    fn write(&mut self, kept: Kept) -> Result<(), PutError> {
        let written = kept.write_next_to(&self.path);
        let persisted = written.and_then(|file| file.persist(&self.path).map_err(|error| error.error));
        self.file = persisted.map_err(|error| PutError::Resume { path: self.path.clone(), error })?;
        self.kept = kept;
        Ok(())
    }
}

impl Kept {
    /// Writes the content to a new file in the same folder, and locks it.
    fn write_next_to(&self, path: &Path) -> io::Result<NamedTempFile> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = NamedTempFile::new_in(folder)?;
        file.as_file().try_lock()?;
        file.write_all(&serde_json::to_vec(self)?)?;
        file.as_file().sync_data()?;
        Ok(file)
    }
}

/// Locks the file at a path, and reads it. `None` if there is no file.
fn lock(path: &Path) -> Result<Option<(Vec<u8>, File)>, PutError> {
    let failed = |error| PutError::Resume { path: path.to_owned(), error };
    loop {
        let mut file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(PutError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // A run replaces the file each time it saves its progress: the one that was opened may be an old one.
        let locked = file.metadata().map_err(failed)?;
        let is_current = fs::metadata(path).is_ok_and(|now| (now.dev(), now.ino()) == (locked.dev(), locked.ino()));
        if is_current {
            let mut text = Vec::new();
            file.read_to_end(&mut text).map_err(failed)?;
            return Ok(Some((text, file)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use clap::Parser as _;

    use crate::kinesis::place::Service;

    #[derive(clap::Parser)]
    struct Put {
        #[command(flatten)]
        options: PutOptions,
    }

    #[test]
    fn a_link_leads_to_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let [link, file] = ["link", "file"].map(|name| folder.path().join(name));
        std::os::unix::fs::symlink("file", &link).unwrap();
        let Put { options } = Put::parse_from(["put", "--stream", "orders", "input"]);
        let place = Place { service: Service::Kinesis, region: "eu-central-1".to_owned(), endpoint: None };
        for records in [3, 5] {
            let mut resume = Resume::open(&link, &options, &place, &[]).unwrap();
            resume.keep(Position { records, digest: 7 }).unwrap();
            let kept: Kept = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            assert_eq!((kept.acknowledged, link.is_symlink()), (records, true));
        }
    }

    #[test]
    fn a_position_that_cannot_be_saved_is_not_that_of_the_file() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("folder");
        fs::create_dir(&folder).unwrap();
        let Put { options } = Put::parse_from(["put", "--stream", "orders", "input"]);
        let place = Place { service: Service::Kinesis, region: "eu-central-1".to_owned(), endpoint: None };
        let mut resume = Resume::open(&folder.join("state"), &options, &place, &[]).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        resume.keep(Position { records: 3, digest: 7 }).unwrap_err();
        assert_eq!(resume.position().records, 0);
        fs::create_dir(&folder).unwrap();
        resume.keep(Position { records: 3, digest: 7 }).unwrap();
        assert_eq!(resume.position().records, 3);
    }

    #[test]
    fn a_password_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let Put { options } = Put::parse_from(["put", "--stream", "orders", "input"]);
        let endpoint = "http://ann:secret@proxy";
        let place =
            Place { service: Service::Kinesis, region: "eu-central-1".to_owned(), endpoint: Some(endpoint.into()) };
        assert_eq!(place.to_string(), "at http://***@proxy, region eu-central-1");
        drop(Resume::open(&path, &options, &place, &[]).unwrap());
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains("secret"), "{text}");
        // Earlier versions kept it.
        fs::write(&path, text.replace("http://***@proxy", endpoint)).unwrap();
        drop(Resume::open(&path, &options, &place, &[]).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_file_of_an_earlier_version_is_read() {
        let text = r#"{"stream":"orders","region":"eu-central-1","endpoint":null,"input":["/tmp/orders.jsonl"],"format":"lines","key":"/customer","acknowledged":17,"digest":305419896}"#;
        let kept: Kept = serde_json::from_str(text).unwrap();
        assert_eq!((&*kept.stream, kept.acknowledged, kept.digest), ("orders", 17, 0x1234_5678));
        // That version kept the carriage return of a line that ended with one.
        assert!(!kept.carriage_returns);
    }
}
