//! The verdict on a shard, from everything that is known about it.

use std::time::{Duration, SystemTime};

use kcl::Position;
use serde::Serialize;

use super::log::{Finding, Kind};
use crate::daemon_log::Cause;
use crate::kinesis::shards::Shard;
use crate::lease_table::{LOCK_OF_LEADER, Look, Unreadable, Waiting, Watched};
use crate::report;

/// The remedy if a handler is stuck.
const AT_RECORD: &str = "find out what the handler does with that record; a worker that is restarted delivers it again, and --rewind of `cargo kcl leases` never skips it";

/// Everything that is known about a shard.
#[derive(Debug)]
pub(super) struct Facts<'a> {
    /// The lease as it was watched, if there is one.
    pub(super) watched: Option<&'a Watched>,
    /// Its row in the lease table, if that cannot be read.
    pub(super) unreadable: Option<&'a Unreadable>,
    /// The shard in the stream, if it is still there.
    pub(super) listed: Option<&'a Shard>,
    /// The parents whose leases are not at their ends.
    pub(super) open_parents: Vec<&'a str>,
    /// Whether a shard that follows has a lease.
    pub(super) is_followed: bool,
    pub(super) look: &'a Result<Look, Unseen>,
    /// Whether the lease was created while the leases were watched.
    pub(super) is_new: bool,
    /// How long the leases were watched.
    pub(super) time: Duration,
    pub(super) application: &'a Common<'a>,
    /// The problem in the log.
    pub(super) finding: Option<&'a Finding>,
    /// Its processor, as a launcher sees it.
    pub(super) processor: Option<&'a Processor>,
    /// How long the oldest waiting record has been waiting.
    pub(super) behind: Option<Duration>,
    pub(super) now: SystemTime,
}

/// A processor, as a launcher on this machine sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(not(feature = "metrics"), expect(dead_code, reason = "a build without metrics asks no launcher"))]
pub(super) enum Processor {
    /// This call has been running for all the time that the leases were watched.
    Stuck(String),
    /// It waits for a message, and none has arrived for this time, which is not shorter.
    Idle(Duration),
    /// It reported what it does, and has not done so for this time.
    Silent { pid: u32, time: Duration },
}

/// The reason why there was no look at a shard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unseen {
    pub(super) is_throttled: bool,
    pub(super) message: String,
}

/// The facts that are the same for all shards.
#[derive(Debug)]
pub(super) struct Common<'a> {
    pub(super) name: &'a str,
    pub(super) failover: Duration,
    /// Whether any lease is renewed, so that a worker is alive. Otherwise there may be workers without a lease.
    pub(super) has_workers: bool,
    /// How many hours the stream keeps records, if that is known.
    pub(super) retention: Option<u64>,
}

impl Common<'_> {
    /// Whether a record that is still waiting after this time makes it likely that others have expired unread. After a quiet time, the
    /// record of the checkpoint expires, too, and nothing is lost.
    fn is_long(&self, waiting: Duration) -> bool {
        const SHORTEST: u64 = 24;
        waiting >= Duration::from_secs(self.retention.unwrap_or(SHORTEST) * 3600 / 2)
    }

    /// The start of a sentence about records that are gone.
    fn keeps(&self) -> String {
        match self.retention {
            Some(hours) => format!("past retention: the stream keeps records for {hours} h, and"),
            None => "past retention: the stream".to_owned(),
        }
    }

    /// The advice if nobody works on the shards.
    fn start(&self) -> String {
        let name = report::quoted(&report::excerpt(self.name));
        format!(
            "start a worker, for example with `cargo kcl daemon --app {name}`, unless one is running. {LOCK_OF_LEADER}"
        )
    }
}

/// The states of a shard, by the names in `--json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum State {
    Moves,
    UpToDate,
    Done,
    WaitsForParent,
    NotStarted,
    NoShardEnd,
    OwnerDead,
    NoOwner,
    NoLease,
    PastRetention,
    HandlerStuck,
    Slow,
    Throttled,
    Credentials,
    DaemonProblem,
    Unknown,
}

impl State {
    /// Whether nothing needs to be done.
    pub(super) fn is_fine(self) -> bool {
        matches!(self, Self::Moves | Self::UpToDate | Self::Done | Self::WaitsForParent | Self::NotStarted)
    }
}

/// A state, the sentence for it, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) state: State,
    pub(super) sentence: String,
    pub(super) remedy: Option<String>,
}

impl Verdict {
    fn fine(state: State, sentence: impl Into<String>) -> Self {
        Self { state, sentence: sentence.into(), remedy: None }
    }

    fn new(state: State, sentence: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state, sentence: sentence.into(), remedy: Some(remedy.into()) }
    }
}

