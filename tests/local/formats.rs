//! The meaning of the bytes of an input: ends of lines, formats that are refused, documents of AWS, aggregates and partition keys.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::{Digest as _, Md5};

use crate::harness::{Ended, Place, Running, wait_until, witness};

/// Answers everything, and writes each record to the file `records` as its own line: shard, sequence and sub-sequence number, key, data
/// in base64 and time.
const COPY: &str = r#"while IFS= read -r line; do
    action=${line#*'"action":"'}; action=${action%%'"'*}
    case $line in *'"records":'*) action=processRecords;; esac
    if [ $action = initialize ]; then shard=${line#*'"shardId":"shardId-'}; shard=${shard%%'"'*}; fi
    if [ $action = processRecords ]; then
        printf '%s\n' "$line" | sed 's/},{/}\n{/g; s/{"records":\[//' | sed -n 's/.*"data":"\([^"]*\)","partitionKey":"\([^"]*\)","sequenceNumber":"\([0-9]*\)","approximateArrivalTimestamp":\([0-9]*\),"subSequenceNumber":\([0-9]*\).*/\3 \5 \2 \1 \4/p' | sed "s/^/${shard#00000000000} /" >> records
    fi
    case $action in shardEnded|processRecords) echo '{"action":"checkpoint"}'; read -r answer;; esac
    echo "{\"action\":\"status\",\"responseFor\":\"$action\"}"
done"#;

/// A record that a processor received.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Received {
    shard: String,
    number: String,
    sub: u64,
    key: String,
    data: Vec<u8>,
    arrival: i64,
}

/// Runs the tool over `input` with these arguments, and returns what the processors received, in order of shards.
fn received(place: &Place, arguments: &[&str]) -> (Ended, Vec<Received>) {
    _ = fs::remove_file(place.path("records"));
    let ended = place.run_script(arguments, COPY);
    let mut records: Vec<_> = place.read("records").lines().map(read).collect();
    records.sort();
    (ended, records)
}

fn read(line: &str) -> Received {
    let parts: Vec<_> = line.split(' ').collect();
    let [shard, number, sub, key, data, arrival] = parts[..] else { panic!("{line}") };
    let [shard, number, key] = [shard, number, key].map(str::to_owned);
    let data = BASE64_STANDARD.decode(data).expect("base64");
    Received {
        shard,
        number,
        sub: sub.parse().expect("a number"),
        key,
        data,
        arrival: arrival.parse().expect("a time"),
    }
}

fn data(records: &[Received]) -> Vec<&str> {
    records.iter().map(|record| std::str::from_utf8(&record.data).expect("text")).collect()
}

/// An aggregate as the producer library makes it, of parts with the index of their key and their data.
fn aggregate(keys: &[&str], parts: &[(u8, &[u8])]) -> Vec<u8> {
    let field = |number: u8, content: &[u8]| {
        let mut bytes = vec![number << 3 | 2];
        let mut length = content.len();
        while length > 0x7f {
            bytes.push(length as u8 | 0x80);
            length >>= 7;
        }
        bytes.push(length as u8);
        bytes.extend_from_slice(content);
        bytes
    };
    let mut message: Vec<u8> = keys.iter().flat_map(|key| field(1, key.as_bytes())).collect();
    for (key, data) in parts {
        message.extend(field(3, &[&[1 << 3, *key][..], &field(3, data)].concat()));
    }
    let digest = Md5::digest(&message);
    [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &digest[..]].concat()
}

#[test]
fn lines_may_end_in_carriage_return_and_line_feed() {
    let unix = received(&Place::with_input("{\"id\":1}\n\n{\"id\":2}\nx\\r\n"), &[]).1;
    let windows = received(&Place::with_input("{\"id\":1}\r\n\r\n{\"id\":2}\r\nx\\r\r\n"), &[]).1;
    assert_eq!(data(&windows), ["{\"id\":1}", "{\"id\":2}", "x\\r"]);
    let keys = |records: &[Received]| records.iter().map(|record| record.key.clone()).collect::<Vec<_>>();
    assert_eq!((data(&unix), keys(&unix)), (data(&windows), keys(&windows)));

    let place = Place::with_input("{\"data\":\"a\\r\"}\r\n{\"data\":\"b\\r\\n\"}\r\n");
    assert_eq!(data(&received(&place, &["--format", "json"]).1), ["a\r", "b\r\n"], "a value keeps its own");
}

