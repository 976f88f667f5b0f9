//! `cargo kcl put`, against a Kinesis that fails as the test demands.

use std::collections::{BTreeMap, HashSet};
use std::fs;

use rustix::process::Signal;

use crate::fake::{Fake, Record, Verdict};
use crate::tool::{Ended, end, run, signal, start, tool};

/// Records of several keys, each with its number under its key.
fn orders(count: usize, keys: usize) -> Vec<u8> {
    let lines: String =
        (0..count).map(|number| format!("{{\"key\":\"k{}\",\"n\":{}}}\n", number % keys, number / keys)).collect();
    lines.into_bytes()
}

fn put(fake: &Fake, arguments: &[&str], input: &[u8]) -> Ended {
    let arguments = [&["put", "--stream", "orders", "--key", "/key"], arguments].concat();
    run(tool(&fake.url(), &arguments), input)
}

/// The numbers of each key's records, in the order of arrival.
fn by_key(records: &[Record]) -> BTreeMap<String, Vec<u64>> {
    let mut numbers: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for record in records {
        let data: serde_json::Value = serde_json::from_slice(&record.data).expect("it is JSON");
        assert_eq!(data["key"], record.key.as_str());
        numbers.entry(record.key.clone()).or_default().push(data["n"].as_u64().expect("a number"));
    }
    numbers
}

/// Asserts that each record arrived once, and the records of each key in order.
fn assert_all_in_order(taken: &[Record], count: usize, keys: usize) {
    assert_eq!(taken.len(), count);
    for (key, numbers) in by_key(taken) {
        let first = key[1..].parse::<usize>().expect("a number");
        let expected: Vec<_> = (0..(count - first).div_ceil(keys) as u64).collect();
        assert_eq!(numbers, expected, "{key}");
    }
}

/// Asserts that each record arrived at least once, and the first arrivals of each key in order.
fn assert_all_there(taken: &[Record], count: usize, keys: usize) {
    let mut seen = HashSet::new();
    let first: Vec<_> = taken.iter().filter(|record| seen.insert(record.data.clone())).cloned().collect();
    assert_all_in_order(&first, count, keys);
}

pub(crate) fn every_record() {
    let fake = Fake::new(|_, _| Verdict::Take);
    put(&fake, &[], &orders(10_000, 700)).expect(0, &["10000 records ("]);
    assert_all_in_order(&fake.taken(), 10_000, 700);
    for call in fake.calls() {
        let keys: HashSet<_> = call.iter().map(|record| &record.key).collect();
        assert_eq!(keys.len(), call.len(), "no key occurs twice in a call");
        assert!(call.len() <= 500);
    }
}

pub(crate) fn throttled() {
    let fake = Fake::new(|call, records| match call {
        0..3 => Verdict::TakeSome(vec![false; records.len()]),
        3 => Verdict::Refuse(400, "ProvisionedThroughputExceededException", "Rate exceeded"),
        4 => Verdict::Refuse(500, "InternalFailure", "it is not your fault"),
        // A proxy in front of Kinesis gives no reason.
        5 => Verdict::Refuse(503, "", ""),
        6 => Verdict::Refuse(400, "ResourceInUseException", "Stream orders under account 1 not ACTIVE"),
        _ => Verdict::Take,
    });
    put(&fake, &[], &orders(3_000, 50)).expect(0, &["3000 records (", "records had to be retried "]);
    assert_all_in_order(&fake.taken(), 3_000, 50);
}

pub(crate) fn partly_refused() {
    let fake = Fake::new(|call, records| {
        Verdict::TakeSome((0..records.len()).map(|index| (call * 31 + index * 17) % 5 != 0).collect())
    });
    let ended = put(&fake, &["--json"], &orders(4_000, 300));
    ended.expect(0, &[]);
    let summary: serde_json::Value = serde_json::from_str(&ended.stdout).expect("it is JSON");
    assert_eq!((&summary["records"], &summary["acknowledged"]), (&4_000.into(), &4_000.into()));
    assert_eq!(summary["shards"]["shardId-000000000000"], 4_000);
    assert!(summary["again"].as_u64() > Some(0), "{summary}");
    assert_all_in_order(&fake.taken(), 4_000, 300);
}

