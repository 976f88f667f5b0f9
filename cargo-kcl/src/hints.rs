//! Hints about the commonest slips on the command line, which are added to clap's errors.

use std::error::Error as _;
use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::process::cargo::option_for;
use crate::process::program::find;
use crate::report::{excerpt, quoted};

/// Verbs that people try, and the verbs that do what they mean.
const VERBS: &[(&[&str], &str)] = &[
    (
        &["run", "start", "exec", "dev", "serve"],
        "`cargo kcl local` runs a processor on this machine, and `cargo kcl daemon` runs it in production",
    ),
    (&["deploy", "launch"], "`cargo kcl daemon` runs a processor in production"),
    (&["init", "create", "generate"], "`cargo kcl new NAME` creates a project"),
    (&["produce", "send", "write", "push", "publish", "upload", "load"], "`cargo kcl put` puts records on a stream"),
    (&["consume", "read", "cat", "get", "print", "log", "logs"], "`cargo kcl tail` prints the records of a stream"),
    (&["emulator", "kinesis", "mock", "localstack"], "`cargo kcl emulate` runs a local Kinesis"),
    (&["lint", "validate", "verify"], "`cargo kcl check` checks a properties file"),
    (&["describe", "split", "merge", "delete", "list", "streams"], "`cargo kcl stream` has the commands for streams"),
    (
        &["status", "monitor", "metrics", "stats", "ps", "watch"],
        "`cargo kcl top` shows the shards of a running `daemon` or `local`, and --metrics of these serves metrics for Prometheus",
    ),
    (&["probe", "ping", "healthcheck", "live", "ready"], "`cargo kcl health` says whether a run is healthy"),
    (&["test"], "`cargo test` runs the tests of a processor, and `cargo kcl local` runs it over files"),
    (&["build"], "`cargo kcl local` and `cargo kcl daemon` build the processor that they run"),
    (&["version"], "`cargo kcl --version` prints the version"),
    (
        &["lease", "checkpoints", "rewind", "workers", "shards"],
        "`cargo kcl leases` shows the leases of an application in production and moves them back, and `cargo kcl local --show-checkpoints` shows \
         the checkpoints that were saved on this machine",
    ),
    (
        &["explain", "diagnose", "doctor", "status", "stuck"],
        "`cargo kcl why` says why a shard of an application does not move",
    ),
];

/// The same for the verbs below `stream`.
const STREAM_VERBS: &[(&[&str], &str)] = &[
    (&["list", "ls"], "`aws kinesis list-streams` lists the streams"),
    (&["new", "add", "make"], "`cargo kcl stream create` creates a stream"),
    (&["rm", "remove", "drop"], "`cargo kcl stream delete` deletes a stream"),
    (&["reshard", "resize", "scale", "update"], "`cargo kcl stream split` and `merge` change the shards"),
];

/// Options of cargo that are not passed on.
const OF_CARGO: &[&str] = &[
    "--all",
    "--all-targets",
    "--bench",
    "--config",
    "--debug",
    "--frozen",
    "--ignore-rust-version",
    "--lib",
    "--lockfile-path",
    "--locked",
    "--offline",
    "--target",
    "--test",
    "--timings",
    "--workspace",
    "-Z",
];

/// Options that choose how cargo builds.
const OF_BUILDS: &[&str] = &[
    "--all-features",
    "--bin",
    "--example",
    "--features",
    "--manifest-path",
    "--no-default-features",
    "--package",
    "--release",
    "--target-dir",
    "-F",
    "-p",
    "-r",
];

const FILES: &[&str] = &["--data", "--file", "--files", "--in", "--input", "--path", "-f", "-i"];
const NAMES: &[&str] = &["--name", "--stream", "--stream-name", "-s"];

