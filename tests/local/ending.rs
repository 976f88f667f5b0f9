//! Runs that are ended from outside, by Ctrl-C or a kill.

use std::io::Write;
use std::process::{Command, Stdio};

use rustix::process::Signal;

use crate::harness::{Place, Running, Seen, runs, wait_until, witness};

/// Answers `initialize`, notes its process id, and hangs.
const HANGS: &str = r#"read -r line; echo '{"action":"status","responseFor":"initialize"}'
    echo $$ >> ids; exec sleep 1000"#;

fn start(mut command: Command) -> Running {
    command.stdin(Stdio::piped());
    let mut running = Running::start(command);
    running.child().stdin.as_mut().unwrap().write_all(b"1\n2\n3\n4\n5\n6\n").unwrap();
    running
}

fn ids(place: &Place, count: usize) -> Vec<String> {
    wait_until("the processors are running", || place.read("ids").lines().count() == count);
    place.read("ids").lines().map(str::to_owned).collect()
}

#[test]
fn threads_that_cannot_be_started_are_an_error() {
    let place = Place::with_input("1\n");
    for arguments in [&[][..], &["--app", "app"]] {
        let mut command = place.tool([arguments, &["--input", "input", "--", witness()]].concat());
        // More than the address space holds, so that no thread gets its stack.
        command.env("RUST_MIN_STACK", (1_u64 << 47).to_string());
        Running::start(command).end().expect(2, &["a thread cannot be started: "]);
    }
}

#[test]
fn no_processor_outlives_the_tool() {
    let place = Place::with_input("");
    let running = start(place.tool(["--input", "-", "--shards", "3", "--", "sh", "-c", HANGS]));
    let ids = ids(&place, 3);
    assert!(ids.iter().all(|id| runs(id)));
    running.signal(Signal::KILL);
    wait_until("the processors end", || !ids.iter().any(|id| runs(id)));
    assert_eq!(running.end().code, None);
}

#[test]
fn a_kill_of_the_tool_loses_nothing_and_skips_nothing() {
    let place = Place::with_input("");
    let input: String = (1..=20_000).map(|number| format!("{number}\n")).collect();
    std::fs::write(place.path("input"), &input).unwrap();
    let arguments = ["--input", "input", "--shards", "2", "--max-records", "20", "--app", "app", "--", witness()];
    let mut all = Vec::new();
    for run in 1..=3 {
        let running = Running::start(place.tool(arguments));
        wait_until("records are seen", || place.read("seen").matches("record").count() > 100 * run);
        running.signal(Signal::KILL);
        running.end();
        all.push(place.seen());
    }
    Running::start(place.tool(arguments)).end().expect(0, &[]);
    all.push(place.seen());
    for run in 1..all.len() {
        let (before, resumed) = (&all[..run], &all[run]);
        for position in resumed.starting_with("initialize ").filter_map(|line| Some(line.split_once(' ')?.1)) {
            let seen = before.iter().flat_map(Seen::records).any(|(number, _)| number == position);
            assert!(seen || position == "TRIM_HORIZON", "every checkpointed record was seen");
        }
    }
    let mut data: Vec<_> = all.iter().flat_map(|seen| seen.data()).collect();
    data.sort_unstable();
    data.dedup();
    let mut expected: Vec<_> = input.lines().collect();
    expected.sort_unstable();
    assert_eq!(data, expected);
}

#[test]
fn an_interruption_ends_a_run_gracefully() {
    for signal in [Signal::INT, Signal::TERM] {
        let place = Place::with_input("");
        let arguments = ["--input", "-", "--shards", "2", "--app", "app", "--", witness()];
        let running = start(place.tool(arguments));
        wait_until("the records are seen", || place.read("seen").matches("record").count() == 6);
        running.signal(signal);
        running.end().expect(130, &["asked to shut down", "stopped"]);
        let seen = place.seen();
        assert_eq!((seen.count("shutdownRequested"), seen.count("leaseLost"), seen.count("drop")), (2, 2, 2));
        assert_eq!(seen.count("shardEnded"), 0);

        let mut resumed = start(place.tool(arguments));
        resumed.child().stdin.as_mut().unwrap().write_all(b"7\n").unwrap();
        drop(resumed.child().stdin.take());
        resumed.end().expect(0, &["1 record "]);
        assert_eq!(place.seen().data(), ["7"]);
    }
}

#[test]
fn an_interruption_that_arrives_twice_is_one() {
    let place = Place::with_input("");
    let running = start(place.tool(["--input", "-", "--shards", "2", "--", witness()]));
    wait_until("the records are seen", || place.read("seen").matches("record").count() == 6);
    // `timeout -s INT` signals its command, and then the process group that it shares with it.
    running.signal(Signal::INT);
    running.signal(Signal::INT);
    let ended = running.end();
    ended.expect(130, &["asked to shut down", "stopped"]);
    assert!(!ended.stderr.contains("interrupted again"), "{ended:?}");
    assert_eq!(place.seen().count("leaseLost"), 2);
}

#[test]
fn a_second_interruption_kills() {
    let place = Place::with_input("");
    let mut command = place.tool(["--input", "-", "--", "sh", "-c", HANGS]);
    // The tool reports the first interruption on stderr, which the test reads from a file.
    let stderr = std::fs::File::create(place.path("stderr")).unwrap();
    command.stderr(Stdio::piped()).env("STDERR", place.path("stderr"));
    drop(stderr);
    let script = r#"exec 2>"$STDERR"; exec "$0" "$@""#;
    let mut through_a_file = Command::new("sh");
    through_a_file.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    through_a_file.current_dir(place.path("")).env("STDERR", place.path("stderr"));
    through_a_file.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = start(through_a_file);
    let ids = ids(&place, 1);
    running.signal(Signal::INT);
    wait_until("the first one was handled", || place.read("stderr").contains("interrupt again to kill"));
    assert!(ids.iter().all(|id| runs(id)));
    running.signal_until_it_ends(Signal::INT);
    assert_eq!(running.end().code, Some(130));
    wait_until("the processor ends", || !ids.iter().any(|id| runs(id)));
}

#[test]
fn a_terminals_interruption_reaches_only_the_tool() {
    let place = Place::with_input("");
    let running = start(place.tool(["--input", "-", "--", "sh", "-c", HANGS]));
    let ids = ids(&place, 1);
    let group = |id: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap();
        stat.rsplit_once(") ").unwrap().1.split(' ').nth(2).unwrap().to_owned()
    };
    assert_eq!(group(&ids[0]), ids[0], "the processor leads its own process group");
    drop(running);
}