#[test]
fn a_byte_order_mark_is_dropped_and_reported_once() {
    let place = Place::with_input("\u{feff}{\"id\":1}\n{\"id\":2}\n");
    for arguments in [&["--key", "/id"][..], &["--key", "/id", "--shards", "4"], &["--key", "/id", "--chaos", "7"]] {
        let (ended, records) = received(&place, arguments);
        ended.expect(0, &["cargo kcl: input starts with a byte order mark, which is dropped\n"]);
        assert_eq!(ended.stderr.matches("byte order mark").count(), 1, "{}", ended.stderr);
        assert!(records.iter().all(|record| record.data.starts_with(b"{")), "{records:?}");
    }
}

#[test]
fn formats_that_are_not_text_are_refused_by_name() {
    for (start, says) in [
        (
            &b"\x1f\x8b\x08\x00\x00\n"[..],
            "input is compressed with gzip; unpack it first: pipe `zcat input` into this command, with `-` instead of the file",
        ),
        (b"\x28\xb5\x2f\xfd\x04", "input is compressed with zstd; unpack it first: pipe `zstdcat input` into"),
        (b"BZh91AY&SY\x01", "input is compressed with bzip2; unpack it first: pipe `bzcat input` into"),
        (
            b"\xff\xfe{\0\n\0",
            "input is text in UTF-16, not UTF-8; convert it first: pipe `iconv -f UTF-16 -t UTF-8 input` into",
        ),
        (b"\xfe\xff\0{\0\n", "input is text in UTF-16"),
        (
            b"1\0\n\0",
            "input is text in UTF-16LE, not UTF-8; convert it first: pipe `iconv -f UTF-16LE -t UTF-8 input` into",
        ),
        (b"\0{\0}\0\n", "input is text in UTF-16BE"),
        (b"\xff\xfe\0\0{\0\0\0\n\0\0\0", "input is text in UTF-32"),
    ] {
        let place = Place::with_input(start);
        for arguments in [&[][..], &["--follow"], &["--format", "json"], &["--format", "aws"], &["--chaos", "1"]] {
            place.run(arguments).expect(2, &[says]);
        }
        // The first of two inputs is not read.
        let second = ["--input", "first", "--input", "input", "--", witness()];
        fs::write(place.path("first"), "1\n").unwrap();
        Running::start(place.tool(second)).end().expect(2, &[says]);
        assert!(place.seen().0.is_empty(), "nothing was started");

        let mut command = place.tool(["--input", "-", "--", witness()]);
        let mut running = Running::start({
            command.stdin(Stdio::piped());
            command
        });
        let mut stdin = running.child().stdin.take().unwrap();
        stdin.write_all(start).unwrap();
        // Standard input stays open: the tool does not wait for more.
        let (before, _) = says.split_once([';', ',']).unwrap_or((says, ""));
        running.end().expect(2, &[&before.replace("input is", "standard input is")]);
        drop(stdin);
    }
}

#[test]
fn a_followed_file_that_becomes_compressed_ends_the_run() {
    let place = Place::with_input("1\n");
    let running = Running::start(place.tool(["--input", "input", "--follow", "--", witness()]));
    wait_until("the record is seen", || place.read("seen").contains("record"));
    fs::rename(place.path("input"), place.path("input.1")).unwrap();
    fs::write(place.path("input"), b"\x1f\x8b\x08\x00").unwrap();
    running.end().expect(2, &["input was rotated", "input is compressed with gzip", "stopped"]);
}

