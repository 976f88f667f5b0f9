//! Messages: what the tool, the daemon and its parts say, as lines.

use std::borrow::Cow;
use std::fmt::Display;

use serde_json::value::RawValue;

use super::escape::escaped;
use super::log::{Level, Line, LogFormat, Source, format};
use super::words::bounded;
use super::{has_colours, write};

/// The colours of shards, readable on dark and light backgrounds. Red is the colour of errors.
const COLOURS: [u8; 5] = [36, 33, 35, 32, 34];

/// The start of a line, which shows whose line it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Prefix {
    None,
    /// `cargo kcl: `, in red if it is an error.
    Tool,
    /// Such a name and a colon.
    Name(&'static str),
    /// A label in brackets, in the colour of this number.
    Label(String, usize),
}

impl Prefix {
    pub(super) fn text(&self, level: Level, coloured: bool) -> String {
        let in_colour = |colour: u8, text: &str| match coloured {
            true => format!("\x1b[{colour}m{text}\x1b[0m "),
            false => format!("{text} "),
        };
        match self {
            Self::None => String::new(),
            Self::Tool if level == Level::Error => in_colour(31, "cargo kcl:"),
            Self::Tool => "cargo kcl: ".to_owned(),
            Self::Name(name) => format!("{name}: "),
            Self::Label(label, number) => {
                in_colour(COLOURS[number % COLOURS.len()], &format!("[{}]", on_one_line(label)))
            }
        }
    }
}

/// A message: a line, and lines below it that belong to it. Whatever the texts contain, each of them takes one line of at most 4 KiB.
#[derive(Debug)]
#[must_use = "it is not printed yet"]
pub(crate) struct Message {
    level: Level,
    source: Source,
    prefix: Prefix,
    shard: Option<String>,
    lines: Vec<String>,
    fields: Option<Box<RawValue>>,
}

impl Message {
    /// A message of the tool.
    pub(crate) fn new(level: Level, text: impl Display) -> Self {
        Self {
            level,
            source: Source::Tool,
            prefix: Prefix::Tool,
            shard: None,
            lines: vec![text.to_string()],
            fields: None,
        }
    }

    /// A result of the tool, which is shown without the tool's name.
    pub(crate) fn result(level: Level, text: impl Display) -> Self {
        Self { prefix: Prefix::None, ..Self::new(level, text) }
    }

    /// A message of another program.
    pub(crate) fn from(source: Source, level: Level, prefix: Prefix, text: impl Display) -> Self {
        Self { source, prefix, ..Self::new(level, text) }
    }

    /// Sets the shard that the message is about. A message of the tool starts with it.
    pub(crate) fn of(self, shard: impl Into<String>) -> Self {
        Self { shard: Some(shard.into()), ..self }
    }

    /// Adds lines below the message. In text they are indented.
    pub(crate) fn with(mut self, lines: impl IntoIterator<Item = impl Display>) -> Self {
        self.lines.extend(lines.into_iter().map(|line| format!("  {line}")));
        self
    }

    /// Adds what JSON shows under `fields`.
    pub(crate) fn with_fields(self, fields: &impl serde::Serialize) -> Self {
        Self { fields: serde_json::value::to_raw_value(fields).ok(), ..self }
    }

    /// Prints the message in one piece.
    pub(crate) fn print(&self) {
        match format() {
            LogFormat::Json => write(&self.json()),
            LogFormat::Text | LogFormat::Raw => write(self.text(has_colours()).as_bytes()),
        }
    }

    fn json(&self) -> Vec<u8> {
        let lines: Vec<_> = self.lines.iter().map(|line| on_one_line(line)).collect();
        let message = lines.join("\n");
        let line = Line::new(self.level, self.source, self.shard.as_deref(), &message);
        line.with_fields(self.fields.as_deref()).write(0)
    }

    /// The message as text for a terminal.
    pub(crate) fn text(&self, coloured: bool) -> String {
        let mut text = self.prefix.text(self.level, coloured);
        if let (Some(shard), Prefix::Tool) = (&self.shard, &self.prefix) {
            text.extend([&*on_one_line(shard), ": "]);
        }
        for line in &self.lines {
            text.extend([&*on_one_line(line), "\n"]);
        }
        text
    }
}

/// The text on one line, without its middle if it is too long.
fn on_one_line(text: &str) -> Cow<'_, str> {
    match escaped(text) {
        Cow::Borrowed(text) => bounded(text),
        Cow::Owned(text) => bounded(&text).into_owned().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_cannot_add_a_line() {
        let forged = "x\ncargo kcl: forged\x1b[2J\u{202e}";
        let message = Message::new(Level::Error, format_args!("no file `{forged}`")).of(forged).with([forged]);
        assert_eq!(
            message.text(false),
            "cargo kcl: x\\ncargo kcl: forged\\u{1b}[2J\\u{202e}: no file `x\\ncargo kcl: forged\\u{1b}[2J\\u{202e}`\n  \
             x\\ncargo kcl: forged\\u{1b}[2J\\u{202e}\n"
        );
        assert!(message.text(true).starts_with("\x1b[31mcargo kcl:\x1b[0m x\\n"));
        let json: serde_json::Value = serde_json::from_slice(&message.json()).expect("valid JSON");
        assert_eq!((&json["level"], &json["source"]), (&"error".into(), &"tool".into()));
        assert_eq!(json["message"].as_str().map(|message| message.lines().count()), Some(2));
    }

    #[test]
    fn each_line_of_a_message_is_bounded() {
        const MOST: usize = 4 << 10;
        for char in ["x", "é", "\x1b", "\u{202e}", "\""] {
            let long = format!("begin{}end", char.repeat(1 << 20));
            let message = Message::new(Level::Error, &long).of(&*long).with([&long]);
            for line in message.text(false).lines() {
                assert!(line.len() <= 2 * MOST + 20 && line.ends_with("end"), "{line}");
                assert!(line.contains("begin") && line.contains(" bytes left out"), "{line}");
            }
            let json: serde_json::Value = serde_json::from_slice(&message.json()).expect("valid JSON");
            for text in [&json["shard"], &json["message"]] {
                let lines = text.as_str().expect("text").lines();
                assert!(lines.map(str::len).all(|length| length <= MOST + 2));
            }
            let label = Prefix::Label(long, 0).text(Level::Info, false);
            assert!(label.len() <= MOST + 3);
        }
    }
}
