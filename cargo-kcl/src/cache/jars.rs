//! Which jars a daemon has: the tested ones, those of another lock file, or those in a folder.

use std::path::{Path, PathBuf};

use super::CacheError;
use super::artifact::Versions;
use super::lock::{Lock, LockFileError, jars_in};
use crate::report;

const TESTED: &str = include_str!("../../java/daemon/SHA256SUMS");
/// The size of the tested jars.
const TESTED_SIZE: &str = "79 MB";

/// A locked set of jars, which may have to be fetched first.
#[derive(Debug, Clone)]
pub(crate) struct LockedDaemon {
    pub(super) lock: Lock,
    versions: Versions,
    /// Whether this is the set that the tool was tested with.
    is_tested: bool,
}

impl LockedDaemon {
    /// The set of this lock file, or else the one that the tool was tested with.
    pub(crate) fn of(own: Option<&Path>) -> Result<Self, CacheError> {
        let refused = |error| CacheError::LockFile { path: own.unwrap_or(Path::new("SHA256SUMS")).to_owned(), error };
        let lock = match own {
            Some(path) => Lock::read(path),
            None => Lock::of_jars(TESTED),
        };
        let lock = lock.map_err(refused)?;
        let versions = Versions::of(lock.names()).ok_or_else(|| refused(LockFileError::NoDaemon))?;
        Ok(Self { lock, versions, is_tested: own.is_none() })
    }

    pub(crate) fn versions(&self) -> &Versions {
        &self.versions
    }

    /// The set in words.
    pub(super) fn what(&self) -> String {
        let Versions { multilang, core } = &self.versions;
        let jars = report::count(self.lock.files().count() as u64, "jar");
        let size = if self.is_tested { format!(", {TESTED_SIZE}") } else { String::new() };
        format!("Amazon's MultiLangDaemon {multilang} over KCL {core} ({jars}{size})")
    }

    /// Jars that the user provides. They may differ from the locked ones, but a jar with a locked name must have the locked content.
    pub(crate) fn in_folder(&self, folder: &Path) -> Result<Jars, CacheError> {
        let folder =
            std::path::absolute(folder).map_err(|error| CacheError::Folder { path: folder.to_owned(), error })?;
        let differences = self.lock.compare(&folder).map_err(CacheError::OwnJars)?;
        if !differences.is_empty() {
            let than = if self.is_tested { "the jars this tool was tested with" } else { "those of the lock file" };
            report::warning(format_args!("{} differs from {than}: {differences}", folder.display()));
        }
        Ok(Jars { folder })
    }

    /// The versions of the daemon in a folder of jars, or of this set if the names of the jars do not say.
    pub(crate) fn versions_in(&self, folder: &Path) -> Versions {
        let names = jars_in(folder).unwrap_or_default();
        Versions::of(names.iter().map(String::as_str)).unwrap_or_else(|| self.versions.clone())
    }
}

/// The jars of a daemon, ready to run.
#[derive(Debug)]
pub(crate) struct Jars {
    pub(crate) folder: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_tested_set_names_its_versions() {
        let daemon = LockedDaemon::of(None).expect("it is right");
        assert_eq!(daemon.what(), "Amazon's MultiLangDaemon 3.1.3 over KCL 3.5.1 (136 jars, 79 MB)");
    }

    #[test]
    fn a_folder_of_jars_has_versions_of_its_own() {
        let daemon = LockedDaemon::of(None).expect("it is right");
        let folder = tempfile::tempdir().expect("a folder can be made");
        assert_eq!(daemon.versions_in(folder.path()), *daemon.versions());
        for name in ["amazon-kinesis-client-3.4.3.jar", "amazon-kinesis-client-multilang-3.4.2.jar"] {
            fs::write(folder.path().join(name), "").expect("a file can be written");
        }
        let versions = daemon.versions_in(folder.path());
        assert_eq!(
            (versions.multilang.to_string(), versions.core.to_string()),
            ("3.4.2".to_owned(), "3.4.3".to_owned())
        );
    }
}
