//! Fetching files through Java, where Maven is missing.
//!
//! The program that does it is `Fetch.java`. It runs in the JVM that is needed anyway, so TLS, proxies and trusted certificates are
//! Java's.

use std::fmt::Write as _;
use std::path::Path;

use super::lock::Lock;
use super::tools::Java;
use super::{CacheError, progress};
use crate::report;

/// The public repository of Maven, which is used unless the user names another one.
pub(crate) const MAVEN_CENTRAL: &str = "https://repo.maven.apache.org/maven2";

pub(crate) const CLASS: (&str, &[u8]) = ("Fetch.class", include_bytes!("../../java/fetch/Fetch.class"));

/// Fetches the files of the lock into the folder. Files that are there already, or in part, are not fetched again.
pub(crate) fn fetch(
    java: &Java,
    classes: &Path,
    repository: &str,
    lock: &Lock,
    what: &str,
    folder: &Path,
) -> Result<(), CacheError> {
    // The URL may contain a password, so it is not an argument, which others on this machine could see.
    let mut input = format!("{repository}\n");
    for file in lock.files() {
        // Writing to a string does not fail.
        _ = writeln!(input, "{}  {}", file.hash, file.path);
    }
    let command = [
        java.path.clone().into(),
        "-XX:TieredStopAtLevel=1".into(),
        "-XX:+UseSerialGC".into(),
        "-classpath".into(),
        classes.into(),
        "Fetch".into(),
        folder.into(),
    ];
    let all = report::count(lock.files().count() as u64, "file");
    let mut shown = format!("fetching {all}");
    progress::run("Java", what, &command, input.trim_end().as_bytes(), "error: ", |line| {
        if let Some((files, bytes)) = progress_in(line) {
            shown = format!("fetched {files} of {all}, {}", report::bytes(bytes));
        }
        shown.clone()
    })
}

/// The files and the bytes in a line such as `fetched 2 4096`.
fn progress_in(line: &str) -> Option<(u64, u64)> {
    let (files, bytes) = line.strip_prefix("fetched ")?.split_once(' ')?;
    Some((files.parse().ok()?, bytes.parse().ok()?))
}
