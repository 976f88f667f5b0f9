//! `cargo kcl new`: the project builds, passes its tests and runs, and existing files are left alone.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;
use std::{fs, str};

use tests::workspace;

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));

/// A command in this folder, with dependencies that were built before, in the versions of this workspace.
fn command(program: impl AsRef<Path>, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.env("CARGO_TARGET_DIR", Path::new(env!("CARGO_TARGET_TMPDIR")).join("fixtures"));
    command.env("CARGO_NET_OFFLINE", "true");
    command
}

fn new(arguments: &[&str], folder: &Path) -> Output {
    command(&*TOOL, &[&["new"], arguments].concat(), folder).output().expect("the tool starts")
}

/// Asserts the exit code, and that stderr contains this text.
#[track_caller]
fn expect(output: &Output, code: i32, expected: &str) {
    let stderr = str::from_utf8(&output.stderr).expect("stderr is UTF-8");
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(stderr.contains(expected), "`{expected}` is not in:\n{stderr}");
}

#[test]
fn a_project_in_a_broken_workspace_is_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\nmembers = [\"gone\"]\nresolver = \"3\"\n").unwrap();
    let source = ["orders", "--git", "https://example.org/kcl.git"];
    expect(&new(&source, folder.path()), 0, "cargo test");
    let manifest = fs::read_to_string(folder.path().join("orders/Cargo.toml")).unwrap();
    assert!(manifest.ends_with("[workspace]\n"), "{manifest}");
}

#[test]
fn a_new_project_builds_passes_its_tests_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("with a space");
    fs::create_dir(&folder).unwrap();
    let kcl = workspace().join("kcl");
    expect(&new(&["orders", "--path", kcl.to_str().unwrap()], &folder), 0, "created a processor in orders");
    let project = folder.join("orders");
    fs::copy(workspace().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();

    let tested = command(env!("CARGO"), &["test", "--quiet"], &project).output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    assert!(String::from_utf8_lossy(&tested.stdout).contains("3 passed"), "{tested:?}");

    let formatted = |arguments: &[&str]| command(env!("CARGO"), arguments, &project).output().unwrap();
    // A toolchain may lack rustfmt.
    if formatted(&["fmt", "--version"]).status.success() {
        let checked = formatted(&["fmt", "--check"]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    }

    let local = ["local", "--input", "orders.jsonl", "--key", "/customer", "--shards", "2"];
    let ran = command(&*TOOL, &local, &project).output().unwrap();
    expect(&ran, 0, "[0] shardId-000000000000: alice pays 1300 cents\n");
    expect(&ran, 0, "[1] shardId-000000000001: bob pays 1000 cents\n");
    expect(&ran, 0, "6 records");
}

#[test]
fn a_project_inside_a_workspace_is_its_own_workspace() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("Cargo.toml"), "[workspace]\nresolver = \"3\"\n").unwrap();
    // The folder of a clone works as well as that of `kcl` in it.
    expect(&new(&["orders", "--path", workspace().to_str().unwrap()], folder.path()), 0, "cargo test");
    let project = folder.path().join("orders");
    let root = command(env!("CARGO"), &["locate-project", "--workspace"], &project).output().unwrap();
    assert!(String::from_utf8_lossy(&root.stdout).contains("orders/Cargo.toml"), "{root:?}");
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    assert!(manifest.contains("remove this and list it in `members` there"), "{manifest}");
}

#[test]
fn a_project_that_a_workspace_covers_is_a_member() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    write("Cargo.toml", "[workspace]\nmembers = [\"crates/*\", \"tools/orders\"]\nresolver = \"3\"\n");
    for (place, name) in [("crates/first", "first"), ("tools/orders", "orders")] {
        write(&format!("{place}/Cargo.toml"), &format!("[package]\nname = \"{name}\"\nedition = \"2024\"\n"));
        write(&format!("{place}/src/lib.rs"), "");
    }
    let source = ["--git", "https://example.org/kcl.git"];
    let workspace = |place: &Path| {
        let arguments = ["metadata", "--no-deps", "--format-version", "1"];
        let found = command(env!("CARGO"), &arguments, place).output().unwrap();
        expect(&found, 0, "");
        let found: serde_json::Value = serde_json::from_slice(&found.stdout).unwrap();
        (found["workspace_root"].as_str().unwrap().to_owned(), found["packages"].as_array().unwrap().len())
    };
    let root = workspace(folder).0;
    expect(&new(&[&["crates/revenue"][..], &source].concat(), folder), 0, "cargo test");
    assert_eq!(workspace(folder), (root.clone(), 3));
    assert_eq!(workspace(&folder.join("crates/revenue")), (root.clone(), 3));

    // A place that the pattern does not cover.
    expect(&new(&[&["more/revenue"][..], &source].concat(), folder), 0, "cargo test");
    assert_eq!(workspace(folder), (root.clone(), 3));
    assert_ne!(workspace(&folder.join("more/revenue")).0, root);

    // The workspace cannot have two packages of this name.
    let refused = "the workspace around it does not accept it: two packages named `orders` in this workspace";
    expect(&new(&[&["crates/orders"][..], &source].concat(), folder), 2, refused);
    assert!(!folder.join("crates/orders").exists());
    assert_eq!(workspace(folder), (root, 3));
}

