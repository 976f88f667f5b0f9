//! Whether the owners of leases are alive: an owner raises the counter of its lease three times within failoverTimeMillis.

use std::time::Duration;

use kcl::Position;
use tokio::time::{Instant, sleep};

use super::lease::Lease;
use super::table::{LeaseTable, TableError};

/// The number of times that an owner renews its leases within failoverTimeMillis.
const RENEWALS: u32 = 3;
/// The number of times failoverTimeMillis after which an owner that did not renew its lease counts as dead.
const SILENCE: u32 = 2;
/// A table with more rows than this is read less often, because AWS charges for each look at all of them.
const MANY: usize = 500;

/// How long a lease that is not renewed is watched before it counts as free.
pub(crate) fn silence(failover: Duration) -> Duration {
    failover * SILENCE
}

/// A lease that was watched.
#[derive(Clone, Debug)]
pub(crate) struct Watched {
    /// The lease as it was first seen.
    pub(crate) first: Lease,
    /// The lease as it was last seen.
    pub(crate) last: Lease,
    /// The time for which the counter has not moved; zero if it has moved.
    pub(crate) silent: Duration,
}

impl Watched {
    /// Whether an owner renews the lease.
    pub(crate) fn is_renewed(&self) -> bool {
        self.last.owner.is_some() && self.silent.is_zero()
    }

    /// Whether the lease has an owner that does not renew it.
    pub(crate) fn is_dead(&self, failover: Duration) -> bool {
        self.last.owner.is_some() && self.silent >= silence(failover)
    }

    /// Takes the lease as it is now.
    pub(crate) fn note(&mut self, now: Lease) {
        if now.counter != self.first.counter {
            self.silent = Duration::ZERO;
        }
        self.last = now;
    }

    /// Whether the lease is of a shard that was read to its end. Nobody renews it then.
    pub(crate) fn is_done(&self) -> bool {
        self.last.checkpoint == Position::ShardEnd
    }

    fn is_known(&self) -> bool {
        self.last.owner.is_none() || self.silent.is_zero()
    }
}

/// Watches these leases until each of them that matters is renewed or was seen without an owner. Watches them at most for the time
/// after which an owner counts as dead.
///
/// # Errors
///
/// If the table cannot be read.
pub(crate) async fn watch(
    table: &LeaseTable,
    leases: Vec<Lease>,
    failover: Duration,
    matters: impl Fn(&Watched) -> bool,
) -> Result<Vec<Watched>, TableError> {
    let began = Instant::now();
    let mut watched: Vec<_> =
        leases.into_iter().map(|lease| Watched { last: lease.clone(), first: lease, silent: Duration::MAX }).collect();
    let whole = watched.len() > MANY;
    let pause = if whole { failover } else { failover / RENEWALS };
    let mut looked = began;
    loop {
        // The counters are known up to the start of the last look.
        let silent = looked - began;
        for lease in &mut watched {
            let moved = lease.last.counter != lease.first.counter;
            lease.silent = if moved { Duration::ZERO } else { silent.max(Duration::from_nanos(1)) };
        }
        if silent >= silence(failover) || watched.iter().all(|lease| lease.is_known() || !matters(lease)) {
            return Ok(watched);
        }
        sleep(pause.min(silence(failover) - silent)).await;
        looked = Instant::now();
        refresh(table, &mut watched).await?;
    }
}

/// Reads the leases again: one by one if there are few, and otherwise all of the table.
async fn refresh(table: &LeaseTable, watched: &mut Vec<Watched>) -> Result<(), TableError> {
    let few = 4;
    if watched.iter().filter(|lease| !lease.is_known()).count() <= few {
        for lease in watched.iter_mut().filter(|lease| !lease.is_known()) {
            if let Some(now) = table.lease(&lease.first.shard).await? {
                lease.note(now);
            }
        }
        return Ok(());
    }
    let now = table.leases().await?.leases;
    for lease in watched {
        if let Ok(at) = now.binary_search_by(|other| other.shard.cmp(&lease.first.shard)) {
            lease.note(now[at].clone());
        }
    }
    Ok(())
}
