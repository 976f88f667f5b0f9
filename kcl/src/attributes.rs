//! The attribute macros, and their pages.

/// Makes a processor of an `impl` block: the whole conversation with the daemon, and `main`.
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
/// The methods with one of these attributes are its handlers; the others stay plain methods.
///
/// | attribute | is called | left out |
/// |---|---|---|
/// | [`#[on_init]`](macro@on_init) | once, to make the processor of a shard | `Default` is used |
/// | [`#[on_record]`](macro@on_record) | once a record | one of the two is needed |
/// | [`#[on_records]`](macro@on_records) | once a batch | one of the two is needed |
/// | [`#[on_lease_lost]`](macro@on_lease_lost) | when another worker has taken the shard | nothing is done |
/// | [`#[on_shard_end]`](macro@on_shard_end) | when the shard was read to its end | SHARD_END is checkpointed |
/// | [`#[on_shutdown_requested]`](macro@on_shutdown_requested) | when the worker is about to stop | what was handed over is checkpointed |
/// | [`#[on_dead_letter]`](macro@on_dead_letter) | for a record that failed for good, if the record handler says so | none may say so |
///
/// The attributes need no import; `#[kcl::on_record]` works too. What a handler is called with is chosen by the types of its
/// arguments, in any order. It takes `&mut self` or `&self`, and returns `()` or `Result<(), E>` for any
/// `E: Into<Box<dyn Error + Send + Sync>>`. An error or a panic ends the process with exit code 1, and the message is not
/// acknowledged, so that the daemon delivers again what was not checkpointed.
///
/// # Records that fail
///
/// Unless told otherwise, the first record that fails stops its shard: nothing is lost, and nothing goes on. What is to happen
/// instead is said on the record handler, `#[on_record(...)]` or `#[on_records(...)]`:
///
/// - `retry = 3`: calls the handler up to three times again, for an error or a panic. Meanwhile nothing is acknowledged.
/// - `backoff = "200ms..5s"`: waits a random time of up to 200 ms before the first of these calls, up to 400 ms before the
///   second and so on, at most 5 s; these are the defaults. The units are `ms`, `s`, `m` and `h`. If the daemon goes away
///   meanwhile, nothing is tried again.
/// - `otherwise = "fail" | "skip" | "dead_letter"`: what happens when no call is left. `"fail"`, the default, ends the process;
///   `"skip"` goes on without the record; `"dead_letter"` hands it to [`#[on_dead_letter]`](macro@on_dead_letter) and goes on.
/// - `invalid = "fail" | "skip" | "dead_letter"`: the same for a record whose payload cannot be decoded, which is never tried
///   again.
///
/// With `#[on_records]` it is the batch that is tried again, whole, and `otherwise` is for all of it: one record that is always
/// refused takes its whole batch along. `invalid` is for the single record there too.
///
/// Every record that is skipped or dead-lettered is a line on stderr, with shard, sequence number, attempts and error.
///
/// # Who checkpoints
///
/// If the record handler takes no [`Checkpointer`](crate::Checkpointer), the runtime checkpoints after each batch, or as often as
/// `checkpoint` says:
///
/// - `checkpoint = "batch"`: after each batch, the default;
/// - `checkpoint = "30s"`: behind the first batch that ends 30 s after the last checkpoint, or later. The daemon reads a
///   processor's words only as answers to its messages, so a checkpoint goes out with the next of these: on a shard where nothing
///   happens, that may be when the shutdown is requested;
/// - `checkpoint = "1000 records"`: behind the batch with which 1,000 records were processed since the last checkpoint. What may
///   come again is fewer than these, and one batch.
///
/// A checkpoint never passes a record that was not processed, skipped or dead-lettered. What was not checkpointed by then is when
/// a shutdown is requested, when a handler fails (the records that succeeded before it), and with SHARD_END. When the process is
/// killed or the lease is lost, what came since the last checkpoint comes again.
///
/// If the record handler takes a `Checkpointer`, it decides alone, and the runtime sends nothing but SHARD_END.
///
/// # Handlers that take long
///
/// While a handler runs, its shard waits, and a daemon with `timeoutInSeconds` kills the worker in the end. A handler that has run
/// for 60 s, or as long as `warn_after = "5m"` says, is named on stderr while it runs, with the shard, the record or the records,
/// and the time; then again after twice as long and so on. Where it is tried again, the attempts and the waits between them are
/// one run. (A thread looks now and then, so the line may come late by an eighth of
/// that time, at most 5 s.)
///
/// ```text
/// kcl: shard shardId-000000000001: processRecords at record 4967/0 with partition key `ada`, number 3 of 500 in its batch, has been running for 60s
/// ```
///
/// # Counts
///
/// Where `KCL_REPORT=1` is set in its environment, a processor ends with a line of what it has done, also where it fails:
///
/// ```text
/// kcl: shard shardId-000000000001: 41000 records, 82 batches, 3 retries, 1 skipped, 2 dead-lettered, 83 checkpoints
/// ```
///
/// Its records are those that were processed, skipped or dead-lettered, each as often as it was delivered; its checkpoints those
/// that the daemon accepted, a handler's own included.
///
/// # Options
///
/// - `checkpoint = "batch" | "30s" | "1000 records"`: how often the runtime checkpoints. The units are `ms`, `s`, `m` and `h`.
/// - `warn_after = "60s"`: how long a handler may run before it is named on stderr.
/// - `main = false`: writes no `fn main`, for a processor that stands in a module, in a library, or is generic, or is
///   started with a [`Runner`](crate::Runner). `kcl::run::<orders::Revenue>()` is what the written one calls.
/// - `crate = path`: where `kcl` is found, if not at `::kcl`, as when it is renamed or re-exported.
#[doc(inline)]
pub use kcl_macros::processor;

