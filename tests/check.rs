//! `cargo kcl check`, as users and their CI run it.

use std::path::Path;
use std::process::{Command, Output};
use std::{fs, str};

fn check(arguments: &[&str], folder: &Path) -> Output {
    let tool = tests::build(&["--package", "cargo-kcl"]);
    Command::new(tool).arg("check").args(arguments).current_dir(folder).output().expect("the tool starts")
}

#[test]
fn the_exit_code_tells_whether_there_are_findings() {
    let folder = tempfile::tempdir().expect("a folder");
    let clean = "executableName = sh\nstreamName = words\napplicationName = words\n\
                 AwsCredentialsProvider = DefaultCredentialsProvider\nshutdownGraceMillis = 20000\n";
    fs::write(folder.path().join("clean.properties"), clean).expect("it can be written");
    fs::write(folder.path().join("odd.properties"), clean.replace("streamName", "streamname"))
        .expect("it can be written");

    let clean = check(&["clean.properties"], folder.path());
    assert_eq!(clean.status.code(), Some(0), "{clean:?}");

    let odd = check(&["clean.properties", "odd.properties"], folder.path());
    assert_eq!(odd.status.code(), Some(1), "{odd:?}");
    let stderr = str::from_utf8(&odd.stderr).expect("stderr is UTF-8");
    assert!(stderr.contains("odd.properties:2: error: unknown key `streamname`\n"), "{stderr}");
    assert!(stderr.contains("  fix: write `streamName`"), "{stderr}");

    let none = check(&["none.properties"], folder.path());
    assert_eq!(none.status.code(), Some(2), "{none:?}");
}

#[test]
fn the_list_shows_every_key_on_stdout() {
    let list = check(&["--list"], Path::new("."));
    assert_eq!(list.status.code(), Some(0), "{list:?}");
    let keys = str::from_utf8(&list.stdout).expect("it is text").lines().filter(|line| !line.starts_with(' '));
    assert!(keys.count() > 80);
}
