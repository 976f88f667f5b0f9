//! The lives of shards: restarts, splits and merges, and how many run at once.

use std::fs::{self, File};
use std::io::Write;
use std::process::{Command, Stdio};

use crate::harness::{Place, Running, ledger, wait_until};

/// The entries of a ledger, in order.
struct Entries(Vec<(String, String, String)>);

impl Entries {
    fn read(place: &Place) -> Self {
        let text = place.read("ledger");
        let entry = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap_or_default().to_owned();
            (part()[18..].to_owned(), part(), part())
        };
        Self(text.lines().map(entry).collect())
    }

    /// The data of a shard's records, in the order in which they were seen.
    fn data(&self, shard: &str) -> Vec<&str> {
        let of_shard = self.0.iter().filter(|(other, ..)| other == shard);
        of_shard.filter_map(|(.., what)| what.strip_prefix("record ")?.splitn(3, ' ').nth(2)).collect()
    }

    fn position(&self, shard: &str, what: &str) -> Option<usize> {
        self.0.iter().position(|(other, _, happened)| other == shard && happened.starts_with(what))
    }
}

fn command(place: &Place, arguments: &[&str]) -> Command {
    let mut command = place.tool([arguments, &["--", ledger()]].concat());
    command.env("LEDGER", place.path("ledger"));
    command
}

/// A record for one of two shards.
fn for_shard(shard: u32, data: &str) -> String {
    let hash = if shard == 0 { 0 } else { u128::MAX };
    format!("{{\"data\":\"{data}\",\"explicitHashKey\":\"{hash}\"}}\n")
}

fn numbers(count: u32) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

#[test]
fn a_processor_that_fails_restarts_from_its_checkpoint() {
    let place = Place::with_input("");
    for trouble in ["fail-once", "die-once"] {
        _ = fs::remove_file(place.path("ledger"));
        let input: String =
            (1..=500).map(|n| if n == 321 { format!("{trouble} {trouble}\n") } else { format!("{n}\n") }).collect();
        fs::write(place.path("input"), &input).unwrap();
        let arguments = ["--input", "input", "--restarts", "2", "--max-records", "50", "--app", trouble];
        let ended = Running::start(command(&place, &arguments)).end();
        ended.expect(0, &["restart 1 of 2 in 0.5 s, from 49"]);
        assert_eq!([ended.cell(0, "outcome"), ended.cell(0, "restarts")], ["ended", "1"]);
        let entries = Entries::read(&place);
        let data = entries.data("00");
        let failed = data.iter().position(|data| data.starts_with(trouble)).unwrap();
        assert_eq!(failed, 320);
        // After an error, all records before the failed one are checkpointed; after a kill, only the batches before.
        let resumed = if trouble == "fail-once" { 320 } else { 300 };
        assert_eq!(data[failed + 1..], input.lines().collect::<Vec<_>>()[resumed..]);
    }
}

#[test]
fn a_file_that_is_rewritten_before_a_restart_is_refused() {
    // Record 2 is the last one before the checkpoint, and record 3 the last one that was delivered.
    for (rewritten, says) in [
        ("2\n1\nnow\n4\n", "input has changed since it was processed: its content up to line 2 is different"),
        ("now\n2\n1\n4\n", "input has changed since it was processed: its content up to line 2 is different"),
        ("1\n2\nxxx\n4\n", "input has changed since it was processed: its content up to line 3 is different"),
    ] {
        for saved in [&[][..], &["--app", "app"]] {
            let place = Place::with_input("1\n2\nnow\n4\n");
            let arguments = ["--input", "input", "--restarts", "1", "--max-records", "1"];
            // Rewrites the file at the same length when the processor has failed, before the tool learns of it.
            let script = "\"$0\"; code=$?; printf %s \"$REWRITTEN\" 1<>input; exit $code";
            let program = ["--", "sh", "-c", script, crate::harness::witness()];
            let mut command = place.tool([saved, &arguments, &program].concat());
            command.env("DO", "fail").env("REWRITTEN", rewritten);
            Running::start(command).end().expect(2, &["restart 1 of 1", says]);
            assert_eq!(place.seen().count("shardEnded"), 0, "{rewritten}");
        }
    }
}

#[test]
fn records_added_between_a_failure_and_a_restart_are_not_part_of_the_run() {
    let place = Place::with_input("1\nnow\n3\n");
    let mut command = place.tool(["--input", "input", "--restarts", "1", "--", crate::harness::witness()]);
    command.env("DO", "fail-once");
    let running = Running::start(command);
    wait_until("the processor has failed", || place.read("seen").contains("drop"));
    File::options().append(true).open(place.path("input")).unwrap().write_all(b"4\n").unwrap();
    running.end().expect(0, &["restart 1 of 1", "ended"]);
    assert_eq!(place.seen().data(), ["1", "3", "now", "now"]);
}