/// Judges a shard.
pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let Some(watched) = facts.watched else { return without_lease(facts) };
    let lease = &watched.last;
    if lease.checkpoint == Position::ShardEnd {
        return Verdict::fine(State::Done, "done: it was read to its end");
    }
    if watched.first.checkpoint != lease.checkpoint {
        return moving(facts, watched);
    }
    if facts.is_new {
        return Verdict::fine(State::Moves, "it moves: its lease has just been created");
    }
    if !facts.open_parents.is_empty() {
        return waits(facts);
    }
    let Some(owner) = &lease.owner else { return without_owner(facts, watched) };
    if watched.first.owner != lease.owner {
        let owner = report::excerpt(owner);
        // Workers whose processors cannot start take the lease one after another.
        return logged(facts).unwrap_or_else(|| {
            Verdict::fine(State::Moves, format!("it moves: worker `{owner}` has just taken its lease"))
        });
    }
    if watched.is_dead(facts.application.failover) {
        return dead(facts, watched);
    }
    if facts.listed.is_none() {
        return Verdict::new(
            State::PastRetention,
            format!("{} no longer holds the shard and its unread records", facts.application.keeps()),
            "nothing has to be done for this shard, because its worker marks it as done; raise the retention of the stream if records must wait for longer",
        );
    }
    // The launcher knows it even if the shard cannot be read.
    if let (
        Some(Processor::Stuck(stuck)),
        Ok(Look { waiting: Waiting::Record(_) | Waiting::End | Waiting::Unknown, .. }) | Err(_),
    ) = (facts.processor, facts.look)
    {
        return Verdict::new(State::HandlerStuck, format!("its handler is stuck: {stuck}"), AT_RECORD);
    }
    let look = match facts.look {
        Ok(look) => *look,
        Err(failed) if failed.is_throttled => {
            return logged(facts).unwrap_or_else(|| {
                Verdict::new(
                    State::Throttled,
                    format!("AWS throttles reads of the shard: {}", failed.message),
                    "see which other consumers read it; `--retrieval fanout` gives this application throughput of its own",
                )
            });
        }
        Err(failed) => {
            return logged(facts).unwrap_or_else(|| {
                Verdict::new(
                    State::Unknown,
                    format!("its records cannot be read: {}", failed.message),
                    "allow this command to read the shard, or name the daemon's log with --log FILE",
                )
            });
        }
    };
    owned(facts, watched, &look)
}

/// Judges a shard whose owner is alive and whose checkpoint did not move.
fn owned(facts: &Facts<'_>, watched: &Watched, look: &Look) -> Verdict {
    let time = report::duration(facts.time);
    match look.waiting {
        Waiting::End => Verdict::new(
            State::NoShardEnd,
            "no SHARD_END checkpoint: all its records are processed, and its end was not checkpointed in the last "
                .to_owned()
                + &format!("{time}, so its child shards do not start"),
            "the processor must checkpoint at the end of the shard, without a sequence number, before it answers shardEnded; fix it and restart the worker",
        ),
        Waiting::Record(_) => logged(facts).unwrap_or_else(|| behind(facts, watched, look)),
        Waiting::Nothing => Verdict::fine(State::UpToDate, "up to date: no record follows its checkpoint"),
        Waiting::Unknown => match watched.last.checkpoint {
            Position::Latest | Position::AtTimestamp => logged(facts).unwrap_or_else(|| {
                Verdict::fine(
                    State::NotStarted,
                    format!("it starts at {}, and nothing was checkpointed yet", watched.last.checkpoint),
                )
            }),
            _ => logged(facts).unwrap_or_else(|| {
                Verdict::new(
                    State::Unknown,
                    "Kinesis does not say whether records follow its checkpoint",
                    "run this again, and name the daemon's log with --log FILE",
                )
            }),
        },
    }
}