#[test]
fn the_next_command_runs_a_tool_that_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let (bin, clone) = (folder.path().join("bin"), folder.path().join("clone"));
    fs::create_dir(&bin).unwrap();
    for file in ["cargo-kcl/Cargo.toml", ".cargo/config.toml"].map(|file| clone.join(file)) {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, "").unwrap();
    }
    symlink(&*TOOL, bin.join("cargo-kcl")).unwrap();
    // Not installed, installed, and installed but hidden by the alias of a clone.
    for (name, path, place, is_installed) in [
        ("a", "", folder.path(), false),
        ("b", bin.to_str().unwrap(), folder.path(), true),
        ("c", bin.to_str().unwrap(), &clone, false),
    ] {
        let mut new = command(&*TOOL, &["new", name, "--git", "https://example.org/kcl.git"], place);
        let made = new.env("PATH", path).env("CARGO", env!("CARGO")).output().unwrap();
        let printed = str::from_utf8(&made.stderr).unwrap();
        let next = printed.lines().find(|line| line.contains(" local --input orders.jsonl")).expect(printed);
        assert_eq!(next.starts_with("  cargo kcl local"), is_installed, "{printed}");
        assert_eq!(next.contains("/cargo-kcl"), !is_installed, "{printed}");
    }
}

#[test]
fn an_impossible_project_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let here = workspace().to_str().unwrap();
    for (arguments, expected) in [
        (&["orders"][..], "--path DIR, or its repository with --git URL"),
        (&["orders", "--path", "nowhere"], "nowhere is not the folder of `kcl`"),
        (&["orders", "--git", "here"], "cargo does not accept `here` as a URL"),
        (&["orders", "--path", here, "--git", "https://example.org/kcl"], "cannot be used with"),
        (&["2fast", "--path", here], "`2fast` is not a valid package name: it must start with a letter"),
        (&["fn", "--path", here], "it is a Rust keyword; try `fn-processor`"),
    ] {
        expect(&new(arguments, folder.path()), 2, expected);
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    fs::write(folder.path().join("file"), "").unwrap();
    let expected = "file/orders cannot be written: ";
    expect(&new(&["file/orders", "--path", here], folder.path()), 2, expected);

    let project = folder.path().join("orders");
    fs::create_dir(&project).unwrap();
    fs::write(project.join("mine"), "mine").unwrap();
    expect(&new(&["orders", "--path", here], folder.path()), 2, "orders already exists");
    assert_eq!(fs::read_dir(&project).unwrap().count(), 1);
}

#[test]
fn a_repository_can_be_named() {
    let folder = tempfile::tempdir().unwrap();
    expect(
        &new(&["orders", "--git", "https://example.org/kcl.git"], folder.path()),
        0,
        "created a processor in orders",
    );
    let manifest = fs::read_to_string(folder.path().join("orders/Cargo.toml")).unwrap();
    assert!(
        manifest.contains("kcl = { git = \"https://example.org/kcl.git\", features = [\"metrics\"] }\n"),
        "{manifest}"
    );
}

const WITH_ASYNC_HANDLERS: &str = "
use kcl::{AsyncCheckpointer, Record, Shard};

struct Count(u64);

#[kcl::processor]
impl Count {
    #[on_init]
    async fn open(_: &Shard) -> Self {
        Count(0)
    }

    #[on_record]
    async fn count(&mut self, _: &Record, _: &mut AsyncCheckpointer) {
        self.0 += 1;
    }

    #[on_shard_end]
    fn report(&self) {
        eprintln!(\"{} records\", self.0);
    }
}
";

#[test]
fn async_handlers_need_a_feature_and_the_error_says_so_once() {
    let folder = tempfile::tempdir().unwrap();
    expect(&new(&["count", "--path", workspace().to_str().unwrap()], folder.path()), 0, "cargo test");
    let project = folder.path().join("count");
    fs::copy(workspace().join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    fs::write(project.join("src/main.rs"), WITH_ASYNC_HANDLERS).unwrap();
    let check = || command(env!("CARGO"), &["check"], &project).output().unwrap();
    let without = check();
    expect(
        &without,
        101,
        "error[E0277]: an `async` handler needs the feature `tokio` of `kcl`\n --> src/main.rs:9:5\n",
    );
    expect(&without, 101, "`kcl = { path = \"...\", features = [\"tokio\"] }`");
    expect(&without, 101, "due to 1 previous error");
    let manifest = fs::read_to_string(project.join("Cargo.toml")).unwrap();
    let turned_on = manifest.replacen("[\"metrics\"]", "[\"metrics\", \"tokio\"]", 1);
    fs::write(project.join("Cargo.toml"), turned_on).unwrap();
    expect(&check(), 0, "Finished");
}
