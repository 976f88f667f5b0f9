//! A [`witness`](witness.rs) whose handlers are `async`, except for one. Each of them waits for a task and for a timer before it
//! writes what it sees.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;
use std::{env, fmt};

use kcl::{BoxError, Record, Shard};

struct Annotated {
    /// Neither the processor nor its futures have to be `Send`.
    seen: Rc<File>,
}

#[kcl::processor]
impl Annotated {
    #[on_init]
    async fn open(shard: &Shard) -> Result<Self, BoxError> {
        let path = env::var_os("SEEN").ok_or("SEEN names no file")?;
        let witness = Self { seen: Rc::new(OpenOptions::new().create(true).append(true).open(path)?) };
        witness.saw(format_args!("initialize {} {}", shard.id(), shard.position())).await?;
        Ok(witness)
    }

    #[on_record]
    async fn record(&mut self, record: &Record) -> io::Result<()> {
        let (number, sub) = (record.sequence_number(), record.sub_sequence_number());
        self.saw(format_args!("record {number}/{sub} {}", record.data().escape_ascii())).await
    }

    #[on_lease_lost]
    async fn lease_lost(&mut self) -> io::Result<()> {
        self.saw(format_args!("leaseLost")).await
    }

    #[on_shard_end]
    fn shard_ended(&mut self) -> io::Result<()> {
        self.write(format_args!("shardEnded"))
    }

    #[on_shutdown_requested]
    async fn shutdown_requested(&mut self) -> io::Result<()> {
        self.saw(format_args!("shutdownRequested")).await
    }

    async fn saw(&self, what: fmt::Arguments<'_>) -> io::Result<()> {
        let seen = Rc::clone(&self.seen);
        let clone = tokio::task::spawn_local(async move { seen }).await.map_err(io::Error::other)?;
        drop(clone);
        tokio::time::sleep(Duration::from_micros(1)).await;
        self.write(what)
    }

    fn write(&self, what: fmt::Arguments<'_>) -> io::Result<()> {
        // One write per line, so that the file holds what the process saw, however the process ends.
        (&*self.seen).write_all(format!("{what}\n").as_bytes())
    }
}

impl Drop for Annotated {
    fn drop(&mut self) {
        _ = self.write(format_args!("drop"));
    }
}
