//! The texts of the errors about `async` handlers and the options for them.

use std::ops::RangeInclusive;

use proc_macro2::Ident;

use crate::handlers::Kind;
use crate::messages::{Message, commas, handler, shown};
use crate::model::{OptionName, Order, Runtime};
use crate::names;
use crate::sizes::{self, NotASize};

pub(crate) fn feature_missing() -> Message {
    Message::new("an `async` handler needs the feature `tokio` of `kcl`")
        .note("add it in Cargo.toml: `kcl = { path = \"...\", features = [\"tokio\"] }`; keep the features that are there, and the `path`, `git` or `version`")
        .help("`kcl` is built without this feature")
}

pub(crate) fn future(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} cannot return a future", handler(kind, name)))
        .note("the runtime awaits the handlers that are written as `async fn`")
        .help(format_args!("write `async fn {name}` with the type that the future returns"))
}

pub(crate) fn checkpointer_of_async(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} is not `async`, so it cannot take an `AsyncCheckpointer`", handler(kind, name)))
        .help(format_args!("write `&mut kcl::Checkpointer`, or `async fn {name}`"))
}

pub(crate) fn runtime_without_async(option: &str) -> Message {
    Message::new(format_args!("option `{option}` needs an `async` handler"))
        .note("the runtime is for the futures of `async` handlers; blocking handlers run without one")
        .help(format_args!("remove `{option}`, or make a handler `async`"))
}

pub(crate) fn worker_threads_of_one_thread(is_given: bool) -> Message {
    let message = Message::new("option `worker_threads` needs `runtime = multi_thread`").note(
        "the threads run what handlers spawn with `tokio::spawn`; the handlers themselves run on the main thread, with either runtime",
    );
    match is_given {
        true => message.help("write `runtime = multi_thread`, or remove `worker_threads`"),
        false => message.help("add `runtime = multi_thread`, or remove `worker_threads`"),
    }
}

pub(crate) fn concurrency_without_async(name: &Ident) -> Message {
    Message::new("option `concurrency` needs an `async` record handler")
        .note("while one record is awaited, others are handled; a blocking handler never awaits")
        .help(format_args!("write `async fn {name}(&self, ...)`, or remove `concurrency`"))
}

pub(crate) fn timeout_without_async(kind: Kind, name: &Ident) -> Message {
    Message::new("option `timeout` needs an `async` handler")
        .note("the runtime drops the future of a handler that takes too long; nothing can stop a blocking one")
        .note("`#[kcl::processor(warn_after = \"30s\")]` reports a blocking handler that takes too long")
        .help(format_args!("make {} an `async fn`, or remove `timeout`", handler(kind, name)))
}

pub(crate) fn without_concurrency(option: OptionName) -> Message {
    let message = Message::new(format_args!("option `{option}` needs option `concurrency`"));
    let message = match option {
        OptionName::Order => message.note("without `concurrency`, records are handled one after the other"),
        OptionName::Drain => message.note(
            "without `concurrency`, at most one record is being handled, and it is finished before the processor stops",
        ),
        _ => message.note("without `concurrency`, a batch is done before the next one is read"),
    };
    message.help(format_args!("add `{}`, or remove `{option}`", OptionName::Concurrency.example()))
}

/// The error for an option of `concurrency` on a handler of batches.
pub(crate) fn of_single_records(written: &str, option: OptionName) -> Message {
    let message = Message::new(format_args!("option `{written}` needs an `#[on_record]` handler"))
        .note("with `concurrency`, each record is a call of its own, and many calls run at once");
    match option {
        OptionName::Concurrency => message.help(format_args!(
            "write `#[on_record({})]` on an `async fn` that takes `&self` and one record",
            option.example()
        )),
        _ => message.help(format_args!("remove `{written}`, or handle records with `#[on_record(concurrency = 64)]`")),
    }
}

const SHARED_STATE: &str = "to change the processor, keep that part of it in a `Cell`, a `RefCell`, an atomic or a \
     `tokio::sync::Mutex`; do not hold a `RefCell`'s guard across an `.await`";

pub(crate) fn exclusive_records(name: &Ident) -> Message {
    Message::new(format_args!("{} must take `&self`, because of option `concurrency`", handler(Kind::Record, name)))
        .note("its calls for other records borrow the processor at the same time")
        .note(SHARED_STATE)
        .help("write `&self`")
}

pub(crate) fn exclusive_beside_records(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!(
        "{} must take `&self`, because of option `concurrency` of the record handler",
        handler(kind, name)
    ))
    .note("it runs while calls of the record handler borrow the processor")
    .note(SHARED_STATE)
    .help("write `&self`")
}

/// The meaning of a number, for the help of an option that holds one.
fn meaning(name: OptionName) -> &'static str {
    match name {
        OptionName::Concurrency => "the most records that are handled at once",
        OptionName::WorkerThreads => "the number of threads",
        _ => "the number of batches that may come before the oldest one is done",
    }
}

fn type_of(name: OptionName) -> &'static str {
    if name == OptionName::WorkerThreads { "usize" } else { "u32" }
}

