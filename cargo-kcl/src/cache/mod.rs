//! The software that is installed once and then used offline: the daemon's jars and the emulators, each verified by a lock file.

mod artifact;
mod download;
mod jars;
mod lock;
mod maven;
mod npm;
mod progress;
mod tools;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub(crate) use artifact::Versions;
pub(crate) use jars::{Jars, LockedDaemon};
pub(crate) use tools::{Java, ToolError};

use lock::{Lock, LockError, LockFileError};

use crate::exit::{FAILED, WRONG_USE, of_io};
use crate::report;

/// The reason why something cannot be installed or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("no folder to install into: set KCL_CACHE_DIR, XDG_CACHE_HOME or HOME to an absolute path")]
    NoFolder,
    #[error("the cache {} cannot be used: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("the path of the cache, {}, contains a colon, which a Java class path does not allow; set KCL_CACHE_DIR to another path", .0.display())]
    Colon(PathBuf),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error("{0}; remove that folder to have it installed again")]
    Installed(LockError),
    #[error("the fetched files are not the tested ones: {0}; none of them was kept")]
    Fetched(LockError),
    #[error("these jars cannot be used: {0}")]
    OwnJars(LockError),
    #[error("the lock file {} cannot be used: {error}", path.display())]
    LockFile { path: PathBuf, error: LockFileError },
    #[error("{tool} failed to fetch {what} ({status}); its output stands above")]
    Fetch { tool: &'static str, what: String, status: String },
    #[error("{tool} cannot be run: {error}")]
    Run { tool: &'static str, error: io::Error },
}

impl CacheError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // Fetched files come over the network.
            Self::Fetch { .. } | Self::Fetched(_) => FAILED,
            Self::Folder { error, .. } | Self::Run { error, .. } => of_io(error),
            _ => WRONG_USE,
        }
    }
}

/// Something to install.
struct Package<'a> {
    /// The start of its folder's name.
    name: &'static str,
    /// Its name for people, with the size.
    what: &'a str,
    lock: &'a Lock,
}

/// The start of the name of the folder with the daemon's jars.
const DAEMON: &str = "daemon";
const DYNAMODB: (&str, &str) = ("DynamoDB Local 2.6.1 (53 MB)", include_str!("../../java/dynamodb/SHA256SUMS"));
const KINESIS: (&str, &str) = ("kinesis-local 0.6.2 (17 MB)", include_str!("../../node/SHA256SUMS"));

const LOOPBACK_JAVA: (&str, &[u8]) = ("Loopback.class", include_bytes!("../../java/dynamodb/Loopback.class"));
const LOOPBACK_NODE: (&str, &[u8]) = ("loopback.cjs", include_bytes!("../../node/loopback.cjs"));

/// DynamoDB Local, ready to start.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    pub(crate) java: Java,
    /// The folder of the jars and the native libraries.
    pub(crate) jars: PathBuf,
    /// The folder of this tool's own class.
    pub(crate) classes: PathBuf,
}

/// kinesis-local, ready to start.
#[derive(Debug)]
pub(crate) struct Kinesis {
    pub(crate) node: PathBuf,
    pub(crate) main: PathBuf,
    pub(crate) certificate: PathBuf,
    /// This tool's own script, which is loaded first.
    pub(crate) loopback: PathBuf,
}

/// The folder of everything that is installed.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
    /// The Maven repository that the user named.
    repository: Option<String>,
}

impl Cache {
    /// Opens `KCL_CACHE_DIR`, or else `kcl` in the user's cache folder. Jars come from this Maven repository, if one is given.
    pub(crate) fn open(repository: Option<&str>) -> Result<Self, CacheError> {
        let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let root = match env::var_os("KCL_CACHE_DIR").filter(|path| !path.is_empty()) {
            Some(path) => {
                std::path::absolute(&path).map_err(|error| CacheError::Folder { path: path.into(), error })?
            }
            None => absolute("XDG_CACHE_HOME")
                .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
                .ok_or(CacheError::NoFolder)?
                .join("kcl"),
        };
        if root.as_os_str().as_encoded_bytes().contains(&b':') {
            return Err(CacheError::Colon(root));
        }
        fs::create_dir_all(&root).map_err(|error| CacheError::Folder { path: root.clone(), error })?;
        Ok(Self { root, repository: repository.map(str::to_owned) })
    }

    /// The daemon's jars, fetched the first time.
    pub(crate) fn daemon(&self, java: &Java, daemon: &LockedDaemon) -> Result<Jars, CacheError> {
        let package = Package { name: DAEMON, what: &daemon.what(), lock: &daemon.lock };
        Ok(Jars { folder: self.jars(java, &package)? })
    }

    /// The folder of the daemon's jars, which may not exist yet.
    pub(crate) fn daemon_folder(&self, daemon: &LockedDaemon) -> PathBuf {
        self.folder_of(DAEMON, &daemon.lock)
    }

    /// The folder of the names that workers on this machine have.
    pub(crate) fn workers(&self) -> PathBuf {
        self.root.join("workers")
    }

