//! Correct uses of `#[kcl::processor]` compile and run, and each mistake causes one error that says what to do.
//!
//! After a change of the messages, run `TRYBUILD=overwrite cargo test -p tests --test ui`, review the changed `.stderr` files, and
//! run `UPDATE_ERRORS=1 cargo test -p tests --test errors_page`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, str, thread};

use serde_json::Value;
use trybuild::TestCases;

/// Compiles the mistakes alone: trybuild then compiles many of them at a time.
#[test]
#[cfg_attr(not(toolchain_of_the_error_texts), ignore = "the .stderr files are those of Rust 1.95")]
fn each_mistake_has_its_text() {
    TestCases::new().compile_fail("ui/fail/*/*.rs");
}

#[test]
fn correct_uses_compile_and_run() {
    let externs = externs();
    let wrong = of_each(&cases("ui/pass"), |case| {
        let folder = tempfile::tempdir().expect("a folder");
        let program = folder.path().join("case");
        let output =
            rustc(case, &externs).args(["-A", "dead_code", "-o"]).arg(&program).output().expect("rustc starts");
        let output = if output.status.success() { Command::new(program).output().expect("it starts") } else { output };
        let error = String::from_utf8_lossy(&output.stderr);
        (!output.status.success()).then(|| format!("{}: {}\n{error}", case.display(), output.status))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// trybuild compiles without incremental compilation, and then rustc reports equal errors once. Users compile with it.
#[test]
fn each_mistake_is_one_error_with_incremental_compilation() {
    let externs = externs();
    let cases = cases("ui/fail");
    assert!(cases.len() > 400, "{}", cases.len());
    let wrong = of_each(&cases, |case| miscounted(case, &externs));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The sources in the areas of a folder.
fn cases(folder: &str) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let cases = entries(Path::new(folder)).flat_map(|area| entries(&area).collect::<Vec<_>>());
    cases.filter(|case| case.extension().is_some_and(|end| end == "rs")).collect()
}

/// Checks each case, two at a time, and returns what is wrong.
fn of_each(cases: &[PathBuf], wrong: impl Fn(&PathBuf) -> Option<String> + Sync) -> Vec<String> {
    let (first, second) = cases.split_at(cases.len() / 2);
    thread::scope(|scope| {
        let halves = [first, second].map(|half| scope.spawn(|| half.iter().filter_map(&wrong).collect::<Vec<_>>()));
        halves.map(|half| half.join().expect("no panic")).concat()
    })
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

/// rustc for a case.
fn rustc(case: &Path, externs: &[String]) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-name=case"]).args(externs).arg(case);
    rustc
}

/// Compiles a case with incremental compilation, and says so if the number of errors is not that of the recorded text.
fn miscounted(case: &Path, externs: &[String]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let output = rustc(case, externs)
        .args(["--cap-lints=allow", "--emit=metadata", "--error-format=json"])
        .arg(format!("-Cincremental={}", folder.path().join("incremental").display()))
        .arg("--out-dir")
        .arg(folder.path())
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
