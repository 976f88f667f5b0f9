//! `--report`: the page about a run.

use std::os::unix::fs::symlink;

use crate::harness::{Place, Running, witness};

/// A processor that passes over a record, as `kcl` reports it, with an error that would be markup and quotes a payload.
const PASSES: &str = r#"
    read -r line; echo '{"action":"status","responseFor":"initialize"}'
    read -r line
    echo 'kcl: shard s: dead-lettered a record: <script>alert(1)</script> "secret 4711" on line 77; record 49590/0 with partition key `<b>key`, after 3 attempts' >&2
    sleep 0.05
    echo '{"action":"status","responseFor":"processRecords"}'
    read -r line; echo '{"action":"checkpoint"}'; read -r line
    echo '{"action":"status","responseFor":"shardEnded"}'"#;

fn assert_well_formed(page: &str) {
    for forbidden in ["<script", "http://", "https://", "src=", "href=", "NaN", "inf\u{a0}"] {
        assert!(!page.contains(forbidden), "{forbidden} in {page}");
    }
    assert!(page.starts_with("<!doctype html>\n<html lang=en>") && page.ends_with("</html>\n"), "{page}");
    assert!(page.contains("default-src 'none'; style-src 'unsafe-inline'"), "{page}");
    for element in ["svg", "section", "table", "div", "ul", "figure", "main", "style"] {
        let [opened, closed] = [format!("<{element}"), format!("</{element}>")];
        let is_end = |rest: &str| rest.starts_with([' ', '>']);
        let opened = page.match_indices(&opened).filter(|(at, text)| is_end(&page[at + text.len()..])).count();
        assert_eq!(opened, page.matches(&closed).count(), "{element}: {page}");
    }
}

#[test]
fn a_page_has_no_payload_and_no_foreign_markup() {
    let place = Place::with_input("payload-one\npayload-two\n");
    std::fs::write(place.path("script"), PASSES).unwrap();
    let arguments = ["--input", "input", "--report", "<i>&'page.html", "--", "/bin/sh", "script"];
    Running::start(place.tool(arguments)).end().expect(0, &["the report is in <i>&'page.html"]);
    let page = place.read("<i>&'page.html");
    assert_well_formed(&page);
    for absent in ["<i>&'", "<b>key", "payload-one", "secret", "4711", "line 77"] {
        assert!(!page.contains(absent), "{absent} in {page}");
    }
    for present in [
        "<h1>2 records in ",
        ">succeeded</span>",
        "&lt;i&gt;&amp;&#39;",
        "<code>&lt;script&gt;alert(N)&lt;/script&gt; … on line N</code><td class=n>1<td class=n>0",
        "<h3>shardId-000000000000</h3>",
        ": dead-lettered: 1\"",
        "tried again after a failure: 2",
        "<dt>retries</dt><dd>2</dd>",
        "saved checkpoints: 1",
        "<dt>dead letters</dt><dd>1</dd>",
    ] {
        assert!(page.contains(present), "{present} not in {page}");
    }
}

#[test]
fn a_page_shows_restarts_and_chaos() {
    let place = Place::with_input("1\n2\n3\n4\n5\n6\n7\n8\n");
    let arguments = ["--input", "input", "--shards", "2", "--max-records", "1", "--chaos", "7"];
    let rates = ["--chaos-rates", "all=0,kill=0.3,throttle=0.3", "--report", "page.html", "--", witness()];
    Running::start(place.tool(arguments.iter().chain(&rates)))
        .end()
        .expect(0, &["chaos 7:", "the report is in page.html"]);
    let page = place.read("page.html");
    assert_well_formed(&page);
    for present in ["<h2>Chaos</h2>", "Seed 7: kill × ", "processor started again: 1", "ThrottlingException", ">held<"]
    {
        assert!(page.contains(present), "{present} not in {page}");
    }
}