#[test]
fn json_on_several_lines_is_noticed() {
    let place = Place::with_input("{\n  \"id\": 1\n}\n");
    let (ended, records) = received(&place, &[]);
    ended.expect(0, &["input, line 1: only `{`, as in JSON that was printed on several lines; each line", "`jq -c .`"]);
    assert_eq!(records.len(), 3);
    for arguments in [&["--key", "/id"][..], &["--format", "json"]] {
        place
            .run(arguments)
            .expect(2, &["input, line 1: only `{`: JSON that was printed on several lines", "`jq -c .`"]);
    }
    // For an array, `jq -c .` would write one line.
    let place = Place::with_input("[\n  {\"id\": 1}\n]\n");
    let (ended, _) = received(&place, &[]);
    ended.expect(0, &["input, line 1: only `[`, as in JSON", "`jq -c '.[]'` writes one element per line"]);
    let refused =
        "input, line 1: only `[`: JSON that was printed on several lines has no record per line; `jq -c '.[]'` writes";
    place.run(&["--key", "/id"]).expect(2, &[refused]);
    let place = Place::with_input("1\n{\n");
    let (ended, _) = received(&place, &[]);
    assert!(!ended.stderr.contains("jq"), "{}", ended.stderr);
}

/// Removes from a state what earlier versions did not have.
fn make_old(place: &Place) {
    let path = place.path("state/app.redb");
    let database = redb::Database::open(&path).expect("a state");
    let transaction = database.begin_write().expect("it can be written");
    let run: redb::TableDefinition<'_, &str, &str> = redb::TableDefinition::new("run");
    let removed =
        transaction.open_table(run).expect("a table").remove("line ends").expect("it can be written").is_some();
    assert!(removed);
    transaction.commit().expect("it can be written");
}

#[test]
fn a_state_of_an_earlier_version_holds_for_line_feeds_only() {
    let keep = ["--state", "state", "--app", "app"];
    let place = Place::with_input("1\n2\n{}");
    let limited = |more: &[&str]| place.run(&[&keep[..], &["--key", ""], more].concat());
    limited(&[]).expect(2, &["input, line 3: the value at the key `` is an object"]);
    make_old(&place);
    // The line that is to be read next may end in any way.
    fs::write(place.path("input"), "1\n2\n3\r\n{}\r\n").unwrap();
    limited(&[]).expect(2, &["resuming", "line 4"]);
    fs::write(place.path("input"), "1\n2\n3\r\n4\r\n").unwrap();
    limited(&[]).expect(0, &["resuming", "1 record "]);
    assert_eq!(place.seen().data(), ["1", "2", "3", "4"]);

    for (before, line) in [("1\n\r\n2\n{}", 2), ("\u{feff}1\n2\n{}", 1)] {
        let place = Place::with_input(before);
        let run = || place.run(&[&keep[..], &["--key", ""]].concat());
        run().expect(2, &["is an object"]);
        make_old(&place);
        run().expect(2, &[&format!("input, line {line}: this line is read in another way now"), "`\\r\\n`", "--fresh"]);
        place.run(&[&keep[..], &["--key", "", "--fresh"]].concat()).expect(2, &["is an object"]);
    }
}

const GET_RECORDS: &str = r#"{
    "Records": [
        {
            "SequenceNumber": "49650000000000000000000000000000000000000000000000000007",
            "ApproximateArrivalTimestamp": 1764150000.25,
            "Data": "aGVsbG8=",
            "PartitionKey": "p"
        },
        {
            "SequenceNumber": "49650000000000000000000000000000000000000000000000000008",
            "ApproximateArrivalTimestamp": "2025-11-26T10:40:00.250000+01:00",
            "Data": "d29ybGQ=",
            "PartitionKey": "q"
        }
    ],
    "NextShardIterator": "AAA",
    "MillisBehindLatest": 0
}
"#;
const EVENT: &str = r#"{"Records":[{"eventSource":"aws:kinesis","eventName":"aws:kinesis:record","kinesis":{"partitionKey":"r","sequenceNumber":"49","data":"ZXZlbnQ=","approximateArrivalTimestamp":1764150000.25}}]}"#;

