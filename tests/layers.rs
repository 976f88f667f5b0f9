//! The rooms of `cargo-kcl` import from the rooms below them only; and other rules for whole folders of sources.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms of `cargo-kcl/src` from the top, floor by floor. A file imports from its own room and from lower floors.
const FLOORS: [&str; 25] = [
    "main",
    "lib",
    "cli usage",
    "hints",
    "daemon health installed leases local new put replay stream tail top why",
    "local::supervise",
    "local::watchers",
    "local::options",
    "local::error",
    "local::display",
    "local::chaos",
    "local::shard",
    "local::timeline",
    "local::source",
    "local::state",
    "local::event local::place",
    "daemon_log emulate lease_table",
    "properties",
    "metrics recording",
    "cache kinesis",
    "input process",
    "args",
    "report",
    "signals",
    "backoff disk exit threads waiting",
];

/// The floor and the name of the room that a module path such as `local::shard::pulse` lies in.
fn room(path: &str) -> Option<(usize, &'static str)> {
    let rooms = FLOORS.iter().enumerate().flat_map(|(floor, rooms)| rooms.split(' ').map(move |room| (floor, room)));
    let holds = |room: &str| {
        path.strip_prefix(room).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    rooms.filter(|(_, room)| holds(room)).max_by_key(|(_, room)| room.len())
}

/// The module paths that a line of `module` names.
fn named(line: &str, module: &str) -> Vec<String> {
    let code = line.split("//").next().unwrap_or_default();
    let absolute = code.split("crate::").skip(1).map(str::to_owned);
    let parent = module.rsplit_once("::").map_or("", |(parent, _)| parent);
    let relative = code.split("super::").skip(1).map(|path| format!("{parent}::{path}"));
    absolute.chain(relative).collect()
}

fn check(folder: &Path, module: &str, offences: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let inner = if name == "mod" { module.to_owned() } else { format!("{module}::{name}") };
        let inner = inner.trim_start_matches(':');
        if path.is_dir() {
            check(&path, inner, offences);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("template/main.rs") {
            let Some((floor, own)) = room(inner) else { panic!("{inner} is not among the floors of tests/layers.rs") };
            let text = fs::read_to_string(&path).expect("a source file");
            // The module that `super` is the parent of, which for mod.rs is the folder's own.
            let lines = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default().lines().enumerate();
            let higher = lines.filter(|(_, line)| {
                named(line, inner).iter().filter_map(|path| room(path)).any(|(to, other)| other != own && to <= floor)
            });
            offences.extend(higher.map(|(at, line)| format!("{}:{}: {}", path.display(), at + 1, line.trim())));
        }
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn threads_are_started_in_a_way_that_can_fail() {
    let mut found = Vec::new();
    sources(&tests::workspace().join("cargo-kcl/src"), &mut found);
    assert!(!found.is_empty());
    for path in found {
        let text = fs::read_to_string(&path).expect("a source file");
        let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
        for panics in ["thread::spawn(", "scope.spawn("] {
            assert!(
                !code.contains(panics),
                "{}: {panics} panics if the system refuses; use threads::spawn",
                path.display()
            );
        }
    }
}

#[test]
fn a_conversation_has_one_clock() {
    let mut found = Vec::new();
    let sources_of_kcl = tests::workspace().join("kcl/src");
    sources(&sources_of_kcl, &mut found);
    // The thread that copies printed text belongs to the process, not to a conversation. Nothing that can be seen depends on the hashes
    // of partition keys, which are random so that no producer can make them collide. The test kit reads the paused clock of tokio.
    let exempt = ["clock.rs", "runtime/clock.rs", "io/inner_pipe.rs", "runner/shared/keys.rs", "testing/tasks.rs"]
        .map(|path| sources_of_kcl.join(path));
    for path in found.iter().filter(|path| !exempt.contains(path)) {
        let text = fs::read_to_string(path).expect("a source file");
        for own in ["Instant::now", "thread::sleep", "RandomState"] {
            assert!(!text.contains(own), "{}: {own} belongs in kcl/src/clock.rs", path.display());
        }
    }
}

#[test]
fn a_room_imports_from_lower_floors_only() {
    let mut offences = Vec::new();
    check(&tests::workspace().join("cargo-kcl/src"), "", &mut offences);
    assert!(offences.is_empty(), "these lines import from the same floor or a higher one:\n{}", offences.join("\n"));
}
