//! Inputs that are no good, and wrong use.

use std::fs;

use crate::harness::{Place, Running, witness};

#[test]
fn what_cannot_be_read_is_named() {
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
        ("{\"name\":\"x\"}", "nothing stands at the key `/k`"),
        ("{\"k\":[]}", "is an array"),
        ("{\"k\":1", "no JSON"),
        ("text", "no JSON"),
    ] {
        let place = Place::with_input(format!("{{\"k\":1}}\n\n{{\"k\":2}}\n{line}\n{{\"k\":3}}\n"));
        let ended = place.run(&["--key", "/k", "--shards", "2"]);
        ended.expect(2, &["input, line 4: ", says, &format!("The line is `{line}`"), "stopped"]);
        let seen = place.seen();
        assert_eq!(seen.data(), [r#"{\"k\":1}"#, r#"{\"k\":2}"#], "what stands before it is delivered");
        assert_eq!((seen.count("shardEnded"), seen.count("shutdownRequested")), (0, 2));
    }
}

#[test]
fn a_run_goes_on_where_the_input_was_mended() {
    let place = Place::with_input("{\"k\":1}\n{\"k\":2}\n{}\n");
    place.run(&["--key", "/k", "--app", "app"]).expect(2, &["line 3"]);
    place.seen();
    fs::write(place.path("input"), "{\"k\":1}\n{\"k\":2}\n{\"k\":3}\n").unwrap();
    place.run(&["--key", "/k", "--app", "app"]).expect(0, &["1 record "]);
    assert_eq!(place.seen().data(), [r#"{\"k\":3}"#]);
}

#[test]
fn a_line_that_no_message_can_bring_is_named_and_not_delivered() {
    let place = Place::with_input([b"1\n", &vec![b'x'; (10 << 20) + 1][..], b"\n2\n"].concat());
    place.run(&[]).expect(2, &["input, line 2: longer than 10 MiB"]);
    assert_eq!(place.seen().data(), ["1"]);
}

#[test]
fn wrong_use_says_what_is_right() {
    let place = Place::with_input("1\n");
    for (arguments, says) in [
        (&["--shards", "0"][..], "1..=10000"),
        (&["--max-records", "10001"], "1..=10000"),
        (&["--key", "k"], "did you mean `/k`?"),
        (&["--from", "latest"], "only `trim-horizon` reads it"),
        (&["--from", "2026-11-22T13:00:00Z"], "only `trim-horizon` reads them"),
        (&["--shard", "2"], "'--shards'"),
    ] {
        place.run(arguments).expect(2, &[says]);
    }
    Running::start(place.tool(["--", witness()])).end().expect(2, &["--input <FILE>"]);
    Running::start(place.tool(["--input", "input", "--", "no-such-command"])).end().expect(2, &["no-such-command"]);
    Running::start(place.tool(["--input", "input"])).end().expect(2, &["cargo sees no package here"]);
    Running::start(place.tool(["--input", "input", "--example", "x", "--", "sh"]))
        .end()
        .expect(2, &["cannot be used with"]);
}
