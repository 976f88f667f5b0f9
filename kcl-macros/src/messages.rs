//! The texts of all errors: what must be true, a note that says why, and a help that says what to write.

use std::fmt;

use proc_macro2::Ident;
use quote::ToTokens;

use crate::handlers::Kind;
use crate::model::{Action, OptionName, Place};
use crate::names;
use crate::values::{BackoffProblem, CheckpointProblem};

/// The text of one error, with notes and helps in rustc's own form.
pub(crate) struct Message(String);

impl Message {
    fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    fn note(self, text: impl fmt::Display) -> Self {
        Self(format!("{}\n= note: {text}", self.0))
    }

    fn help(self, text: impl fmt::Display) -> Self {
        Self(format!("{}\n= help: {text}", self.0))
    }

    /// Makes an error that underlines `tokens`.
    pub(crate) fn at(self, tokens: impl ToTokens) -> syn::Error {
        syn::Error::new_spanned(tokens, self)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Lists the options of a place by example.
fn options(place: Place) -> String {
    let examples: Vec<_> = place.options().iter().map(|option| format!("`{}`", option.example())).collect();
    match &examples[..] {
        [rest @ .., last] => format!("the options are {} and {last}", rest.join(", ")),
        [] => String::new(),
    }
}

fn attribute(place: Place) -> String {
    match place {
        Place::Processor => "`#[kcl::processor]`".to_owned(),
        Place::Handler(kind) => format!("`#[{}]`", kind.attribute()),
    }
}

pub(crate) fn option_no_name(place: Place, found: &str) -> Message {
    Message::new(format_args!("expected an option, found `{found}`")).help(options(place))
}

pub(crate) fn option_unknown(place: Place, name: &str) -> Message {
    let message = Message::new(format_args!("{} has no option `{name}`", attribute(place)));
    let named = |options: &[OptionName]| options.iter().copied().find(|option| option.text() == name);
    if let (Place::Handler(_), Some(option)) = (place, named(Place::Processor.options())) {
        return message.help(format_args!("write it on the impl: `#[kcl::processor({})]`", option.example()));
    }
    match names::option(name, place.options()) {
        Some(meant) => message.help(format_args!("write `{meant}`; {}", options(place))),
        None => message.help(options(place)),
    }
}

pub(crate) fn option_twice(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` is given twice")).help("remove one of them")
}

pub(crate) fn option_without_value(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` needs a value")).help(format_args!("write `{}`", name.example()))
}

pub(crate) fn option_without_equals(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` must be followed by `=` and its value"))
        .help(format_args!("write `{}`", name.example()))
}

pub(crate) fn option_without_comma(name: OptionName) -> Message {
    Message::new(format_args!("the value of option `{name}` must be followed by a comma or the end of the options"))
        .help(format_args!("separate the options with commas: `{}, ...`", name.example()))
}

pub(crate) fn option_main_value() -> Message {
    Message::new("option `main` must be `true` or `false`")
        .help("write `main = false` to keep the macro from generating `fn main`")
}

pub(crate) fn option_crate_value(quoted: Option<&str>) -> Message {
    let message = Message::new("option `crate` must be a path");
    match quoted {
        Some(path) => message.help(format_args!("remove the quotes: `crate = {path}`")),
        None => message.help("write the path at which this crate finds `kcl`, such as `crate = my_kcl`"),
    }
}

pub(crate) fn option_without_quotes(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` must be a string in quotes"))
        .help(format_args!("write `{}`", name.example()))
}

pub(crate) fn option_word_in_quotes(name: OptionName, word: &str) -> Message {
    Message::new(format_args!("`{word}` must not be in quotes")).help(format_args!("write `{name} = {word}`"))
}

pub(crate) fn option_retry_value() -> Message {
    Message::new("option `retry` must be a whole number").help("write the number of retries, such as `retry = 3`")
}

pub(crate) fn option_backoff_value(problem: BackoffProblem) -> Message {
    let example = "write the first and the longest wait, such as `backoff = \"200ms..5s\"`";
    match problem {
        BackoffProblem::NotARange => Message::new("option `backoff` must be a range of two durations")
            .note("a duration is a whole number followed by `ms`, `s`, `m` or `h`")
            .help(example),
        BackoffProblem::Zero => Message::new("option `backoff` must start with a wait longer than 0")
            .note("each wait is up to twice as long as the previous one, so it would stay at 0")
            .help(example),
        BackoffProblem::Backwards => Message::new("option `backoff` must not end before it starts")
            .note("each wait is up to twice as long as the previous one, until the longest is reached")
            .help(example),
    }
}

pub(crate) fn option_checkpoint_value(problem: CheckpointProblem) -> Message {
    let example = "write `checkpoint = batch`, `checkpoint = \"30s\"` or `checkpoint = \"1000 records\"`";
    match problem {
        CheckpointProblem::Unknown => {
            Message::new("option `checkpoint` must be `batch`, a duration, or a number of records")
                .note("a duration is a whole number followed by `ms`, `s`, `m` or `h`")
                .help(example)
        }
        CheckpointProblem::Zero => Message::new("option `checkpoint` must be greater than 0")
            .note("the most frequent choice is `batch`: after each batch")
            .help(example),
    }
}

pub(crate) fn option_warn_after_value() -> Message {
    Message::new("option `warn_after` must be a duration greater than 0")
        .note("a duration is a whole number followed by `ms`, `s`, `m` or `h`")
        .help("write how long a handler may run before it is reported on stderr, such as `warn_after = \"5m\"`")
}

pub(crate) fn option_action(name: OptionName, found: &str) -> Message {
    let message = Message::new(format_args!("option `{name}` cannot be `{found}`")).note(
        "`fail` ends the process, and the record is delivered again; `skip` continues without the record; \
         `dead_letter` passes it to `#[on_dead_letter]`",
    );
    match names::action(found) {
        Some(meant) => message.help(format_args!("write `{name} = {}`", meant.word())),
        None => {
            let [first, second, third] = Action::ALL.map(Action::word);
            message.help(format_args!("write `{name} = {first}`, `{second}` or `{third}`"))
        }
    }
}

pub(crate) fn backoff_without_retry() -> Message {
    Message::new("option `backoff` needs option `retry`")
        .note("without retries there is nothing to wait for")
        .help("add `retry = 3`, or remove `backoff`")
}

pub(crate) fn options_without_parentheses(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("the options of `#[{name}]` must be in parentheses"))
        .help(format_args!("write `#[{name}]`, or `#[{name}(retry = 3)]`"))
}

pub(crate) fn dead_letter_without_handler() -> Message {
    Message::new("`dead_letter` needs an `#[on_dead_letter]` handler")
        .note("the handler receives the record, the last error and the number of attempts; once it succeeds, checkpoints move past the record")
        .help("add a method such as `#[on_dead_letter] fn keep(&mut self, letter: &DeadLetter) -> Result<(), E>`")
}

pub(crate) fn dead_letter_handler_left_out() -> Message {
    Message::new("`dead_letter` needs an `#[on_dead_letter]` handler, but no `#[cfg]` of these handlers is true here")
        .note("in this configuration, the first record that fails permanently would have no handler")
        .help("add a handler for this configuration, or put the same `#[cfg]` on the record handler")
}

pub(crate) fn dead_letter_unused(name: &Ident) -> Message {
    Message::new(format_args!("`#[on_dead_letter]` handler `{name}` is never called"))
        .note("a record becomes a dead letter only if an option of the record handler requests it")
        .help("write `#[on_record(on_failure = dead_letter)]`, `on_undecodable = dead_letter`, or both; or remove this handler")
}

pub(crate) fn not_an_impl(what: &str, name: Option<&Ident>) -> Message {
    let message = Message::new(format_args!("`#[kcl::processor]` must be on an `impl` block, not on {what}"))
        .note("the handlers are methods, so the macro needs the block that contains them");
    match name {
        Some(name) => message.help(format_args!("move the attribute to `impl {name} {{ ... }}`")),
        None => message.help("put it on the `impl` block of your processor's type: `impl Revenue { ... }`"),
    }
}

pub(crate) fn trait_impl(ty: &str) -> Message {
    Message::new("`#[kcl::processor]` must be on an inherent `impl` block, not on the impl of a trait")
        .help(format_args!("move the attribute and the handlers to `impl {ty} {{ ... }}`"))
}

pub(crate) fn outside(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("`#[{name}]` must be in an `impl` block annotated with `#[kcl::processor]`"))
        .help("put `#[kcl::processor]` on the `impl` block that contains this method")
}

