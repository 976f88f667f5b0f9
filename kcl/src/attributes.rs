//! The attribute macros and their documentation.

/// Turns an `impl` block into a record processor: generates `main` and the code that talks to the daemon.
///
/// ```
/// use kcl::{Json, Shard};
///
/// #[derive(serde::Deserialize)]
/// struct Order { id: u64, cents: u64 }
///
/// struct Revenue { shard: String, cents: u64 }
///
/// #[kcl::processor]
/// impl Revenue {
///     #[on_init]
///     fn open(shard: &Shard) -> Self {
///         Revenue { shard: shard.id().to_owned(), cents: 0 }
///     }
///
///     #[on_record]
///     fn add(&mut self, Json(order): Json<Order>) {
///         self.cents += order.cents;
///     }
///
///     #[on_shard_end]
///     fn report(&mut self) {
///         eprintln!("{}: {} cents", self.shard, self.cents);
///     }
/// }
/// ```
///
/// The methods with one of these attributes are handlers. All others stay plain methods.
///
/// | attribute | called | if omitted |
/// |---|---|---|
/// | [`#[on_init]`](macro@on_init) | once, to create the processor of a shard | `Default` is used |
/// | [`#[on_record]`](macro@on_record) | once for each record | one of the two is required |
/// | [`#[on_records]`](macro@on_records) | once for each batch | one of the two is required |
/// | [`#[on_lease_lost]`](macro@on_lease_lost) | when another worker has taken the shard | nothing happens |
/// | [`#[on_shard_end]`](macro@on_shard_end) | when the shard has been read to its end | SHARD_END is checkpointed |
/// | [`#[on_shutdown_requested]`](macro@on_shutdown_requested) | when the worker is about to stop | the records delivered so far are checkpointed |
/// | [`#[on_tick(every = "5s")]`](macro@on_tick) | when that time has passed, within a message of the daemon | nothing happens |
/// | [`#[on_dead_letter]`](macro@on_dead_letter) | for a record that failed permanently, if an option of the record handler asks for it | no option may ask for it |
///
/// The attributes need no import, and rustc would warn that `use kcl::on_record` is unused; `#[kcl::on_record]` works too. The runtime
/// chooses the arguments of a handler by their types, in any order. A handler takes `&mut self` or `&self`, and returns `()` or `Result<(), E>` for any
/// `E: Into<Box<dyn Error + Send + Sync>>`. It may be an [`async fn`](#async-handlers). An error or a panic ends the process
/// with exit code 1. The message is then not acknowledged, so the daemon delivers again everything that was not checkpointed.
///
/// # Records that fail
///
/// By default, the first record that fails stops its shard: no record is lost, but processing does not continue. Options of the
/// record handler, `#[on_record(...)]` or `#[on_records(...)]`, change this:
///
/// - `retry = 3`: retries the handler up to three times after an error or a panic. Nothing is acknowledged in the meantime.
/// - `backoff = "200ms..5s"`: waits for a random time of up to 200 ms before the first retry, up to 400 ms before the second
///   and so on, at most 5 s. These are the defaults. If the daemon exits in the meantime, there are no more retries.
/// - `on_failure = fail | skip | dead_letter`: the action when no retry is left. `fail`, the default, ends the process;
///   `skip` continues without the record; `dead_letter` passes it to [`#[on_dead_letter]`](macro@on_dead_letter) and
///   continues.
/// - `bisect`, for `#[on_records]`: finds the records that fail, so that `on_failure` applies to them alone.
/// - `on_undecodable = fail | skip | dead_letter`: the action for a record whose payload cannot be decoded. Such a record is
///   never retried.
///
/// A handler that returns [`Permanent(error)`](fn@crate::Permanent) is not retried: `on_failure` applies at once.
///
/// With `#[on_records]`, the whole batch is retried, and `on_failure` applies to all of it: one record that always fails makes
/// its whole batch fail. There are two ways out. A handler that knows which records failed returns
/// [`FailedRecords`](crate::FailedRecords): only they are retried, and `on_failure` applies to each of them. For any other handler,
/// the flag `bisect` finds them: when no retry is left, the two halves of the batch are handed over one after the other, without a
/// wait, and so on with the halves that fail. A record that fails alone goes to `on_failure`. For `p` of `n` records that fail, the
/// handler is called at most `2p(⌈log₂ n⌉ + 1)` further times. `on_undecodable` applies to single records, too.
///
/// Every record that is skipped or dead-lettered is reported in a line on stderr, with its shard, sequence number, number of
/// attempts and error.
///
/// An error's line has its causes, each of them once, and at most 4 KiB of their text. Where the data is certainly something
/// else than JSON, such as gzip or base64, the line says so. With `RUST_BACKTRACE=1`, the backtrace of an error of anyhow or eyre
/// follows, in indented lines.
///
/// # Payloads in messages
///
/// Messages about records name their partition keys. Those about payloads that cannot be decoded quote up to 160 bytes of them,
/// and serde's own words may quote more. With `log_payloads = false`, or with `KCL_LOG_PAYLOADS=0` in the environment of the
/// processor, messages contain sequence numbers only:
///
/// ```text
/// kcl: shard shardId-000000000001: skipped a record: the payload cannot be decoded: invalid type: string "…", expected u64 at line 1 column 14; record 4967/0
/// ```
///
/// This covers the messages of kcl and of panics. It does not cover anything that your handlers print, or what your own errors
/// quote in their own words. A dead letter always contains its whole record, but its error is written without quotations.
///
/// # Who checkpoints
///
/// If the record handler takes no [`Checkpointer`](crate::Checkpointer), the runtime checkpoints. The option `checkpoint` sets
/// how often:
///
/// - `checkpoint = batch`: after each batch, the default;
/// - `checkpoint = "30s"`: once 30 s have passed since the last checkpoint. The daemon reads the output of a processor only as
///   answers to its own messages, so a checkpoint waits for the next message. On an idle shard, that may be the shutdown request;
/// - `checkpoint = "1000 records"`: once 1,000 records were processed since the last checkpoint.
///
/// With `#[on_record]`, an interval or a number takes effect between the records of a batch too, and before the wait for a retry,
/// so that a killed process repeats no more than that, and the record that it was killed at. (A thread tells the time, so an
/// interval may be exceeded by an eighth, at most 5 s.) With `#[on_records]`, it takes effect after the batch in which it is
/// reached. Each checkpoint is a write to the lease table in DynamoDB, for each shard, and the records wait for it: if a shard
/// gets 1,000 records a second, `"10 records"` asks for 100 writes a second, and `"30s"` for one in 30 s. A checkpoint that is
/// refused is reported, and made again after as much time or as many records.
///
/// A checkpoint never passes a record that was not processed, skipped or dead-lettered. Records not yet checkpointed are
/// checkpointed when a shutdown is requested, when a handler fails (those that succeeded before it), and with SHARD_END. If the
/// process is killed or the lease is lost, the records since the last checkpoint are delivered again. If a checkpoint between
/// records shows that the lease is lost, the handler is not called with the rest of the batch.
///
/// If the record handler takes a `Checkpointer`, it makes all checkpoints itself, and the runtime checkpoints only SHARD_END.
///
/// # Async handlers
///
/// With the feature `tokio` of `kcl`, any handler may be an `async fn`, [`#[on_init]`](macro@on_init) included. `async` and blocking
/// handlers mix. The attribute then implements `AsyncProcessor` instead of [`Processor`](crate::Processor), and `main` calls
/// `kcl::run_async`.
///
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// use kcl::{AsyncCheckpointer, BoxError, Checkpointer, Record, Shard};
///
/// # struct Client;
/// # impl Client {
/// #     async fn connect() -> Result<Self, BoxError> { Ok(Client) }
/// #     async fn send(&self, _: &[u8]) -> Result<(), BoxError> { Ok(()) }
/// # }
/// struct Forward {
///     client: Client,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Forward {
///     #[on_init]
///     async fn open(shard: &Shard) -> Result<Self, BoxError> {
///         eprintln!("{}", shard.id());
///         Ok(Forward { client: Client::connect().await? })
///     }
///
///     #[on_record(timeout = "30s", retry = 3)]
///     async fn forward(&mut self, record: &Record, checkpointer: &mut AsyncCheckpointer) -> Result<(), BoxError> {
///         self.client.send(record.data()).await?;
///         Ok(checkpointer.checkpoint().await?)
///     }
///
///     #[on_shutdown_requested]
///     fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
///         Ok(checkpointer.checkpoint()?)
///     }
/// }
/// ```
///
/// - An `async` handler takes `&mut AsyncCheckpointer`, whose methods are `async`. A blocking one takes
///   [`&mut Checkpointer`](crate::Checkpointer). The wrong one is a compile error.
/// - The futures are polled on the main thread, so neither they nor the processor need to be `Send`. A blocking handler stops
///   everything else of its shard while it runs.
/// - `timeout = "30s"` on an `async` record handler is the longest time of one attempt. Its future is then dropped, and the attempt has
///   failed like any other. What it has sent may still arrive, even after the next attempt has begun.
/// - `#[kcl::processor(runtime = multi_thread, worker_threads = 4)]` gives the tasks that handlers spawn threads of their own. The
///   handlers themselves stay on the main thread. The default is `runtime = current_thread`. Without `worker_threads`, there are as many
///   threads as the machine has processors.
///
/// # Many records at once
///
/// While an `async` record handler waits, others can run: `#[on_record(concurrency = 64)]` handles up to 64 records of the shard at
/// once.
///
#[cfg_attr(feature = "tokio", doc = "```")]
#[cfg_attr(not(feature = "tokio"), doc = "```ignore")]
/// use std::cell::Cell;
///
/// use kcl::{BoxError, Record};
///
/// # async fn send(_: &[u8]) -> Result<(), BoxError> { Ok(()) }
/// #[derive(Default)]
/// struct Forward {
///     sent: Cell<u64>,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Forward {
///     #[on_record(concurrency = 64, ahead = 1, timeout = "30s", retry = 3)]
///     async fn forward(&self, record: &Record) -> Result<(), BoxError> {
///         send(record.data()).await?;
///         self.sent.set(self.sent.get() + 1);
///         Ok(())
///     }
/// }
/// ```
///
/// | option of `#[on_record]` | meaning | value | default |
/// |---|---|---|---|
/// | `concurrency` | the most records that are handled at once | 1 to 65536 | one after the other |
/// | `order` | which records wait for each other | `partition_key`: those with the same key, in order, retries included; `none` | `partition_key` |
/// | `ahead` | how many batches may come before the oldest one is done | a number | `0` |
/// | `ahead_bytes` | the most bytes of records that are not done, beyond which no further batch comes | `"64 MiB"`, or a number of bytes | `"64 MiB"` |
/// | `drain` | how long running records may take to end, at a shutdown and after a failure | `"10s"` | `"10s"` |
/// | `timeout` | the longest time of one attempt | `"30s"` | none |
///
/// The handler takes `&self`, and so do [`#[on_tick]`](macro@on_tick) and [`#[on_dead_letter]`](macro@on_dead_letter), because they run
/// beside it. The other handlers run while no record is handled, and may take `&mut self`. Only
/// [`#[on_shard_end]`](macro@on_shard_end) may take a checkpointer: the runtime checkpoints the records before the first one that is not
/// done. The options for records that fail apply to each record. After a crash, records that were done beyond the last checkpoint are
/// delivered again: at most those of `ahead + 1` batches, if `checkpoint = batch`.
///
/// # Handlers that take a long time
///
/// While a handler runs, its shard waits, and a daemon with `timeoutInSeconds` eventually kills the worker. A handler that has run
/// for 60 s, or for the time set by `warn_after = "5m"`, is reported on stderr while it runs, with the shard, the record or the
/// records, and the time; then again after twice that time, and so on. Retries and the waits between them count as one run. (A
/// thread checks periodically, so the line may be late by up to an eighth of that time, but never by more than 5 s.)
///
/// ```text
/// kcl: shard shardId-000000000001: processRecords at record 4967/0 with partition key `ada`, number 3 of 500 in its batch, has been running for 60s
/// ```
///
/// # Counts
///
/// If `KCL_REPORT=1` is set in its environment, a processor prints a line of counts when it ends, even if it fails:
///
/// ```text
/// kcl: shard shardId-000000000001: 41000 records, 82 batches, 3 retries, 1 skipped, 2 dead-lettered, 83 checkpoints
/// ```
///
/// The records are those that were processed, skipped or dead-lettered, each counted as often as it was delivered. The checkpoints
/// are those that the daemon accepted, including the handler's own.
///
/// # Options
///
/// - `checkpoint = batch | "30s" | "1000 records"`: how often the runtime checkpoints.
/// - `warn_after = "60s"`: how long a handler may run before it is reported on stderr.
/// - `log_payloads = false`: keeps [payloads and partition keys](#payloads-in-messages) out of messages.
/// - `runtime = current_thread | multi_thread` and `worker_threads = 4`: the threads of the runtime for
///   [`async` handlers](#async-handlers).
/// - `main = false`: generates no `fn main`. Use it for a processor that is in a module or a library, is generic, or is started
///   with a [`Runner`](crate::Runner). The generated `main` calls `kcl::run::<orders::Revenue>()`.
/// - `crate = path`: the path of `kcl`, if it is not `::kcl`, for example because it is renamed or re-exported.
///
/// # Values of options
///
/// A single lower-case word such as `batch` or `skip` is a word of the option. Any other path is a constant: a `u32` for `retry`,
/// `concurrency` and `ahead`, a `u64` for `ahead_bytes`, a `usize` for `worker_threads`, a [`Duration`](std::time::Duration) for
/// `warn_after`, `every`, `timeout` and `drain`, two of them for `backoff`, and a [`Checkpoints`](crate::Checkpoints) for
/// `checkpoint`, which may also be a variant with a constant or a number: `kcl::Checkpoints::Interval(PACE)`. The constant of a
/// generic processor cannot depend on its parameters.
///
/// ```
/// use std::time::Duration;
/// use kcl::{Checkpoints, Record};
///
/// const PACE: Checkpoints = Checkpoints::Records(1_000);
///
/// mod limits {
///     # use std::time::Duration;
///     pub const RETRIES: u32 = 3;
///     pub const MOST: Duration = Duration::from_secs(60);
/// }
///
/// #[derive(Default)]
/// struct Store;
///
/// #[kcl::processor(main = false, checkpoint = PACE, warn_after = limits::MOST)]
/// impl Store {
///     #[on_record(retry = limits::RETRIES, backoff = "200ms"..limits::MOST)]
///     fn store(&mut self, record: &Record) {
///         eprintln!("{record:?}");
///     }
/// }
/// ```
///
/// In quotes, a duration is a number with a unit, or several: `"500ms"`, `"30 seconds"`, `"1.5 hours"`, `"1h30m"`. The units are
/// `ms`, `s`, `m`, `h` and `d`, or the words `sec`, `second`, `min`, `minute`, `hour` and `day`, also in the plural. A number may
/// contain `_` and spaces: `"1_000 records"`. The flags of `cargo kcl` take durations and numbers in the same way.
#[doc(inline)]
pub use kcl_macros::processor;

