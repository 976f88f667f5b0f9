//! The workspace around a new project: whether the project is a member of it.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::Stdio;

use crate::process::cargo::cargo;

/// The end of the manifest of a package that is not a member.
const OWN: &str = "\n# This package is its own workspace. To add it to the enclosing one, remove this and list it in `members` there.\n\
                   [workspace]\n";

/// The reason why a project cannot be within a workspace.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error(transparent)]
    Write(#[from] io::Error),
    #[error("the workspace around it does not accept it: {0}")]
    Refused(String),
}

/// Asks cargo whether it accepts the workspace that this folder is in. The error is cargo's own. Without cargo, nothing is refused.
pub(crate) fn check(folder: &Path) -> Result<(), String> {
    let mut cargo = cargo();
    cargo.args(["metadata", "--no-deps", "--format-version", "1", "--color", "never"]);
    let Ok(output) = cargo.current_dir(folder).stdin(Stdio::null()).output() else { return Ok(()) };
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    // Warnings may precede the error.
    let first = stderr.lines().position(|line| line.starts_with("error: ")).unwrap_or(0);
    let words: Vec<_> = stderr.lines().skip(first).flat_map(str::split_whitespace).collect();
    Err(words.join(" ").trim_start_matches("error: ").to_owned())
}

/// Lets a new project be a member of the workspace around it, or makes it a workspace of its own. Cargo decides, because `members` may
/// contain patterns. Afterwards, the workspace around it must work if it `worked` before.
pub(crate) fn settle(project: &Path, above: &Path, worked: bool) -> Result<(), WorkspaceError> {
    let Err(refused) = check(project) else { return Ok(()) };
    let mut manifest = File::options().append(true).open(project.join("Cargo.toml"))?;
    manifest.write_all(OWN.as_bytes())?;
    if worked { check(above).map_err(|_| WorkspaceError::Refused(refused)) } else { Ok(()) }
}