/// Options that people try with a verb, and what to write instead.
const OPTIONS: &[(&[&str], &[&str], &str)] = &[
    (&["local", "daemon", "emulate"], FILES, "files are read with --input FILE"),
    (&["put"], FILES, "files are named without an option, as in `cargo kcl put --stream orders orders.jsonl`"),
    (&["check"], FILES, "files are named without an option, as in `cargo kcl check revenue.properties`"),
    (&["replay"], FILES, "recordings are named without an option, as in `cargo kcl replay recorded`"),
    (&["stream"], NAMES, "a stream is named without an option, as in `cargo kcl stream describe orders`"),
    (&["local", "daemon", "emulate", "put", "tail"], NAMES, "a stream is named with --stream NAME"),
    (
        &["local"],
        &["--clean", "--clear", "--reset", "--restart"],
        "--fresh discards the saved checkpoints and starts over",
    ),
    (
        &["tail"],
        &["--format", "--output", "-o"],
        "--json prints each record as a JSON object, which --format json reads",
    ),
    (
        &["local", "daemon", "leases", "why"],
        &["--application", "--application-name", "--table", "--name", "-a"],
        "an application is named with --app NAME",
    ),
    (&["leases", "why"], &["--stream-name", "-s"], "a stream is named with --stream NAME"),
    (
        &["leases", "why"],
        &["--failover-time", "--failover-time-millis", "--timeout"],
        "failoverTimeMillis of the workers is given with a unit, as in --failover 10s",
    ),
    (
        &["leases"],
        &["--reset", "--fresh", "--move", "--checkpoint", "--set", "--to"],
        "a lease is moved back with --rewind SHARD=SEQUENCE, SHARD=TRIM_HORIZON or SHARD=TIME",
    ),
    (&["leases"], &["--shard"], "--rewind names the shards that it moves; without it, all leases are shown"),
    (&["local", "tail", "put"], &["--count", "--head", "--max", "-n"], "--limit N stops after N records"),
    (&["local", "daemon", "tail"], &["--at", "--position", "--since", "--start"], "reading starts where --from says"),
    (
        &["local", "daemon", "emulate"],
        &["--partitions", "--shard-count"],
        "the number of shards is given with --shards N",
    ),
    (
        &["local", "daemon", "replay"],
        OF_CARGO,
        "this option of cargo is not passed on; build first, and give the program as a command, as in `-- target/debug/PROGRAM`",
    ),
    (
        &["put", "tail", "stream", "leases", "why"],
        &["--profile"],
        "nothing is built here, so --profile has no meaning; a profile of AWS is named with --aws-profile NAME",
    ),
    (
        &["new", "emulate", "check"],
        &["--profile", "--aws-profile"],
        "nothing is built here, and no AWS account is used, so there is no profile to choose",
    ),
    (
        &["put", "tail", "stream", "leases", "why", "new", "emulate", "check"],
        OF_BUILDS,
        "nothing is built here, so this option has no meaning",
    ),
];

/// An example of each verb that needs an argument.
const NEEDS: &[(&[&str], &str)] = &[
    (&["new"], "for example `cargo kcl new orders --path DIR_OF_KCL`"),
    (
        &["local"],
        "as in `cargo kcl local --input orders.jsonl`; `--input -` is standard input, and --stream NAME is a stream",
    ),
    (&["check"], "for example `cargo kcl check revenue.properties`; --list prints all keys"),
    (
        &["replay"],
        "for example `cargo kcl replay recorded`, with a folder that `cargo kcl local --record recorded` wrote",
    ),
    (&["put"], "for example `cargo kcl put --stream orders orders.jsonl`"),
    (&["tail"], "for example `cargo kcl tail --stream orders`"),
    (
        &["leases"],
        "for example `cargo kcl leases --app revenue --stream orders`, or the same with `--rewind 3=-2h` to move a lease back",
    ),
    (&["why"], "for example `cargo kcl why --app revenue --stream orders`"),
    (&["stream", "create"], "for example `cargo kcl stream create orders --shards 2`"),
    (&["stream", "describe"], "for example `cargo kcl stream describe orders`"),
    (&["stream", "split"], "for example `cargo kcl stream split orders 0`, with the shard that becomes two"),
    (&["stream", "merge"], "for example `cargo kcl stream merge orders 0 1`, with the shards that become one"),
    (&["stream", "delete"], "for example `cargo kcl stream delete orders`"),
];

