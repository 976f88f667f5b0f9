//! The options that the tool passes to cargo, and the arguments that it passes to a processor.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use tempfile::TempDir;

static TOOL: LazyLock<PathBuf> = LazyLock::new(|| tests::build(&["--package", "cargo-kcl"]));

/// A processor without dependencies, which prints how it was built and started.
const PROCESSOR: &str = r##"
use std::io::{BufRead, stdin};

fn main() {
    let features = [
        (cfg!(feature = "default"), "default"),
        (cfg!(feature = "a"), "a"),
        (cfg!(feature = "b"), "b"),
        (cfg!(feature = "c"), "c"),
    ];
    let features: Vec<_> = features.into_iter().filter(|(on, _)| *on).map(|(_, name)| name).collect();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let debug = cfg!(debug_assertions);
    eprintln!("{NAME} features {features:?} debug {debug} arguments {arguments:?}");
    for line in stdin().lock().lines().map_while(Result::ok) {
        let message = line.split("\"action\":\"").nth(1).unwrap_or_default();
        let action = message.split('"').next().unwrap_or_default();
        match action {
            "shardEnded" => println!(r#"{{"action":"checkpoint","sequenceNumber":null,"subSequenceNumber":null}}"#),
            "checkpoint" => println!(r#"{{"action":"status","responseFor":"shardEnded"}}"#),
            other => println!(r#"{{"action":"status","responseFor":"{other}"}}"#),
        }
    }
}
"##;

const WORKSPACE: &str = r#"
[workspace]
resolver = "3"
members = ["shop"]

[profile.strict]
inherits = "release"
debug-assertions = true
"#;

const MANIFEST: &str = r#"
[package]
name = "shop"
version = "0.1.0"
edition = "2024"

[features]
default = []
a = []
b = []
c = []

[[example]]
name = "paid"
required-features = ["a"]
"#;

/// A workspace with the package `shop` in a folder of its own, and an input.
struct Shop(TempDir);

impl Shop {
    fn new() -> Self {
        let shop = Self(tempfile::tempdir().expect("a folder"));
        let program = |name: &str| format!("const NAME: &str = {name:?};\n{PROCESSOR}");
        for (path, text) in [
            ("Cargo.toml", WORKSPACE),
            ("shop/Cargo.toml", MANIFEST),
            ("shop/src/main.rs", &program("shop")),
            ("shop/examples/unpaid.rs", &program("unpaid")),
            ("shop/examples/paid.rs", &program("paid")),
            ("input", "1\n"),
            ("elsewhere/input", "1\n"),
        ] {
            let path = shop.path(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("it can be made");
            fs::write(path, text).expect("it can be written");
        }
        shop
    }

    fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    /// The tool, in a folder of the workspace.
    fn tool(&self, folder: &str, arguments: &[&str]) -> Output {
        let mut tool = Command::new(&*TOOL);
        tool.args(arguments).current_dir(self.path(folder)).stdin(Stdio::null()).env_remove("CARGO_TARGET_DIR");
        tool.env("KCL_CACHE_DIR", self.path("cache")).env("CARGO_NET_OFFLINE", "true");
        tool.output().expect("the tool starts")
    }

    /// Runs `local` in `shop`, and returns the line that the processor prints.
    #[track_caller]
    fn line(&self, arguments: &[&str]) -> String {
        let output = self.tool("shop", &[&["local", "--input", "../input"], arguments].concat());
        let stderr = stderr(&output);
        assert!(output.status.success(), "{arguments:?}: {stderr}");
        let line = stderr.lines().find(|line| line.contains(" features ["));
        line.unwrap_or_else(|| panic!("{arguments:?}: {stderr}")).to_owned()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Asserts wrong use, with this text on stderr.
#[track_caller]
fn assert_refused(output: &Output, says: &str) {
    let stderr = stderr(output);
    assert!(stderr.contains(says), "`{says}` is not in:\n{stderr}");
    assert_eq!(output.status.code(), Some(2), "{stderr}");
}

#[test]
fn cargo_gets_its_options() {
    let shop = Shop::new();
    for (options, line) in [
        (&[][..], r#"shop features ["default"] debug true arguments []"#),
        (&["--features", "a,b", "-F", "c"], r#"shop features ["default", "a", "b", "c"] debug true arguments []"#),
        (&["--features=a b"], r#"shop features ["default", "a", "b"] debug true arguments []"#),
        (&["--all-features"], r#"shop features ["default", "a", "b", "c"] debug true arguments []"#),
        (&["--no-default-features", "--features", "shop/c"], r#"shop features ["c"] debug true arguments []"#),
        (&["--release"], r#"shop features ["default"] debug false arguments []"#),
        (&["--profile", "strict"], r#"shop features ["default"] debug true arguments []"#),
        (&["--example", "paid", "--features", "a"], r#"paid features ["default", "a"] debug true arguments []"#),
    ] {
        assert_eq!(shop.line(options), line, "{options:?}");
    }
    assert!(shop.path("target/strict/shop").is_file(), "the profile has a folder");
    shop.line(&["--target-dir", "../other"]);
    assert!(shop.path("other/debug/shop").is_file());
    // Cargo names the feature, and the option works.
    assert_refused(
        &shop.tool("shop", &["local", "--input", "../input", "--example", "paid"]),
        "requires the features: `a`",
    );
}

#[test]
fn a_dependency_may_have_the_name_of_the_package() {
    let shop = Shop::new();
    fs::create_dir_all(shop.path("old/src")).unwrap();
    fs::write(shop.path("old/src/lib.rs"), "").unwrap();
    fs::write(shop.path("old/Cargo.toml"), "[package]\nname = \"shop\"\nversion = \"0.0.1\"\n").unwrap();
    fs::write(shop.path("Cargo.toml"), WORKSPACE.replacen("[workspace]", "[workspace]\nexclude = [\"old\"]", 1))
        .unwrap();
    let dependency = "[dependencies]\nold = { package = \"shop\", path = \"../old\" }\n";
    fs::write(shop.path("shop/Cargo.toml"), format!("{MANIFEST}{dependency}")).unwrap();
    for arguments in [&[][..], &["--package", "shop"]] {
        assert_eq!(shop.line(arguments), "shop features [\"default\"] debug true arguments []");
    }
}

#[test]
fn the_arguments_of_a_processor_follow_two_dashes() {
    let shop = Shop::new();
    let built = r#"features ["default"] debug true arguments ["--color", "two words"]"#;
    for (target, name) in [("--bin=shop", "shop"), ("--package=shop", "shop"), ("--example=unpaid", "unpaid")] {
        assert_eq!(shop.line(&[target, "--", "--color", "two words"]), format!("{name} {built}"));
    }
    // Without such an option it is a command.
    assert_eq!(shop.line(&["--", "../target/debug/shop", "--color", "two words"]), format!("shop {built}"));
    let options = ["local", "--input", "../input", "--features", "a", "--", "../target/debug/shop"];
    assert_refused(&shop.tool("shop", &options), "--features is an option for a build, but nothing is built");
}

#[test]
fn other_verbs_build_in_the_same_way() {
    let shop = Shop::new();
    shop.line(&["--example", "unpaid", "--record", "recording"]);
    let options = ["--example", "unpaid", "--features", "a", "--", "x"];
    let replayed = shop.tool("shop", &[&["replay", "recording"], &options[..]].concat());
    assert!(replayed.status.success(), "{}", stderr(&replayed));
    // Nothing that the processor prints is shown, so the build is.
    let dry = ["daemon", "--stream", "orders", "--app", "revenue", "--dry-run"];
    let daemon = shop.tool("shop", &[&dry, &options[..]].concat());
    assert!(daemon.status.success(), "{}", stderr(&daemon));
    let printed = String::from_utf8_lossy(&daemon.stdout);
    let name = printed.lines().find_map(|line| line.strip_prefix("executableName = ")).expect("a command");
    let [program, argument] = name.split(' ').collect::<Vec<_>>()[..] else { panic!("{name}") };
    assert_eq!((Path::new(program).file_name(), argument), (Some("unpaid".as_ref()), "x"));
}

#[test]
fn the_daemon_refuses_arguments_that_it_would_change() {
    let shop = Shop::new();
    for argument in ["two words", "\"quoted\"", "it's", "", "\u{e9}"] {
        for target in [&["--bin", "shop", "--"][..], &["--", "true"]] {
            let arguments = [&["daemon", "--stream", "orders", "--app", "revenue", "--dry-run"], target, &[argument]];
            let refused = shop.tool("shop", &arguments.concat());
            assert_refused(&refused, &format!("the argument `{argument}` would not reach the processor unchanged"));
        }
    }
    assert!(!shop.path("target").exists(), "this is known before the build");
}

#[test]
fn checkpoints_are_saved_beside_the_manifest_that_is_named() {
    let shop = Shop::new();
    let manifest = ["--manifest-path", "../shop/Cargo.toml", "--app", "orders"];
    let ran = shop.tool("elsewhere", &[&["local", "--input", "input"], &manifest[..]].concat());
    assert!(ran.status.success(), "{}", stderr(&ran));
    assert!(shop.path(".kcl/orders.redb").is_file());
    let shown = shop.tool("elsewhere", &[&["local", "--show-checkpoints"], &manifest[..]].concat());
    assert!(stderr(&shown).contains("shardId-000000000000  SHARD_END"), "{}", stderr(&shown));

    for arguments in [&["--input", "input"][..], &["--show-checkpoints"]] {
        let none = ["local", "--app", "orders", "--manifest-path", "Cargo.toml"];
        let refused = shop.tool("elsewhere", &[&none, arguments].concat());
        assert_refused(&refused, "cargo finds no package with --manifest-path Cargo.toml");
    }
}

#[test]
fn a_program_of_another_kind_or_profile_is_explained() {
    let shop = Shop::new();
    for (options, says) in [
        (&["--bin", "unpaid"][..], "`unpaid` is an example, not a binary; write --example unpaid"),
        (&["--example", "shop"], "`shop` is a binary, not an example; write --bin shop"),
        (&["--profile", "prod"], "if `prod` is a profile of AWS, write --aws-profile prod"),
        (&["--", "unpaid"], "to build and run the program of this name, write --example unpaid"),
        (&["--", "./shop a"], "it is neither the path of an executable file nor in PATH"),
        (&["--", "sh -c true"], "leave out the quotes around it"),
        (&["--", "src/main.rs"], "this file is not executable"),
    ] {
        assert_refused(&shop.tool("shop", &[&["local", "--input", "../input"], options].concat()), says);
    }
    fs::remove_file(shop.path("shop/src/main.rs")).expect("it was there");
    fs::write(shop.path("shop/src/lib.rs"), "").expect("it can be written");
    assert_refused(&shop.tool("shop", &["local", "--input", "../input"]), "with --example NAME (paid, unpaid)");
}
