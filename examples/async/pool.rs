//! Stores orders in a Redis database, through a pool of connections that is made before the first record.
//!
//! An order that is delivered twice is stored once, because its id is the field that it is stored in.
//!
//! ```console
//! $ REDIS_URL=redis://127.0.0.1:6379 \
//!     cargo kcl local --package examples-async --example pool --input examples/data/orders.jsonl
//! ```

use std::env;

use deadpool_redis::redis::{self, AsyncCommands as _};
use deadpool_redis::{Config, Pool, Runtime};
use kcl::{BoxError, Json, Shard};

#[derive(serde::Deserialize)]
struct Order {
    id: u64,
    customer: String,
    cents: u64,
}

/// The most records that are handled at once, and therefore the most connections that are needed.
const AT_ONCE: u32 = 16;

struct Orders {
    pool: Pool,
}

#[kcl::processor]
impl Orders {
    /// A database that cannot be reached ends the process here, before a record is read.
    #[on_init]
    async fn open(shard: &Shard) -> Result<Self, BoxError> {
        let url = env::var("REDIS_URL").unwrap_or_else(|_| "redis://127.0.0.1:6379".to_owned());
        let pool = Config::from_url(url).builder()?.max_size(AT_ONCE as usize).runtime(Runtime::Tokio1).build()?;
        let answer: String = redis::cmd("PING").query_async(&mut pool.get().await?).await?;
        eprintln!("{}: the database answers {answer}", shard.id());
        Ok(Orders { pool })
    }

    #[on_record(concurrency = AT_ONCE, timeout = "5s", retry = 3)]
    async fn store(&self, Json(order): Json<Order>) -> Result<(), BoxError> {
        let mut connection = self.pool.get().await?;
        let () = connection.hset(format!("orders:{}", order.customer), order.id, order.cents).await?;
        Ok(())
    }
}
