//! A [`witness`](witness.rs) that handles the records of a shard at once, written with the attribute. So that it sees them in order, only
//! one of them writes at a time.

use std::cell::RefCell;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::{env, fmt};

use kcl::{AsyncCheckpointer, BoxError, Record, Shard};
use tokio::sync::Semaphore;

struct AtOnce {
    seen: RefCell<File>,
    /// Its waiters are served in their order, and records start in theirs.
    turn: Semaphore,
}

#[kcl::processor]
impl AtOnce {
    #[on_init]
    fn open(shard: &Shard) -> Result<Self, BoxError> {
        let path = env::var_os("SEEN").ok_or("SEEN names no file")?;
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        let witness = Self { seen: RefCell::new(file), turn: Semaphore::new(1) };
        witness.saw(format_args!("initialize {} {}", shard.id(), shard.position()))?;
        Ok(witness)
    }

    #[on_record(concurrency = 8, order = none, timeout = "1m", drain = "1m")]
    async fn record(&self, record: &Record) -> Result<(), BoxError> {
        let _turn = self.turn.acquire().await?;
        tokio::task::yield_now().await;
        let (number, sub) = (record.sequence_number(), record.sub_sequence_number());
        Ok(self.saw(format_args!("record {number}/{sub} {}", record.data().escape_ascii()))?)
    }

    #[on_lease_lost]
    fn lease_lost(&mut self) -> io::Result<()> {
        self.saw(format_args!("leaseLost"))
    }

    #[on_shard_end]
    async fn shard_ended(&mut self, checkpointer: &mut AsyncCheckpointer) -> Result<(), BoxError> {
        self.saw(format_args!("shardEnded"))?;
        Ok(checkpointer.checkpoint().await?)
    }

    #[on_shutdown_requested]
    async fn shutdown_requested(&mut self) -> io::Result<()> {
        self.saw(format_args!("shutdownRequested"))
    }

    fn saw(&self, what: fmt::Arguments<'_>) -> io::Result<()> {
        self.seen.borrow_mut().write_all(format!("{what}\n").as_bytes())
    }
}

impl Drop for AtOnce {
    fn drop(&mut self) {
        _ = self.saw(format_args!("drop"));
    }
}