    fn folder_of(&self, name: &str, lock: &Lock) -> PathBuf {
        self.root.join(format!("{name}-{}", lock.id()))
    }

    /// DynamoDB Local, fetched the first time.
    pub(crate) fn dynamodb(&self, java: Java) -> Result<DynamoDb, CacheError> {
        let (what, lock) = DYNAMODB;
        let lock = Lock::of_jars(lock)
            .map_err(|error| CacheError::LockFile { path: PathBuf::from("dynamodb/SHA256SUMS"), error })?;
        let jars = self.jars(&java, &Package { name: "dynamodb", what, lock: &lock })?;
        let classes = self.made_here("dynamodb-loopback", LOOPBACK_JAVA)?;
        Ok(DynamoDb { java, jars, classes })
    }

    /// kinesis-local, fetched through npm the first time.
    pub(crate) fn kinesis(&self) -> Result<Kinesis, CacheError> {
        let node = tools::node()?;
        let (what, lock) = KINESIS;
        let package = Package { name: "kinesis", what, lock: &Lock::of_files(lock) };
        let folder = self.ensure(&package, |folder| {
            self.make(folder, |temporary| {
                let files = [
                    ("package.json", include_str!("../../node/package.json")),
                    ("package-lock.json", include_str!("../../node/package-lock.json")),
                ];
                npm::fetch(&files, what, temporary)?;
                package.lock.verify(temporary).map_err(CacheError::Fetched)
            })
        })?;
        let scripts = self.made_here("kinesis-loopback", LOOPBACK_NODE)?;
        let package = folder.join("node_modules/kinesis-local");
        Ok(Kinesis {
            node,
            main: package.join("main.js"),
            certificate: package.join("server.json"),
            loopback: scripts.join("loopback.cjs"),
        })
    }

    /// The folder of a package of jars, fetched the first time: through Maven if it is there, and otherwise through Java.
    fn jars(&self, java: &Java, package: &Package<'_>) -> Result<PathBuf, CacheError> {
        self.ensure(package, |folder| {
            let maven = if self.repository.is_none() { tools::maven() } else { None };
            match maven {
                Some(maven) => self.make(folder, |temporary| {
                    maven::fetch(&maven, package.lock, package.what, temporary)?;
                    package.lock.verify(temporary).map_err(CacheError::Fetched)
                }),
                None => self.download(java, package, folder),
            }
        })
    }

    /// Fetches a package through Java into a folder that stays if the download is interrupted, so that the next run resumes it.
    fn download(&self, java: &Java, package: &Package<'_>, folder: &Path) -> Result<(), CacheError> {
        let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
        let classes = self.made_here("fetch", download::CLASS)?;
        let mut partial = folder.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        // One run at a time. The system frees the lock however that run ends.
        let lock = File::options().create(true).append(true).open(self.root.join("downloads.lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                report::line("another run is fetching files; waiting for it");
                lock.lock().map_err(failed)?;
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        if folder.is_dir() {
            return Ok(());
        }
        fs::create_dir_all(&partial).map_err(failed)?;
        let repository = self.repository.as_deref().unwrap_or(download::MAVEN_CENTRAL);
        download::fetch(java, &classes, repository, package.lock, package.what, &partial)?;
        package.lock.verify(&partial).map_err(CacheError::Fetched)?;
        fs::rename(&partial, folder).map_err(failed)
    }

    /// The folder of a package, which `fetch` fills if it does not exist. Its files match the lock file.
    fn ensure(
        &self,
        package: &Package<'_>,
        fetch: impl FnOnce(&Path) -> Result<(), CacheError>,
    ) -> Result<PathBuf, CacheError> {
        let folder = self.folder_of(package.name, package.lock);
        if folder.is_dir() {
            package.lock.verify(&folder).map_err(CacheError::Installed)?;
            return Ok(folder);
        }
        report::line(format_args!("installing {} into {} (only once)", package.what, self.root.display()));
        fetch(&folder)?;
        Ok(folder)
    }

    /// The folder of a file of this tool itself, named after its content.
    fn made_here(&self, folder: &str, (name, content): (&str, &[u8])) -> Result<PathBuf, CacheError> {
        let folder = self.root.join(format!("{folder}-{}", lock::short_digest(content)));
        if !folder.is_dir() {
            self.make(&folder, |temporary| {
                let path = temporary.join(name);
                fs::write(&path, content).map_err(|error| CacheError::Folder { path, error })
            })?;
        }
        Ok(folder)
    }

    /// Makes a folder atomically. Nobody sees it half made, and if several processes make it, one wins.
    fn make(&self, folder: &Path, fill: impl FnOnce(&Path) -> Result<(), CacheError>) -> Result<(), CacheError> {
        let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root).map_err(failed)?;
        fill(temporary.path())?;
        match fs::rename(temporary.path(), folder) {
            Ok(()) => _ = temporary.keep(),
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(())
    }
}
