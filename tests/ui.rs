//! Correct uses of `#[kcl::processor]` compile, and each mistake causes one error that says what to do.
//!
//! After a change of the messages, run `TRYBUILD=overwrite cargo test -p tests --test ui`, review the changed `.stderr` files, and
//! run `UPDATE_ERRORS=1 cargo test -p tests --test errors_page`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, str, thread};

use serde_json::Value;
use trybuild::TestCases;

const PASS: &str = "ui/pass/*/*.rs";
const FAIL: &str = "ui/fail/*/*.rs";

/// Runs both in one project, so that dependencies are built once.
#[cfg(toolchain_of_the_error_texts)]
#[test]
fn pass_and_fail() {
    let cases = TestCases::new();
    cases.pass(PASS);
    cases.compile_fail(FAIL);
}

#[cfg(not(toolchain_of_the_error_texts))]
#[test]
fn pass() {
    TestCases::new().pass(PASS);
}

#[cfg(not(toolchain_of_the_error_texts))]
#[test]
#[ignore = "the .stderr files are those of Rust 1.95"]
fn fail() {
    TestCases::new().compile_fail(FAIL);
}

/// trybuild compiles without incremental compilation, and then rustc reports equal errors once. Users compile with it.
#[test]
fn each_mistake_is_one_error_with_incremental_compilation() {
    let externs = externs();
    let area =
        |entry: fs::DirEntry| fs::read_dir(entry.path()).expect("a folder").map(|case| case.expect("a case").path());
    let areas = fs::read_dir("ui/fail").expect("the cases").map(|entry| entry.expect("a folder"));
    let cases: Vec<PathBuf> =
        areas.flat_map(area).filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    assert!(cases.len() > 200, "{}", cases.len());
    let (first, second) = cases.split_at(cases.len() / 2);
    let wrong = thread::scope(|scope| {
        let [first, second] = [first, second]
            .map(|half| scope.spawn(|| half.iter().filter_map(|case| miscounted(case, &externs)).collect()));
        let wrong: [Vec<String>; 2] = [first, second].map(|half| half.join().expect("no panic"));
        wrong.concat()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The options that give a case its dependencies: those of this package, which are built.
fn externs() -> Vec<String> {
    let output = Command::new(env!("CARGO"))
        .args(["build", "--package", "tests", "--lib", "--message-format=json"])
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut externs = Vec::new();
    for message in str::from_utf8(&output.stdout).expect("JSON").lines().flat_map(serde_json::from_str::<Value>) {
        let name = message["target"]["name"].as_str().unwrap_or_default();
        let files = message["filenames"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for file in files.filter(|file| file.ends_with(".rlib") && ["kcl", "serde", "serde_json"].contains(&name)) {
            externs.extend(["--extern".to_owned(), format!("{name}={file}")]);
            if let Some(folder) = Path::new(file).parent() {
                externs.extend(["-L".to_owned(), format!("dependency={}", folder.join("deps").display())]);
                externs.extend(["-L".to_owned(), format!("dependency={}", folder.display())]);
            }
        }
    }
    externs
}

/// Compiles a case with incremental compilation, and says so if the number of errors is not that of the recorded text.
fn miscounted(case: &Path, externs: &[String]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition=2024", "--emit=metadata", "--crate-name=case", "--error-format=json", "--cap-lints=allow"])
        .arg(format!("-Cincremental={}", folder.path().join("incremental").display()))
        .arg("--out-dir")
        .arg(folder.path())
        .args(externs)
        .arg(case)
        .output()
        .expect("rustc starts");
    let recorded = fs::read_to_string(case.with_extension("stderr")).expect("the recorded text");
    let expected = recorded.lines().filter(|line| line.starts_with("error")).count();
    let messages = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<Value> = messages.lines().flat_map(serde_json::from_str::<Value>).filter(is_error).collect();
    let texts: Vec<_> = errors.iter().filter_map(|error| error["rendered"].as_str()).collect();
    (errors.len() != expected).then(|| format!("{}: {} errors\n{}", case.display(), errors.len(), texts.concat()))
}

fn is_error(message: &Value) -> bool {
    // The last message only counts the others.
    message["level"] == "error" && message["spans"].as_array().is_some_and(|spans| !spans.is_empty())
}