#[doc(hidden)]
pub use kcl_macros::{
    Processor, RecordProcessor, async_processor, consumer, handler, main, porcessor, proccesor, proccessor, procesor,
    process, process_records, processer, processors, processsor, record_processor, shard_processor,
};

/// Marks the constructor of a processor, which is called once for its shard, before any other handler. There is at most one; without
/// it, `Default` is used.
///
/// It takes [`&Shard`](crate::Shard) or nothing, but not `self`, and returns `Self` or `Result<Self, E>`.
///
/// ```
/// # use kcl::{Record, Shard};
/// struct Count { shard: String, records: u64 }
///
/// #[kcl::processor(main = false)]
/// impl Count {
///     #[on_init]
///     fn open(shard: &Shard) -> Self {
///         Count { shard: shard.id().to_owned(), records: 0 }
///     }
/// #   #[on_record]
/// #   fn count(&mut self, _: &Record) { self.records += 1; eprintln!("{}", self.shard); }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_init;

/// Marks the handler that is called once for each record. A processor has either this handler or [`#[on_records]`](macro@on_records).
///
/// It can take, in any order:
///
/// - [`&Record`](crate::Record);
/// - one payload: [`Json<T>`](crate::Json), or your own type that implements [`FromRecord`](crate::FromRecord). If the payload
///   cannot be decoded from the record, the handler is not called and counts as failed. With `Option<P>` or `Result<P, E>`
///   instead of `P`, it is called for every record;
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` checkpoints up to and including this record; in an `async fn`,
///   `&mut AsyncCheckpointer`; with `concurrency`, neither;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest) of the batch.
///
/// If it fails, the records before the failed one are checkpointed. Its options set what happens to records that fail; see
/// [`processor`](macro@processor#records-that-fail). For an `async fn`, others set how many records are handled at once; see
/// [`processor`](macro@processor#many-records-at-once).
///
/// ```
/// # use kcl::Json;
/// # #[derive(serde::Deserialize)]
/// # struct Order { cents: u64 }
/// # #[derive(Default)]
/// # struct Store;
/// # impl Store { fn insert(&mut self, _: Order) -> std::io::Result<()> { Ok(()) } }
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_record(retry = 5, backoff = "1s..1m", on_undecodable = skip)]
///     fn store(&mut self, Json(order): Json<Order>) -> std::io::Result<()> {
///         self.insert(order)
///     }
/// }
/// ```
///
/// A payload may borrow from the record. In JSON, take `Cow<'_, str>` with `#[serde(borrow)]` rather than `&str`: a string that
/// contains an escape, such as `"Zo\u00eb"`, cannot be borrowed, so a record with one would count as undecodable.
///
/// ```
/// # use std::borrow::Cow;
/// # use kcl::{Json, Record};
/// #[derive(serde::Deserialize)]
/// struct Order<'a> {
///     #[serde(borrow)]
///     customer: Cow<'a, str>,
/// }
///
/// #[derive(Default)]
/// struct Print;
///
/// #[kcl::processor(main = false)]
/// impl Print {
///     #[on_record]
///     fn print(&mut self, record: &Record, Json(order): Json<Order<'_>>) {
///         eprintln!("{}: {}", record.sequence_number(), order.customer);
///     }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_record;

