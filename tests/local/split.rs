//! Runs without errors: which shard receives which records.

use std::collections::BTreeMap;

use kcl::SequenceNumber;

use crate::harness::{Place, Running, witness};

fn numbers(count: u32) -> String {
    (1..=count).map(|number| format!("{number}\n")).collect()
}

#[test]
fn every_record_is_seen_once() {
    let place = Place::with_input(numbers(5_000));
    place.run(&["--shards", "4"]).expect(0, &["shardId-000000000003  ended", "5000 records (18.9 kB)"]);
    let seen = place.seen();
    let mut expected: Vec<_> = (1..=5_000).map(|number| number.to_string()).collect();
    expected.sort_unstable();
    assert_eq!(seen.data(), expected);
    assert_eq!(seen.starting_with("initialize ").filter(|shard| shard.ends_with(" TRIM_HORIZON")).count(), 4);
    assert_eq!((seen.count("shardEnded"), seen.count("drop")), (4, 4));
}

#[test]
fn the_same_command_does_the_same_twice() {
    let place = Place::with_input(numbers(3_000));
    let run = || {
        place.run(&["--shards", "3", "--max-records", "7"]).expect(0, &[]);
        let mut seen = place.seen().0;
        seen.sort_unstable();
        seen
    };
    assert_eq!(run(), run());
}

#[test]
fn sequence_numbers_have_56_digits_and_ascend() {
    let place = Place::with_input(numbers(100));
    std::fs::write(place.path("more"), numbers(100)).unwrap();
    place.run(&["--input", "more"]).expect(0, &[]);
    let seen = place.seen();
    let numbers: Vec<_> = seen.records().map(|(number, _)| number.strip_suffix("/0").unwrap()).collect();
    assert_eq!(numbers.len(), 200);
    assert!(numbers.iter().all(|number| number.len() == 56));
    assert!(numbers.iter().map(|number| number.parse::<SequenceNumber>().unwrap()).is_sorted());
}

#[test]
fn data_is_delivered_unchanged() {
    let place = Place::with_input(b"o\rne\r\n\n\xff\xfe\0\t\n\xe2\x80\xa8\nno end");
    place.run(&[]).expect(0, &["4 records"]);
    let seen = place.seen();
    let data: Vec<_> = seen.records().map(|(_, data)| data).collect();
    assert_eq!(data, [r"o\rne", r"\xff\xfe\x00\t", r"\xe2\x80\xa8", "no end"]);
}

#[test]
fn records_of_one_key_share_a_shard_in_order() {
    let customers = ["alice", "bob", "charlie", "dave", "eve"];
    let orders = (0..500).map(|id| {
        let customer = customers[id % customers.len()];
        format!("{{\"id\":{id},\"who\":{{\"name\":\"{customer}\"}}}}\n")
    });
    let place = Place::with_input(orders.collect::<String>());
    // A script that appends the records of each shard to a separate file.
    let script = r#"while read -r line; do
        action=${line#*'"action":"'}; action=${action%%'"'*}
        case $line in *'"action":"initialize"'*) shard=${line#*'"shardId":"'}; shard=${shard%%'"'*};; esac
        case $line in *'"action":"processRecords"'*) action=processRecords; echo "$line" >> "$shard";; esac
        case $line in *shardEnded*) echo '{"action":"checkpoint"}'; read -r line;; esac
        echo "{\"action\":\"status\",\"responseFor\":\"$action\"}"
    done"#;
    place.run_script(&["--shards", "4", "--key", "/who/name"], script).expect(0, &["500 records"]);
    let mut shards: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for shard in 0..4 {
        let lines = place.read(&format!("shardId-{shard:012}"));
        for key in lines.split("\"partitionKey\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            shards.entry(key.to_owned()).or_default().push(shard);
        }
    }
    assert_eq!(shards.keys().map(String::as_str).collect::<Vec<_>>(), customers);
    assert!(shards.values().all(|shards| shards.len() == 100 && shards.iter().all(|shard| *shard == shards[0])));
    // Their MD5 hashes start with 63, 9f and bf.
    assert_eq!([&shards["alice"][0], &shards["bob"][0], &shards["charlie"][0]], [&1, &2, &2]);
}

#[test]
fn a_shard_without_records_ends_too() {
    let place = Place::with_input("");
    place.run(&["--shards", "3"]).expect(0, &["0 records"]);
    assert_eq!(place.seen().count("shardEnded"), 3);
}

#[test]
fn an_example_is_built_and_run() {
    let place = Place::with_input("");
    let mut command = place.tool(["--example", "quickstart", "--input", "examples/data/orders.jsonl", "--shards", "4"]);
    command.current_dir(tests::workspace());
    let ended = Running::start(command).end();
    ended.expect(0, &["[2] shardId-000000000002: ", "400 records"]);
}

#[test]
fn both_spellings_of_the_command_work() {
    let place = Place::with_input("1\n");
    let mut command = std::process::Command::new(place.tool([""; 0]).get_program());
    command.args(["kcl", "local", "--input", "input", "--", witness()]).current_dir(place.path("")).env("SEEN", "seen");
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    Running::start(command).end().expect(0, &["1 record "]);
}
