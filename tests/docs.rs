//! The documents name what exists: links lead somewhere, and `ARCHITECTURE.md` lists every file and no other.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use tests::workspace;

/// The folders whose files `ARCHITECTURE.md` lists.
const LISTED: [&str; 7] =
    ["kcl/src", "kcl-macros/src", "cargo-kcl/src", "tests", "bench/src", "bench/processors", "bench/peers"];

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The Markdown files of the root folder and of `docs`.
fn pages() -> Vec<PathBuf> {
    let folders = [workspace().to_owned(), workspace().join("docs")];
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("readable"));
    let mut pages: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    pages.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    pages
}

/// The lines of a page outside its code blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    let mut in_code = false;
    page.lines().filter(move |line| {
        let fence = line.starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

/// The anchors of a page's headings, as GitHub makes them.
fn anchors(page: &str) -> BTreeSet<String> {
    let headings = prose(page).filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let kept = |char: char| char.is_alphanumeric() || "-_ ".contains(char);
    headings.map(|heading| heading.to_lowercase().replace(|char| !kept(char), "").replace(' ', "-")).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for path in pages() {
        let page = read(&path);
        let links = prose(&page).flat_map(|line| line.split("](").skip(1)).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.contains("://")) {
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            if !target.exists() || !anchor.is_empty() && !anchors(&read(&target)).contains(anchor) {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert!(broken.is_empty(), "these links lead nowhere:\n{}", broken.join("\n"));
}

#[test]
fn the_readme_shows_the_quickstart() {
    let quickstart = read(&workspace().join("examples/quickstart.rs"));
    let (program, _tests) = quickstart.split_once("\n#[cfg(test)]").expect("the quickstart has tests");
    assert!(read(&workspace().join("README.md")).contains(&format!("```rust\n{program}```\n")));
}

/// The code on a line, which is between backticks.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The paths in the first column of the tables below a heading that names a folder.
fn listed(page: &str) -> BTreeSet<String> {
    let mut folder = "";
    let mut listed = BTreeSet::new();
    for line in page.lines() {
        if line.starts_with('#') {
            folder = code(line).next().unwrap_or_default();
        } else if let (false, Some(first)) = (folder.is_empty(), line.strip_prefix("| ")) {
            let cell = first.split(" | ").next().unwrap_or_default();
            listed.extend(code(cell).map(|name| format!("{folder}{name}")));
        }
    }
    listed
}

/// The Rust files below a folder.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_architecture_lists_every_file() {
    let listed = listed(&read(&workspace().join("ARCHITECTURE.md")));
    let mut wrong: Vec<_> = listed.iter().filter(|path| !workspace().join(path).exists()).cloned().collect();
    let mut files = Vec::new();
    LISTED.iter().for_each(|folder| sources(&workspace().join(folder), &mut files));
    for file in files {
        let path = file.strip_prefix(workspace()).expect("a file of the workspace").to_string_lossy().into_owned();
        // A folder that is listed as a whole stands for its files.
        let is_listed = |entry: &String| *entry == path || entry.ends_with('/') && path.starts_with(entry.as_str());
        if !listed.iter().any(is_listed) && !path.ends_with("build.rs") {
            wrong.push(path);
        }
    }
    wrong.retain(|path| !path.starts_with("tests/ui/") && !path.starts_with("tests/fixtures/"));
    assert!(wrong.is_empty(), "ARCHITECTURE.md and the files differ in:\n{}", wrong.join("\n"));
}

#[test]
fn the_architecture_names_what_exists() {
    let mut files = Vec::new();
    LISTED.iter().for_each(|folder| sources(&workspace().join(folder), &mut files));
    let all: String = files.iter().map(|file| read(file)).collect();
    let page = read(&workspace().join("ARCHITECTURE.md"));
    let exists = |name: &str| match name.rsplit_once("::") {
        // A method; constants and enum variants start in upper case.
        Some((of, name)) if of.starts_with(char::is_uppercase) && name.starts_with(char::is_lowercase) => {
            all.contains(&format!("fn {name}"))
        }
        // The name of a test, which is a function or, in a test that runs its own list, a text.
        None if name.matches('_').count() > 2 && !name.contains(['/', ' ']) => {
            all.contains(&format!("fn {name}(")) || all.contains(&format!("::{name}\""))
        }
        None if LISTED.iter().any(|folder| name.starts_with(&format!("{folder}/"))) => workspace().join(name).exists(),
        _ => true,
    };
    let missing: Vec<_> = prose(&page).flat_map(code).filter(|name| !exists(name)).collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names what does not exist:\n{}", missing.join("\n"));
}
