//! The programs that this tool needs but does not install: Java, Node, Maven and npm.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::process::program::find;
use crate::report;

/// The oldest tested versions of Java and Node.
const JAVA: u32 = 17;
const NODE: u32 = 20;

/// A program that is missing or too old.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ToolError {
    #[error(
        "Java was not found, neither in JAVA_HOME nor in PATH. Install version {JAVA} or newer (Debian and Ubuntu: apt install \
         openjdk-17-jre-headless; macOS: brew install openjdk)"
    )]
    NoJava,
    #[error("JAVA_HOME is {}, but it does not contain bin/java: correct it, or unset it to search PATH", .0.display())]
    JavaHome(PathBuf),
    #[error("{} is {found}, but version {needed} or newer is needed: install it, and set {variable} so that it is found", path.display())]
    TooOld { path: PathBuf, found: String, needed: u32, variable: &'static str },
    #[error("{} does not report its version: {output}", path.display())]
    NoVersion { path: PathBuf, output: String },
    #[error(
        "Node was not found: there is no `node` in PATH. The local Kinesis needs version {NODE} or newer (Debian and Ubuntu: apt install \
         nodejs npm; macOS: brew install node)"
    )]
    NoNode,
    #[error(
        "there is no `npm` in PATH, which is needed to fetch the local Kinesis (it comes with Node, or with apt install npm)"
    )]
    NoNpm,
}

/// A Java that is new enough.
#[derive(Debug, Clone)]
pub(crate) struct Java {
    pub(crate) path: PathBuf,
}

impl Java {
    /// Finds the Java of `JAVA_HOME`, or else the first one in `PATH`.
    pub(crate) fn find() -> Result<Self, ToolError> {
        let (path, variable) = match env::var_os("JAVA_HOME").filter(|home| !home.is_empty()) {
            Some(home) => {
                let path = Path::new(&home).join("bin/java");
                let path = find(path.as_os_str()).ok_or_else(|| ToolError::JavaHome(home.into()))?;
                (path, "JAVA_HOME")
            }
            None => (find("java".as_ref()).ok_or(ToolError::NoJava)?, "JAVA_HOME or PATH"),
        };
        // `openjdk version "17.0.15" 2025-04-15`, and before Java 9 `java version "1.8.0_292"`. Other lines may come first, which
        // repeat the options in JAVA_TOOL_OPTIONS.
        let output = output_of(&path, "-version");
        let version = output.split(" version \"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        let numbers = version.strip_prefix("1.").unwrap_or(version);
        check_version(path.clone(), "Java", version, numbers, &output, JAVA, variable)?;
        Ok(Self { path })
    }
}

/// A Node that is new enough.
pub(crate) fn node() -> Result<PathBuf, ToolError> {
    let path = find("node".as_ref()).ok_or(ToolError::NoNode)?;
    let output = output_of(&path, "--version");
    let version = output.trim().trim_start_matches('v');
    check_version(path.clone(), "Node", version, version, &output, NODE, "PATH")?;
    Ok(path)
}

pub(crate) fn npm() -> Result<PathBuf, ToolError> {
    find("npm".as_ref()).ok_or(ToolError::NoNpm)
}

pub(crate) fn maven() -> Option<PathBuf> {
    find("mvn".as_ref())
}

fn output_of(path: &Path, argument: &str) -> String {
    match Command::new(path).arg(argument).stdin(Stdio::null()).output() {
        Ok(output) => String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        Err(error) => error.to_string(),
    }
}

fn check_version(
    path: PathBuf,
    what: &str,
    version: &str,
    numbers: &str,
    output: &str,
    needed: u32,
    variable: &'static str,
) -> Result<(), ToolError> {
    let digits = numbers.find(|c: char| !c.is_ascii_digit()).unwrap_or(numbers.len());
    match numbers[..digits].parse::<u32>() {
        Ok(major) if major >= needed => Ok(()),
        Ok(_) => Err(ToolError::TooOld { path, found: format!("{what} {version}"), needed, variable }),
        Err(_) => Err(ToolError::NoVersion { path, output: report::excerpt(output.trim()) }),
    }
}