/// Adds a hint to the error of a known slip. `arguments` are those after the tool's name.
pub(crate) fn explain(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    // For an unknown option, this is clap's advice to pass it as a value, which no verb has a use for.
    error.remove(ContextKind::Suggested);
    if let Some(hint) = hint(&error, arguments) {
        // The hint is better than a guess by similarity, and the usage repeats that guess.
        for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::Usage] {
            error.remove(kind);
        }
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![hint.into()]));
    }
    error
}

fn hint(error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let verb = arguments.first().and_then(|verb| verb.to_str()).filter(|verb| !verb.starts_with('-'));
    match error.kind() {
        ErrorKind::InvalidSubcommand => unknown_verb(verb, context(ContextKind::InvalidSubcommand)?),
        ErrorKind::UnknownArgument => unknown_argument(verb, context(ContextKind::InvalidArg)?, error, arguments),
        ErrorKind::MissingRequiredArgument => {
            let is_it = |words: &[&str]| words.iter().zip(arguments).all(|(word, argument)| argument == word);
            NEEDS.iter().find(|(words, _)| is_it(words)).map(|(_, hint)| (*hint).to_owned())
        }
        ErrorKind::InvalidValue if context(ContextKind::InvalidArg)?.starts_with("--chaos ") => {
            Some("any number is a seed, as in --chaos 7".to_owned())
        }
        // The texts of `std::num::ParseIntError`, which clap does not keep.
        ErrorKind::ValueValidation if error.source()?.to_string().starts_with("invalid digit found") => {
            Some("write a whole number in digits only, such as 10".to_owned())
        }
        _ => None,
    }
}

fn unknown_verb(verb: Option<&str>, unknown: &str) -> Option<String> {
    let is_below_stream = verb == Some("stream") && unknown != "stream";
    let table = if is_below_stream { STREAM_VERBS } else { VERBS };
    let known = table.iter().find(|(tried, _)| tried.contains(&unknown)).map(|(_, hint)| (*hint).to_owned());
    known.or_else(|| {
        Path::new(unknown).is_file().then(|| format!("to read records from it: cargo kcl local {}", input(unknown)))
    })
}

fn unknown_argument(verb: Option<&str>, argument: &str, error: &clap::Error, arguments: &[OsString]) -> Option<String> {
    if argument.starts_with(['–', '—']) {
        return Some("an option starts with two hyphens, `--`, not with a dash".to_owned());
    }
    if let Some(name) = after_one_hyphen(argument, arguments) {
        return Some(format!("an option with a long name starts with two hyphens: --{}", shown(name)));
    }
    match verb {
        None if error.get(ContextKind::SuggestedArg).is_some() => None,
        None => Some("a command comes first, as in `cargo kcl local --input orders.jsonl`".to_owned()),
        Some(verb) if argument.starts_with('-') => {
            let known = OPTIONS.iter().find(|(verbs, tried, _)| verbs.contains(&verb) && tried.contains(&argument));
            known.map(|(.., hint)| (*hint).to_owned())
        }
        Some(verb) => bare_word(verb, argument, follows_input(arguments, argument)),
    }
}

/// The long name that was written after one hyphen. Its first unknown letter is the `option` in clap's error.
fn after_one_hyphen<'a>(option: &str, arguments: &'a [OsString]) -> Option<&'a str> {
    let letter = option.strip_prefix('-').filter(|letter| letter.chars().count() == 1)?;
    let words = arguments.iter().take_while(|argument| *argument != "--").filter_map(|argument| argument.to_str());
    let mut names = words.filter_map(|word| word.strip_prefix('-')?.split('=').next());
    names.find(|name| {
        name.contains(letter)
            && name.len() > 2
            && name.starts_with(char::is_alphabetic)
            && !name.contains(char::is_numeric)
    })
}

