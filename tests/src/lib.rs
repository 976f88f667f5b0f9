//! What the workspace's tests share.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The workspace's folder.
pub fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Builds one binary with a nested `cargo build` and returns its path as cargo names it, wherever the target folder is.
///
/// `arguments` select it: `["--package", "examples", "--example", "by_hand"]`, say.
///
/// # Panics
///
/// If it does not build, with what cargo said; if the arguments select no executable.
pub fn build(arguments: &[&str]) -> PathBuf {
    let output = Command::new(env!("CARGO"))
        .current_dir(workspace())
        .args(["build", "--quiet", "--message-format=json-render-diagnostics"])
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "cargo build {arguments:?} failed");
    let executables = output.stdout.split(|&byte| byte == b'\n').filter_map(|line| {
        let message: serde_json::Value = serde_json::from_slice(line).ok()?;
        message["executable"].as_str().map(PathBuf::from)
    });
    executables.last().unwrap_or_else(|| panic!("cargo build {arguments:?} makes no executable"))
}
