//! Correct uses of `#[kcl::processor]` compile and run, and each mistake causes one error that says what to do.
//!
//! Each case is a trial, so `cargo test -p tests --test ui -- two-impls` compiles the cases with this name. After a change of the messages,
//! run `UPDATE_SNAPSHOTS=1 cargo test -p tests --test ui`, review the changed `.stderr` files, and run
//! `UPDATE_ERRORS=1 cargo test -p tests --test errors_page`.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::LazyLock;
use std::{env, fs, str};

use libtest_mimic::{Arguments, Failed, Trial};
use serde_json::Value;
use tests::workspace;

/// The dependencies of the cases, which are built once.
static EXTERNS: LazyLock<Vec<String>> = LazyLock::new(externs);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for case in cases("ui/pass") {
        trials.push(Trial::test(name(&case), move || passes(&case)));
    }
    let failing = cases("ui/fail");
    assert!(failing.len() > 400, "{}", failing.len());
    for case in failing {
        // The `.stderr` files are those of Rust 1.95.
        let is_ignored = !cfg!(toolchain_of_the_error_texts);
        trials.push(Trial::test(name(&case), move || fails(&case)).with_ignored_flag(is_ignored));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The sources in the areas of a folder.
fn cases(folder: &str) -> Vec<PathBuf> {
    let entries = |folder: &Path| fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut cases: Vec<_> = entries(Path::new(folder)).flat_map(|area| entries(&area).collect::<Vec<_>>()).collect();
    cases.retain(|case| case.extension().is_some_and(|end| end == "rs"));
    cases.sort();
    cases
}

/// The name of a trial, such as `fail/placement/two-impls`.
fn name(case: &Path) -> String {
    case.with_extension("").display().to_string().trim_start_matches("ui/").to_owned()
}

/// The options that give a case its dependencies: those of this package.
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
fn rustc(case: &Path) -> Command {
    let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition=2024", "--crate-name=case", "--diagnostic-width=140", "--cap-lints=allow"]);
    // cargo compiled the dependencies there, so that rustc finds the sources that an error shows.
    rustc.current_dir(workspace()).args(&*EXTERNS).arg(Path::new("tests").join(case));
    rustc
}

/// Compiles and runs a case.
fn passes(case: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let program = folder.path().join("case");
    let output = rustc(case).arg("-o").arg(&program).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let output = Command::new(program).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{}\n{}", output.status, String::from_utf8_lossy(&output.stderr)).into()),
    }
}

/// Compares the errors of a case with the recorded text.
fn fails(case: &Path) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    // Users compile incrementally. Otherwise, rustc reports equal errors once.
    let output = rustc(case)
        .arg(format!("-Cincremental={}", folder.path().join("incremental").display()))
        .args(["--emit=metadata", "--error-format=json", "--out-dir"])
        .arg(folder.path())
        .output()?;
    let messages = String::from_utf8_lossy(&output.stderr);
    let errors: Vec<Value> = messages.lines().flat_map(serde_json::from_str::<Value>).filter(is_error).collect();
    let texts: Vec<_> = errors.iter().filter_map(|error| error["rendered"].as_str()).map(normalized).collect();
    let text = format!("{}\n", texts.join("\n\n"));
    let path = case.with_extension("stderr");
    let recorded = fs::read_to_string(&path).unwrap_or_default();
    if without_margins(&text) == without_margins(&recorded) && !errors.is_empty() {
        return Ok(());
    }
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        return Ok(fs::write(path, text)?);
    }
    Err(format!("recorded:\n\n{recorded}\nnow, {} errors:\n\n{text}", errors.len()).into())
}

fn is_error(message: &Value) -> bool {
    // The last message only counts the others.
    message["level"] == "error" && message["spans"].as_array().is_some_and(|spans| !spans.is_empty())
}

/// The text of an error without what changes with other code of the workspace: the numbers of its lines.
fn normalized(text: &str) -> String {
    let mut lines = Vec::new();
    let mut is_elsewhere = false;
    for line in text.trim().lines() {
        let line = line.replace("in crate `case`", "in crate `$CRATE`").replace("tests/ui/", "ui/");
        // An excerpt ends where the next note begins.
        is_elsewhere &= line.starts_with(|first: char| " .".contains(first) || first.is_ascii_digit());
        match (line.split_once("--> "), is_elsewhere) {
            (Some((margin, place)), _) => {
                is_elsewhere = !place.starts_with("ui/");
                lines.push(match place.split_once(':') {
                    Some((file, _)) if is_elsewhere => format!("{margin}--> $WORKSPACE/{file}"),
                    _ => line.clone(),
                });
            }
            (None, true) => lines.push(without_number(&line)),
            (None, false) => lines.push(line),
        }
    }
    lines.join("\n")
}

/// A line of an excerpt without its number.
fn without_number(line: &str) -> String {
    match line.split_once('|') {
        Some((margin, code))
            if !margin.is_empty() && margin.chars().all(|char| char.is_ascii_digit() || char == ' ') =>
        {
            format!("{}|{code}", " ".repeat(margin.len()))
        }
        _ => line.to_owned(),
    }
}

/// A text without the margins of its lines, whose width depends on the longest number of a line.
fn without_margins(text: &str) -> String {
    text.lines().map(str::trim_start).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}
