//! The leases of an application, as its workers keep them in DynamoDB, and the stream that they are about.
//!
//! Workers of KCL 3.1 keep them in a table of their own. Workers of KCL 3.5 keep other entities in the same table, which are skipped here.

mod application;
mod lease;
mod look;
mod stream;
mod table;
mod watch;

/// The advice on the lock of the leader, which is the worker that assigns the leases.
pub(crate) const LOCK_OF_LEADER: &str = "After a leader is killed, its lock lasts up to two minutes. Wait that long after a worker has started before you restart it";

pub(crate) use self::application::{Application, ApplicationError};
pub(crate) use self::lease::{Lease, Leases, Unreadable, is_before};
pub(crate) use self::look::{Look, Waiting, look_at_all};
pub(crate) use self::stream::{Entry, Stream, millis};
pub(crate) use self::table::{Follower, Outcome, TableError};
pub(crate) use self::watch::{Watched, watch};
