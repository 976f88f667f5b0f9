//! Checkpoints that a task waits for.

use super::*;

struct Own;

impl Kind for Own {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;
}

#[test]
fn a_checkpoint_means_what_the_method_was_handed() {
    let steps = plan([
        ("record 1", Step::Checkpoint),
        ("batch of 2", Step::Checkpoint),
        ("shutdownRequested", Step::Checkpoint),
        ("shardEnded", Step::Checkpoint),
    ]);
    let lines = [INITIALIZE, &batch(1..=2), OK, OK, SHUTDOWN_REQUESTED, OK, SHARD_ENDED, OK];
    let ran = run::<Own>(steps, &lines);
    let (shutdown, end) = (status("shutdownRequested"), status("shardEnded"));
    assert_eq!(ran.replies, [INITIALIZED, &at(1), ALL, DONE, ALL, &shutdown, ALL, &end]);
    ran.result.expect("no error");
}

#[test]
fn a_refused_checkpoint_is_tried_again() {
    let (throttled, steps) = (refused("ThrottlingException"), plan([("record 1", Step::Checkpoint)]));
    let ran = run::<Own>(steps, &[INITIALIZE, &batch(1..=1), &throttled, &throttled, OK]);
    assert_eq!(ran.replies, [INITIALIZED, &at(1), &at(1), &at(1), DONE]);
    ran.result.expect("no error");
}

#[test]
fn a_lost_lease_is_not_a_failure() {
    let (lost, steps) = (refused("ShutdownException"), plan([("record 1", Step::Checkpoint)]));
    let ran = run::<Own>(steps, &[INITIALIZE, &batch(1..=2), &lost, LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, &at(1), DONE, &status("leaseLost")]);
    assert_eq!(ran.seen, ["record 1", "leaseLost"]);
    ran.result.expect("no error");
}

#[test]
fn the_answer_to_a_checkpoint_that_nobody_awaits_is_read_first() {
    // The handler goes on at once, and the next thing that it sends is another checkpoint, or the runtime's status.
    let steps = plan([("record 1", Step::DropCheckpoint), ("record 2", Step::Checkpoint)]);
    let ran = run::<Own>(steps, &[INITIALIZE, &batch(1..=2), WAIT, OK, OK]);
    assert_eq!(ran.replies, [INITIALIZED, &at(1), &at(2), DONE]);
    assert_eq!(ran.seen, ["record 1", "dropped", "record 2", "batch of 2"]);
    ran.result.expect("no error");
    let ran =
        run::<Own>(plan([("batch of 1", Step::DropCheckpoint)]), &[INITIALIZE, &batch(1..=1), WAIT, OK, LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, ALL, DONE, &status("leaseLost")]);
    ran.result.expect("no error");
    // It says that the lease is gone, so that the failure is excused.
    let steps = plan([("record 1", Step::DropCheckpoint), ("record 2", Step::Fail)]);
    let ran = run::<Own>(steps, &[INITIALIZE, &batch(1..=2), WAIT, &refused("ShutdownException"), LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, &at(1), DONE, &status("leaseLost")]);
    ran.result.expect("no error");
    // It says that the end of the shard is checkpointed.
    let steps = plan([("shardEnded", Step::DropCheckpoint)]);
    let ran = run::<Plain>(steps, &[INITIALIZE, SHARD_ENDED, WAIT, OK]);
    assert_eq!(ran.replies, [INITIALIZED, ALL, &status("shardEnded")]);
    ran.result.expect("no error");
}

struct Often;

impl Kind for Often {
    const CHECKPOINTS: Checkpoints = Checkpoints::Records(2);
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(60));
    const TICK: Option<Duration> = Some(Duration::ZERO);
}

#[test]
fn the_runtime_checkpoints_between_records() {
    let ran = run::<Often>(plan([]), &[INITIALIZE, &batch(1..=5), OK, OK, LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, &at(2), &at(4), DONE, &status("leaseLost")]);
    assert_eq!(ran.seen[5..], ["batch of 5", "tick", "leaseLost"]);
    ran.result.expect("no error");
    let ran = run::<Often>(plan([]), &[INITIALIZE, &batch(1..=5), &refused("ShutdownException"), LEASE_LOST]);
    assert_eq!(ran.replies, [INITIALIZED, &at(2), DONE, &status("leaseLost")]);
    assert_eq!(ran.seen, ["record 1", "record 2", "leaseLost"]);
    ran.result.expect("no error");
}

/// A processor with one method that is `async`, and others that block.
struct Mixed(Rc<RefCell<Vec<String>>>);

impl AsyncProcessor for Mixed {
    const CHECKPOINTS: Checkpoints = Checkpoints::Handler;

    async fn process_records(&mut self, input: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result {
        let this = self;
        input.blocking().settle_each_record(|input| {
            this.0.borrow_mut().push(format!("record {}", input.record().sequence_number()));
            Ok(input.checkpointer().checkpoint()?)
        })?;
        input.checkpointer().checkpoint().await?;
        Ok(())
    }

    async fn shard_ended(&mut self, input: &mut ShardEnded<'_, AsyncCheckpointer>) -> Result {
        Ok(input.blocking().checkpointer().checkpoint()?)
    }
}

#[test]
fn blocking_and_async_code_share_a_checkpointer() {
    let seen = Rc::new(RefCell::new(Vec::new()));
    let runner = Runner::from_async(async |_: &Shard| Ok::<_, BoxError>(Mixed(Rc::clone(&seen))));
    let lines = [INITIALIZE, &batch(1..=2), OK, &refused("ThrottlingException"), OK, OK, SHARD_ENDED, OK].join("\n");
    let mut output = Vec::new();
    runner.run_on(lines.as_bytes(), &mut output).expect("no error");
    let output = String::from_utf8(output).expect("JSON");
    let end = status("shardEnded");
    assert_eq!(
        output.lines().collect::<Vec<_>>(),
        [INITIALIZED, &at(1), &at(2), &at(2), ALL, DONE, ALL, &end].map(|line: &str| line)
    );
    assert_eq!(*seen.borrow(), ["record 1", "record 2"]);
}
