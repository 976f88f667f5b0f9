//! The verbs that need a feature, run through a build that has none.

use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

use crate::{TOOL, assert_none_differs, check};

/// A build with the features of the clone's alias. In the clone's target folder it would replace the complete tool.
static BARE: LazyLock<PathBuf> = LazyLock::new(|| {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bare");
    let target = target.to_str().expect("the path is UTF-8");
    tests::build(&["--package", "cargo-kcl", "--no-default-features", "--target-dir", target])
});

/// A folder with a tool in it, and nothing else.
fn with_tool(tool: &Path) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    symlink(tool, folder.path().join("cargo-kcl")).expect("it can be linked to");
    folder
}

/// A folder with a script as the tool, which prints this for `--version`.
fn with_script(version: &str, script: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("cargo-kcl");
    let text = format!("#!/bin/sh\nif [ \"$1\" = --version ]; then echo '{version}'; exit; fi\n{script}\n");
    // A process that this one starts meanwhile must not inherit the open file, or it could not be executed.
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "printf %s \"$0\" > \"$1\" && chmod +x \"$1\""]).arg(text).arg(path);
    assert!(shell.status().expect("a shell").success());
    folder
}

/// Runs the bare build where only the tools in these folders are installed.
fn bare(arguments: &[&str], path: &[&Path]) -> Output {
    let none = tempfile::tempdir().expect("a folder");
    let mut command = Command::new(&*BARE);
    command.args(arguments).current_dir(none.path());
    command.env("PATH", std::env::join_paths(path).expect("a path")).env("CARGO_HOME", none.path());
    command.env("KCL_TEST_MARK", "marked").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the tool starts");
    // A tool that does not read its input may be gone already.
    _ = child.stdin.take().expect("piped").write_all(b"input");
    child.wait_with_output().expect("it ends")
}

fn own_version(features: &str) -> String {
    format!("cargo-kcl {} (features: {features})", env!("CARGO_PKG_VERSION"))
}

const VERBS: [&[&str]; 8] = [
    &["put", "--stream", "orders"],
    &["tail", "--stream", "orders", "--aws-profile", "prod"],
    &["stream", "describe", "orders"],
    &["leases", "--app", "revenue", "--rewind", "0=TRIM_HORIZON"],
    &["why", "--app", "revenue"],
    &["top", "--once"],
    &["health", "--app", "revenue"],
    &["local", "--stream", "orders", "--features", "a,b", "--bin", "orders", "--", "--table", "x"],
];

#[test]
fn the_installed_tool_of_the_same_version_is_run() {
    let old = with_script("cargo-kcl 0.0.1", "exit 9");
    let installed =
        with_script(&own_version("aws, metrics"), "printf '<%s>' \"$@\"; /bin/cat; echo $KCL_TEST_MARK >&2; exit 7");
    for verb in VERBS {
        let output = bare(verb, &[old.path(), installed.path()]);
        let arguments: String = verb.iter().map(|argument| format!("<{argument}>")).collect();
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{arguments}input"));
        assert_eq!((&*String::from_utf8_lossy(&output.stderr), output.status.code()), ("marked\n", Some(7)));
    }
    // As `cargo kcl` would start it, and where `cargo install` would put it.
    let home = tempfile::tempdir().expect("a folder");
    symlink(installed.path(), home.path().join("bin")).expect("it can be linked to");
    let mut command = Command::new(&*BARE);
    command
        .args(["kcl", "tail", "--stream", "orders", "--aws-profile", "a b"])
        .env("PATH", "")
        .env("CARGO_HOME", home.path());
    let output = command.stdin(Stdio::null()).output().expect("the tool starts");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "<tail><--stream><orders><--aws-profile><a b>");

    let killed = with_script(&own_version("aws, metrics"), "kill -9 $$");
    assert_eq!(bare(VERBS[0], &[killed.path()]).status.signal(), Some(9));
}

#[test]
fn the_complete_tool_is_known_by_its_version() {
    let version = |tool: &Path| Command::new(tool).arg("--version").output().expect("the tool starts").stdout;
    assert_eq!(String::from_utf8_lossy(&version(&TOOL)), own_version("aws, metrics") + "\n");
    assert_eq!(String::from_utf8_lossy(&version(&BARE)), own_version("none") + "\n");

    let output = bare(&["put", "--stream", "orders", "missing"], &[with_tool(&TOOL).path()]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.starts_with("cargo kcl: missing"), "{stderr}");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn without_the_complete_tool_a_line_says_how_to_install_it() {
    let folders = [
        ("no tool is installed", tempfile::tempdir().expect("a folder")),
        ("the installed tool is another version", with_script("cargo-kcl 0.0.1 (features: aws)", "exit 9")),
        ("the installed tool lacks the feature", with_script(&own_version("aws"), "exit 9")),
        ("the installed tool is the bare build itself", with_tool(&BARE)),
        ("another program has the tool's name", with_script("cargo 1.95.0", "exit 9")),
    ];
    let clone = tests::workspace().canonicalize().expect("the workspace");
    let mut all = String::new();
    for (what, folder) in &folders {
        for verb in VERBS {
            let output = bare(verb, &[folder.path()]);
            let text = String::from_utf8(output.stderr).expect("stderr is UTF-8");
            assert_eq!((text.lines().count(), output.stdout.len(), output.status.code()), (1, 0, Some(2)), "{text}");
            let text = text.replace(clone.to_str().expect("UTF-8"), "CLONE");
            let text = text.replace(folder.path().to_str().expect("UTF-8"), "BIN");
            let text = text.replace(env!("CARGO_PKG_VERSION"), "VERSION");
            if verb == VERBS[0] {
                _ = writeln!(all, "# {what}\n{text}");
            } else {
                assert!(all.ends_with(&format!("# {what}\n{text}\n")), "{text}");
            }
        }
    }
    assert_none_differs(vec![check("errors/installed.txt", &all)]);
}