pub(crate) fn without_order() {
    let fake = Fake::new(|_, _| Verdict::Take);
    put(&fake, &["--order", "none"], &orders(2_000, 1)).expect(0, &[]);
    assert_eq!(fake.taken().len(), 2_000);
    assert!(fake.calls().len() < 20, "{} calls", fake.calls().len());
    let strict = Fake::new(|_, _| Verdict::Take);
    put(&strict, &[], &orders(50, 1)).expect(0, &[]);
    assert_eq!(strict.calls().len(), 50);
}

pub(crate) fn lost_answers() {
    let fake = Fake::new(|call, _| if call % 3 == 1 { Verdict::HangUp } else { Verdict::Take });
    put(&fake, &[], &orders(3_000, 1_000)).expect(0, &[]);
    assert_all_there(&fake.taken(), 3_000, 1_000);
}

pub(crate) fn away_for_a_while() {
    let fake = Fake::new(|_, _| Verdict::Take);
    fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let input = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    fs::write(input.path(), orders(1_000, 5)).expect("it is written");
    let path = input.path().to_str().expect("a name");
    let child = start(tool(&fake.url(), &["put", "--stream", "orders", "--key", "/key", path]));
    fake.wait_for_calls(10);
    fake.set_up(false);
    fake.wait_for_broken(4);
    fake.set_up(true);
    end(child).expect(0, &["1000 records ("]);
    assert_all_there(&fake.taken(), 1_000, 5);
}

pub(crate) fn gives_up() {
    let fake =
        Fake::new(|call, records| if call < 2 { Verdict::Take } else { Verdict::TakeSome(vec![false; records.len()]) });
    let input = orders(600, 100);
    put(&fake, &["--give-up", "500ms"], &input).expect(
        1,
        &[
            "no record was acknowledged for",
            "requests to the stream `orders` are throttled (ProvisionedThroughputExceededException): Rate exceeded for shard",
            "the input is on the stream up to record 200; --skip 200 resumes after it\n",
        ],
    );
    fake.judge(|_, _| Verdict::Take);
    put(&fake, &["--skip", "200"], &input).expect(0, &["400 records ("]);
    assert_all_in_order(&fake.taken(), 600, 100);
}

/// A run that cannot succeed is not to be resumed, and one that puts nothing says only why.
pub(crate) fn useless() {
    let fake = Fake::new(|_, _| Verdict::Refuse(400, "AccessDeniedException", "no"));
    for (arguments, code, says) in [
        (&["--skip", "100"][..], 2, "the input has 6 records, fewer than the 100 to skip"),
        (&["--skip", "100", "--limit", "3"], 2, "--limit counts the records of the input that --skip skips, too"),
        (&["--skip", "3", "--limit", "3"], 2, "so nothing would be put"),
        (&[], 1, "denied: the caller may not"),
    ] {
        let ended = put(&fake, arguments, &orders(6, 2));
        ended.expect(code, &[says]);
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
    }
}

pub(crate) fn interrupted() {
    // Records of the key k3 never succeed after the first call; all others do.
    let fake = Fake::new(|call, records| {
        Verdict::TakeSome((0..records.len()).map(|index| call == 0 || records[index].key != "k3").collect())
    });
    let file = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a file");
    fs::write(file.path(), orders(40, 10)).expect("it is written");
    let path = file.path().to_str().expect("a name");
    let child = start(tool(&fake.url(), &["put", "--stream", "orders", "--key", "/key", path]));
    fake.wait_for_calls(6);
    signal(&child, Signal::INT);
    end(child).expect(
        130,
        &[
            "interrupted",
            "the input is on the stream up to record 13; --skip 13 resumes after it and puts 24 later records a second time\n",
        ],
    );
    fake.judge(|_, _| Verdict::Take);
    end(start(tool(&fake.url(), &["put", "--stream", "orders", "--key", "/key", "--skip", "13", path]))).expect(0, &[]);
    assert_all_there(&fake.taken(), 40, 10);
}

