//! Moves leases: only those that are free, and only after somebody has agreed.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::time::Duration;

use kcl::Position;
use serde_json::{Value, json};

use super::plan::{Move, PlanError, followers_of};
use super::show::parts;
use crate::kinesis::shards::Shard;
use crate::lease_table::{Application, ApplicationError, LOCK_OF_LEADER, Lease, Leases, Outcome, Watched, watch};
use crate::report;

/// The reason why planned moves are not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum RewindError {
    #[error(transparent)]
    Application(#[from] ApplicationError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(
        "{shard} is not free: {owner} renews its lease, and would overwrite the move; stop that worker, or wait until it has stopped, and run this again"
    )]
    Owned { shard: String, owner: String },
    #[error("this would move {0}; add --yes to confirm")]
    NotSure(String),
    #[error("nothing was moved")]
    Declined,
    #[error(
        "{0}: the lease was not moved, because a worker has taken or renewed it meanwhile, or the lease of a shard that follows; stop the worker, and run this again"
    )]
    Changed(String),
    #[error("stdin cannot be read: {0}")]
    Input(io::Error),
}

/// A lease that is free to be moved, and why.
struct Free {
    the_move: Move,
    reason: String,
}

/// Moves leases, and adds each one to those that were moved, as JSON.
///
/// # Errors
///
/// If one is not free, if nobody agrees, or if one changes meanwhile. Leases before that one are moved then.
pub(super) async fn carry_out(
    application: &Application,
    moves: Vec<Move>,
    shards: Option<&[Shard]>,
    yes: bool,
    moved: &mut Vec<Value>,
) -> Result<(), RewindError> {
    let leases = moves.iter().map(|planned| planned.lease.clone()).collect();
    announce_wait(&moves, application.failover);
    let watched = watch(&application.table, leases, application.failover, |_| true).await;
    let watched = watched.map_err(ApplicationError::from)?;
    let mut free = Vec::new();
    for (planned, watched) in moves.into_iter().zip(watched) {
        free.push(Free { reason: reason(&watched, application.failover)?, the_move: planned });
    }
    for Free { the_move, reason } in &free {
        show(the_move, reason);
    }
    confirm(free.len(), yes)?;
    for Free { the_move, .. } in free {
        let now = if the_move.lease.checkpoint == Position::ShardEnd {
            application.leases().await?
        } else {
            Leases::default()
        };
        let followers = followers_of(&the_move.lease, &now, shards)?;
        let outcome = application.table.rewind(&the_move.lease, &followers, &the_move.to).await;
        match outcome.map_err(ApplicationError::from)? {
            Outcome::Moved => {
                report::line(format_args!("{} was moved to {}", the_move.lease.shard, the_move.to));
                moved.push(as_json(&the_move));
            }
            Outcome::Changed => return Err(RewindError::Changed(the_move.lease.shard)),
        }
    }
    report::line(format_args!("a worker usually takes a moved lease within 30 s. {LOCK_OF_LEADER}"));
    Ok(())
}

/// Says why the tool waits, if it does.
fn announce_wait(moves: &[Move], failover: Duration) {
    if let Some(owner) = moves.iter().find_map(|planned| planned.lease.owner.as_deref()) {
        report::line(format_args!(
            "waiting up to {} to see whether {} still renews its leases",
            report::duration(failover * 2),
            report::excerpt(owner)
        ));
    }
}

/// The reason why a lease is free.
fn reason(watched: &Watched, failover: Duration) -> Result<String, RewindError> {
    let Lease { shard, owner, .. } = &watched.last;
    match (&watched.first.owner, owner) {
        // The move is about the lease as it was first seen.
        _ if watched.first.counter != watched.last.counter => Err(RewindError::Owned {
            shard: shard.clone(),
            owner: owner.as_deref().map_or("a worker".to_owned(), |owner| format!("`{}`", report::excerpt(owner))),
        }),
        (None, None) => Ok("no owner".to_owned()),
        (_, Some(owner)) if watched.is_dead(failover) => Ok(format!(
            "owner `{}`, which has not renewed it for {}",
            report::excerpt(owner),
            report::duration(Duration::from_secs(watched.silent.as_secs().max(1)))
        )),
        _ => Err(RewindError::Changed(shard.clone())),
    }
}

fn show(the_move: &Move, reason: &str) {
    report::result(format_args!("{}: {reason}", report::excerpt(&the_move.lease.shard)));
    report::result(format_args!("  from {}", the_move.lease.checkpoint));
    report::result(format_args!("  to   {}", the_move.to));
    if let Some(note) = &the_move.note {
        report::result(format_args!("  ({note})"));
    }
}

/// Asks whether to go on, unless the options agree already.
fn confirm(count: usize, yes: bool) -> Result<(), RewindError> {
    if yes {
        return Ok(());
    }
    let leases = report::count(count as u64, "lease");
    if !io::stdin().is_terminal() {
        return Err(RewindError::NotSure(leases));
    }
    _ = write!(io::stderr(), "move {leases}? Records after the new positions are delivered again [y/N] ");
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(RewindError::Input)?;
    let agreed = matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes");
    if agreed { Ok(()) } else { Err(RewindError::Declined) }
}

fn as_json(the_move: &Move) -> Value {
    let position = |position| {
        let (checkpoint, sub) = parts(position);
        json!({ "checkpoint": checkpoint, "subSequenceNumber": sub })
    };
    json!({
        "shardId": the_move.lease.shard,
        "owner": the_move.lease.owner,
        "from": position(&the_move.lease.checkpoint),
        "to": position(&the_move.to),
    })
}
