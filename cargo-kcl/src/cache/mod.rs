//! The software that is installed once and then used offline: the daemon's jars and the emulators, each verified by a lock file.

mod lock;
mod maven;
mod npm;
mod progress;
mod tools;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub(crate) use lock::{Lock, LockError};
pub(crate) use tools::{Java, ToolError};

use crate::exit::{FAILED, WRONG_USE};
use crate::report;

/// The version of the MultiLangDaemon that the lock file names.
pub(crate) const DAEMON_VERSION: &str = "3.1.3";

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
    #[error("{tool} failed to fetch {what} ({status}); its output stands above")]
    Fetch { tool: &'static str, what: &'static str, status: String },
    #[error("{tool} cannot be run: {error}")]
    Run { tool: &'static str, error: io::Error },
}

impl CacheError {
    /// The tool's exit code for this error.
    pub(crate) fn code(&self) -> u8 {
        match self {
            // Fetched files come over the network.
            Self::Fetch { .. } | Self::Fetched(_) => FAILED,
            _ => WRONG_USE,
        }
    }
}

/// Something to install.
struct Package {
    /// The start of its folder's name.
    name: &'static str,
    /// Its name for people, with the size.
    what: &'static str,
    /// Its `SHA256SUMS`.
    lock: &'static str,
}

const DAEMON: Package = Package {
    name: "daemon",
    what: "Amazon's MultiLangDaemon 3.1.3 (131 jars, 74 MB)",
    lock: include_str!("../../java/daemon/SHA256SUMS"),
};
const DYNAMODB: Package = Package {
    name: "dynamodb",
    what: "DynamoDB Local 2.6.1 (51 MB)",
    lock: include_str!("../../java/dynamodb/SHA256SUMS"),
};
const KINESIS: Package =
    Package { name: "kinesis", what: "kinesis-local 0.6.2 (16 MB)", lock: include_str!("../../node/SHA256SUMS") };

const LOOPBACK_JAVA: &str = include_str!("../../java/dynamodb/Loopback.java");
const LOOPBACK_NODE: &str = include_str!("../../node/loopback.cjs");

/// The jars of the daemon.
#[derive(Debug)]
pub(crate) struct Jars {
    pub(crate) folder: PathBuf,
}

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
}

impl Cache {
    /// Opens `KCL_CACHE_DIR`, or else `kcl` in the user's cache folder.
    pub(crate) fn open() -> Result<Self, CacheError> {
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
        Ok(Self { root })
    }

    /// The daemon's jars, fetched through Maven the first time.
    pub(crate) fn daemon(&self) -> Result<Jars, CacheError> {
        let folder = self
            .ensure(&DAEMON, |folder| maven::fetch(include_str!("../../java/daemon/pom.xml"), DAEMON.what, folder))?;
        Ok(Jars { folder })
    }

    /// The folder of the daemon's jars, which may not exist yet.
    pub(crate) fn daemon_folder(&self) -> PathBuf {
        self.folder_of(&DAEMON)
    }

    /// The folder of the names that workers on this machine have.
    pub(crate) fn workers(&self) -> PathBuf {
        self.root.join("workers")
    }

    fn folder_of(&self, package: &Package) -> PathBuf {
        self.root.join(format!("{}-{}", package.name, Lock::parse(package.lock).id()))
    }

    /// DynamoDB Local, fetched through Maven the first time.
    pub(crate) fn dynamodb(&self, java: Java) -> Result<DynamoDb, CacheError> {
        let jars = self.ensure(&DYNAMODB, |folder| {
            maven::fetch(include_str!("../../java/dynamodb/pom.xml"), DYNAMODB.what, folder)
        })?;
        let classes = self.made_here("dynamodb-loopback", LOOPBACK_JAVA, |folder| {
            java.compile("Loopback.java", LOOPBACK_JAVA, &jars, folder)
        })?;
        Ok(DynamoDb { java, jars, classes })
    }

    /// kinesis-local, fetched through npm the first time.
    pub(crate) fn kinesis(&self) -> Result<Kinesis, CacheError> {
        let node = tools::node()?;
        let folder = self.ensure(&KINESIS, |folder| {
            let files = [
                ("package.json", include_str!("../../node/package.json")),
                ("package-lock.json", include_str!("../../node/package-lock.json")),
            ];
            npm::fetch(&files, KINESIS.what, folder)
        })?;
        let scripts = self.made_here("kinesis-loopback", LOOPBACK_NODE, |folder| {
            let path = folder.join("loopback.cjs");
            fs::write(&path, LOOPBACK_NODE).map_err(|error| CacheError::Folder { path, error })
        })?;
        let package = folder.join("node_modules/kinesis-local");
        Ok(Kinesis {
            node,
            main: package.join("main.js"),
            certificate: package.join("server.json"),
            loopback: scripts.join("loopback.cjs"),
        })
    }

    /// The folder of a package, which is installed if necessary. Its files match the lock file.
    fn ensure(
        &self,
        package: &Package,
        fetch: impl FnOnce(&Path) -> Result<(), CacheError>,
    ) -> Result<PathBuf, CacheError> {
        let lock = Lock::parse(package.lock);
        let folder = self.folder_of(package);
        if folder.is_dir() {
            lock.verify(&folder).map_err(CacheError::Installed)?;
            return Ok(folder);
        }
        report::line(format_args!("installing {} into {} (only once)", package.what, self.root.display()));
        self.make(&folder, |temporary| {
            fetch(temporary)?;
            lock.verify(temporary).map_err(CacheError::Fetched)
        })
    }

    /// The folder of something that this tool makes itself, named after the content that it is made from.
    fn made_here(
        &self,
        name: &str,
        content: &str,
        make: impl FnOnce(&Path) -> Result<(), CacheError>,
    ) -> Result<PathBuf, CacheError> {
        let folder = self.root.join(format!("{name}-{}", lock::short_digest(content.as_bytes())));
        if folder.is_dir() { Ok(folder) } else { self.make(&folder, make) }
    }

    /// Makes a folder atomically. Nobody sees it half made, and if several processes make it, one wins.
    fn make(&self, folder: &Path, fill: impl FnOnce(&Path) -> Result<(), CacheError>) -> Result<PathBuf, CacheError> {
        let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
        let temporary = tempfile::Builder::new().prefix(".new-").tempdir_in(&self.root).map_err(failed)?;
        fill(temporary.path())?;
        match fs::rename(temporary.path(), folder) {
            Ok(()) => _ = temporary.keep(),
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(folder.to_owned())
    }
}

impl Jars {
    /// Jars that the user provides. They may differ from the locked ones, but a jar with a locked name must have the locked content.
    pub(crate) fn own(folder: &Path) -> Result<Self, CacheError> {
        let folder =
            std::path::absolute(folder).map_err(|error| CacheError::Folder { path: folder.to_owned(), error })?;
        let lock = Lock::parse(DAEMON.lock);
        let differences = lock.compare(&folder).map_err(CacheError::OwnJars)?;
        if !differences.is_empty() {
            report::warning(format_args!(
                "{} differs from the jars this tool was tested with: {differences}",
                folder.display()
            ));
        }
        Ok(Self { folder })
    }
}
