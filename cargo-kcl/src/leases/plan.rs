//! The moves of leases, and the reasons why some are refused.

use std::collections::BTreeSet;

use kcl::Position;

use super::find::{Found, ONE, find};
use super::options::{Rewind, Target};
use crate::args::StartAt;
use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;
use crate::lease_table::{Follower, Lease, Leases, Stream, is_before, millis};
use crate::report;

/// The reason why a lease is not moved.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlanError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("the application `{application}` has no lease for `{shard}`; it has leases for {there}")]
    NoLease { application: String, shard: String, there: String },
    #[error("the lease of {shard} cannot be read: {why}; correct that row of the lease table first")]
    Unreadable { shard: String, why: String },
    #[error("`{0}` is named twice; a lease is moved once")]
    Twice(String),
    #[error("{shard} stands at {stands}, and {to} is not before that; --rewind moves a lease back, never forward")]
    NotBack { shard: String, stands: String, to: String },
    #[error(
        "{shard} stands at {stands}, and which record that is depends on the workers' properties; only TRIM_HORIZON is certainly before it"
    )]
    Unordered { shard: String, stands: String },
    #[error(
        "{shard} has ended, and {follower}, which follows it, has begun: the records of {shard} would be processed after those of {follower}; the lease of a shard can be moved only if no shard that follows it has begun"
    )]
    Begun { shard: String, follower: String },
    #[error(
        "{0} has ended, and not every shard that follows it has a lease, so the leases alone do not show whether one has begun; add --stream NAME"
    )]
    UnknownFollowers(String),
    #[error(
        "{shard} does not have a record {number} ({message}); give the sequence number of one of its records, a time, or TRIM_HORIZON"
    )]
    NoRecord { shard: String, number: String, message: String },
    #[error("{0} is no longer in the stream, so none of its records can be delivered again")]
    Gone(String),
    #[error("--rewind to a record or a time needs the stream; add --stream NAME")]
    NoStream,
}

/// The move of a lease.
#[derive(Clone, Debug)]
pub(super) struct Move {
    pub(super) lease: Lease,
    pub(super) to: Position,
    /// A note about the move for the user.
    pub(super) note: Option<String>,
}

/// The stream and its shards.
pub(super) type Known<'a> = Option<(&'a Stream, &'a [Shard])>;

/// Plans the moves that the options ask for.
///
/// # Errors
///
/// If one of them is not possible.
pub(super) async fn plan(
    application: &str,
    leases: &Leases,
    rewinds: &[Rewind],
    stream: Known<'_>,
) -> Result<Vec<Move>, PlanError> {
    let mut named = BTreeSet::new();
    let mut moves = Vec::new();
    for rewind in rewinds {
        let shard = &rewind.shard.0;
        if !named.insert(shard) {
            return Err(PlanError::Twice(shard.clone()));
        }
        refuse_unreadable(shard, leases)?;
        let Some(lease) = leases.leases.iter().find(|lease| lease.shard == *shard) else {
            return Err(PlanError::NoLease {
                application: application.to_owned(),
                shard: shard.clone(),
                there: list(&leases.leases),
            });
        };
        followers_of(lease, leases, stream.map(|(_, shards)| shards))?;
        moves.push(plan_one(lease, &rewind.to, stream).await?);
    }
    Ok(moves)
}

/// # Errors
///
/// If the lease of a shard cannot be read.
fn refuse_unreadable(shard: &str, leases: &Leases) -> Result<(), PlanError> {
    match leases.unreadable(shard) {
        Some(row) => Err(PlanError::Unreadable { shard: report::excerpt(&row.shard), why: row.why.clone() }),
        None => Ok(()),
    }
}

async fn plan_one(lease: &Lease, target: &Target, stream: Known<'_>) -> Result<Move, PlanError> {
    let listed = match stream {
        Some((stream, shards)) => {
            let shard = shards.iter().find(|shard| shard.id == lease.shard);
            Some((stream, shard.ok_or_else(|| PlanError::Gone(lease.shard.clone()))?))
        }
        None => None,
    };
    let (to, note) = match (target, listed) {
        (Target::Position(to @ Position::TrimHorizon), _) => (to.clone(), None),
        (_, None) => return Err(PlanError::NoStream),
        (Target::Position(to), Some((stream, shard))) => {
            check_record(to, stream, shard).await?;
            (to.clone(), None)
        }
        (Target::Time(time), Some((stream, shard))) => {
            let StartAt::Time(moment) = time else { return Err(PlanError::NoStream) };
            let found = find(stream, shard, millis(moment.time(stream.time()))).await?;
            (found.position(), Some(note_of_time(&found, shard)))
        }
    };
    match is_before(&to, &lease.checkpoint) {
        Some(true) => Ok(Move { lease: lease.clone(), to, note }),
        Some(false) => {
            let to = match target {
                Target::Position(_) => to.to_string(),
                Target::Time(time) => format!("{time}, which is {to},"),
            };
            Err(PlanError::NotBack { shard: lease.shard.clone(), stands: lease.checkpoint.to_string(), to })
        }
        None => Err(PlanError::Unordered { shard: lease.shard.clone(), stands: lease.checkpoint.to_string() }),
    }
}

