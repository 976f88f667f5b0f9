//! The requirements of the scenarios: Java, Maven, the packaged driver and the processors.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The same version as in `java/pom.xml`.
const OLDEST_JAVA: u32 = 17;

/// The processors of `processors/`, as Cargo names them.
const PROCESSORS: [&str; 10] = [
    "scripted-record",
    "scripted-record-manual",
    "scripted-records",
    "scripted-records-manual",
    "scripted-policy-record",
    "scripted-policy-records",
    "scripted-async",
    "scripted-async-manual",
    "scripted-concurrent",
    "bare",
];

/// The tool that this machine lacks to run the scenarios, if any.
pub(crate) fn missing() -> Option<String> {
    let output = |tool: &str| Command::new(tool).arg("-version").stdin(Stdio::null()).output();
    let Ok(java) = output("java") else {
        return Some(format!("needs Java {OLDEST_JAVA} and Maven: `java` not found"));
    };
    let version = java_version(&String::from_utf8_lossy(&java.stderr));
    if version.is_none_or(|version| version < OLDEST_JAVA) {
        return Some(format!("needs Java {OLDEST_JAVA} or later: `java` is {version:?}"));
    }
    match output("mvn") {
        Ok(maven) if maven.status.success() => None,
        _ => Some("needs Maven: `mvn` not found".to_owned()),
    }
}

/// The major version in a text like `openjdk version "17.0.15" 2025-04-15`.
fn java_version(text: &str) -> Option<u32> {
    let version = text.split('"').nth(1)?;
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Has Maven package the driver into `target`, unless it was packaged from the same sources before, and returns the
/// class path.
pub(crate) fn package_java(sources: &Path, target: &Path) -> Result<String, String> {
    fs::create_dir_all(target).map_err(|error| format!("{}: {error}", target.display()))?;
    let lock = File::create(target.join("lock")).map_err(|error| error.to_string())?;
    lock.lock().map_err(|error| error.to_string())?;

    let stamp = target.join("stamp");
    let text = read_all(sources)?;
    if fs::read_to_string(&stamp).ok().as_deref() != Some(&text) {
        let mut property = std::ffi::OsString::from("-Dconformance.target=");
        property.push(target);
        let output = Command::new("mvn")
            .args(["--quiet", "--batch-mode", "--file"])
            .arg(sources.join("pom.xml"))
            .arg(property)
            .arg("package")
            .stdin(Stdio::null())
            .output()
            .map_err(|error| format!("mvn: {error}"))?;
        if !output.status.success() {
            return Err(format!(
                "mvn package: {}\n{}{}",
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ));
        }
        fs::write(&stamp, text).map_err(|error| error.to_string())?;
    }
    Ok(format!("{0}/conformance.jar:{0}/lib/*", target.display()))
}

/// All sources of the driver in one text, to compare with the stamp.
fn read_all(folder: &Path) -> Result<String, String> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect())
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    paths.sort();
    let mut all = String::new();
    for path in paths {
        if path.is_dir() {
            all += &read_all(&path)?;
        } else {
            all += &format!("{}\n", path.display());
            all += &fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    }
    Ok(all)
}

/// Builds the processors and returns their executables by name.
pub(crate) fn build_processors() -> BTreeMap<String, PathBuf> {
    let build = |name: &str| tests::build(&["--package", "tests", "--example", name]);
    PROCESSORS.iter().map(|name| ((*name).to_owned(), build(name))).collect()
}

/// Creates `folder`, or empties it if it exists.
pub(crate) fn empty(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(format!("{}: {error}", folder.display()));
        }
        _ => {}
    }
    fs::create_dir_all(folder).map_err(|error| format!("{}: {error}", folder.display()))
}
