//! The records of the stream at a checkpoint.

use std::rc::Rc;

use kcl::Position;
use tokio::task::{JoinSet, LocalSet};

use super::stream::{Entry, Stream};
use crate::kinesis::cursor::Cursor;
use crate::kinesis::error::AwsError;
use crate::kinesis::shards::Shard;

/// The records of a call: that of the checkpoint, and the one after it. The shard's throughput is shared with the workers.
const FEW: i32 = 2;
/// The most calls for one shard. Kinesis may answer without records although there are some.
const CALLS: u32 = 20;
/// The most shards that are looked at in parallel.
const AT_ONCE: usize = 16;

/// The stream at a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    /// When the record of the checkpoint arrived, in milliseconds since 1970; `None` if the checkpoint is not one of a record, or the
    /// record is gone.
    pub(crate) arrival: Option<i64>,
    /// Whether the record of the checkpoint is no longer in the stream.
    pub(crate) is_expired: bool,
    pub(crate) waiting: Waiting,
}

/// The first record that is not checkpointed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Waiting {
    /// There was no look, or it did not find out.
    #[default]
    Unknown,
    /// No record follows the checkpoint for now.
    Nothing,
    /// No record follows the checkpoint, and none ever will.
    End,
    Record(Entry),
}

/// Looks at the checkpoints of several shards, some at a time. The looks are in the order of the shards.
pub(crate) async fn look_at_all(stream: &Rc<Stream>, all: Vec<(Shard, Position)>) -> Vec<Result<Look, AwsError>> {
    let mut looks: Vec<_> = all.iter().map(|_| Ok(Look::default())).collect();
    let mut rest = all.into_iter().enumerate();
    let looking = async {
        let mut running = JoinSet::new();
        loop {
            while running.len() < AT_ONCE
                && let Some((at, (shard, position))) = rest.next()
            {
                let stream = Rc::clone(stream);
                running.spawn_local(async move { (at, look(&stream, &shard, &position).await) });
            }
            match running.join_next().await {
                Some(Ok((at, found))) => looks[at] = found,
                // The tool aborts if anything panics.
                Some(Err(_)) => {}
                None => return,
            }
        }
    };
    LocalSet::new().run_until(looking).await;
    looks
}

/// Looks at a checkpoint of a shard.
///
/// # Errors
///
/// If the shard cannot be read.
async fn look(stream: &Stream, shard: &Shard, at: &Position) -> Result<Look, AwsError> {
    let (cursor, done) = match *at {
        Position::TrimHorizon => (Cursor::TrimHorizon, None),
        Position::After { sequence_number, sub_sequence_number } => {
            (Cursor::At(sequence_number, sub_sequence_number), Some((sequence_number, sub_sequence_number)))
        }
        // Only the workers know which place is meant.
        _ => return Ok(Look::default()),
    };
    let mut look = Look::default();
    let mut pages = match stream.read(shard, cursor, FEW).await {
        Ok(pages) => pages,
        // Kinesis may refuse the number of a record that it no longer has.
        Err(AwsError::NoSuchStream { .. } | AwsError::Refused { .. }) if done.is_some() => {
            look.is_expired = true;
            stream.read(shard, Cursor::TrimHorizon, FEW).await?
        }
        Err(error) => return Err(error),
    };
    let mut is_first = true;
    for _ in 0..CALLS {
        let Some(page) = pages.next().await? else { break };
        for entry in page.entries {
            let is_it = done.is_some_and(|(number, _)| number == entry.number);
            if is_it {
                look.arrival = Some(entry.arrival);
            } else if is_first && done.is_some() {
                look.is_expired = true;
            }
            is_first = false;
            let last = entry.last_part.map(|part| (entry.number, part));
            if last.is_some_and(|last| done.is_none_or(|done| last > done)) {
                look.waiting = Waiting::Record(entry);
                return Ok(look);
            }
        }
        if page.is_last {
            look.is_expired |= done.is_some() && look.arrival.is_none();
            look.waiting = if page.is_end { Waiting::End } else { Waiting::Nothing };
            break;
        }
    }
    Ok(look)
}