/// Marks the handler that is called once for each batch. A processor has either this handler or [`#[on_record]`](macro@on_record).
///
/// It can take, in any order:
///
/// - [`&[Record]`](crate::Record), which may be empty if the daemon is configured to deliver empty batches;
/// - instead of it, `Vec<P>`: the payloads, where `P` is as in [`#[on_record]`](macro@on_record); or `Vec<(&Record, P)>`: each
///   record with its payload;
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` checkpoints the whole batch;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest).
///
/// If it fails, the whole batch fails. Its options set what happens then; see [`processor`](macro@processor#records-that-fail). If
/// they skip or dead-letter a record whose payload cannot be decoded, the `Vec` does not contain that record.
///
/// ```
/// # use std::borrow::Cow;
/// # use kcl::{Json, Record};
/// #[derive(serde::Deserialize)]
/// struct Order<'a> {
///     #[serde(borrow)]
///     customer: Cow<'a, str>,
/// }
///
/// #[derive(Default)]
/// struct Print;
///
/// #[kcl::processor(main = false)]
/// impl Print {
///     #[on_records(on_undecodable = skip)]
///     fn print(&mut self, orders: Vec<(&Record, Json<Order<'_>>)>) {
///         for (record, Json(order)) in orders {
///             eprintln!("{}: {}", record.sequence_number(), order.customer);
///         }
///     }
/// }
/// ```
///
/// ```
/// # use kcl::{CheckpointError, Checkpointer, Record};
/// #[derive(Default)]
/// struct Store;
///
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_records]
///     fn store(&mut self, records: &[Record], checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
///         eprintln!("{} records", records.len());
///         checkpointer.checkpoint()
///     }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_records;