#[test]
fn documents_of_aws_are_read() {
    let place = Place::with_input(format!("{GET_RECORDS}\r\n{EVENT}{EVENT}\n"));
    let (ended, records) = received(&place, &["--format", "aws"]);
    ended.expect(0, &["4 records"]);
    let seen = |record: &Received| (record.key.clone(), record.arrival);
    assert_eq!(data(&records), ["hello", "world", "event", "event"]);
    assert_eq!(
        records.iter().map(seen).collect::<Vec<_>>(),
        ["p", "q", "r", "r"].map(|key| (key.to_owned(), 1_764_150_000_250))
    );
    // A place has the line on which the record starts.
    let lines: Vec<_> = records.iter().map(|record| record.number[24..40].parse::<u64>().unwrap()).collect();
    assert_eq!(lines, [3, 9, 20, 20]);

    for arguments in [&["--chaos", "7"][..], &["--chaos", "8", "--shards", "3"]] {
        place.run(&[&["--format", "aws"], arguments].concat()).expect(0, &["held    every record was delivered"]);
    }
    let mut command = place.tool(["--input", "-", "--format", "aws", "--", witness()]);
    command.stdin(fs::File::open(place.path("input")).unwrap());
    Running::start(command).end().expect(0, &["4 records"]);
}

#[test]
fn records_of_aws_may_stand_alone_or_in_an_array() {
    let record = |data: &str, key: &str| format!("{{\n  \"Data\": {data},\n  \"PartitionKey\": \"{key}\"\n}}");
    let [one, two] = [record("\"aGVsbG8=\"", "p"), record("{\"0\":104,\"1\":105}", "q")];
    let text = format!("{one}\n{two}\n[{one},\n{two}]\n[]");
    let place = Place::with_input(text);
    let (ended, records) = received(&place, &["--format", "aws"]);
    ended.expect(0, &["4 records"]);
    assert_eq!(data(&records), ["hello", "hi", "hello", "hi"]);
    let lines: Vec<_> = records.iter().map(|record| record.number[24..40].parse::<u64>().unwrap()).collect();
    assert_eq!(lines, [1, 5, 9, 13]);
    place.run(&["--format", "aws", "--chaos", "7"]).expect(0, &["held    every record was delivered"]);
    Place::with_input(one.replace('\n', ""))
        .run(&["--format", "json"])
        .expect(2, &["a document of AWS; --format aws reads it"]);
}

#[test]
fn a_run_resumes_within_a_document() {
    let broken = GET_RECORDS.replace("d29ybGQ=", "?");
    let place = Place::with_input(format!("{EVENT}\n{broken}"));
    let arguments = ["--format", "aws", "--app", "app", "--state", "state"];
    let (ended, records) = received(&place, &arguments);
    ended.expect(2, &["input, line 10: its data is not valid base64"]);
    assert_eq!(data(&records), ["event", "hello"]);
    fs::write(place.path("input"), format!("{EVENT}\n{GET_RECORDS}")).unwrap();
    let (ended, records) = received(&place, &arguments);
    ended.expect(0, &["1 record "]);
    assert_eq!(data(&records), ["world"]);
}

#[test]
fn documents_that_are_not_of_aws_are_named() {
    for (text, says) in [
        ("{\"Records\":[\n", "input, line 1: the document that starts here does not end"),
        ("\n7\n", "input, line 2: not a document of --format aws, which is an object with `Records`"),
        ("{\"id\":1}\n", "input, line 1: the document that starts here is not a record of AWS, and has no `Records`"),
        (
            "{\"Records\":[]}\n{\"Records\":[}]}",
            "input, line 2: the document that starts here is not valid: expected value",
        ),
        ("{\"Records\":[\n{\"eventSource\":\"aws:sqs\"}]}", "input, line 2: a record from `aws:sqs`"),
        ("{\"Records\":[{\"Data\":\"\"}]}", "no `PartitionKey`; `--key-missing number`"),
    ] {
        Place::with_input(text).run(&["--format", "aws"]).expect(2, &[says]);
    }
    let place = Place::with_input("{\"Records\":[{\"Data\":\"\"}]}");
    let (_, records) = received(&place, &["--format", "aws", "--key-missing", "none"]);
    assert_eq!(records[0].key, "none");
    place.run(&["--format", "aws", "--key", "/k"]).expect(2, &["--key requires --format lines; with aws"]);
}