/// Whether this word stands after an `--input` and its value.
fn follows_input(arguments: &[OsString], word: &str) -> bool {
    let before = arguments.iter().position(|argument| argument == word).map(|at| &arguments[..at]);
    match before {
        Some([.., option, _]) if option == "--input" => true,
        Some([.., option]) => option.as_encoded_bytes().starts_with(b"--input="),
        _ => false,
    }
}

/// The hint for an argument without an option.
fn bare_word(verb: &str, word: &str, follows_input: bool) -> Option<String> {
    let path = Path::new(word);
    let is_command = find(word.as_ref()).is_some();
    let is_file = (follows_input || path.is_file() || path.extension().is_some()) && !is_command;
    match verb {
        "daemon" if path.extension().is_some_and(|extension| extension == "properties") => {
            Some(format!("properties are read with an option: --properties {}", shown(word)))
        }
        "local" | "daemon" | "emulate" if is_file => {
            Some(format!("to read records from it, write {}; each file has an --input of its own", input(word)))
        }
        "tail" | "emulate" => Some(format!("a stream is named with an option: --stream {}", shown(word))),
        "local" | "daemon" => Some(match option_for(word) {
            Some(option) => format!("to build and run the program of this name, write {option}"),
            None if is_command => format!("a command to run follows `--`, as in `-- {}`", shown(word)),
            None => {
                let source = if verb == "local" {
                    "files are read with --input FILE"
                } else {
                    "a stream is named with --stream NAME"
                };
                format!("{source}, a command to run follows `--`, and a value with spaces needs quotes")
            }
        }),
        _ => None,
    }
}

fn input(file: &str) -> String {
    format!("--input {}", shown(file))
}

/// The text as a word of a command.
fn shown(text: &str) -> String {
    quoted(&excerpt(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn hints_are_for_verbs_that_exist_and_against_those_that_do_not() {
        let tool = crate::cli::Cli::command();
        let stream = tool.find_subcommand("stream").expect("a verb");
        let of_options = OPTIONS.iter().flat_map(|(verbs, ..)| *verbs);
        for verb in of_options {
            assert!(tool.find_subcommand(verb).is_some(), "{verb}");
        }
        for (words, _) in NEEDS {
            let found = words.iter().try_fold(&tool, |command, word| command.find_subcommand(word));
            assert!(found.is_some(), "{words:?}");
        }
        for (table, command) in [(VERBS, &tool), (STREAM_VERBS, stream)] {
            for tried in table.iter().flat_map(|(tried, _)| *tried) {
                assert!(command.find_subcommand(tried).is_none(), "{tried}");
            }
        }
    }

    #[test]
    fn a_long_name_after_one_hyphen_is_recognized() {
        let name = |option, word: &str| after_one_hyphen(option, &["local".into(), word.into()]).map(str::to_owned);
        assert_eq!(name("-s", "-shards").as_deref(), Some("shards"));
        assert_eq!(name("-f", "-from=latest").as_deref(), Some("from"));
        for (option, word) in
            [("-s", "-s"), ("-s", "--shards"), ("-2", "-2h"), ("--input", "-input"), ("-x", "-shards")]
        {
            assert_eq!(name(option, word), None, "{option} {word}");
        }
    }

    #[test]
    fn a_word_after_an_input_is_another_file() {
        for (arguments, follows) in [
            (&["local", "--input", "a", "b"][..], true),
            (&["local", "--input=a", "b"], true),
            (&["local", "--input", "b"], false),
            (&["local", "--app", "a", "b"], false),
            (&["local", "b", "--input", "a"], false),
        ] {
            let arguments: Vec<OsString> = arguments.iter().map(Into::into).collect();
            assert_eq!(follows_input(&arguments, "b"), follows, "{arguments:?}");
        }
    }
}