pub(crate) fn handler_takes_no_options(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("`#[{name}]` takes no options")).help(format_args!("write `#[{name}]`"))
}

pub(crate) fn handler_unknown(written: &str, nearest: Option<Kind>) -> Message {
    let message = Message::new(format_args!("there is no handler `#[{written}]`"));
    match nearest {
        Some(kind) => message.help(format_args!("write `#[{}]`", kind.attribute())),
        None => message.help(format_args!("the handlers are {}", all_handlers())),
    }
}

fn all_handlers() -> String {
    Kind::ALL.iter().map(|kind| format!("`#[{}]`", kind.attribute())).collect::<Vec<_>>().join(", ")
}

pub(crate) fn handler_in_cfg_attr(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("`#[{name}]` cannot be inside `cfg_attr`"))
        .note("the macro runs before the condition is evaluated")
        .help(format_args!("put `#[cfg(...)]` and `#[{name}]` on the method, as two attributes"))
}

pub(crate) fn handler_on(kind: Kind, what: &str) -> Message {
    Message::new(format_args!("`#[{}]` must be on a method, not on {what}", kind.attribute()))
        .help("move it to the method that the runtime should call, or remove it")
}

pub(crate) fn two_on_one(first: Kind, second: Kind, name: &Ident) -> Message {
    if first == second {
        return Message::new(format_args!("`#[{}]` is on `{name}` twice", first.attribute()))
            .help("remove one of them");
    }
    Message::new(format_args!(
        "`{name}` is already the `#[{}]` handler; it cannot be the `#[{}]` handler too",
        first.attribute(),
        second.attribute()
    ))
    .note("each handler must be a separate method")
    .help("remove one of the two attributes, and put it on another method that calls this one")
}

