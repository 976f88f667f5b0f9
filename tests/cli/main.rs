//! The tool's words, compared literally: the help of every verb, and the errors for wrong usage and bad input.
//!
//! `UPDATE_SNAPSHOTS=1 cargo test -p tests --test cli` rewrites the files in `snapshots`. Review their diff.

mod installed;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;
use std::{env, fs};

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));

/// The tool's output for these arguments in a folder, and its exit code.
fn output_of(arguments: &[&str], folder: &Path) -> String {
    let mut command = Command::new(&*TOOL);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).env("NO_COLOR", "1");
    // They would appear in the help, and act as options.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("KCL_")) {
        command.env_remove(name);
    }
    let output = command.output().expect("the tool starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    let code = output.status.code().expect("no signal ends it");
    let all = format!("{stdout}{stderr}[exit code {code}]\n");
    // The tool knows the clone that it was built from.
    let clone = tests::workspace().canonicalize().expect("it is there");
    let all = all.replace(clone.to_str().expect("a path in UTF-8"), "CLONE");
    all.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// Compares with the snapshot of this name, or updates it.
fn check(name: &str, now: &str) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("cli/snapshots").join(name);
    if env::var_os("UPDATE_SNAPSHOTS").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
        fs::write(&path, now).expect("it can be written");
        return Ok(());
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let differs = kept.lines().zip(now.lines()).position(|(kept, now)| kept != now);
    match differs.or((kept != now).then(|| kept.lines().count().min(now.lines().count()))) {
        None => Ok(()),
        Some(line) => Err(format!(
            "{name}, line {}:\n  kept: {}\n  now:  {}",
            line + 1,
            kept.lines().nth(line).unwrap_or("the end"),
            now.lines().nth(line).unwrap_or("the end"),
        )),
    }
}

#[track_caller]
fn assert_none_differs(checks: Vec<Result<(), String>>) {
    let differences: Vec<_> = checks.into_iter().filter_map(Result::err).collect();
    assert!(
        differences.is_empty(),
        "{}\nif this is intended: UPDATE_SNAPSHOTS=1 cargo test -p tests --test cli",
        differences.join("\n")
    );
}