/// Judges a shard that has records to process, and which the log does not mention.
fn behind(facts: &Facts<'_>, watched: &Watched, look: &Look) -> Verdict {
    let Waiting::Record(next) = look.waiting else { return Verdict::fine(State::UpToDate, "up to date") };
    let waiting = facts.behind.map(whole).map(|time| format!(" has been waiting for {time}")).unwrap_or_default();
    if look.is_expired && facts.behind.is_some_and(|time| facts.application.is_long(time)) {
        return Verdict::new(
            State::PastRetention,
            format!(
                "{} no longer holds the record of its checkpoint; the oldest record that it holds, {}, arrived at {}, and those before it may be lost unread",
                facts.application.keeps(),
                next.number,
                next.arrived()
            ),
            "raise the retention of the stream (`aws kinesis increase-stream-retention-period`) before more expire, and use --log FILE to see what holds the processor up",
        );
    }
    let owner = watched.last.owner.as_deref().map(report::excerpt).unwrap_or_default();
    if let Some(Processor::Idle(silence)) = facts.processor {
        return Verdict::new(
            State::Slow,
            format!(
                "its processor is idle: worker `{owner}` renews the lease, but has sent the processor nothing for {}, and record {}{waiting}",
                whole(*silence),
                next.number
            ),
            "name the daemon's log with --log FILE to see why it does not read the shard, for example because AWS throttles or refuses that; if the processor has had the record and checkpoints rarely, watch for longer with --watch TIME",
        );
    }
    if let Some(Processor::Silent { pid, time }) = facts.processor {
        return Verdict::new(
            State::Slow,
            format!(
                "its processor is silent: process {pid} on this machine has reported nothing for {}, as if it was stopped; worker `{owner}` renews the lease, and record {}{waiting}",
                whole(*time),
                next.number
            ),
            format!(
                "see with `ps -o stat= -p {pid}` whether that process is stopped (T), and let it go on with `kill -CONT {pid}`; otherwise restart the worker"
            ),
        );
    }
    Verdict::new(
        State::Slow,
        format!(
            "its processor is slow or stuck: worker `{owner}` renews the lease, but the checkpoint did not move in {}, and record {}{waiting}",
            report::duration(facts.time),
            next.number
        ),
        "run this command on the machine of that worker, or name the daemon's log with --log FILE, to see which record its handler is working on: the launcher knows it of a processor with metrics, and kcl logs each handler that runs for longer than warn_after",
    )
}

/// The verdict that the log suggests for a shard whose worker is alive.
fn logged(facts: &Facts<'_>) -> Option<Verdict> {
    facts.finding.filter(|finding| !finding.is_over(facts.now)).map(of_log)
}

/// The verdict that a problem of the log suggests.
fn of_log(finding: &Finding) -> Verdict {
    let at = finding.time.map(|time| format!(" (logged at {})", humantime::format_rfc3339_millis(time)));
    let at = at.unwrap_or_default();
    let (state, remedy) = match finding.kind {
        Kind::Slow { .. } => (State::HandlerStuck, Some(AT_RECORD)),
        Kind::Logged(Cause::ShardEnd) => (State::NoShardEnd, None),
        Kind::Logged(Cause::Throttled) => (State::Throttled, None),
        Kind::Logged(Cause::Credentials) => (State::Credentials, None),
        Kind::Logged(Cause::Other) => (State::DaemonProblem, None),
    };
    let sentence = match finding.kind {
        Kind::Slow { .. } => {
            format!("its handler is stuck: {}{at}", finding.text.strip_prefix("its handler ").unwrap_or(&finding.text))
        }
        Kind::Logged(_) => format!("{}{at}", finding.text),
    };
    Verdict { state, sentence, remedy: remedy.map(str::to_owned) }
}

fn moving(facts: &Facts<'_>, watched: &Watched) -> Verdict {
    let (from, to) = (&watched.first.checkpoint, &watched.last.checkpoint);
    let behind = facts.behind.map(whole).map(|time| format!(", {time} behind")).unwrap_or_default();
    Verdict::fine(State::Moves, format!("it moves: its checkpoint went from {from} to {to}{behind}"))
}

fn waits(facts: &Facts<'_>) -> Verdict {
    let parents = facts.open_parents.join(" and ");
    let (is, its) = if facts.open_parents.len() == 1 { ("is", "its") } else { ("are", "their") };
    Verdict {
        state: State::WaitsForParent,
        sentence: format!(
            "it waits for {parents}, which {is} not read to {its} end: a child shard starts after its parents"
        ),
        remedy: Some(format!("see what this command says about {parents}")),
    }
}

fn without_lease(facts: &Facts<'_>) -> Verdict {
    if let Some(row) = facts.unreadable {
        return Verdict::new(
            State::Unknown,
            format!("its lease cannot be read: {}", row.why),
            "find out who has written that row of the lease table, and correct it; the workers may not be able to read it either",
        );
    }
    if !facts.open_parents.is_empty() {
        return waits(facts);
    }
    if facts.is_followed && facts.listed.is_some_and(|shard| !shard.is_open) {
        return Verdict::fine(State::Done, "done: it has ended, and its lease was removed");
    }
    if facts.application.has_workers {
        return Verdict::new(
            State::NoLease,
            format!(
                "it has no lease: no worker created one in {}, although workers are running",
                report::duration(facts.time)
            ),
            "the leader of the workers creates the lease of a new shard when its parent has ended; if it is still missing after ten minutes, restart the workers, because the leader may be gone; if somebody has deleted the lease, the workers may never create it again",
        );
    }
    nobody(facts, State::NoLease, "it has no lease")
}

/// The problem of the log for which a worker may have ended. A handler that was slow ended with it.
fn fatal(facts: &Facts<'_>) -> Option<Verdict> {
    facts.finding.filter(|finding| matches!(finding.kind, Kind::Logged(_))).map(of_log)
}

