//! Invalid inputs and wrong use.

use std::fs::{self, File};

use crate::harness::{Place, Running, ledger, wait_until, witness};

#[test]
fn an_unreadable_input_is_named() {
    let place = Place::with_input("");
    place.run(&["--input", "missing"]).expect(2, &["missing cannot be opened: No such file"]);
    fs::create_dir(place.path("folder")).unwrap();
    place.run(&["--input", "folder"]).expect(2, &["folder is a directory"]);
    place.run(&["--input", "-", "--input", "-"]).expect(2, &["standard input can only be read once"]);
    assert!(place.seen().0.is_empty(), "nothing was started");
}

#[test]
fn a_record_without_its_key_is_named_and_not_delivered() {
    for (line, says) in [
        ("{\"name\":\"x\"}", "there is no value at the key `/k`"),
        ("{\"k\":[]}", "is an array"),
        ("{\"k\":1", "not JSON"),
        ("text", "not JSON"),
    ] {
        let place = Place::with_input(format!("{{\"k\":1}}\n\n{{\"k\":2}}\n{line}\n{{\"k\":3}}\n"));
        let ended = place.run(&["--key", "/k", "--shards", "2"]);
        ended.expect(2, &["input, line 4: ", says, &format!("The line is `{line}`"), "stopped"]);
        let seen = place.seen();
        assert_eq!(seen.data(), [r#"{\"k\":1}"#, r#"{\"k\":2}"#], "the records before it are delivered");
        assert_eq!((seen.count("shardEnded"), seen.count("shutdownRequested")), (0, 2));
    }
}

#[test]
fn a_run_resumes_where_the_input_was_fixed() {
    let place = Place::with_input("{\"k\":1}\n{\"k\":2}\n{}\n");
    place.run(&["--key", "/k", "--app", "app"]).expect(2, &["line 3"]);
    place.seen();
    fs::write(place.path("input"), "{\"k\":1}\n{\"k\":2}\n{\"k\":3}\n").unwrap();
    place.run(&["--key", "/k", "--app", "app"]).expect(0, &["1 record "]);
    assert_eq!(place.seen().data(), [r#"{\"k\":3}"#]);
}

#[test]
fn a_record_that_kinesis_refuses_is_named_and_not_delivered() {
    let of = |bytes: usize| [b"1\n", &vec![b'x'; bytes][..], b"\n2\n"].concat();
    let place = Place::with_input(of((1 << 20) - 1));
    place.run(&[]).expect(0, &["3 records"]);
    place.seen();

    // The key counts, and is the number of the record here.
    let place = Place::with_input(of(1 << 20));
    place.run(&[]).expect(2, &["input, line 2: a record of 1048577 bytes with its key; Kinesis allows at most 1 MiB"]);
    assert_eq!(place.seen().data(), ["1"]);

    let place = Place::with_input(of((1 << 20) + 1));
    place.run(&[]).expect(2, &["input, line 2: longer than 1 MiB", "--large-records"]);
    assert_eq!(place.seen().data(), ["1"]);
    place.run(&["--large-records"]).expect(0, &["3 records"]);

    let place = Place::with_input(of((10 << 20) + 1));
    place.run(&["--large-records"]).expect(2, &["input, line 2: longer than 10 MiB"]);
    assert_eq!(place.seen().data(), ["1"]);

    let place = Place::with_input(format!("{{\"k\":1}}\n{{\"k\":\"{}\"}}\n", "k".repeat(257)));
    place.run(&["--key", "/k"]).expect(2, &["input, line 2: the partition key has 257 characters"]);
    assert_eq!(place.seen().data(), [r#"{\"k\":1}"#]);
}

#[test]
fn a_limit_stops_the_shards_there() {
    let place = Place::with_input("1\n\n2\n3\n");
    place.run(&["--limit", "2"]).expect(0, &["2 records", "stopped"]);
    let seen = place.seen();
    assert_eq!((seen.data(), seen.count("shutdownRequested"), seen.count("shardEnded")), (vec!["1", "2"], 1, 0));
}

#[test]
fn json_spells_records_out() {
    let top = u128::MAX;
    let place = Place::with_input(format!(
        "{{\"data\":\"a\\nb\",\"partitionKey\":\"k\",\"explicitHashKey\":\"0\"}}\n\
         {{\"dataBase64\":\"/wA=\",\"partitionKey\":\"k\",\"explicitHashKey\":\"{top}\",\"approximateArrivalTimestamp\":1700000000123}}\n"
    ));
    let script = r#"while read -r line; do
        action=${line#*'"action":"'}; action=${action%%'"'*}
        case $line in *'"action":"initialize"'*) shard=${line#*'"shardId":"'}; shard=${shard%%'"'*};; esac
        case $line in *'"records":'*) action=processRecords; echo "$line" >> "$shard";; esac
        case $line in *shardEnded*) echo '{"action":"checkpoint"}'; read -r line;; esac
        echo "{\"action\":\"status\",\"responseFor\":\"$action\"}"
    done"#;
    place.run_script(&["--format", "json", "--shards", "2"], script).expect(0, &["2 records"]);
    let [first, second] = [0, 1].map(|shard| place.read(&format!("shardId-{shard:012}")));
    assert!(first.contains(r#""data":"YQpi","partitionKey":"k""#), "{first}");
    assert!(second.contains(r#""data":"/wA=","partitionKey":"k""#), "{second}");
    assert!(second.contains(r#""approximateArrivalTimestamp":1700000000123"#), "{second}");
}

#[test]
fn a_line_of_json_that_is_not_a_record_is_named() {
    let place = Place::with_input("{\"data\":\"1\"}\n{\"value\":\"2\"}\n");
    place.run(&["--format", "json"]).expect(2, &["input, line 2: not a record: unknown field `value`", "`dataBase64`"]);
    assert_eq!(place.seen().data(), ["1"]);
    place.run(&["--format", "json", "--key", "/k"]).expect(2, &["--key requires --format lines"]);
}

#[test]
fn an_error_about_wrong_use_explains_right_use() {
    let place = Place::with_input("1\n");
    for (arguments, says) in [
        (&["--shards", "0"][..], "1..=10000"),
        (&["--max-records", "10001"], "1..=10000"),
        (&["--key", "k"], "did you mean `/k`?"),
        (&["--from", "latest"], "--from latest requires --follow"),
        (&["--from", "2026-11-22T13:00:00Z"], "do not carry a time to start from"),
        (&["--follow", "--input", "-"], "standard input is not a file that can be followed"),
        (&["--rewind", "0=7"], "--rewind requires --app or --state"),
        (&["--rewind", "first=7"], "SHARD=SEQUENCE"),
        (&["--shard", "2"], "'--shards'"),
    ] {
        place.run(arguments).expect(2, &[says]);
    }
    Running::start(place.tool(["--", witness()])).end().expect(2, &["--input <FILE>"]);
    Running::start(place.tool(["--input", "input", "--", "no-such-command"])).end().expect(2, &["no-such-command"]);
    Running::start(place.tool(["--input", "input"])).end().expect(2, &["cargo finds no package here"]);
    Running::start(place.tool(["--input", "input", "--features", "x", "--", "sh"]))
        .end()
        .expect(2, &["nothing is built if a command follows `--`"]);
}

#[test]
fn more_inputs_than_sequence_numbers_can_name_are_refused() {
    let place = Place::with_input("1\n");
    let inputs = std::iter::repeat_n(["--input", "input"], 10_001).flatten();
    let ended = Running::start(place.tool(inputs.chain(["--", witness()]))).end();
    ended.expect(2, &["--input is given 10001 times; a run reads at most 10000 inputs"]);
    assert!(place.seen().data().is_empty());
}

#[test]
fn a_file_that_is_truncated_while_it_is_read_ends_no_shard() {
    let numbers: String = (1..=500_000).map(|number| format!("{number}\n")).collect();
    let place = Place::with_input(format!("wait-for go\n{numbers}"));
    let mut command = place.tool(["--input", "input", "--max-records", "10", "--", ledger()]);
    command.env("LEDGER", place.path("ledger"));
    let running = Running::start(command);
    wait_until("the first record is seen", || place.read("ledger").contains("wait-for"));
    File::options().write(true).open(place.path("input")).unwrap().set_len(100_000).unwrap();
    File::create(place.path("go")).unwrap();
    running.end().expect(2, &["input was truncated while it was read, from 3388907 to 100000 bytes", "stopped"]);
    assert!(!place.read("ledger").contains("shardEnded"));
}

#[test]
fn an_empty_state_is_named() {
    let place = Place::with_input("1\n");
    fs::create_dir(place.path("state")).unwrap();
    File::create(place.path("state/app.redb")).unwrap();
    place
        .run(&["--state", "state", "--app", "app"])
        .expect(0, &["app.redb is empty; the run starts over", "1 record "]);
}

#[test]
fn a_file_that_is_standard_input_is_read_once() {
    let place = Place::with_input("1\n2\n");
    for (more, code, says) in [
        (&["--restarts", "1"][..], 2, "--restarts requires input that can be read again"),
        (
            &["--jobs", "1", "--shards", "2"],
            2,
            "--jobs below the number of shards requires input that can be read again",
        ),
        (&[], 0, "2 records"),
    ] {
        let mut command = place.tool([&["--input", "-"], more, &["--", witness()]].concat());
        command.stdin(File::open(place.path("input")).unwrap());
        Running::start(command).end().expect(code, &[says]);
    }
}
