//! The texts of all errors: what must be true, a note that says why, and a help that says what to write.

use std::fmt;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};

use crate::asynchronous::messages as asynchronous;
use crate::handlers::Kind;
use crate::model::{Action, OptionName, Place, When};
use crate::names;
use crate::quantities::{self, NotADuration};
use crate::syntax::ends;
use crate::values::{self, Problem};

/// The text of one error.
#[derive(Default)]
pub(crate) struct Message {
    text: String,
    /// The label of the underlined code.
    help: String,
    /// The lines below the excerpt of the source.
    notes: Vec<String>,
}

impl Message {
    pub(crate) fn new(text: impl fmt::Display) -> Self {
        Self { text: text.to_string(), ..Self::default() }
    }

    pub(crate) fn note(mut self, text: impl fmt::Display) -> Self {
        self.notes.push(text.to_string());
        self
    }

    pub(crate) fn help(mut self, text: impl fmt::Display) -> Self {
        self.help = text.to_string();
        self
    }

    /// Makes an error that underlines `tokens`, from the first to the last.
    pub(crate) fn at(self, tokens: impl ToTokens) -> Error {
        Error::Ours(self, ends(&tokens))
    }
}

/// An error at its place in the user's code.
pub(crate) enum Error {
    /// The spans are those of the first and the last token.
    Ours(Message, (Span, Span)),
    Syntax(syn::Error),
}

impl From<syn::Error> for Error {
    fn from(error: syn::Error) -> Self {
        Self::Syntax(error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ours(message, _) => f.write_str(&message.text),
            Self::Syntax(error) => error.fmt(f),
        }
    }
}