/// The verbs that a help page lists.
fn verbs(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    // Text that does not fit on a line continues on the next one, with a deeper indentation.
    let names = listed.filter_map(|line| line.strip_prefix("  ")?.split(' ').next());
    names.filter(|name| !name.is_empty()).filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Compares the help of this verb, and of the verbs below it.
fn check_help(of: &[&str], checks: &mut Vec<Result<(), String>>) {
    let help = output_of(&[of, &["--help"]].concat(), Path::new("."));
    let name = if of.is_empty() { "cargo-kcl".to_owned() } else { of.join("-") };
    checks.push(check(&format!("help/{name}.txt"), &help));
    if !help.contains("Exit codes: ") && of.len() < 2 {
        checks.push(Err(format!("the help of {name} lists no exit codes")));
    }
    for verb in verbs(&help) {
        check_help(&[of, &[&verb]].concat(), checks);
    }
}

#[test]
fn every_verb_has_its_help() {
    let mut checks = Vec::new();
    check_help(&[], &mut checks);
    assert!(checks.len() > 6, "verbs were found");
    assert_none_differs(checks);
}

/// Wrong arguments, by verb. Each line is run in a folder with the files that [`errors_say_what_to_do`] creates.
const WRONG: &[(&str, &[&str])] = &[
    (
        "cargo-kcl",
        &[
            "",
            "locl",
            "--vrsion",
            "local --help-me",
            "run",
            "deploy",
            "init shop",
            "test",
            "consume",
            "version",
            "input",
            "--input input",
            "help run",
            "unheard-of",
        ],
    ),
    (
        "local",
        &[
            "local",
            "local input",
            "local orders.jsonl",
            "local --input input folder/input",
            "local sh",
            "local orders",
            "local -i input",
            "local --input",
            "local -input input",
            "local -shards 2 --input input",
            "local –input input",
            "local --input input /bin/sh",
            "local --input=~/orders.jsonl -- true",
            "local --input https://example.org/orders.jsonl -- true",
            "local --input input,more -- true",
            "local --input input --limit 10k -- true",
            "local --chaos --input input -- true",
            "local --file=input",
            "local --input input --reset -- true",
            "local --input input --app my orders",
            "local --input input --locked",
            "local --input input --profile prod -- true",
            "local --input input --aws-profile prod -- true",
            "local --shards 2 -- true",
            "local --input missing -- true",
            "local --input folder -- true",
            "local --input input -- no-such-command",
            "local --input input -- --shards 2",
            "local --input input -- ./input",
            "local --input input --shards 0 -- true",
            "local --input input --shards many -- true",
            "local --input input --max-records 10001 -- true",
            "local --input input --shard 2 -- true",
            "local --input input --key customer -- true",
            "local --input input --key a.b -- true",
            "local --input input --key $.a -- true",
            "local --input input --key /a~2 -- true",
            "local --input input --format csv -- true",
            "local --input input --format json --key /k -- true",
            "local --input input --format aws --key /k -- true",
            "local --input input --key-missing number -- true",
            "local --input gzip -- true",
            "local --input utf16 -- true",
            "local --input input --from latest -- true",
            "local --input input --from yesterday -- true",
            "local --input input --from 1769860800 -- true",
            "local --input input --from 2026-01-31T12:00:00 -- true",
            "local --input input --from 2026-02-30 -- true",
            "local --input input --from -2h -- true",
            "local --input input --from -2 -- true",
            "local --input - --follow -- true",
            "local --input - --input - -- true",
            "local --input - --restarts 1 -- true",
            "local --input - --jobs 1 --shards 2 -- true",
            "local --input input --stuck-after soon -- true",
            "local --input input --stuck-after 30 -- true",
            "local --input input --stuck-after 5parsecs -- true",
            "local --input input --empty-every 0s -- true",
            "local --input input --reshard half@7 -- true",
            "local --input input --reshard split@9,merge@8 -- true",
            "local --input input --reshard merge@1 -- true",
            "local --input input --app a/b -- true",
            "local --input input --state input -- true",
            "local --input input --rewind 0=TRIM_HORIZON -- true",
            "local --input input --rewind first -- true",
            "local --input input --app new --state state --rewind 0=TRIM_HORIZON -- true",
            "local --input input --example e --bin b",
            "local --input input --features pg -- true",
            "local --show-checkpoints",
            "local --show-checkpoints --app none --state state",
            "local --input input --state garbage --app garbage -- true",
        ],
    ),
    (
        "daemon",
        &[
            "daemon",
            "daemon orders",
            "daemon orders.properties",
            "daemon --stream orders -- true",
            "daemon --emulate --input input folder/input",
            "daemon --stream orders --emulate --aws-profile prod",
            "daemon --stream orders --app revenue -- true it's",
            "daemon --stream orders --from 2026-01-31T12:00:00.5Z -- true",
            "daemon --stream orders --from -500ms -- true",
            "daemon --input input -- true",
            "daemon --emulate --format json -- true",
            "daemon --emulate --input missing -- true",
            "daemon --stream orders --app revenue --maven-repository repository.example -- true",
            "daemon --stream orders --app revenue --daemon-lock input -- true",
        ],
    ),
    (
        "emulate",
        &[
            "emulate orders",
            "emulate --profile prod",
            "emulate --input input",
            "emulate --stream orders --key /customer",
            "emulate --stream orders --input input --key-missing number",
            "emulate --stream orders --input input --format json --key /customer",
            "emulate --stream orders --input missing",
            "emulate --stream a,b",
        ],
    ),
    (
        "put",
        &[
            "put",
            "put orders input",
            "put --stream orders --input input",
            "put --stream orders --profile prod input",
            "put --stream a/b input",
        ],
    ),
    (
        "tail",
        &[
            "tail",
            "tail orders",
            "tail --stream orders --profile prod",
            "tail --stream orders --release",
            "tail --stream orders --from -2",
        ],
    ),
    (
        "stream",
        &[
            "stream",
            "stream list",
            "stream --stream orders",
            "stream describe",
            "stream orders",
            "stream create",
            "stream create a:b",
            "stream split orders",
            "stream merge orders 0",
        ],
    ),
    (
        "leases",
        &[
            "leases",
            "leases orders",
            "leases --application revenue",
            "leases --app revenue --profile prod",
            "leases --app revenue --release",
            "leases --app revenue --failover 10",
            "leases --app revenue --yes",
            "leases --app revenue --rewind 0",
            "leases --app revenue --rewind 0=LATEST",
            "leases --app revenue --rewind 0=77",
            "leases --app revenue --rewind 0=yesterday",
            "leases --app revenue --rewind first=TRIM_HORIZON",
            "leases --app revenue --rewind 0=TRIM_HORIZON --no-wait",
            "leases --properties missing",
            "leases --properties properties",
            "lease",
        ],
    ),
    ("why", &["why", "why 3", "why --app revenue --shard first", "why --properties missing", "doctor"]),
    (
        "check",
        &[
            "check",
            "check --file properties",
            "check --profile prod properties",
            "check missing",
            "check --list properties",
            "check properties",
            "check --daemon-lock missing properties",
        ],
    ),
    (
        "new",
        &[
            "new",
            "new orders",
            "new 2fast --path .",
            "new fn --path .",
            "new orders --path .",
            "new orders --git here",
            "new folder --git https://example.org/kcl.git",
        ],
    ),
    (
        "replay",
        &[
            "replay",
            "replay --input folder",
            "replay missing -- true",
            "replay folder -- true",
            "replay --stuck-after 0 folder -- true",
        ],
    ),
];

#[test]
fn errors_say_what_to_do() {
    let mut checks = Vec::new();
    for (verb, lines) in WRONG {
        let mut all = String::new();
        for line in *lines {
            let folder = tempfile::tempdir().expect("a folder");
            fs::create_dir_all(folder.path().join("folder")).expect("it can be made");
            fs::create_dir_all(folder.path().join("garbage")).expect("it can be made");
            let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("it can be written");
            write("input", "1\n");
            write("garbage/garbage.redb", "this is no database");
            fs::write(folder.path().join("gzip"), b"\x1f\x8b\x08\x00\n").expect("it can be written");
            fs::write(folder.path().join("utf16"), b"\xff\xfe1\0\n\0").expect("it can be written");
            write("properties", "streamname = words\nshutdownGraceMillis = soon\n");
            let arguments: Vec<_> = line.split_whitespace().collect();
            let output = output_of(&arguments, folder.path());
            _ = write!(all, "$ cargo kcl {line}\n{output}\n");
        }
        checks.push(check(&format!("errors/{verb}.txt"), &all));
    }
    assert_none_differs(checks);
}

/// In the clone, a command that names no program starts none. A binary of the default members would be taken for the processor.
#[test]
fn the_clone_has_no_binary_to_run() {
    let output = output_of(&["local", "--input", "examples/data/orders.jsonl"], tests::workspace());
    assert!(
        output.contains("there is no binary to run here; choose an example with --example NAME (by_hand, "),
        "{output}"
    );
}
