//! `cargo kcl why`: looks at the leases, the stream and the log, and says what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use kcl::Position;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::elsewhere;
use super::judge::{Common, Facts, Processor, State, Unseen, Verdict, judge};
use super::log::{Finding, Findings};
use super::options::WhyOptions;
use crate::daemon_log::Context;
use crate::exit::{FAILED, WRONG_USE};
use crate::kinesis::connection::block_on;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;
use crate::lease_table::{
    Application, ApplicationError, Leases, Look, Stream, TableError, Unreadable, Waiting, Watched, look_at_all, millis,
    watch,
};
use crate::report;

/// The reason why the command failed.
#[derive(Debug, thiserror::Error)]
enum WhyError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error("the log {} cannot be read: {error}", path.display())]
    Log { path: PathBuf, error: io::Error },
    #[error(
        "the application `{application}` does not have a lease for `{shard}`, and its stream does not have that shard"
    )]
    NoShard { application: String, shard: String },
    #[error("stdout cannot be written: {0}")]
    Output(io::Error),
}

impl From<TableError> for WhyError {
    fn from(error: TableError) -> Self {
        Self::Application(error.into())
    }
}

impl WhyError {
    fn code(&self) -> u8 {
        match self {
            Self::Aws(error) => error.code(),
            Self::Application(error) => error.code(),
            Self::Output(_) => FAILED,
            Self::Log { .. } | Self::NoShard { .. } => WRONG_USE,
        }
    }
}

/// The output of `--json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown<'a> {
    shard_id: &'a str,
    state: State,
    /// Whether nothing needs to be done.
    fine: bool,
    sentence: &'a str,
    remedy: Option<&'a str>,
}

#[derive(Serialize)]
struct All<'a> {
    application: &'a str,
    stream: &'a str,
    shards: Vec<Shown<'a>>,
}

/// Runs the verb.
pub(crate) fn run(options: &WhyOptions) -> ExitCode {
    match block_on(explain(options)).map_err(WhyError::from).and_then(|done| done) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FAILED),
        Err(error) => {
            report::error(&error);
            ExitCode::from(error.code())
        }
    }
}

/// Explains all shards, and returns whether every one is fine.
async fn explain(options: &WhyOptions) -> Result<bool, WhyError> {
    let application = Application::open(&options.application, &options.aws).await?;
    let (leases, stream, shards) = match find(&application).await {
        Ok(found) => found,
        Err(error) => {
            // The reason may be that the workers are elsewhere.
            let named = application.stream_name();
            let findings = findings(options, &application, named.unwrap_or_default()).unwrap_or_default();
            elsewhere::warn(&application, named, &findings);
            return Err(error.into());
        }
    };
    let mut findings = findings(options, &application, &stream.name)?;
    elsewhere::warn(&application, Some(&stream.name), &findings);
    findings.forget_elsewhere(&application.site());
    let stream = Rc::new(stream);
    let mut ids: Vec<&str> = shards.iter().map(|shard| shard.id.as_str()).collect();
    ids.extend(leases.leases.iter().map(|lease| lease.shard.as_str()));
    ids.extend(leases.unreadable.iter().map(|row| row.shard.as_str()));
    ids.sort_unstable();
    ids.dedup();
    if !options.shard.is_empty() {
        if let Some(other) = options.shard.iter().find(|shard| !ids.contains(&shard.0.as_str())) {
            return Err(WhyError::NoShard { application: application.name, shard: other.0.clone() });
        }
        ids.retain(|id| options.shard.iter().any(|shard| shard.0 == *id));
    }
    let seen = see(options, &application, &stream, &shards, leases.clone()).await?;
    // A caller who may read the stream need not be allowed to describe it.
    let retention = stream.retention().await.ok();
    let common = Common {
        name: &application.name,
        failover: application.failover,
        has_workers: seen.watched.iter().any(Watched::is_renewed),
        retention,
    };
    let verdicts: Vec<(&str, Verdict)> =
        ids.iter().map(|id| (*id, judge(&facts(id, &seen, &shards, &common, &findings)))).collect();
    let all_fine = verdicts.iter().all(|(_, verdict)| verdict.state.is_fine());
    show(options, &application.name, &stream.name, &verdicts).map_err(WhyError::Output)?;
    Ok(all_fine)
}

/// The leases of an application, its stream, and the shards of that.
async fn find(application: &Application) -> Result<(Leases, Stream, Vec<Shard>), ApplicationError> {
    let leases = application.leases().await?;
    let (stream, shards) = application.stream(&leases.leases).await?;
    Ok((leases, stream, shards))
}

