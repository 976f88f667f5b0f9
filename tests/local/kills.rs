//! Kills the tool with all its processors at random moments and runs it again until everything is done: no record is lost or
//! skipped.
//!
//! Other tests kill it in the first milliseconds of its state's life.
//!
//! `KCL_KILLS=100 cargo test -p tests --test local kills -- --nocapture` kills it 100 times.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::Duration;
use std::{env, fs};

use crate::harness::{Place, Running, ledger};

const RECORDS: u64 = 4_000;
/// The approximate size of a ledger's entry for a record, in bytes.
const ENTRY: u64 = 100;

/// A random number below `most`. It needs no seed, because the timing is not repeatable anyway.
fn random(most: u64) -> u64 {
    RandomState::new().hash_one(0) % most
}

fn start(place: &Place) -> Running {
    let arguments = ["--app", "app", "--input", "input", "--shards", "3", "--max-records", "20", "--quiet"];
    let mut command = place.tool([&arguments[..], &["--", ledger()]].concat());
    command.env("LEDGER", place.path("ledger"));
    Running::start(command)
}

/// Runs the tool up to a random moment and kills it. Returns `false` if the tool was done before.
fn kill(place: &Place) -> bool {
    let written = || fs::metadata(place.path("ledger")).map_or(0, |ledger| ledger.len());
    let enough = written() + random(RECORDS / 2) * ENTRY;
    let mut running = start(place);
    while written() < enough && running.child().try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_micros(50));
    }
    // Kill it in the middle of its work or of its start.
    thread::sleep(Duration::from_micros(random(10_000)));
    if running.child().try_wait().unwrap().is_some() {
        running.end().expect(0, &[]);
        return false;
    }
    running.child().kill().unwrap();
    running.wait();
    true
}

/// The processors of a shard, in order: the position from which each started, and the records that it received.
type Lives = Vec<(String, Vec<String>)>;

fn lives(place: &Place) -> BTreeMap<String, Lives> {
    let text = place.read("ledger");
    let mut shards: BTreeMap<String, Lives> = BTreeMap::new();
    let mut processes: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in text.lines() {
        let mut parts = line.splitn(4, ' ');
        let mut part = || parts.next().unwrap_or_default().to_owned();
        let (shard, process, what, detail) = (part(), part(), part(), part());
        let lives = shards.entry(shard.clone()).or_default();
        match what.as_str() {
            "initialize" => {
                processes.insert((shard, process), lives.len());
                lives.push((detail, Vec::new()));
            }
            "record" => lives[processes[&(shard, process)]].1.push(detail),
            _ => {}
        }
    }
    shards
}

/// Checks the ledger, and returns how many records were delivered more than once.
fn check(place: &Place) -> u64 {
    let mut again = 0;
    let mut data = BTreeSet::new();
    for (shard, lives) in lives(place) {
        // All sequence numbers have the same length, so they sort as text.
        let all: BTreeSet<&String> = lives.iter().flat_map(|(_, records)| records).collect();
        let all: Vec<_> = all.into_iter().collect();
        let place_of = |record: &str| all.iter().position(|other| other.split(' ').next() == Some(record));
        let mut seen = BTreeSet::new();
        for (position, records) in &lives {
            let start = match position.as_str() {
                "TRIM_HORIZON" => 0,
                position => {
                    let at = place_of(position).unwrap_or_else(|| panic!("{shard} stands at {position}, never seen"));
                    assert!(seen.contains(all[at]), "{shard}: {position} was checkpointed before it was processed");
                    at + 1
                }
            };
            let expected = &all[start..(start + records.len()).min(all.len())];
            assert!(records.iter().eq(expected.iter().copied()), "{shard}, after {position}: {records:?}");
            again += records.iter().filter(|record| !seen.insert((*record).clone())).count() as u64;
        }
        data.extend(all.iter().filter_map(|record| record.rsplit(' ').next()?.parse::<u64>().ok()));
    }
    assert!(data.iter().copied().eq(1..=RECORDS), "{} of {RECORDS} records were processed", data.len());
    again
}

/// Starts the tool and kills it in the first milliseconds of its state's life. Then the next run must find the state usable.
fn kill_at_birth(place: &Place) {
    _ = fs::remove_dir_all(place.path(".kcl"));
    let arguments = ["--app", "app", "--input", "input", "--quiet", "--", ledger()];
    let tool = || {
        let mut command = place.tool(arguments);
        command.env("LEDGER", place.path("ledger"));
        command
    };
    let mut running = Running::start(tool());
    while !place.path(".kcl").exists() && running.child().try_wait().unwrap().is_none() {
        thread::sleep(Duration::from_micros(50));
    }
    thread::sleep(Duration::from_micros(random(15_000)));
    running.child().kill().unwrap();
    running.wait();
    Running::start(tool()).end().expect(0, &[]);
    assert_eq!(place.read(".kcl/.gitignore"), "*\n");
    for entry in fs::read_dir(place.path(".kcl")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            matches!(&*name, "app.redb" | "app.lock" | ".gitignore") || name.starts_with(".new-"),
            "{name} is left"
        );
    }
}

#[test]
fn a_tool_that_is_killed_while_it_creates_the_state_does_not_spoil_it() {
    let wanted = env::var("KCL_KILLS").ok().map_or(10, |text| text.parse().expect("KCL_KILLS is a number"));
    let place = Place::with_input("1\n2\n");
    (0..wanted).for_each(|_| kill_at_birth(&place));
}

#[test]
fn a_tool_that_is_killed_loses_and_skips_nothing() {
    let wanted = env::var("KCL_KILLS").ok().map_or(3, |text| text.parse().expect("KCL_KILLS is a number"));
    let input: String = (1..=RECORDS).map(|number| format!("{number}\n")).collect();
    let (mut kills, mut runs, mut again) = (0, 0, 0);
    while kills < wanted {
        let place = Place::with_input(&input);
        while kills < wanted && kill(&place) {
            kills += 1;
        }
        start(&place).end().expect(0, &[]);
        again += check(&place);
        runs += 1;
    }
    eprintln!(
        "{kills} kills in {runs} runs over {RECORDS} records: none lost, none skipped, {again} of {} delivered again",
        runs * RECORDS
    );
}
