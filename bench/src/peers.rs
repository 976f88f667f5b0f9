//! The processors that are compared, and how they are installed below `target/bench`.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::Outcome;
use crate::child::{Extent, Program};
use crate::page::{bench, target};

/// A processor, or the reason why it is not measured.
pub(crate) struct Peer {
    /// Its name in `--only`.
    pub(crate) key: &'static str,
    /// Its name in tables.
    pub(crate) name: &'static str,
    /// The compiler or interpreter.
    pub(crate) runs_on: String,
    pub(crate) program: Outcome<Program>,
}

/// A row of the tables.
struct Row {
    key: &'static str,
    name: &'static str,
    /// The command that prints the version of what runs it.
    version: &'static [&'static str],
    /// Installs it. The argument is the checkout of the Go binding.
    install: fn(Option<&Path>) -> Outcome<Program>,
}

const RUSTC: &[&str] = &["rustc", "--version"];
/// The commit of the Go binding, in its checkout.
const COMMIT: [&str; 4] = ["log", "-1", "--abbrev=10", "--format=, commit %h"];

const ROWS: [Row; 10] = [
    Row {
        key: "read-only",
        name: "reads and does nothing",
        version: RUSTC,
        install: |_| own("read_only").map(|program| Program { extent: Extent::Reads, ..program }),
    },
    Row {
        key: "read-decode",
        name: "reads and decodes base64",
        version: RUSTC,
        install: |_| own("read_decode").map(|program| Program { extent: Extent::Decodes, ..program }),
    },
    Row { key: "records", name: "**this project, `#[on_records]`**", version: RUSTC, install: |_| own("records") },
    Row { key: "record", name: "this project, `#[on_record]`", version: RUSTC, install: |_| own("record") },
    Row {
        key: "async",
        name: "this project, `#[on_records]` with an `async fn`",
        version: RUSTC,
        install: |_| build("awaits", "processors-tokio", &["--features", "tokio"]),
    },
    Row { key: "crates-io", name: "`kcl` 0.3.3 (crates.io)", version: RUSTC, install: |_| crates_io() },
    Row { key: "go", name: "`goguardian-go-kcl`", version: &["go", "version"], install: go },
    Row { key: "python", name: "`amazon_kclpy` 3.2.0", version: &["python3", "--version"], install: |_| python() },
    Row { key: "node", name: "`aws-kcl` 2.3.2 (Node)", version: &["node", "--version"], install: |_| node() },
    Row { key: "ruby", name: "`aws-kclrb` 3.2.0", version: &["ruby", "--version"], install: |_| ruby() },
];

/// The names that `--only` takes.
pub(crate) fn keys() -> [&'static str; ROWS.len()] {
    ROWS.map(|row| row.key)
}

/// Installs the processors that were asked for, or all of them. `checkout` is that of the Go binding.
pub(crate) fn install(only: &[String], checkout: Option<&Path>) -> Vec<Peer> {
    let wanted = ROWS.iter().filter(|row| only.is_empty() || only.iter().any(|only| only == row.key));
    let install = |row: &Row| {
        eprintln!("installing: {}", row.key);
        let program = (row.install)(checkout);
        let mut runs_on = output(Command::new(row.version[0]).args(&row.version[1..])).unwrap_or_default();
        if let ("go", Some(checkout)) = (row.key, checkout) {
            runs_on += &output(Command::new("git").arg("-C").arg(checkout).args(COMMIT)).unwrap_or_default();
        }
        Peer { key: row.key, name: row.name, runs_on, program }
    };
    wanted.map(install).collect()
}

/// One of the processors of `processors`, which is built first.
pub(crate) fn own(name: &str) -> Outcome<Program> {
    build(name, "processors", &[])
}

/// The same, with the feature `metrics`.
pub(crate) fn own_with_metrics(name: &str) -> Outcome<Program> {
    build(name, "processors-metrics", &["--features", "metrics"])
}

/// Builds a processor in a folder of its own, so that both forms of it exist at once.
fn build(name: &str, folder: &str, features: &[&str]) -> Outcome<Program> {
    let folder = target().join(folder);
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--quiet", "--release", "--package", "processors", "--bin", name, "--target-dir"]);
    output(cargo.arg(&folder).args(features).current_dir(bench()))?;
    Ok(Program::new(folder.join("release").join(name)))
}

