//! Lock files: the SHA-256 and the path of each file, in the format of `sha256sum`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::thread;

use sha2::{Digest, Sha256};

use super::artifact::{Artifact, Versions};
use crate::report;

/// The largest lock file that is read.
const LARGEST: u64 = 1 << 20;
const HASH_DIGITS: usize = 64;

/// The files that a folder must contain.
#[derive(Debug, Clone)]
pub(crate) struct Lock {
    /// By name.
    files: BTreeMap<String, Locked>,
    text: String,
}

/// A file of a lock.
#[derive(Debug, Clone)]
pub(crate) struct Locked {
    pub(crate) hash: String,
    /// Its path where it comes from, for a jar its path in a Maven repository.
    pub(crate) path: String,
}

/// The reason why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockFileError {
    #[error("it cannot be read: {0}")]
    Read(io::Error),
    #[error("it is larger than 1 MiB")]
    Large,
    #[error(
        "line {number} is not the SHA-256 and the path of a file in a Maven repository, such as `0123...cdef  \
         org/slf4j/slf4j-api/2.0.13/slf4j-api-2.0.13.jar`: {line}"
    )]
    Line { number: usize, line: String },
    #[error("line {number} names {name} again")]
    Twice { number: usize, name: String },
    #[error("it does not name amazon-kinesis-client-multilang and amazon-kinesis-client")]
    NoDaemon,
}

/// A difference between a folder and the lock file.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LockError {
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
    #[error("{} has SHA-256 {found}, but the lock file has {wanted}", path.display())]
    Differs { path: PathBuf, found: String, wanted: String },
    #[error("{} is not in the lock file", .0.display())]
    Extra(PathBuf),
    #[error("{} cannot be read: {error}", path.display())]
    Read { path: PathBuf, error: io::Error },
    #[error("{} does not contain any jars", .0.display())]
    Empty(PathBuf),
}

/// The differences in names between a folder of jars and the locked one. No file has a locked name and other content.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    missing: Vec<String>,
    extra: Vec<String>,
}

impl Differences {
    pub(crate) fn is_empty(&self) -> bool {
        self.missing.is_empty() && self.extra.is_empty()
    }
}