#[test]
fn many_splits_and_merges_take_no_longer_than_few() {
    let changes: Vec<_> = (1..=50).map(|at| format!("{}@{at}", if at % 2 == 1 { "split" } else { "merge" })).collect();
    let reshard = changes.join(",");
    let place = Place::with_input(numbers(60));
    place.run(&["--reshard", &reshard]).expect(0, &["60 records"]);
    // The first shard fails, so that no other starts.
    let place = Place::with_input("now\n".repeat(60));
    let mut fails = place.tool(["--reshard", &reshard, "--input", "input", "--", crate::harness::witness()]);
    fails.env("DO", "fail");
    Running::start(fails).end().expect(1, &["failed"]);
}

#[test]
fn the_number_of_restarts_is_limited() {
    let place = Place::with_input("1\nnow\n3\n");
    let arguments = ["--input", "input", "--restarts", "1", "--", crate::harness::witness()];
    let mut command = place.tool(arguments);
    command.env("DO", "fail");
    let ended = Running::start(command).end();
    ended.expect(1, &["restart 1 of 1"]);
    assert_eq!(["outcome", "records", "restarts"].map(|column| ended.cell(0, column)), ["failed", "1", "1"]);
    assert_eq!(place.seen().data(), ["1", "now", "now"]);
}

#[test]
fn a_slow_shard_does_not_stop_the_others() {
    let mut input = for_shard(0, "wait-for go");
    for number in 1..=2_000 {
        input.push_str(&for_shard(0, &format!("a{number}")));
        input.push_str(&for_shard(1, &format!("b{number}")));
    }
    let place = Place::with_input(input);
    let arguments = ["--input", "input", "--format", "json", "--shards", "2", "--max-records", "10"];
    let running = Running::start(command(&place, &arguments));
    wait_until("the other shard has ended", || Entries::read(&place).position("01", "shardEnded").is_some());
    assert!(Entries::read(&place).position("00", "shardEnded").is_none());
    File::create(place.path("go")).unwrap();
    running.end().expect(0, &["4001 records"]);
    let entries = Entries::read(&place);
    let all = |letter: char| (1..=2_000).map(|number| format!("{letter}{number}")).collect::<Vec<_>>();
    assert_eq!((&entries.data("00")[1..], &entries.data("01")[..]), (&as_str(&all('a'))[..], &as_str(&all('b'))[..]));
}

