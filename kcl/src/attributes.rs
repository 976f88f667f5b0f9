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
///
/// The attributes need no import; `#[kcl::on_record]` works too. What a handler is called with is chosen by the types of its
/// arguments, in any order. It takes `&mut self` or `&self`, and returns `()` or `Result<(), E>` for any
/// `E: Into<Box<dyn Error + Send + Sync>>`. An error or a panic ends the process with exit code 1, and the message is not
/// acknowledged, so that the daemon delivers again what was not checkpointed.
///
/// # Who checkpoints
///
/// If the record handler takes no [`Checkpointer`](crate::Checkpointer), the runtime checkpoints after each batch. If it takes
/// one, it decides alone, and the runtime sends nothing but SHARD_END.
///
/// # Options
///
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
///   record is no such payload the handler is not called, and has failed;
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means up to and including this record;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest) of the batch.
///
/// If it fails, the records before it are checkpointed.
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
/// - [`&mut Checkpointer`](crate::Checkpointer), whose `checkpoint()` means the whole batch;
/// - [`&Shard`](crate::Shard);
/// - [`MillisBehindLatest`](crate::MillisBehindLatest).
///
/// If it fails, the whole batch has.
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
