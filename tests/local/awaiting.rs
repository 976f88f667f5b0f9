//! Processors with `async` handlers, under the tool.

use std::collections::BTreeSet;
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;

use rustix::process::Signal;
use serde_json::Value;

use crate::follow::append;
use crate::harness::{Place, Running, annotated, at_once, wait_until};
use crate::services::{Http, Redis, Seen};

/// Lines with these numbers, and their texts in order.
fn numbered(count: usize) -> (String, Vec<String>) {
    let texts: Vec<_> = (0..count).map(|number| format!("{number:03}")).collect();
    (texts.join("\n") + "\n", texts)
}

#[test]
fn every_record_is_handled_and_the_shards_end() {
    let (input, texts) = numbered(60);
    let place = Place::with_input(input);
    let arguments = ["--input", "input", "--shards", "3", "--max-records", "7", "--", annotated()];
    Running::start(place.tool(arguments)).end().expect(0, &["60 records ("]);
    let seen = place.seen();
    assert_eq!(seen.data(), texts);
    assert_eq!((seen.count("shardEnded"), seen.count("drop")), (3, 3));
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let (input, texts) = numbered(20);
    let place = Place::with_input(input);
    let run = |count: usize| {
        let arguments = ["--input", "input", "--app", "annotated", "--follow", "--", annotated()];
        let running = Running::start(place.tool(arguments));
        wait_until("the records are seen", || place.read("seen").matches("record ").count() == count);
        running.signal(Signal::INT);
        running.end().expect(130, &["stopped"]);
        place.seen()
    };
    let seen = run(20);
    assert_eq!(seen.data(), texts);
    assert_eq!(seen.count("shutdownRequested"), 1);
    append(&place, "input", "new\n");
    assert_eq!(run(1).data(), ["new"]);
}

#[test]
fn no_record_is_lost_in_chaos() {
    let (input, _) = numbered(300);
    for program in [annotated(), at_once()] {
        let place = Place::with_input(&input);
        let arguments = ["--chaos", "11", "--input", "input", "--shards", "3", "--max-records", "7", "--", program];
        let ended = Running::start(place.tool(arguments)).end();
        ended.expect(0, &["every record was delivered at least once", ": 300 of 300\n"]);
        let seen = place.seen();
        let distinct: BTreeSet<_> = seen.data().into_iter().collect();
        assert_eq!(distinct.len(), 300);
    }
}

fn example(name: &str) -> PathBuf {
    tests::build(&["--package", "examples-async", "--example", name])
}

#[test]
fn the_http_sink_sends_at_once_and_in_the_order_of_each_key() {
    let (service, address) = Http::start();
    let orders = (0..60).map(|id| {
        let what = match id {
            17 => "refuse",
            _ if id % 20 == 4 => "busy",
            _ => "order",
        };
        format!(r#"{{"customer":"{}","id":{id},"what":"{what}"}}"#, id % 7)
    });
    let orders: Vec<_> = orders.collect();
    let place = Place::with_input(orders.join("\n"));
    let sink = example("http_sink");
    let sink = sink.to_str().expect("a path of text");
    let mut tool = place.tool(["--input", "input", "--key", "/customer", "--max-records", "25", "--", sink]);
    tool.env("SINK_URL", format!("http://{address}/orders")).env("DEAD_LETTERS", place.path("dead-letters"));
    Running::start(tool).end().expect(0, &["60 records ("]);

    let Seen { taken, requests, .. } = service.take_seen();
    for customer in 0..7 {
        let of_the_customer = |lines: &[String]| {
            let start = format!(r#"{{"customer":"{customer}""#);
            lines
                .iter()
                .filter(|line| line.starts_with(&start) && !line.contains("refuse"))
                .cloned()
                .collect::<Vec<_>>()
        };
        assert_eq!(of_the_customer(&taken), of_the_customer(&orders));
    }
    // The busy ones came twice. The refused one did not, because another attempt is useless.
    assert_eq!((requests.len(), requests.values().filter(|&&times| times == 2).count()), (60, 3));
    let files = fs::read_dir(place.path("dead-letters")).expect("a folder").map(|file| file.expect("a file").path());
    let letters: Vec<_> = files.map(|file| fs::read_to_string(file).expect("text")).collect();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].contains("the service answered 400 Bad Request") && letters[0].contains(r#""attempts":1"#));
}

#[test]
fn the_pool_stores_every_order() {
    let (database, address) = Redis::start();
    let place = Place::with_input("");
    let orders = tests::workspace().join("examples/data/orders.jsonl");
    let (orders, pool) = (orders.to_str().expect("a path of text"), example("pool"));
    let pool = pool.to_str().expect("a path of text");
    let mut tool = place.tool(["--input", orders, "--shards", "2", "--", pool]);
    tool.env("REDIS_URL", format!("redis://{address}"));
    Running::start(tool).end().expect(0, &["the database answers PONG", "400 records ("]);

    let stored = fs::read_to_string(orders)
        .expect("the orders")
        .lines()
        .map(|line| {
            let order: Value = serde_json::from_str(line).expect("JSON");
            let customer = order["customer"].as_str().expect("a name");
            (format!("orders:{customer} {}", order["id"]), order["cents"].to_string())
        })
        .collect();
    assert_eq!(database.hashes(), stored);
}

#[test]
fn a_pool_without_a_database_ends_before_the_first_record() {
    let place = Place::with_input("{}");
    let pool = example("pool");
    let mut tool = place.tool(["--input", "input", "--restarts", "0", "--", pool.to_str().expect("a path of text")]);
    // Nothing listens on a port that was free a moment ago.
    let free = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr()).expect("a free port");
    tool.env("REDIS_URL", format!("redis://{free}"));
    Running::start(tool).end().expect(1, &["Connection refused"]);
}
