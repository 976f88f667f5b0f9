//! Runs that resume where an earlier one ended.

use libtest_mimic::Failed;
use serde_json::json;

use crate::aggregates::vector;
use crate::harness::{Place, Running, create, until};

pub(crate) fn inside_an_aggregate(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    let three = vector("three parts")?;
    let plain = |data: &str| ("a".to_owned(), data.as_bytes().to_owned());
    let put = place.aws.put(&place.name, &[plain("before"), ("a".to_owned(), three.data), plain("after")])?;
    let state = ["--app", "a", "--state", "state", "--limit", "3"];
    let ended = place.start(&state)?.end()?;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(place.data(), ["before", "first", "second"]);
    let mut run = place.start(&state[..4])?;
    run.until("the last is seen", || place.data().len() == 5)?;
    run.interrupt()?;
    assert_eq!(place.data(), ["before", "first", "second", "third", "after"]);
    let ledger = place.ledger();
    let starts: Vec<_> = ledger.all("initialize").map(|entry| entry.what.as_str()).collect();
    assert_eq!(starts, ["initialize TRIM_HORIZON", &format!("initialize {}/1", put[1].1)]);
    Ok(())
}

pub(crate) fn one_stream_one_run(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    place.put(&[("a", "1")])?;
    let state = ["--app", "a", "--state", "state"];
    let mut run = place.start(&state)?;
    run.until("the first is seen", || place.data().len() == 1)?;
    let second = place.start(&state)?.end()?;
    assert_eq!(second.code, Some(2));
    assert!(second.stderr.contains("is in use by another run that has not ended"), "{}", second.stderr);
    run.interrupt()?;

    // The state is refused for a file, for another stream, and for a new stream with the same name.
    std::fs::write(place.path("input"), "1\n")?;
    let file = Running::start(place.tool(&[&state[..], &["--input", "input", "--", "true"]].concat()))?;
    let refused = file.end()?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--input was a stream, now it is"), "{}", refused.stderr);

    let other = place.with_stream(&format!("{}-other", place.name));
    create(&place.aws, &other.name, 1)?;
    let refused = other.start(&state)?.end()?;
    assert_eq!(refused.code, Some(2));
    let difference = format!(":stream/{}, now it is arn:aws:kinesis:", place.name);
    assert!(refused.stderr.contains(&difference), "{}", refused.stderr);

    place.aws.kinesis("DeleteStream", &json!({ "StreamName": place.name }))?;
    until("the stream is gone", || {
        place.aws.kinesis("DescribeStreamSummary", &json!({ "StreamName": place.name })).is_err()
    })?;
    place.create(1)?;
    let refused = place.start(&state)?.end()?;
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("its creation was"), "{}", refused.stderr);
    Ok(())
}

pub(crate) fn latest_over_two_runs(place: &Place) -> Result<(), Failed> {
    place.create(1)?;
    place.put(&[("a", "before")])?;
    let state = ["--app", "a", "--state", "state", "--from", "latest"];
    let mut run = place.start(&state)?;
    run.until("the shard is started", || place.ledger().all("initialize LATEST").count() == 1)?;
    run.interrupt()?;
    // Nothing was checkpointed so far.
    place.put(&[("a", "between")])?;
    let mut run = place.start(&state)?;
    run.until("it is seen", || place.data().iter().any(|data| data == "between"))?;
    run.interrupt()?;
    // The clock of Kinesis gives whole seconds, so a record that arrived within the second before the first run may come, too.
    let data = place.data();
    assert!(
        matches!(&data.iter().map(|data| &**data).collect::<Vec<_>>()[..], ["between"] | ["before", "between"]),
        "{data:?}"
    );
    Ok(())
}