/// Marks the handler that is called when another worker has taken the shard. There is at most one.
///
/// It takes [`&Shard`](crate::Shard) or nothing. It cannot take a `Checkpointer`, because the lease is gone.
///
/// ```
/// # use kcl::{Record, Shard};
/// # #[derive(Default)]
/// # struct Count;
/// #[kcl::processor(main = false)]
/// impl Count {
///     #[on_lease_lost]
///     fn lost(&mut self, shard: &Shard) {
///         eprintln!("another worker has {}", shard.id());
///     }
/// #   #[on_record]
/// #   fn count(&mut self, _: &Record) {}
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_lease_lost;

/// Marks the handler that is called when the shard has been read to its end, because it was split or merged. There is at most
/// one.
///
/// It can take, in any order, [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` checkpoints SHARD_END, and
/// [`&Shard`](crate::Shard). After the handler succeeds, the runtime checkpoints SHARD_END unless the handler did so itself.
///
/// ```
/// # use kcl::Record;
/// # #[derive(Default)]
/// # struct Count(u64);
/// #[kcl::processor(main = false)]
/// impl Count {
///     #[on_shard_end]
///     fn report(&self) {
///         eprintln!("{} records", self.0);
///     }
/// #   #[on_record]
/// #   fn count(&mut self, _: &Record) { self.0 += 1; }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_shard_end;