/// The shards that follow a shard that has ended, through all generations. None of them may have begun: its records come after those of
/// the shard. A child without a lease may have been done already, because the KCL removes the leases of shards that are done.
///
/// # Errors
///
/// If one has begun, or if nobody can tell.
pub(super) fn followers_of<'a>(
    lease: &Lease,
    leases: &'a Leases,
    shards: Option<&'a [Shard]>,
) -> Result<Vec<Follower<'a>>, PlanError> {
    let mut followers = Vec::new();
    if lease.checkpoint != Position::ShardEnd {
        return Ok(followers);
    }
    let mut seen = BTreeSet::from([lease.shard.clone()]);
    let mut next = children_of(&lease.shard, &leases.leases, shards.unwrap_or_default());
    let mut are_known = !next.is_empty();
    while let Some(id) = next.pop() {
        if !seen.insert(id.clone()) {
            continue;
        }
        refuse_unreadable(&id, leases)?;
        match leases.leases.iter().find(|lease| lease.shard == id) {
            Some(child) if child.has_begun() => {
                return Err(PlanError::Begun { shard: lease.shard.clone(), follower: id });
            }
            // Those that follow this one start after it.
            Some(child) => followers.push(Follower::Waiting(child)),
            None => {
                next.extend(children_of(&id, &leases.leases, shards.unwrap_or_default()));
                followers.push(Follower::Absent(id));
                are_known = false;
            }
        }
    }
    if shards.is_none() && !are_known {
        return Err(PlanError::UnknownFollowers(lease.shard.clone()));
    }
    Ok(followers)
}

/// The ids of the child shards of a shard, as far as the leases and the stream name them.
fn children_of(id: &str, leases: &[Lease], shards: &[Shard]) -> Vec<String> {
    let named = leases.iter().filter(|lease| lease.shard == id).flat_map(|lease| &lease.children);
    let leased =
        leases.iter().filter(|lease| lease.parents.iter().any(|parent| parent == id)).map(|lease| &lease.shard);
    let listed = shards.iter().filter(|shard| shard.parents().any(|parent| parent == id)).map(|shard| &shard.id);
    named.chain(leased).chain(listed).cloned().collect()
}

/// Checks that a shard has the record of a position. No worker could read from any other number.
async fn check_record(to: &Position, stream: &Stream, shard: &Shard) -> Result<(), PlanError> {
    let Position::After { sequence_number, sub_sequence_number } = *to else { return Ok(()) };
    let refused = |message: String| PlanError::NoRecord {
        shard: shard.id.clone(),
        number: sequence_number.to_string(),
        message: report::excerpt(&message),
    };
    let cursor = Cursor::At(sequence_number, sub_sequence_number);
    let mut pages = match stream.read(shard, cursor, ONE).await {
        Ok(pages) => pages,
        Err(AwsError::Refused { message, .. }) => return Err(refused(message)),
        Err(error @ AwsError::NoSuchStream { .. }) => return Err(refused(error.to_string())),
        Err(error) => return Err(error.into()),
    };
    match pages.find(|_| true).await? {
        (Some(entry), _) if entry.number == sequence_number => Ok(()),
        (Some(entry), _) => Err(refused(format!("the next one that the stream holds is {}", entry.number))),
        (None, _) => Err(refused("the stream does not hold any from there on".to_owned())),
    }
}

fn note_of_time(found: &Found, shard: &Shard) -> String {
    let parents: Vec<_> = shard.parents().collect();
    let first = match found.first {
        Some(entry) => format!("the first record then is {}, which arrived at {}", entry.number, entry.arrived()),
        None => "no record has arrived since then".to_owned(),
    };
    match found.before {
        Some(_) => first,
        None if parents.is_empty() => format!("{first}; it is the oldest of the shard"),
        None => {
            format!("{first}; it is the oldest of the shard, and earlier records are in {}", parents.join(" and "))
        }
    }
}

fn list(leases: &[Lease]) -> String {
    const MOST: usize = 8;
    let shown: Vec<_> = leases.iter().take(MOST).map(|lease| lease.shard.as_str()).collect();
    match leases.len() {
        0 => "no shard".to_owned(),
        count if count > MOST => format!("{} and {} more", shown.join(", "), count - MOST),
        _ => shown.join(", "),
    }
}