pub(crate) fn resumed() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let state = folder.path().join("state").display().to_string();
    let fake = Fake::new(|_, _| Verdict::Take);
    let input = orders(3_000, 100);
    let mut runs = 0;
    loop {
        fake.judge({
            let mut left = 3;
            move |_, _| {
                left -= 1;
                if left >= 0 { Verdict::Take } else { Verdict::Refuse(400, "AccessDeniedException", "no more") }
            }
        });
        let ended = put(&fake, &["--resume", &state], &input);
        runs += 1;
        if ended.code == Some(0) {
            break;
        }
        ended.expect(1, &["denied: ", "the same command resumes after it"]);
        assert!(runs < 20, "it never ends");
    }
    assert!(runs > 2, "it was stopped {runs} times");
    assert_all_there(&fake.taken(), 3_000, 100);

    let longer = orders(3_100, 100);
    fake.judge(|_, _| Verdict::Take);
    put(&fake, &["--resume", &state], &longer).expect(0, &["resuming after 3000 records already put", "100 records ("]);
    assert_all_there(&fake.taken(), 3_100, 100);
}

/// The file that holds an earlier position is not what the next run should use.
pub(crate) fn progress_not_saved() {
    let above = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let folder = above.path().join("progress");
    fs::create_dir(&folder).expect("a folder");
    let state = folder.join("state").display().to_string();
    let fake = Fake::new(move |_, _| {
        _ = fs::remove_dir_all(&folder);
        Verdict::Take
    });
    put(&fake, &["--resume", &state], &orders(300, 100)).expect(
        2,
        &[
            "cannot be used to save the progress: ",
            "up to record 300; --skip 300 instead of --resume resumes after it\n",
        ],
    );
    assert_all_in_order(&fake.taken(), 300, 100);
}

pub(crate) fn resumed_otherwise() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let state = folder.path().join("state").display().to_string();
    let fake = Fake::new(|_, _| Verdict::Take);
    put(&fake, &["--resume", &state], &orders(20, 2)).expect(0, &[]);
    let taken = fake.taken();

    for (input, says) in [
        (orders(30, 3), "standard input has changed since it was put: up to line 20"),
        (orders(10, 2), "the input has 10 records, fewer than the 20 to skip"),
    ] {
        let ended = put(&fake, &["--resume", &state], &input);
        ended.expect(2, &[says]);
        assert_eq!(ended.stderr.lines().filter(|line| line.contains("resumes after it")).count(), 0, "{ended:?}");
    }
    let other = ["put", "--stream", "others", "--key", "/key", "--resume", &state];
    run(tool(&fake.url(), &other), &orders(30, 2)).expect(2, &["belongs to another run: --stream"]);
    // A stream of the same name in another place does not have these records.
    let elsewhere = Fake::new(|_, _| Verdict::Take);
    put(&elsewhere, &["--resume", &state], &orders(30, 2)).expect(2, &["belongs to another run: --endpoint"]);
    put(&fake, &["--resume", &state, "--region", "eu-west-1"], &orders(30, 2))
        .expect(2, &["belongs to another run: --region"]);
    assert!(elsewhere.taken().is_empty());
    put(&fake, &["--resume", "/nowhere/state"], &orders(30, 2)).expect(2, &["/nowhere/state cannot be used"]);
    fs::write(&state, "nonsense").expect("it is written");
    put(&fake, &["--resume", &state], &orders(30, 2)).expect(2, &["cannot be used to save the progress"]);
    assert_eq!(fake.taken(), taken, "nothing was put");
}

pub(crate) fn bad_line() {
    let fake = Fake::new(|_, _| Verdict::Take);
    let mut input = orders(1_200, 100);
    input.extend(b"{\"n\":7}\n");
    input.extend(orders(10, 10));
    put(&fake, &[], &input).expect(
        2,
        &[
            "standard input, line 1201: there is no value at the key `/key`",
            "up to record 1200; fix line 1201 first, then --skip 1200 resumes after it",
        ],
    );
    assert_all_in_order(&fake.taken(), 1_200, 100);
}

pub(crate) fn json() {
    let fake = Fake::new(|_, _| Verdict::Take);
    let input = br#"{"data":"text","partitionKey":"a","approximateArrivalTimestamp":1764150000250}
{"dataBase64":"/wA=","partitionKey":"b","explicitHashKey":"7"}
{"data":""}
"#;
    run(tool(&fake.url(), &["put", "--stream", "orders", "--format", "json"]), input).expect(0, &[]);
    let record = |key: &str, data: &[u8], explicit: Option<&str>| Record {
        key: key.to_owned(),
        data: data.to_owned(),
        explicit_hash_key: explicit.map(str::to_owned),
    };
    assert_eq!(fake.taken(), [record("a", b"text", None), record("b", b"\xff\0", Some("7")), record("3", b"", None)]);
}

