//! Puts a record on a stream every second until Ctrl-C: the counterpart of `consumer`.
//!
//! Run it with `cargo run --package examples --features aws --example producer -- s1`. The AWS SDK finds the region, the credentials
//! and the endpoint in its usual way.

use std::error::Error;
use std::io::{self, Write as _};
use std::iter::successors;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::retry::RetryConfig;
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::error::SdkError;
use aws_sdk_kinesis::operation::put_record::PutRecordError;
use aws_sdk_kinesis::primitives::Blob;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tokio::runtime;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

type Result<T = ()> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let stream = std::env::args().nth(1).unwrap_or_else(|| "s1".to_owned());
    match run(stream) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let reasons = successors(Some::<&dyn Error>(&*error), |&error| error.source());
            // After the first line, the SDK lists the places where it looked for credentials.
            let first_line = |reason: &dyn Error| reason.to_string().lines().next().map(str::to_owned);
            let mut reasons: Vec<_> = reasons.filter_map(first_line).collect();
            reasons.dedup();
            eprintln!("producer: {}", reasons.join(": ").trim_end_matches(". Attempted:"));
            // No answer came, perhaps because the region or the credentials are missing.
            if let Some(SdkError::ConstructionFailure(_) | SdkError::DispatchFailure(_)) =
                error.downcast_ref::<SdkError<PutRecordError>>()
            {
                eprintln!(
                    "producer: set AWS_REGION, and AWS_PROFILE or AWS_ACCESS_KEY_ID with AWS_SECRET_ACCESS_KEY; for the emulator, \
                     all that `cargo kcl emulate` prints"
                );
            }
            ExitCode::FAILURE
        }
    }
}

/// Produces records until a signal arrives or a record cannot be put.
fn run(stream: String) -> Result {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (interrupt, interrupted) = oneshot::channel();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            _ = interrupt.send(());
        }
    });
    runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut tasks = JoinSet::new();
        tasks.spawn(produce(stream));
        tasks.spawn(async { Ok(interrupted.await?) });
        // The other task is dropped.
        tasks.join_next().await.transpose()?.unwrap_or(Ok(()))
    })
}

async fn produce(stream: String) -> Result {
    let client = client().await;
    let mut seconds = interval(Duration::from_secs(1));
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0_u64.. {
        seconds.tick().await;
        let output = client
            .put_record()
            .stream_name(&stream)
            .partition_key(format!("key{number}"))
            .data(Blob::new(format!("message data {number}")))
            .send()
            .await?;
        writeln!(io::stdout(), "produced record to shard {}", output.shard_id())?;
    }
    Ok(())
}

async fn client() -> Client {
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    // Throttled requests and broken connections are retried after at most 1, 2, 4 … seconds.
    let retries = RetryConfig::standard().with_max_attempts(8);
    Client::new(&aws_config::defaults(BehaviorVersion::latest()).http_client(http).retry_config(retries).load().await)
}