#[test]
fn a_page_that_cannot_be_written_is_refused_before_the_run() {
    let place = Place::with_input("1\n");
    let ended = place.run(&["--report", "absent/page.html"]);
    ended.expect(2, &["the report cannot be written to absent/page.html: "]);
    place.run(&["--report", "."]).expect(2, &["the report cannot be written to .: "]);
    place.run(&["--report", "absent/"]).expect(2, &["it is the name of a folder"]);
    place.run(&["--report", &"x".repeat(300)]).expect(2, &["File name too long"]);
    place.run(&["--report", "/dev/null"]).expect(2, &["it exists, and is not a regular file"]);
    symlink("/dev/null", place.path("link")).unwrap();
    place.run(&["--report", "link"]).expect(2, &["it exists, and is not a regular file"]);
    assert!(place.seen().data().is_empty());
}

#[test]
fn a_page_is_written_through_a_symbolic_link() {
    let place = Place::with_input("1\n");
    symlink("target.html", place.path("link.html")).unwrap();
    for _ in 0..2 {
        place.run(&["--report", "link.html"]).expect(0, &["the report is in link.html"]);
        assert_well_formed(&place.read("target.html"));
        assert!(place.path("link.html").is_symlink());
    }
}

#[test]
fn the_exit_code_includes_a_page_that_is_not_written() {
    let place = Place::with_input("1\n");
    std::fs::create_dir(place.path("folder")).unwrap();
    let script = format!("rmdir folder 2>/dev/null; exec '{}'", witness());
    let command = place.script(&["--json", "--report", "folder/page.html"], &script);
    let (ended, stdout) = Running::start(command).end_with_stdout();
    ended.expect(1, &["the report cannot be written to folder/page.html: "]);
    assert!(stdout.contains(r#""exitCode":1"#), "{stdout}");
}

#[test]
fn a_run_that_failed_has_a_page() {
    let place = Place::with_input("1\nnow\n3\n");
    let mut command = place.tool(["--input", "input", "--report", "page.html", "--quiet", "--", witness()]);
    command.env("DO", "fail");
    Running::start(command).end().expect(1, &[]);
    let page = place.read("page.html");
    assert_well_formed(&page);
    for present in [
        "<span class=\"pill bad\">failed</span>",
        "processor failed: 1",
        "<h2>Failures</h2>",
        "<code>the processor exited (exit status: 1) while handling processRecords</code>",
        "<code>not acknowledged: record 49",
        "/0 (input, line 2) and all after it; delivered again: all records after the checkpoint at 49",
        "<code>kcl: shard shardId-N: processRecords failed: as told",
    ] {
        assert!(page.contains(present), "{present} not in {page}");
    }
}

#[test]
#[ignore = "on demand: needs Chromium, and leaves pictures for people to look at"]
fn a_browser_shows_a_page() {
    let input: String = (0..2_000).map(|number| format!("{number}\n")).collect();
    let place = Place::with_input(input);
    let arguments =
        ["--input", "input", "--shards", "4", "--max-records", "20", "--chaos", "7", "--report", "page.html"];
    Running::start(place.tool(arguments.iter().chain(&["--", witness()]))).end().expect(0, &["the report is in"]);
    let folder = tests::workspace().join("target/report");
    std::fs::create_dir_all(&folder).unwrap();
    // The number is Blink's for the scheme that the user prefers.
    for (name, scheme, size) in [("light", 1, "1200,2000"), ("dark", 0, "1200,2000"), ("phone", 1, "500,2600")] {
        let picture = folder.join(format!("{name}.png"));
        _ = std::fs::remove_file(&picture);
        let output = std::process::Command::new("chromium")
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr"])
            .arg(format!("--user-data-dir={}", place.path("profile").display()))
            .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
            .arg(format!("--window-size={size}"))
            .arg(format!("--screenshot={}", picture.display()))
            .arg(format!("file://{}", place.path("page.html").display()))
            .output()
            .expect("chromium starts");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !stderr.contains("CONSOLE"), "{stderr}");
        assert!(std::fs::metadata(&picture).is_ok_and(|picture| picture.len() > 20_000), "{}", picture.display());
    }
}
