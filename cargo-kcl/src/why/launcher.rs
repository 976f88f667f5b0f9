//! Processors that are stuck, idle or silent, as the launchers of the application on this machine see them.

use std::collections::BTreeMap;
use std::time::Duration;

use super::judge::Processor;
use crate::lease_table::Watched;
use crate::metrics::client::states;
use crate::metrics::state::{ShardState, State};
use crate::metrics::{Site, Stage};
use crate::report;

/// How long a launcher may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// The time for which the last snapshot of a processor may be old.
const PERIOD: Duration = Duration::from_secs(1);
/// The age of the last snapshot of a processor that certainly runs.
const FRESH: Duration = Duration::from_secs(5);

/// The leases of an application, and how long they were watched.
pub(super) struct Leases<'a> {
    pub(super) application: &'a str,
    pub(super) stream: &'a str,
    pub(super) site: &'a Site,
    pub(super) watched: &'a [Watched],
    pub(super) time: Duration,
}

impl Leases<'_> {
    /// The shards whose processors have been in one call, or handling one record, or waiting for a message, for as long as the leases were
    /// watched, and those whose processors no longer report what they do.
    pub(super) fn processors(&self) -> BTreeMap<String, Processor> {
        states(PATIENCE).iter().filter(|state| self.is_of(state)).flat_map(|state| self.processors_of(state)).collect()
    }

    /// Whether a run is a worker of the application. A local run has shards of the same names, and no lease.
    fn is_of(&self, state: &State) -> bool {
        is_worker(state, self.application, Some(self.stream))
            && !state.site.as_ref().is_some_and(|site| site.differs(self.site))
    }

    fn processors_of(&self, state: &State) -> impl Iterator<Item = (String, Processor)> {
        // A process may hang after its lease went to another worker.
        let holds = move |shard: &&ShardState| {
            let lease = self.watched.iter().map(|watched| &watched.last).find(|lease| lease.shard == shard.shard);
            state.worker.is_none() || lease.is_some_and(|lease| lease.owner == state.worker)
        };
        let seen = move |shard: &ShardState| {
            let stuck = stuck(shard, self.time).map(Processor::Stuck);
            let other = || idle(shard, self.time).map(Processor::Idle).or_else(|| silent(shard));
            Some((shard.shard.clone(), stuck.or_else(other)?))
        };
        state.shards.iter().filter(holds).filter_map(seen)
    }
}

/// Where the workers of an application on this machine keep their leases, as far as that is known.
pub(super) fn sites(application: &str, stream: Option<&str>) -> Vec<Site> {
    let workers = states(PATIENCE).into_iter().filter(|state| is_worker(state, application, stream));
    let mut sites = Vec::new();
    for site in workers.filter_map(|state| state.site) {
        if !sites.contains(&site) {
            sites.push(site);
        }
    }
    sites
}

/// Whether a run is a worker of an application, and of a stream if that is known.
fn is_worker(state: &State, application: &str, stream: Option<&str>) -> bool {
    state.verb == "daemon"
        && state.application == application
        && stream.is_none_or(|stream| state.stream.as_deref() == Some(stream))
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

/// How long no message has arrived, if that is long enough and the processor has handled all that it got.
fn idle(shard: &ShardState, least: Duration) -> Option<Duration> {
    let now = &shard.now;
    // A process that sends nothing is stopped, rather than idle.
    let sends = shard.heard_ms.is_some_and(|age| Duration::from_millis(age) <= FRESH);
    let waits = sends && shard.stage == Stage::Running && now.running.is_none() && now.unsettled == 0;
    let silence = Duration::from_millis(now.last_message_ms.filter(|_| waits)?);
    (silence + PERIOD >= least).then_some(silence)
}

/// A process that has stopped reporting.
fn silent(shard: &ShardState) -> Option<Processor> {
    let time = Duration::from_millis(shard.heard_ms?);
    let is_silent = shard.stage == Stage::Running && time > FRESH;
    is_silent.then_some(Processor::Silent { pid: shard.pid?, time })
}

#[cfg(test)]
mod tests {
    use kcl::Position;
    use serde_json::json;

    use super::*;
    use crate::lease_table::Lease;

    const SHARD: &str = "shardId-000000000001";

    /// A worker in which a handler has been running for 90 s.
    fn state() -> State {
        let at = "at record 1/0, number 2 of 3 in its batch";
        let state = json!({
            "verb": "daemon",
            "application": "revenue",
            "stream": "orders",
            "worker": "here",
            "shards": [{
                "shard": SHARD,
                "stage": "running",
                "pid": 7,
                "now": { "running": { "action": "processRecords", "ms": 90_000, "at": at } },
            }],
        });
        serde_json::from_value(state).expect("a state")
    }

    #[test]
    fn a_call_that_has_been_running_all_the_time_is_stuck() {
        let mut shard = state().shards.remove(0);
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

    #[test]
    fn a_processor_that_gets_nothing_is_idle() {
        let mut shard = state().shards.remove(0);
        let [short, long] = [8, 10].map(Duration::from_secs);
        (shard.heard_ms, shard.now.last_message_ms) = (Some(900), Some(8_000));
        assert_eq!(idle(&shard, short), None, "a handler is running");
        shard.now.running = None;
        assert_eq!((idle(&shard, short), idle(&shard, long)), (Some(short), None));
        shard.heard_ms = Some(8_000);
        assert_eq!(idle(&shard, short), None, "the process is stopped");
        shard.heard_ms = Some(900);
        shard.now.unsettled = 1;
        assert_eq!(idle(&shard, short), None, "it has not handled all that it got");
    }

    #[test]
    fn a_process_that_is_stopped_is_silent() {
        let mut shard = state().shards.remove(0);
        for (heard, expected) in [(None, None), (Some(900), None), (Some(8_000), Some((7, Duration::from_secs(8))))] {
            shard.heard_ms = heard;
            let found = silent(&shard).map(|found| match found {
                Processor::Silent { pid, time } => (pid, time),
                other => panic!("{other:?}"),
            });
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn only_the_worker_that_holds_the_lease_counts() {
        let lease = |owner: &str| Lease {
            shard: SHARD.to_owned(),
            owner: Some(owner.to_owned()),
            counter: 1,
            checkpoint: Position::TrimHorizon,
            parents: Vec::new(),
            children: Vec::new(),
            range: None,
        };
        let count = |state: &State, owner: &str| {
            let watched = Watched { first: lease(owner), last: lease(owner), silent: Duration::ZERO };
            let (watched, time) = ([watched], Duration::from_secs(90));
            let site = &Site { region: Some("us-east-1".to_owned()), endpoint: None };
            let leases = Leases { application: "revenue", stream: "orders", site, watched: &watched, time };
            if leases.is_of(state) { leases.processors_of(state).count() } else { 0 }
        };
        assert_eq!((count(&state(), "here"), count(&state(), "elsewhere")), (1, 0));
        // The KCL has named the worker.
        assert_eq!(count(&State { worker: None, ..state() }, "elsewhere"), 1);
        for other in [
            State { verb: "local".to_owned(), ..state() },
            State { application: "other".to_owned(), ..state() },
            State { stream: None, ..state() },
            State { site: Some(Site { region: Some("eu-west-1".to_owned()), endpoint: None }), ..state() },
        ] {
            assert_eq!(count(&other, "here"), 0, "{other:?}");
        }
    }
}
