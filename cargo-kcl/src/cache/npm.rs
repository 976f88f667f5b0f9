//! Fetching Node packages through npm, with the user's own settings.

use std::fs;
use std::path::Path;

use super::{CacheError, progress, tools};

/// Installs the packages of the lock file among `files` into the folder.
pub(crate) fn fetch(files: &[(&str, &str)], what: &str, folder: &Path) -> Result<(), CacheError> {
    let npm = tools::npm()?;
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).map_err(|error| CacheError::Folder { path, error })?;
    }
    let command = [
        npm.into(),
        "--prefix".into(),
        folder.into(),
        "ci".into(),
        "--ignore-scripts".into(),
        "--no-audit".into(),
        "--no-fund".into(),
        "--no-update-notifier".into(),
    ];
    progress::run("npm", what, &command, b"", "npm", |_| "npm is running".to_owned())
}