fn crates_io() -> Outcome<Program> {
    let folder = folder("crates-io")?;
    for file in ["Cargo.toml", "src/main.rs"] {
        copy(&format!("crates-io/{file}"), &folder.join(file))?;
    }
    output(
        Command::new("cargo").args(["build", "--quiet", "--release", "--target-dir", "target"]).current_dir(&folder),
    )?;
    Ok(Program::new(folder.join("target/release/crates-io")))
}

fn go(checkout: Option<&Path>) -> Outcome<Program> {
    let checkout = checkout.ok_or("needs a checkout, named by `--go`")?;
    let checkout = checkout.canonicalize().map_err(|error| format!("{}: {error}", checkout.display()))?;
    let folder = folder("go")?;
    copy("processor.go", &folder.join("main.go"))?;
    let module = "github.com/goguardian/goguardian-go-kcl";
    let text =
        format!("module peer\n\ngo 1.21\n\nrequire {module} v0.0.0\n\nreplace {module} => {}\n", checkout.display());
    fs::write(folder.join("go.mod"), text).map_err(|error| error.to_string())?;
    output(Command::new("go").args(["build", "-mod=mod", "-o", "peer", "."]).current_dir(&folder))?;
    Ok(Program::new(folder.join("peer")))
}

fn python() -> Outcome<Program> {
    let folder = folder("python")?;
    let package = folder.join("amazon_kclpy-3.2.0");
    if !package.is_dir() {
        // An installation would download the daemon's jars, too.
        let mut pip = Command::new("python3");
        pip.args(["-m", "pip", "download", "--quiet", "--no-deps", "amazon_kclpy==3.2.0"]);
        output(pip.current_dir(&folder))?;
        output(Command::new("tar").args(["-xzf", "amazon_kclpy-3.2.0.tar.gz"]).current_dir(&folder))?;
    }
    // `python3` may be a script that chooses the interpreter, and would be measured as well.
    let interpreter = output(Command::new("python3").args(["-c", "import sys; print(sys.executable)"]))?;
    Ok(interpreted(&interpreter, "processor.py", "PYTHONPATH", &package))
}

fn node() -> Outcome<Program> {
    let folder = folder("node")?;
    let modules = folder.join("node_modules");
    if !modules.is_dir() {
        output(
            Command::new("npm").args(["install", "--silent", "--prefix", ".", "aws-kcl@2.3.2"]).current_dir(&folder),
        )?;
    }
    Ok(interpreted("node", "processor.js", "NODE_PATH", &modules))
}

fn ruby() -> Outcome<Program> {
    let folder = folder("ruby")?;
    if !folder.join("gems").is_dir() {
        let mut gem = Command::new("gem");
        gem.args(["install", "--no-document", "--install-dir", ".", "aws-kclrb", "--version", "3.2.0"]);
        output(gem.current_dir(&folder))?;
    }
    Ok(interpreted("ruby", "processor.rb", "GEM_PATH", &folder))
}

fn interpreted(interpreter: &str, processor: &str, variable: &'static str, path: &Path) -> Program {
    let mut program = Program::new(interpreter);
    program.arguments.push(bench().join("peers").join(processor).into());
    program.variables.push((variable, path.into()));
    program
}

/// The folder of one peer, which is created.
fn folder(name: &str) -> Outcome<PathBuf> {
    let folder = target().join(name);
    fs::create_dir_all(folder.join("src")).map_err(|error| format!("{}: {error}", folder.display()))?;
    Ok(folder)
}

/// Copies a file of `peers`.
fn copy(from: &str, to: &Path) -> Outcome<()> {
    fs::copy(bench().join("peers").join(from), to).map(drop).map_err(|error| format!("{from}: {error}"))
}

/// Runs a command to its end and returns what it prints.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let name = Path::new(command.get_program()).file_name().unwrap_or(OsStr::new("")).display().to_string();
    let output = command.stdin(Stdio::null()).output().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("`{name}` is not installed"),
        _ => format!("{name}: {error}"),
    })?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let errors = text(&output.stderr);
    let last = errors.lines().last().unwrap_or_default();
    // The page names no host.
    let reason = last.split_once(" from http").map_or(last, |(before, _)| before).trim();
    Err(format!("{name}: {}: {reason}", output.status))
}
