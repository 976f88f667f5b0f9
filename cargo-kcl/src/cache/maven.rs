//! Fetching files through Maven, with the user's own settings.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::artifact::Artifact;
use super::lock::Lock;
use super::{CacheError, progress};
use crate::report;

const PLUGIN: &str = "maven-dependency-plugin";
const PLUGIN_VERSION: &str = "3.6.1";

/// Has Maven copy the files of the lock into the folder, and nothing else.
pub(crate) fn fetch(maven: &Path, lock: &Lock, what: &str, folder: &Path) -> Result<(), CacheError> {
    let failed = |error| CacheError::Folder { path: folder.to_owned(), error };
    // Maven writes nothing next to its pom except what it is asked to.
    let project = tempfile::tempdir().map_err(failed)?;
    let file = project.path().join("pom.xml");
    fs::write(&file, pom(lock)).map_err(failed)?;
    let mut output = OsString::from("-DoutputDirectory=");
    output.push(folder);
    let command = [
        maven.into(),
        "--batch-mode".into(),
        "--file".into(),
        file.into(),
        format!("org.apache.maven.plugins:{PLUGIN}:{PLUGIN_VERSION}:copy").into(),
        output,
    ];
    let mut files = 0;
    progress::run("Maven", what, &command, b"", "ERROR", |line| {
        files += u64::from(["Downloaded from", "Copying "].iter().any(|step| line.contains(step)));
        format!("Maven is running: {}", report::count(files, "file"))
    })
}

/// A project that names the files. Their coordinates have no character that means something in XML.
fn pom(lock: &Lock) -> String {
    let mut items = String::new();
    for Artifact { group, name, version, classifier, kind } in
        lock.files().filter_map(|file| Artifact::parse(&file.path))
    {
        let group = group.replace('/', ".");
        let classifier = classifier.unwrap_or_default();
        // Writing to a string does not fail.
        _ = write!(
            items,
            "<artifactItem><groupId>{group}</groupId><artifactId>{name}</artifactId><version>{version}</version>\
             <classifier>{classifier}</classifier><type>{kind}</type></artifactItem>"
        );
    }
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>kcl</groupId><artifactId>files</artifactId><version>1</version><packaging>pom</packaging>\
         <build><plugins><plugin><groupId>org.apache.maven.plugins</groupId><artifactId>{PLUGIN}</artifactId>\
         <version>{PLUGIN_VERSION}</version><configuration><artifactItems>{items}</artifactItems></configuration>\
         </plugin></plugins></build></project>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pom_names_each_file() {
        let hash = "0".repeat(64);
        let lock = Lock::of_jars(&format!("{hash}  org/example/a/1.0/a-1.0-linux.so\n")).expect("it is right");
        let pom = pom(&lock);
        assert!(
            pom.contains(
                "<artifactItem><groupId>org.example</groupId><artifactId>a</artifactId><version>1.0</version>\
                 <classifier>linux</classifier><type>so</type></artifactItem>"
            ),
            "{pom}"
        );
    }
}