pub(crate) fn no_record_handler(ty: &str) -> Message {
    Message::new(format_args!("`{ty}` has neither an `#[on_record]` nor an `#[on_records]` handler"))
        .note("a processor handles records, one at a time or a batch at a time")
        .help("put `#[on_record]` on a method such as `fn add(&mut self, record: &Record)`, or `#[on_records]` on one that takes `&[Record]`")
}

pub(crate) fn no_record_handler_but(ty: &str, attribute: &str) -> Message {
    Message::new(format_args!(
        "`{ty}` has neither an `#[on_record]` nor an `#[on_records]` handler, and `#[{attribute}]` is not one of them"
    ))
    .note("a processor handles records, one at a time or a batch at a time")
    .help(format_args!(
        "write `#[on_record]` or `#[on_records]` instead, or in addition if `#[{attribute}]` is another macro"
    ))
}

pub(crate) fn twice(kind: Kind, first: &Ident, second: &Ident) -> Message {
    Message::new(format_args!("`#[{}]` is already on `{first}`; `{second}` cannot have it too", kind.attribute()))
        .note("each message has one handler")
        .help(format_args!(
            "keep one of the two attributes; if both methods are needed, call `{second}` from `{first}`"
        ))
}

pub(crate) fn record_and_records(first: (Kind, &Ident), second: (Kind, &Ident)) -> Message {
    Message::new(format_args!(
        "`{}` is `#[{}]` and `{}` is `#[{}]`: a processor can have only one of the two",
        first.1,
        first.0.attribute(),
        second.1,
        second.0.attribute()
    ))
    .note("records are handled either one at a time or as a whole batch")
    .help("remove one of the two attributes")
}

fn handler(kind: Kind, name: &Ident) -> String {
    let what = if kind.is_constructor() { "constructor" } else { "handler" };
    format!("`#[{}]` {what} `{name}`", kind.attribute())
}

pub(crate) fn qualifier(kind: Kind, name: &Ident, qualifier: &str) -> Message {
    let message = Message::new(format_args!("{} cannot be `{qualifier}`", handler(kind, name)));
    match qualifier {
        "async" => message
            .note("async handlers are not supported yet: a handler blocks until it is done, and the next message waits")
            .help("remove `async`; to await something, call `block_on` on a runtime that the processor holds"),
        "unsafe" => message
            .note("the runtime calls the handler, and cannot uphold the conditions of an unsafe function")
            .help("remove `unsafe`"),
        _ => message.note("the runtime calls the handler as a plain method").help(format_args!("remove `{qualifier}`")),
    }
}