pub(crate) fn foreign() {
    let fake = Fake::new(|_, _| Verdict::Take);
    let put = |input: &[u8], arguments: &[&str]| {
        run(tool(&fake.url(), &[&["put", "--stream", "orders"], arguments].concat()), input)
    };
    for (input, says) in [
        (&b"\x1f\x8b\x08\0\n\n"[..], "standard input is compressed with gzip; unpack it first: pipe it through `zcat`"),
        (
            b"\xff\xfe1\0\n\0",
            "standard input is text in UTF-16, not UTF-8; convert it first: pipe it through `iconv -f UTF-16 -t UTF-8`",
        ),
    ] {
        for format in ["lines", "json", "aws"] {
            put(input, &["--format", format]).expect(2, &[says]);
        }
    }
    put(b"{\n}\n", &["--format", "json"]).expect(2, &["line 1: only `{`: JSON that was printed on several lines"]);
    put(b"{\"k\":null}\n", &["--key", "/k"]).expect(2, &["line 1: the value at the key `/k` is null; `--key-missing"]);
    assert_eq!(fake.taken(), []);
}

fn plain(key: &str, data: &[u8]) -> Record {
    Record { key: key.to_owned(), data: data.to_owned(), explicit_hash_key: None }
}

pub(crate) fn windows() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let state = folder.path().join("state").display().to_string();
    let fake = Fake::new(|_, _| Verdict::Take);
    let put = |input: &[u8]| run(tool(&fake.url(), &["put", "--stream", "orders", "--resume", &state]), input);
    put(b"\xef\xbb\xbfa\r\n\r\nb\n").expect(0, &["standard input starts with a byte order mark, which is dropped"]);
    assert_eq!(fake.taken(), [plain("1", b"a"), plain("2", b"b")]);

    // An earlier version left this file: it had put the two records, with what belonged to them then.
    let mut kept: serde_json::Value =
        serde_json::from_slice(&fs::read(&state).expect("it is there")).expect("it is JSON");
    assert_eq!(kept.as_object_mut().and_then(|kept| kept.remove("carriageReturns")), Some(true.into()));
    fs::write(&state, kept.to_string()).expect("it can be written");
    put(b"a\r\nb\nc\n").expect(2, &["standard input, line 1: this line is read in another way now", "--resume"]);
    put(b"a\nb\nc\r\n").expect(0, &["resuming after 2 records already put", "1 record ("]);
    put(b"a\nb\nc\r\nd\n").expect(0, &["resuming after 3 records already put", "1 record ("]);
}

pub(crate) fn documents() {
    let fake = Fake::new(|_, _| Verdict::Take);
    let input = br#"{"Records":[{"Data":"dGV4dA==","PartitionKey":"a"},
 {"Data":"/wA=","PartitionKey":"b"}]}{"Records":[{"kinesis":{"data":"","partitionKey":null}}]}"#;
    let arguments = ["put", "--stream", "orders", "--format", "aws", "--key-missing", "none"];
    run(tool(&fake.url(), &arguments), input).expect(0, &["3 records ("]);
    assert_eq!(fake.taken(), [plain("a", b"text"), plain("b", b"\xff\0"), plain("none", b"")]);
}

pub(crate) fn limits() {
    let fake = Fake::new(|_, _| Verdict::Take);
    let put =
        |flags: &[&str], input: &[u8]| run(tool(&fake.url(), &[&["put", "--stream", "orders"], flags].concat()), input);
    // The keys are 1, 2 and so on.
    let megabyte = [&vec![b'x'; (1 << 20) - 1][..], b"\n"].concat();
    put(&[], &megabyte.repeat(6)).expect(0, &["6 records ("]);
    assert!(fake.calls().iter().all(|call| call.len() <= 5), "5 MiB per call");
    put(&[], &[&b"x"[..], &megabyte].concat())
        .expect(2, &["a record of 1048577 bytes with its key; Kinesis allows at most 1 MiB"]);
    let large = [&vec![b'x'; (10 << 20) - 1][..], b"\n"].concat();
    put(&["--large-records"], &large).expect(0, &["1 record ("]);
    put(&["--large-records"], &[&b"x"[..], &large].concat()).expect(2, &["Kinesis allows at most 10 MiB"]);
    put(&["--limit", "2"], b"1\n2\n3\n").expect(0, &["2 records ("]);
}