#[test]
fn aggregates_in_json_are_taken_apart() {
    let three = aggregate(&["k1", "k2"], &[(0, b"1"), (0, b"2"), (1, b"3")]);
    let three = BASE64_STANDARD.encode(three);
    let json =
        format!("{{\"dataBase64\":\"{three}\",\"partitionKey\":\"a\"}}\n{{\"data\":\"4\",\"partitionKey\":\"b\"}}\n");
    let aws = format!(
        "{{\"Records\":[{{\"Data\":\"{three}\",\"PartitionKey\":\"a\"}},{{\"Data\":\"NA==\",\"PartitionKey\":\"b\"}}]}}"
    );
    for (text, format) in [(json, "json"), (aws, "aws")] {
        let place = Place::with_input(text);
        let format = ["--format", format];
        let (ended, records) = received(&place, &format);
        ended.expect(0, &["4 records"]);
        let parts: Vec<_> = records.iter().map(|record| (record.sub, &*record.key, &*record.data)).collect();
        assert_eq!(parts, [(0, "k1", &b"1"[..]), (1, "k1", b"2"), (2, "k2", b"3"), (0, "b", b"4")]);
        assert!(records[0].number == records[2].number && records[2].number < records[3].number);

        // The key of a part chooses its shard.
        let (_, split) = received(&place, &[&format[..], &["--shards", "2"]].concat());
        let shards: Vec<_> = split.iter().map(|record| (&*record.shard, &*record.key)).collect();
        let of = |key: &str| u8::from(Md5::digest(key)[0] >= 0x80).to_string();
        assert!(shards.iter().all(|(shard, key)| *shard == of(key)), "{shards:?}");
        assert_eq!(split.len(), 4);

        for arguments in
            [&["--chaos", "7"][..], &["--chaos", "9", "--shards", "2"], &["--chaos", "3", "--max-records", "1"]]
        {
            place.run(&[&format[..], arguments].concat()).expect(0, &["held    every record was delivered"]);
        }
    }
}

#[test]
fn a_run_resumes_within_an_aggregate() {
    let parts: Vec<_> = (0..9).map(|number| number.to_string()).collect();
    let parts: Vec<_> = parts.iter().map(|text| (0, text.as_bytes())).collect();
    let record = BASE64_STANDARD.encode(aggregate(&["k"], &parts));
    let place = Place::with_input(format!("{{\"dataBase64\":\"{record}\"}}\n{{\"data\":\"9\"}}\n"));
    let run = |script: &str| {
        let arguments = ["--format", "json", "--max-records", "3", "--app", "app", "--state", "state"];
        place.run_script(&arguments, script)
    };
    // Checkpoints the second record of the second batch, and fails.
    let fails = r#"case $line in *'"records":'*) batches=x$batches;; esac
    if [ "$batches" = xx ]; then
        echo "{\"action\":\"checkpoint\",\"sequenceNumber\":\"$(tail -1 records | cut -d' ' -f2)\",\"subSequenceNumber\":4}"
        read -r answer; exit 3
    fi
    case $action in"#;
    let script = COPY.replace("    case $action in", fails);
    run(&script).expect(
        1,
        &[
            "exited (exit status: 3)",
            "/5 (input, line 1) and all after it; delivered again: all records after the checkpoint at 49",
        ],
    );
    run(COPY).expect(0, &["resuming"]);
    let records: Vec<_> = place.read("records").lines().map(read).collect();
    let mut subs: Vec<_> = records.iter().map(|record| (record.number.clone(), record.sub)).collect();
    subs.dedup();
    assert!(subs.is_sorted(), "{subs:?}");
    assert_eq!(subs.len(), 10);
}

#[test]
fn an_aggregate_with_a_long_key_takes_little_memory() {
    let key = "k".repeat(400_000);
    let bomb = BASE64_STANDARD.encode(aggregate(&[&key], &vec![(0, &b""[..]); 90_000]));
    let place = Place::with_input(format!("{{\"dataBase64\":\"{bomb}\"}}\n"));
    let status = |action: &str| format!("echo '{{\"action\":\"status\",\"responseFor\":\"{action}\"}}'");
    let script = [&status("initialize"), &status("processRecords"), "head -c 15000000 > /dev/null; exit 7"].join("; ");
    let tool = place.script(&["--format", "json"], &script);
    // All its keys together have 36 GB.
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 1000000; exec \"$0\" \"$@\""]).arg(tool.get_program()).args(tool.get_args());
    limited.current_dir(place.path(".")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Running::start(limited).end().expect(1, &["exited (exit status: 7) while handling processRecords"]);
}