/// The error for a value that is not a number. `quoted` is a number in quotes.
pub(crate) fn number(name: OptionName, quoted: Option<&str>) -> Message {
    let message =
        Message::new(format_args!("option `{name}` must be a whole number, or a constant of type `{}`", type_of(name)));
    match quoted {
        Some(number) => message.help(format_args!("remove the quotes: `{name} = {number}`")),
        None => message.help(format_args!(
            "write {}, as in `{}`, or the path of a constant, as in `{name} = LIMIT`",
            meaning(name),
            name.example()
        )),
    }
}

pub(crate) fn number_suffix(name: OptionName, digits: &str, suffix: &str) -> Message {
    Message::new(format_args!("option `{name}` must be a number without a suffix"))
        .help(format_args!("remove `{suffix}`: write `{name} = {digits}`"))
}

pub(crate) fn number_out_of_range(name: OptionName, range: &RangeInclusive<u32>) -> Message {
    let message = Message::new(format_args!("option `{name}` must be from {} to {}", range.start(), range.end()));
    message.help(format_args!("write {}, such as `{}`", meaning(name), name.example()))
}

const SIZES: &str = "the units of sizes are `B`, `kB`, `MB`, `GB` and `TB`, which are powers of 1000, and `KiB`, `MiB`, `GiB` and `TiB`, which are powers of 1024";

/// The error for a value of `ahead_bytes` that is neither in quotes nor a number.
pub(crate) fn size_without_quotes(found: &str) -> Message {
    let message = Message::new(
        "option `ahead_bytes` must be a size in quotes, a whole number of bytes, or a constant of type `u64`",
    );
    let spaced = found.find(|char: char| char.is_alphabetic()).map(|unit| found.split_at(unit));
    match spaced {
        Some((number, unit)) if sizes::size(found).is_ok() => {
            message.help(format_args!("add the quotes: `ahead_bytes = \"{} {}\"`", number.trim(), unit.trim()))
        }
        _ => message
            .help(format_args!(
                "write `{}`, or the path of a constant as in `ahead_bytes = LIMIT`",
                OptionName::AheadBytes.example()
            ))
            .note(SIZES),
    }
}

pub(crate) fn size_of_nothing() -> Message {
    Message::new("option `ahead_bytes` must be greater than 0")
        .help(format_args!("write a size such as `{}`", OptionName::AheadBytes.example()))
}

/// The error for a text in quotes.
pub(crate) fn size(text: &str, problem: &NotASize) -> Message {
    let example = format!("write a size such as `{}`", OptionName::AheadBytes.example());
    match problem {
        NotASize::NoNumber if text.trim().is_empty() => {
            Message::new("option `ahead_bytes` must not be empty").help(example).note(SIZES)
        }
        NotASize::NoNumber => Message::new(format_args!("`{}` in option `ahead_bytes` is not a size", shown(text)))
            .help(example)
            .note(SIZES),
        NotASize::NoUnit(number) => {
            Message::new(format_args!("the number `{}` in option `ahead_bytes` has no unit", shown(number)))
                .help(format_args!("add a unit, as in `\"{number} MiB\"`, or remove the quotes for a number of bytes"))
                .note(SIZES)
        }
        NotASize::Commas(number) => commas(OptionName::AheadBytes, text, number),
        NotASize::NotAUnit(unit, meant) => {
            let message = Message::new(format_args!("`{}` in option `ahead_bytes` is not a unit of size", shown(unit)))
                .note(SIZES);
            match meant {
                Some(meant) => message.help(format_args!("write `{meant}`")),
                None => message.help(example),
            }
        }
        NotASize::NotWhole => Message::new(format_args!(
            "`{}` in option `ahead_bytes` is not a whole number of bytes",
            shown(text.trim())
        ))
        .help(example),
        NotASize::TooLarge => {
            Message::new(format_args!("option `ahead_bytes` must be at most {} bytes", u64::MAX)).help(example)
        }
    }
}

/// The error for a value that is not a word of its option.
pub(crate) fn word(name: OptionName, found: &str) -> Message {
    let message = Message::new(format_args!("option `{name}` cannot be `{}`", shown(found)));
    match name {
        OptionName::Runtime => {
            let message = message.note(
                "`current_thread` runs everything on the main thread; `multi_thread` has further threads for what handlers spawn \
                 with `tokio::spawn`",
            );
            help(message, name, names::runtime(found).map(Runtime::word), Runtime::ALL.map(Runtime::word))
        }
        _ if names::means_one_by_one(found) => message
            .note("without `concurrency`, the records of a shard are handled one after the other, in order")
            .help("remove `order` and `concurrency`, or write `order = partition_key` for the order of each partition key"),
        _ => {
            let message = message.note(
                "`partition_key` handles the records of one partition key one after the other, in order; `none` keeps no order",
            );
            help(message, name, names::order(found).map(Order::word), Order::ALL.map(Order::word))
        }
    }
}

fn help(message: Message, name: OptionName, meant: Option<&str>, [first, second]: [&str; 2]) -> Message {
    match meant {
        Some(meant) => message.help(format_args!("write `{name} = {meant}`")),
        None => message.help(format_args!("write `{name} = {first}` or `{name} = {second}`")),
    }
}
