//! Handlers that are stuck, as the launchers of the application on this machine see them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::metrics::Stage;
use crate::metrics::client::states;
use crate::metrics::state::ShardState;
use crate::report;

/// How long a launcher may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The time for which the last snapshot of a processor may be old.
const PERIOD: Duration = Duration::from_secs(1);

/// The calls of each shard's handlers that have been running for at least this time, or handling one record.
pub(super) fn stuck_calls(application: &str, least: Duration) -> BTreeMap<String, String> {
    let shards = states(application, PATIENCE).into_iter().flat_map(|state| state.shards);
    shards.filter_map(|shard| Some((shard.shard.clone(), stuck(&shard, least)?))).collect()
}

fn stuck(shard: &ShardState, least: Duration) -> Option<String> {
    let running = shard.now.running.as_ref().filter(|_| shard.stage == Stage::Running)?;
    let time = Duration::from_millis(running.ms);
    let at = running.at.iter().map(|at| format!(" {},", report::escaped(at))).collect::<String>();
    let process = shard.pid.map(|pid| format!(" in process {pid}")).unwrap_or_default();
    let text =
        || format!("{}{at} has been running for {}{process}", report::excerpt(&running.action), report::elapsed(time));
    (time + PERIOD >= least).then(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_has_been_running_all_the_time_is_stuck() {
        let shard = serde_json::json!({
            "shard": "shardId-000000000001",
            "stage": "running",
            "pid": 7,
            "now": { "running": { "action": "processRecords", "ms": 90_000, "at": "at record 1/0, number 2 of 3 in its batch" } },
        });
        let mut shard: ShardState = serde_json::from_value(shard).expect("a shard");
        let text =
            "processRecords at record 1/0, number 2 of 3 in its batch, has been running for 1 min 30 s in process 7";
        // The snapshot may have been sent a second ago.
        for seconds in [90, 91] {
            assert_eq!(stuck(&shard, Duration::from_secs(seconds)).as_deref(), Some(text));
        }
        assert_eq!(stuck(&shard, Duration::from_secs(92)), None);
        shard.stage = Stage::Lost;
        assert_eq!(stuck(&shard, Duration::ZERO), None);
    }
}