/// The verdict if nobody works on any shard.
fn nobody(facts: &Facts<'_>, state: State, what: &str) -> Verdict {
    let sentence = format!("{what}, and no worker renews a lease of the application");
    let start = facts.application.start();
    match fatal(facts) {
        Some(verdict) => Verdict {
            sentence: format!("{sentence}: {}", verdict.sentence),
            remedy: Some(format!("correct that first; then {start}")),
            ..verdict
        },
        None => Verdict::new(state, sentence, start),
    }
}

fn without_owner(facts: &Facts<'_>, watched: &Watched) -> Verdict {
    let time = report::duration(facts.time);
    if let Some(owner) = watched.first.owner.as_deref().map(report::excerpt) {
        return Verdict::new(
            State::NoOwner,
            format!("it has no owner: worker `{owner}` gave up the lease in the last {time}"),
            "run this again, to see whether another worker takes it",
        );
    }
    if facts.application.has_workers {
        return Verdict::new(
            State::NoOwner,
            format!("it has no owner: no worker took the lease in {time}, although workers are running"),
            format!(
                "wait first: the leader of the workers assigns it within a few times failoverTimeMillis. {LOCK_OF_LEADER}. If nothing has taken it then, start another worker if each one holds maxLeasesForWorker leases, and otherwise restart the workers"
            ),
        );
    }
    nobody(facts, State::NoOwner, "it has no owner")
}

fn dead(facts: &Facts<'_>, watched: &Watched) -> Verdict {
    let owner = watched.last.owner.as_deref().map(report::excerpt).unwrap_or_default();
    let silent = whole(watched.silent);
    let sentence = format!("its owner is dead: worker `{owner}` has not renewed the lease for {silent}");
    if facts.application.has_workers {
        return Verdict::new(
            State::OwnerDead,
            sentence,
            "another worker takes the lease within a few times failoverTimeMillis, or later, as long as the dead worker still counts as a candidate; start it again under its workerId to speed that up",
        );
    }
    match fatal(facts) {
        Some(verdict) => Verdict {
            sentence: format!("{sentence}: {}", verdict.sentence),
            remedy: Some(format!("correct that first; then {}", facts.application.start())),
            ..verdict
        },
        None => Verdict::new(
            State::OwnerDead,
            sentence,
            format!(
                "no worker renews a lease of the application: start `{owner}` again or another one, and if its process is running, see in its log why it does not reach DynamoDB; if DynamoDB throttles the table, the log is silent for the first minute"
            ),
        ),
    }
}

/// A duration in whole seconds.
fn whole(time: Duration) -> String {
    report::duration(Duration::from_secs(time.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinesis::shards::Range;
    use crate::lease_table::{Entry, Lease};

    const SHARD: &str = "shardId-000000000001";

    /// The verdict on a shard with a record that waits, whose worker renews the lease.
    fn with(processor: &Processor) -> Verdict {
        let lease = Lease {
            shard: SHARD.to_owned(),
            owner: Some("here".to_owned()),
            counter: 1,
            checkpoint: Position::TrimHorizon,
            parents: Vec::new(),
            children: Vec::new(),
            range: None,
        };
        let range = Range { start: 0, end: u128::MAX };
        let entry = Entry { number: 7.into(), last_part: Some(0), arrival: 0 };
        judge(&Facts {
            watched: Some(&Watched { first: lease.clone(), last: lease, silent: Duration::ZERO }),
            unreadable: None,
            listed: Some(&Shard { id: SHARD.to_owned(), parent: None, adjacent_parent: None, range, is_open: true }),
            open_parents: Vec::new(),
            is_followed: false,
            look: &Ok(Look { waiting: Waiting::Record(entry), ..Look::default() }),
            is_new: false,
            time: Duration::from_secs(30),
            application: &Common {
                name: "revenue",
                failover: Duration::from_secs(10),
                has_workers: true,
                retention: Some(24),
            },
            finding: None,
            processor: Some(processor),
            behind: Some(Duration::from_secs(40)),
            now: SystemTime::UNIX_EPOCH,
        })
    }

    #[test]
    fn a_silent_process_is_named_with_what_to_do() {
        let verdict = with(&Processor::Silent { pid: 4711, time: Duration::from_millis(8_900) });
        assert_eq!(verdict.state, State::Slow);
        assert_eq!(
            verdict.sentence,
            "its processor is silent: process 4711 on this machine has reported nothing for 8 s, as if it was stopped; worker `here` renews the lease, and record 7 has been waiting for 40 s"
        );
        assert_eq!(
            verdict.remedy.as_deref(),
            Some(
                "see with `ps -o stat= -p 4711` whether that process is stopped (T), and let it go on with `kill -CONT 4711`; otherwise restart the worker"
            )
        );
    }
}
