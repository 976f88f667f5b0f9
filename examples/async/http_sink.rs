//! Sends each record to an HTTP service, up to 64 of them at once, and keeps those that the service does not take.
//!
//! The records of one partition key reach the service one after the other, in order. A record may reach it twice: after a crash, and
//! when an attempt that took too long is made again. The header `idempotency-key` is then the same.
//!
//! ```console
//! $ SINK_URL=http://127.0.0.1:8080/orders \
//!     cargo kcl local --package examples-async --example http_sink --input examples/data/orders.jsonl
//! ```

use std::{env, io};

use kcl::dead_letter::JsonLines;
use kcl::{BoxError, DeadLetter, Permanent, Record, Shard};
use reqwest::{Client, StatusCode, Url};

struct HttpSink {
    client: Client,
    url: Url,
    dead_letters: JsonLines,
}

#[kcl::processor]
impl HttpSink {
    #[on_init]
    async fn open(shard: &Shard) -> Result<Self, BoxError> {
        let url = env::var("SINK_URL").map_err(|_| "set SINK_URL to the address that takes the records")?;
        Ok(HttpSink {
            client: Client::new(),
            url: Url::parse(&url)?,
            dead_letters: JsonLines::open(env::var_os("DEAD_LETTERS").unwrap_or("dead-letters".into()), shard)?,
        })
    }

    /// While the service answers, other records are sent. An attempt that takes longer than 10 s has failed like one that gets an
    /// error.
    #[on_record(
        concurrency = 64,
        ahead = 1,
        timeout = "10s",
        retry = 5,
        backoff = "100ms..10s",
        on_failure = dead_letter
    )]
    async fn send(&self, record: &Record) -> Result<(), BoxError> {
        let key = format!("{}/{}", record.sequence_number(), record.sub_sequence_number());
        let request = self.client.post(self.url.clone()).header("idempotency-key", key).body(record.bytes());
        let status = request.send().await?.status();
        match status {
            _ if status.is_success() => Ok(()),
            StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => Err(refused(status)),
            // The service will not take this record the next time either.
            _ if status.is_client_error() => Err(Permanent(refused(status)).into()),
            _ => Err(refused(status)),
        }
    }

    /// Runs beside the records that are being sent, so it takes `&self`.
    #[on_dead_letter]
    fn keep(&self, letter: &DeadLetter) -> io::Result<()> {
        self.dead_letters.write(letter)
    }
}

fn refused(status: StatusCode) -> BoxError {
    format!("the service answered {status}").into()
}