fn findings(options: &WhyOptions, application: &Application, stream: &str) -> Result<Findings, WhyError> {
    let mut findings = Findings::default();
    for path in &options.log {
        let context = Context::of(&application.name, stream, application.region(), &application.properties);
        findings.read(path, context).map_err(|error| WhyError::Log { path: path.clone(), error })?;
    }
    Ok(findings)
}

/// The leases as they were watched, and a look at the checkpoint of each.
struct Seen {
    watched: Vec<Watched>,
    /// The rows that are leases and cannot be read.
    unreadable: Vec<Unreadable>,
    looks: Vec<Result<Look, Unseen>>,
    time: Duration,
    /// When that was, by the clock of Kinesis.
    seen_at: SystemTime,
    /// The number of leases that were there from the start. Those after them were created meanwhile.
    old: usize,
    /// The processor of each shard that has been stuck or idle for all that time, as far as launchers on this machine know.
    processors: BTreeMap<String, Processor>,
}

impl Seen {
    /// The place of the lease of a shard.
    fn lease_of(&self, shard: &str) -> Option<usize> {
        lease_of(&self.watched, shard)
    }
}

/// The place of the lease of a shard.
fn lease_of(watched: &[Watched], shard: &str) -> Option<usize> {
    watched.iter().position(|watched| watched.first.shard == shard)
}

/// The parents of a shard that were not read to their ends.
fn open_parents<'a>(shard: &'a Shard, shards: &[Shard], watched: &[Watched]) -> Vec<&'a str> {
    shard.parents().filter(|parent| is_unread(parent, shards, watched)).collect()
}

/// Whether a shard was not read to its end. One whose lease is gone was, unless an ancestor is unread: then the lease was not created yet.
fn is_unread(id: &str, shards: &[Shard], watched: &[Watched]) -> bool {
    let (mut ids, mut seen) = (vec![id], BTreeSet::new());
    while let Some(id) = ids.pop() {
        match lease_of(watched, id) {
            Some(at) if !watched[at].is_done() => return true,
            Some(_) => {}
            None if seen.insert(id) => {
                ids.extend(shards.iter().filter(|shard| shard.id == id).flat_map(Shard::parents));
            }
            None => {}
        }
    }
    false
}

/// Whether a shard does not have a lease although it could have one.
fn lacks_lease(shard: &Shard, shards: &[Shard], watched: &[Watched]) -> bool {
    let is_over = || !shard.is_open && is_followed(&shard.id, shards, watched);
    lease_of(watched, &shard.id).is_none() && open_parents(shard, shards, watched).is_empty() && !is_over()
}

/// Watches the leases, and looks at the stream. Leases that do not move although they could, or that are missing, are watched for longer.
async fn see(
    options: &WhyOptions,
    application: &Application,
    stream: &Rc<Stream>,
    shards: &[Shard],
    leases: Leases,
) -> Result<Seen, WhyError> {
    let began = Instant::now();
    let Leases { leases, unreadable } = leases;
    let mut watched = watch(&application.table, leases, application.failover, |lease| !lease.is_done()).await?;
    let mut found = looks(stream, shards, &watched).await;
    let least = options.watch.unwrap_or(application.failover * 2);
    let is_open = |watched: &Watched, look: &Result<Look, Unseen>| {
        let could_move = watched.last.owner.is_none() || !matches!(look, Ok(Look { waiting: Waiting::Nothing, .. }));
        could_move && watched.last.checkpoint == watched.first.checkpoint && !watched.is_done()
    };
    let is_unreadable = |shard: &Shard| unreadable.iter().any(|row| row.shard == shard.id);
    let old = watched.len();
    if watched.iter().zip(&found).any(|(watched, look)| is_open(watched, look))
        || shards.iter().any(|shard| lacks_lease(shard, shards, &watched) && !is_unreadable(shard))
    {
        sleep(least.saturating_sub(began.elapsed())).await;
        for now in application.leases().await?.leases {
            match lease_of(&watched, &now.shard) {
                Some(at) => watched[at].note(now),
                None => watched.push(Watched { first: now.clone(), last: now, silent: Duration::ZERO }),
            }
        }
        found.extend(looks(stream, shards, &watched[old..]).await);
    }
    let (time, seen_at) = (Duration::from_secs(began.elapsed().as_secs().max(1)), stream.time());
    #[cfg(feature = "metrics")]
    let processors = {
        let (site, application, stream) = (&application.site(), &application.name, &stream.name);
        super::launcher::Leases { application, stream, site, watched: &watched, time }.processors()
    };
    #[cfg(not(feature = "metrics"))]
    let processors = BTreeMap::new();
    Ok(Seen { watched, unreadable, looks: found, time, seen_at, old, processors })
}

