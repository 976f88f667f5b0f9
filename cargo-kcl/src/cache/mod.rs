//! What is installed once and then used offline: the daemon's jars and the emulators, each as the lock file has it.

mod lock;
mod maven;
mod npm;
mod progress;
mod tools;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

pub(crate) use lock::{Lock, LockError};
pub(crate) use tools::{Java, ToolError};

use crate::report;

/// The version of the MultiLangDaemon that the lock file names.
pub(crate) const DAEMON_VERSION: &str = "3.1.3";

/// Why something cannot be installed or used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CacheError {
    #[error("there is no folder to install into: set KCL_CACHE_DIR, XDG_CACHE_HOME or HOME to an absolute path")]
    NoFolder,
    #[error("the cache {} cannot be used: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error("the path of the cache, {}, holds a colon, which a Java class path cannot; set KCL_CACHE_DIR to another", .0.display())]
    Colon(PathBuf),
    #[error(transparent)]
    Tool(#[from] ToolError),
    #[error("{0}; remove that folder and it is installed anew")]
    Installed(LockError),
    #[error("what was fetched is not what was tested: {0}; nothing of it was kept")]
    Fetched(LockError),
    #[error("these jars cannot be used: {0}")]
    OwnJars(LockError),
    #[error("{tool} failed to fetch {what} ({status}):\n{output}")]
    Fetch { tool: &'static str, what: &'static str, status: String, output: String },
    #[error("{tool} cannot be run: {error}")]
    Run { tool: &'static str, error: io::Error },
}

/// Something to install.
struct Package {
    /// The start of its folder's name.
    name: &'static str,
    /// What people call it, and how much it is.
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

/// The jars of the daemon, and what is to be said about them.
#[derive(Debug)]
pub(crate) struct Jars {
    pub(crate) folder: PathBuf,
}

/// DynamoDB Local, ready to start.
#[derive(Debug)]
pub(crate) struct DynamoDb {
    pub(crate) java: Java,
    /// The jars, with the native libraries among them.
    pub(crate) jars: PathBuf,
    /// Our own class.
    pub(crate) classes: PathBuf,
}

/// kinesis-local, ready to start.
#[derive(Debug)]
pub(crate) struct Kinesis {
    pub(crate) node: PathBuf,
    pub(crate) main: PathBuf,
    pub(crate) certificate: PathBuf,
    /// Our own script, loaded first.
    pub(crate) loopback: PathBuf,
}

/// The folder of everything that is installed.
#[derive(Debug)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `KCL_CACHE_DIR`, else `kcl` in the user's cache folder.
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

    /// The daemon's jars, through Maven the first time.
    pub(crate) fn daemon(&self) -> Result<Jars, CacheError> {
        let folder = self
            .ensure(&DAEMON, |folder| maven::fetch(include_str!("../../java/daemon/pom.xml"), DAEMON.what, folder))?;
        Ok(Jars { folder })
    }

    /// Where the daemon's jars are, or will be.
    pub(crate) fn daemon_folder(&self) -> PathBuf {
        self.folder_of(&DAEMON)
    }

    fn folder_of(&self, package: &Package) -> PathBuf {
        self.root.join(format!("{}-{}", package.name, Lock::parse(package.lock).id()))
    }

    /// DynamoDB Local, through Maven the first time.
    pub(crate) fn dynamodb(&self, java: Java) -> Result<DynamoDb, CacheError> {
        let jars = self.ensure(&DYNAMODB, |folder| {
            maven::fetch(include_str!("../../java/dynamodb/pom.xml"), DYNAMODB.what, folder)
        })?;
        let classes = self.our_own("dynamodb-loopback", LOOPBACK_JAVA, |folder| {
            java.compile("Loopback.java", LOOPBACK_JAVA, &jars, folder)
        })?;
        Ok(DynamoDb { java, jars, classes })
    }

    /// kinesis-local, through npm the first time.
    pub(crate) fn kinesis(&self) -> Result<Kinesis, CacheError> {
        let node = tools::node()?;
        let folder = self.ensure(&KINESIS, |folder| {
            let files = [
                ("package.json", include_str!("../../node/package.json")),
                ("package-lock.json", include_str!("../../node/package-lock.json")),
            ];
            npm::fetch(&files, KINESIS.what, folder)
        })?;
        let scripts = self.our_own("kinesis-loopback", LOOPBACK_NODE, |folder| {
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

    /// The folder of a package; every file in it is what the lock file says.
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
        report::line(format_args!("installing {} into {}, once", package.what, self.root.display()));
        self.make(&folder, |temporary| {
            fetch(temporary)?;
            lock.verify(temporary).map_err(CacheError::Fetched)
        })
    }

    /// The folder of something this tool makes itself, by the content that it is made of.
    fn our_own(
        &self,
        name: &str,
        content: &str,
        make: impl FnOnce(&Path) -> Result<(), CacheError>,
    ) -> Result<PathBuf, CacheError> {
        let folder = self.root.join(format!("{name}-{}", lock::short_digest(content.as_bytes())));
        if folder.is_dir() { Ok(folder) } else { self.make(&folder, make) }
    }

    /// Makes a folder all at once: whoever sees it sees it whole, and of several that make it one wins.
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
    /// Jars that the user brought. Others than the locked ones are welcome; another content under a locked name is not.
    pub(crate) fn own(folder: &Path) -> Result<Self, CacheError> {
        let folder =
            std::path::absolute(folder).map_err(|error| CacheError::Folder { path: folder.to_owned(), error })?;
        let lock = Lock::parse(DAEMON.lock);
        let differences = lock.compare(&folder).map_err(CacheError::OwnJars)?;
        if !differences.is_empty() {
            report::line(format_args!(
                "{} differs from the jars this tool was tested with: {differences}",
                folder.display()
            ));
        }
        Ok(Self { folder })
    }
}