impl fmt::Display for Differences {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |names: &[String]| match names {
            [names @ .., last] if names.len() >= 3 => format!("{} and {} more", last, names.len()),
            names => names.join(", "),
        };
        let missing = (!self.missing.is_empty()).then(|| format!("it lacks {}", list(&self.missing)));
        let extra = (!self.extra.is_empty()).then(|| format!("it has {}", list(&self.extra)));
        f.write_str(&[missing, extra].into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

impl Lock {
    /// Reads lines with a hash and a path, of files that lie in a folder under their paths.
    pub(crate) fn of_files(text: &str) -> Self {
        let files = text.lines().filter_map(|line| line.split_once("  "));
        let files =
            files.map(|(hash, path)| (path.to_owned(), Locked { hash: hash.to_owned(), path: path.to_owned() }));
        Self { files: files.collect(), text: text.to_owned() }
    }

    /// Reads lines with a hash and a path in a Maven repository, of files that lie in a folder under their names. A line that starts
    /// with `#` is a comment.
    pub(crate) fn of_jars(text: &str) -> Result<Self, LockFileError> {
        let mut files = BTreeMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let parts = line.split_once("  ").filter(|(hash, path)| is_hash(hash) && Artifact::parse(path).is_some());
            let Some((hash, path)) = parts else {
                return Err(LockFileError::Line { number, line: report::excerpt(line) });
            };
            let name = path.rsplit('/').next().unwrap_or(path).to_owned();
            let locked = Locked { hash: hash.to_owned(), path: path.to_owned() };
            if files.insert(name.clone(), locked).is_some() {
                return Err(LockFileError::Twice { number, name });
            }
        }
        Ok(Self { files, text: text.to_owned() })
    }

    /// Reads the user's own lock file of a daemon.
    pub(crate) fn read(path: &Path) -> Result<Self, LockFileError> {
        let mut text = String::new();
        let file = File::open(path).map_err(LockFileError::Read)?;
        file.take(LARGEST + 1).read_to_string(&mut text).map_err(LockFileError::Read)?;
        if text.len() as u64 > LARGEST {
            return Err(LockFileError::Large);
        }
        let lock = Self::of_jars(&text)?;
        if Versions::of(lock.names()).is_none() {
            return Err(LockFileError::NoDaemon);
        }
        Ok(lock)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &Locked> {
        self.files.values()
    }

    /// An identifier for the folder's name, so that every lock file has its own folder.
    pub(crate) fn id(&self) -> String {
        short_digest(self.text.as_bytes())
    }

    /// Checks that the folder contains exactly these files. Additional files do no harm, but additional jars would be on the class
    /// path.
    pub(crate) fn verify(&self, folder: &Path) -> Result<(), LockError> {
        let differences = self.compare(folder)?;
        if let Some(name) = differences.missing.first() {
            return Err(LockError::Missing(folder.join(name)));
        }
        match differences.extra.first() {
            Some(name) => Err(LockError::Extra(folder.join(name))),
            None => Ok(()),
        }
    }

    /// Compares the folder with the lock. A file with a locked name and other content is an error.
    pub(crate) fn compare(&self, folder: &Path) -> Result<Differences, LockError> {
        let (missing, present): (Vec<_>, Vec<_>) = self.files.iter().partition(|(name, _)| !folder.join(name).exists());
        check_all(folder, &present)?;
        let extra: Vec<_> =
            jars_in(folder)?.into_iter().filter(|name| !self.files.contains_key(name.as_str())).collect();
        if present.is_empty() && extra.is_empty() {
            return Err(LockError::Empty(folder.to_owned()));
        }
        Ok(Differences { missing: missing.iter().map(|(name, _)| (*name).clone()).collect(), extra })
    }
}

/// Checks the files on several cores, because there are more than a hundred megabytes of them to check before every start.
fn check_all(folder: &Path, files: &[(&String, &Locked)]) -> Result<(), LockError> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(8);
    thread::scope(|scope| {
        let check = |first| {
            move || {
                let mut own = files.iter().skip(first).step_by(threads);
                own.try_for_each(|(name, locked)| check(&folder.join(name), &locked.hash))
            }
        };
        let mut checks = Vec::new();
        for first in 0..threads {
            match thread::Builder::new().spawn_scoped(scope, check(first)) {
                Ok(thread) => checks.push(thread),
                // The system has no room for another thread, so this one does the work.
                Err(_) => check(first)()?,
            }
        }
        checks.into_iter().try_for_each(|check| check.join().unwrap_or(Ok(())))
    })
}

fn check(path: &Path, wanted: &str) -> Result<(), LockError> {
    let found = digest(path).map_err(|error| LockError::Read { path: path.to_owned(), error })?;
    if found == wanted {
        return Ok(());
    }
    Err(LockError::Differs { path: path.to_owned(), found, wanted: wanted.to_owned() })
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex(&hash.finalize())),
            read => hash.update(&buffer[..read]),
        }
    }
}