fn as_str(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

#[test]
fn no_more_processors_run_at_once_than_jobs_allows() {
    let place = Place::with_input(numbers(1_000));
    let arguments = ["--input", "input", "--shards", "3", "--jobs", "1", "--max-records", "10"];
    Running::start(command(&place, &arguments)).end().expect(0, &["1000 records"]);
    let entries = Entries::read(&place);
    for (before, next) in [("00", "01"), ("01", "02")] {
        assert!(entries.position(before, "shardEnded") < entries.position(next, "initialize"));
    }
    let mut all = [entries.data("00"), entries.data("01"), entries.data("02")].concat();
    all.sort_unstable_by_key(|data| data.parse::<u32>().unwrap());
    assert_eq!(all, numbers(1_000).lines().collect::<Vec<_>>());
}

fn check_family(place: &Place) {
    let entries = Entries::read(place);
    for (parent, child) in [("00", "01"), ("00", "02"), ("01", "03"), ("02", "03")] {
        assert!(entries.position(parent, "shardEnded") < entries.position(child, "initialize TRIM_HORIZON"));
    }
    let number = |data: &&str| data.parse::<u32>().unwrap();
    assert_eq!(entries.data("00").iter().map(number).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    assert_eq!(entries.data("03").iter().map(number).collect::<Vec<_>>(), (201..=300).collect::<Vec<_>>());
    let mut halves: Vec<_> = ["01", "02"].map(|shard| entries.data(shard)).concat().iter().map(number).collect();
    halves.sort_unstable();
    assert_eq!(halves, (101..=200).collect::<Vec<_>>());
}

#[test]
fn parents_end_before_their_children_start() {
    let place = Place::with_input(numbers(300));
    let reshard = ["--reshard", "split@100,merge@200", "--max-records", "7", "--app", "app"];
    for more in [&["--input", "input"][..], &["--input", "input", "--jobs", "1", "--fresh"]] {
        _ = fs::remove_file(place.path("ledger"));
        Running::start(command(&place, &[&reshard, more].concat()))
            .end()
            .expect(0, &["300 records", "000000000003  ended "]);
        check_family(&place);
    }
    Running::start(command(&place, &[&reshard[..], &["--input", "input"]].concat()))
        .end()
        .expect(0, &["all 4 shards are at"]);

    _ = fs::remove_file(place.path("ledger"));
    let mut piped = command(&place, &[&reshard[..], &["--input", "-", "--fresh"]].concat());
    piped.stdin(Stdio::piped());
    let mut running = Running::start(piped);
    running.child().stdin.take().unwrap().write_all(numbers(300).as_bytes()).unwrap();
    running.end().expect(0, &["300 records"]);
    check_family(&place);
}

#[test]
fn shards_that_the_input_does_not_reach_never_exist() {
    let place = Place::with_input(numbers(100));
    let arguments = ["--input", "input", "--reshard", "split@100,merge@200"];
    let ended = Running::start(command(&place, &arguments)).end();
    ended.expect(0, &["shardId-000000000000  ended"]);
    assert!(!ended.stderr.contains("shardId-000000000001"), "{}", ended.stderr);
}

#[test]
fn an_input_that_grows_after_its_parents_ended_early_is_refused() {
    let place = Place::with_input(numbers(10));
    let arguments = ["--input", "input", "--reshard", "split@15", "--app", "app"];
    Running::start(command(&place, &arguments)).end().expect(0, &["shardId-000000000000  ended"]);
    // The records 11 to 15 belong to the parent.
    std::fs::write(place.path("input"), numbers(20)).unwrap();
    let refused = Running::start(command(&place, &arguments)).end();
    refused.expect(2, &["input has more records than the 21 bytes that it had when 1 shard ended"]);
    assert_eq!(Entries::read(&place).data("00").len(), 10);
}

#[test]
fn a_parent_that_fails_has_no_children() {
    let place = Place::with_input(format!("1\n2\nfail-once once\n{}", numbers(10)));
    let arguments = ["--input", "input", "--reshard", "split@5", "--app", "app", "--max-records", "1"];
    let ended = Running::start(command(&place, &arguments)).end();
    ended.expect(1, &["000000000000  failed", "000000000001  not started"]);
    // The cause comes first, and the sequence number, which the message above shows whole, is shortened.
    let last = ended.stderr.lines().find(|line| line.contains("last on stderr: kcl: ")).expect("its last words");
    let (cause, record) = last.split_once("; at record ").expect("the record comes last");
    assert!(
        cause.starts_with("    last on stderr: kcl: shard shardId-000000000000: processRecords failed: "),
        "{last}"
    );
    assert!(
        record.contains('…') && record.split('/').next().is_some_and(|number| number.chars().count() == 15),
        "{last}"
    );
    Running::start(command(&place, &arguments)).end().expect(0, &["000000000002  ended "]);
    let entries = Entries::read(&place);
    assert_eq!(entries.data("00"), ["1", "2", "fail-once once", "fail-once once", "1", "2"]);
    assert_eq!(entries.data("01").len() + entries.data("02").len(), 8);
}

#[test]
fn a_failed_shard_does_not_hold_back_others_that_share_standard_input() {
    let place = Place::with_input("");
    let mut input = for_shard(0, "fail-once once");
    for number in 1..=100 {
        input.push_str(&for_shard(0, "to a child"));
        input.push_str(&for_shard(1, &number.to_string()));
    }
    let arguments =
        ["--input", "-", "--format", "json", "--shards", "2", "--reshard", "split@10", "--max-records", "5"];
    let mut command = command(&place, &arguments);
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    running.child().stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let ended = running.end();
    ended.expect(1, &[]);
    assert_eq!([0, 1, 2].map(|shard| ended.cell(shard, "outcome")), ["failed", "ended", "not started"]);
    assert_eq!(ended.cell(1, "records"), "100");
}

#[test]
fn children_start_in_a_later_run_if_they_did_not_start_in_the_first() {
    let place = Place::with_input(format!("{}fail-once once\n", numbers(5)));
    let arguments = ["--reshard", "split@5", "--app", "app", "--input", "input"];
    for (code, says) in [(1, "failed"), (0, "ended")] {
        Running::start(command(&place, &arguments)).end().expect(code, &[says]);
    }
    let entries = Entries::read(&place);
    let all = ["00", "01", "02"].map(|shard| entries.data(shard)).concat();
    assert_eq!(all, ["1", "2", "3", "4", "5", "fail-once once", "fail-once once"]);
}

#[test]
fn options_that_read_the_input_again_are_refused_if_that_is_impossible() {
    let place = Place::with_input("");
    for (arguments, says) in [
        (&["--restarts", "1", "--input", "-"][..], "--restarts requires input that can be read again"),
        (&["--restarts", "1", "--input", "input", "--follow"], "--restarts requires input that can be read again"),
        (&["--jobs", "1", "--shards", "2", "--input", "-"], "--jobs below the number of shards"),
        (&["--reshard", "merge@5", "--input", "input"], "cannot merge the only shard"),
        (&["--reshard", "half@5", "--input", "input"], "split@10000,merge@20000"),
    ] {
        Running::start(command(&place, arguments)).end().expect(2, &[says]);
    }
}

#[test]
fn a_processor_that_hangs_is_reported_with_its_message() {
    let place = Place::with_input("1\n");
    // Hangs until the tool has reported that.
    let script = r#"read -r line; echo '{"action":"status","responseFor":"initialize"}'
        read -r line; until grep -q 'has been handling processRecords' stderr; do sleep 0.01; done; exit 3"#;
    let mut command = place.script(&["--stuck-after", "50ms"], script);
    let mut tool = command.stderr(File::create(place.path("stderr")).unwrap()).spawn().unwrap();
    wait_until("the tool ends", || tool.try_wait().unwrap().is_some());
    let stderr = place.read("stderr");
    assert!(stderr.contains("the processor has been handling processRecords for 50 ms"), "{stderr}");
    assert_eq!(stderr.matches("has been handling processRecords").count(), 1, "{stderr}");
}