/// Marks the handler that is called when the worker is about to stop or to hand over the lease: the last chance to checkpoint.
/// There is at most one.
///
/// It can take, in any order, [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` checkpoints the last record that
/// was delivered, and [`&Shard`](crate::Shard).
///
/// ```
/// # use kcl::{CheckpointError, Checkpointer, Record};
/// # #[derive(Default)]
/// # struct Store;
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_shutdown_requested]
///     fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
///         // … write out the buffered records …
///         checkpointer.checkpoint()
///     }
/// #   #[on_records]
/// #   fn store(&mut self, _: &[Record], _: &mut Checkpointer) {}
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_shutdown_requested;

/// Marks the handler that is called when a time has passed, for example to write out what was collected. There is at most one.
///
/// `every` is the shortest time between two calls: a duration in quotes, or a constant of type [`Duration`](std::time::Duration). A
/// tick comes within a message that brings records, after the record handler has succeeded, or within one that brings none. It never
/// comes between messages, because the daemon would not read a checkpoint then. A quiet shard therefore needs
/// `callProcessRecordsEvenForEmptyRecordList=true` in the daemon's properties; `cargo kcl local --empty-every 1s` does the same. A
/// processor with a tick gets no empty batches in `#[on_records]`.
///
/// It can take, in any order:
///
/// - [`&mut Checkpointer`](crate::Checkpointer), if the record handler takes one: `checkpoint()` checkpoints everything that was
///   handed over;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest) of the message.
///
/// If it fails, the message is not acknowledged, and the process ends. The options of the record handler do not apply.
///
/// **A processor that collects records must take a `Checkpointer` in its record handler**, even if only the tick uses it. Otherwise,
/// the runtime takes the return from the handler as "these records are stored", and checkpoints them; if the process is then killed,
/// what it has collected is lost. Write out the rest in `#[on_shard_end]` and `#[on_shutdown_requested]`, too:
///
/// ```
/// # use kcl::{BoxError, Checkpointer, Record};
/// #[derive(Default)]
/// struct Collect {
///     lines: Vec<Vec<u8>>,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Collect {
///     #[on_record]
///     fn collect(&mut self, record: &Record, _: &mut Checkpointer) {
///         self.lines.push(record.data().to_vec());
///     }
///
///     #[on_tick(every = "5s")]
///     fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
///         eprintln!("{} lines", self.lines.len()); // … store them …
///         checkpointer.checkpoint()?;
///         self.lines.clear();
///         Ok(())
///     }
///
///     #[on_shard_end]
///     fn finish(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
///         self.flush(checkpointer)
///     }
///
///     #[on_shutdown_requested]
///     fn stop(&mut self, checkpointer: &mut Checkpointer) -> Result<(), BoxError> {
///         self.flush(checkpointer)
///     }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_tick;

