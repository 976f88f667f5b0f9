//! `docs/errors.md` shows the cases of `ui`. `UPDATE_ERRORS=1 cargo test -p tests --test errors_page` regenerates it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

use tests::workspace;

/// The areas, in the order of the page.
const AREAS: [(&str, &str); 15] = [
    ("placement", "Placement of the attribute"),
    ("handlers", "Handlers"),
    ("receivers", "Receivers"),
    ("arguments", "Arguments"),
    ("returns", "Return types"),
    ("construction", "Construction"),
    ("options", "Options"),
    ("policy", "Records that fail"),
    ("ticks", "Ticks"),
    ("dead-letters", "Dead letters"),
    ("async", "Async handlers"),
    ("concurrency", "Many records at once"),
    ("signatures", "Signatures and bodies"),
    ("several", "Several mistakes at once"),
    ("test", "Tests with `#[kcl::test]`"),
];

const HEADER: &str = "\
# Errors of `#[kcl::processor]` and `#[kcl::test]`

To find an error, search this page for its text. Each mistake below causes one error, at the code to change. If there are several mistakes,
the errors of some appear only after others are fixed, because rustc checks the code in stages.

`UPDATE_ERRORS=1 cargo test -p tests --test errors_page` generates this page from `tests/ui`, with the messages of Rust 1.95. Without that
variable, the same test fails if the page is out of date.
";

/// The `.rs` files of a folder, by name.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    paths.sort();
    paths
}

/// The title in the first line of a source, and the code below it.
fn titled(path: &Path) -> (String, String) {
    let text = fs::read_to_string(path).expect("readable");
    let (title, code) = text.split_once("\n\n").expect("a title and code");
    let title = title.strip_prefix("// ").unwrap_or_else(|| panic!("{}: no title", path.display()));
    (title.trim_end_matches('.').to_owned(), code.trim_end().to_owned())
}

/// The anchor of a heading, as GitHub makes it.
fn anchor(heading: &str) -> String {
    let kept = |char: char| char.is_alphanumeric() || "-_ ".contains(char);
    heading.to_lowercase().replace(|char| !kept(char), "").replace(' ', "-")
}

/// The table of contents: a list of links to the headings, which must differ.
fn contents(cases: &str) -> String {
    let mut contents = String::new();
    let mut seen = BTreeSet::new();
    let mut in_code = false;
    for line in cases.lines() {
        in_code ^= line.starts_with("```");
        let indent = match line.split(' ').next() {
            Some("##") if !in_code => "",
            Some("###") if !in_code => "  ",
            _ => continue,
        };
        let heading = line.trim_start_matches('#').trim();
        assert!(seen.insert(anchor(heading)), "two cases have the title `{heading}`");
        writeln!(contents, "{indent}- [{heading}](#{})", anchor(heading)).expect("a string");
    }
    contents
}

fn page(ui: &Path) -> String {
    let cases = cases(ui);
    format!("{HEADER}\n{}{cases}", contents(&cases))
}

/// The cases of all areas.
fn cases(ui: &Path) -> String {
    let mut page = String::new();
    for (folder, title) in AREAS {
        let cases = sources(&ui.join("fail").join(folder));
        if cases.is_empty() {
            continue;
        }
        writeln!(page, "\n## {title}").expect("a string");
        let fixed = ui.join("pass").join(folder).join("fixed.rs");
        let (description, code) = titled(&fixed);
        writeln!(page, "\nCorrect: {description}.\n\n```rust\n{code}\n```").expect("a string");
        for case in cases {
            let (title, code) = titled(&case);
            let error = fs::read_to_string(case.with_extension("stderr")).expect("each case has its error");
            write!(page, "\n### {title}\n\n```rust\n{code}\n```\n\n```text\n{}\n```\n", error.trim_end())
                .expect("a string");
        }
    }
    page
}

#[test]
fn the_page_shows_every_case() {
    let ui = workspace().join("tests/ui");
    for folder in fs::read_dir(ui.join("fail")).expect("readable") {
        let name = folder.expect("readable").file_name();
        assert!(AREAS.iter().any(|(area, _)| name == *area), "{} has no title", name.display());
    }
    let path = workspace().join("docs/errors.md");
    let page = page(&ui);
    if env::var_os("UPDATE_ERRORS").is_some() {
        fs::write(&path, &page).expect("writable");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/errors.md is out of date: run this test with UPDATE_ERRORS=1");
}

/// With the component `rust-src`, rustc shows excerpts of the standard library that it does not show without it.
#[test]
fn no_case_points_into_the_standard_library() {
    for (area, _) in AREAS {
        for case in sources(&workspace().join("tests/ui/fail").join(area)) {
            let error = fs::read_to_string(case.with_extension("stderr")).expect("each case has its error");
            assert!(!error.contains("$RUST"), "{}: the error depends on `rust-src`", case.display());
        }
    }
}