pub(crate) fn receiver_missing(kind: Kind, name: &Ident, arguments: bool) -> Message {
    let rest = if arguments { ", ..." } else { "" };
    Message::new(format_args!("{} must take `&mut self` or `&self`", handler(kind, name)))
        .note("a handler is a method of the processor")
        .help(format_args!("write `fn {name}(&mut self{rest})`"))
}

pub(crate) fn receiver_wrong(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} must take `&mut self` or `&self`", handler(kind, name)))
        .note("the processor lives until its shard ends, and each handler only borrows it")
        .help("write `&mut self`")
}

pub(crate) fn receiver_on_init(name: &Ident) -> Message {
    Message::new(format_args!("`#[on_init]` constructor `{name}` cannot take `self`"))
        .note("the constructor creates the processor, so there is no `self` yet")
        .help(format_args!("write `fn {name}(shard: &Shard) -> Self`"))
}

pub(crate) fn init_returns_nothing(name: &Ident) -> Message {
    Message::new(format_args!("`#[on_init]` constructor `{name}` must return `Self` or `Result<Self, E>`"))
        .note("the constructor creates the processor")
        .help(format_args!("write `fn {name}(shard: &Shard) -> Self`"))
}

pub(crate) fn init_borrows(name: &Ident, lifetime: &str) -> Message {
    Message::new(format_args!("`#[on_init]` constructor `{name}` cannot return a value that borrows for `{lifetime}`"))
        .note("the constructor borrows its arguments for this call only, and the processor outlives the call")
        .help("store a clone or a copy of what you need")
}

pub(crate) fn generic_handler(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} cannot be generic", handler(kind, name)))
        .note("the runtime calls the handler, and has no way to choose the type parameter")
        .help("write a concrete type, or move the parameter to the processor's type")
}

pub(crate) fn impl_trait_argument(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} cannot take an `impl Trait`", handler(kind, name)))
        .note("the runtime chooses the arguments of a handler by their types")
        .help("write a concrete type")
}

pub(crate) fn impl_trait_return(kind: Kind, name: &Ident) -> Message {
    let must = if kind.is_constructor() { "`Self` or `Result<Self, E>`" } else { "`()` or `Result<(), E>`" };
    Message::new(format_args!("{} must return {must}, without an `impl Trait`", handler(kind, name)))
        .note("the runtime interprets the result by its type, and does not await a future")
        .help("write a concrete type, such as `kcl::BoxError` for an error")
}

pub(crate) fn cfg_on_argument(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("an argument of {} cannot have a `cfg`", handler(kind, name)))
        .help("put `#[cfg(...)]` on the whole method, and write another method for the other case")
}

pub(crate) fn argument_twice(kind: Kind, name: &Ident, ty: &str) -> Message {
    Message::new(format_args!("{} takes `{ty}` twice", handler(kind, name))).help("remove one of the two arguments")
}

pub(crate) fn long_argument(kind: Kind, name: &Ident, lifetime: &str) -> Message {
    Message::new(format_args!("{} cannot take a reference that lives for `{lifetime}`", handler(kind, name)))
        .note("the handler borrows its arguments for this call only")
        .help(format_args!("remove `{lifetime}`, and store a clone or a copy of what you need longer"))
}

pub(crate) fn long_receiver(kind: Kind, name: &Ident, lifetime: &str) -> Message {
    Message::new(format_args!("{} cannot borrow the processor for `{lifetime}`", handler(kind, name)))
        .note("the handler borrows the processor for this call only")
        .help(format_args!("remove `{lifetime}`"))
}

pub(crate) fn trait_object() -> Message {
    Message::new("a processor must be `Sized`, and a trait object is not")
        .note("the runtime creates and keeps one processor for each shard")
        .help("put the attribute on the `impl` block of a struct or an enum")
}

pub(crate) fn processor_twice() -> Message {
    Message::new("`#[kcl::processor]` is on this `impl` block twice").help("remove one of them")
}

pub(crate) fn generic_with_main(ty: &str) -> Message {
    Message::new("a generic processor cannot have a generated `main`").note("`main` must name one type to run").help(
        format_args!(
            "write `#[kcl::processor(main = false)]`, and your own `main` that names the type: \
             `fn main() -> std::process::ExitCode {{ kcl::run::<{ty}<...>>() }}`"
        ),
    )
}
