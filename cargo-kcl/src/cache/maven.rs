//! Jars through Maven, with the user's own settings.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{CacheError, progress, tools};

/// Pinned: another version could resolve to other files.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// Puts what the pom depends on into the folder.
pub(crate) fn fetch(pom: &str, what: &'static str, folder: &Path) -> Result<(), CacheError> {
    let maven = tools::maven()?;
    let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
    // Maven leaves nothing beside its pom but what it is told to.
    let project = tempfile::tempdir().map_err(failed)?;
    let file = project.path().join("pom.xml");
    fs::write(&file, pom).map_err(failed)?;
    let mut output = OsString::from("-DoutputDirectory=");
    output.push(folder);
    let command = [
        maven.into(),
        "--batch-mode".into(),
        "--file".into(),
        file.into(),
        PLUGIN.into(),
        "-DincludeScope=runtime".into(),
        output,
    ];
    progress::run("Maven", what, &command, &["Downloaded from", "Copying "], "ERROR")
}