/// Marks the constructor of a processor, called once for its shard before any other handler. At most one; without it,
/// `Default` is used.
///
/// It takes [`&Shard`](crate::Shard) or nothing, no `self`, and returns `Self` or `Result<Self, E>`.
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

/// Marks the handler that is called once a record. A processor has this or [`#[on_records]`](macro@on_records).
///
/// It takes any of, in any order:
///
/// - [`&Record`](crate::Record);
/// - one payload: [`Json<T>`](crate::Json), or a type of your own that implements [`FromRecord`](crate::FromRecord). If the
///   record is no such payload the handler is not called, and has failed. As `Option<P>` or `Result<P, E>` of such a `P` it is
///   called with every record;
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means up to and including this record;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest) of the batch.
///
/// If it fails, the records before it are checkpointed. Its options say what happens to records that fail, see
/// [`processor`](macro@processor#records-that-fail):
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
///     #[on_record(retry = 5, backoff = "1s..1m", invalid = "skip")]
///     fn store(&mut self, Json(order): Json<Order>) -> std::io::Result<()> {
///         self.insert(order)
///     }
/// }
/// ```
///
/// A payload may borrow from the record:
///
/// ```
/// # use kcl::{Json, Record};
/// #[derive(serde::Deserialize)]
/// struct Order<'a> { customer: &'a str }
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

/// Marks the handler that is called once a batch. A processor has this or [`#[on_record]`](macro@on_record).
///
/// It takes any of, in any order:
///
/// - [`&[Record]`](crate::Record), which may be empty if the daemon is so configured;
/// - in its place `Vec<(&Record, P)>`: each record with its payload, a `P` as in [`#[on_record]`](macro@on_record);
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means the whole batch;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest).
///
/// If it fails, the whole batch has. Its options say what happens then, see [`processor`](macro@processor#records-that-fail);
/// where they pass over a payload that cannot be decoded, the `Vec` goes without that record.
///
/// ```
/// # use kcl::{Json, Record};
/// #[derive(serde::Deserialize)]
/// struct Order<'a> { customer: &'a str }
///
/// #[derive(Default)]
/// struct Print;
///
/// #[kcl::processor(main = false)]
/// impl Print {
///     #[on_records(invalid = "skip")]
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

/// Marks the handler that is called when another worker has taken the shard. At most one.
///
/// It takes [`&Shard`](crate::Shard) or nothing. There is no checkpointer: the lease is gone.
///
/// ```
/// # use kcl::{Record, Shard};
/// # #[derive(Default)]
/// # struct Count;
/// #[kcl::processor(main = false)]
/// impl Count {
///     #[on_lease_lost]
///     fn lost(&mut self, shard: &Shard) {
///         eprintln!("{} is someone else's", shard.id());
///     }
/// #   #[on_record]
/// #   fn count(&mut self, _: &Record) {}
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_lease_lost;

/// Marks the handler that is called when the shard was read to its end: it was split or merged. At most one.
///
/// It takes any of, in any order: [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means SHARD_END, and
/// [`&Shard`](crate::Shard). After it succeeded the runtime checkpoints SHARD_END, unless it did so itself.
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

/// Marks the handler that is called when the worker is about to stop or to hand the lease over: the last moment to
/// checkpoint. At most one.
///
/// It takes any of, in any order: [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means the last record that
/// was handed over, and [`&Shard`](crate::Shard).
///
/// ```
/// # use kcl::{CheckpointError, Checkpointer, Record};
/// # #[derive(Default)]
/// # struct Store;
/// #[kcl::processor(main = false)]
/// impl Store {
///     #[on_shutdown_requested]
///     fn flush(&mut self, checkpointer: &mut Checkpointer) -> Result<(), CheckpointError> {
///         // … write out what is buffered …
///         checkpointer.checkpoint()
///     }
/// #   #[on_records]
/// #   fn store(&mut self, _: &[Record], _: &mut Checkpointer) {}
/// }
/// ```
#[doc(inline)]
pub use kcl_macros::on_shutdown_requested;

/// Marks the handler that takes records that failed for good. At most one; it is there if and only if the record handler says
/// `otherwise = "dead_letter"` or `invalid = "dead_letter"`.
///
/// It takes any of, in any order: [`&DeadLetter`](crate::DeadLetter), with the record, the last error and the number of
/// attempts, [`&Record`](crate::Record) and [`&Shard`](crate::Shard).
///
/// After it succeeded, checkpoints pass the record: the dead letter is all that is left of it, so it has to be safe by then.
/// [`JsonLines`](crate::dead_letter::JsonLines) is ready made. If this handler fails, the record has failed after all: the
/// process ends and the record is delivered again.
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
///     #[on_record(retry = 3, otherwise = "dead_letter", invalid = "dead_letter")]
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