fn is_hash(text: &str) -> bool {
    text.len() == HASH_DIGITS && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The start of a digest, long enough to name a folder.
pub(crate) fn short_digest(content: &[u8]) -> String {
    hex(&Sha256::digest(content)[..6])
}

/// The names of the jars in a folder.
pub(crate) fn jars_in(folder: &Path) -> Result<Vec<String>, LockError> {
    let failed = |error| LockError::Read { path: folder.to_owned(), error };
    let mut names = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let name = entry.map_err(failed)?.file_name().to_string_lossy().into_owned();
        if name.to_ascii_lowercase().ends_with(".jar") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const LOCK: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a.jar\n\
                        cb8379ac2098aa165029e3938a51da0bcecfc008fd6795f401178647f96c5b34  b.so\n";

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder can be made");
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a file can be written");
        }
        folder
    }

    #[test]
    fn exactly_the_locked_files_pass() {
        let lock = Lock::of_files(LOCK);
        let whole = folder(&[("a.jar", "abc"), ("b.so", "def"), ("notes.txt", "")]);
        assert!(lock.verify(whole.path()).is_ok());

        let changed = folder(&[("a.jar", "abd"), ("b.so", "def")]);
        assert!(matches!(lock.verify(changed.path()), Err(LockError::Differs { path, .. }) if path.ends_with("a.jar")));
        assert!(matches!(lock.compare(changed.path()), Err(LockError::Differs { .. })));

        let short = folder(&[("a.jar", "abc")]);
        assert!(matches!(lock.verify(short.path()), Err(LockError::Missing(path)) if path.ends_with("b.so")));

        let planted = folder(&[("a.jar", "abc"), ("b.so", "def"), ("c.jar", "")]);
        assert!(matches!(lock.verify(planted.path()), Err(LockError::Extra(path)) if path.ends_with("c.jar")));
        assert_eq!(lock.compare(planted.path()).expect("the rest is right").to_string(), "it has c.jar");
    }

    #[test]
    fn a_folder_without_jars_differs_from_one_with_other_jars() {
        let lock = Lock::of_files(LOCK);
        assert!(matches!(lock.compare(folder(&[]).path()), Err(LockError::Empty(_))));
        let others = folder(&[("z.jar", "")]);
        assert_eq!(
            lock.compare(others.path()).expect("no contradiction").to_string(),
            "it lacks a.jar, b.so; it has z.jar"
        );
    }

    #[test]
    fn a_lock_of_jars_has_paths_of_a_maven_repository() {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let good = format!("# A comment.\n{hash}  org/example/a/1.0/a-1.0.jar\n\n{hash}  b/2/b/2-x/b-2-x-linux.so\n");
        let lock = Lock::of_jars(&good).expect("it is right");
        assert_eq!(lock.names().collect::<Vec<_>>(), ["a-1.0.jar", "b-2-x-linux.so"]);
        assert_eq!(lock.files().next().map(|file| &*file.path), Some("org/example/a/1.0/a-1.0.jar"));
        for line in [
            "a-1.0.jar".to_owned(),
            format!("{hash}  a-1.0.jar"),
            format!("{hash} *org/example/a/1.0/a-1.0.jar"),
            format!("{}  org/example/a/1.0/a-1.0.jar", hash.to_uppercase()),
            format!("{hash}  /org/example/a/1.0/a-1.0.jar"),
            format!("{hash}  org/../a/1.0/a-1.0.jar"),
            format!("{hash}  org/example/a/1.0/b-1.0.jar"),
            format!("{hash}  org/exa:mple/a/1.0/a-1.0.jar"),
            format!("{hash}  org/exa<mple/a/1.0/a-1.0.jar"),
        ] {
            let refused = Lock::of_jars(&format!("{good}{line}\n"));
            assert!(matches!(refused, Err(LockFileError::Line { number: 5, .. })), "{line}: {refused:?}");
        }
        let twice = Lock::of_jars(&format!("{good}{hash}  org/other/a/1.0/a-1.0.jar\n"));
        assert!(matches!(twice, Err(LockFileError::Twice { number: 5, .. })), "{twice:?}");
    }

    #[test]
    fn a_lock_of_a_daemon_names_the_daemon() {
        let folder = folder(&[("lock", ""), ("large", &"#".repeat(2 << 20))]);
        let read = |name: &str| Lock::read(&folder.path().join(name));
        assert!(matches!(read("lock"), Err(LockFileError::NoDaemon)));
        assert!(matches!(read("large"), Err(LockFileError::Large)));
        assert!(matches!(read("none"), Err(LockFileError::Read(_))));
    }
}