impl Error {
    /// Generates code that rustc reports as this error.
    ///
    /// `compile_error!` has only a text, and rustc prints all of it above the excerpt of the source. A message with a help or a note
    /// is therefore an unmet bound, whose texts rustc prints in their places. That code is an item, which an `impl` cannot contain.
    pub(crate) fn to_compile_error(&self) -> TokenStream {
        match self {
            Self::Ours(Message { text, help, notes }, (from, to)) if help.is_empty() && notes.is_empty() => {
                let (path, arguments) =
                    (quote_spanned!(*from=> ::core::compile_error!), quote_spanned!(*to=> { #text }));
                quote!(#path #arguments)
            }
            Self::Ours(message, ends) => unmet_bound(message, *ends),
            Self::Syntax(error) => error.to_compile_error(),
        }
    }
}

/// Generates a bound that is not met. It is on a type parameter, and has a parameter of its own that is left open: rustc then has
/// nothing to add to the message.
fn unmet_bound(Message { text, help, notes }: &Message, (from, to): (Span, Span)) -> TokenStream {
    // The braces of a format string are doubled.
    let escaped = |text: &String| text.replace('{', "{{").replace('}', "}}");
    let (text, help, notes) = (escaped(text), escaped(help), notes.iter().map(escaped));
    // The spans of its tokens make this type the underlined code. Empty arguments are allowed on any type.
    let (name, end) = (Ident::new("__Here", from), quote_spanned!(to=> >));
    quote! {
        const _: () = {
            #[diagnostic::on_unimplemented(message = #text, label = #help #(, note = #notes)*)]
            trait __Rule<__T> {
                const KEPT: ();
            }
            #[diagnostic::do_not_recommend]
            impl __Rule<()> for () {
                const KEPT: () = ();
            }
            fn __mistake<__Here>() {
                let _ = <#name<#end as __Rule<_>>::KEPT;
            }
        };
    }
}

/// Lists the options of a place by example.
fn options(place: Place) -> String {
    let examples: Vec<_> = place.options().iter().map(|option| format!("`{}`", option.example())).collect();
    match &examples[..] {
        [one] => format!("the option is {one}"),
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

/// The error for a value or a token where an option should be. `is_value` says whether it could be the value of a duration.
pub(crate) fn option_no_name(place: Place, found: &str, is_value: bool) -> Message {
    let message = Message::new(format_args!("expected an option, found `{found}`"));
    match place {
        // Only the name is missing.
        Place::Handler(Kind::Tick) if is_value => message.help(format_args!("write `every = {found}`")),
        Place::Handler(Kind::Tick) => message.help(format_args!("write `{}`", OptionName::Every.example())),
        _ => message.help(options(place)),
    }
}

const FURTHER_ATTEMPTS: &str = "`retry` counts the further attempts, after the first one";

/// The error for an option that this place does not have. `value` is the text of its value, if another option can have that value.
pub(crate) fn option_unknown(place: Place, name: &str, value: &dyn Fn(OptionName) -> Option<String>) -> Message {
    match place {
        Place::Handler(Kind::Record) if name == OptionName::Bisect.text() => return bisect_one_record(),
        Place::Handler(Kind::Records) => {
            let of_concurrency = names::option(name, Place::Handler(Kind::Record).options());
            let here = names::option(name, place.options());
            if let Some(option) = of_concurrency.filter(|option| here.is_none() && option.is_of_concurrency()) {
                return asynchronous::of_single_records(name, option);
            }
        }
        _ => {}
    }
    let elsewhere: &[Place] = match place {
        Place::Processor => &[Place::Handler(Kind::Record), Place::Handler(Kind::Records)],
        Place::Handler(_) => &[Place::Processor],
    };
    let here = names::option(name, place.options());
    let elsewhere = elsewhere.iter().find_map(|&place| Some((place, names::option(name, place.options())?)));
    let meant = here.or(elsewhere.map(|(_, option)| option));
    let with_value = |meant: OptionName| match value(meant) {
        Some(value) => format!("{meant} = {value}"),
        None => meant.example().to_owned(),
    };
    let on_handler =
        |kind: Kind, option: &str| format!("write it on the record handler: `#[{}({option})]`", kind.attribute());
    let of_action = |action: Action| format!("{} = {}", OptionName::OnFailure, action.word());
    let help = match (here, elsewhere, Action::from_word(name), place) {
        _ if name == OptionName::Every.text() => every_of_no_tick(),
        (Some(meant @ (OptionName::OnFailure | OptionName::OnUndecodable)), ..) if value(meant).is_none() => {
            actions(meant)
        }
        (Some(meant), ..) => format!("write `{}`", with_value(meant)),
        (None, Some((Place::Handler(kind), meant)), ..) => on_handler(kind, &with_value(meant)),
        (None, Some((Place::Processor, meant)), ..) => {
            format!("write it on the impl: `#[kcl::processor({})]`", with_value(meant))
        }
        (None, None, Some(action), Place::Handler(_)) => format!("write `{}`", of_action(action)),
        (None, None, Some(action), Place::Processor) => on_handler(Kind::Record, &of_action(action)),
        (None, None, None, Place::Processor) if name == When::BATCH => "write `checkpoint = batch`".to_owned(),
        (None, None, None, _) => options(place),
    };
    let message = Message::new(format_args!("{} has no option `{name}`", attribute(place))).help(help);
    let message = match meant {
        Some(OptionName::Retry) if name != OptionName::Retry.text() => message.note(FURTHER_ATTEMPTS),
        _ => message,
    };
    if here.is_some() && place.options().len() > 1 { message.note(options(place)) } else { message }
}

pub(crate) fn option_twice(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` is given twice")).help("remove one of them")
}

pub(crate) fn option_without_value(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` needs a value")).help(format_args!("write `{}`", name.example()))
}

pub(crate) fn option_flag_value(name: OptionName) -> Message {
    Message::new(format_args!("option `{name}` takes no value")).help(format_args!("write `{name}`"))
}

/// The help for `every` where it is not an option. It may be meant for checkpoints, which have an option of their own.
fn every_of_no_tick() -> String {
    format!(
        "for calls at intervals, write `#[on_tick({})]` on a method; for checkpoints at intervals, write `#[kcl::processor({})]` on the impl",
        OptionName::Every.example(),
        OptionName::Checkpoint.example()
    )
}

fn bisect_one_record() -> Message {
    Message::new("option `bisect` needs an `#[on_records]` handler")
        .note(
            "it divides a batch that fails; `#[on_record]` gets one record at a time, so it is known which one failed",
        )
        .help("remove `bisect`: `on_failure` already applies to single records here")
}

/// The error for an option whose value follows without `=`, perhaps in parentheses.
pub(crate) fn option_without_equals(name: OptionName, value: Option<&str>) -> Message {
    let message = Message::new(format_args!("option `{name}` must be followed by `=` and its value"));
    match value {
        Some(value) => message.help(format_args!("write `{name} = {value}`")),
        None if matches!(name, OptionName::OnFailure | OptionName::OnUndecodable) => message.help(actions(name)),
        None => message.help(format_args!("write `{}`", name.example())),
    }
}

pub(crate) fn option_without_comma(name: OptionName) -> Message {
    let what = if name.is_flag() { "" } else { "the value of " };
    Message::new(format_args!("{what}option `{name}` must be followed by a comma or the end of the options"))
        .help(format_args!("separate the options with commas: `{}, ...`", name.example()))
}

pub(crate) fn option_bool_value(name: OptionName) -> Message {
    let effect = match name {
        OptionName::LogPayloads => "keep payloads and partition keys out of messages",
        _ => "keep the macro from generating `fn main`",
    };
    Message::new(format_args!("option `{name}` must be `true` or `false`"))
        .help(format_args!("write `{name} = false` to {effect}"))
}

pub(crate) fn option_crate_value(quoted: Option<&str>) -> Message {
    let message = Message::new("option `crate` must be a path");
    match quoted {
        Some(path) => message.help(format_args!("remove the quotes: `crate = {path}`")),
        None => message.help("write the path at which this crate finds `kcl`, such as `crate = my_kcl`"),
    }
}

/// The units of time, for notes.
const UNITS: &str = "the units of time are `ms`, `s`, `m`, `h` and `d`, as in `500ms`, `30s` or `1h30m`";

/// Formats a text in quotes on one line.
pub(crate) fn shown(text: &str) -> String {
    text.escape_debug().take(100).collect()
}

pub(crate) fn option_without_quotes(name: OptionName, found: &str) -> Message {
    let (what, constants) = match name {
        OptionName::Backoff => ("a range of two durations in quotes", "two constants of type `Duration`"),
        _ => ("a duration in quotes", "a constant of type `Duration`"),
    };
    let message = Message::new(format_args!("option `{name}` must be {what}, or {constants}"));
    let is_valid = match values::ends(found) {
        Ok((first, most)) => {
            name == OptionName::Backoff && [first, most].map(values::duration).iter().all(Result::is_ok)
        }
        Err(_) => name != OptionName::Backoff && values::duration(found).is_ok(),
    };
    if is_valid {
        return message.help(format_args!("add the quotes: `{name} = \"{found}\"`"));
    }
    if name != OptionName::Backoff && values::duration(&format!("{found}s")).is_ok() {
        return message
            .help(format_args!("write the number with a unit, in quotes: `{name} = \"{found}s\"`"))
            .note(UNITS);
    }
    let constant = match name {
        OptionName::Backoff => "backoff = FIRST..MOST".to_owned(),
        _ => format!("{name} = LIMIT"),
    };
    message.help(format_args!("write `{}`, or the path of a constant as in `{constant}`", name.example())).note(UNITS)
}

pub(crate) fn option_word_in_quotes(name: OptionName, word: &str) -> Message {
    Message::new(format_args!("`{word}` must not be in quotes")).help(format_args!("write `{name} = {word}`"))
}

pub(crate) fn option_retry_value(quoted: Option<u32>) -> Message {
    let message = Message::new("option `retry` must be a whole number, or a constant of type `u32`");
    match quoted {
        Some(number) => message.help(format_args!("remove the quotes: `retry = {number}`")),
        None => message.help(
            "write the number of further attempts, as in `retry = 3`, or the path of a constant, as in `retry = RETRIES`",
        ),
    }
}

/// The note for a word where a constant is allowed.
pub(crate) fn lower_case_constant(word: &Ident) -> String {
    format!("a single lower-case word is not a constant; if there is a constant `{word}`, write `self::{word}`")
}

pub(crate) fn option_retry_suffix(digits: &str, suffix: &str) -> Message {
    Message::new(format_args!("option `retry` must be a number without a suffix"))
        .help(format_args!("remove `{suffix}`: write `retry = {digits}`"))
}

pub(crate) fn option_retry_too_large() -> Message {
    Message::new(format_args!("option `retry` must be at most {}", u32::MAX))
        .help("write the number of further attempts, such as `retry = 3`")
}

/// The error for a duration, or a range of two, in quotes.
pub(crate) fn option_duration(name: OptionName, text: &str, problem: Problem) -> Message {
    let example = format!("write `{}`", name.example());
    let in_option = |part: &str| format!("`{}` in option `{name}`", shown(part));
    match problem {
        Problem::NotADuration(NotADuration::NoNumber(part)) if part.is_empty() => {
            Message::new(format_args!("option `{name}` must not be empty")).help(example)
        }
        Problem::NotADuration(NotADuration::NoNumber(part)) => {
            Message::new(format_args!("{} is not a duration", in_option(&part))).help(example).note(UNITS)
        }
        Problem::NotADuration(NotADuration::NoUnit(number)) => {
            Message::new(format_args!("the number {} has no unit", in_option(&number)))
                .help(format_args!("add a unit, as in `{number}s` or `{number}ms`"))
                .note(UNITS)
        }
        Problem::NotADuration(NotADuration::Commas(number)) => commas(name, text, &number),
        Problem::NotADuration(NotADuration::NotAUnit(unit)) => {
            Message::new(format_args!("{} is not a unit of time", in_option(&unit))).help(example).note(UNITS)
        }
        Problem::NotADuration(NotADuration::TooLong) => {
            Message::new(format_args!("the time {} is too long", in_option(text.trim())))
                .help(format_args!("write a shorter time, such as `{}`", name.example()))
        }
        Problem::NotANumber(number) => {
            Message::new(format_args!("the number {} must be whole, and at most {}", in_option(&number), u64::MAX))
                .help("write a number such as `checkpoint = \"1000 records\"`")
        }
        Problem::Zero => match name {
            OptionName::Backoff => Message::new("option `backoff` must start with a wait longer than 0")
                .note("each wait is up to twice as long as the previous one, so it would stay at 0")
                .help(format_args!("write the first and the longest wait, such as `{}`", name.example())),
            _ => Message::new(format_args!("option `{name}` must be greater than 0")).help(example),
        },
        Problem::NotARange => Message::new("option `backoff` must be a range of two durations")
            .help(format_args!("write the first and the longest wait, such as `{}`", name.example()))
            .note(UNITS),
        Problem::Backwards => Message::new("option `backoff` must not end before it starts")
            .note("each wait is up to twice as long as the previous one, until the longest is reached")
            .help(format_args!("write the first and the longest wait, such as `{}`", name.example())),
    }
}

/// The error for a number with commas between its digits.
pub(crate) fn commas(name: OptionName, text: &str, number: &str) -> Message {
    let written = text.trim().replacen(number, &quantities::without_commas(number), 1);
    Message::new(format_args!("the number `{number}` in option `{name}` must not have commas"))
        .help(format_args!("group its digits with `_`, as in `\"{}\"`", shown(&written)))
}

const CHECKPOINTS: &str = "write `checkpoint = batch`, `checkpoint = \"30s\"` or `checkpoint = \"1000 records\"`";

/// The error for a value of `checkpoint` that is not a text in quotes, or that asks for no checkpoints.
pub(crate) fn option_checkpoint_value(found: &str) -> Message {
    let message = Message::new(format_args!("option `checkpoint` cannot be `{}`", shown(found)));
    if names::means_never(found) {
        return message
            .help("to decide yourself when to checkpoint, take `&mut Checkpointer` in the record handler, and remove this option")
            .note("a handler that takes a `Checkpointer` makes all checkpoints itself; otherwise the runtime makes them");
    }
    if values::checkpoint(found).is_ok() {
        return message.help(format_args!("add the quotes: `checkpoint = \"{found}\"`"));
    }
    if quantities::duration(&format!("{found}s")).is_ok() {
        return message.help(format_args!(
            "write the number with its unit, in quotes: `checkpoint = \"{found} records\"` or `checkpoint = \"{found}s\"`"
        ));
    }
    message.help(CHECKPOINTS).note("instead of these, it can be the path of a constant of type `kcl::Checkpoints`")
}

/// The error for a text in quotes.
pub(crate) fn option_checkpoint_text(text: &str, problem: Problem) -> Message {
    let units = format!("for a number, the unit is `records`; {UNITS}");
    match problem {
        Problem::NotADuration(NotADuration::NoNumber(part)) if part.trim() == text.trim() => {
            Message::new(format_args!("option `checkpoint` cannot be `{}`", shown(text))).help(CHECKPOINTS).note(units)
        }
        Problem::NotADuration(NotADuration::NoUnit(number)) => {
            Message::new(format_args!("the number `{number}` in option `checkpoint` has no unit"))
                .help(format_args!("add a unit, as in `\"{number} records\"` or `\"{number}s\"`"))
                .note(units)
        }
        Problem::NotADuration(NotADuration::NotAUnit(unit)) => {
            Message::new(format_args!("`{}` in option `checkpoint` is not a unit", shown(&unit)))
                .help(CHECKPOINTS)
                .note(units)
        }
        Problem::Zero => Message::new("option `checkpoint` must be greater than 0")
            .help("write `checkpoint = batch` for a checkpoint after each batch, which is the most frequent choice"),
        other => option_duration(OptionName::Checkpoint, text, other),
    }
}

pub(crate) fn constant_of_generic(constant: &str) -> Message {
    Message::new(format_args!("the constant `{constant}` depends on a generic parameter"))
        .help("write the path of a constant that does not, such as one outside of the `impl` block")
        .note("the value is checked when the crate is checked, before the parameter is known")
}

pub(crate) fn option_action(name: OptionName, found: &str) -> Message {
    let message = Message::new(format_args!("option `{name}` cannot be `{found}`")).note(
        "`fail` ends the process, and the record is delivered again; `skip` logs the failure and continues without the \
         record; `dead_letter` passes it to `#[on_dead_letter]`",
    );
    match names::action(found) {
        Some(meant) => message.help(format_args!("write `{name} = {}`", meant.word())),
        None if name == OptionName::OnFailure && found == OptionName::Retry.text() => message.help(format_args!(
            "write `{}` for that; `{name}` says what happens when the last attempt has failed: `fail`, which is the \
             default, `skip` or `dead_letter`",
            OptionName::Retry.example()
        )),
        None => message.help(actions(name)),
    }
}

/// The help that lists the actions.
fn actions(name: OptionName) -> String {
    let [first, second, third] = Action::ALL.map(Action::word);
    format!("write `{name} = {first}`, `{second}` or `{third}`")
}

pub(crate) fn backoff_without_retry() -> Message {
    Message::new("option `backoff` needs option `retry`")
        .note("without retries there is nothing to wait for")
        .help("add `retry = 3`, or remove `backoff`")
}

pub(crate) fn options_without_parentheses(kind: Kind) -> Message {
    let name = kind.attribute();
    let example = Place::Handler(kind).options().first().map_or("", |option| option.example());
    let message = Message::new(format_args!("the options of `#[{name}]` must be in parentheses"));
    match kind {
        Kind::Tick => message.help(format_args!("write `#[{name}({example})]`")),
        _ => message.help(format_args!("write `#[{name}]`, or `#[{name}({example})]`")),
    }
}

pub(crate) fn tick_without_every() -> Message {
    Message::new("`#[on_tick]` needs option `every`")
        .note(
            "it is the shortest time between two ticks; a tick comes within a message of the daemon, after its records",
        )
        .help("write `#[on_tick(every = \"5s\")]`, or the path of a constant of type `Duration`")
}

pub(crate) fn dead_letter_without_handler() -> Message {
    Message::new("`dead_letter` needs an `#[on_dead_letter]` handler")
        .note("the handler receives the record, the last error and the number of attempts; once it succeeds, checkpoints move past the record")
        .help("add a method such as `#[on_dead_letter] fn keep(&mut self, letter: &DeadLetter) -> Result<(), E>` to this `impl`")
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

/// The error for an item that is not an impl. Without a name, it may be inside an `impl`, and has no notes for that reason.
pub(crate) fn not_an_impl(what: &str, name: Option<&Ident>) -> Message {
    match name {
        Some(name) => Message::new(format_args!("`#[kcl::processor]` must be on an `impl` block, not on {what}"))
            .note("the handlers are methods, so the macro needs the block that contains them")
            .help(format_args!("move the attribute to `impl {name} {{ ... }}`")),
        None => Message::new(format_args!(
            "`#[kcl::processor]` must be on an `impl` block, not on {what}: move it to the block of your processor's type"
        )),
    }
}

pub(crate) fn trait_impl(ty: &str) -> Message {
    Message::new("`#[kcl::processor]` must be on an inherent `impl` block, not on the impl of a trait")
        .help(format_args!("move the attribute and the handlers to `impl {ty} {{ ... }}`"))
}

/// The error for a handler attribute elsewhere. It may be inside an `impl`, and has no notes for that reason.
pub(crate) fn outside(kind: Kind) -> Message {
    Message::new(format_args!(
        "`#[{}]` must be in the `impl` block with `#[kcl::processor]`, without a path or with that of `kcl`: move the method to that block, \
         or add `#[kcl::processor]` to this one if no block has it",
        kind.attribute()
    ))
}

pub(crate) fn handler_on_impl(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("`#[{name}]` must be on a method, not on an `impl` block")).help(format_args!(
        "put `#[kcl::processor]` on the `impl` block, and `#[{name}]` on the method in it that the runtime should call"
    ))
}

pub(crate) fn processor_misnamed(written: &str) -> Message {
    Message::new(format_args!("there is no attribute `#[kcl::{written}]`")).help("write `#[kcl::processor]`")
}

/// The error for a wrong name of `processor` on a function.
pub(crate) fn processor_misnamed_on_function(written: &str) -> Message {
    Message::new(format_args!(
        "there is no attribute `#[kcl::{written}]`: write `#[kcl::processor]` on the `impl` block of your processor, which also \
         generates `main`"
    ))
}

pub(crate) fn handler_takes_no_options(kind: Kind) -> Message {
    let name = kind.attribute();
    Message::new(format_args!("`#[{name}]` takes no options")).help(format_args!("write `#[{name}]`"))
}

pub(crate) fn handler_unknown(written: &str, nearest: Option<Kind>) -> Message {
    let message = Message::new(format_args!("there is no handler `#[{written}]`"));
    let options = Place::Handler(Kind::Record).options();
    match (nearest, options.iter().find(|option| written.rsplit("::").next() == Some(option.text()))) {
        (Some(kind), _) => message.help(format_args!("write `#[{}]`", kind.attribute())),
        (None, Some(option)) => {
            let kind = Kind::Record.attribute();
            message.help(format_args!(
                "write the option `{option}` on the record handler, as in `#[{kind}({})]`",
                option.example()
            ))
        }
        (None, None) => message.help(format_args!("the handlers are {}", all_handlers())),
    }
}

/// The error for a handler attribute whose path is not known to be that of `kcl`.
pub(crate) fn handler_of_unknown_path(written: &str, kind: Kind) -> Message {
    let name = kind.attribute();
    let message =
        Message::new(format_args!("the handler `#[{written}]` must be written without a path, or with that of `kcl`"))
            .help(format_args!("write `#[{name}]` or `#[kcl::{name}]`"));
    match written.split_once("::") {
        Some((krate, last)) if last == name && !matches!(krate, "crate" | "self" | "super") => message.note(
            format_args!("if `{krate}` is another name for `kcl`, write `#[{krate}::processor(crate = {krate})]`"),
        ),
        _ => message,
    }
}

pub(crate) fn test_on_a_method() -> Message {
    Message::new("a test cannot be a method").help("move it out of the `impl` block")
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

pub(crate) fn async_trait() -> Message {
    Message::new("`#[async_trait]` is for traits and their impls, and a processor has an impl of its own")
        .help("remove it; handlers may be `async fn` without it")
}

pub(crate) fn runtime_attribute(attribute: &str) -> Message {
    Message::new(format_args!("`#[{attribute}]` cannot be on a processor or its handlers"))
        .note("kcl starts the runtime and awaits the handlers")
        .help("remove it; handlers may be `async fn` without it")
}

const ONE_IMPL: &str = "all handlers of a processor are in one `impl` block, the one with `#[kcl::processor]`";

pub(crate) fn no_record_handler(ty: &str) -> Message {
    Message::new(format_args!("`{ty}` has neither an `#[on_record]` nor an `#[on_records]` handler"))
        .note("a processor handles records, one at a time or a batch at a time")
        .note(ONE_IMPL)
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

pub(crate) fn no_record_handler_on(ty: &str, kind: Kind, method: &Ident) -> Message {
    Message::new(format_args!("`{ty}` has neither an `#[on_record]` nor an `#[on_records]` handler"))
        .note("the runtime calls the methods with a handler attribute, whatever their names")
        .note(ONE_IMPL)
        .help(format_args!("put `#[{}]` on `{method}`", kind.attribute()))
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

pub(crate) fn handler(kind: Kind, name: &Ident) -> String {
    let what = if kind.is_constructor() { "constructor" } else { "handler" };
    format!("`#[{}]` {what} `{name}`", kind.attribute())
}

pub(crate) fn qualifier(kind: Kind, name: &Ident, qualifier: &str) -> Message {
    let message = Message::new(format_args!("{} cannot be `{qualifier}`", handler(kind, name)));
    match qualifier {
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
        .note("the constructor creates the processor, so there is no `self` yet: return a new value, such as `Self { ... }`")
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

pub(crate) fn error_borrows(kind: Kind, name: &Ident) -> Message {
    Message::new(format_args!("{} cannot return an error that borrows", handler(kind, name)))
        .note("the runtime still needs the error when the call has ended")
        .help("return an error that owns its data, such as `kcl::BoxError`")
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
        .note("the runtime interprets the result by its type")
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
        .note("a `kcl::Record` is cheap to clone: keep `record.clone()`, not a reference")
        .help(format_args!("remove `{lifetime}`, and store a clone or a copy of what you need longer"))
}

/// The error for a checkpointer or a payload that is not borrowed as it must be.
pub(crate) fn borrowed_wrongly(kind: Kind, name: &Ident, written: &str, right: &str) -> Message {
    let message = Message::new(format_args!("{} cannot take `{written}`", handler(kind, name)));
    let message = match right.starts_with('&') {
        true => message.note("the checkpointer is the runtime's, and a checkpoint changes it"),
        false => message.note("a payload is decoded for this call, so the handler owns it"),
    };
    message.help(format_args!("write `{right}`"))
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
