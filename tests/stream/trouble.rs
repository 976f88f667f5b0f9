//! Runs whose stream cannot be read.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::Failed;
use serde_json::json;
use tests::aws::Aws;
use tests::emulators;

use crate::harness::{Place, Running, create, until};
use crate::proxy::Proxy;

pub(crate) fn throttled_and_expired(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    place.put(&[("a", "1"), ("a", "2")])?;
    let proxy = Proxy::start(&place.aws.kinesis)?;
    // Both kinds of calls fail for a while.
    proxy.fail("GetShardIterator", "LimitExceededException", 1);
    proxy.fail("GetRecords", "ProvisionedThroughputExceededException", 4);
    proxy.fail("GetRecords", "InternalFailure", 1);
    let mut run = place.start_at(proxy.url(), &[])?;
    run.until("two are seen", || place.data().len() == 2)?;
    assert!(proxy.has_failed());

    let iterators = proxy.calls("GetShardIterator");
    proxy.fail("GetRecords", "ExpiredIteratorException", 1);
    run.until("the iterator expired", || proxy.calls("GetShardIterator") > iterators)?;
    place.put(&[("a", "3")])?;
    run.until("the third is seen", || place.data().len() == 3)?;
    run.interrupt()?;
    assert_eq!(place.data(), ["1", "2", "3"]);
    Ok(())
}

pub(crate) fn deleted(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    place.put(&[("a", "1")])?;
    let mut run = place.start(&[])?;
    run.until("the first is seen", || place.data().len() == 1)?;
    place.aws.kinesis("DeleteStream", &json!({ "StreamName": place.name }))?;
    let ended = run.end()?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("there is no stream `{}`", place.name)), "{}", ended.stderr);
    assert!(
        place.ledger().place("shardId-000000000000", "shutdownRequested").is_some(),
        "the run did not end gracefully"
    );
    Ok(())
}

pub(crate) fn refused(place: &Place) -> Result<(), Failed> {
    let stream = ["--stream", "s", "--region", "us-east-1"];
    for (flags, says) in [
        (&["--input", "x"][..], "cannot be used with '--input"),
        (&["--shards", "2"], "cannot be used with '--shards"),
        (&["--key", "/x"], "cannot be used with '--key"),
        (&["--follow"], "cannot be used with '--follow"),
        (&["--reshard", "split@5"], "cannot be used with '--reshard"),
        (&["--format", "json"], "cannot be used with '--format"),
        (&["--from", "2999-01-01T00:00:00Z"], "this time is in the future"),
        (&["--from", "yesterday"], "write `latest`, `trim-horizon`, a time such as"),
    ] {
        let ended = Running::start(place.tool(&[&stream[..], flags, &["--", "true"]].concat()))?.end()?;
        assert_eq!(ended.code, Some(2), "{flags:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{flags:?}: {}", ended.stderr);
    }
    for (flags, says) in [
        (&["--region", "us-east-1"][..], "--region, --aws-profile and --endpoint say where a stream is"),
        (&["--from", "2026-01-01T00:00:00Z"], "--from TIME requires --stream"),
    ] {
        let ended = Running::start(place.tool(&[&["--input", "/dev/null"], flags, &["--", "true"]].concat()))?.end()?;
        assert_eq!(ended.code, Some(2), "{flags:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(says), "{flags:?}: {}", ended.stderr);
    }
    let ended = place.start(&[])?.end()?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains(&format!("there is no stream `{}`", place.name)), "{}", ended.stderr);
    Ok(())
}

/// An emulator for one test, which saves its data on disk.
struct Emulator {
    child: Child,
    aws: Aws,
}

impl Emulator {
    fn start(place: &Place) -> Result<Self, Failed> {
        let ports = free_ports()?;
        let port = |nth: usize| ports[nth].to_string();
        // The tool has installed it for the other tests.
        let main = installed("node_modules/kinesis-local/main.js")?;
        let child = Command::new("node")
            .arg("--require")
            .arg(installed("loopback.cjs")?)
            .env("KINESIS_MOCK_CERT_PATH", main.with_file_name("server.json"))
            .arg(main)
            .env("KINESIS_MOCK_PLAIN_PORT", port(0))
            .env("KINESIS_MOCK_TLS_PORT", port(1))
            .env("SHOULD_PERSIST_DATA", "true")
            .env("PERSIST_PATH", place.path(""))
            .env("PERSIST_INTERVAL", "500ms")
            .env("CREATE_STREAM_DURATION", "20ms")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let aws = Aws { kinesis: format!("http://127.0.0.1:{}", port(0)), dynamodb: String::new() };
        let emulator = Self { child, aws };
        until("the emulator is up", || emulator.aws.kinesis("ListStreams", &json!({})).is_ok())?;
        Ok(emulator)
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Ports that were free a moment ago.
fn free_ports() -> Result<[u16; 2], Failed> {
    let listen = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let both = [listen()?, listen()?];
    Ok([both[0].local_addr()?.port(), both[1].local_addr()?.port()])
}

/// A file in the tool's cache.
fn installed(file: &str) -> Result<PathBuf, Failed> {
    let folders = fs::read_dir(emulators::cache())?.filter_map(Result::ok);
    let mut files = folders.map(|folder| folder.path().join(file));
    files.find(|file| file.is_file()).ok_or_else(|| format!("{file} is not installed").into())
}

pub(crate) fn killed_and_restarted(place: &Place) -> Result<(), Failed> {
    let emulator = Emulator::start(place)?;
    let proxy = Proxy::start(&emulator.aws.kinesis)?;
    create(&emulator.aws, &place.name, 1)?;
    let put = |aws: &Aws, data: &str| aws.put(&place.name, &[("a".to_owned(), data.as_bytes().to_owned())]);
    put(&emulator.aws, "before")?;
    let mut run = place.start_at(proxy.url(), &[])?;
    run.until("the first is seen", || place.data().len() == 1)?;
    until("it is on disk", || {
        let saved = fs::read_to_string(place.path("kinesis-data.json")).unwrap_or_default();
        saved.contains(&BASE64_STANDARD.encode("before"))
    })?;
    drop(emulator);
    run.until_said("retrying until it works")?;
    let emulator = Emulator::start(place)?;
    put(&emulator.aws, "after")?;
    proxy.lead_to(&emulator.aws.kinesis);
    run.until_said("the stream can be read again")?;
    run.until("the second is seen", || place.data().len() == 2)?;
    run.interrupt()?;
    assert_eq!(place.data(), ["before", "after"]);
    Ok(())
}