#[test]
fn an_aggregate_outside_all_shards_is_dropped_and_counted() {
    // The part's explicit hash key is 2^128.
    let outside = "340282366920938463463374607431768211456";
    let hash_key = [&[2 << 3 | 2, outside.len() as u8], outside.as_bytes()].concat();
    let message = [&b"\x0a\x01k"[..], &hash_key, b"\x1a\x07\x08\x00\x10\x00\x1a\x01x"].concat();
    let whole = [&[0xf3, 0x89, 0x9a, 0xc2], &message[..], &Md5::digest(&message)].concat();
    let line = format!("{{\"dataBase64\":\"{}\"}}\n", BASE64_STANDARD.encode(whole));
    let place = Place::with_input(format!("{line}{line}{{\"data\":\"x\"}}\n"));
    let (ended, records) = received(&place, &["--format", "json"]);
    ended.expect(
        0,
        &[
            "shardId-000000000000: 1 aggregate of the Kinesis Producer Library dropped, as in the KCL",
            "\n2 aggregates of the Kinesis Producer Library dropped, as in the KCL",
        ],
    );
    assert_eq!(data(&records), ["x"]);
    let json = place.tool(["--input", "input", "--format", "json", "--json", "--", witness()]);
    let (ended, stdout) = Running::start(json).end_with_stdout();
    ended.expect(0, &[]);
    assert!(stdout.contains("\"droppedAggregates\":2"), "{stdout}");
}

#[test]
fn records_without_a_key_are_refused_or_get_the_given_one() {
    for (line, says) in [
        (
            "{\"id\":null}",
            "input, line 2: the value at the key `/id` is null; `--key-missing number` or `--key-missing TEXT`",
        ),
        ("{\"x\":1}", "input, line 2: there is no value at the key `/id`; `--key-missing number`"),
    ] {
        let place = Place::with_input(format!("{{\"id\":\"null\"}}\n{line}\n"));
        let (ended, records) = received(&place, &["--key", "/id"]);
        ended.expect(2, &[says]);
        assert_eq!(records.iter().map(|record| &*record.key).collect::<Vec<_>>(), ["null"]);
        for (missing, key) in [("number", "2"), ("none", "none")] {
            let (ended, records) = received(&place, &["--key", "/id", "--key-missing", missing]);
            ended.expect(0, &[]);
            assert_eq!(records[1].key, key);
        }
    }
    for (line, says) in [
        ("{\"id\":\"\"}", "the partition key is empty"),
        ("{\"id\":[1]}", "is an array, not a string, number or boolean"),
        (&format!("{{\"id\":\"{}\"}}", "x".repeat(257))[..], "257 characters"),
    ] {
        Place::with_input(line).run(&["--key", "/id", "--key-missing", "none"]).expect(2, &[says]);
    }
    let place = Place::with_input("{\"data\":\"\",\"partitionKey\":null}\n");
    assert_eq!(received(&place, &["--format", "json"]).1[0].key, "1");
    assert_eq!(received(&place, &["--format", "json", "--key-missing", "none"]).1[0].key, "none");
    place.run(&["--key-missing", "none"]).expect(2, &["--key-missing requires --key, or --format json or aws"]);
    place.run(&["--format", "json", "--key-missing", ""]).expect(2, &["a partition key has 1 to 256 characters"]);
}

#[test]
fn times_in_seconds_and_signed_hash_keys_are_refused() {
    for (line, says) in [
        (
            "{\"data\":\"\",\"approximateArrivalTimestamp\":1764150000}",
            "1764150000 is probably in seconds; it is in milliseconds",
        ),
        ("{\"data\":\"\",\"explicitHashKey\":\"+1\"}", "the explicitHashKey `+1` is not a decimal number below 2^128"),
    ] {
        Place::with_input(format!("{line}\n")).run(&["--format", "json"]).expect(2, &["input, line 1: ", says]);
    }
}