/// Marks the handler for records that failed permanently. There is at most one. It is required if the record handler has
/// `on_failure = dead_letter` or `on_undecodable = dead_letter`, and using it without either option is an error.
///
/// It can take, in any order, [`&DeadLetter`](crate::DeadLetter) with the record, the last error and the number of attempts,
/// [`&Record`](crate::Record), and [`&Shard`](crate::Shard). An `async` handler writes `&DeadLetter<'_>`.
///
/// After the handler succeeds, checkpoints move past the record. The dead letter is all that remains of the record, so it must
/// be stored safely by then. [`JsonLines`](crate::dead_letter::JsonLines) is a ready-made store. If this handler fails, the
/// record counts as failed: the process ends, and the record is delivered again.
///
/// ```
/// use kcl::dead_letter::JsonLines;
/// use kcl::{DeadLetter, Json, Shard};
///
/// # #[derive(serde::Deserialize)]
/// # struct Order { cents: u64 }
/// struct Revenue { cents: u64, dead_letters: JsonLines }
///
/// #[kcl::processor(main = false)]
/// impl Revenue {
///     #[on_init]
///     fn open(shard: &Shard) -> std::io::Result<Self> {
///         Ok(Revenue { cents: 0, dead_letters: JsonLines::open("dead-letters", shard)? })
///     }
///
///     #[on_record(retry = 3, on_failure = dead_letter, on_undecodable = dead_letter)]
///     fn add(&mut self, Json(order): Json<Order>) {
///         self.cents += order.cents;
///     }
///
///     #[on_dead_letter]
///     fn keep(&mut self, letter: &DeadLetter) -> std::io::Result<()> {
///         self.dead_letters.write(letter)
///     }
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_dead_letter;

