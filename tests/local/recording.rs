//! Conversations that are recorded and replayed.

use std::fs;

use crate::harness::{Ended, Place, Running, ledger, wait_until, witness};

/// Acknowledges everything and checkpoints nothing.
const LAZY: &str = r#"while read -r line; do
    action=${line#*\"action\":\"}; echo "{\"action\":\"status\",\"responseFor\":\"${action%%\"*}\"}"
done"#;

fn recorded(input: &str, arguments: &[&str], trouble: &str) -> Place {
    let place = Place::with_input(input);
    let arguments = [&["--input", "input", "--record", "recorded"], arguments, &["--", witness()]].concat();
    let mut command = place.tool(arguments);
    command.env("DO", trouble);
    Running::start(command).end();
    place.seen();
    place
}

fn replay(place: &Place, trouble: &str) -> Ended {
    let mut command = place.replay(["recorded", "--", witness()]);
    command.env("DO", trouble);
    Running::start(command).end()
}

#[test]
fn a_recording_can_be_replayed() {
    let input: String = (1..=100).map(|number| format!("{number}\n")).collect();
    let place = recorded(&input, &["--shards", "3", "--max-records", "10"], "");
    replay(&place, "").expect(
        0,
        &["recorded/shardId-000000000002: same (", " messages, ", " checkpoints)\n", "3 conversations: all the same"],
    );
    let seen = place.seen();
    assert_eq!(seen.records().count(), 100);
    assert_eq!(seen.count("shardEnded"), 3);
}

#[test]
fn each_difference_is_shown_and_the_other_conversations_are_played() {
    let place = recorded("1\n2\n3\n4\n5\n6\n7\n8\n9\n", &["--shards", "2"], "");
    let ended = Running::start(place.replay(["recorded", "--", "sh", "-c", LAZY])).end();
    ended.expect(
        1,
        &[
            "recorded/shardId-000000000000: differs\n  request   in.jsonl, line 2: processRecords, ",
            "\n  recorded  out.jsonl, line 2: checkpoint at the end of the batch\n",
            "\n  now       status for processRecords\n            with `ahead`, or with a `checkpoint` by time, checkpoints depend on time",
            "\n  The conversation ends here; the last 3 lines of in.jsonl",
            "recorded/shardId-000000000001: differs",
            "2 conversations: 0 the same, 2 different",
        ],
    );
}

#[test]
fn lines_on_stderr_start_with_their_recording() {
    let place = recorded("1\n2\n3\n4\n5\n6\n7\n8\n9\n", &["--shards", "2"], "");
    let script = format!("echo hello >&2; {LAZY}");
    let replay = |path| Running::start(place.replay([path, "--", "sh", "-c", &script])).end();
    replay("recorded")
        .expect(1, &["[recorded/shardId-000000000000] hello\n", "[recorded/shardId-000000000001] hello\n"]);
    let one = replay("recorded/shardId-000000000001");
    assert!(one.stderr.lines().any(|line| line == "hello"), "{}", one.stderr);
}

#[test]
fn how_a_processor_ended_is_part_of_its_answers() {
    let place = recorded("1\nnow\n3\n", &[], "exit");
    replay(&place, "exit").expect(0, &["1 conversation: all the same"]);
    let ended = replay(&place, "print");
    ended.expect(1, &["recorded  no answer, and exit code 7\n", "now       checkpoint at the end"]);
    assert!(!ended.stderr.contains("`ahead`"), "{}", ended.stderr);
    // The processor checkpoints the record before, then sends no status.
    let failed = "now       checkpoint at 49";
    replay(&place, "fail").expect(1, &["recorded  no answer, and exit code 7\n", failed]);

    let place = recorded("1\nnow\n3\n", &[], "print");
    replay(&place, "exit").expect(1, &["now       the processor ended (exit status: 7)"]);
}

#[test]
fn text_that_is_not_a_reply_is_part_of_the_answers() {
    // Without a line feed, in the middle of a conversation and at its end.
    for last in [1, 2] {
        let script = |text: &str| {
            format!(
                r#"at=0; while read -r line; do
                action=${{line#*\"action\":\"}}
                if [ $at = {last} ]; then printf {text}; exec >&-; exit 3; fi
                echo "{{\"action\":\"status\",\"responseFor\":\"${{action%%\"*}}\"}}"; at=$((at + 1))
            done"#
            )
        };
        let place = Place::with_input("1\n");
        place.run_script(&["--record", "recorded"], &script("hello")).expect(1, &["hello"]);
        let replay = |text| Running::start(place.replay(["recorded", "--", "sh", "-c", &script(text)])).end();
        replay("hello").expect(0, &["1 conversation: all the same"]);
        replay("other").expect(1, &["text without a line feed: `other`"]);
    }
}

#[test]
fn each_restart_is_a_separate_conversation() {
    let place = recorded("1\nnow\n3\n", &["--restarts", "1", "--max-records", "1"], "abort");
    assert_eq!(place.read("recorded/shardId-000000000000/in.jsonl").lines().count(), 4);
    let second = place.read("recorded/shardId-000000000000.2/in.jsonl");
    assert!(second.lines().next().unwrap().contains("\"sequenceNumber\":\"49"), "{second}");
    assert!(!place.path("recorded/shardId-000000000000/exit").exists(), "a signal leaves no exit code");
    replay(&place, "abort")
        .expect(0, &["the recording stops before the answer to the last message", "2 conversations: all the same"]);
}

#[test]
fn a_recording_is_complete_even_if_the_tool_is_killed() {
    let place = Place::with_input("1\nwait-for never\n");
    let mut command = place.tool(["--input", "input", "--max-records", "1", "--record", "recorded", "--", ledger()]);
    command.env("LEDGER", place.path("ledger"));
    let mut running = Running::start(command);
    wait_until("the second record is being processed", || place.read("ledger").contains("waiting"));
    running.child().kill().unwrap();
    drop(running);
    let read = |name: &str| place.read(&format!("recorded/shardId-000000000000/{name}"));
    assert_eq!((read("in.jsonl").lines().count(), read("out.jsonl").lines().count()), (4, 3));
    assert!(read("times.tsv").ends_with("\tin\t4 processRecords n=1\n"), "{}", read("times.tsv"));
    let ended = Running::start(place.replay(["recorded", "--", witness()])).end();
    ended.expect(0, &["same (3 messages, 1 checkpoint; the recording stops before"]);
}

#[test]
fn a_recording_that_was_cut_short_is_played_as_far_as_it_goes() {
    let file = |name: &str| format!("recorded/shardId-000000000000/{name}");
    let input: String = (1..=5).map(|number| format!("{number}\n")).collect();
    let record = || recorded(&input, &["--max-records", "1"], "");
    let expect = |place: &Place, messages: &str| {
        let says = [&*format!("same as far as the recording goes ({messages}, "), "all the same, 1 cut short"];
        replay(place, "").expect(1, &says);
    };
    // Each file ends in the middle, and nothing could be written after that; an exit code is an empty file then.
    let place = record();
    let sent = place.read(&file("in.jsonl"));
    let half = sent.match_indices('\n').nth(3).unwrap().0 + 20;
    fs::write(place.path(&file("in.jsonl")), &sent[..half]).unwrap();
    let times = place.read(&file("times.tsv"));
    let rows = times.match_indices("\tin\t5").next().unwrap().0;
    fs::write(place.path(&file("times.tsv")), &times[..rows]).unwrap();
    fs::write(place.path(&file("exit")), "").unwrap();
    expect(&place, "3 messages");

    // The folder had room for one file.
    let place = record();
    for name in ["out.jsonl", "times.tsv", "exit"] {
        fs::remove_file(place.path(&file(name))).unwrap();
    }
    expect(&place, "1 message");
}

#[test]
fn a_recording_whose_files_do_not_agree_was_cut_short() {
    let file = |name: &str| format!("recorded/shardId-000000000000/{name}");
    let input: String = (1..=5).map(|number| format!("{number}\n")).collect();
    let place = recorded(&input, &["--max-records", "1"], "");
    let whole = ["in.jsonl", "out.jsonl"].map(|name| (name, place.read(&file(name))));
    replay(&place, "").expect(0, &["same (7 messages, 6 checkpoints)", "1 conversation: all the same"]);
    for (name, end, messages) in [
        // Within a line and between two; without a line; and the last of them.
        ("in.jsonl", 7, "4 messages, 3 checkpoints"),
        ("in.jsonl", 0, "0 messages, 0 checkpoints"),
        ("out.jsonl", 7, "5 messages, 3 checkpoints"),
        ("out.jsonl", 12, "7 messages, 6 checkpoints"),
    ] {
        for half in [0, 20] {
            for (name, text) in &whole {
                fs::write(place.path(&file(name)), text).unwrap();
            }
            let text = place.read(&file(name));
            let cut = text.split_inclusive('\n').take(end).map(str::len).sum::<usize>() + half;
            fs::write(place.path(&file(name)), &text[..cut]).unwrap();
            let expected = format!("same as far as the recording goes ({messages}); it was cut short");
            replay(&place, "").expect(1, &[&expected, "1 conversation: all the same, 1 cut short"]);
        }
    }

    // A process that was killed within a line: no file goes on.
    let [(_, sent), (_, replies)] = &whole;
    let lines = |text: &str, count| text.split_inclusive('\n').take(count).collect::<String>();
    fs::write(place.path(&file("in.jsonl")), lines(sent, 7) + "{\"action\"").unwrap();
    let times = place.read(&file("times.tsv"));
    let rows = lines(&times, times.lines().position(|row| row.contains("\tin\t8 ")).unwrap() + 1);
    fs::write(place.path(&file("out.jsonl")), lines(replies, rows.matches("\tout\t").count())).unwrap();
    fs::write(place.path(&file("times.tsv")), rows + "1.000\texit\tNone\n").unwrap();
    fs::remove_file(place.path(&file("exit"))).unwrap();
    replay(&place, "").expect(0, &["same (4 messages, 3 checkpoints; its exit code was not recorded)"]);
}

#[test]
fn a_reply_that_nothing_asked_for_is_compared() {
    let script = |extra: &str| {
        format!(
            r#"answer() {{ action=${{line#*\"action\":\"}}; printf '{{"action":"status","responseFor":"%s"}}\n' "${{action%%\"*}}"; }}
            while read -r line; do
                case $line in
                *shardEnded*)
                    echo '{{"action":"checkpoint"}}'; ended=$line; read -r line; line=$ended
                    answer > last; {extra}; cat last ;;
                *) answer ;;
                esac
            done"#
        )
    };
    let (once, twice) = (script(":"), script("answer >> last"));
    let place = Place::with_input("1\n");
    place.run_script(&["--record", "recorded"], &twice).expect(0, &["1 record"]);
    let replay = |script: &str| Running::start(place.replay(["recorded", "--", "sh", "-c", script])).end();
    replay(&twice).expect(0, &["1 conversation: all the same"]);
    replay(&once).expect(1, &["recorded  out.jsonl, line 5: status for shardEnded", "now       the processor ended"]);
}

#[test]
fn a_recording_on_a_full_disk_is_marked() {
    use rustix::process::{Pid, Resource, Rlimit, prlimit};

    let place = Place::with_input("1\nwait-for go\n3\n");
    let mut command = place.tool(["--input", "input", "--max-records", "1", "--record", "recorded", "--", ledger()]);
    command.env("LEDGER", place.path("ledger"));
    let mut running = Running::start(command);
    let id = Pid::from_child(running.child());
    wait_until("the second record is being processed", || place.read("ledger").contains("waiting"));
    prlimit(Some(id), Resource::Fsize, Rlimit { current: Some(1), maximum: None }).unwrap();
    fs::write(place.path("go"), "").unwrap();
    running.end().expect(1, &["the recording cannot be written: File too large"]);
    assert!(place.path("recorded/shardId-000000000000/cut").exists());
    let ended = Running::start(place.replay(["recorded", "--", witness()])).end();
    ended.expect(1, &["same as far as the recording goes (3 messages, 1 checkpoint)", "1 cut short"]);
}

#[test]
fn recordings_of_the_real_daemon_can_be_replayed() {
    let place = Place::with_input("");
    let real = tests::workspace().join("tests/transcripts/c_reshard");
    let real = real.to_str().unwrap();
    let ended = Running::start(place.replay([real, "--", witness()])).end();
    ended.expect(0, &["5 conversations: all the same"]);
    let one = format!("{real}/shardId-000000000004/in.jsonl");
    let ended = Running::start(place.replay([&one, "--", "sh", "-c", LAZY])).end();
    ended.expect(1, &["in.jsonl, line 2: processRecords, ", "1 conversation: 0 the same, 1 different"]);
}

#[test]
fn a_replay_does_not_wait_for_a_processor_that_hangs() {
    let place = recorded("1\n", &[], "");
    let ended = Running::start(place.replay(["recorded", "--stuck-after", "1ms", "--", "sleep", "1000"])).end();
    ended.expect(1, &["now       no answer within 1 ms (--stuck-after)"]);
}

#[test]
fn recordings_are_not_overwritten() {
    let place = recorded("1\n", &[], "");
    let before = place.read("recorded/shardId-000000000000/times.tsv");
    place.run(&["--record", "recorded"]).expect(2, &["recorded is not empty", "name another folder"]);
    assert_eq!(place.read("recorded/shardId-000000000000/times.tsv"), before);
    place.run(&["--record", "input"]).expect(2, &["conversations cannot be recorded in input"]);
    // The error comes before a build.
    let builds = place.tool(["--input", "input", "--record", "recorded", "--example", "none"]);
    Running::start(builds).end().expect(2, &["recorded is not empty"]);
}

#[test]
fn an_invalid_recording_is_explained() {
    let place = recorded("1\n", &[], "");
    fs::create_dir(place.path("empty")).unwrap();
    for (path, says) in [
        ("nowhere", "nowhere cannot be read"),
        ("empty", "no recording in empty"),
        ("input", "input is not a recording: give a folder with in.jsonl and out.jsonl"),
    ] {
        Running::start(place.replay([path, "--", witness()])).end().expect(2, &[says]);
    }
    fs::write(place.path("recorded/shardId-000000000000/in.jsonl"), "hello\n").unwrap();
    let unreadable = "recorded/shardId-000000000000/in.jsonl, line 1: expected value";
    replay(&place, "").expect(2, &[unreadable, "1 conversation: 0 the same, 1 unreadable"]);
}

#[test]
fn a_recording_that_cannot_be_read_does_not_hide_the_others() {
    let place = recorded("1\n2\n3\n4\n5\n6\n7\n8\n9\n", &["--shards", "3"], "");
    let file = "recorded/shardId-000000000001/in.jsonl";
    let first = place.read(file).split_inclusive('\n').next().unwrap().to_owned();
    fs::write(place.path(file), first + "{\"action\":\"futureAction\"}\n").unwrap();
    let says = [
        "recorded/shardId-000000000000: same (",
        "recorded/shardId-000000000001/in.jsonl, line 2: ",
        "recorded/shardId-000000000002: same (",
        "3 conversations: 2 the same, 1 unreadable",
    ];
    replay(&place, "").expect(2, &says);
}