async fn looks(stream: &Rc<Stream>, shards: &[Shard], watched: &[Watched]) -> Vec<Result<Look, Unseen>> {
    let of = |watched: &Watched| {
        let shard = shards.iter().find(|shard| shard.id == watched.last.shard)?;
        Some((shard.clone(), watched.last.checkpoint.clone()))
    };
    let wanted: Vec<Option<(Shard, Position)>> = watched.iter().map(of).collect();
    let mut found = look_at_all(stream, wanted.iter().flatten().cloned().collect()).await.into_iter();
    let looks = wanted.iter().map(|wanted| match wanted.as_ref().and_then(|_| found.next()) {
        Some(Ok(look)) => Ok(look),
        Some(Err(error)) => Err(Unseen {
            is_throttled: matches!(error, AwsError::Throttled { .. }),
            message: report::excerpt(error.to_string()),
        }),
        None => Ok(Look::default()),
    });
    looks.collect()
}

/// Collects the facts about a shard.
fn facts<'a>(
    id: &'a str,
    seen: &'a Seen,
    shards: &'a [Shard],
    common: &'a Common<'a>,
    findings: &'a Findings,
) -> Facts<'a> {
    const NOT_LOOKED: &Result<Look, Unseen> = &Ok(Look { arrival: None, is_expired: false, waiting: Waiting::Unknown });
    let at = seen.lease_of(id);
    let listed = shards.iter().find(|shard| shard.id == id);
    let look = at.and_then(|at| seen.looks.get(at)).unwrap_or(NOT_LOOKED);
    let behind = match look {
        Ok(Look { waiting: Waiting::Record(entry), .. }) => {
            let since = millis(seen.seen_at).saturating_sub(entry.arrival);
            Some(Duration::from_millis(u64::try_from(since).unwrap_or(0)))
        }
        _ => None,
    };
    let watched = at.map(|at| &seen.watched[at]);
    let is_passed = |finding: &&Finding| watched.is_some_and(|watched| finding.is_passed(&watched.last.checkpoint));
    Facts {
        watched,
        unreadable: seen.unreadable.iter().find(|row| row.shard == id),
        listed,
        open_parents: listed.map(|shard| open_parents(shard, shards, &seen.watched)).unwrap_or_default(),
        is_followed: is_followed(id, shards, &seen.watched),
        look,
        is_new: at.is_some_and(|at| at >= seen.old),
        time: seen.time,
        application: common,
        finding: findings.of(id).filter(|finding| !is_passed(finding)),
        processor: seen.processors.get(id),
        behind,
        // The times of findings are those of this machine's logs.
        now: SystemTime::now(),
    }
}

/// Whether a shard that follows this one has a lease.
fn is_followed(id: &str, shards: &[Shard], watched: &[Watched]) -> bool {
    let lease_of = |id: &str| lease_of(watched, id);
    let mut generation: Vec<_> = shards.iter().filter(|shard| shard.parents().any(|parent| parent == id)).collect();
    // No shard has more generations after it than there are shards.
    for _ in shards {
        if generation.is_empty() || generation.iter().any(|shard| lease_of(&shard.id).is_some()) {
            break;
        }
        let is_next = |shard: &&Shard| shard.parents().any(|parent| generation.iter().any(|of| of.id == parent));
        generation = shards.iter().filter(is_next).collect();
    }
    generation.iter().any(|shard| lease_of(&shard.id).is_some())
}

fn show(options: &WhyOptions, application: &str, stream: &str, verdicts: &[(&str, Verdict)]) -> io::Result<()> {
    if options.json {
        let shown = verdicts.iter().map(|(shard_id, verdict)| Shown {
            shard_id,
            state: verdict.state,
            fine: verdict.state.is_fine(),
            sentence: &verdict.sentence,
            remedy: verdict.remedy.as_deref(),
        });
        return report::json(&All { application, stream, shards: shown.collect() });
    }
    report::data(verdicts.iter().map(|(shard, verdict)| {
        let remedy = verdict.remedy.as_ref().map(|remedy| format!("; {remedy}")).unwrap_or_default();
        format!("{}: {}{remedy}", report::excerpt(shard), verdict.sentence)
    }))
}
