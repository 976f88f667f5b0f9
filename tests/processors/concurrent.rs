//! A processor for the tests that handles many records at once. It appends what it sees to the file `SEEN`.

use std::fs::OpenOptions;
use std::future::pending;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

use kcl::{
    AsyncCheckpointer, AsyncInitialize, AsyncProcessor, BoxError, Concurrency, ConcurrentRecord, ConcurrentTick,
    FailurePolicy, LeaseLost, ProcessRecords, Shard,
};

/// A processor that acknowledges `AHEAD` batches ahead of their records, and waits at most `BACKOFF` milliseconds before a retry. With
/// `TICKS`, each message has a tick.
struct Concurrent<const AHEAD: u32, const BACKOFF: u64 = 15, const TICKS: bool = false>;

fn see(what: &str) {
    let file = env::var_os("SEEN").and_then(|path| OpenOptions::new().append(true).create(true).open(path).ok());
    if let Some(mut file) = file {
        _ = file.write_all(format!("{what}\n").as_bytes());
    }
}

/// Notes that a future was dropped before it was ready.
struct Unfinished;

impl Drop for Unfinished {
    fn drop(&mut self) {
        see("cancelled");
    }
}

/// Waits until the file `GO` exists.
async fn go() {
    let file = env::var_os("GO").unwrap_or_default();
    while !std::path::Path::new(&file).exists() {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl<const AHEAD: u32, const BACKOFF: u64, const TICKS: bool> AsyncProcessor for Concurrent<AHEAD, BACKOFF, TICKS> {
    const CONCURRENCY: Option<Concurrency> = Some(Concurrency::new(8).ahead(AHEAD).drain(Duration::from_millis(2500)));
    const POLICY: FailurePolicy =
        FailurePolicy::new().retry(2).backoff(Duration::from_millis(BACKOFF - 5), Duration::from_millis(BACKOFF));
    // Longer than a test waits.
    const TIMEOUT: Option<Duration> = Some(Duration::from_secs(3600));

    const TICK: Option<Duration> = if TICKS { Some(Duration::ZERO) } else { None };

    async fn process_records(&mut self, _: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        Err("records are handled at once".into())
    }

    async fn process_record(&self, input: &ConcurrentRecord<'_>) -> Result<(), BoxError> {
        let record = input.record();
        let number = record.sequence_number();
        see(&format!("begin {number}"));
        match record.data() {
            b"wait" => {
                let unfinished = Unfinished;
                go().await;
                std::mem::forget(unfinished);
            }
            b"hang" => {
                let _unfinished = Unfinished;
                pending::<()>().await;
            }
            b"busy" => {
                let _unfinished = Unfinished;
                loop {
                    tokio::task::coop::consume_budget().await;
                }
            }
            b"block" => {
                tokio::task::spawn_blocking(|| thread::sleep(Duration::from_secs(3600)));
            }
            b"fail" => return Err("as it says".into()),
            b"task" => {
                // Tasks of this thread go on beside the handlers.
                tokio::task::spawn_local(async { tokio::task::yield_now().await }).await?;
            }
            _ => tokio::time::sleep(Duration::from_millis(1)).await,
        }
        see(&format!("end {number}"));
        Ok(())
    }

    async fn concurrent_tick(&self, _: &ConcurrentTick<'_>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        see("tick");
        Ok(())
    }

    async fn lease_lost(&mut self, _: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        see("leaseLost");
        Ok(())
    }
}

impl<const AHEAD: u32, const BACKOFF: u64, const TICKS: bool> AsyncInitialize for Concurrent<AHEAD, BACKOFF, TICKS> {
    async fn initialize(_: &Shard) -> Result<Self, BoxError> {
        Ok(Self)
    }
}

impl<const AHEAD: u32, const BACKOFF: u64, const TICKS: bool> Drop for Concurrent<AHEAD, BACKOFF, TICKS> {
    fn drop(&mut self) {
        see("drop");
    }
}

fn main() -> ExitCode {
    if env::var_os("TICKS").is_some() {
        kcl::run_async::<Concurrent<1, 15, true>>()
    } else if env::var_os("AHEAD").is_some() {
        kcl::run_async::<Concurrent<1>>()
    } else if env::var_os("LONG_BACKOFF").is_some() {
        kcl::run_async::<Concurrent<0, 3_600_000>>()
    } else {
        kcl::run_async::<Concurrent<0>>()
    }
}