/// Runs a test of a processor under many schedules: which records come together in a batch, what goes wrong between and
/// within them, and how the shard ends. It needs the feature `testing`.
///
/// The test is a function that takes a [`Daemon`](crate::testing::Daemon). It gives the daemon records with
/// [`records`](crate::testing::Daemon::records), or with [`any_records`](crate::testing::Daemon::any_records), whose number is
/// drawn as well, and runs a processor. The daemon draws the rest:
///
/// - the size of each batch, and batches without records;
/// - crashes: between two messages, and before or after a status or a checkpoint;
/// - checkpoints that are throttled, as often as the runtime's retries survive;
/// - leases that are lost: between two messages, while a message is handled, or when a checkpoint is made;
/// - shutdowns, redeliveries to another process, and time that passes;
/// - the end of the shard, of the input or of the lease, unless a step after the records says which it is.
///
/// After the last of them, one more process gets the records that are left. A processor without mistakes therefore survives every
/// schedule.
///
/// As after every run, the daemon checks what a processor promises. The test can assert more, with the
/// [`Report`](crate::testing::Report) and the [`Sink`](crate::testing::Sink)s. [`given`](crate::testing::Report::given) has the
/// records that were given.
///
/// ```
/// # mod tests {
/// use std::convert::Infallible;
/// use std::io;
///
/// use kcl::testing::{Daemon, Sink};
/// use kcl::{Record, Shard};
///
/// struct Store {
///     sink: Sink<Vec<u8>>,
/// }
///
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_record]
///     fn store(&mut self, record: &Record) -> io::Result<()> {
///         self.sink.write(record.data().to_vec())
///     }
/// }
///
/// #[kcl::test(schedules = 1000)]
/// fn every_record_is_stored(daemon: Daemon) {
///     let sink = Sink::every_record();
///     let run = daemon
///         .any_records(0..=20, |n| format!("record {n}"))
///         .run_with(|_: &Shard| Ok::<_, Infallible>(Store { sink: sink.clone() }));
///     run.assert_succeeded();
///     let stored = sink.values();
///     assert!(run.given().iter().all(|record| stored.contains(record)));
/// }
/// # }
/// ```
///
/// If the test fails, the schedule is made as short as possible. Steps are removed, batches are put together, and records are
/// left out. A shorter schedule counts only if the same promise is broken, or if the same line of the test panics. Records that
/// the test chose with `records` stay, unless a promise was broken.
///
/// A test that delivers nothing, because it never runs its daemon or gives it no step, fails as well.
///
/// The message has the failure, the shortest script as code, and the seed of the schedule that failed. If the script is long, comments
/// stand for a part of its records and steps.
///
/// ```text
/// no_record_is_lost failed under schedule 4 (seed 3) at src/main.rs:64: record 0 is lost
///
/// shard shardId-000000000000
///   ...
///
/// the shortest script found that fails like this, to be followed by `.run::<...>()` or `.run_with(...)`:
///
/// Daemon::new()
///     .fault(Fault::crash_after_checkpoint())
///     .batch(["record 0"])
///
/// KCL_SEED=3 repeats the schedule.
/// ```
///
/// # Options
///
/// - `schedules = 1000`: the number of schedules, a literal or a constant of the type `u32`; 256 by default. Their seeds are 0, 1, 2
///   and so on, so a test does the same each time.
/// - `crate = path`: the path of `kcl`, if it is not `::kcl`.
///
/// The test returns `()` or `Result<(), E>`. Other attributes, such as `#[ignore]`, go with the test.
///
/// # Environment
///
/// - `KCL_SEED=3 cargo test no_record_is_lost` runs only the schedule with this seed.
/// - `KCL_SCHEDULES=100000` tries that many schedules, whatever the attribute says.
#[cfg(feature = "testing")]
#[doc(inline)]
pub use kcl_macros::test;
