//! A processor for the tests whose methods are `async`. It does what `DO` says, and appends what it sees to the file `SEEN`.

use std::fs::OpenOptions;
use std::future::pending;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;
use std::{env, thread};

use kcl::{
    AsyncCheckpointer, AsyncInitialize, AsyncProcessor, BoxError, FailurePolicy, LeaseLost, ProcessRecord,
    ProcessRecords, Shard, ShardEnded, ShutdownRequested,
};

/// A processor that is patient only if `PATIENT`: it waits long before it tries again, and warns soon. With `THREADS`, tasks have two
/// threads.
struct Awaiting<const PATIENT: bool, const THREADS: bool = false> {
    action: String,
}

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

impl<const PATIENT: bool, const THREADS: bool> Awaiting<PATIENT, THREADS> {
    async fn record(&self, input: &ProcessRecord<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        let record = input.record();
        let (number, sub) = (record.sequence_number(), record.sub_sequence_number());
        tokio::task::yield_now().await;
        see(&format!("record {number}/{sub} {}", record.data().escape_ascii()));
        if record.data() != b"now" {
            return Ok(());
        }
        match self.action.as_str() {
            "wait" => {
                let unfinished = Unfinished;
                eprintln!("waiting");
                go().await;
                std::mem::forget(unfinished);
            }
            "hang" => {
                let _unfinished = Unfinished;
                eprintln!("waiting");
                pending::<()>().await;
            }
            "block" => {
                tokio::task::spawn_blocking(|| thread::sleep(Duration::from_secs(3600)));
            }
            "spawn" => {
                tokio::task::spawn_local(async {
                    go().await;
                    see("task");
                });
            }
            "fail" => return Err("it broke".into()),
            _ => {}
        }
        Ok(())
    }
}

impl<const PATIENT: bool, const THREADS: bool> AsyncProcessor for Awaiting<PATIENT, THREADS> {
    const POLICY: FailurePolicy = if PATIENT {
        FailurePolicy::new().retry(9).backoff(Duration::from_secs(3600), Duration::from_secs(3600))
    } else {
        FailurePolicy::new()
    };
    const WORKER_THREADS: Option<usize> = if THREADS { Some(2) } else { None };
    const WARN_AFTER: Duration = if PATIENT { Duration::from_millis(50) } else { Duration::from_secs(60) };

    async fn process_records(&mut self, input: &mut ProcessRecords<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        input.settle_each_record(async |input| self.record(input).await).await
    }

    async fn lease_lost(&mut self, _: &mut LeaseLost<'_>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        see("leaseLost");
        Ok(())
    }

    async fn shard_ended(&mut self, _: &mut ShardEnded<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        see("shardEnded");
        Ok(())
    }

    async fn shutdown_requested(&mut self, _: &mut ShutdownRequested<'_, AsyncCheckpointer>) -> Result<(), BoxError> {
        tokio::task::yield_now().await;
        see("shutdownRequested");
        Ok(())
    }
}

impl<const PATIENT: bool, const THREADS: bool> AsyncInitialize for Awaiting<PATIENT, THREADS> {
    async fn initialize(shard: &Shard) -> Result<Self, BoxError> {
        let action = env::var("DO").unwrap_or_default();
        see(&format!("initialize {} {}", shard.id(), shard.position()));
        if action == "hang-at-start" {
            let _unfinished = Unfinished;
            eprintln!("waiting");
            pending::<()>().await;
        }
        Ok(Self { action })
    }
}

impl<const PATIENT: bool, const THREADS: bool> Drop for Awaiting<PATIENT, THREADS> {
    fn drop(&mut self) {
        see("drop");
    }
}

fn main() -> ExitCode {
    if env::var_os("NESTED").is_some() {
        return match tokio::runtime::Builder::new_current_thread().build() {
            Ok(runtime) => runtime.block_on(async { kcl::run_async::<Awaiting<false>>() }),
            Err(_) => ExitCode::FAILURE,
        };
    }
    if env::var_os("PATIENT").is_some() {
        kcl::run_async::<Awaiting<true>>()
    } else if env::var_os("THREADS").is_some() {
        kcl::run_async::<Awaiting<false, true>>()
    } else {
        kcl::run_async::<Awaiting<false>>()
    }
}
