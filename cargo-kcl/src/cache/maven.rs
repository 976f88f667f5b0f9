//! Fetching jars through Maven, with the user's own settings.

use std::ffi::OsString;
use std::fs;
use std::path::Path;

use super::{CacheError, progress, tools};

/// Pinned, because another version could resolve to other files.
const PLUGIN: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

/// Copies the dependencies of the pom into the folder.
pub(crate) fn fetch(pom: &str, what: &'static str, folder: &Path) -> Result<(), CacheError> {
    let maven = tools::maven()?;
    let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
    // Maven writes nothing next to its pom except what it is asked to.
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
